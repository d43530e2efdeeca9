//! Lanes for processors with AVX-512.

use super::Lanes;
use std::arch::x86_64::*;

register! {
    /// Eight lanes in one register of 512 bits; reached through entries with the features `avx512f,avx512dq`.
    Avx512(__m512d), 8, __mmask8;
    splat = |x| _mm512_set1_pd(x);
    load = |from| _mm512_loadu_pd(from);
    store = |to, x| _mm512_storeu_pd(to, x);
    // Masked-out lanes are neither read nor written.
    load_part = |from, m| _mm512_mask_loadu_pd(_mm512_set1_pd(1.0), first(m), from);
    store_part = |to, x, m| _mm512_mask_storeu_pd(to, first(m), x);
    fma = |x, y, z| _mm512_fmadd_pd(x, y, z);
    select = |mask, yes, no| _mm512_mask_blend_pd(mask, no, yes);
    any = |mask| _kortestz_mask8_u8(mask, mask) == 0;
    operators {
        Add::add = |x, y| _mm512_add_pd(x, y);
        Sub::sub = |x, y| _mm512_sub_pd(x, y);
        Mul::mul = |x, y| _mm512_mul_pd(x, y);
        Div::div = |x, y| _mm512_div_pd(x, y);
    }
    unary {
        sqrt = |x| _mm512_sqrt_pd(x);
        // Rounds to an integer: the number of binary fraction digits, in the upper half of the constant, is 0.
        trunc = |x| _mm512_roundscale_pd::<{ _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC }>(x);
    }
    binary {
        // The instructions are defined by the same comparisons.
        min = |x, y| _mm512_min_pd(x, y);
        max = |x, y| _mm512_max_pd(x, y);
        bit_and = |x, y| _mm512_and_pd(x, y);
        bit_or = |x, y| _mm512_or_pd(x, y);
        bit_xor = |x, y| _mm512_xor_pd(x, y);
        bits_add = |x, y| _mm512_castsi512_pd(_mm512_add_epi64(_mm512_castpd_si512(x), _mm512_castpd_si512(y)));
    }
    compare {
        lt = |x, y| _mm512_cmp_pd_mask::<_CMP_LT_OQ>(x, y);
        le = |x, y| _mm512_cmp_pd_mask::<_CMP_LE_OQ>(x, y);
        eq = |x, y| _mm512_cmp_pd_mask::<_CMP_EQ_OQ>(x, y);
    }
    masks {
        and = |a, b| _kand_mask8(a, b);
        or = |a, b| _kor_mask8(a, b);
    }
    shifts {
        // The intrinsics with a constant shift take another type than `K`; these compile to the same instructions.
        bits_shl = |x, K| _mm512_castsi512_pd(_mm512_sll_epi64(_mm512_castpd_si512(x), _mm_cvtsi32_si128(K)));
        bits_shr = |x, K| _mm512_castsi512_pd(_mm512_srl_epi64(_mm512_castpd_si512(x), _mm_cvtsi32_si128(K)));
    }
}

/// The mask of the first `m` lanes, for `m` from one to all.
#[inline(always)]
fn first(m: usize) -> __mmask8 {
    u8::MAX >> (8 - m)
}
