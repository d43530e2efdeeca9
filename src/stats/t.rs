//! Student's t distribution, with degrees of freedom, a location and a scale.
//!
//! Density (1 + z²/df)^(-(df + 1)/2) / (scale √df B(df/2, 1/2)) with z = (x - loc)/scale. Degrees of freedom and a
//! scale that are not above 0 are NaN.
//!
//! ```
//! use retrograd::{Var, jit, stats};
//!
//! let p: f64 = jit(|x: Var| stats::t::cdf(x, 2.0, 0.0, 1.0)).call(1.0)?;
//! assert!((p - (0.5 + 0.5 / 3f64.sqrt())).abs() < 1e-14);
//! # Ok::<(), retrograd::Error>(())
//! ```

use super::support::{Support, valid};
use crate::op::{BetaincGradA, Operand, Var, trace};
use crate::random;
use crate::random::parameters::{given, on_line, typed};
use crate::transform::custom_jvp;
use crate::value::{Shape, Type};

/// The logarithm of the density.
#[track_caller]
pub fn log_pdf(x: impl Operand, df: impl Operand, loc: impl Operand, scale: impl Operand) -> Var {
    let name = "stats::t::log_pdf";
    let Some([x, df, loc, scale]) = typed(name, [&x, &df, &loc, &scale]) else { return Var::poisoned() };
    let _method = trace::method(name, &[x, df, loc, scale]);
    let y = log_density(df, (x - loc) / scale) - scale.ln();
    Support::everywhere(df.greater(0.0) & scale.greater(0.0)).density(y, &[x, df, loc, scale])
}

/// P(X ≤ x). It is differentiable once by the degrees of freedom, and to any order by the others.
#[track_caller]
pub fn cdf(x: impl Operand, df: impl Operand, loc: impl Operand, scale: impl Operand) -> Var {
    let name = "stats::t::cdf";
    let Some([x, df, loc, scale]) = typed(name, [&x, &df, &loc, &scale]) else { return Var::poisoned() };
    let _method = trace::method(name, &[x, df, loc, scale]);
    let support = Support::everywhere(df.greater(0.0) & scale.greater(0.0));
    let z = (x - loc) / scale;
    let y = on_line(|| custom_jvp(cdf_of, cdf_along).call(df, z));
    support.probability(y, &[x, df, loc, scale])
}

/// Numbers of the distribution, of that shape, to which the parameters broadcast. They are differentiable by them,
/// once by the degrees of freedom.
#[track_caller]
pub fn sample(key: Var, df: impl Operand, loc: impl Operand, scale: impl Operand, shape: impl Into<Shape>) -> Var {
    let (name, shape) = ("stats::t::sample", shape.into());
    let Some([df, loc, scale]) = given(name, key, [&df, &loc, &scale], &shape) else { return Var::poisoned() };
    let [for_normal, for_gamma] = random::keys(key);
    let half = df * 0.5;
    let z = random::normal(for_normal, Type::new(df.dtype(), shape.clone()));
    let gamma = random::gamma(for_gamma, half, shape);
    loc + valid(scale.greater(0.0), scale) * (z * (half / gamma).sqrt())
}

/// The logarithm of the density with scale 1.
#[track_caller]
fn log_density(df: Var, z: Var) -> Var {
    -(df * 0.5).lbeta(0.5) - df.ln() * 0.5 - (df + 1.0) * 0.5 * (z.square() / df).ln_1p()
}

/// Half of I(df/2, 1/2, df/(df + z²)), which is the probability beyond |z|, or the rest.
fn cdf_of(df: Var, z: Var) -> Var {
    let tail = (df * 0.5).betainc(0.5, df / (df + z.square())) * 0.5;
    z.less(0.0).select(tail, 1.0 - tail)
}

/// The derivative by z is the density; as a derivative of the incomplete beta function it would be 0 · ∞ at 0. By df its
/// last argument changes as z does by -z/(2 df), and its first one by 1/2.
fn cdf_along((df, z): (Var, Var), _: Var, (t_df, t_z): (Var, Var)) -> Var {
    let x = df / (df + z.square());
    let by_a = trace::apply(BetaincGradA, &[(df * 0.5).broadcast_to(&x.shape()), x.full_like(0.5), x]);
    log_density(df, z).exp() * (t_z - z / (df * 2.0) * t_df) - z.sign() * by_a * 0.25 * t_df
}
