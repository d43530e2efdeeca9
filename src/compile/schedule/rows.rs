//! Loops over rows and loops over the elements of these rows that go together, tile by tile.
//!
//! Where products of a matrix's rows are followed by something on all of its elements, as in the gradients of examples one
//! by one, the second loop comes right after each tile of the first: it finds the tile's rows in the cache, and a large
//! matrix is read from memory once.

use super::kernels::{Item, Kernel, LoopKernel, Schedule, Source};
use super::sizes::bytes_of;
use crate::ir::Value;
use crate::op::{Lowering, TILE};

/// A matrix of fewer bytes stays in the cache from one loop to the next.
const MIN_BYTES: usize = 1 << 19;

/// The most bytes of a tile's rows: half of a small second-level cache.
const MAX_TILE_BYTES: usize = 1 << 17;

/// Finds the loops that go together.
pub fn join(schedule: &mut Schedule<'_>) {
    for kernel in 1..schedule.kernels.len() {
        let is_free = !schedule.with_rows.contains(&(kernel - 1).wrapping_sub(1));
        if is_free && go_together(schedule, kernel - 1, kernel) {
            schedule.with_rows.insert(kernel - 1);
        }
    }
}

fn go_together(schedule: &Schedule<'_>, kernel: usize, next: usize) -> bool {
    let (Kernel::Loop(of_rows), Kernel::Loop(of_elements)) = (&schedule.kernels[kernel], &schedule.kernels[next])
    else {
        return false;
    };
    let (&[n], &[n_rows, columns]) = (&of_rows.shape[..], &of_elements.shape[..]) else { return false };
    n == n_rows
        && n > TILE
        && columns > 1
        && reads_product(schedule, of_rows, of_elements, columns)
        && is_plain(schedule, of_elements)
        && reads_rows_only(schedule, kernel, of_elements)
}

/// Whether the elements of a matrix are read whose rows, in products, the first loop reads, and it is worth it.
fn reads_product(schedule: &Schedule<'_>, of_rows: &LoopKernel, of_elements: &LoopKernel, columns: usize) -> bool {
    let matrices = of_rows.items.iter().filter_map(|item| match item {
        Item::Product { node, product } => Some(schedule.graph.operands(*node)[product.matrix]),
        _ => None,
    });
    let is_worth_it = |matrix: &Value| {
        let ty = schedule.ty(*matrix);
        bytes_of(ty) >= MIN_BYTES && TILE * columns * ty.dtype.size() <= MAX_TILE_BYTES
    };
    let roots: Vec<usize> = matrices.filter(is_worth_it).map(|matrix| schedule.root(matrix)).collect();
    operands(schedule, of_elements).any(|x| roots.contains(&schedule.root(x)))
}

/// Whether each element of a loop is made of elements, without a function of `math`.
fn is_plain(schedule: &Schedule<'_>, nest: &LoopKernel) -> bool {
    nest.items.iter().all(|item| match item {
        Item::Op(node) => matches!(schedule.graph.op(*node).lower(), Lowering::Elementwise),
        Item::Output { .. } => true,
        Item::Gather(_) | Item::Copy(_) | Item::Reduce { .. } | Item::Product { .. } | Item::Part(_) => false,
    })
}

/// Whether all that a loop over elements reads of a loop over rows is the row's own number, and it reads one.
fn reads_rows_only(schedule: &Schedule<'_>, kernel: usize, nest: &LoopKernel) -> bool {
    let made = |x: &Value| match schedule.source(schedule.root(*x)) {
        Source::Item(made) | Source::After(made) | Source::Scalar(made) => made == kernel,
        Source::Unused | Source::Input(_) | Source::Constant => false,
    };
    let is_of_row = |x: Value| {
        let access = schedule.access(x);
        let is_item = schedule.source(access.root) == Source::Item(kernel);
        is_item && access.layout.offset == 0 && access.layout.strides[..] == [1, 0]
    };
    let mut read = operands(schedule, nest).filter(made).peekable();
    read.peek().is_some() && read.all(is_of_row)
}

fn operands<'s>(schedule: &'s Schedule<'_>, nest: &'s LoopKernel) -> impl Iterator<Item = Value> + 's {
    nest.items.iter().flat_map(|item| schedule.item_operands(item))
}
