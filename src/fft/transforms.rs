//! Complex and real transforms along one axis or several.

use super::Transform;
use super::arguments::{Along, Count, on_last, parts, real, resized};
use crate::numpy::enter;
use crate::op::{Complex, ComplexOperand, Var, fft_of, irfft_of, rfft_of, trace};

/// Functions with NumPy's defaults, as methods with options, and by themselves.
macro_rules! transforms {
    ($(
        $(#[$doc:meta])*
        $name:ident($x:ident: $operand:ty) -> $result:ty = $method:ident($($argument:expr),*);
    )*) => {
        /// The functions of this module, with these options.
        impl Transform {$(
            #[doc = concat!("[`", stringify!($name), "`](fn@super::", stringify!($name), ") with these options.")]
            #[track_caller]
            pub fn $name(&self, $x: $operand) -> $result {
                self.$method(stringify!($name), $x, $($argument),*)
            }
        )*}
        $(
            $(#[$doc])*
            #[track_caller]
            pub fn $name($x: $operand) -> $result {
                Transform::new().$name($x)
            }
        )*
    };
}

transforms! {
    /// The discrete Fourier transform `y[k] = Σⱼ x[j] exp(-2πi j k / n)` of complex or real values along the last axis; `f64` or `f32`, in
    /// the shape of the operand. Real lines take half of the time of complex ones.
    ///
    /// Derivative: linear; the cotangent is transformed with positive exponents.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Complex, fft, jit};
    ///
    /// let z = array![c64(1.0, 0.0), c64(0.0, 1.0), c64(-1.0, 0.0), c64(0.0, -1.0)];
    /// let y: Array1<Complex64> = jit(|z: Complex| fft::fft(z)).call(z)?;
    /// assert_eq!(y, array![c64(0.0, 0.0), c64(4.0, 0.0), c64(0.0, 0.0), c64(0.0, 0.0)]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// Values without axes, lines without elements, parts of two dtypes.
    fft(z: impl ComplexOperand) -> Complex = complex(Count::One, false);

    /// The inverse of [`fft`](fn@fft): `x[j] = 1/n Σₖ y[k] exp(2πi j k / n)` along the last axis.
    ///
    /// Derivative: linear; the cotangent is transformed with negative exponents.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Complex, fft, jit};
    ///
    /// let y = array![c64(0.0, 0.0), c64(4.0, 0.0), c64(0.0, 0.0), c64(0.0, 0.0)];
    /// let z: Array1<Complex64> = jit(|z: Complex| fft::ifft(z)).call(y)?;
    /// assert_eq!(z, array![c64(1.0, 0.0), c64(0.0, 1.0), c64(-1.0, 0.0), c64(0.0, -1.0)]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`fft`](fn@fft).
    ifft(z: impl ComplexOperand) -> Complex = complex(Count::One, true);

    /// The transform along the last two axes.
    ///
    /// ```
    /// use ndarray::{Array2, array};
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Var, fft, jit};
    ///
    /// let y: Array2<Complex64> = jit(|x: Var| fft::fft2(x)).call(array![[1.0, 2.0], [3.0, 5.0]])?;
    /// assert_eq!(y, array![[c64(11.0, 0.0), c64(-3.0, 0.0)], [c64(-5.0, 0.0), c64(1.0, 0.0)]]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`fft`](fn@fft).
    fft2(z: impl ComplexOperand) -> Complex = complex(Count::Two, false);

    /// The inverse of [`fft2`].
    ///
    /// ```
    /// use ndarray::{Array2, array};
    /// use retrograd::{Var, fft, jit};
    ///
    /// let x = array![[1.0, 2.0], [3.0, 5.0]];
    /// let same: Array2<f64> = jit(|x: Var| fft::ifft2(fft::fft2(x)).re).call(&x)?;
    /// assert_eq!(same, x);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`fft`](fn@fft).
    ifft2(z: impl ComplexOperand) -> Complex = complex(Count::Two, true);

    /// The transform along all axes.
    ///
    /// ```
    /// use retrograd::{Var, fft, jit};
    ///
    /// // The bin of frequency 0 is the sum.
    /// let sum = |x: Var| fft::fftn(x.reshape(&[2, 2, 2])).re.index(0);
    /// assert_eq!(jit(sum).call::<f64>(ndarray::Array1::range(0.0, 8.0, 1.0))?, 28.0);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`fft`](fn@fft).
    fftn(z: impl ComplexOperand) -> Complex = complex(Count::Any, false);

    /// The inverse of [`fftn`].
    ///
    /// ```
    /// use ndarray::{Array3, Array};
    /// use retrograd::{Var, fft, jit};
    ///
    /// let x: Array3<f64> = Array::range(0.0, 8.0, 1.0).into_shape_with_order((2, 2, 2)).unwrap();
    /// let same: Array3<f64> = jit(|x: Var| fft::ifftn(fft::fftn(x)).re).call(&x)?;
    /// assert_eq!(same, x);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`fft`](fn@fft).
    ifftn(z: impl ComplexOperand) -> Complex = complex(Count::Any, true);

    /// The transform of real values along the last axis, by its bins from 0 to n/2, rounded down: others are their mirror images,
    /// `y[n-k] = conj y[k]`. The imaginary parts of bin 0, and of bin n/2 of an even n, are 0.
    ///
    /// Derivative: linear; the cotangent goes back by an inverse real transform of its bins, of which the inner ones count
    /// half. A cotangent of an imaginary part that is always 0 is not passed on.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Var, fft, jit};
    ///
    /// let y: Array1<Complex64> = jit(|x: Var| fft::rfft(x)).call(array![1.0, 2.0, 3.0, 5.0])?;
    /// assert_eq!(y, array![c64(11.0, 0.0), c64(-2.0, 3.0), c64(-3.0, 0.0)]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// Values without axes, lines without elements. Of complex values, pass a part.
    rfft(x: Var) -> Complex = forward(Count::One);

    /// The real line of length n of which [`rfft`] gives these bins: with the options of [`Transform`] any n that has so many bins,
    /// which are n/2 + 1; else the even one, `2 (bins - 1)`. The imaginary parts of bin 0, and of bin n/2 of an even n, are not read.
    ///
    /// Derivative: linear; the cotangent goes back by a real transform with its inner bins doubled.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use num_complex::c64;
    /// use retrograd::fft::{Transform, irfft};
    /// use retrograd::{Complex, jit};
    ///
    /// let x: Array1<f64> = jit(|z: Complex| irfft(z)).call(array![c64(11.0, 0.0), c64(-2.0, 3.0), c64(-3.0, 0.0)])?;
    /// assert_eq!(x, array![1.0, 2.0, 3.0, 5.0]);
    ///
    /// let of_five = |z: Complex| Transform::new().lengths(&[5]).irfft(z);
    /// let x: Array1<f64> = jit(of_five).call(array![c64(5.0, 0.0), c64(0.0, 0.0), c64(0.0, 0.0)])?;
    /// assert_eq!(x, array![1.0, 1.0, 1.0, 1.0, 1.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// Values without axes, lines without bins, a length that has other bins, one bin without a length, parts of two dtypes.
    irfft(z: impl ComplexOperand) -> Var = backward(Count::One);

    /// The transform of real values along the last two axes, of which the last has the bins of [`rfft`].
    ///
    /// ```
    /// use ndarray::{Array2, array};
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Var, fft, jit};
    ///
    /// let y: Array2<Complex64> = jit(|x: Var| fft::rfft2(x)).call(array![[1.0, 2.0, 4.0], [3.0, 5.0, 1.0]])?;
    /// assert_eq!((y.dim(), y[[0, 0]]), ((2, 2), c64(16.0, 0.0)));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`rfft`].
    rfft2(x: Var) -> Complex = forward(Count::Two);

    /// The inverse of [`rfft2`], of which the last axis gets an even length without options.
    ///
    /// ```
    /// use ndarray::{Array2, array};
    /// use retrograd::fft::{Transform, rfft2};
    /// use retrograd::{Var, jit};
    ///
    /// let x = array![[1.0, 2.0, 4.0], [3.0, 5.0, 1.0]];
    /// let same = |x: Var| Transform::new().lengths(&[2, 3]).irfft2(rfft2(x));
    /// let difference: Array2<f64> = jit(same).call::<Array2<f64>>(&x)? - x;
    /// assert!(difference.iter().all(|x| x.abs() < 1e-15));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`irfft`].
    irfft2(z: impl ComplexOperand) -> Var = backward(Count::Two);

    /// The transform of real values along all axes, of which the last has the bins of [`rfft`].
    ///
    /// ```
    /// use retrograd::{Var, fft, jit};
    ///
    /// let sum = |x: Var| fft::rfftn(x.reshape(&[2, 2, 2])).re.index(0);
    /// assert_eq!(jit(sum).call::<f64>(ndarray::Array1::range(0.0, 8.0, 1.0))?, 28.0);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`rfft`].
    rfftn(x: Var) -> Complex = forward(Count::Any);

    /// The inverse of [`rfftn`], of which the last axis gets an even length without options.
    ///
    /// ```
    /// use ndarray::{Array, Array3};
    /// use retrograd::{Var, fft, jit};
    ///
    /// let x: Array3<f64> = Array::range(0.0, 8.0, 1.0).into_shape_with_order((2, 2, 2)).unwrap();
    /// let same: Array3<f64> = jit(|x: Var| fft::irfftn(fft::rfftn(x))).call(&x)?;
    /// assert_eq!(same, x);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`irfft`].
    irfftn(z: impl ComplexOperand) -> Var = backward(Count::Any);

    /// The real spectrum of a line that mirrors itself, `z[n-k] = conj z[k]`, given by its elements 0 to n/2: without
    /// options n is even. What [`irfft`] is to [`ifft`](fn@ifft), it is to [`fft`](fn@fft).
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use num_complex::c64;
    /// use retrograd::{Complex, fft, jit};
    ///
    /// let x: Array1<f64> = jit(|z: Complex| fft::hfft(z)).call(array![c64(1.0, 0.0), c64(0.5, 2.0), c64(0.0, 0.0)])?;
    /// assert_eq!(x, array![2.0, 5.0, 0.0, -3.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`irfft`].
    hfft(z: impl ComplexOperand) -> Var = hermitian();

    /// The inverse of [`hfft`].
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Var, fft, jit};
    ///
    /// let z: Array1<Complex64> = jit(|x: Var| fft::ihfft(x)).call(array![2.0, 5.0, 0.0, -3.0])?;
    /// assert_eq!(z, array![c64(1.0, 0.0), c64(0.5, 2.0), c64(0.0, 0.0)]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`rfft`].
    ihfft(x: Var) -> Complex = inverse_hermitian();
}

impl Transform {
    #[track_caller]
    fn complex(&self, name: &'static str, z: impl ComplexOperand, count: Count, inverse: bool) -> Complex {
        let _function = entered(name, z);
        self.try_complex(z, count, inverse).unwrap_or(Complex::poisoned())
    }

    #[track_caller]
    fn try_complex(&self, z: impl ComplexOperand, count: Count, inverse: bool) -> Option<Complex> {
        let (re, im) = parts(z)?;
        let along = self.along(re.rank(), count)?;
        let (z, n) = along_axes((re, im), &along, inverse)?;
        Some(scaled_complex(complete(z), self.norm.factor(n, inverse)))
    }

    #[track_caller]
    fn forward(&self, name: &'static str, x: Var, count: Count) -> Complex {
        let _function = enter(name, &[x]);
        self.bins(x, count, false).unwrap_or(Complex::poisoned())
    }

    /// The bins of real values, with the factor of either direction.
    #[track_caller]
    fn bins(&self, x: Var, count: Count, inverse: bool) -> Option<Complex> {
        let x = real(x)?;
        let along = self.along(x.rank(), count)?;
        let (&last, others) = halved(&along)?;
        let x = resized(x, last)?;
        let n = x.shape()[last.axis];
        let [re, im] = on_last([x], last.axis, |[x]| rfft_of(x, false));
        let (z, n_others) = along_axes((re, Some(im)), others, false)?;
        Some(scaled_complex(complete(z), self.norm.factor(n as f64 * n_others, inverse)))
    }

    #[track_caller]
    fn backward(&self, name: &'static str, z: impl ComplexOperand, count: Count) -> Var {
        let _function = entered(name, z);
        self.line(z, count, |im| im, true).unwrap_or(Var::poisoned())
    }

    /// The real values of bins, with the factor of either direction.
    #[track_caller]
    fn line(&self, z: impl ComplexOperand, count: Count, part: fn(Var) -> Var, inverse: bool) -> Option<Var> {
        let (re, im) = parts(z)?;
        let along = self.along(re.rank(), count)?;
        let (&last, others) = halved(&along)?;
        let n = length_of_bins(re, last)?;
        let (z, n_others) = along_axes((re, im.map(part)), others, true)?;
        let z = complete(z);
        let [x] = on_last([z.re, z.im], last.axis, |[re, im]| [irfft_of(re, im, n, false)]);
        Some(scaled(x, self.norm.factor(n as f64 * n_others, inverse)))
    }

    #[track_caller]
    fn hermitian(&self, name: &'static str, z: impl ComplexOperand) -> Var {
        let _function = entered(name, z);
        self.line(z, Count::One, |im| -im, false).unwrap_or(Var::poisoned())
    }

    #[track_caller]
    fn inverse_hermitian(&self, name: &'static str, x: Var) -> Complex {
        let _function = enter(name, &[x]);
        self.bins(x, Count::One, true).map_or(Complex::poisoned(), Complex::conj)
    }
}

/// Errors speak of this function and show the operands.
#[track_caller]
fn entered(name: &'static str, z: impl ComplexOperand) -> trace::MethodScope {
    let operands: Vec<Var> = match z.traced() {
        Some(like) => {
            let (re, im) = z.parts(like);
            [Some(re), im].into_iter().flatten().collect()
        }
        None => Vec::new(),
    };
    enter(name, &operands)
}

/// Complex lines along each of the axes, not scaled, and the number of elements that are transformed together.
#[track_caller]
fn along_axes(z: (Var, Option<Var>), axes: &[Along], inverse: bool) -> Option<((Var, Option<Var>), f64)> {
    let ((mut re, mut im), mut n) = (z, 1.0);
    for &along in axes.iter().rev() {
        re = resized(re, along)?;
        im = match im {
            Some(im) => Some(resized(im, along)?),
            None => None,
        };
        n *= re.shape()[along.axis] as f64;
        let [next_re, next_im] = match im {
            Some(im) => on_last([re, im], along.axis, |[re, im]| fft_of(re, Some(im), inverse)),
            None => on_last([re], along.axis, |[re]| fft_of(re, None, inverse)),
        };
        if next_re.is_poisoned() {
            return None;
        }
        (re, im) = (next_re, Some(next_im));
    }
    Some(((re, im), n))
}

#[track_caller]
fn complete((re, im): (Var, Option<Var>)) -> Complex {
    Complex { re, im: im.unwrap_or_else(|| re.full_like(0.0)) }
}

/// The axis of which half of the bins stand for all, and the others; `None` after an error.
#[track_caller]
fn halved(along: &[Along]) -> Option<(&Along, &[Along])> {
    let found = along.split_last();
    if found.is_none() {
        trace::fail_at("takes at least 1 axis, but got none".to_string());
    }
    found
}

/// The length of the lines of which these are the bins; `None` after an error.
#[track_caller]
fn length_of_bins(bins: Var, along: Along) -> Option<usize> {
    let m = bins.shape()[along.axis];
    let n = along.length.unwrap_or_else(|| 2 * m.saturating_sub(1));
    if n > 0 && n / 2 + 1 == m {
        return Some(n);
    }
    trace::fail_at(match along.length {
        Some(n) => format!(
            "takes n/2 + 1 = {} bins along axis {} for lines of length n = {n}, but got {}; cut them or append zeros first",
            n / 2 + 1,
            along.axis,
            bins.ty()
        ),
        None => format!("takes at least 2 bins along axis {}, or a length, but got {}", along.axis, bins.ty()),
    });
    None
}

#[track_caller]
fn scaled(x: Var, factor: f64) -> Var {
    if factor == 1.0 || x.is_poisoned() { x } else { x * factor }
}

#[track_caller]
fn scaled_complex(z: Complex, factor: f64) -> Complex {
    Complex { re: scaled(z.re, factor), im: scaled(z.im, factor) }
}
