//! Rows in memory, and the stacks of records that loops make: what kernels of control flow share, in registers or not.

use super::stacks::{self, HEAD_CAPACITY, HEAD_LEN};
use crate::emit::{Emitter, Pointer, short, signed};
use crate::op::{Flow, Graph, Op};
use crate::value::Type;

/// Trips beyond the limit of the `k`-th loop that has one end in the status `TOO_MANY_TRIPS - k`.
const TOO_MANY_TRIPS: i32 = -16;

/// The status for trips beyond the `limit`-th limit.
pub(super) fn too_many_trips(limit: usize) -> i32 {
    TOO_MANY_TRIPS - short(limit)
}

/// The limit for which a status stands, if it stands for one.
pub(super) fn limit_of(status: i32) -> Option<usize> {
    usize::try_from(TOO_MANY_TRIPS - status).ok()
}

/// Rows in memory: where the first is, and how far the next.
pub(super) struct Rows {
    pub start: Pointer,
    pub distance: Distance,
}

#[derive(Clone, Copy)]
pub(super) enum Distance {
    Known(i64),
    /// That of a stack, which depends on what else its loop has saved.
    Loaded(Pointer),
}

impl Rows {
    /// The rows of an array in row-major order.
    pub fn of_array(start: Pointer, ty: &Type) -> Rows {
        let (_, row) = ty.row().expect("bug: rows of a scalar");
        Rows { start, distance: Distance::Known(signed(bytes_of(&row))) }
    }

    /// Where a row begins.
    pub fn row(&self, e: &mut Emitter<'_>, index: Pointer) -> Pointer {
        match self.distance {
            Distance::Known(bytes) => e.advance(self.start, index, bytes),
            Distance::Loaded(bytes) => e.advance_by(self.start, index, bytes),
        }
    }
}

/// The records that a loop collects on a stack: the place of each value in a record, and the size of a record.
pub(super) struct Record {
    pub offsets: Vec<usize>,
    pub bytes: usize,
}

impl Record {
    pub fn of(types: &[Type]) -> Record {
        let mut bytes = 0;
        let offsets = types.iter().map(|ty| {
            let offset = bytes;
            bytes += bytes_of(&ty.unstacked()).next_multiple_of(8);
            offset
        });
        Record { offsets: offsets.collect(), bytes }
    }
}

impl Record {
    /// Makes room on the stack for the record of a trip.
    pub fn make_room(&self, e: &mut Emitter<'_>, stacks: Pointer, head: Pointer, trip: Pointer) {
        let capacity = e.load_pointer(head, HEAD_CAPACITY);
        e.when_equal(trip, capacity, |e| {
            e.store_pointer(trip, head, HEAD_LEN);
            let bytes = e.index(signed(self.bytes));
            let status = e.call_address(stacks::grow as *const () as usize, &[stacks, head, bytes]);
            e.return_status(status);
        });
    }
}

/// Whether running a graph takes memory from stacks, for itself or within regions.
pub(super) fn makes_stacks(graph: &Graph) -> bool {
    graph.ids().any(|id| {
        let node = graph.node(id);
        let takes = node.types().iter().any(|ty| ty.stack)
            || node.op().and_then(Op::roles).is_some_and(|roles| matches!(roles.flow, Flow::Back(_)));
        takes || node.regions().iter().any(|region| makes_stacks(region))
    })
}

/// The bytes of a value, whose type has been checked.
pub(super) fn bytes_of(ty: &Type) -> usize {
    ty.checked_bytes().expect("bug: an oversized value passed the graph's check")
}
