//! Spence's function, the dilogarithm of `1 - x`, elementwise, and its derivatives: those of `math`.
//!
//! ```
//! use retrograd::{Var, grad, jit};
//!
//! // Li₂(z), and its slope -ln(1 - z)/z, which is 1 at 0.
//! let dilogarithm = |z: Var| (1.0 - z).spence();
//! let value: f64 = jit(dilogarithm).call(1.0)?;
//! assert_eq!(value, std::f64::consts::PI.powi(2) / 6.0);
//! let slope: f64 = jit(grad(dilogarithm)).call(0.0)?;
//! assert_eq!(slope, 1.0);
//! # Ok::<(), retrograd::Error>(())
//! ```

use std::f64::consts::LN_2;

use serde::{Deserialize, Serialize};

use super::Var;
use super::elementary::elementary;
use super::error_function::derivative_of_order;
use super::evaluate::{eval_math1, eval_math2};
use super::instructions::Instructions;
use super::rules::{Doc, Elementwise, Facts, Partial, floats};
use super::trace::apply;
use crate::ir::Mismatch;
use crate::math;
use crate::value::{DType, Scalar};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

elementary! {
    Spence, "spence", spence, "∫ ln t/(1 - t) dt from 1 to x, the dilogarithm of 1 - x; NaN below 0",
    "ln x/(1 - x), by spence_derivative", |x, _| apply(SpenceDerivative { order: 1 }, &[x]),
    (0.3, 3.0), 1,
    &[(&[1.0], 0.0), (&[0.5], 0.5822405264650125), (&[0.25], 0.9784693929303061), (&[2.0], -0.8224670334241132),
      (&[3.0], -1.4367463668836808), (&[1.5], -0.4484142069236462), (&[1e-5], 1.6448089369929264),
      (&[1e10], -266.73983958836556), (&[0.9999999999999999], 1.1102230246251565e-16), (&[1e300], -238587.05990559477),
      (&[0.0], 1.6449340668482264), (&[-0.0], 1.6449340668482264), (&[-1.0], NAN), (&[INF], -INF), (&[-INF], NAN),
      (&[NAN], NAN)]
}
derivative_of_order! {
    /// A derivative of Spence's function, elementwise: the first is `ln x/(1 - x)`, which is -1 at 1.
    ///
    /// Next to 1, where the formula and its derivatives cancel, they are series of a hypergeometric function whose terms all
    /// have one sign (Abramowitz and Stegun, 15.3.3 and 15.3.4); elsewhere a recurrence.
    ///
    /// # Constraints
    /// (C1) The order is from 1 to 25.
    ///
    /// # Derivative
    /// The same of the next order; that of order 25 has none.
    SpenceDerivative, "spence_derivative", 1, 25, "the n-th derivative of spence",
    "the next derivative", |order, x, _| apply(SpenceDerivative { order: order + 1 }, &[x]),
    "2 ulp; from 10¹¹ and below 10⁻¹¹, 4 ulp", (0.3, 3.0), 1,
    &[(&[1.0], -1.0), (&[0.5], -2.0 * LN_2), (&[2.0], -LN_2), (&[10.0], -0.2558427881104495),
      (&[0.01], -4.6516870565536275), (&[1.0000000001], -0.99999999995), (&[1e300], -6.907755278982137e-298),
      (&[0.0], -INF), (&[-0.0], -INF), (&[-1.0], NAN), (&[INF], -0.0), (&[NAN], NAN)]
}
