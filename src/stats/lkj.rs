//! The distribution of correlation matrices of Lewandowski, Kurowicka and Joe, with a concentration.
//!
//! Density det(R)^(η-1) / Z for n×n correlation matrices `R` ("Generating random correlation matrices based on vines and extended
//! onion method", 2009): uniform for η = 1, the closer to the unit matrix the larger η. A concentration that is not above 0 is
//! NaN; the density of a matrix that is not positive definite is 0. That the diagonal is 1 is not checked.
//!
//! ```
//! use ndarray::array;
//! use retrograd::{Var, jit, stats};
//!
//! // Of two dimensions, the correlation is uniform in -1..1.
//! let y: f64 = jit(|r: Var| stats::lkj::log_pdf(r, 1.0)).call(array![[1.0, 0.3], [0.3, 1.0]])?;
//! assert!((y + 2f64.ln()).abs() < 1e-15);
//! # Ok::<(), retrograd::Error>(())
//! ```

use super::support::Support;
use crate::linalg;
use crate::op::{Operand, Var, trace};
use crate::random::parameters::typed;

/// The logarithm of the density of correlation matrices, which are the last two axes; their other axes and the concentration
/// broadcast. Matrices that are not square are an error.
#[track_caller]
pub fn log_pdf(r: Var, concentration: impl Operand) -> Var {
    let name = "stats::lkj::log_pdf";
    let Some((r, eta, n)) = operands(name, r, &concentration) else { return Var::poisoned() };
    let _method = trace::method(name, &[r, eta]);
    let (log, total) = (linalg::logdet(r), r.sum_axes(&[r.rank() - 2, r.rank() - 1]));
    let y = (eta - 1.0) * log - normalizer(eta, n);
    let is_outside = log.is_nan() & !total.is_nan();
    Support::within(is_outside, eta.greater(0.0)).density(y, &[total, eta])
}

/// The logarithm of the density of the lower triangular factors `L` of correlation matrices `L Lᵀ`, by the elements below the
/// diagonal: Σᵢ (n - i + 2η - 2) ln Lᵢᵢ - ln Z for i = 2, …, n, whose exponents include the Jacobian determinant of
/// `L Lᵀ`. Shapes are as in [`log_pdf`]; a diagonal that is not above 0 has the density 0.
///
/// ```
/// use ndarray::array;
/// use retrograd::{Var, jit, stats};
///
/// let y: f64 = jit(|l: Var| stats::lkj::log_pdf_of_factor(l, 1.0)).call(array![[1.0, 0.0], [0.6, 0.8]])?;
/// assert!((y + 2f64.ln()).abs() < 1e-15);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn log_pdf_of_factor(l: Var, concentration: impl Operand) -> Var {
    let name = "stats::lkj::log_pdf_of_factor";
    let Some((l, eta, n)) = operands(name, l, &concentration) else { return Var::poisoned() };
    let _method = trace::method(name, &[l, eta]);
    let diagonal = crate::numpy::diagonal(l, 0, -2, -1);
    let logarithms = diagonal.ln();
    if logarithms.is_poisoned() {
        return logarithms;
    }
    let last = logarithms.rank() - 1;
    let log = |i: usize| logarithms.slice_axis(last, i, i + 1, 1).reshape(&logarithms.shape()[..last]);
    // Row i, counted from 1, has the exponent n - i + 2η - 2.
    let terms = (1..n).map(|k| (eta * 2.0 + (n as f64 - k as f64 - 3.0)) * log(k));
    let zero = (eta + diagonal.sum_axes(&[last])) * 0.0;
    let y = terms.fold(zero, |sum, term| sum + term) - normalizer(eta, n);
    let is_outside = diagonal.less_equal(0.0).any_axes(&[last]);
    Support::within(is_outside, eta.greater(0.0)).density(y, &[diagonal.sum_axes(&[last]), eta])
}

/// Square matrices with their extent, and the concentration; `None` after an error.
#[track_caller]
fn operands(name: &'static str, x: Var, concentration: &impl Operand) -> Option<(Var, Var, usize)> {
    let [x, eta] = typed(name, [&x, concentration])?;
    let _method = trace::method(name, &[x, eta]);
    match x.shape()[..] {
        [.., m, n] if m == n => Some((x, eta, n)),
        _ => {
            trace::fail_at(format!("takes square matrices, but got {}", x.ty()));
            None
        }
    }
}

/// ln Z = Σₖ (k/2 ln π + ln Γ(η + (n-1-k)/2) - ln Γ(η + (n-1)/2)) for k = 1, …, n-1: the integral of the density over the
/// elements below the diagonal, partial correlation by partial correlation.
#[track_caller]
fn normalizer(eta: Var, n: usize) -> Var {
    let half = |k: usize| 0.5 * k as f64;
    let whole = (1..n).map(half).sum::<f64>() * std::f64::consts::PI.ln();
    let rest = n.saturating_sub(1);
    let terms = (1..n).map(|k| (eta + half(rest - k)).lgamma());
    let sum = terms.fold(eta * 0.0 + whole, |sum, term| sum + term);
    sum - (eta + half(rest)).lgamma() * rest as f64
}
