//! Principal square roots and logarithms of matrices, by real Schur forms.
//!
//! N. J. Higham, "Computing real square roots of a real matrix", Linear Algebra Appl. 88/89 (1987); A. H. Al-Mohy,
//! N. J. Higham and S. D. Relton, "Computing the Fréchet derivative of the matrix logarithm and estimating the condition
//! number", SIAM J. Sci. Comput. 35 (2013): inverse scaling and squaring.

use super::dense::{Dense, binary_exponent, times_power_of_two};
use super::equations::solve_small;
use super::schur::{Block, Schur, blocks};
use super::triangular::dot;
use crate::math::{Binary, Unary};

/// The principal square root; NaN where a real one does not exist.
pub(crate) fn sqrtm(a: &[f64], n: usize, result: &mut [f64]) {
    let root = |a: Dense| {
        let schur = Schur::new(&a)?;
        conjugated(&schur, &square_root(&schur.t)?)
    };
    root(Dense::read(a, n, n)).unwrap_or_else(|| Dense::nan(n, n)).write(result);
}

/// The principal logarithm; NaN where a real one does not exist.
pub(crate) fn logm(a: &[f64], n: usize, result: &mut [f64]) {
    let logarithm = |a: Dense| {
        let schur = Schur::new(&a)?;
        let mut log = logarithm(&schur.t, n)?;
        sharpen(&schur.t, &mut log);
        conjugated(&schur, &log)
    };
    logarithm(Dense::read(a, n, n)).unwrap_or_else(|| Dense::nan(n, n)).write(result);
}

/// The derivative of the logarithm at `a` in direction `e`; a direction that is 0 gives 0, whatever the matrix is.
pub(crate) fn logm_frechet(a: &[f64], e: &[f64], n: usize, result: &mut [f64]) {
    let (a, e) = (Dense::read(a, n, n), Dense::read(e, n, n));
    if e.is_zero() {
        return Dense::zeros(n, n).write(result);
    }
    log_frechet(&a, &e).unwrap_or_else(|| Dense::nan(n, n)).write(result);
}

/// `U X Uᵀ`, if it is finite.
fn conjugated(schur: &Schur, x: &Dense) -> Option<Dense> {
    let result = schur.u.times(x).times_transposed(&schur.u);
    result.is_finite().then_some(result)
}

/// The derivative is the block above the diagonal of the logarithm of `[[T, UᵀEU], [0, T]]`, which is quasi-triangular, too.
fn log_frechet(a: &Dense, e: &Dense) -> Option<Dense> {
    if !e.is_finite() {
        return None;
    }
    let n = a.rows();
    let schur = Schur::new(a)?;
    // The derivative is linear in its direction, which is scaled to the size of the matrix.
    let exponent = binary_exponent(e.max_abs()) - binary_exponent(a.max_abs());
    let e = e.clone().map(|x| times_power_of_two(x, -exponent));
    let mut both = Dense::zeros(2 * n, 2 * n);
    both.set_block(0, 0, &schur.t);
    both.set_block(n, n, &schur.t);
    both.set_block(0, n, &schur.u.transposed_times(&e).times(&schur.u));
    let log = logarithm(&both, n)?.block(0, n, n, n);
    conjugated(&schur, &log.map(|x| times_power_of_two(x, exponent)))
}

/// The square root of a quasi-triangular matrix; `None` where an eigenvalue is negative, or 0 and defective.
fn square_root(t: &Dense) -> Option<Dense> {
    let n = t.rows();
    let blocks = blocks(t);
    // The transpose, too, so that what is added up lies in a row.
    let (mut u, mut ut) = (Dense::zeros(n, n), Dense::zeros(n, n));
    for (position, &column) in blocks.iter().enumerate() {
        root_of_block(t, &mut u, column)?;
        for &row in blocks[..position].iter().rev() {
            let mut rhs = [0.0; 4];
            for r in 0..row.size {
                for c in 0..column.size {
                    let (i, k) = (row.start + r, column.start + c);
                    let between = row.end()..column.start;
                    let known = dot(&u.row(i)[between.clone()], &ut.row(k)[between]);
                    rhs[r * column.size + c] = t[(i, k)] - known;
                }
            }
            let x = off_diagonal(&u, row, column, rhs)?;
            for r in 0..row.size {
                for c in 0..column.size {
                    u[(row.start + r, column.start + c)] = x[r * column.size + c];
                    ut[(column.start + c, row.start + r)] = x[r * column.size + c];
                }
            }
        }
    }
    Some(u)
}

/// The root of a block on the diagonal: of `θ ± iμ` it is `α + (T - θ) / 2α` with `α ± iμ/2α` the roots of these.
fn root_of_block(t: &Dense, u: &mut Dense, block: Block) -> Option<()> {
    let i = block.start;
    if block.size == 1 {
        let x = t[(i, i)];
        u[(i, i)] = if x >= 0.0 { x.sqrt() } else { return None };
        return Some(());
    }
    let (theta, mu) = (t[(i, i)], imaginary(t, i));
    let size = Binary::Hypot.f64(theta, mu);
    let alpha = if theta > 0.0 { (0.5 * (size + theta)).sqrt() } else { 0.5 * mu / (0.5 * (size - theta)).sqrt() };
    u[(i, i)] = alpha;
    u[(i + 1, i + 1)] = alpha;
    u[(i, i + 1)] = t[(i, i + 1)] / (2.0 * alpha);
    u[(i + 1, i)] = t[(i + 1, i)] / (2.0 * alpha);
    Some(())
}

/// The imaginary part of the eigenvalues of a block of two rows in standard form.
fn imaginary(t: &Dense, i: usize) -> f64 {
    t[(i, i + 1)].abs().sqrt() * t[(i + 1, i)].abs().sqrt()
}

/// The X of `U₁ X + X U₂ = rhs` for two blocks of the diagonal.
fn off_diagonal(u: &Dense, row: Block, column: Block, rhs: [f64; 4]) -> Option<[f64; 4]> {
    let (p, q) = (row.size, column.size);
    if p == 1 && q == 1 {
        let sum = u[(row.start, row.start)] + u[(column.start, column.start)];
        // Of a zero eigenvalue that is not defective any root will do, and 0 is the principal one.
        let x = if sum == 0.0 && rhs[0] == 0.0 { 0.0 } else { rhs[0] / sum };
        return x.is_finite().then_some([x, 0.0, 0.0, 0.0]);
    }
    let mut a = [[0.0; 4]; 4];
    for r in 0..p {
        for c in 0..q {
            (0..p).for_each(|i| a[r * q + c][i * q + c] += u[(row.start + r, row.start + i)]);
            (0..q).for_each(|k| a[r * q + c][r * q + k] += u[(column.start + k, column.start + c)]);
        }
    }
    solve_small(a, rhs, p * q)
}

/// The most square roots: of every finite matrix that has a logarithm some fifty lead near the identity.
const MAX_ROOTS: i32 = 100;

/// The distance from the identity within which [`NODES`] serve: below that of the approximant of degree 7 (Higham,
/// "Functions of Matrices", 2008, table 11.1), so that also the derivative is exact to the rounding of `f64`.
const NEAR: f64 = 0.264;

/// The nodes and weights of the Gauss–Legendre rule of ten points on [0, 1]: the Padé approximant of log(1 + x) of that degree
/// is `Σ w x / (1 + node · x)`.
const NODES: [(f64, f64); 10] = [
    (0.01304673574141414, 0.03333567215434407),
    (0.06746831665550775, 0.0747256745752903),
    (0.1602952158504878, 0.10954318125799102),
    (0.2833023029353764, 0.13463335965499817),
    (0.4255628305091844, 0.14776211235737644),
    (0.5744371694908156, 0.14776211235737644),
    (0.7166976970646236, 0.13463335965499817),
    (0.8397047841495122, 0.10954318125799102),
    (0.9325316833444922, 0.0747256745752903),
    (0.9869532642585859, 0.03333567215434407),
];

/// The logarithm of a quasi-triangular matrix of which the first `n` rows say how near to the identity it is; `None`
/// where an eigenvalue is real and not positive.
fn logarithm(t: &Dense, n: usize) -> Option<Dense> {
    if blocks(t).iter().any(|block| block.size == 1 && t[(block.start, block.start)] <= 0.0) {
        return None;
    }
    let mut root = t.clone();
    let mut n_roots = 0;
    while distance(&root, n) > NEAR {
        if n_roots == MAX_ROOTS {
            return None;
        }
        root = square_root(&root)?;
        n_roots += 1;
    }
    root.shift(-1.0);
    let mut log = Dense::zeros(t.rows(), t.rows());
    for (node, weight) in NODES {
        let mut denominator = root.clone().scaled(node);
        denominator.shift(1.0);
        log.add(weight, &solve_quasi_triangular(&denominator, &root)?);
    }
    Some(log.map(|x| times_power_of_two(x, n_roots)))
}

/// The 1-norm of the difference of the first rows from the identity.
fn distance(x: &Dense, n: usize) -> f64 {
    let mut x = x.block(0, 0, n, n);
    x.shift(-1.0);
    x.norm1()
}

/// The X of `t · X = rhs` for quasi-triangular matrices of the same blocks; `None` where it is not finite.
fn solve_quasi_triangular(t: &Dense, rhs: &Dense) -> Option<Dense> {
    let n = t.rows();
    let mut x = rhs.clone();
    for block in blocks(t).into_iter().rev() {
        let first = block.start;
        for i in first..block.end() {
            for k in block.end()..n {
                x.subtract_row(i, k, t[(i, k)], first);
            }
        }
        if block.size == 2 {
            solve_block(t, &mut x, first);
        } else {
            let pivot = t[(first, first)];
            x.row_mut(first).iter_mut().for_each(|x| *x /= pivot);
        }
    }
    x.is_finite().then_some(x)
}

/// Solves with a block of two rows, exchanged if the second has the larger pivot.
fn solve_block(t: &Dense, x: &mut Dense, i: usize) {
    let mut rows = [[t[(i, i)], t[(i, i + 1)]], [t[(i + 1, i)], t[(i + 1, i + 1)]]];
    if rows[1][0].abs() > rows[0][0].abs() {
        rows.swap(0, 1);
        x.swap_rows(i, i + 1);
    }
    let factor = rows[1][0] / rows[0][0];
    let last = rows[1][1] - factor * rows[0][1];
    x.subtract_row(i + 1, i, factor, 0);
    x.row_mut(i + 1).iter_mut().for_each(|x| *x /= last);
    x.subtract_row(i, i + 1, rows[0][1], 0);
    x.row_mut(i).iter_mut().for_each(|x| *x /= rows[0][0]);
}

/// Replaces what has closed formulas: the logarithms of blocks of the diagonal, and what is beside two real eigenvalues.
fn sharpen(t: &Dense, log: &mut Dense) {
    let blocks = blocks(t);
    for block in &blocks {
        let i = block.start;
        if block.size == 1 {
            log[(i, i)] = Unary::Log.f64(t[(i, i)]);
            continue;
        }
        let (theta, mu) = (t[(i, i)], imaginary(t, i));
        let slope = Binary::Atan2.f64(mu, theta) / mu;
        let real = Unary::Log.f64(Binary::Hypot.f64(theta, mu));
        (log[(i, i)], log[(i + 1, i + 1)]) = (real, real);
        log[(i, i + 1)] = slope * t[(i, i + 1)];
        log[(i + 1, i)] = slope * t[(i + 1, i)];
    }
    for pair in blocks.windows(2) {
        if pair[0].size == 1 && pair[1].size == 1 {
            let i = pair[0].start;
            let (x, y) = (t[(i, i)], t[(i + 1, i + 1)]);
            log[(i, i + 1)] = slope_of_log(x, y) * t[(i, i + 1)];
        }
    }
}

/// `(ln y - ln x) / (y - x)`, which is `2 artanh((y - x) / (y + x)) / (y - x)`, and `1 / x` in the limit.
fn slope_of_log(x: f64, y: f64) -> f64 {
    // Far from each other, logarithms do not cancel, and the argument of artanh would round to 1.
    if x < 0.5 * y || y < 0.5 * x {
        return (Unary::Log.f64(y) - Unary::Log.f64(x)) / (y - x);
    }
    match 0.5 * y - 0.5 * x {
        0.0 => 1.0 / x,
        apart => Unary::Atanh.f64(apart / (0.5 * y + 0.5 * x)) / apart,
    }
}
