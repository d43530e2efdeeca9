//! The same of complex matrices, which come and go as their real and imaginary parts.

mod eig;
mod eigh;
mod gauge;
mod lu;
mod qr;
mod split;
mod svd;

pub(crate) use eig::{eig, eig_bytes};
pub(crate) use eigh::{eigh, eigh_bytes};
pub(crate) use lu::{lu, lu_bytes, solve};
pub(crate) use qr::{qr, qr_bytes};
pub(crate) use svd::{svd, svd_bytes};

use super::is_finite;

/// The real and the imaginary parts of the elements of a result.
pub(crate) type Parts<'a> = [&'a mut [f64]; 2];

/// Whether no part of an element is infinite or NaN.
fn are_finite(z: [&[f64]; 2]) -> bool {
    z.into_iter().all(is_finite)
}
