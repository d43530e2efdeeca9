//! The terms of the Kullback-Leibler divergence, elementwise: those of `math`, exact where the formula would cancel.
//!
//! ```
//! use ndarray::{Array1, array};
//! use retrograd::{Var, jit, value_and_grad};
//!
//! let divergence = |q: Var, p: Var| p.rel_entr(q).sum();
//! let (p, q) = (array![0.5, 0.5, 0.0], array![0.5, 0.25, 0.25]);
//! let (value, slope): (f64, Array1<f64>) = jit(value_and_grad(divergence)).call(&q, &p)?;
//! assert!((value - 0.5 * 2f64.ln()).abs() < 1e-15);
//! assert_eq!(slope, array![-1.0, -2.0, 0.0]);
//! # Ok::<(), retrograd::Error>(())
//! ```

use std::f64::consts::LN_2;

use serde::{Deserialize, Serialize};

use super::elementary::where_it_holds;
use super::evaluate::eval_math2;
use super::instructions::Instructions;
use super::log_sums::{elementary2, quotient};
use super::rules::{Doc, Elementwise, Facts, Partial, floats};
use super::var::apply_pair;
use super::{Operand, Var};
use crate::ir::Mismatch;
use crate::math;
use crate::value::{DType, Scalar};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

elementary2! {
    /// The operands are not negative; elsewhere, and for the ratio of zeros or of infinities, it is NaN.
    LogRatio, "log_ratio", log_ratio, "ln(x/y), without cancellation next to x = y or overflow of the ratio",
    "1/x, -1/y", |x, y, _| x.recip(), -y.recip(),
    &[(0.5, 3.0), (0.5, 3.0)], "1 ulp", 1,
    &[(&[1.0, 2.0], -LN_2), (&[2.0, 1.0], LN_2), (&[1.0, 1.0000001], -9.999999505838704e-8), (&[3.0, 3.0], 0.0),
      (&[1e300, 1e-300], 1381.5510557964275), (&[0.0, 1.0], -INF), (&[1.0, 0.0], INF), (&[0.0, 0.0], NAN),
      (&[-1.0, 1.0], NAN), (&[-1.0, -1.0], NAN), (&[1.0, INF], -INF), (&[INF, INF], NAN), (&[NAN, 1.0], NAN),
      (&[1.0, NAN], NAN)]
}
elementary2! {
    /// Where an operand is negative, or `y` alone is 0, it is inf, as in SciPy.
    ///
    /// # Derivative
    /// `ln(x/y) + 1` and `-x/y`, which are 1 and 0 where both operands are 0; NaN where an operand is negative.
    RelEntr, "rel_entr", rel_entr, "x ln(x/y); 0 where x is 0, inf where an operand is negative",
    "ln(x/y) + 1, -x/y; NaN where an operand is negative", |x, y, _| log_of_ratio(x, y) + 1.0, -ratio(x, y),
    &[(0.5, 3.0), (0.5, 3.0)], "2 ulp", 2,
    &[(&[1.0, 2.0], -LN_2), (&[2.0, 1.0], 2.0 * LN_2), (&[0.5, 0.25], 0.34657359027997264),
      (&[1.0, 1.0000001], -9.999999505838704e-8), (&[1e300, 1e-300], 1.3815510557964274e303),
      (&[3.0, 0.1], 10.203592144986466), (&[1e-300, 1.0], -6.9077552789821376e-298), (&[1.0, 1.0], 0.0),
      (&[0.0, 0.0], 0.0), (&[0.0, 2.0], 0.0), (&[1.0, 0.0], INF), (&[-1.0, 1.0], INF), (&[1.0, -1.0], INF),
      (&[1.0, INF], -INF), (&[INF, 1.0], INF), (&[INF, INF], NAN), (&[NAN, 1.0], NAN), (&[1.0, NAN], NAN)]
}
elementary2! {
    /// Next to `x = y` it is about `(x - y)²/(2x)`, without cancellation. Where an operand is negative, or `y` alone is 0, it is
    /// inf, as in SciPy.
    ///
    /// # Derivative
    /// `ln(x/y)` and `1 - x/y`, which are 0 and 1 where both operands are 0; NaN where an operand is negative.
    KlDiv, "kl_div", kl_div, "x ln(x/y) - x + y; y where x is 0, inf where an operand is negative",
    "ln(x/y), 1 - x/y; NaN where an operand is negative", |x, y, _| log_of_ratio(x, y), missing(x, y),
    &[(0.5, 3.0), (0.5, 3.0)], "2 ulp", 2,
    &[(&[1.0, 2.0], 0.3068528194400547), (&[2.0, 1.0], 0.38629436111989063), (&[0.5, 0.25], 0.09657359027997266),
      (&[1.0, 1.0000001], 4.999999672505363e-15), (&[1e300, 1e-300], 1.3805510557964276e303),
      (&[3.0, 0.1], 7.303592144986466), (&[1e-300, 1.0], 1.0), (&[1.0, 1.0], 0.0), (&[0.0, 0.0], 0.0), (&[0.0, 2.0], 2.0),
      (&[1.0, 0.0], INF), (&[-1.0, 1.0], INF), (&[1.0, -1.0], INF), (&[1.0, INF], INF), (&[INF, 1.0], INF),
      (&[INF, INF], NAN), (&[NAN, 1.0], NAN), (&[1.0, NAN], NAN)]
}

/// `ln(x/y)`, and 0 for `ln(0/0)`.
fn log_of_ratio(x: Var, y: Var) -> Var {
    (x.equal(0.0) & y.equal(0.0)).select(x.full_like(0.0), x.log_ratio(y))
}

/// `x/y`, where `0/0` is 0; NaN for negative operands.
fn ratio(x: Var, y: Var) -> Var {
    quotient(where_it_holds(x, x.greater_equal(0.0)), where_it_holds(y, y.greater_equal(0.0)))
}

/// `1 - x/y`, without cancellation next to `x = y`; 1 for `0/0`.
fn missing(x: Var, y: Var) -> Var {
    let near = (y - x) / y;
    near.abs().less(0.5).select(near, 1.0 - ratio(x, y))
}
