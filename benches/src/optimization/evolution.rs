//! CMA-ES: what a generation costs, and how many of the BBOB functions it solves.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use modelops_benches::{Better, Comparison, interpreter, workspace_root};
use modelops_optimization::CmaEs;

const PYCMA: &str = "pycma 4.5.0";

pub(crate) fn run(comparison: &mut Comparison) {
    generations(comparison, 10, 300);
    generations(comparison, 100, 300);
    bbob(comparison);
}

fn generations(comparison: &mut Comparison, n: usize, count: usize) {
    let points = 4 + (3.0 * (n as f64).ln()) as usize;
    let scale: Vec<f64> = (0..n).map(|j| 1e6f64.powf(j as f64 / (n - 1) as f64)).collect();
    let ellipsoid = |x: &[f64]| x.iter().zip(&scale).map(|(x, s)| s * x * x).sum::<f64>();
    comparison
        .case(&format!("CMA-ES, {count} generations, n = {n}"))
        .rounds(2)
        .ours(|| {
            let solver = CmaEs::new(1)
                .without_restarts()
                .with_max_evaluations(points * count);
            solver
                .minimize(ellipsoid, &vec![1.0; n], 1.0)
                .expect("a finite start")
                .value
        })
        .python(
            PYCMA,
            "pycma_runs.py",
            &["generations", &n.to_string(), &count.to_string()],
        )
        .per("generation", count)
        .value("best value of the ellipsoid", "", Better::Lower, |v| *v)
        .run();
}

const BUDGET: usize = 25_000;

/// The first instance of each function, and the first five.
fn bbob(comparison: &mut Comparison) {
    for instances in [1, 5] {
        comparison
            .case(&format!(
                "BBOB, D = 5, {instances} of 5 instances, {BUDGET} evaluations"
            ))
            .ours(|| solved(instances).map_or(f64::NAN, |s| s as f64))
            .python(
                PYCMA,
                "pycma_runs.py",
                &["bbob", &instances.to_string(), &BUDGET.to_string()],
            )
            .without_times()
            .value(
                &format!("solved of {}", 24 * instances),
                "",
                Better::Higher,
                |s| *s,
            )
            .rounds(1)
            .cold()
            .run();
    }
}

/// How many functions get within 1e-8 of their optimum, two at a time.
fn solved(instances: u32) -> Result<usize, String> {
    std::thread::scope(|scope| {
        // Neighbours are alike in what they take.
        let halves = [1, 2].map(|first| scope.spawn(move || solved_of((first..=24).step_by(2), instances)));
        halves
            .map(|half| half.join().unwrap_or_else(|_| Err("a panic".to_owned())))
            .into_iter()
            .sum()
    })
}

/// Of some functions; they are COCO's own, in a child process.
fn solved_of(functions: impl Iterator<Item = u32>, instances: u32) -> Result<usize, String> {
    let script = workspace_root().join("benches/peers/optimization/bbob.py");
    let mut child = Command::new(interpreter("optimization")?)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| e.to_string())?;
    let mut solved = 0;
    for function in functions {
        for instance in 1..=instances {
            let mut fresh = true;
            let values = |points: &[Vec<f64>]| {
                let values = ask(&mut child, fresh, function, instance, points);
                fresh = false;
                values.unwrap_or_default()
            };
            let solver = CmaEs::new(u64::from(instance))
                .with_max_evaluations(BUDGET)
                .with_target(-1e299)
                .with_start_box(-4.0, 4.0);
            let start = vec![f64::from(instance) - 3.0; 5];
            let solution = solver
                .minimize_batches(values, &start, 2.0)
                .map_err(|e| e.to_string())?;
            solved += usize::from(solution.value <= -1e299);
        }
    }
    drop(child.stdin.take());
    child.wait().map_err(|e| e.to_string())?;
    Ok(solved)
}

fn ask(
    child: &mut Child,
    fresh: bool,
    function: u32,
    instance: u32,
    points: &[Vec<f64>],
) -> std::io::Result<Vec<f64>> {
    let (Some(input), Some(output)) = (&mut child.stdin, &mut child.stdout) else {
        return Ok(Vec::new());
    };
    let mut request = Vec::new();
    for number in [u32::from(fresh), function, instance, points.len() as u32] {
        request.extend(number.to_le_bytes());
    }
    for x in points.iter().flatten() {
        request.extend(x.to_le_bytes());
    }
    input.write_all(&request)?;
    input.flush()?;
    let mut answer = vec![0; 8 * points.len()];
    output.read_exact(&mut answer)?;
    Ok(answer
        .as_chunks()
        .0
        .iter()
        .map(|b| f64::from_le_bytes(*b))
        .collect())
}
