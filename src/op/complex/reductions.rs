//! Reductions.

use super::super::{Var, trace};
use super::Complex;
use super::arrays::of_both;
use crate::value::Type;

of_both! {
    /// The sum of all elements; see [`Var::sum`].
    sum();
    /// The sums over axes, which vanish; see [`Var::sum_axes`].
    sum_axes(axes: &[usize]);
    /// The sums over axes, which stay with extent 1.
    sum_keep_axes(axes: &[usize]);
    /// The mean of all elements; see [`Var::mean`].
    mean();
    /// The means over axes, which vanish; see [`Var::mean_axes`].
    mean_axes(axes: &[usize]);
    /// The means over axes, which stay with extent 1.
    mean_keep_axes(axes: &[usize]);
    /// The sums of the elements up to each one along an axis; see [`Var::cumsum`].
    cumsum(axis: usize);
}

impl Complex {
    /// The product of all elements; 1 if there are none. They are multiplied in pairs.
    ///
    /// ```
    /// use ndarray::array;
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Complex, jit};
    ///
    /// let z: Complex64 = jit(|z: Complex| z.prod()).call(array![c64(0.0, 1.0), c64(2.0, 0.0), c64(0.0, 3.0)])?;
    /// assert_eq!(z, c64(-6.0, 0.0));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn prod(self) -> Complex {
        self.flatten().prod_axis(0)
    }

    /// The products along an axis, which vanishes; 1 where it has no elements. They are multiplied in pairs.
    ///
    /// An axis that there is not is an error.
    #[track_caller]
    pub fn prod_axis(self, axis: usize) -> Complex {
        let _method = trace::method("prod_axis", &[self.re, self.im]);
        if self.is_poisoned() {
            return self;
        }
        let shape = self.shape();
        let Some(&extent) = shape.get(axis) else {
            trace::fail_at(format!("takes an axis below the rank {}, but got {axis}", shape.rank()));
            return Complex::poisoned();
        };
        if extent == 0 {
            let others: Vec<usize> = [&shape[..axis], &shape[axis + 1..]].concat();
            return Complex::ones(Type::new(self.dtype(), others));
        }
        let (mut z, mut n) = (self, extent);
        while n > 1 {
            let pairs = z.slice(axis, ..n / 2) * z.slice(axis, n / 2..n / 2 * 2);
            z = if n.is_multiple_of(2) { pairs } else { Complex::concatenate(&[pairs, z.slice(axis, n - 1..)], axis) };
            n = n.div_ceil(2);
        }
        z.squeeze(axis)
    }

    /// The Euclidean norm `√Σ|z|²` of all elements, without overflow; see [`Var::norm`].
    ///
    /// ```
    /// use ndarray::array;
    /// use num_complex::c64;
    /// use retrograd::{Complex, jit};
    ///
    /// assert_eq!(jit(|z: Complex| z.norm()).call::<f64>(array![c64(1.0, 1.0), c64(1.0, -1.0)])?, 2.0);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn norm(self) -> Var {
        Var::stack(&[self.re, self.im], 0).norm()
    }

    /// The sum of `|z|²` over all elements.
    #[track_caller]
    pub fn norm_squared(self) -> Var {
        self.re.norm_squared() + self.im.norm_squared()
    }

    /// The variance of all elements, the mean of `|z - mean|²`; NaN if there are none.
    ///
    /// ```
    /// use ndarray::array;
    /// use num_complex::c64;
    /// use retrograd::{Complex, jit};
    ///
    /// assert_eq!(jit(|z: Complex| z.var()).call::<f64>(array![c64(1.0, 2.0), c64(3.0, -2.0)])?, 5.0);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn var(self) -> Var {
        self.re.var() + self.im.var()
    }
}
