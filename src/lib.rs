//! retrograd turns ordinary numerical Rust into native gradient code.
//!
//! A function written in plain Rust is **traced** once on symbolic values ([`Var`]) into a graph, the graph is
//! **differentiated**, and both are **compiled** to native code with Cranelift: no Python, no LLVM, no C compiler, no
//! nightly toolchain.
//!
//! # Gradients
//!
//! ```
//! use retrograd::{Var, grad, hessian, jit};
//!
//! fn rosenbrock(x: [Var; 2]) -> Var {
//!     let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
//!     a * a + 100.0 * b * b
//! }
//!
//! let slope = jit(grad(rosenbrock)); // compiled at the first call
//! let g: [f64; 2] = slope.call([-1.0, 1.0])?;
//! assert_eq!(g, [-4.0, 0.0]);
//!
//! let h: [[f64; 2]; 2] = jit(hessian(rosenbrock)).call([-1.0, 1.0])?;
//! assert_eq!(h, [[802.0, 400.0], [400.0, 200.0]]);
//! # Ok::<(), retrograd::Error>(())
//! ```
//!
//! [`grad`], [`value_and_grad`], [`elementwise_grad`], [`vjp`], [`jvp`], [`jacobian`], [`hessian`] and [`hvp`] take a
//! function and give a function, so they compose to any order: `jit(grad(grad(f)))`. Each takes its derivative by the
//! first argument, and by others after [`.wrt(…)`](transform::Grad::wrt). For high orders there are power series
//! ([`taylor`], [`jet`]), and on them [`elementwise_derivatives`], [`mixed_partial`] and [`laplacian`].
//!
//! # Arrays and trees
//!
//! A `Var` is a number or an array; operators broadcast as in NumPy. Arguments and results are `Var`s, and tuples,
//! arrays, `Vec`s and [derived](derive@Tree) structs of these, nested; on the host side stand numbers, arrays of
//! `ndarray`, and the same tuples, lists and structs. Where one array is taken or given, a `Vec`, a slice or an array of
//! Rust's is one as well: `[1.0, 2.0]` is a vector.
//!
//! ```
//! use ndarray::{Array1, array};
//! use retrograd::{Var, jit, value_and_grad};
//!
//! // One layer: weights and bias in a tuple, then the inputs and the target.
//! let loss = |(w, b): (Var, Var), x: Var, target: Var| {
//!     let error = ((w * x).sum() + b).tanh() - target;
//!     error * error
//! };
//! let step = jit(value_and_grad(loss));
//! let (mut w, mut b) = (array![0.1, -0.2], 0.0);
//! let (x, target) = (array![1.0, 2.0], 0.5);
//! let mut losses = Vec::new();
//! for _ in 0..100 {
//!     let (loss, (dw, db)): (f64, (Array1<f64>, f64)) = step.call((&w, b), &x, target)?;
//!     w.scaled_add(-0.1, &dw);
//!     b -= 0.1 * db;
//!     losses.push(loss);
//! }
//! assert!(losses[0] > 0.3 && losses[99] < 1e-9);
//! # Ok::<(), retrograd::Error>(())
//! ```
//!
//! # Control flow
//!
//! Plain `if` and `while` on traced values are followed at the caller's arguments, and guarded: code compiled for one
//! path never answers for another. See [`jit`].
//!
//! ```
//! use retrograd::{Var, grad, jit};
//!
//! let root = |x: Var| {
//!     let mut y = x.full_like(1.0);
//!     while (y * y - x).abs() > 1e-12 {
//!         y = 0.5 * (y + x / y);
//!     }
//!     y
//! };
//! let slope = jit(grad(root));
//! for x in [0.5f64, 2.0, 9.0] {
//!     let d: f64 = slope.call(x)?;
//!     assert!((d - 0.5 / x.sqrt()).abs() < 1e-9);
//! }
//! # Ok::<(), retrograd::Error>(())
//! ```
//!
//! # Graphs
//!
//! [`trace`] gives the graph itself, which can be shown, [differentiated](differentiate), [optimized](optimize),
//! [interpreted](interpret) and [compiled](Program).
//!
//! ```
//! use retrograd::value::{Array, DType};
//! use retrograd::{Program, Var, differentiate, interpret, optimize, trace};
//!
//! let graph = trace(|x: Var, y: Var| (x * y).sin(), (DType::F64, DType::F64))?;
//! let gradient = optimize::optimize(&differentiate::grad(&graph, 0, &[0, 1])?)?;
//! println!("{gradient}");
//!
//! let point = [Array::scalar(0.5), Array::scalar(2.0)];
//! let native = Program::compile(&gradient)?.call(&point)?;
//! assert_eq!(native, interpret::run(&gradient, &point)?); // the same bits
//! # Ok::<(), retrograd::Error>(())
//! ```
//!
//! # Guide
//!
//! [`guide`] has a page for each subject: [tracing and guards](guide::tracing), [control flow](guide::control_flow),
//! [derivatives and kinks](guide::derivatives), [performance](guide::performance), [the file](mod@guide::file), and
//! [from JAX and autograd](guide::from_jax), and [from NumPy and SciPy](guide::from_numpy). [`Var`] lists its methods by theme;
//! [`numpy`] has NumPy's functions by name.
//!
//! # Features
//!
//! `nalgebra`: [`Var`] is a `RealField` of [nalgebra](https://crates.io/crates/nalgebra) 0.35, so that `Matrix3<Var>`,
//! `UnitQuaternion<Var>` and `Isometry3<Var>` work.
//!
//! # Errors
//!
//! Wrong input is an [`Error`], with the source line where there is one; nothing is printed. A panic that begins with
//! "bug:" is a defect of this crate.
#![warn(missing_docs)]

pub mod batch;
pub mod compile;
pub mod differentiate;
mod emit;
pub mod error;
pub mod external;
pub mod fft;
pub mod guide;
pub mod interpret;
pub mod ir;
pub mod linalg;
mod math;
pub mod numpy;
pub mod op;
pub mod optimize;
pub mod random;
pub mod signal;
mod stack;
pub mod stats;
pub mod transform;
pub mod value;

#[doc(inline)]
pub use compile::Program;
#[doc(inline)]
pub use error::Error;
#[doc(inline)]
pub use op::{Complex, Graph, Var};
/// Makes a struct a tree of arrays, as a tuple is: an argument and a result of traced and of compiled functions.
///
/// The type of the leaves is a parameter of the struct: `Mlp<Var>` in a traced function, `Mlp<ArrayD<f64>>` or
/// `Mlp<f64>` outside, `Mlp<&ArrayD<f64>>` where arguments are borrowed, and `Mlp<Type>` for [`trace`]. Fields are
/// leaves, and tuples, arrays, `Vec`s and other derived structs of them. Leaves are named by their fields: the `w` of
/// the first layer of `params` is `params.layers.0.w` in listings, files and errors.
///
/// ```
/// use ndarray::{ArrayD, arr0, array};
/// use retrograd::{Tree, Var, jit, value_and_grad};
///
/// #[derive(Clone, Tree)]
/// struct Layer<T> {
///     w: T,
///     b: T,
/// }
///
/// #[derive(Clone, Tree)]
/// struct Mlp<T> {
///     layers: Vec<Layer<T>>,
///     scale: T,
/// }
///
/// fn loss(mlp: Mlp<Var>, x: Var) -> Var {
///     let y = mlp.layers.iter().fold(x, |x, layer| (x.dot(layer.w) + layer.b).tanh());
///     (mlp.scale * y).square().sum()
/// }
///
/// let layer = Layer { w: array![[0.5, -0.25], [1.0, 0.75]].into_dyn(), b: array![0.0, 0.1].into_dyn() };
/// let mlp = Mlp { layers: vec![layer.clone(), layer], scale: arr0(2.0).into_dyn() };
/// let (value, slope): (f64, Mlp<ArrayD<f64>>) = jit(value_and_grad(loss)).call(&mlp, array![1.0, -1.0])?;
/// assert_eq!(slope.layers[1].w.shape(), [2, 2]);
/// assert!((slope.scale.sum() - value).abs() < 1e-12); // the loss is quadratic in the scale, which is 2
///
/// let graph = jit(loss).arguments(["params", "x"]).graph(&mlp, array![1.0, -1.0])?;
/// let inputs: Vec<&str> = graph.inputs().iter().map(|input| &*input.name).collect();
/// assert_eq!(inputs[..3], ["params.layers.0.w", "params.layers.0.b", "params.layers.1.w"]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # What can be derived
/// Structs with named fields, tuple structs (which are trees as tuples are) and unit structs; with any number of type
/// parameters, each for a part of the tree, and constant parameters. They must be `Clone`. An enum has other leaves for
/// other values, so it is none:
///
/// ```compile_fail
/// #[derive(Clone, retrograd::Tree)]
/// enum Shape<T> {
///     Circle(T),
///     Square(T),
/// }
/// ```
///
/// Nor is a struct whose leaves are always the same type, since a `Var` exists only in a traced function:
///
/// ```compile_fail
/// #[derive(Clone, retrograd::Tree)]
/// struct Line {
///     slope: f64,
/// }
/// ```
pub use retrograd_derive::Tree;
#[doc(inline)]
pub use transform::{
    AllArgs, Arg, Function, Jit, Loop, VarTree, Vmap, associative_scan, bracket, check_grad, checkpoint, cond,
    custom_jvp, custom_vjp, differential_operator, elementwise_derivatives, elementwise_grad, external, fixed_point,
    fori_loop, ggnvp, grad, grad_with_aux, hessian, holomorphic_grad, holomorphic_jacobian, hvp, jacobian, jet, jit,
    jvp, laplacian, laplacian_estimate, linear_solve, map, minimize, mixed_partial, root, scan, switch, taylor, trace,
    trace_with, value_and_grad, value_and_grad_with_aux, vjp, vmap, while_loop,
};

/// The README's blocks of Rust, which run with the documentation's own.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
