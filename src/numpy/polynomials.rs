//! Polynomials by their coefficients.

use super::axes::{demand_nodes, enter};
use crate::op::{Var, trace};

/// NumPy's `polyval`: the polynomial with these coefficients, that of the highest power first, at each element of `x`, by
/// Horner's method. It is differentiable by both. No coefficients give 0.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// // x² - 3
/// let y: Array1<f64> = jit(|p: Var, x: Var| np::polyval(p, x)).call(array![1.0, 0.0, -3.0], array![2.0, -1.0])?;
/// assert_eq!(y, array![1.0, -2.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Coefficients that are no vector, and two dtypes.
#[track_caller]
pub fn polyval(coefficients: Var, x: Var) -> Var {
    let _method = enter("polyval", &[coefficients, x]);
    let &[n] = coefficients.shape().extents() else {
        trace::fail_at(format!("takes a vector of coefficients, but got {}", coefficients.ty()));
        return Var::poisoned();
    };
    demand_nodes(n);
    (0..n).fold(x.full_like(0.0), |sum, k| sum * x + coefficients.index(k))
}

/// NumPy's `vander`, the matrix of Vandermonde: the powers of each element of a vector, `n` of them, from the highest down
/// to 1, or from 1 on if `increasing`.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let y: Array2<f64> = jit(|x: Var| np::vander(x, 3, true)).call(array![2.0, 3.0])?;
/// assert_eq!(y, array![[1.0, 2.0, 4.0], [1.0, 3.0, 9.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// An array that is no vector, and `bool`.
#[track_caller]
pub fn vander(x: Var, n: usize, increasing: bool) -> Var {
    let _method = enter("vander", &[x]);
    if x.rank() != 1 {
        trace::fail_at(format!("takes a vector, but got {}", x.ty()));
        return Var::poisoned();
    }
    if n == 0 {
        return x.insert_axis(1).slice(1, ..0);
    }
    demand_nodes(n);
    let mut powers = vec![x.full_like(1.0)];
    for k in 1..n {
        powers.push(powers[k - 1] * x);
    }
    if !increasing {
        powers.reverse();
    }
    Var::stack(&powers, 1)
}
