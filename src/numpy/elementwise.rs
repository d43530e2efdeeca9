//! Functions by elements under NumPy's names.

use std::f64::consts::{LN_2, PI};

use super::axes::{enter, float, number, promoted, truth};
use crate::op::{Operand, Var, trace};
use crate::value::DType;

/// Functions of one array that a method of `Var` computes. Where NumPy gives floating point for integers, so do these.
macro_rules! unary {
    ($($(#[$doc:meta])* $name:ident => $method:ident, $prepare:ident, $numpy:literal;)+) => {$(
        #[doc = concat!("NumPy's `", $numpy, "`, elementwise; see [`Var::", stringify!($method), "`].")]
        $(#[$doc])*
        #[track_caller]
        pub fn $name(x: Var) -> Var {
            let _method = enter(stringify!($name), &[x]);
            $prepare(x).$method()
        }
    )+};
}

unary! {
    abs => abs, number, "abs`, `absolute`, `fabs";
    square => square, number, "square";
    sqrt => sqrt, float, "sqrt";
    cbrt => cbrt, float, "cbrt";
    reciprocal => recip, float, "reciprocal";
    exp => exp, float, "exp";
    exp2 => exp2, float, "exp2";
    expm1 => exp_m1, float, "expm1";
    log => ln, float, "log";
    log2 => log2, float, "log2";
    log10 => log10, float, "log10";
    log1p => ln_1p, float, "log1p";
    sin => sin, float, "sin";
    cos => cos, float, "cos";
    tan => tan, float, "tan";
    arcsin => asin, float, "arcsin";
    arccos => acos, float, "arccos";
    arctan => atan, float, "arctan";
    sinh => sinh, float, "sinh";
    cosh => cosh, float, "cosh";
    tanh => tanh, float, "tanh";
    arcsinh => asinh, float, "arcsinh";
    arccosh => acosh, float, "arccosh";
    arctanh => atanh, float, "arctanh";
    sinc => sinc, float, "sinc";
    floor => floor, float, "floor";
    ceil => ceil, float, "ceil";
    trunc => trunc, float, "trunc`, `fix";
    /// Halves go to the even neighbor.
    round => round_ties_even, float, "round`, `rint";
    isnan => is_nan, float, "isnan";
    isfinite => is_finite, float, "isfinite";
}

/// Functions of two arrays, or of an array and a number, that a method of `Var` computes.
macro_rules! binary {
    ($($(#[$doc:meta])* $name:ident => $method:ident, $numpy:literal;)+) => {$(
        #[doc = concat!("NumPy's `", $numpy, "`, elementwise with broadcasting; see [`Var::", stringify!($method), "`].")]
        /// `bool` and integers beside a float take its dtype; `f32` beside `f64` is an error.
        $(#[$doc])*
        #[track_caller]
        pub fn $name(x: Var, y: impl Operand) -> Var {
            let (x, y) = promoted(x, y);
            let _method = enter(stringify!($name), &[x, y]);
            x.$method(y)
        }
    )+};
}

binary! {
    /// NaN if either is; [`fmax`] prefers what is no NaN.
    maximum => max, "maximum";
    /// NaN if either is; [`fmin`] prefers what is no NaN.
    minimum => min, "minimum";
    equal => equal, "equal";
    not_equal => not_equal, "not_equal";
    less => less, "less";
    less_equal => less_equal, "less_equal";
    greater => greater, "greater";
    greater_equal => greater_equal, "greater_equal";
}

/// The same for functions of floating-point numbers.
macro_rules! binary_float {
    ($($(#[$doc:meta])* $name:ident => $method:ident, $numpy:literal;)+) => {$(
        #[doc = concat!("NumPy's `", $numpy, "`, elementwise with broadcasting; see [`Var::", stringify!($method), "`].")]
        /// Integers and `bool` count as `f64`.
        $(#[$doc])*
        #[track_caller]
        pub fn $name(x: Var, y: impl Operand) -> Var {
            let (x, y) = floats(x, y);
            let _method = enter(stringify!($name), &[x, y]);
            x.$method(y)
        }
    )+};
}

binary_float! {
    /// `self` is the first argument, as in NumPy: the ordinate.
    arctan2 => atan2, "arctan2";
    hypot => hypot, "hypot";
    copysign => copysign, "copysign";
    logaddexp => logaddexp, "logaddexp";
    power => powf, "power`, `float_power";
}

/// Two operands of floating point.
#[track_caller]
fn floats(x: Var, y: impl Operand) -> (Var, Var) {
    let (x, y) = promoted(float(x), y);
    (x, float(y))
}

macro_rules! operator {
    ($($(#[$doc:meta])* $name:ident, $operator:tt, $prepare:ident;)+) => {$(
        #[doc = concat!("NumPy's `", stringify!($name), "`: the operator `", stringify!($operator), "`.")]
        $(#[$doc])*
        #[track_caller]
        pub fn $name(x: Var, y: impl Operand) -> Var {
            let (x, y) = $prepare(x, y);
            let _method = enter(stringify!($name), &[x, y]);
            x $operator y
        }
    )+};
}

operator! {
    add, +, promoted;
    subtract, -, promoted;
    multiply, *, promoted;
    /// NumPy's `true_divide`: integers and `bool` count as `f64`.
    divide, /, floats;
    /// The remainder has the sign of `x`, as in C and Rust. For integers `x % 0` is `x`, where NumPy gives 0.
    fmod, %, promoted;
}

/// NumPy's `sign`: -1, 0 or 1, and NaN for NaN; that of -0 is 0, unlike [`Var::sign`]. The derivative is 0, also at the step.
#[track_caller]
pub fn sign(x: Var) -> Var {
    let _method = enter("sign", &[x]);
    // The sum of zeros of both signs is 0.
    number(x).sign() + 0
}

/// NumPy's `negative`: `-x`.
#[track_caller]
pub fn negative(x: Var) -> Var {
    let _method = enter("negative", &[x]);
    -x
}

/// NumPy's `logical_not`: whether an element is 0, or `false`.
#[track_caller]
pub fn logical_not(x: Var) -> Var {
    let _method = enter("logical_not", &[x]);
    !truth(x)
}

/// NumPy's `logical_and`; what is not 0 counts as true.
#[track_caller]
pub fn logical_and(x: Var, y: Var) -> Var {
    let _method = enter("logical_and", &[x, y]);
    truth(x) & truth(y)
}

/// NumPy's `logical_or`; what is not 0 counts as true.
#[track_caller]
pub fn logical_or(x: Var, y: Var) -> Var {
    let _method = enter("logical_or", &[x, y]);
    truth(x) | truth(y)
}

/// NumPy's `logical_xor`; what is not 0 counts as true.
#[track_caller]
pub fn logical_xor(x: Var, y: Var) -> Var {
    let _method = enter("logical_xor", &[x, y]);
    truth(x).not_equal(truth(y))
}

/// NumPy's `isinf`: whether an element is infinite.
#[track_caller]
pub fn isinf(x: Var) -> Var {
    let _method = enter("isinf", &[x]);
    float(x).abs().equal(f64::INFINITY)
}

/// NumPy's `isposinf`.
#[track_caller]
pub fn isposinf(x: Var) -> Var {
    let _method = enter("isposinf", &[x]);
    float(x).equal(f64::INFINITY)
}

/// NumPy's `isneginf`.
#[track_caller]
pub fn isneginf(x: Var) -> Var {
    let _method = enter("isneginf", &[x]);
    float(x).equal(f64::NEG_INFINITY)
}

/// NumPy's `signbit`: whether an element is negative, or -0; that of a NaN is false.
#[track_caller]
pub fn signbit(x: Var) -> Var {
    let _method = enter("signbit", &[x]);
    if x.dtype().is_float() { x.full_like(1.0).copysign(x).less(0) } else { number(x).less(0) }
}

/// NumPy's `where`: `x` where the condition holds, else `y`; see [`Var::select`]. A condition of numbers holds where it is
/// not 0. The gradient of what is not chosen is 0.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let y: Array1<f64> = jit(|x: Var| np::where_(x.greater(0), x, 0.1 * x)).call(array![2.0, -2.0])?;
/// assert_eq!(y, array![2.0, -0.2]);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn where_(condition: Var, x: impl Operand, y: impl Operand) -> Var {
    let _method = enter("where_", &[condition]);
    truth(condition).select(x, y)
}

/// NumPy's `select`: of several arrays the element of the first whose condition holds, and the default where none does. The
/// gradient of what is not chosen is 0. All arrays have one dtype, and broadcast.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let steps = |x: Var| np::select(&[x.less(0), x.less(1)], &[-x, x * x], x);
/// let y: Array1<f64> = jit(steps).call(array![-2.0, 0.5, 3.0])?;
/// assert_eq!(y, array![2.0, 0.25, 3.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Lists of different lengths, two dtypes, shapes that do not broadcast.
#[track_caller]
pub fn select(conditions: &[Var], choices: &[Var], default: impl Operand) -> Var {
    let _method = enter("select", choices);
    let (n, m) = (conditions.len(), choices.len());
    if n != m || n == 0 {
        trace::fail_at(format!("takes as many choices as conditions, and at least one, but got {m} and {n}"));
        return Var::poisoned();
    }
    let pairs = conditions.iter().zip(choices).rev();
    pairs.fold(default.var(choices[0]), |others, (&condition, &x)| truth(condition).select(x, others))
}

/// NumPy's `clip`: elements brought into a range; see [`Var::clamp`]. The derivative at a bound is 1/2. For a range with one
/// bound there are [`maximum`] and [`minimum`].
#[track_caller]
pub fn clip(x: Var, low: impl Operand, high: impl Operand) -> Var {
    let _method = enter("clip", &[x]);
    x.clamp(low, high)
}

/// NumPy's `nan_to_num`: 0 in place of NaN, and the greatest and least finite number in place of infinities. What is
/// replaced has derivative 0.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let y: Array1<f64> = jit(np::nan_to_num).call(array![f64::NAN, f64::INFINITY, 1.0])?;
/// assert_eq!(y, array![0.0, f64::MAX, 1.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn nan_to_num(x: Var) -> Var {
    let _method = enter("nan_to_num", &[x]);
    let most = match x.dtype() {
        DType::F64 => f64::MAX,
        DType::F32 => f64::from(f32::MAX),
        DType::I64 | DType::Bool => return x,
    };
    replaced(x, 0.0, most, -most)
}

/// NumPy's `nan_to_num` with numbers of one's own in place of NaN, inf and -inf. Integers have none of these.
#[track_caller]
pub fn nan_to_num_with(x: Var, nan: f64, posinf: f64, neginf: f64) -> Var {
    let _method = enter("nan_to_num_with", &[x]);
    if x.dtype().is_float() { replaced(x, nan, posinf, neginf) } else { x }
}

fn replaced(x: Var, nan: f64, posinf: f64, neginf: f64) -> Var {
    let finite = x.equal(f64::INFINITY).select(posinf, x.equal(f64::NEG_INFINITY).select(neginf, x));
    x.is_nan().select(nan, finite)
}

/// NumPy's `mod` and `remainder`, Python's `%`: what remains has the sign of `y`. For integers it is `x` where `y` is 0;
/// NumPy gives 0. For floats it is NaN there. The derivatives are 1 and `-floor(x/y)`, also at the steps.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let y: Array1<f64> = jit(|x: Var| np::mod_(x, 3.0)).call(array![7.0, -7.0])?;
/// assert_eq!(y, array![1.0, 2.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn mod_(x: Var, y: impl Operand) -> Var {
    let (x, y) = promoted(x, y);
    let _method = enter("mod_", &[x, y]);
    modulo(x, y)
}

/// NumPy's `remainder`; the same as [`mod_`].
#[track_caller]
pub fn remainder(x: Var, y: impl Operand) -> Var {
    let (x, y) = promoted(x, y);
    let _method = enter("remainder", &[x, y]);
    modulo(x, y)
}

fn modulo(x: Var, y: Var) -> Var {
    let rest = x % y;
    let differ = rest.less(0).not_equal(y.less(0)) & rest.not_equal(0) & y.not_equal(0);
    // A rest of 0 has the sign of the divisor, as in NumPy. The derivative goes by way of the rest, and what is subtracted
    // is +0, which changes no zero.
    let rest = if rest.dtype().is_float() {
        let zero = y.full_like(0.0).copysign(y.stop_gradient());
        rest.equal(0).select(zero - (rest.stop_gradient() - rest), rest)
    } else {
        rest
    };
    differ.select(rest + y, rest)
}

/// NumPy's `floor_divide`, Python's `//`: the quotient, rounded down. Its derivative is 0, also at the steps.
///
/// For floats, it is `(x - mod(x, y))/y`, so that it fits to [`mod_`]; a divisor of 0 gives the quotient. For integers, what
/// a division by 0 gives is as of the operator `/`.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let y: Array1<i64> = jit(|x: Var| np::floor_divide(x, 3)).call(array![7i64, -7])?;
/// assert_eq!(y, array![2i64, -3]);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn floor_divide(x: Var, y: impl Operand) -> Var {
    let (x, y) = promoted(x, y);
    let _method = enter("floor_divide", &[x, y]);
    let (x, y) = (x.stop_gradient(), y.stop_gradient());
    if !x.dtype().is_float() {
        let rest = x % y;
        let differ = rest.less(0).not_equal(y.less(0)) & rest.not_equal(0) & y.not_equal(0);
        return differ.select(x / y - 1, x / y);
    }
    // Beside an infinite divisor the quotient is 0, or just below.
    let infinite = !y.is_finite() & !y.is_nan() & x.is_finite();
    let below = (x.less(0).not_equal(y.less(0)) & x.not_equal(0)).select(x.full_like(-1.0), x / y);
    let quotient = infinite.select(below, (x - modulo(x, y)) / y);
    let down = quotient.floor();
    // The quotient is an integer but for rounding, which may have put it just below.
    let nearest = (quotient - down).greater(0.5).select(down + 1.0, down);
    let signed = quotient.equal(0).select(nearest.abs().copysign(x / y), nearest);
    y.equal(0).select(x / y, signed)
}

/// NumPy's `divmod`: [`floor_divide`] and [`mod_`].
#[track_caller]
pub fn divmod(x: Var, y: impl Operand) -> (Var, Var) {
    let (x, y) = promoted(x, y);
    let _method = enter("divmod", &[x, y]);
    (floor_divide(x, y), modulo(x, y))
}

/// NumPy's `fmax`: the larger of two numbers, and if one is NaN the other; NaN if both are. The derivatives are those of
/// [`maximum`], and 0 for a NaN that is passed over.
#[track_caller]
pub fn fmax(x: Var, y: impl Operand) -> Var {
    let (x, y) = promoted(x, y);
    let _method = enter("fmax", &[x, y]);
    prefer_numbers(x, y, x.max(y))
}

/// NumPy's `fmin`: the smaller of two numbers, and if one is NaN the other; see [`fmax`].
#[track_caller]
pub fn fmin(x: Var, y: impl Operand) -> Var {
    let (x, y) = promoted(x, y);
    let _method = enter("fmin", &[x, y]);
    prefer_numbers(x, y, x.min(y))
}

fn prefer_numbers(x: Var, y: Var, extreme: Var) -> Var {
    if !x.dtype().is_float() {
        return extreme;
    }
    x.is_nan().select(y, y.is_nan().select(x, extreme))
}

/// NumPy's `degrees` and `rad2deg`.
#[track_caller]
pub fn degrees(x: Var) -> Var {
    let _method = enter("degrees", &[x]);
    float(x) * (180.0 / PI)
}

/// NumPy's `radians` and `deg2rad`.
#[track_caller]
pub fn radians(x: Var) -> Var {
    let _method = enter("radians", &[x]);
    float(x) * (PI / 180.0)
}

/// NumPy's `logaddexp2`: `log2(2^x + 2^y)`, without overflow on the way.
#[track_caller]
pub fn logaddexp2(x: Var, y: impl Operand) -> Var {
    let (x, y) = floats(x, y);
    let _method = enter("logaddexp2", &[x, y]);
    // With the greater one apart, so that where it is alone the result is that one exactly.
    let (most, least) = (x.max(y), x.min(y));
    let away = most.equal(least).select(0.0, least - most);
    most + away.exp2().ln_1p() * (1.0 / LN_2)
}

/// NumPy's `heaviside`: 0 below 0, 1 above 0, and `h` at 0; NaN for NaN. The derivative by `x` is 0, also at the step.
#[track_caller]
pub fn heaviside(x: Var, h: impl Operand) -> Var {
    let (x, h) = floats(x, h);
    let _method = enter("heaviside", &[x, h]);
    let step = x.equal(0).select(h, x.greater(0).select(1.0, h.full_like(0.0)));
    let x = x.stop_gradient();
    x.is_nan().select(x, step)
}

/// NumPy's `isclose`: whether `|x - y| <= atol + rtol·|y|` (NumPy's defaults are `rtol = 1e-5` and `atol = 1e-8`). Infinities
/// are close to themselves, NaN to nothing.
#[track_caller]
pub fn isclose(x: Var, y: impl Operand, rtol: f64, atol: f64) -> Var {
    let (x, y) = floats(x, y);
    let _method = enter("isclose", &[x, y]);
    let close = (x - y).abs().less_equal(y.abs() * rtol + atol);
    (close & y.is_finite()) | x.equal(y)
}

/// NumPy's `allclose`: whether all elements are close; see [`isclose`].
///
/// ```
/// use ndarray::array;
/// use retrograd::{Var, jit, numpy as np};
///
/// let close: bool = jit(|x: Var| np::allclose(x, 1.0, 1e-5, 1e-8)).call(array![1.0, 1.000001])?;
/// assert!(close);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[track_caller]
pub fn allclose(x: Var, y: impl Operand, rtol: f64, atol: f64) -> Var {
    let (x, y) = floats(x, y);
    let _method = enter("allclose", &[x, y]);
    isclose(x, y, rtol, atol).all()
}

/// NumPy's `array_equal`: whether shapes and all elements are equal. NaN equals nothing.
#[track_caller]
pub fn array_equal(x: Var, y: Var) -> Var {
    let _method = enter("array_equal", &[x, y]);
    if x.shape() == y.shape() { equal(x, y).all() } else { Var::from(false) }
}

/// NumPy's `ldexp`: `x · 2^n` for integers `n`. The powers of two are halved, so that neither overflows before the product
/// does.
#[track_caller]
pub fn ldexp(x: Var, n: impl Operand) -> Var {
    let x = float(x);
    let n = n.traced().map_or_else(|| n.var(x), |n| n.convert(x.dtype()));
    let _method = enter("ldexp", &[x, n]);
    let half = (n * 0.5).floor();
    x * half.exp2() * (n - half).exp2()
}
