use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};

use ndarray::{ArcArray, ArrayD, ArrayViewD, ArrayViewMutD, Axis, IxDyn};

use super::{DType, Shape, Type};
use crate::error::MemoryError;

/// One element of any dtype.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// A binary64 number.
    F64(f64),
    /// A binary32 number.
    F32(f32),
    /// An integer.
    I64(i64),
    /// A truth value.
    Bool(bool),
}

impl Scalar {
    /// The dtype of this element.
    pub fn dtype(self) -> DType {
        match self {
            Scalar::F64(_) => DType::F64,
            Scalar::F32(_) => DType::F32,
            Scalar::I64(_) => DType::I64,
            Scalar::Bool(_) => DType::Bool,
        }
    }

    /// The value as the given dtype: rounded to nearest, truncated and saturated, or compared with 0, as Rust's `as` does.
    pub fn convert(self, dtype: DType) -> Scalar {
        match dtype {
            DType::F64 => Scalar::F64(match self {
                Scalar::F64(x) => x,
                Scalar::F32(x) => x.into(),
                Scalar::I64(x) => x as f64,
                Scalar::Bool(x) => x.into(),
            }),
            DType::F32 => Scalar::F32(match self {
                Scalar::F64(x) => x as f32,
                Scalar::F32(x) => x,
                Scalar::I64(x) => x as f32,
                Scalar::Bool(x) => x.into(),
            }),
            DType::I64 => Scalar::I64(match self {
                Scalar::F64(x) => x as i64,
                Scalar::F32(x) => x as i64,
                Scalar::I64(x) => x,
                Scalar::Bool(x) => x.into(),
            }),
            DType::Bool => Scalar::Bool(match self {
                Scalar::F64(x) => x != 0.0,
                Scalar::F32(x) => x != 0.0,
                Scalar::I64(x) => x != 0,
                Scalar::Bool(x) => x,
            }),
        }
    }

    /// The bits, with all NaNs equal: IEEE 754 leaves their payload and sign unspecified, and so does this crate.
    pub fn bits(self) -> u64 {
        match self {
            Scalar::F64(x) => if x.is_nan() { f64::NAN } else { x }.to_bits(),
            Scalar::F32(x) => if x.is_nan() { f32::NAN } else { x }.to_bits().into(),
            Scalar::I64(x) => x as u64,
            Scalar::Bool(x) => x.into(),
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::F64(x) => write!(f, "{x:?}"),
            Scalar::F32(x) => write!(f, "{x:?}"),
            Scalar::I64(x) => write!(f, "{x}"),
            Scalar::Bool(x) => write!(f, "{x}"),
        }
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f64 {}
    impl Sealed for f32 {}
    impl Sealed for i64 {}
    impl Sealed for bool {}
}

/// A Rust type that is an element of arrays: `f64`, `f32`, `i64`, `bool`.
pub trait Element:
    Copy + fmt::Debug + Default + PartialEq + PartialOrd + Send + Sync + sealed::Sealed + 'static
{
    /// The dtype of this type.
    const DTYPE: DType;
    /// This element as a [`Scalar`].
    fn scalar(self) -> Scalar;
    /// The element of a scalar, if it is of this dtype.
    fn from_scalar(scalar: Scalar) -> Option<Self>;
    /// Wraps an array whose elements are in row-major order.
    fn wrap(array: ArcArray<Self, IxDyn>) -> Array;
    /// The inverse of [`Element::wrap`], if the array is of this dtype.
    fn unwrap(array: Array) -> Option<ArcArray<Self, IxDyn>>;
    /// Wraps a view.
    fn wrap_view(view: ArrayViewD<'_, Self>) -> ArrayRef<'_>;
    /// Wraps a mutable view.
    fn wrap_view_mut(view: ArrayViewMutD<'_, Self>) -> ArrayMut<'_>;
    /// The elements in row-major order, if the array is of this dtype.
    fn slice(array: &Array) -> Option<&[Self]>;
    /// The view, if it is of this dtype.
    fn view<'v, 'a>(view: &'v ArrayRef<'a>) -> Option<&'v ArrayViewD<'a, Self>>;
    /// The view, if it is of this dtype.
    fn view_mut<'v, 'a>(view: &'v mut ArrayMut<'a>) -> Option<&'v mut ArrayViewMutD<'a, Self>>;
}

/// An array on the host: dtype, shape, and elements in row-major order. Clones share the elements.
#[derive(Clone, Debug)]
pub enum Array {
    /// Elements of `f64`.
    F64(ArcArray<f64, IxDyn>),
    /// Elements of `f32`.
    F32(ArcArray<f32, IxDyn>),
    /// Elements of `i64`.
    I64(ArcArray<i64, IxDyn>),
    /// Elements of `bool`.
    Bool(ArcArray<bool, IxDyn>),
}

/// A borrowed view of an array, with any strides.
#[derive(Clone, Debug)]
pub enum ArrayRef<'a> {
    /// Elements of `f64`.
    F64(ArrayViewD<'a, f64>),
    /// Elements of `f32`.
    F32(ArrayViewD<'a, f32>),
    /// Elements of `i64`.
    I64(ArrayViewD<'a, i64>),
    /// Elements of `bool`.
    Bool(ArrayViewD<'a, bool>),
}

/// A mutable view of an array, in row-major order.
#[derive(Debug)]
pub enum ArrayMut<'a> {
    /// Elements of `f64`.
    F64(ArrayViewMutD<'a, f64>),
    /// Elements of `f32`.
    F32(ArrayViewMutD<'a, f32>),
    /// Elements of `i64`.
    I64(ArrayViewMutD<'a, i64>),
    /// Elements of `bool`.
    Bool(ArrayViewMutD<'a, bool>),
}

impl<'a, T: Element, D: ndarray::Dimension> From<ndarray::ArrayViewMut<'a, T, D>> for ArrayMut<'a> {
    fn from(view: ndarray::ArrayViewMut<'a, T, D>) -> ArrayMut<'a> {
        T::wrap_view_mut(view.into_dyn())
    }
}

/// A vector.
impl<'a, T: Element> From<&'a mut [T]> for ArrayMut<'a> {
    fn from(elements: &'a mut [T]) -> ArrayMut<'a> {
        ndarray::ArrayViewMut1::from(elements).into()
    }
}

/// A scalar.
impl<'a, T: Element> From<&'a mut T> for ArrayMut<'a> {
    fn from(x: &'a mut T) -> ArrayMut<'a> {
        let view = ndarray::ArrayViewMut0::from_shape((), std::slice::from_mut(x));
        view.expect("bug: a scalar is not one element").into()
    }
}

macro_rules! element {
    ($($rust:ty => $variant:ident),*) => {$(
        impl Element for $rust {
            const DTYPE: DType = DType::$variant;
            fn scalar(self) -> Scalar {
                Scalar::$variant(self)
            }
            fn from_scalar(scalar: Scalar) -> Option<$rust> {
                if let Scalar::$variant(x) = scalar { Some(x) } else { None }
            }
            fn wrap(array: ArcArray<$rust, IxDyn>) -> Array {
                Array::$variant(array)
            }
            fn unwrap(array: Array) -> Option<ArcArray<$rust, IxDyn>> {
                if let Array::$variant(a) = array { Some(a) } else { None }
            }
            fn wrap_view(view: ArrayViewD<'_, $rust>) -> ArrayRef<'_> {
                ArrayRef::$variant(view)
            }
            fn wrap_view_mut(view: ArrayViewMutD<'_, $rust>) -> ArrayMut<'_> {
                ArrayMut::$variant(view)
            }
            fn slice(array: &Array) -> Option<&[$rust]> {
                if let Array::$variant(a) = array { a.as_slice() } else { None }
            }
            fn view<'v, 'a>(view: &'v ArrayRef<'a>) -> Option<&'v ArrayViewD<'a, $rust>> {
                if let ArrayRef::$variant(a) = view { Some(a) } else { None }
            }
            fn view_mut<'v, 'a>(view: &'v mut ArrayMut<'a>) -> Option<&'v mut ArrayViewMutD<'a, $rust>> {
                if let ArrayMut::$variant(a) = view { Some(a) } else { None }
            }
        }
    )*};
}
element!(f64 => F64, f32 => F32, i64 => I64, bool => Bool);

/// Runs the body with `$t` as the Rust type of a dtype.
macro_rules! with_element {
    ($dtype:expr, $t:ident => $body:expr) => {
        match $dtype {
            $crate::value::DType::F64 => {
                type $t = f64;
                $body
            }
            $crate::value::DType::F32 => {
                type $t = f32;
                $body
            }
            $crate::value::DType::I64 => {
                type $t = i64;
                $body
            }
            $crate::value::DType::Bool => {
                type $t = bool;
                $body
            }
        }
    };
}
pub(crate) use with_element;

macro_rules! each_variant {
    ($enum:ident, $array:expr, $a:ident => $body:expr) => {
        match $array {
            $enum::F64($a) => $body,
            $enum::F32($a) => $body,
            $enum::I64($a) => $body,
            $enum::Bool($a) => $body,
        }
    };
}

/// The elements of an array in row-major order.
pub(crate) enum Elements<'a> {
    F64(Cow<'a, [f64]>),
    F32(Cow<'a, [f32]>),
    I64(Cow<'a, [i64]>),
    Bool(Cow<'a, [bool]>),
}

impl Elements<'_> {
    pub(crate) fn get(&self, position: usize) -> Option<Scalar> {
        each_variant!(Elements, self, elements => elements.get(position).map(|x| x.scalar()))
    }
}

fn in_order<T: Clone>(array: &ArcArray<T, IxDyn>) -> Cow<'_, [T]> {
    match array.as_slice() {
        Some(elements) => Cow::Borrowed(elements),
        None => Cow::Owned(array.iter().cloned().collect()),
    }
}

impl Array {
    /// An array of this shape with these elements in row-major order; `None` if their number differs from the shape's
    /// size.
    pub fn from_elements<T: Element>(shape: impl Into<Shape>, elements: Vec<T>) -> Option<Array> {
        let shape = shape.into();
        if shape.checked_size()? != elements.len() {
            return None;
        }
        ArcArray::from_shape_vec(IxDyn(&shape), elements).ok().map(T::wrap)
    }

    /// An array of rank 0.
    pub fn scalar<T: Element>(x: T) -> Array {
        T::wrap(ArcArray::from_elem(IxDyn(&[]), x))
    }

    /// An array of rank 0.
    pub fn from_scalar(x: Scalar) -> Array {
        match x {
            Scalar::F64(x) => Array::scalar(x),
            Scalar::F32(x) => Array::scalar(x),
            Scalar::I64(x) => Array::scalar(x),
            Scalar::Bool(x) => Array::scalar(x),
        }
    }

    /// An array with all elements equal to `x`, converted to the dtype of `ty`.
    ///
    /// # Panics
    /// If the array cannot be addressed: [`Type::checked_bytes`] is `None`. Whether `ty` is a stack does not matter.
    pub fn full(ty: &Type, x: Scalar) -> Array {
        with_element!(ty.dtype, T => {
            let x = T::from_scalar(x.convert(ty.dtype)).expect("bug: convert gave another dtype");
            T::wrap(ArcArray::from_elem(IxDyn(&ty.shape), x))
        })
    }

    /// An array of zeros (`false` for `bool`).
    ///
    /// # Panics
    /// As [`Array::full`].
    pub fn zeros(ty: &Type) -> Array {
        Array::full(ty, Scalar::I64(0))
    }

    /// An array of zeros like [`Array::zeros`], with an error instead of an abort if memory is insufficient.
    ///
    /// ```
    /// use retrograd::value::{Array, DType, Type};
    ///
    /// let small = Type::new(DType::F64, [2]);
    /// assert_eq!(Array::try_zeros(&small), Ok(Array::zeros(&small)));
    /// assert!(Array::try_zeros(&Type::new(DType::F64, [1 << 59])).is_err());
    /// ```
    ///
    /// # Errors
    /// If the system has not enough memory, or the size cannot be addressed.
    pub fn try_zeros(ty: &Type) -> Result<Array, MemoryError> {
        let array = with_element!(ty.dtype, T => ty.shape.checked_size().and_then(|n| {
            let mut elements: Vec<T> = Vec::new();
            elements.try_reserve_exact(n).ok()?;
            elements.resize(n, T::default());
            Array::from_elements(ty.shape.clone(), elements)
        }));
        array.ok_or_else(|| MemoryError::of(ty))
    }

    /// Collects scalars of one dtype into an array, in row-major order.
    ///
    /// # Panics
    /// If a scalar is not of the dtype of `ty`, or their number differs from the size of `ty`, for which
    /// [`Array::from_elements`] returns `None`.
    pub fn collect(ty: &Type, mut elements: impl Iterator<Item = Scalar>) -> Array {
        Array::collect_from(ty, &mut elements)
    }

    fn collect_from(ty: &Type, elements: &mut dyn Iterator<Item = Scalar>) -> Array {
        with_element!(ty.dtype, T => {
            let elements = elements.map(|x| T::from_scalar(x).expect("bug: elements of two dtypes")).collect::<Vec<T>>();
            Array::from_elements(ty.shape.clone(), elements).expect("bug: wrong number of elements")
        })
    }

    /// Converts an array; its elements are copied if they are not in row-major order.
    pub fn from_ndarray<T: Element>(array: ArrayD<T>) -> Array {
        T::wrap(array.as_standard_layout().into_owned().into_shared())
    }

    /// The array with its elements in row-major order without gaps, as all functions of this crate return them. If an
    /// array wrapped by hand has another order, its elements are copied.
    pub fn into_row_major(self) -> Array {
        if self.is_row_major() {
            return self;
        }
        each_variant!(Array, self, a => Array::from_ndarray(a.into_owned()))
    }

    /// Whether the elements are in row-major order without gaps.
    pub fn is_row_major(&self) -> bool {
        each_variant!(Array, self, a => a.is_standard_layout())
    }

    /// The dtype of the elements.
    pub fn dtype(&self) -> DType {
        match self {
            Array::F64(_) => DType::F64,
            Array::F32(_) => DType::F32,
            Array::I64(_) => DType::I64,
            Array::Bool(_) => DType::Bool,
        }
    }

    /// The extents.
    pub fn shape(&self) -> &[usize] {
        each_variant!(Array, self, a => a.shape())
    }

    /// The type: dtype and shape.
    pub fn ty(&self) -> Type {
        Type::new(self.dtype(), self.shape())
    }

    /// The number of elements.
    pub fn size(&self) -> usize {
        each_variant!(Array, self, a => a.len())
    }

    /// The elements in row-major order; `None` if the dtype is not that of `T`, or the elements are not in that order.
    pub fn as_slice<T: Element>(&self) -> Option<&[T]> {
        T::slice(self)
    }

    /// The element at this row-major position.
    pub fn get(&self, position: usize) -> Option<Scalar> {
        each_variant!(Array, self, a => match a.as_slice() {
            Some(elements) => elements.get(position).map(|x| x.scalar()),
            None => a.iter().nth(position).map(|x| x.scalar()),
        })
    }

    /// The elements in row-major order, whichever order an array that was wrapped by hand has.
    ///
    /// ```
    /// use ndarray::array;
    /// use retrograd::value::{Array, Scalar};
    ///
    /// let columns = array![[1.0, 2.0], [3.0, 4.0]].reversed_axes();
    /// let x = Array::F64(columns.into_dyn().into_shared());
    /// assert_eq!(x.elements().collect::<Vec<_>>(), [1.0, 3.0, 2.0, 4.0].map(Scalar::F64));
    /// ```
    pub fn elements(&self) -> impl Iterator<Item = Scalar> + '_ {
        let elements = self.in_order();
        (0..self.size()).map(move |position| elements.get(position).expect("bug: position beyond the size"))
    }

    /// The elements in row-major order, for many reads at any position.
    pub(crate) fn in_order(&self) -> Elements<'_> {
        match self {
            Array::F64(a) => Elements::F64(in_order(a)),
            Array::F32(a) => Elements::F32(in_order(a)),
            Array::I64(a) => Elements::I64(in_order(a)),
            Array::Bool(a) => Elements::Bool(in_order(a)),
        }
    }

    /// The array with another shape of the same size; `None` if the sizes differ.
    pub fn reshape(&self, shape: &Shape) -> Option<Array> {
        if shape.checked_size()? != self.size() {
            return None;
        }
        Some(match self {
            Array::F64(a) => Array::F64(a.clone().into_shape_with_order(IxDyn(shape)).ok()?),
            Array::F32(a) => Array::F32(a.clone().into_shape_with_order(IxDyn(shape)).ok()?),
            Array::I64(a) => Array::I64(a.clone().into_shape_with_order(IxDyn(shape)).ok()?),
            Array::Bool(a) => Array::Bool(a.clone().into_shape_with_order(IxDyn(shape)).ok()?),
        })
    }

    /// The array converted to another dtype, if every element is represented exactly: a narrower float in a wider one,
    /// or integers as floats if none has to be rounded. `bool` is not converted.
    ///
    /// ```
    /// use retrograd::value::{Array, DType};
    ///
    /// assert_eq!(Array::scalar(3i64).widen(DType::F64), Some(Array::scalar(3.0)));
    /// assert_eq!(Array::scalar(i64::MAX).widen(DType::F64), None);
    /// assert_eq!(Array::scalar(0.5f64).widen(DType::F32), None);
    /// ```
    pub fn widen(&self, dtype: DType) -> Option<Array> {
        if self.dtype() == dtype {
            return Some(self.clone());
        }
        let exact = |x: Scalar| match (x, x.convert(dtype)) {
            (Scalar::I64(x), Scalar::F64(y)) => x as i128 == y as i128,
            (Scalar::I64(x), Scalar::F32(y)) => x as i128 == y as i128,
            _ => false,
        };
        let fits = match (self.dtype(), dtype) {
            (DType::F32, DType::F64) => true,
            (DType::I64, DType::F64 | DType::F32) => self.elements().all(exact),
            _ => false,
        };
        fits.then(|| Array::collect(&self.ty().with_dtype(dtype), self.elements().map(|x| x.convert(dtype))))
    }

    /// A view of the whole.
    pub fn view(&self) -> ArrayRef<'_> {
        match self {
            Array::F64(a) => ArrayRef::F64(a.view()),
            Array::F32(a) => ArrayRef::F32(a.view()),
            Array::I64(a) => ArrayRef::I64(a.view()),
            Array::Bool(a) => ArrayRef::Bool(a.view()),
        }
    }

    /// A mutable view of the whole; shared elements are copied first.
    pub fn view_mut(&mut self) -> ArrayMut<'_> {
        match self {
            Array::F64(a) => ArrayMut::F64(a.view_mut()),
            Array::F32(a) => ArrayMut::F32(a.view_mut()),
            Array::I64(a) => ArrayMut::I64(a.view_mut()),
            Array::Bool(a) => ArrayMut::Bool(a.view_mut()),
        }
    }

    /// The address of the first element.
    pub(crate) fn as_ptr(&self) -> *const u8 {
        each_variant!(Array, self, a => a.as_ptr().cast())
    }

    /// The mutable address of the first element; shared elements are copied first.
    pub(crate) fn as_mut_ptr(&mut self) -> *mut u8 {
        each_variant!(Array, self, a => a.as_mut_ptr().cast())
    }

    /// Whether both have the same type and the same bits, with all NaNs equal.
    pub fn same_bits(&self, other: &Array) -> bool {
        self.dtype() == other.dtype()
            && self.shape() == other.shape()
            && self.elements().zip(other.elements()).all(|(x, y)| x.bits() == y.bits())
    }
}

/// Equality of bits, with all NaNs equal, so that arrays can be attributes of operations.
impl PartialEq for Array {
    fn eq(&self, other: &Array) -> bool {
        self.same_bits(other)
    }
}

impl Eq for Array {}

impl Hash for Array {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.dtype().hash(state);
        self.shape().hash(state);
        self.elements().for_each(|x| x.bits().hash(state));
    }
}

impl fmt::Display for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        each_variant!(Array, self, a => fmt::Display::fmt(a, f))
    }
}

impl ArrayRef<'_> {
    /// The extents.
    pub fn shape(&self) -> &[usize] {
        each_variant!(ArrayRef, self, a => a.shape())
    }

    /// The dtype of the elements.
    pub fn dtype(&self) -> DType {
        match self {
            ArrayRef::F64(_) => DType::F64,
            ArrayRef::F32(_) => DType::F32,
            ArrayRef::I64(_) => DType::I64,
            ArrayRef::Bool(_) => DType::Bool,
        }
    }

    /// The type: dtype and shape.
    pub fn ty(&self) -> Type {
        Type::new(self.dtype(), self.shape())
    }

    /// Whether the elements are in row-major order without gaps.
    pub fn is_row_major(&self) -> bool {
        each_variant!(ArrayRef, self, a => a.is_standard_layout())
    }

    /// The same view with a shorter lifetime.
    pub fn reborrow(&self) -> ArrayRef<'_> {
        match self {
            ArrayRef::F64(a) => ArrayRef::F64(a.view()),
            ArrayRef::F32(a) => ArrayRef::F32(a.view()),
            ArrayRef::I64(a) => ArrayRef::I64(a.view()),
            ArrayRef::Bool(a) => ArrayRef::Bool(a.view()),
        }
    }

    /// The elements in row-major order, if they are of this dtype and lie so without gaps.
    ///
    /// ```
    /// use retrograd::value::Array;
    ///
    /// let x = Array::scalar(2.5);
    /// assert_eq!(x.view().as_slice::<f64>(), Some(&[2.5][..]));
    /// assert_eq!(x.view().as_slice::<f32>(), None);
    /// ```
    pub fn as_slice<T: Element>(&self) -> Option<&[T]> {
        T::view(self)?.as_slice()
    }

    /// A copy of the elements.
    pub fn to_array(&self) -> Array {
        each_variant!(ArrayRef, self, a => Array::from_ndarray(copied(a)))
    }
}

/// A copy in row-major order. Axes that lie one after the other are merged first, so that the parts of an array of complex
/// numbers, say, are copied along one axis, not element by element of all axes.
fn copied<T: Copy>(view: &ArrayViewD<'_, T>) -> ArrayD<T> {
    let rank = view.ndim();
    if rank == 0 || view.is_standard_layout() {
        return view.to_owned();
    }
    let mut merged = view.view();
    for axis in 1..rank {
        merged.merge_axes(Axis(axis - 1), Axis(axis));
    }
    let mut lanes = merged.lanes(Axis(rank - 1)).into_iter();
    let elements = match (lanes.len(), lanes.next()) {
        (1, Some(lane)) => lane.to_vec(),
        (_, first) => {
            let mut elements = Vec::with_capacity(view.len());
            first.into_iter().chain(lanes).for_each(|lane| elements.extend(lane.iter().copied()));
            elements
        }
    };
    ArrayD::from_shape_vec(view.raw_dim(), elements).expect("bug: a copy of another size")
}

impl<'a> ArrayRef<'a> {
    /// Whether this is a buffer for values of a type: of its dtype and shape, in row-major order without gaps.
    #[inline]
    pub(crate) fn is_buffer_of(&self, ty: &Type) -> bool {
        let (shape, strides) = each_variant!(ArrayRef, self, a => (a.shape(), a.strides()));
        self.dtype() == ty.dtype && is_dense(shape, strides, &ty.shape)
    }

    /// The address of the first element.
    pub(crate) fn as_ptr(&self) -> *const u8 {
        each_variant!(ArrayRef, self, a => a.as_ptr().cast())
    }

    /// The typed view; the dtype has been checked when the graph was built.
    pub(crate) fn typed<T: Element>(&self) -> &ArrayViewD<'a, T> {
        T::view(self).expect("bug: a view of another dtype")
    }
}

impl<'a> ArrayMut<'a> {
    /// The elements in row-major order, if they are of this dtype.
    ///
    /// ```
    /// use retrograd::value::{Array, DType, Type};
    ///
    /// let mut x = Array::zeros(&Type::new(DType::F64, [2]));
    /// x.view_mut().as_slice_mut::<f64>().unwrap()[1] = 1.5;
    /// assert_eq!(x.as_slice::<f64>(), Some(&[0.0, 1.5][..]));
    /// assert!(x.view_mut().as_slice_mut::<i64>().is_none());
    /// ```
    pub fn as_slice_mut<T: Element>(&mut self) -> Option<&mut [T]> {
        T::view_mut(self)?.as_slice_mut()
    }

    /// The dtype of the elements.
    pub fn dtype(&self) -> DType {
        match self {
            ArrayMut::F64(_) => DType::F64,
            ArrayMut::F32(_) => DType::F32,
            ArrayMut::I64(_) => DType::I64,
            ArrayMut::Bool(_) => DType::Bool,
        }
    }

    /// The type of the elements and their shape.
    pub(crate) fn ty(&self) -> Type {
        Type::new(self.dtype(), each_variant!(ArrayMut, self, a => a.shape()))
    }

    /// Whether this is a buffer for values of a type: of its dtype and shape, in row-major order without gaps.
    #[inline]
    pub(crate) fn is_buffer_of(&self, ty: &Type) -> bool {
        let (shape, strides) = each_variant!(ArrayMut, self, a => (a.shape(), a.strides()));
        self.dtype() == ty.dtype && is_dense(shape, strides, &ty.shape)
    }

    /// The address of the first element, for writing.
    pub(crate) fn as_mut_ptr(&mut self) -> *mut u8 {
        each_variant!(ArrayMut, self, a => a.as_mut_ptr().cast())
    }

    /// The typed view; the dtype has been checked when the graph was built.
    pub(crate) fn typed<T: Element>(&mut self) -> &mut ArrayViewMutD<'a, T> {
        T::view_mut(self).expect("bug: a view of another dtype")
    }
}

/// Whether an array has the expected shape, in row-major order without gaps. Every call runs this, so strides are
/// checked directly, without a list of the expected ones, and those of scalars and vectors without a loop.
#[inline]
fn is_dense(shape: &[usize], strides: &[isize], expected: &[usize]) -> bool {
    match (shape, strides, expected) {
        ([], _, []) => true,
        (&[extent], &[stride], &[expected]) => extent == expected && (stride == 1 || extent <= 1),
        _ => is_dense_beyond_vectors(shape, strides, expected),
    }
}

fn is_dense_beyond_vectors(shape: &[usize], strides: &[isize], expected: &[usize]) -> bool {
    if shape.len() != expected.len() || shape.iter().zip(expected).any(|(got, expected)| got != expected) {
        return false;
    }
    let mut dense = true;
    let mut distance = 1;
    for (&extent, &stride) in shape.iter().zip(strides).rev() {
        if extent == 0 {
            return true;
        }
        // The stride of an axis of extent 1 is irrelevant.
        dense &= extent == 1 || stride == distance;
        distance *= extent as isize;
    }
    dense
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_have_the_shape_and_no_gaps() {
        let dense = |shape: &[usize], strides: &[isize]| is_dense(shape, strides, shape);
        assert!(dense(&[], &[]) && dense(&[3], &[1]) && dense(&[2, 3], &[3, 1]));
        assert!(!dense(&[3], &[2]) && !dense(&[3], &[-1]) && !dense(&[2, 3], &[1, 2]) && !dense(&[2, 3], &[4, 1]));
        assert!(dense(&[1, 3], &[7, 1]) && dense(&[2, 1], &[1, 9]), "the stride of an axis of extent 1 is irrelevant");
        assert!(dense(&[0], &[5]) && dense(&[2, 0], &[0, 1]), "an empty array has no gaps");
        assert!(!is_dense(&[3], &[1], &[4]) && !is_dense(&[3], &[1], &[3, 1]) && !is_dense(&[2, 3], &[3, 1], &[3, 2]));
    }

    #[test]
    fn equality_is_of_bits() {
        assert_ne!(Array::scalar(0.0), Array::scalar(-0.0));
        assert_eq!(Array::scalar(f64::NAN), Array::scalar(-f64::NAN));
        assert_ne!(Array::scalar(1.0f32), Array::scalar(1.0f64));
    }

    /// The variants are public, so elements may be in any order.
    #[test]
    fn arrays_that_were_wrapped_by_hand_are_read_by_their_indices() {
        let transposed = ndarray::array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]].reversed_axes().into_dyn().into_shared();
        let array = Array::F64(transposed);
        assert!(!array.is_row_major() && array.as_slice::<f64>().is_none());
        let expected = Array::from_elements([3, 2], vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0]).unwrap();
        assert_eq!((&array, array.get(1)), (&expected, Some(Scalar::F64(4.0))));
        assert_eq!(array.to_json(), expected.to_json());
        assert!(array.into_row_major().as_slice::<f64>() == expected.as_slice());
    }

    #[test]
    fn conversions_follow_as() {
        assert_eq!(Scalar::F64(1e30).convert(DType::I64), Scalar::I64(i64::MAX));
        assert_eq!(Scalar::F64(f64::NAN).convert(DType::I64), Scalar::I64(0));
        assert_eq!(Scalar::F64(f64::NAN).convert(DType::Bool), Scalar::Bool(true));
        assert_eq!(Scalar::Bool(true).convert(DType::F32), Scalar::F32(1.0));
    }
}
