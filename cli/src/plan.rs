use retrograd::compile::{Iterations, KernelKind, KernelReport, Location, RegionReport, Report};
use serde_json::{Value, json};

/// The plan of a program in JSON; what is not known is null.
pub fn json(plan: &Report) -> Value {
    let cost = plan.cost();
    json!({
        "graph": plan.name,
        "moved_bytes": plan.moved_bytes(),
        "f64_flops": cost.map(|cost| cost.f64_flops),
        "f32_flops": cost.map(|cost| cost.f32_flops),
        "calls": cost.map(|cost| cost.calls),
        "arena_bytes": plan.arena_bytes,
        "frame_bytes": plan.frame_bytes,
        "input_bytes": plan.input_bytes,
        "output_bytes": plan.output_bytes,
        "constant_bytes": plan.constant_bytes,
        "code_bytes": plan.code_bytes,
        "loops_save": plan.makes_stacks,
        "kernels": kernels(&plan.kernels),
    })
}

fn kernels(kernels: &[KernelReport]) -> Vec<Value> {
    kernels.iter().map(kernel).collect()
}

fn kernel(kernel: &KernelReport) -> Value {
    let (kind, shape) = match &kernel.kind {
        KernelKind::Scalar => ("scalar", None),
        KernelKind::Loop { shape } => ("loop", Some(shape.to_vec())),
        KernelKind::Library => ("library", None),
        KernelKind::Control => ("control", None),
        KernelKind::Registers => ("registers", None),
    };
    let steps = kernel.steps.iter().map(|step| {
        let locations: Vec<Value> = step.locations.iter().map(location).collect();
        json!({"op": step.op, "line": step.line, "locations": locations})
    });
    let reads = kernel.reads.iter().map(|read| json!({"value": read.name, "location": location(&read.location)}));
    json!({
        "kind": kind,
        "shape": shape,
        "steps": steps.collect::<Vec<_>>(),
        "reads": reads.collect::<Vec<_>>(),
        "read_bytes": kernel.read_bytes,
        "written_bytes": kernel.written_bytes,
        "scratch_bytes": kernel.scratch_bytes,
        "f64_flops": kernel.cost.map(|cost| cost.f64_flops),
        "f32_flops": kernel.cost.map(|cost| cost.f32_flops),
        "calls": kernel.cost.map(|cost| cost.calls),
        "functions": kernel.functions,
        "code_bytes": kernel.code_bytes,
        "regions": kernel.regions.iter().map(region).collect::<Vec<_>>(),
    })
}

/// Where a value is: what kind of place, and its name, offset or number.
fn location(location: &Location) -> Value {
    match location {
        Location::Input(name) => json!({"in": "input", "name": name}),
        Location::Output(name) => json!({"in": "output", "name": name}),
        Location::Constant => json!({"in": "constant"}),
        Location::Immediate => json!({"in": "code"}),
        Location::Arena(offset) => json!({"in": "arena", "offset": offset}),
        Location::Frame(slot) => json!({"in": "frame", "slot": slot}),
        Location::Tile(tile) => json!({"in": "tile", "tile": tile}),
        Location::Registers => json!({"in": "registers"}),
    }
}

fn region(region: &RegionReport) -> Value {
    let (kind, iterations) = match region.iterations {
        Iterations::Branch => ("branch", None),
        Iterations::Known(n) => ("loop", Some(n)),
        Iterations::Unknown => ("loop", None),
    };
    json!({"name": region.name, "kind": kind, "iterations": iterations, "kernels": kernels(&region.kernels)})
}
