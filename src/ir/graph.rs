use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use serde_json::Map;
use smallvec::SmallVec;

use crate::error::{ArgumentError, Error, LimitError, OperationError, SAVED_VALUES, SourceLine, Text};
use crate::value::{Array, DType, Type};

/// The result types of a node.
pub type Types = SmallVec<[Type; 1]>;

/// The operands of a node, by slot.
pub type Operands = SmallVec<[Value; 3]>;

/// What a graph requires of its operations.
pub trait Operation: Clone + Eq + Hash + fmt::Debug {
    /// The name in listings and files.
    fn name(&self) -> &'static str;
    /// Operand types and region signatures → result types.
    fn infer(&self, operands: &[Type], regions: &[Signature]) -> Result<Types, Mismatch>;
    /// The parameters in listings and files, in a fixed order, without a constant's elements.
    fn attributes(&self) -> Map<String, serde_json::Value>;
    /// The operation with this name and these parameters.
    fn from_attributes(name: &str, attributes: Map<String, serde_json::Value>) -> Result<Self, Mismatch>;
    /// Whether swapping the operands changes no bit of the result, with all NaNs equal.
    fn commutes(&self) -> bool;
    /// The value, if the operation is a constant.
    fn constant(&self) -> Option<&Array>;
    /// The constant with this value.
    fn from_constant(value: Array) -> Self;
    /// Every operation's name.
    fn names() -> &'static [&'static str];
}

/// A requirement that operands or parameters do not meet, and what was found instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch(pub String);

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Builds a [`Mismatch`] from a format string.
macro_rules! mismatch {
    ($($arg:tt)*) => { $crate::ir::Mismatch(format!($($arg)*)) };
}
pub(crate) use mismatch;

/// The types of a region's inputs and outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The types of the inputs, in order.
    pub inputs: Vec<Type>,
    /// The types of the outputs, in order.
    pub outputs: Vec<Type>,
}

/// The identity of a node: its position in the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(u32);

impl NodeId {
    /// The position in the schedule.
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// The node at this position, which must be less than the graph's [`Graph::n_nodes`].
    pub(crate) fn from_index(index: usize) -> NodeId {
        NodeId(u32::try_from(index).expect("bug: a node beyond the graph's limit"))
    }
}

/// One result of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value {
    /// The node.
    pub node: NodeId,
    /// Which of its results.
    pub result: u16,
}

impl From<NodeId> for Value {
    fn from(node: NodeId) -> Value {
        Value { node, result: 0 }
    }
}

/// What a node of a derivative graph is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Part of the cotangent of a primal value.
    Cotangent(Value),
    /// Part of the tangent of a primal value.
    Tangent(Value),
}

impl Role {
    /// The primal value.
    pub fn of(self) -> Value {
        match self {
            Role::Cotangent(value) | Role::Tangent(value) => value,
        }
    }

    /// The same role for another primal value.
    pub fn with(self, value: Value) -> Role {
        match self {
            Role::Cotangent(_) => Role::Cotangent(value),
            Role::Tangent(_) => Role::Tangent(value),
        }
    }
}

/// Where a node comes from.
#[derive(Clone, Debug, Default)]
pub struct Provenance {
    /// The user's source line.
    pub at: Option<SourceLine>,
    /// A name that the user gave.
    pub name: Option<Text>,
    /// What the node is for, in a derivative graph.
    pub role: Option<Role>,
}

/// A node is an input or the application of an operation.
#[derive(Clone, Debug)]
pub enum Content<O> {
    /// An input of the graph.
    Input,
    /// An operation.
    Op(O),
}

/// One node, without its operands, which are edges: see [`Graph::operands`].
#[derive(Clone, Debug)]
pub struct Node<O> {
    content: Content<O>,
    types: Results,
    provenance: Provenance,
    /// The fields of control flow only, boxed because a million scalar nodes have none.
    control: Option<Box<Control<O>>>,
}

/// The types of a node's results. Nearly all nodes have one.
#[derive(Clone, Debug)]
pub(super) enum Results {
    One(Type),
    Others(Box<[Type]>),
}

impl Results {
    fn types(&self) -> &[Type] {
        match self {
            Results::One(ty) => std::slice::from_ref(ty),
            Results::Others(types) => types,
        }
    }
}

impl From<Types> for Results {
    fn from(mut types: Types) -> Results {
        match types.len() {
            1 => Results::One(types.remove(0)),
            _ => Results::Others(types.into_vec().into_boxed_slice()),
        }
    }
}

#[derive(Clone, Debug)]
struct Control<O> {
    regions: Box<[Arc<Graph<O>>]>,
    /// For a node that runs along stacks: the loop that made them, or the first loop in a chain of such loops. Stacks
    /// that the node makes are as long as those along which it runs.
    along: Option<NodeId>,
}

impl<O> Control<O> {
    fn new(regions: Box<[Arc<Graph<O>>]>, along: Option<NodeId>) -> Option<Box<Control<O>>> {
        (!regions.is_empty() || along.is_some()).then(|| Box::new(Control { regions, along }))
    }
}

impl<O> Node<O> {
    /// The operation, or `None` for an input.
    pub fn op(&self) -> Option<&O> {
        match &self.content {
            Content::Input => None,
            Content::Op(op) => Some(op),
        }
    }

    /// The types of the results.
    pub fn types(&self) -> &[Type] {
        self.types.types()
    }

    /// The closed subgraphs.
    pub fn regions(&self) -> &[Arc<Graph<O>>] {
        self.control.as_ref().map_or(&[], |control| &control.regions)
    }

    /// See [`Control::along`].
    fn along(&self) -> Option<NodeId> {
        self.control.as_ref()?.along
    }

    /// Where the node comes from.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }
}

/// An edge: which result of its source is which operand of its target.
#[derive(Clone, Copy, Debug)]
struct Edge {
    result: u16,
    slot: u16,
}

/// An input: a node without operation, and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The name: the path of a leaf in the arguments.
    pub name: Arc<str>,
    /// The node.
    pub node: NodeId,
}

/// A result of the whole graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The name: the path of a leaf in the results.
    pub name: Arc<str>,
    /// The value.
    pub value: Value,
}

/// The outcome of a comparison that the graph is valid for.
#[derive(Clone, Debug)]
pub struct Guard {
    /// A scalar of `bool`.
    pub value: Value,
    /// Its value when the function was traced.
    pub expect: bool,
    /// The line of the comparison.
    pub at: Option<SourceLine>,
}

/// A typed dataflow graph whose nodes are in the order of their schedule.
#[derive(Clone)]
pub struct Graph<O> {
    name: Arc<str>,
    dag: DiGraph<Node<O>, Edge>,
    inputs: Vec<Input>,
    outputs: Vec<Output>,
    guards: Vec<Guard>,
    /// How deep regions are nested.
    depth: usize,
}

/// A summary; [`Display`](fmt::Display) lists the nodes. With all nodes, a region would be written at each of its uses.
impl<O> fmt::Debug for Graph<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph")
            .field("name", &self.name)
            .field("n_nodes", &self.dag.node_count())
            .field("inputs", &self.inputs)
            .field("outputs", &self.outputs)
            .finish_non_exhaustive()
    }
}

/// The most nodes that a graph may have; [`NodeId`] is 32 bits wide and petgraph keeps the last index for itself.
pub(crate) const MAX_NODES: usize = u32::MAX as usize - 1;

/// The most operands, and the most results, that a node may have: an [`Edge`] counts them in 16 bits.
pub(crate) const MAX_OPERANDS: usize = u16::MAX as usize;

/// How deep regions may be nested, in traces, graphs and files alike: what can be traced can be saved. Traversals recurse
/// into regions, so this bounds the stack that they take.
pub(crate) const MAX_DEPTH: usize = 128;

impl<O: Operation> Graph<O> {
    /// An empty graph.
    pub fn new(name: impl Into<Arc<str>>) -> Graph<O> {
        let (inputs, outputs, guards) = (Vec::new(), Vec::new(), Vec::new());
        Graph { name: name.into(), dag: DiGraph::new(), inputs, outputs, guards, depth: 0 }
    }

    /// Reserves capacity for the nodes and edges of another graph, so that building a graph of its size does not
    /// reallocate.
    pub(crate) fn reserve_like(&mut self, other: &Graph<O>) {
        self.dag.reserve_nodes(other.dag.node_count());
        self.dag.reserve_edges(other.dag.edge_count());
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sets the name.
    pub fn set_name(&mut self, name: impl Into<Arc<str>>) {
        self.name = name.into();
    }

    /// Appends an input. Inputs come before all operations.
    ///
    /// # Errors
    /// If there already is an operation, or an array of this type would not fit into memory.
    pub fn add_input(&mut self, name: impl Into<Arc<str>>, ty: Type) -> Result<Value, Error> {
        let name = name.into();
        if self.n_ops() > 0 {
            let requirement = "an input must come before all operations".to_string();
            return Err(ArgumentError::Value { name: name.to_string(), requirement }.into());
        }
        self.add_input_anywhere(name, ty)
    }

    /// Appends an input that may come after operations, while a trace discovers what its closure captures. Such a graph
    /// must be put in order with [`Graph::inline`] before it is used.
    pub(crate) fn add_input_anywhere(&mut self, name: Arc<str>, ty: Type) -> Result<Value, Error> {
        if ty.stack {
            let requirement = format!("an input must be an array, but got {ty}");
            return Err(ArgumentError::Value { name: name.to_string(), requirement }.into());
        }
        check_bytes(&ty, || name.to_string())?;
        self.add_part_input(name, ty)
    }

    /// Appends an input of any type, stacks included, to a graph that stands for a part of another and is never run itself.
    pub(crate) fn add_part_input(&mut self, name: Arc<str>, ty: Type) -> Result<Value, Error> {
        let provenance = Provenance { name: Some(Text::from(&*name)), ..Provenance::default() };
        let types = Results::One(ty);
        let node = self.push(Node { content: Content::Input, types, provenance, control: None })?;
        self.inputs.push(Input { name, node });
        Ok(node.into())
    }

    /// Appends the application of an operation. The result types are inferred.
    ///
    /// # Errors
    /// If an operand, or the value of the provenance's role, is not a value of this graph, or the operation rejects the
    /// operands. The message has the operands' lines and the provenance's source line.
    pub fn add(&mut self, op: O, operands: &[Value], provenance: Provenance) -> Result<NodeId, Error> {
        self.add_with_regions(op, operands, Box::default(), provenance)
    }

    /// Appends the application of an operation with regions.
    ///
    /// # Errors
    /// As [`Graph::add`], and if a region has guards, or regions would be nested more than 128 deep.
    pub fn add_with_regions(
        &mut self,
        op: O,
        operands: &[Value],
        regions: Box<[Arc<Graph<O>>]>,
        provenance: Provenance,
    ) -> Result<NodeId, Error> {
        if let Some(slot) = operands.iter().position(|&value| !self.contains(value)) {
            return Err(misuse(op.name(), format!("operand {slot} is not a value of this graph")));
        }
        if provenance.role.is_some_and(|role| !self.contains(role.of())) {
            return Err(misuse(op.name(), ROLE_OF_NOTHING.to_string()));
        }
        if regions.iter().any(|region| !region.guards.is_empty()) {
            return Err(misuse(op.name(), GUARDED_REGION.to_string()));
        }
        let types: SmallVec<[Type; 3]> = operands.iter().map(|&value| self.ty(value).clone()).collect();
        let signatures: SmallVec<[Signature; 0]> = regions.iter().map(|region| region.signature()).collect();
        let results = match op.infer(&types, &signatures) {
            Ok(results) => results,
            Err(mismatch) => return Err(self.operation_error(&op, mismatch, operands, provenance.at)),
        };
        for ty in &results {
            check_bytes(ty, || place_of(&op, provenance.at.as_ref()))?;
        }
        if let Some(slots) = self.mixed_stacks(operands) {
            let names = slots.map(|slot| self.value_name(operands[slot]));
            return Err(self.operation_error(&op, Mismatch(mixed_stacks(names)), operands, provenance.at));
        }
        self.append(op, operands, regions, results, provenance)
    }

    /// Appends a copy of a node of another graph, on operands of the same types as there, so that no types need be
    /// inferred.
    ///
    /// # Errors
    /// If the graph has the maximum number of nodes.
    pub(crate) fn add_same(
        &mut self,
        node: &Node<O>,
        operands: &[Value],
        provenance: Provenance,
    ) -> Result<NodeId, Error> {
        let op = node.op().expect("bug: an input is no operation");
        debug_assert!(
            {
                let types: Vec<Type> = operands.iter().map(|&value| self.ty(value).clone()).collect();
                let signatures: Vec<Signature> = node.regions().iter().map(|region| region.signature()).collect();
                op.infer(&types, &signatures).is_ok_and(|types| types[..] == *node.types())
            },
            "bug: {} on operands of other types",
            op.name()
        );
        self.append(op.clone(), operands, node.regions().into(), node.types.clone(), provenance)
    }

    /// Replaces a node's operation and regions, which may add further results after the existing ones. A derivative
    /// uses this to make a loop save what it needs, so that the loop runs only once. Returns the previous number of
    /// results.
    pub(crate) fn extend(&mut self, id: NodeId, op: O, regions: Box<[Arc<Graph<O>>]>) -> Result<usize, Error> {
        let operands = self.operands(id);
        let types: SmallVec<[Type; 3]> = operands.iter().map(|&value| self.ty(value).clone()).collect();
        let signatures: SmallVec<[Signature; 0]> = regions.iter().map(|region| region.signature()).collect();
        let at = self.node(id).provenance().at.clone();
        let results = match op.infer(&types, &signatures) {
            Ok(results) => results,
            Err(mismatch) => return Err(self.operation_error(&op, mismatch, &operands, at)),
        };
        for ty in &results {
            check_bytes(ty, || place_of(&op, at.as_ref()))?;
        }
        check_values(results.len(), SAVED_VALUES, &op, at.as_ref())?;
        check_depth(&regions, &op, at.as_ref())?;
        self.depth = self.depth.max(depth_with(&regions));
        let node = &mut self.dag[NodeIndex::new(id.index())];
        assert!(results.starts_with(node.types()), "bug: an extension that changes results");
        let n_before = node.types().len();
        let control = Control::new(regions, node.along());
        (node.content, node.types, node.control) = (Content::Op(op), results.into(), control);
        Ok(n_before)
    }

    /// The loop whose iterations determine a stack's length: the one that made it, or the one that made the stack along
    /// which its maker ran.
    fn counted_by(&self, stack: Value) -> NodeId {
        self.node(stack.node).along().unwrap_or(stack.node)
    }

    /// Two operands that are stacks of possibly different lengths, if there are any. All stacks that one node takes
    /// must have equal lengths, which is only known if the same loop determines them.
    pub(super) fn mixed_stacks(&self, operands: &[Value]) -> Option<[usize; 2]> {
        let mut stacks = (0..operands.len()).filter(|&slot| self.ty(operands[slot]).stack);
        let first = stacks.next()?;
        let other = stacks.find(|&other| self.counted_by(operands[other]) != self.counted_by(operands[first]))?;
        Some([first, other])
    }

    /// Appends the application of an operation whose result types have been inferred and checked.
    pub(super) fn append(
        &mut self,
        op: O,
        operands: &[Value],
        regions: Box<[Arc<Graph<O>>]>,
        types: impl Into<Results>,
        provenance: Provenance,
    ) -> Result<NodeId, Error> {
        let types = types.into();
        check_depth(&regions, &op, provenance.at.as_ref())?;
        let (n_values, at) = (operands.len().max(types.types().len()), provenance.at.as_ref());
        check_values(n_values, "operands or results of a node", &op, at)?;
        let along = operands.iter().find(|&&operand| self.ty(operand).stack).map(|&stack| self.counted_by(stack));
        self.depth = self.depth.max(depth_with(&regions));
        let control = Control::new(regions, along);
        let node = self.push(Node { content: Content::Op(op), types, provenance, control })?;
        for (slot, operand) in operands.iter().enumerate() {
            let edge = Edge { result: operand.result, slot: slot as u16 };
            self.dag.add_edge(NodeIndex::new(operand.node.index()), NodeIndex::new(node.index()), edge);
        }
        Ok(node)
    }

    fn push(&mut self, node: Node<O>) -> Result<NodeId, Error> {
        if self.dag.node_count() >= MAX_NODES {
            return Err(LimitError { what: "nodes", limit: MAX_NODES as u64, got: None, place: None }.into());
        }
        let index = self.dag.add_node(node);
        Ok(NodeId::from_index(index.index()))
    }

    fn operation_error(&self, op: &O, mismatch: Mismatch, operands: &[Value], at: Option<SourceLine>) -> Error {
        OperationError { op: op.name().to_string(), requirement: mismatch.0, operands: self.lines_of(operands), at }
            .into()
    }

    /// The listing's lines of the first operands, each once.
    fn lines_of(&self, operands: &[Value]) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for (position, value) in operands.iter().enumerate() {
            if lines.len() == MAX_LINES {
                lines.push(format!("and {} more", operands.len() - position));
                break;
            }
            if operands[..position].iter().all(|before| before.node != value.node) {
                lines.push(shortened(self.line(value.node)));
            }
        }
        lines
    }

    /// Adds a guard: the graph is valid only if a comparison has this outcome.
    ///
    /// # Errors
    /// If its value is not a `bool` scalar of this graph.
    pub fn add_guard(&mut self, guard: Guard) -> Result<(), Error> {
        let place = || format!("{}.guards[{}]", self.name, self.guards.len());
        if !self.contains(guard.value) {
            return Err(misuse(&place(), NO_VALUE.to_string()));
        }
        if *self.ty(guard.value) != Type::scalar(DType::Bool) {
            return Err(misuse(&place(), guard_of(self.ty(guard.value))));
        }
        self.guards.push(guard);
        Ok(())
    }

    /// Appends an output. [`Graph::verify`], which runs before anything is saved, checks that names are distinct.
    ///
    /// ```
    /// use retrograd::ir::Provenance;
    /// use retrograd::op::{Graph, Sin};
    /// use retrograd::value::{DType, Type};
    ///
    /// let mut graph = Graph::new("f");
    /// let x = graph.add_input("x", Type::scalar(DType::F64))?;
    /// let y = graph.add(Sin.into(), &[x], Provenance::default())?;
    /// graph.add_output("y", y.into())?;
    /// assert_eq!(graph.outputs().len(), 1);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the name is empty, or the value is not one of this graph, or is a stack, which only loops can take.
    pub fn add_output(&mut self, name: impl Into<Arc<str>>, value: Value) -> Result<(), Error> {
        let name = name.into();
        let place = || format!("{}.outputs[{}]", self.name, self.outputs.len());
        if name.is_empty() {
            return Err(misuse(&place(), EMPTY_NAME.to_string()));
        }
        if !self.contains(value) {
            return Err(misuse(&place(), NO_VALUE.to_string()));
        }
        if self.ty(value).stack {
            return Err(misuse(&place(), output_of(self.ty(value))));
        }
        self.outputs.push(Output { name, value });
        Ok(())
    }

    /// Removes all outputs, so that others can be set.
    pub fn clear_outputs(&mut self) {
        self.outputs.clear();
    }

    /// How deep regions are nested: 0 where there are none, 1 where no region has regions of its own.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The number of nodes, inputs included.
    pub fn n_nodes(&self) -> usize {
        self.dag.node_count()
    }

    /// The number of operations.
    pub fn n_ops(&self) -> usize {
        self.dag.node_count() - self.inputs.len()
    }

    /// Every node, in the order of the schedule.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + ExactSizeIterator + use<O> {
        (0..self.n_nodes()).map(NodeId::from_index)
    }

    /// The position of a node of this graph among the operations, which is its number in listings and files.
    pub fn op_number(&self, id: NodeId) -> usize {
        // While a region is traced, its captured values become inputs between its operations.
        id.index() - self.inputs.partition_point(|input| input.node < id)
    }

    /// A node.
    ///
    /// # Panics
    /// If this graph has no such node, because the id is from another graph.
    pub fn node(&self, id: NodeId) -> &Node<O> {
        &self.dag[NodeIndex::new(id.index())]
    }

    /// The operands of a node, by slot. petgraph lists incoming edges latest first, that is, from the last slot to the
    /// first; nothing else in the crate depends on this. The list of edges is traversed by hand, because every pass
    /// asks for operands. Up to three are assembled at once: a list that grew slot by slot would be moved while its
    /// stores are still pending, which stalls the processor.
    ///
    /// # Panics
    /// As [`Graph::node`].
    pub fn operands(&self, id: NodeId) -> Operands {
        let edges = self.dag.raw_edges();
        let before = |edge: &petgraph::graph::Edge<Edge>| &edges[edge.next_edge(Direction::Incoming).index()];
        let Some(last) = edges.get(self.dag.raw_nodes()[id.index()].next_edge(Direction::Incoming).index()) else {
            return Operands::new();
        };
        match last.weight.slot {
            0 => Operands::from_buf_and_len([source(last); 3], 1),
            1 => Operands::from_buf_and_len([source(before(last)), source(last), source(last)], 2),
            2 => {
                let middle = before(last);
                Operands::from([source(before(middle)), source(middle), source(last)])
            }
            _ => {
                let earlier =
                    |edge: &&'_ petgraph::graph::Edge<Edge>| edges.get(edge.next_edge(Direction::Incoming).index());
                let mut operands: Operands = std::iter::successors(Some(last), earlier).map(source).collect();
                operands.reverse();
                operands
            }
        }
    }

    /// The type of a value.
    ///
    /// # Panics
    /// If the value is not one of this graph; see [`Graph::contains`].
    pub fn ty(&self, value: Value) -> &Type {
        &self.node(value.node).types()[usize::from(value.result)]
    }

    /// The operation of a node that is none of the inputs.
    pub(crate) fn op(&self, id: NodeId) -> &O {
        self.node(id).op().expect("bug: an input among operations")
    }

    /// For each node, whether an output or a guard depends on it.
    pub(crate) fn needed(&self) -> Vec<bool> {
        let outputs = self.outputs.iter().map(|output| output.value);
        self.needed_for(outputs.chain(self.guards.iter().map(|guard| guard.value)))
    }

    /// For each node, whether it is one of these values or one of them depends on it.
    pub(crate) fn needed_for(&self, values: impl IntoIterator<Item = Value>) -> Vec<bool> {
        self.needed_beside(&values.into_iter().collect::<Vec<_>>(), &[])
    }

    /// The same where some values are known, so that what they alone depend on is not needed.
    pub(crate) fn needed_beside(&self, values: &[Value], known: &[Value]) -> Vec<bool> {
        let mut needed = vec![false; self.n_nodes()];
        values.iter().for_each(|value| needed[value.node.index()] = true);
        let known: HashSet<NodeId> = known.iter().map(|value| value.node).collect();
        for id in self.ids().rev() {
            if needed[id.index()] && !known.contains(&id) {
                let operands = self.dag.neighbors_directed(NodeIndex::new(id.index()), Direction::Incoming);
                operands.for_each(|node| needed[node.index()] = true);
            }
        }
        needed
    }

    /// The graph without the operations that neither outputs nor guards depend on. Nodes are moved, not copied.
    pub(crate) fn without_unneeded(self) -> Graph<O> {
        let needed = self.needed();
        self.only(needed)
    }

    /// The graph without the operations of derivatives that nothing else depends on. What the user wrote stays.
    pub(crate) fn without_unneeded_derivatives(self) -> Graph<O> {
        let outputs = self.outputs.iter().map(|output| output.value);
        let roots = outputs.chain(self.guards.iter().map(|guard| guard.value));
        let own = self.ids().filter(|&id| self.node(id).provenance.role.is_none()).map(Value::from);
        let needed = self.needed_for(roots.chain(own).collect::<Vec<Value>>());
        self.only(needed)
    }

    /// The graph with its inputs and these operations alone, of which each has its operands.
    fn only(self, mut needed: Vec<bool>) -> Graph<O> {
        self.inputs.iter().for_each(|input| needed[input.node.index()] = true);
        if needed.iter().all(|&needed| needed) {
            return self;
        }
        let n_before = |count: &mut u32, &needed: &bool| Some(std::mem::replace(count, *count + u32::from(needed)));
        let new_indices: Vec<u32> = needed.iter().scan(0, n_before).collect();
        let node_at = |id: NodeId| NodeId(new_indices[id.index()]);
        let value_at = |value: Value| Value { node: node_at(value.node), ..value };
        let Graph { name, dag, mut inputs, mut outputs, mut guards, depth } = self;
        let (nodes, edges) = dag.into_nodes_edges();
        let mut dag = DiGraph::with_capacity(needed.iter().filter(|&&needed| needed).count(), edges.len());
        for (mut node, _) in nodes.into_iter().map(|node| node.weight).zip(&needed).filter(|&(_, &needed)| needed) {
            let role = node.provenance.role.filter(|role| needed[role.of().node.index()]);
            node.provenance.role = role.map(|role| role.with(value_at(role.of())));
            if let Some(along) = node.control.as_mut().and_then(|control| control.along.as_mut()) {
                *along = node_at(*along);
            }
            dag.add_node(node);
        }
        // All operands of a needed node are needed, and the edges into a node keep their order.
        for edge in edges.into_iter().filter(|edge| needed[edge.target().index()]) {
            let [source, target] =
                [edge.source(), edge.target()].map(|node| NodeIndex::new(new_indices[node.index()] as usize));
            dag.add_edge(source, target, edge.weight);
        }
        inputs.iter_mut().for_each(|input| input.node = node_at(input.node));
        outputs.iter_mut().for_each(|output| output.value = value_at(output.value));
        guards.iter_mut().for_each(|guard| guard.value = value_at(guard.value));
        Graph { name, dag, inputs, outputs, guards, depth }
    }

    /// Whether this graph has such a value.
    pub fn contains(&self, value: Value) -> bool {
        value.node.index() < self.n_nodes() && usize::from(value.result) < self.node(value.node).types().len()
    }

    /// The inputs, in order.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// The outputs, in order.
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// The guards, in the order of their comparisons.
    pub fn guards(&self) -> &[Guard] {
        &self.guards
    }

    /// The types of inputs and outputs.
    pub fn signature(&self) -> Signature {
        Signature {
            inputs: self.inputs.iter().map(|input| self.ty(input.node.into()).clone()).collect(),
            outputs: self.outputs.iter().map(|output| self.ty(output.value).clone()).collect(),
        }
    }

    /// Whether both graphs are equal except for names and source lines.
    pub(crate) fn is_same(&self, other: &Graph<O>) -> bool {
        self.is_same_but_for(other, &mut HashSet::new())
    }

    /// [`Graph::is_same`], with the pairs of regions that are known to be equal, so that a region with several uses is
    /// not compared at each.
    fn is_same_but_for(&self, other: &Graph<O>, known: &mut HashSet<[*const Graph<O>; 2]>) -> bool {
        let mut same_region = |x: &Arc<Graph<O>>, y: &Arc<Graph<O>>| {
            let pair = [Arc::as_ptr(x), Arc::as_ptr(y)];
            known.contains(&pair) || x.is_same_but_for(y, known) && known.insert(pair)
        };
        let mut same_node = |id: NodeId| {
            let (x, y) = (self.node(id), other.node(id));
            let same_op = match (x.op(), y.op()) {
                (None, None) => true,
                (Some(op), Some(other)) => op == other,
                (None, Some(_)) | (Some(_), None) => false,
            };
            same_op
                && x.types() == y.types()
                && self.operands(id) == other.operands(id)
                && x.regions().len() == y.regions().len()
                && x.regions().iter().zip(y.regions()).all(|(x, y)| same_region(x, y))
        };
        let values = |graph: &Graph<O>| graph.outputs.iter().map(|output| output.value).collect::<Vec<_>>();
        std::ptr::eq(self, other)
            || self.n_nodes() == other.n_nodes()
                && self.inputs.len() == other.inputs.len()
                && self.guards.is_empty()
                && other.guards.is_empty()
                && values(self) == values(other)
                && self.ids().all(&mut same_node)
    }

    /// The number of nodes, with regions counted at each use.
    pub(crate) fn n_nodes_expanded(&self) -> u64 {
        let mut known: HashMap<*const Graph<O>, u64> = HashMap::new();
        self.count_expanded(&mut known)
    }

    fn count_expanded(&self, known: &mut HashMap<*const Graph<O>, u64>) -> u64 {
        let mut n = self.n_nodes() as u64;
        for region in self.ids().flat_map(|id| self.node(id).regions()) {
            let counted = known.get(&Arc::as_ptr(region)).copied();
            let nodes = counted.unwrap_or_else(|| region.count_expanded(known));
            known.insert(Arc::as_ptr(region), nodes);
            n = n.saturating_add(nodes);
        }
        n
    }

    /// Sets the user's name of a node.
    ///
    /// # Panics
    /// As [`Graph::node`].
    pub fn set_node_name(&mut self, id: NodeId, name: impl Into<Text>) {
        self.dag[NodeIndex::new(id.index())].provenance.name = Some(name.into());
    }

    /// Gives a role to every node from that index on which has none.
    pub(crate) fn set_roles_from(&mut self, first: usize, role: Role) {
        for index in first..self.n_nodes() {
            self.dag[NodeIndex::new(index)].provenance.role.get_or_insert(role);
        }
    }

    /// Removes every source line, also from regions, for example before a file is published.
    pub fn strip_source_lines(&mut self) {
        self.strip(&mut HashMap::new());
    }

    /// A region with several uses stays one region. The original is kept alive, because its address is the key.
    fn strip(&mut self, known: &mut HashMap<*const Graph<O>, [Arc<Graph<O>>; 2]>) {
        for node in self.dag.node_weights_mut() {
            node.provenance.at = None;
            for region in node.control.iter_mut().flat_map(|control| &mut control.regions) {
                let address = Arc::as_ptr(region);
                if !known.contains_key(&address) {
                    let mut stripped = Graph::clone(region);
                    stripped.strip(known);
                    known.insert(address, [region.clone(), Arc::new(stripped)]);
                }
                *region = known[&address][1].clone();
            }
        }
        for guard in &mut self.guards {
            guard.at = None;
        }
    }
}

/// The most operands that an error shows.
const MAX_LINES: usize = 16;

/// The most characters of a line that an error shows: a loop may have thousands of results.
const MAX_CHARACTERS: usize = 400;

fn shortened(mut line: String) -> String {
    if let Some((end, _)) = line.char_indices().nth(MAX_CHARACTERS) {
        line.truncate(end);
        line.push('…');
    }
    line
}

/// The error for a call that would build an invalid graph.
fn misuse(name: &str, requirement: String) -> Error {
    ArgumentError::Value { name: name.to_string(), requirement }.into()
}

/// How deep regions are nested in a graph with a node that has these regions.
fn depth_with<O>(regions: &[Arc<Graph<O>>]) -> usize {
    regions.iter().map(|region| region.depth + 1).max().unwrap_or(0)
}

fn check_depth<O: Operation>(regions: &[Arc<Graph<O>>], op: &O, at: Option<&SourceLine>) -> Result<(), Error> {
    if depth_with(regions) <= MAX_DEPTH {
        return Ok(());
    }
    Err(LimitError { what: NESTED_REGIONS, limit: MAX_DEPTH as u64, got: None, place: Some(place_of(op, at)) }.into())
}

fn check_values<O: Operation>(
    n_values: usize,
    what: &'static str,
    op: &O,
    at: Option<&SourceLine>,
) -> Result<(), Error> {
    if n_values <= MAX_OPERANDS {
        return Ok(());
    }
    let (limit, got, place) = (MAX_OPERANDS as u64, Some(n_values as u64), Some(place_of(op, at)));
    Err(LimitError { what, limit, got, place }.into())
}

/// What errors name an operation by that is being added.
fn place_of<O: Operation>(op: &O, at: Option<&SourceLine>) -> String {
    at.map_or_else(|| op.name().to_string(), |at| format!("{}, at {at}", op.name()))
}

/// The name of the limit on the nesting of regions.
pub(crate) const NESTED_REGIONS: &str = "nested regions";

/// The message about a missing value.
pub(super) const NO_VALUE: &str = "refers to a value that does not exist";

/// The message about an empty name.
pub(super) const EMPTY_NAME: &str = "the name is empty";

/// The message about a role whose value does not exist or comes later.
pub(super) const ROLE_OF_NOTHING: &str = "the role refers to a value that no earlier node has";

/// The message about a region with guards: on a miss, no other path could be taken within it.
pub(super) const GUARDED_REGION: &str = "a region cannot have guards";

/// The message about a guard whose value is not a `bool` scalar.
pub(super) fn guard_of(ty: &Type) -> String {
    format!("a guard takes a value of bool[], but got {ty}")
}

/// The message about an output that is not an array.
pub(super) fn output_of(ty: &Type) -> String {
    format!("an output must be an array, but got {ty}")
}

/// The message about these two stacks, which do not come from one loop.
pub(super) fn mixed_stacks([first, other]: [impl fmt::Display; 2]) -> String {
    format!("stacks must come from one loop, or their lengths could differ, but {first} and {other} do not")
}

/// The value that an edge carries.
fn source(edge: &petgraph::graph::Edge<Edge>) -> Value {
    Value { node: NodeId::from_index(edge.source().index()), result: edge.weight.result }
}

fn check_bytes(ty: &Type, place: impl Fn() -> String) -> Result<(), Error> {
    match ty.checked_bytes() {
        Some(_) => Ok(()),
        None => Err(LimitError {
            what: "bytes of a value",
            limit: isize::MAX as u64,
            got: None,
            place: Some(format!("{}: {ty}", place())),
        }
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::{Add, Graph};

    #[test]
    fn nodes_are_small() {
        // Graphs of a million scalar nodes are common. petgraph adds eight bytes to each.
        assert!(size_of::<Node<crate::op::Op>>() <= 88, "{}", size_of::<Node<crate::op::Op>>());
    }

    #[test]
    fn misuse_of_the_builder_is_an_error() {
        let scalar = Type::scalar(DType::F64);
        let mut graph = Graph::new("f");
        let x = graph.add_input("x", scalar.clone()).unwrap();
        let y = graph.add(Add.into(), &[x, x], Provenance::default()).unwrap();
        let late = graph.add_input("z", scalar.clone()).unwrap_err();
        assert_eq!(late.to_string(), "z: an input must come before all operations");

        let mut other = Graph::new("g");
        let z = other.add_input("z", scalar).unwrap();
        let foreign = other.add(Add.into(), &[z, y.into()], Provenance::default()).unwrap_err();
        assert_eq!(foreign.to_string(), "add: operand 1 is not a value of this graph");
    }
}
