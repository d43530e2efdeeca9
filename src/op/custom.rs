//! A function with a derivative of its own.

use serde::{Deserialize, Serialize};

use super::control::{
    SCALAR, answer, control_rules, expect_arrays, expect_inputs, expect_regions, f64s, listed, region, sample,
};
use super::rules::{Batching, Derivative, Doc, Examples, Lowering, Rules};
use crate::ir::{Mismatch, Signature, Types, mismatch};
use crate::value::{Array, DType, Type};

/// Runs the first region, the function; its derivative is what the other regions say.
///
/// Operands: what the function takes. Results: what it gives. The rule takes the operands, then the results, then
///
/// - of kind `jvp`: a tangent for each operand of floating point. It gives a tangent for each result of floating point.
/// - of kind `vjp`: a cotangent for each result of floating point. It gives a cotangent for each operand of floating
///   point.
///
/// Of kind `solve`, the function solves a linear system: its last operands, as many as there are results and of their
/// types, are the right-hand side b, and the results are the x of A x = b. The operands before them are parameters, on
/// which A may depend. There are four regions, which all take the types of the operands and give those of the results: b
/// ↦ x, ct ↦ u with Aᵀ u = ct, v ↦ A v, and v ↦ Aᵀ v.
///
/// # Constraints
/// (C1) There are two regions, of kind `solve` four. (C2) The function takes the types of the operands. (C3) The rule
/// takes and gives the types above. (C4) Operands and results are arrays. (C5) Of kind `solve`, the last operands have the
/// types of the results, which are of floating point, and the four regions have the same signature.
///
/// # Derivative
/// Of kind `solve`, that of the equation: A dx = db - dA x forward, and Aᵀ u = ct in reverse, where the cotangent of b is
/// u and that of the parameters the pullback of -A x by u. Both are such operations themselves, and differentiated again.
/// Of the other kinds, that of the rule; the function is not differentiated. The mode for which there is no rule uses the transpose of the
/// other: forward mode transposes a `vjp` in its cotangents, and reverse mode a `jvp` in its tangents, each at 0. For a
/// rule that is linear in them, as a derivative is, both modes agree. Higher orders differentiate the rule. Nothing flows
/// if all tangents or cotangents are known to be zero; otherwise the rule is used as it is written, with zeros in the
/// places of those, so that a factor that is infinite or NaN makes NaN of a 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Custom {
    /// What the other regions are.
    pub rule: CustomRule,
}

/// What the regions of a [`Custom`] after the first say of its derivative.
///
/// ```
/// use retrograd::op::{CustomRule, Op};
/// use retrograd::value::DType;
/// use retrograd::{Var, custom_jvp, trace};
///
/// let f = |x: Var| custom_jvp(|x: Var| x.tanh(), |_, y: Var, (t,): (Var,)| t * (1.0 - y * y)).call(x);
/// let graph = trace(f, (DType::F64,))?;
/// let rule = graph.ids().find_map(|id| match graph.node(id).op() {
///     Some(Op::Custom(custom)) => Some(custom.rule),
///     _ => None,
/// });
/// assert_eq!(rule, Some(CustomRule::Jvp));
/// # Ok::<(), retrograd::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CustomRule {
    /// Tangents of operands → tangents of results.
    Jvp,
    /// Cotangents of results → cotangents of operands.
    Vjp,
    /// The function solves a linear system, whose equation has the derivative.
    Solve,
}

control_rules! {
    Custom "custom" {
        Doc {
            summary: "the first region, the function; the others are the rule of its derivative",
            derivative: "that of the rule; the other mode uses the rule's transpose",
            accuracy: "that of the region",
        }
    } examples;
}

impl Custom {
    fn infer_with(&self, operands: &[Type], regions: &[Signature]) -> Result<Types, Mismatch> {
        if self.rule == CustomRule::Solve {
            return infer_solve(operands, regions);
        }
        expect_regions(regions, 2)?;
        expect_arrays(operands)?;
        let (function, rule) = (&regions[0], &regions[1]);
        expect_inputs("the function", function, operands)?;
        let results = &function.outputs;
        expect_arrays(results)?;
        let (given, asked) = match self.rule {
            CustomRule::Jvp => (floats(operands), floats(results)),
            CustomRule::Vjp | CustomRule::Solve => (floats(results), floats(operands)),
        };
        expect_inputs("the rule", rule, &[operands, results, &given].concat())?;
        if rule.outputs != asked {
            return Err(mismatch!("the rule must give {}, but gives {}", listed(&asked), listed(&rule.outputs)));
        }
        Ok(results.iter().cloned().collect())
    }
}

fn infer_solve(operands: &[Type], regions: &[Signature]) -> Result<Types, Mismatch> {
    expect_regions(regions, 4)?;
    expect_arrays(operands)?;
    let results = &regions[0].outputs;
    let names = ["the function", "the transposed function", "the product", "the transposed product"];
    for (name, region) in names.into_iter().zip(regions) {
        expect_inputs(name, region, operands)?;
        if region.outputs != *results {
            return Err(mismatch!("{name} must give {}, but gives {}", listed(results), listed(&region.outputs)));
        }
    }
    if let Some(ty) = results.iter().find(|ty| !ty.dtype.is_float()) {
        return Err(mismatch!("a solution must be of floating point, but is {ty}"));
    }
    if !operands.ends_with(results) {
        let (results, operands) = (listed(results), listed(operands));
        return Err(mismatch!(
            "the last operands must be the right-hand side, {results}, but the operands are {operands}"
        ));
    }
    Ok(results.iter().cloned().collect())
}

/// The types that have tangents and cotangents.
fn floats(types: &[Type]) -> Vec<Type> {
    types.iter().filter(|ty| ty.dtype.is_float()).cloned().collect()
}

fn examples() -> Examples {
    let cases = [(DType::F64, vec![]), (DType::F64, vec![3, 5]), (DType::F32, vec![7])];
    let mut samples = Vec::new();
    for rule in [CustomRule::Jvp, CustomRule::Vjp] {
        for (dtype, shape) in &cases {
            let ty = Type::new(*dtype, shape.as_slice());
            let operands =
                vec![(ty.clone(), (-1.5, 1.5)), (SCALAR(DType::I64), (1.0, 4.0)), (SCALAR(*dtype), (0.5, 1.5))];
            samples.push(sample(Custom { rule }, &waves(rule, &ty), operands));
        }
    }
    for (dtype, shape) in cases {
        let ty = Type::new(dtype, shape);
        let operands = vec![(SCALAR(dtype), (1.5, 2.5)), (ty.clone(), (-1.5, 1.5)), (ty.clone(), (0.5, 1.5))];
        samples.push(sample(Custom { rule: CustomRule::Solve }, &coupled(&ty), operands));
    }
    let ty = Type::new(DType::F64, [2]);
    let x = vec![f64s([0.0, 1.0]), Array::scalar(3i64), Array::scalar(2.0)];
    let y = vec![f64s([0.0, 2.0]), Array::scalar(4i64), Array::scalar(2.0)];
    let mut answers: Vec<_> = [CustomRule::Jvp, CustomRule::Vjp]
        .map(|rule| answer(Custom { rule }, &waves(rule, &ty), x.clone(), y.clone()))
        .into();
    // 2 (x + 2 y) = 10 and 2 y = 4.
    let (b, x) = ([f64s([10.0]), f64s([4.0])], vec![f64s([1.0]), f64s([2.0])]);
    let solve = Custom { rule: CustomRule::Solve };
    let operands = [&[Array::scalar(2.0)], &b[..]].concat();
    answers.push(answer(solve, &coupled(&Type::new(DType::F64, [1])), operands, x));
    Examples { answers, samples }
}

/// The system a (x + a y) = b, a y = c for x and y.
fn coupled(ty: &Type) -> [std::sync::Arc<super::Graph>; 4] {
    let inputs = [SCALAR(ty.dtype), ty.clone(), ty.clone()];
    [
        region("solve", &inputs, |x| vec![x[1] / x[0] - x[2], x[2] / x[0]]),
        region("transposed_solve", &inputs, |x| vec![x[1] / x[0], x[2] / x[0] - x[1]]),
        region("product", &inputs, |x| vec![x[0] * (x[1] + x[0] * x[2]), x[0] * x[2]]),
        region("transposed_product", &inputs, |x| vec![x[0] * x[1], x[0] * (x[0] * x[1] + x[2])]),
    ]
}

/// The function x, n, a ↦ a x², n + 1, a (∑ x²)ᵏ with k = 1, and its rule. Operands and results that are not of floating
/// point stand between those that are.
fn waves(rule: CustomRule, ty: &Type) -> [std::sync::Arc<super::Graph>; 2] {
    let (number, index) = (SCALAR(ty.dtype), SCALAR(DType::I64));
    let operands = [ty.clone(), index.clone(), number.clone()];
    let function = region("function", &operands, |x| vec![x[0].square() * x[2], x[1] + 1, x[0].square().sum() * x[2]]);
    let results = [ty.clone(), index, number.clone()];
    let inputs = [&operands[..], &results, &[ty.clone(), number]].concat();
    let rule = match rule {
        CustomRule::Jvp => region("rule", &inputs, |x| {
            let [x, a, tx, ta] = [x[0], x[2], x[6], x[7]];
            vec![2.0 * a * x * tx + x * x * ta, 2.0 * a * (x * tx).sum() + x.square().sum() * ta]
        }),
        CustomRule::Vjp | CustomRule::Solve => region("rule", &inputs, |x| {
            let [x, a, cty, cts] = [x[0], x[2], x[6], x[7]];
            vec![2.0 * a * x * (cty + cts), (x * x * cty).sum() + x.square().sum() * cts]
        }),
    };
    [function, rule]
}
