//! Small matrices as straight-line code: an algorithm is written once, as instructions on elements in registers, from which
//! come machine code and, on eight matrices of a stack at a time, the routine of the interpreter. So both have the same bits.

use crate::op::instructions::Instructions;

/// The largest extent of what is small.
pub(crate) const MAX_EXTENT: usize = 6;

/// The most elements of what belongs to a small matrix: of its factors, which have a column more.
pub(crate) const MAX_ELEMENTS: usize = MAX_EXTENT * (MAX_EXTENT + 1);

/// The lower factor of Cholesky of the symmetric part.
#[inline(always)]
pub(super) fn cholesky<I: Instructions>(i: &mut I, a: &[I::Reg], n: usize) -> Vec<I::Reg> {
    let Some(&first) = a.first() else { return vec![] };
    let [zero, one, half, nan] = [0.0, 1.0, 0.5, f64::NAN].map(|x| i.constant_like(x, first));
    let mut l = vec![zero; n * n];
    let mut exists = None;
    for j in 0..n {
        let mut per_pivot = one;
        for row in j..n {
            let mut x = a[row * n + j];
            if row > j {
                let (x_half, y_half) = (i.mul(half, x), i.mul(half, a[j * n + row]));
                x = i.add(x_half, y_half);
            }
            for k in 0..j {
                let product = i.mul(l[row * n + k], l[j * n + k]);
                x = i.sub(x, product);
            }
            if row > j {
                l[row * n + j] = i.mul(x, per_pivot);
                continue;
            }
            let is_positive = i.gt(x, zero);
            exists = Some(exists.map_or(is_positive, |exists| i.and(exists, is_positive)));
            l[j * n + j] = i.sqrt(x);
            if j + 1 < n {
                per_pivot = i.div(one, l[j * n + j]);
            }
        }
    }
    let exists = exists.expect("bug: a matrix with elements and without a diagonal");
    for (row, column) in below(n) {
        l[row * n + column] = i.select(exists, l[row * n + column], nan);
    }
    l
}

/// The places on and below the diagonal.
fn below(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(|row| (0..=row).map(move |column| (row, column)))
}

/// The cotangent behind that of a factor of Cholesky, column by column from the last; see `math::matrix::cholesky`.
#[inline(always)]
pub(super) fn cholesky_pullback<I: Instructions>(i: &mut I, l: &[I::Reg], l_bar: &[I::Reg], n: usize) -> Vec<I::Reg> {
    let Some(&first) = l.first() else { return vec![] };
    let [zero, half] = [0.0, 0.5].map(|x| i.constant_like(x, first));
    let mut bar = l_bar.to_vec();
    let at = |row: usize, column: usize| row * n + column;
    for j in (0..n).rev() {
        let mut pivot_bar = bar[at(j, j)];
        for row in j + 1..n {
            bar[at(row, j)] = i.div(bar[at(row, j)], l[at(j, j)]);
            let product = i.mul(l[at(row, j)], bar[at(row, j)]);
            pivot_bar = i.sub(pivot_bar, product);
        }
        pivot_bar = i.div(pivot_bar, l[at(j, j)]);
        for k in 0..j {
            let product = i.mul(pivot_bar, l[at(j, k)]);
            bar[at(j, k)] = i.sub(bar[at(j, k)], product);
            for row in j + 1..n {
                let product = i.mul(bar[at(row, j)], l[at(row, k)]);
                bar[at(j, k)] = i.sub(bar[at(j, k)], product);
                let product = i.mul(bar[at(row, j)], l[at(j, k)]);
                bar[at(row, k)] = i.sub(bar[at(row, k)], product);
            }
        }
        bar[at(j, j)] = i.mul(pivot_bar, half);
    }
    let own: Vec<I::Reg> = below(n).map(|(row, column)| l_bar[at(row, column)]).collect();
    let any = any_nonzero(i, &own, zero);
    let mut result = vec![zero; n * n];
    for (row, column) in below(n) {
        let x = if row == column { bar[at(row, row)] } else { i.mul(half, bar[at(row, column)]) };
        let x = i.select(any, x, zero);
        (result[at(row, column)], result[at(column, row)]) = (x, x);
    }
    result
}

#[inline(always)]
fn any_nonzero<I: Instructions>(i: &mut I, x: &[I::Reg], zero: I::Reg) -> I::Reg {
    let mut any = i.ne(x[0], zero);
    for &x in &x[1..] {
        let is_nonzero = i.ne(x, zero);
        any = i.or(any, is_nonzero);
    }
    any
}

/// The factors of elimination with the largest pivots; see `math::matrix::lu`.
#[inline(always)]
pub(super) fn lu<I: Instructions>(i: &mut I, a: &[I::Reg], n: usize) -> Vec<I::Reg> {
    let Some(&first) = a.first() else { return vec![] };
    let zero = i.constant_like(0.0, first);
    let mut rows: Vec<Vec<I::Reg>> = a.chunks(n).map(<[I::Reg]>::to_vec).collect();
    for (number, row) in rows.iter_mut().enumerate() {
        row.push(i.constant_like(number as f64, first));
    }
    for k in 0..n {
        exchange(i, &mut rows, k);
        let pivot = rows[k].clone();
        if k + 1 == n {
            break;
        }
        let is_zero = i.eq(pivot[k], zero);
        for row in &mut rows[k + 1..] {
            let quotient = i.div(row[k], pivot[k]);
            row[k] = i.select(is_zero, row[k], quotient);
            for column in k + 1..n {
                let product = i.mul(row[k], pivot[column]);
                row[column] = i.sub(row[column], product);
            }
        }
    }
    rows.concat()
}

/// Exchanges row `k` with the first of those from there on that has the largest element in column `k`.
#[inline(always)]
fn exchange<I: Instructions>(i: &mut I, rows: &mut [Vec<I::Reg>], k: usize) {
    let mut largest = i.abs(rows[k][k]);
    let mut is_larger = Vec::new();
    for row in &rows[k + 1..] {
        let size = i.abs(row[k]);
        let larger = i.gt(size, largest);
        largest = i.select(larger, size, largest);
        is_larger.push(larger);
    }
    let old = rows[k].clone();
    // The last row that was larger than all before it is the one.
    let mut is_later = None;
    let (head, tail) = rows.split_at_mut(k + 1);
    for (row, larger) in tail.iter_mut().zip(is_larger).rev() {
        let chosen = match is_later {
            None => larger,
            Some(later) => {
                let not = i.not(later);
                i.and(larger, not)
            }
        };
        is_later = Some(match is_later {
            None => larger,
            Some(later) => i.or(later, larger),
        });
        for (column, x) in row.iter_mut().enumerate() {
            head[k][column] = i.select(chosen, *x, head[k][column]);
            *x = i.select(chosen, old[column], *x);
        }
    }
}

/// A triangle in registers.
#[derive(Clone, Copy)]
pub(super) struct Triangle<'a, R> {
    /// The elements of the matrix, in row-major order.
    pub elements: &'a [R],
    /// From one row to the next.
    pub stride: usize,
    /// Whether it is the lower triangle of the matrix.
    pub lower: bool,
    /// Whether the transpose is meant.
    pub transposed: bool,
    /// Whether the diagonal counts as ones.
    pub unit: bool,
}

impl<R: Copy> Triangle<'_, R> {
    #[inline(always)]
    fn at(&self, row: usize, column: usize) -> R {
        let (row, column) = if self.transposed { (column, row) } else { (row, column) };
        self.elements[row * self.stride + column]
    }

    /// Solves for the columns of `x`, of which each row has `k` elements, in place.
    #[inline(always)]
    pub fn solve<I: Instructions<Reg = R>>(self, i: &mut I, x: &mut [R], k: usize) {
        let n = x.len().checked_div(k).unwrap_or(0);
        let forward = self.lower != self.transposed;
        for step in 0..n {
            let (row, known) = if forward { (step, 0..step) } else { (n - 1 - step, n - step..n) };
            for column in 0..k {
                let mut rest = x[row * k + column];
                for other in known.clone() {
                    let product = i.mul(self.at(row, other), x[other * k + column]);
                    rest = i.sub(rest, product);
                }
                x[row * k + column] = if self.unit { rest } else { i.div(rest, self.at(row, row)) };
            }
        }
    }
}

/// The solution of `l·lᵀ·x = b`.
#[inline(always)]
pub(super) fn solve_cholesky<I: Instructions>(
    i: &mut I,
    l: &[I::Reg],
    n: usize,
    b: &[I::Reg],
    k: usize,
) -> Vec<I::Reg> {
    let mut x = b.to_vec();
    let triangle = Triangle { elements: l, stride: n, lower: true, transposed: false, unit: false };
    triangle.solve(i, &mut x, k);
    Triangle { transposed: true, ..triangle }.solve(i, &mut x, k);
    x
}

/// The solution of `a·x = b`, or with the transpose of `a`, given the factors of [`lu`].
#[inline(always)]
pub(super) fn solve_lu<I: Instructions>(
    i: &mut I,
    factors: &[I::Reg],
    n: usize,
    transposed: bool,
    b: &[I::Reg],
    k: usize,
) -> Vec<I::Reg> {
    let upper = Triangle { elements: factors, stride: n + 1, lower: false, transposed, unit: false };
    let lower = Triangle { lower: true, unit: true, ..upper };
    if transposed {
        let mut x = b.to_vec();
        upper.solve(i, &mut x, k);
        lower.solve(i, &mut x, k);
        return moved(i, factors, n, &x, k, true);
    }
    let mut x = moved(i, factors, n, b, k, false);
    lower.solve(i, &mut x, k);
    upper.solve(i, &mut x, k);
    x
}

/// The rows of `x` in the order of the factors' rows, or back in their own.
#[inline(always)]
fn moved<I: Instructions>(i: &mut I, factors: &[I::Reg], n: usize, x: &[I::Reg], k: usize, back: bool) -> Vec<I::Reg> {
    let mut result: Vec<I::Reg> = (0..n).flat_map(|_| x[..k].to_vec()).collect();
    for place in 0..n {
        let from = factors[place * (n + 1) + n];
        for row in 0..n {
            // The first row stands where no other is selected; of a permutation that is where it belongs.
            let (to, source) = if back { (row, place) } else { (place, row) };
            if source == 0 {
                continue;
            }
            let number = i.constant_like(row as f64, from);
            let is_it = i.eq(from, number);
            for column in 0..k {
                let at = to * k + column;
                result[at] = i.select(is_it, x[source * k + column], result[at]);
            }
        }
    }
    result
}

/// The columns of `x` that belong to zero columns of `b` as zeros.
#[inline(always)]
pub(super) fn zero_where_zero<I: Instructions>(i: &mut I, x: &mut [I::Reg], b: &[I::Reg], k: usize) {
    let Some(&first) = b.first() else { return };
    let zero = i.constant_like(0.0, first);
    for column in 0..k {
        let own: Vec<I::Reg> = b.iter().skip(column).step_by(k).copied().collect();
        let any = any_nonzero(i, &own, zero);
        for x in x.iter_mut().skip(column).step_by(k) {
            *x = i.select(any, *x, zero);
        }
    }
}

/// The unit matrix.
#[inline(always)]
pub(super) fn identity<I: Instructions>(i: &mut I, n: usize, like: I::Reg) -> Vec<I::Reg> {
    let [zero, one] = [0.0, 1.0].map(|x| i.constant_like(x, like));
    (0..n * n).map(|k| if k / n == k % n { one } else { zero }).collect()
}
