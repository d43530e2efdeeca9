use std::cmp::Ordering;
use std::fmt;
use std::ops;

use super::trace::{self, apply};
use super::*;
use crate::ir::{NodeId, Value};
use crate::value::{Array, DType, Element, Scalar, Shape, Type};

/// A traced value: the handle with operators in which functions, and the derivative rules themselves, are written.
///
/// It is `Copy`, has no lifetime, and is good only within the trace that made it. Operators broadcast as in NumPy, and
/// numbers on either side take the dtype of the `Var`. The first error of a trace is remembered with its line, and
/// `trace` or `jit` returns it; what follows in between computes nothing.
///
/// ```
/// use retrograd::{Var, jit, grad};
///
/// let f = |x: Var, y: Var| (x * y + 2.0).sin() - y / x;
/// let df = jit(grad(f)).call(1.5, 0.5)?;
/// let exact = 0.5 * (1.5f64 * 0.5 + 2.0).cos() + 0.5 / (1.5 * 1.5);
/// let df: f64 = df;
/// assert!((df - exact).abs() < 1e-15);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Var {
    pub(super) trace: u64,
    node: u32,
    result: u16,
}

/// The node number that no graph has: it marks the results of operations that failed.
const POISONED: u32 = u32::MAX;

impl Var {
    pub(super) fn new(trace: u64, value: Value) -> Var {
        Var { trace, node: value.node.index() as u32, result: value.result }
    }

    /// The result of an operation that failed.
    pub(crate) fn poisoned() -> Var {
        Var { trace: 0, node: POISONED, result: 0 }
    }

    /// Whether an error made this value.
    pub(crate) fn is_poisoned(self) -> bool {
        self.node == POISONED
    }

    /// The value in the graph of its trace, unless it is poisoned.
    pub(crate) fn value(self) -> Option<Value> {
        let node = (!self.is_poisoned()).then_some(self.node)?;
        Some(Value { node: NodeId::from_index(node as usize), result: self.result })
    }

    /// A constant of the open trace.
    #[track_caller]
    pub fn constant(value: Array) -> Var {
        let value = value.into_row_major();
        apply(Constant { value: std::sync::Arc::new(value) }, &[])
    }

    /// A scalar of that dtype.
    #[track_caller]
    pub(crate) fn number(x: f64, dtype: DType) -> Var {
        Var::constant(Array::from_scalar(Scalar::F64(x).convert(dtype)))
    }

    /// The same number everywhere in an array of the type of `self`.
    #[track_caller]
    pub fn full_like(self, x: f64) -> Var {
        let ty = self.ty();
        Var::number(x, ty.dtype).broadcast_to(&ty.shape)
    }

    /// The dtype and shape; those of an `f64` scalar after an error.
    #[track_caller]
    pub fn ty(self) -> Type {
        trace::type_of(self).unwrap_or(Type::scalar(DType::F64))
    }

    /// The extents.
    #[track_caller]
    pub fn shape(self) -> Shape {
        self.ty().shape
    }

    /// The dtype.
    #[track_caller]
    pub fn dtype(self) -> DType {
        self.ty().dtype
    }

    /// The number of axes.
    #[track_caller]
    pub fn rank(self) -> usize {
        self.ty().rank()
    }

    /// Gives this value a name that listings and files show.
    #[track_caller]
    pub fn named(self, name: &str) -> Var {
        trace::set_name(self, name);
        self
    }

    /// This value repeated along new leading axes and along axes of extent 1, as NumPy broadcasts.
    #[track_caller]
    pub fn broadcast_to(self, shape: &[usize]) -> Var {
        let own = self.shape();
        if own.extents() == shape {
            return self;
        }
        let _method = trace::method("broadcast_to", &[self]);
        // Axes of extent 1 that must grow are dropped first: broadcast_in_dim repeats only along axes that are new.
        let lead = shape.len().saturating_sub(own.rank());
        let kept: Vec<usize> = (0..own.rank()).filter(|&axis| shape.get(lead + axis) == Some(&own[axis])).collect();
        let fits = own.rank() <= shape.len() && (0..own.rank()).all(|axis| own[axis] == 1 || kept.contains(&axis));
        if !fits {
            trace::fail_at(format!("cannot broadcast {own} to {}", Shape::from(shape)));
            return Var::poisoned();
        }
        let squeezed = if kept.len() == own.rank() {
            self
        } else {
            self.reshape(&kept.iter().map(|&axis| own[axis]).collect::<Vec<_>>())
        };
        let axes = kept.iter().map(|&axis| lead + axis).collect();
        apply(BroadcastInDim { shape: shape.into(), axes }, &[squeezed])
    }
}

/// Two operands brought to one shape, as NumPy broadcasts; unchanged where that is impossible, so that the operation
/// itself reports it.
#[track_caller]
pub(super) fn broadcast_pair(x: Var, y: Var) -> (Var, Var) {
    let (a, b) = (x.shape(), y.shape());
    if a == b {
        return (x, y);
    }
    match broadcast_shape(&a, &b) {
        Some(shape) => (x.broadcast_to(&shape), y.broadcast_to(&shape)),
        None => (x, y),
    }
}

/// The shape to which both broadcast.
pub(super) fn broadcast_shape(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let extent = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis]);
    (0..rank)
        .map(|axis| match (extent(a, axis), extent(b, axis)) {
            (m, n) if m == n => Some(m),
            (1, n) => Some(n),
            (m, 1) => Some(m),
            _ => None,
        })
        .collect()
}

/// Applies an elementwise operation of two operands after broadcasting.
#[track_caller]
pub(super) fn apply_pair(op: impl Into<Op>, x: Var, y: Var) -> Var {
    let (x, y) = broadcast_pair(x, y);
    apply(op, &[x, y])
}

/// Applies an elementwise operation of three operands after broadcasting; where that is impossible, the operation itself
/// reports it.
#[track_caller]
pub(super) fn apply_triple(op: impl Into<Op>, x: Var, y: Var, z: Var) -> Var {
    let (a, b, c) = (x.shape(), y.shape(), z.shape());
    match broadcast_shape(&a, &b).and_then(|shape| broadcast_shape(&shape, &c)) {
        Some(shape) => apply(op, &[x.broadcast_to(&shape), y.broadcast_to(&shape), z.broadcast_to(&shape)]),
        None => apply(op, &[x, y, z]),
    }
}

/// Something that stands beside a `Var` in an operation: a `Var`, or a number that takes the other's dtype.
pub trait Operand: Copy {
    /// This operand as a `Var`, of the dtype of `like` if it is a number.
    #[track_caller]
    fn var(self, like: Var) -> Var;
}

impl Operand for Var {
    fn var(self, _: Var) -> Var {
        self
    }
}

impl Operand for f64 {
    #[track_caller]
    fn var(self, like: Var) -> Var {
        let dtype = like.dtype();
        if !dtype.is_float() && Scalar::F64(self).convert(dtype).convert(DType::F64).bits() != self.to_bits() {
            trace::fail_at(format!("the number {self:?} cannot stand beside a value of dtype {dtype}; use convert"));
            return Var::poisoned();
        }
        Var::number(self, dtype)
    }
}

impl Operand for f32 {
    #[track_caller]
    fn var(self, like: Var) -> Var {
        f64::from(self).var(like)
    }
}

impl Operand for i64 {
    #[track_caller]
    fn var(self, like: Var) -> Var {
        Var::constant(Array::from_scalar(Scalar::I64(self).convert(like.dtype())))
    }
}

impl Operand for i32 {
    #[track_caller]
    fn var(self, like: Var) -> Var {
        i64::from(self).var(like)
    }
}

macro_rules! var_from {
    ($($number:ty),*) => {$(
        impl From<$number> for Var {
            /// A scalar constant of the open trace.
            #[track_caller]
            fn from(x: $number) -> Var {
                Var::constant(Array::scalar(x))
            }
        }
    )*};
}
var_from!(f64, f32, i64, bool);

impl<T: Element, D: ndarray::Dimension> From<ndarray::Array<T, D>> for Var {
    /// A constant of the open trace.
    #[track_caller]
    fn from(x: ndarray::Array<T, D>) -> Var {
        Var::constant(Array::from_ndarray(x.into_dyn()))
    }
}

impl<T: Element, D: ndarray::Dimension> From<&ndarray::Array<T, D>> for Var {
    /// A constant of the open trace.
    #[track_caller]
    fn from(x: &ndarray::Array<T, D>) -> Var {
        Var::from(x.clone())
    }
}

macro_rules! binary_operator {
    ($trait:ident, $method:ident, $assign_trait:ident, $assign:ident, $op:ident; $($number:ty),*) => {
        impl ops::$trait for Var {
            type Output = Var;
            #[track_caller]
            fn $method(self, y: Var) -> Var {
                apply_pair($op, self, y)
            }
        }
        impl ops::$trait<&Var> for Var {
            type Output = Var;
            #[track_caller]
            fn $method(self, y: &Var) -> Var {
                apply_pair($op, self, *y)
            }
        }
        impl ops::$trait<Var> for &Var {
            type Output = Var;
            #[track_caller]
            fn $method(self, y: Var) -> Var {
                apply_pair($op, *self, y)
            }
        }
        impl ops::$trait for &Var {
            type Output = Var;
            #[track_caller]
            fn $method(self, y: &Var) -> Var {
                apply_pair($op, *self, *y)
            }
        }
        impl ops::$assign_trait for Var {
            #[track_caller]
            fn $assign(&mut self, y: Var) {
                *self = apply_pair($op, *self, y);
            }
        }
        $(
            impl ops::$trait<$number> for Var {
                type Output = Var;
                #[track_caller]
                fn $method(self, y: $number) -> Var {
                    apply_pair($op, self, y.var(self))
                }
            }
            impl ops::$trait<$number> for &Var {
                type Output = Var;
                #[track_caller]
                fn $method(self, y: $number) -> Var {
                    apply_pair($op, *self, y.var(*self))
                }
            }
            impl ops::$trait<Var> for $number {
                type Output = Var;
                #[track_caller]
                fn $method(self, y: Var) -> Var {
                    apply_pair($op, self.var(y), y)
                }
            }
            impl ops::$trait<&Var> for $number {
                type Output = Var;
                #[track_caller]
                fn $method(self, y: &Var) -> Var {
                    apply_pair($op, self.var(*y), *y)
                }
            }
            impl ops::$assign_trait<$number> for Var {
                #[track_caller]
                fn $assign(&mut self, y: $number) {
                    *self = apply_pair($op, *self, y.var(*self));
                }
            }
        )*
    };
}
// One float and one integer, since with two `1.0 - x` has no type until the literal's falls back to `f64`, and
// `(1.0 - x).sqrt()` does not compile.
binary_operator!(Add, add, AddAssign, add_assign, Add; f64, i64);
binary_operator!(Sub, sub, SubAssign, sub_assign, Sub; f64, i64);
binary_operator!(Mul, mul, MulAssign, mul_assign, Mul; f64, i64);
binary_operator!(Div, div, DivAssign, div_assign, Div; f64, i64);
binary_operator!(Rem, rem, RemAssign, rem_assign, Rem; f64, i64);

impl ops::Neg for Var {
    type Output = Var;
    #[track_caller]
    fn neg(self) -> Var {
        apply(Neg, &[self])
    }
}

impl ops::Neg for &Var {
    type Output = Var;
    #[track_caller]
    fn neg(self) -> Var {
        apply(Neg, &[*self])
    }
}

macro_rules! compare_with {
    ($($other:ty),*) => {$(
        /// Compares scalars for the host's `if`: the answer is that for the values being traced, and a guard demands it.
        impl PartialEq<$other> for Var {
            #[track_caller]
            fn eq(&self, y: &$other) -> bool {
                trace::decide(self.equal(*y))
            }
        }

        /// Compares scalars for the host's `if`: the answer is that for the values being traced, and a guard demands it.
        impl PartialOrd<$other> for Var {
            #[track_caller]
            fn partial_cmp(&self, y: &$other) -> Option<Ordering> {
                if trace::decide(self.less(*y)) {
                    Some(Ordering::Less)
                } else if trace::decide(self.equal(*y)) {
                    Some(Ordering::Equal)
                } else if trace::decide(self.greater(*y)) {
                    Some(Ordering::Greater)
                } else {
                    None
                }
            }
            #[track_caller]
            fn lt(&self, y: &$other) -> bool {
                trace::decide(self.less(*y))
            }
            #[track_caller]
            fn le(&self, y: &$other) -> bool {
                trace::decide(self.less_equal(*y))
            }
            #[track_caller]
            fn gt(&self, y: &$other) -> bool {
                trace::decide(self.greater(*y))
            }
            #[track_caller]
            fn ge(&self, y: &$other) -> bool {
                trace::decide(self.greater_equal(*y))
            }
        }
    )*};
}
compare_with!(Var, f64, f32, i64, i32);

/// Shows the name in listings and the type, `Var(%x: f64[3])`; a traced value has no number to be shown.
///
/// ```
/// use retrograd::value::{DType, Type};
/// use retrograd::{Var, trace};
///
/// trace(|x: Var| {
///     assert_eq!(format!("{x:?} {:?}", x.sum()), "Var(%x: f64[3]) Var(%0: f64[])");
///     x
/// }, (Type::new(DType::F64, [3]),))?;
/// # Ok::<(), retrograd::Error>(())
/// ```
impl fmt::Debug for Var {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match trace::describe(*self) {
            Some(described) => write!(f, "Var({described})"),
            None if self.is_poisoned() => f.write_str("Var(after an error)"),
            None => f.write_str("Var(of a trace that is not open)"),
        }
    }
}

impl std::iter::Sum for Var {
    /// The sum, from the first element on; 0 of `f64` if there is none.
    #[track_caller]
    fn sum<I: Iterator<Item = Var>>(iterator: I) -> Var {
        iterator.reduce(|x, y| x + y).unwrap_or_else(|| Var::from(0.0))
    }
}

impl std::iter::Product for Var {
    /// The product, from the first element on; 1 of `f64` if there is none.
    #[track_caller]
    fn product<I: Iterator<Item = Var>>(iterator: I) -> Var {
        iterator.reduce(|x, y| x * y).unwrap_or_else(|| Var::from(1.0))
    }
}
