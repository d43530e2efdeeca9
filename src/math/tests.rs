//! Tests of the guarantees: accuracy, special values, and the same bits from every entry on every processor.

use super::entry::Processor;
use super::{Binary, Couple, Ternary, Unary};
use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;
/// The smallest positive number.
const TINY: f64 = f64::from_bits(1);

/// Reference values by `tests/data/math/reference.py`, with the number of arguments before them.
macro_rules! reference {
    ($function:expr, $($variant:ident => $file:literal),* $(,)?) => {
        match $function {
            $($variant => include_str!(concat!("../../tests/data/math/", $file, ".txt")),)*
        }
    };
}

fn unary_reference(f: Unary) -> &'static str {
    use Unary::*;
    reference!(f,
        Exp => "exp", Exp2 => "exp2", Expm1 => "expm1",
        Log => "log", Log2 => "log2", Log10 => "log10", Log1p => "log1p",
        Sin => "sin", Cos => "cos", Tan => "tan", Asin => "asin", Acos => "acos", Atan => "atan",
        Sinh => "sinh", Cosh => "cosh", Tanh => "tanh",
        Asinh => "asinh", Acosh => "acosh", Atanh => "atanh",
        Logistic => "logistic", Cbrt => "cbrt",
        Erf => "erf", Erfc => "erfc", Erfcx => "erfcx", ErfInv => "erf_inv",
        Ndtr => "ndtr", LogNdtr => "log_ndtr", Ndtri => "ndtri",
        Gamma => "gamma", Lgamma => "lgamma", Digamma => "digamma",
        Entr => "entr", Logit => "logit", Softplus => "softplus", Log1mexp => "log1mexp", Sinc => "sinc",
        BesselJ0 => "bessel_j0", BesselJ1 => "bessel_j1", BesselY0 => "bessel_y0", BesselY1 => "bessel_y1",
        BesselI0 => "bessel_i0", BesselI1 => "bessel_i1", BesselI0e => "bessel_i0e", BesselI1e => "bessel_i1e",
        Sech => "sech", Gaussian => "gaussian", NormalDensity => "normal_density", NormalHazard => "normal_hazard",
        ErfInvDerivative => "erf_inv_derivative", NdtriDerivative => "ndtri_derivative",
        TanhDerivative => "tanh_derivative", LogisticDerivative => "logistic_derivative",
        Exp1 => "exp1", Expi => "expi", Spence => "spence", Rgamma => "rgamma",
    )
}

fn binary_reference(f: Binary) -> &'static str {
    use Binary::*;
    reference!(f,
        Pow => "pow", Atan2 => "atan2", Hypot => "hypot", Rem => "rem",
        Xlogy => "xlogy", Xlog1py => "xlog1py", Logaddexp => "logaddexp",
        Beta => "beta", Lbeta => "lbeta", Polygamma => "polygamma", SincDerivative => "sinc_derivative",
        Igamma => "igamma", Igammac => "igammac", GammaDensity => "gamma_density", IgammaGradA => "igamma_grad_a",
        BesselJn => "bessel_jn", BesselIn => "bessel_in", BesselIne => "bessel_ine",
        DirectionCosine => "direction_cosine",
        ErfcxDerivative => "erfcx_derivative", LogNdtrDerivative => "log_ndtr_derivative",
        Zeta => "zeta", SpenceDerivative => "spence_derivative", LogRatio => "log_ratio", RelEntr => "rel_entr", KlDiv => "kl_div",
    )
}

fn ternary_reference(f: Ternary) -> &'static str {
    use Ternary::*;
    reference!(f,
        Betainc => "betainc", BetaDensity => "beta_density",
        BetaincGradA => "betainc_grad_a", BetaincGradB => "betainc_grad_b",
        PolygammaDifference => "polygamma_difference", BesselIneDerivative => "bessel_ine_derivative",
    )
}

/// The documented largest error, in units in the last place.
fn documented_error(name: &str) -> f64 {
    match name {
        "rem" => 0.0,
        "erf" | "erfc" | "erf_inv" | "ndtri" | "entr" | "logit" | "softplus" | "log1mexp" => 1.0,
        "xlogy" | "xlog1py" | "logaddexp" => 1.0,
        "polygamma" => 4.0,
        "igamma" | "igammac" => 16.0,
        "igamma_grad_a" => 64.0,
        "betainc" => 2048.0,
        "betainc_grad_a" | "betainc_grad_b" => 131072.0,
        "exp" | "exp2" | "expm1" | "log" | "log2" | "log10" | "log1p" | "sin" | "cos" | "pow" => 1.0,
        "asin" | "acos" | "atan" | "atan2" | "sinh" | "cosh" | "tanh" | "acosh" | "atanh" | "logistic" => 1.0,
        "cbrt" | "hypot" | "gamma" => 1.0,
        "sech" | "gaussian" | "normal_density" | "normal_hazard" | "erf_inv_derivative" | "ndtri_derivative" => 1.0,
        "tanh_derivative" | "logistic_derivative" => 1.0,
        "exp1" | "expi" | "spence" | "rgamma" | "zeta" | "log_ratio" | "kl_div" => 1.0,
        "polygamma_difference" => 8.0,
        "erfcx_derivative" | "log_ndtr_derivative" | "spence_derivative" => 4.0,
        // Twice this near the zeros on the negative axis.
        "lgamma" | "digamma" => 2.0,
        _ => 2.0,
    }
}

/// The magnitude that an error is relative to if the value itself is smaller: that of the terms that cancel at zeros.
fn size(name: &str, x: &[f64]) -> f64 {
    match name {
        "lgamma" if x[0] < -2.0 => 1.0 / 128.0,
        "digamma" if x[0] < 0.0 => 1.0 / 128.0,
        "zeta" if x[1] < 0.0 => (x[1] - x[1].round()).abs().powf(-x[0]) / 128.0,
        "bessel_y0" | "bessel_y1" if x[0] < 25.0 => 1e-6,
        "bessel_j0" | "bessel_j1" | "bessel_y0" | "bessel_y1" if x[0].abs() >= 25.0 => {
            (x[0].abs() * FRAC_PI_2).sqrt().recip()
        }
        "bessel_jn" if x[1].abs() >= 25.0 => (x[1].abs() * FRAC_PI_2).sqrt().recip(),
        _ => 0.0,
    }
}

/// Checks a function against a reference file, which has the bits of the arguments, the bits of the value, and the
/// rounding error of the value.
fn check_accuracy(name: &str, reference: &str, f: impl Fn(&[f64]) -> f64) {
    let mut n_points = 0;
    for line in reference.lines() {
        let (numbers, rest) = line.rsplit_once(' ').expect("columns");
        let rest: f64 = rest.parse().expect("a fraction");
        let numbers: Vec<f64> =
            numbers.split(' ').map(|word| f64::from_bits(u64::from_str_radix(word, 16).expect("bits"))).collect();
        let (&exact, arguments) = numbers.split_last().expect("a value");
        let error = (f(arguments) - exact) / last_place(exact) - rest;
        let error = error * (last_place(exact) / last_place(exact.abs().max(size(name, arguments))));
        assert!(error.abs() <= documented_error(name), "{name}{arguments:?}: {error} ulp from {exact:e}");
        n_points += 1;
    }
    assert!(n_points >= 300, "{name}: {n_points} points only");
}

/// The distance to the next larger magnitude (one ulp).
fn last_place(x: f64) -> f64 {
    f64::from_bits(x.abs().to_bits() + 1) - x.abs()
}

#[test]
fn every_function_is_as_accurate_as_documented() {
    for &f in Unary::ALL {
        check_accuracy(f.name(), unary_reference(f), |x| f.f64(x[0]));
    }
    for &f in Binary::ALL {
        check_accuracy(f.name(), binary_reference(f), |x| f.f64(x[0], x[1]));
    }
    for &f in Ternary::ALL {
        check_accuracy(f.name(), ternary_reference(f), |x| f.f64(x[0], x[1], x[2]));
    }
}

#[test]
fn special_values_of_one_variable() {
    use Unary::*;
    let table: &[(Unary, &[(f64, f64)])] = &[
        (Exp, &[(0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, 0.0), (709.79, INF), (-745.14, 0.0), (-745.13, TINY)]),
        (Exp2, &[(0.0, 1.0), (INF, INF), (-INF, 0.0), (10.0, 1024.0), (-1074.0, TINY), (1024.0, INF), (-1075.0, 0.0)]),
        (Expm1, &[(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -1.0), (TINY, TINY), (-TINY, -TINY), (-60.0, -1.0)]),
        (Log, &[(1.0, 0.0), (0.0, -INF), (-0.0, -INF), (INF, INF), (-1.0, NAN), (-INF, NAN)]),
        (Log2, &[(1.0, 0.0), (0.0, -INF), (-0.0, -INF), (INF, INF), (-1.0, NAN), (8.0, 3.0), (TINY, -1074.0)]),
        (Log10, &[(1.0, 0.0), (0.0, -INF), (-0.0, -INF), (INF, INF), (-1.0, NAN), (1000.0, 3.0), (1e22, 22.0)]),
        (Log1p, &[(0.0, 0.0), (-0.0, -0.0), (-1.0, -INF), (INF, INF), (-1.5, NAN), (TINY, TINY), (-TINY, -TINY)]),
        (Sin, &[(0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN), (TINY, TINY), (-TINY, -TINY), (FRAC_PI_2, 1.0)]),
        (Cos, &[(0.0, 1.0), (-0.0, 1.0), (INF, NAN), (-INF, NAN), (TINY, 1.0), (PI, -1.0)]),
        (Tan, &[(0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN), (TINY, TINY), (-TINY, -TINY)]),
        (
            Asin,
            &[(0.0, 0.0), (-0.0, -0.0), (1.0, FRAC_PI_2), (-1.0, -FRAC_PI_2), (1.1, NAN), (-INF, NAN), (TINY, TINY)],
        ),
        (Acos, &[(1.0, 0.0), (-1.0, PI), (0.0, FRAC_PI_2), (-0.0, FRAC_PI_2), (1.1, NAN), (-1.1, NAN), (INF, NAN)]),
        (Atan, &[(0.0, 0.0), (-0.0, -0.0), (INF, FRAC_PI_2), (-INF, -FRAC_PI_2), (1.0, FRAC_PI_4), (-TINY, -TINY)]),
        (Sinh, &[(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF), (711.0, INF), (TINY, TINY), (-TINY, -TINY)]),
        (Cosh, &[(0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, INF), (-711.0, INF), (TINY, 1.0)]),
        (Tanh, &[(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (30.0, 1.0), (TINY, TINY), (-TINY, -TINY)]),
        (Asinh, &[(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF), (TINY, TINY), (-TINY, -TINY)]),
        (Acosh, &[(1.0, 0.0), (INF, INF), (0.5, NAN), (0.0, NAN), (-1.0, NAN), (-INF, NAN)]),
        (Atanh, &[(0.0, 0.0), (-0.0, -0.0), (1.0, INF), (-1.0, -INF), (1.1, NAN), (-INF, NAN), (-TINY, -TINY)]),
        (Logistic, &[(0.0, 0.5), (-0.0, 0.5), (INF, 1.0), (-INF, 0.0), (40.0, 1.0), (-745.13, TINY), (-746.0, 0.0)]),
        (Cbrt, &[(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF), (27.0, 3.0), (-8.0, -2.0), (1e-300, 1e-100)]),
        (Erf, &[(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (6.0, 1.0), (TINY, TINY), (-TINY, -TINY)]),
        (Erfc, &[(0.0, 1.0), (-0.0, 1.0), (INF, 0.0), (-INF, 2.0), (27.3, 0.0), (-6.0, 2.0), (TINY, 1.0)]),
        (Erfcx, &[(0.0, 1.0), (-0.0, 1.0), (INF, 0.0), (-INF, INF), (-26.7, INF), (TINY, 1.0)]),
        (ErfInv, &[(0.0, 0.0), (-0.0, -0.0), (1.0, INF), (-1.0, -INF), (1.1, NAN), (-INF, NAN), (TINY, TINY)]),
        (Ndtr, &[(0.0, 0.5), (-0.0, 0.5), (INF, 1.0), (-INF, 0.0), (9.0, 1.0), (-38.7, 0.0), (TINY, 0.5)]),
        (LogNdtr, &[(INF, -0.0), (-INF, -INF), (39.0, -0.0), (-1e155, -INF), (f64::MIN, -INF), (f64::MAX, -0.0)]),
        (Ndtri, &[(0.5, 0.0), (0.0, -INF), (-0.0, -INF), (1.0, INF), (1.1, NAN), (-TINY, NAN), (INF, NAN)]),
        (
            Gamma,
            &[
                (0.0, INF),
                (-0.0, -INF),
                (1.0, 1.0),
                (2.0, 1.0),
                (11.0, 3628800.0),
                (-1.0, NAN),
                (INF, INF),
                (-INF, NAN),
            ],
        ),
        (
            Lgamma,
            &[(0.0, INF), (-0.0, INF), (1.0, 0.0), (2.0, 0.0), (-1.0, INF), (-1e300, INF), (INF, INF), (-INF, INF)],
        ),
        (Digamma, &[(0.0, -INF), (-0.0, INF), (-1.0, NAN), (-1e300, NAN), (INF, INF), (-INF, NAN), (TINY, -INF)]),
        (Entr, &[(0.0, 0.0), (-0.0, 0.0), (1.0, -0.0), (-TINY, -INF), (INF, -INF), (-INF, -INF)]),
        (Logit, &[(0.5, 0.0), (0.0, -INF), (-0.0, -INF), (1.0, INF), (1.1, NAN), (-TINY, NAN), (INF, NAN)]),
        (Softplus, &[(INF, INF), (-INF, 0.0), (f64::MAX, f64::MAX), (40.0, 40.0), (-745.13, TINY), (-746.0, 0.0)]),
        (Log1mexp, &[(0.0, -INF), (-0.0, -INF), (INF, -0.0), (746.0, -0.0), (-TINY, NAN), (-INF, NAN)]),
        (
            Sinc,
            &[(0.0, 1.0), (-0.0, 1.0), (1.0, 0.0), (-2.0, 0.0), (INF, 0.0), (-INF, 0.0), (f64::MAX, 0.0), (TINY, 1.0)],
        ),
        (
            BesselJ0,
            &[(0.0, 1.0), (-0.0, 1.0), (INF, 0.0), (-INF, 0.0), (TINY, 1.0), (f64::MAX, -4.186986849585373e-155)],
        ),
        (BesselJ1, &[(0.0, 0.0), (-0.0, -0.0), (INF, 0.0), (-INF, -0.0), (4.0 * TINY, 2.0 * TINY)]),
        (
            BesselY0,
            &[(0.0, -INF), (-0.0, -INF), (INF, 0.0), (-TINY, NAN), (-INF, NAN), (f64::MAX, 4.228745848829995e-155)],
        ),
        (BesselY1, &[(0.0, -INF), (-0.0, -INF), (INF, 0.0), (TINY, -INF), (-TINY, NAN), (-INF, NAN)]),
        (BesselI0, &[(0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, INF), (714.0, INF), (f64::MAX, INF), (TINY, 1.0)]),
        (BesselI1, &[(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF), (-714.0, -INF), (4.0 * TINY, 2.0 * TINY)]),
        (
            BesselI0e,
            &[(0.0, 1.0), (-0.0, 1.0), (INF, 0.0), (-INF, 0.0), (TINY, 1.0), (f64::MAX, 2.9754474593158995e-155)],
        ),
        (BesselI1e, &[(0.0, 0.0), (-0.0, -0.0), (INF, 0.0), (-INF, -0.0), (4.0 * TINY, 2.0 * TINY)]),
        (Sech, &[(0.0, 1.0), (-0.0, 1.0), (INF, 0.0), (-INF, 0.0), (TINY, 1.0), (745.0, TINY), (f64::MAX, 0.0)]),
        (Gaussian, &[(0.0, 1.0), (-0.0, 1.0), (INF, 0.0), (-INF, 0.0), (TINY, 1.0), (27.3, 0.0), (f64::MAX, 0.0)]),
        (NormalDensity, &[(0.0, 0.3989422804014327), (INF, 0.0), (-INF, 0.0), (39.0, 0.0), (f64::MIN, 0.0)]),
        (NormalHazard, &[(0.0, 0.7978845608028654), (INF, 0.0), (-INF, INF), (39.0, 0.0), (f64::MIN, f64::MAX)]),
        (
            ErfInvDerivative,
            &[(0.0, 0.886226925452758), (1.0, INF), (-1.0, INF), (1.1, NAN), (-INF, NAN), (TINY, 0.886226925452758)],
        ),
        (NdtriDerivative, &[(0.5, 2.5066282746310007), (0.0, INF), (-0.0, INF), (1.0, INF), (1.1, NAN), (-0.5, NAN)]),
        (
            TanhDerivative,
            &[
                (0.0, 1.0),
                (-0.0, 1.0),
                (INF, 0.0),
                (-INF, 0.0),
                (TINY, 1.0),
                (372.9, TINY),
                (374.0, 0.0),
                (f64::MIN, 0.0),
            ],
        ),
        (
            LogisticDerivative,
            &[(0.0, 0.25), (-0.0, 0.25), (INF, 0.0), (-INF, 0.0), (TINY, 0.25), (745.1, TINY), (-746.0, 0.0)],
        ),
        (Exp1, &[(0.0, INF), (-0.0, INF), (INF, 0.0), (-TINY, NAN), (-INF, NAN), (740.0, 0.0), (f64::MAX, 0.0)]),
        (Expi, &[(0.0, -INF), (-0.0, -INF), (INF, INF), (-INF, -0.0), (-740.0, -0.0), (717.0, INF), (f64::MAX, INF)]),
        (
            Spence,
            &[
                (0.0, 1.6449340668482264),
                (-0.0, 1.6449340668482264),
                (1.0, 0.0),
                (2.0, -0.8224670334241132),
                (INF, -INF),
                (-TINY, NAN),
                (-INF, NAN),
                (TINY, 1.6449340668482264),
            ],
        ),
        (
            Rgamma,
            &[
                (0.0, 0.0),
                (-0.0, -0.0),
                (1.0, 1.0),
                (2.0, 1.0),
                (-1.0, 0.0),
                (-172.0, 0.0),
                (-1e300, 0.0),
                (INF, 0.0),
                (-INF, NAN),
                (TINY, TINY),
                (-TINY, -TINY),
                (180.0, 0.0),
                (-180.5, -INF),
            ],
        ),
    ];
    assert!(table.iter().map(|row| row.0).eq(Unary::ALL.iter().copied()), "a row per function");
    for &(f, points) in table {
        for &(x, y) in points.iter().chain(&[(NAN, NAN), (-NAN, NAN)]) {
            let found = f.f64(x);
            assert_eq!(found.to_bits(), y.to_bits(), "{}({x:e}) = {found:e}, not {y:e}", f.name());
        }
    }
}

#[test]
fn special_values_of_two_variables() {
    use Binary::*;
    #[rustfmt::skip]
    let table: &[(Binary, &[(f64, f64, f64)])] = &[
        (Pow, &[
            (0.0, 3.0, 0.0), (-0.0, 3.0, -0.0), (-0.0, 2.0, 0.0), (0.0, -3.0, INF), (-0.0, -3.0, -INF),
            (-0.0, -2.0, INF), (-0.0, -0.5, INF), (-0.0, 0.5, 0.0), (0.0, INF, 0.0), (0.0, -INF, INF),
            (-1.0, INF, 1.0), (-1.0, -INF, 1.0), (1.0, NAN, 1.0), (1.0, INF, 1.0), (NAN, 0.0, 1.0),
            (NAN, -0.0, 1.0), (NAN, 1.0, NAN), (2.0, NAN, NAN), (-2.0, 0.5, NAN), (-8.0, 1.0 / 3.0, NAN),
            (0.5, INF, 0.0), (0.5, -INF, INF), (-2.0, INF, INF), (2.0, -INF, 0.0), (INF, 2.0, INF),
            (INF, -2.0, 0.0), (INF, 0.0, 1.0), (-INF, 3.0, -INF), (-INF, 2.0, INF), (-INF, -3.0, -0.0),
            (-INF, -2.0, 0.0), (-INF, 0.5, INF), (-INF, INF, INF), (-2.0, 3.0, -8.0), (-2.0, -2.0, 0.25),
            (2.0, 1024.0, INF), (-2.0, 1025.0, -INF), (2.0, -1074.0, TINY), (2.0, -1076.0, 0.0),
            (-2.0, -1077.0, -0.0), (TINY, 1.0, TINY), (TINY, 1e300, 0.0), (2.0, 1e300, INF), (3.0, 2.0, 9.0),
            (-1.0, 9007199254740991.0, -1.0), (-1.0, 9007199254740992.0, 1.0), (-3.0, 0.0, 1.0), (10.0, TINY, 1.0),
        ]),
        (Atan2, &[
            (0.0, 1.0, 0.0), (-0.0, 1.0, -0.0), (0.0, -1.0, PI), (-0.0, -1.0, -PI), (0.0, 0.0, 0.0),
            (-0.0, 0.0, -0.0), (0.0, -0.0, PI), (-0.0, -0.0, -PI), (1.0, 0.0, FRAC_PI_2), (-1.0, -0.0, -FRAC_PI_2),
            (1.0, INF, 0.0), (-1.0, INF, -0.0), (1.0, -INF, PI), (-1.0, -INF, -PI), (INF, 1.0, FRAC_PI_2),
            (-INF, -1.0, -FRAC_PI_2), (INF, INF, FRAC_PI_4), (INF, -INF, 3.0 * FRAC_PI_4),
            (-INF, INF, -FRAC_PI_4), (NAN, 1.0, NAN), (1.0, NAN, NAN), (NAN, INF, NAN), (1.0, 1.0, FRAC_PI_4),
            (TINY, 1.0, TINY), (TINY, TINY, FRAC_PI_4), (TINY, 2.0, 0.0), (1e300, -1e-300, FRAC_PI_2),
            (TINY, f64::MAX, 0.0), (-TINY, f64::MAX, -0.0), (TINY, -f64::MAX, PI),
        ]),
        (Hypot, &[
            (3.0, 4.0, 5.0), (-3.0, 4.0, 5.0), (0.0, -0.0, 0.0), (0.0, -TINY, TINY), (INF, NAN, INF),
            (NAN, -INF, INF), (NAN, 1.0, NAN), (1.0, NAN, NAN), (f64::MAX, f64::MAX, INF),
            (f64::MAX, 1.0, f64::MAX), (3.0 * TINY, 4.0 * TINY, 5.0 * TINY), (3e300, 4e300, 5e300),
        ]),
        (Rem, &[
            (5.0, 3.0, 2.0), (-5.0, 3.0, -2.0), (5.0, -3.0, 2.0), (6.0, 3.0, 0.0), (-6.0, 3.0, -0.0),
            (0.0, 3.0, 0.0), (-0.0, 3.0, -0.0), (1.0, INF, 1.0), (-1.0, -INF, -1.0), (INF, 1.0, NAN), (1.0, 0.0, NAN),
            (0.0, 0.0, NAN), (NAN, 1.0, NAN), (1.0, NAN, NAN), (INF, INF, NAN), (TINY, 1.0, TINY),
            (f64::MAX, TINY, 0.0), (1e308, 3.0, 2.0), (-1e308, 3.0, -2.0), (5.0 * TINY, 3.0 * TINY, 2.0 * TINY),
        ]),
        (Xlogy, &[
            (0.0, 0.0, 0.0), (-0.0, 0.0, 0.0), (0.0, INF, 0.0), (0.0, -1.0, NAN), (0.0, NAN, NAN), (1.0, 0.0, -INF),
            (-1.0, 0.0, INF), (1.0, INF, INF), (INF, 2.0, INF), (INF, 0.5, -INF), (1.0, 1.0, 0.0), (NAN, 1.0, NAN),
        ]),
        (Xlog1py, &[
            (0.0, -1.0, 0.0), (0.0, INF, 0.0), (0.0, -1.1, NAN), (0.0, NAN, NAN), (1.0, -1.0, -INF), (1.0, INF, INF),
            (1.0, TINY, TINY), (INF, 1.0, INF), (NAN, 1.0, NAN), (1.0, 0.0, 0.0),
        ]),
        (Logaddexp, &[
            (INF, INF, INF), (-INF, -INF, -INF), (INF, -INF, INF), (-INF, 1.0, 1.0), (1.0, -INF, 1.0), (NAN, INF, NAN),
            (-INF, NAN, NAN), (f64::MAX, f64::MAX, f64::MAX), (f64::MAX, f64::MIN, f64::MAX), (0.0, -800.0, 0.0),
        ]),
        (Beta, &[
            (1.0, 1.0, 1.0), (0.0, 1.0, INF), (1.0, 0.0, INF), (INF, 1.0, 0.0), (0.0, INF, NAN), (INF, INF, 0.0),
            (-1.0, 2.0, NAN), (NAN, 1.0, NAN), (1.0, NAN, NAN), (1e6, 1e6, 0.0),
        ]),
        (Lbeta, &[
            (1.0, 1.0, 0.0), (0.0, 1.0, INF), (1.0, 0.0, INF), (INF, 1.0, -INF), (0.0, INF, NAN), (INF, INF, -INF),
            (-1.0, 2.0, NAN), (NAN, 1.0, NAN), (1.0, NAN, NAN),
        ]),
        (Polygamma, &[
            (1.0, 0.0, INF), (1.0, -0.0, INF), (2.0, 0.0, -INF), (2.0, -0.0, INF), (1.0, -3.0, INF), (2.0, -3.0, NAN),
            (1.0, INF, 0.0), (1.0, -INF, NAN), (1.0, NAN, NAN), (0.5, 1.0, NAN), (-1.0, 1.0, NAN), (1e300, 1.0, NAN),
        ]),
        (SincDerivative, &[
            (1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (1.0, INF, 0.0), (1.0, NAN, NAN), (0.5, 1.0, NAN), (1e300, 1.0, NAN),
        ]),
        (Igamma, &[
            (1.0, 0.0, 0.0), (1.0, INF, 1.0), (0.0, 1.0, 1.0), (0.0, 0.0, NAN), (INF, 1.0, 0.0), (INF, INF, NAN),
            (-1.0, 1.0, NAN), (1.0, -1.0, NAN), (NAN, 1.0, NAN), (1.0, NAN, NAN), (1e5, 7.5e4, 0.0), (1e300, 1.0, 0.0),
        ]),
        (Igammac, &[
            (1.0, 0.0, 1.0), (1.0, INF, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, NAN), (INF, 1.0, 1.0), (INF, INF, NAN),
            (-1.0, 1.0, NAN), (1.0, -1.0, NAN), (NAN, 1.0, NAN), (1.0, NAN, NAN), (1e5, 7.5e4, 1.0), (1e300, 1.0, 1.0),
        ]),
        (GammaDensity, &[
            (1.0, 0.0, 1.0), (2.0, 0.0, 0.0), (0.5, 0.0, INF), (1.0, INF, 0.0), (INF, 1.0, NAN), (-1.0, 1.0, NAN),
            (1.0, -1.0, NAN), (NAN, 1.0, NAN), (1.0, NAN, NAN), (1.0, 800.0, 0.0),
        ]),
        (IgammaGradA, &[
            (1.0, 0.0, 0.0), (1.0, INF, 0.0), (0.0, 1.0, NAN), (INF, 1.0, NAN), (-1.0, 1.0, NAN), (1.0, -1.0, NAN),
            (NAN, 1.0, NAN), (1.0, NAN, NAN),
        ]),
        (BesselJn, &[
            (2.0, 0.0, 0.0), (0.0, 0.0, 1.0), (3.0, -INF, -0.0), (2.0, INF, 0.0), (2.0, NAN, NAN), (0.5, 1.0, NAN),
            (26.0, 1.0, NAN), (-1.0, 1.0, NAN), (NAN, 1.0, NAN),
        ]),
        (BesselIn, &[
            (2.0, 0.0, 0.0), (0.0, 0.0, 1.0), (3.0, -INF, -INF), (2.0, INF, INF), (2.0, NAN, NAN), (0.5, 1.0, NAN),
            (26.0, 1.0, NAN), (-1.0, 1.0, NAN), (NAN, 1.0, NAN),
        ]),
        (BesselIne, &[
            (2.0, 0.0, 0.0), (0.0, 0.0, 1.0), (3.0, -INF, -0.0), (2.0, INF, 0.0), (2.0, NAN, NAN), (0.5, 1.0, NAN),
            (26.0, 1.0, NAN), (-1.0, 1.0, NAN), (NAN, 1.0, NAN),
        ]),
        (DirectionCosine, &[
            (3.0, 4.0, 0.6), (-3.0, 4.0, -0.6), (0.0, 0.0, 0.0), (-0.0, 0.0, -0.0), (1.0, 0.0, 1.0), (TINY, TINY, 0.7071067811865475),
            (INF, 1.0, 1.0), (-INF, -1.0, -1.0), (1.0, INF, 0.0), (-1.0, INF, -0.0), (INF, -INF, 0.7071067811865475),
            (INF, NAN, NAN), (NAN, INF, NAN), (f64::MAX, f64::MAX, 0.7071067811865475), (TINY, 1.0, TINY), (1.0, TINY, 1.0),
        ]),
        (ErfcxDerivative, &[
            (0.0, 0.0, 1.0), (1.0, 0.0, -std::f64::consts::FRAC_2_SQRT_PI), (2.0, 0.0, 2.0), (1.0, INF, -0.0), (2.0, INF, 0.0),
            (1.0, -INF, -INF), (2.0, -INF, INF), (3.0, -30.0, -INF), (1.0, NAN, NAN), (0.5, 1.0, NAN), (26.0, 1.0, NAN),
        ]),
        (LogNdtrDerivative, &[
            (2.0, INF, -0.0), (3.0, INF, 0.0), (2.0, -INF, -1.0), (3.0, -INF, 0.0), (2.0, f64::MIN, -1.0), (2.0, NAN, NAN),
            (1.0, 1.0, NAN), (5.0, 1.0, NAN), (2.5, 1.0, NAN),
        ]),
        (Zeta, &[
            (1.0, 1.0, INF), (0.5, 1.0, NAN), (0.5, -1.0, NAN), (2.0, 0.0, INF), (2.5, -0.0, INF), (2.0, -1.0, INF),
            (2.5, -0.5, NAN), (3.0, -0.5, 0.41439832211716), (2.0, INF, 0.0), (2.0, -INF, NAN), (INF, 1.0, 1.0), (INF, 2.0, 0.0),
            (INF, 0.5, INF), (INF, -0.5, NAN), (NAN, 1.0, NAN), (2.0, NAN, NAN), (2.0, TINY, INF), (1e300, 2.0, 0.0),
            (1e300, 0.5, INF), (1e300, 1.0, 1.0), (2.0, f64::MAX, 5.562684646268003e-309), (1e9, 4e8, 0.0),
        ]),
        (SpenceDerivative, &[
            (1.0, 1.0, -1.0), (2.0, 1.0, 0.5), (1.0, 0.0, -INF), (2.0, 0.0, INF), (2.0, -0.0, INF), (1.0, INF, -0.0),
            (2.0, INF, 0.0), (1.0, -TINY, NAN), (1.0, NAN, NAN), (0.0, 1.0, NAN), (26.0, 1.0, NAN), (1.5, 1.0, NAN),
            (2.0, TINY, INF), (25.0, 1e300, -0.0),
        ]),
        (LogRatio, &[
            (1.0, 1.0, 0.0), (0.0, 1.0, -INF), (-0.0, 1.0, -INF), (1.0, 0.0, INF), (0.0, 0.0, NAN), (INF, INF, NAN), (INF, 0.0, INF),
            (0.0, INF, -INF), (1.0, INF, -INF), (INF, 1.0, INF), (-1.0, 1.0, NAN), (-1.0, -1.0, NAN), (1.0, -INF, NAN),
            (NAN, 1.0, NAN), (1.0, NAN, NAN), (f64::MAX, f64::MAX, 0.0), (TINY, TINY, 0.0), (f64::MAX, TINY, 1454.2227848147652),
        ]),
        (RelEntr, &[
            (0.0, 0.0, 0.0), (-0.0, 1.0, 0.0), (1.0, 0.0, INF), (-1.0, 1.0, INF), (1.0, -1.0, INF), (0.0, -1.0, INF),
            (0.0, INF, 0.0), (INF, 1.0, INF), (1.0, INF, -INF), (INF, INF, NAN), (NAN, 1.0, NAN), (-1.0, NAN, NAN),
            (1.0, 1.0, 0.0), (f64::MAX, f64::MAX, 0.0), (TINY, TINY, 0.0), (f64::MAX, TINY, INF),
        ]),
        (KlDiv, &[
            (0.0, 0.0, 0.0), (-0.0, 1.0, 1.0), (0.0, -0.0, 0.0), (1.0, 0.0, INF), (-1.0, 1.0, INF), (1.0, -1.0, INF),
            (0.0, -1.0, INF), (0.0, INF, INF), (INF, 1.0, INF), (1.0, INF, INF), (INF, INF, NAN), (NAN, 1.0, NAN),
            (-1.0, NAN, NAN), (1.0, 1.0, 0.0), (f64::MAX, f64::MAX, 0.0), (TINY, TINY, 0.0), (TINY, f64::MAX, f64::MAX),
        ]),
    ];
    assert!(table.iter().map(|row| row.0).eq(Binary::ALL.iter().copied()), "a row per function");
    for &(f, points) in table {
        for &(x, y, z) in points {
            let found = f.f64(x, y);
            assert_eq!(found.to_bits(), z.to_bits(), "{}({x:e}, {y:e}) = {found:e}, not {z:e}", f.name());
        }
    }
}

/// Numbers of all magnitudes, with all kinds of special numbers among them.
fn sample(n: usize, seed: u64) -> Vec<f64> {
    let special = [0.0, -0.0, 1.0, -1.0, INF, -INF, NAN, TINY, f64::MAX, 0.5, 1e22, -1e300];
    let mut state = seed;
    (0..n)
        .map(|i| {
            let bits = random(&mut state);
            let unit = (bits >> 11) as f64 / (1u64 << 53) as f64;
            match i % 5 {
                0 => f64::from_bits(bits),
                1 => 2.0 * unit - 1.0,
                2 => 40.0 * unit - 20.0,
                3 => 1500.0 * unit - 750.0,
                _ => special[bits as usize % special.len()],
            }
        })
        .collect()
}

/// Steele, Lea and Flood's SplitMix64.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Lengths around multiples of all vector lengths, and around the block length of `f32` entries.
const LENGTHS: [usize; 14] = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 17, 256, 257, 1003];

#[test]
fn one_variable_gives_the_same_bits_everywhere() {
    for &f in Unary::ALL {
        for processor in Processor::available() {
            let entries = f.entries(processor);
            for n in LENGTHS {
                let x = sample(n, n as u64);
                let expected: Vec<u64> = x.iter().map(|&x| f.f64(x).to_bits()).collect();
                // SAFETY: the processor is the one that runs this.
                let scalar = x.iter().map(|&x| unsafe { (entries.scalar_f64)(x) }.to_bits());
                assert!(scalar.eq(expected.iter().copied()), "{} {processor:?} scalar", f.name());
                let mut y = vec![0.0; n];
                // SAFETY: both have the length given, and the processor is the one that runs this.
                unsafe { (entries.slice_f64)(x.as_ptr(), y.as_mut_ptr(), n) };
                assert!(y.iter().map(|y| y.to_bits()).eq(expected), "{} {processor:?} {n}", f.name());
                let mut in_place = x;
                // SAFETY: as above.
                unsafe { (entries.slice_f64)(in_place.as_ptr(), in_place.as_mut_ptr(), n) };
                assert!(in_place.iter().map(|y| y.to_bits()).eq(y.iter().map(|y| y.to_bits())));
            }
        }
    }
}

#[test]
fn two_functions_together_have_the_bits_of_each() {
    for (&couple, processor) in Couple::ALL.iter().flat_map(|f| Processor::available().map(move |kind| (f, kind))) {
        let (functions, entries) = (couple.functions(), couple.entries(processor));
        for n in LENGTHS {
            let x = sample(n, n as u64);
            let [mut y, mut z] = [vec![0.0; n], vec![0.0; n]];
            // SAFETY: all have the length given, and the processor is the one that runs this.
            unsafe { (entries.slice_f64)(x.as_ptr(), y.as_mut_ptr(), z.as_mut_ptr(), n) };
            for (k, &x) in x.iter().enumerate() {
                let expected = functions.map(|f| f.f64(x).to_bits());
                assert_eq!([y[k], z[k]].map(f64::to_bits), expected, "{couple:?}({x}) {processor:?} {n}");
                let mut second = 0.0;
                // SAFETY: the processor is the one that runs this.
                let first = unsafe { (entries.scalar_f64)(x, &mut second) };
                assert_eq!([first, second].map(f64::to_bits), expected, "{couple:?}({x}) {processor:?}");
            }
            let narrow: Vec<f32> = x.iter().map(|&x| x as f32).collect();
            let [mut y, mut z] = [vec![0.0; n], narrow.clone()];
            // SAFETY: as above; one of the results overwrites the arguments.
            unsafe { (entries.slice_f32)(z.as_ptr(), y.as_mut_ptr(), z.as_mut_ptr(), n) };
            for (k, &x) in narrow.iter().enumerate() {
                let expected = functions.map(|f| f.f32(x).to_bits());
                assert_eq!([y[k], z[k]].map(f32::to_bits), expected, "{couple:?}({x}) {processor:?} {n}");
                let mut second = 0.0;
                // SAFETY: as above.
                let first = unsafe { (entries.scalar_f32)(x, &mut second) };
                assert_eq!([first, second].map(f32::to_bits), expected, "{couple:?}({x}) {processor:?}");
            }
        }
    }
}

#[test]
fn nothing_is_written_after_the_last_number() {
    for processor in Processor::available() {
        for n in LENGTHS {
            let x = sample(n, n as u64);
            let [mut y, mut z, mut of_one] = [const { [7.0; 1003 + 8] }; 3];
            let (couple, one) = (Couple::Tanh.entries(processor), Unary::Exp.entries(processor));
            // SAFETY: all have at least the length given, and the processor is the one that runs this.
            unsafe {
                (couple.slice_f64)(x.as_ptr(), y.as_mut_ptr(), z.as_mut_ptr(), n);
                (one.slice_f64)(x.as_ptr(), of_one.as_mut_ptr(), n);
            }
            assert!([y, z, of_one].iter().all(|y| y[n..].iter().all(|&y| y == 7.0)), "{processor:?} {n}");
        }
    }
}

#[test]
fn two_variables_give_the_same_bits_everywhere() {
    for &f in Binary::ALL {
        for processor in Processor::available() {
            let entries = f.entries(processor);
            for n in LENGTHS {
                let (x, y) = (sample(n, n as u64), sample(n + 2, 77).split_off(2));
                let pairs = || x.iter().copied().zip(y.iter().copied());
                let expected: Vec<u64> = pairs().map(|(x, y)| f.f64(x, y).to_bits()).collect();
                // SAFETY: the processor is the one that runs this.
                let scalar = pairs().map(|(x, y)| unsafe { (entries.scalar_f64)(x, y) }.to_bits());
                assert!(scalar.eq(expected.iter().copied()), "{} {processor:?} scalar", f.name());
                let mut z = vec![0.0; n];
                // SAFETY: all have the length given, and the processor is the one that runs this.
                unsafe { (entries.slice_f64)(x.as_ptr(), y.as_ptr(), z.as_mut_ptr(), n) };
                assert!(z.iter().map(|z| z.to_bits()).eq(expected), "{} {processor:?} {n}", f.name());
                let mut in_place = y.clone();
                // SAFETY: as above.
                unsafe { (entries.slice_f64)(x.as_ptr(), in_place.as_ptr(), in_place.as_mut_ptr(), n) };
                assert!(in_place.iter().map(|z| z.to_bits()).eq(z.iter().map(|z| z.to_bits())));
            }
        }
    }
}

#[test]
fn f32_functions_are_rounded_f64_functions() {
    for n in LENGTHS {
        let x: Vec<f32> = sample(n, n as u64).iter().map(|&x| x as f32).collect();
        let y: Vec<f32> = sample(n + 2, 77)[2..].iter().map(|&x| x as f32).collect();
        for processor in Processor::available() {
            for &f in Unary::ALL {
                let expected: Vec<u32> = x.iter().map(|&x| (f.f64(f64::from(x)) as f32).to_bits()).collect();
                assert!(x.iter().map(|&x| f.f32(x).to_bits()).eq(expected.iter().copied()), "{}", f.name());
                let mut z = vec![0.0; n];
                // SAFETY: both have the length given, and the processor is the one that runs this.
                unsafe { (f.entries(processor).slice_f32)(x.as_ptr(), z.as_mut_ptr(), n) };
                assert!(z.iter().map(|z| z.to_bits()).eq(expected), "{} {processor:?} {n}", f.name());
            }
            for &f in Binary::ALL {
                let pairs = || x.iter().copied().zip(y.iter().copied());
                let expected: Vec<u32> =
                    pairs().map(|(x, y)| (f.f64(f64::from(x), f64::from(y)) as f32).to_bits()).collect();
                assert!(pairs().map(|(x, y)| f.f32(x, y).to_bits()).eq(expected.iter().copied()), "{}", f.name());
                let mut z = vec![0.0; n];
                // SAFETY: all have the length given, and the processor is the one that runs this.
                unsafe { (f.entries(processor).slice_f32)(x.as_ptr(), y.as_ptr(), z.as_mut_ptr(), n) };
                assert!(z.iter().map(|z| z.to_bits()).eq(expected), "{} {processor:?} {n}", f.name());
            }
        }
    }
}

/// The bits of all functions on all machines: a line per function, with a hash of its values at many points.
#[test]
fn bits_are_the_same_on_every_machine() {
    let (x, y, z) = (sample(4_096, 1), sample(4_096, 2), sample(4_096, 3));
    let rotated = |x: &[f64], k: usize| [&x[k..], &x[..k]].concat();
    // Otherwise special numbers would be combined with special ones only.
    let (y, z) = (rotated(&y, 1), rotated(&z, 2));
    let mut lines = Vec::new();
    for &f in Unary::ALL {
        lines.push(format!("{} {:016x}", f.name(), hash(x.iter().map(|&x| f.f64(x)))));
    }
    for &f in Binary::ALL {
        lines.push(format!("{} {:016x}", f.name(), hash(x.iter().zip(&y).map(|(&x, &y)| f.f64(x, y)))));
    }
    for &f in Ternary::ALL {
        let points = x.iter().zip(&y).zip(&z);
        lines.push(format!("{} {:016x}", f.name(), hash(points.map(|((&x, &y), &z)| f.f64(x, y, z)))));
    }
    let expected = include_str!("../../tests/data/math/bits.txt");
    assert_eq!(lines.join("\n"), expected.trim_end(), "the bits differ from those in bits.txt");
}

/// The Fowler-Noll-Vo hash (FNV-1a) over words, with a rotation.
fn hash(values: impl Iterator<Item = f64>) -> u64 {
    values.fold(0xcbf2_9ce4_8422_2325, |hash, x| (hash ^ x.to_bits()).wrapping_mul(0x100_0000_01b3).rotate_left(5))
}

#[test]
fn the_remainder_is_that_of_rust() {
    let (x, y) = (sample(20_000, 1), sample(20_002, 2).split_off(2));
    for (x, y) in x.into_iter().zip(y) {
        let expected = if (x % y).is_nan() { NAN } else { x % y };
        assert_eq!(Binary::Rem.f64(x, y).to_bits(), expected.to_bits(), "rem({x:e}, {y:e})");
    }
}
