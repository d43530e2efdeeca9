//! Complex numbers: pairs of real values, with the operators of complex arithmetic.

mod arithmetic;
mod arrays;
mod extended;
mod functions;
mod generic;
mod hyperbolic;
mod inverse;
mod joins;
mod magnitude;
mod powers;
mod products;
mod reductions;
mod rule;

use num_complex::Complex as Host;

use super::Var;
use super::var::broadcast_pair;
use crate::error::ArgumentError;
use crate::value::{Array, DType, FromTree, Leaf, LeafRef, Shape, ToTree, Tree};

pub use arithmetic::ComplexOperand;
pub(crate) use products::bilinear;

/// A complex number, or an array of them: a real part and an imaginary part of one dtype and shape.
///
/// In a traced function it is a `Complex<Var>`, for which one may write `Complex`. It is a tree of its two parts like any
/// other: an argument and a result of functions, a carry of loops, a leaf of [derived](derive@crate::Tree) structs. In
/// graphs and files there are only real numbers; the parts of an input `z` are `z.re` and `z.im` there.
///
/// On the host stand [`num_complex::Complex`] and arrays of these.
///
/// ```
/// use ndarray::{Array1, array};
/// use num_complex::Complex64;
/// use retrograd::{Complex, Var, grad, jit};
///
/// // How far a damped oscillation rings: |1 / (1 - z)|².
/// let gain = |z: Complex| (1.0 - z).recip().abs_squared();
/// let z = Complex64::new(0.5, 0.5);
/// let value: f64 = jit(gain).call(z)?;
/// assert_eq!(value, 2.0);
/// // The gradient is ∂/∂re + i ∂/∂im: the direction in which the value grows fastest.
/// let slope: Complex64 = jit(grad(gain)).call(z)?;
/// assert_eq!(slope, Complex64::new(4.0, -4.0));
///
/// let turned: Array1<Complex64> = jit(|z: Complex, t: Var| z * Complex::cis(t)).call(array![z, 2.0 * z], 0.0)?;
/// assert_eq!(turned, array![z, 2.0 * z]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Operators
/// `+ - * /` take a `Complex`, a [`Var`], an `f64` and a [`num_complex::Complex<f64>`] on either side, and broadcast as
/// those of `Var`. A real operand is not made complex: `z * x` multiplies both parts, as in C.
///
/// Products are `(ac - bd) + (ad + bc) i`, in which an intermediate result may overflow, and an infinite operand may give
/// NaN; their error is at most √5 half units in the last place, relative to the absolute value (Brent, Percival and
/// Zimmermann 2007, "Error bounds on complex floating-point multiplication"). Quotients do not overflow where the result
/// does not; `z / 0` is infinite, `z` divided by an infinite number is 0, as in Annex G of the C standard.
///
/// # Functions
/// Functions of complex numbers have the branch cuts and the special values of that annex. See the methods below, and
/// the guide's page [`complex`](mod@crate::guide::complex) for their derivatives.
#[derive(Clone, Copy, Debug)]
pub struct Complex<T = Var> {
    /// The real part.
    pub re: T,
    /// The imaginary part.
    pub im: T,
}

impl Complex {
    /// The number `re + i·im`, whose parts broadcast to one shape. Parts of different dtypes are an error.
    ///
    /// ```
    /// use num_complex::Complex64;
    /// use retrograd::{Complex, Var, jit};
    ///
    /// let z: Complex64 = jit(|x: Var, y: Var| Complex::new(x, y).conj()).call(1.0, 2.0)?;
    /// assert_eq!(z, Complex64::new(1.0, -2.0));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn new(re: Var, im: Var) -> Complex {
        let _method = super::trace::method("complex", &[re, im]);
        let both_known = !re.is_poisoned() && !im.is_poisoned();
        if both_known && (re.dtype() != im.dtype() || !re.dtype().is_float()) {
            let (re, im) = (re.ty(), im.ty());
            super::trace::fail_at(format!(
                "takes parts of one dtype of floating point, but got {re} and {im}; use convert"
            ));
            return Complex { re: Var::poisoned(), im: Var::poisoned() };
        }
        let (re, im) = broadcast_pair(re, im);
        if both_known && re.shape() != im.shape() {
            super::trace::fail_at(format!("cannot broadcast {} to {}", im.shape(), re.shape()));
            return Complex { re: Var::poisoned(), im: Var::poisoned() };
        }
        Complex { re, im }
    }

    /// A constant of the open trace, of numbers of `f64`: the value is part of the graph and of files made of it.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Complex, jit};
    ///
    /// let roots = array![c64(1.0, 0.0), c64(0.0, 1.0)];
    /// let z: Array1<Complex64> = jit(move |z: Complex| z * Complex::constant(&roots)).call(c64(2.0, 3.0))?;
    /// assert_eq!(z, array![c64(2.0, 3.0), c64(-3.0, 2.0)]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn constant<D: ndarray::Dimension>(value: &ndarray::Array<Host<f64>, D>) -> Complex {
        let part = |part: fn(&Host<f64>) -> f64| Var::constant(Array::from_ndarray(value.map(part).into_dyn()));
        Complex { re: part(|z| z.re), im: part(|z| z.im) }
    }

    /// The same function of both parts, for what treats the elements alike and is linear: `z.each(|x| np::roll(x, 1, 0))`.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Complex, jit, numpy as np};
    ///
    /// let turned = |z: Complex| z.each(|x| np::roll(x, 1, 0));
    /// let z: Array1<Complex64> = jit(turned).call(array![c64(1.0, 2.0), c64(3.0, 4.0)])?;
    /// assert_eq!(z, array![c64(3.0, 4.0), c64(1.0, 2.0)]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn each(self, f: impl Fn(Var) -> Var) -> Complex {
        Complex { re: f(self.re), im: f(self.im) }
    }

    /// The extents, which are known while tracing; none after an error.
    ///
    /// ```
    /// use ndarray::array;
    /// use num_complex::c64;
    /// use retrograd::{Complex, jit};
    ///
    /// let n = |z: Complex| z.re.sum() * 0.0 + z.shape()[0] as f64 + z.rank() as f64;
    /// let n: f64 = jit(n).call(array![c64(1.0, 2.0), c64(3.0, 4.0)])?;
    /// assert_eq!(n, 3.0);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn shape(self) -> Shape {
        self.re.shape()
    }

    /// The number of axes.
    #[track_caller]
    pub fn rank(self) -> usize {
        self.re.rank()
    }

    /// The dtype of the parts.
    #[track_caller]
    pub fn dtype(self) -> DType {
        self.re.dtype()
    }

    /// The same value under a name that listings, files and errors show, with `.re` and `.im`.
    #[track_caller]
    pub fn named(self, name: &str) -> Complex {
        Complex { re: self.re.named(&format!("{name}.re")), im: self.im.named(&format!("{name}.im")) }
    }

    /// Whether an error made one of the parts.
    pub(crate) fn is_poisoned(self) -> bool {
        self.re.is_poisoned() || self.im.is_poisoned()
    }

    /// What stands for a result after an error.
    pub(crate) fn poisoned() -> Complex {
        Complex { re: Var::poisoned(), im: Var::poisoned() }
    }
}

impl From<Var> for Complex {
    /// A real number, whose imaginary part is 0. One that is not of floating point is an error.
    #[track_caller]
    fn from(re: Var) -> Complex {
        Complex::new(re, if re.is_poisoned() { re } else { re.full_like(0.0) })
    }
}

impl From<f64> for Complex {
    /// A constant of the open trace.
    #[track_caller]
    fn from(re: f64) -> Complex {
        Complex { re: Var::from(re), im: Var::from(0.0) }
    }
}

impl From<Host<f64>> for Complex {
    /// A constant of the open trace.
    #[track_caller]
    fn from(z: Host<f64>) -> Complex {
        Complex { re: Var::from(z.re), im: Var::from(z.im) }
    }
}

impl From<Host<Var>> for Complex {
    #[track_caller]
    fn from(z: Host<Var>) -> Complex {
        Complex::new(z.re, z.im)
    }
}

impl From<Complex> for Host<Var> {
    fn from(z: Complex) -> Host<Var> {
        Host { re: z.re, im: z.im }
    }
}

/// A struct of `re` and `im`: of a Jacobian by a complex argument, of which both are trees themselves.
impl<T: ToTree> ToTree for Complex<T> {
    fn to_tree(&self) -> Tree<LeafRef<'_>> {
        Tree::Struct(vec![("re", self.re.to_tree()), ("im", self.im.to_tree())])
    }
}

impl<T: FromTree> FromTree for Complex<T> {
    fn from_tree(tree: Tree<Leaf>) -> Result<Complex<T>, ArgumentError> {
        let [re, im] = tree.into_fields(["re", "im"])?;
        let re = T::from_tree(re).map_err(|error| error.within("re"))?;
        let im = T::from_tree(im).map_err(|error| error.within("im"))?;
        Ok(Complex { re, im })
    }
}
