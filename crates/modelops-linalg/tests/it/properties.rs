//! The laws of each factorization, on whichever backend the crate was built with.

use modelops_linalg::{Cholesky, Eigh, Lu, Qr, Svd, gemm, syrk};
use modelops_testkit::linalg::{
    distance, largest, matrix, naive_cholesky, naive_product, positive_definite, seeded_matrix,
};
use modelops_testkit::tolerance::{BACKWARD_STABLE, BACKWARD_STABLE_F32};
use ndarray::{Array2, ArrayView2, ShapeBuilder, s};
use proptest::prelude::*;

/// The backward-stable bound for a matrix whose longer side is `n` and whose largest entry is `scale`.
fn bound(n: usize, scale: f64) -> f64 {
    BACKWARD_STABLE * n as f64 * scale.max(1.0)
}

fn product(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Array2<f64> {
    naive_product(a, b)
}

fn is_lower_triangular(a: ArrayView2<'_, f64>) -> bool {
    a.indexed_iter().all(|((i, j), &x)| i >= j || x == 0.0)
}

fn identity(n: usize) -> Array2<f64> {
    Array2::eye(n)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn cholesky_gives_back_its_input(a in positive_definite(40)) {
        let factor = Cholesky::new(a.view()).unwrap();
        let l = factor.lower();
        prop_assert!(distance(product(l, l.t()).view(), a.view()) <= bound(a.nrows(), largest(a.view())));
        prop_assert!(distance(l, naive_cholesky(a.view()).unwrap().view()) <= bound(a.nrows(), largest(a.view())));
        prop_assert!(is_lower_triangular(l) && l.diag().iter().all(|&x| x > 0.0));
    }

    #[test]
    fn cholesky_reads_the_lower_triangle_only(a in positive_definite(20)) {
        let mut spoilt = a.clone();
        for i in 0..a.nrows() {
            spoilt.slice_mut(s![i, i + 1..]).fill(f64::NAN);
        }
        let (clean, dirty) = (Cholesky::new(a.view()).unwrap(), Cholesky::new(spoilt.view()).unwrap());
        prop_assert_eq!(clean.lower(), dirty.lower());
    }

    #[test]
    fn cholesky_inverse_and_solve_agree(a in positive_definite(40)) {
        let n = a.nrows();
        let factor = Cholesky::new(a.view()).unwrap();
        let inverse = factor.inverse().unwrap();
        let limit = bound(n, largest(a.view()) * n as f64);
        prop_assert!(distance(product(a.view(), inverse.view()).view(), identity(n).view()) <= limit);
        prop_assert!(distance(factor.solve(identity(n).view()).unwrap().view(), inverse.view()) <= limit);
        prop_assert_eq!(inverse.t(), inverse.view());
    }

    #[test]
    fn cholesky_in_f32_is_the_f64_one_rounded(a in positive_definite(40)) {
        let factor = Cholesky::new(a.mapv(|x| x as f32).view()).unwrap();
        let exact = Cholesky::new(a.view()).unwrap();
        let limit = BACKWARD_STABLE_F32 * a.nrows() as f64 * largest(a.view()).max(1.0);
        prop_assert!(distance(factor.lower().mapv(f64::from).view(), exact.lower()) <= limit);
        let inverse = factor.inverse().unwrap().mapv(f64::from);
        prop_assert!(distance(inverse.view(), exact.inverse().unwrap().view()) <= limit);
    }

    #[test]
    fn the_pivot_named_is_the_first_bad_one(a in positive_definite(30), at in any::<prop::sample::Index>()) {
        let at = at.index(a.nrows());
        let mut bad = a;
        bad[[at, at]] = -1.0;
        let expected = naive_cholesky(bad.view()).unwrap_err();
        let error = Cholesky::new(bad.view()).unwrap_err();
        prop_assert_eq!(error, modelops_linalg::FactorError::NotPositiveDefinite { pivot: expected });
    }

    #[test]
    fn lu_solves_what_it_factored(a in matrix(40, 40), seed in any::<u64>()) {
        let n = a.nrows().min(a.ncols());
        // Diagonally dominant rows, then shuffled, so that it is well conditioned and needs pivoting.
        let mut square = a.slice(s![..n, ..n]).to_owned();
        square.diag_mut().mapv_inplace(|x| x + 2.0 * n as f64);
        square.invert_axis(ndarray::Axis(0));
        let x = seeded_matrix(n, 3, seed);
        let b = product(square.view(), x.view());
        let factor = Lu::new(square.view()).unwrap();
        prop_assert!(distance(factor.solve(b.view()).unwrap().view(), x.view()) <= bound(n, 1.0));
        let inverse = factor.inverse().unwrap();
        prop_assert!(distance(product(square.view(), inverse.view()).view(), identity(n).view()) <= bound(n, 3.0));
    }

    #[test]
    fn qr_is_orthonormal_times_triangular(a in matrix(60, 30)) {
        let a = if a.nrows() < a.ncols() { a.t().to_owned() } else { a };
        let (m, n) = a.dim();
        let qr = Qr::new(a.view()).unwrap();
        let (q, r) = (qr.q(), qr.r());
        prop_assert_eq!(q.dim(), (m, n));
        prop_assert!(distance(product(q.view(), r.view()).view(), a.view()) <= bound(m, 1.0));
        prop_assert!(distance(product(q.t(), q.view()).view(), identity(n).view()) <= bound(m, 1.0));
        prop_assert!(is_lower_triangular(r.t()) && r.diag().iter().all(|&x| x >= 0.0));
    }

    #[test]
    fn the_least_squares_residual_is_orthogonal_to_the_columns(a in matrix(60, 20), seed in any::<u64>()) {
        let m = a.nrows() + a.ncols();
        let tall = seeded_matrix(m, a.ncols(), seed);
        let b = seeded_matrix(m, 2, seed ^ 1);
        let x = Qr::new(tall.view()).unwrap().least_squares(b.view()).unwrap();
        let residual = product(tall.view(), x.view()) - b;
        let normal = product(tall.t(), residual.view());
        prop_assert!(largest(normal.view()) <= bound(m, m as f64 * largest(x.view())));
    }

    #[test]
    fn eigh_gives_back_its_input(a in matrix(40, 40)) {
        let n = a.nrows().min(a.ncols());
        let a = a.slice(s![..n, ..n]);
        let a = &a + &a.t();
        let e = Eigh::new(a.view()).unwrap();
        let v = e.vectors();
        let scaled = &v * &e.values();
        prop_assert!(distance(product(scaled.view(), v.t()).view(), a.view()) <= bound(n, n as f64));
        prop_assert!(distance(product(v.t(), v).view(), identity(n).view()) <= bound(n, 1.0));
        prop_assert!(e.values().windows(2).into_iter().all(|w| w[0] <= w[1]));
    }

    #[test]
    fn svd_gives_back_its_input(a in matrix(50, 50)) {
        let n = a.nrows().max(a.ncols());
        let svd = Svd::new(a.view()).unwrap();
        let scaled = &svd.u() * &svd.values();
        prop_assert!(distance(product(scaled.view(), svd.v().t()).view(), a.view()) <= bound(n, n as f64));
        let k = svd.values().len();
        prop_assert_eq!(k, a.nrows().min(a.ncols()));
        prop_assert!(distance(product(svd.u().t(), svd.u()).view(), identity(k).view()) <= bound(n, 1.0));
        prop_assert!(distance(product(svd.v().t(), svd.v()).view(), identity(k).view()) <= bound(n, 1.0));
        prop_assert!(svd.values().windows(2).into_iter().all(|w| w[0] >= w[1]));
        prop_assert!(svd.values().iter().all(|&s| s >= 0.0));
    }

    #[test]
    fn squared_singular_values_are_eigenvalues_of_the_gram_matrix(a in matrix(40, 20)) {
        let svd = Svd::new(a.view()).unwrap();
        let e = Eigh::new(product(a.t(), a.view()).view()).unwrap();
        let n = a.nrows().max(a.ncols());
        for (s, l) in svd.values().iter().zip(e.values().iter().rev()) {
            prop_assert!((s * s - l).abs() <= bound(n, n as f64));
        }
    }

    #[test]
    fn gemm_is_the_product_in_every_layout(
        a in matrix(300, 40), n in 1usize..40, seed in any::<u64>(), layout in 0u8..32,
        alpha in -2.0..2.0, beta in prop_oneof![Just(0.0), Just(1.0), -2.0..2.0],
    ) {
        let (m, k) = a.dim();
        let b = seeded_matrix(k, n, seed);
        let c = seeded_matrix(m, n, !seed);
        let expected = product(a.view(), b.view()) * alpha + &c * beta;
        let (mut a2, mut b2) = (Array2::zeros((m, k).set_f(layout & 1 > 0)), Array2::zeros((k, n).set_f(layout & 2 > 0)));
        a2.assign(&a);
        b2.assign(&b);
        // A wider matrix whose view is not contiguous, or one that is.
        let spare = usize::from(layout & 16 > 0);
        let mut c2 = Array2::from_elem((m, n + spare).set_f(layout & 4 > 0), 7.0);
        c2.slice_mut(s![.., ..n]).assign(&c);
        gemm(alpha, a2.view(), b2.view(), beta, c2.slice_mut(s![.., ..n])).unwrap();
        prop_assert!(distance(c2.slice(s![.., ..n]), expected.view()) <= bound(k, 4.0));
        prop_assert!(c2.slice(s![.., n..]).iter().all(|&x| x == 7.0));
    }

    #[test]
    fn syrk_is_half_of_gemm(a in matrix(300, 30), flip in any::<bool>(), beta in -2.0..2.0) {
        let a = if flip { a.reversed_axes() } else { a };
        let n = a.nrows();
        let start = product(a.view(), a.t());
        let (mut whole, mut half) = (start.clone(), start);
        gemm(0.5, a.view(), a.t(), beta, whole.view_mut()).unwrap();
        // What lies above the diagonal must not matter.
        for i in 0..n {
            half.slice_mut(s![i, i + 1..]).fill(f64::NAN);
        }
        syrk(0.5, a.view(), beta, half.view_mut()).unwrap();
        prop_assert!(distance(whole.view(), half.view()) <= bound(a.ncols(), a.ncols() as f64));
        prop_assert_eq!(half.t(), half.view());
    }

    #[test]
    fn beta_zero_forgets_what_c_held(a in matrix(20, 20)) {
        let mut c = Array2::from_elem((a.nrows(), a.nrows()), f64::NAN);
        gemm(1.0, a.view(), a.t(), 0.0, c.view_mut()).unwrap();
        prop_assert!(c.iter().all(|x| x.is_finite()));
    }

    #[test]
    fn products_in_f32_round_the_f64_ones(a in matrix(40, 40)) {
        let single = a.mapv(|x| x as f32);
        let mut c = Array2::zeros((a.nrows(), a.nrows()));
        syrk(1.0_f32, single.view(), 0.0, c.view_mut()).unwrap();
        let limit = BACKWARD_STABLE_F32 * a.ncols() as f64;
        prop_assert!(distance(c.mapv(f64::from).view(), product(a.view(), a.t()).view()) <= limit);
    }
}

#[test]
fn large_sizes_cross_every_block_boundary() {
    for n in [127, 128, 129, 257, 400] {
        let x = seeded_matrix(n + 50, n, n as u64);
        let mut gram = identity(n);
        syrk(1.0, x.t(), 1.0, gram.view_mut()).unwrap();
        assert!(distance(gram.view(), (product(x.t(), x.view()) + identity(n)).view()) <= bound(n, 10.0));
        let factor = Cholesky::new(gram.view()).unwrap();
        let inverse = factor.inverse().unwrap();
        assert!(distance(product(gram.view(), inverse.view()).view(), identity(n).view()) <= bound(n, 100.0));
        let qr = Qr::new(x.view()).unwrap();
        assert!(distance(product(qr.q().view(), qr.r().view()).view(), x.view()) <= bound(n, 1.0));
    }
}

#[test]
fn the_same_call_gives_the_same_bits() {
    let x = seeded_matrix(300, 200, 9);
    let run = || {
        let mut gram = Array2::zeros((200, 200));
        syrk(1.0, x.t(), 0.0, gram.view_mut()).unwrap();
        (
            gram.clone(),
            Eigh::new(gram.view()).unwrap(),
            Svd::new(x.view()).unwrap(),
        )
    };
    let here = run();
    let there = std::thread::scope(|scope| scope.spawn(run).join().unwrap());
    assert_eq!(here, there);
}
