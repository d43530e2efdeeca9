use std::panic::Location;

use crate::op::trace;
use crate::op::{External, Var};
use crate::value::Type;

/// The results of a function of the host, which is [registered](crate::external::register) under that name, on these
/// operands. Results are of the given types; the function takes any operands, unless it was registered for certain types.
///
/// It has no derivative by itself: wrap it in [`custom_vjp`](crate::custom_vjp) or [`custom_jvp`](crate::custom_jvp).
///
/// ```
/// use retrograd::{Var, custom_jvp, external, grad, jit};
///
/// // A measured curve, piecewise linear: its values and slopes.
/// let (x0, step, table) = (0.0, 0.5, [0.0, 0.3, 0.5, 0.4]);
/// external::register("lift", move |operands, results| {
///     let x = operands[0].as_slice::<f64>().ok_or("takes f64")?;
///     let [value, slope] = results else { return Err("gives value and slope") };
///     let value = value.as_slice_mut::<f64>().ok_or("gives f64")?;
///     let slope = slope.as_slice_mut::<f64>().ok_or("gives f64")?;
///     for (k, &x) in x.iter().enumerate() {
///         let place = (x - x0) / step;
///         if !(0.0..=3.0).contains(&place) {
///             return Err("an angle beyond the table");
///         }
///         let cell = (place as usize).min(2);
///         slope[k] = (table[cell + 1] - table[cell]) / step;
///         value[k] = table[cell] + slope[k] * (x - x0 - step * cell as f64);
///     }
///     Ok(())
/// })?;
/// let lift = |x: Var| external("lift", &[x], [x.ty(), x.ty()]);
/// let lift = custom_jvp(move |x: Var| lift(x)[0], move |(x,): (Var,), _, (t,): (Var,)| t * lift(x)[1]);
/// let (y, slope): (f64, f64) = (jit(lift).call(0.75)?, jit(grad(lift)).call(0.75)?);
/// assert!((y - 0.4).abs() < 1e-15 && (slope - 0.4).abs() < 1e-15);
/// let error = jit(lift).call::<f64>(2.0).unwrap_err();
/// assert!(error.to_string().starts_with("external function \"lift\": an angle beyond the table"));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// When traced: if there is no such function, or one for other types. At run time: what the function returns, and its
/// panics, as an [`ExternalError`](crate::error::ExternalError).
#[track_caller]
pub fn external<const N: usize>(name: &str, operands: &[Var], results: [Type; N]) -> [Var; N] {
    let at = Location::caller();
    let op = External { function: name.to_string(), results: results.into() };
    let mut types = Vec::with_capacity(operands.len());
    for &x in operands {
        // After an error there is nothing to check.
        let Some(ty) = trace::type_at(x, at) else { return [Var::poisoned(); N] };
        types.push(ty);
    }
    if let Err(error) = op.find(&types, Some(&trace::line_at(at))) {
        trace::fail(error);
        return [Var::poisoned(); N];
    }
    let results = trace::apply_regions(op, operands, Vec::<crate::op::Graph>::new());
    results.and_then(|results| results.try_into().ok()).unwrap_or([Var::poisoned(); N])
}
