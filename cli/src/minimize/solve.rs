use std::cell::RefCell;
use std::rc::Rc;

use argmin::core::{
    CostFunction, Executor, Gradient, IterState, KV, LineSearch, Problem, Solver, State as _, TerminationReason,
    TerminationStatus,
};
use argmin::solver::gradientdescent::SteepestDescent;
use argmin::solver::quasinewton::LBFGS;
use clap::ValueEnum;
use retrograd::Error;

use super::line_search::Bisection;
use super::objective::{Objective, Point, norm};

/// How to minimize.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// Along the negative gradient, with a line search or a given step size.
    GradientDescent,
    /// Adam (Kingma and Ba 2015), with a given step size.
    Adam,
    /// Limited-memory BFGS, with a line search.
    Lbfgs,
    /// Newton's method with a line search; conjugate gradients on Hessian-vector products give the step.
    NewtonCg,
}

/// When to stop, and how far to step.
pub struct Settings {
    pub method: Method,
    pub learning_rate: Option<f64>,
    pub max_iterations: u64,
    pub tolerance: f64,
}

/// Why it stopped.
pub enum Stop {
    /// The norm of the gradient is within the tolerance, at a point that is as low as any that was seen.
    Gradient,
    /// There were as many iterations as there may be.
    Iterations,
    /// No step leads to a lower value.
    NoProgress,
    /// Value or gradient are not finite at this point.
    Diverged(Rc<Point>),
    /// The graph could not be evaluated at this point.
    Failed(Error, Vec<f64>),
}

/// Where it stopped: the lowest point that was seen, also during a line search, or one as low with the least gradient,
/// unless none was finite.
pub struct Outcome {
    pub point: Option<Rc<Point>>,
    /// The iteration that stopped it.
    pub iteration: u64,
    pub stop: Stop,
}

/// Shows each iteration: its number, and where it led.
pub type Observe<'o> = dyn FnMut(u64, &Point) + 'o;

/// The steps of Adam where no rate is given.
const ADAM_RATE: f64 = 0.01;

/// How many steps L-BFGS remembers.
const MEMORY: usize = 10;

/// By how much values may differ by rounding, relative to themselves and in units of the dtype's distance of 1 from the
/// next number.
const ROUNDING: f64 = 4.0;

/// How often a step that led onto flat ground is halved, to see whether it led over a minimum.
const MAX_HALVINGS: u32 = 20;

/// Minimizes from the objective's start.
pub fn minimize(objective: &Objective, settings: &Settings, observe: &mut Observe<'_>) -> Outcome {
    let rounding = ROUNDING * objective.epsilon();
    let watch = Watch { tolerance: settings.tolerance, rounding, iteration: 0, best: None, stop: None, observe };
    let watch = RefCell::new(watch);
    match (settings.method, settings.learning_rate) {
        (Method::GradientDescent, None) => {
            run(objective, settings, &watch, SteepestDescent::new(Bisection::remembering(objective.epsilon())));
        }
        (Method::GradientDescent, Some(rate)) => run(objective, settings, &watch, Steps { rate, moments: None }),
        (Method::Adam, rate) => {
            let moments = Some(Moments::default());
            run(objective, settings, &watch, Steps { rate: rate.unwrap_or(ADAM_RATE), moments });
        }
        (Method::Lbfgs, _) => {
            run(objective, settings, &watch, LBFGS::new(Bisection::unit(objective.epsilon()), MEMORY))
        }
        (Method::NewtonCg, _) => {
            run(objective, settings, &watch, NewtonCg { objective, line_search: Bisection::unit(objective.epsilon()) })
        }
    }
    let Watch { iteration, best, stop, .. } = watch.into_inner();
    let has_converged = matches!(stop, Some(Stop::Gradient));
    let lower = objective.lowest().filter(|lowest| best.as_ref().is_none_or(|best| lowest.value < best.value));
    let point = lower.filter(|_| !has_converged).or(best);
    match objective.failure() {
        // What failed was on its way to the next one.
        Some((error, x)) => {
            let iteration = if point.is_some() { iteration + 1 } else { 0 };
            Outcome { point, iteration, stop: Stop::Failed(error, x) }
        }
        // The search may end at a higher point than one that a line search has met.
        None if matches!(stop, Some(Stop::NoProgress))
            && point.as_ref().is_some_and(|point| point.gradient_norm() <= settings.tolerance) =>
        {
            Outcome { point, iteration, stop: Stop::Gradient }
        }
        None => Outcome { point, iteration, stop: stop.unwrap_or(Stop::Iterations) },
    }
}

/// Runs a solver of argmin under watch. All that it could report is in the watch or in the objective.
fn run<'o, S>(objective: &'o Objective, settings: &Settings, watch: &RefCell<Watch<'_, '_>>, inner: S)
where
    S: Solver<&'o Objective, State>,
{
    let watched = Watched { inner, objective, watch };
    let start = objective.start();
    let executor = Executor::new(objective, watched);
    let outcome = executor.configure(|state| state.param(start).max_iters(settings.max_iterations)).timer(false).run();
    if outcome.is_err() && objective.failure().is_none() {
        watch.borrow_mut().stop.get_or_insert(Stop::NoProgress);
    }
}

type State = IterState<Vec<f64>, Vec<f64>, (), (), (), f64>;

/// What is recorded during a run, and when it has to end.
struct Watch<'w, 'o> {
    tolerance: f64,
    /// How much values differ by rounding, relative to themselves.
    rounding: f64,
    iteration: u64,
    best: Option<Rc<Point>>,
    stop: Option<Stop>,
    observe: &'w mut Observe<'o>,
}

impl Watch<'_, '_> {
    /// Looks at where an iteration led; returns whether it was the last one.
    fn look(&mut self, iteration: u64, point: Rc<Point>, has_moved: bool) -> bool {
        self.iteration = iteration;
        self.stop = if !point.is_finite() {
            Some(Stop::Diverged(point))
        } else {
            (self.observe)(iteration, &point);
            let has_converged = self.is_flat(&point) && self.is_as_low_as_any(&point);
            if has_converged || self.best.as_ref().is_none_or(|best| point.value <= best.value) {
                self.best = Some(point);
            }
            match (has_converged, has_moved) {
                (true, _) => Some(Stop::Gradient),
                (false, false) => Some(Stop::NoProgress),
                (false, true) => None,
            }
        };
        self.stop.is_some()
    }

    fn is_flat(&self, point: &Point) -> bool {
        point.gradient_norm() <= self.tolerance
    }

    /// Whether no point was lower by more than the gradient explains: of a convex function f, f(x) - f(y) is at most
    /// ∇f(x)·(x - y).
    fn is_as_low_as_any(&self, point: &Point) -> bool {
        let Some(best) = &self.best else { return true };
        let way: Vec<f64> = point.x.iter().zip(&best.x).map(|(x, y)| x - y).collect();
        point.value <= best.value + point.gradient_norm() * norm(&way) + self.rounding * best.value.abs()
    }
}

/// A solver whose iterations are watched. Its own rules of when to stop are not asked: they differ from one to another.
struct Watched<'o, 'c, 'w, 'f, S> {
    inner: S,
    objective: &'o Objective,
    watch: &'c RefCell<Watch<'w, 'f>>,
}

impl<'o, S> Solver<&'o Objective, State> for Watched<'o, '_, '_, '_, S>
where
    S: Solver<&'o Objective, State>,
{
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn init(
        &mut self,
        problem: &mut Problem<&'o Objective>,
        state: State,
    ) -> Result<(State, Option<KV>), argmin::core::Error> {
        let point = self.objective.evaluate(&self.objective.start())?;
        self.objective.rescale(&point);
        if self.watch.borrow_mut().look(0, point, true) {
            return Ok((state.terminate_with(TerminationReason::SolverConverged), None));
        }
        self.inner.init(problem, state)
    }

    fn next_iter(
        &mut self,
        problem: &mut Problem<&'o Objective>,
        state: State,
    ) -> Result<(State, Option<KV>), argmin::core::Error> {
        let iteration = state.get_iter() + 1;
        let before = state.get_param().cloned();
        let (state, log) = self.inner.next_iter(problem, state)?;
        let Some(x) = state.get_param() else { return Ok((state, log)) };
        let mut point = self.objective.evaluate(x)?;
        let has_moved = before.as_ref() != Some(x);
        let mut state = state;
        if let Some(lower) = before.and_then(|before| self.lower_on_the_way(&before, &point)) {
            point = self.objective.evaluate(&lower)?;
            let (cost, gradient) = (self.objective.cost(&lower)?, self.objective.gradient(&lower)?);
            state = state.param(lower).cost(cost).gradient(gradient);
        }
        let is_last = self.watch.borrow_mut().look(iteration, point, has_moved);
        let state = if is_last { state.terminate_with(TerminationReason::SolverConverged) } else { state };
        Ok((state, log))
    }

    fn terminate(&mut self, _: &State) -> TerminationStatus {
        TerminationStatus::NotTerminated
    }
}

impl<S> Watched<'_, '_, '_, '_, S> {
    /// The lowest point met on the way back from flat ground, if one is lower: a step that leads far over a minimum onto a
    /// plateau, where the gradient vanishes, is no convergence. Near a minimum, half of the last step leads higher, and
    /// that is all that is looked at.
    fn lower_on_the_way(&self, before: &[f64], point: &Point) -> Option<Vec<f64>> {
        let watch = self.watch.borrow();
        if !point.is_finite() || !watch.is_flat(point) {
            return None;
        }
        let rounding = watch.rounding * point.value.abs();
        let mut lowest: Option<(f64, Vec<f64>)> = None;
        for k in 1..=MAX_HALVINGS {
            let part = 0.5f64.powi(k as i32);
            let x: Vec<f64> = before.iter().zip(&point.x).map(|(before, x)| before + part * (x - before)).collect();
            let value = self.objective.value(&x);
            let bound = lowest.as_ref().map_or(point.value - rounding, |(value, _)| *value);
            if value < bound {
                lowest = Some((value, x));
            } else if lowest.is_some() || value.is_nan() || value > point.value + rounding {
                break;
            }
        }
        lowest.map(|(_, x)| x)
    }
}

/// Steps without a line search: along the gradient, or, with its moments, Adam's.
struct Steps {
    rate: f64,
    moments: Option<Moments>,
}

/// Running means of the gradient and of its square, element by element.
#[derive(Default)]
struct Moments {
    n_steps: i32,
    first: Vec<f64>,
    second: Vec<f64>,
}

/// How much of a mean the next step keeps, and what keeps its root from 0, as Adam's authors propose.
const KEPT: (f64, f64) = (0.9, 0.999);
const EPSILON: f64 = 1e-8;

impl Moments {
    /// The direction of the next step.
    fn direction(&mut self, gradient: &[f64]) -> Vec<f64> {
        self.n_steps = self.n_steps.saturating_add(1);
        self.first.resize(gradient.len(), 0.0);
        self.second.resize(gradient.len(), 0.0);
        // The means began at 0; this is how much of them is not that.
        let grown = (1.0 - KEPT.0.powi(self.n_steps), 1.0 - KEPT.1.powi(self.n_steps));
        let means = self.first.iter_mut().zip(&mut self.second);
        let element = |((m, v), g): ((&mut f64, &mut f64), &f64)| {
            *m = KEPT.0 * *m + (1.0 - KEPT.0) * g;
            *v = KEPT.1 * *v + (1.0 - KEPT.1) * g * g;
            -(*m / grown.0) / ((*v / grown.1).sqrt() + EPSILON)
        };
        means.zip(gradient).map(element).collect()
    }
}

impl<O> Solver<O, State> for Steps
where
    O: CostFunction<Param = Vec<f64>, Output = f64> + Gradient<Param = Vec<f64>, Gradient = Vec<f64>>,
{
    fn name(&self) -> &str {
        "steps"
    }

    fn next_iter(
        &mut self,
        problem: &mut Problem<O>,
        mut state: State,
    ) -> Result<(State, Option<KV>), argmin::core::Error> {
        let mut x = state.take_param().expect("bug: a step from no point");
        let gradient = problem.gradient(&x)?;
        let direction = match &mut self.moments {
            Some(moments) => moments.direction(&gradient),
            None => gradient.iter().map(|g| -g).collect(),
        };
        x.iter_mut().zip(direction).for_each(|(x, d)| *x += self.rate * d);
        let value = problem.cost(&x)?;
        Ok((state.param(x).cost(value), None))
    }
}

/// Newton's method with conjugate gradients that stop early (Nocedal and Wright, Numerical Optimization, 2006, algorithm
/// 7.1). That of argmin 0.11 compares the square of the residual with the gradient's norm, and so, near the minimum, goes
/// along the gradient.
struct NewtonCg<'o> {
    objective: &'o Objective,
    line_search: Bisection,
}

impl NewtonCg<'_> {
    /// A direction `d` for which `H d = -g` within the tolerance, or as far as the curvature is positive.
    fn direction(&self, x: &[f64], gradient: &[f64]) -> Vec<f64> {
        let slope = norm(gradient);
        let tolerance = slope.sqrt().min(0.5) * slope;
        let mut d = vec![0.0; x.len()];
        let mut residual: Vec<f64> = gradient.iter().map(|g| -g).collect();
        let mut p = residual.clone();
        let mut square = slope * slope;
        // Exact arithmetic would end after as many products as there are unknowns.
        for n_products in 0..=2 * x.len() {
            let Some(product) = self.objective.times(x, &p) else { break };
            let curvature = dot(&p, &product);
            if curvature <= 0.0 {
                // The curvature does not say how far to go along the gradient.
                if n_products == 0 {
                    let length = norm(&p).max(1.0);
                    d = p.iter().map(|p| p / length).collect();
                }
                break;
            }
            let step = square / curvature;
            add(&mut d, step, &p);
            add(&mut residual, -step, &product);
            let next = dot(&residual, &residual);
            if next.sqrt() <= tolerance {
                break;
            }
            p.iter_mut().zip(&residual).for_each(|(p, r)| *p = r + next / square * *p);
            square = next;
        }
        d
    }
}

impl<'o> Solver<&'o Objective, State> for NewtonCg<'o> {
    fn name(&self) -> &str {
        "Newton-CG"
    }

    fn next_iter(
        &mut self,
        problem: &mut Problem<&'o Objective>,
        state: State,
    ) -> Result<(State, Option<KV>), argmin::core::Error> {
        let x = state.get_param().expect("bug: a step from no point");
        let gradient = problem.gradient(x)?;
        self.line_search.search_direction(self.direction(x, &gradient));
        let line = IterState::new().param(x.clone());
        let (mut found, _) = self.line_search.next_iter(problem, line)?;
        let x = found.take_param().expect("bug: a line search that led to no point");
        Ok((state.param(x).cost(found.get_cost()), None))
    }
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

fn add(x: &mut [f64], factor: f64, y: &[f64]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += factor * y);
}
