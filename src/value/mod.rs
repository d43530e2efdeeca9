//! Values: element types, shapes, host arrays, and trees of arrays, and their file formats: [JSON](json), [`.npy`](npy)
//! and, with the feature `npz`, `.npz`.
//!
//! ```
//! use retrograd::value::{Array, DType, Type};
//!
//! let a = Array::from_elements([2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
//! assert_eq!(a.ty(), Type::new(DType::F64, [2, 3]));
//! assert_eq!(a.ty().to_string(), "f64[2,3]");
//! ```

mod array;
mod dtype;
pub mod json;
mod malformed;
pub mod npy;
#[cfg(feature = "npz")]
pub mod npz;
mod shape;
mod tree;

pub use array::{Array, ArrayMut, ArrayRef, Element, Scalar};
pub(crate) use array::{Elements, with_element};
pub use dtype::DType;
pub use malformed::Malformed;
pub use shape::{Shape, Type};
pub use tree::{ArrayElement, FromTree, Kind, Leaf, LeafRef, Numbers, ToTree, Tree};
pub(crate) use tree::{complex_for_real, each_tuple, wrong_structure};
