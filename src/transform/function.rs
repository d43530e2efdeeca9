use super::VarTree;
use super::var_tree::leaves;
use crate::error::{DerivativeError, SourceLine};
use crate::ir::{Role, Value};
use crate::op::trace::{self, apply};
use crate::op::{Alias, Var};
use crate::value::each_tuple;

/// A function of traced values: a closure of one to six [trees](VarTree), or what a transformation made of one.
#[diagnostic::on_unimplemented(
    message = "this is not a function of traced values",
    label = "cannot be traced",
    note = "it takes one to six arguments by value, with their types written, as in `|x: Var, p: (Var, Vec<Var>)| …`; \
            what is more goes into a tuple or a struct",
    note = "an argument is a `Var`, or a tuple, array, `Vec` or derived struct of `Var`s; \
            in place of `f64` it is `Var`, and in place of `&[Var]` it is `Vec<Var>` or `[Var; N]`",
    note = "the result is made of `Var`s, too; a number becomes one by `Var::from(1.0)` or `x.full_like(1.0)`"
)]
pub trait Function<Args> {
    /// What it returns.
    type Output: VarTree;

    /// Applies the function. The arguments are fresh: nobody else holds them, so that a derivative by them reaches
    /// through nothing that the function captured. Within a trace, the transformations' `call` sees to that.
    fn apply(&self, args: Args) -> Self::Output;
}

/// What the `call` of [`grad`](super::grad()) and of its like takes inside a traced function: a value of the argument's own
/// type, or a reference to it.
///
/// ```
/// use retrograd::{Var, grad, jit};
///
/// // The slope of the slope, by hand.
/// let f = |x: Var| x.sin();
/// let bend = |x: Var| grad(move |x: Var| grad(f).call(x)).call(x);
/// assert_eq!(jit(bend).call::<f64>(0.5)?, -0.5f64.sin());
/// # Ok::<(), retrograd::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "this takes traced values of type `{Self}`, but got `{T}`",
    label = "takes `{Self}` here",
    note = "to call it with numbers or arrays, wrap it in `jit`, as in `jit(grad(f)).call(3.0)`"
)]
pub trait Accepts<T>: VarTree {
    /// The value itself.
    fn accept(value: T) -> Self;
}

impl<T: VarTree> Accepts<T> for T {
    fn accept(value: T) -> T {
        value
    }
}

// With one implementation alone the compiler would take it for granted, and report mismatched types instead.
impl<T: VarTree> Accepts<&T> for T {
    fn accept(value: &T) -> T {
        value.clone()
    }
}

/// The arguments of a function: a tuple of one to six trees.
pub trait Arguments: VarTree {
    /// How many arguments.
    const COUNT: usize;
}

/// One of the arguments.
pub trait Component<const N: usize>: Arguments {
    /// Its type.
    type Part: VarTree;

    /// The argument.
    fn part(&self) -> Self::Part;
}

/// The arguments with one more at the end: the (co)tangent that `vjp`, `jvp` and `hvp` take.
pub trait Append<T: VarTree>: Arguments {
    /// The longer tuple.
    type Output: Arguments;

    /// Takes the last one off.
    fn split(args: Self::Output) -> (Self, T);
}

/// By which arguments a derivative is taken: [`Arg`], a tuple of these, or [`AllArgs`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not select from the arguments `{Args}`",
    note = "use `Arg::<0>`, `(Arg::<0>, Arg::<2>)` or `AllArgs`; arguments are counted from 0"
)]
pub trait Wrt<Args> {
    /// The type of the selection.
    type Selected: VarTree;

    /// The selection.
    fn select(args: &Args) -> Self::Selected;
}

/// The argument at that position, counted from 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct Arg<const N: usize>;

/// All arguments, as a tuple.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllArgs;

impl<Args: Component<N>, const N: usize> Wrt<Args> for Arg<N> {
    type Selected = Args::Part;

    fn select(args: &Args) -> Args::Part {
        args.part()
    }
}

impl<Args: Arguments> Wrt<Args> for AllArgs {
    type Selected = Args;

    fn select(args: &Args) -> Args {
        args.clone()
    }
}

macro_rules! function {
    ($(($T:ident $t:ident $k:tt))+) => {
        impl<F, O: VarTree, $($T: VarTree),+> Function<($($T,)+)> for F
        where
            F: Fn($($T),+) -> O,
        {
            type Output = O;

            fn apply(&self, ($($t,)+): ($($T,)+)) -> O {
                self($($t),+)
            }
        }

        impl<$($T: VarTree),+> Arguments for ($($T,)+) {
            const COUNT: usize = [$($k),+].len();
        }
    };
}
each_tuple!(function);

/// One implementation for each component of a tuple.
macro_rules! components {
    ($(($T:ident $t:ident $k:tt))+) => {
        components!(@each [$($T)+] $(($T $k))+);
    };
    (@each $all:tt $(($T:ident $k:tt))+) => {
        $(components!(@one $all $T $k);)+
    };
    (@one [$($all:ident)+] $T:ident $k:tt) => {
        impl<$($all: VarTree),+> Component<$k> for ($($all,)+) {
            type Part = $T;

            fn part(&self) -> $T {
                self.$k.clone()
            }
        }
    };
}
each_tuple!(components);

macro_rules! append {
    ($($T:ident $t:ident),+) => {
        impl<Last: VarTree, $($T: VarTree),+> Append<Last> for ($($T,)+) {
            type Output = ($($T,)+ Last);

            fn split(($($t,)+ last): ($($T,)+ Last)) -> (($($T,)+), Last) {
                (($($t,)+), last)
            }
        }
    };
}
append!(A a);
append!(A a, B b);
append!(A a, B b, C c);
append!(A a, B b, C c, D d);
append!(A a, B b, C c, D d, E e);

macro_rules! several {
    ($($P:ident),+) => {
        impl<Args: Arguments $(+ Component<$P>)+, $(const $P: usize),+> Wrt<Args> for ($(Arg<$P>,)+) {
            type Selected = ($(<Args as Component<$P>>::Part,)+);

            fn select(args: &Args) -> Self::Selected {
                const { assert!(ascend(&[$($P),+]), "the arguments of a derivative must be named in ascending order") };
                ($(Component::<$P>::part(args),)+)
            }
        }
    };
}
several!(P0);
several!(P0, P1);
several!(P0, P1, P2);
several!(P0, P1, P2, P3);
several!(P0, P1, P2, P3, P4);
several!(P0, P1, P2, P3, P4, P5);

/// Whether positions ascend strictly, so that none is named twice.
const fn ascend(positions: &[usize]) -> bool {
    let mut k = 1;
    while k < positions.len() {
        if positions[k - 1] >= positions[k] {
            return false;
        }
        k += 1;
    }
    true
}

/// The arguments under a new identity, so that a derivative by them does not reach through what a closure captured.
#[track_caller]
pub(super) fn fresh<T: VarTree>(args: T) -> T {
    let mut aliases = Vec::new();
    for x in leaves(&args) {
        aliases.push(apply(Alias, &[x]));
    }
    let mut aliases = aliases.into_iter();
    args.map(&mut |_| aliases.next().expect("bug: a tree changed its number of leaves"))
}

/// The same structure, after an error.
pub(super) fn poisoned<T: VarTree>(tree: &T) -> T {
    tree.map(&mut |_| Var::poisoned())
}

/// The value behind a variable, while the trace has not failed.
pub(super) fn value(x: Var) -> Value {
    trace::local(x).expect("bug: a poisoned variable in a trace without error")
}

/// Zeros like `x`, for a derivative that is known to vanish; they bear the source line of `x`.
pub(super) fn zeros_like(x: Var, role: fn(Value) -> Role) -> Var {
    trace::in_role(role(value(x)), || x.full_like(0.0))
}

/// Records an error unless all variables are of floating point. Whether the trace has not failed until then.
pub(super) fn require_floats(vars: &[Var]) -> bool {
    for &x in vars {
        let ty = x.ty();
        if !trace::has_failed() && !ty.dtype.is_float() {
            trace::fail(DerivativeError::NotFloat { name: name_of(x), ty, at: Some(line_of(x)) });
        }
    }
    !trace::has_failed()
}

/// The name of a variable in messages: that of the input, or as in a listing.
pub(super) fn name_of(x: Var) -> String {
    let value = value(x);
    trace::inspect(|graph| match graph.inputs().iter().find(|input| input.node == value.node) {
        Some(input) => input.name.to_string(),
        None => graph.value_name(value),
    })
}

/// The line that computed a variable; for an input, which has none, that of the user's that was met last.
#[track_caller]
pub(super) fn line_of(x: Var) -> SourceLine {
    let value = value(x);
    trace::inspect(|graph| graph.node(value.node).provenance().at.clone()).unwrap_or_else(trace::line_here)
}

/// Runs a macro once for each number of arguments that a transformation's `call` takes: `(parameter variable position
/// argument)` for each, after what else the macro takes.
macro_rules! each_call {
    ($macro:ident $($first:tt)*) => {
        $macro!($($first)* (A a 0 P));
        $macro!($($first)* (A a 0 P) (B b 1 Q));
        $macro!($($first)* (A a 0 P) (B b 1 Q) (C c 2 R));
        $macro!($($first)* (A a 0 P) (B b 1 Q) (C c 2 R) (D d 3 S));
        $macro!($($first)* (A a 0 P) (B b 1 Q) (C c 2 R) (D d 3 S) (E e 4 U));
        $macro!($($first)* (A a 0 P) (B b 1 Q) (C c 2 R) (D d 3 S) (E e 4 U) (G g 5 V));
    };
}
pub(super) use each_call;

/// Gives a transformation `call`, for one number of arguments.
macro_rules! call_method {
    ($name:ident $(($T:ident $t:ident $k:tt $X:ident))+) => {
        impl<F, W, $($T: VarTree),+> $name<F, ($($T,)+), W>
        where
            Self: Function<($($T,)+)>,
        {
            /// Applies the function to values of the open trace. Numbers and arrays of the host are for
            /// [`jit`](super::jit()), as in `jit(grad(f)).call(3.0)`.
            #[track_caller]
            pub fn call<$($X),+>(&self, $($t: $X),+) -> <Self as Function<($($T,)+)>>::Output
            where
                $($T: Accepts<$X>),+
            {
                self.apply(fresh(($($T::accept($t),)+)))
            }
        }
    };
}
pub(super) use call_method;

/// Gives a transformation the choice of arguments.
macro_rules! wrt_method {
    ($($name:ident),*) => {$(
        impl<F, Args, W> $name<F, Args, W> {
            /// The same by other arguments: `Arg::<1>`, `(Arg::<0>, Arg::<2>)`, `AllArgs`.
            pub fn wrt<V: Wrt<Args>>(self, _: V) -> $name<F, Args, V> {
                $name { f: self.f, by: PhantomData }
            }
        }

        impl<F: Clone, Args, W> Clone for $name<F, Args, W> {
            fn clone(&self) -> Self {
                $name { f: self.f.clone(), by: PhantomData }
            }
        }

        impl<F: Copy, Args, W> Copy for $name<F, Args, W> {}
    )*};
}
pub(super) use wrt_method;
