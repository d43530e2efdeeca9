//! Singular values and vectors.

use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::svd::{ComputeSvdVectors, SvdError, SvdParams, svd as faer_svd, svd_scratch};
use faer::traits::ComplexField;
use faer::{Auto, Mat, Par, Spec};

use super::gauge::{negated, write_columns, write_rows};
use super::scale::{scaled, unscale};
use super::{faer as matrix, is_finite};

/// The singular values of an m×n matrix, in descending order, and its left singular vectors, as columns, and right ones,
/// as rows, if asked for; NaN where an element is not finite. The values have the same bits with vectors and without.
pub(crate) fn svd(a: &[f64], [m, n]: [usize; 2], s: &mut [f64], mut vectors: Option<[&mut [f64]; 2]>) {
    let done = is_finite(a) && decompose(a, [m, n], s, vectors.as_mut()).is_ok();
    if !done {
        let vectors = vectors.into_iter().flatten();
        vectors.chain([s]).for_each(|result| result.fill(f64::NAN));
    }
}

/// How many bytes it takes.
pub(crate) fn svd_bytes(extents: [usize; 2], vectors: bool) -> usize {
    bytes::<f64>(extents, vectors)
}

/// How many bytes it takes of elements of that type.
pub(super) fn bytes<E: ComplexField>([m, n]: [usize; 2], vectors: bool) -> usize {
    let k = m.min(n);
    let columns = if vectors { (m + n).saturating_mul(k) } else { 0 };
    let elements = m.saturating_mul(n).saturating_add(columns);
    elements.saturating_mul(size_of::<E>()).saturating_add(stack_of::<E>([m, n], vectors).unaligned_bytes_required())
}

pub(super) fn params<E: ComplexField>() -> Spec<SvdParams, E> {
    Spec::new(<SvdParams as Auto<E>>::auto())
}

pub(super) fn stack_of<E: ComplexField>([m, n]: [usize; 2], vectors: bool) -> StackReq {
    let which = if vectors { ComputeSvdVectors::Thin } else { ComputeSvdVectors::No };
    svd_scratch::<E>(m, n, which, which, Par::Seq, params())
}

fn decompose(
    a: &[f64],
    [m, n]: [usize; 2],
    s: &mut [f64],
    vectors: Option<&mut [&mut [f64]; 2]>,
) -> Result<(), SvdError> {
    let k = m.min(n);
    let (a, undo) = scaled(a);
    let a = matrix(&a, m, n);
    let mut buffer = MemBuffer::new(stack_of::<f64>([m, n], vectors.is_some()));
    let stack = MemStack::new(&mut buffer);
    let values = faer::diag::DiagMut::from_slice_mut(s);
    match vectors {
        None => faer_svd(a, values, None, None, Par::Seq, stack, params())?,
        Some([u, vt]) => {
            let [mut left, mut right] = [m, n].map(|rows| Mat::<f64>::zeros(rows, k));
            let places = [&mut left, &mut right].map(|x| Some(x.as_mut()));
            let [of_left, of_right] = places;
            faer_svd(a, values, of_left, of_right, Par::Seq, stack, params())?;
            let negated = negated(left.as_ref());
            write_columns(left.as_ref(), &negated, u);
            write_rows(right.as_ref(), &negated, vt);
        }
    }
    unscale(s, undo);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the pass that drops unused vectors relies on.
    #[test]
    fn values_have_the_same_bits_with_vectors_and_without() {
        for [m, n] in [[1, 1], [3, 2], [2, 5], [17, 17], [48, 32], [127, 127], [128, 130], [200, 140], [300, 129]] {
            let a: Vec<f64> = (0..m * n).map(|k| (0.7 * (k * k % 1013) as f64).sin()).collect();
            let k = m.min(n);
            let [mut s, mut alone] = [(); 2].map(|()| vec![0.0; k]);
            let (mut u, mut vt) = (vec![0.0; m * k], vec![0.0; k * n]);
            svd(&a, [m, n], &mut alone, None);
            svd(&a, [m, n], &mut s, Some([&mut u, &mut vt]));
            assert_eq!(s, alone, "{m} {n}");
        }
    }
}
