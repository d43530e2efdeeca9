//! Partial derivatives of any order and differential operators, from power series along directions.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use super::control::Loop;
use super::function::{call_method, each_call, fresh, poisoned, require_floats, value, wrt_method, zeros_like};
use super::jet::{call_appended, is_order, push_line, wrt_with_options};
use super::products::require_alike;
use super::var_tree::leaves;
use super::{Accepts, Append, Arg, Function, VarTree, Wrt};
use crate::differentiate::{along, along_unit_vectors, push_series};
use crate::error::LimitError;
use crate::ir::Role;
use crate::op::{Var, trace};

/// A linear differential operator with constant coefficients; see [`differential_operator`] and [`mixed_partial`].
#[derive(Debug)]
pub struct DifferentialOperator<F, Args, W = Arg<0>> {
    f: F,
    /// The terms: factors, and orders by leaf.
    options: Vec<(f64, Vec<usize>)>,
    by: PhantomData<fn(Args) -> W>,
}

/// The sum of the second derivatives; see [`laplacian`].
#[derive(Debug)]
pub struct Laplacian<F, Args, W = Arg<0>> {
    f: F,
    by: PhantomData<fn(Args) -> W>,
}

/// An estimate of the sum of the second derivatives; see [`laplacian_estimate`].
#[derive(Debug)]
pub struct LaplacianEstimate<F, Args, W = Arg<0>> {
    f: F,
    by: PhantomData<fn(Args) -> W>,
}

/// The partial derivative `∂^(i₁ + i₂ + …) f / ∂x₁^i₁ ∂x₂^i₂ …` by the leaves `x₁`, `x₂`, … of the first argument, whose
/// orders are given in the order of the leaves. It has the structure of the value of `f`. Orders that are all 0 give the
/// value itself.
///
/// It is a combination of power series along `⌈(i₁ + 1)(i₂ + 1)…/2⌉` directions or fewer, by the polarization identity of a
/// homogeneous polynomial, which is exact for integers (Kan, "From moments of sum to moments of product", Journal of
/// Multivariate Analysis 99, 2008; that series in directions determine all derivatives: Griewank, Utke and Walther,
/// "Evaluating higher derivative tensors by forward propagation of univariate Taylor series", Mathematics of Computation
/// 69, 2000). Derivatives of one another cost more: `grad` of `grad` of … doubles the work with each order.
///
/// The elements of a leaf that is an array move together: the derivative is that by each element where no element of the
/// value depends on several of its elements. Kinks and NaN: see [`taylor`](super::taylor).
///
/// ```
/// use retrograd::{AllArgs, Var, jit, mixed_partial};
///
/// let f = |x: Var, y: Var| x.powi(3) * y * y;
/// let xxy: f64 = jit(mixed_partial(f, [2, 1]).wrt(AllArgs)).call(2.0, 5.0)?;
/// assert_eq!(xxy, 6.0 * 2.0 * 2.0 * 5.0);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// When traced: if a leaf of the argument or of the value is not of floating point, there are more or fewer orders than
/// leaves, the sum of the orders exceeds 1,000, or there are more than 100,000 directions.
pub fn mixed_partial<F, Args>(f: F, orders: impl Into<Vec<usize>>) -> DifferentialOperator<F, Args>
where
    F: Function<Args>,
    Arg<0>: Wrt<Args>,
{
    DifferentialOperator { f, options: vec![(1.0, orders.into())], by: PhantomData }
}

/// `Σ c ∂^i f`, a linear differential operator with constant coefficients: each term is a factor, and the orders of
/// differentiation by the leaves of the first argument as [`mixed_partial`] takes them. Terms share directions: of each,
/// there is one power series.
///
/// ```
/// use retrograd::{Var, differential_operator, jit};
///
/// // The wave operator ∂²/∂t² - 4 ∂²/∂x² on a wave of speed 2.
/// let wave = |[t, x]: [Var; 2]| (x - 2.0 * t).sin();
/// let residual = differential_operator(wave, [(1.0, vec![2, 0]), (-4.0, vec![0, 2])]);
/// let r: f64 = jit(residual).call([0.3, 0.8])?;
/// assert!(r.abs() < 1e-15);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// As [`mixed_partial`]. No terms give zeros.
pub fn differential_operator<F, Args>(f: F, terms: impl Into<Vec<(f64, Vec<usize>)>>) -> DifferentialOperator<F, Args>
where
    F: Function<Args>,
    Arg<0>: Wrt<Args>,
{
    DifferentialOperator { f, options: terms.into(), by: PhantomData }
}

/// The Laplacian: the sum of the second derivatives of each element of the value by each element of the first argument. It
/// has the structure of the value.
///
/// It takes one power series to order 2 for each element of the argument, about three times the work of `f` each; no Hessian
/// is built. Those for one leaf are one pass on rows, in blocks, as for a [`jacobian`](super::jacobian()). `laplacian(laplacian(f))` is the biharmonic
/// operator. [`laplacian_estimate`] is the cheaper estimate for many elements.
///
/// ```
/// use ndarray::array;
/// use retrograd::{Var, jit, laplacian};
///
/// let f = |x: Var| x.square().sum().square(); // |x|⁴, whose Laplacian is (4n + 8)|x|²
/// let y: f64 = jit(laplacian(f)).call(array![1.0, 2.0, 3.0])?;
/// assert_eq!(y, 20.0 * 14.0);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// When traced: if a leaf of the argument or of the value is not of floating point.
pub fn laplacian<F, Args>(f: F) -> Laplacian<F, Args>
where
    F: Function<Args>,
    Arg<0>: Wrt<Args>,
{
    Laplacian { f, by: PhantomData }
}

/// An estimate of the Laplacian: takes the arguments of `f` and directions, and gives the mean over these of the second
/// derivative of each element of the value along a direction, `vᵀ H v`.
///
/// The directions have the structure of the first argument, whose leaves have one more, leading axis of one extent: row upon
/// row of directions. If they are random with mean 0 and covariance 1, the expected value is the Laplacian; of all such
/// directions those of independent elements ±1 (Rademacher) give the estimate of a quadratic function the smallest
/// variance (Hutchinson, "A stochastic estimator of the trace of the influence matrix", Communications in Statistics 18,
/// 1989). There are no traced random numbers, so they come from the caller. The directions are a loop.
///
/// ```
/// use ndarray::array;
/// use retrograd::{Var, jit, laplacian_estimate};
///
/// let f = |x: Var| x.powi(3).sum();
/// let signs = array![[1.0, -1.0], [-1.0, -1.0]];
/// let y: f64 = jit(laplacian_estimate(f)).call(array![2.0, 5.0], signs)?;
/// assert_eq!(y, 6.0 * 2.0 + 6.0 * 5.0); // exact here: the Hessian is diagonal
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// When traced: as [`laplacian`]; if there are no directions, or they are not of the argument's structure and types with a
/// leading axis.
pub fn laplacian_estimate<F, Args>(f: F) -> LaplacianEstimate<F, Args>
where
    F: Function<Args>,
    Arg<0>: Wrt<Args>,
{
    LaplacianEstimate { f, by: PhantomData }
}

wrt_with_options!(DifferentialOperator);
wrt_method!(Laplacian, LaplacianEstimate);
each_call!(call_method DifferentialOperator);
each_call!(call_method Laplacian);
call_appended!(LaplacianEstimate[], directions: |Selected| Selected);

impl<F, Args, W> Function<Args> for DifferentialOperator<F, Args, W>
where
    F: Function<Args>,
    W: Wrt<Args>,
{
    type Output = F::Output;

    fn apply(&self, args: Args) -> F::Output {
        let selected = W::select(&args);
        let y = self.f.apply(args);
        let n_leaves = leaves(&selected).len();
        if !require_floats(&leaves(&y)) || !self.options.iter().all(|(_, orders)| are_orders(orders, n_leaves)) {
            return poisoned(&y);
        }
        let zero = y.map(&mut |y| zeros_like(y, Role::Tangent));
        let terms = plan(&self.options).into_iter().flat_map(|(direction, by_order)| {
            let v = along_leaves(&selected, &direction);
            let highest = by_order.keys().next_back().copied().unwrap_or(0);
            let series = push_line(&selected, &v, &y, highest);
            by_order.into_iter().map(move |(k, factor)| (factor, series[k.min(series.len() - 1)].clone()))
        });
        let scaled = |(factor, y): (f64, F::Output)| y.map(&mut |y| if factor == 1.0 { y } else { factor * y });
        terms.map(scaled).reduce(|sum, y| sum.zip(&y, &mut |sum, y| sum + y)).unwrap_or(zero)
    }
}

impl<F, Args, W> Function<Args> for Laplacian<F, Args, W>
where
    F: Function<Args>,
    Args: VarTree,
    W: Wrt<Args>,
{
    type Output = F::Output;

    fn apply(&self, args: Args) -> F::Output {
        let selected = W::select(&args);
        let y = self.f.apply(args);
        if !require_floats(&leaves(&selected)) || !require_floats(&leaves(&y)) {
            return poisoned(&y);
        }
        let outputs = leaves(&y);
        let mut sums = vec![None; outputs.len()];
        for x in leaves(&selected) {
            let second = |v: Var| -> Vec<Option<Var>> {
                let series = push_series(&[x], &[along(v, 2)], &outputs, 2);
                series.into_iter().map(|series| series[1]).collect()
            };
            // The second derivative is twice the coefficient.
            let rows = along_unit_vectors(x, &outputs, second).into_iter();
            let twice = rows.map(|rows| rows.map(|rows| 2.0 * rows.sum_axes(&[0])));
            for (sum, own) in sums.iter_mut().zip(twice) {
                *sum = match (*sum, own) {
                    (Some(sum), Some(own)) => Some(sum + own),
                    (sum, own) => sum.or(own),
                };
            }
        }
        let mut sums = sums.into_iter();
        y.map(&mut |y| sums.next().flatten().unwrap_or_else(|| zeros_like(y, Role::Tangent)))
    }
}

impl<F, Args, W> Function<<Args as Append<W::Selected>>::Output> for LaplacianEstimate<F, Args, W>
where
    F: Function<Args>,
    Args: Append<<W as Wrt<Args>>::Selected>,
    W: Wrt<Args>,
{
    type Output = F::Output;

    fn apply(&self, args: <Args as Append<W::Selected>>::Output) -> F::Output {
        let (args, directions) = Args::split(args);
        let (selected, at) = (W::select(&args), trace::user());
        let y = self.f.apply(args.clone());
        let rows = leaves(&directions);
        let n = rows.first().filter(|_| !trace::has_failed()).and_then(|x| Some(x.ty().row()?.0)).unwrap_or(0);
        if n == 0 {
            trace::fail_at("laplacian_estimate: takes at least one direction, row upon row".to_string());
        }
        if !require_floats(&leaves(&selected)) || !require_floats(&leaves(&y)) {
            return poisoned(&y);
        }
        let zero = y.map(&mut |y| zeros_like(y, Role::Tangent));
        let none = Vec::<Var>::new();
        let (sum, _) = Loop::new().scan(zero, directions, |sum, v| {
            let args = fresh(args.clone());
            let x = W::select(&args);
            let y = self.f.apply(args);
            if !require_alike(("laplacian_estimate", "directions", at), &x, &v) {
                return (sum, none);
            }
            let second = push_line(&x, &v, &y, 2).pop().expect("bug: a series without terms");
            (sum.zip(&second, &mut |sum, y| sum + y), none)
        });
        // The second derivative is twice the coefficient.
        sum.map(&mut |sum| sum * (2.0 / n as f64))
    }
}

/// The direction that moves all elements of a leaf by its number.
fn along_leaves<S: VarTree>(selected: &S, direction: &[i64]) -> S {
    let mut numbers = direction.iter();
    selected.map(&mut |x| {
        let number = *numbers.next().expect("bug: fewer orders than leaves");
        if trace::has_failed() {
            return Var::poisoned();
        }
        trace::in_role(Role::Tangent(value(x)), || x.full_like(number as f64))
    })
}

/// The most directions of one derivative.
const MAX_DIRECTIONS: usize = 100_000;

/// Records an error unless these are orders of a derivative by that many leaves.
fn are_orders(orders: &[usize], n_leaves: usize) -> bool {
    if orders.len() != n_leaves {
        let got = orders.len();
        trace::fail_at(format!("mixed_partial: takes an order for each of {n_leaves} leaves, but got {got}"));
        return false;
    }
    let n = orders.iter().fold(1usize, |n, order| n.saturating_mul(order.saturating_add(1)));
    let (limit, got) = (MAX_DIRECTIONS as u64, Some((n / 2) as u64));
    if n / 2 > MAX_DIRECTIONS {
        trace::fail(LimitError { what: "directions of a mixed partial derivative", limit, got, place: None });
    }
    is_order(orders.iter().fold(0, |sum, order| sum.saturating_add(*order)))
}

/// What a sum of derivatives needs: by direction and order, the factor of the coefficient.
fn plan(terms: &[(f64, Vec<usize>)]) -> BTreeMap<Vec<i64>, BTreeMap<usize, f64>> {
    let mut plan: BTreeMap<Vec<i64>, BTreeMap<usize, f64>> = BTreeMap::new();
    for (factor, orders) in terms {
        let order = orders.iter().sum();
        for (direction, weight) in directions(orders) {
            *plan.entry(direction).or_default().entry(order).or_default() += factor * weight;
        }
    }
    for by_order in plan.values_mut() {
        by_order.retain(|_, factor| *factor != 0.0);
    }
    plan.retain(|_, by_order| !by_order.is_empty());
    plan
}

/// The directions `v` and weights `w` such that `∂^i f = Σ w y(v)`, where `y(v)` is the coefficient of order `|i|` along `v`:
/// a homogeneous polynomial `y` of that degree, for which `∂^i y = 2^-|i| Σ_k (-1)^|k| (i over k) y(i - 2k)`. Directions on a
/// line are taken together, since `y(c v) = c^|i| y(v)`.
fn directions(orders: &[usize]) -> BTreeMap<Vec<i64>, f64> {
    let order: usize = orders.iter().sum();
    if order == 0 {
        return BTreeMap::from([(vec![0; orders.len()], 1.0)]);
    }
    let mut weights: BTreeMap<Vec<i64>, f64> = BTreeMap::new();
    let mut k = vec![0; orders.len()];
    loop {
        let v: Vec<i64> = orders.iter().zip(&k).map(|(&i, &k)| i as i64 - 2 * k as i64).collect();
        let scale = v.iter().fold(0, |divisor, &x| gcd(divisor, x.abs()));
        if let Some(&first) = v.iter().find(|x| **x != 0) {
            let scale = scale * first.signum();
            let choices: f64 = orders.iter().zip(&k).map(|(&i, &k)| binomial(i, k)).product();
            let sign = if k.iter().sum::<usize>().is_multiple_of(2) { 1.0 } else { -1.0 };
            // The power of the scale, over that of 2: together, so that neither overflows.
            let power: f64 = (0..order).map(|_| scale as f64 / 2.0).product();
            *weights.entry(v.iter().map(|x| x / scale).collect()).or_default() += sign * choices * power;
        }
        let Some(place) = (0..k.len()).find(|&place| k[place] < orders[place]) else { return weights };
        k[place] += 1;
        k[..place].fill(0);
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// `n` over `k`.
fn binomial(n: usize, k: usize) -> f64 {
    (0..k).fold(1.0, |product, j| product * (n - j) as f64 / (j + 1) as f64)
}
