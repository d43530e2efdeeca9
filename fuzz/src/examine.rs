use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use retrograd::{Error, Graph};

use crate::case::Case;
use crate::choices::Choices;
use crate::oracle::{Counts, Finding, check};
use crate::shrink::shrink;
use crate::{author, operations, panics};

/// A generator of programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generator {
    /// [`author`].
    Author,
    /// [`operations`].
    Operations,
}

impl Generator {
    /// The generator for a seed: three in four programs are like those that people write.
    pub fn of_seed(seed: u64) -> Generator {
        if seed % 4 == 3 { Generator::Operations } else { Generator::Author }
    }

    /// Generates a program.
    ///
    /// # Errors
    /// As [`author::write`].
    pub fn write(self, choices: &Choices) -> Result<Case, Error> {
        match self {
            Generator::Author => author::write(choices),
            Generator::Operations => Ok(operations::write(choices)),
        }
    }
}

/// A check of a program: [`check`] or [`check_bits`](crate::oracle::check_bits).
pub type Check = fn(&Case, u64) -> Result<Counts, Box<Finding>>;

/// Generates the program of these decisions and checks it; the seed selects among the checks.
///
/// # Errors
/// The first violation. A panic of the crate is one, and so is a trace that is refused.
pub fn examine(generator: Generator, choices: &Choices, seed: u64) -> Result<Counts, Box<Finding>> {
    examine_by(check, generator, choices, seed)
}

/// Like [`examine`], with another check.
///
/// # Errors
/// As [`examine`].
pub fn examine_by(check: Check, generator: Generator, choices: &Choices, seed: u64) -> Result<Counts, Box<Finding>> {
    match catch_unwind(AssertUnwindSafe(|| generator.write(choices))) {
        Ok(Ok(case)) => check(&case, seed),
        Ok(Err(error)) => Err(unwritten("the trace is refused", error.to_string())),
        Err(_) => {
            let panic = panics::last();
            Err(unwritten(&format!("tracing panics: {}", panics::kind(&panic)), panic))
        }
    }
}

/// How long to look for a smaller program.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// The most attempts.
    pub tries: usize,
    /// After this time no further attempt is made.
    pub time: Duration,
}

/// The finding of the same kind with the smallest program that was found with that effort.
pub fn smallest(generator: Generator, bytes: Vec<u8>, seed: u64, effort: Effort, finding: Finding) -> Finding {
    let start = Instant::now();
    let kind = finding.kind.clone();
    let of_kind = |bytes: &[u8]| {
        let found = examine(generator, &Choices::from_bytes(bytes.to_vec()), seed).err();
        found.filter(|other| other.kind == kind)
    };
    let small = shrink(bytes, effort.tries, |bytes| start.elapsed() < effort.time && of_kind(bytes).is_some());
    of_kind(&small).map_or(finding, |found| *found)
}

fn unwritten(kind: &str, detail: String) -> Box<Finding> {
    let case = Case { graph: Graph::new("none"), inputs: Vec::new(), loss: None };
    Box::new(Finding { kind: kind.to_string(), detail, case })
}
