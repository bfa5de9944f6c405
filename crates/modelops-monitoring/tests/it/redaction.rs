//! What a request log takes out before it writes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, OnceLock};

use modelops_monitoring::{LogError, RecordLog, RecordLogOptions, Redactor, Secrets, WhenFull};
use proptest::prelude::*;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

#[derive(Serialize)]
struct Note<'a> {
    text: &'a str,
    password: &'a str,
    nested: Option<BTreeMap<&'a str, &'a str>>,
}

#[test]
fn secrets_never_reach_the_disk_and_the_rest_does() {
    let folder = tempfile::tempdir().unwrap();
    let log = RecordLog::create(folder.path(), RecordLogOptions::default()).unwrap();
    let pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQ\"IBADANB\n-----END PRIVATE KEY-----";
    let secrets = [
        "sk-proj-abcdefghijklmnopqrstuv",
        "hf_ABCDEFGHIJKLMNOPQRSTUV",
        "ghp_0123456789abcdefghijABCDEFGHIJ012345",
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.dBjftJeZ4CVP",
        "4111-1111-1111-1111",
        "378282246310005",
        "ada.l+x@mail.example.org",
        pem,
    ];
    for secret in secrets {
        let text = format!("before \"{secret}\" after\u{1}");
        log.write(&Note {
            text: &text,
            password: "hunter2",
            nested: Some([("Api-Key", "value"), (secret, "x")].into()),
        })
        .unwrap();
    }
    log.write(&Note {
        text: "Authorization: Bearer abc123def456== then Basic dXNlcjpwYXNz",
        password: "",
        nested: None,
    })
    .unwrap();
    log.close().unwrap();
    let written = fs::read_to_string(folder.path().join("records-000001.jsonl")).unwrap();
    for secret in secrets
        .iter()
        .flat_map(|secret| secret.split('\n'))
        .chain(["hunter2", "MIIEvQ", "value", "abc123", "dXNl"])
    {
        assert!(!written.contains(secret), "{secret} in {written}");
    }
    let lines: Vec<Value> = written
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for (line, kind) in lines.iter().zip([
        "token", "token", "token", "token", "token", "card", "card", "email", "pem",
    ]) {
        assert_eq!(line["text"], format!("before \"[{kind}]\" after\u{1}"));
        assert_eq!(line["password"], "[secret]");
        assert_eq!(line["nested"]["Api-Key"], "[secret]");
    }
    assert_eq!(
        lines[9]["text"],
        "Authorization: Bearer [token] then Basic [token]"
    );
}

#[test]
fn what_only_resembles_a_secret_stays() {
    for text in [
        "task-force-of-many-people-and-more",
        "4111 1111 1111 1112",
        "a@b",
        "user@localhost sent 1234567890123",
        "risk-based-approach-to-everything",
        "bearer",
        "eyJ.x",
        "id 00000000000000000000",
        "@@@@@@@@@@",
        "sk-short",
        "",
        "request 3f2504e0-4f89-11d3-9a0c-0305e82c3301",
    ] {
        assert_eq!(Secrets.redact(text), text);
    }
    assert_eq!(Secrets.redact("x -----BEGIN RSA PRIVATE KEY----- abc"), "x [pem]");
}

proptest! {
    /// A redacting log writes what a plain one writes, where there is nothing to take out; and no text breaks it.
    #[test]
    fn redaction_changes_nothing_but_secrets(text in "\\PC{0,40}|[ -~\n\r\t\\x00-\\x1f]{0,60}", other in "[@a-z.0-9 -]{0,30}") {
        let once = Secrets.redact(&(text + &other)).into_owned();
        prop_assert_eq!(&Secrets.redact(&once), &once);
        let folder = tempfile::tempdir().unwrap();
        let plain = RecordLogOptions::default().with_stem("plain").without_redaction();
        let logs = [
            RecordLog::create(folder.path(), RecordLogOptions::default()).unwrap(),
            RecordLog::create(folder.path(), plain).unwrap(),
        ];
        for log in logs {
            log.write(&Note { text: &once, password: "[secret]", nested: None }).unwrap();
            log.close().unwrap();
        }
        let of = |stem| fs::read(folder.path().join(format!("{stem}-000001.jsonl"))).unwrap();
        let parsed = |stem| serde_json::from_slice::<Value>(&of(stem)).unwrap();
        prop_assert_eq!(parsed("records"), parsed("plain"));
        prop_assert_eq!(of("records"), of("plain"));
    }
}

/// `value` with every text redacted by itself, and the values of secret fields taken out whole.
fn redacted(value: &Value) -> Value {
    match value {
        Value::String(text) => Secrets.redact(text).into_owned().into(),
        Value::Array(values) => values.iter().map(redacted).collect(),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| {
                let secret = Secrets.is_secret_field(name) && !value.is_null() && !value.is_boolean();
                let value = if secret {
                    "[secret]".into()
                } else {
                    redacted(value)
                };
                (Secrets.redact(name).into_owned(), value)
            };
            fields.iter().map(field).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

/// The only file of a log to which `records` were written.
fn written<R: Serialize>(records: &[R]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let log = RecordLog::create(folder.path(), RecordLogOptions::default()).unwrap();
    records.iter().for_each(|record| log.write(record).unwrap());
    log.close().unwrap();
    fs::read_to_string(folder.path().join("records-000001.jsonl")).unwrap()
}

fn values() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[ -~\n\r\t\\x00-\\x1f\u{e9}]{0,12}(a@b\\.c|sk-[a-z]{17}|4111111111111111|\"|Basic abcdefgh==)?[ -~\\\\\"]{0,12}",
        "-----BEGIN [\n\"a]{0,9}(-----END x-----)?",
        Just("password".to_owned()),
    ];
    let name = prop_oneof![
        "[a-d]",
        Just("Api-Key".to_owned()),
        Just("password\n".to_owned()),
        text.clone()
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    let fields = move |values| prop::collection::btree_map(name.clone(), values, 0..5);
    let inner = fields.clone();
    let value = leaf.prop_recursive(3, 24, 5, move |value| {
        prop_oneof![
            prop::collection::vec(value.clone(), 0..4).prop_map(Value::from),
            inner(value.boxed()).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    });
    fields(value.boxed()).prop_map(|fields| Value::Object(fields.into_iter().collect()))
}

proptest! {
    /// What stands in the file is what redacting each text by itself gives, whatever surrounds it and came before.
    #[test]
    fn lines_are_redacted_text_by_text(mut records in prop::collection::vec(values(), 1..4)) {
        records.extend_from_within(..);
        let lines = written(&records);
        prop_assert_eq!(lines.lines().count(), records.len());
        for (line, record) in lines.lines().zip(&records) {
            prop_assert_eq!(serde_json::from_str::<Value>(line).unwrap(), redacted(record));
        }
    }
}

#[test]
fn json_that_was_written_elsewhere_hides_nothing() {
    let raw = "{\"a\" :\n[ \"\\u0073k-abcdefghijklmnopqrst\" ], \"pass\\u0077ord\" : [1,\"x]\",{\"y\":2}]\r\n,\"secret\":7 , \"cookie\": null}";
    let raw = RawValue::from_string(raw.to_owned()).unwrap();
    let line = written(&[BTreeMap::from([("raw", raw)])]);
    assert_eq!(line.matches('\n').count(), 1);
    assert_eq!(
        serde_json::from_str::<Value>(&line).unwrap(),
        json!({"raw": {"a": ["[token]"], "password": "[secret]", "secret": "[secret]", "cookie": null}})
    );
}

#[test]
fn many_secrets_take_time_in_proportion() {
    let text = "ada@example.org 4111 1111 1111 1111 x ".repeat(30_000);
    let clean = Secrets.redact(&text);
    assert_eq!(clean, "[email] [card] x ".repeat(30_000));
}

#[derive(Debug)]
struct Panics;

impl Redactor for Panics {
    fn redact<'a>(&self, _: &'a str) -> Cow<'a, str> {
        panic!("a fault of the redactor");
    }
}

#[test]
fn a_redactor_that_panics_stops_the_log_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let options = RecordLogOptions::default().with_when_full(WhenFull::Wait);
    let log = RecordLog::create_with(folder.path(), options, Box::new(Panics)).unwrap();
    log.write(&json!({"a": "b"})).unwrap();
    assert_eq!(log.flush(), Err(LogError::Redactor));
    assert_eq!(log.write(&json!({"a": "b"})), Err(LogError::Stopped));
    assert_eq!(log.dropped(), 2);
    assert_eq!(log.close(), Err(LogError::Redactor));
    let text = fs::read_to_string(folder.path().join("records-000001.jsonl")).unwrap();
    assert_eq!(text, "");
}

#[derive(Debug, Default)]
struct Logs(Arc<OnceLock<(RecordLog, OnceLock<LogError>)>>);

impl Redactor for Logs {
    fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if let Some((log, refusal)) = self.0.get()
            && let Err(error) = log.write(&json!({"redacting": text}))
        {
            let _first = refusal.set(error);
        }
        Cow::Borrowed(text)
    }
}

#[test]
fn a_redactor_that_logs_is_refused_not_a_loop() {
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(OnceLock::new());
    let redactor = Box::new(Logs(Arc::clone(&log)));
    let made = RecordLog::create_with(folder.path(), RecordLogOptions::default(), redactor).unwrap();
    log.set((made, OnceLock::new())).unwrap();
    let (made, refusal) = log.get().unwrap();
    made.write(&json!({"a": "b"})).unwrap();
    made.flush().unwrap();
    assert_eq!(refusal.get(), Some(&LogError::Reentrant));
    // The log and its redactor hold each other here: taken apart by hand.
    let text = fs::read_to_string(folder.path().join("records-000001.jsonl")).unwrap();
    assert_eq!(text, "{\"a\":\"b\"}\n");
}
