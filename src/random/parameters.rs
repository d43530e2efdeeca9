//! What the functions of this module take, as values of one type.

use std::panic::Location;

use crate::op::{Operand, Var, trace};
use crate::value::{DType, Shape, Type};

/// Whether it is a key; else an error is recorded.
#[track_caller]
pub(crate) fn is_key(name: &'static str, key: Var) -> bool {
    if key.is_poisoned() {
        return false;
    }
    let ty = key.ty();
    if ty == Type::new(DType::I64, [2]) {
        return true;
    }
    let _method = trace::method(name, &[key]);
    trace::fail_at(format!("takes a key, i64[2], as random::key makes it, but got {ty}"));
    false
}

/// The type, if it is one of floating-point numbers; else an error is recorded.
#[track_caller]
pub(crate) fn floats(name: &'static str, ty: impl Into<Type>) -> Option<Type> {
    let ty = ty.into();
    if ty.dtype.is_float() && !ty.stack {
        return Some(ty);
    }
    let _method = trace::method(name, &[]);
    trace::fail_at(format!("gives floating-point numbers, but was asked for {ty}"));
    None
}

/// The parameters of a distribution that a key draws from; else an error is recorded. See [`broadcast`].
#[track_caller]
pub(crate) fn given<const N: usize>(
    name: &'static str,
    key: Var,
    parameters: [&dyn Parameter; N],
    shape: &Shape,
) -> Option<[Var; N]> {
    if is_key(name, key) { broadcast(name, parameters, shape) } else { None }
}

/// Runs what appends operations, all of which bear the caller's line: closures do not know it.
#[track_caller]
pub(crate) fn on_line<R>(body: impl FnOnce() -> R) -> R {
    let at = trace::line_at(Location::caller());
    trace::in_scope(Some(at), None, body)
}

/// Parameters of a distribution, of one dtype of floating point and of that shape; else an error is recorded.
#[track_caller]
pub(crate) fn broadcast<const N: usize>(
    name: &'static str,
    parameters: [&dyn Parameter; N],
    shape: &Shape,
) -> Option<[Var; N]> {
    let all = typed(name, parameters)?;
    if let Some(other) = all.iter().map(|x| x.shape()).find(|other| !broadcasts(other, shape)) {
        let _method = trace::method(name, &all);
        trace::fail_at(format!("parameters must broadcast to the shape {shape}, but got {other}"));
        return None;
    }
    Some(on_line(|| all.map(|x| x.broadcast_to(shape))))
}

/// Parameters of a distribution, of one dtype of floating point; else an error is recorded. Numbers take the dtype of the
/// first that is traced, or `f64`.
#[track_caller]
pub(crate) fn typed<const N: usize>(name: &'static str, parameters: [&dyn Parameter; N]) -> Option<[Var; N]> {
    let traced: Vec<Var> = parameters.iter().filter_map(|parameter| parameter.traced()).collect();
    if traced.iter().any(|x| x.is_poisoned()) {
        return None;
    }
    let _method = trace::method(name, &traced);
    let dtype = traced.first().map_or(DType::F64, |x| x.dtype());
    if let Some(other) = traced.iter().map(|x| x.dtype()).find(|&other| other != dtype || !other.is_float()) {
        trace::fail_at(if other.is_float() {
            format!("parameters must have equal dtypes, but got {dtype} and {other}; use convert")
        } else {
            format!("takes parameters of floating point, but got {other}")
        });
        return None;
    }
    Some(on_line(|| parameters.map(|parameter| parameter.of(dtype))))
}

/// Whether an array of that shape can be repeated to one of the other.
fn broadcasts(from: &Shape, to: &Shape) -> bool {
    let mut pairs = from.iter().rev().zip(to.iter().rev());
    from.rank() <= to.rank() && pairs.all(|(&from, &to)| from == to || from == 1)
}

/// A number or a traced value.
pub(crate) trait Parameter {
    /// The value, if it is traced.
    fn traced(&self) -> Option<Var>;
    /// The value; a number is made one of that dtype.
    #[track_caller]
    fn of(&self, dtype: DType) -> Var;
}

impl<T: Operand> Parameter for T {
    fn traced(&self) -> Option<Var> {
        Operand::traced(*self)
    }

    #[track_caller]
    fn of(&self, dtype: DType) -> Var {
        match Operand::traced(*self) {
            Some(x) => x,
            None => self.var(Var::number(0.0, dtype)),
        }
    }
}

/// The number, in both dtypes: twice rounded is not always rounded once.
#[track_caller]
pub(crate) fn number(dtype: DType, wide: f64, narrow: f32) -> Var {
    Var::number(if dtype == DType::F32 { narrow.into() } else { wide }, dtype)
}
