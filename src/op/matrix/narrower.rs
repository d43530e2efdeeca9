//! Operations that give some of the results of others for less.

use super::super::Op;
use super::{ComplexEigh, ComplexSvd, Eigh, Svd};

impl Op {
    /// The operation that gives, on the same operands and to the same bits, only one of the results for less, and which of
    /// them.
    pub(crate) fn narrower(&self) -> Option<(Op, u16)> {
        match self {
            Op::Eigh(Eigh { vectors: true }) => Some((Eigh { vectors: false }.into(), 0)),
            Op::Svd(Svd { vectors: true }) => Some((Svd { vectors: false }.into(), 1)),
            Op::ComplexEigh(ComplexEigh { vectors: true }) => Some((ComplexEigh { vectors: false }.into(), 0)),
            Op::ComplexSvd(ComplexSvd { vectors: true }) => Some((ComplexSvd { vectors: false }.into(), 2)),
            _ => None,
        }
    }

    /// The operation of which that is the narrower one, and which of its results this gives.
    pub(crate) fn wider(&self) -> Option<(Op, u16)> {
        match self {
            Op::Eigh(Eigh { vectors: false }) => Some((Eigh { vectors: true }.into(), 0)),
            Op::Svd(Svd { vectors: false }) => Some((Svd { vectors: true }.into(), 1)),
            Op::ComplexEigh(ComplexEigh { vectors: false }) => Some((ComplexEigh { vectors: true }.into(), 0)),
            Op::ComplexSvd(ComplexSvd { vectors: false }) => Some((ComplexSvd { vectors: true }.into(), 2)),
            _ => None,
        }
    }
}
