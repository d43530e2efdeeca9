use std::marker::PhantomData;

use super::control::Loop;
use super::function::{Accepts, call_method, each_call, fresh, poisoned, require_floats, value, zeros_like};
use super::gradient::grad_at;
use super::var_tree::leaves;
use super::{Arg, Function, VarTree, Wrt};
use crate::differentiate::{forward_is_cheaper, jacobian_blocks, pullback, pushforward};
use crate::ir::{Role, Value};
use crate::op::{Var, trace};
use crate::value::DType;

/// The most passes for one leaf that are written out.
const MAX_WRITTEN_OUT: usize = 16;

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
enum Mode {
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
/// are fewer; [`Jacobian::reverse`] and [`Jacobian::forward`] choose. Up to 16 for one leaf are written out one after the
/// other; more are a loop, whose body holds what changes from pass to pass, so that the graph does not grow with their
/// number. A function of many scalars ([`Var`]s in a tuple, an array or a `Vec`) has as many leaves, whose passes are
/// always written out: what one of them does not reach is known to vanish.
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
        let again = || {
            let args = fresh(args.clone());
            (leaves(&W::select(&args)), leaves(&self.f.apply(args)))
        };
        derivative(self.mode, &selected, &self.f.apply(args.clone()), &again)
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
        let again = || {
            let args = fresh(args.clone());
            (leaves(&W::select(&args)), leaves(&grad_at::<F, Args, W>(&self.f, args)))
        };
        derivative(Mode::Forward, &selected, &grad_at::<F, Args, W>(&self.f, args.clone()), &again)
    }
}

/// The leaves of a selection and of the value, computed once more from fresh arguments.
type Again<'a> = dyn Fn() -> (Vec<Var>, Vec<Var>) + 'a;

/// The derivative of every output by every selected leaf, put where it belongs.
fn derivative<S: VarTree, O: VarTree>(mode: Mode, selected: &S, output: &O, again: &Again<'_>) -> O::Replace<S> {
    let (x, y) = (leaves(selected), leaves(output));
    if !require_floats(&x) || !require_floats(&y) {
        return output.replace(&mut |_| poisoned(selected));
    }
    trace::demand_nodes((x.len() as u64).saturating_mul(y.len() as u64));
    let forward = match mode {
        Mode::BySize => forward_is_cheaper(&x, &y),
        Mode::Forward => true,
        Mode::Reverse => false,
    };
    let blocks = if forward { by_leaf(&x, &y, again) } else { by_output(&x, &y, again) };
    let mut blocks = blocks.into_iter();
    output.replace(&mut |_| selected.map(&mut |_| blocks.next().expect("bug: fewer blocks than pairs of leaves")))
}

/// The blocks, output by output, from pushforwards.
fn by_leaf(x: &[Var], y: &[Var], again: &Again<'_>) -> Vec<Var> {
    let mut blocks = vec![Var::poisoned(); x.len() * y.len()];
    for (k, &input) in x.iter().enumerate() {
        let columns = if is_long(input) { columns(k, input, y, again) } else { jacobian_blocks(&[input], y, true) };
        columns.into_iter().enumerate().for_each(|(j, block)| blocks[j * x.len() + k] = block);
    }
    blocks
}

/// The blocks, output by output, from pullbacks.
fn by_output(x: &[Var], y: &[Var], again: &Again<'_>) -> Vec<Var> {
    let of = |(j, &output): (usize, &Var)| {
        if is_long(output) { rows(j, output, x, again) } else { jacobian_blocks(x, &[output], false) }
    };
    y.iter().enumerate().flat_map(of).collect()
}

fn is_long(leaf: Var) -> bool {
    !trace::has_failed() && leaf.ty().size() > MAX_WRITTEN_OUT
}

/// The derivatives of all outputs by one leaf, from a loop of pushforwards.
fn columns(k: usize, input: Var, y: &[Var], again: &Again<'_>) -> Vec<Var> {
    let n = input.ty().size();
    let tangents = passes(n, y.len(), |i| {
        let (x, y) = again();
        let seed = one_hot(x[k], i, Role::Tangent);
        let tangents = pushforward(&[x[k]], &[seed], &y);
        y.iter().zip(tangents).map(|(&y, t)| t.unwrap_or_else(|| zeros_like(y, Role::Tangent))).collect()
    });
    let shaped = |(&output, t): (&Var, Var)| {
        if trace::has_failed() {
            return Var::poisoned();
        }
        let shape = [&output.shape()[..], &input.shape()[..]].concat();
        t.reshape(&[n, output.ty().size()]).t().reshape(&shape)
    };
    y.iter().zip(tangents).map(shaped).collect()
}

/// The derivatives of one output by all leaves, from a loop of pullbacks.
fn rows(j: usize, output: Var, x: &[Var], again: &Again<'_>) -> Vec<Var> {
    let cts = passes(output.ty().size(), x.len(), |i| {
        let (x, y) = again();
        let seed = one_hot(y[j], i, Role::Cotangent);
        let cts = pullback(&x, &[y[j]], &[seed]);
        x.iter().zip(cts).map(|(&x, ct)| ct.unwrap_or_else(|| zeros_like(x, Role::Cotangent))).collect()
    });
    let shaped = |(&input, ct): (&Var, Var)| {
        if trace::has_failed() {
            return Var::poisoned();
        }
        ct.reshape(&[&output.shape()[..], &input.shape()[..]].concat())
    };
    x.iter().zip(cts).map(shaped).collect()
}

/// What the passes give, side by side along a new first axis. What does not depend on the number of the pass is moved out of
/// the loop when the graph is optimized, and found to be what the value has computed already.
fn passes(n: usize, n_results: usize, pass: impl FnOnce(Var) -> Vec<Var>) -> Vec<Var> {
    let none = Vec::<Var>::new();
    let results = Loop::new().run("jacobian", n, none.clone(), none, |i, carry, _| (carry, pass(i))).1;
    if trace::has_failed() { vec![Var::poisoned(); n_results] } else { results }
}

/// 1 at the place with that number, 0 elsewhere.
fn one_hot(like: Var, place: Var, role: fn(Value) -> Role) -> Var {
    if trace::has_failed() {
        return Var::poisoned();
    }
    let ty = like.ty();
    // Floats are compared in lanes, and are exact up to this number.
    let exact = ty.dtype == DType::F64 || ty.size() <= 1 << f32::MANTISSA_DIGITS;
    let places = if exact { ty.dtype } else { DType::I64 };
    trace::in_role(role(value(like)), || {
        let is_there = Var::iota(&[ty.size()], 0, places).equal(place.convert(places));
        is_there.convert(ty.dtype).reshape(&ty.shape)
    })
}
