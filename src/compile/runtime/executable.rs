//! Compiled code with all that it refers to: how it is entered, and with which memory.

use std::alloc;
use std::mem::MaybeUninit;
use std::sync::{Arc, Mutex, PoisonError};

use super::buffers::{Buffers, Slot};
use super::hosts::Hosts;
use super::library::{LibraryCall, call_library};
use super::revolve::Driver;
use super::stacks::Stacks;
use crate::compile::abi::{Entry, FIRST_INPUT, Line, Status};
use crate::emit::{Code, FunctionId};
use crate::error::LimitError;
use crate::ir::NodeId;
use crate::value::Array;

/// What is run as a whole.
#[derive(Clone, Copy)]
pub enum Step {
    /// A function.
    Call(FunctionId),
    /// A routine, whose address stands in the base table, before that of its operands and results.
    Library { node: NodeId, base: u32 },
}

/// What compiled code refers to by address, or by number, besides the base table.
#[derive(Default)]
pub struct Kept {
    pub constants: Vec<Array>,
    pub numbers: Vec<Vec<f64>>,
    pub libraries: Vec<Arc<LibraryCall>>,
    /// The functions of the host that these call.
    pub hosts: Hosts,
    pub drivers: Vec<Arc<Driver>>,
    /// The errors of loops whose iterations are limited.
    pub limits: Vec<LimitError>,
}

impl Kept {
    /// Keeps the numbers of straight-line code, if it reads any from memory, and gives their address.
    pub fn keep_numbers(&mut self, numbers: &[f64]) -> Option<usize> {
        let numbers = (!numbers.is_empty()).then(|| numbers.to_vec())?;
        let address = numbers.as_ptr() as usize;
        self.numbers.push(numbers);
        Some(address)
    }
}

/// Compiled code, ready to be entered from any thread.
pub struct Executable {
    /// Keeps the entry where it is.
    pub code: Code,
    pub entry: Entry,
    /// The number of entries of the base table, and what stands in the last of them at every call.
    pub n_entries: usize,
    pub fixed: Box<[usize]>,
    /// What these refer to, and what code within regions does.
    pub constants: Vec<Array>,
    pub kept: Kept,
    /// How many bytes loops save in the arena, for rows; and how many a call takes for states, whatever its inputs are.
    pub row_bytes: usize,
    pub state_bytes: usize,
    /// How many a routine takes for itself.
    pub scratch_bytes: usize,
    pub arena_lines: usize,
    pub frame_lines: usize,
    /// Whether the stack has room for what a call needs. Routines in Rust need memory that was written to before.
    pub is_small: bool,
    /// Whether working memory is filled with garbage before each call.
    pub is_poisoned: bool,
    pub memory: Mutex<Vec<Memory>>,
}

/// The working memory of one call at a time: the arena, the frame, the base table.
pub struct Memory {
    lines: Box<[Line]>,
    stacks: Stacks,
}

/// Working memory up to this many lines is on the caller's stack, if the base table has up to so many entries.
const STACK_LINES: usize = 128;
const STACK_ENTRIES: usize = 128;

impl Executable {
    /// Whether the stack has room for so much memory and so large a table.
    pub fn fits_on_stack(lines: usize, n_entries: usize) -> bool {
        lines <= STACK_LINES && n_entries <= STACK_ENTRIES
    }

    /// Completes the base table, and hands it on. Loops may save `loop_bytes`.
    ///
    /// # Safety
    /// If the buffers say that they fit, at each of their addresses must be an array of the type of that input or output,
    /// in row-major order; outputs must not overlap with anything else. `go` runs code of this program.
    #[inline]
    pub unsafe fn with_bases(
        &self,
        loop_bytes: usize,
        buffers: impl Buffers,
        go: impl FnOnce(*const *mut u8) -> i32,
    ) -> i32 {
        if !self.is_small || self.row_bytes > loop_bytes {
            // SAFETY: this function's contract.
            return unsafe { self.with_kept_memory(loop_bytes, buffers, go) };
        }
        let mut memory = [MaybeUninit::<Line>::uninit(); STACK_LINES];
        let mut table = [Slot::uninit(); STACK_ENTRIES];
        let table = &mut table[..self.n_entries];
        // SAFETY: compiled code writes every part of its memory before it reads it; the rest is this function's contract.
        unsafe { self.enter(table, memory.as_mut_ptr().cast(), std::ptr::null_mut(), buffers, go) }
    }

    /// # Safety
    /// The steps must be those of a kernel of this program, not of a region, and the table as its entry takes it.
    pub unsafe fn run_steps(&self, steps: &[Step], bases: *const *mut u8) -> i32 {
        for step in steps {
            let status = match *step {
                // SAFETY: by this function's contract.
                Step::Call(function) => unsafe { self.run_function(function, bases) },
                // SAFETY: the entry after that of the routine holds the call, by the contract.
                Step::Library { base, .. } => unsafe { call_library((*bases.add(base as usize + 1)).cast(), bases) },
            };
            if status != 0 {
                return status;
            }
        }
        0
    }

    /// The bytes of working memory that one call uses.
    pub fn memory_bytes(&self) -> usize {
        (self.arena_lines + self.frame_lines) * size_of::<Line>()
    }

    /// The most bytes that loops have taken at one time, in all calls that have returned.
    pub fn peak_loop_bytes(&self) -> usize {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.iter().map(|memory| memory.stacks.peak()).max().unwrap_or(0)
    }

    /// The bytes of the constants that the code reads from memory.
    pub fn constant_bytes(&self) -> usize {
        let all = self.constants.iter().chain(&self.kept.constants);
        let numbers: usize = self.kept.numbers.iter().map(|numbers| size_of_val(&numbers[..])).sum();
        numbers + all.filter_map(|constant| constant.ty().checked_bytes()).sum::<usize>()
    }

    /// # Safety
    /// The function must take the table of the whole program, and the table must be complete.
    unsafe fn run_function(&self, function: FunctionId, bases: *const *mut u8) -> i32 {
        // SAFETY: the code has this signature and lives as long as `self`.
        let code = unsafe { std::mem::transmute::<*const u8, Entry>(self.code.address(function)) };
        code(bases)
    }

    /// The same with memory from the heap.
    ///
    /// # Safety
    /// As for [`Executable::with_bases`].
    #[inline(never)]
    unsafe fn with_kept_memory(
        &self,
        loop_bytes: usize,
        buffers: impl Buffers,
        go: impl FnOnce(*const *mut u8) -> i32,
    ) -> i32 {
        let Some(stack_bytes) = loop_bytes.checked_sub(self.row_bytes).filter(|&bytes| self.state_bytes <= bytes)
        else {
            return Status::TooMuch.number();
        };
        let lines = self.arena_lines + self.frame_lines;
        let kept = self.memory.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Some(mut memory) = kept.or_else(|| self.new_memory()) else { return Status::NoMemory.number() };
        memory.stacks.reset(stack_bytes);
        let (arena, table) = memory.lines.split_at_mut(lines);
        if self.is_poisoned {
            // NaN of both precisions, and no number that a program is likely to compute.
            arena.fill(Line([0xFF; 64]));
        }
        // SAFETY: as many entries have been allocated there, and lines are aligned to more than addresses are.
        let table = unsafe { std::slice::from_raw_parts_mut(table.as_mut_ptr().cast(), self.n_entries) };
        // SAFETY: this function's contract.
        let status = unsafe { self.enter(table, arena.as_mut_ptr().cast(), &mut memory.stacks, buffers, go) };
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
        status
    }

    /// Working memory for one call at a time; `None` if the system has none.
    fn new_memory(&self) -> Option<Memory> {
        let n_table_lines = (size_of::<Slot>() * self.n_entries).div_ceil(size_of::<Line>());
        let lines = zeroed_lines(self.arena_lines + self.frame_lines + n_table_lines)?;
        Some(Memory { lines, stacks: Stacks::new(0) })
    }

    /// Fills the base table, which has as many entries as the code expects, and hands it on.
    ///
    /// # Safety
    /// As for [`Executable::with_bases`]; and the arena must be as long as the program's, with its frame after it.
    #[inline(always)]
    unsafe fn enter(
        &self,
        table: &mut [Slot],
        arena: *mut u8,
        stacks: *mut Stacks,
        buffers: impl Buffers,
        go: impl FnOnce(*const *mut u8) -> i32,
    ) -> i32 {
        let (changing, fixed) = table.split_at_mut(table.len() - self.fixed.len());
        // SAFETY: the frame follows the arena in the same memory.
        let frame = unsafe { arena.add(self.arena_lines * size_of::<Line>()) };
        let (own, given) = changing.split_at_mut(FIRST_INPUT as usize);
        own.iter_mut().zip([arena, frame, stacks.cast()]).for_each(|(slot, address)| *slot = Slot::new(address));
        if !buffers.write(given) {
            return Status::Unfit.number();
        }
        fixed.iter_mut().zip(&self.fixed).for_each(|(slot, &address)| *slot = Slot::new(address as *mut u8));
        go(table.as_ptr().cast())
    }
}

/// Memory that holds zeros, and that the system need not touch for that.
fn zeroed_lines(n: usize) -> Option<Box<[Line]>> {
    if n == 0 {
        return Some(Box::default());
    }
    let layout = alloc::Layout::array::<Line>(n).ok()?;
    // SAFETY: the layout is of that many lines, of which bytes of 0 are one. A box of them is freed with the same layout.
    unsafe {
        let lines = alloc::alloc_zeroed(layout).cast::<Line>();
        (!lines.is_null()).then(|| Box::from_raw(std::ptr::slice_from_raw_parts_mut(lines, n)))
    }
}
