//! Random programs from fixed seeds, such as people write them and such as nobody would: interpreter, native code and
//! optimized native code agree to the bit, derivatives agree with differences, and forward with reverse mode.

use std::sync::atomic::{AtomicU64, Ordering};

use retrograd_fuzz::{Choices, Generator, examine, panics, smallest};

/// How many programs are written, unless the variable `N_GRAPHS` says otherwise.
const N_GRAPHS: u64 = 2_000;

/// The seed of the first, which are others than those that are run by hand.
const FIRST_SEED: u64 = 1 << 40;

/// How many programs are tried to make one that fails small.
const TRIES: usize = 500;

#[test]
fn all_ways_to_run_a_program_agree() {
    let n = std::env::var("N_GRAPHS").map_or(N_GRAPHS, |n| n.parse().expect("N_GRAPHS is a number"));
    panics::keep();
    let next = AtomicU64::new(FIRST_SEED);
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from);
    let check = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= FIRST_SEED + n {
            return None;
        }
        let (generator, choices) = (Generator::of_seed(seed), Choices::from_seed(seed));
        if let Err(finding) = examine(generator, &choices, seed) {
            next.store(FIRST_SEED + n, Ordering::Relaxed);
            return Some((seed, smallest(generator, choices.bytes(), seed, TRIES, *finding)));
        }
    };
    let finding = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..n_threads).map(|_| scope.spawn(check)).collect();
        threads.into_iter().find_map(|thread| thread.join().expect("panics are findings"))
    });
    drop(std::panic::take_hook());
    if let Some((seed, finding)) = finding {
        panic!("seed {seed}: {}\n{}\n{}\n{:?}", finding.kind, finding.detail, finding.case.graph, finding.case.inputs);
    }
}
