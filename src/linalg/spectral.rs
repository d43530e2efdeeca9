//! Functions of symmetric matrices by their eigenvalues, with derivatives that do not depend on how the eigenvalues are
//! spread.

use super::arguments::{enter, line, on_line, square};
use crate::op::matrix_products::{inverse_gaps, scaled_columns, times, times_transposed, transposed_times};
use crate::op::{Strong, Var, eigh_of, strong_product, symmetric_part};
use crate::transform::{custom_jvp, jvp};
use crate::value::DType;

/// The sum of a function of the eigenvalues of symmetric matrices, `Σ f(λ)`: the trace of `f(A)`, one number for each
/// matrix.
///
/// Takes a stack of square matrices, of which the symmetric part is meant, and an elementwise function, such as `|x|
/// x.ln()` for the log determinant of a positive definite matrix.
///
/// First and second derivatives are exact whatever the eigenvalues are, repeated or close to each other: the gradient is
/// the matrix function `f'(A)`, and its derivative is [`funm_symmetric`]'s. (What is composed of [`eigh`](super::eigh) has
/// the same gradient, but no second derivative along what splits a repeated eigenvalue.) Derivatives of order three and
/// more are exact where eigenvalues are well apart, and NaN where they are equal but for rounding. `f` is differentiated as often as the sum; a kink has the derivative
/// that it has alone.
///
/// A matrix with an element that is infinite or NaN gives NaN, and so does its gradient, even where the sum does not count:
/// as for any [`custom_jvp`], a cotangent of 0 is multiplied with it.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, grad, hvp, jit, linalg};
///
/// // Σ λ³ at the unit matrix, where all eigenvalues are equal: the gradient is 3 A², its derivative along V is 3 (A V + V A).
/// let cubes = |a: Var| linalg::spectral_sum(a, |x| x.powi(3));
/// let (one, v) = (Array2::<f64>::eye(2), array![[0.0, 1.0], [1.0, 2.0]]);
/// let slope: Array2<f64> = jit(grad(cubes)).call(&one)?;
/// assert!((slope - 3.0 * &one).iter().all(|x| x.abs() < 1e-14));
/// let bend: Array2<f64> = jit(hvp(cubes)).call(&one, &v)?;
/// assert!(bend.iter().zip(&v).all(|(x, v)| (x - 6.0 * v).abs() < 1e-13));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// No stack of square matrices of floating point; a function that captures an array of the trace, or does not keep the
/// shape.
#[track_caller]
pub fn spectral_sum(a: Var, f: impl Fn(Var) -> Var + Clone) -> Var {
    let _method = enter("spectral_sum", &[a]);
    let Some((a, _)) = square(a) else { return Var::poisoned() };
    let (value, slope) = (f.clone(), derivative(f));
    let (line, again) = (line(), line());
    let sum = move |a: Var| {
        on_line(&line, || {
            let [w, _] = eigh_of(a);
            sum_of_last(value(w), 1)
        })
    };
    let rule = move |(a,): (Var,), _: Var, (t,): (Var,)| {
        on_line(&again, || sum_of_last(strong_product(matrix_function(a, slope.clone()), t, Strong::Rhs), 2))
    };
    custom_jvp(sum, rule).call(a)
}

/// A function of symmetric matrices, `f(A) = V · diag(f(λ)) · Vᵀ`.
///
/// Takes a stack of square matrices, of which the symmetric part is meant, and an elementwise function.
///
/// The derivative is that of Daleckii and Krein (1965): `V · (L ∘ (Vᵀ · dA · V)) · Vᵀ`, where `L[i, j]` is the divided
/// difference `(f(λᵢ) - f(λⱼ)) / (λᵢ - λⱼ)`, and `f'(λᵢ)` if they are equal. (Higham 2008, "Functions of Matrices", theorem
/// 3.11.) Between eigenvalues that are close, `L` is the mean of `f'` on the way from one to the other, by Gauss's rule,
/// wherever that is the more accurate: so it is exact for repeated eigenvalues and for close ones. Further derivatives are
/// exact where eigenvalues are well apart, and NaN where they are equal but for rounding.
///
/// A matrix with an element that is infinite or NaN gives NaN.
///
/// ```
/// use ndarray::{Array2, array};
/// use retrograd::{Var, jit, linalg};
///
/// let root: Array2<f64> = jit(|a: Var| linalg::funm_symmetric(a, |x| x.sqrt())).call(array![[5.0, 4.0], [4.0, 5.0]])?;
/// assert!((root - array![[2.0, 1.0], [1.0, 2.0]]).iter().all(|x| x.abs() < 1e-15));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// As [`spectral_sum`].
#[track_caller]
pub fn funm_symmetric(a: Var, f: impl Fn(Var) -> Var + Clone) -> Var {
    let _method = enter("funm_symmetric", &[a]);
    match square(a) {
        Some((a, _)) => matrix_function(a, f),
        None => Var::poisoned(),
    }
}

#[track_caller]
fn matrix_function(a: Var, f: impl Fn(Var) -> Var + Clone) -> Var {
    let value = f.clone();
    let (line, again) = (line(), line());
    let function = move |a: Var| {
        on_line(&line, || {
            let [w, v] = eigh_of(a);
            times_transposed(scaled_columns(v, value(w), Strong::Lhs), v, Strong::Lhs)
        })
    };
    let rule = move |(a,): (Var,), _: Var, (t,): (Var,)| on_line(&again, || pushed(a, f.clone(), t));
    custom_jvp(function, rule).call(a)
}

/// The tangent of [`matrix_function`], by Daleckii and Krein.
fn pushed(a: Var, f: impl Fn(Var) -> Var + Clone, t: Var) -> Var {
    let [w, v] = eigh_of(a);
    if w.is_poisoned() {
        return w;
    }
    let t = strong_product(symmetric_part(t), ones_at_multiplicities(a, w), Strong::Lhs);
    let inner = transposed_times(v, times(t, v, Strong::Lhs), Strong::Rhs);
    let moved = strong_product(inner, divided_differences(w, f), Strong::Lhs);
    times_transposed(times(v, moved, Strong::Rhs), v, Strong::Lhs)
}

/// Ones, with a derivative by `a` that is NaN where eigenvalues are equal but for rounding: there, [`pushed`] has one by what splits
/// them, but not through the vectors of [`eigh`](super::eigh).
#[track_caller]
fn ones_at_multiplicities(a: Var, w: Var) -> Var {
    let gaps = inverse_gaps(w);
    if a.is_poisoned() || gaps.is_poisoned() {
        return Var::poisoned();
    }
    let (rank, shape) = (gaps.rank(), gaps.shape());
    let [row, column] = [0, 1].map(|axis| Var::iota(&shape[rank - 2..], axis, DType::I64));
    let is_repeated = (gaps.equal(0.0) & row.not_equal(column)).any_axes(&[rank - 2, rank - 1]);
    let factor = is_repeated.select(Var::number(f64::NAN, a.dtype()), Var::number(0.0, a.dtype()));
    let each = [&shape[..rank - 2], &[1, 1]].concat();
    let factor = factor.reshape(&each).broadcast_to(&shape).stop_gradient();
    let rule = |(_, factor): (Var, Var), _: Var, (t, _): (Var, Var)| strong_product(t, factor, Strong::Lhs);
    let zeros = custom_jvp(|a: Var, _: Var| Var::zeros(a.ty()), rule).call(a, factor);
    (zeros.sum_axes(&[rank - 2, rank - 1]) + 1.0).reshape(&each).broadcast_to(&shape)
}

/// `(f(w[i]) - f(w[j])) / (w[i] - w[j])`, and the mean of `f'` between the two where the quotient is less accurate.
///
/// The mean is that of Gauss's rule with 3 nodes. What rounding does to the quotient is estimated by the size of `f`, what
/// the rule leaves by the rule with 2 nodes.
#[track_caller]
fn divided_differences(w: Var, f: impl Fn(Var) -> Var + Clone) -> Var {
    let (row, column) = (w.insert_axis(w.rank() - 1), w.insert_axis(w.rank()));
    let values = f(w);
    let (f_row, f_column) = (values.insert_axis(w.rank() - 1), values.insert_axis(w.rank()));
    let (middle, gap) = ((row + column) * 0.5, row - column);
    let slope = derivative(f);
    let pair = |node: f64| slope(middle + gap * node) + slope(middle - gap * node);
    // Nodes and weights on [-1/2, 1/2]: ±1/(2√3) with 1/2; 0 with 4/9 and ±√(3/5)/2 with 5/18.
    let two = pair(0.288_675_134_594_812_9) * 0.5;
    let three = pair(0.387_298_334_620_741_7) * (5.0 / 18.0) + slope(middle + gap * 0.0) * (4.0 / 9.0);
    let are_equal = gap.equal(0.0);
    let safe_gap = are_equal.select(1.0, gap);
    let quotient = (f_row - f_column) / safe_gap;
    let lost = (f_row.abs() + f_column.abs()) * w.dtype().epsilon() / safe_gap.abs();
    let is_better = (two - three).abs().less_equal(lost) | are_equal;
    is_better.select(three, quotient)
}

/// The derivative of an elementwise function.
fn derivative(f: impl Fn(Var) -> Var + Clone) -> impl Fn(Var) -> Var + Clone {
    move |x: Var| {
        let f = f.clone();
        jvp(move |x: Var| f(x)).call(x, x.full_like(1.0)).1
    }
}

/// The sum over that many last axes.
#[track_caller]
fn sum_of_last(x: Var, n: usize) -> Var {
    if x.is_poisoned() {
        return x;
    }
    let rank = x.rank();
    x.sum_axes(&(rank.saturating_sub(n)..rank).collect::<Vec<_>>())
}
