//! Products of vectors and matrices.

use super::super::Var;
use super::{Complex, ComplexOperand};

impl Complex {
    /// The product of matrices, of a matrix and a vector, or of vectors, without conjugation; see [`Var::dot`].
    ///
    /// The right side may be real: then both parts of the left one are multiplied with it. Else there are four real products, or
    /// three where matrices are so large that this is faster, from about 40×40: their error is small beside the norms of the rows and
    /// columns, as that of four, but a part that is small beside the other one may lose its digits (Higham 2002, "Accuracy and
    /// stability of numerical algorithms", §23.2.4): the product of a matrix and its adjoint is Hermitian up to rounding only. Sums of
    /// the parts may overflow, and beside an infinite element the imaginary part is NaN.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Complex, Var, jit};
    ///
    /// let a = array![[c64(1.0, 1.0), c64(0.0, 2.0)]];
    /// let y: Array1<Complex64> = jit(|a: Complex, x: Complex| a.dot(x)).call(&a, array![c64(0.0, 1.0), c64(3.0, 0.0)])?;
    /// assert_eq!(y, array![c64(-1.0, 7.0)]);
    /// let y: Array1<Complex64> = jit(|a: Complex, x: Var| a.dot(x)).call(&a, array![1.0, 2.0])?;
    /// assert_eq!(y, array![c64(1.0, 5.0)]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn dot(self, rhs: impl ComplexOperand) -> Complex {
        bilinear(self, rhs, last_extent(self), Var::dot)
    }

    /// The products of stacks of matrices, without conjugation; see [`Var::matmul`], and [`Complex::dot`] for their error.
    #[track_caller]
    pub fn matmul(self, rhs: impl ComplexOperand) -> Complex {
        bilinear(self, rhs, last_extent(self), Var::matmul)
    }

    /// The products of all pairs of elements, without conjugation; see [`Var::outer`].
    #[track_caller]
    pub fn outer(self, rhs: impl ComplexOperand) -> Complex {
        bilinear(self, rhs, 1, Var::outer)
    }

    /// The sum of products over contracting axes, for each index of the batch axes, without conjugation; see
    /// [`Var::dot_general`].
    #[track_caller]
    pub fn dot_general(self, rhs: impl ComplexOperand, contract: [&[usize]; 2], batch: [&[usize]; 2]) -> Complex {
        let shape = self.shape();
        let n_terms = contract[0].iter().filter_map(|&axis| shape.get(axis)).product();
        bilinear(self, rhs, n_terms, |x, y| x.dot_general(y, contract, batch))
    }

    /// The inner product `Σ z̄ w` of all elements, as NumPy's `vdot`: the left side is conjugated.
    ///
    /// ```
    /// use ndarray::array;
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Complex, jit};
    ///
    /// let z = array![c64(1.0, 2.0), c64(0.0, 1.0)];
    /// let y: Complex64 = jit(|z: Complex| z.vdot(z.mul_i())).call(&z)?;
    /// assert_eq!(y, c64(0.0, 6.0));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn vdot(self, rhs: impl ComplexOperand) -> Complex {
        let rhs = Complex::of(rhs, self.re);
        self.conj().flatten().dot(rhs.flatten())
    }
}

/// A bilinear function of two operands by its values on real ones, each of which is a sum of so many products.
#[track_caller]
pub(crate) fn bilinear(
    x: Complex,
    y: impl ComplexOperand,
    n_terms: usize,
    product: impl Fn(Var, Var) -> Var,
) -> Complex {
    let Complex { re: a, im: b } = x;
    match y.parts(a) {
        (c, None) => Complex { re: product(a, c), im: product(b, c) },
        (c, Some(d)) => {
            let (ac, bd) = (product(a, c), product(b, d));
            let im = if is_large([a, c], ac, n_terms) {
                (product(a + b, c + d) - ac) - bd
            } else {
                product(a, d) + product(b, c)
            };
            Complex { re: ac - bd, im }
        }
    }
}

/// So many multiplications take the time in which one element is read, added and written: with three products, matrices of 64×64
/// and more take 0.8 of the time, and the narrow ones for which this says no take longer.
const SUMS: f64 = 8.0;

/// Whether products take so much longer than sums of their operands and results that three of them are faster than four, as Gauss
/// found.
fn is_large(operands: [Var; 2], result: Var, n_terms: usize) -> bool {
    let [x, y, z] = [operands[0], operands[1], result].map(|x| x.ty().size() as f64);
    z * n_terms as f64 > SUMS * (x + y + 3.0 * z)
}

fn last_extent(z: Complex) -> usize {
    z.shape().last().copied().unwrap_or(1)
}
