//! Derivatives of operations that come with a rule of their own.
//!
//! A rule is linear in the tangents or cotangents that it takes. So the mode for which there is no rule is obtained by
//! transposing the other: the rule is appended on zeros in their place, and what it gives is pulled back to these. The
//! pullback of a linear function does not depend on where it is taken, so nothing of what was appended is used but the
//! rule's coefficients.

use super::activity::Step;
use super::{Series, pullback, push_series, pushforward};
use crate::op::trace::{self, apply};
use crate::op::{Alias, Custom, CustomRule, Var};

/// The tangents of a linear system's solution: A dx = db - dA x.
fn solved_tangents(step: &Step, x: &[Var], y: &[Var], t: &[Option<Var>]) -> Option<Vec<Option<Var>>> {
    let n_parameters = x.len() - y.len();
    let (parameters, _) = x.split_at(n_parameters);
    let mut products = vec![None; y.len()];
    if t[..n_parameters].iter().any(Option::is_some) {
        // Parameters under another identity, of which the solution is independent.
        let own: Vec<Var> = parameters.iter().map(|&p| apply(Alias, &[p])).collect();
        let (varying, tangents): (Vec<Var>, Vec<Var>) =
            own.iter().zip(t).filter_map(|(&p, t)| Some((p, (*t)?))).unzip();
        let product = trace::inline(&step.regions[2], &[&own, y].concat())?;
        products = pushforward(&varying, &tangents, &product);
    }
    let sides = y.iter().zip(&t[n_parameters..]).zip(products);
    let sides: Vec<Var> = sides
        .map(|((&y, t), product)| match (*t, product) {
            (Some(t), Some(product)) => t - product,
            (Some(t), None) => t,
            (None, Some(product)) => -product,
            (None, None) => y.full_like(0.0),
        })
        .collect();
    Some(solved(step, [0, 1, 2, 3], parameters, &sides)?.into_iter().map(Some).collect())
}

/// The cotangents of a linear system's parameters and of its right-hand side: Aᵀ u = ct, and what -A x gives by u.
fn solved_cotangents(step: &Step, x: &[Var], y: &[Var], cts: &[Var], wanted: &[bool]) -> Option<Vec<Option<Var>>> {
    let n_parameters = x.len() - y.len();
    let (parameters, _) = x.split_at(n_parameters);
    let u = solved(step, [1, 0, 3, 2], parameters, cts)?;
    let asked: Vec<usize> = (0..n_parameters).filter(|&k| wanted[k] && x[k].dtype().is_float()).collect();
    let mut pulled = vec![None; n_parameters];
    if !asked.is_empty() {
        let own: Vec<Var> = parameters.iter().map(|&p| apply(Alias, &[p])).collect();
        let product = trace::inline(&step.regions[2], &[&own, y].concat())?;
        let to: Vec<Var> = asked.iter().map(|&k| own[k]).collect();
        let negated: Vec<Var> = u.iter().map(|&u| -u).collect();
        pulled = at(&asked, n_parameters, pullback(&to, &product, &negated));
    }
    pulled.extend(u.into_iter().map(Some));
    Some(pulled)
}

/// The solution of the system with that right-hand side, or with these regions in place of its own.
fn solved(step: &Step, regions: [usize; 4], parameters: &[Var], sides: &[Var]) -> Option<Vec<Var>> {
    let regions = regions.map(|k| step.regions[k].clone()).to_vec();
    trace::apply_regions(Custom { rule: CustomRule::Solve }, &[parameters, sides].concat(), regions)
}

/// The series of the results to the given order, given those of the operands. `None` is a zero.
///
/// With the rule `y' = R(x, y, x')` the coefficients follow one after the other: `k y_k` is the coefficient of order
/// `k - 1` of what the rule gives, for which those of `y` to that order are enough.
pub(super) fn push(step: &Step, rule: CustomRule, x: &[Var], series: &[Series], order: usize) -> Option<Vec<Series>> {
    if order == 1 {
        let t: Vec<Option<Var>> = series.iter().map(|series| series[0]).collect();
        return Some(tangents(step, rule, x, &t)?.into_iter().map(|t| vec![t]).collect());
    }
    let y = step.results();
    let derivatives: Vec<Option<Var>> = x.iter().zip(series).map(|(&x, series)| stand_in(x, series)).collect();
    let slopes = tangents(step, rule, x, &derivatives)?;
    let mut results: Vec<Series> = slopes.iter().map(|&slope| vec![slope]).collect();
    for k in 1..order {
        let (mut inputs, mut given) = (Vec::new(), Vec::new());
        let mut add = |x: Var, series: Series| {
            if series.iter().any(Option::is_some) {
                inputs.push(x);
                given.push(series);
            }
        };
        x.iter().zip(series).for_each(|(&x, series)| add(x, series[..k].to_vec()));
        y.iter().zip(&results).for_each(|(&y, series)| add(y, series.clone()));
        for (t, series) in derivatives.iter().zip(series).filter_map(|(t, series)| Some(((*t)?, series))) {
            add(t, (1..=k).map(|j| Some((j + 1) as f64 * series[j]?)).collect());
        }
        let outputs: Vec<Var> = slopes.iter().copied().flatten().collect();
        let mut next = push_series(&inputs, &given, &outputs, k).into_iter().map(|series| series[k - 1]);
        for (slope, series) in slopes.iter().zip(&mut results) {
            let next = slope.and_then(|_| next.next().flatten());
            series.push(next.map(|next| next / (k + 1) as f64));
        }
    }
    Some(results)
}

/// A value of its own for the derivative of `x`, if that varies.
fn stand_in(x: Var, series: &Series) -> Option<Var> {
    if series.iter().all(Option::is_none) {
        return None;
    }
    Some(apply(Alias, &[series[0].unwrap_or_else(|| x.full_like(0.0))]))
}

/// The tangents of the results, given those of the operands. `None` is a zero.
fn tangents(step: &Step, rule: CustomRule, x: &[Var], given: &[Option<Var>]) -> Option<Vec<Option<Var>>> {
    let y = step.results();
    let (t, results) = (dense(x, given)?, floats(&y));
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
        CustomRule::Solve => solved_tangents(step, x, &y, given)?,
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
        CustomRule::Solve => return solved_cotangents(step, x, &y, &cts, wanted),
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
    positions.iter().map(|&k| trace::placeholder(x[k])).collect()
}

/// Puts these at the given ones of `n` positions.
fn at(positions: &[usize], n: usize, given: Vec<Option<Var>>) -> Vec<Option<Var>> {
    let mut all = vec![None; n];
    positions.iter().zip(given).for_each(|(&k, x)| all[k] = x);
    all
}
