//! Power series of functions, in Taylor mode.

use std::marker::PhantomData;

use super::function::{call_method, each_call, fresh, require_floats, zeros_like};
use super::products::require_alike;
use super::var_tree::leaves;
use super::{Accepts, Append, Arg, Function, VarTree, Wrt};
use crate::differentiate::{Series, along, check_order, push_series};
use crate::error::LimitError;
use crate::ir::Role;
use crate::op::{Var, trace};
use crate::value::DType;

/// The power series of a function along a direction; see [`taylor`].
#[derive(Debug)]
pub struct Taylor<F, Args, W = Arg<0>> {
    f: F,
    options: (usize, Normalization),
    by: PhantomData<fn(Args) -> W>,
}

/// The power series of a function along a curve; see [`jet`].
#[derive(Debug)]
pub struct Jet<F, Args, W = Arg<0>> {
    f: F,
    options: Normalization,
    by: PhantomData<fn(Args) -> W>,
}

/// All derivatives of an elementwise function; see [`elementwise_derivatives`].
#[derive(Debug)]
pub struct ElementwiseDerivatives<F, Args, W = Arg<0>> {
    f: F,
    options: usize,
    by: PhantomData<fn(Args) -> W>,
}

/// What the terms of a series are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Normalization {
    /// The coefficients of the powers.
    Coefficients,
    /// The derivatives, `k!` times the coefficients.
    Derivatives,
}

/// The power series of `f` along a direction: takes the arguments of `f` and a direction `v` of the structure of the
/// first, and gives the list `[y_0, …, y_order]` of values of the structure of the value of `f`, such that
/// `f(x + s v) = y_0 + y_1 s + y_2 s² + … + O(s^(order + 1))`. So `y_0` is the value and `y_1` what [`jvp`](super::jvp) gives,
/// to the bit; the derivative of order `k` by `s` is `k! y_k`, which [`Taylor::derivatives`] asks for.
///
/// The work and the size of the graph grow with the square of the order (with its cube for powers `x^y` of traced
/// exponents), where nested derivatives double them with each order. Operations with regions stay what they are: a loop
/// carries all coefficients.
///
/// At kinks, and where values are infinite or NaN, the coefficients follow the rules of the first derivative: that of
/// `abs` at 0 is 0, and a coefficient that is exactly zero passes nothing on.
///
/// ```
/// use retrograd::{Var, jit, taylor};
///
/// let f = |x: Var| 1.0 / (1.0 - x);
/// let y: Vec<f64> = jit(taylor(f, 4)).call(0.0, 1.0)?;
/// assert_eq!(y, [1.0, 1.0, 1.0, 1.0, 1.0]);
/// let y: Vec<f64> = jit(taylor(f, 4).derivatives()).call(0.0, 1.0)?;
/// assert_eq!(y, [1.0, 1.0, 2.0, 6.0, 24.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// When traced: as [`jvp`](super::jvp), and if the order exceeds 1,000; with [`Taylor::derivatives`] if its factorial
/// exceeds the largest number of the dtype (from 171 on, and from 35 on in `f32`).
pub fn taylor<F, Args>(f: F, order: usize) -> Taylor<F, Args>
where
    F: Function<Args>,
    Arg<0>: Wrt<Args>,
{
    Taylor { f, options: (order, Normalization::Coefficients), by: PhantomData }
}

/// The power series of `f` along a curve: takes the arguments of `f` and the list `[x_1, …, x_n]` of coefficients of the
/// curve `x(s) = x + x_1 s + … + x_n sⁿ`, each of the structure of the first argument, and gives the list
/// `[y_0, …, y_n]` of those of `f(x(s))`. It is the function that Faà di Bruno's formula gives, and composes as functions
/// do: the series of `g` after `f` is that of `g` along that of `f`.
///
/// With [`Jet::derivatives`] curve and value are given by their derivatives by `s` instead, `k!` times the coefficients,
/// as `jax.experimental.jet` has them.
///
/// Work, kinks and NaN: see [`taylor`], which is the series along a straight line.
///
/// ```
/// use retrograd::{Var, jet, jit};
///
/// // (1 + s + s²)² = 1 + 2s + 3s² + …
/// let y: Vec<f64> = jit(jet(|x: Var| x * x)).call(1.0, vec![1.0, 1.0])?;
/// assert_eq!(y, [1.0, 2.0, 3.0]);
/// // The second derivative along a curve: f'' x'² + f' x''.
/// let y: Vec<f64> = jit(jet(|x: Var| x * x).derivatives()).call(1.0, vec![1.0, 2.0])?;
/// assert_eq!(y, [1.0, 2.0, 6.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// When traced: if a leaf of the argument is not of floating point, an item of the list is not of its structure and types,
/// or the list is longer than [`taylor`] allows.
pub fn jet<F, Args>(f: F) -> Jet<F, Args>
where
    F: Function<Args>,
    Arg<0>: Wrt<Args>,
{
    Jet { f, options: Normalization::Coefficients, by: PhantomData }
}

/// The derivatives of order 0 to `order` of each element of a function's value by the same element of its first argument,
/// which is an array or a number, as a list: in one pass of Taylor mode, where [`elementwise_grad`](super::elementwise_grad)
/// of itself doubles the work with each order.
///
/// Where an element of the value depends on several elements of the argument, it is the derivative as all of them
/// increase together.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, elementwise_derivatives, jit};
///
/// let f = |x: Var| x.powi(3);
/// let y: Vec<Array1<f64>> = jit(elementwise_derivatives(f, 3)).call(array![1.0, 2.0])?;
/// assert_eq!(y, [array![1.0, 8.0], array![3.0, 12.0], array![6.0, 12.0], array![6.0, 6.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// As [`taylor`] with [`Taylor::derivatives`].
pub fn elementwise_derivatives<F, Args>(f: F, order: usize) -> ElementwiseDerivatives<F, Args>
where
    F: Function<Args>,
    Arg<0>: Wrt<Args, Selected = Var>,
{
    ElementwiseDerivatives { f, options: order, by: PhantomData }
}

impl<F, Args, W> Taylor<F, Args, W> {
    /// The same with the derivatives by `s`, `k!` times the coefficients.
    pub fn derivatives(self) -> Taylor<F, Args, W> {
        Taylor { options: (self.options.0, Normalization::Derivatives), ..self }
    }
}

impl<F, Args, W> Jet<F, Args, W> {
    /// The same with the derivatives by `s` in place of the coefficients, in the list that it takes and the one that it
    /// gives.
    pub fn derivatives(self) -> Jet<F, Args, W> {
        Jet { options: Normalization::Derivatives, ..self }
    }
}

/// Gives transformations with a field `options` the choice of arguments.
macro_rules! wrt_with_options {
    ($($name:ident),*) => {$(
        impl<F, Args, W> $name<F, Args, W> {
            /// The same by other arguments: `Arg::<1>`, `(Arg::<0>, Arg::<2>)`, `AllArgs`.
            pub fn wrt<V: Wrt<Args>>(self, _: V) -> $name<F, Args, V> {
                $name { f: self.f, options: self.options, by: PhantomData }
            }
        }

        impl<F: Clone, Args, W> Clone for $name<F, Args, W> {
            fn clone(&self) -> Self {
                $name { f: self.f.clone(), options: self.options.clone(), by: PhantomData }
            }
        }
    )*};
}
pub(super) use wrt_with_options;

wrt_with_options!(Taylor, Jet, ElementwiseDerivatives);

impl<F: Copy, Args, W> Copy for Taylor<F, Args, W> {}
impl<F: Copy, Args, W> Copy for Jet<F, Args, W> {}
impl<F: Copy, Args, W> Copy for ElementwiseDerivatives<F, Args, W> {}

impl<F, Args, W> Function<<Args as Append<W::Selected>>::Output> for Taylor<F, Args, W>
where
    F: Function<Args>,
    Args: Append<<W as Wrt<Args>>::Selected>,
    W: Wrt<Args>,
{
    type Output = Vec<F::Output>;

    fn apply(&self, args: <Args as Append<W::Selected>>::Output) -> Vec<F::Output> {
        let (args, v) = Args::split(args);
        let (order, normalization) = self.options;
        let (selected, at) = (W::select(&args), trace::user());
        let y = self.f.apply(args);
        if !is_order(order) || !require_alike(("taylor", "v", at), &selected, &v) {
            trace::unwind();
        }
        normalized(push_line(&selected, &v, &y, order), normalization)
    }
}

impl<F, Args, W> Function<<Args as Append<Vec<W::Selected>>>::Output> for Jet<F, Args, W>
where
    F: Function<Args>,
    Args: Append<Vec<<W as Wrt<Args>>::Selected>>,
    W: Wrt<Args>,
{
    type Output = Vec<F::Output>;

    fn apply(&self, args: <Args as Append<Vec<W::Selected>>>::Output) -> Vec<F::Output> {
        let (args, series) = Args::split(args);
        let (selected, at) = (W::select(&args), trace::user());
        let y = self.f.apply(args);
        let is_alike = |(k, x): (usize, &W::Selected)| require_alike(("jet", &format!("series.{k}"), at), &selected, x);
        if !is_order(series.len()) || !series.iter().enumerate().all(is_alike) {
            trace::unwind();
        }
        let divided = |(k, x): (usize, &W::Selected)| match self.options {
            Normalization::Coefficients => leaves(x),
            Normalization::Derivatives => leaves(x).into_iter().map(|x| over_factorial(x, k + 1)).collect(),
        };
        let by_order: Vec<Vec<Var>> = series.iter().enumerate().map(divided).collect();
        let of_leaf = |leaf: usize| by_order.iter().map(|leaves| Some(leaves[leaf])).collect();
        let n_leaves = leaves(&selected).len();
        let by_leaf: Vec<Series> = (0..n_leaves).map(of_leaf).collect();
        normalized(push(&selected, &by_leaf, &y, series.len()), self.options)
    }
}

impl<F, Args, W> Function<Args> for ElementwiseDerivatives<F, Args, W>
where
    F: Function<Args>,
    W: Wrt<Args, Selected = Var>,
{
    type Output = Vec<F::Output>;

    fn apply(&self, args: Args) -> Vec<F::Output> {
        let x = W::select(&args);
        let y = self.f.apply(args);
        if !is_order(self.options) || !require_floats(&[x]) {
            trace::unwind();
        }
        normalized(push_line(&x, &x.full_like(1.0), &y, self.options), Normalization::Derivatives)
    }
}

each_call!(call_method ElementwiseDerivatives);

/// Gives a transformation that takes one more argument `call`. In brackets stand the parameters of its type between the
/// function and the arguments.
macro_rules! call_appended {
    ($name:ident $more:tt, $last:ident: |$Selected:ident| $Last:ty) => {
        call_appended!(@one $name $more, $last: |$Selected| $Last, A a P);
        call_appended!(@one $name $more, $last: |$Selected| $Last, A a P, B b Q);
        call_appended!(@one $name $more, $last: |$Selected| $Last, A a P, B b Q, C c R);
        call_appended!(@one $name $more, $last: |$Selected| $Last, A a P, B b Q, C c R, D d S);
        call_appended!(@one $name $more, $last: |$Selected| $Last, A a P, B b Q, C c R, D d S, E e U);
    };
    (
        @one $name:ident [$($More:ident)?],
        $last:ident: |$Selected:ident| $Last:ty, $($T:ident $t:ident $X:ident),+
    ) => {
        impl<F, $($More,)? W, $Selected, $($T: VarTree),+> $name<F, $($More,)? ($($T,)+), W>
        where
            F: Function<($($T,)+)>,
            W: Wrt<($($T,)+), Selected = $Selected>,
            $Selected: VarTree,
            Self: Function<($($T,)+ $Last,)>,
        {
            /// Applies the function to values of the open trace.
            #[track_caller]
            pub fn call<$($X,)+ Z>(&self, $($t: $X,)+ $last: Z) -> <Self as Function<($($T,)+ $Last,)>>::Output
            where
                $($T: Accepts<$X>,)+
                $Last: Accepts<Z>,
            {
                let ($($t,)+) = fresh(($($T::accept($t),)+));
                self.apply(($($t,)+ Accepts::accept($last),))
            }
        }
    };
}
pub(super) use call_appended;

call_appended!(Taylor[], v: |Selected| Selected);
call_appended!(Jet[], series: |Selected| Vec<Selected>);

/// The coefficients of order 0 to `order` along a direction.
pub(super) fn push_line<S: VarTree, O: VarTree>(selected: &S, v: &S, output: &O, order: usize) -> Vec<O> {
    let series: Vec<Series> = leaves(v).into_iter().map(|v| along(v, order)).collect();
    push(selected, &series, output, order)
}

/// The coefficients of order 0 to `order` of the outputs, from those of order 1 on of the selected leaves.
fn push<S: VarTree, O: VarTree>(selected: &S, series: &[Series], output: &O, order: usize) -> Vec<O> {
    let inputs = leaves(selected);
    if !require_floats(&inputs) {
        trace::unwind();
    }
    let pushed = push_series(&inputs, series, &leaves(output), order);
    if trace::has_failed() {
        trace::unwind();
    }
    let of_order = |k: usize| {
        let mut pushed = pushed.iter();
        output.map(&mut |y| {
            let series = pushed.next().expect("bug: fewer series than outputs");
            series[k - 1].unwrap_or_else(|| zeros_like(y, Role::Tangent))
        })
    };
    std::iter::once(output.clone()).chain((1..=order).map(of_order)).collect()
}

/// Records an error unless series may be of this order.
pub(super) fn is_order(order: usize) -> bool {
    if let Err(LimitError { what, limit, got, .. }) = check_order(order, "taylor") {
        let place = Some(format!("taylor, at {}", trace::line_here()));
        trace::fail(LimitError { what, limit, got, place });
    }
    !trace::has_failed()
}

/// The terms of a series from its coefficients.
fn normalized<O: VarTree>(coefficients: Vec<O>, normalization: Normalization) -> Vec<O> {
    match normalization {
        Normalization::Coefficients => coefficients,
        Normalization::Derivatives => {
            let times = |(k, y): (usize, O)| y.map(&mut |y| times_factorial(y, k));
            coefficients.into_iter().enumerate().map(times).collect()
        }
    }
}

/// `k! x`. What is not of floating point has no derivative but zero.
fn times_factorial(x: Var, k: usize) -> Var {
    if k < 2 || trace::has_failed() || !x.dtype().is_float() { x } else { factorial(x, k) * x }
}

/// `x / k!`.
fn over_factorial(x: Var, k: usize) -> Var {
    if k < 2 || trace::has_failed() { x } else { x / factorial(x, k) }
}

/// `k!`, which must be a number of the dtype.
fn factorial(x: Var, k: usize) -> f64 {
    let (limit, what) = if x.dtype() == DType::F32 {
        (34, "order of derivatives in f32")
    } else {
        (170, "order of derivatives in f64")
    };
    if k > limit {
        trace::fail(LimitError { what, limit: limit as u64, got: Some(k as u64), place: None });
        return 1.0;
    }
    (2..=k).map(|k| k as f64).product()
}
