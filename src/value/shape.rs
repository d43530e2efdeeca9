use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::DType;

/// The extents of an array, outermost axis first; empty for a scalar.
#[derive(Clone, Debug, Default, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shape(Box<[usize]>);

impl PartialEq for Shape {
    /// Scalars are compared without a read: their extents have no valid address, and some processors compare memory
    /// with a masked load, which takes as long as a hundred instructions for such an address.
    fn eq(&self, other: &Shape) -> bool {
        self.0.len() == other.0.len() && (self.0.is_empty() || self.0 == other.0)
    }
}

impl Hash for Shape {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Shape {
    /// The shape of a scalar.
    pub fn scalar() -> Shape {
        Shape::default()
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The number of elements, or `None` if it exceeds `isize::MAX`. An axis of extent 0 counts as 1 for that limit, as
    /// in ndarray, so that strides never overflow.
    pub fn checked_size(&self) -> Option<usize> {
        let padded = self.0.iter().try_fold(1usize, |size, &extent| size.checked_mul(extent.max(1)))?;
        isize::try_from(padded).ok()?;
        Some(if self.0.contains(&0) { 0 } else { padded })
    }

    /// The number of elements. Types are checked for overflow when they enter a graph.
    ///
    /// # Panics
    /// If the number exceeds `isize::MAX`, which is possible for a shape outside a graph; see [`Shape::checked_size`].
    pub fn size(&self) -> usize {
        self.checked_size().expect("bug: an oversized shape passed the graph's check")
    }

    /// The extents as a slice.
    pub fn extents(&self) -> &[usize] {
        &self.0
    }

    /// The row-major strides, in elements. Meaningful if [`Shape::checked_size`] returns a size.
    pub fn strides(&self) -> Vec<isize> {
        let mut strides = vec![1isize; self.rank()];
        for axis in (1..self.rank()).rev() {
            strides[axis - 1] = strides[axis].wrapping_mul(self.0[axis].max(1) as isize);
        }
        strides
    }

    /// This shape without the given axes.
    pub fn without(&self, axes: &[usize]) -> Shape {
        (0..self.rank()).filter(|axis| !axes.contains(axis)).map(|axis| self.0[axis]).collect()
    }
}

impl Deref for Shape {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl From<&[usize]> for Shape {
    fn from(extents: &[usize]) -> Shape {
        Shape(extents.into())
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(extents: [usize; N]) -> Shape {
        Shape(Box::new(extents))
    }
}

impl From<Vec<usize>> for Shape {
    fn from(extents: Vec<usize>) -> Shape {
        Shape(extents.into())
    }
}

impl FromIterator<usize> for Shape {
    fn from_iter<I: IntoIterator<Item = usize>>(extents: I) -> Shape {
        Shape(extents.into_iter().collect())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (axis, extent) in self.0.iter().enumerate() {
            if axis > 0 {
                f.write_str(",")?;
            }
            write!(f, "{extent}")?;
        }
        f.write_str("]")
    }
}

/// The static type of a value: a dtype and a shape, written `f64[2,3]`.
///
/// A loop whose number of iterations is not known beforehand saves one array in each iteration. These arrays form a
/// *stack*, written `stack f64[2,3]`, of as many arrays of this dtype and shape as there were iterations. Stacks exist
/// only between loops; the inputs and outputs of a graph are arrays.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Type {
    /// The type of each element.
    pub dtype: DType,
    /// The extents.
    pub shape: Shape,
    /// Whether the value is a stack of such arrays.
    pub stack: bool,
}

/// The bytes of a stack's descriptor: an address, a distance and a length.
const STACK_BYTES: usize = 24;

impl Type {
    /// The type of arrays of this dtype and shape.
    pub fn new(dtype: DType, shape: impl Into<Shape>) -> Type {
        Type { dtype, shape: shape.into(), stack: false }
    }

    /// The type of scalars of this dtype.
    pub fn scalar(dtype: DType) -> Type {
        Type { dtype, shape: Shape::scalar(), stack: false }
    }

    /// The type of stacks of arrays of this type.
    pub fn stacked(&self) -> Type {
        Type { stack: true, ..self.clone() }
    }

    /// The type of the arrays that a stack of this type holds.
    pub fn unstacked(&self) -> Type {
        Type { stack: false, ..self.clone() }
    }

    /// The type of `n` arrays of this type, stacked along a new first axis.
    pub fn repeated(&self, n: usize) -> Type {
        Type { shape: std::iter::once(n).chain(self.shape.iter().copied()).collect(), ..self.clone() }
    }

    /// The type of one row of arrays of this type, and the number of rows; `None` for a scalar.
    pub fn row(&self) -> Option<(usize, Type)> {
        let (&n, rest) = self.shape.split_first()?;
        Some((n, Type { shape: rest.into(), ..self.clone() }))
    }

    /// This shape with another dtype.
    pub fn with_dtype(&self, dtype: DType) -> Type {
        Type { dtype, ..self.clone() }
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.shape.rank()
    }

    /// The number of elements.
    ///
    /// # Panics
    /// As [`Shape::size`].
    pub fn size(&self) -> usize {
        self.shape.size()
    }

    /// The bytes that a value takes in memory, or `None` if they exceed `isize::MAX`. The arrays of a stack are not
    /// included: their number is known only at run time, and they count as loop memory.
    pub fn checked_bytes(&self) -> Option<usize> {
        let bytes = self.shape.checked_size()?.checked_mul(self.dtype.size());
        let bytes = bytes.filter(|&bytes| isize::try_from(bytes).is_ok())?;
        Some(if self.stack { STACK_BYTES } else { bytes })
    }

    /// Reads `f64[2,3]` or `stack f64[2,3]`.
    pub fn parse(text: &str) -> Option<Type> {
        if let Some(element) = text.strip_prefix("stack ") {
            return Type::parse(element).filter(|ty| !ty.stack).map(|ty| ty.stacked());
        }
        let (dtype, rest) = text.split_once('[')?;
        let extents = rest.strip_suffix(']')?;
        let shape = if extents.is_empty() {
            Shape::scalar()
        } else {
            extents.split(',').map(parse_extent).collect::<Option<Shape>>()?
        };
        Some(Type::new(DType::from_name(dtype)?, shape))
    }
}

/// Parses decimal digits without sign or leading zeros, so that a type has only one spelling.
fn parse_extent(text: &str) -> Option<usize> {
    let plain = text == "0" || text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    if plain { text.parse().ok() } else { None }
}

impl From<&Type> for Type {
    fn from(ty: &Type) -> Type {
        ty.clone()
    }
}

/// Numbers of `f64`.
impl<const N: usize> From<[usize; N]> for Type {
    fn from(shape: [usize; N]) -> Type {
        Type::new(DType::F64, shape)
    }
}

/// Numbers of `f64`.
impl<const N: usize> From<&[usize; N]> for Type {
    fn from(shape: &[usize; N]) -> Type {
        Type::new(DType::F64, *shape)
    }
}

/// Numbers of `f64`.
impl From<&[usize]> for Type {
    fn from(shape: &[usize]) -> Type {
        Type::new(DType::F64, shape)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stack = if self.stack { "stack " } else { "" };
        write!(f, "{stack}{}{}", self.dtype, self.shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_one_spelling() {
        let ty = Type::new(DType::F64, [2, 3]);
        assert_eq!(ty.to_string(), "f64[2,3]");
        assert_eq!(Type::parse("f64[2,3]"), Some(ty));
        assert_eq!(Type::parse("i64[]"), Some(Type::scalar(DType::I64)));
        let stack = Type::new(DType::F32, [4]).stacked();
        assert_eq!(stack.to_string(), "stack f32[4]");
        assert_eq!(Type::parse("stack f32[4]"), Some(stack));
        for bad in [
            "stack stack f64[]",
            "stack  f64[]",
            "stackf64[]",
            "f64",
            "f64[",
            "f64[02]",
            "f64[+2]",
            "f64[2, 3]",
            "f16[2]",
            "f64[-1]",
            "f64[2,]",
        ] {
            assert_eq!(Type::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes_do_not_overflow() {
        let shape = Shape::from([usize::MAX, 2]);
        assert_eq!(shape.checked_size(), None);
        assert_eq!(Shape::from([usize::MAX, 2, 0]).checked_size(), None);
        assert_eq!(Shape::from([7, 2, 0]).checked_size(), Some(0));
        assert_eq!(Shape::from([4, 3, 2]).strides(), [6, 2, 1]);
    }
}
