//! Products with the Gauss-Newton matrix.

use std::marker::PhantomData;

use super::function::{fresh, poisoned, require_floats};
use super::gradient::{gradient, pull};
use super::jet::call_appended;
use super::products::{push, require_alike};
use super::var_tree::leaves;
use super::{Accepts, Append, Arg, Function, VarTree, Wrt};
use crate::op::{Var, trace};

/// The product of the generalized Gauss-Newton matrix with a vector; see [`ggnvp`].
#[derive(Debug)]
pub struct Ggnvp<F, L, Args, W = Arg<0>> {
    f: F,
    loss: L,
    by: PhantomData<fn(Args) -> W>,
}

/// `½ Σ y²` over all elements of a tree: the loss of least squares, whose Hessian is the identity; see [`ggnvp`].
///
/// ```
/// use ndarray::array;
/// use retrograd::transform::HalfSquares;
/// use retrograd::{grad, jit};
///
/// let y: ndarray::Array1<f64> = jit(grad::<_, (retrograd::Var,)>(HalfSquares)).call(array![1.0, -2.0])?;
/// assert_eq!(y, array![1.0, -2.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct HalfSquares;

/// The product of the generalized Gauss-Newton matrix with a vector, `Jᵀ H J v`, where `J` is the Jacobian of `f` and `H` the
/// Hessian of `loss` at the value of `f`: takes the arguments of `f` and a `v` of the structure of the first, and gives a
/// product of the same structure. `loss` takes the value of `f` and returns a scalar; [`HalfSquares`] is that of least
/// squares, with which the product is `Jᵀ J v`.
///
/// For a convex loss the matrix is positive semidefinite, whatever `f` is, and it is the Hessian of `loss(f(x))` where `f` is
/// linear or the residuals vanish (Schraudolph, "Fast curvature matrix-vector products for second-order gradient descent",
/// Neural Computation 14, 2002). The cost is that of a pushforward and a pullback of `f`; no matrix is built.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::transform::HalfSquares;
/// use retrograd::{Var, ggnvp, jit};
///
/// let residuals = |w: Var, x: Var, y: Var| x.dot(w) - y;
/// let product = jit(ggnvp(residuals, HalfSquares));
/// let (w, x, y) = (array![0.0, 0.0], array![[1.0, 2.0], [3.0, 4.0]], array![1.0, 1.0]);
/// let p: Array1<f64> = product.call(&w, &x, &y, array![1.0, 0.0])?;
/// assert_eq!(p, x.t().dot(&x.dot(&array![1.0, 0.0])));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// When traced: if a leaf of the argument or of the value of `f` is not of floating point, `loss` does not return a scalar of
/// floating point, or `v` is not of the structure and types of the argument.
pub fn ggnvp<F, L, Args>(f: F, loss: L) -> Ggnvp<F, L, Args>
where
    F: Function<Args>,
    L: Function<(F::Output,), Output = Var>,
    Arg<0>: Wrt<Args>,
{
    Ggnvp { f, loss, by: PhantomData }
}

impl<Y: VarTree> Function<(Y,)> for HalfSquares {
    type Output = Var;

    fn apply(&self, (y,): (Y,)) -> Var {
        let squares = leaves(&y).into_iter().map(|y| y.square().sum());
        0.5 * squares.reduce(|sum, square| sum + square).unwrap_or(Var::from(0.0))
    }
}

impl<F, L, Args, W> Ggnvp<F, L, Args, W> {
    /// The same by other arguments: `Arg::<1>`, `(Arg::<0>, Arg::<2>)`, `AllArgs`.
    pub fn wrt<V: Wrt<Args>>(self, _: V) -> Ggnvp<F, L, Args, V> {
        Ggnvp { f: self.f, loss: self.loss, by: PhantomData }
    }
}

impl<F: Clone, L: Clone, Args, W> Clone for Ggnvp<F, L, Args, W> {
    fn clone(&self) -> Self {
        Ggnvp { f: self.f.clone(), loss: self.loss.clone(), by: PhantomData }
    }
}

impl<F: Copy, L: Copy, Args, W> Copy for Ggnvp<F, L, Args, W> {}

call_appended!(Ggnvp[L], v: |Selected| Selected);

impl<F, L, Args, W> Function<<Args as Append<W::Selected>>::Output> for Ggnvp<F, L, Args, W>
where
    F: Function<Args>,
    L: Function<(<F as Function<Args>>::Output,), Output = Var>,
    Args: Append<<W as Wrt<Args>>::Selected>,
    W: Wrt<Args>,
{
    type Output = W::Selected;

    fn apply(&self, args: <Args as Append<W::Selected>>::Output) -> W::Selected {
        let (args, v) = Args::split(args);
        let (selected, line) = (W::select(&args), trace::user());
        let y = self.f.apply(args);
        if !require_alike(("ggnvp", "v", line), &selected, &v) || !require_floats(&leaves(&y)) {
            return poisoned(&selected);
        }
        let t = push(("ggnvp", "v", line), &selected, &v, &y);
        let at = fresh(y.clone());
        let value = self.loss.apply((at.clone(),));
        if !trace::has_failed() && (value.rank() != 0 || !value.dtype().is_float()) {
            let requirement =
                format!("ggnvp: the loss must return a scalar of floating point, but returns {}", value.ty());
            trace::fail_at(requirement);
        }
        let slope = gradient(&at, value);
        if trace::has_failed() {
            return poisoned(&selected);
        }
        let ct = push(("ggnvp", "v", line), &at, &t, &slope);
        pull(&selected, &leaves(&y), &leaves(&ct))
    }
}
