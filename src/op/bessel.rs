//! Bessel functions of integral order, elementwise: those of `math`.
//!
//! Their derivatives are Bessel functions of the neighboring orders, without a quotient that would fail at 0.
//!
//! ```
//! use retrograd::{Var, grad, jit};
//!
//! // Bessel's equation: x² y″ + x y′ + x² y = 0 for order 0.
//! let y = |x: Var| x.bessel_j0();
//! let residue = move |x: Var| {
//!     let first = |x: Var| -x.bessel_j1();
//!     x * x * x.bessel_j0() + x * first(x)
//! };
//! let second: f64 = jit(grad(grad(y))).call(1.5)?;
//! let rest: f64 = jit(residue).call(1.5)?;
//! assert!((2.25 * second + rest).abs() < 1e-15);
//! # Ok::<(), retrograd::Error>(())
//! ```

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
    BesselJ0, "bessel_j0", bessel_j0, "J₀(x), the Bessel function of the first kind of order 0",
    "-J₁(x)", |x, _| -x.bessel_j1(),
    (0.5, 5.0), 2,
    &[(&[0.0], 1.0), (&[1.0], 0.7651976865579666), (&[-2.0], 0.22389077914123567), (&[30.0], -0.08636798358104021),
      (&[100.0], 0.019985850304223122), (&[1e-10], 1.0), (&[INF], 0.0), (&[-INF], 0.0), (&[NAN], NAN)]
}
elementary! {
    BesselJ1, "bessel_j1", bessel_j1, "J₁(x), the Bessel function of the first kind of order 1",
    "(J₀(x) - J₂(x))/2", |x, _| 0.5 * (x.bessel_j0() - x.bessel_jn(2)),
    (0.5, 5.0), 2,
    &[(&[0.0], 0.0), (&[-0.0], -0.0), (&[1.0], 0.4400505857449335), (&[-2.0], -0.5767248077568734),
      (&[30.0], -0.11875106261662294), (&[100.0], -0.07714535201411216), (&[1e-10], 5e-11), (&[INF], 0.0), (&[-INF], -0.0),
      (&[NAN], NAN)]
}
elementary! {
    BesselY0, "bessel_y0", bessel_y0, "Y₀(x), the Bessel function of the second kind of order 0; -inf at 0, NaN below",
    "-Y₁(x)", |x, _| -x.bessel_y1(),
    (0.5, 5.0), 2,
    &[(&[0.0], -INF), (&[1.0], 0.08825696421567696), (&[2.0], 0.5103756726497451), (&[30.0], -0.11729573168666403),
      (&[0.5], -0.44451873350670656), (&[1e-10], -14.732516272697241), (&[-1.0], NAN), (&[INF], 0.0), (&[NAN], NAN)]
}
elementary! {
    BesselY1, "bessel_y1", bessel_y1, "Y₁(x), the Bessel function of the second kind of order 1; -inf at 0, NaN below",
    "Y₀(x) - Y₁(x)/x", |x, y| x.bessel_y0() - y / x,
    (0.5, 5.0), 2,
    &[(&[0.0], -INF), (&[1.0], -0.7812128213002887), (&[2.0], -0.10703243154093754), (&[30.0], 0.08442557066174723),
      (&[0.5], -1.471472392670243), (&[1e-10], -6366197723.675814), (&[5e-324], -INF), (&[-1.0], NAN), (&[INF], 0.0),
      (&[NAN], NAN)]
}
elementary! {
    BesselI0, "bessel_i0", bessel_i0, alias "i0", "I₀(x), the modified Bessel function of the first kind of order 0",
    "I₁(x)", |x, _| x.bessel_i1(),
    (-2.0, 2.0), 2,
    &[(&[0.0], 1.0), (&[1.0], 1.2660658777520084), (&[-2.0], 2.2795853023360673), (&[30.0], 781672297823.9775),
      (&[100.0], 1.0737517071310738e42), (&[720.0], INF), (&[INF], INF), (&[-INF], INF), (&[NAN], NAN)]
}
elementary! {
    BesselI1, "bessel_i1", bessel_i1, alias "i1", "I₁(x), the modified Bessel function of the first kind of order 1",
    "(I₀(x) + I₂(x))/2", |x, _| 0.5 * (x.bessel_i0() + x.bessel_in(2)),
    (-2.0, 2.0), 2,
    &[(&[0.0], 0.0), (&[-0.0], -0.0), (&[1.0], 0.565159103992485), (&[-2.0], -1.590636854637329),
      (&[30.0], 768532038938.957), (&[100.0], 1.0683693903381625e42), (&[1e-10], 5e-11), (&[INF], INF), (&[-INF], -INF),
      (&[NAN], NAN)]
}
elementary! {
    BesselI0e, "bessel_i0e", bessel_i0e, alias "i0e", "e^-|x| I₀(x)",
    "e^-|x| I₁(x) - sign(x) y, by bessel_ine_derivative; 0 at 0", |x, _| scaled_slope(0, x),
    (0.2, 2.0), 2,
    &[(&[0.0], 1.0), (&[1.0], 0.46575960759364043), (&[-2.0], 0.30850832255367105), (&[30.0], 0.0731459464822373),
      (&[100.0], 0.03994437929909668), (&[INF], 0.0), (&[-INF], 0.0), (&[NAN], NAN)]
}
elementary! {
    BesselI1e, "bessel_i1e", bessel_i1e, alias "i1e", "e^-|x| I₁(x)",
    "e^-|x| (I₀(x) + I₂(x))/2 - sign(x) y, by bessel_ine_derivative", |x, _| scaled_slope(1, x),
    (0.2, 2.0), 2,
    &[(&[0.0], 0.0), (&[-0.0], -0.0), (&[1.0], 0.20791041534970844), (&[-2.0], -0.21526928924893765),
      (&[30.0], 0.07191633059864755), (&[100.0], 0.03974415302513025), (&[INF], 0.0), (&[-INF], -0.0), (&[NAN], NAN)]
}

/// The greatest order of a Bessel function: up to it, the methods of `math` keep their accuracy.
const MAX_ORDER: u32 = 24;

/// A Bessel function of any order from 0 to 24: what the derivatives of those of orders 0 and 1 lead to.
macro_rules! of_order {
    (
        $op:ident, $name:literal, $method:ident, $summary:literal, $zero:path, $one:path,
        $derivative:literal, |$x:pat_param, $n:pat_param, $below:pat_param, $above:pat_param| $partial:expr,
        $domain:expr,
        &[$((&[$at:expr], $value:expr)),+ $(,)?]
    ) => {
        #[doc = concat!("`", $summary, "` for an order n from 0 to 24, elementwise.")]
        ///
        /// The derivatives of the functions of order 0 and 1 lead to it.
        ///
        /// # Constraints
        /// (C1) The order is at most 24.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $op {
            /// The order.
            pub order: u32,
        }

        impl Elementwise for $op {
            const NAME: &'static str = $name;
            const ARITY: usize = 1;

            fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
                if self.order > MAX_ORDER {
                    return Err(mismatch!("the order must be at most {MAX_ORDER}, but got {}", self.order));
                }
                floats(operands)
            }

            fn eval(&self, x: &[Scalar]) -> Scalar {
                let order = Scalar::F64(self.order.into()).convert(x[0].dtype());
                eval_math2(math::Binary::$op, &[order, x[0]])
            }

            fn partial(&self, _: usize, x: &[Var], _: Var) -> Partial {
                let neighbor = move |order: u32| match order {
                    0 => apply($zero, &[x[0]]),
                    1 => apply($one, &[x[0]]),
                    order => apply($op { order }, &[x[0]]),
                };
                let order = self.order;
                // The function of order -1 is, but for its sign, that of order 1.
                let ($x, $n) = (x[0], order);
                let ($below, $above) = (|| neighbor(order.abs_diff(1)), || neighbor(order + 1));
                Partial::Of($partial)
            }

            fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
                let order = f64::from(self.order);
                let order = i.constant_like(order, x[0]);
                i.math2(math::Binary::$op, order, x[0])
            }

            fn facts() -> Facts {
                Facts {
                    doc: Doc { summary: $summary, derivative: $derivative, accuracy: "2 ulp" },
                    floats: &[$((&[$at], $value)),+],
                    integers: &[],
                    domain: &[$domain],
                    ulps: 2,
                }
            }

            fn instances() -> Vec<$op> {
                [2, 0, 1, 3].map(|order| $op { order }).into()
            }
        }

        impl Var {
            #[doc = concat!("`", $summary, "`, elementwise, where n is `order`; see [`", stringify!($op), "`].")]
            ///
            /// Takes `f64` or `f32` of any shape and gives the same type; another dtype, and an order above 24, are errors.
            #[doc = concat!("The derivative is `", $derivative, "`; the accuracy is 2 ulp.")]
            ///
            #[doc = super::example::example_of_floats!(concat!("x.", stringify!($method), "(2)"), 2, $(($at, $value)),+)]
            #[track_caller]
            pub fn $method(self, order: u32) -> Var {
                apply($op { order }, &[self])
            }
        }
    };
}

of_order! {
    BesselJn, "bessel_jn", bessel_jn, "Jₙ(x), the Bessel function of the first kind", BesselJ0, BesselJ1,
    "(Jₙ₋₁(x) - Jₙ₊₁(x))/2", |_, n, below, above| 0.5 * (if n == 0 { -below() } else { below() } - above()),
    (0.5, 5.0),
    &[(&[0.0], 0.0), (&[1.0], 0.11490348493190047), (&[-2.0], 0.35283402861563773), (&[30.0], 0.07845124607326535),
      (&[9.5367431640625e-7], 1.1368683772160741e-13), (&[INF], 0.0), (&[NAN], NAN)]
}
of_order! {
    BesselIn, "bessel_in", bessel_in, "Iₙ(x), the modified Bessel function of the first kind", BesselI0, BesselI1,
    "(Iₙ₋₁(x) + Iₙ₊₁(x))/2", |_, _, below, above| 0.5 * (below() + above()),
    (-2.0, 2.0),
    &[(&[0.0], 0.0), (&[1.0], 0.13574766976703828), (&[-2.0], 0.6889484476987382), (&[50.0], 2.816430640245194e20),
      (&[INF], INF), (&[NAN], NAN)]
}
of_order! {
    BesselIne, "bessel_ine", bessel_ine, "e^-|x| Iₙ(x)", BesselI0e, BesselI1e,
    "e^-|x| (Iₙ₋₁(x) + Iₙ₊₁(x))/2 - sign(x) y, by bessel_ine_derivative", |x, n, _, _| scaled_slope(n, x),
    (0.2, 2.0),
    &[(&[0.0], 0.0), (&[1.0], 0.04993877689422354), (&[-2.0], 0.09323903330473338), (&[50.0], 0.054321901691738374),
      (&[1000.0], 0.0125920185953774), (&[INF], 0.0), (&[NAN], NAN)]
}

/// The derivative of `e^-|x| Iₙ(x)`.
fn scaled_slope(order: u32, x: Var) -> Var {
    apply(BesselIneDerivative { order, times: 1 }, &[x])
}

/// A derivative of `e^-|x| Iₙ(x)`, elementwise, for an order n from 0 to 24. At 0 it is the mean of the limits from both sides.
///
/// The sum of `Iₙ₋ₖ`, …, `Iₙ₊ₖ` that it is cancels far out. Below 40 it is taken to twice the precision; from there on the
/// expansion of `Iₙ` is differentiated term by term, in which nothing cancels.
///
/// # Constraints
/// (C1) The order is at most 24, and the number of times at most 8.
///
/// # Derivative
/// The same once more; after 8 times by the formula `(fₙ₋₁ + fₙ₊₁)/2 - sign(x) fₙ`, which cancels far out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BesselIneDerivative {
    /// The order of the Bessel function.
    pub order: u32,
    /// How often it is differentiated.
    pub times: u32,
}

/// The greatest number of times that [`BesselIneDerivative`] is computed for.
const MAX_TIMES: u32 = 8;

impl Elementwise for BesselIneDerivative {
    const NAME: &'static str = "bessel_ine_derivative";
    const ARITY: usize = 1;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        if self.order > MAX_ORDER || self.times > MAX_TIMES {
            let limits = format!("the order must be at most {MAX_ORDER} and the number of times at most {MAX_TIMES}");
            return Err(mismatch!("{limits}, but got {} and {}", self.order, self.times));
        }
        floats(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        let f = math::Ternary::BesselIneDerivative;
        match x {
            [Scalar::F64(x)] => Scalar::F64(f.f64(self.order.into(), self.times.into(), *x)),
            [Scalar::F32(x)] => Scalar::F32(f.f32(self.order as f32, self.times as f32, *x)),
            other => unreachable!("bug: operands {other:?} passed inference"),
        }
    }

    fn partial(&self, _: usize, x: &[Var], y: Var) -> Partial {
        let of = |order: u32, times: u32| apply(BesselIneDerivative { order, times }, &[x[0]]);
        if self.times < MAX_TIMES {
            return Partial::Of(of(self.order, self.times + 1));
        }
        let neighbors = of(self.order.abs_diff(1), self.times) + of(self.order + 1, self.times);
        Partial::Of(0.5 * neighbors - x[0].sign() * y)
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        let (order, times) = (f64::from(self.order), f64::from(self.times));
        let (order, times) = (i.constant_like(order, x[0]), i.constant_like(times, x[0]));
        i.math3(math::Ternary::BesselIneDerivative, order, times, x[0])
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc {
                summary: "a derivative of e^-|x| Iₙ(x)", derivative: "the next derivative", accuracy: "2 ulp"
            },
            floats: &[
                (&[0.0], 0.0),
                (&[1.0], -0.257849192243932),
                (&[-1.0], 0.257849192243932),
                (&[50.0], -0.0005685027545587929),
                (&[1e10], -1.994711402081965e-16),
                (&[INF], 0.0),
                (&[NAN], NAN),
            ],
            integers: &[],
            domain: &[(0.2, 2.0)],
            ulps: 2,
        }
    }

    fn instances() -> Vec<BesselIneDerivative> {
        [(0, 1), (1, 1), (0, 2), (2, 3)].map(|(order, times)| BesselIneDerivative { order, times }).into()
    }
}
