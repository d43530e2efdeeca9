//! Linear equations of matrices, by real Schur forms: `A X + X B = Q` (Bartels and Stewart 1972) and `X - A X B = Q`.

use super::dense::Dense;
use super::schur::{Block, Schur, blocks};
use super::triangular::dot;

/// Which equation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Equation {
    /// `A X + X B = Q`, Sylvester's.
    Sylvester,
    /// `X - A X B = Q`, Stein's.
    Stein,
}

/// The solution X for A of m rows and B of n rows; NaN where there is none or more than one.
pub(crate) fn solve(equation: Equation, [a, b, q]: [&[f64]; 3], m: usize, n: usize, result: &mut [f64]) {
    let (a, b, q) = (Dense::read(a, m, m), Dense::read(b, n, n), Dense::read(q, m, n));
    solution(equation, &a, &b, &q).unwrap_or_else(|| Dense::nan(m, n)).write(result);
}

/// The solution; `None` where there is none or more than one.
pub(crate) fn solution(equation: Equation, a: &Dense, b: &Dense, q: &Dense) -> Option<Dense> {
    if !q.is_finite() || !b.is_finite() {
        return None;
    }
    let left = Schur::new(a)?;
    let right = if a == b {
        left.clone()
    } else if *a == b.transposed() {
        left.transposed()
    } else {
        Schur::new(b)?
    };
    let inner = left.u.transposed_times(q).times(&right.u);
    let y = quasi_triangular(equation, &left.t, &right.t, &inner)?;
    let x = left.u.times(&y).times_transposed(&right.u);
    x.is_finite().then_some(x)
}

impl Schur {
    /// That of the transpose: the transpose of T becomes upper triangular with its rows and columns in opposite order.
    fn transposed(&self) -> Schur {
        let n = self.t.rows();
        let t = Dense::from_fn(n, n, |i, k| self.t[(n - 1 - k, n - 1 - i)]);
        Schur { u: Dense::from_fn(n, n, |i, k| self.u[(i, n - 1 - k)]), t }
    }
}

/// The solution of the equation of quasi-triangular matrices, column by column of blocks.
fn quasi_triangular(equation: Equation, t: &Dense, s: &Dense, f: &Dense) -> Option<Dense> {
    let (rows, columns) = (blocks(t), blocks(s));
    // The transpose of the solution, so that what is added up lies in a row.
    let mut y = Dense::zeros(f.columns(), f.rows());
    for &column in &columns {
        let mut rhs = right_side(equation, t, s, f, &y, column);
        for &row in rows.iter().rev() {
            subtract_known(equation, t, s, &y, (row, column), &mut rhs);
            let solved = small(equation, t, s, (row, column), &rhs)?;
            for r in 0..row.size {
                for c in 0..column.size {
                    y[(column.start + c, row.start + r)] = solved[r * column.size + c];
                }
            }
        }
    }
    Some(y.transposed())
}

/// What the columns before that block leave of the right side, transposed.
fn right_side(equation: Equation, t: &Dense, s: &Dense, f: &Dense, y: &Dense, column: Block) -> Dense {
    let m = f.rows();
    let mut known = Dense::zeros(column.size, m);
    for c in 0..column.size {
        for i in 0..column.start {
            let factor = s[(i, column.start + c)];
            if factor != 0.0 {
                known.row_mut(c).iter_mut().zip(y.row(i)).for_each(|(x, y)| *x += factor * y);
            }
        }
    }
    let known = match equation {
        Equation::Sylvester => known.scaled(-1.0),
        Equation::Stein => known.times_transposed(t),
    };
    Dense::from_fn(column.size, m, |c, i| f[(i, column.start + c)] + known[(c, i)])
}

/// Takes from the right side of a block what the rows below it give.
fn subtract_known(equation: Equation, t: &Dense, s: &Dense, y: &Dense, (row, column): (Block, Block), rhs: &mut Dense) {
    for i in row.start..row.end() {
        let product = |c: usize| dot(&t.row(i)[row.end()..], &y.row(column.start + c)[row.end()..]);
        let products = [product(0), if column.size == 2 { product(1) } else { 0.0 }];
        for c in 0..column.size {
            rhs[(c, i)] += match equation {
                Equation::Sylvester => -products[c],
                Equation::Stein => {
                    (0..column.size).map(|k| products[k] * s[(column.start + k, column.start + c)]).sum()
                }
            };
        }
    }
}

/// The block of the solution, of at most four elements, in row-major order.
fn small(equation: Equation, t: &Dense, s: &Dense, (row, column): (Block, Block), rhs: &Dense) -> Option<[f64; 4]> {
    let (p, q) = (row.size, column.size);
    if p == 1 && q == 1 {
        let (left, right) = (t[(row.start, row.start)], s[(column.start, column.start)]);
        let pivot = match equation {
            Equation::Sylvester => left + right,
            Equation::Stein => 1.0 - left * right,
        };
        let x = rhs[(0, row.start)] / pivot;
        return x.is_finite().then_some([x, 0.0, 0.0, 0.0]);
    }
    let mut a = [[0.0; 4]; 4];
    let mut b = [0.0; 4];
    for (r, c) in pairs(p, q) {
        b[r * q + c] = rhs[(c, row.start + r)];
        for (i, k) in pairs(p, q) {
            let left = t[(row.start + r, row.start + i)];
            let right = s[(column.start + k, column.start + c)];
            let same = |x: usize, y: usize| f64::from(u8::from(x == y));
            a[r * q + c][i * q + k] = match equation {
                Equation::Sylvester => left * same(c, k) + right * same(r, i),
                Equation::Stein => same(r, i) * same(c, k) - left * right,
            };
        }
    }
    solve_small(a, b, p * q)
}

fn pairs(p: usize, q: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..p).flat_map(move |i| (0..q).map(move |k| (i, k)))
}

/// The solution of n ≤ 4 equations, by elimination with complete pivoting; `None` if a pivot is 0 or a number not finite.
pub(crate) fn solve_small(mut a: [[f64; 4]; 4], mut b: [f64; 4], n: usize) -> Option<[f64; 4]> {
    let mut order = [0, 1, 2, 3];
    for k in 0..n {
        let places = pairs(n - k, n - k).map(|(i, j)| (k + i, k + j));
        let (i, j) = places.max_by(|&(i, j), &(x, y)| a[i][j].abs().total_cmp(&a[x][y].abs()))?;
        if a[i][j] == 0.0 || !a[i][j].is_finite() {
            return None;
        }
        a.swap(k, i);
        b.swap(k, i);
        a[..n].iter_mut().for_each(|row| row.swap(k, j));
        order.swap(k, j);
        let (pivot, pivot_b) = (a[k], b[k]);
        for i in k + 1..n {
            let factor = a[i][k] / pivot[k];
            (k..n).for_each(|j| a[i][j] -= factor * pivot[j]);
            b[i] -= factor * pivot_b;
        }
    }
    let mut x = [0.0; 4];
    for k in (0..n).rev() {
        let known: f64 = (k + 1..n).map(|j| a[k][j] * x[order[j]]).sum();
        x[order[k]] = (b[k] - known) / a[k][k];
    }
    x[..n].iter().all(|x| x.is_finite()).then_some(x)
}
