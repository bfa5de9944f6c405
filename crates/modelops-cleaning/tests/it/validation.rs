//! Steps that judge a record by another column, another record or another file.

use modelops_cleaning::constraint::Comparison;
use modelops_cleaning::{
    Action, Blame, Cause, Check, ColumnType, Compare, Dataset, Deny, DropDuplicates, Equality, Fill, Isolate,
    IsolationForest, Keep, Mode, Outcome, Pipeline, PipelineSpec, Read, References, Rule, RunError,
    RunOptions, SpecError, Split, Step, Train, Unique,
};
use proptest::prelude::*;

use crate::{Files, run};

fn spec(files: &Files, mode: Mode) -> PipelineSpec {
    PipelineSpec::new(Read::csv(files.input()))
        .mode(mode)
        .write_csv(files.at("clean"))
        .quarantine(files.at("quarantine"))
}

/// The clean file of a step in both modes, which must agree.
fn clean(text: &str, step: impl Into<Step> + Clone) -> String {
    let results = [Mode::Textual, Mode::Typed].map(|mode| {
        let files = Files::with(text);
        let report = run(spec(&files, mode).step(step.clone()));
        report.ledger.verify().unwrap();
        (files.clean(), files.quarantine(), report.ledger.to_string())
    });
    assert_eq!(results[0], results[1]);
    results[0].0.clone()
}

#[test]
fn keys_that_repeat_are_refused_all_of_them() {
    let text = "id,v\n1,a\n2,b\n1,c\n,d\n3,e\n";
    assert_eq!(clean(text, Unique::new(["id"])), "id,v\n2,b\n,d\n3,e\n");
    let first = Unique {
        keep: Keep::First,
        on_fail: Action::Drop,
        ..Unique::new(["id"])
    };
    let files = Files::with(text);
    let report = run(spec(&files, Mode::Textual).step(first));
    let Some(Outcome::Dropped { reason, survivor }) = report.ledger.outcome(2) else {
        panic!("the second record with this key is dropped")
    };
    assert_eq!((reason.cause, survivor), (Cause::NotUnique, Some(0)));
    let folded = Unique {
        equality: Equality::Normalised,
        ..Unique::new(["v"])
    };
    assert_eq!(clean("v\nA\n a\nb\n", folded), "v\nb\n");
}

#[test]
fn columns_are_compared_as_numbers_where_they_are_numbers() {
    let text = "from,to\n9,10\n10,9\n,3\n5,\n7,7\n";
    let less = Compare::new("from", Comparison::Less, "to");
    assert_eq!(clean(text, less), "from,to\n9,10\n,3\n5,\n");
    let dates = "from,to\n2024-01-09,2024-01-10\n2024-02-01,2024-01-31\n";
    let at_most = Compare::new("from", Comparison::LessOrEqual, "to");
    assert_eq!(clean(dates, at_most), "from,to\n2024-01-09,2024-01-10\n");
    // A number and a text: as text, but for the cells that are numbers after all.
    let mixed = "from,to\n2,10\n2,x\n3,3\n";
    let different = Compare::new("from", Comparison::Different, "to");
    assert_eq!(clean(mixed, different), "from,to\n2,10\n2,x\n");
    for mode in [Mode::Textual, Mode::Typed] {
        // NaN is only different.
        let files = Files::with("from,to\nNaN,1\n1,2\n");
        let read = Read::csv(files.input())
            .typed("from", ColumnType::Float)
            .typed("to", ColumnType::Float);
        let spec = PipelineSpec::new(read).mode(mode);
        let report = run(spec.step(Compare::new("from", Comparison::Less, "to")));
        assert_eq!((report.ledger.kept(), report.ledger.quarantined()), (1, 1));
    }
}

#[test]
fn keys_are_looked_up_in_another_file() {
    let text = "order,user\n1,7\n2,8\n3,\n4,9\n";
    let users = Files::with("name,id\nann,7\n\nbob,9\n");
    let reference = References::new(["user"], users.input()).keys(["id"]);
    assert_eq!(clean(text, reference), "order,user\n1,7\n3,\n4,9\n");
    // Values in a typed pipeline, bytes in a textual one.
    let padded = Files::with("id\n07\n");
    let reference = References::new(["user"], padded.input()).keys(["id"]);
    for (mode, kept) in [(Mode::Textual, 1), (Mode::Typed, 2)] {
        let files = Files::with(text);
        assert_eq!(
            run(spec(&files, mode).step(reference.clone())).ledger.kept(),
            kept
        );
    }
    let pairs = Files::with("a,b\n1,x\n2,y\n");
    let both = References::new(["a", "b"], pairs.input());
    assert_eq!(clean("a,b\n1,x\n1,y\n2,\n", both), "a,b\n1,x\n2,\n");
}

#[test]
fn a_file_of_keys_that_cannot_be_trusted_stops_the_run() {
    for (keys, error) in [
        ("id\n1\n2,3\n", "Unsound"),
        ("id\n\"1\n", "Unsound"),
        ("other\n1\n", "UnknownColumn"),
        ("id,id\n1,1\n", "DuplicateColumn"),
        ("", "EmptyInput"),
    ] {
        let keys = Files::with(keys);
        for mode in [Mode::Textual, Mode::Typed] {
            let files = Files::with("id\n1\n");
            let spec = spec(&files, mode).step(References::new(["id"], keys.input()));
            let found = Pipeline::try_new(spec).unwrap().run().unwrap_err();
            assert!(format!("{found:?}").starts_with(error), "{found:?}");
            assert!(!files.at("clean").exists());
        }
    }
    let files = Files::with("id\n1\n");
    let missing = spec(&files, Mode::Textual).step(References::new(["id"], files.at("none")));
    let found = Pipeline::try_new(missing).unwrap().run().unwrap_err();
    assert!(matches!(found, RunError::Io { .. }));
    let written = spec(&files, Mode::Textual).step(References::new(["id"], files.at("clean")));
    assert!(matches!(
        Pipeline::try_new(written).unwrap_err(),
        SpecError::SamePath { .. }
    ));
    // A file may refer to itself: every parent is a record.
    let files = Files::with("id,parent\n1,\n2,1\n3,9\n");
    let itself = References::new(["parent"], files.input()).keys(["id"]);
    run(spec(&files, Mode::Typed).step(itself));
    assert_eq!(files.clean(), "id,parent\n1,\n2,1\n");
}

#[test]
fn records_that_break_a_constraint_are_refused() {
    let text = "zip,city\n1,A\n1,A\n1,B\n2,C\n2,C\n3,\n3,D\n";
    let dependency = "t1&t2&EQ(t1.zip,t2.zip)&IQ(t1.city,t2.city)";
    assert_eq!(
        clean(text, Deny::new(dependency)),
        "zip,city\n2,C\n2,C\n3,\n3,D\n"
    );
    assert_eq!(
        clean(text, Deny::new(dependency).blame(Blame::Suspects)),
        "zip,city\n1,A\n1,A\n2,C\n2,C\n3,\n3,D\n"
    );
    // One record alone, and twins that break it only together.
    let negative = Deny::new("t1&LT(t1.v,'0')");
    assert_eq!(clean("v\n-1\n0\n-3\n", negative), "v\n0\n");
    let twins = Deny::new("t1&t2&EQ(t1.v,t2.v)&EQ(t1.v,'7')");
    assert_eq!(clean("v\n7\n8\n8\n", twins.clone()), "v\n7\n8\n8\n");
    assert_eq!(clean("v\n7\n8\n7\n8\n", twins), "v\n8\n8\n");
}

#[test]
fn steps_see_what_the_steps_before_left() {
    let text = "k,v,w\n1,,5\n1,2,5\n2,9,5\n2,9,5\n";
    let fill = |value: &str| Fill {
        column: "v".into(),
        value: value.into(),
    };
    let files = Files::with(text);
    // Compared before the fill, and filled afterwards; the constraint sees no duplicate.
    run(spec(&files, Mode::Typed)
        .step(DropDuplicates::default())
        .step(Compare::new("v", Comparison::Less, "w"))
        .step(fill("77"))
        .step(Unique::new(["k"])));
    assert_eq!(files.clean(), "k,v,w\n");
    let files = Files::with(text);
    run(spec(&files, Mode::Typed)
        .step(fill("77"))
        .step(Compare::new("v", Comparison::Less, "w"))
        .step(Unique::new(["k"])));
    assert_eq!(files.clean(), "k,v,w\n1,2,5\n");
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_is_read() {
    let refused = |step: Step| {
        let spec = PipelineSpec::new(Read::csv("in.csv")).step(step);
        Pipeline::try_new(spec).unwrap_err()
    };
    let flag = Compare {
        on_fail: Action::Flag,
        ..Compare::new("a", Comparison::Less, "b")
    };
    assert_eq!(refused(flag.into()), SpecError::CannotFlag { step: 0 });
    let clip = Unique {
        on_fail: Action::Clip,
        ..Unique::new(["a"])
    };
    assert_eq!(refused(clip.into()), SpecError::CannotClip { step: 0 });
    assert_eq!(refused(Unique::new([""; 0]).into()), SpecError::Empty { step: 0 });
    let uneven = References::new(["a", "b"], "keys.csv").keys(["c"]);
    assert_eq!(refused(uneven.into()), SpecError::Keys { step: 0 });
    assert_eq!(
        refused(Deny::new("nonsense").into()),
        SpecError::Constraint { step: 0 }
    );
    let all_pairs = Deny::new("t1&t2&LT(t1.a,t2.a)&GT(t1.b,t2.b)");
    assert_eq!(refused(all_pairs.into()), SpecError::Unjoined { step: 0 });

    let files = Files::with("a\n1\n");
    let bounded = |step: Step| {
        let pipeline = Pipeline::try_new(spec(&files, Mode::Textual).step(step)).unwrap();
        let options = RunOptions::default().with_memory(64 << 20);
        pipeline.run_with(&options, |_| std::ops::ControlFlow::Continue(()))
    };
    let not_bounded =
        |result: Result<_, RunError>| matches!(result, Err(RunError::NotBounded { step: Some(0) }));
    assert!(not_bounded(
        bounded(Deny::new("t1&LT(t1.a,'0')").into()).map(drop)
    ));
    assert!(not_bounded(
        bounded(References::new(["a"], files.input()).into()).map(drop)
    ));
    assert!(bounded(Unique::new(["a"]).into()).is_ok());
}

#[test]
fn a_specification_says_the_same_in_text() {
    let built = PipelineSpec::new(Read::csv("in.csv"))
        .step(Unique::new(["id"]))
        .step(Compare::new("from", Comparison::LessOrEqual, "to"))
        .step(References::new(["user"], "users.csv").keys(["id"]))
        .step(Deny::new("t1&t2&EQ(t1.a,t2.a)&IQ(t1.b,t2.b)").blame(Blame::Suspects))
        .step(Check::new("a", Rule::NotNull).on_fail(Action::Flag));
    let read = PipelineSpec::from_yaml(
        "
version: 1
read: { path: in.csv }
steps:
  - unique: { columns: [id] }
  - compare: { left: from, is: less_or_equal, right: to }
  - references: { columns: [user], path: users.csv, keys: [id] }
  - deny: { constraint: 't1&t2&EQ(t1.a,t2.a)&IQ(t1.b,t2.b)', blame: suspects }
  - check: { column: a, rule: not_null, on_fail: flag }
",
    );
    assert_eq!(read.unwrap(), built);
    assert_eq!(PipelineSpec::from_json(&built.to_json()).unwrap(), built);

    let files = Files::with("id,from,to,user,a,b\n1,1,2,7,x,y\n");
    let mut spec = built;
    spec.read.path = files.input();
    let plan = Pipeline::try_new(spec).unwrap().explain().unwrap();
    for line in [
        "distinct   \"id\", exact, keep none, else quarantine: not unique\n",
        "select     \"from\" at most \"to\", else quarantine: columns disagree\n",
        "select     \"user\" among [\"id\"] of \"users.csv\", else quarantine: no such key\n",
        "deny       records to blame for a constraint on \"a\", \"b\", else quarantine: constraint broken\n",
        "project    \"a missing value\" := not \"a\" present\n",
    ] {
        assert!(plan.contains(line), "{plan}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Law: the step refuses exactly the records of some pair that breaks the constraint, by looking at all pairs.
    #[test]
    fn a_constraint_refuses_the_records_of_its_pairs(
        rows in proptest::collection::vec((0u8..4, proptest::option::of(0u8..3), 0u8..3), 1..30),
        which in 0usize..3,
    ) {
        let constraint = [
            "t1&t2&EQ(t1.a,t2.a)&IQ(t1.b,t2.b)",
            "t1&t2&EQ(t1.a,t2.a)&LT(t1.b,t2.b)&GT(t1.c,t2.c)",
            "t1&t2&EQ(t1.a,t2.a)&EQ(t1.b,t2.b)&LTE(t1.c,t2.c)",
        ][which];
        let mut text = String::from("a,b,c\n");
        for (a, b, c) in &rows {
            text.push_str(&format!("{a},{},{c}\n", b.map_or(String::new(), |b| b.to_string())));
        }
        let breaks = |x: &(u8, Option<u8>, u8), y: &(u8, Option<u8>, u8)| {
            let (Some(p), Some(q)) = (x.1, y.1) else { return false };
            x.0 == y.0 && match which {
                0 => p != q,
                1 => p < q && x.2 > y.2,
                _ => p == q && x.2 <= y.2,
            }
        };
        for mode in [Mode::Textual, Mode::Typed] {
            let files = Files::with(&text);
            let report = run(spec(&files, mode).step(Deny::new(constraint)));
            for (at, row) in rows.iter().enumerate() {
                let pairs = rows.iter().enumerate().filter(|(other, _)| *other != at);
                let broken = pairs.into_iter().any(|(_, other)| breaks(row, other) || breaks(other, row));
                let quarantined = matches!(report.ledger.outcome(at as u64), Some(Outcome::Quarantined(_)));
                prop_assert_eq!(quarantined, broken, "row {}", at);
            }
        }
    }
}

/// A grid of ten by ten, one record far from it, one that is not whole, and one that an earlier step refuses.
#[test]
fn records_that_few_cuts_set_apart_are_refused() {
    let mut text = "x,y,name\n".to_owned();
    for i in 0..100 {
        text.push_str(&format!("{},{}.5,n{i}\n", i % 10, i / 10));
    }
    text.push_str("50,50.5,far\n,7.5,half\n5000,1.5,broken\n");
    let forest = IsolationForest::new(50, 64)
        .unwrap()
        .with_contamination(0.02)
        .unwrap();
    let step = |columns: &[&str]| Isolate {
        forest,
        seed: 7,
        ..Isolate::new(columns.iter().copied())
    };
    let sound = Check::new(
        "x",
        Rule::Range {
            min: None,
            max: Some(100.0),
        },
    )
    .on_fail(Action::Drop);

    // What the forest says of the same rows as a matrix.
    let x = ndarray::Array2::from_shape_fn((101, 2), |(i, f)| match (i, f) {
        (100, 0) => 50.0,
        (100, _) => 50.5,
        (_, 0) => (i % 10) as f64,
        _ => (i / 10) as f64 + 0.5,
    });
    let train = Split::<Train>::declare(Dataset::try_new(x, vec![0; 101], vec!["only".into()]).unwrap());
    let (_, outside) = forest.fit(&train, 7).unwrap().separate(&train).unwrap();
    let expected: Vec<u64> = outside.rows().iter().map(|&row| row as u64).collect();
    assert!(expected.contains(&100));

    for mode in [Mode::Textual, Mode::Typed] {
        let files = Files::with(&text);
        let report = run(spec(&files, mode).step(sound.clone()).step(step(&["x", "y"])));
        let refused: Vec<u64> = (0..report.ledger.records_in())
            .filter(|&row| {
                matches!(report.ledger.outcome(row), Some(Outcome::Quarantined(reason))
                    if reason.cause == Cause::Outlier && reason.step == Some(1))
            })
            .collect();
        assert_eq!(refused, expected, "{mode:?}");
        assert_eq!(report.ledger.dropped(), 1);
        assert!(files.clean().contains(",7.5,half\n"));

        let pipeline = Pipeline::try_new(spec(&files, mode).step(step(&["name"]))).unwrap();
        assert!(matches!(pipeline.run(), Err(RunError::NotNumeric { .. })));
    }
    let files = Files::with(&text);
    let pipeline = Pipeline::try_new(spec(&files, Mode::Textual).step(step(&["x", "y"]))).unwrap();
    let bounded = pipeline.run_with(&RunOptions::default().with_memory(64 << 20), |_| {
        std::ops::ControlFlow::Continue(())
    });
    assert_eq!(bounded.unwrap_err(), RunError::NotBounded { step: Some(0) });
    let refused = |step: Isolate| Pipeline::try_new(spec(&files, Mode::Typed).step(step)).unwrap_err();
    assert_eq!(refused(step(&[])), SpecError::Empty { step: 0 });
    let flag = Isolate {
        on_fail: Action::Flag,
        ..step(&["x"])
    };
    assert_eq!(refused(flag), SpecError::CannotFlag { step: 0 });

    let yaml = "
version: 1
read: { path: in.csv }
steps:
  - isolate: { columns: [x, y], forest: { trees: 50, sample: 64, contamination: 0.02 }, seed: 7 }
";
    assert_eq!(
        PipelineSpec::from_yaml(yaml).unwrap().steps,
        [step(&["x", "y"]).into()]
    );
    assert!(PipelineSpec::from_yaml(&yaml.replace("trees: 50", "trees: 0")).is_err());
}

/// A name that a rule or a format does not know is refused, like any other.
#[test]
fn misspelt_bounds_are_refused() {
    let rule = |rule: &str| {
        let steps = format!("steps: [{{ check: {{ column: a, rule: {rule} }} }}]");
        PipelineSpec::from_yaml(&format!("version: 1\nread: {{ path: in.csv }}\n{steps}"))
    };
    assert!(rule("{ range: { min: 0 } }").is_ok());
    assert!(rule("{ range: { mim: 0 } }").is_err());
    assert!(rule("{ length: { minimum: 1 } }").is_err());
    assert!(
        PipelineSpec::from_yaml("version: 1\nread: { path: in.csv, format: { csv: { seperator: ';' } } }")
            .is_err()
    );
}
