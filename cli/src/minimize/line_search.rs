use std::cell::Cell;
use std::rc::Rc;

use argmin::core::{
    CostFunction, Error, Gradient, IterState, KV, LineSearch, Problem, Solver, State as _, TerminationReason,
};

use super::objective::largest;

/// A line search by bracketing and bisection for the weak conditions of Wolfe (Lewis and Overton, Nonsmooth optimization
/// via quasi-Newton methods, 2013). It needs no more than comparisons, so a step that leaves the domain, where values are
/// NaN or infinite, is a step too far like any other.
#[derive(Clone)]
pub struct Bisection {
    direction: Vec<f64>,
    /// The distance of 1 from the next number of the function's dtype.
    epsilon: f64,
    /// The last step, where the next is about as long: solvers clone their line search for each iteration.
    last: Option<Rc<Cell<f64>>>,
    /// Whether there was a search before.
    has_begun: Rc<Cell<bool>>,
}

/// How much of the decrease that the slope promises must be met, and how much of the slope may be left.
const DECREASE: f64 = 1e-4;
const CURVATURE: f64 = 0.9;

/// As many doublings as lead from the least number to infinity.
const MAX_TRIALS: usize = 2_100;

impl Bisection {
    /// Tries the whole direction first, as is right for directions that come with a length.
    pub fn unit(epsilon: f64) -> Bisection {
        Bisection { direction: Vec::new(), epsilon, last: None, has_begun: Rc::default() }
    }

    /// Tries twice the last step first, as is right for the gradient.
    pub fn remembering(epsilon: f64) -> Bisection {
        Bisection { last: Some(Rc::new(Cell::new(0.5))), ..Bisection::unit(epsilon) }
    }
}

impl LineSearch<Vec<f64>, f64> for Bisection {
    fn search_direction(&mut self, direction: Vec<f64>) {
        self.direction = direction;
    }

    fn initial_step_length(&mut self, step: f64) -> Result<(), Error> {
        self.last = Some(Rc::new(Cell::new(0.5 * step)));
        Ok(())
    }
}

type State = IterState<Vec<f64>, Vec<f64>, (), (), (), f64>;

/// A point on the line.
struct Trial {
    x: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
}

impl<O> Solver<O, State> for Bisection
where
    O: CostFunction<Param = Vec<f64>, Output = f64> + Gradient<Param = Vec<f64>, Gradient = Vec<f64>>,
{
    fn name(&self) -> &str {
        "bisection"
    }

    /// The whole search. Where there is nothing lower, the point stays.
    fn next_iter(&mut self, problem: &mut Problem<O>, mut state: State) -> Result<(State, Option<KV>), Error> {
        let x = state.take_param().expect("bug: a line search without a point");
        let start = Trial { value: problem.cost(&x)?, gradient: problem.gradient(&x)?, x };
        let slope = dot(&start.gradient, &self.direction);
        // Near the minimum, values differ by rounding alone while slopes still show where it is.
        let rounding = 4.0 * self.epsilon * start.value.abs();
        let (mut low, mut high) = (0.0, f64::INFINITY);
        let mut step = self.last.as_ref().map_or(1.0, |last| 2.0 * last.get());
        if !self.has_begun.replace(true) {
            // Nothing is known of how far the gradient leads. A step of its whole length may lead onto a plateau.
            step = step.min(1.0 / largest(&self.direction).max(f64::MIN_POSITIVE));
        }
        let mut best = None;
        for _ in 0..if slope < 0.0 { MAX_TRIALS } else { 0 } {
            let x: Vec<f64> = start.x.iter().zip(&self.direction).map(|(x, d)| x + step * d).collect();
            let value = problem.cost(&x)?;
            if value <= start.value + DECREASE * step * slope + rounding {
                let gradient = problem.gradient(&x)?;
                let is_steep = dot(&gradient, &self.direction) < CURVATURE * slope;
                best = Some((Trial { x, value, gradient }, step));
                // What has no bound from below is found out by going all the way.
                if !is_steep || value == f64::NEG_INFINITY {
                    break;
                }
                low = step;
            } else {
                high = step;
            }
            step = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * low };
            if step <= low || step >= high {
                break;
            }
        }
        let found = match best {
            Some((found, step)) => {
                self.last.iter().for_each(|last| last.set(step));
                found
            }
            None => start,
        };
        let Trial { x, value, gradient } = found;
        let state = state.param(x).cost(value).gradient(gradient);
        Ok((state.terminate_with(TerminationReason::SolverConverged), None))
    }
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}
