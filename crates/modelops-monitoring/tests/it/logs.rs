//! What a request log does when things go wrong.

use std::fs;
use std::time::Duration;

use modelops_monitoring::{LogContext, LogError, ReadError, RecordLog, RecordLogOptions, RecordReader};
use proptest::prelude::*;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

#[test]
fn a_full_queue_drops_counts_and_says_so_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = RecordLog::create(folder.path(), RecordLogOptions::default().with_queue_bytes(64)).unwrap();
    for i in 0..1_000 {
        log.write(&json!({"i": i, "seconds": 0.5})).unwrap();
    }
    let report = log.close().unwrap();
    assert!(report.dropped > 0, "a queue of 64 bytes must overflow");
    assert_eq!(report.records + report.dropped, 1_000);
    let summary = RecordReader::open(folder.path())
        .unwrap()
        .summarize("seconds")
        .unwrap();
    assert_eq!(
        (summary.records, summary.dropped),
        (report.records, report.dropped)
    );
}

#[test]
fn a_torn_last_line_and_garbage_are_counted_and_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let text = "{\"seconds\":1}\nnot json\n{\"seconds\":\"text\"}\n[1]\n{\"seconds\":2,\"nested\":{\"a\":[1,{}]}}\n{\"sec";
    fs::write(folder.path().join("records-000001.jsonl"), text).unwrap();
    let log = RecordLog::create(folder.path(), RecordLogOptions::default()).unwrap();
    log.write(&json!({"seconds": 4})).unwrap();
    log.close().unwrap();
    let summary = RecordReader::open(folder.path())
        .unwrap()
        .summarize("seconds")
        .unwrap();
    assert_eq!(summary.values.sum(), 7.0);
    assert_eq!(
        (
            summary.records,
            summary.malformed,
            summary.torn,
            summary.without_value
        ),
        (4, 2, 1, 1)
    );
    assert!(folder.path().join("records-000002.jsonl").exists());
}

#[test]
fn filters_and_groups_see_text_numbers_and_booleans() {
    let folder = tempfile::tempdir().unwrap();
    let log = RecordLog::create(folder.path(), RecordLogOptions::default()).unwrap();
    for (status, cached, error) in [
        (200, true, None),
        (200, false, None),
        (503, false, Some("overload")),
    ] {
        log.write(&json!({"status": status, "cached": cached, "error": error, "seconds": 1}))
            .unwrap();
    }
    log.flush().unwrap();
    let reader = RecordReader::open(folder.path()).unwrap();
    let by_error = reader.clone().group_by("error").summarize("seconds").unwrap();
    assert_eq!(by_error.groups.keys().collect::<Vec<_>>(), ["overload"]);
    let some = reader
        .clone()
        .filter("status", "200")
        .filter("cached", "false")
        .summarize("seconds")
        .unwrap();
    assert_eq!((some.records, some.matched, some.values.count()), (3, 1, 1));
    assert_eq!(
        reader.group_by("status").summarize("seconds").unwrap().groups["200"].count(),
        2
    );
}

#[test]
fn the_same_records_give_the_same_bytes() {
    let bytes = || {
        let folder = tempfile::tempdir().unwrap();
        let options = RecordLogOptions::default().with_max_file_bytes(1_000);
        let log = RecordLog::create(folder.path(), options).unwrap();
        (0..200).for_each(|i| log.write(&json!({"i": i, "x": 1.5})).unwrap());
        let files = log.close().unwrap().files;
        (1..=files)
            .map(|n| fs::read(folder.path().join(format!("records-{n:06}.jsonl"))).unwrap())
            .collect::<Vec<_>>()
    };
    let first = bytes();
    assert!(first.len() > 2);
    assert_eq!(first, bytes());
}

#[test]
fn an_impossible_folder_is_a_typed_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = RecordLog::create(file.join("log"), RecordLogOptions::default());
    assert!(matches!(refused, Err(LogError::Io { .. })));
    assert!(matches!(
        RecordReader::open(folder.path()),
        Err(ReadError::Empty { .. })
    ));
    assert!(matches!(
        RecordReader::open(folder.path().join("none")),
        Err(ReadError::Io { .. })
    ));
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_stops_the_log_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    // The second file of the log lands on a device that is always full.
    let options = RecordLogOptions::default()
        .with_max_file_bytes(20)
        .with_stem("full");
    let log = RecordLog::create(folder.path(), options).unwrap();
    std::os::unix::fs::symlink("/dev/full", folder.path().join("full-000002.jsonl")).unwrap();
    log.write(&json!({"seconds": 1})).unwrap();
    log.write(&json!({"seconds": 2})).unwrap();
    assert!(matches!(log.flush(), Err(LogError::Io { .. })));
    assert_eq!(log.write(&json!({"seconds": 3})), Err(LogError::Stopped));
    assert!(log.close().is_err());
}

#[test]
fn a_record_must_be_an_object() {
    let folder = tempfile::tempdir().unwrap();
    let log = RecordLog::create(folder.path(), RecordLogOptions::default()).unwrap();
    assert_eq!(log.write(&1), Err(LogError::Record));
    assert_eq!(log.close().unwrap().records, 0);
}

/// The lines of a log that `write` wrote to.
fn lines_of(write: impl FnOnce(&RecordLog)) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let log = RecordLog::create(folder.path(), RecordLogOptions::default()).unwrap();
    write(&log);
    log.close().unwrap();
    let text = fs::read_to_string(folder.path().join("records-000001.jsonl")).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn contexts_follow_the_record_even_where_either_has_no_field() {
    let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
    let context = |text| LogContext::new(&raw(text)).unwrap();
    let (none, blank, one) = (context("{}"), context("{ \n }"), context("{ \"a\":1\n}"));
    let two = context("{\"b\":[2,\n{}],\"token\":\"sk-abcdefghijklmnop1234\",\"password\":\"x\"}");
    let lines = lines_of(|log| {
        log.write_with(&[&none, &blank], &raw("{}")).unwrap();
        log.write_with(&[&none, &one, &blank], &raw("{ \n}")).unwrap();
        log.write_with(&[&one, &none, &two], &json!({"c": 3})).unwrap();
        log.write_with(&[], &json!({"c": 3})).unwrap();
        assert_eq!(log.write_with(&[&one], &3), Err(LogError::Record));
    });
    assert_eq!(
        lines,
        [
            "{}",
            "{ \"a\":1}",
            "{\"c\":3, \"a\":1,\"b\":[2, {}],\"token\":\"[token]\",\"password\":\"[secret]\"}",
            "{\"c\":3}",
        ]
    );
    assert_eq!(LogContext::new(&[1]), Err(LogError::Record));
    assert!(!format!("{two:?}").contains("sk-"));
}

proptest! {
    /// A record with contexts is the line of a record that has all of their fields itself.
    #[test]
    fn a_context_is_what_its_fields_would_be(
        parts in prop::collection::vec(prop::collection::btree_map("[a-z\"\n]{1,4}", "\\PC{0,9}|sk-[a-z]{20}", 0..3), 1..5),
    ) {
        // Names that no two parts share.
        let objects: Vec<Map<String, Value>> = parts.into_iter().enumerate().map(|(i, fields)| {
            fields.into_iter().map(|(name, text)| (format!("{i}{name}"), Value::from(text))).collect()
        }).collect();
        let contexts: Vec<LogContext> = objects[1..].iter().map(|fields| LogContext::new(fields).unwrap()).collect();
        let contexts: Vec<&LogContext> = contexts.iter().collect();
        let whole: Map<String, Value> = objects.iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect();
        let lines = lines_of(|log| {
            for _ in 0..2 {
                log.write_with(&contexts, &objects[0]).unwrap();
                log.write(&whole).unwrap();
            }
        });
        prop_assert!(lines.iter().all(|line| *line == lines[0]), "{:?}", lines);
    }
}

struct Nested<'a>(&'a RecordLog, std::cell::RefCell<Option<LogError>>);

impl Serialize for Nested<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        *self.1.borrow_mut() = self.0.write(&Numbered { n: 2 }).err();
        Numbered { n: 1 }.serialize(serializer)
    }
}

#[derive(Serialize)]
struct Numbered {
    n: u64,
}

#[test]
fn a_record_that_writes_records_is_refused_not_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let log = RecordLog::create(folder.path(), RecordLogOptions::default()).unwrap();
    let nested = Nested(&log, None.into());
    log.write(&nested).unwrap();
    assert_eq!(nested.1.into_inner(), Some(LogError::Reentrant));
    log.write(&Numbered { n: 3 }).unwrap();
    assert_eq!(log.close().unwrap().records, 2);
}

#[test]
fn a_new_file_begins_in_each_span_of_time_that_has_records() {
    let folder = tempfile::tempdir().unwrap();
    let minute = Duration::from_secs(60);
    let options = RecordLogOptions::default().with_max_file_age(minute);
    let log = RecordLog::create(folder.path(), options).unwrap();
    let mut expected: Vec<Vec<u64>> = vec![vec![]];
    let mut before = 100;
    for (n, second) in [100u64, 119, 120, 121, 179, 100, 300, 301, 900, 960, 961]
        .into_iter()
        .enumerate()
    {
        log.tick(Duration::from_secs(second));
        if second / 60 > before / 60 && !expected.last().unwrap().is_empty() {
            expected.push(vec![]);
        }
        before = second;
        if second != 900 {
            log.write(&Numbered { n: n as u64 }).unwrap();
            expected.last_mut().unwrap().push(n as u64);
        }
        if n % 3 == 0 {
            log.flush().unwrap();
        }
    }
    let report = log.close().unwrap();
    assert_eq!((report.files as usize, report.records), (expected.len(), 10));
    for (file, numbers) in expected.iter().enumerate() {
        let text = fs::read_to_string(folder.path().join(format!("records-{:06}.jsonl", file + 1))).unwrap();
        let lines: String = numbers.iter().map(|n| format!("{{\"n\":{n}}}\n")).collect();
        assert_eq!(text, lines);
    }
}

proptest! {
    /// Any line is judged, and summed up, as the general parser does: a blank put in makes it judge every line.
    #[test]
    fn the_quick_way_through_a_log_reads_what_the_general_parser_reads(
        lines in proptest::collection::vec(prop_oneof![
            "\\{\"(v|g|a)\":(-?[0-9]{1,25}(\\.[0-9]{1,3})?(e[+-]?[0-9]{1,3})?|true|null|\"[a-z]{0,3}\"),\"v\":[0-9]{1,3}(,\"g\":\"(x|y|\u{e9})\")?\\}",
            "\\{\"v\":(-0|01|1\\.|\\.5|1e|-|tru|\"a|\"\\\\n\"|\\[1\\]|\\{\\}|[0-9])(,\"g\":\"x\")?[,}]?\\}?",
            "\\{(\"dropped\":[0-9])?\\}",
            "[{}\":,0-9a-z]{0,12}",
        ], 0..30),
    ) {
        let summary = |lines: &[String]| {
            let folder = tempfile::tempdir().unwrap();
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            fs::write(folder.path().join("records-000001.jsonl"), text).unwrap();
            RecordReader::open(folder.path()).unwrap().filter("a", "true").group_by("g").summarize("v").unwrap()
        };
        let blank: Vec<String> = lines.iter().map(|line| format!(" {line}")).collect();
        prop_assert_eq!(format!("{:?}", summary(&lines)), format!("{:?}", summary(&blank)));
    }
}
