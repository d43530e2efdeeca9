//! A plan, replayed kernel by kernel on the abstract memory.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::super::nest::Nest;
use super::super::plan::{ControlMemory, MemoryPlan, TILE_BYTES, filler};
use super::super::spills::{Element, Read, places};
use super::super::streams::{Action, FillWith, Operand, Work};
use super::meaning::{Meaning, NOTHING, Token, element_bytes, n_elements, name};
use super::memory::Memory;
use super::{PlanCheck, PlanFault};
use crate::compile::abi::{ARENA, Address, FIRST_INPUT};
use crate::compile::schedule::{Item, Kernel, LoopKernel, ScalarOp, Schedule, StraightLine, ValueId, calls};
use crate::emit::{position as entry, signed, unsigned, wide};
use crate::ir::{NodeId, Value, results_of};
use crate::op::{Monoid, TILE, kept_position};
use crate::value::Scalar;

/// How large a plan may be that is replayed: beyond, it counts as skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckLimits {
    /// The bytes of all buffers; each takes four in the checker.
    pub max_bytes: usize,
    /// The elements that are read.
    pub max_reads: usize,
}

impl Default for CheckLimits {
    /// Up to some seconds and a quarter of a gigabyte.
    fn default() -> CheckLimits {
        CheckLimits { max_bytes: 1 << 26, max_reads: 1 << 27 }
    }
}

impl CheckLimits {
    /// Some milliseconds, as for what is checked at every compilation with debug assertions.
    pub const SHORT: CheckLimits = CheckLimits { max_bytes: 1 << 20, max_reads: 1 << 18 };
}

pub(super) fn check(schedule: &Schedule<'_>, plan: &MemoryPlan, limits: CheckLimits) -> Result<PlanCheck, PlanFault> {
    let mut found = PlanCheck::default();
    if fits(schedule, plan, limits) {
        let mut replay = Replay::new(schedule, plan);
        replay.run().map_err(|message| PlanFault {
            graph: schedule.graph.name().to_string(),
            kernel: replay.kernel,
            message,
        })?;
        (found.n_kernels, found.n_reads) = (schedule.kernels.len(), replay.n_reads);
    } else {
        found.n_skipped = 1;
    }
    let regions = plan.controls.iter().flat_map(|(k, memory)| schedule.controls[k].regions.iter().zip(&memory.regions));
    for (schedule, region) in regions {
        let inner = check(schedule, &region.plan, limits)?;
        found.n_kernels += inner.n_kernels;
        found.n_reads += inner.n_reads;
        found.n_skipped += inner.n_skipped;
    }
    Ok(found)
}

/// Whether a plan is small enough. Its size is counted before anything is allocated.
fn fits(schedule: &Schedule<'_>, plan: &MemoryPlan, limits: CheckLimits) -> bool {
    let bytes: usize = buffers(schedule, plan).iter().fold(0, |sum, &bytes| sum.saturating_add(bytes));
    let elements =
        schedule.graph.ids().flat_map(|id| results_of(schedule.graph, id)).map(|x| n_elements(schedule.ty(x)));
    let kernels = schedule.kernels.iter().map(|kernel| match kernel {
        Kernel::Loop(nest) => nest.shape.size().saturating_mul(nest.items.len()),
        Kernel::Scalar(_) | Kernel::Library(_) | Kernel::Control(_) => 0,
    });
    let reads = elements.chain(kernels).fold(0, usize::saturating_add);
    bytes <= limits.max_bytes && reads <= limits.max_reads
}

/// The bytes at each entry of the base table.
fn buffers(schedule: &Schedule<'_>, plan: &MemoryPlan) -> Vec<usize> {
    let bytes = |x: Value| n_elements(schedule.ty(x)).saturating_mul(element_bytes(schedule.ty(x)));
    let mut buffers = vec![plan.arena_bytes, 8 * plan.frame_slots, 0];
    buffers.extend(schedule.graph.inputs().iter().map(|input| bytes(input.node.into())));
    buffers.extend(schedule.graph.outputs().iter().map(|output| bytes(output.value)));
    buffers.extend(plan.constants.iter().map(|&id| bytes(schedule.value(id))));
    buffers.push(8 * plan.numbers.len());
    buffers
}

struct Replay<'r, 'g> {
    schedule: &'r Schedule<'g>,
    plan: &'r MemoryPlan,
    meaning: Meaning,
    memory: Memory,
    kernel: Option<usize>,
    n_reads: u64,
    /// How many elements each element of a reduction has taken so far.
    progress: HashMap<(ValueId, usize), usize>,
}

/// What went wrong.
type Checked<T> = Result<T, String>;

impl<'r, 'g> Replay<'r, 'g> {
    fn new(schedule: &'r Schedule<'g>, plan: &'r MemoryPlan) -> Replay<'r, 'g> {
        Replay {
            schedule,
            plan,
            meaning: Meaning::new(schedule),
            memory: Memory::new(buffers(schedule, plan)),
            kernel: None,
            n_reads: 0,
            progress: HashMap::new(),
        }
    }

    fn run(&mut self) -> Checked<()> {
        self.fill_buffers()?;
        for (k, kernel) in self.schedule.kernels.iter().enumerate() {
            self.kernel = Some(k);
            match kernel {
                Kernel::Scalar(code) => self.straight_line(k, code)?,
                Kernel::Loop(nest) => self.nest(k, nest)?,
                Kernel::Library(node) => self.as_a_whole(*node, None)?,
                Kernel::Control(node) => self.control(k, *node)?,
            }
        }
        self.kernel = None;
        let outputs: Vec<Value> = self.schedule.graph.outputs().iter().map(|output| output.value).collect();
        for (position, &x) in outputs.iter().enumerate() {
            let place = Address { base: self.first_output() + entry(position), offset: 0 };
            self.expect_all(place, x).map_err(|message| format!("output {position}: {message}"))?;
        }
        Ok(())
    }

    fn first_output(&self) -> u32 {
        FIRST_INPUT + entry(self.schedule.graph.inputs().len())
    }

    /// Inputs, constants and numbers are there from the start.
    fn fill_buffers(&mut self) -> Checked<()> {
        let mut base = FIRST_INPUT;
        for input in self.schedule.graph.inputs() {
            self.define_at(Address { base, offset: 0 }, input.node.into())?;
            base += 1;
        }
        base += entry(self.schedule.graph.outputs().len());
        for &id in &self.plan.constants {
            self.define_at(Address { base, offset: 0 }, self.schedule.value(id))?;
            base += 1;
        }
        for (k, &number) in self.plan.numbers.iter().enumerate() {
            let token = self.meaning.number(Scalar::F64(number));
            self.memory.write(Address { base, offset: signed(8 * k) }, 8, token)?;
        }
        Ok(())
    }

    /// Writes all elements of a value from a place on.
    fn define_at(&mut self, place: Address, x: Value) -> Checked<()> {
        let (id, size) = (self.schedule.id(x), element_bytes(self.schedule.ty(x)));
        for k in 0..n_elements(self.schedule.ty(x)) {
            self.memory.write(place.beyond(signed(k * size)), size, self.meaning.token(id, k))?;
        }
        Ok(())
    }

    /// Demands all elements of a value, in row-major order from a place on.
    fn expect_all(&mut self, place: Address, x: Value) -> Checked<()> {
        let size = element_bytes(self.schedule.ty(x));
        (0..n_elements(self.schedule.ty(x))).try_for_each(|k| self.expect(place.beyond(signed(k * size)), x, k))
    }

    /// Demands an element of a value at a place.
    fn expect(&mut self, place: Address, x: Value, k: usize) -> Checked<()> {
        let found = self.read(place, element_bytes(self.schedule.ty(x)))?;
        self.require(found, x, k, place)
    }

    fn read(&mut self, place: Address, size: usize) -> Checked<Token> {
        self.n_reads += 1;
        self.memory.read(place, size)
    }

    fn require(&self, found: Token, x: Value, k: usize, place: Address) -> Checked<()> {
        if found == self.meaning.token(self.schedule.id(x), k) {
            return Ok(());
        }
        Err(format!(
            "reads element {k} of {} at {} of buffer {}, but finds {}",
            self.schedule.graph.value_name(x),
            place.offset,
            place.base,
            self.meaning.describe(self.schedule, found)
        ))
    }

    /// The place of a root value, which must have one.
    fn address(&self, root: ValueId) -> Checked<Address> {
        self.plan.get(root).ok_or_else(|| format!("{} has no place in memory", name(self.schedule, root)))
    }

    fn straight_line(&mut self, kernel: usize, code: &StraightLine) -> Checked<()> {
        let spills = self.plan.spills.get(&kernel).ok_or("straight-line code without register allocation")?;
        for (segment, spills) in code.segments().zip(spills) {
            let mut registers = Registers { known: HashSet::new(), reads: spills.reads.iter() };
            for step in calls::steps(self.schedule, segment.ops) {
                // A call takes the elements of all operations before it gives any.
                let joint = calls::joint_call(self.schedule, step).is_some();
                if joint {
                    step.iter().try_for_each(|&op| self.scalar_reads(&mut registers, op))?;
                }
                for &op in step {
                    if !joint {
                        self.scalar_reads(&mut registers, op)?;
                    }
                    self.scalar_writes(&mut registers, op)?;
                }
            }
        }
        Ok(())
    }

    fn scalar_reads(&mut self, registers: &mut Registers<'_>, op: ScalarOp) -> Checked<()> {
        for x in self.schedule.scalar_operands(op) {
            if self.schedule.constant(x).is_some() {
                continue;
            }
            let (root, size) = (self.schedule.root(x), self.schedule.ty(x).dtype.size());
            for (k, place) in places(self.schedule, x).into_iter().enumerate() {
                let read = registers.reads.next().ok_or("a read that register allocation does not know")?;
                let known = !registers.known.insert((root, place));
                if read.is_hit {
                    let text = || format!("element {k} of {} is in no register", self.schedule.graph.value_name(x));
                    known.then_some(()).ok_or_else(text)?;
                } else {
                    self.expect(self.address(root)?.beyond(wide(place) * signed(size)), x, k)?;
                }
            }
        }
        Ok(())
    }

    fn scalar_writes(&mut self, registers: &mut Registers<'_>, op: ScalarOp) -> Checked<()> {
        match op {
            ScalarOp::Node(node) => {
                let id = self.schedule.id(node.into());
                registers.known.extend((0..self.schedule.ty(node.into()).size()).map(|k| (id, k.cast_signed())));
                match self.plan.get(id) {
                    Some(place) => self.define_at(place, node.into()),
                    None => Ok(()),
                }
            }
            ScalarOp::Output { from, output } => {
                self.copy(from, Address { base: self.first_output() + entry(output), offset: 0 }, 1)
            }
            ScalarOp::Part { from, node, first, step } => {
                let size = signed(self.schedule.ty(from).dtype.size());
                let place = self.address(self.schedule.id(node.into()))?.beyond(i64::from(first) * size);
                self.copy(from, place, step.into())
            }
            ScalarOp::Fill { with, node, first, n } => {
                let number = filler(self.schedule, with);
                let (token, size) = (self.meaning.number(number), number.dtype().size());
                let place = self.address(self.schedule.id(node.into()))?;
                let each = |k: u32| place.beyond(i64::from(k) * signed(size));
                (first..first + n).try_for_each(|k| self.memory.write(each(k), size, token))
            }
            ScalarOp::Guard(_) => Ok(()),
        }
    }

    /// Stores the elements of a value, so many elements from each to the next.
    fn copy(&mut self, from: Value, place: Address, step: i64) -> Checked<()> {
        let (id, ty) = (self.schedule.id(from), self.schedule.ty(from));
        for k in 0..ty.size() {
            let at = place.beyond(signed(k) * step * signed(ty.dtype.size()));
            self.memory.write(at, ty.dtype.size(), self.meaning.token(id, k))?;
        }
        Ok(())
    }

    /// A kernel that reads its operands and writes its results in an order of its own: these must not overlap. `scratch` is
    /// what it writes besides.
    fn as_a_whole(&mut self, node: NodeId, scratch: Option<(Address, usize)>) -> Checked<()> {
        let operands = self.schedule.graph.operands(node);
        let results: Vec<Value> = results_of(self.schedule.graph, node).collect();
        self.forget(scratch)?;
        operands.iter().try_for_each(|&x| self.expect_operand(x))?;
        for &y in &results {
            self.define_at(self.address(self.schedule.id(y))?, y)?;
        }
        self.forget(scratch)?;
        let still = |message: String| format!("what it writes overlaps with what it uses: {message}");
        operands.iter().try_for_each(|&x| self.expect_operand(x)).map_err(still)?;
        for &y in &results {
            let place = self.address(self.schedule.id(y))?;
            self.expect_all(place, y).map_err(still)?;
        }
        Ok(())
    }

    fn forget(&mut self, scratch: Option<(Address, usize)>) -> Checked<()> {
        scratch.map_or(Ok(()), |(place, bytes)| self.memory.forget(place, bytes))
    }

    fn expect_operand(&mut self, x: Value) -> Checked<()> {
        let access = self.schedule.access(x);
        let place = self.address(access.root)?;
        let size = signed(element_bytes(self.schedule.ty(x)));
        if self.schedule.ty(x).stack {
            return self.expect(place, x, 0);
        }
        let places: Vec<isize> = access.layout.places().collect();
        places.into_iter().enumerate().try_for_each(|(k, at)| self.expect(place.beyond(wide(at) * size), x, k))
    }

    fn control(&mut self, kernel: usize, node: NodeId) -> Checked<()> {
        let schedule = self.schedule;
        let memory = self.plan.controls.get(&kernel);
        if let Some(memory) = memory {
            check_pieces(memory)?;
            for x in schedule.graph.operands(node) {
                let order = || format!("{} is not in row-major order", schedule.graph.value_name(x));
                schedule.access(x).layout.is_row_major().then_some(()).ok_or_else(order)?;
            }
        }
        let scratch = match (memory.map_or(0, |memory| memory.bytes), self.plan.scratch.get(&kernel)) {
            (0, _) => None,
            (bytes, Some(&place)) => Some((place, bytes)),
            (_, None) => return Err("control flow without its memory".to_string()),
        };
        self.as_a_whole(node, scratch)
    }

    fn nest(&mut self, kernel: usize, nest: &LoopKernel) -> Checked<()> {
        let items = &nest.items;
        let nest = Nest::new(self.schedule, self.plan, kernel, nest);
        let scratch = self.plan.scratch.get(&kernel).copied();
        // Tiles, and the sums of blocks that wait for a partner, of which no element is known here.
        let own = match (nest.scratch_bytes(), scratch) {
            (0, _) => None,
            (bytes, Some(place)) => Some((place, bytes)),
            (_, None) => return Err("tiles without memory".to_string()),
        };
        self.forget(own)?;
        for fill in &nest.fills {
            let size = fill.dtype.size();
            let token = match fill.with {
                FillWith::Immediate(number) => self.meaning.number(number),
                FillWith::Element(place) => self.read(place, size)?,
            };
            for k in fill.segments.iter().cloned().flatten() {
                self.memory.write(fill.place.beyond(signed(k * size)), size, token)?;
            }
        }
        if nest.extents.contains(&0) {
            return Ok(());
        }
        let mut run = NestRun { replay: self, nest: &nest, items, scratch, uniform: Vec::new(), row_position: 0 };
        run.outer(0, &vec![0; nest.streams.len()])?;
        self.forget(own)
    }
}

/// What straight-line code has in registers.
struct Registers<'r> {
    known: HashSet<Element>,
    reads: std::slice::Iter<'r, Read>,
}

/// What a loop around regions needs lies apart, each piece in its own bytes.
fn check_pieces(control: &ControlMemory) -> Checked<()> {
    let mut pieces = control.pieces();
    pieces.sort_unstable_by_key(|piece| piece.1.start);
    for pair in pieces.windows(2) {
        let [(one, a), (other, b)] = pair else { continue };
        if a.end > b.start && !a.is_empty() && !b.is_empty() {
            return Err(format!("the memory of {one} overlaps with that of {other}"));
        }
    }
    match pieces.iter().find(|(_, bytes)| bytes.end > control.bytes) {
        Some((piece, _)) => Err(format!("{piece} does not fit into the memory of its loop")),
        None => Ok(()),
    }
}

/// A loop nest being replayed, in the order in which it runs: row by row, tile by tile, level by level.
struct NestRun<'n, 'r, 'g> {
    replay: &'n mut Replay<'r, 'g>,
    nest: &'n Nest<'r, 'g>,
    items: &'n [Item],
    scratch: Option<Address>,
    /// The elements that do not change along the row.
    uniform: Vec<Option<Token>>,
    /// The position of the row's first element in the iteration space.
    row_position: usize,
}

/// What one loop in lanes, or one call, has touched so far: by which index, if by one.
#[derive(Default)]
struct Touched {
    read: HashMap<(u32, i64), Option<usize>>,
    written: HashMap<(u32, i64), usize>,
}

impl Touched {
    fn read(&mut self, place: Address, index: usize) -> Checked<()> {
        let key = (place.base, place.offset);
        if self.written.get(&key).is_some_and(|&by| by != index) {
            return Err(crossed(place));
        }
        self.read.entry(key).and_modify(|by| *by = by.filter(|&by| by == index)).or_insert(Some(index));
        Ok(())
    }

    fn write(&mut self, place: Address, index: usize) -> Checked<()> {
        let key = (place.base, place.offset);
        let read_elsewhere = self.read.get(&key).is_some_and(|&by| by != Some(index));
        if read_elsewhere || self.written.insert(key, index).is_some_and(|by| by != index) {
            return Err(crossed(place));
        }
        Ok(())
    }
}

fn crossed(place: Address) -> String {
    format!(
        "what is at {} of buffer {} is written at one index of a loop and used at another",
        place.offset, place.base
    )
}

/// An index of a row.
#[derive(Clone, Copy)]
struct At<'a> {
    /// How far each stream has moved up to the row, in elements.
    distances: &'a [i64],
    /// The index in the row.
    i: usize,
    /// The index in the tile.
    in_tile: usize,
}

/// What the items of one index know.
#[derive(Default)]
struct Known {
    loaded: HashMap<usize, Token>,
    made: HashMap<usize, Token>,
}

impl NestRun<'_, '_, '_> {
    fn outer(&mut self, axis: usize, distances: &[i64]) -> Checked<()> {
        if axis + 1 >= self.nest.extents.len() {
            self.row(distances)?;
            self.row_position += unsigned(self.nest.row());
            return Ok(());
        }
        for i in 0..self.nest.extents[axis] {
            let mut inner: Vec<i64> = distances.to_vec();
            for (distance, stream) in inner.iter_mut().zip(&self.nest.streams) {
                *distance += signed(i) * wide(stream.strides[axis]);
            }
            self.outer(axis + 1, &inner)?;
        }
        Ok(())
    }

    fn row(&mut self, distances: &[i64]) -> Checked<()> {
        self.uniform = vec![None; self.nest.streams.len()];
        for x in self.nest.works.iter().flat_map(|work| &work.operands) {
            if let Operand::Stream(stream) = *x
                && self.nest.streams[stream].inner() == 0
            {
                let place = self.place(stream, At { distances, i: 0, in_tile: 0 });
                self.uniform[stream] = Some(self.replay.read(place, self.nest.streams[stream].dtype.size())?);
            }
        }
        let row = unsigned(self.nest.row());
        let tiled = self.nest.n_levels > 1 || self.nest.works.iter().any(|w| matches!(w.action, Action::ReduceRow(_)));
        let tile = if tiled { TILE } else { row.max(1) };
        for start in (0..row).step_by(tile) {
            self.tile(distances, start..row.min(start + tile))?;
        }
        Ok(())
    }

    fn tile(&mut self, distances: &[i64], indices: Range<usize>) -> Checked<()> {
        let at = |i: usize| At { distances, i, in_tile: i - indices.start };
        for level in 0..self.nest.n_levels {
            for k in 0..self.nest.works.len() {
                if self.nest.works[k].level == level && self.nest.works[k].action.takes_tiles() {
                    let mut touched = Touched::default();
                    for at in indices.clone().map(at) {
                        self.work(k, at, &mut Known::default(), &mut touched)?;
                    }
                }
            }
            let inline = |work: &Work| work.level == level && !work.action.takes_tiles();
            let segment: Vec<usize> = (0..self.nest.works.len()).filter(|&k| inline(&self.nest.works[k])).collect();
            let mut touched = Touched::default();
            for at in indices.clone().map(at) {
                let mut known = Known::default();
                segment.iter().try_for_each(|&k| self.work(k, at, &mut known, &mut touched))?;
            }
            segment.iter().try_for_each(|&k| self.close(k, at(indices.start), indices.len()))?;
        }
        Ok(())
    }

    fn place(&self, stream: usize, at: At<'_>) -> Address {
        let stream_of = &self.nest.streams[stream];
        let elements = at.distances[stream] + signed(at.i) * wide(stream_of.inner());
        stream_of.place.beyond(elements * signed(stream_of.dtype.size()))
    }

    /// Where the result of a work is in memory.
    fn memory(&self, k: usize, at: At<'_>) -> Option<Address> {
        let work = &self.nest.works[k];
        match (work.store, work.tile) {
            (Some(stream), _) => Some(self.place(stream, at)),
            (None, Some(tile)) => {
                let distance = tile * TILE_BYTES + at.in_tile * work.dtype.size();
                self.scratch.map(|scratch| scratch.beyond(signed(distance)))
            }
            (None, None) => None,
        }
    }

    /// What a work does at one index.
    fn work(&mut self, k: usize, at: At<'_>, known: &mut Known, touched: &mut Touched) -> Checked<()> {
        let work = &self.nest.works[k];
        let mut found = Vec::with_capacity(work.operands.len());
        for &x in &work.operands {
            found.push(self.operand(x, at, known, touched)?);
        }
        let result = match work.item {
            None => found[0],
            Some(item) => self.item(k, &self.items[item], &found, at, touched)?,
        };
        if matches!(work.action, Action::ReduceRow(_) | Action::AddRows { .. }) {
            return Ok(());
        }
        if let Some(place) = self.memory(k, at) {
            touched.write(place, at.i)?;
            self.replay.memory.write(place, work.dtype.size(), result)?;
        }
        known.made.insert(k, result);
        Ok(())
    }

    fn operand(&mut self, x: Operand, at: At<'_>, known: &mut Known, touched: &mut Touched) -> Checked<Token> {
        let (place, size) = match x {
            Operand::Immediate(number) => return Ok(self.replay.meaning.number(number)),
            Operand::Stream(stream) => {
                if let Some(token) = self.uniform[stream].or_else(|| known.loaded.get(&stream).copied()) {
                    return Ok(token);
                }
                (self.place(stream, at), self.nest.streams[stream].dtype.size())
            }
            Operand::Item(j) => {
                if let Some(&token) = known.made.get(&j) {
                    return Ok(token);
                }
                let place = self.memory(j, at);
                (place.ok_or("an item is read through memory that it does not have")?, self.nest.works[j].dtype.size())
            }
        };
        touched.read(place, at.i)?;
        let token = self.replay.read(place, size)?;
        match x {
            Operand::Stream(stream) => drop(known.loaded.insert(stream, token)),
            Operand::Item(j) => drop(known.made.insert(j, token)),
            Operand::Immediate(_) => {}
        }
        Ok(token)
    }

    /// Compares what was found with what an item means; gives what it makes.
    fn item(&mut self, k: usize, item: &Item, found: &[Token], at: At<'_>, touched: &mut Touched) -> Checked<Token> {
        let position = self.row_position + at.i;
        let schedule = self.replay.schedule;
        let nowhere = Address { base: ARENA, offset: 0 };
        let place = |x: Operand| match x {
            Operand::Stream(stream) => self.place(stream, at),
            Operand::Item(j) => self.memory(j, at).unwrap_or(nowhere),
            Operand::Immediate(_) => nowhere,
        };
        let places: Vec<Address> = self.nest.works[k].operands.iter().map(|&x| place(x)).collect();
        match item {
            Item::Op(node) => {
                for ((&x, &token), &place) in schedule.graph.operands(*node).iter().zip(found).zip(&places) {
                    self.replay.require(token, x, position, place)?;
                }
                Ok(self.replay.meaning.token(schedule.id((*node).into()), position))
            }
            Item::Gather(node) | Item::Copy(node) => {
                self.replay.require(found[0], (*node).into(), position, places[0])?;
                Ok(found[0])
            }
            Item::Output { from, .. } => {
                self.replay.require(found[0], *from, position, places[0])?;
                Ok(found[0])
            }
            Item::Reduce { node, monoid, axes } => {
                let x = schedule.graph.operands(*node)[0];
                self.replay.require(found[0], x, position, places[0])?;
                let shape = &schedule.ty(x).shape;
                let reduced: Vec<usize> = (0..shape.rank()).filter(|axis| !axes.contains(axis)).collect();
                let term = Term {
                    result: (*node).into(),
                    element: kept_position(shape, axes, position),
                    number: kept_position(shape, &reduced, position),
                    of: shape.size() / schedule.ty((*node).into()).size().max(1),
                };
                match self.nest.works[k].action {
                    // Its terms are counted where the tile ends; here only their order is looked at.
                    Action::ReduceRow(_) => self.in_order(&term, at.in_tile),
                    _ => {
                        let place = self.memory(k, at).ok_or("a reduction without a result")?;
                        touched.read(place, at.i)?;
                        self.combine(&term, *monoid, place, 1)
                    }
                }
            }
            Item::Product { node, product } => self.product(k, *node, product.matrix, found, at, touched),
            Item::Part(part) => {
                self.replay.require(found[0], part.from, position, places[0])?;
                let zero = Scalar::F64(0.0).convert(schedule.ty(part.from).dtype);
                let zero = self.replay.meaning.number(zero);
                match self.nest.works[k].action {
                    Action::AddToZero => Ok(self.replay.meaning.sum(zero, zero, found[0])),
                    Action::Add => {
                        let place = self.memory(k, at).ok_or("a part without a place")?;
                        touched.read(place, at.i)?;
                        let before = self.replay.read(place, schedule.ty(part.from).dtype.size())?;
                        Ok(self.replay.meaning.sum(zero, before, found[0]))
                    }
                    _ => Ok(found[0]),
                }
            }
        }
    }

    /// The row of a matrix times a vector, or times an element of it and added to a sum of rows.
    fn product(
        &mut self,
        k: usize,
        node: NodeId,
        slot: usize,
        found: &[Token],
        at: At<'_>,
        touched: &mut Touched,
    ) -> Checked<Token> {
        let schedule = self.replay.schedule;
        let operands = schedule.graph.operands(node);
        let (matrix, vector) = (operands[slot], operands[1 - slot]);
        let row = self.row_position + at.i;
        let size = schedule.ty(matrix).dtype.size();
        let along = |place: Address, column: usize| place.beyond(signed(column * size));
        match self.nest.works[k].action {
            Action::RowsTimesVector { matrix: rows, vector: elements, columns } => {
                let (rows, elements) = (self.place(rows, at), self.place(elements, at));
                for column in 0..columns {
                    touched.read(along(rows, column), at.i)?;
                    touched.read(along(elements, column), at.i)?;
                    self.replay.expect(along(rows, column), matrix, row * columns + column)?;
                    self.replay.expect(along(elements, column), vector, column)?;
                }
                Ok(self.replay.meaning.token(schedule.id(node.into()), row))
            }
            Action::AddRows { matrix: rows, columns } => {
                let rows = self.place(rows, at);
                self.replay.require(found[0], vector, row, rows)?;
                let sums = self.memory(k, at).ok_or("a sum without a place")?;
                for column in 0..columns {
                    touched.read(along(rows, column), at.i)?;
                    self.replay.expect(along(rows, column), matrix, row * columns + column)?;
                    let term =
                        Term { result: node.into(), element: column, number: row, of: schedule.ty(vector).size() };
                    let sum = self.combine(&term, Monoid::Sum, along(sums, column), 1)?;
                    self.replay.memory.write(along(sums, column), size, sum)?;
                }
                Ok(NOTHING)
            }
            other => Err(format!("{other:?} as a product")),
        }
    }

    /// Whether the terms of a row arrive in their order.
    fn in_order(&self, term: &Term, ahead: usize) -> Checked<Token> {
        let key = (self.replay.schedule.id(term.result), term.element);
        let so_far = self.replay.progress.get(&key).copied().unwrap_or(0);
        if term.number == so_far + ahead {
            Ok(NOTHING)
        } else {
            Err(term.out_of_order(self.replay.schedule, so_far + ahead))
        }
    }

    /// Combines terms with what is at a place; gives what is to be there then.
    fn combine(&mut self, term: &Term, monoid: Monoid, place: Address, n: usize) -> Checked<Token> {
        let replay = &mut *self.replay;
        let (id, ty) = (replay.schedule.id(term.result), replay.schedule.ty(term.result));
        let before = replay.read(place, ty.dtype.size())?;
        let partial = replay.meaning.partial(id, ty.size(), term.element);
        let key = (id, term.element);
        if before == replay.meaning.number(monoid.identity(ty.dtype)) {
            replay.progress.insert(key, 0);
        } else if before != partial {
            let found = replay.meaning.describe(replay.schedule, before);
            return Err(format!(
                "adds to element {} of {}, but finds {found}",
                term.element,
                name(replay.schedule, id)
            ));
        }
        let so_far = replay.progress.entry(key).or_insert(0);
        if n == 1 && *so_far != term.number {
            let expected = *so_far;
            return Err(term.out_of_order(replay.schedule, expected));
        }
        *so_far += n;
        Ok(if *so_far == term.of { replay.meaning.token(id, term.element) } else { partial })
    }

    /// The end of a tile of a reduction along the row.
    fn close(&mut self, k: usize, at: At<'_>, n: usize) -> Checked<()> {
        let work = &self.nest.works[k];
        let (Action::ReduceRow(monoid), Some(Item::Reduce { node, axes, .. })) =
            (work.action, work.item.map(|item| &self.items[item]))
        else {
            return Ok(());
        };
        let schedule = self.replay.schedule;
        let shape = &schedule.ty(schedule.graph.operands(*node)[0]).shape;
        let term = Term {
            result: (*node).into(),
            element: kept_position(shape, axes, self.row_position),
            number: 0,
            of: shape.size() / schedule.ty((*node).into()).size().max(1),
        };
        let place = self.memory(k, at).ok_or("a reduction without a result")?;
        let after = self.combine_many(&term, monoid, place, n)?;
        self.replay.memory.write(place, work.dtype.size(), after)
    }

    fn combine_many(&mut self, term: &Term, monoid: Monoid, place: Address, n: usize) -> Checked<Token> {
        if n == 1 {
            let key = (self.replay.schedule.id(term.result), term.element);
            let number = self.replay.progress.get(&key).copied().unwrap_or(0);
            return self.combine(&Term { number, ..*term }, monoid, place, 1);
        }
        self.combine(term, monoid, place, n)
    }
}

/// One element on its way into a reduction.
#[derive(Clone, Copy)]
struct Term {
    result: Value,
    /// The element of the result.
    element: usize,
    /// How many come before it.
    number: usize,
    /// How many there are.
    of: usize,
}

impl Term {
    fn out_of_order(&self, schedule: &Schedule<'_>, expected: usize) -> String {
        let Term { element, number, .. } = self;
        let result = schedule.graph.value_name(self.result);
        format!("term {number} of element {element} of {result} comes where term {expected} should")
    }
}
