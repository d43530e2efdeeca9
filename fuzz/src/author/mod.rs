//! Programs as people write them, in [`Var`]s: formulas over arrays of a few shapes, each array read several times
//! through different views, joined, reduced, and used in loops and branches.

mod complex;
mod control;
mod formulas;
mod indexing;
mod joins;
mod matrices;
mod views;

use std::cell::Cell;

use retrograd::value::{Array, DType, Shape, Type};
use retrograd::{Error, Var, trace_with};

use crate::case::{Case, Draw, draw};
use crate::choices::Choices;

/// The most elements of an array.
pub const MAX_ELEMENTS: usize = 5_000;

/// The most elements of an array within a loop.
const MAX_IN_LOOP: usize = 200;

/// The maximum nesting depth of loops and branches.
const MAX_DEPTH: usize = 2;

/// Generates a program.
///
/// # Errors
/// If the trace refuses it, which is a defect of this generator or of the crate.
pub fn write(choices: &Choices) -> Result<Case, Error> {
    let extents = extents(choices);
    let inputs = inputs(choices, &extents);
    let loss = Cell::new(None);
    let program = |x: Vec<Var>| {
        let mut author = Author { choices, extents: &extents, values: x, depth: 0, may_compare: choices.one_in(12) };
        for _ in 0..1 + choices.of(&[2, 1, 1, 3, 1, 2, 4, 8]) {
            author.step();
        }
        let (outputs, position) = author.outputs();
        loss.set(position);
        outputs
    };
    let graph = trace_with(program, (inputs.clone(),))?;
    Ok(Case { graph, inputs, loss: loss.get() })
}

/// The few extents of a program's arrays, so that many shapes match: most of them small, some near thresholds at which
/// the compiler changes its strategy.
fn extents(choices: &Choices) -> Vec<usize> {
    const SMALL: [usize; 8] = [3, 2, 4, 5, 1, 6, 7, 8];
    const MIDDLE: [usize; 12] = [12, 13, 16, 17, 9, 11, 20, 24, 31, 33, 64, 65];
    const LARGE: [usize; 9] = [100, 128, 200, 256, 511, 512, 513, 1024, 4999];
    let one = || match choices.weighted(&[24, 10, 1]) {
        0 => *choices.of(&SMALL),
        1 => *choices.of(&MIDDLE),
        _ => *choices.of(&LARGE),
    };
    (0..1 + choices.below(3)).map(|_| one()).collect()
}

fn inputs(choices: &Choices, extents: &[usize]) -> Vec<Array> {
    let floats = if choices.one_in(8) { DType::F32 } else { DType::F64 };
    let from = match choices.weighted(&[20, 6, 3, 1]) {
        0 => Draw::Uniform(-2.0, 2.0),
        1 => Draw::Uniform(0.1, 3.0),
        2 => Draw::Halves,
        _ => Draw::Special,
    };
    let random = choices.numbers();
    (0..1 + choices.below(3))
        .map(|k| {
            let dtype = match choices.weighted(&[20, 1, 1, 1]) {
                1 if k > 0 => DType::I64,
                2 if k > 0 => DType::Bool,
                3 => DType::F32,
                _ => floats,
            };
            draw(&random, &Type::new(dtype, shape(choices, extents, MAX_ELEMENTS)), from)
        })
        .collect()
}

/// The shape of a vector or a matrix of these extents, rarely of another rank.
fn shape(choices: &Choices, extents: &[usize], at_most: usize) -> Shape {
    let rank = [1, 2, 0, 3][choices.weighted(&[8, 7, 2, 2])];
    let mut shape: Vec<usize> = Vec::new();
    for _ in 0..rank {
        let extent = *choices.of(extents);
        let room = at_most / shape.iter().product::<usize>().max(1);
        shape.push(extent.min(room).max(1));
    }
    shape.into()
}

/// A generator of a function, or of the body of a loop or a branch.
struct Author<'c> {
    choices: &'c Choices,
    extents: &'c [usize],
    /// The values to use, latest last.
    values: Vec<Var>,
    /// The number of loops and branches that enclose this body.
    depth: usize,
    /// Whether a Rust `if` may compare values.
    may_compare: bool,
}

impl Author<'_> {
    /// Adds one more formula.
    fn step(&mut self) {
        let nests = usize::from(self.depth < MAX_DEPTH);
        let y = match self.choices.weighted(&[20, 14, 12, 14, 8, 6, 3, 10 * nests, 2, 4, 8, 6, 6]) {
            0 => self.elementwise(),
            1 => self.of_two_views(),
            2 => self.join(),
            3 => self.reduction(),
            4 => self.product(),
            5 => self.stencil(),
            6 => self.other_dtype(),
            7 => return self.control(),
            8 => self.in_scalars(),
            10 => self.indexed(),
            11 => self.in_matrices(),
            12 => self.in_complex_numbers(),
            _ => {
                let x = self.pick();
                self.reshaped(x)
            }
        };
        self.values.push(y);
    }

    fn at_most(&self) -> usize {
        if self.depth == 0 { MAX_ELEMENTS } else { MAX_IN_LOOP }
    }

    /// A value for which `holds` is true; prefers late ones.
    fn pick_where(&self, holds: impl Fn(&Type) -> bool) -> Option<Var> {
        let fitting: Vec<Var> = self.values.iter().rev().copied().filter(|x| holds(&x.ty())).collect();
        if fitting.is_empty() {
            return None;
        }
        let near = fitting.len().min(if self.choices.one_in(3) { fitting.len() } else { 3 });
        Some(fitting[self.choices.below(near)])
    }

    /// A floating-point value.
    fn pick(&self) -> Var {
        self.pick_where(|ty| ty.dtype.is_float()).unwrap_or_else(|| match self.pick_where(|_| true) {
            Some(x) => x.convert(DType::F64),
            None => Var::from(0.75),
        })
    }

    /// A nonempty floating-point array with at least one axis.
    fn array(&self) -> Var {
        let fits = |ty: &Type| ty.dtype.is_float() && ty.rank() > 0 && ty.size() > 1;
        self.pick_where(fits).unwrap_or_else(|| {
            let x = self.pick();
            let shape = shape(self.choices, self.extents, self.at_most());
            let shape = if shape.rank() == 0 { Shape::from([3]) } else { shape };
            let steps = Var::iota(&shape, shape.rank() - 1, x.dtype());
            if x.rank() == 0 { x + steps * 0.25 } else { steps * 0.5 - 1.0 }
        })
    }

    /// A floating-point matrix.
    fn matrix(&self) -> Var {
        match self.pick_where(|ty| ty.dtype.is_float() && ty.rank() == 2 && ty.size() > 1) {
            Some(x) => x,
            None => {
                let x = self.array();
                let last = x.shape()[x.rank() - 1];
                match x.rank() {
                    1 if last * last <= self.at_most() && self.choices.below(2) == 0 => {
                        x.outer(if self.choices.below(2) == 0 { x } else { x.reverse(&[0]) })
                    }
                    1 => x.insert_axis(self.choices.below(2)),
                    2 => x,
                    _ => x.reshape(&[x.shape().size() / last, last]),
                }
            }
        }
    }

    /// A square floating-point matrix with at least two rows.
    fn square(&self) -> Var {
        let is_square =
            |ty: &Type| ty.dtype.is_float() && ty.rank() == 2 && ty.shape[0] == ty.shape[1] && ty.size() > 1;
        if let Some(x) = self.pick_where(is_square) {
            return x;
        }
        let x = self.matrix();
        let (m, n) = (x.shape()[0], x.shape()[1]);
        match self.choices.below(2) {
            0 if m.max(n) * m.max(n) <= self.at_most() && m.min(n) > 0 => {
                if m >= n && m > 1 {
                    x.dot(x.t())
                } else {
                    x.t().dot(x)
                }
            }
            _ => {
                let k = m.min(n).max(1);
                x.slice_axis(0, 0, k, 1).slice_axis(1, 0, k, 1)
            }
        }
    }

    /// A number with few digits, as people write it.
    fn number(&self) -> f64 {
        *self.choices.of(&[0.5, 2.0, 1.0, -1.0, 0.1, 3.0, -0.25, 1.5, 0.0, 1000.0])
    }

    /// A constant with the dtype of another value.
    fn literal(&self, like: Var) -> Var {
        let number = self.number();
        Var::constant(if like.dtype() == DType::F32 { Array::scalar(number as f32) } else { Array::scalar(number) })
    }

    /// A value of this type.
    fn of_type(&mut self, ty: &Type) -> Var {
        if let Some(x) = self.pick_where(|own| own == ty)
            && self.choices.below(4) > 0
        {
            return x;
        }
        let x = self.pick_where(|own| own.dtype == ty.dtype).unwrap_or_else(|| self.pick());
        self.fit(x, &ty.shape).convert(ty.dtype)
    }

    /// The results of the program, and the position of the scalar to differentiate.
    fn outputs(&mut self) -> (Vec<Var>, Option<usize>) {
        let mut outputs: Vec<Var> = Vec::new();
        for _ in 0..1 + self.choices.below(3) {
            let y = match self.choices.weighted(&[10, 3, 1, 1]) {
                0 => self.values[self.values.len() - 1 - self.choices.below(self.values.len().min(3))],
                1 => self.values[self.choices.below(self.values.len())],
                2 => {
                    let x = self.pick();
                    self.view(x)
                }
                _ => self.constant(),
            };
            outputs.push(y);
        }
        let floats: Vec<Var> = outputs.iter().copied().filter(|y| y.dtype().is_float()).collect();
        let terms: Vec<Var> = floats.into_iter().map(|y| self.weigh(y)).collect();
        let loss = terms.into_iter().reduce(|x, y| x + y.convert(x.dtype()));
        let place = self.choices.below(outputs.len() + 1);
        if let Some(loss) = loss {
            outputs.insert(place, loss);
        }
        (outputs, loss.map(|_| place))
    }

    /// A scalar to which all elements contribute.
    fn weigh(&mut self, y: Var) -> Var {
        if y.rank() == 0 {
            return y;
        }
        match self.choices.below(5) {
            0 => y.sum(),
            1 => y.square().mean(),
            2 => y.sin().sum(),
            3 => {
                let flat = y.flatten();
                flat.dot(Var::iota(&flat.shape(), 0, y.dtype()) * 0.25 - 1.0)
            }
            _ => (y * self.number()).tanh().sum(),
        }
    }

    /// A floating-point constant.
    fn constant(&self) -> Var {
        let shape = shape(self.choices, self.extents, self.at_most().min(1_000));
        let dtype = self.pick().dtype();
        match self.choices.below(3) {
            0 => Var::constant(draw(&self.choices.numbers(), &Type::new(dtype, shape), Draw::Uniform(-2.0, 2.0))),
            1 => self.literal(self.pick()).broadcast_to(&shape),
            _ => Var::ones(Type::new(dtype, shape)),
        }
    }
}
