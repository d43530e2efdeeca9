//! Starts a process on each core, and restarts one after a seed that has killed it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant};

use retrograd_fuzz::oracle::Counts;

use crate::Options;

const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// Runs all processes to their end; returns whether there were no findings.
pub fn run(what: &'static str, options: &Options) -> io::Result<bool> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let jobs = options.jobs.unwrap_or(cores).clamp(1, options.count.max(1));
    fs::create_dir_all(&options.keep)?;
    let (sender, events) = mpsc::channel();
    for job in 0..jobs {
        let (options, sender) = (options.clone(), sender.clone());
        std::thread::spawn(move || {
            if let Err(error) = (Lane { what, options: &options, job, jobs, events: &sender }).run() {
                let _ = sender.send(Event::Finding { seed: 0, kind: error.to_string(), rest: String::new() });
            }
        });
    }
    drop(sender);
    let mut tally = Tally::new(options);
    loop {
        match events.recv_timeout(PROGRESS_EVERY) {
            Ok(event) => tally.take(event),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
        tally.report();
    }
    Ok(tally.conclude(what, options, jobs))
}

enum Event {
    Done { n: u64, counts: Counts },
    Finding { seed: u64, kind: String, rest: String },
}

/// The seeds of one core.
struct Lane<'l> {
    what: &'static str,
    options: &'l Options,
    job: u64,
    jobs: u64,
    events: &'l Sender<Event>,
}

impl Lane<'_> {
    fn run(&self) -> io::Result<()> {
        let end = self.options.seed + self.options.count;
        let mut next = self.options.seed + self.job;
        let state = self.options.keep.join(format!("at_{}_{}", std::process::id(), self.job));
        while next < end {
            let mut child = self.start(next, end, &state)?;
            let stdout = child.stdout.take().expect("the output is piped");
            let events = self.events.clone();
            let reader = std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    if let Some(event) = parse(&line) {
                        let _ = events.send(event);
                    }
                }
            });
            let ending = self.wait(&mut child, &state)?;
            let _ = reader.join();
            let Some(kind) = ending else { break };
            let seed = at(&state).unwrap_or(next);
            let rest = format!("again with: {} --count 1 --seed {seed} --in-process", self.what);
            let _ = self.events.send(Event::Finding { seed, kind, rest });
            let _ = self.events.send(Event::Done { n: 1, counts: Counts::default() });
            next = seed + self.jobs;
        }
        let _ = fs::remove_file(state);
        Ok(())
    }

    fn start(&self, from: u64, end: u64, state: &Path) -> io::Result<Child> {
        let Options { keep, per_kind, tries, patience, .. } = self.options;
        let arguments: [(&str, String); 8] = [
            ("--seed", from.to_string()),
            ("--count", (end - from).to_string()),
            ("--step", self.jobs.to_string()),
            ("--per-kind", per_kind.to_string()),
            ("--tries", tries.to_string()),
            ("--patience", patience.to_string()),
            ("--keep", keep.display().to_string()),
            ("--state", state.display().to_string()),
        ];
        let own = std::env::current_exe()?;
        let mut words = self.options.under.split_whitespace();
        let mut command = match words.next() {
            None => Command::new(own),
            Some(first) => {
                let mut command = Command::new(first);
                command.args(words).arg(own);
                command
            }
        };
        command
            .arg(self.what)
            .args(arguments.iter().flat_map(|(name, value)| [*name, value]))
            .args(self.options.bits.then_some("--bits"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
    }

    /// Why the process did not finish; `None` if it did.
    fn wait(&self, child: &mut Child, state: &Path) -> io::Result<Option<String>> {
        let mut last = (at(state), Instant::now());
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(match status.code() {
                    Some(0 | 1) => None,
                    _ => Some(ending(status)),
                });
            }
            std::thread::sleep(Duration::from_millis(20));
            let now = at(state);
            if now != last.0 {
                last = (now, Instant::now());
            } else if last.1.elapsed() > Duration::from_secs(self.options.patience) {
                child.kill()?;
                child.wait()?;
                return Ok(Some(format!("not ready after {} s", self.options.patience)));
            }
        }
    }
}

fn ending(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match status.signal() {
        Some(signal) => format!("the process is killed by signal {signal}"),
        None => format!("the process ends with {status}"),
    }
}

/// The seed that a process is working on.
fn at(state: &Path) -> Option<u64> {
    Some(u64::from_le_bytes(fs::read(state).ok()?.try_into().ok()?))
}

fn parse(line: &str) -> Option<Event> {
    let fields: Vec<&str> = line.split('\t').collect();
    match fields[..] {
        ["done", n, graphs, derivatives, differences, products] => {
            let [n, graphs, derivatives, differences, products] =
                [n, graphs, derivatives, differences, products].map(|field| field.parse().unwrap_or(0));
            Some(Event::Done { n, counts: Counts { graphs, derivatives, differences, products } })
        }
        ["finding", seed, kind, detail, path] => {
            let rest = format!("{detail} {path}").trim().to_string();
            Some(Event::Finding { seed: seed.parse().ok()?, kind: kind.to_string(), rest })
        }
        _ => None,
    }
}

/// The counts and findings so far.
struct Tally {
    start: Instant,
    reported: Instant,
    count: u64,
    n: u64,
    counts: Counts,
    kinds: BTreeMap<String, (u64, Vec<u64>)>,
    per_kind: usize,
    keep: PathBuf,
}

impl Tally {
    fn new(options: &Options) -> Tally {
        Tally {
            start: Instant::now(),
            reported: Instant::now(),
            count: options.count,
            n: 0,
            counts: Counts::default(),
            kinds: BTreeMap::new(),
            per_kind: options.per_kind,
            keep: options.keep.clone(),
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Done { n, counts } => {
                self.n += n;
                self.counts = self.counts.plus(counts);
            }
            Event::Finding { seed, kind, rest } => {
                let (n, seeds) = self.kinds.entry(kind.clone()).or_default();
                *n += 1;
                if seeds.len() < self.per_kind {
                    seeds.push(seed);
                    println!("seed {seed}: {kind}\n  {rest}");
                }
            }
        }
    }

    fn n_findings(&self) -> u64 {
        self.kinds.values().map(|(n, _)| n).sum()
    }

    fn rate(&self) -> f64 {
        self.n as f64 / self.start.elapsed().as_secs_f64()
    }

    fn report(&mut self) {
        if self.reported.elapsed() >= PROGRESS_EVERY {
            self.reported = Instant::now();
            eprintln!("{} of {}, {:.0} a second, {} findings", self.n, self.count, self.rate(), self.n_findings());
        }
    }

    fn conclude(&self, what: &str, options: &Options, jobs: u64) -> bool {
        for (kind, (n, seeds)) in &self.kinds {
            println!("{n:8}  {kind}  (seeds {seeds:?})");
        }
        if !self.kinds.is_empty() {
            println!("kept in {}", self.keep.display());
        }
        let Counts { graphs, derivatives, differences, products } = self.counts;
        let of_what = match what {
            "graphs" => format!(
                "{graphs} graphs compared bit for bit, {derivatives} of them derivatives, {differences} agree with \
                 differences, {products} times both modes"
            ),
            _ => format!("{graphs} accepted, {derivatives} run"),
        };
        println!(
            "{what}: {} from seed {} in {:.0} s on {jobs} cores ({:.0} a second): {of_what}: {} findings of {} kinds",
            self.n,
            options.seed,
            self.start.elapsed().as_secs_f64(),
            self.rate(),
            self.n_findings(),
            self.kinds.len()
        );
        self.kinds.is_empty() && self.n == options.count
    }
}
