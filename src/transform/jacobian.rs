use std::marker::PhantomData;

use super::function::{call_method, fresh, poisoned, require_floats, value};
use super::gradient::grad_at;
use super::var_tree::leaves;
use super::{Arg, Function, VarTree, Wrt};
use crate::differentiate::{pullback, pushforward};
use crate::ir::Role;
use crate::op::Var;
use crate::op::trace;
use crate::value::{Array, DType, Scalar, Shape, each_tuple};

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
/// are fewer; [`Jacobian::reverse`] and [`Jacobian::forward`] choose. These are written out one after the other, so
/// the graph grows with their number.
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
each_tuple!(call_method Jacobian);
each_tuple!(call_method Hessian);

impl<F, Args, W> Function<Args> for Jacobian<F, Args, W>
where
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
fn derivative<S: VarTree, O: VarTree>(mode: Mode, selected: &S, output: &O) -> O::Replace<S> {
    let (x, y) = (leaves(selected), leaves(output));
    if !require_floats(&x) || !require_floats(&y) {
        return output.replace(&mut |_| poisoned(selected));
    }
    let n_elements = |vars: &[Var]| vars.iter().map(|x| x.ty().size()).sum::<usize>();
    let forward = match mode {
        Mode::BySize => n_elements(&x) <= n_elements(&y),
        Mode::Forward => true,
        Mode::Reverse => false,
    };
    let table = if forward { columns(&x, &y) } else { rows(&x, &y) };
    let mut blocks = table.into_iter();
    output.replace(&mut |_| selected.map(&mut |_| blocks.next().expect("bug: fewer blocks than pairs of leaves")))
}

/// The blocks of the Jacobian, output by output, from one pullback for each element of the outputs.
fn rows(x: &[Var], y: &[Var]) -> Vec<Var> {
    let mut blocks = Vec::new();
    for &output in y {
        let n = output.ty().size();
        let mut rows: Vec<Vec<Option<Var>>> = vec![Vec::with_capacity(n); x.len()];
        for position in 0..n {
            let seed = seed(output, position, Role::Cotangent);
            for (rows, ct) in rows.iter_mut().zip(pullback(x, &[output], &[seed])) {
                rows.push(ct);
            }
        }
        blocks.extend(x.iter().zip(rows).map(|(&input, rows)| block(&rows, output, input, Along::Rows)));
    }
    blocks
}

/// The blocks of the Jacobian, output by output, from one pushforward for each element of the inputs.
fn columns(x: &[Var], y: &[Var]) -> Vec<Var> {
    let mut blocks = vec![Var::poisoned(); x.len() * y.len()];
    for (k, &input) in x.iter().enumerate() {
        let n = input.ty().size();
        let mut columns: Vec<Vec<Option<Var>>> = vec![Vec::with_capacity(n); y.len()];
        for position in 0..n {
            let seed = seed(input, position, Role::Tangent);
            for (columns, t) in columns.iter_mut().zip(pushforward(&[input], &[seed], y)) {
                columns.push(t);
            }
        }
        for (j, (&output, columns)) in y.iter().zip(columns).enumerate() {
            blocks[j * x.len() + k] = block(&columns, output, input, Along::Columns);
        }
    }
    blocks
}

/// 1 at one place, 0 elsewhere.
fn seed(like: Var, position: usize, role: fn(crate::ir::Value) -> Role) -> Var {
    if trace::has_failed() {
        return Var::poisoned();
    }
    let ty = like.ty();
    let element = |k: usize| Scalar::Bool(k == position).convert(ty.dtype);
    let one_hot = Array::collect(&ty, (0..ty.size()).map(element));
    trace::in_role(role(value(like)), || Var::constant(one_hot))
}

/// Whether the parts of a block are its rows or its columns.
#[derive(Clone, Copy)]
enum Along {
    Rows,
    Columns,
}

/// One block, `[output's shape…, input's shape…]`, from its rows or columns. A part that is `None` is zero.
fn block(parts: &[Option<Var>], output: Var, input: Var, along: Along) -> Var {
    if trace::has_failed() {
        return Var::poisoned();
    }
    let (out, own) = (output.ty(), input.ty());
    let shape: Shape = out.shape.iter().chain(own.shape.iter()).copied().collect();
    let (role, axis, part, dtype) = match along {
        Along::Rows => (Role::Cotangent(value(input)), 0, [1, own.size()], own.dtype),
        Along::Columns => (Role::Tangent(value(output)), 1, [out.size(), 1], out.dtype),
    };
    trace::in_role(role, || match parts {
        _ if parts.iter().all(Option::is_none) => Var::number(0.0, out.dtype).broadcast_to(&shape),
        &[Some(only)] if only.shape() == shape => to_dtype(only, out.dtype),
        _ => {
            let zero = || Var::number(0.0, dtype).broadcast_to(&part);
            let parts: Vec<Var> = parts.iter().map(|x| x.map_or_else(zero, |x| x.reshape(&part))).collect();
            to_dtype(Var::concatenate(&parts, axis).reshape(&shape), out.dtype)
        }
    })
}

/// A block has the dtype of the output, also where its rows have that of the input.
fn to_dtype(x: Var, dtype: DType) -> Var {
    if x.dtype() == dtype { x } else { x.convert(dtype) }
}
