//! Derivatives of operations that come with a rule of their own.
//!
//! A rule is linear in the tangents or cotangents that it takes. So the mode for which there is no rule is obtained by
//! transposing the other: the rule is appended on zeros in their place, and what it gives is pulled back to these. The
//! pullback of a linear function does not depend on where it is taken, so nothing of what was appended is used but the
//! rule's coefficients.

use super::activity::Step;
use super::pullback;
use crate::op::trace::{self, apply};
use crate::op::{Alias, CustomRule, Var};

/// The tangents of the results, given those of the operands. `None` is a zero.
pub(super) fn push(step: &Step, rule: CustomRule, x: &[Var], t: &[Option<Var>]) -> Option<Vec<Option<Var>>> {
    let y = step.results();
    let (t, results) = (dense(x, t)?, floats(&y));
    let tangents = match rule {
        CustomRule::Jvp => {
            let tangents = trace::inline_in_role(&step.regions[1], &[x, &y, &t].concat())?;
            tangents.into_iter().map(Some).collect()
        }
        CustomRule::Vjp => {
            let cts = placeholders(&y, &results);
            let pulled = trace::inline(&step.regions[1], &[x, &y, &cts].concat())?;
            pullback(&cts, &pulled, &t)
        }
    };
    Some(at(&results, y.len(), tangents))
}

/// The cotangents of the wanted operands, given those of the results. `None` is a zero.
pub(super) fn pull(
    step: &Step,
    rule: CustomRule,
    x: &[Var],
    cts: &[Option<Var>],
    wanted: &[bool],
) -> Option<Vec<Option<Var>>> {
    let y = step.results();
    let (cts, operands) = (dense(&y, cts)?, floats(x));
    let pulled = match rule {
        CustomRule::Vjp => {
            let pulled = trace::inline_in_role(&step.regions[1], &[x, &y, &cts].concat())?;
            pulled.into_iter().map(Some).collect()
        }
        CustomRule::Jvp => {
            let t = placeholders(x, &operands);
            let tangents = trace::inline(&step.regions[1], &[x, &y, &t].concat())?;
            let asked: Vec<usize> = (0..operands.len()).filter(|&k| wanted[operands[k]]).collect();
            let to: Vec<Var> = asked.iter().map(|&k| t[k]).collect();
            at(&asked, operands.len(), pullback(&to, &tangents, &cts))
        }
    };
    Some(at(&operands, x.len(), pulled))
}

/// The tangents or cotangents of those of floating point, with zeros where they are known to be zero; `None` if all are.
fn dense(of: &[Var], given: &[Option<Var>]) -> Option<Vec<Var>> {
    let floats = floats(of);
    if floats.iter().all(|&k| given[k].is_none()) {
        return None;
    }
    Some(floats.into_iter().map(|k| given[k].unwrap_or_else(|| of[k].full_like(0.0))).collect())
}

/// The positions of what is of floating point.
fn floats(x: &[Var]) -> Vec<usize> {
    (0..x.len()).filter(|&k| x[k].dtype().is_float()).collect()
}

/// Zeros by which what depends on them can be pulled back: nothing else is the same value.
fn placeholders(x: &[Var], positions: &[usize]) -> Vec<Var> {
    positions.iter().map(|&k| apply(Alias, &[x[k].full_like(0.0)])).collect()
}

/// Puts these at the given ones of `n` positions.
fn at(positions: &[usize], n: usize, given: Vec<Option<Var>>) -> Vec<Option<Var>> {
    let mut all = vec![None; n];
    positions.iter().zip(given).for_each(|(&k, x)| all[k] = x);
    all
}
