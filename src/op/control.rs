//! Structured control flow: operations that hold regions.
//!
//! A region is a closed graph: what it uses comes in as an operand. How these operations are run stands with the
//! interpreter and the compiler, and how they are differentiated with [`differentiate`](crate::differentiate); here stands
//! what they mean and which types they take.

use serde::{Deserialize, Serialize};

use super::rules::{Answer, Derivative, Doc, Examples, Lowering, Rules, Sample, list};
use super::trace::{self, record};
use super::{Graph, Op, Var};
use crate::ir::{Mismatch, Signature, Types, mismatch};
use crate::value::{Array, DType, Type};

/// What an operation with regions must say besides its [`Rules`].
pub trait Control {
    /// Operand types and region signatures → result types.
    fn infer(&self, operands: &[Type], regions: &[Signature]) -> Result<Types, Mismatch>;
}

/// Runs one of two regions: the first if the condition holds, else the second.
///
/// Operands: the condition, `bool[]`, then what both regions take. Results: those of the region.
///
/// # Constraints
/// (C1) There are two regions of one signature. (C2) Their inputs have the types of the operands behind the condition.
/// (C3) Regions take and give arrays.
///
/// # Derivative
/// That of the region that runs. Nothing flows through the condition. In reverse mode the region is run once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cond;

/// Runs one of several regions: that with the number of the index, which is clamped to the numbers that there are.
///
/// Operands: the index, `i64[]`, then what all regions take. Results: those of the region.
///
/// # Constraints
/// (C1) There is at least one region, and all have one signature. (C2) Their inputs have the types of the operands behind
/// the index. (C3) Regions take and give arrays.
///
/// # Derivative
/// That of the region that runs. Nothing flows through the index. In reverse mode the region is run once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Switch;

/// Runs a region, and forgets what it computed in between: the reverse mode runs it once more instead of keeping it.
///
/// Operands: what the region takes. Results: those of the region.
///
/// # Constraints
/// (C1) There is one region. (C2) Its inputs have the types of the operands. (C3) It takes and gives arrays.
///
/// # Derivative
/// That of the region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Checkpoint;

/// Runs the second region, the body, as long as the first, the condition, holds.
///
/// Operands: the carry, `carry` values that change from trip to trip, then what does not change. Both regions take all of
/// them. The condition gives a `bool[]`; the body gives the next carry, then what is saved. Results: the last carry, then a
/// stack for each value that is saved. A condition that compares NaN does not hold.
///
/// # Constraints
/// (C1) There are two regions, whose inputs have the types of the operands. (C2) The condition gives `bool[]`. (C3) The
/// body gives the carry first, with the types that it takes. (C4) Operands are arrays.
///
/// # Derivative
/// Forward: tangents are carried along. Reverse: the loop saves what the derivative of a trip needs and what cannot be had
/// cheaply otherwise, and a [`Scan`] runs back along these stacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct While {
    /// How many of the operands are the carry.
    pub carry: usize,
    /// After that many trips the run ends in an error. `None`: it goes on as long as the condition holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_trips: Option<u64>,
}

/// Runs its region, the body, once for each row of arrays, or for each array of stacks.
///
/// Operands: the carry, `carry` values that change from trip to trip; then `xs` arrays with `length` rows each, or, where
/// there is no `length`, stacks; then what does not change. The body takes the number of the row, `i64[]`, the carry, the
/// row of each of the `xs`, and what does not change; it gives the next carry, then the `ys`. Results: the last carry, then
/// the rows of each of the `ys` as an array, or, where there is no `length`, as a stack.
///
/// # Constraints
/// (C1) There is one region, which takes and gives these types. (C2) With a `length`, each of the `xs` is an array with so
/// many rows. (C3) Without, there is at least one of the `xs`, and each is a stack.
///
/// # Derivative
/// Forward: tangents are carried along. Reverse: the loop saves what the derivative of a trip needs and what cannot be had
/// cheaply otherwise, and another runs through the rows from the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scan {
    /// How many of the operands are the carry.
    pub carry: usize,
    /// How many of the operands are taken row by row.
    pub xs: usize,
    /// The number of rows. `None`: that of the stacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<usize>,
    /// Whether the last row comes first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reverse: bool,
}

impl Control for Cond {
    fn infer(&self, operands: &[Type], regions: &[Signature]) -> Result<Types, Mismatch> {
        expect_regions(regions, 2)?;
        branches(operands, regions, Type::scalar(DType::Bool), "the condition")
    }
}

impl Control for Switch {
    fn infer(&self, operands: &[Type], regions: &[Signature]) -> Result<Types, Mismatch> {
        if regions.is_empty() {
            return Err(mismatch!("needs at least one region"));
        }
        branches(operands, regions, Type::scalar(DType::I64), "the index")
    }
}

impl Control for Checkpoint {
    fn infer(&self, operands: &[Type], regions: &[Signature]) -> Result<Types, Mismatch> {
        expect_regions(regions, 1)?;
        expect_arrays(operands)?;
        expect_inputs("the region", &regions[0], operands)?;
        Ok(regions[0].outputs.iter().cloned().collect())
    }
}

impl Control for While {
    fn infer(&self, operands: &[Type], regions: &[Signature]) -> Result<Types, Mismatch> {
        expect_regions(regions, 2)?;
        expect_arrays(operands)?;
        let carry = head(operands, self.carry, "carry")?;
        let (condition, body) = (&regions[0], &regions[1]);
        expect_inputs("the condition", condition, operands)?;
        expect_inputs("the body", body, operands)?;
        if condition.outputs != [Type::scalar(DType::Bool)] {
            return Err(mismatch!("the condition must give one bool[], but gives {}", listed(&condition.outputs)));
        }
        let saved = expect_carry(carry, body)?;
        Ok(carry.iter().cloned().chain(saved.iter().map(Type::stacked)).collect())
    }
}

impl Control for Scan {
    fn infer(&self, operands: &[Type], regions: &[Signature]) -> Result<Types, Mismatch> {
        expect_regions(regions, 1)?;
        let carry = head(operands, self.carry, "carry")?;
        let xs = head(&operands[self.carry..], self.xs, "xs")?;
        let rest = &operands[self.carry + self.xs..];
        expect_arrays(carry)?;
        expect_arrays(rest)?;
        if self.length.is_none() && xs.is_empty() {
            return Err(mismatch!("needs a length, or a stack to run along"));
        }
        let rows = xs.iter().enumerate().map(|(k, x)| self.row(k, x)).collect::<Result<Vec<Type>, Mismatch>>()?;
        let index = Type::scalar(DType::I64);
        let inputs: Vec<Type> = std::iter::once(&index).chain(carry).chain(&rows).chain(rest).cloned().collect();
        expect_inputs("the body", &regions[0], &inputs)?;
        let ys = expect_carry(carry, &regions[0])?;
        let results = ys.iter().map(|y| self.length.map_or_else(|| y.stacked(), |n| y.repeated(n)));
        Ok(carry.iter().cloned().chain(results).collect())
    }
}

impl Scan {
    /// The type of one row of the `k`-th of the `xs`.
    fn row(&self, k: usize, x: &Type) -> Result<Type, Mismatch> {
        match (self.length, x.row()) {
            (None, _) if x.stack => Ok(x.unstacked()),
            (None, _) => Err(mismatch!("without a length, xs[{k}] must be a stack, but got {x}")),
            (Some(n), Some((rows, row))) if rows == n && !x.stack => Ok(row),
            (Some(n), _) => Err(mismatch!("xs[{k}] must be an array with {n} rows, but got {x}")),
        }
    }
}

fn branches(operands: &[Type], regions: &[Signature], choice: Type, name: &str) -> Result<Types, Mismatch> {
    expect_arrays(operands)?;
    let Some((first, rest)) = operands.split_first() else {
        return Err(mismatch!("needs {name}, {choice}, but got no operands"));
    };
    if *first != choice {
        return Err(mismatch!("{name} must be {choice}, but got {first}"));
    }
    for (k, region) in regions.iter().enumerate() {
        expect_inputs(&format!("region {k}"), region, rest)?;
        if region.outputs != regions[0].outputs {
            let (got, expected) = (listed(&region.outputs), listed(&regions[0].outputs));
            return Err(mismatch!("region {k} must give {expected} as region 0 does, but gives {got}"));
        }
    }
    Ok(regions[0].outputs.iter().cloned().collect())
}

fn expect_regions(regions: &[Signature], n: usize) -> Result<(), Mismatch> {
    let plural = if n == 1 { "" } else { "s" };
    if regions.len() == n { Ok(()) } else { Err(mismatch!("takes {n} region{plural}, but got {}", regions.len())) }
}

fn expect_arrays(operands: &[Type]) -> Result<(), Mismatch> {
    match operands.iter().find(|ty| ty.stack) {
        None => Ok(()),
        Some(ty) => Err(mismatch!("takes arrays here, but got {ty}")),
    }
}

fn expect_inputs(what: &str, region: &Signature, expected: &[Type]) -> Result<(), Mismatch> {
    if region.inputs == expected {
        return Ok(());
    }
    Err(mismatch!("{what} must take {}, but takes {}", listed(expected), listed(&region.inputs)))
}

/// The first operands, which a parameter counts.
fn head<'t>(operands: &'t [Type], n: usize, name: &str) -> Result<&'t [Type], Mismatch> {
    operands.get(..n).ok_or_else(|| mismatch!("\"{name}\" counts {n} operands, but there are {}", operands.len()))
}

/// What the body gives behind the next carry.
fn expect_carry<'r>(carry: &[Type], body: &'r Signature) -> Result<&'r [Type], Mismatch> {
    match body.outputs.strip_prefix(carry) {
        Some(rest) => Ok(rest),
        None => Err(mismatch!(
            "the body must give the next carry first, {}, but gives {}",
            listed(carry),
            listed(&body.outputs)
        )),
    }
}

fn listed(types: &[Type]) -> String {
    if types.is_empty() { "nothing".to_string() } else { list(types) }
}

/// What is the same in the [`Rules`] of all these operations: nothing is known of them without their regions.
macro_rules! control_rules {
    ($($op:ident $name:literal { $doc:expr } $examples:path;)*) => {$(
        impl Rules for $op {
            const NAME: &'static str = $name;

            fn infer(&self, _: &[Type]) -> Result<Types, Mismatch> {
                Err(mismatch!("needs regions"))
            }

            fn eval(&self, _: &[&Array], _: &[Type]) -> Vec<Array> {
                unreachable!("bug: {} was evaluated without its regions", $name)
            }

            fn derivative(&self) -> Derivative<'_> {
                Derivative::Control
            }

            fn lower(&self) -> Lowering<'_> {
                Lowering::Control(self)
            }

            fn doc() -> Doc {
                $doc
            }

            fn examples() -> Examples {
                $examples()
            }
        }
    )*};
}

control_rules! {
    Cond "cond" {
        Doc {
            summary: "the first region if the condition holds, else the second",
            derivative: "that of the region that runs",
            accuracy: "that of the regions",
        }
    } cond_examples;
    Switch "switch" {
        Doc {
            summary: "the region with the number of the index, which is clamped to the numbers that there are",
            derivative: "that of the region that runs",
            accuracy: "that of the regions",
        }
    } switch_examples;
    Checkpoint "checkpoint" {
        Doc {
            summary: "the region; the reverse mode runs it once more instead of keeping what it computed",
            derivative: "that of the region",
            accuracy: "that of the region",
        }
    } checkpoint_examples;
    While "while" {
        Doc {
            summary: "the body again and again, as long as the condition holds; NaN in a comparison ends it",
            derivative: "trip by trip; reverse mode runs back along what the loop has saved",
            accuracy: "that of the regions",
        }
    } while_examples;
    Scan "scan" {
        Doc {
            summary: "the body once for each row, with a carry from row to row",
            derivative: "trip by trip; reverse mode runs through the rows from the other end",
            accuracy: "that of the region",
        }
    } scan_examples;
}

/// A region of that name with these inputs, which gives what the body gives.
fn region(name: &str, inputs: &[Type], body: impl FnOnce(&[Var]) -> Vec<Var>) -> std::sync::Arc<Graph> {
    let mut graph = Graph::new(name);
    let names = (0..inputs.len()).map(|k| format!("x{k}"));
    let values: Vec<_> = names
        .zip(inputs)
        .map(|(name, ty)| graph.add_input(name, ty.clone()).expect("bug: an example's input"))
        .collect();
    let inside = || body(&values.iter().map(|&value| trace::variable(value)).collect::<Vec<Var>>());
    let (mut graph, outputs) = record(graph, usize::MAX, None, inside).expect("bug: an example does not trace");
    for (k, output) in outputs.into_iter().enumerate() {
        graph.add_output(format!("y{k}"), output.value().expect("bug: a poisoned example"));
    }
    graph.strip_source_lines();
    graph.into()
}

fn f64s(x: impl IntoIterator<Item = f64>) -> Array {
    let x: Vec<f64> = x.into_iter().collect();
    Array::from_elements([x.len()], x).expect("bug: as many elements as there are")
}

/// An operation with regions, applied to operands with known results.
fn answer(op: impl Into<Op>, regions: &[std::sync::Arc<Graph>], operands: Vec<Array>, results: Vec<Array>) -> Answer {
    Answer { op: op.into(), operands, results, ulps: 0, regions: regions.to_vec() }
}

fn sample(op: impl Into<Op>, regions: &[std::sync::Arc<Graph>], operands: Vec<(Type, (f64, f64))>) -> Sample {
    Sample { op: op.into(), operands, regions: regions.to_vec() }
}

const SCALAR: fn(DType) -> Type = Type::scalar;

fn cond_examples() -> Examples {
    let both = |dtype: DType, shape: &[usize]| {
        let ty = Type::new(dtype, shape);
        [
            region("if_true", &[ty.clone(), ty.clone()], |x| vec![x[0].sin() * x[1], x[0]]),
            region("if_false", &[ty.clone(), ty], |x| vec![x[1] * x[1], x[0].exp()]),
        ]
    };
    let scalars = both(DType::F64, &[]);
    let call = |p: bool| vec![Array::scalar(p), Array::scalar(0.0), Array::scalar(3.0)];
    let answers = vec![
        answer(Cond, &scalars, call(true), vec![Array::scalar(0.0), Array::scalar(0.0)]),
        answer(Cond, &scalars, call(false), vec![Array::scalar(9.0), Array::scalar(1.0)]),
    ];
    let condition = (SCALAR(DType::Bool), (0.0, 2.0));
    let samples = [(DType::F64, vec![]), (DType::F64, vec![5]), (DType::F32, vec![2, 3]), (DType::F64, vec![7, 11])]
        .map(|(dtype, shape)| {
            let x = (Type::new(dtype, shape.as_slice()), (-1.5, 1.5));
            sample(Cond, &both(dtype, &shape), vec![condition.clone(), x.clone(), x])
        });
    Examples { answers, samples: samples.into() }
}

fn switch_examples() -> Examples {
    let x = SCALAR(DType::F64);
    let regions = [
        region("branch0", std::slice::from_ref(&x), |x| vec![x[0] * 2.0]),
        region("branch1", std::slice::from_ref(&x), |x| vec![x[0] * x[0]]),
        region("branch2", std::slice::from_ref(&x), |x| vec![x[0].cos()]),
    ];
    let case = |index: i64, y: f64| {
        answer(Switch, &regions, vec![Array::scalar(index), Array::scalar(3.0)], vec![Array::scalar(y)])
    };
    let answers = vec![case(0, 6.0), case(1, 9.0), case(-7, 6.0)];
    let operands = vec![(SCALAR(DType::I64), (-1.0, 4.0)), (x, (-2.0, 2.0))];
    Examples { answers, samples: vec![sample(Switch, &regions, operands)] }
}

fn checkpoint_examples() -> Examples {
    let ty = Type::new(DType::F64, [3]);
    let body = region("body", &[ty.clone(), SCALAR(DType::F64)], |x| {
        let y = (x[0] * x[1]).sin();
        vec![y * y, y.sum()]
    });
    let x = vec![f64s([0.0, 0.0, 0.0]), Array::scalar(2.0)];
    let answers = vec![answer(Checkpoint, &[body.clone()], x, vec![f64s([0.0, 0.0, 0.0]), Array::scalar(0.0)])];
    let operands = vec![(ty, (-1.0, 1.0)), (SCALAR(DType::F64), (0.5, 1.5))];
    Examples { answers, samples: vec![sample(Checkpoint, &[body], operands)] }
}

fn while_examples() -> Examples {
    let (f, i) = (SCALAR(DType::F64), SCALAR(DType::I64));
    // y ← y (1 + a), n times.
    let inputs = [i.clone(), f.clone(), f.clone(), i.clone()];
    let power = [
        region("condition", &inputs, |x| vec![x[0].less(x[3])]),
        region("body", &inputs, |x| vec![x[0] + 1, x[1] * (x[2] + 1.0)]),
    ];
    let op = While { carry: 2, max_trips: None };
    let case = |n: i64, y: f64| {
        let operands = vec![Array::scalar(0i64), Array::scalar(1.0), Array::scalar(1.0), Array::scalar(n)];
        answer(op, &power, operands, vec![Array::scalar(n.max(0)), Array::scalar(y)])
    };
    let answers = vec![case(10, 1024.0), case(1, 2.0), case(0, 1.0), case(-3, 1.0)];
    // A trip depends on what came before it without being linear in it; the number of trips is that of the operand.
    let vector = Type::new(DType::F64, [3]);
    let inputs = [i.clone(), vector.clone(), f.clone(), i.clone()];
    let waves = [
        region("condition", &inputs, |x| vec![x[0].less(x[3])]),
        region("body", &inputs, |x| vec![x[0] + 1, (x[1] * x[2]).sin() + x[1].reverse(&[0]) * 0.5]),
    ];
    let trips = |n: f64| (i.clone(), (n, n));
    // Too large for registers.
    let long = Type::new(DType::F64, [50]);
    let inputs = [i.clone(), long.clone(), f.clone(), i.clone()];
    let wide = [
        region("condition", &inputs, |x| vec![x[0].less(x[3])]),
        region("body", &inputs, |x| vec![x[0] + 1, (x[1] * x[2]).sin() + x[1].reverse(&[0]) * 0.5]),
    ];
    let waved = |n: f64| {
        let operands = vec![trips(0.0), (vector.clone(), (-1.0, 1.0)), (f.clone(), (0.5, 1.5)), trips(n)];
        sample(op, &waves, operands)
    };
    let powers = vec![trips(0.0), (f.clone(), (0.5, 1.5)), (f.clone(), (-0.5, 0.5)), trips(7.0)];
    let widely = |n: f64| {
        let operands = vec![trips(0.0), (long.clone(), (-1.0, 1.0)), (f.clone(), (0.5, 1.5)), trips(n)];
        sample(op, &wide, operands)
    };
    let samples = vec![waved(0.0), waved(1.0), waved(6.0), widely(0.0), widely(4.0), sample(op, &power, powers)];
    Examples { answers, samples }
}

fn scan_examples() -> Examples {
    let (f, i) = (SCALAR(DType::F64), SCALAR(DType::I64));
    let inputs = [i, f.clone(), f.clone(), f.clone()];
    let horner = region("body", &inputs, |x| {
        let next = x[1] * x[3] + x[2];
        vec![next, x[1] + x[0].convert(DType::F64)]
    });
    let op = |length, reverse| Scan { carry: 1, xs: 1, length: Some(length), reverse };
    let x = || vec![Array::scalar(1.0), f64s([2.0, 3.0, 4.0]), Array::scalar(10.0)];
    let none = || vec![Array::scalar(1.0), f64s([]), Array::scalar(10.0)];
    let answers = vec![
        answer(op(3, false), &[horner.clone()], x(), vec![Array::scalar(1234.0), f64s([1.0, 13.0, 125.0])]),
        answer(op(3, true), &[horner.clone()], x(), vec![Array::scalar(1432.0), f64s([143.0, 15.0, 3.0])]),
        answer(op(0, false), &[horner.clone()], none(), vec![Array::scalar(1.0), f64s([])]),
    ];
    let run = |n: usize, reverse| {
        let operands =
            vec![(f.clone(), (-1.0, 1.0)), (Type::new(DType::F64, [n]), (-1.0, 1.0)), (f.clone(), (0.5, 1.2))];
        sample(op(n, reverse), &[horner.clone()], operands)
    };
    let mut samples = vec![run(0, false), run(1, true), run(5, false), run(5, true)];
    // Small enough for registers, and too large.
    samples.push(recurrent(DType::F64, 3, 2));
    samples.push(recurrent(DType::F32, 3, 2));
    samples.push(recurrent(DType::F64, 9, 19));
    samples.push(recurrent(DType::F32, 9, 19));
    samples.push(mapped());
    Examples { answers, samples }
}

/// A recurrent layer: its carry and its rows are vectors, and a matrix does not change.
fn recurrent(dtype: DType, n: usize, m: usize) -> Sample {
    let [h, x, w] = [vec![n], vec![m], vec![n, n + m]].map(|shape| Type::new(dtype, shape));
    let inputs = [SCALAR(DType::I64), h.clone(), x.clone(), w.clone()];
    let body = region("body", &inputs, |x| {
        let both = Var::concatenate(&[x[1], x[2]], 0);
        let next = x[3].dot(both).tanh();
        vec![next, next.square().sum(), x[2].exp()]
    });
    let operands = vec![(h, (-1.0, 1.0)), (x.repeated(4), (-1.0, 1.0)), (w, (-0.3, 0.3))];
    sample(Scan { carry: 1, xs: 1, length: Some(4), reverse: false }, &[body], operands)
}

/// No carry: rows do not depend on each other.
fn mapped() -> Sample {
    let f = SCALAR(DType::F64);
    let inputs = [SCALAR(DType::I64), f.clone(), Type::new(DType::F64, [2]), f.clone()];
    let body = region("body", &inputs, |x| {
        let (a, b) = (x[2].index(0), x[2].index(1));
        vec![(x[1] * a).sin() / (b * b + x[3].exp()), Var::stack(&[a.hypot(b), x[1] * x[3]], 0)]
    });
    let rows = |shape: &[usize]| (Type::new(DType::F64, shape), (0.2, 1.5));
    let operands = vec![rows(&[11]), rows(&[11, 2]), (f, (-1.0, 1.0))];
    sample(Scan { carry: 0, xs: 2, length: Some(11), reverse: false }, &[body], operands)
}
