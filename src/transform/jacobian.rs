use std::marker::PhantomData;

use super::function::{Accepts, call_method, each_call, fresh, poisoned, require_floats};
use super::gradient::grad_at;
use super::var_tree::leaves;
use super::{Arg, Function, VarTree, Wrt};
use crate::differentiate::{forward_is_cheaper, jacobian_blocks};
use crate::op::Var;

/// The Jacobian of a function; see [`jacobian`].
#[derive(Debug)]
pub struct Jacobian<F, Args, W = Arg<0>> {
    f: F,
    mode: Mode,
    by: PhantomData<fn(Args) -> W>,
}

/// The Hessian of a function that returns a scalar; see [`hessian`].
#[derive(Debug)]
pub struct Hessian<F, Args, W = Arg<0>> {
    f: F,
    by: PhantomData<fn(Args) -> W>,
}

/// How a Jacobian is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Whichever takes fewer passes.
    BySize,
    /// One pushforward for each element of the argument.
    Forward,
    /// One pullback for each element of the value.
    Reverse,
}

/// The Jacobian by the first argument: in place of each leaf of the value stands the structure of the argument, with
/// leaves of shape `[value's shape…, argument's shape…]`.
///
/// It takes one pullback for each element of the value, or one pushforward for each element of the argument, whichever
/// are fewer; [`Jacobian::reverse`] and [`Jacobian::forward`] choose. Those for one leaf are one pass on rows, in blocks
/// that fit into the cache, so that neither the graph nor its memory grows with their number; up to 16 on small arrays are
/// written out one after the other. A function of many scalars ([`Var`]s in a tuple, an array or a `Vec`) has as many leaves,
/// each with its own pass: what one of them does not reach is known to vanish.
///
/// ```
/// use ndarray::{Array1, Array2, array};
/// use retrograd::{Var, jacobian, jit};
///
/// let f = |x: Var, y: Var| (x * y, y.sum());
/// let (product, sum): (Array2<f64>, Array1<f64>) = jit(jacobian(f)).call(array![1.0, 2.0], array![3.0, 4.0])?;
/// assert_eq!((product, sum), (array![[3.0, 0.0], [0.0, 4.0]], array![0.0, 0.0]));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// When traced: if a leaf of the value or of the argument is not of floating point.
pub fn jacobian<F, Args>(f: F) -> Jacobian<F, Args>
where
    F: Function<Args>,
    Arg<0>: Wrt<Args>,
{
    Jacobian { f, mode: Mode::BySize, by: PhantomData }
}

/// The Hessian by the first argument, of a function that returns a scalar: the Jacobian of the gradient, forward over
/// reverse. In place of each leaf of the argument stands the structure of the argument.
///
/// ```
/// use retrograd::{Var, hessian, jit};
///
/// let f = |x: [Var; 2]| x[0] * x[0] * x[1];
/// let h: [[f64; 2]; 2] = jit(hessian(f)).call([3.0, 5.0])?;
/// assert_eq!(h, [[10.0, 6.0], [6.0, 0.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// When traced: as [`grad`](super::grad).
pub fn hessian<F, Args>(f: F) -> Hessian<F, Args>
where
    F: Function<Args, Output = Var>,
    Arg<0>: Wrt<Args>,
{
    Hessian { f, by: PhantomData }
}

impl<F, Args, W> Jacobian<F, Args, W> {
    /// The same by other arguments: `Arg::<1>`, `(Arg::<0>, Arg::<2>)`, `AllArgs`.
    pub fn wrt<V: Wrt<Args>>(self, _: V) -> Jacobian<F, Args, V> {
        Jacobian { f: self.f, mode: self.mode, by: PhantomData }
    }

    /// The same by pushforwards.
    pub fn forward(self) -> Jacobian<F, Args, W> {
        Jacobian { mode: Mode::Forward, ..self }
    }

    /// The same by pullbacks.
    pub fn reverse(self) -> Jacobian<F, Args, W> {
        Jacobian { mode: Mode::Reverse, ..self }
    }
}

impl<F: Clone, Args, W> Clone for Jacobian<F, Args, W> {
    fn clone(&self) -> Self {
        Jacobian { f: self.f.clone(), mode: self.mode, by: PhantomData }
    }
}

impl<F: Copy, Args, W> Copy for Jacobian<F, Args, W> {}

super::function::wrt_method!(Hessian);
each_call!(call_method Jacobian);
each_call!(call_method Hessian);

impl<F, Args, W> Function<Args> for Jacobian<F, Args, W>
where
    Args: VarTree,
    F: Function<Args>,
    W: Wrt<Args>,
{
    type Output = <F::Output as VarTree>::Replace<W::Selected>;

    fn apply(&self, args: Args) -> Self::Output {
        let selected = W::select(&args);
        derivative(self.mode, &selected, &self.f.apply(args))
    }
}

impl<F, Args, W> Function<Args> for Hessian<F, Args, W>
where
    Args: VarTree,
    F: Function<Args, Output = Var>,
    W: Wrt<Args>,
{
    type Output = <W::Selected as VarTree>::Replace<W::Selected>;

    fn apply(&self, args: Args) -> Self::Output {
        let selected = W::select(&args);
        derivative(Mode::Forward, &selected, &grad_at::<F, Args, W>(&self.f, args))
    }
}

/// The derivative of every output by every selected leaf, put where it belongs.
pub(super) fn derivative<S: VarTree, O: VarTree>(mode: Mode, selected: &S, output: &O) -> O::Replace<S> {
    let (x, y) = (leaves(selected), leaves(output));
    if !require_floats(&x) || !require_floats(&y) {
        return output.replace(&mut |_| poisoned(selected));
    }
    let forward = match mode {
        Mode::BySize => forward_is_cheaper(&x, &y),
        Mode::Forward => true,
        Mode::Reverse => false,
    };
    let mut blocks = jacobian_blocks(&x, &y, forward).into_iter();
    output.replace(&mut |_| selected.map(&mut |_| blocks.next().expect("bug: fewer blocks than pairs of leaves")))
}
