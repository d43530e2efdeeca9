//! The Hurwitz zeta function, elementwise: that of `math`.
//!
//! ```
//! use retrograd::{Var, grad, jit};
//!
//! // ζ(2) = π²/6, and the slope by the second operand is -2 ζ(3).
//! let zeta = |q: Var| q.full_like(2.0).zeta(q);
//! let value: f64 = jit(zeta).call(1.0)?;
//! assert_eq!(value, std::f64::consts::PI.powi(2) / 6.0);
//! let slope: f64 = jit(grad(zeta)).call(1.0)?;
//! assert!((slope + 2.0 * 1.2020569031595942).abs() < 1e-15);
//! // There is no derivative by the order.
//! let by_order = jit(grad(|s: Var| s.zeta(1.0))).call::<f64>(2.0);
//! assert!(by_order.unwrap_err().to_string().contains("by its second operand only"));
//! # Ok::<(), retrograd::Error>(())
//! ```

use serde::{Deserialize, Serialize};

use super::evaluate::{eval_math2, nan_where_nan};
use super::instructions::Instructions;
use super::rules::{Doc, Elementwise, Facts, Partial, floats};
use super::trace;
use super::var::apply_pair;
use super::{Operand, Var};
use crate::ir::Mismatch;
use crate::math;
use crate::value::{DType, Scalar};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

/// The Hurwitz zeta function, elementwise: `ζ(s, q) = Σ 1/(q + k)ˢ` over `k >= 0`.
///
/// The order `s` is any number above 1; at 1 the function is inf, below it is NaN. At `q = 0, -1, …` it is inf. Elsewhere
/// below 0 the order is an integer; the function is NaN for other orders there. It is computed by the formula of Euler and
/// Maclaurin (Abramowitz and Stegun, 23.2.9), and below 0 by reflection.
///
/// # Derivative
/// By `q` it is `-s ζ(s + 1, q)`. By `s` there is none, as the sums of `ln(q + k)/(q + k)ˢ` are no operation here: to ask for
/// it is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Zeta;

impl Elementwise for Zeta {
    const NAME: &'static str = "zeta";
    const ARITY: usize = 2;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        floats(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        eval_math2(math::Binary::Zeta, x)
    }

    fn partial(&self, slot: usize, x: &[Var], y: Var) -> Partial {
        if slot == 0 {
            let reason = "the zeta function is differentiated by its second operand only: the derivative by the order, a sum \
                          of ln(q + k)/(q + k)^s, is no operation";
            trace::fail_no_rule(Self::NAME, "first", reason);
            return Partial::Zero;
        }
        let (s, q) = (x[0], x[1]);
        Partial::Of(nan_where_nan(y, -s * (s + 1.0).zeta(q)))
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        i.math2(math::Binary::Zeta, x[0], x[1])
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc {
                summary: "Σ 1/(y + k)ˣ over k >= 0, the Hurwitz zeta function",
                derivative: "an error by the order x; -x zeta(x + 1, y)",
                accuracy: "1 ulp; below 0 4 ulp, next to the largest term that cancels",
            },
            floats: &[
                (&[2.0, 1.0], 1.6449340668482264),
                (&[3.0, 1.0], 1.2020569031595942),
                (&[1.5, 1.0], 2.612375348685488),
                (&[2.5, 0.25], 32.84745195469769),
                (&[4.0, 10.0], 0.00038665021738164474),
                (&[1.0000001, 2.0], 9999999.571377),
                (&[1.5, 1e10], 2.00000000005e-5),
                (&[2.0, -0.5], 8.934802200544679),
                (&[20.0, 3.5], 1.3229189094143142e-11),
                (&[2.0, 0.0], INF),
                (&[2.5, -3.0], INF),
                (&[2.5, -0.5], NAN),
                (&[1.0, 2.0], INF),
                (&[0.5, 2.0], NAN),
                (&[2.0, INF], 0.0),
                (&[INF, 2.0], 0.0),
                (&[NAN, 1.0], NAN),
                (&[2.0, NAN], NAN),
            ],
            integers: &[],
            domain: &[(1.5, 4.0), (0.5, 3.0)],
            ulps: 4,
        }
    }

    fn instances() -> Vec<Zeta> {
        vec![Zeta]
    }
}

impl Var {
    /// The Hurwitz zeta function `ζ(s, q) = Σ 1/(q + k)ˢ` over `k >= 0`, elementwise with broadcasting, where `s > 1` is
    /// `self`; see [`Zeta`]. Riemann's zeta function is that at `q = 1`.
    ///
    /// Takes `f64` or `f32`, both of one dtype, and gives the same; other dtypes, and shapes that do not broadcast, are an
    /// error. It is inf at `s = 1` and at `q = 0, -1, …`, and NaN for `s < 1`, and for negative `q` if `s` is no integer.
    /// The derivative by `q` is `-s ζ(s + 1, q)`; that by `s` is an error.
    ///
    /// ```
    /// use retrograd::{Var, jit};
    ///
    /// let y: f64 = jit(|q: Var| Var::from(1.5).zeta(q)).call(1.0)?;
    /// assert_eq!(y, 2.612375348685488);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn zeta(self, q: impl Operand) -> Var {
        apply_pair(Zeta, self, q.var(self))
    }
}
