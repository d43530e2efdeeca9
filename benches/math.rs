//! The cost of elementary functions per number, in arrays of 2,048 in the first-level cache: those of this crate,
//! called as users do, compared with those of the standard library (on Linux, of glibc), of the crates `libm` and
//! `wide`, and of glibc's `libmvec`. `cargo bench --bench math` prints a table for `f64` and one for `f32`, in
//! nanoseconds. By default, dependencies are not fully optimized; for a fair comparison add
//! `--config profile.release.package.libm.opt-level=3 --config profile.release.package.wide.opt-level=3`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use retrograd::optimize::optimize;
use retrograd::value::{Array, Element, Type};
use retrograd::{Program, Var, trace};
use wide::{f32x8, f64x4};

/// The length of an array.
const N: usize = 2_048;
/// The measurement time per function.
const PATIENCE: Duration = Duration::from_millis(60);
/// The libraries that this crate is compared with.
const OTHERS: [&str; 4] = ["std", "libm", "wide", "libmvec"];

/// A loop that computes the third array from the others.
type Loop<T> = Box<dyn Fn(&[T], &[T], &mut [T])>;

/// A function, and its implementations.
struct Row<T> {
    name: &'static str,
    /// The interval of the arguments.
    range: (f64, f64),
    traced: fn(Var, Var) -> Var,
    others: [Option<Loop<T>>; 4],
}

/// Functions of the C standard library that Rust's does not have.
trait Special {
    fn erf(self) -> Self;
    fn erfc(self) -> Self;
    fn lgamma(self) -> Self;
}

/// Declares C functions, and methods that call them.
macro_rules! special {
    ($($number:ty: $erf:ident, $erfc:ident, $lgamma:ident;)*) => {$(
        unsafe extern "C" {
            safe fn $erf(x: $number) -> $number;
            safe fn $erfc(x: $number) -> $number;
            fn $lgamma(x: $number) -> $number;
        }

        impl Special for $number {
            fn erf(self) -> $number {
                $erf(self)
            }
            fn erfc(self) -> $number {
                $erfc(self)
            }
            fn lgamma(self) -> $number {
                // SAFETY: it writes a sign to a global variable of the library, which this single-threaded program
                // never reads.
                unsafe { $lgamma(self) }
            }
        }
    )*};
}
special! {
    f64: erf, erfc, lgamma;
    f32: erff, erfcf, lgammaf;
}

/// A loop over numbers.
macro_rules! each {
    ($number:ty, |$x:ident, $y:ident| $value:expr) => {
        Box::new(|left: &[$number], right: &[$number], result: &mut [$number]| {
            for ((z, &$x), &$y) in result.iter_mut().zip(left).zip(right) {
                let _ = $y;
                *z = $value;
            }
        })
    };
}

/// A loop over vectors of `wide`.
macro_rules! each_vector {
    ($number:ty, $vector:ident, $n:literal, |$x:ident, $y:ident| $value:expr) => {
        Box::new(|left: &[$number], right: &[$number], result: &mut [$number]| {
            let (left, right) = (left.as_chunks::<$n>().0, right.as_chunks::<$n>().0);
            for ((z, &$x), &$y) in result.as_chunks_mut::<$n>().0.iter_mut().zip(left).zip(right) {
                let ($x, $y) = ($vector::from($x), $vector::from($y));
                let _ = $y;
                *z = ($value).into();
            }
        })
    };
}

/// The row of a function for one type of numbers: its arguments, their interval, and the value from each library.
macro_rules! row {
    (
        $number:ty, $vector:ident, $n:literal;
        |$x:ident, $y:ident| $name:literal in ($low:expr, $high:expr), $traced:expr
        $(, std $std:expr)? $(, libm $libm:expr)? $(, wide $wide:expr)? $(, libmvec $libmvec:literal)?
    ) => {
        Row::<$number> {
            name: $name,
            range: ($low, $high),
            traced: |$x: Var, $y: Var| {
                let _ = $y;
                $traced
            },
            others: [
                None::<Loop<$number>>$(.or(Some(each!($number, |$x, $y| $std))))?,
                None::<Loop<$number>>$(.or(Some(each!($number, |$x, $y| $libm))))?,
                None::<Loop<$number>>$(.or(Some(each_vector!($number, $vector, $n, |$x, $y| $wide))))?,
                None::<Loop<$number>>$(.or(<$number as libmvec::Vector>::find($libmvec)))?,
            ],
        }
    };
}

/// The rows of both types; the name of the `f32` function of `libm` follows that of the `f64` function.
macro_rules! rows {
    ($(
        |$x:ident, $y:ident| $name:literal in ($low:expr, $high:expr), $traced:expr
        $(, std $std:expr)? $(, libm $libm:expr; $libmf:expr)? $(, wide $wide:expr)? $(, libmvec $libmvec:literal)?;
    )*) => {
        fn rows_f64() -> Vec<Row<f64>> {
            vec![$(row!(
                f64, f64x4, 4; |$x, $y| $name in ($low, $high), $traced
                $(, std $std)? $(, libm $libm)? $(, wide $wide)? $(, libmvec $libmvec)?
            )),*]
        }

        fn rows_f32() -> Vec<Row<f32>> {
            vec![$(row!(
                f32, f32x8, 8; |$x, $y| $name in ($low, $high), $traced
                $(, std $std)? $(, libm $libmf)? $(, wide $wide)? $(, libmvec $libmvec)?
            )),*]
        }
    };
}

rows! {
    |x, y| "exp" in (-10.0, 10.0), x.exp(), std x.exp(), libm libm::exp(x); libm::expf(x), wide x.exp(), libmvec "exp";
    |x, y| "exp2" in (-10.0, 10.0), x.exp2(), std x.exp2(), libm libm::exp2(x); libm::exp2f(x), wide x.exp2(),
        libmvec "exp2";
    |x, y| "expm1" in (-2.0, 2.0), x.exp_m1(), std x.exp_m1(), libm libm::expm1(x); libm::expm1f(x), wide x.exp_m1(),
        libmvec "expm1";
    |x, y| "log" in (0.0, 100.0), x.ln(), std x.ln(), libm libm::log(x); libm::logf(x), wide x.ln(), libmvec "log";
    |x, y| "log2" in (0.0, 100.0), x.log2(), std x.log2(), libm libm::log2(x); libm::log2f(x), wide x.log2(),
        libmvec "log2";
    |x, y| "log10" in (0.0, 100.0), x.log10(), std x.log10(), libm libm::log10(x); libm::log10f(x), wide x.log10(),
        libmvec "log10";
    |x, y| "log1p" in (-0.9, 2.0), x.ln_1p(), std x.ln_1p(), libm libm::log1p(x); libm::log1pf(x), wide x.ln_1p(),
        libmvec "log1p";
    |x, y| "sin" in (-10.0, 10.0), x.sin(), std x.sin(), libm libm::sin(x); libm::sinf(x), wide x.sin(), libmvec "sin";
    |x, y| "cos" in (-10.0, 10.0), x.cos(), std x.cos(), libm libm::cos(x); libm::cosf(x), wide x.cos(), libmvec "cos";
    |x, y| "tan" in (-1.5, 1.5), x.tan(), std x.tan(), libm libm::tan(x); libm::tanf(x), wide x.tan(), libmvec "tan";
    |x, y| "asin" in (-1.0, 1.0), x.asin(), std x.asin(), libm libm::asin(x); libm::asinf(x), wide x.asin(),
        libmvec "asin";
    |x, y| "acos" in (-1.0, 1.0), x.acos(), std x.acos(), libm libm::acos(x); libm::acosf(x), wide x.acos(),
        libmvec "acos";
    |x, y| "atan" in (-4.0, 4.0), x.atan(), std x.atan(), libm libm::atan(x); libm::atanf(x), wide x.atan(),
        libmvec "atan";
    |x, y| "sinh" in (-4.0, 4.0), x.sinh(), std x.sinh(), libm libm::sinh(x); libm::sinhf(x), wide x.sinh(),
        libmvec "sinh";
    |x, y| "cosh" in (-4.0, 4.0), x.cosh(), std x.cosh(), libm libm::cosh(x); libm::coshf(x), wide x.cosh(),
        libmvec "cosh";
    |x, y| "tanh" in (-4.0, 4.0), x.tanh(), std x.tanh(), libm libm::tanh(x); libm::tanhf(x), wide x.tanh(),
        libmvec "tanh";
    |x, y| "asinh" in (-4.0, 4.0), x.asinh(), std x.asinh(), libm libm::asinh(x); libm::asinhf(x), libmvec "asinh";
    |x, y| "acosh" in (1.0, 9.0), x.acosh(), std x.acosh(), libm libm::acosh(x); libm::acoshf(x), libmvec "acosh";
    |x, y| "atanh" in (-0.9, 0.9), x.atanh(), std x.atanh(), libm libm::atanh(x); libm::atanhf(x), libmvec "atanh";
    |x, y| "logistic" in (-8.0, 8.0), x.sigmoid(), std 1.0 / (1.0 + (-x).exp()),
        libm 1.0 / (1.0 + libm::exp(-x)); 1.0 / (1.0 + libm::expf(-x)), wide 1.0 / (1.0 + (-x).exp());
    |x, y| "erf" in (-3.0, 3.0), x.erf(), std Special::erf(x), libm libm::erf(x); libm::erff(x), libmvec "erf";
    |x, y| "erfc" in (-3.0, 3.0), x.erfc(), std Special::erfc(x), libm libm::erfc(x); libm::erfcf(x), libmvec "erfc";
    |x, y| "cbrt" in (-10.0, 10.0), x.cbrt(), std x.cbrt(), libm libm::cbrt(x); libm::cbrtf(x), wide x.cbrt(),
        libmvec "cbrt";
    |x, y| "lgamma" in (0.0, 20.0), x.lgamma(), std x.lgamma(), libm libm::lgamma(x); libm::lgammaf(x);
    |x, y| "digamma" in (0.0, 20.0), x.digamma();
    |x, y| "pow" in (0.1, 8.0), x.powf(y), std x.powf(y), libm libm::pow(x, y); libm::powf(x, y), wide x.powf_simd(y),
        libmvec "pow";
    |x, y| "atan2" in (-4.0, 4.0), x.atan2(y), std x.atan2(y), libm libm::atan2(x, y); libm::atan2f(x, y),
        wide x.atan2(y), libmvec "atan2";
    |x, y| "hypot" in (-4.0, 4.0), x.hypot(y), std x.hypot(y), libm libm::hypot(x, y); libm::hypotf(x, y),
        libmvec "hypot";
}

/// The vector functions of glibc's library, if it is available.
#[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]
mod libmvec {
    use super::Loop;
    use std::arch::asm;
    use std::arch::x86_64::*;
    use std::ffi::{CString, c_char, c_int, c_void};

    unsafe extern "C" {
        fn dlopen(name: *const c_char, flags: c_int) -> *mut c_void;
        fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
    }

    /// The address of a function of the library, if this processor can call it.
    fn symbol(name: &str) -> Option<usize> {
        const NOW: c_int = 2;
        if !(is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")) {
            return None;
        }
        let name = CString::new(name).expect("a name without zeros");
        // SAFETY: both strings end in zeros, and the library runs no code when it is loaded.
        let address = unsafe {
            let library = dlopen(c"libmvec.so.1".as_ptr(), NOW);
            if library.is_null() {
                return None;
            }
            dlsym(library, name.as_ptr())
        };
        (!address.is_null()).then_some(address.addr())
    }

    /// A type of numbers that the library has functions for.
    pub trait Vector: Sized {
        /// A loop that calls the function of this name.
        fn find(name: &str) -> Option<Loop<Self>>;
    }

    macro_rules! vector {
        ($number:ty, $n:literal, $suffix:literal, $load:ident, $store:ident) => {
            impl Vector for $number {
                fn find(name: &str) -> Option<Loop<$number>> {
                    #[target_feature(enable = "avx2,fma")]
                    fn each(f: usize, x: &[$number], y: &[$number], z: &mut [$number]) {
                        let pairs = x.as_chunks::<$n>().0.iter().zip(y.as_chunks::<$n>().0);
                        for (z, (x, y)) in z.as_chunks_mut::<$n>().0.iter_mut().zip(pairs) {
                            // SAFETY: the arrays have the size of a register. The function takes one or two arguments
                            // and returns its value in vector registers, which no Rust function type can express.
                            unsafe {
                                let mut value = $load(x.as_ptr());
                                asm!(
                                    "call {f}",
                                    f = in(reg) f,
                                    inout("ymm0") value,
                                    in("ymm1") $load(y.as_ptr()),
                                    clobber_abi("sysv64"),
                                );
                                $store(z.as_mut_ptr(), value);
                            }
                        }
                    }

                    let symbol = |v: &str| symbol(&format!("_ZGVdN{}{v}_{name}{}", $n, $suffix));
                    let f = symbol("v").or_else(|| symbol("vv"))?;
                    // SAFETY: a symbol is found only if the processor has the features.
                    Some(Box::new(move |x, y, z| unsafe { each(f, x, y, z) }))
                }
            }
        };
    }
    vector!(f64, 4, "", _mm256_loadu_pd, _mm256_storeu_pd);
    vector!(f32, 8, "f", _mm256_loadu_ps, _mm256_storeu_ps);
}

#[cfg(not(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64")))]
mod libmvec {
    use super::Loop;

    /// A type of numbers that a vector library would have functions for.
    pub trait Vector: Sized {
        /// No vector library on this platform.
        fn find(_: &str) -> Option<Loop<Self>> {
            None
        }
    }
    impl Vector for f64 {}
    impl Vector for f32 {}
}

/// The best time of many calls, in nanoseconds per number.
fn best(mut call: impl FnMut()) -> f64 {
    let (start, mut best) = (Instant::now(), Duration::MAX);
    let mut n = 0;
    while n < 5 || start.elapsed() < PATIENCE {
        let start = Instant::now();
        call();
        best = best.min(start.elapsed());
        n += 1;
    }
    best.as_secs_f64() * 1e9 / N as f64
}

/// Numbers spread over the interval.
fn numbers<T: Number>((low, high): (f64, f64), shift: f64) -> Vec<T> {
    (1..=N).map(|i| T::from_f64(low + (high - low) * (0.6180339887498949 * i as f64 + shift).fract())).collect()
}

/// A number type, converted from `f64`.
trait Number: Element + Copy {
    fn from_f64(x: f64) -> Self;
    fn to_f64(self) -> f64;
}

impl Number for f64 {
    fn from_f64(x: f64) -> f64 {
        x
    }
    fn to_f64(self) -> f64 {
        self
    }
}

impl Number for f32 {
    fn from_f64(x: f64) -> f32 {
        x as f32
    }
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
}

/// Measures this crate and all available libraries for a row.
fn measure<T: Number>(row: &Row<T>) -> (f64, [Option<f64>; 4]) {
    let ty = || Type::new(T::DTYPE, [N]);
    let graph = trace(row.traced, (ty(), ty())).expect("the function is traced");
    let program = Program::compile(&optimize(&graph).expect("the graph is optimized")).expect("it compiles");
    let (x, y) = (numbers::<T>(row.range, 0.0), numbers::<T>(row.range, 0.5));
    let inputs = [x.clone(), y.clone()].map(|x| Array::from_elements([N], x).expect("its size"));
    let mut output = Array::zeros(&ty());
    let ours = best(|| {
        let outputs = &mut [output.view_mut()];
        program.call_into(black_box(&[inputs[0].view(), inputs[1].view()]), outputs).expect("the call succeeds");
    });
    let expected = output.as_slice::<T>().expect("numbers of this type");
    let mut z = vec![T::from_f64(0.0); N];
    let others = row.others.each_ref().map(|other| {
        other.as_ref().map(|other| {
            let time = best(|| other(black_box(&x), black_box(&y), black_box(&mut z)));
            let near = |(x, y): (&T, &T)| (x.to_f64() - y.to_f64()).abs() <= 1e-4 * (1e-2 + y.to_f64().abs());
            assert!(z.iter().zip(expected).all(near), "{}: both ways agree", row.name);
            time
        })
    });
    (ours, others)
}

/// Prints the table of one type, with the geometric means of the times relative to this crate.
fn table<T: Number>(title: &str, rows: &[Row<T>]) {
    println!("\n| {title} | retrograd | {} |", OTHERS.join(" | "));
    println!("| --- | --- | --- | --- | --- | --- |");
    let mut logs = [(0.0, 0); 4];
    for row in rows {
        let (ours, others) = measure(row);
        let cells = others.map(|time| time.map_or(String::new(), |time| format!("{time:.2}")));
        println!("| `{}` | {ours:.2} | {} |", row.name, cells.join(" | "));
        for ((sum, n), time) in logs.iter_mut().zip(others) {
            if let Some(time) = time {
                *sum += (time / ours).ln();
                *n += 1;
            }
        }
    }
    let means =
        logs.map(|(sum, n)| if n == 0 { String::new() } else { format!("{:.2}×", f64::exp(sum / f64::from(n))) });
    println!("| mean ratio | 1 | {} |", means.join(" | "));
}

fn main() {
    table("f64, ns", &rows_f64());
    table("f32, ns", &rows_f32());
}
