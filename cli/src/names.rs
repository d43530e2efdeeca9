use std::collections::HashSet;

use retrograd::Graph;
use retrograd::error::ArgumentError;

use crate::complex::positions_of_parts;

/// What `--help` says about lists of names.
macro_rules! names_help {
    () => {
        "\
Several names are given as w,t or as w t. What follows a list such as `--wrt w t` is taken for another name up to the next
option; `--wrt=w,t` ends there. A name that contains a comma is written like any other: if a list can be read in several
ways, the longest names that exist are meant. The name z also means both parts of a complex z, z.re and z.im."
    };
}
pub(super) use names_help;

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

/// The positions of names, each once; that of a complex value means both its parts. An argument is a name or several with commas between them; since a name may hold
/// commas, too, the longest that exists counts.
pub fn distinct<'n>(
    kind: &'static str,
    arguments: &[String],
    known: impl Iterator<Item = &'n str> + Clone,
) -> Result<Vec<usize>, ArgumentError> {
    let names: HashSet<&str> = known.clone().collect();
    let mut positions = Vec::new();
    for name in arguments.iter().flat_map(|argument| split(argument, &names)) {
        let meant = match positions_of_parts(name, known.clone()) {
            Some(parts) if !names.contains(name) => parts.to_vec(),
            _ => vec![position(kind, name, known.clone())?],
        };
        if meant.iter().any(|at| positions.contains(at)) {
            return Err(ArgumentError::Value { name: name.to_string(), requirement: "is named twice".to_string() });
        }
        positions.extend(meant);
    }
    Ok(positions)
}

/// The names in a list: from each comma on the longest that is known, or else what ends at the next comma.
fn split<'a>(list: &'a str, known: &HashSet<&str>) -> Vec<&'a str> {
    // What is longer than every name need not be looked up.
    let longest = known.iter().map(|name| name.len()).max().unwrap_or(0);
    let mut names = Vec::new();
    let mut rest = Some(list);
    while let Some(text) = rest {
        let mut ends = text.match_indices(',').map(|(at, _)| at).chain([text.len()]);
        let first = ends.next().unwrap_or(text.len());
        let ends: Vec<usize> = [first].into_iter().chain(ends.take_while(|&end| end <= longest)).collect();
        let end = ends.into_iter().rev().find(|&end| known.contains(&text[..end])).unwrap_or(first);
        names.push(&text[..end]);
        rest = text.get(end + 1..);
    }
    names
}

/// The position of the output of that name; without a name, of the first.
pub fn output_position(graph: &Graph, name: Option<&str>) -> Result<usize, ArgumentError> {
    let Some(name) = name else { return Ok(0) };
    let names = graph.outputs().iter().map(|output| &*output.name);
    position("output", name, names.clone()).map_err(|unknown| match positions_of_parts(name, names) {
        Some([re, im]) => {
            let [re, im] = [re, im].map(|at| &graph.outputs()[at].name);
            let requirement = format!("is complex; this takes one of its parts, {re} or {im}");
            ArgumentError::Value { name: name.to_string(), requirement }
        }
        None => unknown,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_names_are_split_at_commas_that_are_in_no_name() {
        let is = |list: &str, known: &[&str], expected: &[&str]| {
            assert_eq!(split(list, &known.iter().copied().collect()), expected, "{list}");
        };
        is("w,t", &["w", "t"], &["w", "t"]);
        is("a,b", &["a", "b", "a,b"], &["a,b"]);
        is("a,b,c", &["a,b", "c"], &["a,b", "c"]);
        is("c,a,b", &["a,b", "c"], &["c", "a,b"]);
        is("v,w", &["w"], &["v", "w"]);
        is("w,", &["w"], &["w", ""]);
        is(",", &[","], &[","]);
        is("", &["w"], &[""]);
    }
}
