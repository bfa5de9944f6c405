//! Formats, patterns made of rectangles, and the verifier.

use std::fs;
use std::path::Path;

use modelops_pruning::CheckpointError;
use modelops_pruning::weights::{
    Calibration, Checkpoint, CheckpointPruner, Format, Gram, LayerPruner, Mask, Pattern, Recipe, Scope,
    Solver, Sparsity, prune_checkpoint, verify_pruned,
};
use modelops_testkit::pruning::{best_tile, congruential};
use modelops_testkit::tolerance::{F32_LAYER, close_relative};
use ndarray::Array2;
use proptest::prelude::*;
use ring::digest::{SHA256, digest};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

const TWO_OF_FOUR: Pattern = Pattern::NM { keep: 2, group: 4 };

fn matrix(rows: usize, columns: usize, seed: u64) -> Array2<f32> {
    let flat = congruential(rows * columns, seed)
        .into_iter()
        .map(|x| x as f32)
        .collect();
    Array2::from_shape_vec((rows, columns), flat).unwrap()
}

/// Writes `w` in this type, and a bias.
fn write(path: &Path, w: &Array2<f32>, dtype: Dtype) {
    let bytes: Vec<u8> = match dtype {
        Dtype::F16 => w
            .iter()
            .flat_map(|w| half::f16::from_f32(*w).to_le_bytes())
            .collect(),
        Dtype::BF16 => w
            .iter()
            .flat_map(|w| half::bf16::from_f32(*w).to_le_bytes())
            .collect(),
        _ => w.iter().flat_map(|w| w.to_le_bytes()).collect(),
    };
    let bias = [7_u8; 12];
    let views = [
        (
            "w",
            TensorView::new(dtype, vec![w.nrows(), w.ncols()], &bytes).unwrap(),
        ),
        ("bias", TensorView::new(Dtype::F32, vec![3], &bias).unwrap()),
    ];
    safetensors::serialize_to_file(views, None, path).unwrap();
}

fn kept_per(mask: &Mask, rows: impl Iterator<Item = (usize, usize)>) -> usize {
    rows.filter(|(i, j)| mask.is_kept(*i, *j)).count()
}

/// The metadata that PyTorch's and compressed-tensors' conversion makes of this matrix, by its hash.
#[test]
fn cutlass_metadata_is_that_of_the_reference() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let w = Array2::from_shape_fn((64, 64), |(i, j)| (((i * 64 + j) % 251) as f32 - 125.0) * 0.5);
    write(&path("in.safetensors"), &w, Dtype::F16);
    let recipe = Recipe::new(TWO_OF_FOUR);
    prune_checkpoint(
        path("in.safetensors"),
        path("out.safetensors"),
        &recipe,
        Format::Cutlass24,
    )
    .unwrap();
    let bytes = fs::read(path("out.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let hash = |name: &str| -> String {
        let digest = digest(&SHA256, file.tensor(name).unwrap().data());
        digest.as_ref()[..8].iter().map(|b| format!("{b:02x}")).collect()
    };
    assert_eq!(hash("w.meta"), "1fb2414e8bbc1745");
    assert_eq!(hash("w.compressed"), "c0a1b2e4a3047754");
    assert_eq!(file.tensor("w.meta").unwrap().shape(), [64, 4]);
}

#[test]
fn sixteen_bit_weights_shrink_as_promised() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write(&path("in.safetensors"), &matrix(64, 768, 3), Dtype::BF16);
    let recipe = Recipe::new(TWO_OF_FOUR);
    let run = |format| {
        prune_checkpoint(path("in.safetensors"), path("out.safetensors"), &recipe, format)
            .unwrap()
            .tensors
            .into_iter()
            .find(|tensor| tensor.name == "w")
            .unwrap()
    };
    let dense = run(Format::Dense);
    let bytes = dense.bytes.unwrap();
    assert_eq!(dense.bytes_after, bytes.dense);
    assert_eq!(dense.macs_after(), 64 * 768 / 2);
    // 16 bytes say the shape.
    assert_eq!(run(Format::Packed24).bytes_after - 16, bytes.dense * 13 / 24); // 0.5417
    assert_eq!(run(Format::Cutlass24).bytes_after - 16, bytes.dense * 9 / 16); // 0.5625
    assert_eq!(
        run(Format::Bitmask).bytes_after - 16 - 64 * 8,
        bytes.dense * 9 / 16
    );
    assert_eq!(run(Format::Csr).bytes_after - 16 - 65 * 8, bytes.dense * 3 / 2);
    for (format, expected) in [
        (Format::Packed24, bytes.packed24.unwrap()),
        (Format::Cutlass24, bytes.cutlass24.unwrap()),
        (Format::Bitmask, bytes.bitmask),
        (Format::Csr, bytes.csr.unwrap()),
    ] {
        assert_eq!(run(format).bytes_after, expected, "{format:?}");
    }
}

#[test]
fn formats_refuse_what_they_cannot_hold() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let run = |pattern, format| {
        prune_checkpoint(
            path("in.safetensors"),
            path("out.safetensors"),
            &Recipe::new(pattern),
            format,
        )
    };
    let refused = CheckpointError::Format { tensor: "w".into() };
    write(&path("in.safetensors"), &matrix(64, 32, 1), Dtype::F32);
    let half = Pattern::Unstructured {
        sparsity: Sparsity::try_new(0.5).unwrap(),
        scope: Scope::Row,
    };
    assert_eq!(run(half, Format::Packed24).unwrap_err(), refused, "not 2 of 4");
    assert_eq!(run(TWO_OF_FOUR, Format::Cutlass24).unwrap_err(), refused, "f32");
    write(&path("in.safetensors"), &matrix(32, 32, 1), Dtype::F16);
    assert_eq!(
        run(TWO_OF_FOUR, Format::Cutlass24).unwrap_err(),
        refused,
        "32 rows, with which the reference conversion itself fails"
    );
    assert!(!path("out.safetensors").exists());
}

/// Damage to any part is found, and so is another recipe.
#[test]
fn the_verifier_finds_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write(&path("in.safetensors"), &matrix(64, 32, 5), Dtype::F16);
    let recipe = Recipe::new(TWO_OF_FOUR);
    for format in [
        Format::Dense,
        Format::Bitmask,
        Format::Cutlass24,
        Format::Packed24,
        Format::Csr,
    ] {
        prune_checkpoint(path("in.safetensors"), path("out.safetensors"), &recipe, format).unwrap();
        let verify = |recipe: &Recipe| verify_pruned(path("in.safetensors"), path("out.safetensors"), recipe);
        verify(&recipe).unwrap();
        let stricter = Recipe::new(Pattern::NM { keep: 1, group: 4 });
        assert_eq!(
            verify(&stricter).unwrap_err(),
            CheckpointError::Violated { tensor: "w".into() }
        );
        let whole = fs::read(path("out.safetensors")).unwrap();
        let file = safetensors::SafeTensors::deserialize(&whole).unwrap();
        let start = |name: &str| {
            file.tensor(name)
                .ok()
                .map(|tensor| tensor.data().as_ptr() as usize - whole.as_ptr() as usize)
        };
        // One bit of a mask, an order of positions, the highest byte of a code, a column: other damage can make another mask
        // of two of four, against which nothing can be said.
        let parts = [
            ("w.bitmask", 0, 1),
            ("w.meta", 0, 0xff),
            ("w.codes", 3, 0xff),
            ("w.col_indices", 0, 0xff),
            ("bias", 0, 0xff),
        ];
        let (place, bits) = parts
            .iter()
            .find_map(|(name, byte, bits)| Some((start(name)? + byte, *bits)))
            .unwrap();
        let mut damaged = whole.clone();
        damaged[place] ^= bits;
        fs::write(path("out.safetensors"), &damaged).unwrap();
        assert!(verify(&recipe).is_err(), "{format:?}");
    }
    verify_pruned(path("in.safetensors"), path("in.safetensors"), &recipe).unwrap_err();
}

/// Solvers from file to file: the report says what was lost, with the weights as they are stored, and what cannot be
/// calibrated goes by magnitude, openly.
#[test]
fn calibrated_files_hold_what_layers_say() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let w = matrix(16, 32, 9);
    let x = matrix(200, 32, 10);
    let mut gram = Gram::new(32);
    gram.observe(x.view()).unwrap();
    Calibration::write(path("grams.safetensors"), [("shared", &gram)]).unwrap();
    let calibration = Calibration::open(path("grams.safetensors")).unwrap();
    let recipe = Recipe::new(TWO_OF_FOUR);
    for dtype in [Dtype::F32, Dtype::BF16] {
        write(&path("in.safetensors"), &w, dtype);
        let stored = Checkpoint::open(path("in.safetensors"))
            .unwrap()
            .matrix("w")
            .unwrap();
        let uncalibrated = CheckpointPruner::new(&recipe)
            .with_calibration(&calibration, LayerPruner::new(TWO_OF_FOUR))
            .prune(path("in.safetensors"), path("out.safetensors"))
            .unwrap();
        let row = |report: &modelops_pruning::weights::Report| {
            report.tensors.iter().find(|t| t.name == "w").unwrap().clone()
        };
        assert_eq!(row(&uncalibrated).solver, Some(Solver::Magnitude));
        assert_eq!(row(&uncalibrated).output_error, None);
        let calibration = Calibration::open(path("grams.safetensors"))
            .unwrap()
            .with_shared("w", "shared");
        for solver in [
            Solver::Wanda,
            Solver::Obs,
            Solver::SparseGpt,
            Solver::Admm,
            Solver::Random { seed: 1 },
        ] {
            let layer = LayerPruner::new(TWO_OF_FOUR).with_solver(solver);
            let report = CheckpointPruner::new(&recipe)
                .with_calibration(&calibration, layer)
                .with_format(Format::Packed24)
                .prune(path("in.safetensors"), path("out.safetensors"))
                .unwrap();
            verify_pruned(path("in.safetensors"), path("out.safetensors"), &recipe).unwrap();
            let expected = layer.prune(stored.view(), &gram).unwrap();
            let found = Checkpoint::open(path("out.safetensors"))
                .unwrap()
                .matrix("w")
                .unwrap();
            let row = row(&report);
            assert_eq!(row.solver, Some(solver));
            let delta = stored.mapv(f64::from) - found.mapv(f64::from);
            let energy = |m: &Array2<f64>| x.mapv(f64::from).dot(&m.t()).iter().map(|x| x * x).sum::<f64>();
            let error = energy(&delta) / energy(&stored.mapv(f64::from));
            assert!(close_relative(row.output_error.unwrap(), error, F32_LAYER));
            if dtype == Dtype::F32 {
                assert_eq!(found, expected.weights());
            }
        }
    }
    let taylor = LayerPruner::new(TWO_OF_FOUR).with_solver(Solver::Taylor);
    let calibration = Calibration::open(path("grams.safetensors"))
        .unwrap()
        .with_shared("w", "shared");
    let run = |calibration: &Calibration| {
        CheckpointPruner::new(&recipe)
            .with_calibration(calibration, taylor)
            .prune(path("in.safetensors"), path("out.safetensors"))
    };
    assert_eq!(
        run(&calibration).unwrap_err(),
        CheckpointError::NotCalibrated { tensor: "w".into() }
    );
    write(&path("gradients.safetensors"), &matrix(16, 32, 11), Dtype::F32);
    let with_gradients = calibration.with_gradients(path("gradients.safetensors")).unwrap();
    run(&with_gradients).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// What is encoded is decoded, whatever the type, the shape and the format; and twice the same bytes.
    #[test]
    fn decoding_undoes_encoding(bands in 1_usize..3, groups in 1_usize..6, seed in 1_u64..1 << 40, which in 0_usize..5) {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let pattern = [
            TWO_OF_FOUR,
            Pattern::TransposableNM { keep: 2, group: 4 },
            Pattern::Block { sparsity: Sparsity::try_new(0.5).unwrap(), rows: 8, columns: 4 },
            Pattern::Unstructured { sparsity: Sparsity::try_new(0.7).unwrap(), scope: Scope::Row },
            Pattern::NM { keep: 3, group: 8 },
        ][which];
        let w = matrix(bands * 64, groups * 16, seed);
        let recipe = Recipe::new(pattern);
        for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16] {
            write(&path("in.safetensors"), &w, dtype);
            prune_checkpoint(path("in.safetensors"), path("dense.safetensors"), &recipe, Format::Dense).unwrap();
            verify_pruned(path("in.safetensors"), path("dense.safetensors"), &recipe).unwrap();
            let input = Checkpoint::open(path("in.safetensors")).unwrap().matrix("w").unwrap();
            let mut expected = input.clone();
            pattern.mask(input.view()).unwrap().apply(expected.view_mut()).unwrap();
            prop_assert_eq!(&Checkpoint::open(path("dense.safetensors")).unwrap().matrix("w").unwrap(), &expected);
            for format in [Format::Bitmask, Format::Csr, Format::Packed24, Format::Cutlass24] {
                let run = |name: &str| prune_checkpoint(path("in.safetensors"), path(name), &recipe, format);
                match run("packed.safetensors") {
                    Err(CheckpointError::Format { .. }) => prop_assert!(format != Format::Bitmask && format != Format::Csr),
                    other => {
                        other.unwrap();
                        prop_assert_eq!(&Checkpoint::open(path("packed.safetensors")).unwrap().matrix("w").unwrap(), &expected);
                        verify_pruned(path("in.safetensors"), path("packed.safetensors"), &recipe).unwrap();
                        run("again.safetensors").unwrap();
                        prop_assert_eq!(fs::read(path("packed.safetensors")).unwrap(), fs::read(path("again.safetensors")).unwrap());
                    }
                }
            }
        }
    }

    /// Every tile keeps as many a row as a column, and no other tile keeps more.
    #[test]
    fn transposable_tiles_are_the_best_of_all(seed in 1_u64..1 << 40, which in 0_usize..4) {
        let (keep, group) = [(2, 4), (1, 4), (1, 3), (3, 4)][which];
        let w = matrix(2 * group, 3 * group, seed);
        let mask = Pattern::TransposableNM { keep, group }.mask(w.view()).unwrap();
        for (top, left) in [(0, 0), (group, group), (0, 2 * group)] {
            let cells = |line: usize| (0..group).map(move |i| (top + line, left + i));
            let across = |line: usize| (0..group).map(move |i| (top + i, left + line));
            for line in 0..group {
                prop_assert_eq!(kept_per(&mask, cells(line)), keep);
                prop_assert_eq!(kept_per(&mask, across(line)), keep);
            }
            let tile = Array2::from_shape_fn((group, group), |(i, j)| f64::from(w[[top + i, left + j]]).powi(2));
            let ours: f64 = tile.indexed_iter().filter(|((i, j), _)| mask.is_kept(top + i, left + j)).map(|(_, v)| v).sum();
            prop_assert!((ours - best_tile(tile.view(), keep)).abs() <= F32_LAYER * ours);
        }
    }

    /// Blocks go whole, exactly as many as asked for, and none that goes weighs more than one that stays.
    #[test]
    fn blocks_go_whole_and_lightest_first(seed in 1_u64..1 << 40, share in 0.0_f64..=1.0) {
        let w = matrix(12, 20, seed);
        let sparsity = Sparsity::try_new(share).unwrap();
        let mask = Pattern::Block { sparsity, rows: 3, columns: 5 }.mask(w.view()).unwrap();
        prop_assert_eq!(mask.pruned() as u64, sparsity.count(16) * 15);
        let (mut least_kept, mut most_gone) = (f64::INFINITY, 0.0_f64);
        for (top, left) in (0..12).step_by(3).flat_map(|i| (0..20).step_by(5).map(move |j| (i, j))) {
            let cells = || (0..3).flat_map(move |i| (0..5).map(move |j| (top + i, left + j)));
            let weight: f64 = cells().map(|at| f64::from(w[[at.0, at.1]]).powi(2)).sum();
            match kept_per(&mask, cells()) {
                15 => least_kept = least_kept.min(weight),
                0 => most_gone = most_gone.max(weight),
                other => prop_assert!(false, "{other} of a block stayed"),
            }
        }
        prop_assert!(most_gone <= least_kept * (1.0 + F32_LAYER));
    }
}
