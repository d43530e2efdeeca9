//! What every operation must say, and the families that say most of it once.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use smallvec::SmallVec;

use super::instructions::{Code, Instruction, Instructions, Single};
use super::trace::apply;
use super::{BroadcastInDim, DotGeneral, External, Graph, MatrixRoutine, Op, ScatterSlices, Var};
use crate::error::IndexError;
use crate::ir::{Mismatch, Signature, Types, mismatch};
use crate::math;
use crate::value::{Array, ArrayMut, ArrayRef, DType, Element, Elements, Scalar, Shape, Type};

/// The rules of one operation. There are no defaults: a rule that is missing does not compile.
pub trait Rules: Clone + Eq + Hash + Debug + Serialize + DeserializeOwned {
    /// The name in listings and files.
    const NAME: &'static str;
    /// Operand types and signatures of regions → result types. Operations without regions get no stacks.
    fn infer(&self, operands: &[Type], regions: &[Signature]) -> Result<Types, Mismatch>;
    /// The reference semantics. `results` are the inferred types.
    ///
    /// # Panics
    /// If the operands are not of types that [`Rules::infer`] takes; [`Op::eval`] checks that.
    fn eval(&self, operands: &[&Array], results: &[Type]) -> Vec<Array>;
    /// How the operation is differentiated.
    fn derivative(&self) -> Derivative<'_>;
    /// How the operation is applied to rows, all at once.
    fn batch(&self) -> Batching<'_>;
    /// How the operation becomes native code.
    fn lower(&self) -> Lowering<'_>;
    /// What the table of operations prints.
    fn doc() -> Doc;
    /// Known answers, and domains to sample.
    fn examples() -> Examples;
}

/// The documentation of an operation.
#[derive(Clone, Debug)]
pub struct Doc {
    /// One line: what it computes.
    pub summary: &'static str,
    /// One line: the derivative, with its values at kinks.
    pub derivative: &'static str,
    /// One line: how exact the result is.
    pub accuracy: &'static str,
}

/// How an operation is differentiated.
pub enum Derivative<'a> {
    /// It is constant wherever it has a derivative; nothing flows.
    Zero,
    /// Each element of the result depends on the elements at the same place.
    Elementwise(&'a dyn Partials),
    /// It is linear in all its operands together.
    Linear(&'a dyn Linear),
    /// Anything else.
    General(&'a dyn General),
    /// It holds regions, whose derivatives make up its own.
    Control,
}

impl Derivative<'_> {
    /// The kind, in a word.
    pub fn kind(&self) -> &'static str {
        match self {
            Derivative::Zero => "zero",
            Derivative::Elementwise(_) => "elementwise",
            Derivative::Linear(_) => "linear",
            Derivative::General(_) => "general",
            Derivative::Control => "that of its regions",
        }
    }
}

/// The partial derivatives of an elementwise operation.
pub trait Partials {
    /// ∂y/∂x\[slot\], elementwise.
    fn partial(&self, slot: usize, x: &[Var], y: Var) -> Partial;
}

/// One partial derivative. The cases that need no product are apart, so that `1·ct` and `0 + ct` never enter a graph.
#[derive(Clone, Copy, Debug)]
pub enum Partial {
    /// 0.
    Zero,
    /// 1.
    One,
    /// -1.
    MinusOne,
    /// 1 where the condition holds, else a 0 that no NaN passes.
    When(Var),
    /// 1 where the condition does not hold, else a 0 that no NaN passes.
    Unless(Var),
    /// Any other. Where a cotangent or tangent is 0, nothing flows, even if this is infinite or NaN.
    Of(Var),
    /// One that is 0 wherever it is written as 0, so that nothing flows there, even if the cotangent or tangent is infinite
    /// or NaN.
    Vanishing(Var),
}

/// An operation that is linear in all its operands together, with one result.
pub trait Linear {
    /// The operation on tangents.
    fn apply(&self, t: &[Var]) -> Var;
    /// The cotangent of the operand in that slot. `operands` are all operand types.
    fn transpose(&self, slot: usize, operands: &[Type], ct: Var) -> Var;
    /// The mask that belongs to `transpose(select(mask, ct, 0))`, if that can be written `select(mask', transpose(ct), 0)`.
    fn transpose_mask(&self, slot: usize, operands: &[Type], mask: Var) -> Option<Var>;
}

/// Derivative rules without special form. `None` is a zero that is known beforehand.
pub trait General {
    /// The tangents of the results.
    fn jvp(&self, x: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>>;
    /// The cotangents of the wanted operands.
    fn vjp(&self, x: &[Var], y: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>>;
}

/// How an operation is applied to rows, all at once: what it gives for operands of which some have one more, leading axis.
pub enum Batching<'a> {
    /// It has no operands, so it gives the same for each row.
    Constant,
    /// It is elementwise: the same operation on operands that all have rows.
    Elementwise,
    /// It is applied to stacks, along any leading axes: the same operation on operands that all have rows.
    Stack,
    /// A rule of its own.
    Rule(&'a dyn Batch),
    /// It runs once for each row.
    RowByRow,
    /// That of its regions.
    Control,
}

/// The batch rule of an operation with one result.
pub trait Batch {
    /// What the operation gives for each row, along a leading axis of extent `n`. At least one of the operands has rows.
    /// Each row of the result has the bits that the operation gives for the row alone, but for products of matrices.
    fn batch(&self, x: &[Batched], n: usize) -> Var;
}

/// An operand of a batch rule.
#[derive(Clone, Copy, Debug)]
pub struct Batched {
    /// The values.
    pub var: Var,
    /// Whether they have a leading axis of rows; else they are the same for each row.
    pub has_rows: bool,
}

impl Batched {
    /// The values with rows: repeated, if they are the same for each.
    pub fn rows(self, n: usize) -> Var {
        if self.has_rows || self.var.is_poisoned() {
            return self.var;
        }
        let shape = self.var.shape();
        let axes = (1..=shape.rank()).collect();
        apply(BroadcastInDim { shape: with_rows(&shape, n), axes }, &[self.var])
    }
}

/// The shape with a leading axis of rows.
pub fn with_rows(shape: &[usize], n: usize) -> Shape {
    [n].iter().chain(shape).copied().collect()
}

/// A batch rule of an operation that has but one operand and is applied along other axes where there are rows.
macro_rules! shifted_batch {
    ($op:ty, |$self:ident, $n:ident| $shifted:expr) => {
        impl $crate::op::rules::Batch for $op {
            fn batch(&self, x: &[$crate::op::rules::Batched], $n: usize) -> $crate::op::Var {
                let $self = self;
                $crate::op::trace::apply($shifted, &[x[0].rows($n)])
            }
        }
    };
}
pub(super) use shifted_batch;

/// Axes behind a leading one.
pub(super) fn shifted(axes: &[usize]) -> Vec<usize> {
    axes.iter().map(|axis| axis + 1).collect()
}

/// One entry for each axis, with that of a leading one.
pub(super) fn led<T: Clone>(first: T, entries: &[T]) -> Vec<T> {
    let mut led = vec![first];
    led.extend_from_slice(entries);
    led
}

/// How an operation becomes native code.
pub enum Lowering<'a> {
    /// Instructions for each element; see `Op::code`.
    Elementwise,
    /// One call for each element of a function of one variable from `math`.
    Math1(math::Unary),
    /// One call for each element of a function of two variables from `math`.
    Math2(math::Binary),
    /// A value known at compile time.
    Constant(&'a Array),
    /// The elements of the operand, found elsewhere.
    View(&'a dyn View),
    /// A reduction over axes.
    Reduce {
        /// What combines two elements.
        monoid: Monoid,
        /// The axes that vanish.
        axes: &'a [usize],
    },
    /// Elements of the operands, moved to a result that they make up together.
    Assemble(&'a dyn Library),
    /// Elements of the operands, added up where they meet.
    Scatter(&'a ScatterSlices),
    /// Sums of products.
    Contract(&'a DotGeneral),
    /// Elements that depend on their indices alone.
    Generate(&'a dyn Library),
    /// A call of a routine that the interpreter calls, too.
    Library(&'a dyn Library),
    /// Such a call, too, or the instructions of its algorithm where matrices are small.
    Matrix(MatrixRoutine<'a>),
    /// A call of a routine that the interpreter calls, too, and which may refuse what its operands hold.
    Checked(&'a dyn Checked),
    /// A call of a function of the host, which may fail. It is looked up when a program is compiled.
    External(&'a External),
    /// Control flow around the code of its regions; see `Op::roles`.
    Control,
}

impl<'a> Lowering<'a> {
    /// The routine on whole arrays, where the interpreter has one.
    pub fn routine(&self) -> Option<&'a dyn Library> {
        match *self {
            Lowering::Assemble(routine) | Lowering::Generate(routine) | Lowering::Library(routine) => Some(routine),
            Lowering::Scatter(scatter) => Some(scatter),
            Lowering::Contract(dot) => Some(dot),
            Lowering::Matrix(matrix) => Some(matrix.routine()),
            Lowering::Elementwise
            | Lowering::Math1(_)
            | Lowering::Math2(_)
            | Lowering::Constant(_)
            | Lowering::View(_)
            | Lowering::Reduce { .. }
            | Lowering::Checked(_)
            | Lowering::External(_)
            | Lowering::Control => None,
        }
    }
}

/// A routine on whole arrays.
pub trait Library: Send + Sync {
    /// Writes the results. Operands may have any strides.
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]);
    /// How many additions, multiplications and the like it takes, if its result is of floating point.
    fn flops(&self, operands: &[&Type], result: &Type) -> usize;
    /// How much memory it takes for itself.
    fn scratch_bytes(&self, _operands: &[&Type]) -> usize {
        0
    }
    /// The routine with all that can be made beforehand for operands of these types, as tables; a compiled program keeps it.
    /// `None` if there is nothing, or not the memory for it.
    fn prepare(&self, _operands: &[&Type]) -> Option<Box<dyn Prepared>> {
        None
    }
}

/// A routine on whole arrays, made ready for operands of certain types.
pub trait Prepared: Send + Sync {
    /// Writes the results, with the bits of [`Library::run`].
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]);
}

/// A routine on whole arrays that may refuse what its operands hold.
pub trait Checked: Send + Sync {
    /// Writes the results. Operands may have any strides. After an error the results hold anything.
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) -> Result<(), IndexError>;
    /// How many additions, multiplications and the like it takes, if its result is of floating point.
    fn flops(&self, operands: &[&Type], result: &Type) -> usize;
}

/// Elements at `offset + Σ indexᵢ · stridesᵢ` of some buffer, in elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Where the element with all indices 0 lies.
    pub offset: isize,
    /// The distance of neighbors along each axis.
    pub strides: SmallVec<[isize; 4]>,
    /// The extents.
    pub shape: Shape,
}

impl Layout {
    /// Row-major order from the beginning of a buffer.
    pub fn row_major(shape: &Shape) -> Layout {
        Layout { offset: 0, strides: shape.strides().into(), shape: shape.clone() }
    }

    /// Whether the elements lie in row-major order without gaps, from `offset` on.
    pub fn is_row_major(&self) -> bool {
        // Without elements there is no order.
        if self.shape.size() == 0 {
            return true;
        }
        let mut expected = 1;
        for axis in (0..self.shape.rank()).rev() {
            if self.shape[axis] != 1 && self.strides[axis] != expected {
                return false;
            }
            expected *= self.shape[axis] as isize;
        }
        true
    }

    /// Every element's place, in row-major order of the indices.
    pub fn places(&self) -> impl Iterator<Item = isize> + '_ {
        (0..self.shape.size()).map(|position| {
            let mut rest = position;
            let mut place = self.offset;
            for axis in (0..self.shape.rank()).rev() {
                place += (rest % self.shape[axis]) as isize * self.strides[axis];
                rest /= self.shape[axis];
            }
            place
        })
    }
}

/// An operation that only renames indices.
pub trait View {
    /// Where the result's elements lie, given where the operand's lie; `None` where no strides express it.
    fn view(&self, operand: &Layout) -> Option<Layout>;
}

/// The reference semantics of a view.
pub(super) fn eval_view(view: &dyn View, operand: &Array, result: &Type) -> Array {
    let layout = view.view(&Layout::row_major(&operand.shape().into())).expect("bug: a view of a row-major array");
    let element = |place: isize| operand.get(place as usize).expect("bug: a view beyond its operand");
    Array::collect(result, layout.places().map(element))
}

/// The reference semantics of a library routine: the routine itself.
pub(super) fn eval_library(library: &dyn Library, operands: &[&Array], results: &[Type]) -> Vec<Array> {
    let mut arrays: Vec<Array> = results.iter().map(Array::zeros).collect();
    let operands: Vec<ArrayRef<'_>> = operands.iter().map(|array| array.view()).collect();
    let mut views: Vec<ArrayMut<'_>> = arrays.iter_mut().map(Array::view_mut).collect();
    library.run(&operands, &mut views);
    drop(views);
    arrays
}

/// The reference semantics of a routine that may refuse its operands.
pub(super) fn eval_checked(
    routine: &dyn Checked,
    operands: &[&Array],
    results: &[Type],
) -> Result<Vec<Array>, IndexError> {
    let mut arrays: Vec<Array> = results.iter().map(Array::zeros).collect();
    let operands: Vec<ArrayRef<'_>> = operands.iter().map(|array| array.view()).collect();
    let mut views: Vec<ArrayMut<'_>> = arrays.iter_mut().map(Array::view_mut).collect();
    routine.run(&operands, &mut views)?;
    drop(views);
    Ok(arrays)
}

/// What combines the elements of a reduction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Monoid {
    /// `x + y`, from 0.
    Sum,
    /// `x · y`, from 1.
    Prod,
    /// The larger, NaN if either is; from -inf or the least integer.
    Max,
    /// The smaller, NaN if either is; from inf or the greatest integer.
    Min,
    /// `x & y`, from true.
    And,
    /// `x | y`, from false.
    Or,
}

/// Known answers of an operation, and domains to sample.
#[derive(Clone, Debug, Default)]
pub struct Examples {
    /// Applications with literal results.
    pub answers: Vec<Answer>,
    /// Applications to random operands.
    pub samples: Vec<Sample>,
}

/// An application with literal results.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The operation.
    pub op: Op,
    /// Its operands.
    pub operands: Vec<Array>,
    /// Its results.
    pub results: Vec<Array>,
    /// By how many units in the last place the results may differ.
    pub ulps: u32,
    /// The regions, where the operation takes any.
    pub regions: Vec<Arc<Graph>>,
}

/// An application to random operands.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The operation.
    pub op: Op,
    /// The operands' types, and the range from which their elements come; inside it the operation is smooth.
    pub operands: Vec<(Type, (f64, f64))>,
    /// The regions, where the operation takes any.
    pub regions: Vec<Arc<Graph>>,
}

/// What an elementwise operation must say; the other [`Rules`] follow.
pub trait Elementwise: Clone + Eq + Hash + Debug + Serialize + DeserializeOwned + Into<Op> {
    /// The name in listings and files.
    const NAME: &'static str;
    /// The number of operands.
    const ARITY: usize;
    /// Operand dtypes → result dtype.
    fn result(&self, operands: &[DType]) -> Result<DType, Mismatch>;
    /// The result's element from the operands' elements.
    fn eval(&self, x: &[Scalar]) -> Scalar;
    /// ∂y/∂x\[slot\]; not asked for slots or results that are not of floating point.
    fn partial(&self, slot: usize, x: &[Var], y: Var) -> Partial;
    /// The instructions that make the result's element from the operands' elements, or one call of a function of `math`.
    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg;
    /// Documentation, known answers, domains.
    fn facts() -> Facts;
    /// One instance for each choice of parameters that the examples shall cover.
    fn instances() -> Vec<Self>;
}

/// Documentation and examples of an elementwise operation; rows of scalars stand for every dtype that it takes.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Documentation.
    pub doc: Doc,
    /// Known answers in floating point (`bool`s are 0 and 1), for the first instance. Of an operation that takes no
    /// floating point, those in `bool`s, if they are others than those in integers.
    pub floats: &'static [(&'static [f64], f64)],
    /// Known answers in integers and `bool`s, for the first instance.
    pub integers: &'static [(&'static [i64], i64)],
    /// For each operand the range in which the operation is smooth.
    pub domain: &'static [(f64, f64)],
    /// By how many units in the last place an answer may differ.
    pub ulps: u32,
}

impl<E: Elementwise> Rules for E {
    const NAME: &'static str = <E as Elementwise>::NAME;

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        infer_elementwise(E::ARITY, operands, &|dtypes| self.result(dtypes))
    }

    fn eval(&self, operands: &[&Array], results: &[Type]) -> Vec<Array> {
        eval_elementwise(operands, results, &|x| Elementwise::eval(self, x))
    }

    fn derivative(&self) -> Derivative<'_> {
        Derivative::Elementwise(self)
    }

    fn batch(&self) -> Batching<'_> {
        Batching::Elementwise
    }

    fn lower(&self) -> Lowering<'_> {
        match Single::of(self) {
            Some(Instruction::Math1(f)) => Lowering::Math1(f),
            Some(Instruction::Math2(f)) => Lowering::Math2(f),
            _ => Lowering::Elementwise,
        }
    }

    fn doc() -> Doc {
        E::facts().doc
    }

    fn examples() -> Examples {
        let (facts, mut examples) = (E::facts(), Examples::default());
        for (position, op) in E::instances().into_iter().enumerate() {
            let dtypes = accepted_dtypes(E::ARITY, &|dtypes| op.result(dtypes));
            add_examples(&mut examples, op.into(), position == 0, &facts, dtypes);
        }
        examples
    }
}

impl<E: Elementwise> Partials for E {
    fn partial(&self, slot: usize, x: &[Var], y: Var) -> Partial {
        Elementwise::partial(self, slot, x, y)
    }
}

impl<E: Elementwise> Code for E {
    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg {
        Elementwise::code(self, i, x)
    }
}

/// Operand dtypes → result dtype, of an elementwise operation.
///
/// What is below takes functions as arguments, not the operation as a parameter: there are more than a hundred, for each
/// of which it would be compiled again.
type ResultOf<'a> = &'a dyn Fn(&[DType]) -> Result<DType, Mismatch>;

fn infer_elementwise(arity: usize, operands: &[Type], result: ResultOf<'_>) -> Result<Types, Mismatch> {
    expect_arity(operands, arity)?;
    for operand in &operands[1..] {
        if operand.shape != operands[0].shape {
            return Err(mismatch!("operands must have equal shapes, but got {}", list(operands)));
        }
    }
    let dtypes: Dtypes = operands.iter().map(|ty| ty.dtype).collect();
    Ok(smallvec::smallvec![operands[0].with_dtype(result(&dtypes)?)])
}

fn eval_elementwise(operands: &[&Array], results: &[Type], eval: &dyn Fn(&[Scalar]) -> Scalar) -> Vec<Array> {
    let operands: SmallVec<[Elements<'_>; 3]> = operands.iter().map(|x| x.in_order()).collect();
    let mut x: SmallVec<[Scalar; 3]> = smallvec::smallvec![Scalar::Bool(false); operands.len()];
    let element = |position: usize| {
        for (x, operand) in x.iter_mut().zip(&operands) {
            *x = operand.get(position).expect("bug: operands of two sizes");
        }
        eval(&x)
    };
    vec![Array::collect(&results[0], (0..results[0].size()).map(element))]
}

type Dtypes = SmallVec<[DType; 3]>;

/// Every combination of dtypes that the operation takes, with the result's.
fn accepted_dtypes(arity: usize, result: ResultOf<'_>) -> Vec<(Dtypes, DType)> {
    let mut combinations: Vec<Dtypes> = vec![Dtypes::new()];
    for _ in 0..arity {
        combinations = combinations
            .into_iter()
            .flat_map(|head| DType::ALL.map(|dtype| head.iter().copied().chain([dtype]).collect::<Dtypes>()))
            .collect();
    }
    combinations.into_iter().filter_map(|dtypes| result(&dtypes).ok().map(|result| (dtypes, result))).collect()
}

fn add_examples(examples: &mut Examples, op: Op, with_answers: bool, facts: &Facts, accepted: Vec<(Dtypes, DType)>) {
    let takes_no_floats = !accepted.iter().any(|(dtypes, _)| dtypes.iter().all(|&dtype| dtype == DType::F64));
    for (dtypes, result) in accepted {
        if with_answers {
            examples.answers.extend(answers(&op, takes_no_floats, facts, &dtypes, result));
        }
        let operands =
            dtypes.iter().zip(facts.domain).map(|(&dtype, &domain)| (Type::new(dtype, [3, 5]), domain)).collect();
        examples.samples.push(Sample { op: op.clone(), operands, regions: vec![] });
    }
}

/// The literal rows as answers of the given dtypes: all rows of a kind together, as vectors.
fn answers(op: &Op, takes_no_floats: bool, facts: &Facts, dtypes: &[DType], result: DType) -> Option<Answer> {
    let of_bools = takes_no_floats && !facts.floats.is_empty() && dtypes.iter().all(|&dtype| dtype == DType::Bool);
    let floats = of_bools || dtypes.iter().any(|dtype| dtype.is_float());
    let n = if floats { facts.floats.len() } else { facts.integers.len() };
    let operand = |slot: usize, row: usize| {
        if floats { Scalar::F64(facts.floats[row].0[slot]) } else { Scalar::I64(facts.integers[row].0[slot]) }
    };
    let expected =
        |row: usize| if floats { Scalar::F64(facts.floats[row].1) } else { Scalar::I64(facts.integers[row].1) };
    // A row whose operands another dtype cannot hold exactly says nothing about that dtype.
    let rows: Vec<usize> = (0..n)
        .filter(|&row| {
            dtypes.iter().enumerate().all(|(slot, &dtype)| {
                let x = operand(slot, row);
                x.convert(dtype).convert(x.dtype()).bits() == x.bits()
            })
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    let vector = |dtype: DType, element: &dyn Fn(usize) -> Scalar| {
        Array::collect(&Type::new(dtype, [rows.len()]), rows.iter().map(|&row| element(row).convert(dtype)))
    };
    let operands = dtypes.iter().enumerate().map(|(slot, &dtype)| vector(dtype, &|row| operand(slot, row))).collect();
    let results = vec![vector(result, &expected)];
    Some(Answer { op: op.clone(), operands, results, ulps: facts.ulps, regions: vec![] })
}

/// An array of an example, written out.
pub(super) fn literal<T: Element>(shape: impl Into<Shape>, elements: impl Into<Vec<T>>) -> Array {
    Array::from_elements(shape, elements.into()).expect("bug: a literal of another size")
}

/// Requires that number of operands.
pub(super) fn expect_arity(operands: &[Type], arity: usize) -> Result<(), Mismatch> {
    if operands.len() == arity { Ok(()) } else { Err(mismatch!("takes {arity} operands, but got {}", operands.len())) }
}

/// Types as a message shows them: `f64[2] and f64[3]`.
pub(super) fn list(types: &[Type]) -> String {
    types.iter().map(Type::to_string).collect::<Vec<_>>().join(" and ")
}

/// Operands of one dtype, which the predicate allows.
pub(super) fn same_dtype(operands: &[DType], allowed: impl Fn(DType) -> bool, what: &str) -> Result<DType, Mismatch> {
    let first = operands[0];
    if let Some(other) = operands.iter().find(|&&dtype| dtype != first) {
        return Err(mismatch!("operands must have equal dtypes, but got {first} and {other}; use convert"));
    }
    if !allowed(first) {
        return Err(mismatch!("takes {what}, but got {first}"));
    }
    Ok(first)
}

/// Operands of one floating-point dtype.
pub(super) fn floats(operands: &[DType]) -> Result<DType, Mismatch> {
    same_dtype(operands, DType::is_float, "floating-point numbers")
}

/// Operands of one numeric dtype.
pub(super) fn numbers(operands: &[DType]) -> Result<DType, Mismatch> {
    same_dtype(operands, |dtype| dtype != DType::Bool, "numbers")
}
