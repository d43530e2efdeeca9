//! What is composed of reductions: means, variances, norms, and sums of exponentials.

use super::Var;
use super::reduce::spread;
use super::shape::check_axis;
use super::trace;

/// Requires a floating-point value.
#[track_caller]
fn check_float(x: Var, what: &str) -> bool {
    let ty = x.ty();
    if !ty.dtype.is_float() {
        trace::fail_at(format!("{what} takes floating-point numbers, but got {ty}; use convert"));
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

impl Var {
    /// The mean of all elements.
    #[track_caller]
    pub fn mean(self) -> Var {
        self.mean_axes(&self.all_axes())
    }

    /// The mean over the given axes, which vanish. That of nothing is NaN.
    #[track_caller]
    pub fn mean_axes(self, axes: &[usize]) -> Var {
        if !check_float(self, "mean") {
            return Var::poisoned();
        }
        self.sum_axes(axes) / n_combined(self, axes)
    }

    /// The variance of all elements: the mean of the squared distances from the mean, as NumPy's with `ddof` 0.
    #[track_caller]
    pub fn var(self) -> Var {
        self.var_axes(&self.all_axes())
    }

    /// The variance over the given axes, which vanish; see [`Var::var`].
    #[track_caller]
    pub fn var_axes(self, axes: &[usize]) -> Var {
        if !check_float(self, "var") {
            return Var::poisoned();
        }
        (self - spread(self.mean_axes(axes), &self.shape(), axes)).square().mean_axes(axes)
    }

    /// The standard deviation of all elements: the square root of [`Var::var`]. The derivative at equal elements is 0.
    #[track_caller]
    pub fn std(self) -> Var {
        self.std_axes(&self.all_axes())
    }

    /// The standard deviation over the given axes, which vanish; see [`Var::std`].
    #[track_caller]
    pub fn std_axes(self, axes: &[usize]) -> Var {
        sqrt_flat_at_zero(self.var_axes(axes))
    }

    /// The sum of the squares of all elements. It is smooth everywhere: its Hessian at 0 is 2 times the identity, while that
    /// of the square of [`Var::norm`], of which all derivatives at 0 count as 0, is 0 there.
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
        self.square().sum()
    }

    /// The square root of the sum of the squares of all elements. The derivatives of all orders at 0 are 0; where the square
    /// is meant, [`Var::norm_squared`] has the right ones.
    #[track_caller]
    pub fn norm(self) -> Var {
        if !check_float(self, "norm") {
            return Var::poisoned();
        }
        sqrt_flat_at_zero(self.norm_squared())
    }

    /// `ln Σ exp(x)` over the given axes, which vanish, without overflow on the way. Elements of -inf count as nothing;
    /// where there is nothing else, the result is -inf and its derivative 0.
    #[track_caller]
    pub fn logsumexp(self, axes: &[usize]) -> Var {
        if !check_float(self, "logsumexp") {
            return Var::poisoned();
        }
        let peak = self.finite_peak(axes);
        let total = (self - spread(peak, &self.shape(), axes)).exp().sum_axes(axes);
        // The logarithm of 0 is -inf, but its slope would make the derivative NaN.
        total.equal(0).select(total.full_like(f64::NEG_INFINITY), total.ln()) + peak
    }

    /// `exp(x)`, divided by its sum along an axis, without overflow on the way.
    #[track_caller]
    pub fn softmax(self, axis: usize) -> Var {
        if !check_float(self, "softmax") || !check_axis(self, axis, "softmax") {
            return Var::poisoned();
        }
        let shape = self.shape();
        let weights = (self - spread(self.finite_peak(&[axis]), &shape, &[axis])).exp();
        weights / spread(weights.sum_axes(&[axis]), &shape, &[axis])
    }

    /// The logarithm of [`Var::softmax`], without rounding to 0 on the way.
    #[track_caller]
    pub fn log_softmax(self, axis: usize) -> Var {
        if !check_float(self, "log_softmax") || !check_axis(self, axis, "log_softmax") {
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
