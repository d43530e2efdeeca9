//! What users call on functions: [`trace`], [`jit`], and the derivatives.
//!
//! A transformation takes a function of [`Var`](crate::Var)s and gives another, so that they compose:
//! `jit(hessian(f))`, `grad(grad(f))`. Arguments and results are [trees](VarTree) of variables; derivatives are taken
//! by the first argument unless [`wrt`](Grad::wrt) says otherwise.
//!
//! # Conventions
//! - What is differentiated must be of floating point; another dtype is an error.
//! - The gradient by a leaf on which the output does not depend is zero.
//! - Only a scalar has a gradient: the function given to [`grad`] returns one `Var`, and that it is a scalar is checked
//!   when it is traced.
//! - A result that is not of floating point carries no derivative: its tangent is zero, and its cotangent is ignored.

mod arena;
mod associative_scan;
mod check;
mod check_graph;
mod control;
mod custom;
mod external;
mod function;
mod gauss_newton;
mod gradient;
mod holomorphic;
pub mod implicit;
mod jacobian;
mod jet;
mod jit;
mod operators;
mod products;
mod table;
mod tracing;
mod var_tree;
mod vmap;

pub use associative_scan::associative_scan;
pub use check::check_grad;
pub use check_graph::{Agreement, GraphCheck, Worst, check_graph, check_graph_within};
pub use control::{Checkpointed, Loop, checkpoint, cond, fori_loop, map, scan, switch, while_loop};
pub use custom::{CustomJvp, CustomVjp, custom_jvp, custom_vjp};
pub use external::external;
pub use function::{Accepts, AllArgs, Append, Arg, Arguments, Component, Function, Wrt};
pub use gauss_newton::{Ggnvp, HalfSquares, ggnvp};
pub use gradient::{
    ElementwiseGrad, Grad, GradWithAux, ValueAndGrad, ValueAndGradWithAux, elementwise_grad, grad, grad_with_aux,
    value_and_grad, value_and_grad_with_aux,
};
pub use holomorphic::{Conjugate, HolomorphicGrad, HolomorphicJacobian, holomorphic_grad, holomorphic_jacobian};
pub use implicit::{
    Bracket, FixedPoint, LinearSolve, Minimize, Root, bracket, fixed_point, linear_solve, minimize, root,
};
pub use jacobian::{Hessian, Jacobian, hessian, jacobian};
pub use jet::{ElementwiseDerivatives, Jet, Taylor, elementwise_derivatives, jet, taylor};
pub use jit::{Compiled, Erased, Jit, jit};
pub use operators::{
    DifferentialOperator, Laplacian, LaplacianEstimate, differential_operator, laplacian, laplacian_estimate,
    mixed_partial,
};
pub use products::{Hvp, Jvp, Vjp, hvp, jvp, vjp};
pub use tracing::{TypeTree, trace, trace_with};
pub use var_tree::VarTree;
pub use vmap::{Vmap, vmap};
