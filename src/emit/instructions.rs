//! Instructions of operations as machine code.

use super::arithmetic::Shift;
use super::{Emitter, Reg};
use crate::op::{Instruction, Instructions};
use crate::value::DType;

impl Instructions for Emitter<'_> {
    type Reg = Reg;

    fn dtype(&mut self, x: Reg) -> DType {
        x.dtype()
    }

    fn constant_like(&mut self, number: f64, x: Reg) -> Reg {
        Emitter::constant_like(self, number, x)
    }

    #[inline]
    fn apply(&mut self, instruction: Instruction, x: &[Reg]) -> Reg {
        match (instruction, x) {
            (Instruction::Add, &[x, y]) => self.add(x, y),
            (Instruction::Sub, &[x, y]) => self.sub(x, y),
            (Instruction::Mul, &[x, y]) => self.mul(x, y),
            (Instruction::Div, &[x, y]) => self.div(x, y),
            (Instruction::IntRem, &[x, y]) => self.int_rem(x, y),
            (Instruction::Neg, &[x]) => self.neg(x),
            (Instruction::Abs, &[x]) => self.abs(x),
            (Instruction::Sqrt, &[x]) => self.sqrt(x),
            (Instruction::Floor, &[x]) => self.floor(x),
            (Instruction::Ceil, &[x]) => self.ceil(x),
            (Instruction::Trunc, &[x]) => self.trunc(x),
            (Instruction::Round, &[x]) => self.round(x),
            (Instruction::Fma, &[x, y, z]) => self.fma(x, y, z),
            (Instruction::Min, &[x, y]) => self.min(x, y),
            (Instruction::Max, &[x, y]) => self.max(x, y),
            (Instruction::Copysign, &[x, y]) => self.copysign(x, y),
            (Instruction::Eq, &[x, y]) => self.eq(x, y),
            (Instruction::Ne, &[x, y]) => self.ne(x, y),
            (Instruction::Lt, &[x, y]) => self.lt(x, y),
            (Instruction::Le, &[x, y]) => self.le(x, y),
            (Instruction::Gt, &[x, y]) => self.gt(x, y),
            (Instruction::Ge, &[x, y]) => self.ge(x, y),
            (Instruction::And, &[x, y]) => self.and(x, y),
            (Instruction::Or, &[x, y]) => self.or(x, y),
            (Instruction::Xor, &[x, y]) => self.xor(x, y),
            (Instruction::Not, &[x]) => self.not(x),
            (Instruction::ShiftLeft, &[x, y]) => self.shift(Shift::Left, x, y),
            (Instruction::ShiftRightLogical, &[x, y]) => self.shift(Shift::RightLogical, x, y),
            (Instruction::ShiftRightArithmetic, &[x, y]) => self.shift(Shift::RightArithmetic, x, y),
            (Instruction::Popcount, &[x]) => self.popcount(x),
            (Instruction::Select, &[condition, x, y]) => self.select(condition, x, y),
            (Instruction::ZeroWhereZero, &[x, y]) => self.zero_where_zero(x, y),
            (Instruction::Convert(dtype), &[x]) => self.convert(x, dtype),
            (Instruction::Math1(f), &[x]) => self.math1(f, x),
            (Instruction::Math2(f), &[x, y]) => self.math2(f, x, y),
            (Instruction::Math3(f), &[x, y, z]) => self.math3(f, x, y, z),
            (other, x) => unreachable!("bug: {other:?} of {} operands", x.len()),
        }
    }
}
