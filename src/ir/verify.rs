//! The invariants of a graph.
//!
//! By construction (checked by the builder of [`Graph`], which the reader of files uses, too):
//! - (V1) The inputs are the first nodes, in order.
//! - (V2) An operand of a node is a result of an earlier node, so that index order is a schedule.
//! - (V3) A node's types are those that its operation infers from its operands and regions.
//! - (V4) A value of any of these types can be addressed.
//! - (V5) A region is closed: it uses nothing but its own inputs. Regions are not nested deeper than a graph may be.
//! - (V6) Outputs, guards and roles refer to values that exist; a role refers to one of an earlier node.
//! - (V7) A guard's value is a scalar of `bool`.
//! - (V8) A region has no guards.
//! - (V9) Inputs and outputs of a graph are arrays, and stacks that are operands of one node come from one loop.
//!
//! Checked by [`Graph::verify`], since it concerns the whole graph:
//! - (V10) Inputs have distinct names, and so have outputs; no name is empty.
//!
//! (V2) to (V4) and (V6) to (V9) are checked again, so that a defect of a pass shows here rather than as wrong numbers.

use std::collections::HashSet;
use std::sync::Arc;

use super::file::Ids;
use super::graph::{EMPTY_NAME, GUARDED_REGION, NO_VALUE, ROLE_OF_NOTHING, guard_of, mixed_stacks, output_of};
use super::{Graph, NodeId, Operation, Signature, Value};
use crate::error::{Finding, VerifyError};
use crate::value::{DType, Type};

/// The most findings that are listed; further ones are only counted.
const MAX_FINDINGS: usize = 100;

impl<O: Operation> Graph<O> {
    /// Checks every invariant of this graph and its regions.
    ///
    /// # Errors
    /// All findings.
    pub fn verify(&self) -> Result<(), VerifyError> {
        let mut findings = Findings::default();
        // A region may have many uses: it is checked once, since nested ones would otherwise take exponential time.
        let mut seen = HashSet::new();
        let mut pending = vec![self];
        while let Some(graph) = pending.pop() {
            Check { graph, ids: Ids::new(graph), findings: &mut findings }.all();
            let regions = graph.ids().flat_map(|id| graph.node(id).regions());
            pending.extend(regions.filter(|region| seen.insert(Arc::as_ptr(region))).map(|region| &**region));
        }
        findings.into_result()
    }
}

struct Check<'g, 'f, O> {
    graph: &'g Graph<O>,
    ids: Ids<'g, O>,
    findings: &'f mut Findings,
}

impl<O: Operation> Check<'_, '_, O> {
    fn all(&mut self) {
        self.names("inputs", self.graph.inputs().iter().map(|input| &*input.name));
        self.names("outputs", self.graph.outputs().iter().map(|output| &*output.name));
        for id in self.graph.ids() {
            self.node(id);
        }
        for (position, guard) in self.graph.guards().iter().enumerate() {
            let place = format!("{}.guards[{position}]", self.graph.name());
            if !self.graph.contains(guard.value) {
                self.findings.add(place, NO_VALUE);
            } else if *self.graph.ty(guard.value) != Type::scalar(DType::Bool) {
                self.findings.add(place, guard_of(self.graph.ty(guard.value)));
            }
        }
        for (position, output) in self.graph.outputs().iter().enumerate() {
            let place = || format!("{}.outputs[{position}]", self.graph.name());
            if !self.graph.contains(output.value) {
                self.findings.add(place(), NO_VALUE);
            } else if self.graph.ty(output.value).stack {
                self.findings.add(place(), output_of(self.graph.ty(output.value)));
            }
        }
    }

    fn names<'n>(&mut self, kind: &str, names: impl Iterator<Item = &'n str>) {
        let mut seen = HashSet::new();
        for (position, name) in names.enumerate() {
            let place = format!("{}.{kind}[{position}]", self.graph.name());
            if name.is_empty() {
                self.findings.add(place, EMPTY_NAME);
            } else if !seen.insert(name) {
                self.findings.add(place, format!("the name \"{name}\" is given twice"));
            }
        }
    }

    fn node(&mut self, id: NodeId) {
        let node = self.graph.node(id);
        if node.types().iter().any(|ty| ty.checked_bytes().is_none()) {
            self.add(id, "a result is too large to be addressed");
        }
        let earlier = |value: Value| value.node < id && self.graph.contains(value);
        if node.provenance().role.is_some_and(|role| !earlier(role.of())) {
            self.add(id, ROLE_OF_NOTHING);
        }
        let Some(op) = node.op() else { return };
        let operands = self.graph.operands(id);
        if !operands.iter().all(|&operand| earlier(operand)) {
            return self.add(id, "an operand is not a result of an earlier node");
        }
        if node.regions().iter().any(|region| !region.guards().is_empty()) {
            self.add(id, GUARDED_REGION);
        }
        if let Some(slots) = self.graph.mixed_stacks(&operands) {
            let message = mixed_stacks(slots.map(|slot| self.ids.value(operands[slot])));
            self.add(id, format!("{}: {message}", op.name()));
        }
        // A region with invalid outputs has no signature; they are reported for the region itself.
        let proper = |region: &Graph<O>| region.outputs().iter().all(|output| region.contains(output.value));
        if !node.regions().iter().all(|region| proper(region)) {
            return;
        }
        let types: Vec<Type> = operands.iter().map(|&operand| self.graph.ty(operand).clone()).collect();
        let regions: Vec<Signature> = node.regions().iter().map(|region| region.signature()).collect();
        match op.infer(&types, &regions) {
            Ok(types) if types[..] == *node.types() => {}
            Ok(types) => self.add(id, recorded(node.types(), op.name(), &types)),
            Err(mismatch) => self.add(id, format!("{}: {mismatch}", op.name())),
        }
    }

    fn add(&mut self, id: NodeId, message: impl Into<String>) {
        self.findings.add(format!("{}.{}", self.graph.name(), self.ids.node(id)), message);
    }
}

/// The message about recorded types that differ from the inferred ones.
pub(super) fn recorded(recorded: &[Type], op: &str, inferred: &[Type]) -> String {
    let list = |types: &[Type]| match types {
        [ty] => ty.to_string(),
        types => format!("[{}]", types.iter().map(Type::to_string).collect::<Vec<_>>().join(", ")),
    };
    format!("the type is recorded as {}, but {op} gives {}", list(recorded), list(inferred))
}

/// The findings so far.
#[derive(Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
    n_more: usize,
}

impl Findings {
    /// Adds a finding without a hint.
    pub fn add(&mut self, place: impl Into<String>, message: impl Into<String>) {
        self.add_with_hint(place, message, || None);
    }

    /// Adds a finding. The hint is computed only if the finding is listed.
    pub fn add_with_hint(
        &mut self,
        place: impl Into<String>,
        message: impl Into<String>,
        hint: impl FnOnce() -> Option<String>,
    ) {
        if self.list.len() < MAX_FINDINGS {
            self.list.push(Finding { place: place.into(), message: message.into(), hint: hint() });
        } else {
            self.n_more += 1;
        }
    }

    /// The number of findings.
    pub fn n(&self) -> usize {
        self.list.len() + self.n_more
    }

    /// An error with all findings, if there are any.
    pub fn into_result(mut self) -> Result<(), VerifyError> {
        if self.n_more > 0 {
            let message = format!("{} more findings are not listed", self.n_more);
            self.list.push(Finding { place: String::new(), message, hint: None });
        }
        if self.list.is_empty() { Ok(()) } else { Err(VerifyError { findings: self.list }) }
    }
}
