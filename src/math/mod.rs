//! Elementary functions, each written once and generic over the number of lanes.
//!
//! The interpreter, scalar compiled code and fused loops all call entries made from the same definition, and every step
//! of a definition is exact or correctly rounded by IEEE 754 in each lane, so all of them return the same bits, on
//! every processor: without a fused multiply-add instruction, it is computed in software. The features of the processor
//! are detected at run time.
//!
//! - Special values are those of C (Annex F): signed zeros, infinities and subnormal numbers included. Undefined
//!   results, and those of NaN arguments, are always `f64::NAN` with its bits: there is one NaN.
//! - A function of `f32` is the function of `f64` at the widened argument, rounded. Its error is thus hardly more than
//!   half a unit in the last place.
//! - Definitions have only two branches, both for rare large arguments, which are then computed lane by lane: arguments
//!   of `sin`, `cos` and `tan` beyond 2³⁰, and quotients of `rem` beyond 2⁵³.
//! - Coefficients were computed for this crate, by Remez exchange, and rounded to `f64`; those of the special functions
//!   by interpolation at Chebyshev points (`tests/data/math/fit.py`).
//!
//! Errors and times are documented in the module `op`, for users. `tools/accuracy` measures the errors, `benches/math`
//! the times; `tests/data/math/reference.py` and `special.py` generate the reference values of the tests. `tools/math`
//! builds this folder on its own, for any target.
//!
//! | file | |
//! | --- | --- |
//! | `lanes` | the trait that definitions are generic over, and its implementations: AVX2, AVX-512, NEON |
//! | `pair`, `rounding` | sums of two numbers, polynomials, powers of two |
//! | `exp`, `log`, `trig`, … | the definitions |
//! | `error_function`, `gamma`, `bessel`, … | those of special functions |
//! | `entry` | the entries made from them |
//! | `recording` | definitions as lists of steps, for a compiler |
//! | `indexing` | slices of arrays that begin where indices say |
//! | `order` | sorting and searching |
//! | `threefry`, `normal` | random bits, and normal numbers made of them |
//! | `matrix` | linear algebra: factors, solutions, eigenvalues |
//! | `fourier` | discrete Fourier transforms |
//! | `linear`, `pairwise` | sums of products, and the order in which many terms are added |
//! | `accumulators` | the sums of rows in registers of AVX2 |
//! | `structured` | products of large matrices, and half of those that are triangular or symmetric |

// Not part of the standalone build by tools/math.
#[cfg(all(not(elementary), target_arch = "x86_64"))]
mod accumulators;
mod bessel;
mod beta;
mod divergence;
mod entry;
mod error_derivatives;
mod error_function;
mod exp;
mod exponential_integral;
#[cfg(not(elementary))]
pub(crate) mod fourier;
mod gamma;
mod hyperbolic;
mod incomplete_beta;
mod incomplete_gamma;
#[cfg(not(elementary))]
pub mod indexing;
mod inverse_trig;
mod lanes;
// Not part of the standalone build by tools/math.
#[cfg(not(elementary))]
pub mod linear;
mod log;
mod log_sums;
#[cfg(not(elementary))]
pub(crate) mod matrix;
#[cfg(not(elementary))]
pub mod normal;
#[cfg(not(elementary))]
pub mod order;
mod pair;
#[cfg(not(elementary))]
pub mod pairwise;
mod polygamma_difference;
mod power;
#[cfg(any(unoptimized, test))]
pub(crate) mod recording;
mod rem;
mod rounding;
mod sinc;
mod spence;
#[cfg(not(elementary))]
mod structured;
#[cfg(not(elementary))]
pub mod threefry;
mod trig;
mod trig_reduction;
mod zeta;

#[cfg(test)]
mod tests;

use entry::{
    Definition1, Definition2, DefinitionOfTwo, Entries1, Entries2, EntriesOfTwo, Processor, entries_of_two, entries1,
    entries2,
};
use lanes::Lanes;

/// Generates an enum of functions from a list of variants, names and definitions.
macro_rules! functions {
    (
        $(#[$doc:meta])*
        $family:ident, $definition:ident, $entries:ident, $table:ident, $parameters:tt => $arguments:tt;
        $($(#[$variant_doc:meta])* $variant:ident = $name:literal, $function:path $(, $waits:ident)?;)*
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
                            $(const $waits: bool = true;)?
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
    /// e to the power of x, minus one, without cancellation near zero.
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
    Tan = "tan", trig::tan, WAITS;
    /// The inverse sine, in [-π/2, π/2].
    Asin = "asin", inverse_trig::asin;
    /// The inverse cosine, in [0, π].
    Acos = "acos", inverse_trig::acos;
    /// The inverse tangent, in [-π/2, π/2].
    Atan = "atan", inverse_trig::atan;
    /// The hyperbolic sine.
    Sinh = "sinh", hyperbolic::sinh, WAITS;
    /// The hyperbolic cosine.
    Cosh = "cosh", hyperbolic::cosh, WAITS;
    /// The hyperbolic tangent.
    Tanh = "tanh", hyperbolic::tanh, WAITS;
    /// The inverse hyperbolic sine.
    Asinh = "asinh", hyperbolic::asinh;
    /// The inverse hyperbolic cosine, not negative.
    Acosh = "acosh", hyperbolic::acosh;
    /// The inverse hyperbolic tangent.
    Atanh = "atanh", hyperbolic::atanh;
    /// The logistic function, 1 / (1 + e to the power of -x).
    Logistic = "logistic", exp::logistic, WAITS;
    /// The cube root.
    Cbrt = "cbrt", power::cbrt, WAITS;
    /// The error function.
    Erf = "erf", error_function::erf;
    /// One minus the error function, without cancellation.
    Erfc = "erfc", error_function::erfc;
    /// e to the power of x², times one minus the error function.
    Erfcx = "erfcx", error_function::erfcx;
    /// The inverse of the error function.
    ErfInv = "erf_inv", error_function::erf_inv;
    /// The distribution function of the normal distribution.
    Ndtr = "ndtr", error_function::ndtr;
    /// The logarithm of the distribution function of the normal distribution.
    LogNdtr = "log_ndtr", error_function::log_ndtr;
    /// The inverse of the distribution function of the normal distribution.
    Ndtri = "ndtri", error_function::ndtri;
    /// The gamma function.
    Gamma = "gamma", gamma::gamma;
    /// The natural logarithm of the magnitude of the gamma function.
    Lgamma = "lgamma", gamma::lgamma;
    /// The derivative of the logarithm of the gamma function.
    Digamma = "digamma", gamma::digamma;
    /// -x ln x, 0 at 0 and -inf below.
    Entr = "entr", log_sums::entr;
    /// ln(x / (1 - x)).
    Logit = "logit", log_sums::logit;
    /// ln(1 + eˣ), without overflow.
    Softplus = "softplus", log_sums::softplus;
    /// ln(1 - e⁻ˣ) for x >= 0.
    Log1mexp = "log1mexp", log_sums::log1mexp;
    /// sin(πx) / (πx).
    Sinc = "sinc", sinc::sinc;
    /// The Bessel function of the first kind, of order 0.
    BesselJ0 = "bessel_j0", bessel::j0;
    /// The Bessel function of the first kind, of order 1.
    BesselJ1 = "bessel_j1", bessel::j1;
    /// The Bessel function of the second kind, of order 0.
    BesselY0 = "bessel_y0", bessel::y0;
    /// The Bessel function of the second kind, of order 1.
    BesselY1 = "bessel_y1", bessel::y1;
    /// The modified Bessel function of the first kind, of order 0.
    BesselI0 = "bessel_i0", bessel::i0;
    /// The modified Bessel function of the first kind, of order 1.
    BesselI1 = "bessel_i1", bessel::i1;
    /// e to the power of -|x|, times the modified Bessel function of order 0.
    BesselI0e = "bessel_i0e", bessel::i0e;
    /// e to the power of -|x|, times the modified Bessel function of order 1.
    BesselI1e = "bessel_i1e", bessel::i1e;
    /// The hyperbolic secant, 1 / cosh x.
    Sech = "sech", hyperbolic::sech;
    /// e to the power of -x².
    Gaussian = "gaussian", error_function::gaussian;
    /// The density of the normal distribution.
    NormalDensity = "normal_density", error_function::normal_density;
    /// The density of the normal distribution, divided by its distribution function.
    NormalHazard = "normal_hazard", error_function::normal_hazard;
    /// The derivative of the inverse of the error function.
    ErfInvDerivative = "erf_inv_derivative", error_function::erf_inv_derivative;
    /// The derivative of the inverse of the distribution function of the normal distribution.
    NdtriDerivative = "ndtri_derivative", error_function::ndtri_derivative;
    /// The derivative of the hyperbolic tangent, 1 / cosh² x.
    TanhDerivative = "tanh_derivative", hyperbolic::tanh_derivative, WAITS;
    /// The derivative of the logistic function.
    LogisticDerivative = "logistic_derivative", exp::logistic_derivative;
    /// The exponential integral E₁.
    Exp1 = "exp1", exponential_integral::exp1;
    /// The exponential integral Ei.
    Expi = "expi", exponential_integral::expi;
    /// Spence's function, the dilogarithm of 1 - x.
    Spence = "spence", spence::spence;
    /// The reciprocal of the gamma function.
    Rgamma = "rgamma", gamma::rgamma;
}

functions! {
    /// A function of two variables.
    Binary, Definition2, Entries2, entries2, (x: L, y: L) => (x, y);
    /// x to the power of y.
    Pow = "pow", power::pow;
    /// The angle of the point (y, x), `x.atan2(y)` in terms of Rust, in [-π, π].
    Atan2 = "atan2", inverse_trig::atan2;
    /// The Euclidean norm of (x, y), without intermediate overflow.
    Hypot = "hypot", power::hypot;
    /// The remainder of x / y with the sign of x, exact: `x % y` of Rust, `fmod` of C.
    Rem = "rem", rem::rem;
    /// x ln y, and 0 where x is 0.
    Xlogy = "xlogy", log_sums::xlogy;
    /// x ln(1 + y), and 0 where x is 0.
    Xlog1py = "xlog1py", log_sums::xlog1py;
    /// ln(eˣ + eʸ), without overflow.
    Logaddexp = "logaddexp", log_sums::logaddexp;
    /// The beta function.
    Beta = "beta", beta::beta;
    /// The natural logarithm of the beta function.
    Lbeta = "lbeta", beta::lbeta;
    /// The derivative of order x of the digamma function, at y.
    Polygamma = "polygamma", zeta::polygamma;
    /// The derivative of order x of the normalized sinc function, at y.
    SincDerivative = "sinc_derivative", sinc::sinc_derivative;
    /// The regularized lower incomplete gamma function of parameter x, at y.
    Igamma = "igamma", incomplete_gamma::igamma;
    /// The regularized upper incomplete gamma function of parameter x, at y.
    Igammac = "igammac", incomplete_gamma::igammac;
    /// The derivative of `Igamma` by y.
    GammaDensity = "gamma_density", incomplete_gamma::gamma_density;
    /// The derivative of `Igamma` by x.
    IgammaGradA = "igamma_grad_a", incomplete_gamma::igamma_grad_a;
    /// The Bessel function of the first kind, of order x, at y.
    BesselJn = "bessel_jn", bessel::jn;
    /// The modified Bessel function of the first kind, of order x, at y.
    BesselIn = "bessel_in", bessel::in_;
    /// e to the power of -|y|, times the modified Bessel function of order x at y.
    BesselIne = "bessel_ine", bessel::ine;
    /// x / √(x² + y²), without intermediate overflow; 0 at the origin.
    DirectionCosine = "direction_cosine", power::direction_cosine;
    /// The derivative of order x of the scaled complementary error function, at y.
    ErfcxDerivative = "erfcx_derivative", error_derivatives::erfcx_derivative;
    /// The derivative of order x of the logarithm of the normal distribution function, at y.
    LogNdtrDerivative = "log_ndtr_derivative", error_derivatives::log_ndtr_derivative;
    /// The Hurwitz zeta function of order x, at y.
    Zeta = "zeta", zeta::zeta;
    /// The derivative of order x of Spence's function, at y.
    SpenceDerivative = "spence_derivative", spence::spence_derivative;
    /// ln(x/y).
    LogRatio = "log_ratio", divergence::log_ratio;
    /// x ln(x/y); 0 where x is 0, inf where an argument is negative.
    RelEntr = "rel_entr", divergence::rel_entr;
    /// x ln(x/y) - x + y; y where x is 0, inf where an argument is negative.
    KlDiv = "kl_div", divergence::kl_div;
}

/// A function of three variables, without lanes: each element is computed separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ternary {
    /// The regularized incomplete beta function of parameters x and y, at z.
    Betainc,
    /// The derivative of `Betainc` by z.
    BetaDensity,
    /// The derivative of `Betainc` by x.
    BetaincGradA,
    /// The derivative of `Betainc` by y.
    BetaincGradB,
    /// The derivative of order x of the digamma function at y, minus that at y + z.
    PolygammaDifference,
    /// The derivative of order y of e to the power of -|z|, times the modified Bessel function of order x, at z.
    BesselIneDerivative,
}

impl Ternary {
    /// All functions of this kind.
    pub const ALL: &'static [Ternary] = &[
        Ternary::Betainc,
        Ternary::BetaDensity,
        Ternary::BetaincGradA,
        Ternary::BetaincGradB,
        Ternary::PolygammaDifference,
        Ternary::BesselIneDerivative,
    ];

    /// The name in graphs and listings.
    pub fn name(self) -> &'static str {
        match self {
            Ternary::Betainc => "betainc",
            Ternary::BetaDensity => "beta_density",
            Ternary::BetaincGradA => "betainc_grad_a",
            Ternary::BetaincGradB => "betainc_grad_b",
            Ternary::PolygammaDifference => "polygamma_difference",
            Ternary::BesselIneDerivative => "bessel_ine_derivative",
        }
    }

    /// The function at `(x, y, z)`.
    pub fn f64(self, x: f64, y: f64, z: f64) -> f64 {
        self.scalar_f64()(x, y, z)
    }

    /// The function at `(x, y, z)`, computed in `f64` and rounded.
    pub fn f32(self, x: f32, y: f32, z: f32) -> f32 {
        self.scalar_f32()(x, y, z)
    }

    /// The function of three numbers, to be called from compiled code.
    pub fn scalar_f64(self) -> extern "C" fn(f64, f64, f64) -> f64 {
        match self {
            Ternary::Betainc => wide::<0>,
            Ternary::BetaDensity => wide::<1>,
            Ternary::BetaincGradA => wide::<2>,
            Ternary::BetaincGradB => wide::<3>,
            Ternary::PolygammaDifference => wide::<4>,
            Ternary::BesselIneDerivative => wide::<5>,
        }
    }

    /// The function of three numbers, to be called from compiled code.
    pub fn scalar_f32(self) -> extern "C" fn(f32, f32, f32) -> f32 {
        match self {
            Ternary::Betainc => narrow::<0>,
            Ternary::BetaDensity => narrow::<1>,
            Ternary::BetaincGradA => narrow::<2>,
            Ternary::BetaincGradB => narrow::<3>,
            Ternary::PolygammaDifference => narrow::<4>,
            Ternary::BesselIneDerivative => narrow::<5>,
        }
    }
}

/// The definitions of the functions of three variables, in the order of their list.
const TERNARY: [fn(f64, f64, f64) -> f64; 6] = [
    incomplete_beta::betainc,
    incomplete_beta::beta_density,
    incomplete_beta::betainc_grad_a,
    incomplete_beta::betainc_grad_b,
    polygamma_difference::polygamma_difference,
    bessel::ine_derivative,
];

extern "C" fn wide<const INDEX: usize>(x: f64, y: f64, z: f64) -> f64 {
    TERNARY[INDEX](x, y, z).canonical()
}

extern "C" fn narrow<const INDEX: usize>(x: f32, y: f32, z: f32) -> f32 {
    wide::<INDEX>(x.into(), y.into(), z.into()) as f32
}

/// Generates the enum of pairs of functions from a list of variants, their functions and the definitions that compute
/// both.
macro_rules! couples {
    (
        $(#[$doc:meta])*
        $name:ident;
        $($(#[$variant_doc:meta])* $variant:ident = [$first:ident, $second:ident], $function:path $(, $waits:ident)?;)*
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// All pairs.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// The functions, in the order of their results.
            pub fn functions(self) -> [Unary; 2] {
                match self {
                    $($name::$variant => [Unary::$first, Unary::$second],)*
                }
            }

            /// The entries for a kind of processor.
            fn entries(self, processor: Processor) -> &'static EntriesOfTwo {
                match self {
                    $($name::$variant => {
                        struct Functions;
                        impl DefinitionOfTwo for Functions {
                            $(const $waits: bool = true;)?
                            #[inline(always)]
                            fn eval<L: Lanes>(x: L) -> [L; 2] {
                                $function(x)
                            }
                        }
                        entries_of_two::<Functions>(processor)
                    })*
                }
            }
        }
    };
}

couples! {
    /// Two functions of one variable that share most of their work: together they take little more time than one of them.
    Couple;
    /// Sine and cosine share the reduction of the argument.
    SinCos = [Sin, Cos], trig::sin_cos;
    /// The hyperbolic tangent and its derivative share the exponential.
    Tanh = [Tanh, TanhDerivative], hyperbolic::tanh_and_derivative, WAITS;
    /// The logistic function and its derivative share the exponential.
    Logistic = [Logistic, LogisticDerivative], exp::logistic_and_derivative, WAITS;
}

impl Couple {
    /// The pair that a function belongs to, and its position in the pair.
    pub fn of(f: Unary) -> Option<(Couple, usize)> {
        Couple::ALL.iter().find_map(|&couple| Some((couple, couple.functions().iter().position(|&g| g == f)?)))
    }

    /// The definition as a list of steps; none if it is computed lane by lane.
    #[cfg(any(unoptimized, test))]
    pub(crate) fn steps(self) -> Option<recording::Steps> {
        (self.entries(Processor::current()).steps)()
    }

    /// Both functions of one number: returns the first, and writes the second. The bits are those of the separate
    /// functions.
    ///
    /// # Safety
    /// Of the function returned: `second` points to a writable number.
    pub fn scalar_f64(self) -> unsafe extern "C" fn(x: f64, second: *mut f64) -> f64 {
        self.entries(Processor::current()).scalar_f64
    }

    /// As [`scalar_f64`](Couple::scalar_f64), computed in `f64` and rounded.
    ///
    /// # Safety
    /// As there.
    pub fn scalar_f32(self) -> unsafe extern "C" fn(x: f32, second: *mut f32) -> f32 {
        self.entries(Processor::current()).scalar_f32
    }

    /// `y[i] = f(x[i])` and `z[i] = g(x[i])` for `i < n`: the bits are those of the separate functions.
    ///
    /// # Safety
    /// Of the function returned: `x` points to `n` readable, `y` and `z` to `n` writable numbers each, which do not overlap,
    /// but one of them may be `x`. They need not be aligned.
    pub fn slice_f64(self) -> unsafe extern "C" fn(x: *const f64, y: *mut f64, z: *mut f64, n: usize) {
        self.entries(Processor::current()).slice_f64
    }

    /// As [`slice_f64`](Couple::slice_f64), computed in `f64` and rounded.
    ///
    /// # Safety
    /// As there.
    pub fn slice_f32(self) -> unsafe extern "C" fn(x: *const f32, y: *mut f32, z: *mut f32, n: usize) {
        self.entries(Processor::current()).slice_f32
    }
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

    /// The definition as a list of steps; none if it is computed lane by lane.
    #[cfg(any(unoptimized, test))]
    pub(crate) fn steps(self) -> Option<recording::Steps> {
        (self.entries(Processor::current()).steps)()
    }

    /// The function of one number, to be called from compiled code.
    pub fn scalar_f64(self) -> extern "C" fn(f64) -> f64 {
        let entry = self.entries(Processor::current()).scalar_f64;
        // SAFETY: the types differ in `unsafe` only, and the processor has just been checked to be of the requested kind.
        unsafe { std::mem::transmute::<unsafe extern "C" fn(f64) -> f64, extern "C" fn(f64) -> f64>(entry) }
    }

    /// The function of one number, to be called from compiled code.
    pub fn scalar_f32(self) -> extern "C" fn(f32) -> f32 {
        let entry = self.entries(Processor::current()).scalar_f32;
        // SAFETY: the types differ in `unsafe` only, and the processor has just been checked to be of the requested kind.
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

    /// The definition as a list of steps; none if it is computed lane by lane.
    #[cfg(any(unoptimized, test))]
    pub(crate) fn steps(self) -> Option<recording::Steps> {
        (self.entries(Processor::current()).steps)()
    }

    /// The function of two numbers, to be called from compiled code.
    pub fn scalar_f64(self) -> extern "C" fn(f64, f64) -> f64 {
        let entry = self.entries(Processor::current()).scalar_f64;
        // SAFETY: the types differ in `unsafe` only, and the processor has just been checked to be of the requested kind.
        unsafe { std::mem::transmute::<unsafe extern "C" fn(f64, f64) -> f64, extern "C" fn(f64, f64) -> f64>(entry) }
    }

    /// The function of two numbers, to be called from compiled code.
    pub fn scalar_f32(self) -> extern "C" fn(f32, f32) -> f32 {
        let entry = self.entries(Processor::current()).scalar_f32;
        // SAFETY: the types differ in `unsafe` only, and the processor has just been checked to be of the requested kind.
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
