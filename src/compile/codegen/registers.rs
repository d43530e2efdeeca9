//! Control flow whose values fit into registers: loops and branches over scalars and small arrays, emitted in one piece.
//!
//! An array is as many registers as it has elements. What is larger stays in memory, and single elements of it are loaded.
//! The rows of a loop without a carry do not depend on each other, so they go side by side in lanes; so do those of a loop
//! whose carry only sums up, but for the sums themselves, which are made in the order of the rows.

use std::cell::RefCell;
use std::collections::HashMap;

use super::blocks::{self, Beside, Calls, Room, along};
use super::element;
use super::rows::{Distance, Record, Rows};
use crate::compile::abi::Status;
use crate::compile::runtime::{self, HEAD_BYTES, HEAD_CAPACITY, HEAD_DATA, HEAD_LEN};
use crate::compile::schedule::calls::{self, Ahead, MAX_IN_CALL, MIN_IN_CALL};
use crate::compile::schedule::{makes_stacks, row_layout};
use crate::emit::{Emitter, Pointer, Reg, position, short, signed, wide};
use crate::error::LimitError;
use crate::interpret::too_many_iterations;
use crate::ir::{NodeId, Provenance, Value, results_of};
use crate::math;
use crate::op::{ByRole, Graph, Layout, Lowering, Op, Scan, While};
use crate::value::{DType, Scalar, Type};

/// A value of a region.
#[derive(Clone)]
pub enum Slot {
    /// The elements.
    Elements(Vec<Reg>),
    /// Elements in memory.
    Memory(Memory),
    /// A stack: where its first array is, how far the next, and how many there are.
    Stack { start: Pointer, distance: Pointer, n: Pointer },
}

/// Elements in memory: one address for each lane, or one for all.
#[derive(Clone)]
pub struct Memory {
    pub addresses: Vec<Pointer>,
    pub layout: Layout,
    pub dtype: DType,
}

/// Where rows go that a loop collects.
pub enum Collected {
    /// The address of the first row of each.
    Arrays(Vec<Pointer>),
    /// Nothing is collected, or stacks.
    Stacks,
}

/// Emits control flow in registers.
pub struct Registers<'r> {
    /// The memory of stacks.
    pub stacks: Pointer,
    /// The loops of the program whose iterations are limited.
    pub limits: RefCell<&'r mut Vec<LimitError>>,
    /// Whether functions are called for blocks of iterations, which is faster, but takes more code.
    pub in_blocks: bool,
}

/// The values of one region under emission.
struct Scope<'g> {
    graph: &'g Graph,
    slots: HashMap<Value, Slot>,
    /// The elements that have been asked for. They do not replace a slot in memory: rows are taken from there.
    loaded: HashMap<Value, Vec<Reg>>,
    lanes: u8,
}

impl Registers<'_> {
    /// The results of a node with regions.
    pub fn node(
        &self,
        e: &mut Emitter<'_>,
        graph: &Graph,
        id: NodeId,
        operands: Vec<Slot>,
        collected: Collected,
    ) -> Vec<Slot> {
        let node = graph.node(id);
        let regions: Vec<&Graph> = node.regions().iter().map(|region| &**region).collect();
        match node.op().expect("bug: an input among operations") {
            Op::Cond(_) => {
                let condition = self.first(e, &operands[0]);
                let rest = &operands[1..];
                let (first, second) =
                    (|e: &mut _| self.branch(e, regions[0], rest), |e: &mut _| self.branch(e, regions[1], rest));
                unflatten(e.choose_values(condition, first, second), node.types())
            }
            Op::Switch(_) => {
                let index = self.first(e, &operands[0]);
                unflatten(self.switch(e, &regions, index, 0, &operands[1..]), node.types())
            }
            Op::Checkpoint(_) => {
                let outputs = self.branch(e, regions[0], &operands);
                unflatten(outputs, node.types())
            }
            Op::While(op) => self.repeat(e, op, &regions, node.provenance(), operands, node.types()),
            Op::Scan(op) => self.scan(e, op, regions[0], operands, node.types(), collected),
            other => unreachable!("bug: {} is no control flow", other.name()),
        }
    }

    fn first(&self, e: &mut Emitter<'_>, slot: &Slot) -> Reg {
        elements(e, slot, 1)[0]
    }

    /// The elements of all outputs of a region that stands where another could.
    fn branch(&self, e: &mut Emitter<'_>, region: &Graph, inputs: &[Slot]) -> Vec<Reg> {
        self.region(e, region, inputs.to_vec(), 1, &outputs_of(region)).concat()
    }

    /// The branch of that index, by bisection, of which the first has the number `first`; the last takes what is beyond.
    fn switch(&self, e: &mut Emitter<'_>, regions: &[&Graph], index: Reg, first: usize, inputs: &[Slot]) -> Vec<Reg> {
        if regions.iter().all(|region| std::ptr::eq(*region, regions[0])) {
            return self.branch(e, regions[0], inputs);
        }
        let (lower, upper) = regions.split_at(regions.len() / 2);
        let middle = first + lower.len();
        let bound = e.constant(Scalar::I64(signed(middle)), 1);
        let is_lower = e.lt(index, bound);
        e.choose_values(
            is_lower,
            |e| self.switch(e, lower, index, first, inputs),
            |e| self.switch(e, upper, index, middle, inputs),
        )
    }

    /// Emits a region; gives the elements of some of its values.
    fn region(
        &self,
        e: &mut Emitter<'_>,
        graph: &Graph,
        inputs: Vec<Slot>,
        lanes: u8,
        wanted: &[Value],
    ) -> Vec<Vec<Reg>> {
        let slots = graph.inputs().iter().map(|input| Value::from(input.node)).zip(inputs).collect();
        self.region_beside(e, graph, slots, &graph.needed_for(wanted.iter().copied()), lanes, wanted)
    }

    /// Emits what is needed of a region of which some values are known.
    fn region_beside(
        &self,
        e: &mut Emitter<'_>,
        graph: &Graph,
        known: HashMap<Value, Slot>,
        needed: &[bool],
        lanes: u8,
        wanted: &[Value],
    ) -> Vec<Vec<Reg>> {
        let mut scope = Scope { graph, slots: known, loaded: HashMap::new(), lanes };
        let partners = calls::partners(graph, needed);
        for id in graph.ids().skip(graph.inputs().len()).filter(|id| needed[id.index()]) {
            let op = graph.op(id);
            if scope.slots.contains_key(&id.into()) {
                continue;
            }
            if let Lowering::Math1(f) = op.lower() {
                scope.call(e, id, f, partners.get(&id).copied());
            } else if let Lowering::Control = op.lower() {
                let operands = graph.operands(id).iter().map(|x| scope.slots[x].clone()).collect();
                let results = self.node(e, graph, id, operands, Collected::Stacks);
                results_of(graph, id).zip(results).for_each(|(y, slot)| drop(scope.slots.insert(y, slot)));
            } else {
                let slot = scope.compute(e, id, op);
                scope.slots.insert(id.into(), slot);
            }
        }
        wanted.iter().map(|&x| scope.elements(e, x)).collect()
    }

    fn repeat(
        &self,
        e: &mut Emitter<'_>,
        op: &While,
        regions: &[&Graph],
        provenance: &Provenance,
        operands: Vec<Slot>,
        types: &[Type],
    ) -> Vec<Slot> {
        let (condition, body) = (regions[0], regions[1]);
        let (carry, fixed) = operands.split_at(op.carry);
        let carry_types = &types[..op.carry];
        let start: Vec<Reg> = carry.iter().flat_map(|slot| elements(e, slot, 1)).collect();
        let saved: Vec<Type> = types[op.carry..].to_vec();
        let record = Record::of(&saved);
        let head = (!saved.is_empty()).then(|| self.empty_stack(e));
        let with_fixed = |carried: &[Reg]| [unflatten(carried.to_vec(), carry_types), fixed.to_vec()].concat();
        let limit = op.max_trips.map(|max| {
            let mut limits = self.limits.borrow_mut();
            limits.push(too_many_iterations(op, provenance));
            (max, Status::TooManyIterations(limits.len() - 1).number())
        });
        let (n_iterations, last) = e.repeat_while(
            &start,
            |e, _, carried| {
                let holds = self.released(e, condition, |e| {
                    self.region(e, condition, with_fixed(carried), 1, &outputs_of(condition))
                });
                holds[0][0]
            },
            |e, iteration, carried| {
                if let Some((max, status)) = limit {
                    e.return_if_equal(iteration, max, status);
                }
                let outputs =
                    self.released(e, body, |e| self.region(e, body, with_fixed(carried), 1, &outputs_of(body)));
                if let Some(head) = head {
                    record.make_room(e, self.stacks, head, iteration);
                    let data = e.load_pointer(head, HEAD_DATA);
                    let row = e.advance(data, iteration, signed(record.bytes));
                    for (y, &offset) in outputs[op.carry..].iter().zip(&record.offsets) {
                        store(e, y, row, offset);
                    }
                }
                outputs[..op.carry].concat()
            },
        );
        let mut results = unflatten(last, carry_types);
        if let Some(head) = head {
            let data = e.load_pointer(head, HEAD_DATA);
            results.extend(record.offsets.iter().map(|&offset| stack(e, data, offset, n_iterations, &record)));
        }
        results
    }

    /// Runs a body whose stacks end with it.
    fn released<T>(&self, e: &mut Emitter<'_>, region: &Graph, body: impl FnOnce(&mut Emitter<'_>) -> T) -> T {
        if !makes_stacks(region) {
            return body(e);
        }
        let mark = e.call_address(runtime::mark as *const () as usize, &[self.stacks]);
        let result = body(e);
        e.call_address(runtime::release as *const () as usize, &[self.stacks, mark]);
        result
    }

    fn empty_stack(&self, e: &mut Emitter<'_>) -> Pointer {
        let head = e.scratch(position(HEAD_BYTES));
        let zero = e.index(0);
        [HEAD_DATA, HEAD_LEN, HEAD_CAPACITY].into_iter().for_each(|field| e.store_pointer(zero, head, field));
        head
    }

    fn scan(
        &self,
        e: &mut Emitter<'_>,
        op: &Scan,
        body: &Graph,
        operands: Vec<Slot>,
        types: &[Type],
        collected: Collected,
    ) -> Vec<Slot> {
        let ByRole { carry, rows: xs, fixed, .. } = op.roles().split(&operands);
        let start: Vec<Reg> = carry.iter().flat_map(|slot| elements(e, slot, 1)).collect();
        let n = match (op.length, xs.first()) {
            (Some(n), _) => e.index(signed(n)),
            (None, Some(Slot::Stack { n, .. })) => *n,
            (None, _) => unreachable!("bug: a loop along nothing"),
        };
        let ys = &types[op.carry..];
        let (rows, results) = match collected {
            Collected::Arrays(addresses) => {
                let rows = addresses.iter().zip(ys).map(|(&start, ty)| Rows::of_array(start, ty)).collect();
                let memory = |(&address, ty): (&Pointer, &Type)| {
                    let layout = Layout::row_major(&ty.shape);
                    Slot::Memory(Memory { addresses: vec![address], layout, dtype: ty.dtype })
                };
                (rows, addresses.iter().zip(ys).map(memory).collect())
            }
            Collected::Stacks => self.collect_stacks(e, ys, n),
        };
        let iterations = Iterations { op, body, xs, fixed, rows, carry_types: &types[..op.carry], n, registers: self };
        let lanes = iterations.lanes();
        let passes = if lanes > 1 && self.in_blocks { blocks::passes(body, op.length) } else { Vec::new() };
        let carried = if passes.is_empty() {
            let first = e.index(0);
            along(e, [first, n], lanes, &start, |e, iteration, carried, lanes| {
                self.released(e, body, |e| iterations.once(e, iteration, carried, lanes, &Beside::default()))
            })
        } else {
            iterations.in_blocks(e, &start, lanes, &passes)
        };
        let mut all = unflatten(carried, &types[..op.carry]);
        all.extend(results);
        all
    }

    /// Stacks of known length: their memory is taken at once.
    fn collect_stacks(&self, e: &mut Emitter<'_>, ys: &[Type], n: Pointer) -> (Vec<Rows>, Vec<Slot>) {
        if ys.is_empty() {
            return (Vec::new(), Vec::new());
        }
        let record = Record::of(ys);
        let head = e.scratch(position(HEAD_BYTES));
        let bytes = e.index(signed(record.bytes));
        let status = e.call_address(runtime::reserve as *const () as usize, &[self.stacks, head, bytes, n]);
        e.return_status(status);
        let data = e.load_pointer(head, HEAD_DATA);
        let slots: Vec<Slot> = record.offsets.iter().map(|&offset| stack(e, data, offset, n, &record)).collect();
        let rows = record.offsets.iter().map(|&offset| Rows {
            start: e.offset(data, signed(offset)),
            distance: Distance::Known(signed(record.bytes)),
        });
        (rows.collect(), slots)
    }
}

fn stack(e: &mut Emitter<'_>, data: Pointer, offset: usize, n: Pointer, record: &Record) -> Slot {
    Slot::Stack { start: e.offset(data, signed(offset)), distance: e.index(signed(record.bytes)), n }
}

/// The iterations of a scan.
struct Iterations<'t, 'r> {
    op: &'t Scan,
    body: &'t Graph,
    xs: &'t [Slot],
    fixed: &'t [Slot],
    /// Where collected rows go.
    rows: Vec<Rows>,
    carry_types: &'t [Type],
    n: Pointer,
    registers: &'t Registers<'r>,
}

impl Iterations<'_, '_> {
    /// How many rows go side by side.
    fn lanes(&self) -> u8 {
        let sums_only = (0..self.op.carry).all(|k| self.term(k).is_some());
        let plain = self.body.ids().all(|id| self.body.node(id).regions().is_empty());
        if !sums_only || !plain {
            return 1;
        }
        let carried = 1..1 + self.op.carry;
        let nodes = self.body.ids().filter(|id| !carried.contains(&id.index()));
        let mut dtypes: Vec<DType> = nodes.flat_map(|id| self.body.node(id).types()).map(|ty| ty.dtype).collect();
        dtypes.retain(|&dtype| dtype != DType::Bool);
        // The number of the row is an integer, which matters only where it is used.
        let index = Value::from(self.body.inputs()[0].node);
        let in_nodes = self.body.ids().any(|id| self.body.operands(id).contains(&index));
        if !in_nodes && self.body.outputs().iter().all(|output| output.value != index) {
            dtypes.remove(0);
        }
        if dtypes.is_empty() {
            1
        } else if dtypes.iter().all(|&dtype| dtype == DType::F32) {
            4
        } else if dtypes.iter().all(|&dtype| dtype != DType::F32) {
            2
        } else {
            1
        }
    }

    /// If the next carry is the carry and a term, and nothing else uses it: the term.
    fn term(&self, k: usize) -> Option<Value> {
        let carry = Value::from(self.body.inputs()[1 + k].node);
        let next = self.body.outputs()[k].value;
        let Some(Op::Add(_)) = self.body.node(next.node).op() else { return None };
        let operands = self.body.operands(next.node);
        let term = match (operands[0] == carry, operands[1] == carry) {
            (true, false) => operands[1],
            (false, true) => operands[0],
            _ => return None,
        };
        let uses = |x: Value| {
            let by_nodes = self.body.ids().flat_map(|id| self.body.operands(id)).filter(|&y| y == x).count();
            by_nodes + self.body.outputs().iter().filter(|output| output.value == x).count()
        };
        (uses(carry) == 1 && uses(next) == 1).then_some(term)
    }

    /// All iterations, in blocks: functions of `math` are called for a block at once.
    fn in_blocks(&self, e: &mut Emitter<'_>, start: &[Reg], lanes: u8, passes: &[Vec<Ahead>]) -> Vec<Reg> {
        let mut room = Room::new(e);
        blocks::for_each(e, self.n, start, |e, [first, end], carried| {
            let mut known = Vec::new();
            for pass in passes {
                let calls = Calls::new(e, &mut room, self.body, pass);
                along(e, [first, end], lanes, &[], |e, iteration, _, lanes| {
                    let beside = Beside { known: &known, first: Some(first) };
                    let (_, x) = self.values(e, iteration, carried, lanes, &beside, &calls.operands());
                    calls.store_operands(e, &x, first, iteration);
                    Vec::new()
                });
                known.extend(calls.make(e, [first, end]));
            }
            let beside = Beside { known: &known, first: Some(first) };
            along(e, [first, end], lanes, carried, |e, iteration, carried, lanes| {
                self.once(e, iteration, carried, lanes, &beside)
            })
        })
    }

    /// Values of as many iterations as there are lanes, and the indices of these iterations.
    fn values(
        &self,
        e: &mut Emitter<'_>,
        iteration: Pointer,
        carried: &[Reg],
        lanes: u8,
        beside: &Beside<'_>,
        wanted: &[Value],
    ) -> (Vec<Pointer>, Vec<Vec<Reg>>) {
        let mut indices = Vec::new();
        for lane in 0..i64::from(lanes) {
            let iteration = e.offset(iteration, lane);
            indices.push(if self.op.reverse { e.mirrored(iteration, self.n) } else { iteration });
        }
        let numbers: Vec<Reg> = indices.iter().map(|&index| e.number(index)).collect();
        // Lanes of integers stand beside those of `f64` only.
        let index = if lanes == 4 { numbers[0] } else { e.join(&numbers) };
        let mut inputs = vec![Slot::Elements(vec![index])];
        inputs.extend(unflatten(carried.to_vec(), self.carry_types));
        let first_row = 1 + self.op.carry;
        for (k, slot) in self.xs.iter().enumerate() {
            let ty = self.body.ty(self.body.inputs()[first_row + k].node.into());
            inputs.push(self.row(e, slot, ty, &indices));
        }
        inputs.extend(self.fixed.iter().cloned());
        let needed = self.body.needed_beside(wanted, &beside.values());
        let mut known: HashMap<Value, Slot> =
            self.body.inputs().iter().map(|input| Value::from(input.node)).zip(inputs).collect();
        let beside = beside.load(e, &needed, iteration, lanes);
        known.extend(beside.into_iter().map(|(value, elements)| (value, Slot::Elements(elements))));
        (indices, self.registers.region_beside(e, self.body, known, &needed, lanes, wanted))
    }

    /// As many iterations as there are lanes; gives the next carry.
    fn once(
        &self,
        e: &mut Emitter<'_>,
        iteration: Pointer,
        carried: &[Reg],
        lanes: u8,
        beside: &Beside<'_>,
    ) -> Vec<Reg> {
        let mut wanted = outputs_of(self.body);
        if lanes > 1 {
            (0..self.op.carry).for_each(|k| wanted[k] = self.term(k).expect("bug: a carry that does not sum up"));
        }
        let (indices, outputs) = self.values(e, iteration, carried, lanes, beside, &wanted);
        for (y, rows) in outputs[self.op.carry..].iter().zip(&self.rows) {
            for (lane, &index) in (0..lanes).zip(&indices) {
                let elements: Vec<Reg> = y.iter().map(|&x| e.lane(x, lane)).collect();
                let row = rows.row(e, index);
                store(e, &elements, row, 0);
            }
        }
        let next = outputs[..self.op.carry].concat();
        if lanes == 1 {
            return next;
        }
        let mut sums = carried.to_vec();
        for lane in 0..lanes {
            for (sum, &term) in sums.iter_mut().zip(&next) {
                let term = e.lane(term, lane);
                *sum = e.add(*sum, term);
            }
        }
        sums
    }

    /// A row of one of the `xs` for each lane.
    fn row(&self, e: &mut Emitter<'_>, slot: &Slot, ty: &Type, indices: &[Pointer]) -> Slot {
        let (rows, layout) = match slot {
            Slot::Stack { start, distance, .. } => {
                (Rows { start: *start, distance: Distance::Loaded(*distance) }, Layout::row_major(&ty.shape))
            }
            Slot::Memory(Memory { addresses, layout, .. }) => {
                let bytes = signed(ty.dtype.size());
                let start = e.offset(addresses[0], wide(layout.offset) * bytes);
                let distance = Distance::Known(wide(layout.strides[0]) * bytes);
                (Rows { start, distance }, row_layout(layout))
            }
            Slot::Elements(_) => unreachable!("bug: rows in registers"),
        };
        let addresses = indices.iter().map(|&index| rows.row(e, index)).collect();
        Slot::Memory(Memory { addresses, layout, dtype: ty.dtype })
    }
}

fn outputs_of(region: &Graph) -> Vec<Value> {
    region.outputs().iter().map(|output| output.value).collect()
}

/// Registers as values of these types.
fn unflatten(registers: Vec<Reg>, types: &[Type]) -> Vec<Slot> {
    let mut registers = registers.into_iter();
    types.iter().map(|ty| Slot::Elements(registers.by_ref().take(ty.size()).collect())).collect()
}

pub fn store(e: &mut Emitter<'_>, elements: &[Reg], address: Pointer, offset: usize) {
    for (k, &x) in elements.iter().enumerate() {
        e.store(x, address, short(offset + k * x.dtype().size()));
    }
}

/// The elements of a value, in lanes.
pub fn elements(e: &mut Emitter<'_>, slot: &Slot, lanes: u8) -> Vec<Reg> {
    match slot {
        Slot::Elements(elements) => elements.iter().map(|&x| e.splat(x, lanes)).collect(),
        Slot::Memory(memory) => memory.layout.places().map(|place| memory.element(e, place, lanes)).collect(),
        Slot::Stack { .. } => unreachable!("bug: the elements of a stack"),
    }
}

impl Memory {
    fn element(&self, e: &mut Emitter<'_>, place: isize, lanes: u8) -> Reg {
        let distance = wide(place) * signed(self.dtype.size());
        let parts: Vec<Reg> = self
            .addresses
            .iter()
            .map(|&address| {
                let (address, offset) = e.within_reach(address, distance);
                e.load(address, offset, self.dtype, 1)
            })
            .collect();
        if parts.len() == 1 { e.splat(parts[0], lanes) } else { e.join(&parts) }
    }
}

impl Scope<'_> {
    /// The elements of a value; what is loaded from memory is loaded once.
    fn elements(&mut self, e: &mut Emitter<'_>, x: Value) -> Vec<Reg> {
        if let Some(known) = self.loaded.get(&x) {
            return known.clone();
        }
        let found = elements(e, &self.slots[&x], self.lanes);
        self.loaded.insert(x, found.clone());
        found
    }

    /// A function of `math`, and the one that a call computes together with it.
    fn call(&mut self, e: &mut Emitter<'_>, id: NodeId, f: math::Unary, partner: Option<NodeId>) {
        let x = self.elements(e, self.graph.operands(id)[0]);
        let couple = math::Couple::of(f).filter(|_| partner.is_some());
        if couple.is_none() && x.len() * usize::from(self.lanes) < MIN_IN_CALL {
            let y = x.iter().map(|&x| e.math1(f, x)).collect();
            self.slots.insert(id.into(), Slot::Elements(y));
            return;
        }
        let mut numbers: Vec<Reg> = Vec::new();
        for &x in &x {
            numbers.extend((0..self.lanes).map(|lane| e.lane(x, lane)));
        }
        let mut results = [Vec::new(), Vec::new()];
        for part in numbers.chunks(MAX_IN_CALL) {
            let Some((couple, function)) = couple else {
                results[0].extend(e.math1_many(f, part));
                continue;
            };
            let of = |function: usize| (0..part.len()).map(move |k| (function, k));
            let wanted: Vec<(usize, usize)> = of(function).chain(of(1 - function)).collect();
            let mut both = element::both(e, couple, part, &wanted);
            results[1].extend(both.split_off(part.len()));
            results[0].extend(both);
        }
        for (id, numbers) in std::iter::once(id).chain(partner).zip(results) {
            let y = numbers.chunks(self.lanes.into()).map(|lanes| e.join(lanes)).collect();
            self.slots.insert(id.into(), Slot::Elements(y));
        }
    }

    fn compute(&mut self, e: &mut Emitter<'_>, id: NodeId, op: &Op) -> Slot {
        let operands = self.graph.operands(id);
        if let (Lowering::View(view), Slot::Memory(memory)) =
            (op.lower(), operands.first().map_or(&Slot::Elements(vec![]), |x| &self.slots[x]))
            && let Some(layout) = view.view(&memory.layout)
        {
            return Slot::Memory(Memory { layout, ..memory.clone() });
        }
        let x: Vec<Vec<Reg>> = operands.iter().map(|&x| self.elements(e, x)).collect();
        let types: Vec<&Type> = operands.iter().map(|&x| self.graph.ty(x)).collect();
        Slot::Elements(element::compute(e, op, &x, &types, self.graph.ty(id.into()), self.lanes))
    }
}
