//! Distributions: logarithms of densities, distribution functions, and samplers, each in a module of its own.
//!
//! Functions take numbers or traced values of one dtype of floating point, which broadcast as the operands of operators do:
//! first the number or the count, then the parameters. All are differentiable by everything that is of floating point, to
//! any order where the module does not say otherwise. Parameters are those of SciPy but for locations, which only the
//! distributions on all real numbers have; a rate is one over a scale.
//!
//! ```
//! use ndarray::{Array1, array};
//! use retrograd::{Var, jit, stats, value_and_grad};
//!
//! // The posterior of a rate with a gamma prior, given counts: log density and score.
//! let posterior = |rate: Var, counts: Var| {
//!     stats::gamma::log_pdf(rate, 2.0, 1.0) + stats::poisson::log_pmf(counts, rate).sum()
//! };
//! let f = jit(value_and_grad(posterior));
//! let (_, score): (f64, f64) = f.call(2.0, array![1i64, 3, 2])?;
//! assert!((score - (7.0 / 2.0 - 4.0)).abs() < 1e-14); // (Σ k + a - 1)/rate - n - 1
//! # Ok::<(), retrograd::Error>(())
//! ```
//!
//! # Outside
//! Outside of the support the logarithm of a density is -inf, its derivative 0, and the distribution function 0 or 1. Where
//! parameters are those of no distribution, all is NaN, also the derivatives; samplers of counts give -1. A NaN among the
//! operands gives NaN.
//!
//! # Samplers
//! `sample(key, parameters…, shape)` draws with a key of [`random`](crate::random); the parameters broadcast to the shape.
//! Floating-point numbers are differentiable by the parameters at the same bits.
//!
//! ```
//! use ndarray::Array1;
//! use retrograd::{Var, jit, random, stats};
//!
//! let draw = |df: Var| stats::t::sample(random::key(1), df, 1.0, 0.5, [5]);
//! let x: Array1<f64> = jit(draw).call(4.0)?;
//! assert_eq!(x.len(), 5);
//! # Ok::<(), retrograd::Error>(())
//! ```

pub mod beta;
pub mod binomial;
pub mod categorical;
pub mod cauchy;
pub mod chi2;
pub mod dirichlet;
pub mod exponential;
pub mod gamma;
pub mod inverse_gamma;
pub mod laplace;
pub mod lkj;
pub mod logistic;
pub mod lognormal;
pub mod multivariate_normal;
pub mod negative_binomial;
pub mod normal;
pub mod poisson;
mod support;
pub mod t;
pub mod weibull;
pub mod wishart;
