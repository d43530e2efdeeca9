//! Control flow: kernels that call the code of regions.
//!
//! A region is planned and emitted as a program of its own, with a base table of its own. Its table, its working memory and
//! what the loop itself needs lie in the scratch memory of the control kernel, which writes the addresses of inputs and
//! outputs into the table before each call. The carry is kept twice: a iteration reads one copy and writes the other.

use std::cell::RefCell;
use std::sync::Arc;

use super::registers::{self, Collected, Memory, Registers, Slot};
use super::rows::{Distance, Record, Rows};
use crate::compile::abi::{ARENA, Address, FIRST_INPUT, FRAME, STACKS, Status, first_constant};
use crate::compile::memory::{ControlMemory, MemoryPlan};
use crate::compile::runtime::{self, ADVANCE, CALL_WORDS, HEAD_CAPACITY, HEAD_DATA, HEAD_LEN, REVERSE, call_library};
use crate::compile::schedule::{ControlSchedule, Kernel, Schedule, bytes_of};
use crate::emit::{Emitter, FunctionId, Pointer, Reg, position as narrow, signed, wide};
use crate::error::LimitError;
use crate::ir::{NodeId, Value, results_of};
use crate::op::{Flow, Op, Revolve, Roles, Scan, While};
use crate::value::{DType, Scalar};

/// The code of a region, and what its table holds that does not change.
pub struct Emitted {
    pub entry: FunctionId,
    pub constants: Vec<usize>,
    pub libraries: Vec<usize>,
}

/// Consecutive branches of a choice that are the same, up to an index.
#[derive(Clone, Copy)]
pub struct Case {
    last: i64,
    target: Target,
}

/// What runs where a case applies.
#[derive(Clone, Copy)]
enum Target {
    /// A region, by number.
    Region(usize),
    /// A function that distinguishes further cases.
    Function(FunctionId),
}

impl Case {
    /// The case that some consecutive ones are together, which a function distinguishes.
    pub fn of_all(cases: &[Case], function: FunctionId) -> Case {
        Case { last: cases[cases.len() - 1].last, target: Target::Function(function) }
    }
}

/// Emits some of the cases of a `switch`.
pub fn emit_cases(
    e: &mut Emitter<'_>,
    schedule: &Schedule<'_>,
    plan: &MemoryPlan,
    kernel: usize,
    regions: &[Emitted],
    cases: &[Case],
) {
    Frame::new(e, schedule, plan, kernel, regions).switch(e, cases);
}

/// The cases of a choice, in order.
pub fn cases(control: &ControlSchedule<'_>) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for (index, &region) in control.branches.iter().enumerate() {
        let last = signed(index);
        match cases.last_mut() {
            Some(Case { last: before, target: Target::Region(same) }) if *same == region => *before = last,
            Some(_) | None => cases.push(Case { last, target: Target::Region(region) }),
        }
    }
    cases
}

/// Emits a control kernel. `limit` is the number of its limit among those of the program, if it is a loop that has one.
pub fn emit(
    e: &mut Emitter<'_>,
    schedule: &Schedule<'_>,
    plan: &MemoryPlan,
    kernel: usize,
    regions: &[Emitted],
    limit: Option<usize>,
) {
    let frame = Frame::new(e, schedule, plan, kernel, regions);
    match schedule.graph.op(frame.node) {
        Op::Cond(_) => frame.cond(e),
        Op::Switch(_) => unreachable!("bug: a switch, which may take several functions"),
        Op::Checkpoint(_) => frame.branch(e, 0, 0),
        Op::While(op) => frame.repeat(e, op, limit),
        Op::Scan(op) => frame.scan(e, op),
        Op::Revolve(op) => frame.revolve(e, op),
        other => unreachable!("bug: {} is no control flow", other.name()),
    }
}

/// Emits a control kernel that fits into registers.
pub fn emit_in_registers(
    e: &mut Emitter<'_>,
    schedule: &Schedule<'_>,
    plan: &MemoryPlan,
    node: NodeId,
    limits: &mut Vec<LimitError>,
    in_blocks: bool,
) {
    let stacks = e.base(STACKS);
    let registers = Registers { stacks, limits: RefCell::new(limits), in_blocks };
    let graph = schedule.graph;
    let operands = graph.operands(node).iter().map(|&x| operand(e, schedule, plan, x)).collect();
    let places: Vec<Pointer> = results_of(graph, node)
        .map(|y| {
            let Address { base, offset } = plan.place(schedule.id(y));
            let base = e.base(base);
            e.offset(base, offset)
        })
        .collect();
    let (mut collected, mut n_carry) = (Collected::Stacks, places.len());
    if let Some(Roles { flow: Flow::Rows(Some(_)), n_carry: n, .. }) = graph.node(node).op().and_then(Op::roles) {
        (collected, n_carry) = (Collected::Arrays(places[n..].to_vec()), n);
    }
    let results = registers.node(e, graph, node, operands, collected);
    for (slot, &place) in results.iter().zip(&places[..n_carry]) {
        match slot {
            Slot::Elements(elements) => registers::store(e, elements, place, 0),
            Slot::Stack { start, distance, n } => {
                e.store_pointer(*start, place, 0);
                e.store_pointer(*distance, place, 8);
                e.store_pointer(*n, place, 16);
            }
            Slot::Memory(_) => unreachable!("bug: a result that lies somewhere else"),
        }
    }
}

/// An operand of a kernel in registers: a scalar is loaded at once, an array where it is used.
fn operand(e: &mut Emitter<'_>, schedule: &Schedule<'_>, plan: &MemoryPlan, x: Value) -> Slot {
    let ty = schedule.ty(x);
    let access = schedule.access(x);
    if ty.rank() == 0
        && !ty.stack
        && let Some(constant) = schedule.constant(x)
    {
        let element = constant.get(schedule.element(x).unsigned_abs()).expect("bug: a view beyond its constant");
        return Slot::Elements(vec![e.constant(element, 1)]);
    }
    let Address { base, offset } = plan.place(access.root);
    let base = e.base(base);
    let address = e.offset(base, offset);
    if ty.stack {
        let [start, distance, n] = [0, 8, 16].map(|field| e.load_pointer(address, field));
        return Slot::Stack { start, distance, n };
    }
    let memory = Slot::Memory(Memory { addresses: vec![address], layout: access.layout, dtype: ty.dtype });
    if ty.rank() == 0 { Slot::Elements(registers::elements(e, &memory, 1)) } else { memory }
}

struct Frame<'f, 'g> {
    schedule: &'f Schedule<'g>,
    plan: &'f MemoryPlan,
    control: &'f ControlSchedule<'g>,
    memory: &'f ControlMemory,
    regions: &'f [Emitted],
    node: NodeId,
    scratch: Pointer,
    stacks: Pointer,
}

impl<'f, 'g> Frame<'f, 'g> {
    fn new(
        e: &mut Emitter<'_>,
        schedule: &'f Schedule<'g>,
        plan: &'f MemoryPlan,
        kernel: usize,
        regions: &'f [Emitted],
    ) -> Frame<'f, 'g> {
        let Kernel::Control(node) = schedule.kernels[kernel] else { unreachable!("bug: no control kernel") };
        let arena = e.base(ARENA);
        let scratch = e.offset(arena, plan.scratch[&kernel].offset);
        let stacks = e.base(STACKS);
        Frame {
            schedule,
            plan,
            control: &schedule.controls[&kernel],
            memory: &plan.controls[&kernel],
            regions,
            node,
            scratch,
            stacks,
        }
    }
}

impl Frame<'_, '_> {
    fn operands(&self) -> Vec<Value> {
        self.schedule.graph.operands(self.node).to_vec()
    }

    fn results(&self) -> Vec<Value> {
        results_of(self.schedule.graph, self.node).collect()
    }

    /// Where an operand lies, in row-major order.
    fn address(&self, e: &mut Emitter<'_>, x: Value) -> Pointer {
        let access = self.schedule.access(x);
        debug_assert!(access.layout.is_row_major(), "bug: an operand of control flow in another order");
        let Address { base, offset } = self.plan.place(access.root);
        let base = e.base(base);
        e.offset(base, offset + wide(access.layout.offset) * signed(self.schedule.ty(x).dtype.size()))
    }

    fn result(&self, e: &mut Emitter<'_>, y: Value) -> Pointer {
        let Address { base, offset } = self.plan.place(self.schedule.id(y));
        let base = e.base(base);
        e.offset(base, offset)
    }

    fn place(&self, e: &mut Emitter<'_>, offset: usize) -> Pointer {
        e.offset(self.scratch, signed(offset))
    }

    /// Fills the part of a region's table that is the same for all calls.
    fn prepare(&self, e: &mut Emitter<'_>, region: usize) {
        let (schedule, memory) = (&self.control.regions[region], &self.memory.regions[region]);
        let code = &self.regions[region];
        let arena = self.place(e, memory.arena);
        let frame = self.place(e, memory.frame);
        self.set(e, region, ARENA, arena);
        self.set(e, region, FRAME, frame);
        self.set(e, region, STACKS, self.stacks);
        for (k, &address) in code.constants.iter().enumerate() {
            let address = e.pointer(address);
            self.set(e, region, first_constant(schedule.graph) + narrow(k), address);
        }
        for (k, &call) in code.libraries.iter().enumerate() {
            let entry = memory.plan.first_library(schedule) + 2 * narrow(k);
            let function = e.pointer(call_library as *const () as usize);
            self.set(e, region, entry, function);
            let call = e.pointer(call);
            self.set(e, region, entry + 1, call);
        }
    }

    fn set(&self, e: &mut Emitter<'_>, region: usize, entry: u32, address: Pointer) {
        e.store_pointer(address, self.scratch, self.entry(region, entry));
    }

    fn get(&self, e: &mut Emitter<'_>, region: usize, entry: u32) -> Pointer {
        e.load_pointer(self.scratch, self.entry(region, entry))
    }

    fn entry(&self, region: usize, entry: u32) -> i64 {
        signed(self.memory.regions[region].table) + 8 * i64::from(entry)
    }

    fn input(&self, position: usize) -> u32 {
        FIRST_INPUT + narrow(position)
    }

    fn output(&self, region: usize, position: usize) -> u32 {
        FIRST_INPUT + narrow(self.control.regions[region].graph.inputs().len() + position)
    }

    fn call(&self, e: &mut Emitter<'_>, region: usize) {
        let table = self.place(e, self.memory.regions[region].table);
        e.call_with_table(self.regions[region].entry, table);
    }

    /// Calls a body, whose stacks end with it.
    fn call_body(&self, e: &mut Emitter<'_>, region: usize) {
        if !self.memory.regions[region].makes_stacks {
            return self.call(e, region);
        }
        let mark = e.call_address(runtime::mark as *const () as usize, &[self.stacks]);
        self.call(e, region);
        e.call_address(runtime::release as *const () as usize, &[self.stacks, mark]);
    }

    fn branch(&self, e: &mut Emitter<'_>, region: usize, n_choices: usize) {
        self.prepare(e, region);
        for (position, &x) in self.operands()[n_choices..].iter().enumerate() {
            let address = self.address(e, x);
            self.set(e, region, self.input(position), address);
        }
        for (position, y) in self.results().into_iter().enumerate() {
            let address = self.result(e, y);
            self.set(e, region, self.output(region, position), address);
        }
        self.call(e, region);
    }

    fn cond(&self, e: &mut Emitter<'_>) {
        let condition = self.address(e, self.operands()[0]);
        let holds = e.load(condition, 0, DType::Bool, 1);
        let [first, second] = [0, 1].map(|branch| self.control.branches[branch]);
        e.choose(holds, |e| self.branch(e, first, 1), |e| self.branch(e, second, 1));
    }

    fn switch(&self, e: &mut Emitter<'_>, cases: &[Case]) {
        let index = self.address(e, self.operands()[0]);
        let index = e.load(index, 0, DType::I64, 1);
        self.case(e, index, cases);
    }

    /// The one of these cases that applies, by bisection; the last takes what is beyond.
    fn case(&self, e: &mut Emitter<'_>, index: Reg, cases: &[Case]) {
        if let [Case { target, .. }] = *cases {
            return match target {
                Target::Region(region) => self.branch(e, region, 1),
                Target::Function(function) => e.call_function(function),
            };
        }
        let (lower, upper) = cases.split_at(cases.len() / 2);
        let bound = e.constant(Scalar::I64(lower[lower.len() - 1].last), 1);
        let is_lower = e.le(index, bound);
        e.choose(is_lower, |e| self.case(e, index, lower), |e| self.case(e, index, upper));
    }

    /// Copies the carry in, and sets its entries of a table.
    fn start_carry(&self, e: &mut Emitter<'_>, region: usize, first_input: usize) {
        let operands = self.operands();
        for (k, copies) in self.memory.carry.iter().enumerate() {
            let from = self.address(e, operands[k]);
            let [read, write] = copies.places.map(|place| self.place(e, place));
            e.copy(read, from, copies.bytes);
            self.set(e, region, self.input(first_input + k), read);
            self.set(e, region, self.output(region, k), write);
        }
    }

    /// What a iteration has written the next one reads.
    fn swap_carry(&self, e: &mut Emitter<'_>, region: usize, first_input: usize) {
        for k in 0..self.memory.carry.len() {
            let (input, output) = (self.input(first_input + k), self.output(region, k));
            let [read, write] = [input, output].map(|entry| self.get(e, region, entry));
            self.set(e, region, input, write);
            self.set(e, region, output, read);
        }
    }

    fn finish_carry(&self, e: &mut Emitter<'_>, region: usize, first_input: usize) {
        for ((k, copies), y) in self.memory.carry.iter().enumerate().zip(self.results()) {
            let last = self.get(e, region, self.input(first_input + k));
            let to = self.result(e, y);
            e.copy(to, last, copies.bytes);
        }
    }

    fn set_fixed(&self, e: &mut Emitter<'_>, region: usize, first_operand: usize, first_input: usize) {
        for (k, &x) in self.operands()[first_operand..].iter().enumerate() {
            let address = self.address(e, x);
            self.set(e, region, self.input(first_input + k), address);
        }
    }

    fn repeat(&self, e: &mut Emitter<'_>, op: &While, limit: Option<usize>) {
        const CONDITION: usize = 0;
        const BODY: usize = 1;
        self.prepare(e, CONDITION);
        self.prepare(e, BODY);
        self.start_carry(e, BODY, 0);
        self.set_fixed(e, BODY, op.carry, op.carry);
        self.set_fixed(e, CONDITION, op.carry, op.carry);
        let word = self.place(e, self.memory.word);
        self.set(e, CONDITION, self.output(CONDITION, 0), word);
        let saved = self.results().split_off(op.carry);
        let record = Record::of(&saved.iter().map(|&y| self.schedule.ty(y).clone()).collect::<Vec<_>>());
        let head = self.place(e, self.memory.head);
        let zero = e.index(0);
        [HEAD_DATA, HEAD_LEN, HEAD_CAPACITY].into_iter().for_each(|field| e.store_pointer(zero, head, field));
        let (n_iterations, _) = e.repeat_while(
            &[],
            |e, _, _| {
                for k in 0..op.carry {
                    let read = self.get(e, BODY, self.input(k));
                    self.set(e, CONDITION, self.input(k), read);
                }
                self.call_body(e, CONDITION);
                e.load(word, 0, DType::Bool, 1)
            },
            |e, iteration, _| {
                if let (Some(max), Some(limit)) = (op.max_trips, limit) {
                    e.return_if_equal(iteration, max, Status::TooManyIterations(limit).number());
                }
                if !saved.is_empty() {
                    record.make_room(e, self.stacks, head, iteration);
                    let data = e.load_pointer(head, HEAD_DATA);
                    let row = e.advance(data, iteration, signed(record.bytes));
                    self.set_record(e, BODY, op.carry, row, &record);
                }
                self.call_body(e, BODY);
                self.swap_carry(e, BODY, 0);
                Vec::new()
            },
        );
        self.finish_carry(e, BODY, 0);
        if !saved.is_empty() {
            let data = e.load_pointer(head, HEAD_DATA);
            self.describe(e, &saved, data, n_iterations, &record);
        }
    }

    /// Lets the outputs after the carry be written into a record.
    fn set_record(&self, e: &mut Emitter<'_>, region: usize, first_output: usize, row: Pointer, record: &Record) {
        for (k, &offset) in record.offsets.iter().enumerate() {
            let place = e.offset(row, signed(offset));
            self.set(e, region, self.output(region, first_output + k), place);
        }
    }

    /// Writes down where stacks are.
    fn describe(&self, e: &mut Emitter<'_>, stacks: &[Value], data: Pointer, n: Pointer, record: &Record) {
        for (&y, &offset) in stacks.iter().zip(&record.offsets) {
            let place = self.result(e, y);
            let start = e.offset(data, signed(offset));
            let distance = e.index(signed(record.bytes));
            e.store_pointer(start, place, 0);
            e.store_pointer(distance, place, 8);
            e.store_pointer(n, place, 16);
        }
    }

    fn scan(&self, e: &mut Emitter<'_>, op: &Scan) {
        const BODY: usize = 0;
        let operands = self.operands();
        self.prepare(e, BODY);
        let word = self.place(e, self.memory.word);
        self.set(e, BODY, self.input(0), word);
        self.start_carry(e, BODY, 1);
        let roles = op.roles();
        self.set_fixed(e, BODY, roles.first_fixed(), 1 + roles.first_fixed());
        let xs: Vec<Rows> = roles.split(&operands).rows.iter().map(|&x| self.rows(e, x)).collect();
        let n = match op.length {
            Some(n) => e.index(signed(n)),
            None => {
                let stack = self.address(e, operands[op.carry]);
                e.load_pointer(stack, 16)
            }
        };
        let collected = self.results().split_off(op.carry);
        let ys = match op.length {
            Some(_) => collected.iter().map(|&y| self.written_rows(e, y)).collect(),
            None => self.collect_stacks(e, &collected, n),
        };
        let start = e.index(0);
        e.for_each(start, n, 1, &[], |e, iteration, _| {
            let row = if op.reverse { e.mirrored(iteration, n) } else { iteration };
            e.store_pointer(row, word, 0);
            for (k, rows) in xs.iter().enumerate() {
                let address = rows.row(e, row);
                self.set(e, BODY, self.input(1 + op.carry + k), address);
            }
            for (k, rows) in ys.iter().enumerate() {
                let address = rows.row(e, row);
                self.set(e, BODY, self.output(BODY, op.carry + k), address);
            }
            self.call_body(e, BODY);
            self.swap_carry(e, BODY, 1);
            Vec::new()
        });
        self.finish_carry(e, BODY, 1);
    }

    fn revolve(&self, e: &mut Emitter<'_>, op: &Revolve) {
        let operands = self.operands();
        let first_fixed = op.roles().first_fixed();
        let word = self.place(e, self.memory.word);
        for (region, first) in [(ADVANCE, op.cts), (REVERSE, 0)] {
            self.prepare(e, region);
            self.set(e, region, self.input(0), word);
            self.set_fixed(e, region, first_fixed, 1 + first_fixed - first);
        }
        self.start_carry(e, REVERSE, 1);
        let mut words: Vec<Pointer> = Vec::new();
        words.extend(self.regions.iter().map(|region| e.function_address(region.entry)));
        words.extend(self.memory.regions.iter().map(|region| self.place(e, region.table)));
        words.extend([self.stacks, word]);
        debug_assert_eq!(words.len(), CALL_WORDS, "bug: a call of another form");
        words.extend(operands[op.cts..first_fixed].iter().map(|&x| self.address(e, x)));
        words.extend(self.results()[op.cts..].iter().map(|&y| self.result(e, y)));
        let call = self.place(e, self.memory.call);
        words.into_iter().enumerate().for_each(|(k, x)| e.store_pointer(x, call, 8 * signed(k)));
        let driver = self.memory.driver.as_ref().expect("bug: a schedule without a driver");
        let driver = e.pointer(Arc::as_ptr(driver) as usize);
        let status = e.call_address(runtime::run_driver as *const () as usize, &[driver, call]);
        e.return_status(status);
        self.finish_carry(e, REVERSE, 1);
    }

    /// The rows of an operand.
    fn rows(&self, e: &mut Emitter<'_>, x: Value) -> Rows {
        let address = self.address(e, x);
        match self.schedule.ty(x).row() {
            _ if self.schedule.ty(x).stack => {
                let start = e.load_pointer(address, 0);
                Rows { start, distance: Distance::Loaded(e.load_pointer(address, 8)) }
            }
            Some((_, row)) => Rows { start: address, distance: Distance::Known(signed(bytes_of(&row))) },
            None => unreachable!("bug: rows of a scalar"),
        }
    }

    fn written_rows(&self, e: &mut Emitter<'_>, y: Value) -> Rows {
        let start = self.result(e, y);
        Rows::of_array(start, self.schedule.ty(y))
    }

    /// Stacks of known length: their memory is taken at once.
    fn collect_stacks(&self, e: &mut Emitter<'_>, collected: &[Value], n: Pointer) -> Vec<Rows> {
        if collected.is_empty() {
            return Vec::new();
        }
        let record = Record::of(&collected.iter().map(|&y| self.schedule.ty(y).clone()).collect::<Vec<_>>());
        let head = self.place(e, self.memory.head);
        let bytes = e.index(signed(record.bytes));
        let status = e.call_address(runtime::reserve as *const () as usize, &[self.stacks, head, bytes, n]);
        e.return_status(status);
        let data = e.load_pointer(head, HEAD_DATA);
        self.describe(e, collected, data, n, &record);
        let rows = |&offset: &usize| Rows {
            start: e.offset(data, signed(offset)),
            distance: Distance::Known(signed(record.bytes)),
        };
        record.offsets.iter().map(rows).collect()
    }
}
