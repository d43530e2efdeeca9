//! Phases that make vectors unique which are determined up to a complex factor of magnitude 1.

use faer::{MatRef, c64};

use super::Parts;

/// For each column the number of magnitude 1 that makes the first of its elements that is at least half as large as the
/// largest real and positive, and where that is. The largest element itself would often be one of several that differ by
/// rounding alone.
pub(super) fn phases(columns: MatRef<'_, c64>) -> Vec<(usize, c64)> {
    let phase = |k: usize| {
        let size = |i: usize| columns[(i, k)].norm();
        let largest = (0..columns.nrows()).map(size).fold(0.0, f64::max);
        let leading = (0..columns.nrows()).find(|&i| size(i) >= 0.5 * largest).unwrap_or(0);
        let is_zero = largest == 0.0;
        (leading, if is_zero { c64::new(1.0, 0.0) } else { columns[(leading, k)].conj() / size(leading) })
    };
    (0..columns.ncols()).map(phase).collect()
}

/// Writes the columns times their phases as the columns of a matrix in row-major order.
pub(super) fn write_columns(columns: MatRef<'_, c64>, phases: &[(usize, c64)], [re, im]: Parts<'_>) {
    let n = columns.ncols();
    for (k, &(leading, phase)) in phases.iter().enumerate() {
        for i in 0..columns.nrows() {
            let z = columns[(i, k)] * phase;
            (re[i * n + k], im[i * n + k]) = (z.re, if i == leading { 0.0 } else { z.im });
        }
    }
}

/// Writes the conjugates of the columns times their phases as the rows of a matrix in row-major order.
pub(super) fn write_adjoint(columns: MatRef<'_, c64>, phases: &[(usize, c64)], [re, im]: Parts<'_>) {
    let n = columns.nrows();
    for (k, &(_, phase)) in phases.iter().enumerate() {
        for i in 0..n {
            let z = (columns[(i, k)] * phase).conj();
            (re[k * n + i], im[k * n + i]) = (z.re, z.im);
        }
    }
}
