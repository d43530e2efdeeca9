use std::cell::RefCell;

use super::tracing::{Settings, read_arguments};
use super::{Arguments, Function, VarTree, grad, jit, jvp, vjp};
use crate::error::{ArgumentError, DerivativeError, Error};
use crate::op::{Var, trace};
use crate::value::{Array, DType, LeafRef, Scalar, ToTree, Type};

/// Compares a function's derivatives, of first and second order and in both modes, with differences of the compiled
/// function at these arguments, given as a tuple. Every leaf of floating point is varied, and the others are kept.
///
/// Each element is varied by a step in proportion to it; the tolerance follows from the rounding of the function's
/// values, from how far values and derivatives move at four points within rounding, as terms that cancel do, and from how
/// much the difference quotient changes with half the step. The second order is checked on the gradient of a weighted sum of
/// all results.
///
/// ```
/// use ndarray::array;
/// use retrograd::{Var, check_grad};
///
/// check_grad(|x: Var, p: (Var, Var)| (x * p.0).sum() / p.1, (array![1.0, 2.0], (3.0, 4.0)))?;
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// [`DerivativeError::Mismatch`] with the worst element, or what tracing and calling the function reports; arguments
/// without a number of floating point;
/// [`DerivativeError::NoSecondOrder`] if the first order agrees, and there is no second.
pub fn check_grad<F, Args>(f: F, args: impl ToTree) -> Result<(), Error>
where
    F: Function<Args>,
    Args: Arguments,
{
    let settings = Settings::default();
    let values = read_arguments::<Args>(&args).map(&mut LeafRef::to_array);
    let named = settings.name_leaves(Args::COUNT, &values)?;
    let (names, x): (Vec<String>, Vec<Array>) =
        named.into_iter().filter(|(_, array)| array.dtype().is_float()).map(|(name, x)| (name, x.clone())).unzip();
    if x.is_empty() {
        let requirement = "takes at least one number of floating point, by which to differentiate".to_string();
        return Err(ArgumentError::Value { name: "check_grad".to_string(), requirement }.into());
    }
    let out_names = RefCell::new(Vec::new());
    let flat = |x: Vec<Var>| -> Vec<Var> {
        let mut x = x.into_iter();
        let vars = values.map(&mut |array| match array.dtype().is_float() {
            true => x.next().expect("bug: fewer variables than leaves"),
            false => Var::constant(array.clone()),
        });
        let output = match Args::from_vars(&vars) {
            Ok(args) => f.apply(args).vars(),
            Err(error) => {
                trace::fail(settings.name_argument(error));
                return Vec::new();
            }
        };
        let floats = output.named_leaves("out").into_iter().filter(|(_, x)| x.dtype().is_float());
        let (names, vars): (Vec<String>, Vec<Var>) = floats.map(|(name, &x)| (name, x)).unzip();
        out_names.replace(names);
        vars
    };
    check_flat(&flat, &x, &names, &|| out_names.borrow().clone())
}

/// A function of lists of arrays, not generic, so that its derivatives are compiled once.
type Flat<'f> = &'f dyn Fn(Vec<Var>) -> Vec<Var>;

fn check_flat(f: Flat<'_>, x: &[Array], names: &[String], out_names: &dyn Fn() -> Vec<String>) -> Result<(), Error> {
    check_function(f, x, names, out_names)?;
    let gradient = grad(|x: Vec<Var>| weighted_sum(&f(x)));
    let gradient = |x: Vec<Var>| gradient.apply((x,));
    let outcome = check_function(&gradient, x, names, &|| names.iter().map(|name| format!("{name}.grad")).collect());
    outcome.map_err(|error| match error {
        Error::Derivative(error) if matches!(error, DerivativeError::NoRule { .. }) => {
            DerivativeError::NoSecondOrder { reason: error.to_string() }.into()
        }
        other => other,
    })
}

/// The results' elements, summed with weights.
fn weighted_sum(y: &[Var]) -> Var {
    let types: Vec<Type> = y.iter().map(|y| y.ty().with_dtype(DType::F64)).collect();
    let terms = y.iter().zip(weights(&types)).map(|(&y, w)| (y.convert(DType::F64) * Var::constant(w)).sum());
    terms.sum()
}

/// The fraction of the golden ratio, whose multiples never repeat modulo 1.
const GOLDEN: f64 = 0.618_033_988_749_895;

/// Weights for the elements of arrays of these types, that no symmetry of theirs cancels; 1 for one alone.
pub(super) fn weights(types: &[Type]) -> Vec<Array> {
    if let [only] = types
        && only.size() == 1
    {
        return vec![Array::full(only, Scalar::F64(1.0))];
    }
    let mut n = 0;
    let mut weight = |_| {
        n += 1;
        Scalar::F64(0.5 + (f64::from(n) * GOLDEN).fract())
    };
    types.iter().map(|ty| Array::collect(ty, (0..ty.size()).map(&mut weight).map(|w| w.convert(ty.dtype)))).collect()
}

/// The primal, on leaves.
type Evaluate<'e> = dyn Fn(&[Array]) -> Result<Vec<Array>, Error> + 'e;

/// The tangents of results or the cotangents of leaves, at these leaves for those tangents or cotangents.
type Push<'e> = dyn Fn(&[Array], Vec<Array>) -> Result<Vec<Array>, Error> + 'e;

/// Compares a function of lists of arrays with differences of it.
fn check_function(
    f: Flat<'_>,
    x: &[Array],
    names: &[String],
    out_names: &dyn Fn() -> Vec<String>,
) -> Result<(), Error> {
    let (value, forward, reverse) = (jit(f), jit(jvp(f)), jit(vjp(f)));
    let check = Check {
        value: &|x| value.call(x),
        forward: &|x, t| forward.call(x, t).map(|(_, t): (Vec<Array>, Vec<Array>)| t),
        reverse: &|x, ct| reverse.call(x, ct).map(|(_, ct): (Vec<Array>, Vec<Array>)| ct),
        x,
    };
    let mut worst: Option<Worst> = None;
    let y = check.run(&mut |comparison| {
        for (mode, derivative) in [("forward", comparison.forward), ("reverse", comparison.reverse)] {
            let excess = comparison.quotient.excess(derivative);
            if worst.as_ref().is_none_or(|worst| excess > worst.excess) {
                let Comparison { of, by, quotient, .. } = comparison;
                worst = Some(Worst { excess, of, by, mode, derivative, quotient });
            }
        }
    })?;
    match worst {
        Some(Worst { excess, of, by, mode, derivative, quotient }) if excess > 1.0 => {
            let (of, by) = (name(&out_names(), &y, of), name(names, x, by));
            let name = format!("{of} by {by} ({mode} mode)");
            let Quotient { difference, tolerance } = quotient;
            Err(DerivativeError::Mismatch { name, derivative, difference, tolerance }.into())
        }
        _ => Ok(()),
    }
}

/// A function of lists of arrays with its derivatives, and the point at which they are checked.
pub(super) struct Check<'a> {
    pub value: &'a Evaluate<'a>,
    pub forward: &'a Push<'a>,
    pub reverse: &'a Push<'a>,
    pub x: &'a [Array],
}

/// One element of some array among several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub leaf: usize,
    pub position: usize,
}

/// What both modes and differences say of one element of the results by one element of the arguments.
#[derive(Clone, Copy)]
pub(super) struct Comparison {
    pub of: Place,
    pub by: Place,
    pub forward: f64,
    pub reverse: f64,
    pub quotient: Quotient,
    /// The largest derivative of the same element of the results.
    pub scale: f64,
    /// How far the derivative moves where the arguments are rounded otherwise: it may be the rest of terms that cancel.
    pub noise: f64,
}

/// A difference quotient, and how far it may be off.
#[derive(Clone, Copy)]
pub(super) struct Quotient {
    pub difference: f64,
    pub tolerance: f64,
}

/// The derivative that is furthest off.
struct Worst {
    excess: f64,
    of: Place,
    by: Place,
    mode: &'static str,
    derivative: f64,
    quotient: Quotient,
}

/// How many points nearby show what rounding does.
const N_NEIGHBORS: usize = 4;

/// Within how many units of rounding they lie: so many that what is computed of them is rounded otherwise, too.
const SPREAD: f64 = 64.0;

/// How many times the distance by which derivatives move there is told from an error.
const NOISES: f64 = 16.0;

/// The derivatives of one element of the results, by reverse mode.
struct Row {
    cotangents: Vec<Array>,
    /// Σ |x · derivative|: what the function sums up on its way to that element is about as large.
    inner: f64,
    scale: f64,
    /// The cotangents at points nearby.
    nearby: Vec<Vec<Array>>,
}

impl Check<'_> {
    /// Shows every pair of elements to the visitor, and gives the results.
    pub fn run(&self, visit: &mut dyn FnMut(Comparison)) -> Result<Vec<Array>, Error> {
        let y = (self.value)(self.x)?;
        let neighbors = self.neighbors(coarsest(self.x.iter().chain(&y)));
        let rows: Vec<Row> = places(&y)
            .map(|place| {
                let cotangents = (self.reverse)(self.x, one_hot(&y, place))?;
                let products = places(self.x).map(|place| (at(self.x, place) * at(&cotangents, place)).abs());
                let inner = products.sum();
                let scale = places(self.x).map(|place| at(&cotangents, place).abs()).fold(0.0, f64::max);
                let near = |x: &Vec<Array>| (self.reverse)(x, one_hot(&y, place)).ok();
                Ok(Row { cotangents, inner, scale, nearby: neighbors.iter().filter_map(near).collect() })
            })
            .collect::<Result<_, Error>>()?;
        let moved = |of: Place, from: &[Array], to: &[Vec<Array>]| {
            // A neighbor outside of the domain says nothing.
            let distances =
                to.iter().map(|to| (at(to, of) - at(from, of)).abs()).filter(|distance| distance.is_finite());
            distances.fold(0.0, f64::max)
        };
        let values: Vec<Vec<Array>> = neighbors.iter().filter_map(|x| (self.value)(x).ok()).collect();
        let noises: Vec<f64> = places(&y).map(|of| moved(of, &y, &values)).collect();
        for by in places(self.x) {
            let direction = || one_hot(self.x, by);
            let column = (self.forward)(self.x, direction())?;
            let columns: Vec<Vec<Array>> =
                neighbors.iter().filter_map(|x| (self.forward)(x, direction()).ok()).collect();
            let quotients = self.quotients(&y, &rows, &noises, by)?;
            for ((of, row), mut quotient) in places(&y).zip(&rows).zip(quotients) {
                let (forward, reverse) = (at(&column, of), at(&row.cotangents, by));
                let noise = NOISES * moved(of, &column, &columns).max(moved(by, &row.cotangents, &row.nearby));
                quotient.tolerance += noise;
                visit(Comparison { of, by, forward, reverse, quotient, scale: row.scale, noise });
            }
        }
        Ok(y)
    }

    /// The arguments, each element with another rounding.
    fn neighbors(&self, epsilon: f64) -> Vec<Vec<Array>> {
        let n: usize = self.x.iter().map(|x| x.ty().size()).sum();
        let neighbor = |k: usize| {
            let mut position = k * n;
            let mut rounded = |x: Scalar| {
                position += 1;
                let Scalar::F64(wide) = x.convert(DType::F64) else { return x };
                let by = (position as f64 * GOLDEN).fract() - 0.5;
                Scalar::F64(wide + SPREAD * epsilon * by * wide).convert(x.dtype())
            };
            self.x.iter().map(|x| Array::collect(&x.ty(), x.elements().map(&mut rounded))).collect()
        };
        (0..N_NEIGHBORS).map(neighbor).collect()
    }

    /// The difference quotients of all results by one element. Of two steps, one in proportion to the element and one
    /// of unit scale, each result takes that which promises more.
    fn quotients(&self, y: &[Array], rows: &[Row], noises: &[f64], by: Place) -> Result<Vec<Quotient>, Error> {
        let own = at(self.x, by).abs();
        let mut best = self.quotients_at_scale(y, rows, noises, by, own.max(1.0))?;
        if own > 0.0 && own < 1.0 {
            for (best, other) in best.iter_mut().zip(self.quotients_at_scale(y, rows, noises, by, own)?) {
                // A quotient that left the domain is NaN, and so is its tolerance.
                if best.tolerance.is_nan() || other.tolerance < best.tolerance {
                    *best = other;
                }
            }
        }
        Ok(best)
    }

    fn quotients_at_scale(
        &self,
        y: &[Array],
        rows: &[Row],
        noises: &[f64],
        by: Place,
        scale: f64,
    ) -> Result<Vec<Quotient>, Error> {
        // One function may mix precisions; the coarsest decides.
        let coarsest = coarsest(self.x.iter().chain(y));
        let whole = coarsest.cbrt() * scale;
        let half = whole / 2.0;
        let (far, near) = (self.around(by, whole)?, self.around(by, half)?);
        let quotient = |((of, row), noise): ((Place, &Row), &f64)| {
            let slope = |(below, above, width): &(Vec<Array>, Vec<Array>, f64)| (at(above, of) - at(below, of)) / width;
            let difference = slope(&near);
            let size = at(&near.0, of).abs().max(at(&near.1, of).abs()).max(row.inner);
            let rounding = (16.0 * coarsest * size).max(*noise) / half;
            let tolerance = rounding + (slope(&far) - difference).abs() + coarsest.sqrt() * difference.abs();
            Quotient { difference, tolerance }
        };
        Ok(places(y).zip(rows).zip(noises).map(quotient).collect())
    }

    /// The values below and above, and the distance between the two points, which rounding may have changed.
    fn around(&self, by: Place, step: f64) -> Result<(Vec<Array>, Vec<Array>, f64), Error> {
        let x = at(self.x, by);
        let (below, above) = (replaced(self.x, by, x - step), replaced(self.x, by, x + step));
        let width = at(&above, by) - at(&below, by);
        Ok(((self.value)(&below)?, (self.value)(&above)?, width))
    }
}

impl Quotient {
    /// How far a derivative is off, in tolerances. What is not a number is as wrong as can be.
    pub fn excess(&self, derivative: f64) -> f64 {
        excess(derivative, self.difference, self.tolerance)
    }
}

/// The distance of two numbers, in tolerances. What is not a number is as far off as can be.
pub(super) fn excess(x: f64, y: f64, tolerance: f64) -> f64 {
    let distance = (x - y).abs();
    if distance <= tolerance {
        return if tolerance > 0.0 { distance / tolerance } else { 0.0 };
    }
    let excess = distance / tolerance;
    if excess.is_nan() { f64::INFINITY } else { excess }
}

/// The largest distance of 1 from the next number among the dtypes of some arrays.
pub(super) fn coarsest<'a>(arrays: impl Iterator<Item = &'a Array>) -> f64 {
    arrays.map(|array| array.dtype().epsilon()).fold(f64::EPSILON, f64::max)
}

/// Every element.
pub(super) fn places(arrays: &[Array]) -> impl Iterator<Item = Place> {
    let sizes = arrays.iter().map(Array::size).enumerate();
    sizes.flat_map(|(leaf, size)| (0..size).map(move |position| Place { leaf, position }))
}

pub(super) fn at(arrays: &[Array], place: Place) -> f64 {
    let element = arrays[place.leaf].get(place.position).expect("bug: a place beyond the array");
    match element.convert(DType::F64) {
        Scalar::F64(x) => x,
        other => unreachable!("bug: {other:?} is not f64"),
    }
}

fn replaced(arrays: &[Array], place: Place, x: f64) -> Vec<Array> {
    let mut arrays = arrays.to_vec();
    let array = &mut arrays[place.leaf];
    let ty = array.ty();
    let element = |(position, old): (usize, Scalar)| match position == place.position {
        true => Scalar::F64(x).convert(ty.dtype),
        false => old,
    };
    *array = Array::collect(&ty, array.elements().enumerate().map(element));
    arrays
}

fn one_hot(like: &[Array], place: Place) -> Vec<Array> {
    let zeros: Vec<Array> = like.iter().map(|array| Array::zeros(&array.ty())).collect();
    replaced(&zeros, place, 1.0)
}

/// `x.1[2,0]`.
pub(super) fn name(names: &[String], arrays: &[Array], place: Place) -> String {
    let shape = arrays[place.leaf].shape();
    let mut rest = place.position;
    let mut indices: Vec<String> = Vec::new();
    for &extent in shape.iter().rev() {
        indices.insert(0, (rest % extent).to_string());
        rest /= extent;
    }
    let name = &names[place.leaf];
    if indices.is_empty() { name.clone() } else { format!("{name}[{}]", indices.join(",")) }
}
