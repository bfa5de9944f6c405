//! The oracle of this engine is the other typed one: the same results, bytes and errors, whatever the input and the steps.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::path::Path;

use modelops_testkit::cleaning::hostile_csv;
use proptest::prelude::*;

use super::run_from;
use crate::constraint::Comparison;
use crate::engine::typed;
use crate::error::RunError;
use crate::ledger::Ledger;
use crate::outlier::IsolationForest;
use crate::profile::Profile;
use crate::spec::{
    Action, Blame, Check, ColumnType, Compare, Deny, DropDuplicates, DropMissing, Equality, Fill, Format,
    How, Isolate, Keep, OutlierMethod, Outliers, PipelineSpec, Read, References, Rule, Step, Unique,
};

/// What can be observed of a run.
#[derive(Debug, PartialEq)]
struct Seen {
    ledger: Vec<u8>,
    summary: String,
    profile: Option<String>,
    clean: Vec<u8>,
    quarantine: Vec<u8>,
}

fn seen(
    folder: &Path,
    mut spec: PipelineSpec,
    run: impl Fn(&PipelineSpec) -> Result<(Ledger, Option<Profile>), RunError>,
) -> Result<Seen, RunError> {
    spec.quarantine = Some(folder.join("quarantine"));
    if let Some(write) = &mut spec.write {
        write.path = folder.join("clean");
    }
    let (ledger, profile) = run(&spec)?;
    let mut lines = Vec::new();
    ledger.write_json_lines(&mut lines).unwrap();
    Ok(Seen {
        ledger: lines,
        summary: format!("{ledger} {:?}", ledger.repairs()),
        profile: profile.map(|profile| profile.to_html("t", &ledger)),
        clean: fs::read(folder.join("clean")).unwrap_or_default(),
        quarantine: fs::read(folder.join("quarantine")).unwrap(),
    })
}

/// Runs both engines, this one with several guesses, and holds what they give against each other.
fn compare(input: &[u8], case: &Case) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("in"), input).unwrap();
    fs::write(at("keys"), "k\n1\n2.5\nx\n\n00501\n").unwrap();
    let mut spec = PipelineSpec::new(Read::new(at("in"), Format::Csv { separator: case.read }));
    spec.read.trim = case.trim;
    if case.sentinels {
        spec.read = spec.read.sentinels(["NA"]).sentinels_in("a", ["-999", "y, z"]);
    }
    for (column, kind) in &case.types {
        spec.read = spec.read.typed(*column, *kind);
    }
    spec.steps.clone_from(&case.steps);
    for step in &mut spec.steps {
        if let Step::References(step) = step {
            step.path = at("keys");
        }
    }
    spec = spec.write("clean", case.write).profile(case.profile);
    let expected = seen(folder.path(), spec.clone(), typed::run);
    for sample in [10_000, 0, 1, 3] {
        let _ = fs::remove_file(at("clean"));
        let found = seen(folder.path(), spec.clone(), |spec| run_from(spec, sample));
        let say = |seen: &Result<Seen, RunError>| match seen {
            Ok(seen) => format!(
                "{}\n{}{}{}",
                seen.summary,
                String::from_utf8_lossy(&seen.clean),
                String::from_utf8_lossy(&seen.quarantine),
                String::from_utf8_lossy(&seen.ledger),
            ),
            Err(error) => error.to_string(),
        };
        assert!(
            found == expected,
            "{:?}\n{spec:?}\nsample {sample}: found\n{}\nexpected\n{}",
            String::from_utf8_lossy(input),
            say(&found),
            say(&expected),
        );
    }
}

#[derive(Debug, Clone)]
struct Case {
    read: char,
    write: Format,
    trim: bool,
    sentinels: bool,
    types: Vec<(&'static str, ColumnType)>,
    steps: Vec<Step>,
    profile: bool,
}

fn column() -> impl Strategy<Value = String> {
    prop_oneof![Just("a".to_owned()), Just("b".to_owned()), Just("c".to_owned())]
}

fn columns() -> impl Strategy<Value = Vec<String>> {
    prop_oneof![
        2 => Just(Vec::new()),
        1 => column().prop_map(|column| vec![column]),
        1 => Just(vec!["c".to_owned(), "a".to_owned()]),
    ]
}

fn refusal() -> impl Strategy<Value = Action> {
    prop_oneof![Just(Action::Quarantine), Just(Action::Drop)]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        Just(Action::Quarantine),
        Just(Action::Drop),
        Just(Action::Flag),
        Just(Action::Clip)
    ]
}

fn equality() -> impl Strategy<Value = Equality> {
    prop_oneof![
        Just(Equality::Exact),
        Just(Equality::Typed),
        Just(Equality::Normalised)
    ]
}

fn keep() -> impl Strategy<Value = Keep> {
    prop_oneof![4 => Just(Keep::First), 1 => Just(Keep::Last), 1 => Just(Keep::None)]
}

fn rule() -> impl Strategy<Value = Rule> {
    let bound = || {
        prop_oneof![
            Just(None),
            (-3.0..9.0).prop_map(Some),
            (0..4i8).prop_map(|n| Some(f64::from(n)))
        ]
    };
    prop_oneof![
        1 => Just(Rule::NotNull),
        4 => (bound(), bound()).prop_map(|(min, max)| match (min, max) {
            (Some(low), Some(high)) if low > high => Rule::Range { min: max, max: min },
            _ => Rule::Range { min, max },
        }),
        1 => Just(Rule::InSet(vec!["1".into(), "2.50".into(), "-0.0".into(), "NaN".into()])),
        1 => Just(Rule::InSet(vec!["1".into(), "x".into(), "true".into()])),
        1 => Just(Rule::Regex("^[0-9]+$".into())),
        1 => Just(Rule::Length { min: 1, max: 3 }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let comparison = prop_oneof![
        Just(Comparison::Equal),
        Just(Comparison::Different),
        Just(Comparison::Less),
        Just(Comparison::GreaterOrEqual)
    ];
    let method = prop_oneof![
        Just(OutlierMethod::ZScore(1.1)),
        Just(OutlierMethod::Mad(1.0)),
        Just(OutlierMethod::Iqr(0.5))
    ];
    let value = prop_oneof![
        Just("0"),
        Just("1.50"),
        Just("-0.0"),
        Just("true"),
        Just(""),
        Just("a,\"b")
    ];
    prop_oneof![
        2 => (columns(), any::<bool>()).prop_map(|(columns, all)| {
            Step::DropMissing(DropMissing { columns, how: if all { How::All } else { How::Any } })
        }),
        4 => (columns(), keep(), equality()).prop_map(|(columns, keep, equality)| {
            Step::DropDuplicates(DropDuplicates { columns, keep, equality })
        }),
        4 => (column(), rule(), action()).prop_map(|(column, rule, action)| {
            let clip = action == Action::Clip && !matches!(rule, Rule::Range { .. });
            let action = if clip { Action::Flag } else { action };
            Step::Check(Check::new(column, rule).on_fail(action))
        }),
        2 => (column(), value).prop_map(|(column, value)| Step::Fill(Fill { column, value: value.to_owned() })),
        2 => (columns(), method, action()).prop_map(|(mut columns, method, action)| {
            if columns.is_empty() {
                columns = vec!["b".to_owned(), "a".to_owned()];
            }
            Step::Outliers(Outliers { columns, method, action })
        }),
        1 => (column(), keep(), equality(), refusal()).prop_map(|(column, keep, equality, on_fail)| {
            Step::Unique(Unique { keep, equality, on_fail, ..Unique::new([column]) })
        }),
        2 => (column(), comparison, column(), refusal()).prop_map(|(left, is, right, on_fail)| {
            Step::Compare(Compare { on_fail, ..Compare::new(left, is, right) })
        }),
        1 => (column(), refusal()).prop_map(|(column, on_fail)| {
            Step::References(References { on_fail, ..References::new([column], "").keys(["k"]) })
        }),
        1 => (columns(), refusal(), 1..9usize).prop_map(|(mut columns, on_fail, sample)| {
            if columns.is_empty() {
                columns = vec!["a".to_owned(), "b".to_owned()];
            }
            let forest = IsolationForest::new(5, sample).unwrap();
            Step::Isolate(Isolate { on_fail, forest, seed: 3, ..Isolate::new(columns) })
        }),
        1 => (refusal(), any::<bool>()).prop_map(|(on_fail, every)| {
            let blame = if every { Blame::Every } else { Blame::Suspects };
            Step::Deny(Deny { on_fail, ..Deny::new("t1&t2&EQ(t1.a,t2.a)&IQ(t1.b,t2.b)").blame(blame) })
        }),
    ]
}

fn kind() -> impl Strategy<Value = ColumnType> {
    prop_oneof![
        Just(ColumnType::Int),
        Just(ColumnType::Float),
        Just(ColumnType::Bool),
        Just(ColumnType::Text)
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let write = prop_oneof![
        4 => Just(Format::Csv { separator: ',' }),
        1 => Just(Format::Csv { separator: ';' }),
        1 => Just(Format::Csv { separator: '.' }),
        1 => Just(Format::JsonLines),
    ];
    let types = prop_oneof![
        2 => Just(Vec::new()),
        1 => kind().prop_map(|kind| vec![("b", kind)]),
        1 => (kind(), kind()).prop_map(|(b, c)| vec![("b", b), ("c", c)]),
    ];
    let steps = proptest::collection::vec(step(), 0..5);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (write, types, steps, flags).prop_map(|(write, types, steps, (trim, sentinels, profile))| Case {
        read: ',',
        write,
        trim,
        sentinels,
        types,
        steps,
        profile,
    })
}

/// A table whose columns are mostly of one type, with the texts that types stumble over.
fn table() -> impl Strategy<Value = Vec<u8>> {
    let int = prop_oneof![
        8 => (-3..9i64).prop_map(|n| n.to_string()),
        2 => Just(String::new()),
        1 => prop_oneof![
            Just("-0"), Just("-999"), Just("NA"), Just(" 7"), Just("\"7\""), Just("\"\""), Just("999999999999999"),
            Just("\u{b}4"), Just("5\u{a0}"),
        ].prop_map(str::to_owned),
    ];
    let float = prop_oneof![
        6 => (-3..9i64, 0..1000u32).prop_map(|(n, f)| format!("{n}.{f:03}")),
        2 => Just(String::new()),
        2 => (0..9u8).prop_map(|n| n.to_string()),
        2 => prop_oneof![
            Just("-0.0"), Just("0.0"), Just("-0"), Just("0"), Just("0.000"), Just("1.5e-7"), Just("1.50E3"), Just("2.50"),
            Just("0.000001"), Just("0.00012"), Just("123456789012345.25"), Just("12345678901234567890.0"),
            Just("0.1234567890123456789"), Just("-999"), Just(" 2.5 "), Just("\"2.50\""), Just("1.0e308"),
        ].prop_map(str::to_owned),
    ];
    let text = prop_oneof![
        4 => "[a-c]{1,2}",
        2 => Just(String::new()),
        3 => prop_oneof![
            Just("\"y, z\""), Just("\"x\""), Just("x"), Just("\"q\"\"r\""), Just("a\"b"), Just(" x "), Just("X"), Just("é"),
            Just("e\u{301}"), Just("\u{a0}x\u{2003}"), Just("\"l\nm\""), Just("\" x\""), Just("NA"), Just("\"NA\""), Just("a;b"),
            Just("a.b"), Just("00501"), Just("true"), Just("NaN"), Just("1"), Just("\"\"\"\""),
        ].prop_map(str::to_owned),
    ];
    let odd = prop_oneof![
        Just("true"),
        Just("false"),
        Just("NaN"),
        Just("nan"),
        Just("-nan"),
        Just("inf"),
        Just("-Infinity"),
        Just("1e5"),
        Just("+5"),
        Just("+-5"),
        Just("+"),
        Just("-"),
        Just(".5"),
        Just("5."),
        Just("."),
        Just("00501"),
        Just("-007"),
        Just("9223372036854775807"),
        Just("9223372036854775808"),
        Just("-9223372036854775808"),
        Just("1_0"),
        Just("0x1"),
        Just("1e400"),
        Just("1e-400"),
        Just("2025-01-02"),
        Just("-0"),
        Just("1,5"),
        Just(""),
        Just("\u{663}"),
        Just("1 "),
        Just("9007199254740993"),
        Just("TRUE"),
        Just("1.e3"),
        Just("e3"),
        Just("1e"),
        Just("--1"),
        Just("-+1"),
        Just("+ 1"),
    ]
    .prop_map(str::to_owned);
    let cell = |which: u8| match which {
        0 => int.clone().boxed(),
        1 => float.clone().boxed(),
        2 => text.clone().boxed(),
        3 => prop_oneof![
            Just("true".to_owned()),
            Just("false".to_owned()),
            Just(String::new())
        ]
        .boxed(),
        4 => Just(String::new()).boxed(),
        _ => odd.clone().boxed(),
    };
    let cells: Vec<BoxedStrategy<String>> = (0..6).map(cell).collect();
    (0..6usize, 0..6usize, 0..6usize).prop_flat_map(move |(a, b, c)| {
        let row = (cells[a].clone(), cells[b].clone(), cells[c].clone());
        proptest::collection::vec(row, 0..14).prop_map(|rows| {
            let mut text = "a,b,c\n".to_owned();
            for (a, b, c) in rows {
                text.push_str(&format!("{a},{b},{c}\n"));
            }
            text.into_bytes()
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Law: values as texts and values in columns are one meaning.
    #[test]
    fn typed_tables_come_out_as_from_the_oracle(input in table(), case in case()) {
        compare(&input, &case);
    }

    /// Law: hostile records meet the same fate.
    #[test]
    fn hostile_records_come_out_as_from_the_oracle(input in hostile_csv(), case in case()) {
        compare(&input, &case);
    }
}

/// The same laws for hours: `cargo test -p modelops-cleaning --lib -- --ignored slow`.
#[test]
#[ignore = "slow: thousands of tables"]
fn slow_tables_and_hostile_records() {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(10_000));
    let inputs = prop_oneof![2 => table(), 1 => hostile_csv()];
    runner
        .run(&(inputs, case()), |(input, case)| {
            compare(&input, &case);
            Ok(())
        })
        .unwrap();
}
