//! Bad specifications and bad inputs: a typed error, and nothing under an output's name.

use modelops_cleaning::{
    Action, Check, DataError, Dataset, Fill, FitError, Format, Mode, OutlierMethod, Outliers, Pipeline,
    PipelineSpec, Read, ResampleError, Rule, RunError, SimpleImputer, Smote, SpecError, Split, Step, Train,
};
use ndarray::{Array2, array};

use crate::Files;

fn spec(files: &Files) -> PipelineSpec {
    PipelineSpec::new(Read::csv(files.input()))
        .write_csv(files.at("clean"))
        .quarantine(files.at("quarantine"))
}

fn failure(spec: PipelineSpec) -> RunError {
    Pipeline::try_new(spec).unwrap().run().unwrap_err()
}

#[test]
fn unknown_fields_and_bad_text_are_refused_with_their_place() {
    let text = "version: 1\nread:\n  path: a.csv\n  sentinel: [NA]\n";
    let Err(SpecError::Syntax(error)) = PipelineSpec::from_yaml(text) else {
        panic!("an unknown field was accepted")
    };
    assert_eq!(error.line(), 4);
    assert!(error.to_string().contains("sentinel"), "{error}");
    assert!(matches!(
        PipelineSpec::from_json("{\"version\":1,\"read\":{\"path\":\"a\"},\"step\":[]}"),
        Err(SpecError::Syntax(_))
    ));
    let Err(SpecError::Syntax(error)) =
        PipelineSpec::from_toml("version = 1\nread = { path = 'a.csv', sentinel = ['NA'] }")
    else {
        panic!("an unknown field was accepted")
    };
    assert_eq!((error.line(), error.column()), (2, 26));
    assert_eq!(
        PipelineSpec::from_yaml("version: 2\nread: { path: a.csv }"),
        Err(SpecError::Version { found: 2 })
    );
}

#[test]
fn impossible_steps_are_refused_before_anything_is_read() {
    let base = || PipelineSpec::new(Read::csv("in.csv"));
    let refused = |spec: PipelineSpec| Pipeline::try_new(spec).unwrap_err();
    let range = |min, max| Rule::Range {
        min: Some(min),
        max: Some(max),
    };
    assert_eq!(
        refused(base().step(Check::new("a", range(2.0, 1.0)))),
        SpecError::Bounds { step: 0 }
    );
    assert_eq!(
        refused(base().step(Check::new("a", range(f64::NAN, 1.0)))),
        SpecError::Bounds { step: 0 }
    );
    assert_eq!(
        refused(base().step(Check::new("a", Rule::Regex("(".into())))),
        SpecError::Regex { step: 0 }
    );
    assert_eq!(
        refused(base().step(Check::new("a", Rule::NotNull).on_fail(Action::Clip))),
        SpecError::CannotClip { step: 0 }
    );
    let fill = Fill {
        column: "a".into(),
        value: "0".into(),
    };
    assert_eq!(
        refused(base().mode(Mode::Textual).step(fill)),
        SpecError::NotTextual { step: 0 }
    );
    assert_eq!(
        refused(base().mode(Mode::Textual).write("x", Format::Parquet)),
        SpecError::TextualFormat
    );
    assert_eq!(
        refused(base().write_csv("in.csv")),
        SpecError::SamePath {
            path: "in.csv".into()
        }
    );
    let outliers = Outliers {
        columns: vec!["a".into()],
        method: OutlierMethod::Iqr(0.0),
        action: Action::Drop,
    };
    assert_eq!(refused(base().step(outliers)), SpecError::Bounds { step: 0 });
    let many = (0..65).fold(base(), |s, _| s.step(Step::DropMissing(Default::default())));
    assert_eq!(refused(many), SpecError::TooManySteps { found: 65 });
}

#[test]
fn bad_inputs_leave_nothing_behind() {
    for mode in [Mode::Textual, Mode::Typed] {
        for (input, expected) in [
            (&b""[..], None),
            (b"\n\n", None),
            (b"\xff\xfea\0,\0b\0\n\0", None),
            (b"caf\xe9,b\n1,2\n", None),
            (b"a,b\n1,2\n", Some("c")),
        ] {
            let files = Files::with(input);
            std::fs::write(files.at("clean"), "before").unwrap();
            let mut spec = spec(&files).mode(mode);
            if let Some(column) = expected {
                spec = spec.step(Check::new(column, Rule::NotNull));
            }
            let error = failure(spec);
            match (input, expected) {
                (_, Some(column)) => {
                    assert_eq!(
                        error,
                        RunError::UnknownColumn {
                            column: column.into()
                        }
                    );
                }
                (b"" | b"\n\n", _) => {
                    assert_eq!(error, RunError::EmptyInput { path: files.input() });
                }
                ([0xff, ..], _) => assert_eq!(error, RunError::Utf16 { path: files.input() }),
                _ => assert_eq!(error, RunError::HeaderNotUtf8 { path: files.input() }),
            }
            assert_eq!(files.clean(), "before");
            let left: Vec<_> = std::fs::read_dir(files.0.path()).unwrap().collect();
            assert_eq!(left.len(), 2, "only the input and the old file: {left:?}");
        }
    }
}

#[test]
fn wrong_types_and_limits_are_named() {
    let files = Files::with("a,b,b\nx,1,2\n");
    assert_eq!(
        failure(spec(&files)),
        RunError::DuplicateColumn { column: "b".into() }
    );
    let files = Files::with("a\nx\n");
    assert_eq!(
        failure(spec(&files).step(Check::new(
            "a",
            Rule::Range {
                min: Some(0.0),
                max: None
            }
        ))),
        RunError::NotNumeric { column: "a".into() }
    );
    let files = Files::with("a\n1\n");
    assert_eq!(
        failure(spec(&files).step(Check::new("a", Rule::Regex("x".into())))),
        RunError::NotText { column: "a".into() }
    );
    assert_eq!(
        failure(spec(&files).step(Fill {
            column: "a".into(),
            value: "x".into()
        })),
        RunError::BadConstant {
            step: 0,
            column: "a".into(),
            value: "x".into()
        }
    );
    let files = Files::with(format!("a\n\"{}", "x\n".repeat(2 << 20)));
    let mut long = spec(&files);
    long.read.longest_record = 1 << 20;
    assert_eq!(
        failure(long.mode(Mode::Textual)),
        RunError::RecordTooLong {
            offset: 2,
            limit: 1 << 20
        }
    );
    let mut missing = spec(&files);
    missing.read.path = files.at("absent");
    assert_eq!(
        failure(missing),
        RunError::Io {
            path: files.at("absent"),
            kind: std::io::ErrorKind::NotFound
        }
    );
    let nowhere = spec(&files).write_csv(files.at("no/such/folder.csv"));
    assert!(matches!(
        failure(nowhere.mode(Mode::Textual)),
        RunError::Io { .. }
    ));
}

#[test]
fn small_and_bad_data_sets_are_refused() {
    let classes = || vec!["a".to_string(), "b".to_string()];
    assert_eq!(
        Dataset::try_new(array![[1.0]], vec![0, 1], classes()),
        Err(DataError::Length {
            expected: 1,
            found: 2
        })
    );
    assert_eq!(
        Dataset::try_new(array![[1.0]], vec![2], classes()),
        Err(DataError::Label { label: 2, classes: 2 })
    );
    let one = Dataset::try_new(array![[1.0]], vec![0], classes()).unwrap();
    assert_eq!(one.split(0.5, 1), Err(DataError::TooFewRows { rows: 1 }));
    assert_eq!(one.split(1.0, 1), Err(DataError::Fraction { fraction: 1.0 }));
    let empty = Dataset::try_new(Array2::zeros((0, 1)), vec![], classes()).unwrap();
    let empty = Split::<Train>::declare(empty);
    assert_eq!(SimpleImputer::mean().fit(&empty), Err(FitError::Empty));
    let gap = Dataset::try_new(array![[f64::NAN], [f64::NAN]], vec![0, 1], classes()).unwrap();
    let gap = Split::<Train>::declare(gap);
    assert_eq!(
        SimpleImputer::median().fit(&gap),
        Err(FitError::NoValue { feature: 0 })
    );
    assert_eq!(
        Smote::default().fit_resample(&gap, 1),
        Err(ResampleError::NotFinite { row: 0, feature: 0 })
    );
    let few = Dataset::try_new(array![[1.0], [2.0], [3.0]], vec![0, 0, 1], classes()).unwrap();
    assert_eq!(
        Smote::default().fit_resample(&Split::<Train>::declare(few), 1),
        Err(ResampleError::TooFewRows {
            class: 1,
            rows: 1,
            neighbours: 5
        })
    );
}
