//! Factors of elimination of complex matrices.

use faer::c64;

use super::super::{Widened, widened};
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

/// `z / pivot`; no square of the pivot overflows or vanishes.
#[inline(always)]
fn quotient(z: c64, pivot: c64) -> c64 {
    let scale = pivot.re.abs().max(pivot.im.abs());
    let unit = pivot / scale;
    (z / scale) * unit.conj() / unit.norm_sqr()
}

/// How many bytes it takes.
pub(crate) fn lu_bytes(n: usize) -> usize {
    n.saturating_mul(n).saturating_mul(size_of::<c64>())
}

/// The solution of `A · x = b`, or with the adjoint of `A`, given its factors; in place of `b`, which has `k` columns.
pub(crate) fn solve([f_re, f_im]: [&[f64]; 2], n: usize, adjoint: bool, [re, im]: Parts<'_>, k: usize) {
    let mut x = Split::new([re, im], k);
    let factors = Factors { re: f_re, im: f_im, n };
    // What is no row, as a file may have it, counts as the nearest one.
    let rows: Vec<usize> = (0..n).map(|i| (f_re[i * (n + 1) + n] as usize).min(n - 1)).collect();
    if !adjoint {
        x = x.with_rows(rows.iter().copied());
    }
    widened(Substitution { factors, adjoint, x: &mut x });
    if adjoint {
        let mut places = vec![0; n];
        rows.iter().enumerate().for_each(|(from, &to)| places[to] = from);
        x = x.with_rows(places.into_iter());
    }
    x.write([re, im]);
}

/// The factors as [`lu`] gives them.
#[derive(Clone, Copy)]
struct Factors<'a> {
    re: &'a [f64],
    im: &'a [f64],
    n: usize,
}

impl Factors<'_> {
    #[inline(always)]
    fn at(&self, i: usize, k: usize) -> c64 {
        c64::new(self.re[i * (self.n + 1) + k], self.im[i * self.n + k])
    }
}

struct Substitution<'a> {
    factors: Factors<'a>,
    adjoint: bool,
    x: &'a mut Split,
}

impl Widened for Substitution<'_> {
    #[inline(always)]
    fn run(self) {
        let Substitution { factors, adjoint, x } = self;
        let n = factors.n;
        if !adjoint {
            for i in 0..n {
                (0..i).for_each(|j| x.add_row(i, -factors.at(i, j), j));
            }
            for i in (0..n).rev() {
                (i + 1..n).for_each(|j| x.add_row(i, -factors.at(i, j), j));
                x.map_row(i, |z| quotient(z, factors.at(i, i)));
            }
            return;
        }
        for i in 0..n {
            x.map_row(i, |z| quotient(z, factors.at(i, i).conj()));
            (i + 1..n).for_each(|j| x.add_row(j, -factors.at(i, j).conj(), i));
        }
        for i in (0..n).rev() {
            (0..i).for_each(|j| x.add_row(j, -factors.at(i, j).conj(), i));
        }
    }
}
