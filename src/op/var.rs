use std::cmp::Ordering;
use std::fmt;
use std::ops;

use super::source::method_of;
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
///
/// # Methods by theme
///
/// **Making values.** [`constant`](Var::constant), [`zeros`](Var::zeros), [`ones`](Var::ones),
/// [`full_like`](Var::full_like), [`iota`](Var::iota); `Var::from` a number or an array.
///
/// **What is known while tracing.** [`ty`](Var::ty), [`shape`](Var::shape), [`dtype`](Var::dtype), [`rank`](Var::rank),
/// [`named`](Var::named).
///
/// **Arithmetic.** The operators `+ - * / %`; [`mul_add`](Var::mul_add), [`recip`](Var::recip),
/// [`square`](Var::square), [`powi`](Var::powi), [`powf`](Var::powf), [`sqrt`](Var::sqrt), [`rsqrt`](Var::rsqrt),
/// [`cbrt`](Var::cbrt), [`hypot`](Var::hypot), [`abs`](Var::abs), [`sign`](Var::sign), [`signum`](Var::signum),
/// [`copysign`](Var::copysign).
///
/// **Rounding.** [`floor`](Var::floor), [`ceil`](Var::ceil), [`round`](Var::round),
/// [`round_ties_even`](Var::round_ties_even), [`trunc`](Var::trunc).
///
/// **Exponentials and logarithms.** [`exp`](Var::exp), [`exp2`](Var::exp2), [`exp_m1`](Var::exp_m1), [`ln`](Var::ln),
/// [`ln_1p`](Var::ln_1p), [`log2`](Var::log2), [`log10`](Var::log10), [`log1mexp`](Var::log1mexp),
/// [`logaddexp`](Var::logaddexp), [`xlogy`](Var::xlogy), [`xlog1py`](Var::xlog1py), [`entr`](Var::entr),
/// [`log_ratio`](Var::log_ratio), [`rel_entr`](Var::rel_entr), [`kl_div`](Var::kl_div).
///
/// **Trigonometric and hyperbolic functions.** [`sin`](Var::sin), [`cos`](Var::cos), [`sin_cos`](Var::sin_cos),
/// [`tan`](Var::tan), [`asin`](Var::asin), [`acos`](Var::acos), [`atan`](Var::atan), [`atan2`](Var::atan2),
/// [`sinc`](Var::sinc), [`sinh`](Var::sinh), [`cosh`](Var::cosh), [`tanh`](Var::tanh), [`sech`](Var::sech),
/// [`tanh_derivative`](Var::tanh_derivative), [`asinh`](Var::asinh), [`acosh`](Var::acosh), [`atanh`](Var::atanh).
///
/// **Activations.** [`sigmoid`](Var::sigmoid), [`logistic_derivative`](Var::logistic_derivative),
/// [`logit`](Var::logit), [`log_sigmoid`](Var::log_sigmoid), [`softplus`](Var::softplus), [`relu`](Var::relu), [`softmax`](Var::softmax),
/// [`log_softmax`](Var::log_softmax).
///
/// **Special functions.** Gamma and beta: [`gamma`](Var::gamma), [`lgamma`](Var::lgamma), [`digamma`](Var::digamma),
/// [`polygamma`](Var::polygamma), [`beta`](Var::beta), [`lbeta`](Var::lbeta), [`igamma`](Var::igamma),
/// [`igammac`](Var::igammac), [`gamma_density`](Var::gamma_density), [`betainc`](Var::betainc),
/// [`rgamma`](Var::rgamma), [`gammasgn`](Var::gammasgn), [`multigammaln`](Var::multigammaln), [`zeta`](Var::zeta).
/// Exponential integrals and dilogarithm: [`exp1`](Var::exp1), [`expi`](Var::expi), [`spence`](Var::spence). Error function
/// and normal distribution: [`erf`](Var::erf), [`erfc`](Var::erfc), [`erfcx`](Var::erfcx), [`erf_inv`](Var::erf_inv),
/// [`erfc_inv`](Var::erfc_inv),
/// [`erf_inv_derivative`](Var::erf_inv_derivative), [`gaussian`](Var::gaussian), [`ndtr`](Var::ndtr),
/// [`log_ndtr`](Var::log_ndtr), [`ndtri`](Var::ndtri), [`ndtri_derivative`](Var::ndtri_derivative),
/// [`normal_density`](Var::normal_density), [`normal_hazard`](Var::normal_hazard). Bessel functions:
/// [`bessel_j0`](Var::bessel_j0), [`bessel_j1`](Var::bessel_j1), [`bessel_jn`](Var::bessel_jn),
/// [`bessel_y0`](Var::bessel_y0), [`bessel_y1`](Var::bessel_y1), [`bessel_i0`](Var::bessel_i0),
/// [`bessel_i1`](Var::bessel_i1), [`bessel_in`](Var::bessel_in), [`bessel_i0e`](Var::bessel_i0e),
/// [`bessel_i1e`](Var::bessel_i1e), [`bessel_ine`](Var::bessel_ine).
///
/// **Comparison and choice.** [`equal`](Var::equal), [`not_equal`](Var::not_equal), [`less`](Var::less),
/// [`less_equal`](Var::less_equal), [`greater`](Var::greater), [`greater_equal`](Var::greater_equal),
/// [`is_nan`](Var::is_nan), [`is_finite`](Var::is_finite), [`select`](Var::select), [`max`](Var::max),
/// [`min`](Var::min), [`clamp`](Var::clamp); the operators `& | ^ !` of `bool`s. Rust's `==`, `<`, … give a `bool` of the
/// host, with a guard: see [`jit`](crate::jit).
///
/// **Integers and their bits.** The operators `/ %` truncate; [`div_floor`](Var::div_floor),
/// [`rem_floor`](Var::rem_floor), [`div_euclid`](Var::div_euclid), [`rem_euclid`](Var::rem_euclid). The operators
/// `& | ^ !` on bits, [`shift_left`](Var::shift_left), [`shift_right_logical`](Var::shift_right_logical),
/// [`shift_right_arithmetic`](Var::shift_right_arithmetic), [`popcount`](Var::popcount). Random numbers are in
/// [`random`](crate::random).
///
/// **Shape.** [`reshape`](Var::reshape), [`flatten`](Var::flatten), [`insert_axis`](Var::insert_axis),
/// [`squeeze`](Var::squeeze), [`transpose`](Var::transpose), [`t`](Var::t), [`broadcast_to`](Var::broadcast_to).
///
/// **Slices and joins.** [`at`](Var::at), [`index`](Var::index), [`index_axis`](Var::index_axis), [`slice`](Var::slice), [`slice_axis`](Var::slice_axis),
/// [`split`](Var::split), [`unstack`](Var::unstack), [`reverse`](Var::reverse), [`concatenate`](Var::concatenate),
/// [`stack`](Var::stack), [`pad`](Var::pad).
///
/// **Elements by computed indices.** [`take`](Var::take), [`at_indices`](Var::at_indices),
/// [`at_points`](Var::at_points), [`along`](Var::along), [`take_along_axis`](Var::take_along_axis),
/// [`compress`](Var::compress), [`nonzero`](Var::nonzero), [`dynamic_slice`](Var::dynamic_slice),
/// [`dynamic_update_slice`](Var::dynamic_update_slice), [`one_hot`](Var::one_hot), [`segment_sum`](Var::segment_sum),
/// [`segment_prod`](Var::segment_prod), [`segment_max`](Var::segment_max), [`segment_min`](Var::segment_min),
/// [`segment_mean`](Var::segment_mean), [`bincount`](Var::bincount), [`searchsorted`](Var::searchsorted),
/// [`searchsorted_right`](Var::searchsorted_right), [`interp`](Var::interp).
///
/// **Order.** [`sort`](Var::sort), [`sort_descending`](Var::sort_descending), [`argsort`](Var::argsort),
/// [`argsort_descending`](Var::argsort_descending), [`sort_by_keys`](Var::sort_by_keys), [`top_k`](Var::top_k),
/// [`median`](Var::median), [`quantile`](Var::quantile), [`quantile_by`](Var::quantile_by),
/// [`percentile`](Var::percentile), [`ranks`](Var::ranks).
///
/// **Reductions.** Each over all elements, over axes that vanish, and over axes that stay with extent 1:
///
/// | all elements | axes vanish | axes stay |
/// | --- | --- | --- |
/// | [`sum`](Var::sum) | [`sum_axes`](Var::sum_axes) | [`sum_keep_axes`](Var::sum_keep_axes) |
/// | [`prod`](Var::prod) | [`prod_axes`](Var::prod_axes) | [`prod_keep_axes`](Var::prod_keep_axes) |
/// | [`max_all`](Var::max_all) | [`max_axes`](Var::max_axes) | [`max_keep_axes`](Var::max_keep_axes) |
/// | [`min_all`](Var::min_all) | [`min_axes`](Var::min_axes) | [`min_keep_axes`](Var::min_keep_axes) |
/// | [`all`](Var::all) | [`all_axes`](Var::all_axes) | [`all_keep_axes`](Var::all_keep_axes) |
/// | [`any`](Var::any) | [`any_axes`](Var::any_axes) | [`any_keep_axes`](Var::any_keep_axes) |
/// | [`mean`](Var::mean) | [`mean_axes`](Var::mean_axes) | [`mean_keep_axes`](Var::mean_keep_axes) |
/// | [`var`](Var::var) | [`var_axes`](Var::var_axes) | [`var_keep_axes`](Var::var_keep_axes) |
/// | [`std`](Var::std) | [`std_axes`](Var::std_axes) | [`std_keep_axes`](Var::std_keep_axes) |
/// | [`norm`](Var::norm) | [`norm_axes`](Var::norm_axes) | [`norm_keep_axes`](Var::norm_keep_axes) |
/// | [`norm_squared`](Var::norm_squared) | [`norm_squared_axes`](Var::norm_squared_axes) | [`norm_squared_keep_axes`](Var::norm_squared_keep_axes) |
/// | [`logsumexp_all`](Var::logsumexp_all) | [`logsumexp_axes`](Var::logsumexp_axes) | [`logsumexp_keep_axes`](Var::logsumexp_keep_axes) |
/// | [`argmax_all`](Var::argmax_all) | [`argmax`](Var::argmax) | [`argmax_keep_axis`](Var::argmax_keep_axis) |
/// | [`argmin_all`](Var::argmin_all) | [`argmin`](Var::argmin) | [`argmin_keep_axis`](Var::argmin_keep_axis) |
///
/// [`max`](Var::max) and [`min`](Var::min) without a suffix compare two operands, as those of `f64` do. Older names:
/// [`reduce_max`](Var::reduce_max), [`reduce_min`](Var::reduce_min), [`all_over`](Var::all_over),
/// [`any_over`](Var::any_over), [`logsumexp`](Var::logsumexp). Along an axis: [`cumsum`](Var::cumsum).
///
/// **Products.** [`dot`](Var::dot), [`matmul`](Var::matmul), [`outer`](Var::outer), [`dot_general`](Var::dot_general).
///
/// **Derivatives and dtypes.** [`stop_gradient`](Var::stop_gradient), [`convert`](Var::convert).
///
/// Each method says which dtypes and shapes it takes, what is an error, and its derivative, also at kinks. An error is
/// kept with its line, and `trace` or `jit` returns it. A NaN in an operand is a NaN in the result and in the
/// derivative, unless the method says otherwise.
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

    /// A constant of the open trace: the value is part of the graph and of files made of it. It carries no derivative.
    /// `Var::from` makes one of a number or of an array of `ndarray`.
    ///
    /// Takes an array of any type. It panics where no trace is open on this thread.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::value::Array;
    /// use retrograd::{Var, jit};
    ///
    /// let value = Array::from_ndarray(array![1.0, 2.0].into_dyn());
    /// let y: Array1<f64> = jit(|x: Var| x * Var::constant(value.clone())).call(3.0)?;
    /// assert_eq!(y, array![3.0, 6.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
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

    /// The number `x` everywhere in an array of the type of `self`. It is a constant: it carries no derivative. The
    /// number is converted to the dtype as by Rust's `as`.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array1<f64> = jit(|x: Var| x.full_like(7.0)).call(array![1.0, 2.0])?;
    /// assert_eq!(y, array![7.0, 7.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn full_like(self, x: f64) -> Var {
        let ty = self.ty();
        Var::number(x, ty.dtype).broadcast_to(&ty.shape)
    }

    /// The dtype and shape, which are known while tracing; those of an `f64` scalar after an error.
    ///
    /// ```
    /// use retrograd::value::{DType, Type};
    /// use retrograd::{Var, trace};
    ///
    /// let graph = trace(
    ///     |x: Var| {
    ///         assert_eq!(x.ty(), Type::new(DType::F32, [2, 3]));
    ///         assert_eq!(x.sum().ty(), Type::scalar(DType::F32));
    ///         x
    ///     },
    ///     (Type::new(DType::F32, [2, 3]),),
    /// )?;
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn ty(self) -> Type {
        trace::type_of(self).unwrap_or(Type::scalar(DType::F64))
    }

    /// The extents, which are known while tracing; none after an error.
    ///
    /// ```
    /// use ndarray::{Array2, array};
    /// use retrograd::{Var, jit};
    ///
    /// let rows = |x: Var| x.full_like(x.shape()[0] as f64);
    /// let y: Array2<f64> = jit(rows).call(array![[0.0], [0.0]])?;
    /// assert_eq!(y, array![[2.0], [2.0]]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn shape(self) -> Shape {
        self.ty().shape
    }

    /// The dtype, which is known while tracing; `f64` after an error.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::value::DType;
    /// use retrograd::{Var, jit};
    ///
    /// let as_f64 = |x: Var| if x.dtype() == DType::F64 { x } else { x.convert(DType::F64) };
    /// let y: Array1<f64> = jit(as_f64).call(array![1i64, 2])?;
    /// assert_eq!(y, array![1.0, 2.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn dtype(self) -> DType {
        self.ty().dtype
    }

    /// The number of axes, which is known while tracing; 0 after an error.
    ///
    /// ```
    /// use ndarray::array;
    /// use retrograd::{Var, jit};
    ///
    /// let total = |x: Var| if x.rank() == 0 { x } else { x.sum() };
    /// assert_eq!(jit(total).call::<f64>(3.0)?, 3.0);
    /// assert_eq!(jit(total).call::<f64>(array![3.0, 4.0])?, 7.0);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn rank(self) -> usize {
        self.ty().rank()
    }

    /// The same value under a name that listings, files and errors show. It changes no number.
    ///
    /// ```
    /// use retrograd::value::DType;
    /// use retrograd::{Var, trace};
    ///
    /// let graph = trace(|x: Var| (x * x).named("square") + 1.0, (DType::F64,))?;
    /// assert!(graph.to_string().contains("square"));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn named(self, name: &str) -> Var {
        trace::set_name(self, name);
        self
    }

    /// This value repeated along new leading axes and along axes of extent 1, as NumPy broadcasts. Operators broadcast
    /// by themselves.
    ///
    /// Takes any dtype. A shape to which that of `self` does not broadcast is an error. The derivative sums over what
    /// was repeated.
    ///
    /// ```
    /// use ndarray::{Array2, array};
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array2<f64> = jit(|x: Var| x.broadcast_to(&[2, 3])).call(array![1.0, 2.0, 3.0])?;
    /// assert_eq!(y, array![[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]);
    /// let wrong = jit(|x: Var| x.broadcast_to(&[2, 2])).call::<Array2<f64>>(array![1.0, 2.0, 3.0]);
    /// assert!(wrong.unwrap_err().to_string().contains("cannot broadcast"));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
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

/// Two operands brought to one shape, as NumPy broadcasts; unchanged where that is impossible, which the caller or the
/// operation itself reports.
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

/// Records that operands do not broadcast.
#[track_caller]
fn fail_to_broadcast(op: &Op, operands: &[Var]) -> Var {
    let _method = trace::method(method_of(op.name()).unwrap_or(op.name()), operands);
    let types: Vec<String> = operands.iter().map(|x| x.ty().to_string()).collect();
    trace::fail_at(format!("operands must have shapes that broadcast, but got {}", types.join(" and ")));
    Var::poisoned()
}

/// The shape to which both broadcast.
pub(crate) fn broadcast_shape(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
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
    let op = op.into();
    let (a, b) = broadcast_pair(x, y);
    if a.shape() == b.shape() { apply(op, &[a, b]) } else { fail_to_broadcast(&op, &[x, y]) }
}

/// Applies an elementwise operation of three operands after broadcasting.
#[track_caller]
pub(super) fn apply_triple(op: impl Into<Op>, x: Var, y: Var, z: Var) -> Var {
    let (a, b, c) = (x.shape(), y.shape(), z.shape());
    match broadcast_shape(&a, &b).and_then(|shape| broadcast_shape(&shape, &c)) {
        Some(shape) => apply(op, &[x.broadcast_to(&shape), y.broadcast_to(&shape), z.broadcast_to(&shape)]),
        None => fail_to_broadcast(&op.into(), &[x, y, z]),
    }
}

/// Something that stands beside a `Var` in an operation: a `Var`, or a number that takes the other's dtype.
pub trait Operand: Copy {
    /// This operand as a `Var`, of the dtype of `like` if it is a number.
    #[track_caller]
    fn var(self, like: Var) -> Var;

    /// This operand, unless it is a number.
    fn traced(self) -> Option<Var> {
        None
    }
}

impl Operand for Var {
    fn var(self, _: Var) -> Var {
        self
    }

    fn traced(self) -> Option<Var> {
        Some(self)
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

impl Operand for usize {
    #[track_caller]
    fn var(self, like: Var) -> Var {
        match i64::try_from(self) {
            Ok(x) => x.var(like),
            Err(_) => (self as f64).var(like),
        }
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
