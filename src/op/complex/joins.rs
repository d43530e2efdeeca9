//! Arrays joined, and borders.

use super::super::Var;
use super::{Complex, ComplexOperand};

impl Complex {
    /// Arrays one after the other along an axis; see [`Var::concatenate`].
    #[track_caller]
    pub fn concatenate(parts: &[Complex], axis: usize) -> Complex {
        Complex { re: Var::concatenate(&re(parts), axis), im: Var::concatenate(&im(parts), axis) }
    }

    /// Arrays along a new axis; see [`Var::stack`].
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Complex, jit};
    ///
    /// let f = |z: Complex| Complex::stack(&[z, z.conj()], 0).pad(0.0, &[1], &[0]);
    /// assert_eq!(jit(f).call::<Array1<Complex64>>(c64(1.0, 2.0))?, array![c64(0.0, 0.0), c64(1.0, 2.0), c64(1.0, -2.0)]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn stack(parts: &[Complex], axis: usize) -> Complex {
        Complex { re: Var::stack(&re(parts), axis), im: Var::stack(&im(parts), axis) }
    }

    /// So many copies of a value before and after the elements of each axis; negative numbers cut. See [`Var::pad`].
    #[track_caller]
    pub fn pad(self, value: impl ComplexOperand, low: &[i64], high: &[i64]) -> Complex {
        let value = Complex::of(value, self.re);
        let interior = vec![0; self.rank()];
        Complex { re: self.re.pad(value.re, low, high, &interior), im: self.im.pad(value.im, low, high, &interior) }
    }
}

fn re(parts: &[Complex]) -> Vec<Var> {
    parts.iter().map(|z| z.re).collect()
}

fn im(parts: &[Complex]) -> Vec<Var> {
    parts.iter().map(|z| z.im).collect()
}
