//! Stopped after every unit, and in every other way that leaves something behind.

use std::ops::ControlFlow;

use modelops_cleaning::{Keep, OutlierMethod, Outliers, RunError, RunOptions};

use crate::{input, outputs, pipeline};

const MEMORY: usize = 1 << 17;

/// Law: bounded memory changes no byte of the outputs and no entry of the ledger.
#[test]
fn bounded_is_unbounded() {
    for keep in [Keep::First, Keep::Last, Keep::None] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("in"), input(20_000)).unwrap();
        let pipeline = pipeline(folder.path(), keep);
        let whole = pipeline.run().unwrap();
        let expected = outputs(folder.path());
        assert!(whole.ledger.quarantined() > 0 && whole.ledger.dropped() > 1000);
        for memory in [1, MEMORY, 1 << 19, 1 << 30] {
            let options = RunOptions::default().with_memory(memory);
            let bounded = pipeline
                .run_with(&options, |_| ControlFlow::Continue(()))
                .unwrap();
            assert_eq!(bounded.ledger, whole.ledger, "{keep:?} {memory}");
            assert_eq!(outputs(folder.path()), expected, "{keep:?} {memory}");
            assert_eq!(bounded.work.reused, 0);
            if memory == MEMORY {
                assert!(bounded.work.done > 20, "{:?}", bounded.work);
            }
        }
    }
}

/// Law: stopped after any unit, a run goes on from there and ends with the same bytes; no unit is done twice.
#[test]
fn stopped_anywhere_it_goes_on_from_there() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("in"), input(8_000)).unwrap();
    let pipeline = pipeline(folder.path(), Keep::Last);
    let whole = pipeline.run().unwrap();
    let expected = outputs(folder.path());
    let options = RunOptions::default().with_memory(MEMORY);
    let total = pipeline
        .run_with(&options, |_| ControlFlow::Continue(()))
        .unwrap()
        .work
        .done;
    for stop in 1..=total {
        for name in ["clean", "quarantine"] {
            std::fs::remove_file(folder.path().join(name)).unwrap();
        }
        let stopped = pipeline.run_with(&options, |progress| {
            if progress.units == stop {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        assert_eq!(stopped.unwrap_err(), RunError::Stopped);
        assert!(!folder.path().join("clean").exists() && !folder.path().join("quarantine").exists());
        let run = pipeline
            .run_with(&options, |_| ControlFlow::Continue(()))
            .unwrap();
        assert_eq!((run.work.reused, run.work.done), (stop, total - stop));
        assert_eq!(run.ledger, whole.ledger);
        assert_eq!(outputs(folder.path()), expected);
    }
}

#[test]
fn another_input_or_a_lost_output_starts_over() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("in"), input(8_000)).unwrap();
    let pipeline = pipeline(folder.path(), Keep::First);
    let options = RunOptions::default().with_memory(MEMORY);
    let total = pipeline
        .run_with(&options, |_| ControlFlow::Continue(()))
        .unwrap()
        .work
        .done;
    let almost = || {
        let stopped = pipeline.run_with(&options, |progress| {
            if progress.units + 1 == total {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        assert_eq!(stopped.unwrap_err(), RunError::Stopped);
    };
    almost();
    std::fs::remove_file(folder.path().join(".clean.partial")).unwrap();
    let run = pipeline
        .run_with(&options, |_| ControlFlow::Continue(()))
        .unwrap();
    assert!(run.work.reused > 0 && run.work.done > 1);
    let expected = outputs(folder.path());

    almost();
    std::fs::write(folder.path().join("in"), input(7_000)).unwrap();
    let run = pipeline
        .run_with(&options, |_| ControlFlow::Continue(()))
        .unwrap();
    assert_eq!(run.work.reused, 0);
    assert_ne!(outputs(folder.path()).0, expected.0);
    pipeline.run().unwrap();
}

#[test]
fn an_input_that_changes_under_a_run_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in");
    std::fs::write(&path, input(8_000)).unwrap();
    let pipeline = pipeline(folder.path(), Keep::First);
    let options = RunOptions::default().with_memory(MEMORY);
    let mut changed = false;
    let error = pipeline.run_with(&options, |_| {
        if !changed {
            // One byte of a late record, behind what the first unit has read.
            use std::os::unix::fs::FileExt as _;
            let file = std::fs::File::options().write(true).open(&path).unwrap();
            file.write_all_at(b"9", 40).unwrap();
            changed = true;
        }
        ControlFlow::Continue(())
    });
    assert_eq!(error.unwrap_err(), RunError::InputChanged);
    assert!(!folder.path().join("clean").exists());
}

#[test]
fn what_cannot_be_bounded_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in");
    std::fs::write(&path, "a\n1\n").unwrap();
    let options = RunOptions::default().with_memory(MEMORY);
    let mut spec = pipeline(folder.path(), Keep::First).spec().clone();
    spec.steps = vec![
        Outliers {
            columns: vec!["a".into()],
            method: OutlierMethod::Iqr(1.5),
            action: Default::default(),
        }
        .into(),
    ];
    let run = |spec| {
        modelops_cleaning::Pipeline::try_new(spec)
            .unwrap()
            .run_with(&options, |_| ControlFlow::Continue(()))
            .unwrap_err()
    };
    assert_eq!(run(spec.clone()), RunError::NotBounded { step: Some(0) });
    spec.steps.clear();
    let inside = options.clone();
    let other = modelops_cleaning::Pipeline::try_new(spec.clone()).unwrap();
    let mut busy = None;
    modelops_cleaning::Pipeline::try_new(spec)
        .unwrap()
        .run_with(&options, |_| {
            busy = Some(
                other
                    .run_with(&inside, |_| ControlFlow::Continue(()))
                    .unwrap_err(),
            );
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(
        busy,
        Some(RunError::Busy {
            path: folder.path().join(".clean.work")
        })
    );
}

/// No record, one record, no end of the last line.
#[test]
fn small_inputs() {
    for text in [
        "id,name,score\n",
        "id,name,score\n1,a,2\n",
        "id,name,score\n1,a,2",
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("in"), text).unwrap();
        let pipeline = pipeline(folder.path(), Keep::None);
        let whole = pipeline.run().unwrap();
        let expected = outputs(folder.path());
        let options = RunOptions::default().with_memory(1);
        let run = pipeline
            .run_with(&options, |_| ControlFlow::Continue(()))
            .unwrap();
        assert_eq!(run.ledger, whole.ledger);
        assert_eq!(outputs(folder.path()), expected);
    }
}
