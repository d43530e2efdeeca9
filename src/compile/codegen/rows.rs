//! Rows in memory, and the stacks of records that loops make: what kernels of control flow share, in registers or not.

use crate::compile::runtime::{self, HEAD_CAPACITY, HEAD_LEN};
use crate::compile::schedule::bytes_of;
use crate::emit::{Emitter, Pointer, signed};
use crate::value::Type;

/// Rows in memory: where the first is, and how far the next.
pub struct Rows {
    pub start: Pointer,
    pub distance: Distance,
}

#[derive(Clone, Copy)]
pub enum Distance {
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
pub struct Record {
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
    /// Makes room on the stack for the record of a iteration.
    pub fn make_room(&self, e: &mut Emitter<'_>, stacks: Pointer, head: Pointer, iteration: Pointer) {
        let capacity = e.load_pointer(head, HEAD_CAPACITY);
        e.when_equal(iteration, capacity, |e| {
            e.store_pointer(iteration, head, HEAD_LEN);
            let bytes = e.index(signed(self.bytes));
            let status = e.call_rarely(runtime::grow as *const () as usize, &[stacks, head, bytes]);
            e.return_status(status);
        });
    }
}
