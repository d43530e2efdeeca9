use std::cell::{Cell, RefCell};
use std::rc::Rc;

use argmin::core::{CostFunction, Gradient};
use retrograd::value::{Array, DType, Scalar, Type};
use retrograd::{Error, Graph, Program, differentiate, optimize};

use crate::limits::within;
use crate::names::with_outputs;

/// A scalar output of a graph as a function of some of its inputs, all their elements in one list of numbers.
pub struct Objective {
    value_and_gradient: Program,
    /// The Hessian times a vector.
    product: Option<Program>,
    /// All inputs; the unknowns as they are at the start.
    inputs: Vec<Array>,
    wrt: Vec<usize>,
    types: Vec<Type>,
    names: Vec<String>,
    /// What solvers get value and gradient times: a power of 2 that keeps squares of the gradient finite.
    scale: Cell<f64>,
    /// Solvers ask for the value and then for the gradient of the same point.
    last: RefCell<Option<Rc<Point>>>,
    /// The lowest of all finite points, those included that a line search tried.
    lowest: RefCell<Option<Rc<Point>>>,
    n_evaluations: Cell<u64>,
    /// Solvers keep errors of a line search to themselves.
    failure: RefCell<Option<(Error, Vec<f64>)>>,
}

/// What is known of a point.
pub struct Point {
    pub x: Vec<f64>,
    pub value: f64,
    pub gradient: Vec<f64>,
}

impl Point {
    /// Whether value and gradient are finite.
    pub fn is_finite(&self) -> bool {
        self.value.is_finite() && self.gradient.iter().all(|x| x.is_finite())
    }

    /// The Euclidean norm of the gradient.
    pub fn gradient_norm(&self) -> f64 {
        norm(&self.gradient)
    }
}

/// The Euclidean norm, whose squares neither overflow nor vanish.
pub fn norm(x: &[f64]) -> f64 {
    let largest = largest(x);
    if largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    largest * x.iter().map(|x| (x / largest) * (x / largest)).sum::<f64>().sqrt()
}

/// The largest absolute value; NaN if there is one.
pub fn largest(x: &[f64]) -> f64 {
    x.iter().fold(0.0, |largest: f64, x| if x.is_nan() { f64::NAN } else { largest.max(x.abs()) })
}

/// The gradient above which solvers, who square it, get a smaller one.
const MAX_GRADIENT: f64 = 1e100;

impl Objective {
    /// Compiles the output with its gradient, and, where they are needed, products with its Hessian. A run of these takes
    /// at most `max_bytes`.
    pub fn new(
        graph: &Graph,
        of: usize,
        wrt: Vec<usize>,
        inputs: Vec<Array>,
        with_products: bool,
        max_bytes: u64,
    ) -> Result<Objective, Error> {
        // Derivatives follow all outputs, of which only one is of interest.
        let derivatives: Vec<usize> = (graph.outputs().len()..).take(wrt.len()).collect();
        let mut left = max_bytes;
        let mut compile = |graph: Graph, outputs: &[usize]| {
            let program = Program::compile_tiered(optimize::optimize(&with_outputs(graph, outputs))?)?;
            let program = within(program, left)?;
            // Working memory is kept from run to run.
            left = left.saturating_sub(program.memory_bytes() as u64);
            Ok::<Program, Error>(program)
        };
        let product = match with_products {
            true => Some(compile(differentiate::hvp(graph, of, &wrt)?, &derivatives)?),
            false => None,
        };
        let value_and_gradient = [&[of], &derivatives[..]].concat();
        let value_and_gradient = compile(differentiate::grad(graph, of, &wrt)?, &value_and_gradient)?;
        let unknowns = wrt.iter().map(|&at| &graph.inputs()[at]);
        Ok(Objective {
            value_and_gradient,
            product,
            types: unknowns.clone().map(|input| graph.ty(input.node.into()).clone()).collect(),
            names: unknowns.map(|input| input.name.to_string()).collect(),
            inputs,
            wrt,
            scale: Cell::new(1.0),
            last: RefCell::new(None),
            lowest: RefCell::new(None),
            n_evaluations: Cell::new(0),
            failure: RefCell::new(None),
        })
    }

    /// Where the unknowns start.
    pub fn start(&self) -> Vec<f64> {
        self.wrt.iter().flat_map(|&at| self.inputs[at].elements().map(number)).collect()
    }

    /// Lets solvers see the function in other units if its gradient at a point is too large for them.
    pub fn rescale(&self, at: &Point) {
        let largest = largest(&at.gradient);
        if largest > MAX_GRADIENT && largest.is_finite() {
            self.scale.set((-largest.log2().floor()).exp2());
        }
    }

    /// The name of the output.
    pub fn name(&self) -> &str {
        &self.value_and_gradient.outputs()[0].0
    }

    /// The distance of 1 from the next number, of the coarsest dtype.
    pub fn epsilon(&self) -> f64 {
        let types = self.types.iter().chain([&self.value_and_gradient.outputs()[0].1]);
        let single = types.map(|ty| ty.dtype).any(|dtype| dtype == DType::F32);
        if single { f32::EPSILON.into() } else { f64::EPSILON }
    }

    /// The lowest finite point that was evaluated.
    pub fn lowest(&self) -> Option<Rc<Point>> {
        self.lowest.borrow().clone()
    }

    /// How often value and gradient were computed.
    pub fn n_evaluations(&self) -> u64 {
        self.n_evaluations.get()
    }

    /// Why the graph could not be evaluated, and where, if it could not.
    pub fn failure(&self) -> Option<(Error, Vec<f64>)> {
        self.failure.borrow().clone()
    }

    /// The unknowns by name.
    pub fn arrays(&self, x: &[f64]) -> Vec<(&str, Array)> {
        self.names.iter().map(String::as_str).zip(self.unflatten(x)).collect()
    }

    /// The names of the unknowns' elements: `w[0]`, `w[1]`, `b`.
    pub fn element_names(&self) -> Vec<String> {
        let names = self.names.iter().zip(&self.types).flat_map(|(name, ty)| {
            let strides = ty.shape.strides();
            (0..ty.size()).map(move |position| {
                let index = |(&extent, &stride): (&usize, &isize)| (position / stride as usize % extent).to_string();
                let indices: Vec<String> = ty.shape.iter().zip(&strides).map(index).collect();
                if indices.is_empty() { name.clone() } else { format!("{name}[{}]", indices.join(",")) }
            })
        });
        names.collect()
    }

    /// Value and gradient at a point.
    pub fn evaluate(&self, x: &[f64]) -> Result<Rc<Point>, Error> {
        if let Some(point) = self.last.borrow().as_ref().filter(|point| point.x == x) {
            return Ok(point.clone());
        }
        let outputs = self.value_and_gradient.call(&self.at(x)).inspect_err(|error| {
            self.failure.replace(Some((error.clone(), x.to_vec())));
        })?;
        self.n_evaluations.set(self.n_evaluations.get() + 1);
        let value = outputs[0].get(0).map_or(f64::NAN, number);
        let point = Rc::new(Point { x: x.to_vec(), value, gradient: flatten(&outputs[1..]) });
        self.last.replace(Some(point.clone()));
        let mut lowest = self.lowest.borrow_mut();
        if point.is_finite() && lowest.as_ref().is_none_or(|lowest| point.value < lowest.value) {
            *lowest = Some(point.clone());
        }
        Ok(point)
    }

    /// The value alone, for a plot; NaN where the graph cannot be evaluated.
    pub fn value(&self, x: &[f64]) -> f64 {
        let outputs = self.value_and_gradient.call(&self.at(x));
        outputs.ok().and_then(|outputs| outputs[0].get(0)).map_or(f64::NAN, number)
    }

    /// The Hessian at a point times a vector, if it is finite, in the units of solvers.
    pub fn times(&self, x: &[f64], v: &[f64]) -> Option<Vec<f64>> {
        let program = self.product.as_ref()?;
        let outputs = program.call(&[self.at(x), self.unflatten(v)].concat()).ok()?;
        let product: Vec<f64> = flatten(&outputs).iter().map(|x| self.scale.get() * x).collect();
        Some(product).filter(|product| product.iter().all(|x| x.is_finite()))
    }

    fn at(&self, x: &[f64]) -> Vec<Array> {
        let mut inputs = self.inputs.clone();
        self.wrt.iter().zip(self.unflatten(x)).for_each(|(&at, array)| inputs[at] = array);
        inputs
    }

    fn unflatten(&self, x: &[f64]) -> Vec<Array> {
        let mut rest = x.iter();
        let array =
            |ty: &Type| Array::collect(ty, rest.by_ref().take(ty.size()).map(|&x| Scalar::F64(x).convert(ty.dtype)));
        self.types.iter().map(array).collect()
    }
}

fn flatten(arrays: &[Array]) -> Vec<f64> {
    arrays.iter().flat_map(|array| array.elements().map(number)).collect()
}

fn number(x: Scalar) -> f64 {
    match x.convert(DType::F64) {
        Scalar::F64(x) => x,
        other => unreachable!("bug: {other:?} is not f64"),
    }
}

impl CostFunction for &Objective {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, x: &Vec<f64>) -> Result<f64, argmin::core::Error> {
        Ok(self.scale.get() * self.evaluate(x)?.value)
    }
}

impl Gradient for &Objective {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, x: &Vec<f64>) -> Result<Vec<f64>, argmin::core::Error> {
        Ok(self.evaluate(x)?.gradient.iter().map(|x| self.scale.get() * x).collect())
    }
}
