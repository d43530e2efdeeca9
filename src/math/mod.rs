//! Elementary functions, each written once and generic over the number of lanes.

mod entry;
mod exp;
mod hyperbolic;
mod inverse_trig;
mod lanes;
mod log;
mod pair;
mod power;
mod rem;
mod rounding;
mod trig;
mod trig_reduction;

#[cfg(test)]
mod tests;

use entry::{Definition1, Definition2, Entries1, Entries2, Processor, entries1, entries2};
use lanes::Lanes;

/// Writes an enum of functions from the list of them: variant, name, definition.
macro_rules! functions {
    (
        $(#[$doc:meta])*
        $family:ident, $definition:ident, $entries:ident, $table:ident, $parameters:tt => $arguments:tt;
        $($(#[$variant_doc:meta])* $variant:ident = $name:literal, $function:path;)*
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $family {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $family {
            /// All functions of this kind.
            pub const ALL: &'static [$family] = &[$($family::$variant),*];

            /// The name in graphs and listings.
            pub fn name(self) -> &'static str {
                match self {
                    $($family::$variant => $name,)*
                }
            }

            /// The entries for a kind of processor.
            fn entries(self, processor: Processor) -> &'static $entries {
                match self {
                    $($family::$variant => {
                        struct Function;
                        impl $definition for Function {
                            #[inline(always)]
                            fn eval<L: Lanes> $parameters -> L {
                                $function $arguments
                            }
                        }
                        $table::<Function>(processor)
                    })*
                }
            }
        }
    };
}

functions! {
    /// A function of one variable.
    Unary, Definition1, Entries1, entries1, (x: L) => (x);
    /// e to the power of x.
    Exp = "exp", exp::exp;
    /// 2 to the power of x.
    Exp2 = "exp2", exp::exp2;
    /// e to the power of x, less one, without cancellation near zero.
    Expm1 = "expm1", exp::expm1;
    /// The natural logarithm.
    Log = "log", log::log;
    /// The logarithm to base 2.
    Log2 = "log2", log::log2;
    /// The logarithm to base 10.
    Log10 = "log10", log::log10;
    /// The natural logarithm of 1 + x, without cancellation near zero.
    Log1p = "log1p", log::log1p;
    /// The sine.
    Sin = "sin", trig::sin;
    /// The cosine.
    Cos = "cos", trig::cos;
    /// The tangent.
    Tan = "tan", trig::tan;
    /// The inverse sine, in [-π/2, π/2].
    Asin = "asin", inverse_trig::asin;
    /// The inverse cosine, in [0, π].
    Acos = "acos", inverse_trig::acos;
    /// The inverse tangent, in [-π/2, π/2].
    Atan = "atan", inverse_trig::atan;
    /// The hyperbolic sine.
    Sinh = "sinh", hyperbolic::sinh;
    /// The hyperbolic cosine.
    Cosh = "cosh", hyperbolic::cosh;
    /// The hyperbolic tangent.
    Tanh = "tanh", hyperbolic::tanh;
    /// The inverse hyperbolic sine.
    Asinh = "asinh", hyperbolic::asinh;
    /// The inverse hyperbolic cosine, not negative.
    Acosh = "acosh", hyperbolic::acosh;
    /// The inverse hyperbolic tangent.
    Atanh = "atanh", hyperbolic::atanh;
    /// The logistic function, 1 / (1 + e to the power of -x).
    Logistic = "logistic", exp::logistic;
    /// The cube root.
    Cbrt = "cbrt", power::cbrt;
}

functions! {
    /// A function of two variables.
    Binary, Definition2, Entries2, entries2, (x: L, y: L) => (x, y);
    /// x to the power of y.
    Pow = "pow", power::pow;
    /// The angle of the point (y, x), `x.atan2(y)` in terms of Rust, in [-π, π].
    Atan2 = "atan2", inverse_trig::atan2;
    /// The length of the vector (x, y), without overflow on the way.
    Hypot = "hypot", power::hypot;
    /// The remainder of x / y with the sign of x, exact: `x % y` of Rust, `fmod` of C.
    Rem = "rem", rem::rem;
}

impl Unary {
    /// The function at `x`: the same bits as from the entries below.
    #[inline]
    pub fn f64(self, x: f64) -> f64 {
        self.scalar_f64()(x)
    }

    /// The function at `x`, computed in `f64` and rounded: the same bits as from the entries below.
    #[inline]
    pub fn f32(self, x: f32) -> f32 {
        self.scalar_f32()(x)
    }

    /// The function of one number, to be called from compiled code.
    pub fn scalar_f64(self) -> extern "C" fn(f64) -> f64 {
        let entry = self.entries(Processor::current()).scalar_f64;
        // SAFETY: the types differ in `unsafe` only, and the processor was just found to be of the kind asked for.
        unsafe { std::mem::transmute::<unsafe extern "C" fn(f64) -> f64, extern "C" fn(f64) -> f64>(entry) }
    }

    /// The function of one number, to be called from compiled code.
    pub fn scalar_f32(self) -> extern "C" fn(f32) -> f32 {
        let entry = self.entries(Processor::current()).scalar_f32;
        // SAFETY: the types differ in `unsafe` only, and the processor was just found to be of the kind asked for.
        unsafe { std::mem::transmute::<unsafe extern "C" fn(f32) -> f32, extern "C" fn(f32) -> f32>(entry) }
    }

    /// `y[i] = f(x[i])` for `i < n`.
    ///
    /// # Safety
    /// Of the function returned: `x` points to `n` readable and `y` to `n` writable numbers, which are the same
    /// or do not overlap. They need not be aligned.
    pub fn slice_f64(self) -> unsafe extern "C" fn(x: *const f64, y: *mut f64, n: usize) {
        self.entries(Processor::current()).slice_f64
    }

    /// `y[i] = f(x[i])` for `i < n`.
    ///
    /// # Safety
    /// Of the function returned: as for [`slice_f64`](Unary::slice_f64).
    pub fn slice_f32(self) -> unsafe extern "C" fn(x: *const f32, y: *mut f32, n: usize) {
        self.entries(Processor::current()).slice_f32
    }
}

impl Binary {
    /// The function at `(x, y)`: the same bits as from the entries below.
    #[inline]
    pub fn f64(self, x: f64, y: f64) -> f64 {
        self.scalar_f64()(x, y)
    }

    /// The function at `(x, y)`, computed in `f64` and rounded: the same bits as from the entries below.
    #[inline]
    pub fn f32(self, x: f32, y: f32) -> f32 {
        self.scalar_f32()(x, y)
    }

    /// The function of two numbers, to be called from compiled code.
    pub fn scalar_f64(self) -> extern "C" fn(f64, f64) -> f64 {
        let entry = self.entries(Processor::current()).scalar_f64;
        // SAFETY: the types differ in `unsafe` only, and the processor was just found to be of the kind asked for.
        unsafe { std::mem::transmute::<unsafe extern "C" fn(f64, f64) -> f64, extern "C" fn(f64, f64) -> f64>(entry) }
    }

    /// The function of two numbers, to be called from compiled code.
    pub fn scalar_f32(self) -> extern "C" fn(f32, f32) -> f32 {
        let entry = self.entries(Processor::current()).scalar_f32;
        // SAFETY: the types differ in `unsafe` only, and the processor was just found to be of the kind asked for.
        unsafe { std::mem::transmute::<unsafe extern "C" fn(f32, f32) -> f32, extern "C" fn(f32, f32) -> f32>(entry) }
    }

    /// `z[i] = f(x[i], y[i])` for `i < n`.
    ///
    /// # Safety
    /// Of the function returned: `x` and `y` point to `n` readable and `z` to `n` writable numbers; `z` is one of
    /// the others or overlaps with none. They need not be aligned.
    pub fn slice_f64(self) -> unsafe extern "C" fn(x: *const f64, y: *const f64, z: *mut f64, n: usize) {
        self.entries(Processor::current()).slice_f64
    }

    /// `z[i] = f(x[i], y[i])` for `i < n`.
    ///
    /// # Safety
    /// Of the function returned: as for [`slice_f64`](Binary::slice_f64).
    pub fn slice_f32(self) -> unsafe extern "C" fn(x: *const f32, y: *const f32, z: *mut f32, n: usize) {
        self.entries(Processor::current()).slice_f32
    }
}
