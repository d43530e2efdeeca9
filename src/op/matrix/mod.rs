//! Linear algebra: factors, solutions and spectra of matrices, which are the last two axes of an array; the axes before
//! them are a stack.

/// The rules that every routine on stacks of matrices has: it is the interpreter's, applies along any leading axes, and has
/// derivatives without special form. One with code for small matrices is named.
macro_rules! on_stacks {
    () => {
        on_stacks!(@rules this => $crate::op::rules::Lowering::Library(this));
    };
    ($op:ident) => {
        on_stacks!(@rules this => $crate::op::rules::Lowering::Matrix($crate::op::MatrixRoutine::$op(this)));
    };
    (@rules $this:ident => $lowering:expr) => {
        fn eval(&self, operands: &[&$crate::value::Array], results: &[$crate::value::Type]) -> Vec<$crate::value::Array> {
            $crate::op::rules::eval_library(self, operands, results)
        }

        fn derivative(&self) -> $crate::op::rules::Derivative<'_> {
            $crate::op::rules::Derivative::General(self)
        }

        fn batch(&self) -> $crate::op::rules::Batching<'_> {
            $crate::op::rules::Batching::Stack
        }

        fn lower(&self) -> $crate::op::rules::Lowering<'_> {
            let $this = self;
            $lowering
        }
    };
}

mod banded;
mod cholesky;
mod complex;
mod eig;
mod eigh;
mod equations;
mod exponential;
mod functions;
mod hessenberg;
pub(crate) mod interleaved;
mod lanes;
mod lu;
mod narrower;
mod pairs;
mod parts;
mod pinv;
pub(crate) mod products;
mod qr;
mod riccati;
pub(crate) mod small;
mod solve;
mod stacks;
mod svd;
mod triangular;

use smallvec::SmallVec;

use lanes::{LANES, Lanes};

use super::instructions::Instructions;
use super::rules::{Library, expect_arity, floats};
use crate::ir::{Mismatch, mismatch};
use crate::math::matrix::{Real, Stack, Widened, widened};
use crate::value::{Array, ArrayMut, ArrayRef, DType, Type};

pub use banded::{BandedSolve, TridiagonalSolve};
pub use cholesky::{Cholesky, CholeskyPullback};
pub use complex::{ComplexEig, ComplexEigh, ComplexLu, ComplexQr, ComplexSolve, ComplexSvd};
pub(crate) use complex::{
    complex_eig_of, complex_eigh_of, complex_eigvals_of, complex_lu_of, complex_qr_of, complex_svd_of,
};
pub use eig::Eig;
pub(crate) use eig::{eig_of, eigvals_of};
pub use eigh::Eigh;
pub(crate) use eigh::eigh_of;
pub use equations::{SolveStein, SolveSylvester};
pub use exponential::{Expm, ExpmFrechet, ExpmMultiply};
pub use functions::{Logm, LogmFrechet, Sqrtm};
pub use hessenberg::Hessenberg;
pub(crate) use hessenberg::hessenberg_of;
pub use lu::Lu;
pub(crate) use lu::permutation;
pub(crate) use parts::{lower_part, symmetric_part, transposed, upper_part};
pub use pinv::{NullSpace, Pinv};
pub(crate) use pinv::{default_fraction, null_space_of, pinv_of};
pub use qr::Qr;
pub(crate) use qr::qr_of;
pub use riccati::{SolveContinuousAre, SolveDiscreteAre};
pub use solve::{Factors, Inverse, Solve};
pub use svd::Svd;
pub(crate) use svd::svd_of;
pub use triangular::TriangularSolve;

/// The dtype and the extents of the matrices of the only operand.
fn one_matrix(operands: &[Type]) -> Result<(DType, [usize; 2]), Mismatch> {
    expect_arity(operands, 1)?;
    let dtype = floats(&[operands[0].dtype])?;
    Ok((dtype, extents(&operands[0])?))
}

/// The dtype and the extent of the square matrices of the only operand.
fn one_square(operands: &[Type]) -> Result<(DType, usize), Mismatch> {
    let (dtype, _) = one_matrix(operands)?;
    Ok((dtype, square(&operands[0])?))
}

/// The extents of the matrices of an operand.
fn extents(ty: &Type) -> Result<[usize; 2], Mismatch> {
    match ty.shape[..] {
        [.., m, n] => Ok([m, n]),
        _ => Err(mismatch!("takes matrices, which have at least 2 axes, but got {ty}")),
    }
}

/// The extent of the square matrices of an operand.
fn square(ty: &Type) -> Result<usize, Mismatch> {
    match extents(ty)? {
        [m, n] if m == n => Ok(n),
        _ => Err(mismatch!("takes square matrices, but got {ty}")),
    }
}

/// The leading axes with the given extents behind them.
fn stacked(ty: &Type, own: &[usize]) -> Type {
    let leading = &ty.shape[..ty.rank() - 2];
    Type::new(ty.dtype, leading.iter().chain(own).copied().collect::<crate::value::Shape>())
}

/// The bytes that a routine takes for a matrix of these extents; none if there are no matrices with elements, whose
/// extents may then be of any size.
fn bytes_of(ty: &Type, bytes: impl FnOnce([usize; 2]) -> usize) -> usize {
    if ty.size() == 0 {
        return 0;
    }
    // Of `f32`, operands and results stand there in `f64`, too.
    let copies = if ty.dtype == DType::F32 { ty.size().saturating_mul(4 * size_of::<f64>()) } else { 0 };
    extents(ty).map_or(0, bytes).saturating_add(copies)
}

/// Runs a routine on `f64`. Of `f32` it is the routine on `f64`, rounded once, as it is of the elementary functions.
fn in_double(
    operands: &[ArrayRef<'_>],
    results: &mut [ArrayMut<'_>],
    run: &dyn Fn(&[ArrayRef<'_>], &mut [ArrayMut<'_>]),
) {
    if operands.iter().all(|x| x.dtype() != DType::F32) {
        return run(operands, results);
    }
    let wide = |x: &ArrayRef<'_>| {
        let elements: Vec<f64> = x.typed::<f32>().iter().map(|&x| x.into()).collect();
        Array::from_elements(x.shape(), elements).expect("bug: another number of elements")
    };
    let operands: Vec<Array> = operands.iter().map(wide).collect();
    let operands: Vec<ArrayRef<'_>> = operands.iter().map(Array::view).collect();
    let zeros = |y: &mut ArrayMut<'_>| Array::zeros(&Type::new(DType::F64, y.typed::<f32>().shape()));
    let mut doubles: Vec<Array> = results.iter_mut().map(zeros).collect();
    let mut views: Vec<ArrayMut<'_>> = doubles.iter_mut().map(Array::view_mut).collect();
    run(&operands, &mut views);
    drop(views);
    for (result, wide) in results.iter_mut().zip(&doubles) {
        let wide = wide.as_slice::<f64>().expect("bug: a result of another dtype");
        result.typed::<f32>().iter_mut().zip(wide).for_each(|(y, &x)| *y = x as f32);
    }
}

/// A routine on matrices, of which the code for small ones is written once as instructions.
///
/// The algorithm is that of small matrices whenever they are small, in registers and in memory, so that the bits are the
/// same.
pub(crate) trait SmallMatrices: Library {
    /// How many instructions one matrix takes, about; `None` if matrices are not small.
    fn work(&self, operands: &[&Type]) -> Option<usize>;
    /// The elements of the result of one matrix, from those of the operands, all in row-major order. The types are those of
    /// the operands, of which the last two axes count.
    fn code<I: Instructions>(&self, i: &mut I, x: &[&[I::Reg]], operands: &[&Type]) -> Vec<I::Reg>;
}

macro_rules! small_matrices {
    ($($op:ident),*) => {
        /// An operation of which the code for small matrices is written once.
        #[derive(Clone, Copy)]
        pub enum MatrixRoutine<'a> {
            $(
                #[doc = concat!("See [`struct@", stringify!($op), "`].")]
                $op(&'a $op),
            )*
        }

        impl<'a> MatrixRoutine<'a> {
            /// The routine on whole arrays.
            pub fn routine(self) -> &'a dyn Library {
                match self { $(MatrixRoutine::$op(op) => op,)* }
            }

            /// How many instructions straight-line code takes, about; `None` if matrices are not small.
            pub(crate) fn work(self, operands: &[&Type]) -> Option<usize> {
                let each = match self { $(MatrixRoutine::$op(op) => op.work(operands),)* };
                each?.checked_mul(n_matrices(operands[0]))
            }

            fn code_of_one<I: Instructions>(self, i: &mut I, x: &[&[I::Reg]], operands: &[&Type]) -> Vec<I::Reg> {
                match self { $(MatrixRoutine::$op(op) => op.code(i, x, operands),)* }
            }
        }
    };
}
small_matrices!(Cholesky, CholeskyPullback, TriangularSolve, Lu, Solve, Inverse);

impl MatrixRoutine<'_> {
    /// The elements of the result from those of the operands, one matrix after the other.
    pub(crate) fn code<I: Instructions>(self, i: &mut I, x: &[Vec<I::Reg>], operands: &[&Type]) -> Vec<I::Reg> {
        let one = |i: &mut I, k: usize| {
            let own: Vec<&[I::Reg]> = x.iter().zip(operands).map(|(x, ty)| &x[k * size(ty)..][..size(ty)]).collect();
            self.code_of_one(i, &own, operands)
        };
        (0..n_matrices(operands[0])).flat_map(|k| one(i, k)).collect()
    }
}

/// The number of elements of a matrix of an operand.
fn size(ty: &Type) -> usize {
    ty.shape[ty.rank() - 2..].iter().product()
}

/// The number of matrices of an operand.
fn n_matrices(ty: &Type) -> usize {
    ty.shape[..ty.rank() - 2].iter().product()
}

/// Runs the code for small matrices on stacks in memory.
fn run_small<T: Real>(op: &impl SmallMatrices, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
    let types: SmallVec<[Type; 3]> = operands.iter().map(|x| Type::new(x.dtype(), x.shape())).collect();
    let types: SmallVec<[&Type; 3]> = types.iter().collect();
    let stacks: SmallVec<[Stack<'_, T>; 3]> = operands.iter().map(Stack::new).collect();
    let result = results[0].typed::<T>().as_slice_mut().expect("bug: a result in pieces");
    if !result.is_empty() {
        let n = n_matrices(types[0]);
        widened(Blocks { op, stacks: &stacks, types: &types, each: result.len() / n, result });
    }
}

/// As many matrices at a time as there are lanes.
struct Blocks<'a, 'x, O, T: Real> {
    op: &'a O,
    stacks: &'a [Stack<'x, T>],
    types: &'a [&'a Type],
    /// The elements of the result of one matrix.
    each: usize,
    result: &'a mut [T],
}

impl<O: SmallMatrices, T: Real> Widened for Blocks<'_, '_, O, T> {
    #[inline(always)]
    fn run(self) {
        let Blocks { op, stacks, types, each, result } = self;
        for (block, result) in result.chunks_mut(each * LANES).enumerate() {
            let n_here = result.len() / each;
            let x: SmallVec<[Vec<[T; LANES]>; 3]> =
                stacks.iter().map(|stack| stack.lanes(block * LANES, n_here)).collect();
            let x: SmallVec<[&[[T; LANES]]; 3]> = x.iter().map(|x| &x[..]).collect();
            for (k, y) in op.code(&mut Lanes::new(), &x, types).into_iter().enumerate() {
                for lane in 0..n_here {
                    result[lane * each + k] = y[lane];
                }
            }
        }
    }
}
