//! Factors of elimination of complex matrices.

use faer::c64;

use super::split::Split;
use super::{Parts, are_finite};

/// The factors of a square matrix, of which the pivot of each column is the first with the largest sum of the magnitudes of
/// its parts. Of n rows there are n + 1 columns of real parts, of which the last one has the row that each row came from, and
/// n of imaginary ones; NaN where an element is not finite. Where all that are left are 0, so is the pivot.
pub(crate) fn lu(a: [&[f64]; 2], n: usize, [re, im]: Parts<'_>) {
    if !are_finite(a) {
        re.fill(f64::NAN);
        im.fill(f64::NAN);
        return;
    }
    let mut work = Split::new(a, n);
    let mut rows: Vec<usize> = (0..n).collect();
    for k in 0..n {
        let size = |i: usize| work.at(i, k).l1_norm();
        let pivot = (k..n).fold(k, |largest, i| if size(i) > size(largest) { i } else { largest });
        if pivot != k {
            work.swap_rows(k, pivot);
            rows.swap(k, pivot);
        }
        let pivot = work.at(k, k);
        if pivot == c64::new(0.0, 0.0) {
            continue;
        }
        for i in k + 1..n {
            let factor = quotient(work.at(i, k), pivot);
            work.set(i, k, factor);
        }
        work.eliminate(k);
    }
    for (i, &row) in rows.iter().enumerate() {
        for k in 0..n {
            let z = work.at(i, k);
            (re[i * (n + 1) + k], im[i * n + k]) = (z.re, z.im);
        }
        re[i * (n + 1) + n] = row as f64;
    }
}

/// `z / pivot` by a pivot that is not smaller; no square overflows or vanishes.
fn quotient(z: c64, pivot: c64) -> c64 {
    let scale = pivot.re.abs().max(pivot.im.abs());
    let unit = pivot / scale;
    (z / scale) * unit.conj() / unit.norm_sqr()
}

/// How many bytes it takes.
pub(crate) fn lu_bytes(n: usize) -> usize {
    n.saturating_mul(n).saturating_mul(size_of::<c64>())
}
