//! retrograd
