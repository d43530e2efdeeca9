//! The equation that an unknown is defined by, and the operation that solves it.

use std::panic::Location;

use super::iterate::Limits;
use super::linear::LinearSolve;
use crate::differentiate::{jacobian_blocks, pullback, pushforward};
use crate::op::region::{self, Region};
use crate::op::trace;
use crate::op::{Custom, CustomRule, Var};
use crate::transform::VarTree;
use crate::transform::control::{Returned, rebuilt};
use crate::transform::function::require_floats;
use crate::transform::var_tree::leaves;
use crate::value::{DType, Shape, Type};

/// What the traced function says of the unknown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// It vanishes.
    Zero,
    /// It is the unknown.
    Unknown,
    /// It is the least that it can be, so that its gradient vanishes.
    Least,
}

/// An equation for an unknown, which is the vector x of all elements of a tree, and depends on parameters p: what the
/// function captured.
pub(super) struct Equation<T> {
    unknown: Returned<T>,
    layout: Layout,
    form: Form,
    function: Region,
    at: &'static Location<'static>,
}

/// The arrays that a vector is made of.
struct Layout {
    shapes: Vec<Shape>,
    dtype: DType,
}

impl<T: VarTree> Equation<T> {
    /// Traces a function of the unknown, which must give what is like `x0`.
    pub fn of_tree(
        name: &str,
        form: Form,
        x0: T,
        f: impl FnOnce(T) -> T,
        at: &'static Location<'static>,
    ) -> Option<Equation<T>> {
        let unknown = Returned::of("x", x0, at);
        let function = region::trace_at(at, "equation", &unknown.types(), |x| {
            let y = Returned::of("out", f(rebuilt(&unknown.tree, Some(x))), at);
            if !trace::has_failed() {
                unknown.expect(&format!("{name}: the function"), "the unknown is", &y, at);
            }
            y.named()
        })?;
        Equation::new(name, form, unknown, function, at)
    }

    /// Traces a function of the unknown, which must give a number.
    pub fn of_number(
        name: &str,
        x0: T,
        f: impl FnOnce(T) -> Var,
        at: &'static Location<'static>,
    ) -> Option<Equation<T>> {
        let unknown = Returned::of("x", x0, at);
        let dtype = unknown.leaves.first().map_or(DType::F64, |(_, _, ty)| ty.dtype);
        let function = region::trace_at(at, "objective", &unknown.types(), |x| {
            let y = f(rebuilt(&unknown.tree, Some(x)));
            match trace::type_at(y, at) {
                Some(ty) if !trace::has_failed() && ty != Type::scalar(dtype) => {
                    let expected = Type::scalar(dtype);
                    trace::fail_on(format!("{name}: the function must return a {expected}, but returns {ty}"), at);
                }
                _ => {}
            }
            vec![("out".to_string(), y)]
        })?;
        Equation::new(name, Form::Least, unknown, function, at)
    }

    fn new(
        name: &str,
        form: Form,
        unknown: Returned<T>,
        function: Region,
        at: &'static Location<'static>,
    ) -> Option<Equation<T>> {
        if !require_floats(&leaves(&unknown.tree)) {
            return None;
        }
        let Some((first, _, ty)) = unknown.leaves.first() else {
            trace::fail_on(format!("{name}: the unknown has no array"), at);
            return None;
        };
        let dtype = ty.dtype;
        if let Some((other, _, ty)) = unknown.leaves.iter().find(|(_, _, ty)| ty.dtype != dtype) {
            let is = format!("{first} is of {dtype}, and {other} of {}", ty.dtype);
            trace::fail_on(format!("{name}: the unknown must be of one dtype, but {is}"), at);
            return None;
        }
        let layout = Layout { shapes: unknown.leaves.iter().map(|(_, _, ty)| ty.shape.clone()).collect(), dtype };
        Some(Equation { unknown, layout, form, function, at })
    }

    /// The residual at x, which vanishes at the solution, for these parameters.
    pub fn residual(&self, p: &[Var], x: Var) -> Var {
        match self.form {
            Form::Zero => self.layout.packed(&self.function_at(p, x)),
            Form::Unknown => self.layout.packed(&self.function_at(p, x)) - x,
            Form::Least => self.value_and_residual(p, x).1,
        }
    }

    /// The function that is to be least, and its gradient.
    pub fn value_and_residual(&self, p: &[Var], x: Var) -> (Var, Var) {
        let Some(&y) = self.function_at(p, x).first() else { return (Var::poisoned(), Var::poisoned()) };
        let slope = pullback(&[x], &[y], &[y.full_like(1.0)]);
        (y, slope.first().copied().flatten().unwrap_or_else(|| x.full_like(0.0)))
    }

    /// The function that is to be least.
    pub fn value(&self, p: &[Var], x: Var) -> Var {
        self.function_at(p, x).first().copied().unwrap_or(Var::poisoned())
    }

    /// The derivative of the residual by x along `v`.
    pub fn along(&self, p: &[Var], x: Var, v: Var) -> Var {
        let t = pushforward(&[x], &[v], &[self.residual(p, x)]);
        t.first().copied().flatten().unwrap_or_else(|| x.full_like(0.0))
    }

    /// The transpose of [`Equation::along`]. That of a Hessian is itself.
    fn back(&self, p: &[Var], x: Var, v: Var) -> Var {
        if self.form == Form::Least {
            return self.along(p, x, v);
        }
        let ct = pullback(&[x], &[self.residual(p, x)], &[v]);
        ct.first().copied().flatten().unwrap_or_else(|| x.full_like(0.0))
    }

    /// The residual and its Jacobian, of shape `[n, n]`.
    pub fn linearized(&self, p: &[Var], x: Var) -> (Var, Var) {
        let y = self.residual(p, x);
        let jacobian = jacobian_blocks(&[x], &[y], true);
        (y, jacobian.first().copied().unwrap_or(Var::poisoned()))
    }

    /// The solution that the solver finds from a guess, given p, and whether it converged. In its derivative the linear system
    /// is solved as `linear` says.
    pub fn solved(
        &self,
        limits: &Limits,
        linear: LinearSolve,
        guess: Var,
        solver: impl FnOnce(&[Var], Var) -> (Var, Var),
    ) -> Option<(T, Var)> {
        on_line(self.at, || self.operation(limits, linear, guess, solver))
    }

    /// The vector that the solver starts from.
    pub fn guess(&self) -> Var {
        on_line(self.at, || self.layout.packed(&leaves(&self.unknown.tree)))
    }

    fn operation(
        &self,
        limits: &Limits,
        linear: LinearSolve,
        guess: Var,
        solver: impl FnOnce(&[Var], Var) -> (Var, Var),
    ) -> Option<(T, Var)> {
        let p = &self.function.captured;
        let n_leaves = self.unknown.n_leaves();
        let names = self.function.graph.inputs()[n_leaves..].iter().map(|input| input.name.to_string());
        let x0 = guess.stop_gradient();
        let inputs: Vec<(String, Type)> =
            names.zip(p.iter().map(|p| p.ty())).chain([("guess".to_string(), x0.ty())]).collect();
        let function = region::trace("solver", &inputs, |x| {
            let (x0, p) = x.split_last().expect("bug: a solver without a guess");
            let (x, converged) = solver(p, *x0);
            let converged = limits.flagged.then(|| ("converged".to_string(), converged));
            [("solution".to_string(), x)].into_iter().chain(converged).collect()
        })?;
        let rule = self.rule(limits, linear, &inputs)?;
        let op = Custom { rule: CustomRule::Jvp };
        let results = trace::apply_regions(op, &[p, &[x0][..]].concat(), vec![function.graph, rule.graph])?;
        let x = self.layout.unpacked(results[0]);
        let converged = results.get(1).copied().unwrap_or(Var::poisoned());
        Some((rebuilt(&self.unknown.tree, Some(&x)), converged))
    }

    /// The tangent of the solution, given those of the parameters.
    fn rule(&self, limits: &Limits, linear: LinearSolve, inputs: &[(String, Type)]) -> Option<Region> {
        let unknown = self.layout.ty();
        let mut taken = inputs.to_vec();
        taken.push(("solution".to_string(), unknown));
        if limits.flagged {
            taken.push(("converged".to_string(), Type::scalar(DType::Bool)));
        }
        let n_given = taken.len();
        let floats = inputs.iter().filter(|(_, ty)| ty.dtype.is_float());
        taken.extend(floats.map(|(name, ty)| (format!("{name}.tangent"), ty.clone())));
        region::trace("rule", &taken, |all| {
            let (p, x, t) = (&all[..inputs.len() - 1], all[inputs.len()], &all[n_given..]);
            let varying: Vec<Var> = p.iter().copied().filter(|p| p.dtype().is_float()).collect();
            let change = pushforward(&varying, &t[..varying.len()], &[self.residual(p, x)]);
            let change = change.first().copied().flatten().unwrap_or_else(|| x.full_like(0.0));
            let dx = self.system(linear, &[p, &[x]].concat(), -change);
            vec![("solution.tangent".to_string(), dx)]
        })
    }

    /// The v of ∂F/∂x v = b at a solution, which is the last of the parameters.
    fn system(&self, linear: LinearSolve, parameters: &[Var], b: Var) -> Var {
        let split = |all: &[Var]| -> (Vec<Var>, Var, Var) {
            let n = parameters.len() - 1;
            (all[..n].to_vec(), all[n], all[n + 1])
        };
        let product = |p: &[Var], x: Var, v: Var, transposed: bool| {
            if transposed { self.back(p, x, v) } else { self.along(p, x, v) }
        };
        let types = parameters.iter().chain([&b]).enumerate().map(|(k, x)| (format!("p{k}"), x.ty()));
        let types: Vec<(String, Type)> = types.collect();
        let solve = |name: &str, transposed: bool| {
            region::trace(name, &types, |all| {
                let (p, x, b) = split(all);
                vec![("solution".to_string(), linear.solution(b, |v| product(&p, x, v, transposed)))]
            })
        };
        let multiply = |name: &str, transposed: bool| {
            region::trace(name, &types, |all| {
                let (p, x, v) = split(all);
                vec![("product".to_string(), product(&p, x, v, transposed))]
            })
        };
        let regions = [
            solve("solve", false),
            solve("transposed_solve", true),
            multiply("product", false),
            multiply("transposed_product", true),
        ];
        let regions: Option<Vec<_>> = regions.into_iter().map(|region| Some(region?.graph)).collect();
        let operands = [parameters, &[b]].concat();
        let op = Custom { rule: CustomRule::Solve };
        let results = regions.and_then(|regions| trace::apply_regions(op, &operands, regions));
        results.map_or(Var::poisoned(), |results| results[0])
    }

    fn function_at(&self, p: &[Var], x: Var) -> Vec<Var> {
        let inputs = [&self.layout.unpacked(x), p].concat();
        let poisoned = || vec![Var::poisoned(); self.function.graph.outputs().len()];
        trace::inline(&self.function.graph, &inputs).unwrap_or_else(poisoned)
    }

    /// That of all elements of the unknown.
    pub fn dtype(&self) -> DType {
        self.layout.dtype
    }

    /// The number of elements of the unknown.
    pub fn n(&self) -> usize {
        self.layout.ty().size()
    }
}

impl Layout {
    /// That of the vector.
    fn ty(&self) -> Type {
        let n: usize = self.sizes().sum();
        Type::new(self.dtype, [n])
    }

    fn sizes(&self) -> impl Iterator<Item = usize> {
        self.shapes.iter().map(|shape| shape.size())
    }

    fn packed(&self, arrays: &[Var]) -> Var {
        let flat: Vec<Var> = arrays.iter().map(|x| x.flatten()).collect();
        if let [x] = flat[..] { x } else { Var::concatenate(&flat, 0) }
    }

    fn unpacked(&self, x: Var) -> Vec<Var> {
        let sizes: Vec<usize> = self.sizes().collect();
        let flat = if sizes.len() == 1 { vec![x] } else { x.split(0, &sizes) };
        flat.into_iter().zip(&self.shapes).map(|(x, shape)| x.reshape(shape)).collect()
    }
}

/// Runs what appends operations that bear that line of the user's.
pub(super) fn on_line<R>(at: &'static Location<'static>, body: impl FnOnce() -> R) -> R {
    let at = trace::line_at(at);
    trace::in_scope(Some(at), None, body)
}

/// What stands for a solution after an error.
pub(super) fn failed<T: VarTree>(tree: &T) -> T {
    rebuilt(tree, None)
}
