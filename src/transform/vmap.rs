use std::collections::HashSet;
use std::marker::PhantomData;
use std::panic::Location;

use super::control::{Returned, rebuilt};
use super::function::{Accepts, call_method, each_call, fresh};
use super::var_tree::leaves;
use super::{AllArgs, Function, VarTree, Wrt};
use crate::batch::rows_of;
use crate::ir::Value;
use crate::op::region::{self, Region};
use crate::op::trace;
use crate::op::{Alias, Batched, Var};

/// A function of one row, applied to many; see [`vmap`].
#[derive(Debug)]
pub struct Vmap<F, Args, W = AllArgs> {
    f: F,
    /// The line that asked for it.
    at: &'static Location<'static>,
    by: PhantomData<fn(Args) -> W>,
}

/// A function of one row, applied to all rows at once: each array of the arguments has one more, leading axis, and so have
/// those of the result.
///
/// By default all arguments have rows; [`Vmap::over`] says which, and the others are the same for each row. It composes
/// with the other transformations in any order: `vmap(grad(f))` gives a gradient for each row, `grad` of a function that
/// calls `vmap(f)` the gradient of what it makes of them, and `vmap(vmap(f))` applies `f` to the elements of matrices.
///
/// ```
/// use ndarray::{Array1, Array2, array};
/// use retrograd::{Arg, Var, grad, jit, vmap};
///
/// let loss = |w: Var, x: Var, y: Var| (w.dot(x) - y).square();
/// // The gradient by the weights, for each example.
/// let gradients = jit(vmap(grad(loss)).over((Arg::<1>, Arg::<2>)));
/// let (x, y) = (array![[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], array![1.0, 0.0, 2.0]);
/// let slopes: Array2<f64> = gradients.call(array![0.5, 2.0], &x, &y)?;
/// assert_eq!(slopes, array![[-1.0, 0.0], [0.0, 4.0], [1.0, 1.0]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// It means what [`map`](super::map()) means, row by row, to the bit but for products of matrices: a branch or a loop runs
/// for the rows that take it, and for no others. How control flow becomes that stands with [`batch`](crate::batch).
/// There may be no row at all; the result has none, either.
///
/// # Errors
/// When traced: if an argument with rows has no array, or one that is a scalar; if they differ in their numbers of rows;
/// if the function decides an `if` of the host by what differs from row to row; and those of the function.
#[track_caller]
pub fn vmap<F, Args>(f: F) -> Vmap<F, Args>
where
    F: Function<Args>,
    AllArgs: Wrt<Args>,
{
    Vmap { f, at: Location::caller(), by: PhantomData }
}

impl<F, Args, W> Vmap<F, Args, W> {
    /// The same, where only these arguments have rows: `Arg::<1>`, `(Arg::<0>, Arg::<2>)`.
    pub fn over<V: Wrt<Args>>(self, _: V) -> Vmap<F, Args, V> {
        Vmap { f: self.f, at: self.at, by: PhantomData }
    }
}

impl<F: Clone, Args, W> Clone for Vmap<F, Args, W> {
    fn clone(&self) -> Self {
        Vmap { f: self.f.clone(), at: self.at, by: PhantomData }
    }
}

impl<F: Copy, Args, W> Copy for Vmap<F, Args, W> {}

impl<F, Args, W> Function<Args> for Vmap<F, Args, W>
where
    F: Function<Args>,
    Args: VarTree,
    W: Wrt<Args>,
{
    type Output = F::Output;

    fn apply(&self, args: Args) -> F::Output {
        let at = self.at;
        let mapped: HashSet<Option<Value>> = leaves(&W::select(&args)).into_iter().map(Var::value).collect();
        let inputs = Returned::of("x", args, at);
        let has_rows: Vec<bool> = inputs.leaves.iter().map(|(_, x, _)| mapped.contains(&x.value())).collect();
        let n = n_rows(&inputs, &has_rows, at).unwrap_or_default();
        let given: Vec<(Var, bool)> = inputs.leaves.iter().map(|&(_, x, _)| x).zip(has_rows).collect();
        let types =
            inputs.leaves.iter().zip(&given).filter(|(_, (_, has_rows))| *has_rows).map(|((name, _, ty), _)| {
                // After an error there is no row; anything will do.
                (name.clone(), ty.row().map_or_else(|| ty.clone(), |(_, row)| row))
            });
        let mut output = None;
        let region = region::trace_at(at, "row", &types.collect::<Vec<_>>(), |rows| {
            let mut rows = rows.iter().copied();
            // What is the same for each row is captured, so that it can decide an `if`. A derivative by it is taken here.
            let leaf = |&(x, has_rows): &(Var, bool)| {
                if has_rows { rows.next().expect("bug: a row is missing") } else { trace::apply(Alias, &[x]) }
            };
            let leaves: Vec<Var> = given.iter().map(leaf).collect();
            let returned = Returned::of("out", self.f.apply(rebuilt(&inputs.tree, Some(&leaves))), at);
            let named = returned.named();
            output = Some(returned.tree);
            named
        });
        let results = region.and_then(|Region { graph, captured }| {
            let rows = given.iter().filter(|(_, has_rows)| *has_rows).map(|&(var, has_rows)| Batched { var, has_rows });
            let captured = captured.into_iter().map(|var| Batched { var, has_rows: false });
            rows_of(&graph, &rows.chain(captured).collect::<Vec<_>>(), n)
        });
        let Some(output) = output else { trace::unwind() };
        let results: Option<Vec<Var>> = results.map(|results| results.into_iter().map(|y| y.rows(n)).collect());
        rebuilt(&output, results.as_deref())
    }
}

each_call!(call_method Vmap);

/// The number of rows of all arrays that have some; an error is recorded if there is none, or more than one.
fn n_rows<T: VarTree>(inputs: &Returned<T>, has_rows: &[bool], at: &'static Location<'static>) -> Option<usize> {
    if trace::has_failed() {
        return None;
    }
    let mut known: Option<(&str, usize)> = None;
    for ((name, _, ty), _) in inputs.leaves.iter().zip(has_rows).filter(|(_, has_rows)| **has_rows) {
        let Some((n, _)) = ty.row() else {
            trace::fail_on(
                format!("vmap: {name} must have rows, but is a scalar, {ty}; use over to say which have"),
                at,
            );
            return None;
        };
        match known {
            Some((first, rows)) if rows != n => {
                trace::fail_on(format!("vmap: {first} has {rows} rows, but {name} has {n}"), at);
                return None;
            }
            _ => known = Some((name, n)),
        }
    }
    if known.is_none() {
        trace::fail_on("vmap: no argument has rows".to_string(), at);
    }
    known.map(|(_, n)| n)
}
