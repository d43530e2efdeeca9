use std::sync::LazyLock;

use ndarray::{Array0, ArrayViewMutD, IxDyn, arr0, aview0};

use super::Tree;
use crate::value::{Array, ArrayMut, ArrayRef, Scalar, Type};

/// A leaf of a result. A scalar is stored inline, so that returning numbers does not allocate.
#[derive(Clone, Debug, PartialEq)]
pub enum Leaf {
    /// An array of rank 0.
    Scalar(Scalar),
    /// An array.
    Array(Array),
}

impl Leaf {
    /// A mutable view of the whole.
    pub fn view_mut(&mut self) -> ArrayMut<'_> {
        match self {
            Leaf::Scalar(Scalar::F64(x)) => ArrayMut::F64(scalar_view_mut(x)),
            Leaf::Scalar(Scalar::F32(x)) => ArrayMut::F32(scalar_view_mut(x)),
            Leaf::Scalar(Scalar::I64(x)) => ArrayMut::I64(scalar_view_mut(x)),
            Leaf::Scalar(Scalar::Bool(x)) => ArrayMut::Bool(scalar_view_mut(x)),
            Leaf::Array(x) => x.view_mut(),
        }
    }

    /// The type: dtype and shape.
    pub fn ty(&self) -> Type {
        match self {
            Leaf::Scalar(x) => Type::scalar(x.dtype()),
            Leaf::Array(x) => x.ty(),
        }
    }

    /// The leaf as an array.
    pub fn into_array(self) -> Array {
        match self {
            Leaf::Scalar(x) => Array::from_scalar(x),
            Leaf::Array(x) => x,
        }
    }
}

/// A leaf of an argument. A scalar is passed by value, since building a view would take longer than many functions.
#[derive(Clone, Debug)]
pub enum LeafRef<'a> {
    /// An array of rank 0.
    Scalar(Scalar),
    /// A view, with any strides.
    Array(ArrayRef<'a>),
}

impl LeafRef<'_> {
    /// The type: dtype and shape.
    pub fn ty(&self) -> Type {
        match self {
            LeafRef::Scalar(x) => Type::scalar(x.dtype()),
            LeafRef::Array(x) => x.ty(),
        }
    }

    /// Whether it has this type.
    pub fn is(&self, ty: &Type) -> bool {
        match self {
            LeafRef::Scalar(x) => ty.dtype == x.dtype() && ty.shape.is_empty(),
            LeafRef::Array(x) => ty.dtype == x.dtype() && *ty.shape == *x.shape(),
        }
    }

    /// A copy of the elements.
    pub fn to_array(&self) -> Array {
        match self {
            LeafRef::Scalar(x) => Array::from_scalar(*x),
            LeafRef::Array(x) => x.to_array(),
        }
    }

    /// The number, if this is a scalar of `f64`.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            LeafRef::Scalar(Scalar::F64(x)) => Some(*x),
            LeafRef::Array(ArrayRef::F64(x)) if x.ndim() == 0 => x.first().copied(),
            LeafRef::Scalar(_) | LeafRef::Array(_) => None,
        }
    }

    /// A view of the whole.
    pub fn view(&self) -> ArrayRef<'_> {
        match self {
            LeafRef::Scalar(Scalar::F64(x)) => ArrayRef::F64(aview0(x).into_dyn()),
            LeafRef::Scalar(Scalar::F32(x)) => ArrayRef::F32(aview0(x).into_dyn()),
            LeafRef::Scalar(Scalar::I64(x)) => ArrayRef::I64(aview0(x).into_dyn()),
            LeafRef::Scalar(Scalar::Bool(x)) => ArrayRef::Bool(aview0(x).into_dyn()),
            LeafRef::Array(x) => x.reborrow(),
        }
    }
}

impl<'a> Tree<LeafRef<'a>> {
    /// A real leaf of floating point as a complex one, whose imaginary part is 0; anything else as it is. The zeros take no
    /// memory: they are one element, read again and again.
    pub(super) fn with_imaginary_part(self) -> Tree<LeafRef<'a>> {
        static ZERO_F64: LazyLock<Array0<f64>> = LazyLock::new(|| arr0(0.0));
        static ZERO_F32: LazyLock<Array0<f32>> = LazyLock::new(|| arr0(0.0));
        const BROADCAST: &str = "bug: a scalar that is not broadcast";
        let zeros = match &self {
            Tree::Leaf(LeafRef::Scalar(Scalar::F64(_))) => LeafRef::Scalar(Scalar::F64(0.0)),
            Tree::Leaf(LeafRef::Scalar(Scalar::F32(_))) => LeafRef::Scalar(Scalar::F32(0.0)),
            Tree::Leaf(LeafRef::Array(ArrayRef::F64(re))) => {
                LeafRef::Array(ArrayRef::F64(ZERO_F64.broadcast(re.raw_dim()).expect(BROADCAST)))
            }
            Tree::Leaf(LeafRef::Array(ArrayRef::F32(re))) => {
                LeafRef::Array(ArrayRef::F32(ZERO_F32.broadcast(re.raw_dim()).expect(BROADCAST)))
            }
            Tree::Leaf(_) | Tree::Tuple(_) | Tree::List(_) | Tree::Struct(_) => return self,
        };
        Tree::complex(self, Tree::Leaf(zeros))
    }
}

/// A scalar as an array of rank 0.
fn scalar_view_mut<T>(x: &mut T) -> ArrayViewMutD<'_, T> {
    ArrayViewMutD::from_shape(IxDyn(&[]), std::slice::from_mut(x)).expect("bug: a scalar is not one element")
}
