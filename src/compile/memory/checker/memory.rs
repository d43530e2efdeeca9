//! The memory on which a plan is replayed.

use super::meaning::{NOTHING, REST, Token};
use crate::compile::abi::Address;
use crate::emit::signed;

/// The buffers at the entries of the base table. Each byte holds the token of the element that begins there.
pub(super) struct Memory {
    buffers: Vec<Vec<Token>>,
}

impl Memory {
    /// Buffers of so many bytes.
    pub fn new(bytes: impl IntoIterator<Item = usize>) -> Memory {
        Memory { buffers: bytes.into_iter().map(|bytes| vec![NOTHING; bytes]).collect() }
    }

    /// The token of the element of that size at a place.
    pub fn read(&self, place: Address, size: usize) -> Result<Token, String> {
        let bytes = self.bytes(place, size)?;
        let buffer = &self.buffers[place.base as usize];
        let whole = buffer[bytes.start + 1..bytes.end].iter().all(|&byte| byte == REST);
        let ends = buffer.get(bytes.end).is_none_or(|&byte| byte != REST);
        if whole && ends { Ok(buffer[bytes.start]) } else { Ok(NOTHING) }
    }

    /// Puts an element of that size there.
    pub fn write(&mut self, place: Address, size: usize, token: Token) -> Result<(), String> {
        let bytes = self.bytes(place, size)?;
        let buffer = &mut self.buffers[place.base as usize];
        // What reached into these bytes is no element any more.
        if let Some(byte) = buffer.get_mut(bytes.end)
            && *byte == REST
        {
            *byte = NOTHING;
        }
        buffer[bytes.clone()].fill(REST);
        buffer[bytes.start] = token;
        Ok(())
    }

    /// Forgets what is in so many bytes.
    pub fn forget(&mut self, place: Address, size: usize) -> Result<(), String> {
        let bytes = self.bytes(place, size)?;
        self.buffers[place.base as usize][bytes].fill(NOTHING);
        Ok(())
    }

    fn bytes(&self, place: Address, size: usize) -> Result<std::ops::Range<usize>, String> {
        let buffer = self.buffers.get(place.base as usize).ok_or_else(|| format!("no buffer {}", place.base))?;
        let range = usize::try_from(place.offset).ok().and_then(|start| Some(start..start.checked_add(size)?));
        let inside = range.filter(|range| range.end <= buffer.len());
        let (base, offset, end) = (place.base, place.offset, buffer.len());
        // Elements lie at multiples of their size, and where a stack is told in words.
        if offset % signed(size.min(8)) != 0 {
            return Err(format!("{size} bytes at {offset} of buffer {base}, which are not aligned"));
        }
        inside.ok_or_else(|| format!("{size} bytes at {offset} of buffer {base}, which has {end}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_that_are_cut_are_nothing() {
        let mut memory = Memory::new([32]);
        let at = |offset| Address { base: 0, offset };
        memory.write(at(0), 8, 7).unwrap();
        memory.write(at(8), 8, 8).unwrap();
        assert_eq!(memory.read(at(0), 8), Ok(7));
        assert_eq!(memory.read(at(0), 4), Ok(NOTHING), "half of it");
        memory.write(at(4), 4, 9).unwrap();
        assert_eq!((memory.read(at(0), 8), memory.read(at(8), 8)), (Ok(NOTHING), Ok(8)));
        assert!(memory.write(at(10), 8, 5).unwrap_err().contains("aligned"));
        memory.write(at(10), 1, 5).unwrap();
        assert_eq!((memory.read(at(8), 8), memory.read(at(10), 1)), (Ok(NOTHING), Ok(5)));
        assert!(memory.read(at(-8), 8).is_err() && memory.write(at(25), 8, 1).is_err());
        assert!(memory.read(Address { base: 1, offset: 0 }, 1).is_err());
    }
}
