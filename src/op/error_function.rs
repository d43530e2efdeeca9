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
use super::elementary::elementary;
use super::evaluate::{eval_math1, eval_math2};
use super::instructions::Instructions;
use super::rules::{Doc, Elementwise, Facts, Partial, floats};
use super::trace::apply;
use crate::ir::{Mismatch, mismatch};
use crate::math;
use crate::value::{DType, Scalar};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

elementary! {
    Erf, "erf", erf, "erf x = 2/√π ∫₀ˣ exp(-t²) dt",
    "2/√π exp(-x²)", |x, _| FRAC_2_SQRT_PI * x.gaussian(),
    (-2.0, 2.0), 1,
    &[(&[0.0], 0.0), (&[-0.0], -0.0), (&[0.5], 0.5204998778130465), (&[1.0], 0.8427007929497149),
      (&[-1.0], -0.8427007929497149), (&[2.0], 0.9953222650189527), (&[1e-300], 1.1283791670955126e-300), (&[6.0], 1.0),
      (&[5e-324], 5e-324), (&[INF], 1.0), (&[-INF], -1.0), (&[NAN], NAN)]
}
elementary! {
    Erfc, "erfc", erfc, "1 - erf x, without cancellation",
    "-2/√π exp(-x²)", |x, _| -FRAC_2_SQRT_PI * x.gaussian(),
    (-2.0, 2.0), 1,
    &[(&[0.0], 1.0), (&[-0.0], 1.0), (&[0.5], 0.4795001221869535), (&[1.0], 0.15729920705028513),
      (&[-1.0], 1.8427007929497148), (&[5.0], 1.537459794428035e-12), (&[26.0], 5.663192408856143e-296), (&[28.0], 0.0),
      (&[INF], 0.0), (&[-INF], 2.0), (&[NAN], NAN)]
}
elementary! {
    Erfcx, "erfcx", erfcx, "exp(x²) erfc x, without overflow or underflow above 0",
    "2x y - 2/√π, by erfcx_derivative", |x, _| apply(ErfcxDerivative { order: 1 }, &[x]),
    (-2.0, 2.0), 2,
    &[(&[0.0], 1.0), (&[0.5], 0.6156903441929259), (&[1.0], 0.427583576155807), (&[-1.0], 5.008980080762283),
      (&[-5.0], 144009798674.66104), (&[30.0], 0.01879588886141675), (&[1e10], 5.641895835477563e-11), (&[-27.0], INF),
      (&[INF], 0.0), (&[-INF], INF), (&[NAN], NAN)]
}
elementary! {
    ErfInv, "erf_inv", erf_inv, alias "erfinv", "y with erf y = x; infinite at -1 and 1, NaN beyond",
    "√π/2 exp(y²)", |x, _| apply(ErfInvDerivative, &[x]),
    (-0.9, 0.9), 1,
    &[(&[0.0], 0.0), (&[-0.0], -0.0), (&[0.25], 0.2253120550121781), (&[0.5], 0.4769362762044699),
      (&[-0.75], -0.8134198475976185), (&[0.9999999999999999], 5.8635847487551676),
      (&[9.094947017729282e-13], 8.060186932677953e-13), (&[1.0], INF), (&[-1.0], -INF), (&[1.5], NAN), (&[NAN], NAN)]
}
elementary! {
    Ndtr, "ndtr", ndtr, "the normal distribution function, erfc(-x/√2) / 2",
    "normal_density", |x, _| x.normal_density(),
    (-2.0, 2.0), 2,
    &[(&[0.0], 0.5), (&[0.5], 0.6914624612740131), (&[1.0], 0.8413447460685429), (&[-1.0], 0.15865525393145705),
      (&[-5.0], 2.866515718791939e-7), (&[-37.0], 5.725571222524577e-300), (&[-40.0], 0.0), (&[10.0], 1.0), (&[INF], 1.0),
      (&[-INF], 0.0), (&[NAN], NAN)]
}
elementary! {
    LogNdtr, "log_ndtr", log_ndtr, "ln of the normal distribution function, without underflow",
    "normal_hazard", |x, _| x.normal_hazard(),
    (-3.0, 2.0), 2,
    &[(&[0.0], -LN_2), (&[1.0], -0.17275377902344988), (&[-1.0], -1.8410216450092636), (&[-5.0], -15.064998393988725),
      (&[10.0], -7.619853024160525e-24), (&[-1000.0], -500007.82669481216), (&[-1e150], -4.9999999999999995e299),
      (&[-1e160], -INF), (&[40.0], -0.0), (&[INF], -0.0), (&[-INF], -INF), (&[NAN], NAN)]
}
elementary! {
    Ndtri, "ndtri", ndtri, "y with ndtr y = x; infinite at 0 and 1, NaN beyond",
    "√(2π) exp(y²/2)", |x, _| apply(NdtriDerivative, &[x]),
    (0.1, 0.9), 1,
    &[(&[0.5], 0.0), (&[0.25], -0.6744897501960817), (&[0.75], 0.6744897501960817), (&[0.0625], -1.5341205443525463),
      (&[1e-300], -37.0470962993612), (&[5e-324], -38.467405617144344), (&[0.9999999999999999], 8.209536151601387),
      (&[0.0], -INF), (&[1.0], INF), (&[-0.5], NAN), (&[1.5], NAN), (&[NAN], NAN)]
}
elementary! {
    Gaussian, "gaussian", gaussian, "exp(-x²)",
    "-2x y; 0 where y is", |x, y| product(-2.0 * x, y),
    (-2.0, 2.0), 1,
    &[(&[0.0], 1.0), (&[-0.0], 1.0), (&[1.0], 0.36787944117144233), (&[-0.5], 0.7788007830714049),
      (&[26.0], 2.6117417612840555e-294), (&[28.0], 0.0), (&[INF], 0.0), (&[-INF], 0.0), (&[NAN], NAN)]
}
elementary! {
    NormalDensity, "normal_density", normal_density, "exp(-x²/2) / √(2π), the density of the normal distribution",
    "-x y; 0 where y is", |x, y| product(-x, y),
    (-2.0, 2.0), 1,
    &[(&[0.0], 0.3989422804014327), (&[1.0], 0.24197072451914334), (&[-0.5], 0.3520653267642995),
      (&[37.0], 2.1200065515246056e-298), (&[40.0], 0.0), (&[INF], 0.0), (&[-INF], 0.0), (&[NAN], NAN)]
}
elementary! {
    NormalHazard, "normal_hazard", normal_hazard, "normal_density(x) / ndtr(x), the derivative of log_ndtr",
    "-y (y + x), by log_ndtr_derivative", |x, _| apply(LogNdtrDerivative { order: 2 }, &[x]),
    (-3.0, 2.0), 1,
    &[(&[0.0], 0.7978845608028654), (&[1.0], 0.2875999709391784), (&[-1.0], 1.525135276160981),
      (&[-5.0], 5.186503967125842), (&[-1e10], 1e10), (&[30.0], 1.4736461348785476e-196), (&[INF], 0.0), (&[-INF], INF),
      (&[NAN], NAN)]
}

elementary! {
    ErfInvDerivative, "erf_inv_derivative", erf_inv_derivative, "√π/2 exp(erf_inv(x)²), the derivative of erf_inv",
    "2 erf_inv(x) y²", |x, y| 2.0 * x.erf_inv() * y * y,
    (-0.9, 0.9), 1,
    &[(&[0.0], 0.886226925452758), (&[0.5], 1.1125848189719498), (&[-0.75], 1.7174997693674523),
      (&[0.9999999999999999], 757347920544974.0), (&[1.0], INF), (&[-1.0], INF), (&[1.5], NAN), (&[NAN], NAN)]
}
elementary! {
    NdtriDerivative, "ndtri_derivative", ndtri_derivative, "√(2π) exp(ndtri(x)²/2), the derivative of ndtri",
    "ndtri(x) y²", |x, y| x.ndtri() * y * y,
    (0.1, 0.9), 1,
    &[(&[0.5], 2.5066282746310007), (&[0.25], 3.1468650805610925), (&[0.0], INF), (&[1.0], INF), (&[-0.5], NAN), (&[1.5], NAN),
      (&[NAN], NAN)]
}

impl Var {
    /// The inverse of `erfc`, elementwise, accurate next to 0: `erf_inv(1 - x)` would lose small arguments.
    ///
    /// Takes `f64` or `f32` of any shape and gives the same type; another dtype is an error. It is inf at 0, -inf at 2, and NaN
    /// outside. It is computed as `-ndtri(x/2)/√2`, with an error of 2 ulp (more below 2⁻¹⁰²¹, where half of the argument is
    /// rounded), and so is the derivative, `-√π/2 exp(erfc_inv(x)²)`.
    ///
    /// ```
    /// use retrograd::{Var, jit};
    ///
    /// let f = jit(|x: Var| x.erfc_inv());
    /// let (far, middle): (f64, f64) = (f.call(1e-100)?, f.call(1.0)?);
    /// assert!((far - 15.065574702593).abs() < 1e-12);
    /// assert_eq!(middle, 0.0);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[doc(alias = "erfcinv")]
    #[track_caller]
    pub fn erfc_inv(self) -> Var {
        -FRAC_1_SQRT_2 * (0.5 * self).ndtri()
    }
}

/// The product with a function that vanishes faster than any power grows, also where the other factor is infinite.
fn product(x: Var, vanishing: Var) -> Var {
    vanishing.equal(0.0).select(vanishing, x * vanishing)
}

/// Requires an order between bounds.
pub(super) fn check_order(order: u32, least: u32, most: u32) -> Result<(), Mismatch> {
    let allowed = (least..=most).contains(&order);
    if allowed { Ok(()) } else { Err(mismatch!("the order must be from {least} to {most}, but got {order}")) }
}

/// A derivative of some order of a function of one variable, from `math`, where it has the same name.
macro_rules! derivative_of_order {
    (
        $(#[$doc:meta])*
        $op:ident, $name:literal, $least:literal, $most:literal, $summary:literal,
        $derivative:literal, |$order:pat_param, $x:pat_param, $y:pat_param| $partial:expr,
        $accuracy:literal, $domain:expr, $first:literal, $floats:expr
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $op {
            /// The order of the derivative.
            pub order: u32,
        }

        impl Elementwise for $op {
            const NAME: &'static str = $name;
            const ARITY: usize = 1;

            fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
                super::error_function::check_order(self.order, $least, $most)?;
                floats(operands)
            }

            fn eval(&self, x: &[Scalar]) -> Scalar {
                let order = Scalar::F64(self.order.into()).convert(x[0].dtype());
                eval_math2(math::Binary::$op, &[order, x[0]])
            }

            fn partial(&self, _: usize, x: &[Var], y: Var) -> Partial {
                let ($order, $x, $y) = (self.order, x[0], y);
                Partial::Of($partial)
            }

            fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
                let order = f64::from(self.order);
                let order = i.constant_like(order, x[0]);
                i.math2(math::Binary::$op, order, x[0])
            }

            fn facts() -> Facts {
                Facts {
                    doc: Doc { summary: $summary, derivative: $derivative, accuracy: $accuracy },
                    floats: $floats,
                    integers: &[],
                    domain: &[$domain],
                    ulps: 4,
                }
            }

            fn instances() -> Vec<$op> {
                ($first..$first + 3).map(|order| $op { order }).collect()
            }
        }
    };
}
pub(super) use derivative_of_order;

derivative_of_order! {
    /// A derivative of the scaled complementary error function, elementwise: `erfcx⁽ⁿ⁾(x)`.
    ///
    /// Below 0 it is the recurrence `yₙ₊₁ = 2x yₙ + 2n yₙ₋₁`, which cancels above 0: there it is Taylor's series, and
    /// further out a continued fraction of `(-2)ⁿ n! iⁿerfc(x) exp(x²)` (Gautschi, SIAM Review 9 (1967)).
    ///
    /// # Constraints
    /// (C1) The order is at most 25.
    ///
    /// # Derivative
    /// The same of the next order; that of order 25 has none.
    ErfcxDerivative, "erfcx_derivative", 0, 25, "the n-th derivative of erfcx",
    "the next derivative", |order, x, _| apply(ErfcxDerivative { order: order + 1 }, &[x]),
    "4 ulp", (-2.0, 2.0), 1,
    &[(&[0.0], -FRAC_2_SQRT_PI), (&[1.0], -0.27321201478389856), (&[-1.0], -11.14633932862008),
      (&[10.0], -0.0055593122190608565), (&[1e10], -5.641895835477563e-21), (&[INF], 0.0), (&[-INF], -INF), (&[NAN], NAN)]
}
derivative_of_order! {
    /// A derivative of the logarithm of the normal distribution function, elementwise, from the second on; the first is
    /// [`NormalHazard`].
    ///
    /// `y₂ = -y₁ (y₁ + x)` and its derivatives cancel below 0: they are taken to twice the precision there, and further out
    /// as cumulants, whose moments are quotients of a continued fraction (Gautschi, SIAM Review 9 (1967)).
    ///
    /// # Constraints
    /// (C1) The order is from 2 to 4.
    ///
    /// # Derivative
    /// The same of the next order; that of order 4 by the formula `-Σ C(3, k) yₖ₊₁ (y₁ + x)⁽³⁻ᵏ⁾`, whose terms cancel far
    /// below 0.
    LogNdtrDerivative, "log_ndtr_derivative", 2, 4, "the n-th derivative of log_ndtr",
    "the next derivative", |order, x, y| if order < 4 {
        apply(LogNdtrDerivative { order: order + 1 }, &[x])
    } else {
        fifth_of_log_ndtr(x, y)
    },
    "4 ulp", (-3.0, 2.0), 2,
    &[(&[0.0], -FRAC_2_PI), (&[1.0], -0.3703137142233946), (&[-1.0], -0.8009023344296512),
      (&[-5.0], -0.9673035653828878), (&[-1e10], -1.0), (&[30.0], -4.420938404635642e-195), (&[INF], -0.0), (&[-INF], -1.0),
      (&[NAN], NAN)]
}

/// The fifth derivative of `log_ndtr`, given the fourth.
fn fifth_of_log_ndtr(x: Var, fourth: Var) -> Var {
    let first = x.normal_hazard();
    let [second, third] = [2, 3].map(|order| apply(LogNdtrDerivative { order }, &[x]));
    -(first * fourth + 3.0 * second * third + 3.0 * third * (1.0 + second) + fourth * (first + x))
}
