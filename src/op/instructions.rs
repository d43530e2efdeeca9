//! What elementwise operations are made of: instructions for one element, or for the same element of several lanes.
//!
//! An operation says once which instructions it takes, by [`Code::code`]. Whoever implements [`Instructions`] makes of
//! that what it needs: machine code, a count of arithmetic, a text.

use std::fmt::Write;

use super::Op;
use crate::math;
use crate::value::DType;

/// One instruction. Its meaning is that of Rust's operators on the element type: IEEE 754 for floats, wrapping for
/// integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Instruction {
    /// `x + y`.
    Add,
    /// `x - y`.
    Sub,
    /// `x * y`.
    Mul,
    /// `x / y`; for integers truncated, `x / 0 = -1` and `MIN / -1 = MIN`, as in XLA.
    Div,
    /// The remainder of integers with the sign of `x`; `x % 0 = x` and `MIN % -1 = 0`, as in XLA.
    IntRem,
    /// `-x`.
    Neg,
    /// `|x|`.
    Abs,
    /// `√x`.
    Sqrt,
    /// The largest integer not above.
    Floor,
    /// The smallest integer not below.
    Ceil,
    /// The integer part.
    Trunc,
    /// The nearest integer, ties to even.
    Round,
    /// `x · y + z`, rounded once.
    Fma,
    /// The smaller; NaN if either is NaN, and -0 below +0.
    Min,
    /// The larger; NaN if either is NaN, and -0 below +0.
    Max,
    /// The magnitude of `x` with the sign bit of `y`.
    Copysign,
    /// `x == y`.
    Eq,
    /// `x != y`.
    Ne,
    /// `x < y`.
    Lt,
    /// `x <= y`.
    Le,
    /// `x > y`.
    Gt,
    /// `x >= y`.
    Ge,
    /// `x & y` of bools, or of the bits of integers.
    And,
    /// `x | y` of bools, or of the bits of integers.
    Or,
    /// `x ^ y` of bools, or of the bits of integers.
    Xor,
    /// `!x` of a bool, or of the bits of an integer.
    Not,
    /// `x << y` of integers; 0 unless `0 <= y < 64`.
    ShiftLeft,
    /// `x >> y` of integers, filled with 0; 0 unless `0 <= y < 64`.
    ShiftRightLogical,
    /// `x >> y` of integers, filled with the sign; all of it the sign unless `0 <= y < 64`.
    ShiftRightArithmetic,
    /// How many bits of an integer are set.
    Popcount,
    /// The second operand where the first, a bool, holds, else the third.
    Select,
    /// `x` of a float, and +0 where `y` is 0.
    ZeroWhereZero,
    /// Another dtype, as Rust's `as` converts; to `bool` by comparison with 0.
    Convert(DType),
    /// A function of one variable from `math`.
    Math1(math::Unary),
    /// A function of two variables from `math`.
    Math2(math::Binary),
    /// A function of three variables from `math`.
    Math3(math::Ternary),
}

impl Instruction {
    /// How many operations in floating point it counts as; see [`Cost`](super::Cost).
    fn flops(self) -> u64 {
        match self {
            Instruction::Add
            | Instruction::Sub
            | Instruction::Mul
            | Instruction::Div
            | Instruction::Sqrt
            | Instruction::Min
            | Instruction::Max => 1,
            Instruction::Fma => 2,
            _ => 0,
        }
    }

    /// Whether it calls a function, across which no register keeps its contents.
    fn is_call(self) -> bool {
        matches!(self, Instruction::Math1(_) | Instruction::Math2(_) | Instruction::Math3(_))
    }

    /// Whether it takes some ten times as long as an addition.
    fn is_slow(self) -> bool {
        self.is_call() || matches!(self, Instruction::Div | Instruction::IntRem | Instruction::Sqrt)
    }

    /// The dtype of its result, given those of its operands.
    fn result(self, x: &[DType]) -> DType {
        match self {
            Instruction::Eq
            | Instruction::Ne
            | Instruction::Lt
            | Instruction::Le
            | Instruction::Gt
            | Instruction::Ge => DType::Bool,
            Instruction::Select => x[1],
            Instruction::Convert(dtype) => dtype,
            _ => x[0],
        }
    }

    fn name(self) -> String {
        let debug = |x: &dyn std::fmt::Debug| format!("{x:?}").to_lowercase();
        match self {
            Instruction::Convert(dtype) => format!("convert {dtype}"),
            Instruction::Math1(f) => format!("call {}", debug(&f)),
            Instruction::Math2(f) => format!("call {}", debug(&f)),
            Instruction::Math3(f) => format!("call {}", debug(&f)),
            other => debug(&other),
        }
    }
}

/// Methods that apply one instruction each.
macro_rules! provided {
    ($($(#[$doc:meta])* $name:ident($($x:ident),+) $instruction:ident,)*) => {
        $(
            $(#[$doc])*
            fn $name(&mut self, $($x: Self::Reg),+) -> Self::Reg {
                self.apply(Instruction::$instruction, &[$($x),+])
            }
        )*
    };
}

/// Whoever takes instructions, in the order in which they are executed. It knows neither the machine nor how many lanes
/// there are: those are the implementor's business, and change no result.
pub trait Instructions {
    /// The value of an operand or of an instruction.
    type Reg: Copy;

    /// The dtype of a value.
    fn dtype(&mut self, x: Self::Reg) -> DType;
    /// A number, converted to the dtype of a value.
    fn constant_like(&mut self, number: f64, x: Self::Reg) -> Self::Reg;
    /// An instruction on its operands.
    fn apply(&mut self, instruction: Instruction, x: &[Self::Reg]) -> Self::Reg;

    provided! {
        /// `x + y`.
        add(x, y) Add,
        /// `x - y`.
        sub(x, y) Sub,
        /// `x * y`.
        mul(x, y) Mul,
        /// `x / y`.
        div(x, y) Div,
        /// The remainder of integers.
        int_rem(x, y) IntRem,
        /// `-x`.
        neg(x) Neg,
        /// `|x|`.
        abs(x) Abs,
        /// `√x`.
        sqrt(x) Sqrt,
        /// The largest integer not above.
        floor(x) Floor,
        /// The smallest integer not below.
        ceil(x) Ceil,
        /// The integer part.
        trunc(x) Trunc,
        /// The nearest integer, ties to even.
        round(x) Round,
        /// `x · y + z`, rounded once.
        fma(x, y, z) Fma,
        /// The smaller.
        min(x, y) Min,
        /// The larger.
        max(x, y) Max,
        /// The magnitude of `x` with the sign bit of `y`.
        copysign(x, y) Copysign,
        /// `x == y`.
        eq(x, y) Eq,
        /// `x != y`.
        ne(x, y) Ne,
        /// `x < y`.
        lt(x, y) Lt,
        /// `x <= y`.
        le(x, y) Le,
        /// `x > y`.
        gt(x, y) Gt,
        /// `x >= y`.
        ge(x, y) Ge,
        /// `x & y` of bools, or of the bits of integers.
        and(x, y) And,
        /// `x | y` of bools, or of the bits of integers.
        or(x, y) Or,
        /// `x ^ y` of bools, or of the bits of integers.
        xor(x, y) Xor,
        /// `!x` of a bool, or of the bits of an integer.
        not(x) Not,
        /// `x << y` of integers.
        shift_left(x, y) ShiftLeft,
        /// `x >> y` of integers, filled with 0.
        shift_right_logical(x, y) ShiftRightLogical,
        /// `x >> y` of integers, filled with the sign.
        shift_right_arithmetic(x, y) ShiftRightArithmetic,
        /// How many bits of an integer are set.
        popcount(x) Popcount,
        /// `y` where the condition `x` holds, else `z`.
        select(x, y, z) Select,
        /// `x` of a float, and +0 where `y` is 0.
        zero_where_zero(x, y) ZeroWhereZero,
    }

    /// Whether `x` is NaN.
    fn is_nan(&mut self, x: Self::Reg) -> Self::Reg {
        self.ne(x, x)
    }

    /// `x` as another dtype.
    fn convert(&mut self, x: Self::Reg, dtype: DType) -> Self::Reg {
        self.apply(Instruction::Convert(dtype), &[x])
    }

    /// A function of one variable from `math`.
    fn math1(&mut self, f: math::Unary, x: Self::Reg) -> Self::Reg {
        self.apply(Instruction::Math1(f), &[x])
    }

    /// A function of two variables from `math`.
    fn math2(&mut self, f: math::Binary, x: Self::Reg, y: Self::Reg) -> Self::Reg {
        self.apply(Instruction::Math2(f), &[x, y])
    }

    /// A function of three variables from `math`.
    fn math3(&mut self, f: math::Ternary, x: Self::Reg, y: Self::Reg, z: Self::Reg) -> Self::Reg {
        self.apply(Instruction::Math3(f), &[x, y, z])
    }
}

/// An operation that is instructions, the same for each element.
pub trait Code {
    /// The result's element from the operands' elements.
    fn code<I: Instructions>(&self, i: &mut I, x: &[I::Reg]) -> I::Reg;
}

/// What one element of an elementwise operation takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Operations in `f64`.
    pub f64_flops: u64,
    /// Operations in `f32`.
    pub f32_flops: u64,
    /// Calls of functions from `math`.
    pub calls: u64,
    /// Instructions, calls among them, that take some ten times as long as an addition.
    pub slow: u64,
}

impl Instructions for Work {
    type Reg = DType;

    fn dtype(&mut self, x: DType) -> DType {
        x
    }

    fn constant_like(&mut self, _: f64, x: DType) -> DType {
        x
    }

    fn apply(&mut self, instruction: Instruction, x: &[DType]) -> DType {
        match x[0] {
            DType::F64 => self.f64_flops += instruction.flops(),
            DType::F32 => self.f32_flops += instruction.flops(),
            DType::I64 | DType::Bool => {}
        }
        self.calls += u64::from(instruction.is_call());
        self.slow += u64::from(instruction.is_slow());
        instruction.result(x)
    }
}

/// Finds operations that are one instruction on their operands as they are.
#[derive(Default)]
pub(super) struct Single {
    first: Option<Instruction>,
    n_others: usize,
}

impl Single {
    /// The instruction that an operation is, if it is one.
    pub(super) fn of(op: &impl Code) -> Option<Instruction> {
        let mut single = Single::default();
        op.code(&mut single, &Single::SLOTS);
        single.found()
    }

    /// As many operands as any operation has.
    const SLOTS: [Option<usize>; 3] = [Some(0), Some(1), Some(2)];

    fn found(&self) -> Option<Instruction> {
        self.first.filter(|_| self.n_others == 0)
    }
}

impl Instructions for Single {
    /// The slot of an operand.
    type Reg = Option<usize>;

    /// Who asks has other instructions for another dtype.
    fn dtype(&mut self, _: Option<usize>) -> DType {
        self.n_others += 1;
        DType::F64
    }

    fn constant_like(&mut self, _: f64, _: Option<usize>) -> Option<usize> {
        self.n_others += 1;
        None
    }

    fn apply(&mut self, instruction: Instruction, x: &[Option<usize>]) -> Option<usize> {
        let in_order = x.iter().enumerate().all(|(slot, &x)| x == Some(slot));
        if self.first.is_none() && in_order {
            self.first = Some(instruction);
        } else {
            self.n_others += 1;
        }
        None
    }
}

/// Writes one line for each instruction.
#[derive(Default)]
struct Listing {
    text: String,
    n: usize,
}

impl Listing {
    fn push(&mut self, line: &str) -> usize {
        self.n += 1;
        let _ = writeln!(self.text, "%{} = {line}", self.n - 1);
        self.n - 1
    }
}

impl Instructions for Listing {
    /// The number of the value, and its dtype.
    type Reg = (Named, DType);

    fn dtype(&mut self, x: Self::Reg) -> DType {
        x.1
    }

    fn constant_like(&mut self, number: f64, x: Self::Reg) -> Self::Reg {
        (Named::Value(self.push(&format!("{number} as {}", x.1))), x.1)
    }

    fn apply(&mut self, instruction: Instruction, x: &[Self::Reg]) -> Self::Reg {
        let operands: Vec<String> = x.iter().map(|(name, _)| name.text()).collect();
        let dtypes: Vec<DType> = x.iter().map(|&(_, dtype)| dtype).collect();
        let number = self.push(&format!("{} {}", instruction.name(), operands.join(" ")));
        (Named::Value(number), instruction.result(&dtypes))
    }
}

#[derive(Clone, Copy)]
enum Named {
    Operand(usize),
    Value(usize),
}

impl Named {
    fn text(self) -> String {
        match self {
            Named::Operand(slot) => format!("%{}", ["x", "y", "z"][slot]),
            Named::Value(number) => format!("%{number}"),
        }
    }
}

impl Op {
    /// What one element takes, given the dtypes of the operands; nothing of an operation that is not elementwise.
    pub(crate) fn work(&self, operands: &[DType]) -> Work {
        let mut work = Work::default();
        if self.is_elementwise() {
            self.code(&mut work, operands);
        }
        work
    }

    /// The instruction that it is, if it is elementwise and one instruction on its operands as they are.
    pub(crate) fn instruction(&self) -> Option<Instruction> {
        let mut single = Single::default();
        if self.is_elementwise() {
            self.code(&mut single, &Single::SLOTS);
        }
        single.found()
    }

    /// The instructions for one element on operands of these dtypes, one in each line; the operands are `%x`, `%y`, `%z`.
    /// `None` if the operation is not elementwise, or takes other operands.
    ///
    /// ```
    /// use retrograd::op::{Clamp, IntegerPow, Op, ReduceSum};
    /// use retrograd::value::DType;
    ///
    /// let text = |op: Op, dtypes: &[DType]| op.instructions(dtypes);
    /// assert_eq!(text(Clamp.into(), &[DType::F64; 3]).unwrap(), "%0 = max %y %x\n%1 = min %0 %z\n");
    /// assert_eq!(text(IntegerPow { exponent: 3 }.into(), &[DType::F64]).unwrap(), "%0 = mul %x %x\n%1 = mul %x %0\n");
    /// assert_eq!(text(ReduceSum { axes: vec![0] }.into(), &[DType::F64]), None);
    /// ```
    pub fn instructions(&self, operands: &[DType]) -> Option<String> {
        let types: Vec<crate::value::Type> = operands.iter().map(|&dtype| crate::value::Type::scalar(dtype)).collect();
        if !self.is_elementwise() || self.infer(&types, &[]).is_err() {
            return None;
        }
        let mut listing = Listing::default();
        let x: Vec<_> = operands.iter().enumerate().map(|(slot, &dtype)| (Named::Operand(slot), dtype)).collect();
        self.code(&mut listing, &x);
        Some(listing.text)
    }
}
