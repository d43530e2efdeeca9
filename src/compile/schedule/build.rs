//! The plan: which nodes form one kernel, and where each value lives.
//!
//! Nodes are taken in the order of the schedule, and kernels stand in the order in which they run. A node joins the
//! last kernel of its kind (for a loop: over its iteration space) if all its operands are known before that kernel, or
//! are made in it at the same index; otherwise it opens a new kernel at the end. So each node is looked at once.
//! Views are no kernels: a value that renames the elements of another is an [`Access`] to that other, its root.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::kernels::{
    Access, CHUNK, ControlSchedule, Item, Kernel, LoopKernel, MAX_SMALL, PlacedPart, ScalarOp, Schedule, Source,
    StraightLine, ValueId,
};
use super::parts::{Placement, placement};
use super::{calls, fits, work};
use crate::emit::position;
use crate::ir::{Guard, NodeId, Operation, Value, results_of};
use crate::op::{DotGeneral, Flow, Graph, Lowering, MatrixVector, Op, small_matrices};
use crate::value::{Shape, Type};

/// Above this many operations a loop kernel takes no more: its tiles would leave the first-level cache, and register
/// allocation is superlinear.
const MAX_LOOP_ITEMS: usize = 48;

/// The same for what runs well in lanes, and takes as many instructions as there are elements otherwise.
const MAX_UNROLLED: usize = 12;

/// The most operations on elements that one operation of straight-line code takes.
const MAX_SMALL_WORK: usize = 256;

/// The most instructions of one such operation: a call of the routine takes as long as some hundred.
const MAX_MATRIX_WORK: usize = 480;

impl<'g> Schedule<'g> {
    /// Plans the kernels of a graph.
    pub fn new(graph: &'g Graph) -> Schedule<'g> {
        let mut first_value = Vec::with_capacity(graph.n_nodes());
        let mut instructions = Vec::with_capacity(graph.n_nodes());
        let mut n_values = 0;
        for node in graph.ids().map(|id| graph.node(id)) {
            first_value.push(n_values);
            instructions.push(node.op().and_then(Op::instruction));
            n_values += position(node.types().len());
        }
        let mut schedule = Schedule {
            graph,
            kernels: Vec::new(),
            first_value,
            instructions,
            accesses: vec![None; n_values as usize],
            sources: vec![Source::Unused; n_values as usize],
            direct_output: vec![None; n_values as usize],
            inside: FxHashMap::default(),
            assembled: FxHashMap::default(),
            controls: HashMap::new(),
            copied: HashMap::new(),
            last_scalar: None,
            last_loop: HashMap::new(),
        };
        schedule.place_all();
        schedule
    }

    fn place_all(&mut self) {
        let needed = self.graph.needed();
        let mut guards: Vec<Vec<usize>> = Vec::new();
        if !self.graph.guards().is_empty() {
            guards.resize(self.graph.n_nodes(), Vec::new());
            // Guards are checked in their order, though sharing may have put the value of a later one before that of an
            // earlier one: whoever hears of a miss may rely on it that the guards before it hold.
            let mut after = 0;
            let mut demanded = HashSet::new();
            for (position, guard) in self.graph.guards().iter().enumerate() {
                if self.always_holds(guard) || !demanded.insert((guard.value, guard.expect)) {
                    continue;
                }
                after = after.max(guard.value.node.index());
                guards[after].push(position);
            }
        }
        for (position, input) in self.graph.inputs().iter().enumerate() {
            let id = self.id(input.node.into());
            self.sources[id] = Source::Input(position);
        }
        self.choose_direct_outputs(&needed);
        let dense = self.dense(&needed);
        let partners = calls::partners(self.graph, &needed);
        let mut is_placed: Vec<bool> = needed.iter().map(|&needed| !needed).collect();
        for id in self.graph.ids() {
            for node in std::iter::once(id).chain(partners.get(&id).copied()) {
                if !std::mem::replace(&mut is_placed[node.index()], true) {
                    self.place(node, dense.contains(&node));
                }
            }
            for &guard in guards.get(id.index()).into_iter().flatten() {
                let value = self.graph.guards()[guard].value;
                self.push_scalar(ScalarOp::Guard(guard), &[value]);
            }
        }
        self.copy_outputs();
        self.resolve_aliases();
        self.cut_straight_lines();
    }

    /// Whether a guard's value is a constant, and the one that it demands.
    fn always_holds(&self, guard: &Guard) -> bool {
        let constant = self.graph.node(guard.value.node).op().and_then(Operation::constant);
        constant.is_some_and(|constant| constant.as_slice::<bool>() == Some(&[guard.expect]))
    }

    /// What is made inside of something that is itself inside of another is inside of that one. Operands come before what is
    /// made of them, so one pass from the last value on meets what is around first.
    fn resolve_aliases(&mut self) {
        let mut roots: Vec<ValueId> = self.inside.keys().copied().collect();
        roots.sort_unstable_by(|a, b| b.cmp(a));
        for root in roots {
            let (around, first) = self.inside[&root];
            if let Some((owner, distance)) = self.inside(around) {
                self.inside.insert(root, (owner, distance + first));
            }
        }
    }

    /// Brings calls of straight-line code together, then cuts it into functions.
    fn cut_straight_lines(&mut self) {
        for k in 0..self.kernels.len() {
            let Kernel::Scalar(StraightLine { ops, .. }) = &mut self.kernels[k] else { continue };
            let ops = std::mem::take(ops);
            let ops = calls::gather(self, k, &ops).unwrap_or(ops);
            let boundaries = self.boundaries(&ops);
            self.kernels[k] = Kernel::Scalar(StraightLine { ops, boundaries });
        }
    }

    fn boundaries(&self, ops: &[ScalarOp]) -> Vec<(usize, usize)> {
        let mut boundaries = Vec::new();
        let mut work = 0;
        for (k, &op) in ops.iter().enumerate() {
            if work >= CHUNK {
                boundaries.push((k, std::mem::take(&mut work)));
            }
            work += self.scalar_work(op);
        }
        boundaries.push((ops.len(), work));
        boundaries
    }

    /// The nodes whose elements control flow needs in row-major order.
    fn dense(&self, needed: &[bool]) -> HashSet<NodeId> {
        let holds_regions = |id: &NodeId| needed[id.index()] && !self.graph.node(*id).regions().is_empty();
        self.graph.ids().filter(holds_regions).flat_map(|id| self.graph.operands(id)).map(|x| x.node).collect()
    }

    fn place(&mut self, node: NodeId, dense: bool) {
        let Some(op) = self.graph.node(node).op() else { return };
        let operands = self.graph.operands(node);
        let id = self.id(node.into());
        match op.lower() {
            Lowering::Constant(_) => self.sources[id] = Source::Constant,
            Lowering::View(view) => {
                let operand = self.access(operands[0]);
                match view.view(&operand.layout) {
                    Some(layout) if !dense || layout.is_row_major() => {
                        self.accesses[id] = Some(Box::new(Access { root: operand.root, layout }));
                    }
                    _ if self.is_small(node, &operands) => {
                        self.push_scalar(ScalarOp::Node(node), &operands);
                    }
                    Some(layout) => {
                        let shape = layout.shape.clone();
                        self.copied.insert(node, Access { root: operand.root, layout });
                        self.push_item(Item::Copy(node), &operands, &shape);
                    }
                    None => self.push_item(Item::Gather(node), &operands, &self.graph.ty(operands[0]).shape.clone()),
                }
            }
            Lowering::Elementwise | Lowering::Math1(_) | Lowering::Math2(_) => {
                if self.is_small(node, &operands) {
                    self.push_scalar(ScalarOp::Node(node), &operands);
                } else {
                    let shape = self.graph.ty(node.into()).shape.clone();
                    self.push_item(Item::Op(node), &operands, &shape);
                }
            }
            Lowering::Reduce { monoid, axes } => {
                if self.is_small(node, &operands) {
                    self.push_scalar(ScalarOp::Node(node), &operands);
                } else {
                    let shape = self.graph.ty(operands[0]).shape.clone();
                    self.push_item(Item::Reduce { node, monoid, axes: axes.into() }, &operands, &shape);
                }
            }
            Lowering::Assemble(_)
            | Lowering::Scatter(_)
            | Lowering::Contract(_)
            | Lowering::Generate(_)
            | Lowering::Library(_)
            | Lowering::Matrix(_)
                if self.is_small(node, &operands) =>
            {
                self.push_scalar(ScalarOp::Node(node), &operands);
            }
            Lowering::Contract(dot) if let Some(product) = self.product(dot, &operands) => {
                let rows = self.graph.ty(operands[product.matrix]).shape[0];
                self.push_item(Item::Product { node, product }, &operands, &[rows].into());
            }
            Lowering::Assemble(_) | Lowering::Scatter(_) if let Some(placement) = placement(self, node) => {
                self.push_placement(node, placement);
            }
            Lowering::Assemble(_)
            | Lowering::Scatter(_)
            | Lowering::Contract(_)
            | Lowering::Generate(_)
            | Lowering::Library(_)
            | Lowering::Matrix(_)
            | Lowering::Checked(_)
            | Lowering::External(_) => {
                let kernel = self.kernels.len();
                self.kernels.push(Kernel::Library(node));
                self.complete_after(node, kernel);
            }
            Lowering::Control => {
                let kernel = self.kernels.len();
                self.kernels.push(Kernel::Control(node));
                self.controls.insert(kernel, ControlSchedule::new(self.graph, node));
                self.complete_after(node, kernel);
            }
        }
    }

    /// The product of a vector with a matrix whose rows lie in one piece each.
    fn product(&self, dot: &DotGeneral, operands: &[Value]) -> Option<MatrixVector> {
        let shapes = [0, 1].map(|slot| &self.graph.ty(operands[slot]).shape);
        let product = dot.matrix_vector(shapes[0], shapes[1])?;
        let stride = |slot: usize| self.access(operands[slot]).layout.strides.last().copied();
        let vector_fits = product.adds_rows || stride(1 - product.matrix) == Some(1);
        (stride(product.matrix) == Some(1) && vector_fits).then_some(product)
    }

    /// Whether a node is made element by element in straight-line code: all that it reads and makes is small.
    fn is_small(&self, node: NodeId, operands: &[Value]) -> bool {
        let size = |x: Value| self.graph.ty(x).size();
        let largest = operands.iter().map(|&x| size(x)).fold(size(node.into()), usize::max);
        // Most nodes of a large graph are on scalars, and need no further look.
        if largest == 1 && operands.len() <= MAX_UNROLLED {
            return self.element_work(node).is_some();
        }
        let (max, max_work) = match self.graph.node(node).op().map(|op| op.lower()) {
            Some(Lowering::Matrix(_)) => (small_matrices::MAX_ELEMENTS, MAX_MATRIX_WORK),
            Some(kind) if matches!(kind, Lowering::View(_)) || kind.routine().is_some() => (MAX_SMALL, MAX_SMALL_WORK),
            _ => (MAX_UNROLLED, MAX_SMALL_WORK),
        };
        largest <= max && self.element_work(node).is_some_and(|n| n <= max_work)
    }

    /// The operations on elements that a node takes, or `None` if it is not made element by element.
    fn element_work(&self, node: NodeId) -> Option<usize> {
        let op = self.graph.node(node).op()?;
        // Most nodes are of this kind, and need no list of types.
        if op.is_elementwise() {
            return Some(self.graph.ty(node.into()).size());
        }
        let operands = self.graph.operands(node);
        let types: SmallVec<[&Type; 4]> = operands.iter().map(|&x| self.graph.ty(x)).collect();
        work::of_elements(op, &types, self.graph.ty(node.into()))
    }

    /// The operations on elements that a step of straight-line code takes.
    fn scalar_work(&self, op: ScalarOp) -> usize {
        let work = match op {
            ScalarOp::Node(node) => self.element_work(node).expect("bug: straight-line code takes no such operation"),
            ScalarOp::Output { from, .. } | ScalarOp::Part { from, .. } => self.ty(from).size(),
            ScalarOp::Fill { n, .. } => MAX_UNROLLED.min(n as usize),
            ScalarOp::Guard(_) => 1,
        };
        work.max(1)
    }

    fn complete_after(&mut self, node: NodeId, kernel: usize) {
        for result in results_of(self.graph, node) {
            let id = self.id(result);
            self.sources[id] = Source::After(kernel);
        }
    }

    /// Adds a step to the last kernel of straight-line code, if its operands are known there, or to a new one; gives the
    /// kernel.
    fn push_scalar(&mut self, op: ScalarOp, operands: &[Value]) -> usize {
        let joinable = self.last_scalar.filter(|&kernel| {
            operands.iter().all(|&x| match self.sources[self.root(x)] {
                Source::Unused | Source::Input(_) | Source::Constant => true,
                Source::Scalar(made) => made <= kernel,
                Source::Item(made) | Source::After(made) => made < kernel,
            })
        });
        let kernel = joinable.unwrap_or_else(|| {
            self.kernels.push(Kernel::Scalar(StraightLine::default()));
            self.kernels.len() - 1
        });
        self.last_scalar = Some(kernel);
        if let Kernel::Scalar(code) = &mut self.kernels[kernel] {
            code.ops.push(op);
        }
        if let ScalarOp::Node(node) = op {
            let id = self.id(node.into());
            self.sources[id] = Source::Scalar(kernel);
        }
        kernel
    }

    fn push_item(&mut self, item: Item, operands: &[Value], shape: &Shape) {
        self.push_item_where(item, operands, shape, |_| true);
    }

    /// Adds an item to the last kernel over that shape, if its operands are known there and it `fits`, or to a new one; gives
    /// the kernel. A part of a result goes to the kernel that makes it before any other.
    fn push_item_where(
        &mut self,
        item: Item,
        operands: &[Value],
        shape: &Shape,
        fits: impl Fn(usize) -> bool,
    ) -> usize {
        // A copy of a view meets the elements in another order than they are made, and rows meet a whole vector.
        let same_order = match &item {
            Item::Copy(_) => false,
            Item::Product { product, .. } => product.adds_rows,
            Item::Op(_) | Item::Gather(_) | Item::Output { .. } | Item::Reduce { .. } | Item::Part(_) => true,
        };
        let own = match &item {
            Item::Part(part) => self.kernel_of(part.from),
            _ => None,
        };
        let joinable = own.into_iter().chain(self.last_loop.get(shape).copied()).find(|&kernel| {
            self.n_items(kernel) < MAX_LOOP_ITEMS
                && fits(kernel)
                && operands.iter().all(|&x| match self.sources[self.root(x)] {
                    Source::Unused | Source::Input(_) | Source::Constant => true,
                    Source::Item(made) => {
                        made < kernel || same_order && made == kernel && self.accesses[self.id(x)].is_none()
                    }
                    Source::Scalar(made) | Source::After(made) => made < kernel,
                })
        });
        let kernel = joinable.unwrap_or_else(|| {
            self.kernels.push(Kernel::Loop(LoopKernel { shape: shape.clone(), items: Vec::new() }));
            self.last_loop.insert(shape.clone(), self.kernels.len() - 1);
            self.kernels.len() - 1
        });
        let source = match &item {
            Item::Op(node) => Some((*node, Source::Item(kernel))),
            Item::Product { node, product } if !product.adds_rows => Some((*node, Source::Item(kernel))),
            // A gather runs over the operand's shape, so its own consumers cannot share its indices.
            Item::Gather(node) | Item::Copy(node) | Item::Reduce { node, .. } | Item::Product { node, .. } => {
                Some((*node, Source::After(kernel)))
            }
            Item::Output { .. } | Item::Part(_) => None,
        };
        if let Some((node, source)) = source {
            let id = self.id(node.into());
            self.sources[id] = source;
        }
        if let Kernel::Loop(kernel) = &mut self.kernels[kernel] {
            kernel.items.push(item);
        }
        kernel
    }

    /// The loop that makes a value at each index.
    fn kernel_of(&self, root: Value) -> Option<usize> {
        match self.sources[self.id(root)] {
            Source::Item(kernel) => Some(kernel),
            Source::Unused | Source::Input(_) | Source::Constant | Source::Scalar(_) | Source::After(_) => None,
        }
    }

    /// Has a result assembled. It is complete after the last kernel that makes or stores some of it.
    fn push_placement(&mut self, node: NodeId, Placement { inside, stored, placed }: Placement) {
        let mut last = 0;
        for (root, first) in inside {
            match self.sources[root] {
                Source::Scalar(kernel) | Source::After(kernel) => last = last.max(kernel),
                other => unreachable!("bug: a value that is {other:?} is made inside of another"),
            }
            self.inside.insert(root, (self.id(node.into()), first));
        }
        for op in stored {
            let operands = self.scalar_operands(op);
            last = last.max(self.push_scalar(op, &operands));
        }
        if placed.is_empty() {
            self.assembled.entry(last).or_default().push(node);
        } else {
            last = last.max(self.push_parts(node, placed));
        }
        self.complete_after(node, last);
    }

    /// Adds the parts of a result, each to a kernel over its own shape; gives the last of the kernels. What is added to
    /// another part goes to the same kernel, if that does it in this order, or to a later one. What the parts leave is filled
    /// before the first of them.
    fn push_parts(&mut self, node: NodeId, mut parts: Vec<PlacedPart>) -> usize {
        let filling = parts[0].filling.take();
        let with = filling.as_ref().and_then(|filling| filling.with);
        let mut kernels: Vec<usize> = Vec::with_capacity(parts.len());
        for part in &parts {
            let fits = |kernel: usize| {
                let mut before = parts.iter().zip(&kernels);
                before.all(|(other, &other_kernel)| part.may_follow(other, kernel, other_kernel))
            };
            let operands: SmallVec<[Value; 2]> = [part.from].into_iter().chain(with).collect();
            let shape = self.ty(part.from).shape.clone();
            kernels.push(self.push_item_where(Item::Part(Box::new(part.clone())), &operands, &shape, fits));
        }
        let first = kernels.iter().copied().min().expect("bug: a result without parts");
        if let Kernel::Loop(kernel) = &mut self.kernels[first] {
            let part = kernel.items.iter_mut().find_map(|item| match item {
                Item::Part(part) if part.node == node => Some(part),
                _ => None,
            });
            part.expect("bug: a part that is not in its kernel").filling = filling;
        }
        kernels.into_iter().max().expect("bug: a result without parts")
    }

    fn n_items(&self, kernel: usize) -> usize {
        match &self.kernels[kernel] {
            Kernel::Loop(kernel) => kernel.items.len(),
            Kernel::Scalar(_) | Kernel::Library(_) | Kernel::Control(_) => 0,
        }
    }

    /// A computed value that is an output as it stands is computed into that output's buffer.
    fn choose_direct_outputs(&mut self, needed: &[bool]) {
        for (number, output) in self.graph.outputs().iter().enumerate() {
            let id = self.id(output.value);
            let computed = needed[output.value.node.index()]
                && self.graph.node(output.value.node).op().is_some_and(|op| match op.lower() {
                    Lowering::Elementwise
                    | Lowering::Math1(_)
                    | Lowering::Math2(_)
                    | Lowering::Reduce { .. }
                    | Lowering::Assemble(_)
                    | Lowering::Scatter(_)
                    | Lowering::Contract(_)
                    | Lowering::Generate(_)
                    | Lowering::Library(_)
                    | Lowering::Matrix(_)
                    | Lowering::Checked(_)
                    | Lowering::External(_)
                    | Lowering::Control => true,
                    Lowering::Constant(_) | Lowering::View(_) => false,
                });
            if computed && self.direct_output[id].is_none() {
                self.direct_output[id] = Some(position(number));
            }
        }
    }

    /// Everything else that is an output is copied at the end: inputs, constants, views, and repeated outputs.
    fn copy_outputs(&mut self) {
        for (output, value) in self.graph.outputs().iter().map(|output| output.value).enumerate() {
            if self.direct_output[self.id(value)] == Some(position(output)) {
                continue;
            }
            let shape = self.graph.ty(value).shape.clone();
            if shape.size() <= MAX_SMALL {
                self.push_scalar(ScalarOp::Output { from: value, output }, &[value]);
            } else {
                self.push_item(Item::Output { from: value, output }, &[value], &shape);
            }
        }
    }
}

impl<'g> ControlSchedule<'g> {
    fn new(graph: &'g Graph, id: NodeId) -> ControlSchedule<'g> {
        let mut control =
            ControlSchedule { in_registers: fits::fits(graph, id), regions: Vec::new(), branches: Vec::new() };
        if control.in_registers {
            return control;
        }
        let node = graph.node(id);
        let roles = node.op().and_then(Op::roles).expect("bug: an operation without regions as control flow");
        let mut known: HashMap<*const Graph, usize> = HashMap::new();
        for region in node.regions() {
            let number = *known.entry(Arc::as_ptr(region)).or_insert(control.regions.len());
            control.branches.push(number);
            // A loop runs its regions with different operands, even if they are the same.
            if roles.flow != Flow::Choice || number == control.regions.len() {
                control.regions.push(Schedule::new(region));
            }
        }
        control
    }
}
