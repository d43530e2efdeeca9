//! The cost of compiling a traced scalar function of a thousand operations and more, and its gradient, stage by stage.
//! `cargo bench --bench compile_time` prints a table in nanoseconds per operation, followed by the time and the memory
//! that a million operations take. `-- --largest` measures only these.

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, SamplingMode};
use retrograd::optimize::optimize;
use retrograd::value::DType;
use retrograd::{Error, Graph, Program, Var, differentiate, trace};

/// The sizes that are measured repeatedly, and the one that is measured once.
const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
const LARGEST: usize = 1_000_000;

/// The stages of the table.
const STAGES: [&str; 6] = ["trace", "optimize f", "compile f", "differentiate", "optimize ∇f", "compile ∇f"];

/// A function of one variable with `n` operations. Each uses the previous one, and most use an earlier one as well, so
/// that there is no dead code and no common subexpression, and values stay live for a while. All values are between -4
/// and 4.
fn chain(n: usize) -> impl Fn(Var) -> Var {
    move |x| {
        let (half, two) = (Var::from(0.5), Var::from(2.0));
        let mut ring = [x; 8];
        for k in 0..n - 2 {
            let back = |distance: usize| ring[(k + 8 - distance) % 8];
            let last = back(1);
            ring[k % 8] = match k % 8 {
                0 => last.sin(),
                1 => last * half,
                2 => last + two,
                3 => back(3) / last,
                4 => last * back(2),
                5 => last - back(4),
                6 => last * back(6),
                _ => last + back(7),
            };
        }
        ring[(n - 3) % 8]
    }
}

/// The time of each stage, and the number of operations of the gradient's program.
struct Run {
    stages: [Duration; STAGES.len()],
    n_gradient_ops: usize,
}

/// Each stage frees its input, as a program that only needs the code would, so the peak of the memory is that of the
/// path from source to code.
fn run(n: usize) -> Result<Run, Error> {
    let mut stages = Vec::new();
    let f = timed(&mut stages, || trace(chain(n), (DType::F64,)))?;
    assert_eq!(f.n_ops(), n);
    let small_f = timed(&mut stages, || optimize(&f))?;
    timed(&mut stages, || compile(small_f))?;
    let df = timed(&mut stages, || {
        let df = differentiate::grad(&f, 0, &[0]);
        drop(f);
        df
    })?;
    let small_df = timed(&mut stages, || {
        let small = optimize(&df);
        drop(df);
        small
    })?;
    let n_gradient_ops = small_df.n_ops();
    timed(&mut stages, || compile(small_df))?;
    Ok(Run { stages: stages.try_into().expect("there are so many stages"), n_gradient_ops })
}

fn timed<T>(stages: &mut Vec<Duration>, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    stages.push(start.elapsed());
    result
}

/// Compiles to callable code. A program that is dropped immediately is not compiled to optimized code in the
/// background.
fn compile(graph: Graph) -> Result<(), Error> {
    Program::compile_tiered(graph).map(drop)
}

/// One line of the table: the best time of each stage, since other load on the machine only increases times.
struct Line {
    n: usize,
    n_gradient_ops: usize,
    nanoseconds: [f64; STAGES.len()],
}

impl Line {
    fn new(n: usize, runs: &[Run]) -> Line {
        let best = |stage: usize| {
            let times = runs.iter().map(|run| run.stages[stage]);
            times.min().expect("a size was measured").as_nanos() as f64
        };
        Line { n, n_gradient_ops: runs[0].n_gradient_ops, nanoseconds: std::array::from_fn(best) }
    }

    /// Nanoseconds per operation of `f`: each stage; `f` from source to code; its gradient from source to code. Last,
    /// the gradient from source to code, per operation of the gradient.
    fn columns(&self) -> Vec<f64> {
        let t = self.nanoseconds;
        let (f, df) = (t[0] + t[1] + t[2], self.gradient().as_nanos() as f64);
        let n = self.n as f64;
        t.iter().chain(&[f, df]).map(|t| t / n).chain([df / self.n_gradient_ops as f64]).collect()
    }

    /// The gradient from source to code.
    fn gradient(&self) -> Duration {
        let t = self.nanoseconds;
        Duration::from_nanos((t[0] + t[3] + t[4] + t[5]) as u64)
    }
}

fn print_table(lines: &[Line]) {
    let titles = STAGES.iter().chain(&["f", "∇f", "∇f, per own op"]);
    let title: String = titles.map(|title| format!("{title:>15}")).collect();
    println!("\nnanoseconds per operation\n{:>10}{title}", "operations");
    for line in lines {
        let row: String = line.columns().iter().map(|column| format!("{column:>15.0}")).collect();
        println!("{:>10}{row}", line.n);
    }
    let find = |n: usize| lines.iter().find(|line| line.n == n);
    if let (Some(small), Some(large)) = (find(SIZES[1]), find(LARGEST)) {
        let columns = large.columns().into_iter().zip(small.columns());
        let row: String = columns.map(|(large, small)| format!("{:>15.2}", large / small)).collect();
        println!("{:>10}{row}", "1M / 10k");
        let seconds = large.gradient().as_secs_f64();
        println!("\n{LARGEST} operations traced, differentiated, optimized and compiled in {seconds:.2} s");
    }
    if let Some(bytes) = peak_memory() {
        println!("peak of the resident memory: {:.2} GB", bytes as f64 / 1e9);
    }
}

/// The peak of the process's resident memory in bytes, if the system reports it.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(1024 * line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?)
}

fn main() {
    if std::env::args().any(|argument| argument == "--largest") {
        let runs = [SIZES[1], LARGEST].map(|n| Line::new(n, &[run(n).expect("the chain is compiled")]));
        return print_table(&runs);
    }
    let mut criterion = Criterion::default().configure_from_args();
    let mut lines = Vec::new();
    let mut group = criterion.benchmark_group("from source to code, f and its gradient");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    for n in SIZES {
        let mut runs = Vec::new();
        group.bench_function(BenchmarkId::from_parameter(n), |bencher| {
            bencher.iter_custom(|iterations| {
                (0..iterations)
                    .map(|_| {
                        let run = run(n).expect("the chain is traced, differentiated and compiled");
                        let total = run.stages.iter().sum::<Duration>();
                        runs.push(run);
                        total
                    })
                    .sum()
            });
        });
        if !runs.is_empty() {
            lines.push(Line::new(n, &runs));
        }
    }
    group.finish();
    if lines.len() == SIZES.len() {
        lines.push(Line::new(LARGEST, &[run(LARGEST).expect("a million operations are compiled")]));
    }
    print_table(&lines);
    criterion.final_summary();
}
