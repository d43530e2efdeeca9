//! What is where in the scratch memory of control kernels.

use std::ops::Range;
use std::sync::Arc;

use super::plan::{ControlMemory, Copies, MemoryPlan, RegionMemory};
use crate::compile::runtime::{ADVANCE, Driver, HEAD_BYTES, REVERSE};
use crate::compile::schedule::{ControlSchedule, Kernel, Schedule, bytes_of, makes_stacks};
use crate::emit::MAX_BYTES;
use crate::ir::NodeId;
use crate::op::{ByRole, Graph, Op, Revolve, Roles};
use crate::value::Type;

const LINE: usize = 64;

impl ControlMemory {
    /// Lays out the memory of a node whose regions have these plans and take this memory.
    pub(super) fn new(
        graph: &Graph,
        id: NodeId,
        control: &ControlSchedule<'_>,
        plan: Vec<MemoryPlan>,
    ) -> ControlMemory {
        let node = graph.node(id);
        let op = node.op().expect("bug: an input among operations");
        let mut end: usize = 0;
        // Beyond the limit of programs, where the sum stays, no code is made.
        let mut take = |bytes: usize| {
            let start = end;
            end = end.saturating_add(bytes.saturating_add(LINE - 1) / LINE * LINE).min(2 * MAX_BYTES);
            start
        };
        let word = take(8);
        let head = take(HEAD_BYTES);
        let roles = op.roles().expect("bug: an operation without regions as control flow");
        let driver = if let Op::Revolve(op) = op { Some(Arc::new(driver(graph, id, op, &roles))) } else { None };
        let call = take(driver.as_ref().map_or(0, |driver| 8 * driver.n_words()));
        // Tables come before what may be large, so that instructions hold the distances to their entries.
        let regions = control.regions.iter().zip(plan).map(|(schedule, plan)| {
            let n_entries = n_entries(schedule, &plan);
            let (table, makes_stacks) = (take(8 * n_entries), makes_stacks(schedule.graph));
            RegionMemory { plan, n_entries, table, arena: 0, frame: 0, makes_stacks }
        });
        let mut regions: Vec<RegionMemory> = regions.collect();
        let carry = node.types()[..roles.n_carry].iter().map(|ty| {
            let bytes = bytes_of(ty);
            Copies { bytes, places: [take(bytes), take(bytes)] }
        });
        let carry = carry.collect();
        // Regions do not run at the same time, and leave nothing after in their memory.
        let largest = |bytes: fn(&RegionMemory) -> usize| regions.iter().map(bytes).max().unwrap_or(0);
        let frame = take(largest(|region| 8 * region.plan.frame_slots));
        let arena = take(largest(|region| region.plan.arena_bytes));
        let row_bytes = largest(|region| region.plan.row_bytes);
        regions.iter_mut().for_each(|region| (region.arena, region.frame) = (arena, frame));
        let state_bytes = driver.as_ref().map_or(0, |driver| driver.memory_bytes());
        ControlMemory { regions, carry, word, head, driver, call, bytes: end, row_bytes, state_bytes }
    }

    /// What the scratch memory holds, and which of its bytes. Arena and frame are shared by all regions, of which one runs
    /// at a time.
    pub fn pieces(&self) -> Vec<(String, Range<usize>)> {
        let piece = |name: &str, start: usize, bytes: usize| (name.to_string(), start..start + bytes);
        let mut pieces = vec![piece("the word", self.word, 8), piece("the head of the stack", self.head, HEAD_BYTES)];
        let words = self.driver.as_ref().map_or(0, |driver| driver.n_words());
        pieces.push(piece("the driver's call", self.call, 8 * words));
        for (k, copies) in self.carry.iter().enumerate() {
            let name = format!("the carried value {k}");
            pieces.extend(copies.places.map(|place| piece(&name, place, copies.bytes)));
        }
        for body in &self.regions {
            pieces.push(piece("a base table", body.table, 8 * body.n_entries));
        }
        if let Some(body) = self.regions.first() {
            let arena = self.regions.iter().map(|body| body.plan.arena_bytes).max().unwrap_or(0);
            let frame = self.regions.iter().map(|body| 8 * body.plan.frame_slots).max().unwrap_or(0);
            pieces.extend([piece("the arena of regions", body.arena, arena), piece("their frame", body.frame, frame)]);
        }
        pieces
    }
}

/// Ways in which the scratch memory could be laid out wrongly.
#[cfg(test)]
impl ControlMemory {
    /// Puts the copy that an iteration writes over the one that it reads.
    pub fn merge_copies(&mut self) {
        self.carry.iter_mut().for_each(|copies| copies.places[1] = copies.places[0]);
    }

    /// Puts the first region's table where its arena is.
    pub fn misplace_table(&mut self) {
        let body = &mut self.regions[0];
        body.table = body.arena;
    }
}

fn n_entries(schedule: &Schedule<'_>, plan: &MemoryPlan) -> usize {
    plan.n_entries(schedule, schedule.kernels.iter().filter(|kernel| matches!(kernel, Kernel::Library(_))).count())
}

fn driver(graph: &Graph, id: NodeId, op: &Revolve, roles: &Roles) -> Driver {
    let node = graph.node(id);
    let operands: Vec<&Type> = graph.operands(id).iter().map(|&x| graph.ty(x)).collect();
    let ByRole { carry, state, rows, .. } = roles.split(&operands);
    let row = |ty: &Type| bytes_of(&ty.row().expect("bug: rows of a scalar").1);
    let [advance, reverse] = [ADVANCE, REVERSE].map(|region| &*node.regions()[region]);
    Driver {
        schedule: op.schedule,
        length: op.length,
        reverse: op.reverse,
        n_cts: carry.len(),
        state: state.iter().map(|ty| bytes_of(ty)).collect(),
        xs: rows.iter().map(|ty| row(ty)).collect(),
        ys: node.types()[roles.n_carry..].iter().map(row).collect(),
        n_inputs: [advance, reverse].map(|region| region.inputs().len()),
        makes_stacks: [advance, reverse].map(makes_stacks),
    }
}
