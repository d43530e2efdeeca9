//! One process: checks programs of some seeds, and says what it finds.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use retrograd_fuzz::oracle::{Counts, Finding, check};
use retrograd_fuzz::shrink::shrink;
use retrograd_fuzz::{Case, Choices, author, panics};

use crate::{Options, What};

/// After so many programs the counts are told.
const TELL_EVERY: u64 = 64;

/// Checks every `step`-th seed from the first; whether all is well.
pub fn run(what: &What, options: &Options) -> io::Result<bool> {
    panics::keep();
    std::fs::create_dir_all(&options.keep)?;
    let state = options.state.as_ref().map(|path| File::options().write(true).create(true).open(path)).transpose()?;
    let mut worker = Worker { options, kinds: HashMap::new(), counts: Counts::default(), n_findings: 0 };
    let mut n = 0;
    let end = options.seed + options.count;
    for seed in (options.seed..end).step_by(options.step as usize) {
        if let Some(state) = &state {
            state.write_all_at(&seed.to_le_bytes(), 0)?;
        }
        match what {
            What::Graphs(_) => worker.graph(seed)?,
        }
        n += 1;
        if n % TELL_EVERY == 0 {
            worker.tell(n)?;
            n = 0;
        }
    }
    worker.tell(n)?;
    Ok(worker.n_findings == 0)
}

struct Worker<'w> {
    options: &'w Options,
    kinds: HashMap<String, usize>,
    counts: Counts,
    n_findings: u64,
}

impl Worker<'_> {
    fn graph(&mut self, seed: u64) -> io::Result<()> {
        let choices = Choices::from_seed(seed);
        match examine(&choices, seed) {
            Ok(counts) => {
                self.counts = self.counts.plus(counts);
                Ok(())
            }
            Err(finding) => self.found(seed, choices.bytes(), *finding),
        }
    }

    fn found(&mut self, seed: u64, bytes: Vec<u8>, finding: Finding) -> io::Result<()> {
        self.n_findings += 1;
        let n = self.kinds.entry(finding.kind.clone()).or_default();
        *n += 1;
        let mut kept = finding;
        let mut path = String::new();
        if *n <= self.options.per_kind {
            let kind = kept.kind.clone();
            let of_kind = |bytes: &[u8]| match examine(&Choices::from_bytes(bytes.to_vec()), seed) {
                Err(finding) if finding.kind == kind => Some(finding),
                _ => None,
            };
            let small = shrink(bytes, self.options.tries, |bytes| of_kind(bytes).is_some());
            if let Some(finding) = of_kind(&small) {
                kept = *finding;
            }
            path = self.keep(seed, &kept)?;
        }
        let detail = kept.detail.lines().next().unwrap_or_default().replace('\t', " ");
        writeln!(io::stdout().lock(), "finding\t{seed}\t{}\t{detail}\t{path}", kept.kind.replace('\t', " "))
    }

    fn keep(&self, seed: u64, finding: &Finding) -> io::Result<String> {
        let slug: String =
            finding.kind.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(80).collect();
        let folder = self.options.keep.join(slug);
        std::fs::create_dir_all(&folder)?;
        let name = format!("seed_{seed}");
        let text = format!("{}\n{}\n\n{}\n", finding.kind, finding.detail, finding.case.graph);
        std::fs::write(folder.join(format!("{name}.txt")), text)?;
        // What does not verify cannot be saved; the text has it.
        let _ = catch_unwind(AssertUnwindSafe(|| finding.case.save(&folder, &name)));
        Ok(folder.join(name).display().to_string())
    }

    fn tell(&mut self, n: u64) -> io::Result<()> {
        let Counts { graphs, derivatives, differences, products } = std::mem::take(&mut self.counts);
        writeln!(io::stdout().lock(), "done\t{n}\t{graphs}\t{derivatives}\t{differences}\t{products}")
    }
}

/// Writes a program and checks it.
fn examine(choices: &Choices, seed: u64) -> Result<Counts, Box<Finding>> {
    match catch_unwind(AssertUnwindSafe(|| author::write(choices))) {
        Ok(Ok(case)) => check(&case, seed),
        Ok(Err(error)) => Err(unwritten("the trace is refused", error.to_string())),
        Err(_) => {
            let panic = panics::last();
            Err(unwritten(&format!("tracing panics: {}", panics::kind(&panic)), panic))
        }
    }
}

fn unwritten(kind: &str, detail: String) -> Box<Finding> {
    let case = Case { graph: retrograd::Graph::new("none"), inputs: Vec::new(), loss: None };
    Box::new(Finding { kind: kind.to_string(), detail, case })
}
