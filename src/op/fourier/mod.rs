//! Discrete Fourier transforms, along the last axis; the axes before it are a stack.
//!
//! The graph knows no complex numbers: real and imaginary parts are operands and results of their own.

/// The rules that every transform has: it is the interpreter's routine, applies along any leading axes, and has
/// derivatives without special form.
macro_rules! transform {
    () => {
        fn eval(
            &self,
            operands: &[&$crate::value::Array],
            results: &[$crate::value::Type],
        ) -> Vec<$crate::value::Array> {
            $crate::op::rules::eval_library(self, operands, results)
        }

        fn derivative(&self) -> $crate::op::rules::Derivative<'_> {
            $crate::op::rules::Derivative::General(self)
        }

        fn batch(&self) -> $crate::op::rules::Batching<'_> {
            $crate::op::rules::Batching::Stack
        }

        fn lower(&self) -> $crate::op::rules::Lowering<'_> {
            $crate::op::rules::Lowering::Library(self)
        }
    };
}

mod complex;
mod real;

use std::sync::Arc;

use super::Var;
use super::rules::{Prepared, expect_arity, floats};
use crate::ir::{Mismatch, mismatch};
use crate::math::fourier::{self, Kind, Plan};
use crate::value::{ArrayMut, ArrayRef, DType, Shape, Type};

pub use complex::Fft;
pub(crate) use complex::fft_of;
pub use real::{Irfft, Rfft};
pub(crate) use real::{irfft_of, rfft_of};

/// The only operand, or the real and imaginary parts: of one floating-point dtype and one shape, with a last axis, of
/// which it gives the extent.
fn lines(operands: &[Type], arity: usize) -> Result<usize, Mismatch> {
    expect_arity(operands, arity)?;
    floats(&operands.iter().map(|ty| ty.dtype).collect::<Vec<_>>())?;
    let first = &operands[0];
    if let Some(other) = operands.iter().find(|ty| ty.shape != first.shape) {
        return Err(mismatch!("takes real and imaginary parts of one shape, but got {first} and {other}"));
    }
    first.shape.last().copied().ok_or_else(|| mismatch!("takes arrays with at least 1 axis, but got {first}"))
}

/// The type with another last extent.
fn with_last(ty: &Type, n: usize) -> Type {
    let leading = &ty.shape[..ty.rank() - 1];
    Type::new(ty.dtype, leading.iter().copied().chain([n]).collect::<Shape>())
}

/// The extent of the last axis.
fn last(ty: &Type) -> usize {
    ty.shape.last().copied().unwrap_or(0)
}

/// Both parts, with zeros for one that is known to be zero; `None` if both are.
#[track_caller]
fn parts(z: &[Option<Var>]) -> Option<[Var; 2]> {
    match *z {
        [Some(re), Some(im)] => Some([re, im]),
        [Some(re), None] => Some([re, re.full_like(0.0)]),
        [None, Some(im)] => Some([im.full_like(0.0), im]),
        _ => None,
    }
}

/// A transform of lines.
#[derive(Clone, Copy)]
struct Transform {
    kind: Kind,
    /// The length of a line; of bins that of the line to which they belong.
    n: usize,
    /// Whether inner bins are scaled: doubled on the way forward, halved on the way back.
    scaled: bool,
}

impl Transform {
    /// `5 n log₂ n` for each complex line of `n` numbers, as transforms are counted by custom, and half of that for a
    /// real one.
    fn flops(self, operands: &[&Type]) -> usize {
        let n_lines: usize = operands[0].shape[..operands[0].rank() - 1].iter().product();
        let of_complex = 5.0 * self.n as f64 * (self.n.max(1) as f64).log2();
        let is_complex = matches!(self.kind, Kind::Complex { .. });
        n_lines.saturating_mul(if is_complex { of_complex } else { of_complex / 2.0 } as usize)
    }

    /// The memory that plan and call take.
    fn scratch_bytes(self, operands: &[&Type]) -> usize {
        let n_lines: usize = operands[0].shape[..operands[0].rank() - 1].iter().product();
        if operands[0].size() == 0 { 0 } else { fourier::bytes(self.kind, self.n, n_lines, operands[0].dtype.size()) }
    }

    /// With its plan, unless the system has not the memory that it takes: a request of rustfft's would end the process.
    fn prepare(self, operands: &[&Type]) -> Option<Box<dyn Prepared>> {
        let bytes = self.scratch_bytes(operands);
        let has_memory = bytes > 0 && Vec::<u8>::new().try_reserve_exact(bytes).is_ok();
        has_memory.then(|| Box::new(self.planned(operands[0].dtype)) as Box<dyn Prepared>)
    }

    fn planned(self, dtype: DType) -> Planned {
        if dtype == DType::F32 {
            Planned::Single(self, Plan::of(self.kind, self.n))
        } else {
            Planned::Double(self, Plan::of(self.kind, self.n))
        }
    }

    fn run(self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        let shape = operands[0].shape();
        // A plan for long lines takes much memory, also where there are none.
        if !shape[..shape.len() - 1].contains(&0) {
            self.planned(operands[0].dtype()).run(operands, results);
        }
    }

    fn run_with<T: fourier::Real>(self, plan: &Plan<T>, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        match self.kind {
            Kind::Complex { .. } => plan.complex(operands, results),
            Kind::Forward => plan.forward(operands, results, self.scaled),
            Kind::Backward => plan.backward(operands, results, self.scaled),
        }
    }
}

/// A transform with its plan.
enum Planned {
    Double(Transform, Arc<Plan<f64>>),
    Single(Transform, Arc<Plan<f32>>),
}

impl Prepared for Planned {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        match self {
            Planned::Double(transform, plan) => transform.run_with(plan, operands, results),
            Planned::Single(transform, plan) => transform.run_with(plan, operands, results),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::Program;
    use crate::math::fourier::Real;
    use crate::op::{Graph, Op};
    use crate::value::Array;

    /// A plan is there when the program is, stays with it, and goes with it.
    #[test]
    fn programs_keep_their_plans() {
        let n = 2 * 3 * 7 * 11 * 13;
        let mut graph = Graph::new("main");
        let x = graph.add_input("x", Type::new(DType::F64, [n])).unwrap();
        let node = graph.add(Rfft { doubled: false }.into(), &[x], Default::default()).unwrap();
        graph.add_output("y", node.into()).unwrap();
        let holders = || f64::plans().n_holders(Kind::Forward, n);
        assert_eq!(holders(), 0);
        let program = Program::compile(&graph).unwrap();
        assert!(holders() >= 1);
        for other in 1..40 {
            let x = Array::zeros(&Type::new(DType::F64, [other]));
            Op::from(Rfft { doubled: false }).eval(&[&x]).unwrap();
        }
        assert_eq!(holders(), 1);
        drop(program);
        assert_eq!(holders(), 0);
    }

    #[test]
    fn no_lines_need_no_plan() {
        let n = 2 * 17 * 19;
        let op = Op::from(Rfft { doubled: false });
        let holders = || f64::plans().n_holders(Kind::Forward, n);
        let bins = op.eval(&[&Array::zeros(&Type::new(DType::F64, [0, n]))]).unwrap();
        assert_eq!((bins[0].shape(), holders()), (&[0, n / 2 + 1][..], 0));
        // Lines without numbers have a bin, which is 0.
        let bins = op.eval(&[&Array::zeros(&Type::new(DType::F64, [2, 0]))]).unwrap();
        assert_eq!(bins[0].as_slice::<f64>(), Some(&[0.0, 0.0][..]));
    }
}
