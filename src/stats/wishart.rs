//! The Wishart distribution of symmetric positive definite matrices, with degrees of freedom and a scale matrix.
//!
//! Density |X|^((df-n-1)/2) exp(-½ tr(V⁻¹ X)) / (2^(df n/2) |V|^(df/2) Γₙ(df/2)) for n×n matrices, of which the symmetric part
//! counts. Degrees of freedom that are not above n - 1 and a scale that is not positive definite are NaN; the density of a
//! matrix that is not positive definite is 0.
//!
//! ```
//! use ndarray::array;
//! use retrograd::{Var, jit, stats};
//!
//! let f = |x: Var, v: Var| stats::wishart::log_pdf(x, 3.5, v);
//! let y: f64 = jit(f).call(array![[2.0, 0.3], [0.3, 1.0]], array![[1.0, 0.2], [0.2, 0.5]])?;
//! assert!((y - -3.338484186173897).abs() < 1e-14);
//! # Ok::<(), retrograd::Error>(())
//! ```

use std::f64::consts::LN_2;

use super::support::Support;
use crate::linalg;
use crate::op::{Operand, Var, trace};
use crate::random::parameters::typed;

/// The logarithm of the density of matrices, which are the last two axes; their other axes, those of the scale, and the
/// degrees of freedom broadcast. Matrices that are not square, or of two extents, are an error.
#[track_caller]
pub fn log_pdf(x: Var, df: impl Operand, scale: Var) -> Var {
    let name = "stats::wishart::log_pdf";
    let Some([x, df, scale]) = typed(name, [&x, &df, &scale]) else { return Var::poisoned() };
    let _method = trace::method(name, &[x, df, scale]);
    let (of_x, of_scale) = (x.shape(), scale.shape());
    let ([.., m, n], [.., p, q]) = (&of_x[..], &of_scale[..]) else {
        trace::fail_at(format!("takes matrices, but got {} and {}", x.ty(), scale.ty()));
        return Var::poisoned();
    };
    if m != n || p != q || n != p {
        trace::fail_at(format!("takes square matrices of one extent, but got {} and {}", x.ty(), scale.ty()));
        return Var::poisoned();
    }
    let (n, dimension) = (*n, *n as f64);
    let (of_x, factor) = (linalg::logdet(x), linalg::cho_factor(scale));
    let ratio = factor.solve(x);
    if ratio.is_poisoned() {
        return ratio;
    }
    let rank = ratio.rank();
    let trace_of_ratio = crate::numpy::diagonal(ratio, 0, -2, -1).sum_axes(&[rank - 2]);
    // Of matrices of extent 0 there is one.
    let multivariate_gamma = if n == 0 { df * 0.0 } else { (df * 0.5).multigammaln(n) };
    let normalizer = df * (0.5 * dimension * LN_2) + df * 0.5 * factor.logdet() + multivariate_gamma;
    let y = (df - (dimension + 1.0)) * 0.5 * of_x - trace_of_ratio * 0.5 - normalizer;
    // Of an indefinite matrix there is no logarithm, though it has no NaN.
    let is_outside = of_x.is_nan() & !trace_of_ratio.is_nan();
    let is_valid = df.greater(dimension - 1.0) & !factor.logdet().is_nan();
    Support::within(is_outside, is_valid).density(y, &[trace_of_ratio, df, factor.logdet()])
}
