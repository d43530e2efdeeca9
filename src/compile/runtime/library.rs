//! Calls of library routines from compiled code.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use ndarray::{ArrayView, ArrayViewD, ArrayViewMut, ArrayViewMutD, Axis, IxDyn, ShapeBuilder};
use smallvec::SmallVec;

use super::hosts::Hosts;
use crate::compile::abi::{Address, Status};
use crate::error::{Error, SourceLine};
use crate::external::Host;
use crate::ir::NodeId;
use crate::math::linear::clear_upper_halves;
use crate::op::{Layout, Lowering, Op, Prepared};
use crate::value::{ArrayMut, ArrayRef, DType, Type};

/// A routine with its operands and results, as compiled code finds it through the base table.
pub struct LibraryCall {
    op: Op,
    operands: Vec<Slice>,
    results: Vec<Slice>,
    /// A function of the host.
    host: Option<Arc<Host>>,
    /// The routine, if it was made ready for these operands.
    prepared: Option<Box<dyn Prepared>>,
    /// The node that applies the operation, and its line.
    node: NodeId,
    at: Option<SourceLine>,
    /// The most bytes of memory that the routine takes for itself.
    pub scratch_bytes: usize,
}

/// Less memory is not asked for on trial.
const MIN_TRIAL: usize = 1 << 20;

/// Elements at an entry of the base table.
pub struct Slice {
    base: u32,
    /// The bytes from there to the first element.
    first: isize,
    dtype: DType,
    layout: Layout,
}

impl LibraryCall {
    pub fn new(
        op: Op,
        operands: Vec<Slice>,
        results: Vec<Slice>,
        hosts: &Hosts,
        (node, at): (NodeId, Option<&SourceLine>),
    ) -> LibraryCall {
        // Products copy operands whose rows do not lie in one piece, and functions of the host get no others: views, which
        // may be far larger than what they show.
        let least_rank = match op.lower() {
            Lowering::Contract(_) => Some(3),
            Lowering::External(_) => Some(usize::MAX),
            _ => None,
        };
        let is_copied = |slice: &&Slice| {
            least_rank.is_some_and(|rank| slice.layout.shape.rank() >= rank || !slice.layout.is_row_major())
        };
        let bytes = operands.iter().filter(is_copied);
        let bytes = bytes.map(|slice| slice.layout.shape.size().saturating_mul(slice.dtype.size()));
        let types: SmallVec<[Type; 3]> =
            operands.iter().map(|slice| Type::new(slice.dtype, slice.layout.shape.clone())).collect();
        let types: SmallVec<[&Type; 3]> = types.iter().collect();
        let own = op.lower().routine().map_or(0, |routine| routine.scratch_bytes(&types));
        let scratch_bytes = bytes.fold(own, usize::saturating_add);
        let host = if let Op::External(op) = &op { Some(hosts.get(op)) } else { None };
        let prepared = op.lower().routine().and_then(|routine| routine.prepare(&types));
        LibraryCall { op, operands, results, host, prepared, node, at: at.cloned(), scratch_bytes }
    }

    /// Whether the system has the memory that the routine takes for itself, whose own requests end the process if not.
    fn has_memory(&self) -> bool {
        self.scratch_bytes < MIN_TRIAL || Vec::<u8>::new().try_reserve_exact(self.scratch_bytes).is_ok()
    }

    /// # Safety
    /// The base table must be that of the plan, with memory at each entry as large as planned.
    unsafe fn run(&self, bases: *const *mut u8) -> Result<(), Error> {
        // SAFETY: by this function's contract; the plan gives operands and results disjoint memory, so the views that
        // are written alias no other.
        let operands: SmallVec<[ArrayRef<'_>; 3]> =
            self.operands.iter().map(|slice| unsafe { slice.view(bases) }).collect();
        // SAFETY: as above.
        let mut results: SmallVec<[ArrayMut<'_>; 1]> =
            self.results.iter().map(|slice| unsafe { slice.view_mut(bases) }).collect();
        if let Some(prepared) = &self.prepared {
            prepared.run(&operands, &mut results);
            return Ok(());
        }
        if let Some(host) = &self.host {
            return Ok(host.call(&operands, &mut results, self.at.as_ref())?);
        }
        if let Lowering::Checked(routine) = self.op.lower() {
            let outcome = routine.run(&operands, &mut results);
            return Ok(outcome.map_err(|error| error.located(self.node.index(), self.at.as_ref()))?);
        }
        let routine = self.op.lower().routine();
        let routine = routine.unwrap_or_else(|| unreachable!("bug: {} is no library routine", self.op.name()));
        routine.run(&operands, &mut results);
        Ok(())
    }
}

thread_local! {
    /// The error that ended the latest call of compiled code on this thread.
    static FAILURE: RefCell<Option<Error>> = const { RefCell::new(None) };
}

/// The status of a call that ends with this error.
pub(super) fn fail(error: Error) -> Status {
    FAILURE.set(Some(error));
    Status::Failed
}

/// The error behind [`Status::Failed`], on the thread that made the call.
pub fn take_failure() -> Option<Error> {
    FAILURE.take()
}

/// What compiled code calls.
///
/// # Safety
/// `call` must point to a [`LibraryCall`], and `bases` to the base table of its plan.
pub unsafe extern "C" fn call_library(call: *const LibraryCall, bases: *const *mut u8) -> i32 {
    // SAFETY: by this function's contract. A panic must not unwind through compiled code.
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| unsafe {
        let call = &*call;
        if !call.has_memory() {
            return Status::NoMemory;
        }
        match call.run(bases) {
            Ok(()) => Status::Done,
            Err(error) => fail(error),
        }
    }));
    // Some kernels leave the upper halves of wide registers in use, which slows down compiled loops.
    clear_upper_halves();
    match outcome {
        Ok(status) => status.number(),
        Err(_) => Status::Panicked.number(),
    }
}

impl Slice {
    pub fn new(place: Address, dtype: DType, layout: Layout) -> Slice {
        let first = isize::try_from(place.offset).expect("bug: a distance of more bits than an address");
        Slice { base: place.base, first, dtype, layout }
    }

    /// # Safety
    /// As [`LibraryCall::run`]; the elements must be initialized: compiled code has stored them, a `bool` as a byte of 0 or 1.
    unsafe fn view<'a>(&self, bases: *const *mut u8) -> ArrayRef<'a> {
        // SAFETY: by this function's contract, with the dtype that the plan gave the memory.
        unsafe {
            match self.dtype {
                DType::F64 => ArrayRef::F64(self.typed(bases)),
                DType::F32 => ArrayRef::F32(self.typed(bases)),
                DType::I64 => ArrayRef::I64(self.typed(bases)),
                DType::Bool => {
                    debug_assert!(self.typed(bases).iter().all(|&byte: &u8| byte <= 1), "bug: a bool that is none");
                    ArrayRef::Bool(self.typed(bases))
                }
            }
        }
    }

    /// # Safety
    /// As [`LibraryCall::run`]; the view must be the only one of its elements.
    unsafe fn view_mut<'a>(&self, bases: *const *mut u8) -> ArrayMut<'a> {
        // SAFETY: by this function's contract, with the dtype that the plan gave the memory. All memory that routines see
        // was written to before, if only with zeros, and every bit pattern is a number. A `bool` is one of two: a block of
        // the arena that held numbers before is cleared first.
        unsafe {
            if self.dtype == DType::Bool {
                self.address(bases, 0).write_bytes(0, self.layout.shape.size());
            }
            match self.dtype {
                DType::F64 => ArrayMut::F64(self.typed_mut(bases)),
                DType::F32 => ArrayMut::F32(self.typed_mut(bases)),
                DType::I64 => ArrayMut::I64(self.typed_mut(bases)),
                DType::Bool => ArrayMut::Bool(self.typed_mut(bases)),
            }
        }
    }

    unsafe fn typed<'a, T>(&self, bases: *const *mut u8) -> ArrayViewD<'a, T> {
        let Lowest { distance, strides, reversed } = self.lowest();
        let shape = IxDyn(&self.layout.shape).strides(IxDyn(&strides));
        // SAFETY: the lowest address and all strides stay within the memory of the value, by the caller's contract.
        let mut view = unsafe { ArrayView::from_shape_ptr(shape, self.address(bases, distance).cast::<T>()) };
        reversed.into_iter().for_each(|axis| view.invert_axis(Axis(axis)));
        view
    }

    unsafe fn typed_mut<'a, T>(&self, bases: *const *mut u8) -> ArrayViewMutD<'a, T> {
        // SAFETY: results lie in row-major order from the beginning of their memory, by the caller's contract.
        unsafe { ArrayViewMut::from_shape_ptr(IxDyn(&self.layout.shape), self.address(bases, 0).cast::<T>()) }
    }

    /// ndarray builds views from the lowest address, with strides that are not negative; axes are reversed afterwards.
    fn lowest(&self) -> Lowest {
        let mut lowest = Lowest { distance: self.layout.offset, strides: SmallVec::new(), reversed: SmallVec::new() };
        for (axis, (&stride, &extent)) in self.layout.strides.iter().zip(self.layout.shape.iter()).enumerate() {
            if stride < 0 && extent > 0 {
                lowest.distance += stride * (extent.cast_signed() - 1);
                lowest.reversed.push(axis);
            }
            lowest.strides.push(stride.unsigned_abs());
        }
        lowest
    }

    /// # Safety
    /// As [`LibraryCall::run`].
    unsafe fn address(&self, bases: *const *mut u8, elements: isize) -> *mut u8 {
        // SAFETY: the entry exists, and the distance stays within the memory at it, by the contract.
        unsafe {
            let base = *bases.add(self.base as usize);
            base.offset(self.first + elements * self.dtype.size().cast_signed())
        }
    }
}

struct Lowest {
    /// The element of the lowest address, from the first of the memory.
    distance: isize,
    strides: SmallVec<[usize; 4]>,
    reversed: SmallVec<[usize; 4]>,
}
