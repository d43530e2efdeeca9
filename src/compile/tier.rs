//! Two tiers of code: one that is there soon, and one that is fast and takes its place when it is there.
//!
//! Both are made from one graph, by one plan, so they return the same bits. The better one is compiled by a thread that
//! all programs share, one program after the other, and each program is given up when it is dropped.

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// A program that is being made to take the place of another.
pub(super) struct OptimizedTier<P>(Arc<State<P>>);

struct State<P> {
    /// Nothing, once it is known that there will be none.
    program: OnceLock<Option<P>>,
    abandoned: AtomicBool,
}

impl<P: Send + Sync + 'static> OptimizedTier<P> {
    /// Has it made in the background, by a function that gives up once it is told to. Where the system has no thread for
    /// that there will be none.
    pub fn start(make: impl FnOnce(&AtomicBool) -> Option<P> + Send + 'static) -> OptimizedTier<P> {
        let state = Arc::new(State { program: OnceLock::new(), abandoned: AtomicBool::new(false) });
        let (due, ordered) = (Instant::now() + HEAD_START, state.clone());
        let order: Order = Box::new(move || ordered.execute(due, make));
        if worker().is_none_or(|worker| worker.send(order).is_err()) {
            state.decide(None);
        }
        OptimizedTier(state)
    }
}

impl<P> OptimizedTier<P> {
    /// The program, as soon as it is there.
    #[inline]
    pub fn get(&self) -> Option<&P> {
        self.0.program.get()?.as_ref()
    }

    /// Whether it is there, or known never to be.
    pub fn is_decided(&self) -> bool {
        self.0.program.get().is_some()
    }
}

impl<P> Drop for OptimizedTier<P> {
    fn drop(&mut self) {
        self.0.abandoned.store(true, Ordering::Relaxed);
    }
}

impl<P> State<P> {
    fn decide(&self, program: Option<P>) {
        // It is decided once: by who orders it, if there is no worker, or else by the worker.
        let _ = self.program.set(program);
    }

    fn execute(&self, due: Instant, make: impl FnOnce(&AtomicBool) -> Option<P>) {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if self.abandoned.load(Ordering::Relaxed) {
            return;
        }
        // A defect that ends in a panic has been reported by the panic; nobody shall wait for it.
        let made = panic::catch_unwind(AssertUnwindSafe(|| make(&self.abandoned)));
        self.decide(made.ok().flatten());
    }
}

/// What the worker is asked for.
type Order = Box<dyn FnOnce() + Send>;

/// So much later than the order comes, work on it begins: where there is one core only, a thread that wakes takes it from
/// the one that woke it, which is about to make the first call.
const HEAD_START: Duration = Duration::from_millis(2);

/// The thread that makes successors.
fn worker() -> Option<&'static Sender<Order>> {
    static WORKER: OnceLock<Option<Sender<Order>>> = OnceLock::new();
    let start = || {
        let (sender, orders) = channel::<Order>();
        let work = move || orders.into_iter().for_each(|order| order());
        thread::Builder::new().name("retrograd compiler".to_string()).spawn(work).ok().map(|_| sender)
    };
    WORKER.get_or_init(start).as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Program;
    use crate::error::Error;
    use crate::interpret;
    use crate::op::{Graph, Var};
    use crate::transform::{map, trace};
    use crate::value::{Array, DType, Scalar, Type};

    /// So many operations, of which none can be left out.
    fn graph(n: usize) -> Result<Arc<Graph>, Error> {
        let f = move |x: Var, y: Var| (0..n).fold(x, |z, k| if k % 3 == 0 { z * y - x } else { z.sin() + y });
        trace(f, (DType::F64, DType::F64)).map(Arc::new)
    }

    #[test]
    fn the_successor_gives_the_same_bits() -> Result<(), Error> {
        let graph = graph(2_000)?;
        let at_once = Program::compile_tiered(graph.clone())?;
        let inputs = [[0.3, 0.7], [-1.5, 0.25], [1e300, -1e300], [f64::NAN, 1.0]];
        let mut first = Vec::new();
        for x in &inputs {
            let mut y = [0.0];
            at_once.call_scalars(x, &mut y)?;
            first.push(y[0].to_bits());
        }
        while !at_once.is_final() {
            thread::sleep(Duration::from_millis(1));
        }
        let last = Program::compile(&graph)?;
        assert_eq!(at_once.code_bytes(), last.code_bytes(), "the better code has taken the other's place");
        for (x, first) in inputs.iter().zip(first) {
            let mut y = [[0.0]; 2];
            at_once.call_scalars(x, &mut y[0])?;
            last.call_scalars(x, &mut y[1])?;
            assert_eq!(y.map(|y| y[0].to_bits()), [first, first]);
        }
        Ok(())
    }

    /// What is compiled otherwise in the first tier, or if it is long: loop nests of many operations, loops in lanes with
    /// calls, and numbers of straight-line code.
    #[test]
    fn all_kinds_of_long_code_have_the_bits_of_the_interpreter() -> Result<(), Error> {
        let nest = |x: Var| (0..80).fold(x, |y, k| if k % 9 == 0 { (y * 0.5).sin() } else { y * x + f64::from(k) });
        let lanes = |x: Var| map(x, |x| (0..140).fold(x, |y, k| if k % 15 == 0 { y.sin() * x } else { y * 0.75 + x }));
        let numbers = |x: Var| {
            let x = x.index(0);
            (0..4_000).fold(x, |y, k| if k % 3 == 0 { y * x + 0.25 } else { y * (0.9 + 1e-6 * f64::from(k)) })
        };
        let ty = (Type::new(DType::F64, [37]),);
        for graph in [trace(nest, &ty)?, trace(lanes, &ty)?, trace(numbers, &ty)?] {
            let graph = Arc::new(graph);
            let x = [Array::collect(&ty.0, (0..37).map(|k| Scalar::F64(0.05 * f64::from(k) - 0.9)))];
            let expected = interpret::run(&graph, &x)?;
            let program = Program::compile_tiered(graph.clone())?;
            assert_eq!(program.call(&x)?, expected);
            assert!(program.optimized.is_some(), "{graph}");
            while !program.is_final() {
                thread::sleep(Duration::from_millis(1));
            }
            assert_eq!(program.call(&x)?, expected);
        }
        Ok(())
    }

    #[test]
    fn short_programs_are_final_at_once() -> Result<(), Error> {
        assert!(Program::compile_tiered(graph(10)?)?.is_final());
        Ok(())
    }

    #[test]
    fn dropping_a_program_gives_its_successor_up() -> Result<(), Error> {
        let graph = graph(20_000)?;
        let program = Program::compile_tiered(graph.clone())?;
        drop(program);
        // The worker lets go of the graph without having compiled it, or soon after.
        for _ in 0..6_000 {
            if Arc::strong_count(&graph) == 1 {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("the worker keeps the graph of a program that nobody has");
    }
}
