//! One number, or several side by side: the type that the definitions of this folder are generic over.
//!
//! Every operation here is exact or correctly rounded by IEEE 754 in each lane, so a function built from them has the
//! same bits in every implementation.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// `N` numbers of type `f64`, side by side.
///
/// A definition hands them to no function that is not marked `inline(always)`, and to no closure of another library's
/// (`array.map(…)`): compiled without the features of the entry that the definition is inlined into, such a function
/// is called, and so is each instruction in it.
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
    /// Reads `m <= N` numbers and pads with ones.
    ///
    /// # Safety
    /// `from` points to `m` readable numbers.
    #[inline(always)]
    unsafe fn load_part(from: *const f64, m: usize) -> Self {
        let mut lanes = [1.0; MAX_LANES];
        // SAFETY: `m` numbers are readable, and the array has room for more.
        unsafe {
            from.copy_to_nonoverlapping(lanes.as_mut_ptr(), m);
            Self::load(lanes.as_ptr())
        }
    }
    /// Writes the first `m <= N` lanes.
    ///
    /// # Safety
    /// `to` points to `m` writable numbers.
    #[inline(always)]
    unsafe fn store_part(self, to: *mut f64, m: usize) {
        let mut lanes = [0.0; MAX_LANES];
        // SAFETY: `m` numbers are writable, and the array has room for more.
        unsafe {
            self.store(lanes.as_mut_ptr());
            to.copy_from_nonoverlapping(lanes.as_ptr(), m);
        }
    }

    /// `self * y + z`, rounded once.
    fn fma(self, y: Self, z: Self) -> Self;
    /// The square root, correctly rounded.
    fn sqrt(self) -> Self;
    /// `self` rounded to an integer toward zero.
    fn trunc(self) -> Self;

    /// Whether `self < y`; false where either is NaN.
    fn lt(self, y: Self) -> Self::Mask;
    /// Whether `self <= y`; false where either is NaN.
    fn le(self, y: Self) -> Self::Mask;
    /// Whether `self == y`; false where either is NaN.
    fn eq(self, y: Self) -> Self::Mask;
    /// Whether both masks hold.
    fn and(a: Self::Mask, b: Self::Mask) -> Self::Mask;
    /// Whether at least one mask holds.
    fn or(a: Self::Mask, b: Self::Mask) -> Self::Mask;
    /// Whether the mask holds in any lane.
    fn any(mask: Self::Mask) -> bool;
    /// `yes` where the mask holds, `no` elsewhere.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;

    /// The bitwise and of both operands.
    fn bit_and(self, y: Self) -> Self;
    /// The bitwise or of both operands.
    fn bit_or(self, y: Self) -> Self;
    /// The bitwise exclusive or of both operands.
    fn bit_xor(self, y: Self) -> Self;
    /// The sum of the bits of both operands as 64-bit integers, modulo 2⁶⁴.
    fn bits_add(self, y: Self) -> Self;
    /// The bits of `self`, shifted toward the sign.
    fn bits_shl<const K: i32>(self) -> Self;
    /// The bits of `self`, shifted away from the sign and filled with zeros.
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
    /// The smaller operand, or `y` if either is NaN.
    #[inline(always)]
    fn min(self, y: Self) -> Self {
        Self::select(self.lt(y), self, y)
    }
    /// The larger operand, or `y` if either is NaN.
    #[inline(always)]
    fn max(self, y: Self) -> Self {
        Self::select(y.lt(self), self, y)
    }
    /// Whether `self` is not NaN.
    #[inline(always)]
    fn is_number(self) -> Self::Mask {
        self.eq(self)
    }
    /// `self` with any NaN replaced by the one NaN that this folder returns.
    ///
    /// Processors differ in the sign and the payload of a NaN that arithmetic produces.
    #[inline(always)]
    fn canonical(self) -> Self {
        Self::select(self.is_number(), self, Self::splat(f64::NAN))
    }
    /// `f` of each pair of lanes, one after the other, with the one NaN: for rare arguments and functions without
    /// lanes.
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
        unsafe { Self::load(left.as_ptr()) }.canonical()
    }
}

/// The sign bit of an `f64`.
pub(super) const SIGN: u64 = 1 << 63;

/// The largest `N` of all implementations.
pub(super) const MAX_LANES: usize = 16;

impl Lanes for f64 {
    const N: usize = 1;
    type Mask = bool;

    #[inline(always)]
    fn splat(x: f64) -> f64 {
        x
    }
    #[inline(always)]
    unsafe fn load(from: *const f64) -> f64 {
        // SAFETY: the caller guarantees one readable number.
        unsafe { from.read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f64) {
        // SAFETY: the caller guarantees room for one number.
        unsafe { to.write_unaligned(self) }
    }
    #[inline(always)]
    unsafe fn load_part(from: *const f64, m: usize) -> f64 {
        // SAFETY: the caller guarantees `m` readable numbers.
        if m == 0 { 1.0 } else { unsafe { Self::load(from) } }
    }
    #[inline(always)]
    unsafe fn store_part(self, to: *mut f64, m: usize) {
        if m > 0 {
            // SAFETY: the caller guarantees room for `m` numbers.
            unsafe { self.store(to) }
        }
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
/// Two independent vectors side by side keep a processor busy whose out-of-order window is smaller than one evaluation,
/// and share the loads of constants.
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
        // SAFETY: the caller guarantees that both halves are readable.
        unsafe { Twice(L::load(from), L::load(from.add(L::N))) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f64) {
        // SAFETY: the caller guarantees that both halves are writable.
        unsafe {
            self.0.store(to);
            self.1.store(to.add(L::N));
        }
    }
    #[inline(always)]
    unsafe fn load_part(from: *const f64, m: usize) -> Twice<L> {
        let first = m.min(L::N);
        // SAFETY: the caller guarantees `m` numbers, of which the first half reads `first` and the second half the rest.
        unsafe { Twice(L::load_part(from, first), L::load_part(from.add(first), m - first)) }
    }
    #[inline(always)]
    unsafe fn store_part(self, to: *mut f64, m: usize) {
        let first = m.min(L::N);
        // SAFETY: as in `load_part`.
        unsafe {
            self.0.store_part(to, first);
            self.1.store_part(to.add(first), m - first);
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

/// Generates a type of lanes that is one register, with each operation as an expression of intrinsics on registers and
/// masks.
///
/// A value of such a type exists only in functions that are reached through an entry marked with the features that the
/// intrinsics need, and such an entry is called only if the processor has them. This makes the `unsafe` blocks sound.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! register {
    (
        $(#[$doc:meta])*
        $name:ident($register:ty), $n:literal, $mask:ty;
        splat = |$number:ident| $splat:expr;
        load = |$from:ident| $load:expr;
        store = |$to:ident, $stored:ident| $store:expr;
        $(load_part = |$part_from:ident, $read:ident| $load_part:expr;
        store_part = |$part_to:ident, $part_stored:ident, $written:ident| $store_part:expr;)?
        fma = |$factor:ident, $other:ident, $summand:ident| $fma:expr;
        select = |$choice:ident, $yes:ident, $no:ident| $select:expr;
        any = |$truth:ident| $any:expr;
        operators { $($operator:ident::$operate:ident = |$ox:ident, $oy:ident| $result:expr;)* }
        unary { $($unary:ident = |$ux:ident| $image:expr;)* }
        binary { $($binary:ident = |$bx:ident, $by:ident| $combined:expr;)* }
        compare { $($compare:ident = |$cx:ident, $cy:ident| $compared:expr;)* }
        masks { $($join:ident = |$ma:ident, $mb:ident| $joined:expr;)* }
        shifts { $($shift:ident = |$sx:ident, $k:ident| $shifted:expr;)* }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(in super::super) struct $name($register);

        $(impl std::ops::$operator for $name {
            type Output = $name;
            #[inline(always)]
            fn $operate(self, other: $name) -> $name {
                let ($ox, $oy) = (self.0, other.0);
                // SAFETY: see `register`.
                $name(unsafe { $result })
            }
        })*

        impl std::ops::Neg for $name {
            type Output = $name;
            #[inline(always)]
            fn neg(self) -> $name {
                self.bit_xor($name::splat(-0.0))
            }
        }

        impl Lanes for $name {
            const N: usize = $n;
            type Mask = $mask;

            #[inline(always)]
            fn splat($number: f64) -> $name {
                // SAFETY: see `register`.
                $name(unsafe { $splat })
            }
            #[inline(always)]
            unsafe fn load($from: *const f64) -> $name {
                // SAFETY: see `register`; the caller guarantees that all lanes are readable.
                $name(unsafe { $load })
            }
            #[inline(always)]
            unsafe fn store(self, $to: *mut f64) {
                let $stored = self.0;
                // SAFETY: see `register`; the caller guarantees that all lanes are writable.
                unsafe { $store }
            }
            $(#[inline(always)]
            unsafe fn load_part($part_from: *const f64, $read: usize) -> $name {
                // SAFETY: see `register`; the caller guarantees that what is read is readable.
                $name(unsafe { $load_part })
            }
            #[inline(always)]
            unsafe fn store_part(self, $part_to: *mut f64, $written: usize) {
                let $part_stored = self.0;
                // SAFETY: see `register`; the caller guarantees that what is written is writable.
                unsafe { $store_part }
            })?
            #[inline(always)]
            fn fma(self, y: $name, z: $name) -> $name {
                let ($factor, $other, $summand) = (self.0, y.0, z.0);
                // SAFETY: see `register`.
                $name(unsafe { $fma })
            }
            #[inline(always)]
            fn select($choice: $mask, yes: $name, no: $name) -> $name {
                let ($yes, $no) = (yes.0, no.0);
                // SAFETY: see `register`.
                $name(unsafe { $select })
            }
            #[inline(always)]
            fn any($truth: $mask) -> bool {
                // SAFETY: see `register`.
                unsafe { $any }
            }
            $(#[inline(always)]
            fn $unary(self) -> $name {
                let $ux = self.0;
                // SAFETY: see `register`.
                $name(unsafe { $image })
            })*
            $(#[inline(always)]
            fn $binary(self, y: $name) -> $name {
                let ($bx, $by) = (self.0, y.0);
                // SAFETY: see `register`.
                $name(unsafe { $combined })
            })*
            $(#[inline(always)]
            fn $compare(self, y: $name) -> $mask {
                let ($cx, $cy) = (self.0, y.0);
                // SAFETY: see `register`.
                unsafe { $compared }
            })*
            $(#[inline(always)]
            fn $join($ma: $mask, $mb: $mask) -> $mask {
                // SAFETY: see `register`.
                unsafe { $joined }
            })*
            $(#[inline(always)]
            fn $shift<const $k: i32>(self) -> $name {
                let $sx = self.0;
                // SAFETY: see `register`.
                $name(unsafe { $shifted })
            })*
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;

#[cfg(target_arch = "x86_64")]
pub(super) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(super) use avx512::Avx512;
#[cfg(target_arch = "aarch64")]
pub(super) use neon::Neon;
