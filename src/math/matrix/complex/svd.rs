//! Singular values and vectors.

use faer::diag::DiagMut;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::svd::{SvdError, svd as faer_svd};
use faer::{Mat, Par, c64};

use super::super::faer as matrix;
use super::super::scale::{scaled_pairs, unscale};
use super::super::svd::{bytes, params, stack_of};
use super::gauge::{phases, write_adjoint, write_columns};
use super::{Parts, are_finite};

/// The singular values of an m×n matrix, in descending order, and, if asked for, its left singular vectors, as columns, and
/// the conjugates of the right ones, as rows; NaN where an element is not finite. The values have the same bits with vectors
/// and without.
pub(crate) fn svd(a: [&[f64]; 2], [m, n]: [usize; 2], s: &mut [f64], mut vectors: Option<[Parts<'_>; 2]>) {
    let done = are_finite(a) && decompose(a, [m, n], s, vectors.as_mut()).is_ok();
    if !done {
        let vectors = vectors.into_iter().flatten().flatten();
        vectors.chain([s]).for_each(|result| result.fill(f64::NAN));
    }
}

/// How many bytes it takes.
pub(crate) fn svd_bytes(extents: [usize; 2], vectors: bool) -> usize {
    bytes::<c64>(extents, vectors)
}

fn decompose(
    a: [&[f64]; 2],
    [m, n]: [usize; 2],
    s: &mut [f64],
    vectors: Option<&mut [Parts<'_>; 2]>,
) -> Result<(), SvdError> {
    let k = m.min(n);
    let (a, undo) = scaled_pairs(a);
    let a = matrix(&a, m, n);
    let mut buffer = MemBuffer::new(stack_of::<c64>([m, n], vectors.is_some()));
    let stack = MemStack::new(&mut buffer);
    let mut of_s = vec![c64::new(0.0, 0.0); k];
    let values = DiagMut::from_slice_mut(&mut of_s);
    match vectors {
        None => faer_svd(a, values, None, None, Par::Seq, stack, params())?,
        Some([[u_re, u_im], [vh_re, vh_im]]) => {
            let [mut left, mut right] = [m, n].map(|rows| Mat::<c64>::zeros(rows, k));
            faer_svd(a, values, Some(left.as_mut()), Some(right.as_mut()), Par::Seq, stack, params())?;
            let phases = phases(left.as_ref());
            write_columns(left.as_ref(), &phases, [u_re, u_im]);
            write_adjoint(right.as_ref(), &phases, [vh_re, vh_im]);
        }
    }
    s.iter_mut().zip(&of_s).for_each(|(s, z)| *s = z.re);
    unscale(s, undo);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the pass that drops unused vectors relies on.
    #[test]
    fn values_have_the_same_bits_with_vectors_and_without() {
        for [m, n] in [[1, 1], [3, 2], [2, 5], [17, 17], [48, 32], [127, 127], [128, 130], [200, 140]] {
            let part = |seed: f64| (0..m * n).map(|k| (seed * (k * k % 1013) as f64).sin()).collect::<Vec<f64>>();
            let (re, im) = (part(0.7), part(1.3));
            let k = m.min(n);
            let [mut s, mut alone] = [(); 2].map(|()| vec![0.0; k]);
            let [mut u_re, mut u_im] = [(); 2].map(|()| vec![0.0; m * k]);
            let [mut vh_re, mut vh_im] = [(); 2].map(|()| vec![0.0; k * n]);
            svd([&re, &im], [m, n], &mut alone, None);
            svd([&re, &im], [m, n], &mut s, Some([[&mut u_re, &mut u_im], [&mut vh_re, &mut vh_im]]));
            assert_eq!(s, alone, "{m} {n}");
        }
    }
}
