//! A loop nest before emission: its axes, the streams of memory that it reads and writes, and its items sorted into
//! levels.
//!
//! The axes of the iteration space are merged where every stream allows it. The innermost axis is the *row*. A function
//! of `math` takes a whole tile of a row from memory to memory, and what depends on it is one *level* later. So is a part
//! of a result that is added, at other places, to a part that the nest has stored.

use std::collections::HashMap;

use super::cascade::Cascade;
use super::plan::{MemoryPlan, TILE_BYTES};
use super::streams::{Action, Fill, FillWith, Operand, Stream, Work};
use crate::compile::abi::{Address, FIRST_INPUT};
use crate::compile::schedule::{Access, Item, Kernel, LoopKernel, PlacedPart, Put, Schedule, Source, ValueId};
use crate::emit::{position, signed, wide};
use crate::ir::{NodeId, Value};
use crate::op::{Layout, Lowering, MatrixVector, Monoid};
use crate::value::{DType, Scalar};

/// A loop nest, ready for emission.
pub struct Nest<'p, 'g> {
    pub schedule: &'p Schedule<'g>,
    pub extents: Vec<usize>,
    pub streams: Vec<Stream>,
    pub works: Vec<Work>,
    pub fills: Vec<Fill>,
    pub n_levels: usize,
    pub n_tiles: usize,
    /// The reductions whose terms make more than one block.
    pub cascades: Vec<Cascade>,
}

impl<'p, 'g> Nest<'p, 'g> {
    pub fn new(schedule: &'p Schedule<'g>, plan: &MemoryPlan, kernel: usize, nest: &LoopKernel) -> Nest<'p, 'g> {
        let mut build = Build {
            schedule,
            plan,
            kernel,
            nest,
            streams: Vec::new(),
            works: Vec::new(),
            fills: Vec::new(),
            made: HashMap::new(),
            placed: HashMap::new(),
            follow: Vec::new(),
            reduces: false,
            reduces_rows: false,
        };
        nest.items.iter().enumerate().for_each(|(k, item)| build.add(k, item));
        let (extents, streams) = merge_axes(&nest.shape, build.streams, build.reduces, build.reduces_rows);
        let Build { works, fills, follow, .. } = build;
        let mut nest = Nest { schedule, extents, streams, works, fills, n_levels: 0, n_tiles: 0, cascades: Vec::new() };
        nest.assign_levels(&follow);
        nest.delay(&follow);
        nest.assign_tiles();
        nest.cascades = Cascade::all(&nest.extents, &nest.streams, &nest.works);
        nest
    }

    /// The bytes that the nest needs while it runs: its tiles, then what waits in its cascades.
    pub fn scratch_bytes(&self) -> usize {
        self.n_tiles * TILE_BYTES + Cascade::bytes_of_all(&self.cascades)
    }

    /// The number of rows.
    pub fn n_rows(&self) -> usize {
        let n_axes = self.extents.len().saturating_sub(1);
        self.extents[..n_axes].iter().product()
    }

    /// The number of elements in a row.
    pub fn row(&self) -> i64 {
        signed(self.extents.last().copied().unwrap_or(1))
    }
}

/// The bytes of tiles that a loop kernel needs. The places of its results must be known.
pub(super) fn scratch_bytes(schedule: &Schedule<'_>, kernel: usize, plan: &MemoryPlan) -> usize {
    match &schedule.kernels[kernel] {
        Kernel::Loop(nest) => Nest::new(schedule, plan, kernel, nest).scratch_bytes(),
        Kernel::Scalar(_) | Kernel::Library(_) | Kernel::Control(_) => 0,
    }
}

/// A nest under construction.
struct Build<'b, 'g> {
    schedule: &'b Schedule<'g>,
    plan: &'b MemoryPlan,
    kernel: usize,
    nest: &'b LoopKernel,
    streams: Vec<Stream>,
    works: Vec<Work>,
    fills: Vec<Fill>,
    /// Which work makes a value.
    made: HashMap<ValueId, usize>,
    /// Which works place parts of a result.
    placed: HashMap<NodeId, Vec<usize>>,
    /// Works of which the second adds to what the first has put there, and how many levels it has to be after it.
    follow: Vec<(usize, usize, usize)>,
    reduces: bool,
    reduces_rows: bool,
}

impl Build<'_, '_> {
    fn add(&mut self, k: usize, item: &Item) {
        let operands: Vec<Operand> = match item {
            Item::Copy(node) => {
                let access = self.schedule.copied(*node).clone();
                let number = self.number(self.schedule.graph.operands(*node)[0]);
                vec![number.unwrap_or_else(|| self.elements(access, self.schedule.ty((*node).into()).dtype))]
            }
            Item::Product { node, product } => {
                let vector = self.schedule.graph.operands(*node)[1 - product.matrix];
                if product.adds_rows { vec![self.operand(vector)] } else { Vec::new() }
            }
            Item::Part(part) => vec![self.operand(part.from)],
            item => self.schedule.item_operands(item).iter().map(|&x| self.operand(x)).collect(),
        };
        let rank = self.nest.shape.rank();
        let (action, store) = match item {
            Item::Op(node) => (self.action(*node), self.own_store((*node).into())),
            Item::Gather(node) | Item::Copy(node) => (Action::Move, self.own_store((*node).into())),
            Item::Output { output, from } => {
                let base = FIRST_INPUT + position(self.schedule.graph.inputs().len() + output);
                let place = Address { base, offset: 0 };
                (Action::Move, Some(self.row_major(place, self.schedule.ty(*from).dtype)))
            }
            Item::Reduce { node, monoid, axes } => {
                let in_row = axes.contains(&(rank - 1));
                self.reduces = true;
                self.reduces_rows |= in_row;
                let action = if in_row { Action::ReduceRow(*monoid) } else { Action::ReduceAcross(*monoid) };
                self.fill_result(*node, *monoid);
                (action, Some(self.reduced(*node, axes)))
            }
            Item::Product { node, product } => self.product(*node, *product),
            Item::Part(part) => self.part(part),
        };
        let makes = item.result().map(|node| self.schedule.id(node.into()));
        self.made.extend(makes.map(|id| (id, self.works.len())));
        let dtype = self.schedule.item_dtype(item);
        self.works.push(Work { item: Some(k), action, makes, operands, dtype, level: 0, store, tile: None });
    }

    fn product(&mut self, node: NodeId, product: MatrixVector) -> (Action, Option<usize>) {
        let operands = self.schedule.graph.operands(node);
        let [matrix, vector] = [operands[product.matrix], operands[1 - product.matrix]];
        let columns = self.schedule.ty(matrix).shape[1];
        let layout = self.schedule.access(matrix).layout;
        let rows = self.along(matrix, layout.strides[0]);
        if product.adds_rows {
            let ty = self.schedule.ty(node.into());
            let place = self.plan.place(self.schedule.id(node.into()));
            self.fill_result(node, Monoid::Sum);
            let sum = self.stream(Stream { place, dtype: ty.dtype, strides: vec![0] });
            return (Action::AddRows { matrix: rows, columns }, Some(sum));
        }
        let vector = self.along(vector, 0);
        (Action::RowsTimesVector { matrix: rows, vector, columns }, self.own_store(node.into()))
    }

    /// The part of a result, whose places its stream meets.
    fn part(&mut self, part: &PlacedPart) -> (Action, Option<usize>) {
        let dtype = self.schedule.ty(part.node.into()).dtype;
        let result = self.plan.place(self.schedule.id(part.node.into()));
        let place = result.beyond(wide(part.places.offset) * signed(dtype.size()));
        let stream = self.stream(Stream { place, dtype, strides: part.places.strides.to_vec() });
        if let Some(filling) = &part.filling {
            let with = match filling.with {
                None => FillWith::Immediate(Scalar::F64(0.0).convert(dtype)),
                Some(x) => match self.number(x) {
                    Some(Operand::Immediate(number)) => FillWith::Immediate(number),
                    _ => FillWith::Element(self.element(x)),
                },
            };
            self.fills.push(Fill { place: result, dtype, segments: filling.segments.clone(), with });
        }
        let work = self.works.len();
        let before = self.placed.entry(part.node).or_default();
        if part.put == Put::Add {
            // At the same places one element after the other will do.
            let distance = |other: usize| usize::from(self.works[other].store != Some(stream));
            self.follow.extend(before.iter().map(|&other| (other, work, distance(other))));
        }
        before.push(work);
        let action = match part.put {
            Put::Store => Action::Move,
            Put::AddToZero => Action::AddToZero,
            Put::Add => Action::Add,
        };
        (action, Some(stream))
    }

    /// Where the first element of a value is.
    fn element(&self, x: Value) -> Address {
        let Access { root, layout } = self.schedule.access(x);
        self.plan.place(root).beyond(wide(layout.offset) * signed(self.schedule.ty(x).dtype.size()))
    }

    /// Sets a result to the identity.
    fn fill_result(&mut self, node: NodeId, monoid: Monoid) {
        let ty = self.schedule.ty(node.into());
        let place = self.plan.place(self.schedule.id(node.into()));
        let with = FillWith::Immediate(monoid.identity(ty.dtype));
        let segments = std::iter::once(0..ty.size()).collect();
        self.fills.push(Fill { place, dtype: ty.dtype, segments, with });
    }

    /// A value's memory, met at that distance, in elements, from index to index.
    fn along(&mut self, x: Value, stride: isize) -> usize {
        let (place, dtype) = (self.element(x), self.schedule.ty(x).dtype);
        self.stream(Stream { place, dtype, strides: vec![stride] })
    }

    fn action(&self, node: NodeId) -> Action {
        let op = self.schedule.graph.op(node);
        match op.lower() {
            Lowering::Elementwise => Action::Inline(node),
            Lowering::Math1(f) => Action::Math1(f),
            Lowering::Math2(f) => Action::Math2(f),
            Lowering::Constant(_)
            | Lowering::View(_)
            | Lowering::Reduce { .. }
            | Lowering::Assemble(_)
            | Lowering::Scatter(_)
            | Lowering::Contract(_)
            | Lowering::Generate(_)
            | Lowering::Library(_)
            | Lowering::Matrix(_)
            | Lowering::Checked(_)
            | Lowering::External(_)
            | Lowering::Control => {
                unreachable!("bug: {} as an item of a loop", op.name())
            }
        }
    }

    fn operand(&mut self, x: Value) -> Operand {
        let root = self.schedule.root(x);
        if self.schedule.source(root) == Source::Item(self.kernel) {
            return Operand::Item(self.made[&root]);
        }
        let number = self.number(x);
        number.unwrap_or_else(|| self.elements(self.schedule.access(x), self.schedule.ty(x).dtype))
    }

    /// The number that stands everywhere in a value, if it is known.
    fn number(&self, x: Value) -> Option<Operand> {
        let constant = self.schedule.constant(x).filter(|constant| constant.size() == 1)?;
        Some(Operand::Immediate(constant.get(0).expect("bug: a constant without its element")))
    }

    fn elements(&mut self, access: Access, dtype: DType) -> Operand {
        let Layout { offset, strides, .. } = access.layout;
        let place = self.plan.place(access.root);
        let place = Address { offset: place.offset + wide(offset) * signed(dtype.size()), ..place };
        Operand::Stream(self.stream(Stream { place, dtype, strides: strides.to_vec() }))
    }

    fn stream(&mut self, stream: Stream) -> usize {
        self.streams.iter().position(|other| *other == stream).unwrap_or_else(|| {
            self.streams.push(stream);
            self.streams.len() - 1
        })
    }

    /// The stream into which a value of the iteration space's size is stored, if it needs memory at all.
    fn own_store(&mut self, value: Value) -> Option<usize> {
        let place = self.plan.get(self.schedule.id(value))?;
        Some(self.row_major(place, self.schedule.ty(value).dtype))
    }

    fn row_major(&mut self, place: Address, dtype: DType) -> usize {
        let strides = self.nest.shape.strides();
        self.stream(Stream { place, dtype, strides })
    }

    /// The stream of a reduction's result, which does not move along the axes that vanish.
    fn reduced(&mut self, node: NodeId, axes: &[usize]) -> usize {
        let ty = self.schedule.ty(node.into());
        let mut kept = ty.shape.strides().into_iter();
        let stride = |axis| if axes.contains(&axis) { 0 } else { kept.next().expect("bug: a kept axis is lost") };
        let strides = (0..self.nest.shape.rank()).map(stride).collect();
        let place = self.plan.place(self.schedule.id(node.into()));
        self.stream(Stream { place, dtype: ty.dtype, strides })
    }
}

/// Merges neighboring axes along which every stream moves evenly, and drops axes of extent 1. Where something is reduced
/// the last axis is not dropped, and where rows are reduced it is not merged either: the order of a reduction refers
/// to it.
fn merge_axes(shape: &[usize], streams: Vec<Stream>, keep_last: bool, keep_row: bool) -> (Vec<usize>, Vec<Stream>) {
    let mut extents: Vec<usize> = Vec::new();
    let mut sources: Vec<usize> = Vec::new();
    for (axis, &extent) in shape.iter().enumerate() {
        let last = axis + 1 == shape.len();
        if extent == 1 && !(last && (keep_last || extents.is_empty())) {
            continue;
        }
        let mergeable = sources.last().is_some_and(|&before| {
            streams.iter().all(|stream| stream.strides[before] == stream.strides[axis] * extent.cast_signed())
        });
        if mergeable && !(last && keep_row) {
            *extents.last_mut().expect("bug: an axis before this one") *= extent;
            *sources.last_mut().expect("bug: an axis before this one") = axis;
        } else {
            extents.push(extent);
            sources.push(axis);
        }
    }
    let streams = streams
        .into_iter()
        .map(|stream| Stream { strides: sources.iter().map(|&axis| stream.strides[axis]).collect(), ..stream })
        .collect();
    (extents, streams)
}

impl Nest<'_, '_> {
    fn assign_levels(&mut self, follow: &[(usize, usize, usize)]) {
        for k in 0..self.works.len() {
            let needed = self.works[k].operands.iter().map(|&x| match x {
                Operand::Item(j) => self.works[j].level,
                Operand::Stream(_) | Operand::Immediate(_) => 0,
            });
            let needed = needed.max().unwrap_or(0) + usize::from(self.works[k].action.takes_tiles());
            let behind = follow.iter().filter(|&&(_, work, _)| work == k);
            let behind = behind.map(|&(other, _, distance)| self.works[other].level + distance);
            self.works[k].level = behind.fold(needed, usize::max);
            self.n_levels = self.n_levels.max(self.works[k].level + 1);
        }
    }

    /// Moves what only later levels read to the first of these, where it needs no tile, unless an operand would need one for
    /// it.
    fn delay(&mut self, follow: &[(usize, usize, usize)]) {
        let mut readers: Vec<Vec<usize>> = vec![Vec::new(); self.works.len()];
        for (k, work) in self.works.iter().enumerate() {
            for &x in &work.operands {
                if let Operand::Item(j) = x {
                    readers[j].push(k);
                }
            }
        }
        let has_parts = |k: usize| follow.iter().any(|&(first, second, _)| first == k || second == k);
        for k in (0..self.works.len()).rev().filter(|&k| !has_parts(k)) {
            let needed = readers[k].iter().map(|&reader| self.works[reader].reads_at()).min();
            let Some(needed) = needed.filter(|&needed| self.works[k].may_wait() && needed > self.works[k].level) else {
                continue;
            };
            let is_there = |x: Operand| match x {
                Operand::Item(j) if self.works[j].may_wait() && readers[j].iter().all(|&reader| reader == k) => true,
                Operand::Item(j) => {
                    let work = &self.works[j];
                    let is_read_late = |&reader: &usize| {
                        let reader = &self.works[reader];
                        reader.action.takes_tiles() || reader.level > work.level
                    };
                    work.store.is_some() || work.action.takes_tiles() || readers[j].iter().any(is_read_late)
                }
                Operand::Stream(_) | Operand::Immediate(_) => true,
            };
            if self.works[k].operands.iter().all(|&x| is_there(x)) {
                self.works[k].level = needed;
            }
        }
    }

    /// Gives a tile to every value that a later level or a function of `math` reads and that is not in memory anyway,
    /// and to results of `math` that are not stored in full. Operands of `math` that are no rows in memory are moved
    /// into tiles first. Products with rows are as functions of `math` here.
    fn assign_tiles(&mut self) {
        self.move_operands_of_tiles();
        let mut needs = vec![false; self.works.len()];
        for (k, work) in self.works.iter().enumerate() {
            needs[k] |= work.action.takes_tiles() && !work.action.is_reduction();
            for &x in &work.operands {
                if let Operand::Item(j) = x {
                    needs[j] |= work.action.takes_tiles() || self.works[j].level < work.level;
                }
            }
        }
        for (work, needs) in self.works.iter_mut().zip(needs) {
            if needs && work.store.is_none() {
                work.tile = Some(self.n_tiles);
                self.n_tiles += 1;
            }
        }
    }

    /// Inserts a move before each operand that is taken by tiles and does not lie in a row of memory.
    fn move_operands_of_tiles(&mut self) {
        let works = std::mem::take(&mut self.works);
        let mut renumbered = Vec::with_capacity(works.len());
        for mut work in works {
            for x in &mut work.operands {
                if let Operand::Item(j) = x {
                    *j = renumbered[*j];
                }
            }
            if work.action.takes_tiles() {
                for x in &mut work.operands {
                    let in_row = match *x {
                        Operand::Item(_) => true,
                        Operand::Stream(stream) => self.streams[stream].inner() == 1,
                        Operand::Immediate(_) => false,
                    };
                    if !in_row {
                        let level = work.level - 1;
                        let dtype = work.dtype;
                        let (operands, makes) = (vec![*x], None);
                        let (item, action) = (None, Action::Move);
                        self.works.push(Work { item, action, makes, operands, dtype, level, store: None, tile: None });
                        *x = Operand::Item(self.works.len() - 1);
                    }
                }
            }
            renumbered.push(self.works.len());
            self.works.push(work);
        }
    }
}
