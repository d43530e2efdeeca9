use std::cell::RefCell;

use super::tracing::Settings;
use super::{Arguments, Function, VarTree, grad, jit, jvp, vjp};
use crate::error::{DerivativeError, Error};
use crate::op::{Var, trace};
use crate::value::{Array, DType, LeafRef, Scalar, ToTree, Type};

/// Compares a function's derivatives, of first and second order and in both modes, with differences of the compiled
/// function at these arguments, given as a tuple. Every leaf of floating point is varied, and the others are kept.
///
/// Each element is varied by a step in proportion to it; the tolerance follows from the rounding of the function's
/// values and from how much the difference quotient changes with half the step. The second order is checked on the
/// gradient of a weighted sum of all results.
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
/// [`DerivativeError::Mismatch`] with the worst element, or what tracing and calling the function reports.
pub fn check_grad<F, Args>(f: F, args: impl ToTree) -> Result<(), Error>
where
    F: Function<Args>,
    Args: Arguments,
{
    let settings = Settings::default();
    let values = args.to_tree().map(&mut LeafRef::to_array);
    let named = settings.name_leaves::<Args, Array>(&values)?;
    let (names, x): (Vec<String>, Vec<Array>) =
        named.into_iter().filter(|(_, array)| array.dtype().is_float()).map(|(name, x)| (name, x.clone())).unzip();
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
    let first = Check { f: &flat, x: &x, names: &names };
    first.run(|| out_names.borrow().clone())?;
    let gradient = grad(|x: Vec<Var>| weighted_sum(&flat(x)));
    let second = Check { f: &gradient, x: &x, names: &names };
    second.run(|| names.iter().map(|name| format!("{name}.grad")).collect())
}

/// The results' elements, summed with weights that no symmetry of theirs cancels.
fn weighted_sum(y: &[Var]) -> Var {
    let mut n = 0;
    let mut weights = |ty: &Type| {
        let weight = |_| {
            n += 1;
            // Multiples of the golden ratio's fraction never repeat modulo 1.
            Scalar::F64(0.5 + (f64::from(n) * 0.618_033_988_749_895).fract())
        };
        Array::collect(&ty.with_dtype(DType::F64), (0..ty.size()).map(weight))
    };
    let terms = y.iter().map(|&y| (y.convert(DType::F64) * Var::constant(weights(&y.ty()))).sum());
    terms.sum()
}

/// The primal, on leaves.
type Evaluate<'e> = dyn Fn(&[Array]) -> Result<Vec<Array>, Error> + 'e;

/// A function of lists of arrays, and the point at which it is checked.
struct Check<'a, F> {
    f: &'a F,
    x: &'a [Array],
    names: &'a [String],
}

/// One element of some array among several.
#[derive(Clone, Copy)]
struct Place {
    leaf: usize,
    position: usize,
}

/// A difference quotient, and how far it may be off.
#[derive(Clone, Copy)]
struct Quotient {
    difference: f64,
    tolerance: f64,
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

impl<F: Function<(Vec<Var>,), Output = Vec<Var>>> Check<'_, F> {
    fn run(&self, output_names: impl Fn() -> Vec<String>) -> Result<(), Error> {
        let f = |x: Vec<Var>| self.f.apply((x,));
        let value = jit(f);
        let y: Vec<Array> = value.call(self.x)?;
        let (forward, reverse) = (jit(jvp(f)), jit(vjp(f)));
        let rows: Vec<Vec<Array>> = places(&y)
            .map(|place| {
                let (_, row): (Vec<Array>, Vec<Array>) = reverse.call(self.x, one_hot(&y, place))?;
                Ok(row)
            })
            .collect::<Result<_, Error>>()?;
        let mut worst: Option<Worst> = None;
        for by in places(self.x) {
            let (_, column): (Vec<Array>, Vec<Array>) = forward.call(self.x, one_hot(self.x, by))?;
            let quotients = self.quotients(&|x| value.call(x), &y, &rows, by)?;
            for ((of, row), quotient) in places(&y).zip(&rows).zip(quotients) {
                for (mode, derivative) in [("forward", at(&column, of)), ("reverse", at(row, by))] {
                    let excess = quotient.excess(derivative);
                    if worst.as_ref().is_none_or(|worst| excess > worst.excess) {
                        worst = Some(Worst { excess, of, by, mode, derivative, quotient });
                    }
                }
            }
        }
        match worst {
            Some(Worst { excess, of, by, mode, derivative, quotient }) if excess > 1.0 => {
                let (of, by) = (name(&output_names(), &y, of), name(self.names, self.x, by));
                let name = format!("{of} by {by} ({mode} mode)");
                let Quotient { difference, tolerance } = quotient;
                Err(DerivativeError::Mismatch { name, derivative, difference, tolerance }.into())
            }
            _ => Ok(()),
        }
    }

    /// The difference quotients of all results by one element. Of two steps, one in proportion to the element and one
    /// of unit scale, each result takes that which promises more.
    fn quotients(
        &self,
        value: &Evaluate<'_>,
        y: &[Array],
        rows: &[Vec<Array>],
        by: Place,
    ) -> Result<Vec<Quotient>, Error> {
        let own = at(self.x, by).abs();
        let mut best = self.quotients_at_scale(value, y, rows, by, own.max(1.0))?;
        if own > 0.0 && own < 1.0 {
            for (best, other) in best.iter_mut().zip(self.quotients_at_scale(value, y, rows, by, own)?) {
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
        value: &Evaluate<'_>,
        y: &[Array],
        rows: &[Vec<Array>],
        by: Place,
        scale: f64,
    ) -> Result<Vec<Quotient>, Error> {
        let own = epsilon(self.x[by.leaf].dtype());
        let step = |epsilon: f64| epsilon.cbrt() * scale;
        // One function may mix precisions; the coarsest decides.
        let coarsest = self.x.iter().chain(y).map(|array| epsilon(array.dtype())).fold(own, f64::max);
        let (whole, half) = (step(coarsest), step(coarsest) / 2.0);
        let (far, near) = (self.around(value, by, whole)?, self.around(value, by, half)?);
        let quotient = |(of, row): (Place, &Vec<Array>)| {
            let slope = |(below, above, width): &(Vec<Array>, Vec<Array>, f64)| (at(above, of) - at(below, of)) / width;
            let difference = slope(&near);
            // What the function sums up on its way is about as large as this.
            let inner: f64 = places(self.x).map(|place| (at(self.x, place) * at(row, place)).abs()).sum();
            let size = at(&near.0, of).abs().max(at(&near.1, of).abs()).max(inner);
            let rounding = 16.0 * coarsest * size / half;
            let tolerance = rounding + (slope(&far) - difference).abs() + coarsest.sqrt() * difference.abs();
            Quotient { difference, tolerance }
        };
        Ok(places(y).zip(rows).map(quotient).collect())
    }

    /// The values below and above, and the distance between the two points, which rounding may have changed.
    fn around(&self, value: &Evaluate<'_>, by: Place, step: f64) -> Result<(Vec<Array>, Vec<Array>, f64), Error> {
        let x = at(self.x, by);
        let (below, above) = (replaced(self.x, by, x - step), replaced(self.x, by, x + step));
        let width = at(&above, by) - at(&below, by);
        Ok((value(&below)?, value(&above)?, width))
    }
}

impl Quotient {
    /// How far a derivative is off, in tolerances. What is not a number is as wrong as can be.
    fn excess(&self, derivative: f64) -> f64 {
        let distance = (derivative - self.difference).abs();
        if distance <= self.tolerance {
            return if self.tolerance > 0.0 { distance / self.tolerance } else { 0.0 };
        }
        let excess = distance / self.tolerance;
        if excess.is_nan() { f64::INFINITY } else { excess }
    }
}

/// The distance of 1 from the next number.
fn epsilon(dtype: DType) -> f64 {
    if dtype == DType::F32 { f32::EPSILON.into() } else { f64::EPSILON }
}

/// Every element.
fn places(arrays: &[Array]) -> impl Iterator<Item = Place> {
    let sizes = arrays.iter().map(Array::size).enumerate();
    sizes.flat_map(|(leaf, size)| (0..size).map(move |position| Place { leaf, position }))
}

fn at(arrays: &[Array], place: Place) -> f64 {
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
fn name(names: &[String], arrays: &[Array], place: Place) -> String {
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
