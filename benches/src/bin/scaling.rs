//! The cost of each crate against the size of its task, on one machine: the figures of docs/SCALING.md.
//!
//! `cargo run -p modelops-benches --features scaling --bin scaling -- CRATE` prints one line a size: processor seconds,
//! wall seconds and the peak of memory while that size ran. The dev profile optimises our crates and the kernels they
//! rest on.
#![allow(clippy::unwrap_used, reason = "a failed set-up ends the run")]
#![allow(clippy::print_stdout, reason = "it is a report")]

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use modelops_allocation::score::BestFit;
use modelops_allocation::{
    Device, DeviceDemand, Event, Fleet, Greedy, Milli, Node, Replay, Request, Resources,
};
use modelops_benches::measure;
use modelops_cleaning::{DropDuplicates, DropMissing, Mode, Pipeline, PipelineSpec, Read};
use modelops_monitoring::{HistogramOptions, Registry, RegistryOptions, label_set};
use modelops_optimization::{Direction, RandomSampler, SearchSpace, Study, TpeSampler};
use modelops_pruning::weights::{Format, Pattern, Recipe, Scope, Sparsity, prune_checkpoint};
use modelops_security::InsecureSeededRandom;
use modelops_security::keys::Keyring;
use modelops_security::sealed::{OpenOptions, SealOptions, open_file, seal_file};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [task, journal, name] = &arguments[..]
        && task == "study"
    {
        return study(Path::new(journal), name);
    }
    let name = arguments.into_iter().next().unwrap_or_default();
    println!(
        "{:<34} {:>10} {:>9} {:>9} {:>10}",
        "task", "size", "cpu, s", "wall, s", "peak, MB"
    );
    match name.as_str() {
        "allocation" => allocation(),
        "monitoring" => monitoring(),
        "security" => security(),
        "optimization" => optimization(),
        "pruning" => pruning(),
        "cleaning" => cleaning(),
        _ => panic!("name a crate: allocation, monitoring, security, optimization, pruning or cleaning"),
    }
}

/// Measures one size and prints its line.
fn line<T>(task: &str, size: usize, run: impl FnOnce() -> T) -> T {
    // Linux: the highest resident size is counted anew from here on.
    let _ = fs::write("/proc/self/clear_refs", "5");
    let (output, sample) = measure(run);
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().split(' ').next()?.parse::<f64>().ok())
        .map_or(f64::NAN, |kib| kib / 1024.0);
    println!(
        "{task:<34} {size:>10} {:>9.3} {:>9.3} {peak:>10.0}",
        sample.cpu, sample.wall
    );
    output
}

/// Mixed requests onto nodes of eight devices; twice as many arrivals as nodes.
fn allocation() {
    let share = |milli| DeviceDemand::share(Milli::try_new(milli).unwrap());
    let requests: Vec<Request> = (1..10)
        .map(|i| {
            Request::new(format!("share-{i}"))
                .with_resource("cpu_milli", 1000 * i)
                .with_devices(share(100 * i as u32))
        })
        .chain([Request::new("whole").with_devices(DeviceDemand::whole(1))])
        .collect();
    for nodes in [1_000, 10_000, 100_000, 400_000] {
        let node = |i| {
            Node::new(format!("n{i}"), Resources::new().with("cpu_milli", 96_000))
                .with_devices(8, &Device::new("G", Resources::new()))
        };
        let fleet = Fleet::try_new((0..nodes).map(node).collect()).unwrap();
        let events: Vec<Event> = (0..2 * nodes as u64)
            .map(|id| Event::Arrive {
                request: (id * 7 % 10) as usize,
                id,
            })
            .collect();
        line("best fit, two arrivals a node", nodes, || {
            Replay::run(&fleet, &Greedy::new(BestFit::default()), &requests, &events)
        });
    }
}

label_set! { struct Tenant<'a> { tenant: &'a str } }

/// A scrape of counters and of histograms, one series a tenant.
fn monitoring() {
    for series in [1_000, 10_000, 100_000, 1_000_000] {
        let registry =
            Registry::with_options("scale", RegistryOptions::default().with_cardinality_limit(series))
                .unwrap();
        let family = registry.counter_family::<Tenant<'static>>("events", "").unwrap();
        line("counters: make and record", series, || {
            for i in 0..series {
                family
                    .with(&Tenant {
                        tenant: &i.to_string(),
                    })
                    .inc();
            }
        });
        let mut text = Vec::new();
        line("counters: one scrape as text", series, || {
            registry.encode_prometheus_text(&mut text);
        });
    }
    for series in [100, 1_000, 10_000] {
        let registry =
            Registry::with_options("scale", RegistryOptions::default().with_cardinality_limit(series))
                .unwrap();
        let family = registry
            .histogram_family::<Tenant<'static>>("wait_seconds", "", HistogramOptions::seconds())
            .unwrap();
        line("histograms: make and record", series, || {
            for i in 0..series {
                family
                    .with(&Tenant {
                        tenant: &i.to_string(),
                    })
                    .observe(0.001 * i as f64);
            }
        });
        let mut text = Vec::new();
        line("histograms: one scrape as text", series, || {
            registry.encode_prometheus_text(&mut text);
        });
    }
}

/// Files sealed and opened, in a folder of the build directory.
fn security() {
    let folder = tempfile::tempdir_in("target").unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut random = InsecureSeededRandom::new(1);
    let keyring = Keyring::generate(&mut random).unwrap();
    for mib in [64, 256, 1024] {
        fs::write(at("plain"), vec![7; mib << 20]).unwrap();
        line("seal a file, MiB", mib, || {
            seal_file(
                &at("plain"),
                &at("sealed"),
                &keyring,
                &SealOptions::default(),
                &mut random,
            )
        })
        .unwrap();
        fs::remove_file(at("plain")).unwrap();
        line("open a file, MiB", mib, || {
            open_file(&at("sealed"), &at("plain"), &keyring, &OpenOptions::default())
        })
        .unwrap();
    }
}

/// Trials of ten parameters, asked and told.
fn optimization() {
    let run = |mut study: Study, trials: usize| {
        for _ in 0..trials {
            let trial = study.ask().unwrap();
            let value = trial
                .parameters()
                .numbers()
                .iter()
                .map(|x| (x - 0.3) * (x - 0.3))
                .sum::<f64>();
            study.tell(trial.number(), value).unwrap();
        }
        study
    };
    for trials in [1_000, 10_000, 100_000, 1_000_000] {
        line("random search, trials", trials, || {
            let study = Study::new("scale", ten_parameters(), Direction::Minimize)
                .with_sampler(RandomSampler::new(1));
            run(study, trials)
        });
    }
    for trials in [300, 1_000, 3_000, 10_000] {
        line("TPE, trials", trials, || {
            let study =
                Study::new("scale", ten_parameters(), Direction::Minimize).with_sampler(TpeSampler::new(1));
            run(study, trials)
        });
    }
}

fn ten_parameters() -> SearchSpace {
    (0..10).fold(SearchSpace::new(), |space, i| {
        space.float(&format!("x{i}"), 0.0..=1.0).unwrap()
    })
}

/// Opens a study of ten parameters that a journal holds or will hold.
#[expect(clippy::disallowed_methods, reason = "a program tells its libraries the time")]
fn open(journal: &Path, name: &str) -> Study {
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Study::new(name, ten_parameters(), Direction::Minimize)
        .with_sampler(RandomSampler::new(1))
        .with_concurrency(64)
        .with_journal(journal, clock)
        .unwrap()
}

/// What our crate reads of a journal.
fn study(journal: &Path, name: &str) {
    let study = open(journal, name);
    let complete = study
        .trials()
        .iter()
        .filter(|trial| trial.value().is_some())
        .count();
    let best = study.best_trial().and_then(|trial| trial.value());
    let gaps = study
        .trials()
        .iter()
        .enumerate()
        .any(|(i, trial)| trial.number() != i);
    assert!(!gaps, "numbers without gap");
    println!(
        "modelops:   {} trials, {complete} complete, best {:?}",
        study.trials().len(),
        best.unwrap()
    );
}

/// Half of the weights of a checkpoint in one file, by magnitude.
fn pruning() {
    let folder = tempfile::tempdir_in("target").unwrap();
    let half = Pattern::Unstructured {
        sparsity: Sparsity::try_new(0.5).unwrap(),
        scope: Scope::Row,
    };
    for mib in [64, 256, 1024] {
        // Sixteen matrices of equal size.
        let (rows, columns) = (1024, (mib << 20) / 16 / 4 / 1024);
        let bytes: Vec<u8> = (0..rows * columns)
            .flat_map(|i: usize| ((i.wrapping_mul(2_654_435_761) % 2_000_003) as f32 - 1e6).to_le_bytes())
            .collect();
        let names: Vec<String> = (0..16).map(|i| format!("layers.{i}.weight")).collect();
        let view = TensorView::new(Dtype::F32, vec![rows, columns], &bytes).unwrap();
        let input = folder.path().join("in.safetensors");
        safetensors::serialize_to_file(names.iter().map(|name| (name, &view)), None, &input).unwrap();
        drop(bytes);
        let output = folder.path().join("out.safetensors");
        line("prune half of a row, MiB", mib, || {
            prune_checkpoint(&input, &output, &Recipe::new(half), Format::Dense)
        })
        .unwrap();
    }
}

/// A textual pipeline that drops records with missing cells and repeated ones.
fn cleaning() {
    let folder = tempfile::tempdir_in("target").unwrap();
    for records in [100_000, 1_000_000, 5_000_000] {
        let path = folder.path().join("in.csv");
        write_table(&path, records);
        let spec = PipelineSpec::new(Read::csv(&path))
            .mode(Mode::Textual)
            .step(DropMissing::default())
            .step(DropDuplicates::default())
            .write_csv(folder.path().join("out.csv"));
        let pipeline = Pipeline::try_new(spec).unwrap();
        line("missing and repeated, records", records, || pipeline.run()).unwrap();
    }
}

/// Records of about 85 bytes; one of ten repeats an earlier one, one of fifty has no amount.
fn write_table(path: &Path, records: usize) {
    use std::io::Write as _;
    let mut out = std::io::BufWriter::new(fs::File::create(path).unwrap());
    out.write_all(b"id,user,amount,day,comment\n").unwrap();
    for i in 0..records {
        let i = if i % 10 == 9 { i / 2 } else { i };
        let mixed = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let amount = if i % 50 == 7 {
            String::new()
        } else {
            format!("{:.4}", mixed as f64 / 1e15)
        };
        writeln!(
            out,
            "{i},u{:07},{amount},2025-{:02}-{:02},comment {mixed:x} of {}",
            mixed % 1_000_000,
            i % 12 + 1,
            i % 28 + 1,
            mixed >> 40
        )
        .unwrap();
    }
    out.flush().unwrap();
}
