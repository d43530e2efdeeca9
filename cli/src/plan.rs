use retrograd::compile::{Home, KernelKind, KernelReport, RegionReport, Report, Trips};
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
        let locations: Vec<Value> = step.homes.iter().map(location).collect();
        json!({"op": step.op, "line": step.line, "locations": locations})
    });
    let reads = kernel.reads.iter().map(|read| json!({"value": read.name, "location": location(&read.home)}));
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
fn location(location: &Home) -> Value {
    match location {
        Home::Input(name) => json!({"in": "input", "name": name}),
        Home::Output(name) => json!({"in": "output", "name": name}),
        Home::Constant => json!({"in": "constant"}),
        Home::Immediate => json!({"in": "code"}),
        Home::Arena(offset) => json!({"in": "arena", "offset": offset}),
        Home::Frame(slot) => json!({"in": "frame", "slot": slot}),
        Home::Tile(tile) => json!({"in": "tile", "tile": tile}),
        Home::Registers => json!({"in": "registers"}),
    }
}

fn region(region: &RegionReport) -> Value {
    let (kind, iterations) = match region.trips {
        Trips::Branch => ("branch", None),
        Trips::Known(n) => ("loop", Some(n)),
        Trips::Unknown => ("loop", None),
    };
    json!({"name": region.name, "kind": kind, "iterations": iterations, "kernels": kernels(&region.kernels)})
}
