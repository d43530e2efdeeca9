//! Complex matrices in rules, as pairs: products in which zeros annihilate, inverses, and the gauge of vectors.

use super::interleaved;
use super::parts::{lower_part, upper_part};
use super::products::{
    along_columns, along_rows, column_products, diagonal, rounding_of, scaled_columns, times, times_transposed,
    transposed_times, with_diagonal,
};
use super::{Factors, Inverse, Lu, TriangularSolve};
use crate::op::complex::Complex;
use crate::op::trace::apply;
use crate::op::{Strong, Var, strong_product};
use crate::value::DType;

impl Complex {
    /// Cotangents, of which one that is missing is 0.
    #[track_caller]
    pub(super) fn from_parts(re: Option<Var>, im: Option<Var>, like: Var) -> Complex {
        let zero = || if like.is_poisoned() { like } else { like.full_like(0.0) };
        Complex { re: re.unwrap_or_else(zero), im: im.unwrap_or_else(zero) }
    }

    /// Cotangents of a complex result, if there is one of a part.
    #[track_caller]
    pub(super) fn any_part(re: Option<Var>, im: Option<Var>, like: Var) -> Option<Complex> {
        (re.is_some() || im.is_some()).then(|| Complex::from_parts(re, im, like))
    }

    /// Those of the parts that are wanted.
    pub(super) fn wanted(self, wanted: &[bool]) -> Vec<Option<Var>> {
        vec![wanted[0].then_some(self.re), wanted[1].then_some(self.im)]
    }

    /// `(X + Xᴴ) / 2`.
    #[track_caller]
    pub(super) fn hermitian_part(self) -> Complex {
        (self + self.adjoint()).each(|part| part * 0.5)
    }

    /// `(X - Xᴴ) / 2`.
    #[track_caller]
    pub(super) fn skew_part(self) -> Complex {
        (self - self.adjoint()).each(|part| part * 0.5)
    }

    /// Elements times real numbers; zeros of the elements annihilate these.
    #[track_caller]
    pub(super) fn by(self, factors: Var) -> Complex {
        self.each(|part| strong_product(part, factors, Strong::Lhs))
    }

    /// The real parts of the inner products of columns at the same place, where zeros of this operand annihilate.
    #[track_caller]
    pub(super) fn inner_products(self, y: Complex) -> Var {
        column_products(self.re, y.re, Strong::Lhs) + column_products(self.im, y.im, Strong::Lhs)
    }

    /// `X · Y`.
    #[track_caller]
    pub(super) fn times(self, y: Complex, zeros: Strong) -> Complex {
        Complex {
            re: times(self.re, y.re, zeros) - times(self.im, y.im, zeros),
            im: times(self.re, y.im, zeros) + times(self.im, y.re, zeros),
        }
    }

    /// `Xᴴ · Y`.
    #[track_caller]
    pub(super) fn conjugate_transposed_times(self, y: Complex, zeros: Strong) -> Complex {
        Complex {
            re: transposed_times(self.re, y.re, zeros) + transposed_times(self.im, y.im, zeros),
            im: transposed_times(self.re, y.im, zeros) - transposed_times(self.im, y.re, zeros),
        }
    }

    /// `X · Yᴴ`.
    #[track_caller]
    pub(super) fn times_conjugate_transposed(self, y: Complex, zeros: Strong) -> Complex {
        Complex {
            re: times_transposed(self.re, y.re, zeros) + times_transposed(self.im, y.im, zeros),
            im: times_transposed(self.im, y.re, zeros) - times_transposed(self.re, y.im, zeros),
        }
    }

    /// The products of elements at the same place.
    #[track_caller]
    pub(super) fn elementwise(self, y: Complex, zeros: Strong) -> Complex {
        let product = |x: Var, y: Var| strong_product(x, y, zeros);
        Complex {
            re: product(self.re, y.re) - product(self.im, y.im),
            im: product(self.re, y.im) + product(self.im, y.re),
        }
    }
}

/// The inverse of a complex matrix; NaN if that is singular to working precision.
#[track_caller]
pub(super) fn inverse(v: Complex) -> Complex {
    if v.re.is_poisoned() || v.im.is_poisoned() {
        return v;
    }
    // Complex matrices multiply as the real ones [[re, -im], [im, re]] do.
    let (rank, n) = (v.re.rank(), v.re.shape()[v.re.rank() - 1]);
    let upper = Var::concatenate(&[v.re, -v.im], rank - 1);
    let lower = Var::concatenate(&[v.im, v.re], rank - 1);
    let real = Var::concatenate(&[upper, lower], rank - 2);
    let inverse = apply(Inverse { factors: Factors::Lu }, &[real, apply(Lu, &[real])]);
    let first = inverse.slice_axis(rank - 1, 0, n, 1);
    let largest = first.abs().max_axes(&[rank - 2, rank - 1]).insert_axis(rank - 2).insert_axis(rank - 1);
    let exists = largest.less(1.0 / (16.0 * v.re.dtype().epsilon())).broadcast_to(&first.shape());
    let first = exists.select(first, f64::NAN);
    Complex { re: first.slice_axis(rank - 2, 0, n, 1), im: first.slice_axis(rank - 2, n, 2 * n, 1) }
}

/// The lower triangles from a diagonal on.
#[track_caller]
pub(super) fn lower(x: Complex, k: i64) -> Complex {
    x.each(|part| lower_part(part, k))
}

/// The upper triangles from a diagonal on.
#[track_caller]
pub(super) fn upper(x: Complex, k: i64) -> Complex {
    x.each(|part| upper_part(part, k))
}

/// What is solved with a triangle of complex matrices.
#[derive(Clone, Copy)]
pub(super) struct Triangle {
    /// Whether it is the lower triangle.
    pub lower: bool,
    /// Whether its adjoint is meant.
    pub adjoint: bool,
    /// Whether its diagonal counts as ones.
    pub unit: bool,
}

impl Triangle {
    /// The solution of `T · x = b`, where zeros of `b` annihilate.
    ///
    /// The real matrix has blocks on its diagonal, so it is triangular only where that is real: `T = D·U`, or `T = U·D` for
    /// the adjoint, where the diagonal of `U` is 1.
    #[track_caller]
    pub(super) fn solve(self, t: Complex, b: Complex) -> Complex {
        if [t.re, t.im, b.re, b.im].iter().any(|part| part.is_poisoned()) {
            return t;
        }
        let Triangle { lower, adjoint, unit } = self;
        let (t, b) = if unit {
            (t, b)
        } else {
            let over = inverses(t.each(diagonal));
            let along = |x: Complex, factors: Complex| x.elementwise(factors, Strong::Lhs);
            let spread = |to: fn(Var) -> Var, like: Var| over.each(|part| to(part).broadcast_to(&like.shape()));
            if adjoint {
                (along(t, spread(along_rows, t.re)), along(b, spread(along_columns, b.re).conj()))
            } else {
                (along(t, spread(along_columns, t.re)), along(b, spread(along_columns, b.re)))
            }
        };
        let ones = t.re.shape()[..t.re.rank() - 1].to_vec();
        let ones = Var::number(1.0, t.re.dtype()).broadcast_to(&ones);
        let t = Complex { re: with_diagonal(t.re, ones), im: with_diagonal(t.im, ones.full_like(0.0)) };
        let op = TriangularSolve { lower, transposed: adjoint, unit: true, strong: true };
        let columns = interleaved::columns(Complex { re: b.re, im: b.im });
        let x = interleaved::of_columns(apply(op, &[interleaved::matrices(t), columns]));
        Complex { re: x.re, im: x.im }
    }
}

/// `1 / z`; no square overflows or vanishes.
#[track_caller]
fn inverses(z: Complex) -> Complex {
    let size = z.re.hypot(z.im);
    z.conj().each(|part| part / size / size)
}

/// `1 / (w[j] - w[i])`, and 0 where the two are equal but for rounding.
#[track_caller]
pub(super) fn inverse_gaps(w: Complex) -> Complex {
    let gap = w.each(|part| along_rows(part) - along_columns(part));
    if gap.re.is_poisoned() || gap.im.is_poisoned() {
        return gap;
    }
    let noise = along_columns(along_columns(rounding_of(w.re.hypot(w.im)))).broadcast_to(&gap.re.shape());
    let are_equal = gap.re.hypot(gap.im).less_equal(noise);
    let safe = are_equal.select(1.0, gap.re);
    let size = safe.hypot(gap.im);
    let quotient = |part: Var| are_equal.select(0.0, part / size / size);
    Complex { re: quotient(safe), im: quotient(-gap.im) }
}

/// Where the elements of columns lie that are real and positive by the gauge, and how large they are.
#[track_caller]
pub(super) fn pivots(v: Complex) -> (Var, Var) {
    if v.re.is_poisoned() || v.im.is_poisoned() {
        return (v.re, v.re);
    }
    let (rank, shape) = (v.re.rank(), v.re.shape());
    let n = shape[rank - 1];
    let size = v.re.square() + v.im.square();
    let largest = size.max_axes(&[rank - 2]).insert_axis(rank - 2);
    // A little less than a quarter, since squares are rounded.
    let leads = v.im.equal(0.0) & v.re.greater(0.0) & size.greater_equal(largest * 0.2499);
    let row = Var::iota(&shape, rank - 2, DType::I64);
    let first = leads.select(row, n as i64).min_axes(&[rank - 2]).insert_axis(rank - 2);
    let is_first = row.equal(first.broadcast_to(&shape));
    (is_first, pivot_of(is_first, v.re))
}

/// The elements at pivots, one for each column.
#[track_caller]
pub(super) fn pivot_of(pivot: Var, x: Var) -> Var {
    if pivot.is_poisoned() || x.is_poisoned() {
        return Var::poisoned();
    }
    pivot.select(x, 0.0).sum_axes(&[x.rank() - 2])
}

/// By how much the phases of columns change, which move freely, so that pivots stay real.
#[track_caller]
pub(super) fn phase_rates(v: Complex, free: Complex) -> Var {
    let (pivot, size) = pivots(v);
    -strong_product(pivot_of(pivot, free.im), size.recip(), Strong::Lhs)
}

/// `i X diag(rates)`: how columns change with their phases.
#[track_caller]
pub(super) fn turned(x: Complex, rates: Var) -> Complex {
    let along = |part: Var| scaled_columns(part, rates, Strong::Rhs);
    Complex { re: -along(x.im), im: along(x.re) }
}

/// The cotangents of the phases of columns, from those of the columns.
#[track_caller]
pub(super) fn of_phases(v: Complex, ct: Complex) -> Var {
    column_products(ct.re, v.im, Strong::Lhs) - column_products(ct.im, v.re, Strong::Lhs)
}

/// The cotangents of columns that move freely, from those within the gauge, and the cotangents of their phases: the transpose
/// of [`phase_rates`].
#[track_caller]
pub(super) fn freed(v: Complex, ct: Complex, of_phases: Var) -> Complex {
    let (pivot, size) = pivots(v);
    let by_phase = along_rows(strong_product(of_phases, size.recip(), Strong::Lhs));
    if pivot.is_poisoned() || by_phase.is_poisoned() || ct.im.is_poisoned() {
        return ct;
    }
    let at_pivot = pivot.select(by_phase.broadcast_to(&ct.im.shape()), 0.0);
    Complex { re: ct.re, im: ct.im + at_pivot }
}

/// What passes through the multiples of the columns that keep the gauge.
#[track_caller]
pub(super) fn within_gauge(v: Complex, ct: Complex) -> Complex {
    let (pivot, size) = pivots(v);
    let re = column_products(ct.re, v.re, Strong::Lhs) + column_products(ct.im, v.im, Strong::Lhs);
    let im = column_products(ct.re, v.im, Strong::Lhs) - column_products(ct.im, v.re, Strong::Lhs);
    let along = |part: Var| scaled_columns(part, re, Strong::Rhs);
    let by_phase = along_rows(strong_product(im, size.recip(), Strong::Lhs));
    let of_im = ct.im - along(v.im);
    if pivot.is_poisoned() || of_im.is_poisoned() {
        return ct;
    }
    let at_pivot = pivot.select(by_phase.broadcast_to(&of_im.shape()), 0.0);
    Complex { re: ct.re - along(v.re), im: of_im + at_pivot }
}
