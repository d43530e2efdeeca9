//! Inputs and outputs as a call is given them: whether they are of the types that the program takes, and their addresses.

use std::alloc;
use std::mem::MaybeUninit;

use crate::error::{ArgumentError, MemoryError};
use crate::value::{Array, ArrayMut, ArrayRef, Element, Type, with_element};

/// An entry of the base table, before it is written.
pub type Slot = MaybeUninit<*mut u8>;

/// The addresses of inputs and outputs.
pub trait Buffers {
    /// Writes them into their entries of the base table; whether they are as the program takes them.
    fn write(self, entries: &mut [Slot]) -> bool;
}

/// Inputs and outputs that are known to be what the program takes. Each loop is one that the compiler makes lanes of: a
/// function of many numbers has many addresses.
pub struct Addresses<X, Y>(pub X, pub Y);

impl<X: ExactSizeIterator<Item = *mut u8>, Y: Iterator<Item = *mut u8>> Buffers for Addresses<X, Y> {
    #[inline]
    fn write(self, entries: &mut [Slot]) -> bool {
        let (inputs, outputs) = entries.split_at_mut(self.0.len());
        inputs.iter_mut().zip(self.0).for_each(|(slot, address)| *slot = Slot::new(address));
        outputs.iter_mut().zip(self.1).for_each(|(slot, address)| *slot = Slot::new(address));
        true
    }
}

/// Views that the caller lends, each looked at once: whether it is of its type, and where it lies.
pub struct Views<'c, 'i, 'o> {
    pub expected: [&'c [(String, Type)]; 2],
    pub inputs: &'c [ArrayRef<'i>],
    pub outputs: &'c mut [ArrayMut<'o>],
}

impl Buffers for Views<'_, '_, '_> {
    #[inline]
    fn write(self, entries: &mut [Slot]) -> bool {
        let Views { expected: [inputs, outputs], inputs: x, outputs: y } = self;
        if (x.len(), y.len()) != (inputs.len(), outputs.len()) {
            return false;
        }
        let (of_inputs, of_outputs) = entries.split_at_mut(inputs.len());
        for ((slot, (_, ty)), x) in of_inputs.iter_mut().zip(inputs).zip(x) {
            if !x.is_buffer_of(ty) {
                return false;
            }
            *slot = Slot::new(x.as_ptr().cast_mut());
        }
        for ((slot, (_, ty)), y) in of_outputs.iter_mut().zip(outputs).zip(y) {
            if !y.is_buffer_of(ty) {
                return false;
            }
            *slot = Slot::new(y.as_mut_ptr());
        }
        true
    }
}

/// An array of zeros for a result, which the system need not touch for that.
///
/// # Errors
/// If the system gives no memory.
pub fn zeros(ty: &Type) -> Result<Array, MemoryError> {
    let array = with_element!(ty.dtype, T => {
        ty.shape.checked_size().and_then(zeroed::<T>).and_then(|elements| Array::from_elements(ty.shape.clone(), elements))
    });
    array.ok_or_else(|| MemoryError::of(ty))
}

fn zeroed<T: Element>(n: usize) -> Option<Vec<T>> {
    if n == 0 {
        return Some(Vec::new());
    }
    let layout = alloc::Layout::array::<T>(n).ok()?;
    // SAFETY: the layout is that of the elements of a vector of this capacity, and bytes of 0 are an element of each dtype.
    unsafe {
        let elements = alloc::alloc_zeroed(layout).cast::<T>();
        (!elements.is_null()).then(|| Vec::from_raw_parts(elements, n, n))
    }
}

/// Why buffers are not those that are expected.
pub fn unfit_buffers(
    of: &str,
    expected: [&[(String, Type)]; 2],
    inputs: &[ArrayRef<'_>],
    outputs: &[ArrayMut<'_>],
) -> ArgumentError {
    let [expected_inputs, expected_outputs] = expected;
    let counts = [("inputs", expected_inputs, inputs.len()), ("outputs", expected_outputs, outputs.len())];
    for (what, expected, got) in counts {
        if expected.len() != got {
            return ArgumentError::Count { of: format!("{of} ({what})"), expected: expected.len(), got };
        }
    }
    let x = inputs.iter().map(|x| (x.ty(), x.is_buffer_of(&x.ty())));
    let y = outputs.iter().map(|y| (y.ty(), y.is_buffer_of(&y.ty())));
    for ((name, expected), (got, dense)) in expected_inputs.iter().chain(expected_outputs).zip(x.chain(y)) {
        let name = name.clone();
        if got != *expected {
            return ArgumentError::Type { name, expected: expected.clone(), got };
        }
        if !dense {
            let requirement = "the elements must lie in row-major order without gaps".to_string();
            return ArgumentError::Value { name, requirement };
        }
    }
    unreachable!("bug: all buffers are as expected")
}
