//! The plan of a program as users see it: kernels, homes, bytes, arithmetic; and kernels that are timed one by one.

use std::fs;
use std::path::Path;

use retrograd::compile::{Home, KernelKind, KernelReport, Report, Trips};
use retrograd::op::{Cost, Lowering, Schedule};
use retrograd::value::{Array, ArrayMut, ArrayRef, DType, Scalar, Type};
use retrograd::{Graph, Loop, Program, Var, cond, differentiate, fori_loop, optimize, trace, while_loop};

fn plan(graph: &Graph) -> Report {
    Program::inspect(graph).unwrap().plan
}

fn f64s(shape: &[usize]) -> Type {
    Type::new(DType::F64, shape)
}

/// The gradient of the first output that has one, by all inputs of floating point.
fn gradient(graph: &Graph) -> Graph {
    let is_float = |value| graph.ty(value).dtype.is_float();
    let of = graph.outputs().iter().position(|output| graph.ty(output.value).rank() == 0 && is_float(output.value));
    let wrt: Vec<usize> = (0..graph.inputs().len()).filter(|&k| is_float(graph.inputs()[k].node.into())).collect();
    differentiate::grad(graph, of.unwrap(), &wrt).unwrap()
}

fn homes(kernel: &KernelReport) -> Vec<String> {
    kernel.steps.iter().map(|step| step.homes.iter().map(Home::to_string).collect::<Vec<_>>().join(", ")).collect()
}

fn reads(kernel: &KernelReport) -> Vec<String> {
    kernel.reads.iter().map(|read| format!("{}: {}", read.name, read.home)).collect()
}

fn examples() -> Vec<(String, Graph, Vec<Array>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ir-examples");
    let mut examples = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let Some(stem) = path.to_str().unwrap().strip_suffix(".inputs.json") else { continue };
        let graph = Graph::load(format!("{stem}.json")).unwrap();
        let given: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let inputs = graph.inputs().iter().map(|input| {
            let text = given[&*input.name].to_string();
            let json = retrograd::value::json::Json::parse(&text).unwrap();
            Array::from_json(&json, graph.ty(input.node.into())).unwrap()
        });
        let inputs = inputs.collect();
        examples.push((stem.to_string(), graph, inputs));
    }
    assert!(examples.len() > 5);
    examples
}

#[test]
fn what_fuses_is_read_once_and_kept_in_registers() {
    let graph = trace(|x: Var, s: Var| ((x * s - 1.0) * x).sum_axes(&[1]), (f64s(&[40, 30]), f64s(&[30]))).unwrap();
    let plan = plan(&graph);
    let [kernel] = &plan.kernels[..] else { panic!("{plan}") };
    assert_eq!(kernel.kind, KernelKind::Loop { shape: [40, 30].into() });
    assert_eq!(kernel.summary(), "2 mul, reduce_sum, sub");
    assert_eq!(homes(kernel), ["registers", "registers", "registers", "output out"]);
    // The row that all rows share is read as it is, and the number 1 stands in the code.
    assert_eq!(kernel.read_bytes, 8 * (40 * 30 + 30));
    assert_eq!(kernel.written_bytes, 8 * 40);
    assert_eq!(reads(kernel).len(), 3, "{plan}");
    assert!(reads(kernel)[2].ends_with(": in the code"), "{plan}");
    assert_eq!(kernel.cost.unwrap().flops(), 3 * 1200 + (1200 - 40));
    assert_eq!(plan.memory_bytes(), 0);
    assert_eq!((plan.input_bytes, plan.output_bytes), (8 * 1230, 320));
}

#[test]
fn tiles_and_the_arena_are_told() {
    let f = |x: Var| {
        let y = x.exp() + x.sin();
        y / y.sum()
    };
    let graph = trace(f, (f64s(&[2000]),)).unwrap();
    let inspection = Program::inspect(&graph).unwrap();
    let plan = &inspection.plan;
    let [first, second] = &plan.kernels[..] else { panic!("{plan}") };
    // The functions go through tiles; their sum is needed again, after all of it is known.
    assert_eq!(homes(first)[..3], ["tile 0", "tile 1", "arena + 0"], "{plan}");
    assert_eq!(first.cost.unwrap(), Cost { f64_flops: 2000 + 1999, calls: 4000, ..Cost::default() });
    assert_eq!(first.scratch_bytes, 2 * 512 * 8);
    assert_eq!(reads(second)[0], "%2: arena + 0", "{plan}");
    assert_eq!(homes(second), ["output out"]);
    assert_eq!(plan.memory_bytes().next_multiple_of(64), inspection.program.memory_bytes());
    assert!(plan.arena_bytes >= 16_000 + first.scratch_bytes);
}

#[test]
fn views_are_read_where_they_are() {
    let f = |x: Var| (x.slice_axis(0, 0, 10, 1) * x.slice_axis(0, 5, 15, 1)).reshape(&[2, 5]).sum();
    let graph = trace(f, (f64s(&[100]),)).unwrap();
    let plan = plan(&graph);
    // Two slices that overlap are two rows to read; of what is not within them nothing is.
    assert_eq!(plan.kernels[0].read_bytes, 8 * 20, "{plan}");
    assert_eq!(reads(&plan.kernels[0]), ["%x: input x"]);
}

#[test]
fn products_are_calls_of_a_library() {
    let graph = trace(|x: Var, y: Var| x.dot(y), (f64s(&[40, 30]), f64s(&[30, 50]))).unwrap();
    let plan = plan(&graph);
    let [kernel] = &plan.kernels[..] else { panic!("{plan}") };
    assert_eq!((&kernel.kind, kernel.summary().as_str()), (&KernelKind::Library, "dot_general"));
    assert_eq!(kernel.cost.unwrap().flops(), 2 * 40 * 30 * 50);
    assert_eq!((kernel.read_bytes, kernel.written_bytes), (8 * (1200 + 1500), 8 * 2000));
    assert!(kernel.functions.is_empty() && kernel.code_bytes == 0);
    assert_eq!(kernel.intensity(), Some(120_000.0 / 37_600.0));
}

#[test]
fn regions_are_counted_as_often_as_they_run() {
    let scalar = (DType::F64,);
    let cost = |graph: &Graph| plan(graph).cost();
    let repeated = trace(|x: Var| fori_loop(7, x, |_, x| x * x + 1.0), scalar).unwrap();
    assert_eq!(cost(&repeated).unwrap().flops(), 14);
    let region = &plan(&repeated).kernels[0].regions[0];
    assert_eq!((region.trips, region.kernels[0].summary().as_str()), (Trips::Known(7), "add, constant, mul"));
    // Of two branches the dearer.
    let branched = trace(|x: Var| cond(x.greater(0.0), || x * x + x, || x + x), scalar).unwrap();
    assert_eq!(cost(&branched).unwrap().flops(), 2);
    assert_eq!(plan(&branched).kernels.iter().flat_map(|kernel| &kernel.regions).count(), 2);
    // Nobody knows how often.
    let endless = trace(|x: Var| while_loop(x, |x: Var| x.less(10.0), |x: Var| x * 2.0), scalar).unwrap();
    assert_eq!(cost(&endless), None);
    assert!(plan(&endless).to_string().contains("depends on the number of trips"));
    // With a schedule, states are computed once more: three trips from one state take two and one.
    let looped = Loop::new().checkpoint(Schedule::Binomial(1));
    let scheduled = trace(move |x: Var| looped.fori_loop(3, x, |_, x| x.sin()), scalar).unwrap();
    let scheduled = plan(&optimize::optimize(&gradient(&scheduled)).unwrap());
    let regions = scheduled.kernels.iter().flat_map(|kernel| &kernel.regions);
    let back: Vec<Trips> = regions.map(|region| region.trips).collect();
    assert!(back.ends_with(&[Trips::Known(3), Trips::Known(3)]), "{back:?}");
}

/// Large regions have kernels of their own, which stand in the plan under their operation.
#[test]
fn kernels_of_regions_are_nested() {
    let graph = trace(|x: Var| fori_loop(5, x, |_, x| (x * 0.5).sin()), (f64s(&[1000]),)).unwrap();
    let plan = plan(&graph);
    let [kernel] = &plan.kernels[..] else { panic!("{plan}") };
    assert_eq!(kernel.kind, KernelKind::Control);
    let [region] = &kernel.regions[..] else { panic!("{plan}") };
    let [inner] = &region.kernels[..] else { panic!("{plan}") };
    assert_eq!(inner.kind, KernelKind::Loop { shape: [1000].into() });
    assert_eq!(kernel.cost.unwrap(), inner.cost.unwrap().times(5));
    assert_eq!(kernel.cost.unwrap(), Cost { f64_flops: 5000, calls: 5000, ..Cost::default() });
    assert!(inner.code_bytes > 0 && kernel.code_bytes > inner.code_bytes);
    // Both copies of the carry, and what a trip needs.
    assert!(kernel.scratch_bytes >= 16_000 && plan.arena_bytes >= kernel.scratch_bytes);
}

/// The plan leaves nothing out: each operation that computes something stands in a kernel, and all of the arithmetic is
/// that of the operations.
#[test]
fn every_operation_of_every_example_stands_in_a_kernel() {
    for (name, graph, _) in examples() {
        for graph in [optimize::optimize(&graph).unwrap(), gradient(&graph)] {
            let inspection = Program::inspect(&graph).unwrap();
            let text = inspection.plan.to_string();
            let (n_lines, cost) = computed(&graph, &text);
            assert!(n_lines > 0, "{name}");
            if let Some(cost) = cost {
                assert_eq!(inspection.plan.cost(), Some(cost), "{name}: {text}");
            }
            let code: usize = inspection.plan.kernels.iter().map(|kernel| kernel.code_bytes).sum();
            assert!(0 < code && code <= inspection.plan.code_bytes, "{name}: {text}");
        }
    }
}

/// Requires that the plan hold the lines of a graph; gives how many there are and, without regions, what they cost.
fn computed(graph: &Graph, plan: &str) -> (usize, Option<Cost>) {
    let (mut n_lines, mut cost) = (0, Some(Cost::default()));
    let mut needed: Vec<bool> = vec![false; graph.n_nodes()];
    let roots = graph.outputs().iter().map(|output| output.value);
    roots.chain(graph.guards().iter().map(|guard| guard.value)).for_each(|x| needed[x.node.index()] = true);
    for id in graph.ids().rev().filter(|id| graph.node(*id).op().is_some()) {
        if !needed[id.index()] {
            continue;
        }
        graph.operands(id).iter().for_each(|x| needed[x.node.index()] = true);
        let node = graph.node(id);
        let op = node.op().unwrap();
        match op.lower() {
            Lowering::Constant(_) | Lowering::View(_) => continue,
            Lowering::Inline(_)
            | Lowering::Math1(_)
            | Lowering::Math2(_)
            | Lowering::Reduce { .. }
            | Lowering::Library(_)
            | Lowering::Control(_) => {}
        }
        let line = graph.line(id);
        assert!(plan.contains(&line), "{line} is missing:\n{plan}");
        n_lines += 1;
        let operands: Vec<&Type> = graph.operands(id).into_iter().map(|x| graph.ty(x)).collect();
        cost = cost.map(|cost| cost.plus(op.cost(&operands, node.types())));
        for region in node.regions() {
            n_lines += computed(region, plan).0;
            cost = None;
        }
    }
    (n_lines, cost)
}

#[test]
fn kernels_that_are_timed_compute_what_a_call_does() {
    for (name, graph, inputs) in examples() {
        let inspection = Program::inspect(&optimize::optimize(&gradient(&graph)).unwrap()).unwrap();
        let x: Vec<ArrayRef<'_>> = inputs.iter().map(Array::view).collect();
        let mut outputs: Vec<Array> = inspection.program.outputs().iter().map(|(_, ty)| Array::zeros(ty)).collect();
        let mut y: Vec<ArrayMut<'_>> = outputs.iter_mut().map(Array::view_mut).collect();
        let times = inspection.time_kernels(&x, &mut y).unwrap();
        assert_eq!(times.len(), inspection.plan.kernels.len(), "{name}");
        drop(y);
        assert_eq!(outputs, inspection.program.call(&inputs).unwrap(), "{name}");
    }
}

#[test]
fn a_missed_guard_ends_a_timed_call_too() {
    let graph = retrograd::jit(|x: Var| if x > 1.0 { x * 2.0 } else { x }).graph(2.0).unwrap();
    let inspection = Program::inspect(&graph).unwrap();
    let (x, mut y) = (Array::scalar(0.5), Array::scalar(0.0));
    let error = inspection.time_kernels(&[x.view()], &mut [y.view_mut()]).unwrap_err();
    assert_eq!(error, inspection.program.call(&[x]).unwrap_err());
    let short = Array::full(&f64s(&[1]), Scalar::F64(0.0));
    assert!(inspection.time_kernels(&[short.view()], &mut [y.view_mut()]).is_err());
}
