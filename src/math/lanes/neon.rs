//! Lanes for 64-bit ARM processors.

use super::Lanes;
use std::arch::aarch64::*;

register! {
    /// Two lanes in one register of 128 bits; reached through entries with the feature `neon`.
    Neon(float64x2_t), 2, uint64x2_t;
    splat = |x| vdupq_n_f64(x);
    load = |from| vld1q_f64(from);
    store = |to, x| vst1q_f64(to, x);
    // The summand comes first.
    fma = |x, y, z| vfmaq_f64(z, x, y);
    select = |mask, yes, no| vbslq_f64(mask, yes, no);
    any = |mask| vmaxvq_u32(vreinterpretq_u32_u64(mask)) != 0;
    operators {
        Add::add = |x, y| vaddq_f64(x, y);
        Sub::sub = |x, y| vsubq_f64(x, y);
        Mul::mul = |x, y| vmulq_f64(x, y);
        Div::div = |x, y| vdivq_f64(x, y);
    }
    unary {
        sqrt = |x| vsqrtq_f64(x);
        trunc = |x| vrndq_f64(x);
    }
    binary {
        bit_and = |x, y| number(vandq_u64(bits(x), bits(y)));
        bit_or = |x, y| number(vorrq_u64(bits(x), bits(y)));
        bit_xor = |x, y| number(veorq_u64(bits(x), bits(y)));
        bits_add = |x, y| number(vaddq_u64(bits(x), bits(y)));
    }
    compare {
        lt = |x, y| vcltq_f64(x, y);
        le = |x, y| vcleq_f64(x, y);
        eq = |x, y| vceqq_f64(x, y);
    }
    masks {
        and = |a, b| vandq_u64(a, b);
        or = |a, b| vorrq_u64(a, b);
    }
    shifts {
        bits_shl = |x, K| number(vshlq_n_u64::<K>(bits(x)));
        bits_shr = |x, K| number(vshrq_n_u64::<K>(bits(x)));
    }
}

/// The bits of both lanes.
#[inline]
#[target_feature(enable = "neon")]
fn bits(x: float64x2_t) -> uint64x2_t {
    vreinterpretq_u64_f64(x)
}

/// The numbers with these bits.
#[inline]
#[target_feature(enable = "neon")]
fn number(x: uint64x2_t) -> float64x2_t {
    vreinterpretq_f64_u64(x)
}
