use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;

use super::{Arguments, Function, VarTree};
use crate::error::{ArgumentError, Error};
use crate::interpret::Evaluator;
use crate::ir::Value;
use crate::op::trace::{self, DEFAULT_MAX_NODES, Oracle};
use crate::op::{Complex, Graph, Var};
use crate::stack;
use crate::value::{Array, DType, Kind, LeafRef, ToTree, Tree, Type, each_tuple};

/// Traces a function from the types of its arguments alone, given as a tuple: `(DType::F64, Type::new(DType::F64, [3]))`.
/// That of one argument may stand by itself, `DType::F64`, unless it is a tuple.
///
/// The graph is named `main`, and its inputs and outputs by their places: the arguments are `x`, `y`, `z`, `u`, `v`,
/// `w`, and their leaves `x.0`, `x.1.2`; the result is `out`, and its leaves `out.0`, `out.1.2`.
/// [`Jit::trace`](super::Jit::trace) does the same with other names and limits.
///
/// ```
/// use retrograd::value::{DType, Type};
/// use retrograd::{Var, trace};
///
/// let graph = trace(|a: Var, p: (Var, Vec<Var>)| (a * p.0, p.1[1]), (
///     DType::F64,
///     (Type::new(DType::F64, [3]), vec![DType::I64, DType::I64]),
/// ))?;
/// assert_eq!(graph.inputs().iter().map(|x| &*x.name).collect::<Vec<_>>(), ["x", "y.0", "y.1.0", "y.1.1"]);
/// assert_eq!(graph.outputs().iter().map(|x| &*x.name).collect::<Vec<_>>(), ["out.0", "out.1"]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// The first error that an operation met; a comparison in an `if`, which only [`trace_with`] and
/// [`jit`](super::jit) can answer; or types that are not of the structure of the arguments.
#[track_caller]
pub fn trace<F, Args>(f: F, types: impl TypeTree) -> Result<Graph, Error>
where
    F: Function<Args>,
    Args: Arguments,
{
    let types = of_arguments(types.types(), Args::COUNT);
    Settings::default().trace_types(&Typed::of(&f), &types, Location::caller()).map(|traced| traced.graph)
}

/// Traces a function at the values of its arguments, given as a tuple: `(2.0, array![1.0, 2.0])`. Comparisons are
/// answered for these values, and guarded.
///
/// ```
/// use retrograd::{Error, Var, interpret, trace_with, value::Array};
///
/// let graph = trace_with(|x: Var| if x > 1.0 { x * x } else { x }, (3.0,))?;
/// assert_eq!(interpret::run(&graph, &[Array::scalar(5.0)])?, [Array::scalar(25.0)]);
/// assert!(matches!(interpret::run(&graph, &[Array::scalar(0.5)]), Err(Error::Guard(_))));
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// As [`trace`].
#[track_caller]
pub fn trace_with<F, Args>(f: F, args: impl ToTree) -> Result<Graph, Error>
where
    F: Function<Args>,
    Args: Arguments,
{
    let values = read_arguments::<Args>(&args).map(&mut LeafRef::to_array);
    Settings::default().trace_values(&Typed::of(&f), &values, Location::caller()).map(|traced| traced.graph)
}

/// The tuple of the arguments, where the only one may stand by itself. A tuple is that of the arguments, also where it is
/// of another length than a function with one argument has.
pub(super) fn of_arguments<T>(tree: Tree<T>, count: usize) -> Tree<T> {
    match tree {
        Tree::Leaf(_) | Tree::List(_) | Tree::Struct(_) if count == 1 => Tree::Tuple(vec![tree]),
        tree => tree,
    }
}

/// The same for values of the host, which are read as the function takes them.
pub(super) fn read_arguments<Args: Arguments>(args: &impl ToTree) -> Tree<LeafRef<'_>> {
    match (args.to_tree_as(&Args::KIND), Args::KIND) {
        (Tree::Leaf(_) | Tree::List(_) | Tree::Struct(_), Kind::Tuple([only])) => {
            Tree::Tuple(vec![args.to_tree_as(only)])
        }
        (tree, _) => tree,
    }
}

/// The types of arguments: [`DType`] for a scalar, [`Type`], and tuples, arrays and `Vec`s of these, nested.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not give the types of arguments",
    note = "give a tuple with a `DType` or `Type` for each leaf, as in `(DType::F64, Type::new(DType::F64, [3]))`"
)]
pub trait TypeTree {
    /// The types, where they stand.
    fn types(&self) -> Tree<Type>;
}

impl TypeTree for Type {
    fn types(&self) -> Tree<Type> {
        Tree::Leaf(self.clone())
    }
}

impl TypeTree for DType {
    fn types(&self) -> Tree<Type> {
        Tree::Leaf(Type::scalar(*self))
    }
}

impl TypeTree for Tree<Type> {
    fn types(&self) -> Tree<Type> {
        self.clone()
    }
}

impl<T: TypeTree + ?Sized> TypeTree for &T {
    fn types(&self) -> Tree<Type> {
        T::types(self)
    }
}

impl<T: TypeTree> TypeTree for [T] {
    fn types(&self) -> Tree<Type> {
        Tree::List(self.iter().map(T::types).collect())
    }
}

/// The types of the two parts.
impl<T: TypeTree> TypeTree for Complex<T> {
    fn types(&self) -> Tree<Type> {
        Tree::Struct(vec![("re", self.re.types()), ("im", self.im.types())])
    }
}

impl<T: TypeTree> TypeTree for Vec<T> {
    fn types(&self) -> Tree<Type> {
        self.as_slice().types()
    }
}

impl<T: TypeTree, const N: usize> TypeTree for [T; N] {
    fn types(&self) -> Tree<Type> {
        self.as_slice().types()
    }
}

macro_rules! tuple {
    ($(($T:ident $t:ident $k:tt))+) => {
        impl<$($T: TypeTree),+> TypeTree for ($($T,)+) {
            fn types(&self) -> Tree<Type> {
                Tree::Tuple(vec![$(self.$k.types()),+])
            }
        }
    };
}
each_tuple!(tuple);

impl TypeTree for () {
    fn types(&self) -> Tree<Type> {
        Tree::Tuple(Vec::new())
    }
}

/// A function without its type, from the tuple of its arguments to its result: what traces and compiles functions is
/// compiled once, not again for each closure.
pub(super) trait OnTrees {
    fn n_args(&self) -> usize;
    /// Applies it to arguments of that structure.
    fn apply_to(&self, args: &Tree<Var>) -> Result<Tree<Var>, ArgumentError>;
}

/// A function whose type is known.
pub(super) struct Typed<'f, F, Args>(&'f F, PhantomData<fn(Args)>);

impl<'f, F: Function<Args>, Args: Arguments> Typed<'f, F, Args> {
    pub fn of(f: &'f F) -> Typed<'f, F, Args> {
        Typed(f, PhantomData)
    }
}

impl<F: Function<Args>, Args: Arguments> OnTrees for Typed<'_, F, Args> {
    fn n_args(&self) -> usize {
        Args::COUNT
    }

    fn apply_to(&self, args: &Tree<Var>) -> Result<Tree<Var>, ArgumentError> {
        Ok(self.0.apply(Args::from_vars(args)?).vars())
    }
}

/// How functions are traced: names and limits.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub name: Arc<str>,
    /// The arguments' names, if they are not the usual ones.
    pub arguments: Option<Vec<String>>,
    /// The results' names, if they are not the usual ones: one for each component of a tuple, or one for all.
    pub results: Option<Vec<String>>,
    pub max_nodes: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { name: "main".into(), arguments: None, results: None, max_nodes: DEFAULT_MAX_NODES }
    }
}

/// A traced function.
pub(super) struct Traced {
    pub graph: Graph,
    /// The structure of the results.
    pub outputs: Tree<Type>,
}

/// What arguments are called that nobody named.
const ARGUMENTS: [&str; 6] = ["x", "y", "z", "u", "v", "w"];

impl Settings {
    /// Traces from types alone. The tree's root is the tuple of the arguments.
    pub fn trace_types(
        &self,
        f: &dyn OnTrees,
        types: &Tree<Type>,
        at: &'static Location<'static>,
    ) -> Result<Traced, Error> {
        let (graph, inputs) = self.open(f.n_args(), types, at)?;
        self.record(f, (graph, inputs), None, at)
    }

    /// Traces at values. The tree's root is the tuple of the arguments.
    pub fn trace_values(
        &self,
        f: &dyn OnTrees,
        values: &Tree<Array>,
        at: &'static Location<'static>,
    ) -> Result<Traced, Error> {
        let (graph, inputs) = self.open(f.n_args(), &values.map(&mut Array::ty), at)?;
        let mut evaluator = Evaluator::new(&graph, values.leaves().into_iter().cloned().collect())?;
        let oracle: Oracle = Box::new(move |graph, value| {
            let outcome = stack::for_levels(graph.depth(), || evaluator.value(graph, value))?;
            Ok(*outcome.as_slice::<bool>().and_then(<[bool]>::first).expect("bug: a condition that is not a bool"))
        });
        self.record(f, (graph, inputs), Some(oracle), at)
    }

    /// A graph with the inputs, and where these stand.
    fn open(
        &self,
        n_args: usize,
        types: &Tree<Type>,
        at: &'static Location<'static>,
    ) -> Result<(Graph, Tree<Value>), Error> {
        let mut graph = Graph::new(self.name.clone());
        for (name, ty) in self.name_leaves(n_args, types).map_err(|error| error.of_call(at))? {
            graph.add_input(name, ty.clone())?;
        }
        let mut nodes = graph.inputs().iter().map(|input| input.node.into());
        let inputs = types.map(&mut |_| nodes.next().expect("bug: fewer inputs than leaves"));
        drop(nodes);
        Ok((graph, inputs))
    }

    fn record(
        &self,
        f: &dyn OnTrees,
        (graph, inputs): (Graph, Tree<Value>),
        oracle: Option<Oracle>,
        at: &'static Location<'static>,
    ) -> Result<Traced, Error> {
        let (mut graph, outputs) = trace::record_at(at, graph, self.max_nodes, oracle, || {
            match f.apply_to(&inputs.map(&mut |&value| trace::variable(value))) {
                Ok(vars) => {
                    // Those of another trace are recorded as an error.
                    vars.for_each(&mut |&x| drop(trace::type_at(x, at)));
                    vars
                }
                Err(error) => {
                    trace::fail(self.name_argument(error).of_call(at));
                    Tree::Tuple(Vec::new())
                }
            }
        })?;
        let names = self.result_names(&outputs).map_err(|error| error.of_call(at))?;
        for (name, x) in names.into_iter().zip(outputs.leaves()) {
            graph.add_output(name, x.value().expect("bug: a poisoned result of a trace without error"))?;
        }
        let outputs = outputs.map(&mut |x| graph.ty(x.value().expect("bug: a result lost its value")).clone());
        Ok(Traced { graph: graph.without_unneeded_derivatives(), outputs })
    }

    /// The leaves of all arguments, named by their places. The tree's root is the tuple of the arguments.
    pub fn name_leaves<'a, T>(&self, n_args: usize, args: &'a Tree<T>) -> Result<Vec<(String, &'a T)>, ArgumentError> {
        let Tree::Tuple(parts) = args else {
            let (expected, got) = (format!("a tuple of {n_args} arguments"), args.describe());
            return Err(ArgumentError::Structure { name: self.name.to_string(), expected, got });
        };
        if parts.len() != n_args {
            return Err(ArgumentError::Count { of: self.name.to_string(), expected: n_args, got: parts.len() });
        }
        let names = self.argument_names(n_args)?;
        Ok(parts.iter().zip(&names).flat_map(|(part, name)| part.named_leaves(name)).collect())
    }

    fn argument_names(&self, count: usize) -> Result<Vec<String>, ArgumentError> {
        match &self.arguments {
            None => Ok(ARGUMENTS[..count].iter().map(ToString::to_string).collect()),
            Some(names) if names.len() != count => Err(self.miscounted("arguments", count, names.len())),
            Some(names) => distinct(names).map(<[String]>::to_vec),
        }
    }

    fn miscounted(&self, what: &str, expected: usize, got: usize) -> ArgumentError {
        let requirement = format!("the function has {expected} {what}, but {got} were named");
        ArgumentError::Value { name: self.name.to_string(), requirement }
    }

    /// An error at `0.1` of the tuple of all arguments, told as one of `argument 0 (x.1)`, or of the name that the user gave.
    pub fn name_argument(&self, error: ArgumentError) -> ArgumentError {
        match error {
            ArgumentError::Structure { name, expected, got } => {
                let (root, rest) = name.split_once('.').map_or((&*name, None), |(root, rest)| (root, Some(rest)));
                let position = root.parse().unwrap_or(0);
                let below = |root: &str| rest.map_or(root.to_string(), |rest| format!("{root}.{rest}"));
                let given = self.arguments.as_ref().and_then(|names| names.get(position));
                let name = match given {
                    Some(given) => below(given),
                    None => format!("argument {position} ({})", below(ARGUMENTS[position])),
                };
                ArgumentError::Structure { name, expected, got }
            }
            other => other,
        }
    }

    fn result_names(&self, outputs: &Tree<Var>) -> Result<Vec<String>, ArgumentError> {
        let below = |tree: &Tree<Var>, root: &str| -> Vec<String> {
            tree.named_leaves(root).into_iter().map(|(name, _)| name).collect()
        };
        match (&self.results, outputs) {
            (None, _) => Ok(below(outputs, "out")),
            (Some(names), Tree::Tuple(parts)) if names.len() == parts.len() => {
                Ok(parts.iter().zip(distinct(names)?).flat_map(|(part, name)| below(part, name)).collect())
            }
            (Some(names), _) => match names.as_slice() {
                [name] => Ok(below(outputs, name)),
                _ => {
                    let expected = if let Tree::Tuple(parts) = outputs { parts.len() } else { 1 };
                    Err(self.miscounted("results", expected, names.len()))
                }
            },
        }
    }
}

fn distinct(names: &[String]) -> Result<&[String], ArgumentError> {
    for (position, name) in names.iter().enumerate() {
        if name.is_empty() {
            let requirement = "the name of an argument or result must not be empty".to_string();
            return Err(ArgumentError::Value { name: format!("name {position}"), requirement });
        }
        if names[..position].contains(name) {
            let requirement = "two arguments or results bear this name".to_string();
            return Err(ArgumentError::Value { name: name.clone(), requirement });
        }
    }
    Ok(names)
}
