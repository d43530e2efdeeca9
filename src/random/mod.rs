//! Random numbers, in the graph: functions of a key, reproducible to the bit on any machine, in the interpreter, in native
//! code, in loops and in batches.
//!
//! A **key** is a value as any other, `i64[2]`. There is no hidden state: a function of this module gives the same numbers
//! whenever it gets the same key. **Using one key twice gives the same numbers twice**, and two distributions drawn with
//! one key depend on each other. So a program makes one key from a seed, and takes it apart with [`split`] (or [`keys`],
//! or, in a loop, [`fold_in`]) into one for each purpose.
//!
//! ```
//! use ndarray::Array1;
//! use retrograd::{Var, jit, random};
//!
//! let noisy = |x: Var, seed: Var| {
//!     let [for_scale, for_noise] = random::keys(random::key(seed));
//!     let scale = random::uniform(for_scale, [], 0.5..1.5);
//!     scale * x + 0.1 * random::normal(for_noise, [3])
//! };
//! let f = jit(noisy);
//! let x = [1.0, 2.0, 3.0];
//! let y: Array1<f64> = f.call(x, 42)?;
//! assert_eq!(y, f.call::<Array1<f64>>(x, 42)?);
//! assert_ne!(y, f.call::<Array1<f64>>(x, 43)?);
//! # Ok::<(), retrograd::Error>(())
//! ```
//!
//! # Streams
//! Bits come from Threefry 2×32 (Salmon et al., SC 2011), by the counters and in the order of JAX 0.10, whose
//! `jax_threefry_partitionable` is on by default: [`key`], [`split`], [`fold_in`], [`bits`], [`bits32`], [`integers`] and
//! [`uniform`] give JAX's bits. [`normal`], [`exponential`], [`gamma`] and most others give JAX's numbers up to rounding,
//! since its logarithms and quantile functions are others.
//!
//! # Types
//! Distributions without parameters that are traced take a [`Type`](crate::value::Type), or the shape of an array of
//! `f64`: `normal(key, [3])`, `normal(key, Type::new(DType::F32, [3]))`. Those with parameters take numbers or traced
//! values, which broadcast to the shape that is given; it is their dtype that the result has, `f64` if all are numbers.
//!
//! # Derivatives
//! Numbers are differentiable by the parameters of their distribution where they are differentiable functions of them at
//! the same bits: `loc + scale * normal(key, shape)`, [`multivariate_normal`], [`truncated_normal`] by its bounds, and [`gamma`], [`beta`] and
//! [`dirichlet`] by their shapes, by implicit reparameterization (Figurnov, Mohamed and Mnih, NeurIPS 2018). Integers and
//! `bool`s have no derivative.
//!
//! ```
//! use retrograd::{Var, grad, jit, random};
//!
//! // The mean of x² for x normal with mean m and deviation 1 is m² + 1, and its derivative 2 m.
//! let second_moment = |m: Var| (m + random::normal(random::key(0), [10_000])).square().mean();
//! let slope: f64 = jit(grad(second_moment)).call(3.0)?;
//! assert!((slope - 6.0).abs() < 0.05);
//! # Ok::<(), retrograd::Error>(())
//! ```
//!
//! # Errors
//! As everywhere, an error is kept with its line, and [`trace`](crate::trace) or [`jit`](crate::jit) returns it: a key
//! that is not `i64[2]`, a dtype that is not of floating point, parameters that do not broadcast to the shape.

mod continuous;
mod discrete;
mod gamma;
mod key;
pub(crate) mod multivariate;
mod order;
pub(crate) mod parameters;

pub use continuous::{cauchy, exponential, gumbel, laplace, logistic, normal, truncated_normal, uniform};
pub use discrete::{bernoulli, binomial, categorical, integers, poisson};
pub use gamma::{beta, dirichlet, gamma, log_gamma};
pub use key::{bits, bits32, fold_in, key, keys, split};
pub use multivariate::multivariate_normal;
pub use order::{choice, choice_weighted, distinct, distinct_weighted, permutation};
