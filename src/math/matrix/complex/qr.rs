//! Unitary and upper triangular factors of complex matrices, by reflections of Householder.

use faer::c64;

use super::super::scale::scaled_pairs;
use super::split::Split;
use super::{Parts, are_finite};

/// The reduced factors of an m×n matrix, with k = min(m, n): an m×k matrix with orthonormal columns, and a k×n matrix that is
/// upper triangular, or trapezoidal, of which the diagonal is real and not negative; NaN where an element is not finite.
pub(crate) fn qr(a: [&[f64]; 2], [m, n]: [usize; 2], [q_re, q_im]: Parts<'_>, [r_re, r_im]: Parts<'_>) {
    if !are_finite(a) {
        [q_re, q_im, r_re, r_im].into_iter().for_each(|result| result.fill(f64::NAN));
        return;
    }
    let k = m.min(n);
    let (a, undo) = scaled_pairs(a);
    let [re, im] = [|z: &c64| z.re, |z: &c64| z.im].map(|part| a.iter().map(part).collect::<Vec<f64>>());
    let mut work = Split::new([&re, &im], n);
    let reflections: Vec<Reflection> = (0..k)
        .map(|j| {
            let reflection = Reflection::of((j..m).map(|i| work.at(i, j)).collect());
            work.reflect(j, &reflection.v, reflection.tau, j);
            reflection
        })
        .collect();
    let mut columns = Split::identity(m, k);
    for (j, reflection) in reflections.iter().enumerate().rev() {
        columns.reflect(j, &reflection.v, reflection.tau, j);
    }
    for (i, (r_re, r_im)) in r_re.chunks_exact_mut(n).zip(r_im.chunks_exact_mut(n)).enumerate() {
        for j in 0..n {
            let z = match j {
                _ if j < i => c64::new(0.0, 0.0),
                _ if j == i => c64::new(reflections[i].length, 0.0),
                _ => reflections[i].phase.conj() * work.at(i, j),
            };
            (r_re[j], r_im[j]) = (z.re * undo, z.im * undo);
        }
    }
    for (i, (q_re, q_im)) in q_re.chunks_exact_mut(k).zip(q_im.chunks_exact_mut(k)).enumerate() {
        for j in 0..k {
            let z = columns.at(i, j) * reflections[j].phase;
            (q_re[j], q_im[j]) = (z.re, z.im);
        }
    }
}

/// How many bytes it takes.
pub(crate) fn qr_bytes([m, n]: [usize; 2]) -> usize {
    let k = m.min(n);
    let elements = m.saturating_mul(n).saturating_mul(3).saturating_add(m.saturating_mul(k).saturating_mul(2));
    elements.saturating_mul(size_of::<c64>())
}

/// The reflection `I - tau · v · vᴴ` that maps a vector to `phase · length` times the first unit vector.
struct Reflection {
    /// Its first element is 1.
    v: Vec<c64>,
    tau: f64,
    phase: c64,
    length: f64,
}

impl Reflection {
    /// Of the two possible results the one that is farther from the vector, so that nothing cancels.
    fn of(mut x: Vec<c64>) -> Reflection {
        let largest = x.iter().fold(0.0, |largest: f64, z| largest.max(z.re.abs()).max(z.im.abs()));
        if largest == 0.0 {
            return Reflection { v: x, tau: 0.0, phase: c64::new(1.0, 0.0), length: 0.0 };
        }
        x.iter_mut().for_each(|z| *z /= largest);
        let length = x.iter().map(|z| z.norm_sqr()).sum::<f64>().sqrt();
        let first = x[0].norm();
        let turn = if first == 0.0 { c64::new(1.0, 0.0) } else { x[0] / first };
        let factor = turn.conj() / (first + length);
        x.iter_mut().for_each(|z| *z *= factor);
        x[0] = c64::new(1.0, 0.0);
        Reflection { v: x, tau: (first + length) / length, phase: -turn, length: length * largest }
    }
}
