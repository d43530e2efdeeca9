//! The functions that the interpreter and compiled code call, made from one definition each.

#[cfg(target_arch = "aarch64")]
use super::lanes::Neon;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use super::lanes::Twice;
#[cfg(target_arch = "x86_64")]
use super::lanes::{Avx2, Avx512};
use super::lanes::{Lanes, Portable};
#[cfg(any(unoptimized, test))]
use super::recording::{Steps, steps_of_two, steps1, steps2};
use std::mem::MaybeUninit;

/// The definition of a function of one variable, for any number of lanes.
pub(super) trait Definition1 {
    /// Whether its steps wait for each other so much that twice as many lanes as usual are faster.
    const WAITS: bool = false;

    fn eval<L: Lanes>(x: L) -> L;
}

/// The definition of a function of two variables, for any number of lanes.
pub(super) trait Definition2 {
    fn eval<L: Lanes>(x: L, y: L) -> L;
}

/// The definition of two functions of one variable together, for any number of lanes.
pub(super) trait DefinitionOfTwo {
    /// As of a [`Definition1`].
    const WAITS: bool = false;

    fn eval<L: Lanes>(x: L) -> [L; 2];
}

/// The entries of a function of one variable, for one kind of processor.
pub(super) struct Entries1 {
    pub scalar_f64: unsafe extern "C" fn(f64) -> f64,
    pub scalar_f32: unsafe extern "C" fn(f32) -> f32,
    pub slice_f64: unsafe extern "C" fn(*const f64, *mut f64, usize),
    pub slice_f32: unsafe extern "C" fn(*const f32, *mut f32, usize),
    #[cfg(any(unoptimized, test))]
    pub steps: fn() -> Option<Steps>,
}

/// The entries of a function of two variables, for one kind of processor.
pub(super) struct Entries2 {
    pub scalar_f64: unsafe extern "C" fn(f64, f64) -> f64,
    pub scalar_f32: unsafe extern "C" fn(f32, f32) -> f32,
    pub slice_f64: unsafe extern "C" fn(*const f64, *const f64, *mut f64, usize),
    pub slice_f32: unsafe extern "C" fn(*const f32, *const f32, *mut f32, usize),
    #[cfg(any(unoptimized, test))]
    pub steps: fn() -> Option<Steps>,
}

/// The entries of two functions of the same numbers, for one kind of processor.
pub(super) struct EntriesOfTwo {
    pub scalar_f64: unsafe extern "C" fn(f64, *mut f64) -> f64,
    pub scalar_f32: unsafe extern "C" fn(f32, *mut f32) -> f32,
    pub slice_f64: unsafe extern "C" fn(*const f64, *mut f64, *mut f64, usize),
    pub slice_f32: unsafe extern "C" fn(*const f32, *mut f32, *mut f32, usize),
    #[cfg(any(unoptimized, test))]
    pub steps: fn() -> Option<Steps>,
}

/// The kinds of processors, by the instructions that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Processor {
    /// The target that the crate is compiled for.
    Any,
    /// Four lanes and fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx2Fma,
    /// Eight lanes as well.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// Two lanes.
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl Processor {
    /// All kinds, best first.
    const ALL: &[Processor] = &[
        #[cfg(target_arch = "x86_64")]
        Processor::Avx512,
        #[cfg(target_arch = "x86_64")]
        Processor::Avx2Fma,
        #[cfg(target_arch = "aarch64")]
        Processor::Neon,
        Processor::Any,
    ];

    /// The kinds that the running processor supports, best first.
    #[inline]
    pub fn available() -> impl Iterator<Item = Processor> {
        Processor::ALL.iter().copied().filter(|kind| kind.is_here())
    }

    /// The best kind that the running processor supports.
    #[inline]
    pub fn current() -> Processor {
        Processor::available().next().unwrap_or(Processor::Any)
    }

    /// Whether the running processor supports this kind.
    ///
    /// The standard library queries the processor once and caches the answer in an atomic.
    #[inline]
    fn is_here(self) -> bool {
        match self {
            Processor::Any => true,
            #[cfg(target_arch = "x86_64")]
            Processor::Avx2Fma => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Processor::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512dq")
                    && Processor::Avx2Fma.is_here()
            }
            #[cfg(target_arch = "aarch64")]
            Processor::Neon => std::arch::is_aarch64_feature_detected!("neon"),
        }
    }
}

/// Generates the table of entries for one kind of processor, with scalar entries from one module and slice entries from
/// another.
macro_rules! table {
    (
        $entries:ident, $scalars:ident, $slices:ident,
        $scalar:ident, $narrow_scalar:ident, $slice:ident, $narrow_slice:ident, $steps:ident
    ) => {
        const {
            &$entries {
                scalar_f64: $scalars::$scalar::<D>,
                scalar_f32: $scalars::$narrow_scalar::<D>,
                slice_f64: $slices::$slice::<D>,
                slice_f32: $slices::$narrow_slice::<D>,
                #[cfg(any(unoptimized, test))]
                steps: $steps::<D>,
            }
        }
    };
}

/// Generates the function that selects a table by the kind of processor.
macro_rules! tables {
    ($name:ident, $definition:ident, $entries:ident, $($entry:ident),*) => {
        /// The entries of `D`, to be called only on processors of the kind given.
        #[inline]
        pub(super) fn $name<D: $definition>(processor: Processor) -> &'static $entries {
            match processor {
                Processor::Any => table!($entries, any, any, $($entry),*),
                #[cfg(target_arch = "x86_64")]
                Processor::Avx2Fma => table!($entries, avx2_fma, avx2_fma, $($entry),*),
                // Wider registers do not make scalar entries faster.
                #[cfg(target_arch = "x86_64")]
                Processor::Avx512 => table!($entries, avx2_fma, avx512, $($entry),*),
                #[cfg(target_arch = "aarch64")]
                Processor::Neon => table!($entries, any, neon, $($entry),*),
            }
        }
    };
}

tables!(entries1, Definition1, Entries1, scalar1, narrow_scalar1, slice1, narrow_slice1, steps1);
tables!(entries2, Definition2, Entries2, scalar2, narrow_scalar2, slice2, narrow_slice2, steps2);

/// The entries of `D`, to be called only on processors of the kind given.
#[inline]
pub(super) fn entries_of_two<D: DefinitionOfTwo>(processor: Processor) -> &'static EntriesOfTwo {
    macro_rules! entries {
        ($scalars:ident, $slices:ident) => {
            const {
                &EntriesOfTwo {
                    scalar_f64: $scalars::scalar_of_two::<D>,
                    scalar_f32: $scalars::narrow_scalar_of_two::<D>,
                    slice_f64: $slices::slice_of_two::<D>,
                    slice_f32: $slices::narrow_slice_of_two::<D>,
                    #[cfg(any(unoptimized, test))]
                    steps: steps_of_two::<D>,
                }
            }
        };
    }
    match processor {
        Processor::Any => entries!(any, any),
        #[cfg(target_arch = "x86_64")]
        Processor::Avx2Fma => entries!(avx2_fma, avx2_fma),
        #[cfg(target_arch = "x86_64")]
        Processor::Avx512 => entries!(avx2_fma, avx512),
        #[cfg(target_arch = "aarch64")]
        Processor::Neon => entries!(any, neon),
    }
}

/// Generates the scalar entries for one kind of processor.
macro_rules! scalars {
    ($(#[$feature:meta])?) => {
        $(#[$feature])?
        pub unsafe extern "C" fn scalar1<D: Definition1>(x: f64) -> f64 {
            D::eval(x)
        }

        $(#[$feature])?
        pub unsafe extern "C" fn scalar2<D: Definition2>(x: f64, y: f64) -> f64 {
            D::eval(x, y)
        }

        $(#[$feature])?
        pub unsafe extern "C" fn scalar_of_two<D: DefinitionOfTwo>(x: f64, second: *mut f64) -> f64 {
            let [y, z] = D::eval(x);
            // SAFETY: the caller guarantees that it is writable.
            unsafe { second.write(z) };
            y
        }

        $(#[$feature])?
        pub unsafe extern "C" fn narrow_scalar_of_two<D: DefinitionOfTwo>(x: f32, second: *mut f32) -> f32 {
            let mut wide = 0.0;
            // SAFETY: the processor is the same; the caller guarantees that the address of the second result is
            // writable.
            unsafe {
                let y = scalar_of_two::<D>(f64::from(x), &mut wide);
                second.write(wide as f32);
                y as f32
            }
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
    };
}

/// Generates the slice entries for one kind of processor.
macro_rules! slices {
    ($lanes:ty, $more_lanes:ty $(, #[$feature:meta])?) => {
        $(#[$feature])?
        pub unsafe extern "C" fn slice1<D: Definition1>(x: *const f64, y: *mut f64, n: usize) {
            // SAFETY: the contract is the same.
            unsafe { each1::<D, $lanes, $more_lanes>(x, y, n) }
        }

        $(#[$feature])?
        pub unsafe extern "C" fn slice2<D: Definition2>(x: *const f64, y: *const f64, z: *mut f64, n: usize) {
            // SAFETY: the contract is the same.
            unsafe { each2::<D, $lanes>(x, y, z, n) }
        }

        $(#[$feature])?
        pub unsafe extern "C" fn narrow_slice1<D: Definition1>(x: *const f32, y: *mut f32, n: usize) {
            // SAFETY: the contract is the same, and so is the processor.
            unsafe { narrow1(x, y, n, slice1::<D>) }
        }

        $(#[$feature])?
        pub unsafe extern "C" fn narrow_slice2<D: Definition2>(x: *const f32, y: *const f32, z: *mut f32, n: usize) {
            // SAFETY: the contract is the same, and so is the processor.
            unsafe { narrow2(x, y, z, n, slice2::<D>) }
        }

        $(#[$feature])?
        pub unsafe extern "C" fn slice_of_two<D: DefinitionOfTwo>(x: *const f64, y: *mut f64, z: *mut f64, n: usize) {
            // SAFETY: the contract is the same.
            unsafe { each_of_two::<D, $lanes, $more_lanes>(x, y, z, n) }
        }

        $(#[$feature])?
        pub unsafe extern "C" fn narrow_slice_of_two<D: DefinitionOfTwo>(x: *const f32, y: *mut f32, z: *mut f32, n: usize) {
            // SAFETY: the contract is the same, and so is the processor.
            unsafe { narrow_of_two(x, y, z, n, slice_of_two::<D>) }
        }
    };
}

mod any {
    use super::*;
    scalars!();
    slices!(Portable, Portable);
}

#[cfg(target_arch = "x86_64")]
mod avx2_fma {
    use super::*;
    scalars!(#[target_feature(enable = "avx2,fma")]);
    slices!(Twice<Avx2>, Twice<Twice<Avx2>>, #[target_feature(enable = "avx2,fma")]);
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use super::*;
    slices!(Avx512, Avx512, #[target_feature(enable = "avx2,fma,avx512f,avx512dq")]);
}

#[cfg(target_arch = "aarch64")]
mod neon {
    use super::*;
    slices!(Twice<Neon>, Twice<Neon>, #[target_feature(enable = "neon")]);
}

/// Evaluates `D` at `n` points, in more lanes if its steps wait for each other; a partial last vector is padded, so that all
/// points run the same code.
///
/// # Safety
/// `x` points to `n` readable and `y` to `n` writable numbers; they are the same or do not overlap.
#[inline(always)]
unsafe fn each1<D: Definition1, L: Lanes, M: Lanes>(x: *const f64, y: *mut f64, n: usize) {
    let mut i = 0;
    while D::WAITS && L::N < M::N && n - i >= M::N {
        // SAFETY: the next `M::N` numbers are among the `n`.
        unsafe { D::eval(M::load(x.add(i))).store(y.add(i)) };
        i += M::N;
    }
    while i < n {
        let m = (n - i).min(L::N);
        // SAFETY: `i + m <= n`, and the caller guarantees `n` numbers.
        unsafe { store(D::eval(load::<L>(x.add(i), m)), y.add(i), m) };
        i += L::N;
    }
}

/// Evaluates `D` at `n` pairs of points; a partial last vector is padded.
///
/// # Safety
/// `x` and `y` point to `n` readable and `z` to `n` writable numbers; `z` is one of the others or overlaps with none.
#[inline(always)]
unsafe fn each2<D: Definition2, L: Lanes>(x: *const f64, y: *const f64, z: *mut f64, n: usize) {
    let mut i = 0;
    while i < n {
        let m = (n - i).min(L::N);
        // SAFETY: `i + m <= n`, and the caller guarantees `n` numbers.
        unsafe { store(D::eval(load::<L>(x.add(i), m), load(y.add(i), m)), z.add(i), m) };
        i += L::N;
    }
}

/// Evaluates two functions at `n` points; a partial last vector is padded.
///
/// # Safety
/// `x` points to `n` readable, `y` and `z` to `n` writable numbers each, which do not overlap, but one may be `x`.
#[inline(always)]
unsafe fn each_of_two<D: DefinitionOfTwo, L: Lanes, M: Lanes>(x: *const f64, y: *mut f64, z: *mut f64, n: usize) {
    let mut i = 0;
    while D::WAITS && L::N < M::N && n - i >= M::N {
        // SAFETY: the next `M::N` numbers are among the `n`.
        unsafe {
            let of_x = D::eval(M::load(x.add(i)));
            of_x[0].store(y.add(i));
            of_x[1].store(z.add(i));
        }
        i += M::N;
    }
    while i < n {
        let m = (n - i).min(L::N);
        // SAFETY: `i + m <= n`, and the caller guarantees `n` numbers.
        unsafe {
            let of_x = D::eval(load::<L>(x.add(i), m));
            store(of_x[0], y.add(i), m);
            store(of_x[1], z.add(i), m);
        }
        i += L::N;
    }
}

/// Reads `m <= L::N` numbers and pads with ones.
///
/// # Safety
/// `from` points to `m` readable numbers.
#[inline(always)]
unsafe fn load<L: Lanes>(from: *const f64, m: usize) -> L {
    // SAFETY: `m` numbers are readable.
    unsafe { if m == L::N { L::load(from) } else { L::load_part(from, m) } }
}

/// Writes the first `m <= L::N` lanes.
///
/// # Safety
/// `to` points to `m` writable numbers.
#[inline(always)]
unsafe fn store<L: Lanes>(x: L, to: *mut f64, m: usize) {
    // SAFETY: `m` numbers are writable.
    unsafe { if m == L::N { x.store(to) } else { x.store_part(to, m) } }
}

/// The number of elements that are widened at once; two or three such blocks fit easily into the first-level cache.
const BLOCK: usize = 256;

/// A buffer for wide numbers, which are always written before they are read.
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
        // SAFETY: `i + m <= n`, the caller guarantees `n` numbers, and the block has room for `m`.
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
        // SAFETY: `i + m <= n`, the caller guarantees `n` numbers, and the blocks have room for `m`.
        unsafe {
            widen(x.add(i), left, m);
            widen(y.add(i), right, m);
            entry(left, right, left, m);
            narrow(left, z.add(i), m);
        }
        i += m;
    }
}

/// Evaluates an entry of two functions for `f64` at `n` points of type `f32`.
///
/// # Safety
/// As for the entry.
#[inline(always)]
unsafe fn narrow_of_two(
    x: *const f32,
    y: *mut f32,
    z: *mut f32,
    n: usize,
    entry: unsafe extern "C" fn(*const f64, *mut f64, *mut f64, usize),
) {
    let mut blocks: [Block; 2] = [[const { MaybeUninit::uninit() }; BLOCK]; 2];
    let [wide_y, wide_z] = blocks.each_mut().map(|block| block.as_mut_ptr().cast::<f64>());
    let mut i = 0;
    while i < n {
        let m = (n - i).min(BLOCK);
        // SAFETY: `i + m <= n`, the caller guarantees `n` numbers, and the blocks have room for `m`.
        unsafe {
            widen(x.add(i), wide_y, m);
            entry(wide_y, wide_y, wide_z, m);
            narrow(wide_y, y.add(i), m);
            narrow(wide_z, z.add(i), m);
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
        // SAFETY: the caller guarantees it.
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
        // SAFETY: the caller guarantees it.
        unsafe { to.add(i).write_unaligned(from.add(i).read() as f32) };
    }
}
