//! A cache of derivatives of regions: a region with several uses, itself within regions with several uses, is
//! differentiated once. Otherwise each level of nesting would double the time and the size of the result.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::op::{Graph, Range, trace};
use crate::value::Type;

/// The key of a derivative, everything that it depends on: the kind, the region, the inputs, and which inputs and
/// outputs of the region are differentiated.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct Key {
    kind: &'static str,
    region: *const Graph,
    inputs: Vec<(String, Type)>,
    /// The ranges of the inputs, and whether the region itself contains derivatives: they determine which zeros are
    /// strong.
    ranges: Vec<Range>,
    is_derived: bool,
    positions: Vec<Vec<usize>>,
}

impl Key {
    pub fn new(
        kind: &'static str,
        region: &Arc<Graph>,
        inputs: &[(String, Type)],
        ranges: &[Range],
        positions: &[&[usize]],
    ) -> Key {
        let positions = positions.iter().map(|positions| positions.to_vec()).collect();
        let (inputs, ranges, is_derived) = (inputs.to_vec(), ranges.to_vec(), trace::is_derived());
        Key { kind, region: Arc::as_ptr(region), inputs, ranges, is_derived, positions }
    }
}

#[derive(Default)]
struct Known {
    n_scopes: usize,
    /// The region and its derivative by key. The region is kept alive, because its address is part of the key.
    derivatives: HashMap<Key, [Arc<Graph>; 2]>,
}

thread_local! {
    static KNOWN: RefCell<Known> = RefCell::default();
}

/// The cache is kept as long as a scope exists, which is while an operation of the outermost trace is differentiated.
pub(super) struct Scope;

impl Scope {
    pub fn enter() -> Scope {
        KNOWN.with_borrow_mut(|known| known.n_scopes += 1);
        Scope
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        let dropped = KNOWN.with_borrow_mut(|known| {
            known.n_scopes -= 1;
            if known.n_scopes == 0 { std::mem::take(&mut known.derivatives) } else { HashMap::new() }
        });
        drop(dropped);
    }
}

/// The derivative of a region, built at the first request; `None` after an error, which is recorded in the open trace.
pub(super) fn derivative(key: Key, region: &Arc<Graph>, make: impl FnOnce() -> Option<Graph>) -> Option<Arc<Graph>> {
    if let Some([_, known]) = KNOWN.with_borrow(|known| known.derivatives.get(&key).cloned()) {
        return Some(known);
    }
    let made = Arc::new(make()?);
    KNOWN.with_borrow_mut(|known| known.derivatives.insert(key, [region.clone(), made.clone()]));
    Some(made)
}
