//! Factors, systems and determinants: plans, structure, singular and other bad input.

mod common;

use ndarray::{Array1, Array2, Array3, array};
use retrograd::compile::{KernelKind, KernelReport, Report};
use retrograd::linalg::{self, Triangle};
use retrograd::optimize::optimize;
use retrograd::transform::AllArgs;
use retrograd::value::{DType, Type};
use retrograd::{Graph, Program, Var, grad, jit, map, scan, trace, value_and_grad, vmap};

fn matrices(shape: &[usize]) -> Type {
    Type::new(DType::F64, shape)
}

fn plan_of(graph: &Graph) -> Report {
    let graph = optimize(graph).expect("it optimizes");
    Program::inspect(&graph).expect("it compiles").plan
}

/// The operations of all kernels, those of regions included.
fn operations(kernels: &[KernelReport]) -> Vec<&'static str> {
    let of_one = |kernel: &KernelReport| {
        let own = kernel.steps.iter().map(|step| step.op);
        own.chain(kernel.regions.iter().flat_map(|region| operations(&region.kernels))).collect::<Vec<_>>()
    };
    kernels.iter().flat_map(of_one).collect()
}

fn count(plan: &Report, operation: &str) -> usize {
    operations(&plan.kernels).iter().filter(|&&op| op == operation).count()
}

fn calls_routines(kernels: &[KernelReport]) -> bool {
    kernels.iter().any(|kernel| {
        kernel.kind == KernelKind::Library || kernel.regions.iter().any(|region| calls_routines(&region.kernels))
    })
}

#[test]
fn small_systems_of_a_map_and_their_gradient_take_no_call() {
    let one = |a: Var, b: Var| linalg::solve(a, b).square().sum();
    let mapped = move |a: Var, b: Var| map((a, b), move |(a, b)| one(a, b)).sum();
    let batched = move |a: Var, b: Var| vmap(one).call(a, b).sum();
    for n in [2, 3, 4] {
        let types = || (matrices(&[1000, n, n]), matrices(&[1000, n]));
        check(&trace(value_and_grad(mapped).wrt(AllArgs), types()).unwrap());
        check(&trace(value_and_grad(batched).wrt(AllArgs), types()).unwrap());
    }
    fn check(gradient: &Graph) {
        let plan = plan_of(gradient);
        assert!(!calls_routines(&plan.kernels), "{plan}");
        assert!(plan.kernels.iter().all(|kernel| kernel.kind != KernelKind::Control), "{plan}");
        assert!(!plan.makes_stacks, "{plan}");
        // The value takes one factorization of each row, and the gradient computes it again.
        assert_eq!(count(&plan, "lu"), 2, "{plan}");
    }
}

/// The gradient of a log determinant and a quadratic form factors once.
#[test]
fn a_likelihood_and_its_gradient_factor_once() {
    let by_factor = |k: Var, y: Var| {
        let factor = linalg::cho_factor(k);
        0.5 * (y.dot(factor.solve(y)) + factor.logdet())
    };
    // Two factorizations in the text are one in the graph.
    let by_functions = |k: Var, y: Var| 0.5 * (y.dot(linalg::solve_positive(k, y)) + linalg::logdet(k));
    let by_lu = |k: Var, y: Var| 0.5 * (y.dot(linalg::solve(k, y)) + linalg::slogdet(k).1);
    let types = || (matrices(&[30, 30]), matrices(&[30]));
    let graphs = [
        (trace(value_and_grad(by_factor).wrt(AllArgs), types()).unwrap(), "cholesky"),
        (trace(value_and_grad(by_functions).wrt(AllArgs), types()).unwrap(), "cholesky"),
        (trace(value_and_grad(by_lu).wrt(AllArgs), types()).unwrap(), "lu"),
    ];
    for (graph, factorization) in graphs {
        let plan = plan_of(&graph);
        let n = ["cholesky", "lu"].map(|name| count(&plan, name));
        assert_eq!(n.iter().sum::<usize>(), 1, "{plan}");
        assert_eq!(count(&plan, factorization), 1, "{plan}");
        // Nothing flows through the factors: a solution backward for the right-hand side, and an inverse.
        assert_eq!(count(&plan, "cholesky_pullback"), 0, "{plan}");
        assert!(count(&plan, "solve") <= 2 && count(&plan, "inverse") == 1, "{plan}");
    }
}
