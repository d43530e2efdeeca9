use std::cell::RefCell;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use rustc_hash::FxHasher;
use smallvec::SmallVec;

use super::arena::Arena;
use super::table::Table;
use super::tracing::{OnTrees, Settings, Traced, TypeTree, Typed, of_arguments};
use super::{Arguments, Function, VarTree};
use crate::compile::{Program, zeros};
use crate::error::{Error, GuardMiss, MemoryError, SourceLine, TraceError};
use crate::op::Graph;
use crate::optimize::optimize;
use crate::value::{
    Array, ArrayMut, ArrayRef, DType, FromTree, Leaf, LeafRef, Numbers, Scalar, ToTree, Tree, Type, each_tuple,
};

/// The most paths through one function that are compiled for one signature, unless told otherwise.
const DEFAULT_MAX_PATHS: usize = 64;

/// Compiles a function to native code, on its first call.
///
/// [`Jit::call`] takes numbers, `ndarray` arrays, and tuples, arrays and `Vec`s of these, and returns the like. Where the
/// function takes one array, a `Vec`, a slice or an array of Rust's is a vector, or a matrix if it holds rows; inside a
/// derived struct it is a list of numbers, each of its own. Where it takes a [`Complex`](crate::Complex), it gets
/// [`num_complex::Complex`] of `f64` or `f32` and arrays of these, or real ones, whose imaginary part is 0. For each
/// *signature* (structure and types of the arguments) the function is traced and compiled once; a later call costs
/// little more than the native code. A `Jit` can be shared between threads.
///
/// # Plain Rust control flow
/// `if` and `while` on traced values follow the path that the caller's arguments take, and the compiled code checks at
/// every call that it is still on that path. Where it is not, the function is traced again at the new arguments, and
/// both paths are kept; the result never comes from the wrong one.
///
/// ```
/// use retrograd::{Var, grad, jit};
///
/// let f = |x: Var| if x > 1.0 { x * x } else { 3.0 * x };
/// let df = jit(grad(f));
/// let at_2: f64 = df.call(2.0)?;
/// let at_0: f64 = df.call(0.0)?;
/// let at_5: f64 = df.call(5.0)?;
/// assert_eq!((at_2, at_0, at_5, df.n_paths()), (4.0, 3.0, 10.0, 2));
/// # Ok::<(), retrograd::Error>(())
/// ```
pub fn jit<F, Args>(f: F) -> Jit<F, Args>
where
    F: Function<Args>,
    Args: Arguments,
{
    Jit { f, core: Core::new(), args: PhantomData }
}

/// A function that is compiled when it is called; see [`jit`].
pub struct Jit<F, Args> {
    f: F,
    core: Core,
    args: PhantomData<fn(Args)>,
}

impl<F, Args> Jit<F, Args>
where
    F: Function<Args>,
    Args: Arguments,
{
    /// The name of the graph, `main` unless told otherwise.
    pub fn named(mut self, name: &str) -> Jit<F, Args> {
        self.core.settings.name = name.into();
        self
    }

    /// The names of the arguments, in order. Inputs of the graph bear these, and their leaves `name.0`.
    pub fn arguments<const N: usize>(mut self, names: [&str; N]) -> Jit<F, Args> {
        self.core.settings.arguments = Some(names.map(str::to_string).into());
        self
    }

    /// The names of the results: one for each component of the tuple that the function returns, or one for all.
    pub fn results<const N: usize>(mut self, names: [&str; N]) -> Jit<F, Args> {
        self.core.settings.results = Some(names.map(str::to_string).into());
        self
    }

    /// The most paths that are compiled for one signature (64 unless told otherwise; 0 is taken as 1); one more is an error.
    pub fn max_paths(mut self, limit: usize) -> Jit<F, Args> {
        self.core.max_paths = limit;
        self
    }

    /// The most nodes that a trace may have (ten million unless told otherwise); one more is an error.
    pub fn max_nodes(mut self, limit: usize) -> Jit<F, Args> {
        self.core.settings.max_nodes = limit;
        self
    }

    /// The graph for arguments of these types, given as a tuple, as [`trace`](super::trace) gives it.
    ///
    /// # Errors
    /// As [`trace`](super::trace).
    #[track_caller]
    pub fn trace(&self, types: impl TypeTree) -> Result<Graph, Error> {
        let types = of_arguments(types.types(), Args::COUNT);
        self.core.settings.trace_types(&Typed::of(&self.f), &types, Location::caller()).map(|traced| traced.graph)
    }

    /// How many paths have been compiled, for all signatures together.
    pub fn n_paths(&self) -> usize {
        self.core.signatures.iter().map(|signature| signature.paths.len()).sum()
    }

    /// How many signatures have been met.
    pub fn n_signatures(&self) -> usize {
        self.core.signatures.len()
    }

    /// How often the function has been traced by calls, those that failed included.
    pub fn n_traces(&self) -> usize {
        self.core.n_traces.load(Ordering::Relaxed)
    }
}

impl<F, Args> Jit<F, Args>
where
    F: Function<Args> + Send + Sync + 'static,
    Args: Arguments,
{
    /// The same function with all that was compiled of it, in a type that does not name the closure.
    pub fn erase(self) -> Compiled<Args, F::Output> {
        let Jit { f, core, args } = self;
        Jit { f: Erased(Box::new(f)), core, args }
    }
}

/// A compiled function whose type says what it takes and returns in a trace, but not what closure it was: to be kept in a
/// struct. [`Jit::erase`] makes it.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::transform::Compiled;
/// use retrograd::{Error, Var, grad, jit};
///
/// struct Descent {
///     slope: Compiled<(Var,), Var>,
///     step: Array1<f64>,
/// }
///
/// impl Descent {
///     fn new(loss: impl Fn(Var) -> Var + Send + Sync + 'static, n: usize) -> Descent {
///         Descent { slope: jit(grad(loss)).erase(), step: Array1::zeros(n) }
///     }
///
///     fn advance(&mut self, x: &mut Array1<f64>) -> Result<(), Error> {
///         self.slope.call_into(&*x, &mut [self.step.view_mut().into()])?;
///         x.scaled_add(-0.25, &self.step);
///         Ok(())
///     }
/// }
///
/// let mut descent = Descent::new(|x: Var| (x - 1.0).square().sum(), 2);
/// let mut x = array![3.0, 1.0];
/// descent.advance(&mut x)?;
/// assert_eq!(x, array![2.0, 1.0]);
/// # Ok::<(), Error>(())
/// ```
pub type Compiled<Args, Output> = Jit<Erased<Args, Output>, Args>;

/// A function of which the type says only what it takes and returns: that of [`Compiled`].
pub struct Erased<Args, Output>(Box<dyn Function<Args, Output = Output> + Send + Sync>);

impl<Args, Output: VarTree> Function<Args> for Erased<Args, Output> {
    type Output = Output;

    fn apply(&self, args: Args) -> Output {
        self.0.apply(args)
    }
}

/// A compiled function is a function: `grad(jit(f))` traces through it.
impl<F, Args> Function<Args> for Jit<F, Args>
where
    F: Function<Args>,
{
    type Output = F::Output;

    fn apply(&self, args: Args) -> F::Output {
        self.f.apply(args)
    }
}

macro_rules! call {
    ($(($T:ident $t:ident $k:tt))+) => {
        impl<F, $($T: VarTree),+> Jit<F, ($($T,)+)>
        where
            F: Function<($($T,)+)>,
        {
            /// Calls the compiled function; traces and compiles first where these arguments need it.
            ///
            /// # Errors
            /// What tracing or compiling reports; arguments or results of another structure than the function's;
            /// more paths than [`Jit::max_paths`] allows; or a call of a compiled function from within its own trace.
            #[track_caller]
            pub fn call<R: FromTree>(&self, $($t: impl ToTree),+) -> Result<R, Error> {
                let numbers = |types: &[Tree<Type>], numbers: &mut Numbers| {
                    $($t.push_numbers(&types[$k], numbers))&&+
                };
                if let Some(result) = self.core.run_numbers(numbers) {
                    return Ok(result);
                }
                let args = &mut [$($t.to_tree_as(&$T::KIND)),+];
                let result = self.core.run(&Typed::of(&self.f), args, Location::caller())?;
                // Not in a closure, which has no caller's line.
                let at = Location::caller();
                Ok(R::from_tree(result).map_err(|error| error.within("out").of_call(at))?)
            }

            /// Calls the compiled function, as [`Jit::call`] does, and writes what it returns into arrays of the caller's:
            /// one for each leaf, in order, of its dtype and shape, in row-major order. Nothing is allocated for them. A complex
            /// result has two leaves, its real and its imaginary part.
            ///
            /// # Errors
            /// As [`Jit::call`], and if there are other arrays than leaves. What they hold then is not said.
            // Six arguments of the traced function, and the results.
            #[allow(clippy::too_many_arguments)]
            #[track_caller]
            pub fn call_into(
                &self,
                $($t: impl ToTree,)+
                results: &mut [ArrayMut<'_>],
            ) -> Result<(), Error> {
                let args = &mut [$($t.to_tree_as(&$T::KIND)),+];
                self.core.run_into(&Typed::of(&self.f), args, Location::caller(), results)
            }

            /// The graph of the path that these arguments take, before any optimization.
            ///
            /// # Errors
            /// What tracing reports.
            #[track_caller]
            pub fn graph(&self, $($t: impl ToTree),+) -> Result<Graph, Error> {
                self.core.graph(&Typed::of(&self.f), vec![$($t.to_tree_as(&$T::KIND)),+], Location::caller())
            }
        }
    };
}
each_tuple!(call);

/// All of a [`Jit`] but its function, whose type it does not know.
struct Core {
    settings: Settings,
    max_paths: usize,
    signatures: Table<Signature>,
    /// The signature of numbers alone that was met last.
    numeric: AtomicU32,
    /// Held while a path is traced and compiled, so that two threads do not both do it.
    growing: Mutex<()>,
    n_traces: AtomicUsize,
}

impl Core {
    fn new() -> Core {
        Core {
            settings: Settings::default(),
            max_paths: DEFAULT_MAX_PATHS,
            signatures: Table::new(),
            numeric: AtomicU32::new(UNKNOWN),
            growing: Mutex::new(()),
            n_traces: AtomicUsize::new(0),
        }
    }

    fn graph(
        &self,
        f: &dyn OnTrees,
        args: Vec<Tree<LeafRef<'_>>>,
        at: &'static Location<'static>,
    ) -> Result<Graph, Error> {
        let values = Tree::Tuple(args).map(&mut LeafRef::to_array);
        self.settings.trace_values(f, &values, at).map(|traced| traced.graph)
    }

    /// Runs the function on these arguments, which are taken.
    fn run(
        &self,
        f: &dyn OnTrees,
        args: &mut [Tree<LeafRef<'_>>],
        at: &'static Location<'static>,
    ) -> Result<Tree<Leaf>, Error> {
        let mut results = None;
        self.run_by(f, args, at, &mut |path, inputs| {
            results = Some(path.run(inputs)?);
            Ok(())
        })?;
        Ok(results.expect("bug: a path without results"))
    }

    fn run_into(
        &self,
        f: &dyn OnTrees,
        args: &mut [Tree<LeafRef<'_>>],
        at: &'static Location<'static>,
        results: &mut [ArrayMut<'_>],
    ) -> Result<(), Error> {
        self.run_by(f, args, at, &mut |path, inputs| path.run_into(inputs, results))
    }

    fn run_by(
        &self,
        f: &dyn OnTrees,
        args: &mut [Tree<LeafRef<'_>>],
        at: &'static Location<'static>,
        run: &mut dyn FnMut(&Path, &[LeafRef<'_>]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let hash = hash_of(args);
        let index = match self.signatures.find(hash, |signature| signature.takes(args)) {
            Some(index) => index,
            None => self.meet(f, hash, args, at)?,
        };
        let signature = self.signatures.get(index).expect("bug: a signature vanished");
        if signature.is_numeric && self.numeric.load(Ordering::Relaxed) != index as u32 {
            self.numeric.store(index as u32, Ordering::Relaxed);
        }
        let mut inputs = Inputs::new();
        for arg in args {
            std::mem::replace(arg, Tree::Tuple(Vec::new())).take_each(&mut |leaf| inputs.push(leaf));
        }
        signature.run(&mut |path| run(path, &inputs), &mut |branch| self.grow(f, signature, &inputs, branch, at))
    }

    /// Runs the path that was taken last for the signature of numbers that was met last, if its results are numbers, too:
    /// without a tree. `push` appends the arguments, if they are of that structure. `None` where anything is otherwise,
    /// which [`Core::run`] looks into.
    #[inline]
    fn run_numbers<R: FromTree>(&self, push: impl Fn(&[Tree<Type>], &mut Numbers) -> bool) -> Option<R> {
        let signature = self.signatures.get(self.numeric.load(Ordering::Relaxed) as usize)?;
        let path = signature.path(signature.last.load(Ordering::Relaxed) as usize);
        let mut numbers = Numbers::new();
        if !path.program.scalars_only() || !push(&signature.types, &mut numbers) {
            return None;
        }
        let mut results = Numbers::new();
        results.resize(path.program.outputs().len(), 0.0);
        path.program.call_scalars(&numbers, &mut results).ok()?;
        R::from_numbers(&path.outputs, &mut results.iter())
    }

    /// Adds a signature.
    #[cold]
    fn meet(
        &self,
        f: &dyn OnTrees,
        hash: u64,
        args: &[Tree<LeafRef<'_>>],
        at: &'static Location<'static>,
    ) -> Result<usize, Error> {
        let _growing = self.start_growing(at)?;
        if let Some(index) = self.signatures.find(hash, |signature| signature.takes(args)) {
            return Ok(index);
        }
        let signature = Signature::new(args);
        let values = Tree::Tuple(args.iter().map(|arg| arg.map(&mut LeafRef::to_array)).collect());
        signature.paths.push(self.trace_path(f, &values, None, at)?);
        Ok(self.signatures.push(hash, signature))
    }

    /// Adds the path that these inputs take, which leaves a known one at a guard.
    #[cold]
    fn grow(
        &self,
        f: &dyn OnTrees,
        signature: &Signature,
        inputs: &[LeafRef<'_>],
        branch: &Branch,
        at: &'static Location<'static>,
    ) -> Result<usize, Error> {
        let _growing = self.start_growing(at)?;
        let Branch { path: parent, miss } = branch;
        if let Some(path) = signature.beyond(*parent, miss.guard) {
            return Ok(path);
        }
        if signature.paths.len() >= self.max_paths {
            return Err(TraceError::TooManyPaths { limit: self.max_paths, at: miss.at.clone() }.into());
        }
        let mut leaves = inputs.iter();
        let mut value = |_: &Type| leaves.next().expect("bug: fewer inputs than leaves").to_array();
        let values = Tree::Tuple(signature.types.iter().map(|ty| ty.map(&mut value)).collect());
        let path = self.trace_path(f, &values, Some((*parent, miss.guard)), at)?;
        let index = signature.paths.push(path);
        signature.path(*parent).beyond[miss.guard].store(index as u32, Ordering::Release);
        Ok(index)
    }

    /// Keeps other threads from tracing this function until what is returned is dropped.
    ///
    /// # Errors
    /// If this thread is about to trace it already, and would wait for itself.
    fn start_growing(&self, at: &'static Location<'static>) -> Result<Growing<'_>, Error> {
        let id = std::ptr::from_ref(&self.growing) as usize;
        GROWING.with_borrow_mut(|growing| match growing.contains(&id) {
            true => Err(TraceError::Recursive { name: self.settings.name.to_string(), at: SourceLine::Here(at) }),
            false => {
                growing.push(id);
                Ok(())
            }
        })?;
        // Two threads that trace two functions which call each other wait for each other no longer than this.
        let is_nested = GROWING.with_borrow(|growing| growing.len() > 1);
        let mut growing = Growing { id, _lock: None };
        if !is_nested {
            growing._lock = Some(self.growing.lock().unwrap_or_else(PoisonError::into_inner));
            return Ok(growing);
        }
        let start = Instant::now();
        loop {
            match self.growing.try_lock() {
                Ok(lock) => growing._lock = Some(lock),
                Err(TryLockError::Poisoned(lock)) => growing._lock = Some(lock.into_inner()),
                Err(TryLockError::WouldBlock) if start.elapsed() > MAX_WAIT => {
                    return Err(TraceError::Recursive {
                        name: self.settings.name.to_string(),
                        at: SourceLine::Here(at),
                    }
                    .into());
                }
                Err(TryLockError::WouldBlock) => {
                    std::thread::sleep(Duration::from_millis(1));
                    continue;
                }
            }
            return Ok(growing);
        }
    }

    fn trace_path(
        &self,
        f: &dyn OnTrees,
        values: &Tree<Array>,
        parent: Option<(usize, usize)>,
        at: &'static Location<'static>,
    ) -> Result<Path, Error> {
        self.n_traces.fetch_add(1, Ordering::Relaxed);
        let Traced { graph, outputs } = self.settings.trace_values(f, values, at)?;
        // Optimization keeps every guard at its position, so paths which agree up to a guard number it alike.
        let graph = optimize(&graph)?;
        let unknown = || graph.guards().iter().map(|_| AtomicU32::new(UNKNOWN)).collect();
        let (beyond, recent) = (unknown(), unknown());
        let program = Program::compile_tiered(graph)?;
        Ok(Path { program, outputs, parent, beyond, recent })
    }
}

thread_local! {
    /// The compiled functions that this thread is tracing: each is called by the one before.
    static GROWING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// How long a function that is called while another is traced waits for a thread that traces it.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// The right to trace a function.
struct Growing<'j> {
    id: usize,
    _lock: Option<MutexGuard<'j, ()>>,
}

impl Drop for Growing<'_> {
    fn drop(&mut self) {
        GROWING.with_borrow_mut(|growing| growing.retain(|&id| id != self.id));
    }
}

/// The leaves of the arguments, in order.
type Inputs<'a> = SmallVec<[LeafRef<'a>; 4]>;

/// The paths through a function for one structure and types of arguments. They form a tree: a path branches off its
/// parent at a guard, up to which both agree.
struct Signature {
    types: Vec<Tree<Type>>,
    /// Whether all leaves are scalars of `f64`.
    is_numeric: bool,
    paths: Arena<Path>,
    /// The path that was taken last. Any path may be tried first, since its guards tell whether it is the right one.
    last: AtomicU32,
}

/// One path: compiled code that holds as long as its guards do.
struct Path {
    program: Program,
    outputs: Tree<Type>,
    /// The path and the guard at which this one branched off.
    parent: Option<(usize, usize)>,
    /// For each guard the path that is taken where it does not hold, as far as it agrees with this one.
    beyond: Box<[AtomicU32]>,
    /// For each guard the path that was right when last it did not hold: that one, or one that branches off it later.
    recent: Box<[AtomicU32]>,
}

/// Stands for a path that has not been traced.
const UNKNOWN: u32 = u32::MAX;

/// Inputs left a path at a guard.
struct Branch {
    /// Of the paths that agree up to the guard, the one that was traced first.
    path: usize,
    miss: GuardMiss,
}

/// Where inputs go that left a path.
enum Next {
    /// To a path that has been traced.
    Known(usize),
    /// Beyond a guard of this path, where none has been traced.
    Beyond(usize),
}

impl Signature {
    fn new(args: &[Tree<LeafRef<'_>>]) -> Signature {
        let types: Vec<Tree<Type>> = args.iter().map(|arg| arg.map(&mut |leaf| leaf.ty())).collect();
        let mut is_numeric = true;
        types.iter().for_each(|ty| ty.for_each(&mut |ty| is_numeric &= *ty == Type::scalar(DType::F64)));
        Signature { types, is_numeric, paths: Arena::new(), last: AtomicU32::new(0) }
    }

    fn takes(&self, args: &[Tree<LeafRef<'_>>]) -> bool {
        self.types.iter().zip(args).all(|(types, arg)| types.matches(arg, &|ty, leaf| leaf.is(ty)))
    }

    #[inline]
    fn path(&self, index: usize) -> &Path {
        self.paths.get(index).expect("bug: a path that does not exist")
    }

    /// Runs the path that these inputs take. Each miss leads to a path that agrees with the inputs at one more guard
    /// at least, so this ends.
    fn run<T>(
        &self,
        run: &mut dyn FnMut(&Path) -> Result<T, Error>,
        grow: &mut dyn FnMut(&Branch) -> Result<usize, Error>,
    ) -> Result<T, Error> {
        let last = self.last.load(Ordering::Relaxed);
        let mut index = last as usize;
        let mut misses: SmallVec<[(usize, usize); 4]> = SmallVec::new();
        loop {
            let miss = match run(self.path(index)) {
                Ok(results) => {
                    if index != last as usize {
                        self.last.store(index as u32, Ordering::Relaxed);
                    }
                    for (path, guard) in misses {
                        self.path(path).recent[guard].store(index as u32, Ordering::Release);
                    }
                    return Ok(results);
                }
                Err(Error::Guard(miss)) => miss,
                Err(error) => return Err(error),
            };
            // The guards before the one that was missed last have been seen to hold. A function that does not do the same
            // at each trace could lead round in circles.
            if misses.last().is_some_and(|&(_, before)| miss.guard <= before) {
                return Err(miss.into());
            }
            misses.push((index, miss.guard));
            index = match self.next(index, miss.guard) {
                Next::Known(path) => path,
                Next::Beyond(path) => grow(&Branch { path, miss })?,
            };
        }
    }

    /// Where inputs go that leave a path at a guard.
    fn next(&self, path: usize, guard: usize) -> Next {
        let recent = self.path(path).recent[guard].load(Ordering::Acquire);
        if recent != UNKNOWN {
            return Next::Known(recent as usize);
        }
        let mut owner = path;
        while let Some((parent, at)) = self.path(owner).parent {
            if guard > at {
                break;
            }
            // A path and its parent agree up to the guard at which they part, and there they say the opposite.
            if guard == at {
                return Next::Known(parent);
            }
            owner = parent;
        }
        self.beyond(owner, guard).map_or(Next::Beyond(owner), Next::Known)
    }

    /// The path on the other side of a guard, if it has been traced.
    fn beyond(&self, path: usize, guard: usize) -> Option<usize> {
        let index = self.path(path).beyond[guard].load(Ordering::Acquire);
        (index != UNKNOWN).then_some(index as usize)
    }
}

/// A hash of the structure and the types of arguments, which [`Signature::takes`] compares.
fn hash_of(args: &[Tree<LeafRef<'_>>]) -> u64 {
    let mut hasher = FxHasher::default();
    args.iter().for_each(|arg| hash_tree(arg, &mut hasher));
    hasher.finish()
}

fn hash_tree(tree: &Tree<LeafRef<'_>>, hasher: &mut FxHasher) {
    match tree {
        Tree::Leaf(LeafRef::Scalar(x)) => (0u8, x.dtype(), 0usize).hash(hasher),
        Tree::Leaf(LeafRef::Array(x)) => {
            (0u8, x.dtype(), x.shape().len()).hash(hasher);
            x.shape().iter().for_each(|extent| extent.hash(hasher));
        }
        Tree::Tuple(parts) => {
            (1u8, parts.len()).hash(hasher);
            parts.iter().for_each(|part| hash_tree(part, hasher));
        }
        Tree::List(parts) => {
            (2u8, parts.len()).hash(hasher);
            parts.iter().for_each(|part| hash_tree(part, hasher));
        }
        Tree::Struct(fields) => {
            (3u8, fields.len()).hash(hasher);
            fields.iter().for_each(|(name, part)| {
                name.hash(hasher);
                hash_tree(part, hasher);
            });
        }
    }
}

impl Path {
    fn run(&self, inputs: &[LeafRef<'_>]) -> Result<Tree<Leaf>, Error> {
        let mut results: SmallVec<[Leaf; 2]> = SmallVec::new();
        let mut outcome = Ok(());
        self.outputs.for_each(&mut |ty| match room_for(ty) {
            Ok(leaf) => results.push(leaf),
            Err(error) => outcome = Err(error),
        });
        outcome?;
        let mut room: SmallVec<[ArrayMut<'_>; 2]> = results.iter_mut().map(Leaf::view_mut).collect();
        self.run_into(inputs, &mut room)?;
        drop(room);
        let mut results = results.into_iter();
        Ok(self.outputs.map(&mut |_| results.next().expect("bug: fewer results than leaves")))
    }

    fn run_into(&self, inputs: &[LeafRef<'_>], results: &mut [ArrayMut<'_>]) -> Result<(), Error> {
        let copies: Vec<Option<Array>>;
        let mut views: SmallVec<[ArrayRef<'_>; 4]> = inputs.iter().map(LeafRef::view).collect();
        if views.iter().all(ArrayRef::is_row_major) {
            return self.program.call_into(&views, results);
        }
        // Only what has other strides is copied: a part of a complex array, say, but not a large real one beside it.
        let copy = |view: &ArrayRef<'_>| (!view.is_row_major()).then(|| view.to_array());
        copies = views.iter().map(copy).collect();
        for (view, copy) in views.iter_mut().zip(&copies) {
            if let Some(copy) = copy {
                *view = copy.view();
            }
        }
        self.program.call_into(&views, results)
    }
}

/// A leaf to be filled with a result of that type. A number is stored inline.
fn room_for(ty: &Type) -> Result<Leaf, MemoryError> {
    if ty.rank() == 0 {
        return Ok(Leaf::Scalar(Scalar::I64(0).convert(ty.dtype)));
    }
    zeros(ty).map(Leaf::Array)
}

#[cfg(test)]
mod tests {
    use super::super::jit;
    use super::*;
    use crate::op::Var;

    /// Paths that each branch off the one before are found at once when they are taken again, whichever was taken last.
    #[test]
    fn known_paths_are_found_by_few_runs() {
        let count = |x: Var| {
            let (mut y, mut n) = (x, 0.0);
            while y > 1.0 {
                (y, n) = (y - 1.0, n + 1.0);
            }
            y + n
        };
        let f = jit(count);
        // Ascending, so that each path is traced beyond the one before.
        (1..=40).for_each(|n| assert_eq!(f.call::<f64>(f64::from(n)).unwrap(), f64::from(n)));
        assert_eq!(f.n_paths(), 40);
        let signature = f.core.signatures.get(0).unwrap();
        let n_runs = |n: f64| {
            let (mut n_runs, leaf) = (0, LeafRef::Scalar(Scalar::F64(n)));
            let mut run = |path: &Path| {
                n_runs += 1;
                path.run(std::slice::from_ref(&leaf))
            };
            let result = signature.run(&mut run, &mut |_| unreachable!("all paths are known")).unwrap();
            assert_eq!(result, Tree::Leaf(Leaf::Scalar(Scalar::F64(n))));
            n_runs
        };
        for _ in 0..3 {
            n_runs(1.0);
            n_runs(40.0);
        }
        assert_eq!((n_runs(1.0), n_runs(40.0), n_runs(40.0)), (2, 2, 1));
    }
}
