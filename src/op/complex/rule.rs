//! Functions with a derivative of their own: what is differentiated is a formula that holds everywhere, not the cases by
//! which the value is computed.

use std::panic::Location;

use super::super::range::Range;
use super::super::strong::{Strong, strong_product};
use super::super::var::broadcast_shape;
use super::super::{Custom, CustomRule, Var};
use super::super::{region, trace};
use super::Complex;
use crate::value::{Shape, Type};

/// An elementwise function of real values, of one dtype of floating point, and its pushforward, which takes the operands, the
/// results and the tangents. Neither may use what is traced outside. The operands are brought to one shape.
#[track_caller]
pub(super) fn with_rule<const N: usize, const M: usize>(
    operands: [Var; N],
    f: impl Fn([Var; N]) -> [Var; M],
    rule: impl Fn([Var; N], [Var; M], [Var; N]) -> [Var; M],
) -> [Var; M] {
    let results =
        apply_with_rule(&operands, &|x| f(array(x)).into(), &|x, y, t| rule(array(x), array(y), array(t)).into());
    results.and_then(|y| y.try_into().ok()).unwrap_or([Var::poisoned(); M])
}

/// The same, compiled once for all functions.
#[track_caller]
fn apply_with_rule(
    operands: &[Var],
    f: &dyn Fn(&[Var]) -> Vec<Var>,
    rule: &dyn Fn(&[Var], &[Var], &[Var]) -> Vec<Var>,
) -> Option<Vec<Var>> {
    let at = Location::caller();
    if operands.iter().any(|x| x.is_poisoned()) {
        return None;
    }
    let operands = broadcast(operands)?;
    let line = trace::line_at(at);
    let on_line = |body: &mut dyn FnMut() -> Vec<Var>| trace::in_scope(Some(line.clone()), None, body);
    let (n, types) = (operands.len(), operands.iter().map(|x| x.ty()).collect::<Vec<Type>>());
    let inputs = named("x", &types);
    let mut results = Vec::new();
    let function = region::trace_at(at, "function", &inputs, |x| {
        let y = on_line(&mut || f(x));
        results = y.iter().map(|y| y.ty()).collect();
        outputs("y", &y)
    })?;
    let all = [inputs, named("y", &results), named("t", &types)].concat();
    // What is infinite where there is no derivative meets zeros that are strong.
    let ranges = vec![Range::ANY; all.len()];
    let rule = region::trace_within("rule", &all, &ranges, |given| {
        let ((x, rest), m) = (given.split_at(n), results.len());
        outputs("t", &on_line(&mut || rule(x, &rest[..m], &rest[m..])))
    })?;
    assert!(
        function.captured.is_empty() && rule.captured.is_empty(),
        "bug: a function of complex numbers is not closed"
    );
    let regions = vec![function.graph, rule.graph];
    trace::apply_regions(Custom { rule: CustomRule::Jvp }, &operands, regions)
}

/// A holomorphic function: the rule gives its derivative, from the operand and the result.
#[track_caller]
pub(super) fn holomorphic(
    z: Complex,
    f: impl Fn(Complex) -> Complex,
    derivative: impl Fn(Complex, Complex) -> Complex,
) -> Complex {
    let [re, im] = with_rule(
        [z.re, z.im],
        |z| parts(f(complex(z))),
        |z, y, t| parts(times(derivative(complex(z), complex(y)), complex(t))),
    );
    Complex { re, im }
}

/// A partial derivative times a tangent: where a part of the tangent is 0, nothing passes, even if the derivative is infinite
/// or NaN.
#[track_caller]
pub(super) fn times(partial: Complex, t: Complex) -> Complex {
    let product = |partial: Var, t: Var| strong_product(partial, t, Strong::Rhs);
    Complex {
        re: product(partial.re, t.re) - product(partial.im, t.im),
        im: product(partial.re, t.im) + product(partial.im, t.re),
    }
}

/// The same for a real tangent.
#[track_caller]
pub(super) fn times_real(partial: Complex, t: Var) -> Complex {
    partial.each(|partial| strong_product(partial, t, Strong::Rhs))
}

pub(super) fn parts(z: Complex) -> [Var; 2] {
    [z.re, z.im]
}

pub(super) fn complex([re, im]: [Var; 2]) -> Complex {
    Complex { re, im }
}

/// The operands in one shape; `None` where there is none, which is recorded.
#[track_caller]
fn broadcast(operands: &[Var]) -> Option<Vec<Var>> {
    let mut shape = Vec::new();
    for x in operands {
        let Some(all) = broadcast_shape(&shape, &x.shape()) else {
            trace::fail_at(format!(
                "operands must have shapes that broadcast, but got {} and {}",
                Shape::from(shape),
                x.shape()
            ));
            return None;
        };
        shape = all;
    }
    Some(operands.iter().map(|x| x.broadcast_to(&shape)).collect())
}

fn array<const N: usize>(x: &[Var]) -> [Var; N] {
    x.try_into().expect("bug: a region has other inputs than were asked for")
}

fn named(name: &str, types: &[Type]) -> Vec<(String, Type)> {
    types.iter().enumerate().map(|(k, ty)| (format!("{name}{k}"), ty.clone())).collect()
}

fn outputs(name: &str, y: &[Var]) -> Vec<(String, Var)> {
    y.iter().enumerate().map(|(k, &y)| (format!("{name}{k}"), y)).collect()
}
