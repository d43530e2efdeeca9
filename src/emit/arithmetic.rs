use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{self, Endianness, InstBuilder, InstructionData, MemFlagsData, Opcode, types};

use super::emitter::{Emitter, Reg};
use super::target::{mask_type, register_type};
use crate::value::{DType, Scalar};

/// The outcome for which two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// Which way bits are moved, and what fills the place that they leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    Left,
    RightLogical,
    RightArithmetic,
}

impl Comparison {
    fn float(self) -> FloatCC {
        match self {
            Comparison::Eq => FloatCC::Equal,
            Comparison::Ne => FloatCC::NotEqual,
            Comparison::Lt => FloatCC::LessThan,
            Comparison::Le => FloatCC::LessThanOrEqual,
            Comparison::Gt => FloatCC::GreaterThan,
            Comparison::Ge => FloatCC::GreaterThanOrEqual,
        }
    }

    fn signed(self) -> IntCC {
        match self {
            Comparison::Eq => IntCC::Equal,
            Comparison::Ne => IntCC::NotEqual,
            Comparison::Lt => IntCC::SignedLessThan,
            Comparison::Le => IntCC::SignedLessThanOrEqual,
            Comparison::Gt => IntCC::SignedGreaterThan,
            Comparison::Ge => IntCC::SignedGreaterThanOrEqual,
        }
    }
}

/// Arithmetic with the meaning of Rust's operators on the element type: IEEE 754 for floats, wrapping for integers.
impl<'f> Emitter<'f> {
    /// `x + y`.
    pub fn add(&mut self, x: Reg, y: Reg) -> Reg {
        let value = if x.dtype.is_float() {
            self.builder.ins().fadd(x.value, y.value)
        } else {
            self.builder.ins().iadd(x.value, y.value)
        };
        Reg { value, ..x }
    }

    /// `x - y`.
    pub fn sub(&mut self, x: Reg, y: Reg) -> Reg {
        let value = if x.dtype.is_float() {
            self.builder.ins().fsub(x.value, y.value)
        } else {
            self.builder.ins().isub(x.value, y.value)
        };
        Reg { value, ..x }
    }

    /// `x * y`.
    pub fn mul(&mut self, x: Reg, y: Reg) -> Reg {
        if x.dtype.is_float() {
            return Reg { value: self.builder.ins().fmul(x.value, y.value), ..x };
        }
        self.by_lane(&[x, y], |e, x| Reg { value: e.builder.ins().imul(x[0].value, x[1].value), ..x[0] })
    }

    /// `x / y`; for integers truncated, `x / 0 = -1` and `MIN / -1 = MIN`, as in XLA.
    pub fn div(&mut self, x: Reg, y: Reg) -> Reg {
        if x.dtype.is_float() {
            return Reg { value: self.builder.ins().fdiv(x.value, y.value), ..x };
        }
        self.by_lane(&[x, y], |e, x| e.int_div_rem(x[0], x[1]).0)
    }

    /// The integer remainder with the sign of `x`; `x % 0 = x` and `MIN % -1 = 0`, as in XLA.
    pub fn int_rem(&mut self, x: Reg, y: Reg) -> Reg {
        self.by_lane(&[x, y], |e, x| e.int_div_rem(x[0], x[1]).1)
    }

    /// The machine traps on a divisor of 0 and on `MIN / -1`: 1 takes the place of both divisors, and the results
    /// that they should give are selected afterwards.
    fn int_div_rem(&mut self, x: Reg, y: Reg) -> (Reg, Reg) {
        let ins =
            |e: &mut Self, condition: IntCC, against: i64| e.builder.ins().icmp_imm_s(condition, y.value, against);
        let by_zero = ins(self, IntCC::Equal, 0);
        let by_minus_one = ins(self, IntCC::Equal, -1);
        let special = self.builder.ins().bor(by_zero, by_minus_one);
        let one = self.builder.ins().iconst(types::I64, 1);
        let zero = self.builder.ins().iconst(types::I64, 0);
        let minus_one = self.builder.ins().iconst(types::I64, -1);
        let divisor = self.builder.ins().select(special, one, y.value);
        let quotient = self.builder.ins().sdiv(x.value, divisor);
        let remainder = self.builder.ins().srem(x.value, divisor);
        let negated = self.builder.ins().ineg(x.value);
        let quotient = self.builder.ins().select(by_minus_one, negated, quotient);
        let quotient = self.builder.ins().select(by_zero, minus_one, quotient);
        let remainder = self.builder.ins().select(by_minus_one, zero, remainder);
        let remainder = self.builder.ins().select(by_zero, x.value, remainder);
        (Reg { value: quotient, ..x }, Reg { value: remainder, ..x })
    }

    /// `-x`.
    pub fn neg(&mut self, x: Reg) -> Reg {
        let value =
            if x.dtype.is_float() { self.builder.ins().fneg(x.value) } else { self.builder.ins().ineg(x.value) };
        Reg { value, ..x }
    }

    /// `-x` of a float, where `mask` is -0. [`Emitter::neg`] is free where `fma` alone takes its result, but else it
    /// makes its own mask, in two instructions more.
    pub fn neg_by(&mut self, x: Reg, mask: Reg) -> Reg {
        Reg { value: self.builder.ins().bxor(x.value, mask.value), ..x }
    }

    /// `|x|`.
    pub fn abs(&mut self, x: Reg) -> Reg {
        if x.dtype.is_float() {
            return Reg { value: self.builder.ins().fabs(x.value), ..x };
        }
        let negated = self.neg(x);
        let zero = self.constant_like(0.0, x);
        let negative = self.lt(x, zero);
        self.select(negative, negated, x)
    }

    /// `√x`.
    pub fn sqrt(&mut self, x: Reg) -> Reg {
        Reg { value: self.builder.ins().sqrt(x.value), ..x }
    }

    /// The largest integer not above.
    pub fn floor(&mut self, x: Reg) -> Reg {
        Reg { value: self.builder.ins().floor(x.value), ..x }
    }

    /// The smallest integer not below.
    pub fn ceil(&mut self, x: Reg) -> Reg {
        Reg { value: self.builder.ins().ceil(x.value), ..x }
    }

    /// The integer part.
    pub fn trunc(&mut self, x: Reg) -> Reg {
        Reg { value: self.builder.ins().trunc(x.value), ..x }
    }

    /// The nearest integer, ties to even.
    pub fn round(&mut self, x: Reg) -> Reg {
        Reg { value: self.builder.ins().nearest(x.value), ..x }
    }

    /// `x · y + z`, rounded once.
    pub fn fma(&mut self, x: Reg, y: Reg, z: Reg) -> Reg {
        Reg { value: self.builder.ins().fma(x.value, y.value, z.value), ..x }
    }

    /// The smaller; NaN if either is NaN, and -0 below +0.
    pub fn min(&mut self, x: Reg, y: Reg) -> Reg {
        if x.dtype.is_float() {
            return Reg { value: self.builder.ins().fmin(x.value, y.value), ..x };
        }
        let less = self.lt(x, y);
        self.select(less, x, y)
    }

    /// The larger; NaN if either is NaN, and -0 below +0.
    pub fn max(&mut self, x: Reg, y: Reg) -> Reg {
        if x.dtype.is_float() {
            return Reg { value: self.builder.ins().fmax(x.value, y.value), ..x };
        }
        let less = self.lt(x, y);
        self.select(less, y, x)
    }

    /// The magnitude of `x` with the sign bit of `y`.
    pub fn copysign(&mut self, x: Reg, y: Reg) -> Reg {
        if x.lanes == 1 {
            return Reg { value: self.builder.ins().fcopysign(x.value, y.value), ..x };
        }
        let integers = mask_type(x.lanes);
        let flags = MemFlagsData::new().with_endianness(Endianness::Little);
        let magnitude = self.builder.ins().fabs(x.value);
        let minus_zero = self.constant_like(-0.0, x);
        let sign_bits = self.builder.ins().bitcast(integers, flags, minus_zero.value);
        let y_bits = self.builder.ins().bitcast(integers, flags, y.value);
        let sign = self.builder.ins().band(y_bits, sign_bits);
        let magnitude = self.builder.ins().bitcast(integers, flags, magnitude);
        let joined = self.builder.ins().bor(magnitude, sign);
        let value = self.builder.ins().bitcast(register_type(x.dtype, x.lanes), flags, joined);
        Reg { value, ..x }
    }

    /// `x == y`.
    pub fn eq(&mut self, x: Reg, y: Reg) -> Reg {
        self.compare(Comparison::Eq, x, y)
    }

    /// `x != y`.
    pub fn ne(&mut self, x: Reg, y: Reg) -> Reg {
        self.compare(Comparison::Ne, x, y)
    }

    /// `x < y`.
    pub fn lt(&mut self, x: Reg, y: Reg) -> Reg {
        self.compare(Comparison::Lt, x, y)
    }

    /// `x <= y`.
    pub fn le(&mut self, x: Reg, y: Reg) -> Reg {
        self.compare(Comparison::Le, x, y)
    }

    /// `x > y`.
    pub fn gt(&mut self, x: Reg, y: Reg) -> Reg {
        self.compare(Comparison::Gt, x, y)
    }

    /// `x >= y`.
    pub fn ge(&mut self, x: Reg, y: Reg) -> Reg {
        self.compare(Comparison::Ge, x, y)
    }

    fn compare(&mut self, comparison: Comparison, x: Reg, y: Reg) -> Reg {
        // A lone bool is 0 or 1, but a mask is 0 or -1, which orders the other way round: those go lane by lane.
        if x.dtype == DType::Bool && x.lanes > 1 {
            return self.by_lane(&[x, y], |e, x| e.compare(comparison, x[0], x[1]));
        }
        let value = if x.dtype.is_float() {
            let mask = self.builder.ins().fcmp(comparison.float(), x.value, y.value);
            if x.lanes > 1 && self.builder.func.dfg.value_type(mask) != mask_type(x.lanes) {
                let flags = MemFlagsData::new().with_endianness(Endianness::Little);
                self.builder.ins().bitcast(mask_type(x.lanes), flags, mask)
            } else {
                mask
            }
        } else {
            self.builder.ins().icmp(comparison.signed(), x.value, y.value)
        };
        Reg { value, dtype: DType::Bool, lanes: x.lanes }
    }

    /// `x & y` of bools or of bits.
    pub fn and(&mut self, x: Reg, y: Reg) -> Reg {
        Reg { value: self.builder.ins().band(x.value, y.value), ..x }
    }

    /// `x | y` of bools or of bits.
    pub fn or(&mut self, x: Reg, y: Reg) -> Reg {
        Reg { value: self.builder.ins().bor(x.value, y.value), ..x }
    }

    /// `x ^ y` of bools or of bits.
    pub fn xor(&mut self, x: Reg, y: Reg) -> Reg {
        Reg { value: self.builder.ins().bxor(x.value, y.value), ..x }
    }

    /// `!x` of a bool or of bits.
    pub fn not(&mut self, x: Reg) -> Reg {
        // A lone bool is 0 or 1.
        let value = if x.lanes == 1 && x.dtype == DType::Bool {
            self.builder.ins().bxor_imm_s(x.value, 1)
        } else {
            self.builder.ins().bnot(x.value)
        };
        Reg { value, ..x }
    }

    /// The bits of an integer moved by `y`; what StableHLO says where `y` is not in `0..64`.
    pub fn shift(&mut self, shift: Shift, x: Reg, y: Reg) -> Reg {
        // Lanes are moved together where one constant moves them all, as it mostly is.
        match self.constant_in_all_lanes(y).filter(|amount| (0..64).contains(amount)) {
            Some(amount) => {
                let amount = self.builder.ins().iconst(types::I64, amount);
                Reg { value: self.shift_in_range(shift, x.value, amount), ..x }
            }
            None => self.by_lane(&[x, y], |e, x| e.shift_lane(shift, x[0], x[1])),
        }
    }

    /// The machine takes the amount modulo 64.
    fn shift_lane(&mut self, shift: Shift, x: Reg, y: Reg) -> Reg {
        let in_range = self.builder.ins().icmp_imm_u(IntCC::UnsignedLessThan, y.value, 64);
        let value = if shift == Shift::RightArithmetic {
            let all = self.builder.ins().iconst(types::I64, 63);
            let amount = self.builder.ins().select(in_range, y.value, all);
            self.shift_in_range(shift, x.value, amount)
        } else {
            let shifted = self.shift_in_range(shift, x.value, y.value);
            let zero = self.builder.ins().iconst(types::I64, 0);
            self.builder.ins().select(in_range, shifted, zero)
        };
        Reg { value, ..x }
    }

    fn shift_in_range(&mut self, shift: Shift, x: ir::Value, amount: ir::Value) -> ir::Value {
        match shift {
            Shift::Left => self.builder.ins().ishl(x, amount),
            Shift::RightLogical => self.builder.ins().ushr(x, amount),
            Shift::RightArithmetic => self.builder.ins().sshr(x, amount),
        }
    }

    /// The integer that a register is known to hold in each of its lanes.
    fn constant_in_all_lanes(&self, x: Reg) -> Option<i64> {
        let made_by = |value: ir::Value| self.builder.func.dfg.value_def(value).inst();
        let dfg = &self.builder.func.dfg;
        let inst = made_by(x.value)?;
        let inst = if dfg.insts[inst].opcode() == Opcode::Splat { made_by(dfg.inst_args(inst)[0])? } else { inst };
        match dfg.insts[inst] {
            InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => Some(imm.bits()),
            _ => None,
        }
    }

    /// How many bits of an integer are set.
    pub fn popcount(&mut self, x: Reg) -> Reg {
        self.by_lane(&[x], |e, x| Reg { value: e.builder.ins().popcnt(x[0].value), ..x[0] })
    }

    /// `x` where the condition holds, else `y`.
    pub fn select(&mut self, condition: Reg, x: Reg, y: Reg) -> Reg {
        if x.lanes == 1 {
            return Reg { value: self.builder.ins().select(condition.value, x.value, y.value), ..x };
        }
        let ty = register_type(x.dtype, x.lanes);
        let flags = MemFlagsData::new().with_endianness(Endianness::Little);
        let mask = if ty == mask_type(x.lanes) {
            condition.value
        } else {
            self.builder.ins().bitcast(ty, flags, condition.value)
        };
        Reg { value: self.builder.ins().bitselect(mask, x.value, y.value), ..x }
    }

    /// `x` of a float, and +0 where `by` is 0.
    pub fn zero_where_zero(&mut self, x: Reg, by: Reg) -> Reg {
        let mask = self.where_not_zero(by);
        Reg { value: self.builder.ins().band(x.value, mask), ..x }
    }

    /// All bits where a float is not 0, none where it is, in registers as `by`.
    fn where_not_zero(&mut self, by: Reg) -> ir::Value {
        if let Some(mask) = self.masks().get(by.value) {
            return mask;
        }
        // A lone number is compared in lanes, too: the comparison of one gives no mask, and selection by it branches.
        let lanes = match by.dtype {
            _ if by.lanes > 1 => by.lanes,
            DType::F32 => 4,
            _ => 2,
        };
        let in_lanes = if by.lanes > 1 { by } else { self.splat(by, lanes) };
        let is_alike = |zero: &Reg| (zero.dtype, zero.lanes) == (in_lanes.dtype, in_lanes.lanes);
        let zero = self.masks().zero.filter(is_alike).unwrap_or_else(|| self.constant_like(0.0, in_lanes));
        let differs = self.ne(in_lanes, zero);
        let flags = MemFlagsData::new().with_endianness(Endianness::Little);
        let in_lanes = self.builder.ins().bitcast(register_type(by.dtype, lanes), flags, differs.value);
        let mask = if by.lanes > 1 { in_lanes } else { self.builder.ins().extractlane(in_lanes, 0) };
        self.masks().zero = Some(zero);
        self.masks().add(by.value, mask);
        mask
    }

    /// `x` as another dtype, as Rust's `as` converts; to `bool` by comparison with 0.
    pub fn convert(&mut self, x: Reg, dtype: DType) -> Reg {
        if x.dtype == dtype {
            return x;
        }
        match dtype {
            DType::Bool => {
                let zero = self.constant_like(0.0, x);
                self.ne(x, zero)
            }
            _ if x.dtype == DType::Bool => {
                let one = self.constant(Scalar::I64(1).convert(dtype), x.lanes);
                let zero = self.constant(Scalar::I64(0).convert(dtype), x.lanes);
                self.select(x, one, zero)
            }
            DType::F64 | DType::F32 | DType::I64 => self.by_lane(&[x], |e, x| e.convert_number(x[0], dtype)),
        }
    }

    fn convert_number(&mut self, x: Reg, dtype: DType) -> Reg {
        let value = match (x.dtype, dtype) {
            (DType::F32, DType::F64) => self.builder.ins().fpromote(types::F64, x.value),
            (DType::F64, DType::F32) => self.builder.ins().fdemote(types::F32, x.value),
            (DType::I64, _) => self.builder.ins().fcvt_from_sint(register_type(dtype, 1), x.value),
            (_, _) => self.builder.ins().fcvt_to_sint_sat(types::I64, x.value),
        };
        Reg { value, dtype, lanes: 1 }
    }
}
