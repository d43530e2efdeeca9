//! Eigenvalues and eigenvectors of matrices that need not be symmetric.

use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::evd::{ComputeEigenvectors, EvdError, EvdParams, evd_real, evd_scratch};
use faer::traits::ComplexField;
use faer::{Auto, Mat, Par, Spec};

use super::scale::{scaled, unscale};
use super::{faer as matrix, is_finite};

/// The real and imaginary parts of the eigenvalues of a square matrix and, if asked for, of the eigenvectors, as columns;
/// NaN where an element is not finite. Conjugate pairs are neighbors, that with the positive imaginary part first.
pub(crate) fn eig(a: &[f64], n: usize, [re, im]: [&mut [f64]; 2], mut vectors: Option<[&mut [f64]; 2]>) {
    let done = is_finite(a) && decompose(a, n, [&mut *re, &mut *im], vectors.as_mut()).is_ok();
    if !done {
        let vectors = vectors.into_iter().flatten();
        vectors.chain([re, im]).for_each(|result| result.fill(f64::NAN));
    }
}

/// How many bytes that takes.
pub(crate) fn eig_bytes(n: usize, vectors: bool) -> usize {
    bytes::<f64>(n, vectors)
}

/// How many bytes that takes of elements of that type.
pub(super) fn bytes<E: ComplexField>(n: usize, vectors: bool) -> usize {
    let matrices: usize = if vectors { 2 } else { 1 };
    let elements = matrices.saturating_mul(n).saturating_mul(n);
    elements.saturating_mul(size_of::<E>()).saturating_add(stack_of::<E>(n, vectors).unaligned_bytes_required())
}

pub(super) fn params<E: ComplexField>() -> Spec<EvdParams, E> {
    Spec::new(<EvdParams as Auto<E>>::auto())
}

pub(super) fn stack_of<E: ComplexField>(n: usize, vectors: bool) -> StackReq {
    let right = if vectors { ComputeEigenvectors::Yes } else { ComputeEigenvectors::No };
    evd_scratch::<E>(n, ComputeEigenvectors::No, right, Par::Seq, params())
}

fn decompose(
    a: &[f64],
    n: usize,
    [re, im]: [&mut [f64]; 2],
    vectors: Option<&mut [&mut [f64]; 2]>,
) -> Result<(), EvdError> {
    let (a, undo) = scaled(a);
    let a = matrix(&a, n, n);
    let mut buffer = MemBuffer::new(stack_of::<f64>(n, vectors.is_some()));
    let stack = MemStack::new(&mut buffer);
    let mut columns = Mat::<f64>::zeros(n, if vectors.is_some() { n } else { 0 });
    let places = [&mut *re, &mut *im].map(faer::diag::DiagMut::from_slice_mut);
    let [of_re, of_im] = places;
    let right = vectors.is_some().then(|| columns.as_mut());
    evd_real(a, of_re, of_im, None, right, Par::Seq, stack, params())?;
    if let Some([v_re, v_im]) = vectors {
        let mut j = 0;
        while j < n {
            let is_pair = im[j] != 0.0 && j + 1 < n;
            let element = |i: usize| (columns[(i, j)], if is_pair { columns[(i, j + 1)] } else { 0.0 });
            let normal = normalized(n, element);
            for (i, (x, y)) in normal.into_iter().enumerate() {
                (v_re[i * n + j], v_im[i * n + j]) = (x, y);
                if is_pair {
                    (v_re[i * n + j + 1], v_im[i * n + j + 1]) = (x, 0.0 - y);
                }
            }
            j += if is_pair { 2 } else { 1 };
        }
    }
    [re, im].into_iter().for_each(|part| unscale(part, undo));
    Ok(())
}

/// A complex vector times the number that makes its length 1 and the first of its elements that is at least half as large
/// as its largest one real and positive.
pub(super) fn normalized(n: usize, element: impl Fn(usize) -> (f64, f64)) -> Vec<(f64, f64)> {
    let size = |i: usize| element(i).0.hypot(element(i).1);
    let largest = (0..n).map(size).fold(0.0, f64::max);
    // Relative to the largest element, so that no square overflows or vanishes.
    let square = |i: usize| (size(i) / largest) * (size(i) / largest);
    let length = (0..n).map(square).fold(0.0, |sum, x| sum + x).sqrt() * largest;
    let leading = (0..n).find(|&i| size(i) >= 0.5 * largest).unwrap_or(0);
    let (x, y) = element(leading);
    let (cos, sin) = (x / size(leading), y / size(leading));
    let turned = |i: usize| {
        let (x, y) = element(i);
        let im = if i == leading { 0.0 } else { y * cos - x * sin };
        ((x * cos + y * sin) / length, im / length)
    };
    (0..n).map(turned).collect()
}
