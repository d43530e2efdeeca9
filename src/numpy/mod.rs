//! NumPy's vocabulary: its functions, under its names and with its semantics, for traced values.
//!
//! `use retrograd::numpy as np;` reads as in Python. All functions are compositions of operations, so they are
//! differentiated, batched and saved like these. [`guide::from_numpy`](crate::guide::from_numpy) lists what is called what,
//! also of what is a method of [`Var`](crate::Var).
//!
//! ```
//! use ndarray::{Array2, array};
//! use retrograd::{Var, jit, numpy as np, value_and_grad};
//!
//! // The distances of all pairs of points, and how their sum depends on the points.
//! let distances = |x: Var| {
//!     let apart = np::expand_dims(x, 1) - np::expand_dims(x, 0);
//!     np::sum(np::norm(apart, -1), ())
//! };
//! let (sum, slope): (f64, Array2<f64>) = jit(value_and_grad(distances)).call(array![[0.0, 0.0], [3.0, 4.0]])?;
//! assert_eq!(sum, 10.0);
//! assert!((slope - array![[-1.2, -1.6], [1.2, 1.6]]).iter().all(|error| error.abs() < 1e-15));
//! # Ok::<(), retrograd::Error>(())
//! ```
//!
//! # Conventions
//! - Axes are [`isize`], and negative ones count from the end. Where NumPy takes `axis=None`, an integer or a tuple, these
//!   functions take [`impl Axes`](Axes): `()`, `-1`, `[0, 1]`; for `keepdims=True` [`keep(axes)`](keep).
//! - Where NumPy converts integers and truth values to numbers that a function can compute with, so do these; `f32` beside
//!   `f64` is an error, as everywhere in this crate.
//! - A name that is a keyword of Rust has an underscore behind it: [`where_`], [`mod_`].
//! - What NumPy answers with a warning is a NaN or an infinity, and what it answers with an exception is an error, which
//!   [`jit`](fn@crate::jit) returns: it names the function, the operands and the caller's line.
//! - Kinks and ties are as of the methods: see [`guide::derivatives`](crate::guide::derivatives).
//!
//! # Functions by theme
//!
//! **Products.** [`einsum`], [`tensordot`], [`dot`], [`matmul`], [`inner`], [`outer`], [`vdot`], [`vecdot`], [`kron`],
//! [`cross`]; polynomials:
//! [`polyval`], [`vander`].
//!
//! **Making arrays.** [`zeros`], [`ones`], [`full`], [`zeros_like`], [`ones_like`], [`full_like`], [`eye`], [`identity`],
//! [`tri`], [`arange`], [`linspace`], [`logspace`], [`geomspace`], [`meshgrid`].
//!
//! **Matrices.** [`diagonal`], [`diag`], [`diagflat`], [`trace`], [`tril`], [`triu`].
//!
//! **Reductions.** [`sum`], [`prod`], [`mean`], [`max`], [`min`], [`ptp`], [`all`], [`any`], [`count_nonzero`], [`argmax`],
//! [`argmin`], [`var`], [`std()`], [`average`], [`cov`], [`corrcoef`], [`logsumexp`], [`norm`], [`nansum`], [`nanprod`],
//! [`nanmean`], [`nanvar`], [`nanstd`], [`nanmax`], [`nanmin`].
//!
//! **Along an axis.** [`cumsum`], [`cumprod`], [`cummax`], [`cummin`], [`cumlogsumexp`], [`nancumsum`], [`nancumprod`],
//! [`diff`], [`ediff1d`], [`gradient`], [`trapezoid`], [`cumulative_trapezoid`]; [`associative_scan`](crate::associative_scan) for functions of one's own.
//!
//! **Windows.** [`convolve`], [`correlate`], [`conv_general`], [`reduce_window`], [`sliding_window_view`].
//!
//! **Shapes.** [`reshape`], [`ravel`], [`transpose`], [`swapaxes`], [`moveaxis`], [`expand_dims`], [`squeeze`],
//! [`broadcast_to`], [`broadcast_arrays`], [`atleast_1d`], [`atleast_2d`], [`atleast_3d`], [`flip`], [`flipud`], [`fliplr`],
//! [`rot90`], [`roll`], [`tile`], [`repeat`], [`slice()`], [`index`].
//!
//! **Indices and order.** [`take`], [`take_along_axis`], [`sort`], [`argsort`], [`searchsorted`], [`interp`], [`bincount`],
//! [`median`], [`quantile`], [`percentile`].
//!
//! **Joins.** [`concatenate`], [`append`], [`stack`], [`unstack`], [`hstack`], [`vstack`], [`dstack`], [`column_stack`],
//! [`split`], [`array_split`], [`hsplit`], [`vsplit`], [`dsplit`], [`pad`].
//!
//! **By elements.** [`where_`], [`select`], [`clip`], [`maximum`], [`minimum`], [`fmax`], [`fmin`], [`mod_`], [`remainder`], [`fmod`],
//! [`floor_divide`], [`divmod`], [`nan_to_num`], [`nan_to_num_with`], [`degrees`], [`radians`], [`logaddexp`],
//! [`logaddexp2`], [`heaviside`], [`sinc`], [`hypot`], [`isclose`], [`allclose`], [`array_equal`], [`ldexp`], and the
//! elementary functions.

mod axes;
mod contraction;
mod convolution;
mod creation;
mod cumulative;
mod diagonals;
mod einsum;
mod einsum_spec;
mod elementwise;
mod indexing;
mod joins;
mod polynomials;
mod products;
mod reductions;
mod shapes;
mod windows;

pub use axes::{Axes, Keep, keep};
pub(crate) use axes::{enter, float, named_axes};
pub use convolution::{Convolution, ConvolveMode, conv_general, convolve, correlate};
pub use creation::*;
pub use cumulative::*;
pub use diagonals::{diag, diagflat, diagonal, trace, tril, triu};
pub use einsum::einsum;
pub use elementwise::*;
pub use indexing::*;
pub use joins::*;
pub use polynomials::{polyval, vander};
pub use products::*;
pub use reductions::*;
pub use shapes::*;
pub use windows::{Pool, Windows, reduce_window, sliding_window_view};
