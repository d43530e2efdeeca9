//! Instructions carried out on the host, for several matrices at a time.

use crate::math::matrix::Real;
use crate::op::instructions::{Instruction, Instructions};
use crate::value::DType;

/// The number of matrices.
pub(super) const LANES: usize = 16;

/// Carries out instructions at once. A truth value is 1 or 0.
pub(super) struct Lanes<T>(std::marker::PhantomData<T>);

impl<T> Lanes<T> {
    pub fn new() -> Lanes<T> {
        Lanes(std::marker::PhantomData)
    }
}

impl<T: Real> Instructions for Lanes<T> {
    type Reg = [T; LANES];

    fn dtype(&mut self, _: Self::Reg) -> DType {
        T::DTYPE
    }

    #[inline(always)]
    fn constant_like(&mut self, number: f64, _: Self::Reg) -> Self::Reg {
        [num_traits::NumCast::from(number).expect("bug: a number beyond all floating point"); LANES]
    }

    #[inline(always)]
    fn apply(&mut self, instruction: Instruction, x: &[Self::Reg]) -> Self::Reg {
        let truth = |holds: bool| if holds { T::ONE } else { T::ZERO };
        let one = |f: &dyn Fn(T) -> T| std::array::from_fn(|lane| f(x[0][lane]));
        match instruction {
            Instruction::Add => std::array::from_fn(|lane| x[0][lane] + x[1][lane]),
            Instruction::Sub => std::array::from_fn(|lane| x[0][lane] - x[1][lane]),
            Instruction::Mul | Instruction::And => std::array::from_fn(|lane| x[0][lane] * x[1][lane]),
            Instruction::Div => std::array::from_fn(|lane| x[0][lane] / x[1][lane]),
            Instruction::Neg => std::array::from_fn(|lane| -x[0][lane]),
            Instruction::Abs => one(&num_traits::Float::abs),
            Instruction::Sqrt => one(&num_traits::Float::sqrt),
            Instruction::Eq => std::array::from_fn(|lane| truth(x[0][lane] == x[1][lane])),
            Instruction::Ne => std::array::from_fn(|lane| truth(x[0][lane] != x[1][lane])),
            Instruction::Gt => std::array::from_fn(|lane| truth(x[0][lane] > x[1][lane])),
            Instruction::Or => std::array::from_fn(|lane| truth(x[0][lane] + x[1][lane] > T::ZERO)),
            Instruction::Not => std::array::from_fn(|lane| T::ONE - x[0][lane]),
            Instruction::Select => {
                std::array::from_fn(|lane| if x[0][lane] == T::ONE { x[1][lane] } else { x[2][lane] })
            }
            other => unreachable!("bug: {other:?} on matrices"),
        }
    }
}
