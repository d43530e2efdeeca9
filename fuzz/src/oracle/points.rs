//! Properties of the point at which a program is differentiated: jumps nearby, singular slopes of an operation, numbers
//! beyond the range of the format.

use retrograd::Graph;
use retrograd::op::Op;
use retrograd::op::internals::Derivative;
use retrograd::value::{Array, DType, Scalar};

use super::walk::{Datum, Step, walk};
use super::{floats, reals};
use crate::choices::Random;

/// All discrete decisions of a program: booleans, integers, rounded values. Between two points with the same decisions
/// there is no jump; differences across a jump say nothing about a derivative. `None` if the run ends in an error.
pub(super) fn decisions(graph: &Graph, inputs: &[Array]) -> Option<Vec<u64>> {
    let mut decisions = Vec::new();
    let inputs = inputs.iter().map(|x| Datum::new(x.clone(), false)).collect();
    walk(graph, inputs, &mut |step| {
        let x = step.arrays();
        if let Op::Floor(_) | Op::Ceil(_) | Op::Round(_) | Op::Trunc(_) | Op::Sign(_) = step.op {
            decisions.extend(reals(&step.results[0]).into_iter().map(f64::to_bits));
        } else if let Op::Copysign(_) = step.op {
            decisions.extend(reals(x[1]).into_iter().map(|x| u64::from(x.is_sign_negative())));
        } else if let Op::Sinc(_) | Op::SincDerivative(_) = step.op {
            // Large numbers are integers, and the periods between them are not resolved: each number counts as a period
            // of its own.
            let last_fraction = if x[0].dtype() == DType::F32 { 2f64.powi(23) } else { 2f64.powi(52) };
            decisions.extend(reals(x[0]).into_iter().filter(|x| x.abs() >= last_fraction).map(f64::to_bits));
        } else if let Op::Rem(_) = step.op {
            let (x, y, rest) = (reals(x[0]), reals(x[1]), reals(&step.results[0]));
            decisions.extend((0..rest.len()).map(|k| ((x[k] - rest[k]) / y[k]).round().to_bits()));
        }
        for y in step.results.iter().filter(|y| !y.dtype().is_float()) {
            decisions.extend(y.elements().map(Scalar::bits));
        }
    })?;
    Some(decisions)
}

/// The causes by which tangents or cotangents became infinite or NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Births {
    /// From exact zeros, which must propagate as zeros: always an error.
    pub(super) of_zeros: bool,
    /// By overflow of a product or sum of finite numbers.
    pub(super) by_overflow: bool,
    /// By a product with an infinite or NaN slope.
    pub(super) by_slopes: bool,
}

/// Finds where a derivative becomes infinite or NaN. The first `n_primal` of its inputs are those of the program.
pub(super) fn births(graph: &Graph, inputs: &[Array], n_primal: usize) -> Option<Births> {
    let mut births = Births::default();
    let inputs = inputs.iter().enumerate().map(|(k, x)| Datum::new(x.clone(), k >= n_primal)).collect();
    walk(graph, inputs, &mut |step| {
        if step.is_linear && !step.results.iter().all(is_finite) {
            match step.op.derivative() {
                Derivative::Elementwise(_) => births.of_elements(&step),
                _ => births.of_arrays(&step),
            }
        }
    })?;
    Some(births)
}

impl Births {
    fn of_elements(&mut self, step: &Step<'_>) {
        let all = |is_linear: bool| -> Vec<Vec<f64>> {
            let chosen = step.operands.iter().filter(|x| x.is_linear() == is_linear);
            chosen.filter_map(Datum::array).filter(|x| x.dtype().is_float()).map(reals).collect()
        };
        let (linear, slopes) = (all(true), all(false));
        for (k, y) in reals(&step.results[0]).into_iter().enumerate() {
            if y.is_finite() || !linear.iter().all(|x| x[k].is_finite()) {
                continue;
            }
            let by_zero = |x: &Vec<f64>| x[k] == 0.0 && matches!(step.op, Op::Div(_));
            if linear.iter().all(|x| x[k] == 0.0) {
                self.of_zeros = true;
            } else if slopes.iter().any(|x| !x[k].is_finite() || by_zero(x)) {
                self.by_slopes = true;
            } else {
                self.by_overflow = true;
            }
        }
    }

    fn of_arrays(&mut self, step: &Step<'_>) {
        if step.operands.iter().any(|x| x.is_linear() && !x.array().is_some_and(is_finite)) {
            return;
        }
        if step.arrays().into_iter().all(is_finite) {
            self.by_overflow = true;
            return;
        }
        self.by_slopes = true;
        if !matches!(step.op, Op::DotGeneral(_) | Op::StrongDot(_)) {
            return;
        }
        // For each sum, the number of products of a nonzero and a non-finite factor.
        let marks = |x: &Datum| {
            let is_marked = |element: f64| if x.is_linear() { element != 0.0 } else { !element.is_finite() };
            floats(x.array()?, |element| f64::from(u8::from(is_marked(element))))
        };
        let marks: Option<Vec<Array>> = step.operands.iter().map(marks).collect();
        let counts = marks.and_then(|marks| step.op.eval(&marks.iter().collect::<Vec<_>>()).ok());
        let Some(counts) = counts else { return };
        let pairs = reals(&step.results[0]).into_iter().zip(reals(&counts[0]));
        self.of_zeros |= pairs.into_iter().any(|(y, count)| !y.is_finite() && count == 0.0);
    }
}

/// Whether a sum or product of finite numbers is beyond the range of the format: a derivative does not expect it to be
/// infinite, and multiplies with it as with a finite number.
pub(super) fn overflows(graph: &Graph, inputs: &[Array]) -> bool {
    let mut overflows = false;
    let inputs = inputs.iter().map(|x| Datum::new(x.clone(), false)).collect();
    walk(graph, inputs, &mut |step| {
        let adds_or_multiplies = matches!(
            step.op,
            Op::Add(_)
                | Op::Sub(_)
                | Op::Mul(_)
                | Op::Fma(_)
                | Op::Square(_)
                | Op::IntegerPow(_)
                | Op::ReduceSum(_)
                | Op::ReduceProd(_)
                | Op::CumSum(_)
                | Op::DotGeneral(_)
        );
        overflows |=
            adds_or_multiplies && step.arrays().into_iter().all(is_finite) && !step.results.iter().all(is_finite);
    });
    overflows
}

/// Whether a slope that is a product or quotient of numbers other than 0 is below the normal range of the format. A
/// derivative multiplies with it as it is, though the product may be of any magnitude.
pub(super) fn loses_slopes(graph: &Graph, inputs: &[Array], n_primal: usize) -> bool {
    let mut loses = false;
    let inputs = inputs.iter().enumerate().map(|(k, x)| Datum::new(x.clone(), k >= n_primal)).collect();
    walk(graph, inputs, &mut |step| {
        let multiplies = matches!(
            step.op,
            Op::Mul(_) | Op::StrongMul(_) | Op::Div(_) | Op::Square(_) | Op::Reciprocal(_) | Op::IntegerPow(_)
        );
        if multiplies && !step.is_linear {
            let x: Vec<Vec<f64>> = step.arrays().into_iter().map(reals).collect();
            let is_lost =
                |(k, y): (usize, f64)| y.abs() < f64::MIN_POSITIVE && x.iter().all(|x| x[k] != 0.0 && x[k].is_finite());
            loses |= reals(&step.results[0]).into_iter().enumerate().any(is_lost);
        }
    });
    loses
}

/// Whether a slope is beyond the range of the format: a function of finite numbers is infinite, and it is not a pole, for it
/// is infinite nearby, too. A derivative multiplies with it as with the slope at a pole.
pub(super) fn slopes_overflow(graph: &Graph, inputs: &[Array], n_primal: usize) -> bool {
    let mut overflow = false;
    let inputs = inputs.iter().enumerate().map(|(k, x)| Datum::new(x.clone(), k >= n_primal)).collect();
    walk(graph, inputs, &mut |step| {
        let is_function = matches!(step.op.derivative(), Derivative::Elementwise(_)) && !step.is_linear;
        overflow |= is_function && step.arrays().into_iter().all(is_finite) && is_infinite_around(&step);
    });
    overflow
}

/// Whether an element of an elementwise operation is infinite, and remains so if any operand moves a little to any side.
fn is_infinite_around(step: &Step<'_>) -> bool {
    let mut infinite: Vec<bool> = reals(&step.results[0]).iter().map(|y| y.is_infinite()).collect();
    let x = step.arrays();
    for slot in (0..x.len()).filter(|&slot| x[slot].dtype().is_float()) {
        for h in [1e-3, -1e-3] {
            let y = moved(step, slot, |x| if x == 0.0 { h } else { x + x.abs() * h });
            let Some(y) = y.filter(|_| infinite.contains(&true)) else { return false };
            infinite.iter_mut().zip(reals(&y[0])).for_each(|(infinite, y)| *infinite &= y.is_infinite());
        }
    }
    infinite.contains(&true)
}

/// Whether a program evaluates an operation where it has no finite slope, such as a root at 0 or a logarithm at the
/// edge of its domain, or computes with numbers that are infinite, NaN or subnormal, whose slopes need not be
/// representable.
pub(super) fn is_singular(graph: &Graph, inputs: &[Array], random: &Random) -> bool {
    let mut singular = false;
    let inputs = inputs.iter().map(|x| Datum::new(x.clone(), false)).collect();
    let end = walk(graph, inputs, &mut |step| {
        singular = singular
            || has_extremes(&step)
            || match step.op.derivative() {
                Derivative::Elementwise(_) | Derivative::General(_) => is_steep(&step, random),
                Derivative::Zero | Derivative::Linear(_) | Derivative::Control => false,
            };
    });
    singular || end.is_none()
}

fn has_extremes(step: &Step<'_>) -> bool {
    let is_extreme = |x: &Array| match x.dtype() {
        DType::F32 => x.as_slice::<f32>().is_some_and(|x| x.iter().any(|x| !x.is_finite() || x.is_subnormal())),
        _ => reals(x).iter().any(|x| !x.is_finite() || x.is_subnormal()),
    };
    step.arrays().into_iter().any(is_extreme) || step.results.iter().any(is_extreme)
}

/// Whether the difference quotients of the operation diverge for small steps, or its domain ends at the point.
fn is_steep(step: &Step<'_>, random: &Random) -> bool {
    let x = step.arrays();
    let float_slots = (0..x.len()).filter(|&slot| x[slot].dtype().is_float());
    float_slots.into_iter().any(|slot| {
        let (long, short) = if x[slot].dtype() == DType::F32 { (1e-2, 1e-6) } else { (1e-3, 1e-9) };
        [1.0, -1.0].into_iter().any(|side| {
            let (Some(long), Some(short)) =
                (slopes(step, slot, side * long, random), slopes(step, slot, side * short, random))
            else {
                return true;
            };
            let sizes = step.results.iter().flat_map(reals);
            short.iter().zip(&long).zip(sizes).any(|((short, long), size)| {
                // The second term is the rounding error of the quotients of the short step.
                !short.is_finite() || *short > 30.0 * long + 1e-5 * size.abs()
            })
        })
    })
}

/// The magnitudes of the difference quotients for a step in one operand, element by element.
fn slopes(step: &Step<'_>, slot: usize, h: f64, random: &Random) -> Option<Vec<f64>> {
    let moved = moved(step, slot, |x| {
        let by = h * random.range(0.5, 1.0);
        if x == 0.0 { by } else { x + x.abs() * by }
    })?;
    let pairs = moved.iter().flat_map(reals).zip(step.results.iter().flat_map(reals));
    Some(pairs.map(|(moved, y)| (moved - y).abs() / h.abs()).collect())
}

/// The results of the operation if the elements of one operand are others.
fn moved(step: &Step<'_>, slot: usize, to: impl Fn(f64) -> f64) -> Option<Vec<Array>> {
    let mut x: Vec<Array> = step.arrays().into_iter().cloned().collect();
    x[slot] = floats(&x[slot], to)?;
    step.op.eval(&x.iter().collect::<Vec<_>>()).ok()
}

fn is_finite(x: &Array) -> bool {
    !x.dtype().is_float() || reals(x).iter().all(|x| x.is_finite())
}

#[cfg(test)]
mod tests {
    use retrograd::value::Type;
    use retrograd::{Var, cond, trace};

    use super::*;

    fn of_two(f: impl Fn(Var, Var) -> Var) -> Graph {
        let ty = Type::new(DType::F64, [2]);
        trace(move |x: Var, ct: Var| f(x, ct), (ty.clone(), ty)).unwrap()
    }

    fn births_at(f: impl Fn(Var, Var) -> Var, x: [f64; 2], ct: [f64; 2]) -> [bool; 3] {
        let inputs = [x, ct].map(|x| Array::from_elements([2], x.to_vec()).unwrap());
        let Births { of_zeros, by_overflow, by_slopes } = births(&of_two(f), &inputs, 1).unwrap();
        [of_zeros, by_overflow, by_slopes]
    }

    #[test]
    fn causes_of_non_finite_numbers_are_distinguished() {
        let product = |x: Var, ct: Var| ct * x.recip();
        assert_eq!(births_at(product, [1.0, 2.0], [3.0, 0.0]), [false, false, false]);
        assert_eq!(births_at(product, [0.0, 2.0], [3.0, 0.0]), [false, false, true]);
        assert_eq!(births_at(product, [1.0, 0.0], [3.0, 0.0]), [true, false, false]);
        assert_eq!(births_at(product, [1e-200, 1.0], [1e200, 0.0]), [false, true, false]);
        assert_eq!(births_at(|x, ct| ct / x, [0.0, 1.0], [3.0, 0.0]), [false, false, true]);
        // In a sum of products: only a zero times the infinity, and also another number times the infinity.
        let contraction = |x: Var, ct: Var| ct.dot(x.recip());
        assert_eq!(births_at(contraction, [1.0, 0.0], [3.0, 0.0]), [true, false, true]);
        assert_eq!(births_at(contraction, [0.0, 0.0], [3.0, 0.0]), [false, false, true]);
        // The zero of the branch not taken is a cotangent as well.
        let not_taken = |x: Var, ct: Var| {
            let branch = |ct: Var| cond(x.sum().greater(0.0), || ct.full_like(0.0), || ct);
            branch(ct) * x.ln()
        };
        assert_eq!(births_at(not_taken, [3.0, 0.0], [1.0, 1.0]), [true, false, false]);
    }

    #[test]
    fn overflow_is_told_from_poles_and_lost_slopes_from_lost_tangents() {
        let at = |f: fn(Var, Var) -> Var, x: [f64; 2], y: [f64; 2]| {
            let inputs = [x, y].map(|x| Array::from_elements([2], x.to_vec()).unwrap());
            let graph = of_two(f);
            (overflows(&graph, &inputs), loses_slopes(&graph, &inputs, 1))
        };
        assert_eq!(at(|x, _| x.prod(), [1e200, 1e200], [1.0, 1.0]), (true, false));
        assert_eq!(at(|x, _| x * x + x, [1e155, 1.0], [1.0, 1.0]), (true, false));
        assert_eq!(at(|x, _| x.ln() * x, [0.0, 1.0], [1.0, 1.0]), (false, false));
        assert_eq!(at(|x, _| x.recip().recip(), [1e-310, 1.0], [1.0, 1.0]), (false, false));
        assert_eq!(at(|x, ct| ct * (x.recip() / x), [1e163, 1.0], [1.0, 1.0]), (false, true));
        assert_eq!(at(|x, ct| ct * x.recip() / x, [1e163, 1.0], [1.0, 1.0]), (false, false));
        assert_eq!(at(|x, ct| ct * (x * 1e-200), [0.0, 1.0], [1.0, 1.0]), (false, false));
    }

    #[test]
    fn slopes_beyond_the_format_are_told_from_poles() {
        let at = |f: fn(Var, Var) -> Var, x: f64| {
            let inputs = [[x, 1.0], [1.0, 1.0]].map(|x| Array::from_elements([2], x.to_vec()).unwrap());
            slopes_overflow(&of_two(f), &inputs, 1)
        };
        let fifth_power = |x: Var, ct: Var| ct * x.powi(-5);
        assert_eq!([1e-65, 0.0, 1e-60].map(|x| at(fifth_power, x)), [true, false, false]);
        assert!(!at(|x, ct| ct * x.ln().recip(), 1.0) && !at(|x, ct| ct * x.ln(), 0.0));
        // Tangents that overflow are no slopes, and NaN is no infinity.
        assert!(!at(|x, ct| (ct * 1e200) * (x * 1e200), 1.0) && !at(|x, ct| ct * x.sqrt(), -1.0));
    }

    #[test]
    fn decisions_differ_only_across_jumps() {
        let graph = of_two(|x, y| x.floor() + y.greater(0.0).select(x, y) + x % 0.75);
        let at = |x: f64, y: f64| decisions(&graph, &[x, y].map(|x| Array::from_elements([2], vec![x, 0.1]).unwrap()));
        assert_eq!(at(0.8, 1.0), at(0.9, 2.0));
        assert_ne!(at(0.8, 1.0), at(1.1, 1.0));
        assert_ne!(at(0.8, 1.0), at(0.8, -1.0));
        assert_ne!(at(0.8, 1.0), at(0.7, 1.0));
        let graph = of_two(|x, _| x.sinc());
        let at = |x: f64| decisions(&graph, &[x, 0.0].map(|x| Array::from_elements([2], vec![x, 0.1]).unwrap()));
        assert_eq!(at(1e3), at(1e3 + 1.0));
        assert_ne!(at(1e20), at(1e20 + 1e5));
    }

    #[test]
    fn programs_are_singular_where_a_slope_is_infinite() {
        let singular = |f: fn(Var) -> Var, x: f64| {
            let graph = trace(f, (DType::F64,)).unwrap();
            is_singular(&graph, &[Array::scalar(x)], &Random::new(1))
        };
        assert!(singular(|x| (x - x).sqrt(), 1.0));
        assert!(singular(|x| x.cbrt(), 0.0));
        assert!(singular(|x| (x - 1.0).abs().powf(x - 1.0), 1.0));
        assert!(singular(|x| x.acos(), 1.0));
        assert!(singular(|x| x.ln(), -1.0));
        assert!(singular(|x| (-x * x).exp() * 1e-20, 27.0));
        assert!(!singular(|x| (x - x).sinc() + x.sqrt() + x.hypot(0.0), 1.0));
        assert!(!singular(|x| (x * 1e3).exp().ln_1p().tanh() + x.erf(), 0.1));
        assert!(!singular(|x| x.abs() + x.max(0.0) + x.square().cos(), 0.0));
    }
}
