//! The functions of the host that a program calls, as they were registered when it was compiled.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::error::ExternalError;
use crate::external::Host;
use crate::ir::NodeId;
use crate::op::{External, Graph, Op};
use crate::value::Type;

/// The functions by their names.
#[derive(Clone, Debug, Default)]
pub struct Hosts(HashMap<String, Arc<Host>>);

impl Hosts {
    /// Those that a graph and its regions apply.
    ///
    /// # Errors
    /// If one is not registered, or for other types.
    pub fn of(graph: &Graph) -> Result<Hosts, ExternalError> {
        let mut hosts = Hosts::default();
        let (mut pending, mut met) = (vec![graph], HashSet::new());
        while let Some(graph) = pending.pop() {
            for id in graph.ids() {
                if let Some(Op::External(op)) = graph.node(id).op() {
                    hosts.add(graph, id, op)?;
                }
                let regions = graph.node(id).regions().iter().map(|region| &**region);
                pending.extend(regions.filter(|&region| met.insert(std::ptr::from_ref(region))));
            }
        }
        Ok(hosts)
    }

    fn add(&mut self, graph: &Graph, id: NodeId, op: &External) -> Result<(), ExternalError> {
        let types: Vec<Type> = graph.operands(id).iter().map(|&x| graph.ty(x).clone()).collect();
        let at = graph.node(id).provenance().at.as_ref();
        // One name is one function in the whole program, though it may be replaced meanwhile.
        if let Some(host) = self.0.get(&op.function) {
            return host.check(&types, &op.results, at);
        }
        self.0.insert(op.function.clone(), op.find(&types, at)?);
        Ok(())
    }

    /// The function of an operation of the graph.
    pub fn get(&self, op: &External) -> Arc<Host> {
        self.0.get(&op.function).cloned().expect("bug: a function of the host that was not looked up")
    }
}
