//! The exponential integrals, elementwise: those of `math`.
//!
//! ```
//! use retrograd::{Var, grad, jit};
//!
//! // The drawdown around a well, by Theis, is a multiple of E₁.
//! let drawdown: f64 = jit(|u: Var| u.exp1()).call(0.5)?;
//! assert!((drawdown - 0.5597735947761608).abs() < 1e-15);
//! // The logarithmic integral is Ei(ln x), whose slope is 1 / ln x.
//! let slope: f64 = jit(grad(|x: Var| x.ln().expi())).call(1000.0)?;
//! assert!((slope - 1.0 / 1000f64.ln()).abs() < 1e-15);
//! # Ok::<(), retrograd::Error>(())
//! ```

use serde::{Deserialize, Serialize};

use super::Var;
use super::elementary::elementary;
use super::evaluate::{eval_math1, nan_where_nan};
use super::instructions::Instructions;
use super::rules::{Doc, Elementwise, Facts, Partial, floats};
use super::trace::apply;
use crate::ir::Mismatch;
use crate::math;
use crate::value::{DType, Scalar};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

elementary! {
    Exp1, "exp1", exp1, "E₁(x) = ∫ e⁻ᵗ/t dt from x to infinity; inf at 0, NaN below",
    "-e⁻ˣ/x", |x, y| nan_where_nan(y, -exp_over(-0.5 * x, x)),
    (0.2, 3.0), 1,
    &[(&[1.0], 0.21938393439552029), (&[0.5], 0.5597735947761608), (&[2.0], 0.04890051070806112),
      (&[5.0], 0.0011482955912753257), (&[50.0], 3.783264029550459e-24), (&[700.0], 1.406518766234033e-307),
      (&[1e-300], 690.1983122333122), (&[0.0], INF), (&[-0.0], INF), (&[-1.0], NAN), (&[INF], 0.0), (&[NAN], NAN)]
}
elementary! {
    Expi, "expi", expi, "Ei(x), the principal value of ∫ eᵗ/t dt from -inf to x; -inf at 0",
    "eˣ/x", |x, y| x.equal(INF).select(y, exp_over(0.5 * x, x)),
    (0.5, 3.0), 1,
    &[(&[1.0], 1.8951178163559368), (&[0.5], 0.4542199048631736), (&[-1.0], -0.21938393439552029),
      (&[10.0], 2492.2289762418777), (&[50.0], 1.058563689713169e20), (&[-50.0], -3.783264029550459e-24),
      (&[712.0], 2.3216800841052115e306), (&[1e-300], -690.1983122333122),
      (&[0.3725074107813666], -5.1196989365556847e-17), (&[0.0], -INF), (&[-0.0], -INF), (&[INF], INF), (&[-INF], -0.0),
      (&[NAN], NAN)]
}

/// `e` to twice the power, which is x or -x, over `x`, without an intermediate that overflows or is subnormal; next to 0 it is
/// `1/x`, lest infinite terms of its derivatives cancel.
fn exp_over(half: Var, x: Var) -> Var {
    let root = half.exp();
    x.abs().less(1e-30).select(x.recip(), root * (root / x))
}
