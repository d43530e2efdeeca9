//! Closures traced to regions of the innermost trace.

use std::panic::Location;
use std::sync::Arc;

use super::trace::{Body, fail, free_name, trace_region, variable};
use super::{Graph, Range, Var};
use crate::error::Error;
use crate::value::Type;

/// A region that a closure was traced to.
pub(crate) struct Region {
    /// The region: its inputs are those that were asked for, then what the closure captured.
    pub graph: Graph,
    /// What it captured, in the trace around it.
    pub captured: Vec<Var>,
}

/// Traces a closure to a region of the innermost trace. What the closure uses of the traces around it becomes an input;
/// a number is copied instead.
///
/// `None` after an error, which is recorded in the innermost trace.
#[track_caller]
pub(crate) fn trace(
    name: &str,
    inputs: &[(String, Type)],
    body: impl FnOnce(&[Var]) -> Vec<(String, Var)>,
) -> Option<Region> {
    trace_boxed(Location::caller(), name, inputs, &[], Box::new(body))
}

/// The same, where it is known what the inputs may hold. Others count as finite.
#[track_caller]
pub(crate) fn trace_within(
    name: &str,
    inputs: &[(String, Type)],
    ranges: &[Range],
    body: impl FnOnce(&[Var]) -> Vec<(String, Var)>,
) -> Option<Region> {
    trace_boxed(Location::caller(), name, inputs, ranges, Box::new(body))
}

/// The same for a closure that was handed over at that line.
#[track_caller]
pub(crate) fn trace_at(
    at: &'static Location<'static>,
    name: &str,
    inputs: &[(String, Type)],
    body: impl FnOnce(&[Var]) -> Vec<(String, Var)>,
) -> Option<Region> {
    trace_boxed(at, name, inputs, &[], Box::new(body))
}

#[track_caller]
fn trace_boxed(
    at: &'static Location<'static>,
    name: &str,
    inputs: &[(String, Type)],
    ranges: &[Range],
    body: Body<'_>,
) -> Option<Region> {
    match trace_region(at, name, inputs, ranges, body) {
        Ok((graph, captured)) => Some(Region { graph, captured: captured.into_iter().map(variable).collect() }),
        Err(error) => {
            fail(error);
            None
        }
    }
}

impl Region {
    /// Gives several regions the same inputs: those that were asked for, then what any of them captured, which is returned.
    /// `None` after an error, which is recorded in the innermost trace.
    pub fn align(regions: Vec<Region>, n_asked: usize) -> Option<(Vec<Graph>, Vec<Var>)> {
        let mut captured: Vec<(Var, Arc<str>)> = Vec::new();
        for region in &regions {
            for (x, input) in region.captured.iter().zip(&region.graph.inputs()[n_asked..]) {
                if captured.iter().all(|(known, _)| known.value() != x.value()) {
                    captured.push((*x, input.name.clone()));
                }
            }
        }
        let aligned: Result<Vec<Graph>, Error> =
            regions.iter().map(|region| region.with_captures(&captured, n_asked)).collect();
        let vars = captured.iter().map(|&(x, _)| x).collect();
        aligned.map_err(fail).ok().map(|graphs| (graphs, vars))
    }

    fn with_captures(&self, captured: &[(Var, Arc<str>)], n_asked: usize) -> Result<Graph, Error> {
        let mut graph = Graph::new(self.graph.name());
        let own = self.graph.inputs();
        let ty = |position: usize| self.graph.ty(own[position].node.into()).clone();
        let mut inputs = Vec::new();
        for (position, input) in own[..n_asked].iter().enumerate() {
            inputs.push(graph.add_input(input.name.clone(), ty(position))?);
        }
        let mut places = vec![None; self.captured.len()];
        for (x, name) in captured {
            let name = free_name(name, |name| graph.inputs().iter().any(|input| *input.name == *name));
            let place = self.captured.iter().position(|own| own.value() == x.value());
            let ty = place.map_or_else(|| x.ty(), |place| ty(n_asked + place));
            let input = graph.add_input(name, ty)?;
            if let Some(place) = place {
                places[place] = Some(input);
            }
        }
        inputs.extend(places.into_iter().flatten());
        let map = graph.inline(&self.graph, &inputs)?;
        for output in self.graph.outputs() {
            let value = map.get(output.value).expect("bug: an output that does not exist");
            graph.add_output(output.name.clone(), value)?;
        }
        Ok(graph)
    }
}
