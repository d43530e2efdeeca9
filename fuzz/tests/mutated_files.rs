//! Randomly damaged files: none makes the reader panic; accepted ones verify, are saved as they were read, and go
//! through derivatives, optimizer and native code with the interpreter's numbers.

use std::panic::{AssertUnwindSafe, catch_unwind};

use retrograd_fuzz::{Choices, files};

/// The number of damaged files.
const N_FILES: u64 = 4_000;

/// The first seed; these seeds differ from those of manual runs.
const FIRST_SEED: u64 = 1 << 40;

#[test]
fn damaged_files_are_read_or_refused() {
    let corpus = files::corpus();
    let (mut n_accepted, mut n_run) = (0, 0);
    for seed in FIRST_SEED..FIRST_SEED + N_FILES {
        let bytes = files::damaged(&Choices::from_seed(seed), &corpus);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let Some(graph) = files::read(&bytes)? else { return Ok((0, 0)) };
            files::run(&graph, seed).map(|ran| (1, u64::from(ran)))
        }));
        match outcome {
            Ok(Ok((accepted, ran))) => (n_accepted, n_run) = (n_accepted + accepted, n_run + ran),
            Ok(Err::<_, String>(finding)) => panic!("seed {seed}: {finding}\n{}", String::from_utf8_lossy(&bytes)),
            Err(_) => panic!("seed {seed} panics:\n{}", String::from_utf8_lossy(&bytes)),
        }
    }
    // If nearly all were rejected, or nearly all were accepted, little would have been tested.
    assert!((N_FILES / 8..N_FILES * 3 / 4).contains(&n_accepted), "{n_accepted} of {N_FILES} were accepted");
    assert!(n_run > n_accepted / 2, "{n_run} of {n_accepted} were run");
}
