//! The functions that the interpreter and compiled code call, made from one definition each.

#[cfg(target_arch = "x86_64")]
use super::lanes::{Avx2, Twice};
use super::lanes::{Lanes, MAX_LANES, Portable};
use std::mem::MaybeUninit;

/// The definition of a function of one variable, for any number of lanes.
pub(super) trait Definition1 {
    fn eval<L: Lanes>(x: L) -> L;
}

/// The definition of a function of two variables, for any number of lanes.
pub(super) trait Definition2 {
    fn eval<L: Lanes>(x: L, y: L) -> L;
}

/// The entries of a function of one variable, for one kind of processor.
pub(super) struct Entries1 {
    pub scalar_f64: unsafe extern "C" fn(f64) -> f64,
    pub scalar_f32: unsafe extern "C" fn(f32) -> f32,
    pub slice_f64: unsafe extern "C" fn(*const f64, *mut f64, usize),
    pub slice_f32: unsafe extern "C" fn(*const f32, *mut f32, usize),
}

/// The entries of a function of two variables, for one kind of processor.
pub(super) struct Entries2 {
    pub scalar_f64: unsafe extern "C" fn(f64, f64) -> f64,
    pub scalar_f32: unsafe extern "C" fn(f32, f32) -> f32,
    pub slice_f64: unsafe extern "C" fn(*const f64, *const f64, *mut f64, usize),
    pub slice_f32: unsafe extern "C" fn(*const f32, *const f32, *mut f32, usize),
}

/// What a processor can do, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Processor {
    /// Whatever the crate is compiled for.
    Any,
    /// Four lanes and fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx2Fma,
}

impl Processor {
    /// The processor that this program runs on.
    #[inline]
    pub fn current() -> Processor {
        // The standard library asks the processor once and remembers the answer in an atomic.
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return Processor::Avx2Fma;
        }
        Processor::Any
    }
}

/// The entries of `D`, to be called only on processors of the kind given.
#[inline]
pub(super) fn entries1<D: Definition1>(processor: Processor) -> &'static Entries1 {
    match processor {
        Processor::Any => {
            const {
                &Entries1 {
                    scalar_f64: any::scalar1::<D>,
                    scalar_f32: any::narrow_scalar1::<D>,
                    slice_f64: any::slice1::<D>,
                    slice_f32: any::narrow_slice1::<D>,
                }
            }
        }
        #[cfg(target_arch = "x86_64")]
        Processor::Avx2Fma => {
            const {
                &Entries1 {
                    scalar_f64: avx2_fma::scalar1::<D>,
                    scalar_f32: avx2_fma::narrow_scalar1::<D>,
                    slice_f64: avx2_fma::slice1::<D>,
                    slice_f32: avx2_fma::narrow_slice1::<D>,
                }
            }
        }
    }
}

/// The entries of `D`, to be called only on processors of the kind given.
#[inline]
pub(super) fn entries2<D: Definition2>(processor: Processor) -> &'static Entries2 {
    match processor {
        Processor::Any => {
            const {
                &Entries2 {
                    scalar_f64: any::scalar2::<D>,
                    scalar_f32: any::narrow_scalar2::<D>,
                    slice_f64: any::slice2::<D>,
                    slice_f32: any::narrow_slice2::<D>,
                }
            }
        }
        #[cfg(target_arch = "x86_64")]
        Processor::Avx2Fma => {
            const {
                &Entries2 {
                    scalar_f64: avx2_fma::scalar2::<D>,
                    scalar_f32: avx2_fma::narrow_scalar2::<D>,
                    slice_f64: avx2_fma::slice2::<D>,
                    slice_f32: avx2_fma::narrow_slice2::<D>,
                }
            }
        }
    }
}

/// Writes the eight entries for one kind of processor.
macro_rules! entries {
    ($module:ident, $lanes:ty $(, $feature:meta)?) => {
        mod $module {
            use super::*;

            $(#[$feature])?
            pub unsafe extern "C" fn scalar1<D: Definition1>(x: f64) -> f64 {
                D::eval(x)
            }

            $(#[$feature])?
            pub unsafe extern "C" fn scalar2<D: Definition2>(x: f64, y: f64) -> f64 {
                D::eval(x, y)
            }

            $(#[$feature])?
            pub unsafe extern "C" fn slice1<D: Definition1>(x: *const f64, y: *mut f64, n: usize) {
                // SAFETY: the caller's promise is the same.
                unsafe { each1::<D, $lanes>(x, y, n) }
            }

            $(#[$feature])?
            pub unsafe extern "C" fn slice2<D: Definition2>(
                x: *const f64,
                y: *const f64,
                z: *mut f64,
                n: usize,
            ) {
                // SAFETY: the caller's promise is the same.
                unsafe { each2::<D, $lanes>(x, y, z, n) }
            }

            $(#[$feature])?
            pub unsafe extern "C" fn narrow_scalar1<D: Definition1>(x: f32) -> f32 {
                // SAFETY: the processor is the same.
                unsafe { scalar1::<D>(f64::from(x)) as f32 }
            }

            $(#[$feature])?
            pub unsafe extern "C" fn narrow_scalar2<D: Definition2>(x: f32, y: f32) -> f32 {
                // SAFETY: the processor is the same.
                unsafe { scalar2::<D>(f64::from(x), f64::from(y)) as f32 }
            }

            $(#[$feature])?
            pub unsafe extern "C" fn narrow_slice1<D: Definition1>(
                x: *const f32,
                y: *mut f32,
                n: usize,
            ) {
                // SAFETY: the caller's promise is the same, and so is the processor.
                unsafe { narrow1(x, y, n, slice1::<D>) }
            }

            $(#[$feature])?
            pub unsafe extern "C" fn narrow_slice2<D: Definition2>(
                x: *const f32,
                y: *const f32,
                z: *mut f32,
                n: usize,
            ) {
                // SAFETY: the caller's promise is the same, and so is the processor.
                unsafe { narrow2(x, y, z, n, slice2::<D>) }
            }
        }
    };
}

entries!(any, Portable);
#[cfg(target_arch = "x86_64")]
entries!(avx2_fma, Twice<Avx2>, target_feature(enable = "avx2,fma"));

/// Evaluates `D` at `n` points; a last, partial vector is filled up, so that all points meet the same code.
///
/// # Safety
/// `x` points to `n` readable and `y` to `n` writable numbers; they are the same or do not overlap.
#[inline(always)]
unsafe fn each1<D: Definition1, L: Lanes>(x: *const f64, y: *mut f64, n: usize) {
    let mut i = 0;
    while i < n {
        let m = (n - i).min(L::N);
        // SAFETY: `i + m <= n`, and the caller promises `n` numbers.
        unsafe { store(D::eval(load::<L>(x.add(i), m)), y.add(i), m) };
        i += L::N;
    }
}

/// Evaluates `D` at `n` pairs of points; a last, partial vector is filled up.
///
/// # Safety
/// `x` and `y` point to `n` readable and `z` to `n` writable numbers; `z` is one of the others or overlaps with none.
#[inline(always)]
unsafe fn each2<D: Definition2, L: Lanes>(x: *const f64, y: *const f64, z: *mut f64, n: usize) {
    let mut i = 0;
    while i < n {
        let m = (n - i).min(L::N);
        // SAFETY: `i + m <= n`, and the caller promises `n` numbers.
        unsafe { store(D::eval(load::<L>(x.add(i), m), load(y.add(i), m)), z.add(i), m) };
        i += L::N;
    }
}

/// Reads `m <= L::N` numbers and fills up with ones.
///
/// # Safety
/// `from` points to `m` readable numbers.
#[inline(always)]
unsafe fn load<L: Lanes>(from: *const f64, m: usize) -> L {
    if m == L::N {
        // SAFETY: `m` numbers are readable.
        return unsafe { L::load(from) };
    }
    let mut lanes = [1.0; MAX_LANES];
    // SAFETY: `m` numbers are readable, and the array has room for more.
    unsafe {
        from.copy_to_nonoverlapping(lanes.as_mut_ptr(), m);
        L::load(lanes.as_ptr())
    }
}

/// Writes the first `m <= L::N` lanes.
///
/// # Safety
/// `to` points to `m` writable numbers.
#[inline(always)]
unsafe fn store<L: Lanes>(x: L, to: *mut f64, m: usize) {
    if m == L::N {
        // SAFETY: `m` numbers are writable.
        return unsafe { x.store(to) };
    }
    let mut lanes = [0.0; MAX_LANES];
    // SAFETY: `m` numbers are writable, and the array has room for more.
    unsafe {
        x.store(lanes.as_mut_ptr());
        to.copy_from_nonoverlapping(lanes.as_ptr(), m);
    }
}

/// The number of elements that are widened at once: what fits into the first-level cache with room to spare.
const BLOCK: usize = 256;

/// Room for wide numbers, which are always written before they are read.
type Block = [MaybeUninit<f64>; BLOCK];

/// Evaluates an entry for `f64` at `n` points of type `f32`.
///
/// # Safety
/// As for the entry.
#[inline(always)]
unsafe fn narrow1(x: *const f32, y: *mut f32, n: usize, entry: unsafe extern "C" fn(*const f64, *mut f64, usize)) {
    let mut block: Block = [const { MaybeUninit::uninit() }; BLOCK];
    let wide = block.as_mut_ptr().cast::<f64>();
    let mut i = 0;
    while i < n {
        let m = (n - i).min(BLOCK);
        // SAFETY: `i + m <= n`, the caller promises `n` numbers, and the block has room for `m`.
        unsafe {
            widen(x.add(i), wide, m);
            entry(wide, wide, m);
            narrow(wide, y.add(i), m);
        }
        i += m;
    }
}

/// Evaluates an entry for `f64` at `n` pairs of points of type `f32`.
///
/// # Safety
/// As for the entry.
#[inline(always)]
unsafe fn narrow2(
    x: *const f32,
    y: *const f32,
    z: *mut f32,
    n: usize,
    entry: unsafe extern "C" fn(*const f64, *const f64, *mut f64, usize),
) {
    let mut blocks: [Block; 2] = [[const { MaybeUninit::uninit() }; BLOCK]; 2];
    let [left, right] = blocks.each_mut().map(|block| block.as_mut_ptr().cast::<f64>());
    let mut i = 0;
    while i < n {
        let m = (n - i).min(BLOCK);
        // SAFETY: `i + m <= n`, the caller promises `n` numbers, and the blocks have room for `m`.
        unsafe {
            widen(x.add(i), left, m);
            widen(y.add(i), right, m);
            entry(left, right, left, m);
            narrow(left, z.add(i), m);
        }
        i += m;
    }
}

/// Widens `n` numbers.
///
/// # Safety
/// `from` points to `n` readable and `to` to `n` writable numbers.
#[inline(always)]
unsafe fn widen(from: *const f32, to: *mut f64, n: usize) {
    for i in 0..n {
        // SAFETY: the caller promises it.
        unsafe { to.add(i).write(f64::from(from.add(i).read_unaligned())) };
    }
}

/// Rounds `n` numbers to nearest.
///
/// # Safety
/// `from` points to `n` readable and `to` to `n` writable numbers.
#[inline(always)]
unsafe fn narrow(from: *const f64, to: *mut f32, n: usize) {
    for i in 0..n {
        // SAFETY: the caller promises it.
        unsafe { to.add(i).write_unaligned(from.add(i).read() as f32) };
    }
}
