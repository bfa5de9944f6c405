//! Results checked by hand or against other tools; see tests/data/README.md.

use modelops_cleaning::{
    Action, Cause, Check, ColumnType, DropDuplicates, DropMissing, Equality, Fill, Format, How, Keep, Mode,
    Outcome, OutlierMethod, Outliers, Pipeline, PipelineSpec, Read, Rule,
};

use crate::{Files, run};

fn typed(files: &Files) -> PipelineSpec {
    PipelineSpec::new(Read::csv(files.input()))
        .write_csv(files.at("clean"))
        .quarantine(files.at("quarantine"))
}

#[test]
fn one_stray_quote_takes_nobody_with_it() {
    // 20,000 rows, a stray quote in row 777: engines have been seen to deliver 777 rows without an error.
    let mut text = String::from("id,name,x\n");
    for i in 0..20_000 {
        let name = if i == 777 {
            "na\"me777".to_owned()
        } else {
            format!("name{i}")
        };
        text.push_str(&format!("{i},{name},0.5\n"));
    }
    for mode in [Mode::Typed, Mode::Textual] {
        let files = Files::with(&text);
        let report = run(typed(&files).mode(mode));
        assert_eq!(report.ledger.records_in(), 20_000);
        assert_eq!(report.ledger.kept(), 20_000);
        assert_eq!(files.clean().lines().count(), 20_001);
    }
}

#[test]
fn hostile_records_are_quarantined_with_their_bytes() {
    let input: &[u8] = b"a,b\n1,x\n2\n3,y,z\n4,caf\xe9\n5,\"q\"r\n\n6,\"two\nlines\"\n7,\"open\n8,z\n";
    for mode in [Mode::Typed, Mode::Textual] {
        let files = Files::with(input);
        let report = run(typed(&files).mode(mode));
        let ledger = &report.ledger;
        let cause = |row| match ledger.outcome(row).unwrap() {
            Outcome::Quarantined(reason) => Some(reason.cause),
            Outcome::Dropped { reason, .. } => Some(reason.cause),
            _ => None,
        };
        let causes: Vec<_> = (0..8).map(cause).collect();
        assert_eq!(
            causes,
            [
                None,
                Some(Cause::FieldCount),
                Some(Cause::FieldCount),
                Some(Cause::NotUtf8),
                Some(Cause::TextAfterQuote),
                Some(Cause::BlankLine),
                None,
                Some(Cause::UnclosedQuote),
            ]
        );
        assert_eq!(files.clean(), "a,b\n1,x\n6,\"two\nlines\"\n", "{mode:?}");
        let lines: Vec<serde_json::Value> = files
            .quarantine()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 5);
        assert_eq!(lines[0]["raw"], "2\n");
        assert_eq!(lines[0]["offset"], 8);
        assert_eq!(lines[0]["line"], 3);
        assert_eq!(lines[2]["raw_hex"], "342c636166e90a");
        assert_eq!(lines[4]["raw"], "7,\"open\n8,z\n");
        assert_eq!(lines[4]["line"], 10);
    }
}

#[test]
fn line_ends_marks_and_quotes_do_not_change_the_table() {
    let expected = "a,b\n1,x y\n2,\"p,q\"\n";
    for input in [
        "a,b\n1,x y\n2,\"p,q\"\n",
        "a,b\r\n1,x y\r\n2,\"p,q\"\r\n",
        "a,b\r1,x y\r2,\"p,q\"\r",
        "\u{feff}a,b\n1,x y\n2,\"p,q\"",
        "\"a\",\"b\"\n\"1\",\"x y\"\n2,\"p,q\"\n",
        "\n\na,b\n1,x y\n2,\"p,q\"\n",
    ] {
        let files = Files::with(input);
        let report = run(typed(&files));
        assert_eq!(files.clean(), expected, "{input:?}");
        assert_eq!(report.ledger.records_in(), 2);
    }
}

#[test]
fn codes_stay_text_and_numbers_become_numbers() {
    let files =
        Files::with("zip,id,big,v,flag\n00501,1e5,9223372036854775808,1.10,true\n02139,12,1,2,false\n");
    let out = files.at("clean.jsonl");
    run(typed(&files).write(&out, Format::JsonLines));
    assert_eq!(
        crate::read(&out),
        "{\"zip\":\"00501\",\"id\":\"1e5\",\"big\":\"9223372036854775808\",\"v\":1.1,\"flag\":true}\n\
         {\"zip\":\"02139\",\"id\":\"12\",\"big\":\"1\",\"v\":2.0,\"flag\":false}\n"
    );
}

/// Types are those of the whole file, however late it shows them.
#[test]
fn a_late_value_changes_the_type_of_its_column() {
    let plain = "n,code,late\n".to_owned() + &"7,7,\n".repeat(12_000);
    for (last, first, clean) in [
        ("2.50,007,1.10", "7.0,7,", "2.5,007,1.1"),
        ("x,7,x", "7,7,", "x,7,x"),
        ("+7,-0,true", "7,7,", "+7,0,true"),
    ] {
        let files = Files::with(format!("{plain}{last}\n"));
        let report = run(typed(&files));
        assert_eq!(report.ledger.kept(), 12_001);
        assert_eq!(
            files.clean(),
            "n,code,late\n".to_owned() + &format!("{first}\n").repeat(12_000) + clean + "\n"
        );
    }
    // The step is at odds with what the first records look like, not with the whole file; and the other way round.
    let regex = Check::new("code", Rule::Regex("^[0-9]+$".into()));
    let files = Files::with(format!("{plain}7,abc,\n"));
    let report = run(typed(&files).step(regex.clone()));
    assert_eq!((report.ledger.kept(), report.ledger.quarantined()), (12_000, 1));
    let files = Files::with(format!("{plain}7,8,\n"));
    let pipeline = Pipeline::try_new(typed(&files).step(regex)).unwrap();
    let column = "code".to_owned();
    assert_eq!(
        pipeline.run().unwrap_err(),
        modelops_cleaning::RunError::NotText { column }
    );
    assert!(!files.at("clean").exists());
}

#[test]
fn sentinels_missing_values_and_declared_types() {
    let files = Files::with("id,score,name\n1, 5 ,a\n2,-999,b\n3,\"\",NA\n4,abc,c\n5,7,\n");
    let spec = {
        let mut spec = typed(&files);
        spec.read = spec
            .read
            .trim(true)
            .sentinels(["NA"])
            .sentinels_in("score", ["-999"])
            .typed("score", ColumnType::Int);
        spec
    };
    let report = run(spec
        .step(DropMissing {
            how: How::All,
            columns: vec!["score".into(), "name".into()],
        })
        .step(Fill {
            column: "name".into(),
            value: "unknown".into(),
        }));
    assert_eq!(files.clean(), "id,score,name\n1,5,a\n2,,b\n5,7,unknown\n");
    let ledger = &report.ledger;
    assert_eq!(
        (
            ledger.kept(),
            ledger.repaired(),
            ledger.quarantined(),
            ledger.dropped()
        ),
        (2, 1, 1, 1)
    );
    assert_eq!(ledger.repairs(), [0, 1]);
    assert!(matches!(
        ledger.outcome(3),
        Some(Outcome::Quarantined(reason)) if reason.cause == Cause::Type && reason.column.as_deref() == Some("score")
    ));
    assert!(files.quarantine().contains("\"raw\":\"4,abc,c\\n\""));
}

#[test]
fn duplicates_keep_the_one_they_say() {
    let input = "k,v\na,1.0\nb,2\nA ,1\na,1.00\nb,2.0\nc,3\n";
    let cases = [
        (Keep::First, Equality::Exact, "k,v\na,1.0\nb,2.0\nA ,1.0\nc,3.0\n"),
        (Keep::Last, Equality::Exact, "k,v\nA ,1.0\na,1.0\nb,2.0\nc,3.0\n"),
        (Keep::None, Equality::Exact, "k,v\nA ,1.0\nc,3.0\n"),
        (Keep::First, Equality::Normalised, "k,v\na,1.0\nb,2.0\nc,3.0\n"),
    ];
    for (keep, equality, expected) in cases {
        let files = Files::with(input);
        let step = DropDuplicates {
            columns: vec![],
            keep,
            equality,
        };
        let report = run(typed(&files).step(step.clone()));
        assert_eq!(files.clean(), expected, "{keep:?} {equality:?}");
        let survivor = match report.ledger.outcome(4) {
            Some(Outcome::Dropped { survivor, .. }) => survivor,
            _ => None,
        };
        let expected = match keep {
            Keep::First => Some(1),
            _ => None,
        };
        assert_eq!(survivor, expected);

        // As bytes, 1.0 and 1.00 differ.
        let files = Files::with(input);
        let step = DropDuplicates {
            equality: Equality::Exact,
            ..step
        };
        let report = run(typed(&files).mode(Mode::Textual).step(step));
        assert_eq!(report.ledger.dropped(), 0);
    }
}

#[test]
fn steps_see_what_earlier_steps_left() {
    // The fill comes after the duplicates: both missing values are equal, the filled one is not compared.
    let files = Files::with("a,b\n1,\n1,0\n1,\n2,50\n3,60\n");
    let report = run(typed(&files)
        .step(DropDuplicates::default())
        .step(Fill {
            column: "b".into(),
            value: "0".into(),
        })
        .step(
            Check::new(
                "b",
                Rule::Range {
                    min: None,
                    max: Some(55.0),
                },
            )
            .on_fail(Action::Clip),
        ));
    assert_eq!(files.clean(), "a,b\n1,0\n1,0\n2,50\n3,55\n");
    assert_eq!(report.ledger.repairs(), [0, 1, 1]);
    assert_eq!(report.ledger.dropped(), 1);
}

#[test]
fn outliers_are_judged_by_what_reached_them() {
    // Without the dropped 1000: Q1 = 2, Q3 = 4, fences -1 and 7 for k = 1.5.
    let text = "v\n1\n2\n3\n4\n5\n1000\n7\n8\n";
    let outliers = |action| Outliers {
        columns: vec!["v".into()],
        method: OutlierMethod::Iqr(1.5),
        action,
    };
    let steps = |spec: PipelineSpec, action| {
        spec.step(
            Check::new(
                "v",
                Rule::Range {
                    min: None,
                    max: Some(5.5),
                },
            )
            .on_fail(Action::Drop),
        )
        .step(outliers(action))
    };
    for mode in [Mode::Typed, Mode::Textual] {
        let files = Files::with(text);
        run(steps(typed(&files).mode(mode), Action::Quarantine));
        assert_eq!(files.clean(), "v\n1\n2\n3\n4\n5\n");
        let files = Files::with("v\n1\n2\n3\n4\n5\n100\n");
        let report = run(typed(&files).mode(mode).step(outliers(Action::Quarantine)));
        assert_eq!(report.ledger.quarantined(), 1);
    }
    let files = Files::with("v\n1.5\n2\n3\n4\n5\n100\n");
    let report = run(typed(&files).step(outliers(Action::Clip)));
    // Q1 = 2.25, Q3 = 4.75, upper fence 8.5.
    assert_eq!(files.clean(), "v\n1.5\n2.0\n3.0\n4.0\n5.0\n8.5\n");
    assert_eq!(report.ledger.repaired(), 1);
}

#[test]
fn flags_are_columns_of_their_own_and_later_steps_see_them() {
    let range = Rule::Range {
        min: Some(0.0),
        max: Some(9.0),
    };
    let flagged = |files: &Files| {
        typed(files)
            .step(DropDuplicates::default())
            .step(Check::new("v", range.clone()).on_fail(Action::Flag))
            .step(Check::new("w", Rule::Regex("^x".into())).on_fail(Action::Flag))
            .step(Outliers {
                columns: vec!["v".into()],
                method: OutlierMethod::Iqr(1.5),
                action: Action::Flag,
            })
            .step(Check::new("v", range.clone()).on_fail(Action::Clip))
    };
    let files = Files::with("v,w\n1,x\n1,x\n2,yx\n,\n3,x\n4,x\n5,x\n90,x\n");
    let report = run(flagged(&files));
    assert_eq!(
        files.clean(),
        "v,w,v out of range,w no match,v outlier\n\
         1,x,false,false,false\n2,yx,false,true,false\n,,false,false,false\n3,x,false,false,false\n\
         4,x,false,false,false\n5,x,false,false,false\n9,x,true,false,true\n"
    );
    // A flag is no repair; the clip is one.
    assert_eq!(report.ledger.repairs(), [0, 0, 0, 0, 1]);

    let files = Files::with("v,w\n1,x\n90,x\n");
    let only_sound = Check::new("v out of range", Rule::NotNull).on_fail(Action::Drop);
    let report = run(flagged(&files)
        .step(only_sound)
        .write(files.at("clean"), Format::Parquet));
    assert_eq!(report.ledger.records_in(), 2);
    let back =
        run(PipelineSpec::new(Read::new(files.at("clean"), Format::Parquet)).write_csv(files.at("again")));
    assert_eq!(back.ledger.kept(), 2);
    assert_eq!(
        std::fs::read_to_string(files.at("again")).unwrap(),
        "v,w,v out of range,w no match,v outlier\n1,x,false,false,false\n9,x,true,false,false\n"
    );

    let files = Files::with("v,v outlier\n1,x\n");
    let spec = typed(&files).step(Outliers {
        columns: vec!["v".into()],
        method: OutlierMethod::Iqr(1.5),
        action: Action::Flag,
    });
    let pipeline = Pipeline::try_new(spec.clone()).unwrap();
    assert_eq!(
        pipeline.run().unwrap_err(),
        modelops_cleaning::RunError::DuplicateColumn {
            column: "v outlier".into()
        }
    );
    assert_eq!(
        Pipeline::try_new(spec.mode(Mode::Textual)).unwrap_err(),
        modelops_cleaning::SpecError::NotTextual { step: 0 }
    );
    let files = Files::with("v\n1\n");
    let plan = Pipeline::try_new(typed(&files).step(Check::new("v", range).on_fail(Action::Flag)))
        .unwrap()
        .explain()
        .unwrap();
    assert!(
        plan.contains("project    \"v out of range\" := not \"v\" within [0, 9]\n"),
        "{plan}"
    );
}

#[test]
fn json_lines_and_parquet_go_the_same_way() {
    let lines = "{\"id\":\"7\",\"v\":1.10,\"n\":{\"x\":[1]}}\n\n[1]\n{\"v\":null,\"id\":\"8\"}\n{\"id\":\"7\",\"v\":1.1,\"n\":{\"x\":[1]}}\n{\"id\":1,\"id\":2}\n";
    let files = Files::with(lines);
    let read = Read::new(files.input(), Format::JsonLines);
    let report = run(PipelineSpec::new(read)
        .step(DropDuplicates::default())
        .write(files.at("clean"), Format::JsonLines)
        .quarantine(files.at("quarantine")));
    assert_eq!(
        files.clean(),
        "{\"id\":\"7\",\"v\":1.1,\"n\":\"{\\\"x\\\":[1]}\"}\n{\"id\":\"8\",\"v\":null,\"n\":null}\n"
    );
    assert_eq!(report.ledger.records_in(), 6);
    assert_eq!((report.ledger.quarantined(), report.ledger.dropped()), (2, 2));
    assert!(files.quarantine().contains("\"raw\":\"[1]\\n\""));

    let to_parquet = run(PipelineSpec::new(Read::new(files.at("clean"), Format::JsonLines))
        .write(files.at("p"), Format::Parquet));
    assert_eq!(to_parquet.ledger.kept(), 2);
    let back = Files::with("");
    let report = run(PipelineSpec::new(Read::new(files.at("p"), Format::Parquet))
        .step(Check::new("v", Rule::NotNull))
        .write_csv(back.at("clean"))
        .quarantine(back.at("quarantine")));
    assert_eq!(back.clean(), "id,v,n\n7,1.1,\"{\"\"x\"\":[1]}\"\n");
    assert_eq!(report.ledger.quarantined(), 1);
    assert!(back.quarantine().contains("\\\"id\\\":\\\"8\\\""));
}

/// The whole plan of a pipeline with every kind of step, whatever the language of its specification.
#[test]
fn three_languages_give_one_plan() {
    let files = Files::with("id,age,\"na\"\"me\"\n1,34,x\n");
    let input = files.input();
    let path = input.to_str().unwrap();
    let yaml = format!(
        "
version: 1
read: {{ path: {path}, types: {{ age: float }}, sentinels: {{ everywhere: [NA] }} }}
steps:
  - drop_missing: {{ how: all }}
  - drop_duplicates: {{ columns: [id, 'na\"me'], keep: last, equality: normalised }}
  - check: {{ column: age, rule: {{ range: {{ min: 0, max: 130 }} }}, on_fail: clip }}
  - fill: {{ column: age, value: '0' }}
  - outliers: {{ columns: [age], method: {{ mad: 3.5 }}, action: drop }}
quarantine: out.jsonl
"
    );
    let toml = format!(
        "
version = 1
quarantine = 'out.jsonl'
[read]
path = '{path}'
types.age = 'float'
sentinels.everywhere = ['NA']
[[steps]]
drop_missing.how = 'all'
[[steps]]
drop_duplicates = {{ columns = ['id', 'na\"me'], keep = 'last', equality = 'normalised' }}
[[steps]]
check = {{ column = 'age', rule.range = {{ min = 0, max = 130 }}, on_fail = 'clip' }}
[[steps]]
fill = {{ column = 'age', value = '0' }}
[[steps]]
outliers = {{ columns = ['age'], method.mad = 3.5, action = 'drop' }}
"
    );
    let yaml = PipelineSpec::from_yaml(&yaml).unwrap();
    assert_eq!(PipelineSpec::from_toml(&toml).unwrap(), yaml);
    assert_eq!(PipelineSpec::from_json(&yaml.to_json()).unwrap(), yaml);
    let plan = Pipeline::try_new(yaml).unwrap().explain().unwrap();
    let expected = format!(
        r#"typed scan of csv {path:?}, 3 columns
 read  cast       "age" to Float, else quarantine: wrong type
    0  select     any of "id", "age", "na\"me" present, else drop: missing value
    1  distinct   "id", "na\"me", normalised, keep last, else drop: duplicate
    2  select     "age" not NaN, else quarantine: out of range
    2  project    "age" := clamp("age", [0, 130])
    3  project    "age" := fill("age", "0")
    4  aggregate  median ± 3.5·MAD/0.6745 of "age"
    4  select     "age" within the interval above, else drop: outlier
clean counted only
quarantined to json_lines "out.jsonl"
"#
    );
    assert_eq!(plan, expected);
}

/// A field of ten megabytes, with every kind of byte that means something to CSV, between two small records.
#[test]
fn a_field_of_ten_megabytes_is_a_field() {
    let long = "line, \"\"quoted\"\"\r\n\n".repeat(10_000_000 / 19 + 1);
    assert!(long.len() >= 10_000_000);
    let text = format!("a,b\n1,x\n2,\"{long}\"\n3,y\n2,\"{long}\"\n4,\"{long}\n");
    for mode in [Mode::Textual, Mode::Typed] {
        let files = Files::with(&text);
        let report = run(typed(&files).mode(mode).step(DropDuplicates::default()));
        let counts = (
            report.ledger.kept(),
            report.ledger.dropped(),
            report.ledger.quarantined(),
        );
        assert_eq!(counts, (3, 1, 1), "{mode:?}: {}", report.ledger);
        let clean = files.clean();
        assert!(
            clean.ends_with("\"\n3,y\n") && clean.len() > long.len(),
            "{mode:?}"
        );
        if mode == Mode::Textual {
            assert_eq!(clean, format!("a,b\n1,x\n2,\"{long}\"\n3,y\n"));
        }
    }
    let value = "x".repeat(10_000_000);
    let files = Files::with(format!(
        "{{\"a\":\"{value}\"}}\n{{\"a\":\"{value}\n{{\"a\":\"{value}\"}}\n"
    ));
    let report = run(PipelineSpec::new(Read::new(files.input(), Format::JsonLines))
        .step(DropDuplicates::default())
        .write(files.at("clean"), Format::JsonLines)
        .quarantine(files.at("quarantine")));
    let ledger = &report.ledger;
    assert_eq!((ledger.kept(), ledger.dropped(), ledger.quarantined()), (1, 1, 1));
    assert_eq!(files.clean(), format!("{{\"a\":\"{value}\"}}\n"));
}

/// Values compared, bytes kept: one meaning of equal in both modes.
#[test]
fn values_are_compared_and_bytes_are_kept() {
    let text = "n,code,t\n1,00501,\u{e9}\n1.0,00501,\"\u{e9}\"\n-0.0,501,x\n0,501,x\n,501,x\n\"\",501,x\n1,501,e\u{301}\n";
    let outcomes = |mode, equality| {
        let files = Files::with(text);
        let report = run(typed(&files).mode(mode).step(DropDuplicates {
            equality,
            ..DropDuplicates::default()
        }));
        let dropped: Vec<u64> = (0..7)
            .filter(|&row| matches!(report.ledger.outcome(row), Some(Outcome::Dropped { .. })))
            .collect();
        (dropped, files.clean())
    };
    let (dropped, clean) = outcomes(Mode::Textual, Equality::Typed);
    assert_eq!(dropped, [1, 3, 5]);
    assert_eq!(
        clean,
        "n,code,t\n1,00501,\u{e9}\n-0.0,501,x\n,501,x\n1,501,e\u{301}\n"
    );
    assert_eq!(outcomes(Mode::Typed, Equality::Typed).0, dropped);
    assert_eq!(outcomes(Mode::Typed, Equality::Exact).0, dropped);
    assert_eq!(outcomes(Mode::Textual, Equality::Exact).0, [0u64; 0]);

    // One character, composed and taken apart.
    let files = Files::with("t\n \u{c9}\ne\u{301}\n");
    for mode in [Mode::Textual, Mode::Typed] {
        let report = run(typed(&files).mode(mode).step(DropDuplicates {
            equality: Equality::Normalised,
            ..DropDuplicates::default()
        }));
        assert_eq!(report.ledger.dropped(), 1, "{mode:?}");
    }
}
