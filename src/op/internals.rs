//! What the rules of operations are written in: for the command, the fuzzers and the tests of this crate. It names types
//! that nobody else can name, and changes with them.

pub use super::matrix::MatrixRoutine;
pub use super::rules::{
    Derivative, Elementwise, Facts, General, Layout, Library, Linear, Lowering, Monoid, Partial, Partials, Rules, View,
};
