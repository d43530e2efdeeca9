//! Structured control flow: operations that hold regions.
//!
//! A region is a closed graph: what it uses comes in as an operand. How these operations are run stands with the
//! interpreter and the compiler, and how they are differentiated with [`differentiate`](crate::differentiate); here stands
//! what they mean and which types they take.

use std::slice::from_ref;

use serde::{Deserialize, Serialize};

use super::rules::{Answer, Batching, Derivative, Doc, Examples, Lowering, Rules, Sample, list};
use super::trace::{self, record};
use super::{Graph, Op, Var};
use crate::ir::{Mismatch, Signature, Types, mismatch};
use crate::value::{Array, DType, Type};

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
/// Operands: the carry, `carry` values that change from iteration to iteration, then what does not change. Both regions take all of
/// them. The condition gives a `bool[]`; the body gives the next carry, then what is saved. Results: the last carry, then a
/// stack for each value that is saved. A condition that compares NaN does not hold.
///
/// # Constraints
/// (C1) There are two regions, whose inputs have the types of the operands. (C2) The condition gives `bool[]`. (C3) The
/// body gives the carry first, with the types that it takes. (C4) Operands are arrays.
///
/// # Derivative
/// Forward: tangents are carried along. Reverse: the loop saves what the derivative of a iteration needs and what cannot be had
/// cheaply otherwise, and a [`Scan`] runs back along these stacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct While {
    /// How many of the operands are the carry.
    pub carry: usize,
    /// After that many iterations the run ends in an error. `None`: it goes on as long as the condition holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_trips: Option<u64>,
}

/// Runs its region, the body, once for each row of arrays, or for each array of stacks.
///
/// Operands: the carry, `carry` values that change from iteration to iteration; then `xs` arrays with `length` rows each, or, where
/// there is no `length`, stacks; then what does not change. The body takes the number of the row, `i64[]`, the carry, the
/// row of each of the `xs`, and what does not change; it gives the next carry, then the `ys`. Results: the last carry, then
/// the rows of each of the `ys` as an array, or, where there is no `length`, as a stack.
///
/// # Constraints
/// (C1) There is one region, which takes and gives these types. (C2) With a `length`, each of the `xs` is an array with so
/// many rows. (C3) Without, there is at least one of the `xs`, and each is a stack. (C4) Only with a `length` is there a
/// `checkpoint`, and it allows one snapshot at least.
///
/// # Derivative
/// Forward: tangents are carried along. Reverse: the loop saves what the derivative of a iteration needs and what cannot be had
/// cheaply otherwise, and another runs through the rows from the other end. Where each iteration adds a product to a sum, as for
/// a large matrix of weights, the factors of all iterations are multiplied at once behind that loop, if they are smaller than
/// the sum. With a `checkpoint` it saves nothing, and a
/// [`Revolve`] computes the states once more.
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
    /// Which states the reverse mode keeps. `None`: it keeps what the derivative of each iteration needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Schedule>,
}

/// Which states of a loop are kept while the reverse mode runs back through it; the others are computed once more from
/// these. A state is the carry before a iteration.
///
/// For `n` iterations, beside the run that gives the results, and beside the derivative of each iteration, which computes that iteration:
///
/// | schedule | states in memory | iterations that are computed once more |
/// | --- | --- | --- |
/// | none | what `n` iterations save | 0 |
/// | `Sqrt` | at most `2 √n` | at most `2 n` |
/// | `Binomial(c)` | `c` | `r n - β(c + 1, r - 1)`, with the least `r` for which `β(c, r) ≥ n` |
///
/// where `β(c, r) = (c + r)! / (c! r!)`: with 10 snapshots each of 1,000 iterations is computed less than 4 times more on
/// average, and each of 100,000 less than 9 times. Two states more are in memory, through which the others advance.
///
/// `Sqrt` keeps the state before every `⌈√n⌉`-th iteration, and all within the stretch that is run back through (Chen, Xu, Zhang,
/// Guestrin, "Training deep nets with sublinear memory cost", 2016). `Binomial` computes as few iterations once more as is
/// possible with so many snapshots (Griewank, Walther, "Algorithm 799: revolve", ACM TOMS 26, 2000). The state with which
/// the loop begins counts among them; with that alone, iteration `k` begins with `k` others: `n (n - 1) / 2` in all.
///
/// ```
/// use retrograd::op::Schedule;
/// use retrograd::{Loop, Var, grad, jit};
///
/// let looped = |run: Loop| move |x: Var| run.fori_loop(1000, x, |_, x| (x * 1.1).sin());
/// let plain: f64 = jit(grad(looped(Loop::new()))).call(0.3)?;
/// for schedule in [Schedule::Sqrt, Schedule::Binomial(10)] {
///     let slope: f64 = jit(grad(looped(Loop::new().checkpoint(schedule)))).call(0.3)?;
///     assert_eq!(slope, plain);
/// }
/// # Ok::<(), retrograd::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Schedule {
    /// About `2 √n` states, and each iteration twice more at most.
    Sqrt,
    /// So many states, and the fewest iterations that they allow.
    Binomial(usize),
}

/// Runs back through a [`Scan`] whose states were not saved: the first region, the advance, computes them once more, and the
/// second, the reverse, takes each of them, from the last to the first.
///
/// Operands: `cts` values that the reverse carries from iteration to iteration; the state, `carry` values, before the first iteration;
/// `xs` arrays with `length` rows each; then what does not change. The advance takes the number of the row, `i64[]`, the
/// state before a iteration, the row of each of the `xs`, and what does not change; it gives the state before the next iteration. The
/// reverse takes the number of the row, what it carries, then as the advance does; it gives what it carries on, then the
/// `ys`. Results: what the reverse carries at the end, then the rows of each of the `ys` as an array.
///
/// Which states are kept meanwhile is the `schedule`'s business, and changes no result.
///
/// # Constraints
/// (C1) There are two regions, which take and give these types. (C2) Each of the `xs` is an array with `length` rows.
/// (C3) The schedule allows one snapshot at least. (C4) Operands are arrays.
///
/// # Derivative
/// That of two plain scans: one that collects all states, and one that runs back along them. So only the first order of
/// reverse mode saves memory; forward mode, applied first, leaves the schedule in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revolve {
    /// How many of the operands the reverse carries.
    pub cts: usize,
    /// How many of the operands are the state.
    pub carry: usize,
    /// How many of the operands are taken row by row.
    pub xs: usize,
    /// The number of rows.
    pub length: usize,
    /// Whether the last row comes first as the state advances, and so last as the reverse runs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reverse: bool,
    /// Which states are kept.
    pub schedule: Schedule,
}

impl Cond {
    fn infer_with(&self, operands: &[Type], regions: &[Signature]) -> Result<Types, Mismatch> {
        expect_regions(regions, 2)?;
        branches(operands, regions, Type::scalar(DType::Bool), "the condition")
    }
}

impl Switch {
    fn infer_with(&self, operands: &[Type], regions: &[Signature]) -> Result<Types, Mismatch> {
        if regions.is_empty() {
            return Err(mismatch!("needs at least one region"));
        }
        branches(operands, regions, Type::scalar(DType::I64), "the index")
    }
}

impl Checkpoint {
    fn infer_with(&self, operands: &[Type], regions: &[Signature]) -> Result<Types, Mismatch> {
        expect_regions(regions, 1)?;
        expect_arrays(operands)?;
        expect_inputs("the region", &regions[0], operands)?;
        Ok(regions[0].outputs.iter().cloned().collect())
    }
}

impl While {
    fn infer_with(&self, operands: &[Type], regions: &[Signature]) -> Result<Types, Mismatch> {
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

impl Scan {
    fn infer_with(&self, operands: &[Type], regions: &[Signature]) -> Result<Types, Mismatch> {
        expect_regions(regions, 1)?;
        let carry = head(operands, self.carry, "carry")?;
        let xs = head(&operands[self.carry..], self.xs, "xs")?;
        let rest = &operands[self.carry + self.xs..];
        expect_arrays(carry)?;
        expect_arrays(rest)?;
        if self.length.is_none() && xs.is_empty() {
            return Err(mismatch!("needs a length, or a stack to run along"));
        }
        if let Some(schedule) = self.checkpoint {
            if self.length.is_none() {
                return Err(mismatch!("\"checkpoint\" needs a length, since states are chosen by it"));
            }
            schedule.expect_snapshots()?;
        }
        let rows = rows(self.length, xs)?;
        let index = Type::scalar(DType::I64);
        let inputs: Vec<Type> = std::iter::once(&index).chain(carry).chain(&rows).chain(rest).cloned().collect();
        expect_inputs("the body", &regions[0], &inputs)?;
        let ys = expect_carry(carry, &regions[0])?;
        let results = ys.iter().map(|y| self.length.map_or_else(|| y.stacked(), |n| y.repeated(n)));
        Ok(carry.iter().cloned().chain(results).collect())
    }
}

impl Revolve {
    fn infer_with(&self, operands: &[Type], regions: &[Signature]) -> Result<Types, Mismatch> {
        expect_regions(regions, 2)?;
        expect_arrays(operands)?;
        self.schedule.expect_snapshots()?;
        let cts = head(operands, self.cts, "cts")?;
        let carry = head(&operands[self.cts..], self.carry, "carry")?;
        let behind = &operands[self.cts + self.carry..];
        let xs = head(behind, self.xs, "xs")?;
        let rows = rows(Some(self.length), xs)?;
        let rest = &behind[self.xs..];
        let (advance, reverse) = (&regions[0], &regions[1]);
        let index = Type::scalar(DType::I64);
        let iteration: Vec<Type> = carry.iter().chain(&rows).chain(rest).cloned().collect();
        let inputs =
            |cts: &[Type]| -> Vec<Type> { std::iter::once(&index).chain(cts).chain(&iteration).cloned().collect() };
        expect_inputs("the advance", advance, &inputs(&[]))?;
        expect_inputs("the reverse", reverse, &inputs(cts))?;
        if advance.outputs != carry {
            let (expected, got) = (listed(carry), listed(&advance.outputs));
            return Err(mismatch!("the advance must give the next state, {expected}, but gives {got}"));
        }
        let ys = expect_carry_of("the reverse", cts, reverse)?;
        Ok(cts.iter().cloned().chain(ys.iter().map(|y| y.repeated(self.length))).collect())
    }
}

impl Schedule {
    fn expect_snapshots(self) -> Result<(), Mismatch> {
        match self {
            Schedule::Binomial(0) => Err(mismatch!("a binomial schedule needs at least 1 snapshot, but got 0")),
            Schedule::Sqrt | Schedule::Binomial(_) => Ok(()),
        }
    }
}

/// The types of one row of each of the `xs`.
fn rows(length: Option<usize>, xs: &[Type]) -> Result<Vec<Type>, Mismatch> {
    let row = |(k, x): (usize, &Type)| match (length, x.row()) {
        (None, _) if x.stack => Ok(x.unstacked()),
        (None, _) => Err(mismatch!("without a length, xs[{k}] must be a stack, but got {x}")),
        (Some(n), Some((rows, row))) if rows == n && !x.stack => Ok(row),
        (Some(n), _) => Err(mismatch!("xs[{k}] must be an array with {n} rows, but got {x}")),
    };
    xs.iter().enumerate().map(row).collect()
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

pub(super) fn expect_regions(regions: &[Signature], n: usize) -> Result<(), Mismatch> {
    let plural = if n == 1 { "" } else { "s" };
    if regions.len() == n { Ok(()) } else { Err(mismatch!("takes {n} region{plural}, but got {}", regions.len())) }
}

pub(super) fn expect_arrays(operands: &[Type]) -> Result<(), Mismatch> {
    match operands.iter().find(|ty| ty.stack) {
        None => Ok(()),
        Some(ty) => Err(mismatch!("takes arrays here, but got {ty}")),
    }
}

pub(super) fn expect_inputs(what: &str, region: &Signature, expected: &[Type]) -> Result<(), Mismatch> {
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
    expect_carry_of("the body", carry, body)
}

fn expect_carry_of<'r>(what: &str, carry: &[Type], body: &'r Signature) -> Result<&'r [Type], Mismatch> {
    match body.outputs.strip_prefix(carry) {
        Some(rest) => Ok(rest),
        None => Err(mismatch!(
            "{what} must give the next carry first, {}, but gives {}",
            listed(carry),
            listed(&body.outputs)
        )),
    }
}

pub(super) fn listed(types: &[Type]) -> String {
    if types.is_empty() { "nothing".to_string() } else { list(types) }
}

/// What is the same in the [`Rules`] of all these operations.
macro_rules! control_rules {
    ($($op:ident $name:literal { $doc:expr } $examples:path;)*) => {$(
        impl Rules for $op {
            const NAME: &'static str = $name;

            fn infer(&self, operands: &[Type], regions: &[Signature]) -> Result<Types, Mismatch> {
                self.infer_with(operands, regions)
            }

            fn eval(&self, _: &[&Array], _: &[Type]) -> Vec<Array> {
                unreachable!("bug: {} was evaluated without its regions", $name)
            }

            fn derivative(&self) -> Derivative<'_> {
                Derivative::Control
            }

            fn batch(&self) -> Batching<'_> {
                Batching::Control
            }

            fn lower(&self) -> Lowering<'_> {
                Lowering::Control
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

pub(super) use control_rules;

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
            derivative: "iteration by iteration; reverse mode runs back along what the loop has saved",
            accuracy: "that of the regions",
        }
    } while_examples;
    Scan "scan" {
        Doc {
            summary: "the body once for each row, with a carry from row to row",
            derivative: "iteration by iteration; reverse mode runs through the rows from the other end",
            accuracy: "that of the region",
        }
    } scan_examples;
    Revolve "revolve" {
        Doc {
            summary: "runs back through a loop, whose states it computes once more from few that it keeps",
            derivative: "that of a scan that collects all states, and of one that runs back along them",
            accuracy: "that of the regions",
        }
    } revolve_examples;
}

/// A region of that name with these inputs, which gives what the body gives.
pub(super) fn region(name: &str, inputs: &[Type], body: impl FnOnce(&[Var]) -> Vec<Var>) -> std::sync::Arc<Graph> {
    region_boxed(name, inputs, Box::new(body))
}

fn region_boxed(name: &str, inputs: &[Type], body: Box<dyn FnOnce(&[Var]) -> Vec<Var> + '_>) -> std::sync::Arc<Graph> {
    let mut graph = Graph::new(name);
    let names = (0..inputs.len()).map(|k| format!("x{k}"));
    let values: Vec<_> = names
        .zip(inputs)
        .map(|(name, ty)| graph.add_input(name, ty.clone()).expect("bug: an example's input"))
        .collect();
    let inside = || body(&values.iter().map(|&value| trace::variable(value)).collect::<Vec<Var>>());
    let (mut graph, outputs) = record(graph, usize::MAX, None, inside).expect("bug: an example does not trace");
    for (k, output) in outputs.into_iter().enumerate() {
        let value = output.value().expect("bug: a poisoned example");
        graph.add_output(format!("y{k}"), value).expect("bug: an example's output");
    }
    graph.strip_source_lines();
    graph.into()
}

pub(super) fn f64s(x: impl IntoIterator<Item = f64>) -> Array {
    let x: Vec<f64> = x.into_iter().collect();
    Array::from_elements([x.len()], x).expect("bug: as many elements as there are")
}

/// An operation with regions, applied to operands with known results.
pub(super) fn answer(
    op: impl Into<Op>,
    regions: &[std::sync::Arc<Graph>],
    operands: Vec<Array>,
    results: Vec<Array>,
) -> Answer {
    Answer { op: op.into(), operands, results, ulps: 0, regions: regions.to_vec() }
}

pub(super) fn sample(
    op: impl Into<Op>,
    regions: &[std::sync::Arc<Graph>],
    operands: Vec<(Type, (f64, f64))>,
) -> Sample {
    Sample { op: op.into(), operands, regions: regions.to_vec() }
}

pub(super) const SCALAR: fn(DType) -> Type = Type::scalar;

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
        region("branch0", from_ref(&x), |x| vec![x[0] * 2.0]),
        region("branch1", from_ref(&x), |x| vec![x[0] * x[0]]),
        region("branch2", from_ref(&x), |x| vec![x[0].cos()]),
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
    let answers = vec![answer(Checkpoint, from_ref(&body), x, vec![f64s([0.0, 0.0, 0.0]), Array::scalar(0.0)])];
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
    // A iteration depends on what came before it without being linear in it; the number of iterations is that of the operand.
    let vector = Type::new(DType::F64, [3]);
    let inputs = [i.clone(), vector.clone(), f.clone(), i.clone()];
    let waves = [
        region("condition", &inputs, |x| vec![x[0].less(x[3])]),
        region("body", &inputs, |x| vec![x[0] + 1, (x[1] * x[2]).sin() + x[1].reverse(&[0]) * 0.5]),
    ];
    let iterations = |n: f64| (i.clone(), (n, n));
    // Too large for registers.
    let long = Type::new(DType::F64, [50]);
    let inputs = [i.clone(), long.clone(), f.clone(), i.clone()];
    let wide = [
        region("condition", &inputs, |x| vec![x[0].less(x[3])]),
        region("body", &inputs, |x| vec![x[0] + 1, (x[1] * x[2]).sin() + x[1].reverse(&[0]) * 0.5]),
    ];
    let waved = |n: f64| {
        let operands = vec![iterations(0.0), (vector.clone(), (-1.0, 1.0)), (f.clone(), (0.5, 1.5)), iterations(n)];
        sample(op, &waves, operands)
    };
    let powers = vec![iterations(0.0), (f.clone(), (0.5, 1.5)), (f.clone(), (-0.5, 0.5)), iterations(7.0)];
    let widely = |n: f64| {
        let operands = vec![iterations(0.0), (long.clone(), (-1.0, 1.0)), (f.clone(), (0.5, 1.5)), iterations(n)];
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
    let op = |length, reverse| Scan { carry: 1, xs: 1, length: Some(length), reverse, checkpoint: None };
    let x = || vec![Array::scalar(1.0), f64s([2.0, 3.0, 4.0]), Array::scalar(10.0)];
    let none = || vec![Array::scalar(1.0), f64s([]), Array::scalar(10.0)];
    let answers = vec![
        answer(op(3, false), from_ref(&horner), x(), vec![Array::scalar(1234.0), f64s([1.0, 13.0, 125.0])]),
        answer(op(3, true), from_ref(&horner), x(), vec![Array::scalar(1432.0), f64s([143.0, 15.0, 3.0])]),
        answer(op(0, false), from_ref(&horner), none(), vec![Array::scalar(1.0), f64s([])]),
    ];
    let run = |n: usize, reverse| {
        let operands =
            vec![(f.clone(), (-1.0, 1.0)), (Type::new(DType::F64, [n]), (-1.0, 1.0)), (f.clone(), (0.5, 1.2))];
        sample(op(n, reverse), from_ref(&horner), operands)
    };
    let mut samples = vec![run(0, false), run(1, true), run(5, false), run(5, true)];
    // Small enough for registers, and too large.
    samples.push(recurrent(DType::F64, 3, 2));
    samples.push(recurrent(DType::F32, 3, 2));
    samples.push(recurrent(DType::F64, 9, 19));
    samples.push(recurrent(DType::F32, 9, 19));
    samples.push(mapped());
    samples.extend(checkpointed());
    Examples { answers, samples }
}

/// Loops whose reverse mode keeps few states.
fn checkpointed() -> Vec<Sample> {
    let f = SCALAR(DType::F64);
    let inputs = [SCALAR(DType::I64), f.clone(), f.clone(), f.clone(), f.clone()];
    let body = region("body", &inputs, |x| {
        let next = (x[1] * x[4]).sin() + x[3] * 0.5;
        vec![next, x[2] + next.square(), next * x[1]]
    });
    let cases = [(0, Schedule::Sqrt), (1, Schedule::Sqrt), (7, Schedule::Sqrt), (7, Schedule::Binomial(2))];
    let cases = cases.into_iter().enumerate().map(|(k, (n, schedule))| {
        let op = Scan { carry: 2, xs: 1, length: Some(n), reverse: k % 2 == 1, checkpoint: Some(schedule) };
        let rows = Type::new(DType::F64, [n]);
        let unit = (-1.0, 1.0);
        let operands = vec![(f.clone(), unit), (f.clone(), unit), (rows, unit), (f.clone(), (0.5, 1.0))];
        sample(op, from_ref(&body), operands)
    });
    cases.collect()
}

fn revolve_examples() -> Examples {
    let (f, i) = (SCALAR(DType::F64), SCALAR(DType::I64));
    // The gradient of Horner's scheme, x ← x a + row: that of x, that of a as a sum, and those of the rows.
    let f = &f;
    let inputs = |n: usize| -> Vec<Type> { std::iter::once(i.clone()).chain(vec![f.clone(); n]).collect() };
    let horner = [
        region("advance", &inputs(3), |x| vec![x[1] * x[3] + x[2]]),
        region("reverse", &inputs(5), |x| vec![x[1] * x[5], x[2] + x[1] * x[3], x[1]]),
    ];
    let op = |length, reverse, schedule| Revolve { cts: 2, carry: 1, xs: 1, length, reverse, schedule };
    let case = |op: Revolve, rows: &[f64], results: [f64; 2], ys: &[f64]| {
        let [ct, sum, x, a] = [1.0, 0.0, 1.0, 10.0].map(Array::scalar);
        let operands = vec![ct, sum, x, f64s(rows.iter().copied()), a];
        let [x, a] = results.map(Array::scalar);
        answer(op, &horner, operands, vec![x, a, f64s(ys.iter().copied())])
    };
    let rows = [2.0, 3.0, 4.0];
    let answers = vec![
        case(op(3, false, Schedule::Sqrt), &rows, [1000.0, 343.0], &[100.0, 10.0, 1.0]),
        case(op(3, false, Schedule::Binomial(1)), &rows, [1000.0, 343.0], &[100.0, 10.0, 1.0]),
        case(op(3, true, Schedule::Binomial(2)), &rows, [1000.0, 383.0], &[1.0, 10.0, 100.0]),
        case(op(0, false, Schedule::Sqrt), &[], [1.0, 0.0], &[]),
    ];
    let schedules = [
        (0, false, Schedule::Binomial(3)),
        (1, true, Schedule::Sqrt),
        (1, false, Schedule::Binomial(1)),
        (2, false, Schedule::Sqrt),
        (2, true, Schedule::Binomial(2)),
        (7, false, Schedule::Sqrt),
        (7, true, Schedule::Binomial(1)),
        (7, false, Schedule::Binomial(3)),
        (50, true, Schedule::Sqrt),
        (50, false, Schedule::Binomial(3)),
        (50, false, Schedule::Binomial(100)),
    ];
    let mut samples: Vec<Sample> =
        schedules.map(|(n, reverse, schedule)| revolved(n, reverse, schedule, DType::F64, &[])).into();
    samples.push(revolved(7, false, Schedule::Sqrt, DType::F32, &[]));
    // Too large for registers.
    samples.push(revolved(7, true, Schedule::Binomial(2), DType::F64, &[19]));
    samples.push(revolved(5, false, Schedule::Sqrt, DType::F32, &[19]));
    Examples { answers, samples }
}

/// Neither region is linear in anything.
fn revolved(n: usize, reverse: bool, schedule: Schedule, dtype: DType, shape: &[usize]) -> Sample {
    let (x, number) = (Type::new(dtype, shape), SCALAR(dtype));
    let iteration = [x.clone(), x.clone(), x.clone(), number.clone()];
    let inputs: Vec<Type> = std::iter::once(SCALAR(DType::I64)).chain(iteration).collect();
    let advance = region("advance", &inputs, |x| vec![(x[1] * x[4]).sin() + x[3] * 0.5, x[2] * x[1].cos()]);
    let mut inputs = inputs;
    inputs.insert(1, x.clone());
    let reverse_trip = region("reverse", &inputs, |x| {
        let next = (x[1] * x[2]).tanh() + x[3] * x[5];
        vec![next, x[2].square() * x[4] + x[1]]
    });
    let unit = (-1.0, 1.0);
    let operands =
        vec![(x.clone(), unit), (x.clone(), unit), (x.clone(), unit), (x.repeated(n), unit), (number, (0.5, 1.0))];
    let op = Revolve { cts: 1, carry: 2, xs: 1, length: n, reverse, schedule };
    sample(op, &[advance, reverse_trip], operands)
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
    sample(Scan { carry: 1, xs: 1, length: Some(4), reverse: false, checkpoint: None }, &[body], operands)
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
    sample(Scan { carry: 0, xs: 2, length: Some(11), reverse: false, checkpoint: None }, &[body], operands)
}
