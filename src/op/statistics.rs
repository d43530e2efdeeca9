//! What is composed of reductions: means, variances, norms, and sums of exponentials.

use super::Var;
use super::reduce::spread;
use super::shape::check_axis;
use super::trace;
use crate::value::DType;

/// Requires a floating-point value.
#[track_caller]
fn check_float(x: Var) -> bool {
    let ty = x.ty();
    if !ty.dtype.is_float() {
        trace::fail_at(format!("takes floating-point numbers, but got {ty}; use convert"));
    }
    ty.dtype.is_float()
}

/// The number of elements that a reduction over these axes combines. Axes that do not exist are the reduction's to report.
#[track_caller]
fn n_combined(x: Var, axes: &[usize]) -> f64 {
    let shape = x.shape();
    axes.iter().filter_map(|&axis| shape.get(axis)).product::<usize>() as f64
}

/// The square root, with derivative 0 at 0.
#[track_caller]
fn sqrt_flat_at_zero(x: Var) -> Var {
    x.equal(0).select(x.full_like(0.0), x.sqrt())
}

/// Powers of two by which elements are divided before they are squared, and the root is multiplied afterwards: exact, and 1
/// where nothing overflows or underflows.
///
/// The limits and powers are chosen as in Blue's algorithm (Blue 1978, *A portable Fortran program to find the Euclidean
/// norm of a vector*). What the sum of squares loses to underflow above the lower limit does not change its digits, for any
/// number of elements; scaled, squares of the least and of the greatest numbers, and sums of as many as fit into memory,
/// stay between the limits.
struct NormScale {
    scale: Var,
    inverse: Var,
}

impl NormScale {
    #[track_caller]
    fn new(x: Var, axes: &[usize]) -> NormScale {
        let (least, greatest, exponent) = match x.dtype() {
            DType::F32 => (-90, 100, 90),
            DType::F64 | DType::I64 | DType::Bool => (-900, 1000, 600),
        };
        let power = |exponent: i32| 2f64.powi(exponent);
        let squares = x.square().sum_axes(axes);
        let (above, below) = (squares.greater(power(greatest)), squares.less(power(least)));
        let (large, small) = (power(exponent), power(-exponent));
        let scale = NormScale::choose(squares, above, large, below, small);
        NormScale { scale, inverse: NormScale::choose(squares, above, small, below, large) }
    }

    #[track_caller]
    fn choose(like: Var, above: Var, large: f64, below: Var, small: f64) -> Var {
        let (large, small, one) = (like.full_like(large), like.full_like(small), like.full_like(1.0));
        above.select(large, below.select(small, one))
    }
}

impl Var {
    /// The mean of all elements: their sum, divided by their number; NaN for none.
    ///
    /// Takes `f64` or `f32`; another dtype is an error. The derivative is 1 over the number of elements.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit, value_and_grad};
    ///
    /// let (y, slope): (f64, Array1<f64>) = jit(value_and_grad(Var::mean)).call(array![1.0, 3.0])?;
    /// assert_eq!((y, slope), (2.0, array![0.5, 0.5]));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn mean(self) -> Var {
        let _method = trace::method("mean", &[self]);
        self.mean_axes(&self.every_axis())
    }

    /// The mean over the given axes, which vanish; see [`Var::mean`]. That of nothing is NaN.
    ///
    /// Takes `f64` or `f32`; another dtype is an error, and so are axes that do not exist or do not ascend strictly.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let x = array![[1.0, 3.0], [5.0, 7.0]];
    ///
    /// let y: Array1<f64> = jit(|x: Var| x.mean_axes(&[0])).call(&x)?;
    /// assert_eq!(y, array![3.0, 5.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn mean_axes(self, axes: &[usize]) -> Var {
        let _method = trace::method("mean_axes", &[self]);
        if !check_float(self) {
            return Var::poisoned();
        }
        self.sum_axes(axes) / n_combined(self, axes)
    }

    /// The variance of all elements: the mean of the squared distances from the mean, as NumPy's with `ddof` 0. That of
    /// equal elements is 0 exactly.
    ///
    /// Two passes are made over the distances from the first element, of which the variance is the same (Chan, Golub
    /// and LeVeque 1983, *Algorithms for computing the sample variance*), so that no digits are lost where the elements
    /// are large and close to each other.
    ///
    /// Takes `f64` or `f32`; another dtype is an error. The variance of nothing is NaN. It is smooth everywhere.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit, value_and_grad};
    ///
    /// let (y, slope): (f64, Array1<f64>) = jit(value_and_grad(Var::var)).call(array![1.0, 3.0])?;
    /// assert_eq!((y, slope), (1.0, array![-1.0, 1.0]));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn var(self) -> Var {
        let _method = trace::method("var", &[self]);
        self.var_axes(&self.every_axis())
    }

    /// The variance over the given axes, which vanish; see [`Var::var`]. That of nothing is NaN.
    ///
    /// Takes `f64` or `f32`; another dtype is an error, and so are axes that do not exist or do not ascend strictly.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let x = array![[1.0, 3.0], [5.0, 7.0]];
    ///
    /// let y: Array1<f64> = jit(|x: Var| x.var_axes(&[0])).call(&x)?;
    /// assert_eq!(y, array![4.0, 4.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn var_axes(self, axes: &[usize]) -> Var {
        let _method = trace::method("var_axes", &[self]);
        if !check_float(self) {
            return Var::poisoned();
        }
        self.less_the_first(axes).mean_squared_distance(axes)
    }

    /// The mean of the squared distances from the mean.
    #[track_caller]
    fn mean_squared_distance(self, axes: &[usize]) -> Var {
        (self - spread(self.mean_axes(axes), &self.shape(), axes)).square().mean_axes(axes)
    }

    /// The elements minus the first along the given axes, which is no part of the derivative.
    #[track_caller]
    fn less_the_first(self, axes: &[usize]) -> Var {
        let shape = self.shape();
        // Axes that do not exist are the reduction's to report, and nothing has no first element.
        if shape.size() == 0 || axes.iter().any(|&axis| axis >= shape.rank()) {
            return self;
        }
        let first = axes.iter().fold(self.stop_gradient(), |first, &axis| first.slice_axis(axis, 0, 1, 1));
        self - first.broadcast_to(&shape)
    }

    /// The standard deviation of all elements: the square root of [`Var::var`], without its overflow and underflow, as long
    /// as the distances of the elements and their sum are in the range of the format; NaN for none.
    ///
    /// Takes `f64` or `f32`; another dtype is an error. The derivatives of all orders at equal elements are 0.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit, value_and_grad};
    ///
    /// let deviation = jit(value_and_grad(Var::std));
    /// let (y, slope): (f64, Array1<f64>) = deviation.call(array![1.0, 3.0])?;
    /// assert_eq!((y, slope), (1.0, array![-0.5, 0.5]));
    /// let (y, slope): (f64, Array1<f64>) = deviation.call(array![2.0, 2.0])?;
    /// assert_eq!((y, slope), (0.0, array![0.0, 0.0]));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn std(self) -> Var {
        let _method = trace::method("std", &[self]);
        self.std_axes(&self.every_axis())
    }

    /// The standard deviation over the given axes, which vanish; see [`Var::std`].
    ///
    /// Takes `f64` or `f32`; another dtype is an error, and so are axes that do not exist or do not ascend strictly.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let x = array![[1.0, 3.0], [5.0, 7.0]];
    ///
    /// let y: Array1<f64> = jit(|x: Var| x.std_axes(&[0])).call(&x)?;
    /// assert_eq!(y, array![2.0, 2.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn std_axes(self, axes: &[usize]) -> Var {
        let _method = trace::method("std_axes", &[self]);
        if !check_float(self) {
            return Var::poisoned();
        }
        let x = self.less_the_first(axes);
        let scale = NormScale::new(x, axes);
        let scaled = x * spread(scale.inverse, &x.shape(), axes);
        sqrt_flat_at_zero(scaled.mean_squared_distance(axes)) * scale.scale
    }

    /// The sum of the squares of all elements. It overflows, and loses digits to underflow, where [`Var::norm`] does not. It
    /// is smooth everywhere: its Hessian at 0 is 2 times the identity, while that of the square of [`Var::norm`], of which
    /// all derivatives at 0 count as 0, is 0 there. Takes numbers of any shape; `bool` is an error.
    ///
    /// ```
    /// use ndarray::{array, Array2};
    /// use retrograd::{Var, hessian, jit};
    ///
    /// let at_zero: Array2<f64> = jit(hessian(|x: Var| x.norm_squared())).call(array![0.0, 0.0])?;
    /// assert_eq!(at_zero, array![[2.0, 0.0], [0.0, 2.0]]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn norm_squared(self) -> Var {
        let _method = trace::method("norm_squared", &[self]);
        self.square().sum()
    }

    /// The sum of the squares over the given axes, which vanish; see [`Var::norm_squared`]. Takes numbers of any shape;
    /// `bool` is an error, and so are axes that do not exist or do not ascend strictly.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array1<f64> = jit(|x: Var| x.norm_squared_axes(&[1])).call(array![[3.0, 4.0], [0.0, 2.0]])?;
    /// assert_eq!(y, array![25.0, 4.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn norm_squared_axes(self, axes: &[usize]) -> Var {
        let _method = trace::method("norm_squared_axes", &[self]);
        self.square().sum_axes(axes)
    }

    /// The square root of the sum of the squares of all elements, without overflow or underflow on the way; its derivative
    /// `x/norm`, too, and the second derivative for norms from 1e-240 to 1e240 (in `f32`, from 1e-32 to 1e32). The
    /// derivatives of all orders at 0 are 0; where the square is meant, [`Var::norm_squared`] has the right ones. The norm is
    /// inf if an element is and none is NaN, and NaN if one is. Takes `f64` or `f32`; another dtype is an error.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit, value_and_grad};
    ///
    /// let (length, direction): (f64, Array1<f64>) = jit(value_and_grad(Var::norm)).call(array![3e200, -4e200])?;
    /// assert!((length / 5e200 - 1.0).abs() < 1e-15);
    /// assert!((direction - array![0.6, -0.8]).iter().all(|error| error.abs() < 1e-15));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn norm(self) -> Var {
        let _method = trace::method("norm", &[self]);
        self.norm_axes(&self.every_axis())
    }

    /// The norm over the given axes, which vanish; see [`Var::norm`].
    ///
    /// Takes `f64` or `f32`; another dtype is an error, and so are axes that do not exist or do not ascend strictly.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array1<f64> = jit(|x: Var| x.norm_axes(&[1])).call(array![[3.0, 4.0], [0.0, 2.0]])?;
    /// assert_eq!(y, array![5.0, 2.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn norm_axes(self, axes: &[usize]) -> Var {
        let _method = trace::method("norm_axes", &[self]);
        if !check_float(self) {
            return Var::poisoned();
        }
        let scale = NormScale::new(self, axes);
        let scaled = self * spread(scale.inverse, &self.shape(), axes);
        sqrt_flat_at_zero(scaled.square().sum_axes(axes)) * scale.scale
    }

    /// `ln Σ exp(x)` over the given axes, which vanish, without overflow on the way. Elements of -inf count as nothing;
    /// where there is nothing else, the result is -inf and its derivative 0. A NaN makes the result NaN. The derivative
    /// is [`Var::softmax`].
    ///
    /// Takes `f64` or `f32`; another dtype is an error, and so are axes that do not exist or do not ascend strictly.
    /// [`Var::logsumexp_all`] is over all elements.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array1<f64> = jit(|x: Var| x.logsumexp(&[1])).call(array![[1000.0, 1000.0], [0.0, f64::NEG_INFINITY]])?;
    /// assert_eq!(y, array![1000.0 + std::f64::consts::LN_2, 0.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn logsumexp(self, axes: &[usize]) -> Var {
        let _method = trace::method("logsumexp", &[self]);
        if !check_float(self) {
            return Var::poisoned();
        }
        let peak = self.finite_peak(axes);
        let total = (self - spread(peak, &self.shape(), axes)).exp().sum_axes(axes);
        // The logarithm of 0 is -inf, but its slope would make the derivative NaN.
        total.equal(0).select(total.full_like(f64::NEG_INFINITY), total.ln()) + peak
    }

    /// `ln Σ exp(x)` over all elements, without overflow on the way; see [`Var::logsumexp`]. Takes `f64` or `f32`;
    /// another dtype is an error.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit, value_and_grad};
    ///
    /// let f = jit(value_and_grad(Var::logsumexp_all));
    /// let (y, slope): (f64, Array1<f64>) = f.call(array![1000.0, 1000.0])?;
    /// assert_eq!((y, slope), (1000.0 + std::f64::consts::LN_2, array![0.5, 0.5]));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn logsumexp_all(self) -> Var {
        let _method = trace::method("logsumexp_all", &[self]);
        self.logsumexp_axes(&self.every_axis())
    }

    /// The same as [`Var::logsumexp`], under the name that the variants of other reductions have.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array1<f64> = jit(|x: Var| x.logsumexp_axes(&[0])).call(array![[0.0], [0.0]])?;
    /// assert_eq!(y, array![std::f64::consts::LN_2]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn logsumexp_axes(self, axes: &[usize]) -> Var {
        let _method = trace::method("logsumexp_axes", &[self]);
        self.logsumexp(axes)
    }

    /// `exp(x)`, divided by its sum along an axis, without overflow on the way. Elements of -inf give 0; where there is
    /// nothing else, or a NaN, the result along the axis is NaN.
    ///
    /// Takes `f64` or `f32`; another dtype is an error, and so is an axis that does not exist.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array1<f64> = jit(|x: Var| x.softmax(0)).call(array![1000.0, 1000.0, f64::NEG_INFINITY])?;
    /// assert_eq!(y, array![0.5, 0.5, 0.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn softmax(self, axis: usize) -> Var {
        let _method = trace::method("softmax", &[self]);
        if !check_float(self) || !check_axis(self, axis) {
            return Var::poisoned();
        }
        let shape = self.shape();
        let weights = (self - spread(self.finite_peak(&[axis]), &shape, &[axis])).exp();
        weights / spread(weights.sum_axes(&[axis]), &shape, &[axis])
    }

    /// The logarithm of [`Var::softmax`], without rounding to 0 on the way.
    ///
    /// Takes `f64` or `f32`; another dtype is an error, and so is an axis that does not exist.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array1<f64> = jit(|x: Var| x.log_softmax(0)).call(array![0.0, -1000.0])?;
    /// assert_eq!(y, array![0.0, -1000.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn log_softmax(self, axis: usize) -> Var {
        let _method = trace::method("log_softmax", &[self]);
        if !check_float(self) || !check_axis(self, axis) {
            return Var::poisoned();
        }
        let shape = self.shape();
        let shifted = self - spread(self.finite_peak(&[axis]), &shape, &[axis]);
        shifted - spread(shifted.exp().sum_axes(&[axis]).ln(), &shape, &[axis])
    }

    /// The maximum, or 0 where it is not finite: what exponents are shifted by. The result does not depend on it, so it is
    /// no part of the derivative.
    #[track_caller]
    fn finite_peak(self, axes: &[usize]) -> Var {
        let peak = self.reduce_max(axes).stop_gradient();
        peak.is_finite().select(peak, peak.full_like(0.0))
    }
}
