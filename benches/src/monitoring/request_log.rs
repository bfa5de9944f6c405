//! Writing a request log, and reading it back.

use std::path::{Path, PathBuf};

use modelops_benches::{Better, Comparison, thread_seconds};
use modelops_monitoring::{RecordLog, RecordLogOptions, RecordReader, WhenFull};
use tracing_appender::non_blocking::NonBlockingBuilder;
use tracing_subscriber::layer::SubscriberExt;

/// Seven fields, as a gateway logs them.
#[derive(serde::Serialize)]
struct Logged<'a> {
    at_seconds: f64,
    model: &'a str,
    tenant: &'a str,
    error: Option<&'a str>,
    seconds: f64,
    prompt_tokens: u64,
    generated_tokens: u64,
}

fn logged(i: usize) -> Logged<'static> {
    Logged {
        at_seconds: 1_700_000_000.25 + i as f64 / 64.0,
        model: "llama-3-70b-instruct",
        tenant: ["acme", "globex", "initech"][i % 3],
        error: i.is_multiple_of(100).then_some("timeout"),
        seconds: (i % 1_000) as f64 / 512.0,
        prompt_tokens: i as u64 % 4_096,
        generated_tokens: i as u64 % 512,
    }
}

/// Records of a round.
const RECORDS: usize = 200_000;

pub(crate) fn compare(run: &mut Comparison) {
    if !run.wants("request log") {
        return;
    }
    let folder = std::env::temp_dir().join(format!("modelops-compare-log-{}", std::process::id()));
    write(run, &folder);
    read(run, &folder.join("read"));
    std::fs::remove_dir_all(&folder).expect("our folder");
}

/// All of them hand every record to a thread that writes, and lose none. Each gives the caller's processor time; that
/// of all threads, until the last record is with the operating system, is the case's own.
fn write(run: &mut Comparison, folder: &Path) {
    let mut at = 0;
    let mut fresh = move |folder: &Path| -> PathBuf {
        at += 1;
        folder.join(at.to_string())
    };
    let ours = |options: RecordLogOptions, folder: PathBuf| {
        let options = options.with_queue_bytes(64 << 20).with_when_full(WhenFull::Wait);
        let log = RecordLog::create(folder, options).expect("a folder");
        let spent = caller(|i| log.write(&logged(i)).expect("a working disk"));
        log.close().expect("a working disk");
        spent
    };
    let mut line = Vec::new();
    run.case("request log, 7 fields, written by a thread")
        .ours(|| ours(RecordLogOptions::default(), fresh(folder)))
        .peer("ours without redaction", || {
            let folder = folder.join("plain");
            let spent = ours(RecordLogOptions::default().without_redaction(), folder.clone());
            std::fs::remove_dir_all(folder).expect("our folder");
            spent
        })
        .peer("tracing-subscriber 0.3 as JSON, tracing-appender 0.2", || {
            let file = tracing_appender::rolling::never(folder, "tracing.jsonl");
            let (writer, guard) = NonBlockingBuilder::default().lossy(false).finish(file);
            let layer = tracing_subscriber::fmt::layer()
                .json()
                .without_time()
                .with_writer(writer);
            let subscriber = tracing_subscriber::registry().with(layer);
            let spent = tracing::subscriber::with_default(subscriber, || caller(trace));
            drop(guard);
            spent
        })
        .peer("serde_json to memory, handed to nobody", || {
            caller(|i| {
                line.clear();
                serde_json::to_writer(&mut line, &logged(i)).expect("memory");
                std::hint::black_box(&line);
            })
        })
        .per("record", RECORDS)
        .value("cpu of the caller", "ns/record", Better::Lower, |seconds| {
            seconds * 1e9 / RECORDS as f64
        })
        .run();
}

/// The processor time of this thread for handing all records over.
fn caller(mut hand_over: impl FnMut(usize)) -> f64 {
    let before = thread_seconds();
    (0..RECORDS).for_each(&mut hand_over);
    thread_seconds() - before
}

fn trace(i: usize) {
    let Logged {
        at_seconds,
        model,
        tenant,
        error,
        seconds,
        prompt_tokens,
        generated_tokens,
    } = logged(i);
    tracing::info!(
        at_seconds,
        model,
        tenant,
        error,
        seconds,
        prompt_tokens,
        generated_tokens
    );
}

fn read(run: &mut Comparison, folder: &Path) {
    let options = RecordLogOptions::default().with_when_full(WhenFull::Wait);
    let log = RecordLog::create(folder, options).expect("a folder");
    (0..RECORDS).for_each(|i| log.write(&logged(i)).expect("a working disk"));
    let bytes = log.close().expect("a working disk").bytes;
    run.case("request log: read back, group, sum up")
        .ours(|| {
            let reader = RecordReader::open(folder).expect("the log is there");
            reader
                .group_by("error")
                .summarize("seconds")
                .expect("a working disk")
                .records
        })
        .peer("serde_json values, summed up", || {
            let text = std::fs::read(folder.join("records-000001.jsonl")).expect("the log is there");
            let mut groups = std::collections::BTreeMap::<String, Vec<f64>>::new();
            let mut records = 0;
            for line in text.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
                let value: serde_json::Value = serde_json::from_slice(line).expect("JSON");
                let reason = value["error"].as_str().unwrap_or_default().to_owned();
                groups
                    .entry(reason)
                    .or_default()
                    .push(value["seconds"].as_f64().unwrap_or_default());
                records += 1;
            }
            records
        })
        .per("byte", usize::try_from(bytes).expect("it fits"))
        .agree(|ours, theirs| ours == theirs)
        .run();
}
