//! How straight-line code gets at memory: which addresses it keeps in registers.
//!
//! A distance of more than 127 bytes from the address in a register takes three bytes more in each instruction. Long code
//! waits for its own bytes, so where it goes along an array, or from slot to slot nearby in the frame, an address there is
//! brought into a register.

use smallvec::SmallVec;

use crate::compile::abi::Address;
use crate::emit::{Emitter, Pointer};

/// How many entries of the base table are remembered. One after the other, elements of few arrays are read and stored,
/// whose addresses would be loaded again after each store; more of them would leave the registers.
const MAX_BASES: usize = 2;

/// How many addresses within arrays and the frame are remembered: there are registers for so many, but not for more.
const MAX_WINDOWS: usize = 8;

/// How far apart two accesses in a row are at most where code goes along an array.
const STEP: i64 = 64;

/// How far before and after an address the distances are short.
const REACH: i64 = 128;

/// What one segment of straight-line code remembers.
#[derive(Default)]
pub struct Addresses {
    /// The entries of the base table that were used last, the latest first, with what stands there.
    bases: SmallVec<[(u32, Pointer); MAX_BASES + 1]>,
    /// The places within arrays and the frame that were used last, the latest first, with their addresses.
    windows: SmallVec<[(Address, Pointer); MAX_WINDOWS + 1]>,
    /// For each entry of the base table, where it was used last far from what is remembered.
    far: SmallVec<[Address; MAX_WINDOWS + 1]>,
}

impl Addresses {
    /// An address in a register, and the distance of a place from it.
    pub fn near(&mut self, e: &mut Emitter<'_>, place: Address) -> (Pointer, i32) {
        let short = |from: Address| place.behind(from).is_some_and(|bytes| (-REACH..REACH).contains(&bytes));
        if let Some(k) = self.windows.iter().position(|&(from, _)| short(from)) {
            self.windows[..=k].rotate_right(1);
            let (from, address) = self.windows[0];
            return e.within_reach(address, place.offset - from.offset);
        }
        let base = self.base(e, place.base);
        if short(Address { offset: 0, ..place }) {
            return e.within_reach(base, place.offset);
        }
        let Some(step) = self.step(place).filter(|_| e.takes_loads_between_blocks()) else {
            return e.within_reach(base, place.offset);
        };
        // Most of the window lies where the code goes.
        let from = place.beyond(if step < 0 { STEP - REACH } else { REACH - STEP });
        let address = e.address_in_next_block(base, from.offset);
        remember(&mut self.windows, (from, address), MAX_WINDOWS);
        e.within_reach(address, place.offset - from.offset)
    }

    /// In which direction code goes along an array, if a place that is far from all that is remembered continues a window, or
    /// the place before that was far.
    fn step(&mut self, place: Address) -> Option<i64> {
        let continues = |from: Address| place.behind(from).is_some_and(|bytes| bytes.abs() <= REACH + STEP);
        let window = self.windows.iter().position(|&(from, _)| continues(from));
        let window = window.and_then(|k| place.behind(self.windows.remove(k).0));
        let last = self.far.iter().position(|last| last.base == place.base).map(|k| self.far.remove(k));
        remember(&mut self.far, place, MAX_WINDOWS);
        window.or_else(|| last.and_then(|last| place.behind(last)).filter(|bytes| bytes.abs() <= STEP))
    }

    /// Forgets what would have to be kept across a call.
    pub fn forget_windows(&mut self) {
        self.windows.clear();
    }

    fn base(&mut self, e: &mut Emitter<'_>, base: u32) -> Pointer {
        if let Some(address) = e.loaded_base(base) {
            return address;
        }
        match self.bases.iter().position(|&(known, _)| known == base) {
            Some(k) => self.bases[..=k].rotate_right(1),
            None => {
                let address = e.base(base);
                remember(&mut self.bases, (base, address), MAX_BASES);
            }
        }
        self.bases[0].1
    }
}

/// Puts something to the front of what is remembered.
fn remember<T, A: smallvec::Array<Item = T>>(all: &mut SmallVec<A>, latest: T, max: usize) {
    all.insert(0, latest);
    all.truncate(max);
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::emit::{Mode, Module};

    /// The distances from addresses in registers with which straight-line code gets at these places of one array.
    fn distances(offsets: impl IntoIterator<Item = i64>) -> Vec<i32> {
        let places: Vec<Address> = offsets.into_iter().map(|offset| Address { base: 7, offset }).collect();
        let distances = Mutex::new(Vec::new());
        let mut module = Module::new(Mode::default()).unwrap();
        module.straight_line(places.len(), |e| {
            let mut addresses = Addresses::default();
            *distances.lock().unwrap() = places.iter().map(|&place| addresses.near(e, place).1).collect();
        });
        module.finish().unwrap();
        distances.into_inner().unwrap()
    }

    #[test]
    fn along_an_array_distances_are_short() {
        let is_long = |distance: &i32| !(-128..128).contains(distance);
        for places in [(0..200).collect::<Vec<i64>>(), (0..200).rev().collect(), (0..200).map(|k| 4 * k).collect()] {
            let long: Vec<i32> = distances(places.iter().map(|k| 4096 + 8 * k)).into_iter().filter(is_long).collect();
            assert_eq!(long, [4096 + 8 * i32::try_from(places[0]).unwrap()]);
        }
        // Near the beginning there is nothing to do, nor where one place has nothing to do with the next.
        assert_eq!(distances([0, 120, 56]), [0, 120, 56]);
        assert_eq!(distances([4096, 8192, 4200, 8300]), [4096, 8192, 4200, 8300]);
        // What no instruction can hold is added.
        assert_eq!(distances([1 << 40, 1 << 41]), [0, 0]);
    }
}
