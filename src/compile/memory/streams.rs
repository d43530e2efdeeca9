//! What a loop nest reads, writes and does at each index.

use std::ops::Range;

use crate::compile::abi::Address;
use crate::compile::schedule::ValueId;
use crate::ir::NodeId;
use crate::math;
use crate::op::Monoid;
use crate::value::{DType, Scalar};

/// Elements that the nest reads or writes, one at each index.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    pub place: Address,
    pub dtype: DType,
    /// The distance, in elements, of neighbors along each axis of the iteration space.
    pub strides: Vec<isize>,
}

impl Stream {
    /// The stride along the row.
    pub fn inner(&self) -> isize {
        self.strides.last().copied().unwrap_or(0)
    }
}

/// Where an item finds an operand.
#[derive(Clone, Copy, Debug)]
pub enum Operand {
    Item(usize),
    Stream(usize),
    Immediate(Scalar),
}

/// What an item does at each index.
#[derive(Clone, Copy, Debug)]
pub enum Action {
    Inline(NodeId),
    Math1(math::Unary),
    Math2(math::Binary),
    /// Passes its operand on, to be stored.
    Move,
    /// Passes on the sum of 0 and its operand.
    AddToZero,
    /// Adds its operand to what is in its memory.
    Add,
    /// Combines its operand with the element of a result that does not change along the row.
    ReduceRow(Monoid),
    /// Combines its operand with the element of a result at the same place of the row.
    ReduceAcross(Monoid),
    /// The product of each row of a matrix with a vector. An index of the row of the nest is a row of the matrix.
    RowsTimesVector {
        matrix: usize,
        vector: usize,
        columns: usize,
    },
    /// Adds the rows of a matrix, each times the operand's element, to the result.
    AddRows {
        matrix: usize,
        columns: usize,
    },
}

impl Action {
    /// Whether it takes a whole tile at a time, from memory to memory.
    pub fn takes_tiles(self) -> bool {
        matches!(self, Action::Math1(_) | Action::Math2(_) | Action::RowsTimesVector { .. } | Action::AddRows { .. })
    }

    /// Whether an element of its result depends on no other element of it.
    pub fn is_of_single_elements(self) -> bool {
        matches!(self, Action::Inline(_) | Action::Move | Action::AddToZero)
    }

    /// Whether its result is complete only after the nest.
    pub fn is_reduction(self) -> bool {
        matches!(self, Action::ReduceRow(_) | Action::ReduceAcross(_) | Action::AddRows { .. })
    }
}

/// One item, ready for emission.
#[derive(Debug)]
pub struct Work {
    /// The item that it carries out; none if it only moves elements into a tile.
    pub item: Option<usize>,
    pub action: Action,
    /// The value that is made at each index, if items after this one may read it.
    pub makes: Option<ValueId>,
    pub operands: Vec<Operand>,
    pub dtype: DType,
    /// The loop in which the item's result is made.
    pub level: usize,
    /// The stream into which the result goes, if it is stored.
    pub store: Option<usize>,
    /// The tile in which the result is kept for later levels.
    pub tile: Option<usize>,
}

impl Work {
    /// The level after which its operands are read, or in which they are.
    pub fn reads_at(&self) -> usize {
        self.level - usize::from(self.action.takes_tiles())
    }

    /// Whether it is done in registers, at whatever level.
    pub fn may_wait(&self) -> bool {
        matches!(self.action, Action::Inline(_)) && self.store.is_none()
    }
}

/// Elements in memory that are set to one number before the nest runs.
#[derive(Debug)]
pub struct Fill {
    pub place: Address,
    pub dtype: DType,
    pub segments: Vec<Range<usize>>,
    pub with: FillWith,
}

/// The number with which elements are filled.
#[derive(Clone, Copy, Debug)]
pub enum FillWith {
    Immediate(Scalar),
    /// It is there.
    Element(Address),
}
