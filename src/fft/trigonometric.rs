//! Cosine and sine transforms, by real and complex transforms of about the same length.

use super::arguments::{Count, on_last, real, resized};
use super::{Norm, Transform};
use crate::numpy::enter;
use crate::op::{Var, fft_of, irfft_of, rfft_of, trace};
use crate::value::DType;

/// Which cosine or sine transform: how the line goes on beyond its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// Type I, the inverse of itself.
    I,
    /// Type II, "the" cosine transform.
    II,
    /// Type III, the inverse of type II.
    III,
    /// Type IV, the inverse of itself.
    IV,
}

impl Variant {
    fn inverse(self) -> Variant {
        match self {
            Variant::II => Variant::III,
            Variant::III => Variant::II,
            Variant::I | Variant::IV => self,
        }
    }
}

/// The discrete cosine transform along the last axis, in the conventions of SciPy:
///
/// | | `y[k]` |
/// | --- | --- |
/// | I | `x[0] + (-1)ᵏ x[n-1] + 2 Σⱼ x[j] cos(π k j / (n-1))`, j from 1 to n-2 |
/// | II | `2 Σⱼ x[j] cos(π k (2j + 1) / 2n)` |
/// | III | `x[0] + 2 Σⱼ x[j] cos(π (2k + 1) j / 2n)`, j from 1 |
/// | IV | `2 Σⱼ x[j] cos(π (2k + 1) (2j + 1) / 4n)` |
///
/// With [`Norm::Ortho`] the transform is orthogonal: the first element is scaled by √2 or its reciprocal, too, of type I both ends. It is computed
/// by a real transform of length n (types II and III: Makhoul 1980, "A fast cosine transform in one and two dimensions"), of 2(n - 1)
/// (I), or a complex one of n/2, of 2n if n is odd (IV).
///
/// Derivative: linear.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::fft::{Variant, dct, idct};
/// use retrograd::{Var, jit};
///
/// let y: Array1<f64> = jit(|x: Var| dct(x, Variant::II)).call(array![1.0, 1.0, 1.0])?;
/// assert!((y - array![6.0, 0.0, 0.0]).iter().all(|error| error.abs() < 1e-15));
/// let x: Array1<f64> = jit(|y: Var| idct(y, Variant::II)).call(array![6.0, 0.0, 0.0])?;
/// assert!((x - 1.0).iter().all(|error| error.abs() < 1e-15));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Values without axes, lines without elements, of type I lines of one element.
#[track_caller]
pub fn dct(x: Var, variant: Variant) -> Var {
    Transform::new().dct(x, variant)
}

/// The inverse of [`dct`] of the same type: that of the inverse type, divided by 2n, of type I by 2(n - 1). See there.
///
/// # Errors
/// Those of [`dct`].
#[track_caller]
pub fn idct(y: Var, variant: Variant) -> Var {
    Transform::new().idct(y, variant)
}

/// The discrete sine transform along the last axis, in the conventions of SciPy:
///
/// | | `y[k]` |
/// | --- | --- |
/// | I | `2 Σⱼ x[j] sin(π (k + 1) (j + 1) / (n + 1))` |
/// | II | `2 Σⱼ x[j] sin(π (k + 1) (2j + 1) / 2n)` |
/// | III | `(-1)ᵏ x[n-1] + 2 Σⱼ x[j] sin(π (2k + 1) (j + 1) / 2n)`, j to n-2 |
/// | IV | `2 Σⱼ x[j] sin(π (2k + 1) (2j + 1) / 4n)` |
///
/// With [`Norm::Ortho`] the transform is orthogonal: of types II and III the last element is scaled by √2 or its reciprocal, too. It is
/// the cosine transform of elements in another order and with other signs, but for type I, a real transform of length 2(n + 1).
///
/// Derivative: linear.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::fft::{Variant, dst, idst};
/// use retrograd::{Var, jit};
///
/// let y: Array1<f64> = jit(|x: Var| dst(x, Variant::I)).call(array![1.0, 0.0, -1.0])?;
/// assert!((y - array![0.0, 4.0, 0.0]).iter().all(|error| error.abs() < 1e-15));
/// let x: Array1<f64> = jit(|y: Var| idst(y, Variant::I)).call(array![0.0, 4.0, 0.0])?;
/// assert!((x - array![1.0, 0.0, -1.0]).iter().all(|error| error.abs() < 1e-15));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Values without axes, lines without elements.
#[track_caller]
pub fn dst(x: Var, variant: Variant) -> Var {
    Transform::new().dst(x, variant)
}

/// The inverse of [`dst`] of the same type: that of the inverse type, divided by 2n, of type I by 2(n + 1). See there.
///
/// # Errors
/// Those of [`dst`].
#[track_caller]
pub fn idst(y: Var, variant: Variant) -> Var {
    Transform::new().idst(y, variant)
}

/// Cosine and sine transforms, with these options.
impl Transform {
    /// [`dct`](fn@super::dct) with these options.
    #[track_caller]
    pub fn dct(&self, x: Var, variant: Variant) -> Var {
        self.trigonometric("dct", x, Family::Cosine, variant, false)
    }

    /// [`idct`](fn@super::idct) with these options.
    #[track_caller]
    pub fn idct(&self, y: Var, variant: Variant) -> Var {
        self.trigonometric("idct", y, Family::Cosine, variant.inverse(), true)
    }

    /// [`dst`](fn@super::dst) with these options.
    #[track_caller]
    pub fn dst(&self, x: Var, variant: Variant) -> Var {
        self.trigonometric("dst", x, Family::Sine, variant, false)
    }

    /// [`idst`](fn@super::idst) with these options.
    #[track_caller]
    pub fn idst(&self, y: Var, variant: Variant) -> Var {
        self.trigonometric("idst", y, Family::Sine, variant.inverse(), true)
    }

    #[track_caller]
    fn trigonometric(&self, name: &'static str, x: Var, family: Family, variant: Variant, inverse: bool) -> Var {
        let _function = enter(name, &[x]);
        let Some((x, axis)) = self.line_of(x) else { return Var::poisoned() };
        if family == Family::Cosine && variant == Variant::I && x.shape()[axis] < 2 {
            trace::fail_at(format!("takes at least 2 elements along axis {axis} for type I, but got {}", x.ty()));
            return Var::poisoned();
        }
        let [y] = on_last([x], axis, |[x]| [self.of_lines(x, family, variant, inverse)]);
        y
    }

    /// The values of floating point at the length that is asked for, and the axis; `None` after an error.
    #[track_caller]
    fn line_of(&self, x: Var) -> Option<(Var, usize)> {
        let x = real(x)?;
        let along = *self.along(x.rank(), Count::One)?.first()?;
        Some((resized(x, along)?, along.axis))
    }

    /// The transform along the last axis.
    #[track_caller]
    fn of_lines(&self, x: Var, family: Family, variant: Variant, inverse: bool) -> Var {
        let n = length(x);
        // The length of the Fourier transform that it is part of.
        let logical = match (family, variant) {
            (Family::Cosine, Variant::I) => 2.0 * (n as f64 - 1.0),
            (Family::Sine, Variant::I) => 2.0 * (n as f64 + 1.0),
            _ => 2.0 * n as f64,
        };
        let ortho = self.norm == Norm::Ortho;
        // Elements at ends count twice in the transform, or half, and else once.
        let [before, after] = match variant {
            Variant::I if family == Family::Cosine => [std::f64::consts::SQRT_2, std::f64::consts::FRAC_1_SQRT_2],
            Variant::II => [1.0, std::f64::consts::FRAC_1_SQRT_2],
            Variant::III => [std::f64::consts::SQRT_2, 1.0],
            Variant::I | Variant::IV => [1.0; 2],
        };
        let is_end = |k: Var| {
            let last = (n - 1) as f64;
            match (family, variant) {
                (Family::Cosine, Variant::I) => k.equal(0.0) | k.equal(last),
                (Family::Cosine, _) => k.equal(0.0),
                (Family::Sine, _) => k.equal(last),
            }
        };
        let weighted = |x: Var, all: f64, at_ends: f64| {
            if at_ends == 1.0 {
                return if all == 1.0 { x } else { x * all };
            }
            x * is_end(numbers(x, n)).select(Var::number(all * at_ends, x.dtype()), all)
        };
        let factor = self.norm.factor(logical, inverse);
        if !ortho {
            return weighted(family.transform(x, variant), factor, 1.0);
        }
        weighted(family.transform(weighted(x, 1.0, before), variant), factor, after)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Cosine,
    Sine,
}

impl Family {
    /// The transform along the last axis, not scaled.
    #[track_caller]
    fn transform(self, x: Var, variant: Variant) -> Var {
        match (self, variant) {
            (Family::Cosine, Variant::I) => cosine_1(x),
            (Family::Cosine, Variant::II) => cosine_2(x),
            (Family::Cosine, Variant::III) => cosine_3(x),
            (Family::Cosine, Variant::IV) => cosine_4(x),
            (Family::Sine, Variant::I) => sine_1(x),
            (Family::Sine, Variant::II) => reversed(cosine_2(with_signs(x))),
            (Family::Sine, Variant::III) => with_signs(cosine_3(reversed(x))),
            (Family::Sine, Variant::IV) => with_signs(cosine_4(reversed(x))),
        }
    }
}

/// The line with its mirror image, of which the ends are not repeated.
#[track_caller]
fn cosine_1(x: Var) -> Var {
    let (axis, n) = (last(x), length(x));
    let mirror = reversed(x.slice(axis, 1..n - 1));
    rfft_of(Var::concatenate(&[x, mirror], axis), false)[0]
}

/// With `v` the elements of even index, then those of odd index backward, and `W[k] = exp(-πik/2n) V[k]`: `y[k] = 2 re W[k]`, `y[n-k] = -2 im W[k]`.
#[track_caller]
fn cosine_2(x: Var) -> Var {
    let (axis, n) = (last(x), length(x));
    let (even, odd) = (x.slice_axis(axis, 0, n, 2), x.slice_axis(axis, 1, n, 2));
    let [re, im] = rfft_of(Var::concatenate(&[even, reversed(odd)], axis), false);
    let [cos, sin] = turns(x, n / 2 + 1, 0.0, 0.5 / n as f64);
    let first = 2.0 * (re * cos + im * sin);
    let second = 2.0 * (re * sin - im * cos);
    Var::concatenate(&[first, reversed(second.slice(axis, 1..n.div_ceil(2)))], axis)
}

/// The transpose of type II but for the first element: `V[k] = exp(πik/2n) (x[k] - i x[n-k])` with `x[n] = 0`.
#[track_caller]
fn cosine_3(x: Var) -> Var {
    let (axis, n) = (last(x), length(x));
    let h = n / 2;
    let (a, b) = (x.slice(axis, ..h + 1), reversed(x.slice(axis, n - h..)));
    let mut low = vec![0; x.rank()];
    let none = low.clone();
    low[axis] = 1;
    let b = b.pad(0.0, &low, &none, &vec![0; x.rank()]);
    let [cos, sin] = turns(x, h + 1, 0.0, 0.5 / n as f64);
    let v = irfft_of(a * cos + b * sin, a * sin - b * cos, n, false);
    let middle = n.div_ceil(2);
    interleaved(v.slice(axis, ..middle), reversed(v.slice(axis, middle..)))
}

/// For even n, with `c[j] = (x[2j] + i x[n-1-2j]) exp(-πi(4j+1)/4n)` of length n/2 and `D[k] = exp(-πik/n) C[k]`: `y[2k] = 2 re D[k]`,
/// `y[n-1-2k] = -2 im D[k]`. For odd n, `y[k] = re exp(-πi(2k+1)/4n) Z[k]`, where `z[j] = 2 x[j] exp(-πij/2n)`, with n zeros more.
#[track_caller]
fn cosine_4(x: Var) -> Var {
    let (axis, n) = (last(x), length(x));
    if n.is_multiple_of(2) {
        let (a, b) = (x.slice_axis(axis, 0, n, 2), reversed(x).slice_axis(axis, 0, n, 2));
        let [cos, sin] = turns(x, n / 2, 0.25 / n as f64, 1.0 / n as f64);
        let [re, im] = fft_of(a * cos + b * sin, Some(b * cos - a * sin), false);
        let [cos, sin] = turns(x, n / 2, 0.0, 1.0 / n as f64);
        let (first, second) = (2.0 * (re * cos + im * sin), 2.0 * (re * sin - im * cos));
        return interleaved(first, reversed(second));
    }
    let [cos, sin] = turns(x, n, 0.0, 0.5 / n as f64);
    let mut high = vec![0; x.rank()];
    let none = high.clone();
    high[axis] = n.cast_signed() as i64;
    let padded = |part: Var| part.pad(0.0, &none, &high, &vec![0; x.rank()]);
    let [re, im] = fft_of(padded(2.0 * x * cos), Some(padded(-2.0 * x * sin)), false);
    let [cos, sin] = turns(x, n, 0.25 / n as f64, 0.5 / n as f64);
    re.slice(axis, ..n) * cos + im.slice(axis, ..n) * sin
}

/// The line with its negative mirror image, and zeros between.
#[track_caller]
fn sine_1(x: Var) -> Var {
    let (axis, n) = (last(x), length(x));
    let zero = x.slice(axis, ..1).full_like(0.0);
    let odd = Var::concatenate(&[zero, x, zero, -reversed(x)], axis);
    -rfft_of(odd, false)[1].slice(axis, 1..n + 1)
}

fn last(x: Var) -> usize {
    x.rank() - 1
}

fn length(x: Var) -> usize {
    x.shape()[last(x)]
}

#[track_caller]
fn reversed(x: Var) -> Var {
    x.reverse(&[last(x)])
}

/// The numbers from 0 to n-1, of the dtype of `like`.
#[track_caller]
fn numbers(like: Var, n: usize) -> Var {
    Var::iota(&[n], 0, like.dtype())
}

/// The elements with odd index negated.
#[track_caller]
fn with_signs(x: Var) -> Var {
    let n = length(x);
    let is_odd = (Var::iota(&[n], 0, DType::I64) % 2).equal(1);
    x * is_odd.select(Var::number(-1.0, x.dtype()), 1.0)
}

/// Cosine and sine of `π (start + step k)` for k from 0 to n-1, of the dtype of `like`, rounded from double precision.
#[track_caller]
fn turns(like: Var, n: usize, start: f64, step: f64) -> [Var; 2] {
    let k = Var::iota(&[n], 0, DType::F64);
    let angle = std::f64::consts::PI * (start + step * k);
    [angle.cos(), angle.sin()].map(|part| part.convert(like.dtype()))
}

/// The elements of both in turn, beginning with the first, which may have one more.
#[track_caller]
fn interleaved(first: Var, second: Var) -> Var {
    let (axis, m, n) = (last(first), length(first), length(first) + length(second));
    let second = if n < 2 * m { super::arguments::with_extent(second, axis, m) } else { second };
    let mut shape = first.shape().to_vec();
    shape[axis] = 2 * m;
    Var::stack(&[first, second], axis + 1).reshape(&shape).slice(axis, ..n)
}
