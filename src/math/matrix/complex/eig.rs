//! Eigenvalues and eigenvectors of complex matrices that need not be Hermitian.

use faer::diag::DiagMut;
use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::evd::{ComputeEigenvectors, EvdError, EvdParams, evd_cplx, evd_scratch};
use faer::{Auto, Mat, Par, Spec, c64};

use super::super::eig::normalized;
use super::super::faer as matrix;
use super::super::scale::{scaled_pairs, unscale};
use super::{Parts, are_finite};

/// The eigenvalues of a square matrix and, if asked for, its eigenvectors, as columns; NaN where an element is not finite.
pub(crate) fn eig(a: [&[f64]; 2], n: usize, mut values: Parts<'_>, mut vectors: Option<Parts<'_>>) {
    let done = are_finite(a) && decompose(a, n, &mut values, vectors.as_mut()).is_ok();
    if !done {
        let vectors = vectors.into_iter().flatten();
        vectors.chain(values).for_each(|result| result.fill(f64::NAN));
    }
}

/// How many bytes that takes.
pub(crate) fn eig_bytes(n: usize, vectors: bool) -> usize {
    let matrices: usize = if vectors { 2 } else { 1 };
    let elements = matrices.saturating_mul(n).saturating_mul(n);
    elements.saturating_mul(size_of::<c64>()).saturating_add(stack_of(n, vectors).unaligned_bytes_required())
}

fn params() -> Spec<EvdParams, c64> {
    Spec::new(<EvdParams as Auto<c64>>::auto())
}

fn stack_of(n: usize, vectors: bool) -> StackReq {
    let right = if vectors { ComputeEigenvectors::Yes } else { ComputeEigenvectors::No };
    evd_scratch::<c64>(n, ComputeEigenvectors::No, right, Par::Seq, params())
}

fn decompose(
    a: [&[f64]; 2],
    n: usize,
    [re, im]: &mut Parts<'_>,
    vectors: Option<&mut Parts<'_>>,
) -> Result<(), EvdError> {
    let (a, undo) = scaled_pairs(a);
    let a = matrix(&a, n, n);
    let mut buffer = MemBuffer::new(stack_of(n, vectors.is_some()));
    let stack = MemStack::new(&mut buffer);
    let mut columns = Mat::<c64>::zeros(n, if vectors.is_some() { n } else { 0 });
    let mut w = vec![c64::new(0.0, 0.0); n];
    let right = vectors.is_some().then(|| columns.as_mut());
    evd_cplx(a, DiagMut::from_slice_mut(&mut w), None, right, Par::Seq, stack, params())?;
    if let Some([v_re, v_im]) = vectors {
        for j in 0..n {
            let normal = normalized(n, |i| (columns[(i, j)].re, columns[(i, j)].im));
            for (i, (x, y)) in normal.into_iter().enumerate() {
                (v_re[i * n + j], v_im[i * n + j]) = (x, y);
            }
        }
    }
    for (k, z) in w.into_iter().enumerate() {
        (re[k], im[k]) = (z.re, z.im);
    }
    [re, im].into_iter().for_each(|part| unscale(part, undo));
    Ok(())
}
