//! The regularized incomplete gamma and beta functions, elementwise: those of `math`.
//!
//! By the argument they are differentiable to any order, through their densities. By the parameters they are
//! differentiable once; a second derivative by a parameter ends in an error.
//!
//! ```
//! use retrograd::{Var, grad, jit};
//!
//! // The distribution function of the exponential distribution is the case a = 1.
//! let p: f64 = jit(|a: Var, x: Var| a.igamma(x)).call(1.0, 2.0)?;
//! assert!((p - (1.0 - (-2f64).exp())).abs() < 1e-15);
//! let by_a: f64 = jit(grad(|a: Var| a.igamma(2.0))).call(1.0)?;
//! assert!(by_a < 0.0);
//! let twice = jit(grad(grad(|a: Var| a.igamma(2.0)))).call::<f64>(1.0);
//! assert!(twice.unwrap_err().to_string().contains("igamma_grad_a"));
//! # Ok::<(), retrograd::Error>(())
//! ```

use serde::{Deserialize, Serialize};

use super::evaluate::eval_math2;
use super::gamma::digamma_difference;
use super::instructions::Instructions;
use super::log_sums::{elementary2, quotient};
use super::rules::{Doc, Elementwise, Facts, Partial, floats};
use super::trace::{self, apply};
use super::var::{apply_pair, apply_triple};
use super::{Operand, Var};
use crate::ir::Mismatch;
use crate::math;
use crate::value::{DType, Scalar};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

elementary2! {
    /// For positive `x` and `y >= 0`; at `x = 0` it is the limit.
    ///
    /// # Derivative
    /// By `y` the density [`GammaDensity`], and by `x` [`IgammaGradA`], which cannot be differentiated by `x` again.
    Igamma, "igamma", igamma, alias "gammainc", "P(x, y) = ∫₀ʸ tˣ⁻¹ e⁻ᵗ dt / Γ(x), the regularized lower incomplete gamma function",
    "igamma_grad_a, gamma_density", |a, x, _| apply(IgammaGradA, &[a, x]), apply(GammaDensity, &[a, x]),
    &[(0.5, 3.0), (0.5, 4.0)], "16 ulp for parameters up to 10⁶", 16,
    &[(&[1.0, 1.0], 0.6321205588285577), (&[2.0, 0.5], 0.09020401043104986), (&[0.5, 3.0], 0.9856941215645704),
      (&[10.0, 20.0], 0.9950045876916924), (&[1000.0, 1000.0], 0.5042052441802155),
      (&[1.0, 9.094947017729282e-13], 9.094947017725146e-13), (&[1.0, 0.0], 0.0), (&[1.0, INF], 1.0), (&[0.0, 1.0], 1.0),
      (&[0.0, 0.0], NAN), (&[INF, 1.0], 0.0), (&[INF, INF], NAN), (&[-1.0, 1.0], NAN), (&[1.0, -1.0], NAN),
      (&[NAN, 1.0], NAN), (&[1.0, NAN], NAN)]
}
elementary2! {
    /// For positive `x` and `y >= 0`; at `x = 0` it is the limit.
    ///
    /// # Derivative
    /// By `y` minus the density [`GammaDensity`], and by `x` minus [`IgammaGradA`], which cannot be differentiated by `x`
    /// again.
    Igammac, "igammac", igammac, alias "gammaincc", "Q(x, y) = 1 - P(x, y), the regularized upper incomplete gamma function",
    "-igamma_grad_a, -gamma_density", |a, x, _| -apply(IgammaGradA, &[a, x]), -apply(GammaDensity, &[a, x]),
    &[(0.5, 3.0), (0.5, 4.0)], "16 ulp for parameters up to 10⁶", 16,
    &[(&[1.0, 1.0], 0.36787944117144233), (&[2.0, 0.5], 0.9097959895689501), (&[0.5, 3.0], 0.01430587843542964),
      (&[10.0, 20.0], 0.004995412308307587), (&[1000.0, 1000.0], 0.4957947558197845), (&[1.0, 600.0], 2.6503965530043108e-261),
      (&[9.5367431640625e-7, 0.5], 5.338419671675147e-7), (&[1.0, 0.0], 1.0), (&[1.0, INF], 0.0), (&[0.0, 1.0], 0.0),
      (&[INF, 1.0], 1.0), (&[-1.0, 1.0], NAN), (&[1.0, -1.0], NAN), (&[NAN, 1.0], NAN)]
}
elementary2! {
    /// It is the derivative of [`Igamma`] by its second operand.
    GammaDensity, "gamma_density", gamma_density, "yˣ⁻¹ e⁻ʸ / Γ(x), the density of the gamma distribution of shape x",
    "z (ln y - ψ(x)), z ((x - 1)/y - 1)",
    |a, x, z| z.xlogy(x) - z * a.digamma(), z * (quotient(a - 1.0, x) - 1.0),
    &[(0.5, 3.0), (0.5, 4.0)], "4 ulp for parameters up to 10⁶", 4,
    &[(&[1.0, 1.0], 0.36787944117144233), (&[2.0, 0.5], 0.3032653298563167), (&[0.5, 3.0], 0.016217391109880488),
      (&[10.0, 20.0], 0.0029081532591725685), (&[1000.0, 1000.0], 0.012614611348721499), (&[1.0, 0.0], 1.0),
      (&[2.0, 0.0], 0.0), (&[0.5, 0.0], INF), (&[1.0, INF], 0.0), (&[-1.0, 1.0], NAN), (&[1.0, -1.0], NAN),
      (&[NAN, 1.0], NAN)]
}

/// The derivative of [`Igamma`] by its first operand, elementwise: the expansions differentiated term by term, as by Moore,
/// *Algorithm AS 187*, Appl. Statist. 31 (1982).
///
/// # Derivative
/// By the second operand it is that of the density by the first. By the first operand there is none: to ask for it is
/// an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IgammaGradA;

impl Elementwise for IgammaGradA {
    const NAME: &'static str = "igamma_grad_a";
    const ARITY: usize = 2;

    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
        floats(operands)
    }

    fn eval(&self, x: &[Scalar]) -> Scalar {
        eval_math2(math::Binary::IgammaGradA, x)
    }

    fn partial(&self, slot: usize, x: &[Var], _: Var) -> Partial {
        if slot == 0 {
            return ends(Self::NAME, "first");
        }
        let density = apply(GammaDensity, x);
        Partial::Of(density.xlogy(x[1]) - density * x[0].digamma())
    }

    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        i.math2(math::Binary::IgammaGradA, x[0], x[1])
    }

    fn facts() -> Facts {
        Facts {
            doc: Doc {
                summary: "the derivative of igamma by its first operand",
                derivative: "an error by the first operand; z (ln y - ψ(x)) with z = gamma_density",
                accuracy: "64 ulp for parameters up to 10⁶",
            },
            floats: &[
                (&[1.0, 1.0], -0.4317297106348987),
                (&[2.0, 0.5], -0.1510342369091705),
                (&[0.5, 3.0], -0.04724032644797375),
                (&[10.0, 20.0], -0.004098523101719286),
                (&[1000.0, 1000.0], -0.012616713994069625),
                (&[1.0, 0.0], 0.0),
                (&[1.0, INF], 0.0),
                (&[0.0, 1.0], NAN),
                (&[1.0, -1.0], NAN),
                (&[NAN, 1.0], NAN),
            ],
            integers: &[],
            domain: &[(0.5, 3.0), (0.5, 4.0)],
            ulps: 16,
        }
    }

    fn instances() -> Vec<IgammaGradA> {
        vec![IgammaGradA]
    }
}

/// Records that a derivative of a derivative by a parameter is not known.
fn ends(name: &'static str, operand: &'static str) -> Partial {
    let reason = "a regularized incomplete function can be differentiated only once by its parameters";
    trace::fail_no_rule(name, operand, reason);
    Partial::Zero
}

/// A function of three variables from `math`, where it has the same name, computed element by element.
macro_rules! elementary3 {
    (
        $(#[$doc:meta])*
        $op:ident, $name:literal, $summary:literal,
        $derivative:literal, |$slot:pat_param, $a:pat_param, $b:pat_param, $x:pat_param, $y:pat_param| $partial:expr,
        $accuracy:literal, $ulps:literal,
        $floats:expr
    ) => {
        #[doc = concat!("`", $summary, "`, elementwise.")]
        ///
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub struct $op;

        impl Elementwise for $op {
            const NAME: &'static str = $name;
            const ARITY: usize = 3;

            fn result(&self, operands: &[DType]) -> Result<DType, Mismatch> {
                floats(operands)
            }

            fn eval(&self, x: &[Scalar]) -> Scalar {
                match x {
                    [Scalar::F64(a), Scalar::F64(b), Scalar::F64(x)] => Scalar::F64(math::Ternary::$op.f64(*a, *b, *x)),
                    [Scalar::F32(a), Scalar::F32(b), Scalar::F32(x)] => Scalar::F32(math::Ternary::$op.f32(*a, *b, *x)),
                    other => unreachable!("bug: operands {other:?} passed inference"),
                }
            }

            fn partial(&self, slot: usize, x: &[Var], y: Var) -> Partial {
                let ($slot, $a, $b, $x, $y) = (slot, x[0], x[1], x[2], y);
                $partial
            }

            fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
                i.math3(math::Ternary::$op, x[0], x[1], x[2])
            }

            fn facts() -> Facts {
                Facts {
                    doc: Doc { summary: $summary, derivative: $derivative, accuracy: $accuracy },
                    floats: $floats,
                    integers: &[],
                    domain: &[(0.5, 3.0), (0.5, 4.0), (0.2, 0.8)],
                    ulps: $ulps,
                }
            }

            fn instances() -> Vec<$op> {
                vec![$op]
            }
        }
    };
}

elementary3! {
    /// The operands are the parameters a and b, which are positive, and x in [0, 1].
    ///
    /// # Derivative
    /// By `x` the density [`BetaDensity`], and by the parameters [`BetaincGradA`] and [`BetaincGradB`], which cannot be
    /// differentiated by a parameter again.
    Betainc, "betainc", "I(a, b, x) = ∫₀ˣ tᵃ⁻¹ (1 - t)ᵇ⁻¹ dt / B(a, b), the regularized incomplete beta function",
    "betainc_grad_a, betainc_grad_b, beta_density", |slot, a, b, x, _| Partial::Of(match slot {
        0 => apply(BetaincGradA, &[a, b, x]),
        1 => apply(BetaincGradB, &[a, b, x]),
        _ => apply(BetaDensity, &[a, b, x]),
    }),
    "a relative error of 2⁻⁴² for parameters up to 10⁴; NaN where 20,000 terms of a fraction are not enough", 16,
    &[(&[1.0, 1.0, 0.25], 0.25), (&[2.0, 3.0, 0.5], 0.6875), (&[0.5, 0.5, 0.125], 0.23005345616261588),
      (&[10.0, 2.0, 0.75], 0.1970973014831543), (&[100.0, 200.0, 0.5], 0.9999999973534454), (&[2.0, 3.0, 0.0], 0.0),
      (&[2.0, 3.0, 1.0], 1.0), (&[0.0, 1.0, 0.5], 1.0), (&[1.0, 0.0, 0.5], 0.0), (&[0.0, 0.0, 0.5], NAN),
      (&[-1.0, 1.0, 0.5], NAN), (&[1.0, 1.0, 1.5], NAN), (&[NAN, 1.0, 0.5], NAN), (&[1.0, 1.0, NAN], NAN)]
}
elementary3! {
    /// It is the derivative of [`Betainc`] by its last operand.
    BetaDensity, "beta_density", "xᵃ⁻¹ (1 - x)ᵇ⁻¹ / B(a, b), the density of the beta distribution",
    "y (ln x - ψ(a) + ψ(a + b)), y (ln(1 - x) - ψ(b) + ψ(a + b)), y ((a - 1)/x - (b - 1)/(1 - x))",
    |slot, a, b, x, y| Partial::Of(match slot {
        0 => density_by_a(a, b, x, y),
        1 => density_by_b(a, b, x, y),
        _ => y * (quotient(a - 1.0, x) - quotient(b - 1.0, 1.0 - x)),
    }),
    "8 ulp for parameters up to 10⁴", 8,
    &[(&[1.0, 1.0, 0.25], 1.0), (&[2.0, 3.0, 0.5], 1.5), (&[0.5, 0.5, 0.125], 0.9624786270806683),
      (&[10.0, 2.0, 0.75], 2.064828872680664), (&[100.0, 200.0, 0.5], 5.443532022759288e-7), (&[1.0, 3.0, 0.0], 3.0),
      (&[2.0, 3.0, 0.0], 0.0), (&[2.0, 0.5, 1.0], INF), (&[0.0, 1.0, 0.5], NAN), (&[1.0, 1.0, 1.5], NAN),
      (&[NAN, 1.0, 0.5], NAN)]
}
elementary3! {
    /// The continued fraction is differentiated, as by Boik and Robison-Cox, *Derivatives of the incomplete beta function*,
    /// J. Stat. Softw. 3 (1998).
    ///
    /// # Derivative
    /// By x it is that of the density by a. By the parameters there is none: to ask for it is an error.
    BetaincGradA, "betainc_grad_a", "the derivative of betainc by its first operand",
    "an error by a and b; y (ln x - ψ(a) + ψ(a + b)) with y = beta_density",
    |slot, a, b, x, _| match slot {
        0 => ends(Self::NAME, "first"),
        1 => ends(Self::NAME, "second"),
        _ => Partial::Of(density_by_a(a, b, x, apply(BetaDensity, &[a, b, x]))),
    },
    "a relative error of 2⁻³⁶ for parameters up to 10⁴", 64,
    &[(&[1.0, 1.0, 0.25], -0.34657359027997264), (&[2.0, 3.0, 0.5], -0.1952886866349624),
      (&[0.5, 0.5, 0.125], -0.6128566754296447), (&[10.0, 2.0, 0.75], -0.042622981487959136), (&[2.0, 3.0, 0.0], 0.0),
      (&[2.0, 3.0, 1.0], 0.0), (&[0.0, 1.0, 0.5], NAN), (&[NAN, 1.0, 0.5], NAN)]
}
elementary3! {
    /// The continued fraction is differentiated, as by Boik and Robison-Cox, *Derivatives of the incomplete beta function*,
    /// J. Stat. Softw. 3 (1998).
    ///
    /// # Derivative
    /// By x it is that of the density by b. By the parameters there is none: to ask for it is an error.
    BetaincGradB, "betainc_grad_b", "the derivative of betainc by its second operand",
    "an error by a and b; y (ln(1 - x) - ψ(b) + ψ(a + b)) with y = beta_density",
    |slot, a, b, x, _| match slot {
        0 => ends(Self::NAME, "first"),
        1 => ends(Self::NAME, "second"),
        _ => Partial::Of(density_by_b(a, b, x, apply(BetaDensity, &[a, b, x]))),
    },
    "a relative error of 2⁻³⁶ for parameters up to 10⁴", 64,
    &[(&[1.0, 1.0, 0.25], 0.2157615543388357), (&[2.0, 3.0, 0.5], 0.1541084939249829),
      (&[0.5, 0.5, 0.125], 0.30877374888010656), (&[10.0, 2.0, 0.75], 0.17590951431277502), (&[2.0, 3.0, 0.0], 0.0),
      (&[2.0, 3.0, 1.0], 0.0), (&[0.0, 1.0, 0.5], NAN), (&[NAN, 1.0, 0.5], NAN)]
}

/// The derivative of the beta density `y` by its first parameter.
fn density_by_a(a: Var, b: Var, x: Var, y: Var) -> Var {
    y.xlogy(x) - y * digamma_difference(a, b)
}

/// The derivative of the beta density `y` by its second parameter.
fn density_by_b(a: Var, b: Var, x: Var, y: Var) -> Var {
    y.xlog1py(-x) - y * digamma_difference(b, a)
}

impl Var {
    /// The regularized incomplete beta function of the parameters `self` and `b` at `x`, elementwise with broadcasting;
    /// see [`Betainc`].
    ///
    /// Takes three operands of one floating-point dtype, or numbers beside `self`. Other dtypes, and shapes that do not
    /// broadcast, are an error. By `x` it is differentiable to any order; by the parameters once, and a second
    /// derivative by them is an error.
    ///
    /// ```
    /// use retrograd::{Var, jit};
    ///
    /// let y: f64 = jit(|a: Var| a.betainc(1.0, 0.25)).call(2.0)?;
    /// assert!((y - 0.0625).abs() < 1e-15); // x²
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn betainc(self, b: impl Operand, x: impl Operand) -> Var {
        apply_triple(Betainc, self, b.var(self), x.var(self))
    }
}
