//! Lanes for processors with AVX2 and fused multiply-add.

use super::Lanes;
use std::arch::x86_64::*;

register! {
    /// Four lanes in one register of 256 bits; reached through entries with the features `avx2,fma`.
    Avx2(__m256d), 4, __m256d;
    splat = |x| _mm256_set1_pd(x);
    load = |from| _mm256_loadu_pd(from);
    store = |to, x| _mm256_storeu_pd(to, x);
    // Masked-out lanes are not read.
    load_part = |from, m| {
        let mask = first(m);
        _mm256_blendv_pd(_mm256_set1_pd(1.0), _mm256_maskload_pd(from, mask), _mm256_castsi256_pd(mask))
    };
    store_part = |to, x, m| store_first(to, x, m);
    fma = |x, y, z| _mm256_fmadd_pd(x, y, z);
    select = |mask, yes, no| _mm256_blendv_pd(no, yes, mask);
    any = |mask| _mm256_movemask_pd(mask) != 0;
    operators {
        Add::add = |x, y| _mm256_add_pd(x, y);
        Sub::sub = |x, y| _mm256_sub_pd(x, y);
        Mul::mul = |x, y| _mm256_mul_pd(x, y);
        Div::div = |x, y| _mm256_div_pd(x, y);
    }
    unary {
        sqrt = |x| _mm256_sqrt_pd(x);
        trunc = |x| _mm256_round_pd::<{ _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC }>(x);
    }
    binary {
        // The instructions are defined by the same comparisons.
        min = |x, y| _mm256_min_pd(x, y);
        max = |x, y| _mm256_max_pd(x, y);
        bit_and = |x, y| _mm256_and_pd(x, y);
        bit_or = |x, y| _mm256_or_pd(x, y);
        bit_xor = |x, y| _mm256_xor_pd(x, y);
        bits_add = |x, y| _mm256_castsi256_pd(_mm256_add_epi64(_mm256_castpd_si256(x), _mm256_castpd_si256(y)));
    }
    compare {
        lt = |x, y| _mm256_cmp_pd::<_CMP_LT_OQ>(x, y);
        le = |x, y| _mm256_cmp_pd::<_CMP_LE_OQ>(x, y);
        eq = |x, y| _mm256_cmp_pd::<_CMP_EQ_OQ>(x, y);
    }
    masks {
        and = |a, b| _mm256_and_pd(a, b);
        or = |a, b| _mm256_or_pd(a, b);
    }
    shifts {
        bits_shl = |x, K| _mm256_castsi256_pd(_mm256_slli_epi64::<K>(_mm256_castpd_si256(x)));
        bits_shr = |x, K| _mm256_castsi256_pd(_mm256_srli_epi64::<K>(_mm256_castpd_si256(x)));
    }
}

/// The mask of the first `m <= 4` lanes.
#[inline(always)]
fn first(m: usize) -> __m256i {
    const LANES: [i64; 8] = [-1, -1, -1, -1, 0, 0, 0, 0];
    debug_assert!(m <= 4);
    // SAFETY: see `register`; four numbers from any of the first five are in the table.
    unsafe { _mm256_loadu_si256(LANES.as_ptr().add(4 - m).cast()) }
}

/// Writes the first `m <= 4` numbers in one or two pieces: stores under a mask take many cycles on some processors.
///
/// # Safety
/// `to` points to `m` writable numbers.
#[inline(always)]
unsafe fn store_first(to: *mut f64, x: __m256d, m: usize) {
    // SAFETY: see `register`; of the pieces, each of which the caller guarantees, none ends behind `m`.
    unsafe {
        match m {
            0 => {}
            1 => _mm_store_sd(to, _mm256_castpd256_pd128(x)),
            2 => _mm_storeu_pd(to, _mm256_castpd256_pd128(x)),
            3 => {
                _mm_storeu_pd(to, _mm256_castpd256_pd128(x));
                _mm_store_sd(to.add(2), _mm256_extractf128_pd::<1>(x));
            }
            _ => _mm256_storeu_pd(to, x),
        }
    }
}
