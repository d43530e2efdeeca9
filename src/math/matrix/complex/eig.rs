//! Eigenvalues and eigenvectors of complex matrices that need not be Hermitian.

use faer::diag::DiagMut;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{EvdError, evd_cplx};
use faer::{Mat, Par, c64};

use super::super::eig::{bytes, normalized, params, stack_of};
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
    bytes::<c64>(n, vectors)
}

fn decompose(
    a: [&[f64]; 2],
    n: usize,
    [re, im]: &mut Parts<'_>,
    vectors: Option<&mut Parts<'_>>,
) -> Result<(), EvdError> {
    let (a, undo) = scaled_pairs(a);
    let a = matrix(&a, n, n);
    let mut buffer = MemBuffer::new(stack_of::<c64>(n, vectors.is_some()));
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
