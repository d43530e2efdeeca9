//! One process: checks the programs of some seeds, and reports findings.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::Duration;

use retrograd_fuzz::oracle::{Counts, Finding, check, check_bits};
use retrograd_fuzz::{Choices, Effort, Generator, examine_by, files, panics, smallest};

use crate::{Options, What, allocations};

/// The number of programs between reports of the counts.
const TELL_EVERY: u64 = 64;

/// The peak memory allowed for a damaged file within the limits, in all stages.
const MAX_BYTES: usize = 256 << 20;

/// Checks every `step`-th seed from the first; returns whether there were no findings.
pub fn run(what: &What, options: &Options) -> io::Result<bool> {
    panics::keep();
    std::fs::create_dir_all(&options.keep)?;
    let state = options
        .state
        .as_ref()
        .map(|path| File::options().write(true).create(true).truncate(false).open(path))
        .transpose()?;
    let corpus = if matches!(what, What::Graphs(_)) { Vec::new() } else { files::corpus() };
    let mut worker = Worker { options, corpus, kinds: HashMap::new(), counts: Counts::default(), n_findings: 0 };
    let mut n = 0;
    let end = options.seed + options.count;
    for seed in (options.seed..end).step_by(options.step as usize) {
        if let Some(state) = &state {
            state.write_all_at(&seed.to_le_bytes(), 0)?;
        }
        match what {
            What::Graphs(_) => worker.graph(seed)?,
            What::Reader(_) => worker.file(seed, false)?,
            What::WholePath(_) => worker.file(seed, true)?,
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
    corpus: Vec<String>,
    kinds: HashMap<String, usize>,
    counts: Counts,
    n_findings: u64,
}

impl Worker<'_> {
    fn graph(&mut self, seed: u64) -> io::Result<()> {
        let (generator, choices) = (Generator::of_seed(seed), Choices::from_seed(seed));
        let check = if self.options.bits { check_bits } else { check };
        match examine_by(check, generator, &choices, seed) {
            Ok(counts) => {
                self.counts = self.counts.plus(counts);
                Ok(())
            }
            Err(mut finding) => {
                let mut path = String::new();
                if self.is_among_first(&finding.kind) {
                    // As it was found: the process may be killed before it has a smaller one.
                    self.keep(seed, &finding)?;
                    let time = Duration::from_secs(self.options.patience / 2);
                    let effort = Effort { tries: self.options.tries, time };
                    *finding = smallest(generator, choices.bytes(), seed, effort, *finding);
                    path = self.keep(seed, &finding)?;
                }
                say(seed, &finding.kind, &finding.detail, &path)
            }
        }
    }

    /// Damages a file, reads it, and runs the graph.
    fn file(&mut self, seed: u64, runs: bool) -> io::Result<()> {
        // A panic here is one of the generator, which the supervisor reports with its message.
        let damage = || files::damaged(&Choices::from_seed(seed), &self.corpus);
        let bytes = catch_unwind(AssertUnwindSafe(damage)).map_err(|_| io::Error::other(panics::last()))?;
        allocations::start();
        let outcome = catch_unwind(AssertUnwindSafe(|| taken_along(&bytes, runs, seed)));
        let peak = allocations::peak();
        let finding: (String, String) = match outcome {
            Ok(Ok((accepted, ran))) if peak <= MAX_BYTES => {
                self.counts.graphs += u64::from(accepted);
                self.counts.derivatives += u64::from(ran);
                return Ok(());
            }
            Ok(Ok(_)) => ("takes too much memory".to_string(), format!("{peak} bytes")),
            Ok(Err(detail)) => (panics::kind(&detail), detail),
            Err(_) => {
                let panic: String = panics::last();
                (format!("panics: {}", panics::kind(&panic)), panic)
            }
        };
        let mut path = String::new();
        if self.is_among_first(&finding.0) {
            let folder = self.folder(&finding.0)?;
            let file = folder.join(format!("seed_{seed}.json"));
            std::fs::write(&file, &bytes)?;
            path = file.display().to_string();
        }
        say(seed, &finding.0, &finding.1, &path)
    }

    /// Counts a finding of this kind; returns whether it is one of the first.
    fn is_among_first(&mut self, kind: &str) -> bool {
        self.n_findings += 1;
        let n = self.kinds.entry(kind.to_string()).or_default();
        *n += 1;
        *n <= self.options.per_kind
    }

    fn folder(&self, kind: &str) -> io::Result<PathBuf> {
        let slug = kind.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
        let folder = self.options.keep.join(slug.take(80).collect::<String>());
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    fn keep(&self, seed: u64, finding: &Finding) -> io::Result<String> {
        let folder = self.folder(&finding.kind)?;
        let name = format!("seed_{seed}");
        let text = format!("{}\n{}\n\n{}\n", finding.kind, finding.detail, finding.case.graph);
        std::fs::write(folder.join(format!("{name}.txt")), text)?;
        // A graph that does not verify cannot be saved; the text contains it.
        let _ = catch_unwind(AssertUnwindSafe(|| finding.case.save(&folder, &name)));
        Ok(folder.join(name).display().to_string())
    }

    fn tell(&mut self, n: u64) -> io::Result<()> {
        let Counts { graphs, derivatives, differences, products } = std::mem::take(&mut self.counts);
        writeln!(io::stdout().lock(), "done\t{n}\t{graphs}\t{derivatives}\t{differences}\t{products}")
    }
}

/// Reads a file and optionally runs it; returns whether it was accepted, and whether it was run.
fn taken_along(bytes: &[u8], runs: bool, seed: u64) -> Result<(bool, bool), String> {
    match files::read(bytes)? {
        Some(graph) if runs => Ok((true, files::run(&graph, seed)?)),
        accepted => Ok((accepted.is_some(), false)),
    }
}

fn say(seed: u64, kind: &str, detail: &str, path: &str) -> io::Result<()> {
    let detail = detail.lines().next().unwrap_or_default().replace('\t', " ");
    writeln!(io::stdout().lock(), "finding\t{seed}\t{}\t{detail}\t{path}", kind.replace(['\t', '\n'], " "))
}
