//! Shapes, slices and elements: what moves the elements of both parts alike.
//!
//! ```
//! use ndarray::{Array2, array};
//! use num_complex::{Complex64, c64};
//! use retrograd::{Complex, jit};
//!
//! let f = |z: Complex| Complex::stack(&[z.slice(0, 1..), z.reverse(&[0]).slice(0, ..2).conj()], 0);
//! let z: Array2<Complex64> = jit(f).call(array![c64(1.0, 2.0), c64(3.0, 4.0), c64(5.0, 6.0)])?;
//! assert_eq!(z, array![[c64(3.0, 4.0), c64(5.0, 6.0)], [c64(5.0, -6.0), c64(3.0, -4.0)]]);
//! # Ok::<(), retrograd::Error>(())
//! ```

use std::ops::RangeBounds;

use super::super::indexing::Indices;
use super::super::{At, Var, trace};
use super::{Complex, ComplexOperand};
use crate::value::{DType, Type};

/// Methods of `Var` that treat the parts alike; each is documented there.
macro_rules! of_both {
    ($($(#[$doc:meta])* $method:ident($($x:ident: $X:ty),*);)*) => {
        impl Complex {$(
            $(#[$doc])*
            #[track_caller]
            pub fn $method(self $(, $x: $X)*) -> Complex {
                Complex { re: self.re.$method($($x),*), im: self.im.$method($($x),*) }
            }
        )*}
    };
}
pub(super) use of_both;

of_both! {
    /// The same elements in another shape; see [`Var::reshape`].
    reshape(shape: &[usize]);
    /// The same elements as a vector; see [`Var::flatten`].
    flatten();
    /// A new axis of extent 1; see [`Var::insert_axis`].
    insert_axis(axis: usize);
    /// Without an axis of extent 1; see [`Var::squeeze`].
    squeeze(axis: usize);
    /// The axes in another order; see [`Var::transpose`].
    transpose(perm: &[usize]);
    /// The matrix with its axes exchanged, without conjugation; see [`Var::t`] and [`Complex::adjoint`].
    t();
    /// Repeated along new axes and axes of extent 1; see [`Var::broadcast_to`].
    broadcast_to(shape: &[usize]);
    /// What is at that index of the first axis; see [`Var::at`].
    at(index: usize);
    /// The element at that position; see [`Var::index`].
    index(i: usize);
    /// What is at that index of an axis, which vanishes; see [`Var::index_axis`].
    index_axis(axis: usize, index: usize);
    /// Every `step`-th element of an axis between two indices; see [`Var::slice_axis`].
    slice_axis(axis: usize, start: usize, end: usize, step: usize);
    /// The elements in the opposite order along axes; see [`Var::reverse`].
    reverse(axes: &[usize]);
    /// A window of known extents at computed indices; see [`Var::dynamic_slice`].
    dynamic_slice(starts: &[Var], extents: &[usize]);
    /// The elements along an axis for which a mask holds; see [`Var::compress`].
    compress(mask: Var, n: usize, axis: usize);
    /// A value that carries no derivative; see [`Var::stop_gradient`].
    stop_gradient();
}

impl Complex {
    /// The conjugate of the matrix with its axes exchanged: `Zᴴ`. Of more axes than two, the last two are exchanged.
    ///
    /// ```
    /// use ndarray::{Array2, array};
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Complex, jit};
    ///
    /// let y: Array2<Complex64> = jit(|z: Complex| z.adjoint()).call(array![[c64(1.0, 2.0), c64(3.0, 4.0)]])?;
    /// assert_eq!(y, array![[c64(1.0, -2.0)], [c64(3.0, -4.0)]]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn adjoint(self) -> Complex {
        let rank = self.rank();
        let mut perm: Vec<usize> = (0..rank).collect();
        if rank >= 2 {
            perm.swap(rank - 2, rank - 1);
        }
        self.transpose(&perm).conj()
    }

    /// The parts in another dtype of floating point; see [`Var::convert`]. Another dtype is an error.
    #[track_caller]
    pub fn convert(self, dtype: DType) -> Complex {
        let _method = trace::method("convert", &[self.re, self.im]);
        if !dtype.is_float() {
            trace::fail_at(format!("takes a dtype of floating point for complex numbers, but got {dtype}"));
            return Complex::poisoned();
        }
        self.each(|x| x.convert(dtype))
    }

    /// A range of an axis; see [`Var::slice`].
    #[track_caller]
    pub fn slice(self, axis: usize, range: impl RangeBounds<usize> + Clone) -> Complex {
        Complex { re: self.re.slice(axis, range.clone()), im: self.im.slice(axis, range) }
    }

    /// What is at each index of an axis, which vanishes; see [`Var::unstack`].
    #[track_caller]
    pub fn unstack(self, axis: usize) -> Vec<Complex> {
        pairs(self.re.unstack(axis), self.im.unstack(axis))
    }

    /// Parts of those extents along an axis; see [`Var::split`].
    #[track_caller]
    pub fn split(self, axis: usize, extents: &[usize]) -> Vec<Complex> {
        pairs(self.re.split(axis, extents), self.im.split(axis, extents))
    }

    /// What is at computed indices of an axis; see [`Var::take`].
    #[track_caller]
    pub fn take(self, indices: impl Indices, axis: usize) -> Complex {
        let indices = indices.indices();
        self.each(|x| x.take(indices, axis))
    }

    /// For each index the element beside it along an axis; see [`Var::take_along_axis`].
    #[track_caller]
    pub fn take_along_axis(self, indices: impl Indices, axis: usize) -> Complex {
        let indices = indices.indices();
        self.each(|x| x.take_along_axis(indices, axis))
    }

    /// Elements at computed indices of an axis, to be read, set or added to; see [`Var::at_indices`].
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Complex, jit};
    ///
    /// let f = |z: Complex| z.at_indices([0, 0], 0).add(c64(0.0, 1.0));
    /// let z: Array1<Complex64> = jit(f).call(array![c64(1.0, 2.0), c64(3.0, 4.0)])?;
    /// assert_eq!(z, array![c64(1.0, 4.0), c64(3.0, 4.0)]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn at_indices(self, indices: impl Indices, axis: usize) -> ComplexAt {
        let indices = indices.indices();
        ComplexAt { re: self.re.at_indices(indices, axis), im: self.im.at_indices(indices, axis), like: self.re }
    }

    /// The sums of the elements of each of `n` segments along the first axis; see [`Var::segment_sum`].
    #[track_caller]
    pub fn segment_sum(self, segments: impl Indices, n: usize) -> Complex {
        let segments = segments.indices();
        self.each(|x| x.segment_sum(segments, n))
    }

    /// The slice written over a window at computed indices; see [`Var::dynamic_update_slice`].
    #[track_caller]
    pub fn dynamic_update_slice(self, slice: Complex, starts: &[Var]) -> Complex {
        Complex {
            re: self.re.dynamic_update_slice(slice.re, starts),
            im: self.im.dynamic_update_slice(slice.im, starts),
        }
    }

    /// `x` where the condition holds, else `y`; see [`Var::select`].
    ///
    /// ```
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Complex, jit};
    ///
    /// let upper = |z: Complex| Complex::select(z.im.less(0.0), z.conj(), z);
    /// assert_eq!(jit(upper).call::<Complex64>(c64(1.0, -2.0))?, c64(1.0, 2.0));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn select(condition: Var, x: impl ComplexOperand, y: impl ComplexOperand) -> Complex {
        let like = match [x.traced(), y.traced()] {
            [Some(x), _] => x,
            [None, Some(y)] => y,
            [None, None] => Var::from(0.0),
        };
        let (x, y) = (Complex::of(x, like), Complex::of(y, like));
        Complex { re: condition.select(x.re, y.re), im: condition.select(x.im, y.im) }
    }

    /// Whether both parts are equal; a `bool`. NaN equals nothing.
    #[track_caller]
    pub fn equal(self, y: impl ComplexOperand) -> Var {
        let y = Complex::of(y, self.re);
        self.re.equal(y.re) & self.im.equal(y.im)
    }

    /// Whether a part differs; a `bool`.
    #[track_caller]
    pub fn not_equal(self, y: impl ComplexOperand) -> Var {
        !self.equal(y)
    }

    /// Whether a part is NaN; a `bool`.
    #[track_caller]
    pub fn is_nan(self) -> Var {
        self.re.is_nan() | self.im.is_nan()
    }

    /// Whether neither part is infinite or NaN; a `bool`.
    #[track_caller]
    pub fn is_finite(self) -> Var {
        self.re.is_finite() & self.im.is_finite()
    }

    /// Whether a part is infinite, even if the other one is NaN, as in Annex G of the C standard; a `bool`.
    #[track_caller]
    pub fn is_infinite(self) -> Var {
        self.re.abs().equal(f64::INFINITY) | self.im.abs().equal(f64::INFINITY)
    }

    /// Zeros; of the shape and of the dtype of the parts.
    #[track_caller]
    pub fn zeros(parts: impl Into<Type>) -> Complex {
        let zeros = Var::zeros(parts);
        Complex { re: zeros, im: zeros }
    }

    /// Ones; of the shape and of the dtype of the parts.
    #[track_caller]
    pub fn ones(parts: impl Into<Type>) -> Complex {
        Var::ones(parts).into()
    }
}

fn pairs(re: Vec<Var>, im: Vec<Var>) -> Vec<Complex> {
    re.into_iter().zip(im).map(|(re, im)| Complex { re, im }).collect()
}

/// Elements at computed indices; see [`Complex::at_indices`]. Its methods are those of [`At`].
#[derive(Clone, Debug)]
pub struct ComplexAt {
    re: At,
    im: At,
    like: Var,
}

impl ComplexAt {
    /// Indices out of range read and write the element next to them.
    pub fn clamp(self) -> ComplexAt {
        ComplexAt { re: self.re.clamp(), im: self.im.clamp(), like: self.like }
    }

    /// Indices are taken modulo the extent.
    pub fn wrap(self) -> ComplexAt {
        ComplexAt { re: self.re.wrap(), im: self.im.wrap(), like: self.like }
    }

    /// Nothing is written at indices out of range.
    pub fn skip(self) -> ComplexAt {
        ComplexAt { re: self.re.skip(), im: self.im.skip(), like: self.like }
    }

    /// The elements.
    #[track_caller]
    pub fn get(self) -> Complex {
        Complex { re: self.re.get(), im: self.im.get() }
    }

    /// The array with those elements replaced.
    #[track_caller]
    pub fn set(self, values: impl ComplexOperand) -> Complex {
        let values = Complex::of(values, self.like);
        Complex { re: self.re.set(values.re), im: self.im.set(values.im) }
    }

    /// The array with the values added to those elements, to each as often as its index occurs.
    #[track_caller]
    pub fn add(self, values: impl ComplexOperand) -> Complex {
        let values = Complex::of(values, self.like);
        Complex { re: self.re.add(values.re), im: self.im.add(values.im) }
    }
}
