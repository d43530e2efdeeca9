//! Functions with derivatives of their own.

use std::marker::PhantomData;
use std::panic::Location;

use super::control::{Returned, rebuilt};
use super::function::{Accepts, each_call, fresh, name_of};
use super::var_tree::leaves;
use super::{Function, VarTree};
use crate::op::region::{self, Region};
use crate::op::trace;
use crate::op::{Custom, CustomRule, Var};
use crate::value::Type;

/// A function with its own pullback; see [`custom_vjp`].
#[derive(Debug)]
pub struct CustomVjp<F, R, Args> {
    f: F,
    rule: R,
    by: PhantomData<fn(Args)>,
}

/// A function with its own pushforward; see [`custom_jvp`].
#[derive(Debug)]
pub struct CustomJvp<F, R, Args> {
    f: F,
    rule: R,
    by: PhantomData<fn(Args)>,
}

/// The function, with a rule for its derivative in reverse mode: the rule takes the arguments as a tuple, the value and
/// the cotangent of the value, and gives the cotangents of the arguments.
///
/// The function itself is not differentiated. Its rule is: `grad(grad(f))` is the derivative of what the rule computes,
/// which may use `custom_vjp` itself. Forward mode uses the transpose of the rule, which must be linear in the cotangent
/// to be a derivative; of one that is not, as below, forward mode takes the part that is linear around 0. Rule and
/// function stand in the graph and in its files, and serve there whenever it is differentiated. Compiled code is that
/// of the function alone.
///
/// Cotangents of leaves that are not of floating point are zeros of their types where the rule takes them, and ignored
/// where it gives them. If the value's cotangent is known to vanish, the rule is not used. Else it is used as it is
/// written: a cotangent of 0 times a factor that is infinite or NaN is NaN, and a NaN that the rule makes is passed on.
///
/// ```
/// use retrograd::{Var, custom_vjp, grad, jit};
///
/// // log(1 + exp x), whose derivative exp x / (1 + exp x) is ∞/∞ for large x.
/// let soft = |x: Var| x.exp().ln_1p();
/// let stable = custom_vjp(soft, |(x,): (Var,), _, ct: Var| (ct * x.sigmoid(),));
/// let (plain, slope): (f64, f64) = (jit(grad(soft)).call(1000.0)?, jit(grad(stable)).call(1000.0)?);
/// assert_eq!((plain, slope), (0.0, 1.0));
/// let bend: f64 = jit(grad(grad(stable))).call(0.0)?;
/// assert_eq!(bend, 0.25);
///
/// // A gradient that is bounded on its way back.
/// let clipped = |x: Var| custom_vjp(|x: Var| x, |_: (Var,), _, ct: Var| (ct.clamp(-1.0, 1.0),)).call(x);
/// let slope: f64 = jit(grad(move |x: Var| clipped(x).powi(3))).call(10.0)?;
/// assert_eq!(slope, 1.0);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// When traced: if the function or the rule captures an array of the trace around it, which must be an argument instead
/// (numbers are copied); if one of them decides an `if` of the host by what it takes, since both are traced once for all
/// arguments; or if the rule gives another structure, dtype or shape than that of the arguments.
pub fn custom_vjp<F, R, Args>(f: F, rule: R) -> CustomVjp<F, R, Args>
where
    F: Function<Args>,
    R: Fn(Args, F::Output, F::Output) -> Args,
{
    CustomVjp { f, rule, by: PhantomData }
}

/// The function, with a rule for its derivative in forward mode: the rule takes the arguments as a tuple, the value and
/// the tangents of the arguments, and gives the tangent of the value.
///
/// The function itself is not differentiated. Its rule is, as for [`custom_vjp`]. Reverse mode uses the transpose of the
/// rule, which must be linear in the tangents to be a derivative; of one that is not, reverse mode takes the part that
/// is linear around 0.
///
/// Tangents of leaves that are not of floating point are zeros of their types where the rule takes them, and ignored
/// where it gives them. If all tangents are known to vanish, the rule is not used. Else it is used as it is written, as
/// there.
///
/// ```
/// use retrograd::{Var, custom_jvp, grad, jit, while_loop};
///
/// // The root y of y² = a by Newton's method; its derivative is that of the equation, 2 y dy = da.
/// let newton = |a: Var| while_loop(a, |y| (y * y - a).abs().greater(1e-14 * a), |y| 0.5 * (y + a / y));
/// let root = custom_jvp(newton, |_: (Var,), y: Var, (da,): (Var,)| da / (2.0 * y));
/// let (slope, bend): (f64, f64) = (jit(grad(root)).call(4.0)?, jit(grad(grad(root))).call(4.0)?);
/// assert!((slope - 0.25).abs() < 1e-15 && (bend + 1.0 / 32.0).abs() < 1e-15);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// When traced: as [`custom_vjp`]; the rule must give the structure, dtypes and shapes of the value.
pub fn custom_jvp<F, R, Args>(f: F, rule: R) -> CustomJvp<F, R, Args>
where
    F: Function<Args>,
    R: Fn(Args, F::Output, Args) -> F::Output,
{
    CustomJvp { f, rule, by: PhantomData }
}

impl<F, R, Args> Function<Args> for CustomVjp<F, R, Args>
where
    Args: VarTree,
    F: Function<Args>,
    R: Fn(Args, F::Output, F::Output) -> Args,
{
    type Output = F::Output;

    #[track_caller]
    fn apply(&self, args: Args) -> F::Output {
        let traced = Traced::of("custom_vjp", &self.f, args, Location::caller());
        let cts = floats(&traced.output).map(|(name, ty)| (format!("{name}.ct"), ty)).collect();
        traced.finish(CustomRule::Vjp, cts, &traced.inputs, "its arguments are", |x, y, given| {
            let ct = traced.output.with_zeros(given);
            Returned::of("x", (self.rule)(x, y, ct), traced.at)
        })
    }
}

impl<F, R, Args> Function<Args> for CustomJvp<F, R, Args>
where
    Args: VarTree,
    F: Function<Args>,
    R: Fn(Args, F::Output, Args) -> F::Output,
{
    type Output = F::Output;

    #[track_caller]
    fn apply(&self, args: Args) -> F::Output {
        let traced = Traced::of("custom_jvp", &self.f, args, Location::caller());
        let tangents = floats(&traced.inputs).map(|(name, ty)| (format!("{name}.tangent"), ty)).collect();
        traced.finish(CustomRule::Jvp, tangents, &traced.output, "its value is", |x, y, given| {
            let t = traced.inputs.with_zeros(given);
            Returned::of("out", (self.rule)(x, y, t), traced.at)
        })
    }
}

/// A function that has been traced to a region, and waits for its rule.
struct Traced<Args, O> {
    name: &'static str,
    inputs: Returned<Args>,
    output: Returned<O>,
    /// `None` after an error.
    function: Option<Region>,
    at: &'static Location<'static>,
}

impl<Args: VarTree, O: VarTree> Traced<Args, O> {
    fn of<F>(name: &'static str, f: &F, args: Args, at: &'static Location<'static>) -> Traced<Args, O>
    where
        F: Function<Args, Output = O>,
    {
        let inputs = Returned::of("x", args, at);
        let mut output = None;
        let function = region::trace_at(at, "function", &inputs.types(), |x| {
            let returned = Returned::of("out", f.apply(rebuilt(&inputs.tree, Some(x))), at);
            let named = returned.named();
            output = Some(returned);
            named
        });
        // A comparison may have ended the function before it returned anything.
        let Some(output) = output else { trace::unwind() };
        Traced { name, inputs, output, function, at }
    }

    /// Traces the rule, which must return what is like `like`, and applies both.
    #[track_caller]
    fn finish<T: VarTree>(
        &self,
        kind: CustomRule,
        given: Vec<(String, Type)>,
        like: &Returned<T>,
        which: &str,
        rule: impl FnOnce(Args, O, &[Var]) -> Returned<T>,
    ) -> O {
        let (n_x, n_y) = (self.inputs.n_leaves(), self.output.n_leaves());
        let inputs = [self.inputs.types(), self.output.types(), given].concat();
        let region = region::trace_at(self.at, "rule", &inputs, |x| {
            let (x, rest) = x.split_at(n_x);
            let (y, given) = rest.split_at(n_y);
            let returned = rule(rebuilt(&self.inputs.tree, Some(x)), rebuilt(&self.output.tree, Some(y)), given);
            like.expect_floats(&format!("{}: the rule", self.name), which, &returned, self.at);
            returned.named_floats(like)
        });
        let results = match (&self.function, region) {
            (Some(function), Some(rule)) if self.is_closed("function", function) && self.is_closed("rule", &rule) => {
                let regions = vec![function.graph.clone(), rule.graph];
                trace::apply_regions(Custom { rule: kind }, &leaves(&self.inputs.tree), regions)
            }
            _ => None,
        };
        rebuilt(&self.output.tree, results.as_deref())
    }

    /// Records an error if a region uses what is outside of it. There would be no derivative by that.
    fn is_closed(&self, what: &str, region: &Region) -> bool {
        let Some(&captured) = region.captured.first() else { return true };
        let _method = trace::method(self.name, &[captured]);
        let name = name_of(captured);
        trace::fail_on(format!("the {what} captures {name}; pass it as an argument"), self.at);
        false
    }
}

/// The names and types of the leaves of floating point.
fn floats<T: VarTree>(tree: &Returned<T>) -> impl Iterator<Item = (String, Type)> {
    tree.types().into_iter().filter(|(_, ty)| ty.dtype.is_float())
}

macro_rules! call {
    ($name:ident $(($T:ident $t:ident $k:tt $X:ident))+) => {
        impl<F, Rule, $($T: VarTree),+> $name<F, Rule, ($($T,)+)>
        where
            F: Function<($($T,)+)>,
            Self: Function<($($T,)+), Output = F::Output>,
        {
            /// Applies the function to values of the open trace.
            #[track_caller]
            pub fn call<$($X),+>(&self, $($t: $X),+) -> F::Output
            where
                $($T: Accepts<$X>),+
            {
                self.apply(fresh(($($T::accept($t),)+)))
            }
        }
    };
}
each_call!(call CustomVjp);
each_call!(call CustomJvp);

macro_rules! copies {
    ($($name:ident),*) => {$(
        impl<F: Clone, R: Clone, Args> Clone for $name<F, R, Args> {
            fn clone(&self) -> Self {
                $name { f: self.f.clone(), rule: self.rule.clone(), by: PhantomData }
            }
        }

        impl<F: Copy, R: Copy, Args> Copy for $name<F, R, Args> {}
    )*};
}
copies!(CustomVjp, CustomJvp);
