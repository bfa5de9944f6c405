//! Long runs, on demand: `cargo test -p modelops-cleaning --test bounded -- --ignored slow::`.

use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use modelops_cleaning::{Keep, RunOptions};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::{input, outputs, pipeline};

const FOLDER: &str = "MODELOPS_CLEANING_BOUNDED_FOLDER";
const MEMORY: &str = "MODELOPS_CLEANING_BOUNDED_MEMORY";

/// A command that runs the pipeline in `folder`, with `memory` granted and `limit` kilobytes of data allowed by the
/// system.
fn child(folder: &Path, memory: usize, limit: Option<usize>) -> Command {
    let limit = limit.map_or("unlimited".to_owned(), |kilobytes| kilobytes.to_string());
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg("ulimit -d $1 && exec \"$2\" --exact slow::in_a_child --ignored --quiet --test-threads=1")
        .arg("sh")
        .arg(limit)
        .arg(std::env::current_exe().unwrap())
        .env(FOLDER, folder)
        .env(MEMORY, memory.to_string());
    command
}

#[test]
#[ignore = "run by the others, with a folder"]
#[expect(
    clippy::disallowed_methods,
    reason = "the parent says by variables where the files lie and what is granted"
)]
fn in_a_child() {
    let (Some(folder), Ok(memory)) = (std::env::var_os(FOLDER), std::env::var(MEMORY)) else {
        return;
    };
    let options = RunOptions::default().with_memory(memory.parse().unwrap());
    let run = pipeline(Path::new(&folder), Keep::First)
        .run_with(&options, |_| ControlFlow::Continue(()))
        .unwrap();
    let path = Path::new(&folder).join("report");
    let mut report = std::fs::File::create(path).unwrap();
    write!(report, "{} {}", run.work.reused, run.work.done).unwrap();
}

/// Complete units in the work folder.
fn complete(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder.join(".clean.work")) else {
        return 0;
    };
    entries
        .filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            let name = name.to_str().unwrap();
            name.ends_with(".unit") && name != "commit.unit"
        })
        .count() as u64
}

#[test]
#[ignore = "slow: a hundred kills"]
fn killed_a_hundred_times_nothing_is_lost_or_done_twice() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("in"), input(200_000)).unwrap();
    pipeline(folder, Keep::First).run().unwrap();
    let (clean, quarantine, _) = outputs(folder);
    let memory = 1 << 19;
    let reset = || {
        for name in ["clean", "quarantine", "report"] {
            let _ = std::fs::remove_file(folder.join(name));
        }
    };
    reset();
    assert!(child(folder, memory, None).output().unwrap().status.success());
    let total = report(folder).1;
    assert!(total > 50, "{total} units");
    let mut generator = Xoshiro256PlusPlus::seed_from_u64(11);
    let (mut early, mut late) = (0, 0);
    for kill in 0..100 {
        reset();
        let mut run = child(folder, memory, None).spawn().unwrap();
        // Somewhere inside the unit that follows so many complete ones.
        let units = generator.next_u64() % total;
        while complete(folder) < units && run.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_micros(100));
        }
        std::thread::sleep(Duration::from_micros(generator.next_u64() % 10_000));
        run.kill().unwrap();
        run.wait().unwrap();
        let named = ["clean", "quarantine"].map(|name| folder.join(name).exists());
        let committing = folder.join(".clean.work/commit.unit").exists();
        if named[0] {
            // It was done: whatever has its name is whole.
            late += 1;
        } else {
            assert!(
                !named[1] || committing,
                "kill {kill}: quarantine named before everything was complete"
            );
            early += 1;
        }
        let (known, over) = (complete(folder), named[0]);
        assert!(child(folder, memory, None).output().unwrap().status.success());
        if !over && !committing {
            let (reused, done) = report(folder);
            assert_eq!(reused, known, "kill {kill}: a complete unit was done again");
            assert_eq!(reused + done, total, "kill {kill}");
        }
        let (again, again_quarantine, names) = outputs(folder);
        assert!(again == clean && again_quarantine == quarantine, "kill {kill}");
        assert_eq!(names.len(), 4, "kill {kill}: {names:?}");
    }
    println!("{total} units; {early} kills before the outputs had their names, {late} after");
    assert!(early >= 80);
}

fn report(folder: &Path) -> (u64, u64) {
    let text = std::fs::read_to_string(folder.join("report")).unwrap();
    let (reused, done) = text.split_once(' ').unwrap();
    (reused.parse().unwrap(), done.parse().unwrap())
}

/// The system refuses every byte of data above the cap, so a run that ends has kept to it.
#[test]
#[ignore = "slow: a file of ten times the memory"]
fn a_file_of_ten_times_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let cap: usize = 48 << 20;
    let mut file = std::io::BufWriter::new(std::fs::File::create(folder.join("in")).unwrap());
    writeln!(file, "id,name,score").unwrap();
    for i in 0..6_000_000usize {
        // One in five repeats an earlier record, anywhere before it.
        let of = if i % 5 == 4 { i * 7919 % (i + 1) } else { i };
        let comment = "as records of a training log are wide, so is this one";
        writeln!(
            file,
            "{of},\"user {:07}, {comment}, {:04}\",{}",
            of % 999_983,
            of % 7919,
            of % 1000
        )
        .unwrap();
    }
    file.flush().unwrap();
    drop(file);
    let size = std::fs::metadata(folder.join("in")).unwrap().len();
    assert!(size > 10 * cap as u64);
    let run = child(folder, cap / 2, Some(cap / 1024)).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let bounded = outputs(folder);
    println!("{size} bytes under a cap of {cap}: units {:?}", report(folder));
    std::fs::remove_file(folder.join("report")).unwrap();
    let whole = pipeline(folder, Keep::First).run().unwrap();
    let expected = outputs(folder);
    assert!(bounded.0 == expected.0 && bounded.1 == expected.1);
    println!("{}", whole.ledger);
}
