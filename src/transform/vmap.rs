use std::marker::PhantomData;
use std::panic::Location;

use super::control::{Returned, rebuilt};
use super::function::{Accepts, call_method, each_call, fresh};
use super::var_tree::leaves;
use super::{AllArgs, Function, VarTree, Wrt};
use crate::batch::rows_of;
use crate::op::trace::{self, Region};
use crate::op::{Batched, Var};

/// A function of one row, applied to many; see [`vmap`].
#[derive(Debug)]
pub struct Vmap<F, Args, W = AllArgs> {
    f: F,
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
pub fn vmap<F, Args>(f: F) -> Vmap<F, Args>
where
    F: Function<Args>,
    AllArgs: Wrt<Args>,
{
    Vmap { f, by: PhantomData }
}

impl<F, Args, W> Vmap<F, Args, W> {
    /// The same, where only these arguments have rows: `Arg::<1>`, `(Arg::<0>, Arg::<2>)`.
    pub fn over<V: Wrt<Args>>(self, _: V) -> Vmap<F, Args, V> {
        Vmap { f: self.f, by: PhantomData }
    }
}

impl<F: Clone, Args, W> Clone for Vmap<F, Args, W> {
    fn clone(&self) -> Self {
        Vmap { f: self.f.clone(), by: PhantomData }
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

    #[track_caller]
    fn apply(&self, args: Args) -> F::Output {
        let at = Location::caller();
        let mapped: Vec<Var> = leaves(&W::select(&args));
        let inputs = Returned::of("x", args, at);
        let has_rows: Vec<bool> =
            inputs.leaves.iter().map(|(_, x, _)| mapped.iter().any(|&y| x.value() == y.value())).collect();
        let n = n_rows(&inputs, &has_rows).unwrap_or_default();
        let types: Vec<_> = inputs
            .leaves
            .iter()
            .zip(&has_rows)
            .map(|((name, _, ty), &has_rows)| {
                let row = ty.row().filter(|_| has_rows).map(|(_, row)| row);
                (name.to_string(), row.unwrap_or_else(|| ty.clone()))
            })
            .collect();
        let mut output = None;
        let region = trace::region_at(at, "row", &types, |x| {
            let returned = Returned::of("out", self.f.apply(rebuilt(&inputs.tree, Some(x))), at);
            let named = returned.named();
            output = Some(returned.tree);
            named
        });
        let results = region.and_then(|Region { graph, captured }| {
            let own = inputs.leaves.iter().zip(&has_rows).map(|(&(_, var, _), &has_rows)| Batched { var, has_rows });
            let captured = captured.into_iter().map(|var| Batched { var, has_rows: false });
            rows_of(&graph, &own.chain(captured).collect::<Vec<_>>(), n)
        });
        let Some(output) = output else { trace::unwind() };
        let results: Option<Vec<Var>> = results.map(|results| results.into_iter().map(|y| y.rows(n)).collect());
        rebuilt(&output, results.as_deref())
    }
}

each_call!(call_method Vmap);

/// The number of rows of all arrays that have some; an error is recorded if there is none, or more than one.
#[track_caller]
fn n_rows<T: VarTree>(inputs: &Returned<T>, has_rows: &[bool]) -> Option<usize> {
    if trace::has_failed() {
        return None;
    }
    let mut known: Option<(&str, usize)> = None;
    for ((name, _, ty), _) in inputs.leaves.iter().zip(has_rows).filter(|(_, has_rows)| **has_rows) {
        let Some((n, _)) = ty.row() else {
            trace::fail_at(format!("vmap: {name} must have rows, but is a scalar, {ty}; use over to say which have"));
            return None;
        };
        match known {
            Some((first, rows)) if rows != n => {
                trace::fail_at(format!("vmap: {first} has {rows} rows, but {name} has {n}"));
                return None;
            }
            _ => known = Some((name, n)),
        }
    }
    if known.is_none() {
        trace::fail_at("vmap: no argument has rows".to_string());
    }
    known.map(|(_, n)| n)
}
