//! Loops and branches that stay loops and branches: in the graph, in its derivatives, in files and in native code.
//!
//! A plain `while` on traced values is followed at the values at hand, and unrolled; one of these is traced once,
//! whatever the values are. The closures may use anything of the trace around them.

use std::marker::PhantomData;
use std::panic::Location;

use super::function::{Accepts, each_call, fresh};
use super::var_tree::leaves;
use super::{Function, VarTree};
use crate::op::region::{self, Region};
use crate::op::trace;
use crate::op::{Checkpoint, Cond, Op, Scan, Schedule, Switch, Var, While};
use crate::value::{DType, Tree, Type};

/// One of two results: that of the first closure if the condition holds, else that of the second. Only this one is
/// computed, in derivatives too.
///
/// ```
/// use retrograd::{Var, cond, grad, jit};
///
/// let f = |x: Var| cond(x.less(0.0), || x * x, || x.sqrt());
/// let slope = jit(grad(f));
/// let (left, right): (f64, f64) = (slope.call(-3.0)?, slope.call(4.0)?);
/// assert_eq!((left, right, slope.n_paths()), (-6.0, 0.25, 1));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// When traced: if the condition is not a `bool[]`, or the branches return different structures, dtypes or shapes.
#[track_caller]
pub fn cond<R: VarTree>(condition: Var, if_true: impl FnOnce() -> R, if_false: impl FnOnce() -> R) -> R {
    let (mut first, at) = (None, Location::caller());
    let regions =
        [branch("cond", "if_true", if_true, &mut first, at), branch("cond", "if_false", if_false, &mut first, at)];
    join(Cond.into(), condition, regions.into(), first)
}

/// One of `n` results: that of the closure for the number of the index, which is clamped to `0..n`. Only this one is
/// computed, in derivatives too.
///
/// ```
/// use retrograd::{Var, jit, switch};
///
/// let f = jit(|k: Var, x: Var| {
///     switch(k, 3, |branch| match branch {
///         0 => x,
///         1 => x * x,
///         _ => x.exp(),
///     })
/// });
/// let y: f64 = f.call(1i64, 3.0)?;
/// assert_eq!(y, 9.0);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// When traced: if the index is not an `i64[]`, `n` is 0, or the branches return different structures, dtypes or shapes.
#[track_caller]
pub fn switch<R: VarTree>(index: Var, n: usize, mut branches: impl FnMut(usize) -> R) -> R {
    if n == 0 {
        trace::fail_at("switch: needs at least one branch, but got n = 0".to_string());
        trace::unwind();
    }
    let (mut first, at) = (None, Location::caller());
    let mut regions = Vec::with_capacity(n.min(MAX_BRANCHES));
    for k in 0..n {
        regions.push(branch("switch", &format!("branch{k}"), || branches(k), &mut first, at));
    }
    join(Switch.into(), index, regions, first)
}

/// For how many branches of a `switch` room is made beforehand.
const MAX_BRANCHES: usize = 1_000;

/// Traces a branch. The first one says what all return.
#[track_caller]
fn branch<R: VarTree>(
    op: &str,
    name: &str,
    body: impl FnOnce() -> R,
    first: &mut Option<Returned<R>>,
    at: &'static Location<'static>,
) -> Option<Region> {
    region::trace_at(at, name, &[], |_| {
        let result = body();
        let returned = Returned::of("out", result, at);
        let outputs = returned.named();
        match first {
            None => *first = Some(returned),
            Some(first) => first.expect(&format!("{op}: {name}"), "the first branch returns", &returned, at),
        }
        outputs
    })
}

#[track_caller]
fn join<R: VarTree>(op: Op, choice: Var, regions: Vec<Option<Region>>, first: Option<Returned<R>>) -> R {
    let aligned = regions.into_iter().collect::<Option<Vec<Region>>>().and_then(|regions| Region::align(regions, 0));
    // Not in a closure: that would hide the caller's line.
    let results = match aligned {
        Some((graphs, captured)) => trace::apply_regions(op, &[&[choice], &captured[..]].concat(), graphs),
        None => None,
    };
    // A comparison may have ended the closure before it returned anything.
    let Some(first) = first else { trace::unwind() };
    rebuilt(&first.tree, results.as_deref())
}

/// The structure with other leaves, or with poisoned ones after an error.
pub(super) fn rebuilt<T: VarTree>(tree: &T, leaves: Option<&[Var]>) -> T {
    let mut leaves = leaves.unwrap_or_default().iter();
    tree.map(&mut |_| leaves.next().copied().unwrap_or(Var::poisoned()))
}

/// What a closure returned, with names and types of its leaves.
pub(super) struct Returned<T> {
    pub tree: T,
    pub leaves: Vec<(String, Var, Type)>,
}

impl<T: VarTree> Returned<T> {
    #[track_caller]
    pub fn of(root: &str, tree: T, at: &'static Location<'static>) -> Returned<T> {
        let vars: Tree<Var> = tree.vars();
        let mut leaves = Vec::new();
        // Not in a closure: outside of a trace that would panic at a line of this file.
        for (name, &x) in vars.named_leaves(root) {
            let ty = trace::type_at(x, at).unwrap_or(Type::scalar(DType::F64));
            leaves.push((name, x, ty));
        }
        Returned { tree, leaves }
    }

    pub fn named(&self) -> Vec<(String, Var)> {
        self.leaves.iter().map(|(name, x, _)| (name.clone(), *x)).collect()
    }

    pub fn types(&self) -> Vec<(String, Type)> {
        self.leaves.iter().map(|(name, _, ty)| (name.clone(), ty.clone())).collect()
    }

    /// How many leaves there are.
    pub fn n_leaves(&self) -> usize {
        self.leaves.len()
    }

    /// Records an error at that line where another tree has not the same leaves.
    pub fn expect(&self, what: &str, which: &str, other: &Returned<T>, at: &'static Location<'static>) {
        let differs = |(own, other): (&(String, Var, Type), &(String, Var, Type))| {
            let [own_name, other_name] =
                [&own.0, &other.0].map(|name| name.split_once('.').map_or("", |(_, rest)| rest));
            own_name != other_name || own.2 != other.2
        };
        if let Some(k) = self.leaves.iter().zip(&other.leaves).position(differs) {
            let (own, other) = (&self.leaves[k], &other.leaves[k]);
            let requirement = format!("{what}: returns {}: {}, where {which} {}: {}", other.0, other.2, own.0, own.2);
            trace::fail_on(requirement, at);
        } else if self.leaves.len() != other.leaves.len() {
            let (own, other) = (self.leaves.len(), other.leaves.len());
            trace::fail_on(format!("{what}: returns {other} arrays, where {which} {own}"), at);
        }
    }
}

/// What derivatives of custom rules take and give.
impl<T: VarTree> Returned<T> {
    /// The same structure with these in place of the leaves of floating point, and zeros in that of the others.
    #[track_caller]
    pub fn with_zeros(&self, floats: &[Var]) -> T {
        let mut floats = floats.iter();
        let mut all = Vec::with_capacity(self.leaves.len());
        for (_, _, ty) in &self.leaves {
            let next = if ty.dtype.is_float() { floats.next().copied() } else { None };
            all.push(match next {
                Some(x) => x,
                None => Var::number(0.0, ty.dtype).broadcast_to(&ty.shape),
            });
        }
        rebuilt(&self.tree, Some(&all))
    }

    /// Records an error at that line where another tree has not the same leaves, but for the types of those that are not
    /// of floating point here.
    pub fn expect_floats(&self, what: &str, which: &str, other: &Returned<T>, at: &'static Location<'static>) {
        let mut other = Returned { tree: other.tree.clone(), leaves: other.leaves.clone() };
        for ((_, _, own), (_, _, ty)) in self.leaves.iter().zip(&mut other.leaves) {
            if !own.dtype.is_float() {
                ty.clone_from(own);
            }
        }
        self.expect(what, which, &other, at);
    }

    /// The leaves that are of floating point in a tree of the same structure.
    pub fn named_floats(&self, like: &Returned<T>) -> Vec<(String, Var)> {
        let leaves = like.leaves.iter().zip(self.named());
        leaves.filter(|((_, _, ty), _)| ty.dtype.is_float()).map(|(_, leaf)| leaf).collect()
    }
}

/// Applies the body again and again, as long as the condition holds; a condition that compares NaN does not hold.
///
/// The iteration count depends on the values at run time, and reverse mode goes through the same iterations backwards.
///
/// ```
/// use retrograd::{Var, grad, jit, while_loop};
///
/// let root = |x: Var| while_loop(x, |y| (y * y - x).abs().greater(1e-12), |y| 0.5 * (y + x / y));
/// let slope = jit(grad(root));
/// for x in [0.5f64, 2.0, 9.0] {
///     let d: f64 = slope.call(x)?;
///     assert!((d - 0.5 / x.sqrt()).abs() < 1e-9);
/// }
/// assert_eq!(slope.n_paths(), 1);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// When traced: if the condition does not return a `bool[]`, or the body returns another structure, dtype or shape than it
/// takes. At run time: if what is saved for the reverse mode exceeds its limit.
#[track_caller]
pub fn while_loop<C: VarTree>(init: C, condition: impl FnOnce(C) -> Var, body: impl FnOnce(C) -> C) -> C {
    Loop::new().while_loop(init, condition, body)
}

/// Applies the body `n` times, to the number of the iteration and what the last one returned.
///
/// ```
/// use retrograd::{Var, fori_loop, grad, jit};
///
/// // exp(x) by its first 20 terms.
/// let exp = |x: Var| {
///     let one = x.full_like(1.0);
///     let step = |k: Var, (sum, term): (Var, Var)| {
///         let term = term * x / (k + 1).convert(x.dtype());
///         (sum + term, term)
///     };
///     fori_loop(20, (one, one), step).0
/// };
/// let slope: f64 = jit(grad(exp)).call(1.0)?;
/// assert!((slope - 1f64.exp()).abs() < 1e-15);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// When traced: if the body returns another structure, dtype or shape than it takes.
#[track_caller]
pub fn fori_loop<C: VarTree>(n: usize, init: C, body: impl FnOnce(Var, C) -> C) -> C {
    Loop::new().fori_loop(n, init, body)
}

/// Goes through the rows of arrays with a carry: the body takes the carry and a row of each of the `xs`, and returns the
/// next carry and a row of each of the `ys`. Returns the last carry, and the `ys`, row upon row.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, scan};
///
/// let running = |x: Var| {
///     let zero = x.index(0) * 0.0;
///     scan(zero, x, |sum, x| (sum + x, sum + x))
/// };
/// let (sum, sums): (f64, Array1<f64>) = jit(running).call(array![1.0, 2.0, 3.0])?;
/// assert_eq!((sum, sums), (6.0, array![1.0, 3.0, 6.0]));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// When traced: if the `xs` have no leaf, one of them is a scalar, they differ in their numbers of rows, or the body
/// returns another carry than it takes.
#[track_caller]
pub fn scan<C: VarTree, X: VarTree, Y: VarTree>(init: C, xs: X, body: impl FnOnce(C, X) -> (C, Y)) -> (C, Y) {
    Loop::new().scan(init, xs, body)
}

/// Applies a function of one item to the rows of arrays. Rows do not depend on each other, so they may be computed side by
/// side.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, map};
///
/// let lengths = |points: Var| map(points, |p| p.index(0).hypot(p.index(1)));
/// let y: Array1<f64> = jit(lengths).call(array![[3.0, 4.0], [5.0, 12.0]])?;
/// assert_eq!(y, array![5.0, 13.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// When traced: if the `xs` have no leaf, one of them is a scalar, or they differ in their numbers of rows.
#[track_caller]
pub fn map<X: VarTree, Y: VarTree>(xs: X, f: impl FnOnce(X) -> Y) -> Y {
    Loop::new().rows("map", Vec::<Var>::new(), xs, |carry, x| (carry, f(x))).1
}

/// How a loop runs.
///
/// ```
/// use retrograd::{Error, Loop, Var, jit};
///
/// let endless = |x: Var| Loop::new().max_trips(1000).while_loop(x, |x| x.greater(0.0), |x| x + 1.0);
/// let outcome: Result<f64, Error> = jit(endless).call(1.0);
/// assert!(matches!(outcome, Err(Error::Limit(_))));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Loop {
    max_trips: Option<u64>,
    reverse: bool,
    checkpoint: Option<Schedule>,
}

impl Loop {
    /// Runs as the free functions do.
    pub fn new() -> Loop {
        Loop::default()
    }

    /// Lets [`Loop::while_loop`] end in an error if the condition still holds after that many iterations. Where no result
    /// depends on the loop, [`optimize`](crate::optimize::optimize), and with it [`jit`](crate::jit), leaves it out.
    pub fn max_trips(self, max_trips: u64) -> Loop {
        Loop { max_trips: Some(max_trips), ..self }
    }

    /// Lets [`Loop::scan`] and [`Loop::fori_loop`] begin with the last row or iteration.
    pub fn reverse(self) -> Loop {
        Loop { reverse: true, ..self }
    }

    /// Lets the reverse mode of [`Loop::scan`] and [`Loop::fori_loop`] keep few states of the loop, and compute the others
    /// once more: memory against time. What each [`Schedule`] costs stands there.
    ///
    /// A `while` takes none: the states to keep are chosen by the number of iterations, which it does not know beforehand. There,
    /// [`checkpoint`] around the body lets each iteration save its carry alone.
    ///
    /// ```
    /// use retrograd::op::Schedule;
    /// use retrograd::{Loop, Var, grad, jit};
    ///
    /// let orbit = |x: Var| Loop::new().checkpoint(Schedule::Binomial(8)).fori_loop(500, x, |_, x| (x + x.sin()).cos());
    /// let slope: f64 = jit(grad(orbit)).call(0.5)?;
    /// assert!(slope.is_finite());
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    pub fn checkpoint(self, schedule: Schedule) -> Loop {
        Loop { checkpoint: Some(schedule), ..self }
    }

    /// See [`while_loop`].
    ///
    /// # Errors
    /// As there, and if there is a [`Loop::checkpoint`]; and at run time, if the number of iterations exceeds the limit.
    #[track_caller]
    pub fn while_loop<C: VarTree>(self, init: C, condition: impl FnOnce(C) -> Var, body: impl FnOnce(C) -> C) -> C {
        if self.checkpoint.is_some() {
            let requirement = "while_loop: takes no schedule of checkpoints, since its number of iterations is not known \
                               beforehand; use scan or fori_loop, or put checkpoint around the body";
            trace::fail_at(requirement.to_string());
        }
        let at = Location::caller();
        let carry = Returned::of("carry", init, at);
        let types = carry.types();
        let first = region::trace_at(at, "condition", &types, |x| {
            let holds = condition(rebuilt(&carry.tree, Some(x)));
            let ty = trace::type_at(holds, at).unwrap_or(Type::scalar(DType::F64));
            if !trace::has_failed() && ty != Type::scalar(DType::Bool) {
                trace::fail_on(format!("while_loop: the condition must return a bool[], but returns {ty}"), at);
            }
            vec![("holds".to_string(), holds)]
        });
        let second = region::trace_at(at, "body", &types, |x| {
            let next = Returned::of("carry", body(rebuilt(&carry.tree, Some(x))), at);
            carry.expect("while_loop: the body", "it takes", &next, at);
            next.named()
        });
        let aligned = first.zip(second).and_then(|(first, second)| Region::align(vec![first, second], types.len()));
        let op = While { carry: types.len(), max_trips: self.max_trips };
        let results = match aligned {
            Some((graphs, captured)) => trace::apply_regions(op, &[leaves(&carry.tree), captured].concat(), graphs),
            None => None,
        };
        rebuilt(&carry.tree, results.as_deref())
    }

    /// See [`fori_loop`].
    ///
    /// # Errors
    /// As there.
    #[track_caller]
    pub fn fori_loop<C: VarTree>(self, n: usize, init: C, body: impl FnOnce(Var, C) -> C) -> C {
        let none = Vec::<Var>::new();
        self.run("fori_loop", n, init, none.clone(), |i, carry, _| (body(i, carry), none)).0
    }

    /// See [`scan()`].
    ///
    /// # Errors
    /// As there.
    #[track_caller]
    pub fn scan<C: VarTree, X: VarTree, Y: VarTree>(self, init: C, xs: X, body: impl FnOnce(C, X) -> (C, Y)) -> (C, Y) {
        self.rows("scan", init, xs, body)
    }

    #[track_caller]
    fn rows<C: VarTree, X: VarTree, Y: VarTree>(
        self,
        name: &str,
        init: C,
        xs: X,
        body: impl FnOnce(C, X) -> (C, Y),
    ) -> (C, Y) {
        let n = n_rows(name, &Returned::of("xs", xs.clone(), Location::caller()));
        self.run(name, n.unwrap_or(0), init, xs, |_, carry, x| body(carry, x))
    }

    #[track_caller]
    pub(super) fn run<C: VarTree, X: VarTree, Y: VarTree>(
        self,
        name: &str,
        n: usize,
        init: C,
        xs: X,
        body: impl FnOnce(Var, C, X) -> (C, Y),
    ) -> (C, Y) {
        let at = Location::caller();
        let (carry, rows) = (Returned::of("carry", init, at), Returned::of("x", xs, at));
        let mut inputs = vec![("i".to_string(), Type::scalar(DType::I64))];
        inputs.extend(carry.types());
        // After an error there is no row; anything will do.
        inputs.extend(rows.types().into_iter().map(|(name, ty)| (name, ty.row().map_or(ty, |(_, row)| row))));
        let n_carry = carry.leaves.len();
        let mut collected = None;
        let region = region::trace_at(at, "body", &inputs, |x| {
            let (carried, row) = x[1..].split_at(n_carry);
            let (next, y) = body(x[0], rebuilt(&carry.tree, Some(carried)), rebuilt(&rows.tree, Some(row)));
            let (next, y) = (Returned::of("carry", next, at), Returned::of("y", y, at));
            carry.expect(&format!("{name}: the body"), "it takes", &next, at);
            let outputs = [next.named(), y.named()].concat();
            collected = Some(y.tree);
            outputs
        });
        let Loop { reverse, checkpoint, .. } = self;
        let op = Scan { carry: n_carry, xs: rows.leaves.len(), length: Some(n), reverse, checkpoint };
        let results = match region {
            Some(Region { graph, captured }) => {
                let operands = [leaves(&carry.tree), leaves(&rows.tree), captured].concat();
                trace::apply_regions(op, &operands, vec![graph])
            }
            None => None,
        };
        let results = results.as_deref();
        let Some(ys) = collected else { trace::unwind() };
        let (last, rows) = match results {
            Some(results) => (Some(&results[..n_carry]), Some(&results[n_carry..])),
            None => (None, None),
        };
        (rebuilt(&carry.tree, last), rebuilt(&ys, rows))
    }
}

/// The number of rows of all leaves; an error is recorded if there is none, or more than one.
#[track_caller]
fn n_rows<X: VarTree>(function: &str, xs: &Returned<X>) -> Option<usize> {
    if trace::has_failed() {
        return None;
    }
    let mut known: Option<(&str, usize)> = None;
    for (name, _, ty) in &xs.leaves {
        let Some((n, _)) = ty.row() else {
            trace::fail_at(format!("{function}: {name} must have rows, but is a scalar, {ty}"));
            return None;
        };
        match known {
            Some((first, rows)) if rows != n => {
                trace::fail_at(format!("{function}: {first} has {rows} rows, but {name} has {n}"));
                return None;
            }
            _ => known = Some((name, n)),
        }
    }
    if known.is_none() {
        trace::fail_at(format!("{function}: there are no rows to go through; use fori_loop"));
    }
    known.map(|(_, n)| n)
}

/// A function that does not keep what it computes in between; see [`checkpoint`].
#[derive(Debug)]
pub struct Checkpointed<F, Args> {
    f: F,
    by: PhantomData<fn(Args)>,
}

/// The same function, which reverse mode runs once more instead of keeping what it computed: memory against time.
///
/// Only its arguments are kept. Around the body of a loop that saves much, this leaves the carry alone to be saved.
///
/// ```
/// use retrograd::{Var, checkpoint, grad, jit};
///
/// let f = |x: Var| checkpoint(|x: Var| (x.sin() * x.exp()).tanh()).call(x) * 2.0;
/// let slope: f64 = jit(grad(f)).call(0.5)?;
/// let plain: f64 = jit(grad(|x: Var| (x.sin() * x.exp()).tanh() * 2.0)).call(0.5)?;
/// assert_eq!(slope, plain);
/// # Ok::<(), retrograd::Error>(())
/// ```
pub fn checkpoint<F: Function<Args>, Args>(f: F) -> Checkpointed<F, Args> {
    Checkpointed { f, by: PhantomData }
}

impl<F: Function<Args>, Args: VarTree> Function<Args> for Checkpointed<F, Args> {
    type Output = F::Output;

    #[track_caller]
    fn apply(&self, args: Args) -> F::Output {
        let at = Location::caller();
        let inputs = Returned::of("x", args, at);
        let types = inputs.types();
        let mut output = None;
        let region = region::trace_at(at, "checkpoint", &types, |x| {
            let returned = Returned::of("out", self.f.apply(rebuilt(&inputs.tree, Some(x))), at);
            let named = returned.named();
            output = Some(returned.tree);
            named
        });
        let results = match region {
            Some(Region { graph, captured }) => {
                trace::apply_regions(Checkpoint, &[leaves(&inputs.tree), captured].concat(), vec![graph])
            }
            None => None,
        };
        let Some(output) = output else { trace::unwind() };
        rebuilt(&output, results.as_deref())
    }
}

macro_rules! call {
    ($(($T:ident $t:ident $k:tt $X:ident))+) => {
        impl<F: Function<($($T,)+)>, $($T: VarTree),+> Checkpointed<F, ($($T,)+)> {
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
each_call!(call);
