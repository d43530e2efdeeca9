//! Inputs and outputs as a call is given them: whether they are of the types that the program takes, and their addresses.

use std::mem::MaybeUninit;

use crate::error::ArgumentError;
use crate::value::{ArrayMut, ArrayRef, Type};

/// An entry of the base table, before it is written.
pub(super) type Slot = MaybeUninit<*mut u8>;

/// The addresses of inputs and outputs.
pub(super) trait Buffers {
    /// Writes them into their entries of the base table.
    fn write(self, entries: &mut [Slot]);
}

/// Inputs and outputs apart, so that each loop is one that the compiler makes lanes of: a function of many numbers has
/// many addresses.
impl<X: ExactSizeIterator<Item = *mut u8>, Y: Iterator<Item = *mut u8>> Buffers for (X, Y) {
    #[inline]
    fn write(self, entries: &mut [Slot]) {
        let (inputs, outputs) = entries.split_at_mut(self.0.len());
        inputs.iter_mut().zip(self.0).for_each(|(slot, address)| *slot = Slot::new(address));
        outputs.iter_mut().zip(self.1).for_each(|(slot, address)| *slot = Slot::new(address));
    }
}

/// A view that the caller lends for a call.
pub(super) trait Buffer {
    fn is_buffer_of(&self, ty: &Type) -> bool;
    fn ty(&self) -> Type;
}

macro_rules! buffer {
    ($view:ident) => {
        impl Buffer for $view<'_> {
            #[inline]
            fn is_buffer_of(&self, ty: &Type) -> bool {
                $view::is_buffer_of(self, ty)
            }
            fn ty(&self) -> Type {
                $view::ty(self)
            }
        }
    };
}

buffer!(ArrayRef);
buffer!(ArrayMut);

/// Requires buffers of the expected types, in row-major order.
#[inline]
pub(super) fn check_buffers(
    of: &str,
    what: &str,
    expected: &[(String, Type)],
    got: &[impl Buffer],
) -> Result<(), ArgumentError> {
    if expected.len() == got.len() && expected.iter().zip(got).all(|((_, ty), buffer)| buffer.is_buffer_of(ty)) {
        return Ok(());
    }
    Err(unfit_buffers(of, what, expected, got))
}

/// Why buffers are not those that are expected.
#[cold]
fn unfit_buffers(of: &str, what: &str, expected: &[(String, Type)], got: &[impl Buffer]) -> ArgumentError {
    if expected.len() != got.len() {
        return ArgumentError::Count { of: format!("{of} ({what})"), expected: expected.len(), got: got.len() };
    }
    let unfit = expected.iter().zip(got).find(|((_, ty), buffer)| !buffer.is_buffer_of(ty));
    let ((name, expected), buffer) = unfit.expect("bug: all buffers are as expected");
    let (name, expected, got) = (name.clone(), expected.clone(), buffer.ty());
    if got != expected {
        return ArgumentError::Type { name, expected, got };
    }
    let requirement = "the elements must lie in row-major order without gaps".to_string();
    ArgumentError::Value { name, requirement }
}
