//! The sine cardinal, elementwise, and its derivatives.
//!
//! ```
//! use retrograd::{Var, grad, jit};
//!
//! let f = |x: Var| x.sinc();
//! assert_eq!(jit(f).call::<f64>(0.0)?, 1.0);
//! let curvature: f64 = jit(grad(grad(f))).call(0.0)?;
//! assert!((curvature + std::f64::consts::PI.powi(2) / 3.0).abs() < 1e-15);
//! # Ok::<(), retrograd::Error>(())
//! ```

use std::f64::consts::FRAC_2_PI;

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
    Sinc, "sinc", sinc, "sin(πx)/(πx), the normalized sine cardinal; 1 at 0",
    "sinc_derivative of order 1", |x, _| apply(SincDerivative { order: 1 }, &[x]),
    (-2.0, 2.0), 2,
    &[(&[0.0], 1.0), (&[-0.0], 1.0), (&[0.5], FRAC_2_PI), (&[1.5], -0.2122065907891938), (&[2.0], 0.0),
      (&[-0.25], 0.9003163161571061), (&[1e-10], 1.0), (&[9.5367431640625e-7], 0.999999999998504), (&[1e300], 0.0),
      (&[INF], 0.0), (&[-INF], 0.0), (&[NAN], NAN)]
}

/// A derivative of the normalized sine cardinal, elementwise: `sinc⁽ⁿ⁾(x) = ∫₀¹ (πt)ⁿ cos(πxt + nπ/2) dt`.
///
/// Near 0 it is Taylor's series, elsewhere the recurrence `x sₙ = πⁿ⁻¹ sin(πx + nπ/2) - n sₙ₋₁`, both to twice the
/// precision, so that the quotients by `x` cost nothing near 0.
///
/// # Constraints
/// (C1) The order is from 1 to 24.
///
/// # Derivative
/// The same of the next order; that of order 24 has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SincDerivative {
    /// The order of the derivative.
    pub order: u32,
}

impl Elementwise for SincDerivative {
    const NAME: &'static str = "sinc_derivative";
    const ARITY: usize = 1;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        if !(1..=24).contains(&self.order) {
            return Err(mismatch!("the order must be from 1 to 24, but got {}", self.order));
        }
        floats(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        let order = Scalar::F64(self.order.into()).convert(x[0].dtype());
        eval_math2(math::Binary::SincDerivative, &[order, x[0]])
    }

    fn partial(&self, _: usize, x: &[Var], _: Var) -> Partial {
        Partial::Of(apply(SincDerivative { order: self.order + 1 }, &[x[0]]))
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        let order = f64::from(self.order);
        let order = i.constant_like(order, x[0]);
        i.math2(math::Binary::SincDerivative, order, x[0])
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc {
                summary: "the n-th derivative of the normalized sine cardinal",
                derivative: "the next derivative",
                accuracy: "2 ulp; near its zeros 2⁻⁵⁵ πⁿ",
            },
            floats: &[
                (&[0.0], 0.0),
                (&[0.5], -2.0 * FRAC_2_PI),
                (&[-0.5], 2.0 * FRAC_2_PI),
                (&[1.0], -1.0),
                (&[100.0], 0.01),
                (&[INF], 0.0),
                (&[NAN], NAN),
            ],
            integers: &[],
            domain: &[(-2.0, 2.0)],
            ulps: 2,
        }
    }

    fn instances() -> Vec<SincDerivative> {
        [1, 2, 3].map(|order| SincDerivative { order }).into()
    }
}
