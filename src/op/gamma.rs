//! The gamma function and its relatives, elementwise: those of `math`.
//!
//! ```
//! use retrograd::{Var, grad, jit};
//!
//! let factorial: f64 = jit(|x: Var| x.gamma()).call(6.0)?;
//! assert_eq!(factorial, 120.0);
//! // The slope of ln Γ at 1 is minus Euler's constant, and its curvature π²/6.
//! let slope: f64 = jit(grad(|x: Var| x.lgamma())).call(1.0)?;
//! let curvature: f64 = jit(grad(grad(|x: Var| x.lgamma()))).call(1.0)?;
//! assert_eq!(slope, -0.5772156649015329);
//! assert!((curvature - std::f64::consts::PI.powi(2) / 6.0).abs() < 1e-15);
//! # Ok::<(), retrograd::Error>(())
//! ```

use std::f64::consts::{LN_2, PI};

use serde::{Deserialize, Serialize};

use super::elementary::{elementary, where_it_holds};
use super::evaluate::{eval_math1, eval_math2, nan_where_nan};
use super::instructions::Instructions;
use super::log_sums::elementary2;
use super::rules::{Doc, Elementwise, Facts, Partial, floats};
use super::trace::{self, apply};
use super::var::apply_pair;
use super::{Operand, Var};
use crate::ir::{Mismatch, mismatch};
use crate::math;
use crate::value::{DType, Scalar};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

elementary! {
    Gamma, "gamma", gamma, "Γ(x); ±inf at ±0, NaN at negative integers",
    "Γ(x) ψ(x)", |x, y| y * x.digamma(),
    (0.5, 3.0), 1,
    &[(&[1.0], 1.0), (&[5.0], 24.0), (&[0.5], 1.772453850905516), (&[-0.5], -3.544907701811032),
      (&[-1.5], 2.363271801207355), (&[170.0], 4.269068009004705e304), (&[-170.5], -3.3127395215386074e-308),
      (&[171.7], INF), (&[-200.5], -0.0), (&[0.0], INF), (&[-0.0], -INF), (&[-1.0], NAN), (&[INF], INF), (&[-INF], NAN),
      (&[NAN], NAN)]
}
elementary! {
    Lgamma, "lgamma", lgamma, alias "gammaln", "ln|Γ(x)|; inf at 0, -1, -2, …",
    "ψ(x)", |x, _| x.digamma(),
    (0.5, 3.0), 1 "; below -2 where smaller than 2⁻⁶, 2⁻⁵⁸",
    &[(&[1.0], 0.0), (&[2.0], 0.0), (&[0.5], 0.5723649429247001), (&[3.0], LN_2), (&[10.0], 12.801827480081469),
      (&[-0.5], 1.2655121234846454), (&[-1.5], 0.860047015376481), (&[1e300], 6.897755278982137e302),
      (&[8.673617379884035e-19], 41.58883083359672), (&[1e306], INF), (&[0.0], INF), (&[-0.0], INF), (&[-3.0], INF),
      (&[INF], INF), (&[-INF], INF), (&[NAN], NAN)]
}
elementary! {
    Digamma, "digamma", digamma, alias "psi", "ψ(x) = (ln Γ)'(x); ∓inf at ±0, NaN at negative integers",
    "polygamma of order 1", |x, y| nan_where_nan(y, x.polygamma(1)),
    (0.5, 3.0), 1 "; below 0 where smaller than 2⁻⁶, 2⁻⁵⁸",
    &[(&[1.0], -0.5772156649015329), (&[0.5], -1.9635100260214235), (&[2.0], 0.42278433509846713),
      (&[10.0], 2.251752589066721), (&[-0.5], 0.03648997397857652), (&[1.4616321449683622], -9.241265521729427e-17),
      (&[1e10], 23.025850929890456), (&[8.673617379884035e-19], -1.152921504606847e18), (&[0.0], -INF), (&[-0.0], INF),
      (&[-1.0], NAN), (&[INF], INF), (&[-INF], NAN), (&[NAN], NAN)]
}
elementary! {
    Rgamma, "rgamma", rgamma, "1/Γ(x), an entire function; 0 at 0, -1, -2, …",
    "-ψ(x)/Γ(x), by reflection below 1/2", |x, y| slope_of_rgamma(x, y),
    (0.5, 3.0), 1,
    &[(&[1.0], 1.0), (&[0.5], 0.5641895835477563), (&[3.0], 0.5), (&[5.0], 0.041666666666666664),
      (&[-0.5], -0.28209479177387814), (&[-1.5], 0.42314218766081724), (&[10.5], 8.823957200203801e-7),
      (&[175.0], 1.5563171e-316), (&[-3.0000000001], 6.000000497195897e-10), (&[1e-300], 1e-300),
      (&[-100.5], -2.9817894783078014e158), (&[0.0], 0.0), (&[-0.0], -0.0), (&[-1.0], 0.0), (&[-200.0], 0.0),
      (&[INF], 0.0), (&[-INF], NAN), (&[NAN], NAN)]
}
elementary2! {
    /// The operands are positive; elsewhere it is NaN.
    Beta, "beta", beta, "B(x, y) = Γ(x) Γ(y) / Γ(x + y) for positive x and y",
    "y (ψ(x) - ψ(x + y)), and likewise", |a, b, y| y * digamma_difference(a, b), y * digamma_difference(b, a),
    &[(0.5, 3.0), (0.5, 2.0)], "2 ulp", 2,
    &[(&[1.0, 1.0], 1.0), (&[2.0, 3.0], 0.08333333333333333), (&[0.5, 0.5], PI), (&[10.0, 0.25], 2.058188718797238),
      (&[100.0, 200.0], 3.607285449794666e-84), (&[1e5, 1e5], 0.0), (&[0.0, 1.0], INF), (&[INF, 1.0], 0.0), (&[0.0, INF], NAN),
      (&[-1.0, 1.0], NAN), (&[NAN, 1.0], NAN), (&[1.0, NAN], NAN)]
}
elementary2! {
    /// The operands are positive; elsewhere it is NaN.
    Lbeta, "lbeta", lbeta, alias "betaln", "ln B(x, y) for positive x and y",
    "ψ(x) - ψ(x + y), ψ(y) - ψ(x + y)", |a, b, _| digamma_difference(a, b), digamma_difference(b, a),
    &[(0.5, 3.0), (0.5, 2.0)], "2 ulp; near its zeros 2⁻⁵⁵", 2,
    &[(&[1.0, 1.0], 0.0), (&[2.0, 3.0], -2.4849066497880004), (&[0.5, 0.5], 1.1447298858494002),
      (&[1000.0, 2000.0], -1911.8746142144516), (&[0.0, 1.0], INF), (&[INF, 1.0], -INF), (&[0.0, INF], NAN),
      (&[-1.0, 1.0], NAN), (&[NAN, 1.0], NAN), (&[1.0, NAN], NAN)]
}

/// A derivative of the digamma function, elementwise: `ψ⁽ⁿ⁾(x)`; the digamma function itself for the order 0.
///
/// It is computed as `(-1)ⁿ⁺¹ n! ζ(n + 1, x)`, Hurwitz's zeta function by the formula of Euler and Maclaurin, and below 0
/// by reflection.
///
/// # Constraints
/// (C1) The order is at most 100.
///
/// # Derivative
/// The same of the next order; that of order 100 has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Polygamma {
    /// The order of the derivative.
    pub order: u32,
}

/// ln π.
const LN_PI: f64 = 1.1447298858494002;

/// The greatest order of [`Polygamma`], whose factorial an `f64` still holds.
const MAX_ORDER: u32 = 100;

impl Elementwise for Polygamma {
    const NAME: &'static str = "polygamma";
    const ARITY: usize = 1;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        if self.order > MAX_ORDER {
            return Err(mismatch!("the order must be at most {MAX_ORDER}, but got {}", self.order));
        }
        floats(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        let order = Scalar::F64(self.order.into()).convert(x[0].dtype());
        eval_math2(math::Binary::Polygamma, &[order, x[0]])
    }

    fn partial(&self, _: usize, x: &[Var], _: Var) -> Partial {
        Partial::Of(x[0].polygamma(self.order + 1))
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        let order = f64::from(self.order);
        let order = i.constant_like(order, x[0]);
        i.math2(math::Binary::Polygamma, order, x[0])
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc {
                summary: "the n-th derivative of the digamma function",
                derivative: "polygamma of the next order",
                accuracy: "4 ulp; below 0 next to the largest term that cancels",
            },
            floats: &[
                (&[1.0], 1.6449340668482264),
                (&[0.5], 4.934802200544679),
                (&[-0.5], 8.934802200544679),
                (&[20.0], 0.05127082293520312),
                (&[9.313225746154785e-10], 1.152921504606847e18),
                (&[0.0], INF),
                (&[-0.0], INF),
                (&[-2.0], INF),
                (&[INF], 0.0),
                (&[-INF], NAN),
                (&[NAN], NAN),
            ],
            integers: &[],
            domain: &[(0.7, 3.0)],
            ulps: 4,
        }
    }

    fn instances() -> Vec<Polygamma> {
        [1, 0, 2, 3].map(|order| Polygamma { order }).into()
    }
}

/// `ψ⁽ⁿ⁾(x) - ψ⁽ⁿ⁾(x + y)` for `x >= 0` and `y >= 0`, elementwise, also where `y` is so small that the two hardly differ.
///
/// Each power of the series and of the asymptotic expansion is subtracted by itself, by `expm1` and `log1p`.
///
/// # Constraints
/// (C1) The order is at most 100.
///
/// # Derivative
/// The same of the next order by `x`, and [`Polygamma`] of the next order at `x + y`, negated, by `y`; that of order 100 has
/// none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolygammaDifference {
    /// The order of the derivatives of the digamma function.
    pub order: u32,
}

impl Elementwise for PolygammaDifference {
    const NAME: &'static str = "polygamma_difference";
    const ARITY: usize = 2;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        Polygamma { order: self.order }.result(&operands[..1])?;
        floats(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        let f = math::Ternary::PolygammaDifference;
        match x {
            [Scalar::F64(x), Scalar::F64(y)] => Scalar::F64(f.f64(self.order.into(), *x, *y)),
            [Scalar::F32(x), Scalar::F32(y)] => Scalar::F32(f.f32(self.order as f32, *x, *y)),
            other => unreachable!("bug: operands {other:?} passed inference"),
        }
    }

    fn partial(&self, slot: usize, x: &[Var], y: Var) -> Partial {
        let order = self.order + 1;
        let next = if slot == 0 { apply(PolygammaDifference { order }, x) } else { -(x[0] + x[1]).polygamma(order) };
        Partial::Of(nan_where_nan(y, next))
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        let order = f64::from(self.order);
        let order = i.constant_like(order, x[0]);
        i.math3(math::Ternary::PolygammaDifference, order, x[0], x[1])
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc {
                summary: "ψ⁽ⁿ⁾(x) - ψ⁽ⁿ⁾(x + y) for x and y that are not negative, without cancellation",
                derivative: "the same of the next order, minus polygamma of the next order at x + y",
                accuracy: "8 ulp",
            },
            floats: &[
                (&[1.0, 1.0], -1.0),
                (&[0.5, 2.5], -2.886294361119891),
                (&[10.0, 1.0], -0.1),
                (&[1.0, 8.673617379884035e-19], -1.4267528710978104e-18),
                (&[1e10, 1.0], -1e-10),
                (&[3.0, 0.0], 0.0),
                (&[0.0, 1.0], -INF),
                (&[1.0, INF], -INF),
                (&[INF, 1.0], 0.0),
                (&[-1.0, 1.0], NAN),
                (&[1.0, -1.0], NAN),
                (&[NAN, 1.0], NAN),
            ],
            integers: &[],
            domain: &[(0.7, 3.0), (0.5, 2.0)],
            ulps: 8,
        }
    }

    fn instances() -> Vec<PolygammaDifference> {
        [0, 1, 2, 3].map(|order| PolygammaDifference { order }).into()
    }
}

/// The derivative of `y = 1/Γ(x)`, also where the digamma function has its poles: below 1/2 it is that of `x/Γ(1 + x)`, and
/// below -1/2 that of `Γ(1 - x) sin(πx)/π`, in which nothing cancels at the poles. The angle is that from the nearest integer.
fn slope_of_rgamma(x: Var, y: Var) -> Var {
    let next = 1.0 + x;
    let middle = next.rgamma() * (1.0 - x * next.digamma());
    let (mirror, integer) = (-x, x.round());
    let angle = std::f64::consts::PI * (x - integer);
    let half = 0.5 * integer;
    let sign = half.floor().equal(half).select(x.full_like(1.0), x.full_like(-1.0));
    let wave = sign * (angle.cos() - (1.0 - x).digamma() * angle.sin() * std::f64::consts::FRAC_1_PI);
    let left = mirror * wave * mirror.gamma();
    let right = -y * x.digamma();
    x.less(-0.5).select(left, x.less(0.5).select(middle, right))
}

/// `ψ(x) - ψ(x + y)`.
pub(super) fn digamma_difference(x: Var, y: Var) -> Var {
    apply(PolygammaDifference { order: 0 }, &[x, y])
}

impl Var {
    /// The derivative of that order of the digamma function, elementwise; the digamma function itself for the order 0.
    /// See [`Polygamma`].
    ///
    /// Takes `f64` or `f32` of any shape and gives the same type; another dtype is an error. So is an order above 100.
    /// The derivative is that of the next order.
    ///
    /// ```
    /// use retrograd::{Var, jit};
    ///
    /// let y: f64 = jit(|x: Var| x.polygamma(1)).call(1.0)?;
    /// assert!((y - std::f64::consts::PI.powi(2) / 6.0).abs() < 1e-15);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn polygamma(self, order: u32) -> Var {
        apply(Polygamma { order }, &[self])
    }

    /// The logarithm of the multivariate gamma function of dimension `p`, elementwise:
    /// `p (p - 1)/4 ln π + Σ lnΓ(x - j/2)` over `j < p`. The density of the Wishart distribution has it.
    ///
    /// Takes `f64` or `f32` of any shape and gives the same type; another dtype, and the dimension 0, are an error. It is inf at
    /// `x = (p - 1)/2` and NaN below. The derivative is `Σ ψ(x - j/2)`. The error is that of the sum of its terms.
    ///
    /// ```
    /// use retrograd::{Var, grad, jit};
    ///
    /// let f = |x: Var| x.multigammaln(2);
    /// let (y, slope): (f64, f64) = (jit(f).call(2.5)?, jit(grad(f)).call(2.5)?);
    /// assert!((y - (std::f64::consts::PI * 0.75).ln()).abs() < 1e-15);
    /// assert!((slope - 1.1259409757437103).abs() < 1e-15);
    /// assert!(jit(f).call::<f64>(0.25)?.is_nan());
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[doc(alias = "mvlgamma")]
    #[doc(alias = "multivariate_gamma")]
    #[track_caller]
    pub fn multigammaln(self, p: usize) -> Var {
        if p == 0 {
            trace::fail_at("the dimension of the multivariate gamma function must be positive".to_string());
        }
        let least = 0.5 * (p.saturating_sub(1)) as f64;
        let x = where_it_holds(self, self.greater_equal(least));
        let axis = self.rank();
        let halves = 0.5 * Var::iota(&[p], 0, DType::I64).convert(self.dtype());
        let terms = (x.insert_axis(axis) - halves).lgamma().sum_axes(&[axis]);
        terms + 0.5 * least * p as f64 * LN_PI
    }

    /// The sign of the gamma function, elementwise: 1 or -1.
    ///
    /// Takes `f64` or `f32` of any shape and gives the same type; another dtype is an error. At ±0 it is the sign of the zero,
    /// as that of the infinite limit, and NaN at negative integers, -inf and NaN, where the gamma function is NaN, too.
    /// The derivative is 0.
    ///
    /// ```
    /// use retrograd::{Var, jit};
    ///
    /// let f = jit(|x: Var| x.gammasgn());
    /// for (x, sign) in [(2.5, 1.0), (-0.5, -1.0), (-1.5, 1.0), (-200.5, -1.0), (0.0, 1.0), (-0.0, -1.0)] {
    ///     assert_eq!(f.call::<f64>(x)?, sign);
    /// }
    /// assert!(f.call::<f64>(-2.0)?.is_nan());
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn gammasgn(self) -> Var {
        let x = self.stop_gradient();
        let whole = x.floor();
        let half = 0.5 * whole;
        let of_parity = half.floor().equal(half).select(x.full_like(1.0), -1.0);
        let pole = x.equal(whole) & x.less(0.0) | x.is_nan();
        let below = pole.select(x * NAN, of_parity);
        let at_zero = x.equal(0.0).select(x.signum(), below);
        x.greater(0.0).select(x.full_like(1.0), at_zero)
    }
}
