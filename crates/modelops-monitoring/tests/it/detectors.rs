//! Detectors and distances against river and SciPy; `tests/data/README.md` names versions and commands.

use std::cell::RefCell;

use modelops_monitoring::detect::{
    Adwin, AdwinOptions, ContextualAnomaly, ContextualAnomalyOptions, Cusum, Ewma, Kswin, KswinOptions,
    PageHinkley, PageHinkleyOptions, Spot, SpotOptions,
};
use modelops_monitoring::drift::{jensen_shannon, ks_two_sample, population_stability, wasserstein_1};
use modelops_testkit::tolerance;
use proptest::collection::vec;
use proptest::prelude::*;

/// Knuth's linear congruential generator, 53 bits of it, as `[0, 1)`.
struct Lcg(u64);

impl Lcg {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / 9_007_199_254_740_992.0
    }
}

fn streams() -> [Vec<f64>; 3] {
    let stream = |seed, value: fn(f64, usize) -> f64| {
        let mut lcg = Lcg(seed);
        (0..6_000).map(|i| value(lcg.next(), i)).collect()
    };
    [
        stream(42, |u, i| f64::from(u8::from(u < [0.2, 0.5, 0.35][i / 2_000]))),
        stream(7, |u, i| u * 2.0 + [0.0, 1.5, -1.0, 4.0][i / 1_500]),
        stream(11, |u, i| u + i as f64 / 800.0),
    ]
}

fn reports(xs: &[f64], mut update: impl FnMut(f64) -> bool) -> Vec<usize> {
    (0..xs.len()).filter(|i| update(xs[*i])).collect()
}

#[test]
fn adwin_and_page_hinkley_fire_where_river_does() {
    let [steps_of_a_share, steps, ramp] = streams();
    let adwin = |xs: &[f64], delta| {
        let mut adwin = Adwin::new(AdwinOptions::default().with_delta(delta));
        reports(xs, |x| adwin.update(x))
    };
    assert_eq!(adwin(&steps_of_a_share, 0.002), [2047, 4383]);
    assert_eq!(adwin(&steps_of_a_share, 1e-5), [2111, 4607]);
    assert_eq!(adwin(&steps, 0.002), [1535, 3007, 4511]);
    assert_eq!(adwin(&steps, 1e-5), [1535, 3039, 4511]);
    assert_eq!(
        adwin(&ramp, 0.002),
        [
            287, 575, 895, 1183, 1503, 1823, 2239, 2623, 2975, 3295, 3615, 3935, 4255, 4543, 4895, 5215,
            5567, 5951
        ]
    );
    assert_eq!(
        adwin(&ramp, 1e-5),
        [
            415, 831, 1215, 1631, 2047, 2463, 2847, 3263, 3647, 4031, 4447, 4895, 5279, 5695
        ]
    );
    let page = |xs: &[f64], threshold| {
        let mut test = PageHinkley::new(PageHinkleyOptions::default().with_threshold(threshold));
        reports(xs, |x| test.update(x))
    };
    assert_eq!(page(&steps_of_a_share, 50.0), [2143, 4372]);
    assert_eq!(page(&steps, 50.0), [1516, 3016, 4507]);
    assert_eq!(
        page(&ramp, 50.0),
        [
            406, 788, 1197, 1605, 1990, 2379, 2813, 3191, 3604, 4008, 4393, 4796, 5201, 5610
        ]
    );
    let often = page(&steps, 5.0);
    assert_eq!(
        (often.len(), &often[..5], often[90]),
        (96, &[40, 70, 101, 147, 190][..], 5620)
    );
    for (xs, width, mean) in [
        (&steps_of_a_share, 1999, 0.195_597_798_899_449_73),
        (&steps, 463, 2.485_540_165_992_854),
        (&ramp, 175, 2.926_443_627_155_401),
    ] {
        let mut adwin = Adwin::new(AdwinOptions::default());
        // A report begins the window anew.
        xs[..1_999].iter().for_each(|x| {
            adwin.update(*x);
        });
        assert_eq!((adwin.width(), adwin.mean()), (width, mean));
    }
}

/// The generator of `CPython`'s `random`, as far as `sample` needs it.
struct Mersenne {
    state: [u32; 624],
    at: usize,
}

impl Mersenne {
    /// `random.Random(seed)` for a small seed.
    fn new(seed: u32) -> Self {
        let mut state = [0u32; 624];
        state[0] = 19_650_218;
        for i in 1..624 {
            let before = state[i - 1];
            state[i] = 1_812_433_253u32
                .wrapping_mul(before ^ before >> 30)
                .wrapping_add(i as u32);
        }
        let mut i = 1;
        for _ in 0..624 {
            let before = state[i - 1];
            state[i] = (state[i] ^ (before ^ before >> 30).wrapping_mul(1_664_525)).wrapping_add(seed);
            i += 1;
            if i == 624 {
                state[0] = state[623];
                i = 1;
            }
        }
        for _ in 0..623 {
            let before = state[i - 1];
            state[i] =
                (state[i] ^ (before ^ before >> 30).wrapping_mul(1_566_083_941)).wrapping_sub(i as u32);
            i += 1;
            if i == 624 {
                state[0] = state[623];
                i = 1;
            }
        }
        state[0] = 0x8000_0000;
        Self { state, at: 624 }
    }

    fn next(&mut self) -> u32 {
        if self.at == 624 {
            for i in 0..624 {
                let y = self.state[i] & 0x8000_0000 | self.state[(i + 1) % 624] & 0x7fff_ffff;
                let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[i] = self.state[(i + 397) % 624] ^ y >> 1 ^ odd;
            }
            self.at = 0;
        }
        let mut y = self.state[self.at];
        self.at += 1;
        y ^= y >> 11;
        y ^= y << 7 & 0x9d2c_5680;
        y ^= y << 15 & 0xefc6_0000;
        y ^ y >> 18
    }

    fn below(&mut self, n: usize) -> usize {
        let bits = usize::BITS - n.leading_zeros();
        loop {
            let drawn = (self.next() >> (32 - bits)) as usize;
            if drawn < n {
                return drawn;
            }
        }
    }
}

#[test]
fn kswin_fires_where_river_does_on_the_same_chance() {
    let [steps_of_a_share, steps, ramp] = streams();
    let kswin = |xs: &[f64], alpha| {
        let chance = RefCell::new(Mersenne::new(42));
        let options = KswinOptions::default().with_alpha(alpha);
        let mut kswin = Kswin::new(options, |n| chance.borrow_mut().below(n));
        reports(xs, |x| {
            let changed = kswin.update(x);
            if changed {
                // river seeds its generator anew after each report.
                *chance.borrow_mut() = Mersenne::new(42);
            }
            changed
        })
    };
    assert_eq!(kswin(&steps_of_a_share, 0.005), [2027]);
    assert_eq!(kswin(&steps_of_a_share, 1e-4), [0; 0]);
    assert_eq!(
        kswin(&steps, 0.005),
        [1428, 1528, 2157, 2611, 3011, 3595, 4171, 4368, 4513, 4905]
    );
    assert_eq!(kswin(&steps, 1e-4), [1520, 3016, 4516]);
    assert_eq!(
        kswin(&ramp, 0.005),
        [
            175, 282, 387, 511, 661, 981, 1086, 1321, 1618, 1890, 2070, 2342, 3656, 3813, 4014, 4157, 4491,
            5189, 5503, 5915
        ]
    );
    assert_eq!(kswin(&ramp, 1e-4), [1111]);
}

#[test]
fn distances_are_those_of_scipy() {
    let mut lcg = Lcg(3);
    let round = |x: f64| (x * 100.0).round() / 100.0;
    let cases = [
        (1, 1, 0.0, 1.0, 1.0, 0.210_000_000_000_000_02),
        (2, 3, 0.4, 1.0, 0.2, 0.360_000_000_000_000_04),
        (10, 10, 0.2, 0.3, 0.786_929_788_477_776_1, 0.119),
        (
            30,
            30,
            0.3,
            0.3,
            0.135_003_502_500_954_41,
            0.194_333_333_333_333_33,
        ),
        (
            30,
            30,
            0.02,
            0.266_666_666_666_666_66,
            0.239_073_002_480_186_45,
            0.138_333_333_333_333_36,
        ),
        (
            17,
            41,
            0.25,
            0.358_680_057_388_809_2,
            0.068_322_256_193_064_49,
            0.226_427_546_628_407_44,
        ),
        (
            200,
            150,
            0.1,
            0.16,
            0.022_463_339_639_363_41,
            0.096_566_666_666_666_66,
        ),
        (
            300,
            300,
            0.0,
            0.083_333_333_333_333_33,
            0.248_824_784_395_796_8,
            0.039_766_666_666_666_67,
        ),
    ];
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-12 * b.abs();
    for (n, m, shift, statistic, p_value, work) in cases {
        let a: Vec<f64> = (0..n).map(|_| round(lcg.next())).collect();
        let b: Vec<f64> = (0..m).map(|_| round(lcg.next() + shift)).collect();
        let test = ks_two_sample(&a, &b).unwrap();
        assert!(near(test.statistic, statistic), "{n} {m}: {test:?}");
        assert!(near(test.p_value, p_value), "{n} {m}: {test:?}");
        assert!(near(wasserstein_1(&a, &b).unwrap(), work), "{n} {m}");
    }
    let p: Vec<f64> = (0..7).map(|_| lcg.next()).collect();
    let q: Vec<f64> = (0..7).map(|_| lcg.next()).collect();
    assert!(near(jensen_shannon(&p, &q).unwrap(), 0.160_532_818_556_804));
    let (p, q) = ([0.0, 1.0, 2.0, 0.0, 3.0], [1.0, 0.0, 2.0, 0.0, 5.0]);
    assert!(near(jensen_shannon(&p, &q).unwrap(), 0.327_947_805_582_402_66));
}

#[test]
fn spot_raises_as_few_false_alarms_as_it_promises() {
    // A million values each: a hundred alarms are promised, half to twice as many allowed.
    let shapes: [fn(f64, f64) -> f64; 4] = [
        |u, v| (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos(),
        |u, _| (u / (1.0 - u)).ln(),
        |u, _| -(1.0 - u).ln(),
        |u, _| (1.0 - u).powf(-0.25),
    ];
    for (which, shape) in shapes.into_iter().enumerate() {
        let mut lcg = Lcg(5 + which as u64);
        let mut spot = Spot::new(SpotOptions::default());
        let alarms = (0..1_000_000)
            .filter(|_| spot.update(shape(lcg.next(), lcg.next())))
            .count();
        assert!((50..=200).contains(&alarms), "shape {which}: {alarms}");
    }
}

/// NIST/SEMATECH, Engineering Statistics Handbook, 6.3.2.4: means to two places, all of them in control.
#[test]
fn an_ewma_chart_is_that_of_the_handbook() {
    let xs = [
        52.0, 47.0, 53.0, 49.3, 50.1, 47.0, 51.0, 50.1, 51.2, 50.5, 49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6,
        52.4, 53.6, 52.1,
    ];
    let means = [
        50.60, 49.52, 50.56, 50.18, 50.16, 49.21, 49.75, 49.85, 50.26, 50.33, 50.11, 49.36, 49.52, 50.05,
        49.38, 49.92, 50.73, 51.23, 51.94, 51.99,
    ];
    let mut chart = Ewma::new(50.0, 2.0539).with_weight(0.3).with_limit(3.0);
    for (x, mean) in xs.into_iter().zip(means) {
        assert!(!chart.update(x));
        assert_eq!(format!("{:.2}", chart.mean()), format!("{mean:.2}"));
    }
    // The limits have settled at 52.5884 by now: the mean is to be just within it, then just beyond.
    let next = |mean: f64| (mean - 0.7 * chart.mean()) / 0.3;
    assert!(!chart.clone().update(next(52.587)) && chart.clone().update(next(52.590)));
    assert!(!chart.clone().update(next(47.413)) && chart.clone().update(next(47.410)));
}

/// NIST/SEMATECH, Engineering Statistics Handbook, 6.3.2.3: the upper sum passes `h` at the 14th value, with 4.94.
#[test]
fn cumulative_sums_are_those_of_the_handbook() {
    let xs = [
        324.925, 324.675, 324.725, 324.350, 325.350, 325.225, 324.125, 324.525, 325.225, 324.600, 324.625,
        325.150, 328.325, 327.250, 327.825, 328.500, 326.675, 327.775, 326.875, 328.350,
    ];
    let first = |threshold| {
        let mut sums = Cusum::new(325.0, 1.0).with_limits(0.3175, threshold);
        xs.iter().position(|x| sums.update(*x))
    };
    assert_eq!(
        (first(4.1959), first(4.93), first(4.95)),
        (Some(13), Some(13), Some(14))
    );
}

#[test]
fn what_says_nothing_changes_nothing() {
    let mut lcg = Lcg(9);
    let xs: Vec<f64> = (0..3_000)
        .map(|i| lcg.next() + f64::from(u8::from(i > 2_000)))
        .collect();
    let with_gaps: Vec<f64> = xs.iter().flat_map(|x| [f64::NAN, *x]).collect();
    let halved = |found: Vec<usize>| found.into_iter().map(|i| i / 2).collect::<Vec<_>>();
    let mut pair = [
        Adwin::new(AdwinOptions::default()),
        Adwin::new(AdwinOptions::default()),
    ];
    let [a, b] = &mut pair;
    assert_eq!(
        halved(reports(&with_gaps, |x| a.update(x))),
        reports(&xs, |x| b.update(x))
    );
    let mut pair = [
        Spot::new(SpotOptions::default()),
        Spot::new(SpotOptions::default()),
    ];
    let [a, b] = &mut pair;
    assert_eq!(
        halved(reports(&with_gaps, |x| a.update(x))),
        reports(&xs, |x| b.update(x))
    );
    let mut flat = Spot::new(SpotOptions::default());
    assert!((0..2_000).all(|_| !flat.update(3.0)));
    assert!(flat.update(3.1));
    let mut flat = Adwin::new(AdwinOptions::default());
    assert!((0..5_000).all(|_| !flat.update(-7.5)));
    assert!(!Cusum::new(1.0, 0.0).update(1.0) && Cusum::new(1.0, 0.0).update(1.1));
    assert!(!Ewma::new(0.0, 1.0).update(f64::NAN));
    assert_eq!(ks_two_sample(&[], &[1.0]), None);
    assert_eq!(ks_two_sample(&[f64::NAN], &[1.0]), None);
    assert_eq!(wasserstein_1(&[f64::INFINITY], &[1.0]), None);
    assert_eq!(jensen_shannon(&[1.0], &[1.0, 2.0]), None);
    assert_eq!(jensen_shannon(&[-1.0, 3.0], &[1.0, 2.0]), None);
    assert_eq!(population_stability(&[1.0], &[], 10), None);
    assert_eq!(population_stability(&[1.0, 2.0], &[1.0], 1), None);
}

/// The distance by its definition: over every value, how far the two shares of values up to it lie apart.
fn ks_by_definition(a: &[f64], b: &[f64]) -> f64 {
    let share =
        |values: &[f64], x: f64| values.iter().filter(|v| **v <= x).count() as f64 / values.len() as f64;
    a.iter()
        .chain(b)
        .map(|x| (share(a, *x) - share(b, *x)).abs())
        .fold(0.0, f64::max)
}

proptest! {
    /// A unit and a zero are a choice of who measures.
    #[test]
    fn contextual_scores_know_no_scale_and_no_offset(
        steps in vec((0.0..1.0f64, 0.0..1.0f64), 1..600),
        scale in prop_oneof![0.001..1.0f64, 1.0..1000.0f64],
        offset in -1000.0..1000.0f64,
    ) {
        // Mostly around a slow wave, at times far from it.
        let wave = |(i, (near, far)): (usize, &(f64, f64))| {
            let jump = if *far > 0.97 { 5.0 * far } else { 0.0 };
            (i as f64 / 9.0).sin() + near / 4.0 + jump
        };
        let xs: Vec<f64> = steps.iter().enumerate().map(wave).collect();
        let scores = |xs: &[f64]| {
            let mut detector = ContextualAnomaly::new(ContextualAnomalyOptions::default().with_refractory(0.0));
            xs.iter().map(|x| detector.update(*x)).collect::<Vec<_>>()
        };
        let told_otherwise: Vec<f64> = xs.iter().map(|x| x * scale + offset).collect();
        prop_assert_eq!(scores(&told_otherwise), scores(&xs));
    }
}

proptest! {
    /// The distances obey their definitions, are symmetric, and do not care about the order.
    #[test]
    fn distances_obey_their_definitions(
        a in vec(-5..5i32, 1..30), b in vec(-5..5i32, 1..30), scale in 1..4i32, shift in -3..3i32,
    ) {
        let floats = |v: &[i32]| v.iter().map(|x| f64::from(*x)).collect::<Vec<_>>();
        let (a, b) = (floats(&a), floats(&b));
        let test = ks_two_sample(&a, &b).unwrap();
        prop_assert!((test.statistic - ks_by_definition(&a, &b)).abs() < 1e-12);
        prop_assert!((0.0..=1.0).contains(&test.p_value));
        let back = ks_two_sample(&b, &a).unwrap();
        prop_assert!(back.statistic == test.statistic && (back.p_value - test.p_value).abs() <= 1e-12);
        let moved = |v: &[f64]| v.iter().rev().map(|x| x * f64::from(scale) + f64::from(shift)).collect::<Vec<_>>();
        prop_assert_eq!(ks_two_sample(&moved(&a), &moved(&b)).unwrap().statistic, test.statistic);
        let work = wasserstein_1(&a, &b).unwrap();
        let moved_work = wasserstein_1(&moved(&a), &moved(&b)).unwrap();
        prop_assert!((moved_work - work * f64::from(scale)).abs() <= 1e-9 * (1.0 + work));
        prop_assert!((work - wasserstein_1(&b, &a).unwrap()).abs() <= tolerance::REORDERED_SUM * (1.0 + work));
        prop_assert!(population_stability(&a, &b, 4).unwrap() >= 0.0);
    }
}
