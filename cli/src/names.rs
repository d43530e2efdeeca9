use retrograd::Graph;
use retrograd::error::ArgumentError;

/// The position of a name.
pub fn position<'n>(
    kind: &'static str,
    name: &str,
    names: impl Iterator<Item = &'n str> + Clone,
) -> Result<usize, ArgumentError> {
    names.clone().position(|known| known == name).ok_or_else(|| ArgumentError::Unknown {
        kind,
        name: name.to_string(),
        known: names.map(str::to_string).collect(),
    })
}

/// The positions of names, of which none may be there twice.
pub fn distinct<'n>(
    kind: &'static str,
    names: &[String],
    known: impl Iterator<Item = &'n str> + Clone,
) -> Result<Vec<usize>, ArgumentError> {
    let mut positions = Vec::new();
    for name in names {
        let at = position(kind, name, known.clone())?;
        if positions.contains(&at) {
            return Err(ArgumentError::Value { name: name.clone(), requirement: "is named twice".to_string() });
        }
        positions.push(at);
    }
    Ok(positions)
}

/// The position of the output of that name; without a name, of the first.
pub fn output_position(graph: &Graph, name: Option<&str>) -> Result<usize, ArgumentError> {
    match name {
        None => Ok(0),
        Some(name) => position("output", name, graph.outputs().iter().map(|output| &*output.name)),
    }
}

/// The positions of the inputs of these names; without names, of all of floating point.
pub fn input_positions(graph: &Graph, names: &[String]) -> Result<Vec<usize>, ArgumentError> {
    if names.is_empty() {
        let is_float = |&at: &usize| graph.ty(graph.inputs()[at].node.into()).dtype.is_float();
        return Ok((0..graph.inputs().len()).filter(is_float).collect());
    }
    distinct("input", names, graph.inputs().iter().map(|input| &*input.name))
}

/// Requires that something be left to differentiate.
pub fn require_some(kind: &str, positions: &[usize]) -> Result<(), ArgumentError> {
    if !positions.is_empty() {
        return Ok(());
    }
    let requirement = format!("takes an {kind} of floating point, but the graph has none");
    Err(ArgumentError::Value { name: "derivative".to_string(), requirement })
}

/// The graph with these of its outputs alone, in this order.
pub fn with_outputs(mut graph: Graph, positions: &[usize]) -> Graph {
    let outputs = graph.outputs().to_vec();
    graph.clear_outputs();
    for output in positions.iter().map(|&at| &outputs[at]) {
        graph.add_output(output.name.clone(), output.value).expect("bug: an output that was one before");
    }
    graph
}
