//! Every operation, by its table of examples: known answers; interpreter = native, bit for bit; both modes of
//! differentiation against differences and against each other; second order.

pub mod common;

use common::{Random, floats, graph_with, sample_graph, ulps};
use retrograd::op::{Graph, Op, Sample};
use retrograd::value::{Array, DType, Type};
use retrograd::{Program, differentiate, interpret};

fn native(graph: &Graph, inputs: &[Array]) -> Vec<Array> {
    Program::compile(graph).unwrap().call(inputs).unwrap()
}

/// Evaluates by the interpreter and natively, and checks that the bits are equal.
fn both(what: &str, graph: &Graph, inputs: &[Array]) -> Vec<Array> {
    let expected = interpret::run(graph, inputs).unwrap();
    let got = native(graph, inputs);
    for (position, (got, expected)) in got.iter().zip(&expected).enumerate() {
        assert!(
            got.same_bits(expected),
            "{what}: output {position}\nnative {got}\ninterpreted {expected}\n{graph}\ninputs {inputs:?}"
        );
    }
    expected
}

#[test]
fn known_answers() {
    for (name, _, examples) in Op::table() {
        assert!(!examples.answers.is_empty(), "{name} has no known answers");
        for answer in &examples.answers {
            let types: Vec<Type> = answer.operands.iter().map(Array::ty).collect();
            let graph = graph_with(&answer.op, &answer.regions, &types);
            let results = both(name, &graph, &answer.operands);
            for (got, expected) in results.iter().zip(&answer.results) {
                assert_eq!(got.ty(), expected.ty(), "{name}: {graph}");
                let worst = got.elements().zip(expected.elements()).map(|(x, y)| ulps(x, y)).fold(0.0, f64::max);
                assert!(
                    worst <= f64::from(answer.ulps),
                    "{name}: {worst} ulps\ngot {got}\nexpected {expected}\n{graph}operands {:?}",
                    answer.operands
                );
            }
        }
    }
}

fn each_sample(mut check: impl FnMut(&str, &Sample, &[Type], &[Array], &mut Random)) {
    for (name, _, examples) in Op::table() {
        // Of their own, so that the numbers of one operation do not depend on how many samples another has.
        let mut random = Random(name.bytes().fold(1, |seed, byte| 31 * seed % (1 << 40) + u64::from(byte)));
        for sample in &examples.samples {
            let types: Vec<Type> = sample.operands.iter().map(|(ty, _)| ty.clone()).collect();
            let inputs: Vec<Array> = sample.operands.iter().map(|(ty, domain)| random.array(ty, *domain)).collect();
            check(name, sample, &types, &inputs, &mut random);
        }
    }
}

#[test]
fn interpreter_and_native_agree() {
    each_sample(|name, sample, types, inputs, _| {
        both(name, &sample_graph(&sample.op, &sample.regions, types), inputs);
    });
}

/// Numbers that typically reveal errors of lanes, rounding and comparisons.
const NASTY: [f64; 16] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -2.5,
    3.5,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    f64::MIN_POSITIVE,
    5e-324,
    f64::MAX,
    -f64::MAX,
    1e15,
    4503599627370497.5,
];

#[test]
fn interpreter_and_native_agree_on_special_values() {
    let mut random = Random(2);
    for (name, _, examples) in Op::table() {
        for sample in &examples.samples {
            // Elementwise operations have free shapes: long enough for lanes, unrolling and a remainder.
            let nasty = |(ty, domain): &(Type, (f64, f64)), random: &mut Random| match ty.dtype {
                DType::F64 | DType::F32 => {
                    let pick = |_| retrograd::value::Scalar::F64(NASTY[random.below(16)]).convert(ty.dtype);
                    Array::collect(ty, (0..ty.size()).map(pick))
                }
                DType::I64 | DType::Bool => random.array(ty, *domain),
            };
            let types: Vec<Type> = sample.operands.iter().map(|(ty, _)| ty.clone()).collect();
            let inputs: Vec<Array> = sample.operands.iter().map(|operand| nasty(operand, &mut random)).collect();
            both(name, &sample_graph(&sample.op, &sample.regions, &types), &inputs);
        }
    }
}

/// The positions of operands that have derivatives.
fn float_operands(types: &[Type]) -> Vec<usize> {
    (0..types.len()).filter(|&k| types[k].dtype.is_float()).collect()
}

/// The operands by which the operation can be differentiated `order` times. The only exceptions are the parameters of
/// regularized incomplete functions, which cannot be differentiated by more than once, and the order of the zeta function.
fn differentiable(op: &Op, types: &[Type], order: usize) -> Vec<usize> {
    let n_parameters = match op {
        Op::Igamma(_) | Op::Igammac(_) if order > 1 => 1,
        Op::Betainc(_) if order > 1 => 2,
        Op::IgammaGradA(_) => 1,
        Op::BetaincGradA(_) | Op::BetaincGradB(_) => 2,
        Op::Zeta(_) => 1,
        // It is not differentiated at all.
        Op::Hessenberg(_) => 1,
        _ => 0,
    };
    float_operands(types).split_off(n_parameters)
}

/// A missing derivative is an error in both modes, never a number.
#[test]
fn second_derivatives_by_parameters_are_errors() {
    let mut n_ended = 0;
    each_sample(|name, sample, types, _, _| {
        let graph = sample_graph(&sample.op, &sample.regions, types);
        for k in float_operands(types) {
            if differentiable(&sample.op, types, 2).contains(&k) {
                continue;
            }
            let twice = |order: usize| {
                let first = differentiate::vjp(&graph, &[k])?;
                if order == 1 { Ok(first) } else { differentiate::jvp(&first, &[k]) }
            };
            let order = if differentiable(&sample.op, types, 1).contains(&k) { 2 } else { 1 };
            let message = twice(order).expect_err(name).to_string();
            let of_zeta = name == "zeta" && message.contains("by its second operand only");
            let of_parameters = message.contains("_grad_") && message.contains("only once by its parameters");
            let of_hessenberg = name == "hessenberg" && message.contains("is not differentiated");
            assert!(of_zeta || of_parameters || of_hessenberg, "{name}: {message}");
            let forward = differentiate::jvp(&graph, &[k]).and_then(|first| differentiate::vjp(&first, &[k]));
            assert!(forward.is_err(), "{name}");
            n_ended += 1;
        }
    });
    // In both dtypes: 1 for each of igamma, igammac, igamma_grad_a, zeta and hessenberg, 2 for each of betainc and its two derivatives.
    assert_eq!(n_ended, 2 * 11);
}

fn dot(x: &[Array], y: &[Array]) -> f64 {
    x.iter().zip(y).flat_map(|(x, y)| floats(x).into_iter().zip(floats(y))).map(|(x, y)| x * y).sum()
}

#[test]
fn forward_mode_agrees_with_differences() {
    each_sample(|name, sample, types, inputs, random| {
        // Its derivative is deliberately not that of its values.
        if matches!(sample.op, Op::StopGradient(_)) {
            return;
        }
        let wrt = differentiable(&sample.op, types, 1);
        let graph = sample_graph(&sample.op, &sample.regions, types);
        let float_output = graph.outputs().iter().all(|output| graph.ty(output.value).dtype == DType::F64);
        if wrt.is_empty() || !float_output || types.iter().any(|ty| ty.dtype == DType::F32) {
            return;
        }
        let tangents: Vec<Array> = wrt.iter().map(|&k| random.array(&types[k], (-1.0, 1.0))).collect();
        let jvp = differentiate::jvp(&graph, &wrt).unwrap();
        let all: Vec<Array> = inputs.iter().chain(&tangents).cloned().collect();
        let outputs = both(name, &jvp, &all);
        let n = outputs.len() / 2;
        // Central differences with Richardson extrapolation: the error is O(h⁴) + O(ε/h).
        let at = |h: f64| {
            let mut moved = inputs.to_vec();
            for (&k, t) in wrt.iter().zip(&tangents) {
                let elements: Vec<f64> = floats(&inputs[k]).iter().zip(floats(t)).map(|(x, t)| x + h * t).collect();
                moved[k] = Array::from_elements(types[k].shape.clone(), elements).unwrap();
            }
            interpret::run(&graph, &moved).unwrap().iter().flat_map(floats).collect::<Vec<f64>>()
        };
        let central = |h: f64| at(h).into_iter().zip(at(-h)).map(|(a, b)| (a - b) / (2.0 * h)).collect::<Vec<f64>>();
        let (coarse, fine) = (central(1e-3), central(5e-4));
        let tangent: Vec<f64> = outputs[n..].iter().flat_map(floats).collect();
        // The one operation whose derivative is not that of its values, by design.
        if name == "stop_gradient" {
            assert!(tangent.iter().all(|&t| t == 0.0));
            return;
        }
        for ((t, coarse), fine) in tangent.iter().zip(coarse).zip(fine) {
            let difference = (4.0 * fine - coarse) / 3.0;
            assert!(
                (t - difference).abs() <= 1e-7 * (1.0 + t.abs()),
                "{name}: tangent {t}, differences {difference}\n{jvp}"
            );
        }
    });
}

#[test]
fn reverse_mode_agrees_with_forward_mode() {
    each_sample(|name, sample, types, inputs, random| {
        let wrt = differentiable(&sample.op, types, 1);
        let graph = sample_graph(&sample.op, &sample.regions, types);
        let outputs: Vec<Type> = graph.outputs().iter().map(|output| graph.ty(output.value).clone()).collect();
        if wrt.is_empty() || !outputs.iter().all(|ty| ty.dtype.is_float()) {
            return;
        }
        let tangents: Vec<Array> = wrt.iter().map(|&k| random.array(&types[k], (-1.0, 1.0))).collect();
        let cts: Vec<Array> = outputs.iter().map(|ty| random.array(ty, (-1.0, 1.0))).collect();
        let forward: Vec<Array> = inputs.iter().chain(&tangents).cloned().collect();
        let reverse: Vec<Array> = inputs.iter().chain(&cts).cloned().collect();
        let pushed = both(name, &differentiate::jvp(&graph, &wrt).unwrap(), &forward);
        let pulled = both(name, &differentiate::vjp(&graph, &wrt).unwrap(), &reverse);
        let n = outputs.len();
        let (left, right) = (dot(&cts, &pushed[n..]), dot(&pulled[n..], &tangents));
        let single = types.iter().chain(&outputs).any(|ty| ty.dtype == DType::F32);
        let tolerance = if single { 2e-5 } else { 1e-12 };
        let size: f64 = pulled[n..].iter().flat_map(floats).map(f64::abs).sum::<f64>() + 1.0;
        assert!((left - right).abs() <= tolerance * size, "{name}: ⟨ct, J t⟩ = {left}, ⟨Jᵀ ct, t⟩ = {right}\n{graph}");
    });
}

/// ⟨u, ∂(Jᵀct) v⟩ = ⟨v, ∂(Jᵀct) u⟩: the Hessian of ⟨ct, f⟩ is symmetric; and reverse over reverse equals forward over
/// reverse.
#[test]
fn second_order_is_symmetric_and_modes_agree() {
    each_sample(|name, sample, types, inputs, random| {
        let wrt = differentiable(&sample.op, types, 2);
        let graph = sample_graph(&sample.op, &sample.regions, types);
        let outputs: Vec<Type> = graph.outputs().iter().map(|output| graph.ty(output.value).clone()).collect();
        let double = types.iter().chain(&outputs).all(|ty| ty.dtype != DType::F32);
        if wrt.is_empty() || !outputs.iter().all(|ty| ty.dtype.is_float()) {
            return;
        }
        let tolerance = if double { 1e-11 } else { 5e-5 };
        let cts: Vec<Array> = outputs.iter().map(|ty| random.array(ty, (-1.0, 1.0))).collect();
        let vjp = differentiate::vjp(&graph, &wrt).unwrap();
        let hvp = differentiate::jvp(&vjp, &wrt).unwrap();
        let [u, v] =
            [(), ()].map(|()| wrt.iter().map(|&k| random.array(&types[k], (-1.0, 1.0))).collect::<Vec<Array>>());
        let apply = |t: &[Array]| {
            let all: Vec<Array> = inputs.iter().chain(&cts).chain(t).cloned().collect();
            let results = both(name, &hvp, &all);
            results[results.len() - wrt.len()..].to_vec()
        };
        let (hu, hv) = (apply(&u), apply(&v));
        let size: f64 = hu.iter().chain(&hv).flat_map(floats).map(f64::abs).sum::<f64>() + 1.0;
        let (left, right) = (dot(&v, &hu), dot(&u, &hv));
        assert!((left - right).abs() <= tolerance * size, "{name}: ⟨v, H u⟩ = {left}, ⟨u, H v⟩ = {right}\n{hvp}");

        let twice = differentiate::vjp(&vjp, &wrt).unwrap();
        let n = outputs.len();
        let mut all: Vec<Array> = inputs.iter().chain(&cts).cloned().collect();
        all.extend(outputs.iter().map(Array::zeros));
        all.extend(u.iter().cloned());
        let reverse = both(name, &twice, &all);
        let reverse = &reverse[n + wrt.len()..];
        for (reverse, forward) in reverse.iter().zip(&hu) {
            for (a, b) in floats(reverse).into_iter().zip(floats(forward)) {
                assert!(
                    (a - b).abs() <= tolerance * size,
                    "{name}: reverse over reverse {a}, forward over reverse {b}\n{twice}"
                );
            }
        }
    });
}

/// Third order for operations with regions: the derivative of Hessian times vector along another vector is symmetric in
/// both vectors, and reverse mode gives the same as forward mode.
#[test]
fn third_order_through_regions_is_symmetric_and_modes_agree() {
    each_sample(|name, sample, types, inputs, random| {
        let wrt = float_operands(types);
        if sample.regions.is_empty() || types.iter().any(|ty| ty.dtype == DType::F32) {
            return;
        }
        let graph = sample_graph(&sample.op, &sample.regions, types);
        let outputs: Vec<Type> = graph.outputs().iter().map(|output| graph.ty(output.value).clone()).collect();
        if wrt.is_empty() || !outputs.iter().all(|ty| ty.dtype.is_float()) {
            return;
        }
        let cts: Vec<Array> = outputs.iter().map(|ty| random.array(ty, (-1.0, 1.0))).collect();
        let [u, v, t] =
            [(), (), ()].map(|()| wrt.iter().map(|&k| random.array(&types[k], (-1.0, 1.0))).collect::<Vec<Array>>());
        let vjp = differentiate::vjp(&graph, &wrt).unwrap();
        let hvp = differentiate::jvp(&vjp, &wrt).unwrap();
        let forward = differentiate::jvp(&hvp, &wrt).unwrap();
        let last = |graph: &Graph, parts: &[&[Array]]| {
            let results = both(name, graph, &[&[inputs, &cts], parts].concat().concat());
            results[results.len() - wrt.len()..].to_vec()
        };
        let (uv, vu) = (last(&forward, &[&u, &v]), last(&forward, &[&v, &u]));
        let size: f64 = uv.iter().flat_map(floats).map(f64::abs).sum::<f64>() + 1.0;
        let (left, right) = (dot(&t, &uv), dot(&t, &vu));
        assert!((left - right).abs() <= 1e-10 * size, "{name}: ⟨t, T u v⟩ = {left}, ⟨t, T v u⟩ = {right}");

        // Only the Hessian times u, the last output, gets a cotangent.
        let reverse = differentiate::vjp(&hvp, &wrt).unwrap();
        let seeds: Vec<Array> = hvp.outputs()[..hvp.outputs().len() - wrt.len()]
            .iter()
            .map(|output| Array::zeros(hvp.ty(output.value)))
            .collect();
        let tu = last(&reverse, &[&u, &seeds, &v]);
        for (a, b) in tu.iter().flat_map(floats).zip(uv.iter().flat_map(floats)) {
            assert!((a - b).abs() <= 1e-10 * size, "{name}: reverse mode {a}, forward mode {b}");
        }
    });
}

/// Derivatives in `f32` equal those in `f64`, which differences check, up to the rounding of `f32`.
#[test]
fn derivatives_in_single_precision_follow_those_in_double() {
    let widened = |ty: &Type| if ty.dtype == DType::F32 { ty.with_dtype(DType::F64) } else { ty.clone() };
    each_sample(|name, sample, types, inputs, random| {
        let wide: Vec<Type> = types.iter().map(widened).collect();
        if wide == types || sample.op.infer(&wide, &[]).is_err() {
            return;
        }
        let wrt = differentiable(&sample.op, types, 1);
        let tangents: Vec<Array> = wrt.iter().map(|&k| random.array(&types[k], (-1.0, 1.0))).collect();
        let inputs: Vec<Array> = inputs.iter().chain(&tangents).cloned().collect();
        let wide_inputs: Vec<Array> = inputs
            .iter()
            .map(|x| Array::collect(&widened(&x.ty()), x.elements().map(|e| e.convert(widened(&x.ty()).dtype))))
            .collect();
        let run = |types: &[Type], inputs: &[Array]| {
            both(name, &differentiate::jvp(&sample_graph(&sample.op, &sample.regions, types), &wrt).unwrap(), inputs)
        };
        for (single, double) in run(types, &inputs).iter().zip(run(&wide, &wide_inputs)) {
            if !single.dtype().is_float() {
                continue;
            }
            let size = floats(&double).into_iter().map(f64::abs).fold(1.0, f64::max);
            for (a, b) in floats(single).into_iter().zip(floats(&double)) {
                assert!(
                    (a - b).abs() <= 2e-5 * size,
                    "{name}: {a} in f32, {b} in f64\n{}",
                    sample_graph(&sample.op, &sample.regions, types)
                );
            }
        }
    });
}

/// What is constant wherever it has a derivative passes on no tangent and no cotangent.
#[test]
fn nothing_flows_through_operations_without_a_derivative() {
    let mut n_tried = 0;
    each_sample(|name, sample, types, inputs, random| {
        let kind = sample.op.derivative().kind();
        let graph = sample_graph(&sample.op, &sample.regions, types);
        let is_float = |ty: &Type| ty.dtype.is_float();
        let float_result = graph.outputs().iter().any(|output| is_float(graph.ty(output.value)));
        let wrt: Vec<usize> = (0..types.len()).filter(|&k| is_float(&types[k])).collect();
        let passes_nothing = kind == "zero" || ["floor", "ceil", "round", "trunc", "sign"].contains(&name);
        if !passes_nothing || !float_result || wrt.is_empty() {
            return;
        }
        n_tried += 1;
        for derivative in [differentiate::jvp(&graph, &wrt).unwrap(), differentiate::vjp(&graph, &wrt).unwrap()] {
            let seeds = derivative.inputs()[types.len()..].iter();
            let seeds = seeds.map(|input| random.array(derivative.ty(input.node.into()), (0.5, 1.0)));
            let inputs: Vec<Array> = inputs.iter().cloned().chain(seeds).collect();
            let results = both(name, &derivative, &inputs);
            let flows = results[graph.outputs().len()..].iter().flat_map(floats).any(|x| x != 0.0);
            assert!(!flows, "{name}: {results:?}\n{derivative}");
        }
    });
    assert!(n_tried >= 6, "{n_tried} samples of operations without a derivative");
}

/// Wrong operands are refused before anything reads them.
#[test]
fn wrong_operands_are_refused() {
    for (name, _, examples) in Op::table() {
        let Some(sample) = examples.samples.iter().find(|sample| sample.regions.is_empty()) else { continue };
        let types: Vec<Type> = sample.operands.iter().map(|(ty, _)| ty.clone()).collect();
        assert!(sample.op.infer(&types, &[]).is_ok(), "{name}");
        let refuses = |types: &[Type]| sample.op.infer(types, &[]).is_err();
        if let Some(first) = types.first() {
            assert!(refuses(&[&[first.stacked()], &types[1..]].concat()), "{name} takes a stack");
        }
        // A function of the host says itself what arrays it takes.
        if name == "external" {
            continue;
        }
        assert!(types.is_empty() || refuses(&[]), "{name} takes nothing");
        // One more that fits otherwise; but a concatenation takes any number of parts, and a sort of keys.
        let same = types.last().cloned().unwrap_or(Type::scalar(DType::F64));
        let more =
            if ["concatenate", "argsort"].contains(&name) { Type::new(DType::Bool, [2, 3, 5, 7, 11]) } else { same };
        assert!(refuses(&[&types[..], &[more]].concat()), "{name} takes one operand more");
    }
}
