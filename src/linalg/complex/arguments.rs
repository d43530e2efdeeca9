//! What functions of complex matrices ask of their operands.

use super::super::arguments::{float, matrices as real_matrices, square as real_square};
use crate::op::{Complex, ComplexOperand, Var, broadcast_shape, trace};

/// Complex matrices and their extents; `None` after an error.
#[track_caller]
pub(super) fn matrices(a: Complex) -> Option<(Complex, [usize; 2])> {
    let a = checked(a)?;
    let (_, extents) = real_matrices(a.re)?;
    Some((a, extents))
}

/// Complex square matrices and their extent; `None` after an error.
#[track_caller]
pub(super) fn square(a: Complex) -> Option<(Complex, usize)> {
    let a = checked(a)?;
    let (_, n) = real_square(a.re)?;
    Some((a, n))
}

/// Both parts with one dtype and shape; `None` after an error.
#[track_caller]
fn checked(z: Complex) -> Option<Complex> {
    let z = Complex::new(float(z.re), float(z.im));
    (!z.is_poisoned()).then_some(z)
}

/// Right-hand sides as NumPy takes them: a vector is one, matrices have them as columns.
pub(super) struct Sides {
    /// The columns.
    pub columns: Complex,
    is_vector: bool,
}

impl Sides {
    /// Right-hand sides of complex matrices with so many rows, of which the leading axes broadcast with theirs; `None` after
    /// an error.
    #[track_caller]
    pub fn of_rows(a: Complex, rows: usize, b: impl ComplexOperand) -> Option<Sides> {
        let b = checked(Complex::of(b, a.re))?;
        let (shape, own) = (a.shape(), b.shape());
        let is_vector = own.rank() == 1;
        let at = if is_vector { 0 } else { own.rank().wrapping_sub(2) };
        let leading = &own[..own.rank().saturating_sub(2)];
        let wrong = if own.get(at) != Some(&rows) {
            Some("right-hand sides with as many rows as the matrices have")
        } else if a.dtype() != b.dtype() {
            Some("operands of one dtype (use convert)")
        } else if broadcast_shape(&shape[..shape.rank() - 2], leading).is_none() {
            Some("leading axes that broadcast")
        } else {
            None
        };
        if let Some(wrong) = wrong {
            trace::fail_at(format!("takes {wrong}, but got {} and {}", a.re.ty(), b.re.ty()));
            return None;
        }
        Some(Sides { columns: if is_vector { b.insert_axis(1) } else { b }, is_vector })
    }

    /// The solutions in the shape of the right-hand sides.
    #[track_caller]
    pub fn restore(&self, x: Complex) -> Complex {
        if x.is_poisoned() || !self.is_vector { x } else { x.squeeze(x.rank() - 1) }
    }
}

/// The names of operands in errors.
pub(super) fn shown<const N: usize>(operands: [Complex; N]) -> Vec<Var> {
    operands.into_iter().flat_map(|z| [z.re, z.im]).collect()
}
