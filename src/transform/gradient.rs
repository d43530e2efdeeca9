use std::marker::PhantomData;

use super::function::{
    Accepts, call_method, each_call, fresh, line_of, name_of, poisoned, require_floats, value, wrt_method, zeros_like,
};
use super::var_tree::leaves;
use super::{Arg, Function, VarTree, Wrt};
use crate::differentiate::pullback;
use crate::error::DerivativeError;
use crate::ir::Role;
use crate::op::Var;
use crate::op::trace;

/// The gradient of a function that returns a scalar; see [`grad`].
#[derive(Debug)]
pub struct Grad<F, Args, W = Arg<0>> {
    f: F,
    by: PhantomData<fn(Args) -> W>,
}

/// The value and the gradient of a function that returns a scalar; see [`value_and_grad`].
#[derive(Debug)]
pub struct ValueAndGrad<F, Args, W = Arg<0>> {
    f: F,
    by: PhantomData<fn(Args) -> W>,
}

/// The gradient of the sum of what a function returns; see [`elementwise_grad`].
#[derive(Debug)]
pub struct ElementwiseGrad<F, Args, W = Arg<0>> {
    f: F,
    by: PhantomData<fn(Args) -> W>,
}

/// The gradient of a function that returns a scalar and more; see [`grad_with_aux`].
#[derive(Debug)]
pub struct GradWithAux<F, Args, W = Arg<0>> {
    f: F,
    by: PhantomData<fn(Args) -> W>,
}

/// The value and the gradient of a function that returns a scalar and more; see [`value_and_grad_with_aux`].
#[derive(Debug)]
pub struct ValueAndGradWithAux<F, Args, W = Arg<0>> {
    f: F,
    by: PhantomData<fn(Args) -> W>,
}

/// The gradient of a function that returns a scalar, by its first argument.
///
/// It has the structure of that argument; leaves on which the value does not depend get zeros.
///
/// ```
/// use retrograd::{AllArgs, Var, grad, jit};
///
/// let f = |x: Var, y: Var| x * x * y;
/// let by_x: f64 = jit(grad(f)).call(3.0, 2.0)?;
/// let by_both: (f64, f64) = jit(grad(f).wrt(AllArgs)).call(3.0, 2.0)?;
/// let second: f64 = jit(grad(grad(f))).call(3.0, 2.0)?;
/// assert_eq!((by_x, by_both, second), (12.0, (12.0, 9.0), 4.0));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// When traced: if the value is not a scalar of floating point, or a leaf of the argument is not of floating point.
pub fn grad<F, Args>(f: F) -> Grad<F, Args>
where
    F: Function<Args, Output = Var>,
    Arg<0>: Wrt<Args>,
{
    Grad { f, by: PhantomData }
}

/// The value of a function that returns a scalar, and its gradient by the first argument, as a pair.
///
/// ```
/// use retrograd::{Var, jit, value_and_grad};
///
/// let loss = |w: Vec<Var>| w[0] * w[0] + 3.0 * w[1];
/// let (value, gradient): (f64, Vec<f64>) = jit(value_and_grad(loss)).call(vec![2.0, 1.0])?;
/// assert_eq!((value, gradient), (7.0, vec![4.0, 3.0]));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// As [`grad`].
pub fn value_and_grad<F, Args>(f: F) -> ValueAndGrad<F, Args>
where
    F: Function<Args, Output = Var>,
    Arg<0>: Wrt<Args>,
{
    ValueAndGrad { f, by: PhantomData }
}

/// The derivative of each element of a function's value by the same element of its first argument: the gradient of the
/// value's sum, which is that derivative where no element depends on another.
///
/// ```
/// use ndarray::array;
/// use retrograd::{Var, elementwise_grad, jit};
///
/// let slope: ndarray::Array1<f64> = jit(elementwise_grad(|x: Var| x * x)).call(array![1.0, 2.0, 3.0])?;
/// assert_eq!(slope, array![2.0, 4.0, 6.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// When traced: if the value or a leaf of the argument is not of floating point.
pub fn elementwise_grad<F, Args>(f: F) -> ElementwiseGrad<F, Args>
where
    F: Function<Args, Output = Var>,
    Arg<0>: Wrt<Args>,
{
    ElementwiseGrad { f, by: PhantomData }
}

/// The gradient of the first of two results, by the first argument, and the second result as it is: what else is computed
/// on the way, of any structure and dtypes.
///
/// ```
/// use retrograd::{Var, grad_with_aux, jit};
///
/// let f = |w: Var, x: Var| {
///     let error = w * x - 1.0;
///     (error * error, error)
/// };
/// let (slope, error): (f64, f64) = jit(grad_with_aux(f)).call(2.0, 3.0)?;
/// assert_eq!((slope, error), (30.0, 5.0));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// As [`grad`].
pub fn grad_with_aux<F, Args, A>(f: F) -> GradWithAux<F, Args>
where
    F: Function<Args, Output = (Var, A)>,
    A: VarTree,
    Arg<0>: Wrt<Args>,
{
    GradWithAux { f, by: PhantomData }
}

/// Both results of a function, as a pair, and the gradient of the first by the first argument: `((value, aux), gradient)`.
/// The second result may be of any structure and dtypes.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, value_and_grad_with_aux};
///
/// let loss = |w: Var, x: Var| {
///     let y = (w * x).tanh();
///     ((y - 1.0).square().sum(), (y, y.argmax(0)))
/// };
/// let step = jit(value_and_grad_with_aux(loss));
/// let ((value, (y, best)), slope): ((f64, (Array1<f64>, i64)), f64) = step.call(0.0, array![1.0, 2.0])?;
/// assert_eq!((value, y, best, slope), (2.0, array![0.0, 0.0], 0, -6.0));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// As [`grad`].
pub fn value_and_grad_with_aux<F, Args, A>(f: F) -> ValueAndGradWithAux<F, Args>
where
    F: Function<Args, Output = (Var, A)>,
    A: VarTree,
    Arg<0>: Wrt<Args>,
{
    ValueAndGradWithAux { f, by: PhantomData }
}

impl<F, Args, W, A> Function<Args> for GradWithAux<F, Args, W>
where
    F: Function<Args, Output = (Var, A)>,
    A: VarTree,
    W: Wrt<Args>,
{
    type Output = (W::Selected, A);

    fn apply(&self, args: Args) -> (W::Selected, A) {
        let selected = W::select(&args);
        let (y, aux) = self.f.apply(args);
        require_scalar(y);
        (gradient(&selected, y), aux)
    }
}

impl<F, Args, W, A> Function<Args> for ValueAndGradWithAux<F, Args, W>
where
    F: Function<Args, Output = (Var, A)>,
    A: VarTree,
    W: Wrt<Args>,
{
    type Output = ((Var, A), W::Selected);

    fn apply(&self, args: Args) -> ((Var, A), W::Selected) {
        let selected = W::select(&args);
        let (y, aux) = self.f.apply(args);
        require_scalar(y);
        ((y, aux), gradient(&selected, y))
    }
}

impl<F, Args, W> Function<Args> for Grad<F, Args, W>
where
    F: Function<Args, Output = Var>,
    W: Wrt<Args>,
{
    type Output = W::Selected;

    fn apply(&self, args: Args) -> W::Selected {
        grad_at::<F, Args, W>(&self.f, args)
    }
}

impl<F, Args, W> Function<Args> for ValueAndGrad<F, Args, W>
where
    F: Function<Args, Output = Var>,
    W: Wrt<Args>,
{
    type Output = (Var, W::Selected);

    fn apply(&self, args: Args) -> (Var, W::Selected) {
        let selected = W::select(&args);
        let y = self.f.apply(args);
        require_scalar(y);
        (y, gradient(&selected, y))
    }
}

impl<F, Args, W> Function<Args> for ElementwiseGrad<F, Args, W>
where
    F: Function<Args, Output = Var>,
    W: Wrt<Args>,
{
    type Output = W::Selected;

    fn apply(&self, args: Args) -> W::Selected {
        let selected = W::select(&args);
        gradient(&selected, self.f.apply(args))
    }
}

each_call!(call_method Grad);
each_call!(call_method ValueAndGrad);
each_call!(call_method ElementwiseGrad);
each_call!(call_method GradWithAux);
each_call!(call_method ValueAndGradWithAux);
wrt_method!(Grad, ValueAndGrad, ElementwiseGrad, GradWithAux, ValueAndGradWithAux);

fn require_scalar(y: Var) {
    let ty = y.ty();
    if !trace::has_failed() && ty.rank() != 0 {
        trace::fail(DerivativeError::NotScalar { name: name_of(y), ty, at: Some(line_of(y)) });
    }
}

/// The gradient of `f` at these arguments.
pub(super) fn grad_at<F, Args, W>(f: &F, args: Args) -> W::Selected
where
    F: Function<Args, Output = Var>,
    W: Wrt<Args>,
{
    let selected = W::select(&args);
    let y = f.apply(args);
    require_scalar(y);
    gradient(&selected, y)
}

/// The gradient of the sum of `y`.
pub(super) fn gradient<T: VarTree>(selected: &T, y: Var) -> T {
    if !require_floats(&leaves(selected)) || !require_floats(&[y]) {
        return poisoned(selected);
    }
    let ct = trace::in_role(Role::Cotangent(value(y)), || y.full_like(1.0));
    pull(selected, &[y], &[ct])
}

/// The cotangents of the selected leaves, given those of the outputs.
pub(super) fn pull<T: VarTree>(selected: &T, outputs: &[Var], cts: &[Var]) -> T {
    let inputs = leaves(selected);
    let mut results = pullback(&inputs, outputs, cts).into_iter();
    if trace::has_failed() {
        return poisoned(selected);
    }
    selected.map(&mut |x| {
        let ct = results.next().expect("bug: fewer cotangents than inputs");
        ct.unwrap_or_else(|| zeros_like(x, Role::Cotangent))
    })
}
