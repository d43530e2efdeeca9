//! Derivatives of regions that are known already: a region that stands in several places, itself within regions that do, is
//! differentiated once. Else each level of such regions would double the work, and what comes of it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::op::{Graph, Range, trace};
use crate::value::Type;

/// What the derivative of a region is, and all that it depends on: the region, the inputs that are asked for, and which of
/// its inputs and outputs are differentiated.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct Key {
    kind: &'static str,
    region: *const Graph,
    inputs: Vec<(String, Type)>,
    /// What the inputs may hold, and whether the region is made of derivatives: on these it depends which zeros are strong.
    ranges: Vec<Range>,
    is_derived: bool,
    places: Vec<Vec<usize>>,
}

impl Key {
    pub fn new(
        kind: &'static str,
        region: &Arc<Graph>,
        inputs: &[(String, Type)],
        ranges: &[Range],
        places: &[&[usize]],
    ) -> Key {
        let places = places.iter().map(|places| places.to_vec()).collect();
        let (inputs, ranges, is_derived) = (inputs.to_vec(), ranges.to_vec(), trace::is_derived());
        Key { kind, region: Arc::as_ptr(region), inputs, ranges, is_derived, places }
    }
}

#[derive(Default)]
struct Known {
    n_scopes: usize,
    /// By key the region and its derivative. The region is kept, so that no other takes its address.
    derivatives: HashMap<Key, [Arc<Graph>; 2]>,
}

thread_local! {
    static KNOWN: RefCell<Known> = RefCell::default();
}

/// While there is one, derivatives stay known: as long as the derivative of an operation of the outermost trace is made.
pub(super) struct Scope;

impl Scope {
    pub fn enter() -> Scope {
        KNOWN.with_borrow_mut(|known| known.n_scopes += 1);
        Scope
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        let forgotten = KNOWN.with_borrow_mut(|known| {
            known.n_scopes -= 1;
            if known.n_scopes == 0 { std::mem::take(&mut known.derivatives) } else { HashMap::new() }
        });
        drop(forgotten);
    }
}

/// The derivative of a region, made at the first time; `None` after an error, which is recorded in the open trace.
pub(super) fn derivative(key: Key, region: &Arc<Graph>, make: impl FnOnce() -> Option<Graph>) -> Option<Arc<Graph>> {
    if let Some([_, known]) = KNOWN.with_borrow(|known| known.derivatives.get(&key).cloned()) {
        return Some(known);
    }
    let made = Arc::new(make()?);
    KNOWN.with_borrow_mut(|known| known.derivatives.insert(key, [region.clone(), made.clone()]));
    Some(made)
}
