//! The real Schur form `A = U T Uᵀ`: U orthogonal, T upper quasi-triangular.
//!
//! Reduction to a Hessenberg matrix, then the implicitly double-shifted QR algorithm (Francis) with the
//! deflation criterion of Ahues and Tisseur, as in LAPACK's `dlahqr`; the blocks of two rows are standardized as by its
//! `dlanv2`: equal elements on the diagonal, and elements of two signs beside it.

use super::dense::{Dense, binary_exponent, times_power_of_two};
use super::hessenberg;

/// A real Schur form.
#[derive(Clone, Debug)]
pub(crate) struct Schur {
    /// The orthogonal factor.
    pub u: Dense,
    /// The quasi-triangular factor; what is below its blocks is exactly 0.
    pub t: Dense,
}

impl Schur {
    /// `None` where an element is infinite or NaN, and where the iteration does not converge, which it does but for
    /// matrices that no one has found.
    pub fn new(a: &Dense) -> Option<Schur> {
        if !a.is_finite() {
            return None;
        }
        // Scaled so that no product overflows.
        let exponent = binary_exponent(a.max_abs());
        // The transpose of the orthogonal factor, of which rows are changed.
        let (mut t, mut ut) = reduced(&a.clone().map(|x| times_power_of_two(x, -exponent)));
        iterate(&mut t, &mut ut)?;
        Some(Schur { u: ut.transposed(), t: t.map(|x| times_power_of_two(x, exponent)) })
    }
}

/// A block on the diagonal of a quasi-triangular matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The first row.
    pub start: usize,
    /// The number of rows, 1 or 2.
    pub size: usize,
}

impl Block {
    /// The row behind it.
    pub fn end(self) -> usize {
        self.start + self.size
    }
}

/// The blocks of the diagonal of a quasi-triangular matrix, from the first row on.
pub(crate) fn blocks(t: &Dense) -> Vec<Block> {
    let n = t.rows();
    let mut blocks = Vec::with_capacity(n);
    let mut start = 0;
    while start < n {
        let size = if start + 1 < n && t[(start + 1, start)] != 0.0 { 2 } else { 1 };
        blocks.push(Block { start, size });
        start += size;
    }
    blocks
}

/// The upper Hessenberg form of a matrix, and the transpose of the orthogonal factor.
fn reduced(a: &Dense) -> (Dense, Dense) {
    let n = a.rows();
    if n == 0 {
        return (a.clone(), a.clone());
    }
    let (mut h, mut q) = (Dense::zeros(n, n), Dense::zeros(n, n));
    hessenberg(a.rows_of(0, n), n, h.rows_mut(0, n), q.rows_mut(0, n));
    (h, q.transposed())
}

/// The steps without deflation after which a shift is replaced.
const EXCEPTIONAL: usize = 10;

/// Reduces a Hessenberg matrix to quasi-triangular form; `None` without convergence.
fn iterate(h: &mut Dense, ut: &mut Dense) -> Option<()> {
    let n = h.rows();
    let mut end = n;
    let mut steps = 0;
    let limit = 30 * n.max(10);
    while end > 0 {
        let last = end - 1;
        let mut n_since_deflation = 0;
        let start = loop {
            let start = deflate(h, last);
            if start + 1 >= last {
                break start;
            }
            steps += 1;
            n_since_deflation += 1;
            if steps > limit {
                return None;
            }
            let shifts = Shifts::choose(h, start, last, n_since_deflation);
            sweep(h, ut, start, last, shifts);
        };
        if start + 1 == last {
            standardize(h, ut, start);
        }
        end = start;
    }
    Some(())
}

/// The first row of the last block that is unreduced; the element before it becomes 0.
fn deflate(h: &mut Dense, last: usize) -> usize {
    for k in (1..=last).rev() {
        let below = h[(k, k - 1)].abs();
        if is_negligible(h, k, below) {
            h[(k, k - 1)] = 0.0;
            return k;
        }
    }
    0
}

/// Whether the element before the diagonal of row k counts as 0.
fn is_negligible(h: &Dense, k: usize, below: f64) -> bool {
    let n = h.rows();
    let smallest = f64::MIN_POSITIVE * (n as f64 / f64::EPSILON);
    if below <= smallest {
        return true;
    }
    let (before, here) = (h[(k - 1, k - 1)], h[(k, k)]);
    let mut size = before.abs() + here.abs();
    if size == 0.0 {
        size += if k >= 2 { h[(k - 1, k - 2)].abs() } else { 0.0 };
        size += if k + 1 < n { h[(k + 1, k)].abs() } else { 0.0 };
    }
    if below > f64::EPSILON * size {
        return false;
    }
    let above = h[(k - 1, k)].abs();
    let (high, low) = (below.max(above), below.min(above));
    let apart = (before - here).abs();
    let (aa, bb) = (here.abs().max(apart), here.abs().min(apart));
    let sum = aa + high;
    low * (high / sum) <= smallest.max(f64::EPSILON * (bb * (aa / sum)))
}

/// A pair of shifts: both real, or conjugate.
#[derive(Clone, Copy)]
struct Shifts {
    real: [f64; 2],
    imaginary: f64,
}

impl Shifts {
    fn choose(h: &Dense, start: usize, last: usize, n_since_deflation: usize) -> Shifts {
        let exceptional = |size: f64, corner: f64| {
            let x = 0.75 * size + corner;
            [x, -0.4375 * size, size, x]
        };
        let block = if n_since_deflation.is_multiple_of(2 * EXCEPTIONAL) {
            exceptional(h[(last, last - 1)].abs() + h[(last - 1, last - 2)].abs(), h[(last, last)])
        } else if n_since_deflation.is_multiple_of(EXCEPTIONAL) {
            exceptional(h[(start + 1, start)].abs() + h[(start + 2, start + 1)].abs(), h[(start, start)])
        } else {
            [h[(last - 1, last - 1)], h[(last - 1, last)], h[(last, last - 1)], h[(last, last)]]
        };
        Shifts::of(block)
    }

    /// The eigenvalues of a block; of two real ones twice that which is nearer to the last element.
    fn of([a, b, c, d]: [f64; 4]) -> Shifts {
        let size = a.abs() + b.abs() + c.abs() + d.abs();
        if size == 0.0 {
            return Shifts { real: [0.0; 2], imaginary: 0.0 };
        }
        let [a, b, c, d] = [a, b, c, d].map(|x| x / size);
        let mean = 0.5 * (a + d);
        let determinant = (a - mean) * (d - mean) - b * c;
        let root = determinant.abs().sqrt();
        if determinant >= 0.0 {
            return Shifts { real: [mean * size; 2], imaginary: root * size };
        }
        let [x, y] = [mean + root, mean - root];
        let nearer = if (x - d).abs() <= (y - d).abs() { x } else { y };
        Shifts { real: [nearer * size; 2], imaginary: 0.0 }
    }

    /// The first column of `(H - s₁)(H - s₂)` of the block that begins at row m, up to a factor.
    fn first_column(self, h: &Dense, m: usize) -> [f64; 3] {
        let Shifts { real: [s, t], imaginary } = self;
        let (a, b, c, d) = (h[(m, m)], h[(m, m + 1)], h[(m + 1, m)], h[(m + 1, m + 1)]);
        let size = (a - t).abs() + imaginary.abs() + c.abs();
        let c = c / size;
        let v = [
            c * b + (a - s) * ((a - t) / size) + imaginary * (imaginary / size),
            c * (a + d - s - t),
            c * h[(m + 2, m + 1)],
        ];
        let size = v.iter().map(|x| x.abs()).sum::<f64>();
        v.map(|x| x / size)
    }
}

/// One double-shifted QR step on rows from `start` to `last`.
fn sweep(h: &mut Dense, ut: &mut Dense, start: usize, last: usize, shifts: Shifts) {
    let mut m = last - 2;
    let mut v = shifts.first_column(h, m);
    while m > start {
        let around = h[(m - 1, m - 1)].abs() + h[(m, m)].abs() + h[(m + 1, m + 1)].abs();
        if h[(m, m - 1)].abs() * (v[1].abs() + v[2].abs()) <= f64::EPSILON * v[0].abs() * around {
            break;
        }
        m -= 1;
        v = shifts.first_column(h, m);
    }
    for k in m..last {
        let size = (last - k + 1).min(3);
        let mut x = if k > m { [h[(k, k - 1)], h[(k + 1, k - 1)], 0.0] } else { v };
        if k > m && size == 3 {
            x[2] = h[(k + 2, k - 1)];
        }
        let found = short_reflection(&x[..size]);
        if k > m {
            if let Some((beta, ..)) = found {
                h[(k, k - 1)] = beta;
            }
            for i in 1..size {
                h[(k + i, k - 1)] = 0.0;
            }
        } else if let (true, Some((_, tau, _))) = (m > start, found) {
            h[(k, k - 1)] *= 1.0 - tau;
        }
        if let Some((_, tau, v)) = found {
            reflect_few_rows(h, k, size, k, v, tau);
            reflect_few_columns(h, k, size, (k + 4).min(last + 1), v, tau);
            reflect_few_rows(ut, k, size, 0, v, tau);
        }
    }
}

/// [`reflection`] of two or three elements: v without its first element, which is 1.
fn short_reflection(x: &[f64]) -> Option<(f64, f64, [f64; 2])> {
    let (first, rest) = (x[0], [x[1], *x.get(2).unwrap_or(&0.0)]);
    let largest = rest[0].abs().max(rest[1].abs());
    if largest == 0.0 {
        return None;
    }
    let scale = largest.max(first.abs());
    let [a, b, c] = [first, rest[0], rest[1]].map(|x| x / scale);
    let beta = -(a * a + b * b + c * c).sqrt().copysign(a);
    Some((beta * scale, (beta - a) / beta, [b / (a - beta), c / (a - beta)]))
}

/// Applies it to two or three rows from `row` on, from a column on.
fn reflect_few_rows(a: &mut Dense, row: usize, size: usize, from: usize, v: [f64; 2], tau: f64) {
    let n = a.columns();
    let rows = a.rows_mut(row, size);
    let (first, rest) = rows.split_at_mut(n);
    let (second, third) = rest.split_at_mut(n);
    let factors = [tau, tau * v[0], tau * v[1]];
    let pairs = first[from..].iter_mut().zip(&mut second[from..]);
    if size == 2 {
        for (x, y) in pairs {
            let sum = *x + v[0] * *y;
            *x -= sum * factors[0];
            *y -= sum * factors[1];
        }
        return;
    }
    for ((x, y), z) in pairs.zip(&mut third[from..]) {
        let sum = *x + v[0] * *y + v[1] * *z;
        *x -= sum * factors[0];
        *y -= sum * factors[1];
        *z -= sum * factors[2];
    }
}

/// Applies it to two or three columns from `column` on, of the first rows.
fn reflect_few_columns(a: &mut Dense, column: usize, size: usize, n_rows: usize, v: [f64; 2], tau: f64) {
    let n = a.columns();
    let factors = [tau, tau * v[0], tau * v[1]];
    for row in a.rows_mut(0, n_rows).chunks_exact_mut(n) {
        match &mut row[column..column + size] {
            [x, y, z] => {
                let sum = *x + v[0] * *y + v[1] * *z;
                *x -= sum * factors[0];
                *y -= sum * factors[1];
                *z -= sum * factors[2];
            }
            [x, y] => {
                let sum = *x + v[0] * *y;
                *x -= sum * factors[0];
                *y -= sum * factors[1];
            }
            _ => unreachable!("bug: a reflection of other columns"),
        }
    }
}

/// Brings the block at rows `i` and `i + 1` to standard form: triangular, or with equal elements on the diagonal and
/// elements of two signs beside it.
fn standardize(h: &mut Dense, ut: &mut Dense, i: usize) {
    let n = h.rows();
    let (block, [cs, sn]) = standard([h[(i, i)], h[(i, i + 1)], h[(i + 1, i)], h[(i + 1, i + 1)]]);
    let rotate = |[x, y]: [f64; 2]| [cs * x + sn * y, cs * y - sn * x];
    for k in i + 2..n {
        [h[(i, k)], h[(i + 1, k)]] = rotate([h[(i, k)], h[(i + 1, k)]]);
    }
    for k in 0..i {
        [h[(k, i)], h[(k, i + 1)]] = rotate([h[(k, i)], h[(k, i + 1)]]);
    }
    for k in 0..n {
        [ut[(i, k)], ut[(i + 1, k)]] = rotate([ut[(i, k)], ut[(i + 1, k)]]);
    }
    [h[(i, i)], h[(i, i + 1)], h[(i + 1, i)], h[(i + 1, i + 1)]] = block;
}

/// A block of two rows in standard form, and the rotation that makes it (`dlanv2`).
fn standard([a, b, c, d]: [f64; 4]) -> ([f64; 4], [f64; 2]) {
    if c == 0.0 {
        return ([a, b, c, d], [1.0, 0.0]);
    }
    if b == 0.0 {
        return ([d, -c, 0.0, a], [0.0, 1.0]);
    }
    let apart = a - d;
    if apart == 0.0 && b.is_sign_negative() != c.is_sign_negative() {
        return ([a, b, c, d], [1.0, 0.0]);
    }
    let p = 0.5 * apart;
    let larger = b.abs().max(c.abs());
    let smaller = b.abs().min(c.abs()) * 1f64.copysign(b) * 1f64.copysign(c);
    let scale = p.abs().max(larger);
    let z = p / scale * p + larger / scale * smaller;
    if z >= 4.0 * f64::EPSILON {
        // Two real eigenvalues.
        let z = p + (scale.sqrt() * z.sqrt()).copysign(p);
        let length = hypotenuse(c, z);
        return ([d + z, b - c, 0.0, d - larger / z * smaller], [z / length, c / length]);
    }
    // Conjugate eigenvalues, or two real ones that are almost equal: equal elements on the diagonal.
    let sigma = b + c;
    let length = hypotenuse(sigma, apart);
    let cs = (0.5 * (1.0 + sigma.abs() / length)).sqrt();
    let sn = -(p / (length * cs)) * 1f64.copysign(sigma);
    let [aa, bb, cc, dd] = [a * cs + b * sn, -a * sn + b * cs, c * cs + d * sn, -c * sn + d * cs];
    let [a, b, c, d] = [aa * cs + cc * sn, bb * cs + dd * sn, -aa * sn + cc * cs, -bb * sn + dd * cs];
    let mean = 0.5 * (a + d);
    if c == 0.0 {
        return ([mean, b, c, mean], [cs, sn]);
    }
    if b == 0.0 {
        return ([mean, -c, 0.0, mean], [-sn, cs]);
    }
    if b.is_sign_negative() != c.is_sign_negative() {
        return ([mean, b, c, mean], [cs, sn]);
    }
    let [root_b, root_c] = [b.abs().sqrt(), c.abs().sqrt()];
    let p = (root_b * root_c).copysign(c);
    let tau = 1.0 / (b + c).abs().sqrt();
    let [cs1, sn1] = [root_b * tau, root_c * tau];
    ([mean + p, b - c, 0.0, mean - p], [cs * cs1 - sn * sn1, cs * sn1 + sn * cs1])
}

fn hypotenuse(x: f64, y: f64) -> f64 {
    let (low, high) = (x.abs().min(y.abs()), x.abs().max(y.abs()));
    if high == 0.0 { 0.0 } else { high * (1.0 + (low / high) * (low / high)).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers in (-1, 1).
    fn random(n: usize, seed: u64) -> Dense {
        let mut state = seed;
        Dense::from_fn(n, n, |_, _| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
        })
    }

    /// Matrices that are random, defective, graded, periodic, symmetric, orthogonal, huge and tiny.
    fn matrices() -> Vec<Dense> {
        let mut all: Vec<Dense> = [1, 2, 3, 4, 5, 8, 13, 40].into_iter().map(|n| random(n, n as u64)).collect();
        let of = |n: usize, f: &dyn Fn(usize, usize) -> f64| Dense::from_fn(n, n, f);
        all.push(Dense::zeros(4, 4));
        all.push(Dense::identity(5));
        // A Jordan block, a cycle, of which a shift of the last block makes no progress, and a companion matrix.
        all.push(of(9, &|i, k| if i == k { 2.0 } else { f64::from(u8::from(k == i + 1)) }));
        all.push(of(9, &|i, k| f64::from(u8::from((i + 1) % 9 == k))));
        all.push(of(8, &|i, k| if i == 0 { -1.0 } else { f64::from(u8::from(k + 1 == i)) }));
        let x = random(10, 77);
        all.push(of(10, &|i, k| x[(i, k)] * 10f64.powi(-(i as i32) - k as i32)));
        all.push(of(10, &|i, k| x[(i, k)] + x[(k, i)]));
        all.push(of(10, &|i, k| x[(i, k)] - x[(k, i)]));
        all.push(x.clone().map(|x| x * 1e306));
        all.push(x.clone().map(|x| x * 1e-310));
        all.push(of(6, &|i, k| if i > k { 1e-300 } else { 1.0 }));
        all.push(of(3, &|_, _| f64::MAX / 16.0));
        all
    }

    #[test]
    fn forms_are_quasi_triangular_and_similar() {
        for a in matrices() {
            let n = a.rows();
            let Schur { u, t } = Schur::new(&a).expect("convergence");
            let off = u.transposed_times(&u).minus(&Dense::identity(n)).max_abs();
            assert!(off <= 1e-15 * (4 * n) as f64, "not orthogonal by {off:e}: {a:?}");
            // Scaled, so that products of huge elements exist.
            let exponent = binary_exponent(a.max_abs());
            let [a, t] = [a, t].map(|x| x.map(|x| times_power_of_two(x, -exponent)));
            let error = u.times(&t).times_transposed(&u).minus(&a).max_abs();
            assert!(error <= 1e-15 * (8 * n) as f64 * a.max_abs(), "{error:e}: {a:?}");
            let blocks = blocks(&t);
            for block in &blocks {
                for (i, k) in (block.start..block.end()).flat_map(|i| (0..block.start).map(move |k| (i, k))) {
                    assert_eq!(t[(i, k)], 0.0, "{t:?}");
                }
                if block.size == 2 {
                    let i = block.start;
                    assert_eq!(t[(i, i)], t[(i + 1, i + 1)], "{t:?}");
                    assert!(t[(i, i + 1)] * t[(i + 1, i)] < 0.0, "{t:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_finite_has_none() {
        for x in [f64::NAN, f64::INFINITY] {
            let mut a = random(5, 3);
            a[(2, 1)] = x;
            assert!(Schur::new(&a).is_none());
        }
    }
}
