use std::marker::PhantomData;
use std::panic::Location;

use super::function::{fresh, poisoned, require_floats, wrt_method, zeros_like};
use super::gradient::{grad_at, pull};
use super::var_tree::leaves;
use super::{Accepts, Append, Arg, Function, VarTree, Wrt};
use crate::differentiate::pushforward;
use crate::ir::Role;
use crate::op::Var;
use crate::op::trace;

/// The pullback of a function; see [`vjp`].
#[derive(Debug)]
pub struct Vjp<F, Args, W = Arg<0>> {
    f: F,
    by: PhantomData<fn(Args) -> W>,
}

/// The pushforward of a function; see [`jvp`].
#[derive(Debug)]
pub struct Jvp<F, Args, W = Arg<0>> {
    f: F,
    by: PhantomData<fn(Args) -> W>,
}

/// The product of a function's Hessian with a vector; see [`hvp`].
#[derive(Debug)]
pub struct Hvp<F, Args, W = Arg<0>> {
    f: F,
    by: PhantomData<fn(Args) -> W>,
}

/// The pullback: takes the arguments of `f` and a cotangent `ct` of the structure of its value, and gives the value
/// and `ctᵀ J`, which has the structure of the first argument.
///
/// ```
/// use retrograd::{Var, jit, vjp};
///
/// let f = |x: [Var; 2]| (x[0] * x[1], x[0] - x[1]);
/// let (value, ct): ((f64, f64), [f64; 2]) = jit(vjp(f)).call([3.0, 5.0], (1.0, 10.0))?;
/// assert_eq!((value, ct), ((15.0, -2.0), [15.0, -7.0]));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// When traced: if a leaf of the argument is not of floating point, or `ct` is not of the structure and types of the
/// value.
pub fn vjp<F, Args>(f: F) -> Vjp<F, Args>
where
    F: Function<Args>,
    Arg<0>: Wrt<Args>,
{
    Vjp { f, by: PhantomData }
}

/// The pushforward: takes the arguments of `f` and a tangent `t` of the structure of the first, and gives the value
/// and `J t`, which has the structure of the value.
///
/// ```
/// use retrograd::{Var, jit, jvp};
///
/// let f = |x: [Var; 2]| (x[0] * x[1], x[0] - x[1]);
/// let (value, t): ((f64, f64), (f64, f64)) = jit(jvp(f)).call([3.0, 5.0], [1.0, 10.0])?;
/// assert_eq!((value, t), ((15.0, -2.0), (35.0, -9.0)));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// When traced: if a leaf of the argument is not of floating point, or `t` is not of its structure and types.
pub fn jvp<F, Args>(f: F) -> Jvp<F, Args>
where
    F: Function<Args>,
    Arg<0>: Wrt<Args>,
{
    Jvp { f, by: PhantomData }
}

/// The product of the Hessian with a vector, without the Hessian: takes the arguments of `f` and a `v` of the structure
/// of the first, and gives `H v`. It costs a few times what `f` costs (forward over reverse).
///
/// ```
/// use retrograd::{Var, hvp, jit};
///
/// let f = |x: [Var; 2]| x[0] * x[0] * x[1];
/// let product: [f64; 2] = jit(hvp(f)).call([3.0, 5.0], [1.0, 10.0])?;
/// assert_eq!(product, [10.0 + 60.0, 6.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// When traced: as [`grad`](super::grad) and [`jvp`].
pub fn hvp<F, Args>(f: F) -> Hvp<F, Args>
where
    F: Function<Args, Output = Var>,
    Arg<0>: Wrt<Args>,
{
    Hvp { f, by: PhantomData }
}

wrt_method!(Vjp, Jvp, Hvp);

impl<F, Args, W> Function<<Args as Append<F::Output>>::Output> for Vjp<F, Args, W>
where
    F: Function<Args>,
    Args: Append<<F as Function<Args>>::Output>,
    W: Wrt<Args>,
{
    type Output = (F::Output, W::Selected);

    fn apply(&self, args: <Args as Append<F::Output>>::Output) -> (F::Output, W::Selected) {
        let (args, ct) = Args::split(args);
        vjp_at::<F, Args, W>(&self.f, args, ct)
    }
}

impl<F, Args, W> Function<<Args as Append<W::Selected>>::Output> for Jvp<F, Args, W>
where
    F: Function<Args>,
    Args: Append<<W as Wrt<Args>>::Selected>,
    W: Wrt<Args>,
{
    type Output = (F::Output, F::Output);

    fn apply(&self, args: <Args as Append<W::Selected>>::Output) -> (F::Output, F::Output) {
        let (args, t) = Args::split(args);
        jvp_at::<F, Args, W>(&self.f, args, t)
    }
}

impl<F, Args, W> Function<<Args as Append<W::Selected>>::Output> for Hvp<F, Args, W>
where
    F: Function<Args, Output = Var>,
    Args: Append<<W as Wrt<Args>>::Selected>,
    W: Wrt<Args>,
{
    type Output = W::Selected;

    fn apply(&self, args: <Args as Append<W::Selected>>::Output) -> W::Selected {
        let (args, v) = Args::split(args);
        hvp_at::<F, Args, W>(&self.f, args, v)
    }
}

macro_rules! call_products {
    ($($T:ident $t:ident $X:ident),+) => {
        impl<F: Function<($($T,)+)>, W: Wrt<($($T,)+)>, $($T: VarTree),+> Vjp<F, ($($T,)+), W> {
            /// Applies the function to values of the open trace.
            #[track_caller]
            pub fn call<$($X,)+ Z>(&self, $($t: $X,)+ ct: Z) -> (F::Output, W::Selected)
            where
                $($T: Accepts<$X>,)+
                F::Output: Accepts<Z>,
            {
                vjp_at::<F, ($($T,)+), W>(&self.f, fresh(($($T::accept($t),)+)), Accepts::accept(ct))
            }
        }

        impl<F: Function<($($T,)+)>, W: Wrt<($($T,)+)>, $($T: VarTree),+> Jvp<F, ($($T,)+), W> {
            /// Applies the function to values of the open trace.
            #[track_caller]
            pub fn call<$($X,)+ Z>(&self, $($t: $X,)+ t: Z) -> (F::Output, F::Output)
            where
                $($T: Accepts<$X>,)+
                W::Selected: Accepts<Z>,
            {
                jvp_at::<F, ($($T,)+), W>(&self.f, fresh(($($T::accept($t),)+)), Accepts::accept(t))
            }
        }

        impl<F: Function<($($T,)+), Output = Var>, W: Wrt<($($T,)+)>, $($T: VarTree),+> Hvp<F, ($($T,)+), W> {
            /// Applies the function to values of the open trace.
            #[track_caller]
            pub fn call<$($X,)+ Z>(&self, $($t: $X,)+ v: Z) -> W::Selected
            where
                $($T: Accepts<$X>,)+
                W::Selected: Accepts<Z>,
            {
                hvp_at::<F, ($($T,)+), W>(&self.f, fresh(($($T::accept($t),)+)), Accepts::accept(v))
            }
        }
    };
}
call_products!(A a P);
call_products!(A a P, B b Q);
call_products!(A a P, B b Q, C c R);
call_products!(A a P, B b Q, C c R, D d S);
call_products!(A a P, B b Q, C c R, D d S, E e U);

fn vjp_at<F: Function<Args>, Args, W: Wrt<Args>>(f: &F, args: Args, ct: F::Output) -> (F::Output, W::Selected) {
    let (selected, at) = (W::select(&args), trace::user());
    let output = f.apply(args);
    if !require_floats(&leaves(&selected)) || !require_alike(("vjp", "ct", at), &output, &ct) {
        let results = poisoned(&selected);
        return (output, results);
    }
    let seeded = leaves(&output).into_iter().zip(leaves(&ct)).filter(|(y, _)| y.dtype().is_float());
    let (outputs, cts): (Vec<Var>, Vec<Var>) = seeded.unzip();
    let results = pull(&selected, &outputs, &cts);
    (output, results)
}

fn jvp_at<F: Function<Args>, Args, W: Wrt<Args>>(f: &F, args: Args, t: W::Selected) -> (F::Output, F::Output) {
    let (selected, at) = (W::select(&args), trace::user());
    let output = f.apply(args);
    let results = push(("jvp", "t", at), &selected, &t, &output);
    (output, results)
}

fn hvp_at<F, Args, W>(f: &F, args: Args, v: W::Selected) -> W::Selected
where
    F: Function<Args, Output = Var>,
    W: Wrt<Args>,
{
    let (selected, at) = (W::select(&args), trace::user());
    push(("hvp", "v", at), &selected, &v, &grad_at::<F, Args, W>(f, args))
}

/// What takes a tangent or cotangent, what it is called there, and the user's line that gave it: what errors tell.
pub(super) type Given<'n> = (&'static str, &'n str, &'static Location<'static>);

/// The tangents of the outputs, given those of the selected leaves.
pub(super) fn push<S: VarTree, O: VarTree>(given: Given<'_>, selected: &S, t: &S, output: &O) -> O {
    let inputs = leaves(selected);
    if !require_floats(&inputs) || !require_alike(given, selected, t) {
        return poisoned(output);
    }
    let mut results = pushforward(&inputs, &leaves(t), &leaves(output)).into_iter();
    if trace::has_failed() {
        return poisoned(output);
    }
    output.map(&mut |y| {
        let t = results.next().expect("bug: fewer tangents than outputs");
        t.unwrap_or_else(|| zeros_like(y, Role::Tangent))
    })
}

/// Records an error unless a (co)tangent has the structure and types of its primal.
pub(super) fn require_alike<T: VarTree>((op, name, at): Given<'_>, primal: &T, dual: &T) -> bool {
    let _method = trace::method(op, &[]);
    let (expected, got) = (primal.vars(), dual.vars());
    if !expected.matches(&got, &|_, _| true) {
        let types = |tree: &crate::value::Tree<Var>| tree.map(&mut |x| x.ty()).to_string();
        let (expected, got) = (types(&expected), types(&got));
        trace::fail_on(format!("{name} takes {expected}, but got {got}"), at);
        return false;
    }
    for ((name, x), y) in got.named_leaves(name).into_iter().zip(expected.leaves()) {
        let (expected, got) = (y.ty(), x.ty());
        if !trace::has_failed() && expected != got {
            trace::fail_on(format!("{name} takes {expected}, but got {got}"), at);
        }
    }
    !trace::has_failed()
}
