//! Interleaved accumulators in registers.
//!
//! What the compiler makes of the same sums for several rows at once keeps one accumulator of all rows in a register,
//! and brings the elements of the rows together for each step, which takes more time than the sums do.

use std::arch::x86_64::*;

use super::linear::{ACCUMULATORS, Plain, ROWS, TileDots};

/// The accumulators of one row: product `k` of a tile is added to accumulator `k` modulo [`ACCUMULATORS`].
///
/// A value of such a type exists only in functions that are reached through an entry marked with the features that the
/// intrinsics need, and such an entry is called only if the processor has them. This makes the `unsafe` blocks sound.
pub(super) trait Accumulators: Copy {
    /// What is added.
    type Element: Copy;

    /// All at 0, from which no sum leads to -0.
    fn zero() -> Self;

    /// As many elements.
    fn load(from: &[Self::Element; ACCUMULATORS]) -> Self;

    /// Fewer elements; the rest is 0, so that the product, too, is 0, and changes no accumulator.
    fn load_part(from: &[Self::Element]) -> Self;

    /// `self + w · x`, rounded twice.
    fn add_product(self, w: Self, x: Self) -> Self;

    /// For each row `((a₀+a₄)+(a₂+a₆))+((a₁+a₅)+(a₃+a₇))`.
    fn sums(rows: &[Self; ROWS]) -> [Self::Element; ROWS];

    /// The accumulators one by one.
    fn elements(self) -> [Self::Element; ACCUMULATORS];

    /// The products of as long rows with a vector of so many pairs of elements, and perhaps one more, each summed from left
    /// to right.
    fn in_order<const PAIRS: usize>(rows: [&[Self::Element]; ROWS], x: &[Self::Element]) -> [Self::Element; ROWS];
}

/// For `f64` with AVX2: the first and the second half.
#[derive(Clone, Copy)]
pub(super) struct Doubles([__m256d; 2]);

/// For `f32` with AVX2.
#[derive(Clone, Copy)]
pub(super) struct Singles(__m256);

/// From `ACCUMULATORS - m` on, the masks of lanes of which the first `m` are loaded.
static FIRST_64: [i64; 2 * ACCUMULATORS] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
static FIRST_32: [i32; 2 * ACCUMULATORS] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

/// Where the masks for `m` elements begin in one of these.
fn first_mask(m: usize) -> usize {
    assert!(m <= ACCUMULATORS, "bug: more elements than accumulators");
    ACCUMULATORS - m
}

impl Accumulators for Doubles {
    type Element = f64;

    #[inline(always)]
    fn zero() -> Doubles {
        // SAFETY: see `Accumulators`.
        Doubles([unsafe { _mm256_setzero_pd() }; 2])
    }

    #[inline(always)]
    fn load(from: &[f64; ACCUMULATORS]) -> Doubles {
        let from = from.as_ptr();
        // SAFETY: see `Accumulators`; there are as many elements.
        Doubles(unsafe { [_mm256_loadu_pd(from), _mm256_loadu_pd(from.add(4))] })
    }

    #[inline(always)]
    fn load_part(from: &[f64]) -> Doubles {
        let masks = &FIRST_64[first_mask(from.len())..][..ACCUMULATORS];
        let (from, masks) = (from.as_ptr(), masks.as_ptr().cast::<__m256i>());
        // SAFETY: see `Accumulators`; the masks select as many elements as there are, and nothing else is read: the
        // address of the second half may be beyond the elements, so that it must not be computed within them.
        Doubles(unsafe {
            [
                _mm256_maskload_pd(from, _mm256_loadu_si256(masks)),
                _mm256_maskload_pd(from.wrapping_add(4), _mm256_loadu_si256(masks.add(1))),
            ]
        })
    }

    #[inline(always)]
    fn add_product(self, w: Doubles, x: Doubles) -> Doubles {
        // SAFETY: see `Accumulators`.
        let add = |half: usize| unsafe { _mm256_add_pd(self.0[half], _mm256_mul_pd(w.0[half], x.0[half])) };
        Doubles([add(0), add(1)])
    }

    #[inline(always)]
    fn sums(rows: &[Doubles; ROWS]) -> [f64; ROWS] {
        let mut sums = [0.0; ROWS];
        // SAFETY: see `Accumulators`; there is room for as many sums.
        unsafe {
            let half_sum = |i: usize| _mm256_add_pd(rows[i].0[0], rows[i].0[1]);
            let (p, q, r, s) = (half_sum(0), half_sum(1), half_sum(2), half_sum(3));
            // For two rows each, elements 0 and 1, and to these elements 2 and 3.
            let low = |x, y| _mm256_permute2f128_pd::<0x20>(x, y);
            let high = |x, y| _mm256_permute2f128_pd::<0x31>(x, y);
            let (pq, rs) = (_mm256_add_pd(low(p, q), high(p, q)), _mm256_add_pd(low(r, s), high(r, s)));
            let prqs = _mm256_hadd_pd(pq, rs);
            _mm256_storeu_pd(sums.as_mut_ptr(), _mm256_permute4x64_pd::<0b11_01_10_00>(prqs));
        }
        sums
    }

    #[inline(always)]
    fn elements(self) -> [f64; ACCUMULATORS] {
        let mut elements = [0.0; ACCUMULATORS];
        let to = elements.as_mut_ptr();
        // SAFETY: see `Accumulators`; there is room for as many elements.
        unsafe {
            _mm256_storeu_pd(to, self.0[0]);
            _mm256_storeu_pd(to.add(4), self.0[1]);
        }
        elements
    }

    #[inline(always)]
    fn in_order<const PAIRS: usize>(rows: [&[f64]; ROWS], x: &[f64]) -> [f64; ROWS] {
        let [p, q, r, s] = rows;
        let n = x.len();
        assert_eq!(n / 2, PAIRS, "bug: code for another number of pairs");
        assert!(p.len() == n && q.len() == n && r.len() == n && s.len() == n, "bug: rows of other extents");
        let mut sums = [0.0; ROWS];
        // SAFETY: see `Accumulators`; two elements are left in each row, or one, and there is room for as many sums.
        unsafe {
            let mut sum = _mm256_setzero_pd();
            for k in (0..2 * PAIRS).step_by(2) {
                let two = |row: &[f64]| _mm_loadu_pd(row.as_ptr().add(k));
                let pr = _mm256_insertf128_pd::<1>(_mm256_castpd128_pd256(two(p)), two(r));
                let qs = _mm256_insertf128_pd::<1>(_mm256_castpd128_pd256(two(q)), two(s));
                let product = |elements, x: &f64| _mm256_mul_pd(elements, _mm256_broadcast_sd(x));
                sum = _mm256_add_pd(sum, product(_mm256_unpacklo_pd(pr, qs), &x[k]));
                sum = _mm256_add_pd(sum, product(_mm256_unpackhi_pd(pr, qs), &x[k + 1]));
            }
            if n % 2 == 1 {
                let last = _mm256_set_pd(s[n - 1], r[n - 1], q[n - 1], p[n - 1]);
                sum = _mm256_add_pd(sum, _mm256_mul_pd(last, _mm256_broadcast_sd(&x[n - 1])));
            }
            _mm256_storeu_pd(sums.as_mut_ptr(), sum);
        }
        sums
    }
}

impl Accumulators for Singles {
    type Element = f32;

    #[inline(always)]
    fn zero() -> Singles {
        // SAFETY: see `Accumulators`.
        Singles(unsafe { _mm256_setzero_ps() })
    }

    #[inline(always)]
    fn load(from: &[f32; ACCUMULATORS]) -> Singles {
        // SAFETY: see `Accumulators`; there are as many elements.
        Singles(unsafe { _mm256_loadu_ps(from.as_ptr()) })
    }

    #[inline(always)]
    fn load_part(from: &[f32]) -> Singles {
        let masks = &FIRST_32[first_mask(from.len())..][..ACCUMULATORS];
        // SAFETY: see `Accumulators`; the masks select as many elements as there are, and nothing else is read.
        Singles(unsafe { _mm256_maskload_ps(from.as_ptr(), _mm256_loadu_si256(masks.as_ptr().cast())) })
    }

    #[inline(always)]
    fn add_product(self, w: Singles, x: Singles) -> Singles {
        // SAFETY: see `Accumulators`.
        Singles(unsafe { _mm256_add_ps(self.0, _mm256_mul_ps(w.0, x.0)) })
    }

    #[inline(always)]
    fn sums(rows: &[Singles; ROWS]) -> [f32; ROWS] {
        let mut sums = [0.0; ROWS];
        // SAFETY: see `Accumulators`; there is room for as many sums.
        unsafe {
            let half_sum =
                |i: usize| _mm_add_ps(_mm256_castps256_ps128(rows[i].0), _mm256_extractf128_ps::<1>(rows[i].0));
            let (p, q, r, s) = (half_sum(0), half_sum(1), half_sum(2), half_sum(3));
            // For two rows each, elements 0 and 1, and to these elements 2 and 3.
            let pq = _mm_add_ps(_mm_movelh_ps(p, q), _mm_movehl_ps(q, p));
            let rs = _mm_add_ps(_mm_movelh_ps(r, s), _mm_movehl_ps(s, r));
            _mm_storeu_ps(sums.as_mut_ptr(), _mm_hadd_ps(pq, rs));
        }
        sums
    }

    #[inline(always)]
    fn elements(self) -> [f32; ACCUMULATORS] {
        let mut elements = [0.0; ACCUMULATORS];
        // SAFETY: see `Accumulators`; there is room for as many elements.
        unsafe { _mm256_storeu_ps(elements.as_mut_ptr(), self.0) };
        elements
    }

    #[inline(always)]
    fn in_order<const PAIRS: usize>(rows: [&[f32]; ROWS], x: &[f32]) -> [f32; ROWS] {
        Plain::tile_dots(rows, x)
    }
}
