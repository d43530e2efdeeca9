//! What is planned of a graph: kernels in the order in which they run, and where each value comes from. No address, and no
//! memory: see the room `memory`.

use std::collections::HashMap;
use std::ops::Range;

use rustc_hash::FxHashMap;

use crate::ir::{NodeId, Operation, Value};
use crate::op::{Graph, Instruction, Layout, MatrixVector, Monoid, Part};
use crate::value::{Array, DType, Shape, Type};

/// The densely numbered values of a graph.
pub type ValueId = usize;

/// Straight-line code is cut into functions of this many operations on elements: register allocation is superlinear in
/// their length.
pub const CHUNK: usize = 640;

/// The most elements of an array that is made in straight-line code: for so few, a loop costs more than it does.
pub const MAX_SMALL: usize = 16;

/// Where the elements of a value are found.
#[derive(Clone, Debug)]
pub struct Access {
    /// The value that is stored.
    pub root: ValueId,
    /// The places of the elements among the root's.
    pub layout: Layout,
}

/// One unit of native code.
#[derive(Debug)]
pub enum Kernel {
    /// Straight-line code on scalars and small arrays, element by element.
    Scalar(StraightLine),
    /// A loop nest over one iteration space.
    Loop(LoopKernel),
    /// A call of a library routine.
    Library(NodeId),
    /// Control flow around the code of regions; see [`Schedule::controls`].
    Control(NodeId),
}

/// Straight-line code on scalars and small arrays, and where it is cut into functions.
#[derive(Debug, Default)]
pub struct StraightLine {
    pub ops: Vec<ScalarOp>,
    /// Behind each function, its end and its [`Segment::work`].
    pub(super) boundaries: Vec<(usize, usize)>,
}

/// A part of straight-line code that becomes one function.
#[derive(Clone, Copy)]
pub struct Segment<'k> {
    pub ops: &'k [ScalarOp],
    /// The operations on elements.
    pub work: usize,
}

impl StraightLine {
    /// Leaves a step out; gives how many are left.
    #[cfg(test)]
    pub fn remove(&mut self, position: usize) -> usize {
        self.ops.remove(position);
        for (end, _) in &mut self.boundaries {
            *end -= usize::from(*end > position);
        }
        self.ops.len()
    }

    /// The functions.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        let starts = std::iter::once(0).chain(self.boundaries.iter().map(|&(end, _)| end));
        starts.zip(&self.boundaries).map(|(start, &(end, work))| Segment { ops: &self.ops[start..end], work })
    }
}

/// One step of straight-line code.
#[derive(Clone, Copy, Debug)]
pub enum ScalarOp {
    /// An operation on scalars or small arrays.
    Node(NodeId),
    /// Copies a scalar or a small array to an output.
    Output { from: Value, output: usize },
    /// Stores a scalar or a small array in the result of a node: the place of its first element, and from each to the next.
    Part { from: Value, node: NodeId, first: u32, step: u32 },
    /// Sets `n` elements of the result of a node, from the first given one on, to a constant.
    Fill { with: Value, node: NodeId, first: u32, n: u32 },
    /// Leaves the program where a comparison came out otherwise.
    Guard(usize),
}

/// A loop nest over one iteration space.
#[derive(Debug)]
pub struct LoopKernel {
    pub shape: Shape,
    pub items: Vec<Item>,
}

/// A loop nest of so many operations takes milliseconds to compile.
const LONG_NEST: usize = 48;

/// About how many times the code of a loop nest has each operation: in lanes, for what is left, and unrolled.
const UNROLLED: usize = 6;

impl LoopKernel {
    /// Whether its code is so long that it is compiled in tiers.
    pub fn is_long(&self) -> bool {
        self.items.len() >= LONG_NEST
    }
}

/// One operation of a loop nest, executed for each index.
#[derive(Clone, Debug)]
pub enum Item {
    /// An elementwise operation.
    Op(NodeId),
    /// The elements of a view brought into row-major order: the node is a reshape that no strides express.
    Gather(NodeId),
    /// The elements of any other view brought into row-major order, where control flow needs them so.
    Copy(NodeId),
    /// A copy to an output.
    Output { from: Value, output: usize },
    /// A reduction, whose result is complete after the kernel.
    Reduce { node: NodeId, monoid: Monoid, axes: Vec<usize> },
    /// The product of a vector with a matrix, along whose rows the kernel runs: an element of the result for each row, or
    /// a sum of rows, which is complete after the kernel. So several products with one matrix read it once.
    Product { node: NodeId, product: MatrixVector },
    /// A part of a result, which goes to its places there. The result is complete after the kernel that holds its last
    /// part.
    Part(Box<PlacedPart>),
}

impl Item {
    /// The node whose result the item stores into memory of its own.
    pub fn stored_result(&self) -> Option<NodeId> {
        match self {
            Item::Op(node)
            | Item::Gather(node)
            | Item::Copy(node)
            | Item::Reduce { node, .. }
            | Item::Product { node, .. } => Some(*node),
            Item::Part(part) => Some(part.node),
            Item::Output { .. } => None,
        }
    }

    /// The value that this item gives at each index to the items after it. A gather's result has another shape, and that
    /// of a reduction, or of parts, is not complete yet.
    pub fn result(&self) -> Option<NodeId> {
        match self {
            Item::Op(node) => Some(*node),
            Item::Product { node, product } => (!product.adds_rows).then_some(*node),
            Item::Gather(_) | Item::Copy(_) | Item::Output { .. } | Item::Reduce { .. } | Item::Part(_) => None,
        }
    }
}

/// What a value is made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nothing needs it, or it is a view.
    Unused,
    Input(usize),
    Constant,
    /// An item of a loop, usable at the same index within the loop.
    Item(usize),
    /// An operation in straight-line code.
    Scalar(usize),
    /// Something that is complete only after its kernel.
    After(usize),
}

/// A kernel of control flow.
pub struct ControlSchedule<'g> {
    /// Whether all is emitted in one piece; then there is nothing else to plan.
    pub in_registers: bool,
    /// The plans of its regions.
    pub regions: Vec<Schedule<'g>>,
    /// For each branch of a choice, which of the regions it is: one that is several branches is planned and compiled once.
    pub branches: Vec<usize>,
}

/// Kernels in the order in which they run, and where each value comes from.
pub struct Schedule<'g> {
    pub graph: &'g Graph,
    pub kernels: Vec<Kernel>,
    pub(super) first_value: Vec<u32>,
    /// For each node, the instruction that it is.
    pub(super) instructions: Vec<Option<Instruction>>,
    pub(super) accesses: Vec<Option<Box<Access>>>,
    pub(super) sources: Vec<Source>,
    /// The output into which a value is computed directly.
    pub direct_output: Vec<Option<u32>>,
    /// The values that are made in the memory of others: in which, and the place of the first element there.
    pub(super) inside: FxHashMap<ValueId, (ValueId, usize)>,
    /// For each kernel the results that are complete after it, and of which it need not place a part.
    pub assembled: FxHashMap<usize, Vec<NodeId>>,
    /// The kernels of control flow with the plans of their regions.
    pub controls: HashMap<usize, ControlSchedule<'g>>,
    /// What the copies of views copy.
    pub(super) copied: HashMap<NodeId, Access>,
    pub(super) last_scalar: Option<usize>,
    pub(super) last_loop: HashMap<Shape, usize>,
}

/// One part of a result that several items assembled, perhaps of several kernels.
#[derive(Clone, Debug)]
pub struct PlacedPart {
    /// The node whose result it belongs to.
    pub node: NodeId,
    /// Which part of the result it is.
    pub part: Part,
    /// The value whose elements are placed, over whose shape the item runs.
    pub from: Value,
    /// Their places in the result.
    pub places: Layout,
    pub put: Put,
    /// How many parts the result has.
    pub of: usize,
    /// What is filled before the nest runs, if this is the first kernel that has a part of the result.
    pub filling: Option<Filling>,
}

/// How elements come to their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// As they are.
    Store,
    /// As the sum of 0 and each, which differs from it where that is -0.
    AddToZero,
    /// Added to what has been put there.
    Add,
}

/// Elements of a result that are all set to one number.
#[derive(Clone, Debug)]
pub struct Filling {
    pub segments: Vec<Range<usize>>,
    /// The number; 0 if there is none.
    pub with: Option<Value>,
}

impl PlacedPart {
    /// The values that it reads.
    pub fn operands(&self) -> crate::ir::Operands {
        let with = self.filling.as_ref().and_then(|filling| filling.with);
        [self.from].into_iter().chain(with).collect()
    }
}

impl<'g> Schedule<'g> {
    /// The number of a value.
    pub fn id(&self, value: Value) -> ValueId {
        self.first_value[value.node.index()] as usize + usize::from(value.result)
    }

    /// The value of that number.
    pub fn value(&self, id: ValueId) -> Value {
        let node = self.first_value.partition_point(|&first| first as usize <= id) - 1;
        Value {
            node: NodeId::from_index(node),
            result: u16::try_from(id - self.first_value[node] as usize).expect("bug: a result beyond all"),
        }
    }

    /// The number of values.
    pub fn n_values(&self) -> usize {
        self.sources.len()
    }

    /// What makes a root value.
    pub fn source(&self, root: ValueId) -> Source {
        self.sources[root]
    }

    /// The root of a value.
    pub fn root(&self, value: Value) -> ValueId {
        let id = self.id(value);
        self.accesses[id].as_ref().map_or(id, |access| access.root)
    }

    /// Where the elements of a value are found.
    pub fn access(&self, value: Value) -> Access {
        let id = self.id(value);
        match &self.accesses[id] {
            Some(access) => Access::clone(access),
            None => Access { root: id, layout: Layout::row_major(&self.graph.ty(value).shape) },
        }
    }

    /// In whose memory a root value is made if it has none of its own, and the place of its first element there.
    pub fn inside(&self, root: ValueId) -> Option<(ValueId, usize)> {
        self.inside.get(&root).copied()
    }

    /// The values that are made in the memory of others, and of which.
    pub fn aliases(&self) -> impl Iterator<Item = (ValueId, ValueId)> {
        self.inside.iter().map(|(&root, &(owner, _))| (root, owner))
    }

    /// Whether it is settled where a value is made.
    pub fn has_place(&self, root: ValueId) -> bool {
        self.direct_output[root].is_some() || self.inside(root).is_some()
    }

    /// The place, in elements from the root's first, of the only element of a value.
    pub fn element(&self, value: Value) -> isize {
        self.accesses[self.id(value)].as_ref().map_or(0, |access| access.layout.offset)
    }

    /// The constant at the root of a value, if there is one.
    pub fn constant(&self, value: Value) -> Option<&'g Array> {
        if self.sources[self.root(value)] != Source::Constant {
            return None;
        }
        let mut node = value.node;
        // Follows views to the constant that they rename.
        loop {
            if let Some(constant) = self.graph.node(node).op()?.constant() {
                return Some(constant);
            }
            node = self.graph.operands(node).first()?.node;
        }
    }

    /// The instruction that a node is, if it is one on its operands as they are.
    pub fn instruction(&self, node: NodeId) -> Option<Instruction> {
        self.instructions[node.index()]
    }

    /// The operations on elements that stand in long code: in straight-line code, in control flow without kernels of its own,
    /// and in long loop nests, whose code has each of them several times.
    pub fn work_in_long_code(&self) -> usize {
        let work = |(k, kernel): (usize, &Kernel)| match kernel {
            Kernel::Scalar(code) => code.segments().map(|segment| segment.work).sum(),
            Kernel::Control(node) if self.controls[&k].in_registers => {
                let regions = self.graph.node(*node).regions().iter();
                regions.map(|region| usize::try_from(region.n_nodes_expanded()).unwrap_or(usize::MAX)).sum()
            }
            Kernel::Loop(nest) if nest.is_long() => UNROLLED * nest.items.len(),
            Kernel::Loop(_) | Kernel::Library(_) | Kernel::Control(_) => 0,
        };
        self.kernels.iter().enumerate().map(work).sum()
    }

    /// The elements that a copy copies.
    pub fn copied(&self, node: NodeId) -> &Access {
        &self.copied[&node]
    }

    /// The values that a step of straight-line code reads.
    pub fn scalar_operands(&self, op: ScalarOp) -> crate::ir::Operands {
        match op {
            ScalarOp::Node(node) => self.graph.operands(node),
            ScalarOp::Output { from, .. } | ScalarOp::Part { from, .. } => smallvec::smallvec![from],
            ScalarOp::Fill { with, .. } => smallvec::smallvec![with],
            ScalarOp::Guard(guard) => smallvec::smallvec![self.graph.guards()[guard].value],
        }
    }

    /// The values that an item of a loop reads.
    pub fn item_operands(&self, item: &Item) -> crate::ir::Operands {
        match item {
            Item::Op(node)
            | Item::Gather(node)
            | Item::Copy(node)
            | Item::Reduce { node, .. }
            | Item::Product { node, .. } => self.graph.operands(*node),
            Item::Output { from, .. } => smallvec::smallvec![*from],
            Item::Part(part) => part.operands(),
        }
    }

    /// The type of a root value.
    pub fn ty(&self, value: Value) -> &'g Type {
        self.graph.ty(value)
    }

    /// The dtype of the elements that an item gives at each index.
    pub fn item_dtype(&self, item: &Item) -> DType {
        match item {
            Item::Op(node)
            | Item::Gather(node)
            | Item::Copy(node)
            | Item::Reduce { node, .. }
            | Item::Product { node, .. } => self.ty((*node).into()).dtype,
            Item::Output { from, .. } => self.ty(*from).dtype,
            Item::Part(part) => self.ty(part.from).dtype,
        }
    }
}

/// The most elements that are filled without a loop.
const MAX_FILLED: usize = 32;

/// Whether so many elements are filled without a loop.
pub fn fills_at_once(n: usize) -> bool {
    n <= MAX_FILLED
}
