use crate::error::LimitError;
use crate::ir::graph::MAX_DEPTH;
use crate::value::{Shape, Type};

/// The resources that a file may require. Each limit is checked before anything of that size is allocated.
///
/// ```
/// use retrograd::ir::Limits;
///
/// let limits = Limits { nodes: 1000, ..Limits::default() };
/// assert_eq!(limits.rank, 256);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The bytes of a document: 256 MiB by default, about two million nodes. Reading takes about 7 times as much
    /// memory, and up to 25 times if a document consists of short lists.
    pub document_bytes: u64,
    /// The nodes of all graphs of a document together: 10 million by default.
    pub nodes: usize,
    /// The axes of a value: 256 by default; the derivative of a loop saves an axis for each loop around it.
    pub rank: usize,
    /// The elements of a value: 2²⁸ by default, which are 2 GiB of `f64`. Axes of extent 0 count as 1.
    pub elements: u64,
    /// The bytes of all values of a document together, each counted once: 64 GiB by default. A program needs far
    /// less, since most values are never stored or share their memory with others.
    pub total_bytes: u64,
    /// How deep regions may be nested: 128 by default. A graph cannot be nested deeper, even if this limit is higher.
    pub region_depth: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            document_bytes: 256 << 20,
            nodes: 10_000_000,
            rank: 256,
            elements: 1 << 28,
            total_bytes: 64 << 30,
            region_depth: MAX_DEPTH,
        }
    }
}

impl Limits {
    /// Checks that a value of type `ty` is allowed.
    pub(in crate::ir) fn check_type(&self, ty: &Type, place: impl Fn() -> String) -> Result<(), LimitError> {
        let exceeded = |what, limit, got| Err(LimitError { what, limit, got, place: Some(place()) });
        if ty.rank() > self.rank {
            return exceeded("axes of a value", self.rank as u64, Some(ty.rank() as u64));
        }
        match padded_size(&ty.shape) {
            Some(size) if size <= self.elements && ty.checked_bytes().is_some() => Ok(()),
            got => exceeded("elements of a value", self.elements, got),
        }
    }
}

/// The number of elements, with extents of 0 counted as 1.
fn padded_size(shape: &Shape) -> Option<u64> {
    shape.iter().try_fold(1u64, |size, &extent| size.checked_mul(extent.max(1) as u64))
}
