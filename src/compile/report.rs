//! The plan of a program for people to read: its kernels, what each of them computes, reads and writes, and where every
//! value lives. Counted are types and shapes, so nothing here depends on the machine but the bytes of code.

use std::collections::{BTreeMap, HashSet};
use std::fmt::{self, Write as _};

use smallvec::SmallVec;

use super::abi::{ARENA, Address, FIRST_INPUT, FRAME};
use super::codegen::KernelCode;
use super::memory::{MemoryPlan, Nest};
use super::runtime::{Step, n_advances};
use super::schedule::{
    Access, Item, Kernel, LoopKernel, PlacedPart, Put, ScalarOp, Schedule, Source, ValueId, bytes_of, describe,
    makes_stacks, parts,
};
use crate::emit::{FunctionText, signed, unsigned};
use crate::ir::{NodeId, Value, results_of};
use crate::op::{Cost, Flow, Graph, Op};
use crate::value::Shape;

/// The plan of a program: its kernels in the order in which they run, and its memory. It is made by
/// [`Program::inspect`](super::Program::inspect), and printed as `retrograd show --plan` prints it.
///
/// ```
/// use retrograd::compile::{KernelKind, Location};
/// use retrograd::value::{DType, Type};
/// use retrograd::{Program, Var, trace};
///
/// let graph = trace(|x: Var| (x * x).exp().sum(), (Type::new(DType::F64, [1000]),))?;
/// let plan = Program::inspect(&graph)?.plan;
/// let [kernel] = &plan.kernels[..] else { panic!("all of it fuses") };
/// assert_eq!(kernel.kind, KernelKind::Loop { shape: [1000].into() });
/// assert_eq!((kernel.read_bytes, kernel.written_bytes), (8000, 8));
/// let cost = kernel.cost.unwrap();
/// assert_eq!((cost.flops(), cost.calls), (1000 + 999, 1000));
/// assert_eq!(kernel.steps[1].locations, [Location::Tile(1)]);
/// assert!(plan.to_string().contains("%2: f64[] = reduce_sum %1 axes=[0]"));
/// # Ok::<(), retrograd::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Report {
    /// The name of the graph.
    pub name: String,
    /// The kernels.
    pub kernels: Vec<KernelReport>,
    /// The bytes of the arena, in which arrays between kernels lie, and what kernels need while they run.
    pub arena_bytes: usize,
    /// The bytes of the scalars' frame.
    pub frame_bytes: usize,
    /// The bytes of all inputs.
    pub input_bytes: usize,
    /// The bytes of all outputs.
    pub output_bytes: usize,
    /// The bytes of the constants that code reads from memory.
    pub constant_bytes: usize,
    /// The bytes of machine code.
    pub code_bytes: usize,
    /// Whether loops take further memory while they run, for what they save. How much depends on their iterations:
    /// [`Program::peak_loop_bytes`](super::Program::peak_loop_bytes) tells it of calls.
    pub makes_stacks: bool,
}

/// One unit of native code.
#[derive(Clone, Debug)]
pub struct KernelReport {
    /// What kind of code it is.
    pub kind: KernelKind,
    /// What it computes, in order: what has been fused, if it is more than one operation.
    pub steps: Vec<StepReport>,
    /// What it reads that was there before.
    pub reads: Vec<ReadReport>,
    /// How many bytes that is: each element once, whatever the number of operations that use it. Stacks are not among it,
    /// since their length is not known.
    pub read_bytes: u64,
    /// The bytes of the results that it leaves in memory.
    pub written_bytes: u64,
    /// The bytes of the arena that it needs only while it runs: tiles; and for control flow, all memory of the regions.
    pub scratch_bytes: usize,
    /// Its arithmetic, with that of its regions. Of branches the dearest counts. `None` where it depends on numbers: how
    /// often a loop runs that ends when a condition no longer holds.
    pub cost: Option<Cost>,
    /// The names of its functions: `f0`. A library routine has none.
    pub functions: Vec<String>,
    /// The bytes of machine code, those of its regions included.
    pub code_bytes: usize,
    /// The regions of control flow.
    pub regions: Vec<RegionReport>,
}

/// The kinds of kernels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KernelKind {
    /// Straight-line code on scalars and small arrays, element by element.
    Scalar,
    /// A loop nest over one iteration space.
    Loop {
        /// Its extents.
        shape: Shape,
    },
    /// A call of a routine.
    Library,
    /// Control flow that calls the code of its regions.
    Control,
    /// Control flow in one piece, whose values are in registers; and the regions of such.
    Registers,
}

/// One operation of a kernel, a copy to an output, or a guard.
#[derive(Clone, Debug)]
pub struct StepReport {
    /// As the listing shows it.
    pub line: String,
    /// The name of the operation; `output` or `guard` if it is none.
    pub op: &'static str,
    /// Where its results live.
    pub locations: Vec<Location>,
}

/// A value that a kernel reads.
#[derive(Clone, Debug)]
pub struct ReadReport {
    /// Its name in the listing. If it is a view of another value, that one's: its elements are read where they are.
    pub name: String,
    /// Where it lives.
    pub location: Location,
}

/// Where a value lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// The caller's input of that name. In a region: what it takes under that name.
    Input(String),
    /// The caller's output of that name. In a region: what it gives under that name.
    Output(String),
    /// A constant in memory.
    Constant,
    /// A constant of one element, in the code itself.
    Immediate,
    /// So many bytes from the beginning of the arena.
    Arena(usize),
    /// That slot of the scalars' frame.
    Frame(usize),
    /// That tile of a loop: 512 elements, which stay in the first-level cache.
    Tile(usize),
    /// Registers only: it is never stored.
    Registers,
}

/// A region of control flow.
#[derive(Clone, Debug)]
pub struct RegionReport {
    /// Its name.
    pub name: String,
    /// How often it runs.
    pub iterations: Iterations,
    /// Its kernels. Where all values are in registers that is one, with all operations.
    pub kernels: Vec<KernelReport>,
}

/// How often a region runs, each time that the operation does which holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Iterations {
    /// Once, or not at all: it is one of several branches.
    Branch,
    /// So many times.
    Known(u64),
    /// It depends on numbers.
    Unknown,
}

impl Report {
    /// The report of a plan whose code is these functions.
    pub(super) fn new(
        schedule: &Schedule<'_>,
        plan: &MemoryPlan,
        code: &[KernelCode],
        functions: &[FunctionText],
    ) -> Report {
        let graph = schedule.graph;
        let bytes = |values: &mut dyn Iterator<Item = Value>| values.map(|x| bytes_of(graph.ty(x))).sum();
        Report {
            name: graph.name().to_string(),
            kernels: of_plan(schedule, plan, code, functions),
            arena_bytes: plan.arena_bytes,
            frame_bytes: 8 * plan.frame_slots,
            input_bytes: bytes(&mut graph.inputs().iter().map(|input| input.node.into())),
            output_bytes: bytes(&mut graph.outputs().iter().map(|output| output.value)),
            constant_bytes: constant_bytes(schedule, plan),
            code_bytes: functions.iter().map(|function| function.code_bytes).sum(),
            makes_stacks: makes_stacks(graph),
        }
    }

    /// The bytes of working memory that one call uses: arena, with all tiles, and frame.
    pub fn memory_bytes(&self) -> usize {
        self.arena_bytes + self.frame_bytes
    }

    /// The arithmetic of a call; see [`KernelReport::cost`].
    pub fn cost(&self) -> Option<Cost> {
        sum(self.kernels.iter().map(|kernel| kernel.cost))
    }

    /// The bytes that all kernels read and write.
    pub fn moved_bytes(&self) -> u64 {
        self.kernels.iter().map(KernelReport::moved_bytes).sum()
    }
}

impl KernelReport {
    /// The bytes that it reads and writes.
    pub fn moved_bytes(&self) -> u64 {
        self.read_bytes.saturating_add(self.written_bytes)
    }

    /// Operations in floating point for each byte that is read or written. Calls of `math` do not count.
    pub fn intensity(&self) -> Option<f64> {
        intensity(self.cost, self.moved_bytes())
    }

    /// What it is, in few words: `loop over [4,3]`.
    pub fn title(&self) -> String {
        match &self.kind {
            KernelKind::Scalar => "scalar".to_string(),
            KernelKind::Loop { shape } => format!("loop over {shape}"),
            KernelKind::Library => "library".to_string(),
            KernelKind::Control => "control".to_string(),
            KernelKind::Registers => "in registers".to_string(),
        }
    }

    /// How often each operation stands in it, the most frequent first: `3 mul, add`.
    pub fn summary(&self) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        self.steps.iter().for_each(|step| *counts.entry(step.op).or_default() += 1);
        let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
        counts.sort_by_key(|&(_, n)| std::cmp::Reverse(n));
        let words = counts.iter().map(|&(op, n)| if n == 1 { op.to_string() } else { format!("{n} {op}") });
        words.collect::<Vec<_>>().join(", ")
    }
}

/// The bytes of the constants in memory, with those of regions.
fn constant_bytes(schedule: &Schedule<'_>, plan: &MemoryPlan) -> usize {
    let own: usize = plan.constants.iter().map(|&id| bytes_of(schedule.ty(schedule.value(id)))).sum();
    let regions = plan.controls.iter().flat_map(|(k, memory)| schedule.controls[k].regions.iter().zip(&memory.regions));
    let of_regions = regions.map(|(schedule, memory)| constant_bytes(schedule, &memory.plan));
    own + size_of_val(&plan.numbers[..]) + of_regions.sum::<usize>()
}

fn intensity(cost: Option<Cost>, bytes: u64) -> Option<f64> {
    let flops = cost?.flops();
    (bytes > 0).then(|| flops as f64 / bytes as f64)
}

fn sum(costs: impl IntoIterator<Item = Option<Cost>>) -> Option<Cost> {
    costs.into_iter().try_fold(Cost::default(), |sum, cost| Some(sum.plus(cost?)))
}

fn of_plan(
    schedule: &Schedule<'_>,
    plan: &MemoryPlan,
    code: &[KernelCode],
    functions: &[FunctionText],
) -> Vec<KernelReport> {
    let kernels = schedule.kernels.iter().zip(code).enumerate();
    kernels.map(|(k, (kernel, code))| Reporter { schedule, plan, functions, k, code }.report(kernel)).collect()
}

/// One kernel under report.
struct Reporter<'r, 'g> {
    schedule: &'r Schedule<'g>,
    plan: &'r MemoryPlan,
    functions: &'r [FunctionText],
    k: usize,
    code: &'r KernelCode,
}

impl Reporter<'_, '_> {
    fn report(&self, kernel: &Kernel) -> KernelReport {
        let mut report = match kernel {
            Kernel::Scalar(code) => self.scalar(&code.ops),
            Kernel::Loop(nest) => self.nest(nest),
            Kernel::Library(node) => self.single(KernelKind::Library, *node),
            Kernel::Control(node) => self.control(*node),
        };
        report.scratch_bytes = report.scratch_bytes.max(self.control_bytes());
        for function in self.own_functions() {
            report.functions.push(function.name.clone());
            report.code_bytes += function.code_bytes;
        }
        report
    }

    fn own_functions(&self) -> impl Iterator<Item = &FunctionText> {
        self.code.steps.iter().filter_map(|step| match step {
            Step::Call(function) => self.functions.get(function.index()),
            Step::Library { .. } => None,
        })
    }

    fn control_bytes(&self) -> usize {
        self.plan.controls.get(&self.k).map_or(0, |memory| memory.bytes)
    }

    fn scalar(&self, ops: &[ScalarOp]) -> KernelReport {
        let mut moved = Moved::default();
        let steps = ops.iter().map(|&op| {
            self.schedule.scalar_operands(op).iter().for_each(|&x| self.read(&mut moved, x));
            match op {
                ScalarOp::Node(node) => self.step(&mut moved, node, Location::Registers),
                ScalarOp::Output { from, output } => self.output(&mut moved, from, output),
                ScalarOp::Part { from, node, first, .. } => {
                    self.stored(&mut moved, node, first as usize, self.schedule.ty(from).size(), from)
                }
                ScalarOp::Fill { with, node, first, n } => {
                    self.stored(&mut moved, node, first as usize, n as usize, with)
                }
                ScalarOp::Guard(guard) => {
                    let guard = &self.schedule.graph.guards()[guard];
                    let line = format!("guard {} == {}", self.schedule.graph.value_name(guard.value), guard.expect);
                    StepReport { line, op: "guard", locations: Vec::new() }
                }
            }
        });
        let steps = steps.collect();
        let nodes = ops.iter().filter_map(|&op| match op {
            ScalarOp::Node(node) => Some(node),
            ScalarOp::Output { .. } | ScalarOp::Part { .. } | ScalarOp::Fill { .. } | ScalarOp::Guard(_) => None,
        });
        let cost = sum(nodes.map(|node| cost_of(self.schedule.graph, node)));
        self.kernel(KernelKind::Scalar, steps, moved, cost)
    }

    fn nest(&self, nest: &LoopKernel) -> KernelReport {
        let emitted = Nest::new(self.schedule, self.plan, self.k, nest);
        let location = |node: NodeId| {
            let id = self.schedule.id(node.into());
            let tile = emitted.works.iter().find(|work| work.makes == Some(id)).and_then(|work| work.tile);
            tile.map_or(Location::Registers, Location::Tile)
        };
        let mut moved = Moved::default();
        let mut steps = Vec::new();
        for item in &nest.items {
            if let Item::Copy(node) = item {
                self.read_access(&mut moved, self.schedule.copied(*node), self.schedule.graph.operands(*node)[0]);
            } else {
                self.schedule.item_operands(item).iter().for_each(|&x| self.read(&mut moved, x));
            }
            match item {
                Item::Op(node)
                | Item::Gather(node)
                | Item::Copy(node)
                | Item::Reduce { node, .. }
                | Item::Product { node, .. } => steps.push(self.step(&mut moved, *node, location(*node))),
                Item::Output { from, output } => steps.push(self.output(&mut moved, *from, *output)),
                Item::Part(part) => {
                    let parts = part.together(nest);
                    steps.extend(parts.map(|parts| self.parts(&mut moved, &parts)));
                }
            }
        }
        let cost = sum(nest.items.iter().map(|item| match item {
            Item::Op(node) | Item::Reduce { node, .. } | Item::Product { node, .. } => {
                cost_of(self.schedule.graph, *node)
            }
            Item::Part(part) => Some(self.cost_of_part(part)),
            Item::Gather(_) | Item::Copy(_) | Item::Output { .. } => Some(Cost::default()),
        }));
        let mut report = self.kernel(KernelKind::Loop { shape: nest.shape.clone() }, steps, moved, cost);
        report.scratch_bytes = emitted.scratch_bytes();
        report
    }

    /// What it costs to put one part of a result to its places: what the operation costs of this part alone.
    fn cost_of_part(&self, part: &PlacedPart) -> Cost {
        let node = self.schedule.graph.node(part.node);
        let op = node.op().expect("bug: an input among operations");
        op.cost(&[self.schedule.ty(part.from)], node.types())
    }

    fn single(&self, kind: KernelKind, node: NodeId) -> KernelReport {
        let mut moved = Moved::default();
        self.schedule.graph.operands(node).iter().for_each(|&x| self.read(&mut moved, x));
        let step = self.step(&mut moved, node, Location::Registers);
        self.kernel(kind, vec![step], moved, cost_of(self.schedule.graph, node))
    }

    fn control(&self, id: NodeId) -> KernelReport {
        let control = &self.schedule.controls[&self.k];
        let kind = if control.in_registers { KernelKind::Registers } else { KernelKind::Control };
        let mut report = self.single(kind, id);
        if control.in_registers {
            report.regions = regions_in_registers(self.schedule.graph, id);
            return report;
        }
        let node = self.schedule.graph.node(id);
        let memory = &self.plan.controls[&self.k];
        let regions = control.regions.iter().zip(&memory.regions).zip(&self.code.regions);
        for (((schedule, memory), code), iterations) in regions.zip(iterations(node.op(), node.regions().len())) {
            let kernels = of_plan(schedule, &memory.plan, code, self.functions);
            report.code_bytes += kernels.iter().map(|kernel| kernel.code_bytes).sum::<usize>();
            report.regions.push(RegionReport { name: schedule.graph.name().to_string(), iterations, kernels });
        }
        report
    }

    fn kernel(&self, kind: KernelKind, mut steps: Vec<StepReport>, moved: Moved, cost: Option<Cost>) -> KernelReport {
        let assembled = self.schedule.assembled.get(&self.k).into_iter().flatten();
        steps.extend(assembled.map(|&node| self.step(&mut Moved::default(), node, Location::Registers)));
        KernelReport {
            kind,
            steps,
            cost,
            read_bytes: self.read_bytes(&moved),
            written_bytes: moved.written,
            reads: moved.reads,
            scratch_bytes: 0,
            functions: Vec::new(),
            code_bytes: 0,
            regions: Vec::new(),
        }
    }

    /// A step that computes a node. What is stored nowhere has the other location.
    fn step(&self, moved: &mut Moved, node: NodeId, otherwise: Location) -> StepReport {
        let graph = self.schedule.graph;
        let op = graph.op(node);
        let locations = results_of(graph, node).map(|y| {
            let Some(place) = self.plan.get(self.schedule.id(y)) else { return otherwise.clone() };
            if !self.schedule.ty(y).stack {
                moved.written += bytes_of(self.schedule.ty(y)) as u64;
            }
            self.location(place)
        });
        let locations = locations.collect();
        let mut line = graph.line(node);
        if let Some((owner, first)) = self.schedule.inside(self.schedule.id(node.into())) {
            line += &format!(", in {} from {first} on", self.root_name(owner));
        }
        StepReport { line, op: op.name(), locations }
    }

    /// A step that stores `n` elements of a result from the first on.
    fn stored(&self, moved: &mut Moved, node: NodeId, first: usize, n: usize, from: Value) -> StepReport {
        let size = self.schedule.ty(from).dtype.size();
        moved.written += (n * size) as u64;
        let place = self.plan.place(self.schedule.id(node.into())).beyond(signed(first * size));
        let op = self.schedule.graph.op(node);
        let line = describe::part_line(self.schedule, node, first, n, from);
        StepReport { line, op: op.name(), locations: vec![self.location(place)] }
    }

    /// A step that puts these parts of a result to their places, which is all that a nest has of it.
    fn parts(&self, moved: &mut Moved, parts: &[&PlacedPart]) -> StepReport {
        let (graph, node) = (self.schedule.graph, parts[0].node);
        let ty = graph.ty(node.into());
        let place = self.plan.place(self.schedule.id(node.into()));
        let filling = parts.iter().find_map(|part| part.filling.as_ref());
        if filling.is_none() && parts.iter().any(|part| part.put == Put::Add) {
            moved.reads.push(ReadReport { name: graph.value_name(node.into()), location: self.location(place) });
            let added = parts.iter().filter(|part| part.put == Put::Add).map(|part| part.part.size() as u64);
            *moved.elements.entry(self.schedule.id(node.into())).or_default() += added.sum::<u64>();
        }
        let filled = filling.map_or(0, |filling| filling.segments.iter().map(|segment| segment.len()).sum());
        let n = filled + parts.iter().map(|part| part.part.size()).sum::<usize>();
        moved.written += (n.min(ty.size()) * ty.dtype.size()) as u64;
        let op = graph.op(node);
        StepReport { line: parts::line(self.schedule, parts), op: op.name(), locations: vec![self.location(place)] }
    }

    /// A step that copies to an output.
    fn output(&self, moved: &mut Moved, from: Value, output: usize) -> StepReport {
        moved.written += bytes_of(self.schedule.ty(from)) as u64;
        let name = self.schedule.graph.outputs()[output].name.to_string();
        let line = format!("output {name} = {}", self.schedule.graph.value_name(from));
        StepReport { line, op: "output", locations: vec![Location::Output(name)] }
    }

    fn read(&self, moved: &mut Moved, x: Value) {
        self.read_access(moved, &self.schedule.access(x), x);
    }

    /// Notes what is read of a value, unless it is made in this kernel.
    fn read_access(&self, moved: &mut Moved, access: &Access, x: Value) {
        let (root, layout) = (access.root, &access.layout);
        let made_here = match self.schedule.source(root) {
            Source::Item(kernel) | Source::Scalar(kernel) | Source::After(kernel) => kernel == self.k,
            Source::Unused | Source::Input(_) | Source::Constant => false,
        };
        if made_here || self.schedule.ty(x).stack {
            return;
        }
        let Some(place) = self.plan.get(root) else {
            // A constant in the code, which views may have shaped otherwise; where it stands is all there is to say.
            if moved.roots.insert(root) {
                moved.reads.push(ReadReport { name: self.root_name(root), location: Location::Immediate });
            }
            return;
        };
        if moved.roots.insert(root) {
            moved.reads.push(ReadReport { name: self.root_name(root), location: self.location(place) });
        }
        let key = (root, layout.offset, layout.strides.clone(), layout.shape.clone());
        if moved.seen.insert(key) {
            let axes = layout.shape.iter().zip(&layout.strides);
            let n: u64 =
                axes.map(|(&extent, &stride)| if stride == 0 { extent.min(1) } else { extent } as u64).product();
            *moved.elements.entry(root).or_default() += n;
        }
    }

    /// The bytes of what was read. Views may overlap, but there is no more of a value than the whole.
    fn read_bytes(&self, moved: &Moved) -> u64 {
        let bytes = moved.elements.iter().map(|(&root, &n)| {
            let ty = self.schedule.ty(self.schedule.value(root));
            n.min(ty.size() as u64) * ty.dtype.size() as u64
        });
        bytes.sum()
    }

    fn root_name(&self, root: ValueId) -> String {
        self.schedule.graph.value_name(self.schedule.value(root))
    }

    fn location(&self, place: Address) -> Location {
        let Address { base, offset } = place;
        let (inputs, outputs) = (self.schedule.graph.inputs(), self.schedule.graph.outputs());
        let behind = base.checked_sub(FIRST_INPUT).map(|position| position as usize);
        match (base, behind) {
            (ARENA, _) => Location::Arena(unsigned(offset)),
            (FRAME, _) => Location::Frame(unsigned(offset) / 8),
            (_, Some(k)) if k < inputs.len() => Location::Input(inputs[k].name.to_string()),
            (_, Some(k)) if k < inputs.len() + outputs.len() => {
                Location::Output(outputs[k - inputs.len()].name.to_string())
            }
            _ => Location::Constant,
        }
    }
}

/// What a kernel reads and writes, as far as it is known.
#[derive(Default)]
struct Moved {
    reads: Vec<ReadReport>,
    roots: HashSet<ValueId>,
    seen: HashSet<(ValueId, isize, SmallVec<[isize; 4]>, Shape)>,
    elements: BTreeMap<ValueId, u64>,
    written: u64,
}

/// The regions of control flow whose values are all in registers.
fn regions_in_registers(graph: &Graph, id: NodeId) -> Vec<RegionReport> {
    let node = graph.node(id);
    let regions = node.regions().iter().zip(iterations(node.op(), node.regions().len()));
    let report = |(region, iterations): (&std::sync::Arc<Graph>, Iterations)| {
        let region: &Graph = region;
        let needed = region.needed();
        let ids = || region.ids().filter(|id| needed[id.index()]);
        let steps = ids().filter_map(|id| {
            let op = region.node(id).op()?;
            let locations = region.node(id).types().iter().map(|_| Location::Registers).collect();
            Some(StepReport { line: region.line(id), op: op.name(), locations })
        });
        let kernel = KernelReport {
            kind: KernelKind::Registers,
            steps: steps.collect(),
            reads: Vec::new(),
            read_bytes: 0,
            written_bytes: 0,
            scratch_bytes: 0,
            cost: cost_of_graph(region),
            functions: Vec::new(),
            code_bytes: 0,
            regions: ids().flat_map(|id| regions_in_registers(region, id)).collect(),
        };
        RegionReport { name: region.name().to_string(), iterations, kernels: vec![kernel] }
    };
    regions.map(report).collect()
}

/// The arithmetic of a node, its regions included.
fn cost_of(graph: &Graph, id: NodeId) -> Option<Cost> {
    let node = graph.node(id);
    let Some(op) = node.op() else { return Some(Cost::default()) };
    if node.regions().is_empty() {
        let operands: SmallVec<[_; 4]> = graph.operands(id).into_iter().map(|x| graph.ty(x)).collect();
        return Some(op.cost(&operands, node.types()));
    }
    let mut cost = Cost::default();
    for (region, iterations) in node.regions().iter().zip(iterations(Some(op), node.regions().len())) {
        let once = cost_of_graph(region)?;
        cost = match iterations {
            Iterations::Branch => cost.max(once),
            Iterations::Known(n) => cost.plus(once.times(n)),
            Iterations::Unknown if once == Cost::default() => cost,
            Iterations::Unknown => return None,
        };
    }
    Some(cost)
}

fn cost_of_graph(graph: &Graph) -> Option<Cost> {
    let needed = graph.needed();
    sum(graph.ids().filter(|id| needed[id.index()]).map(|id| cost_of(graph, id)))
}

/// How often each region of an operation runs.
fn iterations(op: Option<&Op>, n_regions: usize) -> Vec<Iterations> {
    match op {
        Some(Op::Revolve(op)) => {
            let advances = n_advances(op.schedule, op.length).map_or(Iterations::Unknown, Iterations::Known);
            vec![advances, Iterations::Known(op.length as u64)]
        }
        op => match op.and_then(Op::roles) {
            Some(roles) if roles.flow == Flow::Choice => vec![Iterations::Branch; n_regions],
            Some(roles) => vec![roles.length().map_or(Iterations::Unknown, |n| Iterations::Known(n as u64)); n_regions],
            None => Vec::new(),
        },
    }
}

/// The listing of `retrograd show --plan`.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = |n: usize| if n == 1 { "" } else { "s" };
        let n = self.kernels.len();
        writeln!(f, "{}: {n} kernel{}, {} bytes of code", self.name, s(n), self.code_bytes)?;
        list(f, &self.kernels, "")?;
        let numbers = [
            format!("{} bytes moved", self.moved_bytes()),
            arithmetic(self.cost(), self.moved_bytes()),
            format!(
                "{} bytes of working memory: {} of arena with tiles, {} of frame{}",
                self.memory_bytes(),
                self.arena_bytes,
                self.frame_bytes,
                if self.makes_stacks { "; and what loops save" } else { "" }
            ),
            format!(
                "{} bytes of inputs, {} of outputs, {} of constants",
                self.input_bytes, self.output_bytes, self.constant_bytes
            ),
        ];
        writeln!(f, "\nin all")?;
        numbers.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

fn list(f: &mut fmt::Formatter<'_>, kernels: &[KernelReport], indent: &str) -> fmt::Result {
    kernels.iter().enumerate().try_for_each(|(k, kernel)| {
        writeln!(f)?;
        one(f, k, kernel, indent)
    })
}

fn one(f: &mut fmt::Formatter<'_>, k: usize, kernel: &KernelReport, indent: &str) -> fmt::Result {
    write!(f, "{indent}kernel {k}: {}", kernel.title())?;
    if !kernel.functions.is_empty() {
        write!(f, ", {} bytes of code in {}", kernel.code_bytes, kernel.functions.join(", "))?;
    }
    writeln!(f)?;
    let width =
        kernel.steps.iter().map(|step| step.line.chars().count()).filter(|&n| n <= MAX_WIDTH).max().unwrap_or(0);
    for step in &kernel.steps {
        let locations = step.locations.iter().map(Location::to_string).collect::<Vec<_>>().join(", ");
        let line = format!("{:width$}  {locations}", step.line);
        writeln!(f, "{indent}  {}", line.trim_end())?;
    }
    if !kernel.reads.is_empty() {
        let reads = kernel.reads.iter().map(|read| match &read.location {
            Location::Input(_) => read.name.clone(),
            location => format!("{} ({location})", read.name),
        });
        writeln!(f, "{indent}  reads {}", reads.collect::<Vec<_>>().join(", "))?;
    }
    let mut numbers = format!("{} bytes read, {} written; ", kernel.read_bytes, kernel.written_bytes);
    numbers += &arithmetic(kernel.cost, kernel.moved_bytes());
    if kernel.scratch_bytes > 0 {
        let _ = write!(numbers, "; {} bytes while it runs", kernel.scratch_bytes);
    }
    // Values in registers are neither read nor written, so what stands there is no kernel of its own.
    if kernel.moved_bytes() > 0 || kernel.kind != KernelKind::Registers {
        writeln!(f, "{indent}  {numbers}")?;
    }
    for region in &kernel.regions {
        writeln!(f, "{indent}  region {}, {}", region.name, region.iterations)?;
        list(f, &region.kernels, &format!("{indent}    "))?;
    }
    Ok(())
}

/// Homes stand in a column, unless a line is longer than that.
const MAX_WIDTH: usize = 80;

fn arithmetic(cost: Option<Cost>, bytes: u64) -> String {
    let Some(cost) = cost else { return "arithmetic that depends on the number of iterations".to_string() };
    let mut text = format!("{} flops", cost.flops());
    if let Some(intensity) = intensity(Some(cost), bytes) {
        let _ = write!(text, ", {intensity:.3} a byte");
    }
    if cost.calls > 0 {
        let _ = write!(text, "; {} calls of math", cost.calls);
    }
    text
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Input(name) => write!(f, "input {name}"),
            Location::Output(name) => write!(f, "output {name}"),
            Location::Constant => f.write_str("constant"),
            Location::Immediate => f.write_str("in the code"),
            Location::Arena(offset) => write!(f, "arena + {offset}"),
            Location::Frame(slot) => write!(f, "frame slot {slot}"),
            Location::Tile(tile) => write!(f, "tile {tile}"),
            Location::Registers => f.write_str("registers"),
        }
    }
}

impl fmt::Display for Iterations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Iterations::Branch => f.write_str("a branch"),
            Iterations::Known(1) => f.write_str("once"),
            Iterations::Known(n) => write!(f, "{n} times"),
            Iterations::Unknown => f.write_str("as often as it takes"),
        }
    }
}
