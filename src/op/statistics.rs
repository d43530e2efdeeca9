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

    /// The sum of the squares of all elements.
    #[track_caller]
    pub fn norm_squared(self) -> Var {
        self.square().sum()
    }

    /// The square root of the sum of the squares of all elements. The derivative at 0 is 0.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::value::{Array, DType, Type};

    /// The value of a composition and its gradient, or the error of its trace.
    fn value_and_gradient(f: impl Fn(Var) -> Var, x: &[f64]) -> Result<(f64, Vec<f64>), Error> {
        let mut graph = crate::Graph::new("f");
        let input = graph.add_input("x", Type::new(DType::F64, [x.len()]))?;
        let (mut graph, outputs) = trace::record(graph, 1000, None, || {
            let x = trace::variable(input);
            let y = f(x);
            let ct = crate::differentiate::pullback(&[x], &[y], &[Var::from(1.0)]);
            [y, ct[0].unwrap_or(x.full_like(0.0))].map(Var::value)
        })?;
        for output in outputs.into_iter().flatten() {
            graph.add_output("y", output);
        }
        let outputs = crate::interpret::run(&graph, &[Array::from_elements([x.len()], x.to_vec()).unwrap()])?;
        Ok((outputs[0].as_slice::<f64>().unwrap()[0], outputs[1].as_slice::<f64>().unwrap().to_vec()))
    }

    fn check(what: &str, f: impl Fn(Var) -> Var, x: &[f64], value: f64, gradient: &[f64]) {
        let (got, got_gradient) = value_and_gradient(f, x).unwrap();
        let close = |a: f64, b: f64| a == b || (a - b).abs() <= 1e-15 * b.abs().max(1.0);
        assert!(close(got, value), "{what}: {got} instead of {value}");
        assert_eq!(got_gradient.len(), gradient.len(), "{what}");
        for (&got, &expected) in got_gradient.iter().zip(gradient) {
            assert!(close(got, expected), "{what}: gradient {got_gradient:?} instead of {gradient:?}");
        }
    }

    #[test]
    fn kinks_have_the_documented_derivatives() {
        check("norm", Var::norm, &[3.0, -4.0], 5.0, &[0.6, -0.8]);
        check("norm at 0", Var::norm, &[0.0, 0.0], 0.0, &[0.0, 0.0]);
        check("std", Var::std, &[1.0, 3.0], 1.0, &[-0.5, 0.5]);
        check("std of equal values", Var::std, &[2.0, 2.0, 2.0], 0.0, &[0.0, 0.0, 0.0]);
        check("max with ties", Var::max_all, &[1.0, 3.0, 3.0], 3.0, &[0.0, 0.5, 0.5]);
        check("min with ties", Var::min_all, &[1.0, 3.0, 1.0], 1.0, &[0.5, 0.0, 0.5]);
        check("prod with a zero", Var::prod, &[2.0, 0.0, 5.0], 0.0, &[0.0, 10.0, 0.0]);
        check("prod with two zeros", Var::prod, &[0.0, 3.0, 0.0], 0.0, &[0.0, 0.0, 0.0]);
    }

    #[test]
    fn logarithms_of_sums_stand_infinities() {
        let logsumexp = |x: Var| x.logsumexp(&[0]);
        let ln2 = std::f64::consts::LN_2;
        check("large", logsumexp, &[1e4, 1e4], 1e4 + ln2, &[0.5, 0.5]);
        check("one -inf", logsumexp, &[f64::NEG_INFINITY, 1.0, 1.0], 1.0 + ln2, &[0.0, 0.5, 0.5]);
        check("all -inf", logsumexp, &[f64::NEG_INFINITY; 2], f64::NEG_INFINITY, &[0.0, 0.0]);
        check("softmax", |x| x.softmax(0).index(0), &[1e4, 1e4 - 800.0], 1.0, &[0.0, 0.0]);
        check("log_softmax", |x| x.log_softmax(0).index(1), &[1e4, 1e4 - 800.0], -800.0, &[-1.0, 1.0]);
        let (inf, _) = value_and_gradient(logsumexp, &[f64::INFINITY, 1.0]).unwrap();
        assert_eq!(inf, f64::INFINITY);
    }

    #[test]
    fn a_product_with_zeros_has_second_derivatives() {
        // The gradient of ∂₁ of x₀·x₁·x₂ by x, at a point where x₀ is 0.
        let partial =
            |x: Var| crate::differentiate::pullback(&[x], &[x.prod()], &[Var::from(1.0)])[0].unwrap().index(1);
        check("∂₁", partial, &[0.0, 3.0, 5.0], 0.0, &[5.0, 0.0, 0.0]);
        check("∂₁ at two zeros", partial, &[0.0, 0.0, 5.0], 0.0, &[5.0, 0.0, 0.0]);
    }

    #[test]
    fn wrong_axes_are_errors() {
        let wrong: [(&str, fn(Var) -> Var); 18] = [
            ("sum_axes", |x| x.sum_axes(&[1])),
            ("mean_axes", |x| x.mean_axes(&[1])),
            ("var_axes", |x| x.var_axes(&[0, 0])),
            ("argmax", |x| x.argmax(1)),
            ("cumsum", |x| x.cumsum(1)),
            ("softmax", |x| x.softmax(1)),
            ("log_softmax", |x| x.log_softmax(2)),
            ("logsumexp", |x| x.logsumexp(&[3])),
            ("slice_axis", |x| x.slice_axis(1, 0, 1, 1)),
            ("slice_axis", |x| x.slice_axis(0, 2, 1, 1)),
            ("index_axis", |x| x.index_axis(0, 2)),
            ("index", |x| x.insert_axis(0).index(0)),
            ("insert_axis", |x| x.insert_axis(2)),
            ("squeeze", |x| x.squeeze(0)),
            ("transpose", |x| x.transpose(&[1])),
            ("reverse", |x| x.reverse(&[1])),
            ("matmul", |x| x.matmul(x.sum())),
            ("concatenate", |x| Var::concatenate(&[x, x.sum()], 0)),
        ];
        for (name, f) in wrong {
            assert!(value_and_gradient(f, &[1.0, 2.0]).is_err(), "{name}");
        }
    }
}
