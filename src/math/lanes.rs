//! One number, or several side by side: what the definitions of this folder are generic over.
//!
//! Every operation here is exact or correctly rounded by IEEE 754 and works on each lane by itself, so a function
//! built from them gives the same bits in every implementation.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// `N` numbers of type `f64`, side by side.
pub(super) trait Lanes:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// The number of lanes.
    const N: usize;
    /// One truth value per lane.
    type Mask: Copy;

    /// The same number in every lane.
    fn splat(x: f64) -> Self;
    /// The same bits in every lane.
    #[inline(always)]
    fn splat_bits(bits: u64) -> Self {
        Self::splat(f64::from_bits(bits))
    }
    /// Reads `N` numbers; `from` need not be aligned.
    ///
    /// # Safety
    /// `from` points to `N` readable numbers.
    unsafe fn load(from: *const f64) -> Self;
    /// Writes `N` numbers; `to` need not be aligned.
    ///
    /// # Safety
    /// `to` points to `N` writable numbers.
    unsafe fn store(self, to: *mut f64);

    /// `self * y + z`, rounded once.
    fn fma(self, y: Self, z: Self) -> Self;
    /// The square root, correctly rounded.
    fn sqrt(self) -> Self;
    /// The integer next to `self` towards zero.
    fn trunc(self) -> Self;

    /// Whether `self < y`; false where either is NaN.
    fn lt(self, y: Self) -> Self::Mask;
    /// Whether `self <= y`; false where either is NaN.
    fn le(self, y: Self) -> Self::Mask;
    /// Whether `self == y`; false where either is NaN.
    fn eq(self, y: Self) -> Self::Mask;
    /// Both.
    fn and(a: Self::Mask, b: Self::Mask) -> Self::Mask;
    /// Either, or both.
    fn or(a: Self::Mask, b: Self::Mask) -> Self::Mask;
    /// Whether the mask holds in some lane.
    fn any(mask: Self::Mask) -> bool;
    /// `yes` where the mask holds, `no` elsewhere.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;

    /// The bits of `self` and those of `y`, by bitwise and.
    fn bit_and(self, y: Self) -> Self;
    /// The bits of `self` and those of `y`, by bitwise or.
    fn bit_or(self, y: Self) -> Self;
    /// The bits of `self` and those of `y`, by bitwise exclusive or.
    fn bit_xor(self, y: Self) -> Self;
    /// The sum of the bits of `self` and `y`, taken as 64-bit integers, modulo 2⁶⁴.
    fn bits_add(self, y: Self) -> Self;
    /// The bits of `self`, shifted towards the sign.
    fn bits_shl<const K: i32>(self) -> Self;
    /// The bits of `self`, shifted away from the sign; zeros come in.
    fn bits_shr<const K: i32>(self) -> Self;

    /// `|self|`.
    #[inline(always)]
    fn abs(self) -> Self {
        self.bit_and(Self::splat_bits(!SIGN))
    }
    /// The sign bit alone.
    #[inline(always)]
    fn sign(self) -> Self {
        self.bit_and(Self::splat_bits(SIGN))
    }
    /// The smaller one, and `y` where either is NaN.
    #[inline(always)]
    fn min(self, y: Self) -> Self {
        Self::select(self.lt(y), self, y)
    }
    /// The larger one, and `y` where either is NaN.
    #[inline(always)]
    fn max(self, y: Self) -> Self {
        Self::select(y.lt(self), self, y)
    }
    /// Whether `self` is a number: false where it is NaN.
    #[inline(always)]
    fn is_number(self) -> Self::Mask {
        self.eq(self)
    }
    /// `self` with the one NaN that this folder returns in place of any NaN.
    ///
    /// Processors disagree on the sign and the payload of a NaN that comes out of arithmetic.
    #[inline(always)]
    fn canonical(self) -> Self {
        Self::select(self.is_number(), self, Self::splat(f64::NAN))
    }
    /// `f` of each pair of lanes, one after the other: for what is rare or has no lanes.
    #[inline(always)]
    fn zip(self, y: Self, f: impl Fn(f64, f64) -> f64) -> Self {
        let mut left = [0.0; MAX_LANES];
        let mut right = [0.0; MAX_LANES];
        // SAFETY: the arrays have room for the lanes of every implementation.
        unsafe {
            self.store(left.as_mut_ptr());
            y.store(right.as_mut_ptr());
        }
        for (left, right) in left[..Self::N].iter_mut().zip(right) {
            *left = f(*left, right);
        }
        // SAFETY: as above.
        unsafe { Self::load(left.as_ptr()) }
    }
}

/// The sign bit of an `f64`.
pub(super) const SIGN: u64 = 1 << 63;

/// The largest `N` of all implementations.
pub(super) const MAX_LANES: usize = 8;

impl Lanes for f64 {
    const N: usize = 1;
    type Mask = bool;

    #[inline(always)]
    fn splat(x: f64) -> f64 {
        x
    }
    #[inline(always)]
    unsafe fn load(from: *const f64) -> f64 {
        // SAFETY: the caller promises one readable number.
        unsafe { from.read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f64) {
        // SAFETY: the caller promises room for one number.
        unsafe { to.write_unaligned(self) }
    }
    #[inline(always)]
    fn fma(self, y: f64, z: f64) -> f64 {
        self.mul_add(y, z)
    }
    #[inline(always)]
    fn sqrt(self) -> f64 {
        f64::sqrt(self)
    }
    #[inline(always)]
    fn trunc(self) -> f64 {
        f64::trunc(self)
    }
    #[inline(always)]
    fn lt(self, y: f64) -> bool {
        self < y
    }
    #[inline(always)]
    fn le(self, y: f64) -> bool {
        self <= y
    }
    #[inline(always)]
    fn eq(self, y: f64) -> bool {
        self == y
    }
    #[inline(always)]
    fn and(a: bool, b: bool) -> bool {
        a & b
    }
    #[inline(always)]
    fn or(a: bool, b: bool) -> bool {
        a | b
    }
    #[inline(always)]
    fn any(mask: bool) -> bool {
        mask
    }
    #[inline(always)]
    fn select(mask: bool, yes: f64, no: f64) -> f64 {
        if mask { yes } else { no }
    }
    #[inline(always)]
    fn bit_and(self, y: f64) -> f64 {
        f64::from_bits(self.to_bits() & y.to_bits())
    }
    #[inline(always)]
    fn bit_or(self, y: f64) -> f64 {
        f64::from_bits(self.to_bits() | y.to_bits())
    }
    #[inline(always)]
    fn bit_xor(self, y: f64) -> f64 {
        f64::from_bits(self.to_bits() ^ y.to_bits())
    }
    #[inline(always)]
    fn bits_add(self, y: f64) -> f64 {
        f64::from_bits(self.to_bits().wrapping_add(y.to_bits()))
    }
    #[inline(always)]
    fn bits_shl<const K: i32>(self) -> f64 {
        f64::from_bits(self.to_bits() << K)
    }
    #[inline(always)]
    fn bits_shr<const K: i32>(self) -> f64 {
        f64::from_bits(self.to_bits() >> K)
    }
}

/// Twice as many lanes.
///
/// Two independent vectors side by side keep a processor busy that can look ahead by less than one evaluation, and
/// share the loads of constants.
#[derive(Clone, Copy)]
pub(super) struct Twice<L>(L, L);

/// Four lanes in plain Rust, for processors without an implementation of their own.
pub(super) type Portable = Twice<Twice<f64>>;

impl<L: Lanes> Twice<L> {
    #[inline(always)]
    fn each(self, f: impl Fn(L) -> L) -> Twice<L> {
        Twice(f(self.0), f(self.1))
    }
    #[inline(always)]
    fn both(self, y: Twice<L>, f: impl Fn(L, L) -> L) -> Twice<L> {
        Twice(f(self.0, y.0), f(self.1, y.1))
    }
    #[inline(always)]
    fn compare(self, y: Twice<L>, f: impl Fn(L, L) -> L::Mask) -> (L::Mask, L::Mask) {
        (f(self.0, y.0), f(self.1, y.1))
    }
}

impl<L: Lanes> Add for Twice<L> {
    type Output = Twice<L>;
    #[inline(always)]
    fn add(self, y: Twice<L>) -> Twice<L> {
        Twice(self.0 + y.0, self.1 + y.1)
    }
}

impl<L: Lanes> Sub for Twice<L> {
    type Output = Twice<L>;
    #[inline(always)]
    fn sub(self, y: Twice<L>) -> Twice<L> {
        Twice(self.0 - y.0, self.1 - y.1)
    }
}

impl<L: Lanes> Mul for Twice<L> {
    type Output = Twice<L>;
    #[inline(always)]
    fn mul(self, y: Twice<L>) -> Twice<L> {
        Twice(self.0 * y.0, self.1 * y.1)
    }
}

impl<L: Lanes> Div for Twice<L> {
    type Output = Twice<L>;
    #[inline(always)]
    fn div(self, y: Twice<L>) -> Twice<L> {
        Twice(self.0 / y.0, self.1 / y.1)
    }
}

impl<L: Lanes> Neg for Twice<L> {
    type Output = Twice<L>;
    #[inline(always)]
    fn neg(self) -> Twice<L> {
        Twice(-self.0, -self.1)
    }
}

impl<L: Lanes> Lanes for Twice<L> {
    const N: usize = 2 * L::N;
    type Mask = (L::Mask, L::Mask);

    #[inline(always)]
    fn splat(x: f64) -> Twice<L> {
        Twice(L::splat(x), L::splat(x))
    }
    #[inline(always)]
    unsafe fn load(from: *const f64) -> Twice<L> {
        // SAFETY: the caller promises that both halves are readable.
        unsafe { Twice(L::load(from), L::load(from.add(L::N))) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f64) {
        // SAFETY: the caller promises that both halves are writable.
        unsafe {
            self.0.store(to);
            self.1.store(to.add(L::N));
        }
    }
    #[inline(always)]
    fn fma(self, y: Twice<L>, z: Twice<L>) -> Twice<L> {
        Twice(self.0.fma(y.0, z.0), self.1.fma(y.1, z.1))
    }
    #[inline(always)]
    fn sqrt(self) -> Twice<L> {
        self.each(L::sqrt)
    }
    #[inline(always)]
    fn trunc(self) -> Twice<L> {
        self.each(L::trunc)
    }
    #[inline(always)]
    fn min(self, y: Twice<L>) -> Twice<L> {
        self.both(y, L::min)
    }
    #[inline(always)]
    fn max(self, y: Twice<L>) -> Twice<L> {
        self.both(y, L::max)
    }
    #[inline(always)]
    fn lt(self, y: Twice<L>) -> Self::Mask {
        self.compare(y, L::lt)
    }
    #[inline(always)]
    fn le(self, y: Twice<L>) -> Self::Mask {
        self.compare(y, L::le)
    }
    #[inline(always)]
    fn eq(self, y: Twice<L>) -> Self::Mask {
        self.compare(y, L::eq)
    }
    #[inline(always)]
    fn and(a: Self::Mask, b: Self::Mask) -> Self::Mask {
        (L::and(a.0, b.0), L::and(a.1, b.1))
    }
    #[inline(always)]
    fn or(a: Self::Mask, b: Self::Mask) -> Self::Mask {
        (L::or(a.0, b.0), L::or(a.1, b.1))
    }
    #[inline(always)]
    fn any(mask: Self::Mask) -> bool {
        L::any(L::or(mask.0, mask.1))
    }
    #[inline(always)]
    fn select(mask: Self::Mask, yes: Twice<L>, no: Twice<L>) -> Twice<L> {
        Twice(L::select(mask.0, yes.0, no.0), L::select(mask.1, yes.1, no.1))
    }
    #[inline(always)]
    fn bit_and(self, y: Twice<L>) -> Twice<L> {
        self.both(y, L::bit_and)
    }
    #[inline(always)]
    fn bit_or(self, y: Twice<L>) -> Twice<L> {
        self.both(y, L::bit_or)
    }
    #[inline(always)]
    fn bit_xor(self, y: Twice<L>) -> Twice<L> {
        self.both(y, L::bit_xor)
    }
    #[inline(always)]
    fn bits_add(self, y: Twice<L>) -> Twice<L> {
        self.both(y, L::bits_add)
    }
    #[inline(always)]
    fn bits_shl<const K: i32>(self) -> Twice<L> {
        self.each(L::bits_shl::<K>)
    }
    #[inline(always)]
    fn bits_shr<const K: i32>(self) -> Twice<L> {
        self.each(L::bits_shr::<K>)
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use avx2::Avx2;

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::Lanes;
    use std::arch::x86_64::*;
    use std::ops::{Add, Div, Mul, Neg, Sub};

    /// Four lanes in one register of 256 bits.
    ///
    /// A value of this type exists only in functions that are reached through an entry marked
    /// `#[target_feature(enable = "avx2,fma")]`, and such an entry is called only where the processor has both:
    /// that is what makes every `unsafe` block of this module sound.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Avx2(__m256d);

    /// Applies an intrinsic to lanes.
    macro_rules! intrinsic {
        ($name:ident($($argument:expr),*)) => {
            // SAFETY: see `Avx2`.
            unsafe { $name($($argument),*) }
        };
    }

    /// Applies an intrinsic on integers to the bits of lanes.
    macro_rules! on_bits {
        ($name:ident $(::<$k:ident>)? ($($argument:expr),*)) => {
            // SAFETY: see `Avx2`.
            Avx2(unsafe { _mm256_castsi256_pd($name$(::<$k>)?($(_mm256_castpd_si256($argument.0)),*)) })
        };
    }

    /// Writes the operators of a type with lanes, each as one expression.
    macro_rules! operators {
        ($lanes:ident: $($operator:ident::$method:ident = |$x:ident, $y:ident| $result:expr;)*) => {
            $(impl $operator for $lanes {
                type Output = $lanes;
                #[inline(always)]
                fn $method(self, other: $lanes) -> $lanes {
                    let ($x, $y) = (self, other);
                    $result
                }
            })*
        };
    }

    operators! { Avx2:
        Add::add = |x, y| Avx2(intrinsic!(_mm256_add_pd(x.0, y.0)));
        Sub::sub = |x, y| Avx2(intrinsic!(_mm256_sub_pd(x.0, y.0)));
        Mul::mul = |x, y| Avx2(intrinsic!(_mm256_mul_pd(x.0, y.0)));
        Div::div = |x, y| Avx2(intrinsic!(_mm256_div_pd(x.0, y.0)));
    }

    impl Neg for Avx2 {
        type Output = Avx2;
        #[inline(always)]
        fn neg(self) -> Avx2 {
            self.bit_xor(Avx2::splat(-0.0))
        }
    }

    impl Lanes for Avx2 {
        const N: usize = 4;
        type Mask = __m256d;

        #[inline(always)]
        fn splat(x: f64) -> Avx2 {
            Avx2(intrinsic!(_mm256_set1_pd(x)))
        }
        #[inline(always)]
        unsafe fn load(from: *const f64) -> Avx2 {
            // The caller promises four readable numbers.
            Avx2(intrinsic!(_mm256_loadu_pd(from)))
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f64) {
            // The caller promises room for four numbers.
            intrinsic!(_mm256_storeu_pd(to, self.0));
        }
        #[inline(always)]
        fn fma(self, y: Avx2, z: Avx2) -> Avx2 {
            Avx2(intrinsic!(_mm256_fmadd_pd(self.0, y.0, z.0)))
        }
        #[inline(always)]
        fn sqrt(self) -> Avx2 {
            Avx2(intrinsic!(_mm256_sqrt_pd(self.0)))
        }
        #[inline(always)]
        fn trunc(self) -> Avx2 {
            // SAFETY: see `Avx2`.
            Avx2(unsafe { _mm256_round_pd::<{ _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC }>(self.0) })
        }
        #[inline(always)]
        fn min(self, y: Avx2) -> Avx2 {
            // The instruction is defined by the same comparison.
            Avx2(intrinsic!(_mm256_min_pd(self.0, y.0)))
        }
        #[inline(always)]
        fn max(self, y: Avx2) -> Avx2 {
            // The instruction is defined by the same comparison.
            Avx2(intrinsic!(_mm256_max_pd(self.0, y.0)))
        }
        #[inline(always)]
        fn lt(self, y: Avx2) -> __m256d {
            // SAFETY: see `Avx2`.
            unsafe { _mm256_cmp_pd::<_CMP_LT_OQ>(self.0, y.0) }
        }
        #[inline(always)]
        fn le(self, y: Avx2) -> __m256d {
            // SAFETY: see `Avx2`.
            unsafe { _mm256_cmp_pd::<_CMP_LE_OQ>(self.0, y.0) }
        }
        #[inline(always)]
        fn eq(self, y: Avx2) -> __m256d {
            // SAFETY: see `Avx2`.
            unsafe { _mm256_cmp_pd::<_CMP_EQ_OQ>(self.0, y.0) }
        }
        #[inline(always)]
        fn and(a: __m256d, b: __m256d) -> __m256d {
            intrinsic!(_mm256_and_pd(a, b))
        }
        #[inline(always)]
        fn or(a: __m256d, b: __m256d) -> __m256d {
            intrinsic!(_mm256_or_pd(a, b))
        }
        #[inline(always)]
        fn any(mask: __m256d) -> bool {
            intrinsic!(_mm256_movemask_pd(mask)) != 0
        }
        #[inline(always)]
        fn select(mask: __m256d, yes: Avx2, no: Avx2) -> Avx2 {
            Avx2(intrinsic!(_mm256_blendv_pd(no.0, yes.0, mask)))
        }
        #[inline(always)]
        fn bit_and(self, y: Avx2) -> Avx2 {
            Avx2(intrinsic!(_mm256_and_pd(self.0, y.0)))
        }
        #[inline(always)]
        fn bit_or(self, y: Avx2) -> Avx2 {
            Avx2(intrinsic!(_mm256_or_pd(self.0, y.0)))
        }
        #[inline(always)]
        fn bit_xor(self, y: Avx2) -> Avx2 {
            Avx2(intrinsic!(_mm256_xor_pd(self.0, y.0)))
        }
        #[inline(always)]
        fn bits_add(self, y: Avx2) -> Avx2 {
            on_bits!(_mm256_add_epi64(self, y))
        }
        #[inline(always)]
        fn bits_shl<const K: i32>(self) -> Avx2 {
            on_bits!(_mm256_slli_epi64::<K>(self))
        }
        #[inline(always)]
        fn bits_shr<const K: i32>(self) -> Avx2 {
            on_bits!(_mm256_srli_epi64::<K>(self))
        }
    }
}
