//! The categorical distribution, with logits along the last axis.
//!
//! Probability exp(logits)/Σ exp(logits), for an index `k`.
//!
//! ```
//! use retrograd::{Var, jit, stats};
//!
//! let y: f64 = jit(|logits: Var| stats::categorical::log_pmf(1.into(), logits)).call([0.0, 1.0, 0.0])?;
//! assert!((y + (1.0 + 2.0 * (-1f64).exp()).ln()).abs() < 1e-15);
//! # Ok::<(), retrograd::Error>(())
//! ```

use crate::op::{Var, trace};
use crate::random;
use crate::random::parameters::typed;
use crate::value::{DType, Shape};

/// The logarithm of the probability of the index `k`, an `i64` of the shape of the logits without their last axis, or
/// one that broadcasts with it; -inf for an index that none of the logits has. Another dtype, and logits without an
/// axis, are an error.
#[track_caller]
pub fn log_pmf(k: Var, logits: Var) -> Var {
    let name = "stats::categorical::log_pmf";
    let Some([logits]) = typed(name, [&logits]) else { return Var::poisoned() };
    if k.is_poisoned() {
        return k;
    }
    let _method = trace::method(name, &[k, logits]);
    if k.dtype() != DType::I64 || logits.rank() == 0 {
        trace::fail_at(format!(
            "takes indices of i64 and logits along an axis, but got {} and {}",
            k.ty(),
            logits.ty()
        ));
        return Var::poisoned();
    }
    let (shape, axis) = (logits.shape(), logits.rank() - 1);
    let each = Var::iota(&[shape[axis]], 0, DType::I64);
    let is_chosen = k.insert_axis(k.rank()).equal(each);
    let y = is_chosen.select(logits.log_softmax(axis), 0.0);
    let is_any = is_chosen.any_axes(&[is_chosen.rank() - 1]);
    is_any.select(y.sum_axes(&[y.rank() - 1]), f64::NEG_INFINITY)
}

/// Indices of that shape, to which the axes of the logits but the last broadcast; see [`random::categorical`].
#[track_caller]
pub fn sample(key: Var, logits: Var, shape: impl Into<Shape>) -> Var {
    random::categorical(key, logits, shape)
}
