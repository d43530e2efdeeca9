//! The error function and the normal distribution's functions, elementwise: those of `math`.
//!
//! ```
//! use retrograd::{Var, grad, jit};
//!
//! // The density of the normal distribution is the derivative of its distribution function.
//! let density: f64 = jit(grad(|x: Var| x.ndtr())).call(1.0)?;
//! assert!((density - 0.24197072451914337).abs() < 1e-16);
//! let quantile: f64 = jit(|p: Var| p.ndtri()).call(0.975)?;
//! assert!((quantile - 1.959963984540054).abs() < 1e-15);
//! # Ok::<(), retrograd::Error>(())
//! ```

use std::f64::consts::*;

use serde::{Deserialize, Serialize};

use super::Var;
use super::elementary::{elementary, eval_math1};
use super::rules::{Code, Doc, Elementwise, Facts, Partial, floats};
use super::trace::apply;
use crate::ir::Mismatch;
use crate::math;
use crate::value::{DType, Scalar};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

/// 1/√(2π), the height of the normal density.
const HEIGHT: f64 = 0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2;

elementary! {
    Erf, "erf", erf, "erf x = 2/√π ∫₀ˣ exp(-t²) dt",
    "2/√π exp(-x²)", |x, _| FRAC_2_SQRT_PI * (-x.square()).exp(),
    (-2.0, 2.0), 1,
    &[(&[0.0], 0.0), (&[-0.0], -0.0), (&[0.5], 0.5204998778130465), (&[1.0], 0.8427007929497149),
      (&[-1.0], -0.8427007929497149), (&[2.0], 0.9953222650189527), (&[1e-300], 1.1283791670955126e-300), (&[6.0], 1.0),
      (&[5e-324], 5e-324), (&[INF], 1.0), (&[-INF], -1.0), (&[NAN], NAN)]
}
elementary! {
    Erfc, "erfc", erfc, "1 - erf x, without cancellation",
    "-2/√π exp(-x²)", |x, _| -FRAC_2_SQRT_PI * (-x.square()).exp(),
    (-2.0, 2.0), 1,
    &[(&[0.0], 1.0), (&[-0.0], 1.0), (&[0.5], 0.4795001221869535), (&[1.0], 0.15729920705028513),
      (&[-1.0], 1.8427007929497148), (&[5.0], 1.537459794428035e-12), (&[26.0], 5.663192408856143e-296), (&[28.0], 0.0),
      (&[INF], 0.0), (&[-INF], 2.0), (&[NAN], NAN)]
}
elementary! {
    Erfcx, "erfcx", erfcx, "exp(x²) erfc x, without overflow or underflow above 0",
    "2x y - 2/√π, which cancels far above 0", |x, y| 2.0 * x * y - FRAC_2_SQRT_PI,
    (-2.0, 2.0), 2,
    &[(&[0.0], 1.0), (&[0.5], 0.6156903441929259), (&[1.0], 0.427583576155807), (&[-1.0], 5.008980080762283),
      (&[-5.0], 144009798674.66104), (&[30.0], 0.01879588886141675), (&[1e10], 5.641895835477563e-11), (&[-27.0], INF),
      (&[INF], 0.0), (&[-INF], INF), (&[NAN], NAN)]
}
elementary! {
    ErfInv, "erf_inv", erf_inv, "y with erf y = x; infinite at -1 and 1, NaN beyond",
    "√π/2 exp(y²)", |_, y| FRAC_2_SQRT_PI.recip() * y.square().exp(),
    (-0.9, 0.9), 1,
    &[(&[0.0], 0.0), (&[-0.0], -0.0), (&[0.25], 0.2253120550121781), (&[0.5], 0.4769362762044699),
      (&[-0.75], -0.8134198475976185), (&[0.9999999999999999], 5.8635847487551676),
      (&[9.094947017729282e-13], 8.060186932677953e-13), (&[1.0], INF), (&[-1.0], -INF), (&[1.5], NAN), (&[NAN], NAN)]
}
elementary! {
    Ndtr, "ndtr", ndtr, "the normal distribution function, erfc(-x/√2) / 2",
    "exp(-x²/2) / √(2π)", |x, _| HEIGHT * (-0.5 * x.square()).exp(),
    (-2.0, 2.0), 2,
    &[(&[0.0], 0.5), (&[0.5], 0.6914624612740131), (&[1.0], 0.8413447460685429), (&[-1.0], 0.15865525393145705),
      (&[-5.0], 2.866515718791939e-7), (&[-37.0], 5.725571222524577e-300), (&[-40.0], 0.0), (&[10.0], 1.0), (&[INF], 1.0),
      (&[-INF], 0.0), (&[NAN], NAN)]
}
elementary! {
    LogNdtr, "log_ndtr", log_ndtr, "ln of the normal distribution function, without underflow",
    "√(2/π) / erfcx(-x/√2)", |x, _| (2.0 * HEIGHT) / (-FRAC_1_SQRT_2 * x).erfcx(),
    (-3.0, 2.0), 2,
    &[(&[0.0], -LN_2), (&[1.0], -0.17275377902344988), (&[-1.0], -1.8410216450092636), (&[-5.0], -15.064998393988725),
      (&[10.0], -7.619853024160525e-24), (&[-1000.0], -500007.82669481216), (&[-1e150], -4.9999999999999995e299),
      (&[-1e160], -INF), (&[40.0], -0.0), (&[INF], -0.0), (&[-INF], -INF), (&[NAN], NAN)]
}
elementary! {
    Ndtri, "ndtri", ndtri, "y with ndtr y = x; infinite at 0 and 1, NaN beyond",
    "√(2π) exp(y²/2)", |_, y| HEIGHT.recip() * (0.5 * y.square()).exp(),
    (0.1, 0.9), 1,
    &[(&[0.5], 0.0), (&[0.25], -0.6744897501960817), (&[0.75], 0.6744897501960817), (&[0.0625], -1.5341205443525463),
      (&[1e-300], -37.0470962993612), (&[5e-324], -38.467405617144344), (&[0.9999999999999999], 8.209536151601387),
      (&[0.0], -INF), (&[1.0], INF), (&[-0.5], NAN), (&[1.5], NAN), (&[NAN], NAN)]
}
