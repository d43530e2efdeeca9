//! What it costs to make native code: a traced scalar function, and its gradient, of a thousand operations and more,
//! stage by stage. `cargo bench --bench compile_time`; the table at the end is in nanoseconds per operation.

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, SamplingMode};
use retrograd::optimize::optimize;
use retrograd::value::DType;
use retrograd::{Error, Graph, Program, Var, differentiate, trace};

/// The sizes that are measured again and again, and the one that is measured once.
const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
const LARGEST: usize = 1_000_000;

/// The stages whose times stand in the table.
const STAGES: [&str; 6] = ["trace", "optimize f", "compile f", "differentiate", "optimize ∇f", "compile ∇f"];

/// A function of one variable and `n` operations. Each uses the one before it, and most use an earlier one as well, so
/// that nothing is dead, nothing is shared, and values live for a while. All stay between -4 and 4.
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

fn run(n: usize) -> Result<Run, Error> {
    let mut stages = [Duration::ZERO; STAGES.len()];
    let mut stage = 0;
    let mut timed = |work: &mut dyn FnMut() -> Result<(), Error>| {
        let start = Instant::now();
        work()?;
        stages[stage] = start.elapsed();
        stage += 1;
        Ok::<(), Error>(())
    };
    let (mut traced, mut small, mut gradient): (Option<Graph>, Option<Graph>, Option<Graph>) = (None, None, None);
    let missing = "a stage left nothing behind";
    timed(&mut || trace(chain(n), (DType::F64,)).map(|graph| traced = Some(graph)))?;
    let f = traced.expect(missing);
    assert_eq!(f.n_ops(), n);
    timed(&mut || optimize(&f).map(|graph| small = Some(graph)))?;
    let small_f = small.take().expect(missing);
    timed(&mut || Program::compile(&small_f).map(drop))?;
    timed(&mut || differentiate::grad(&f, 0, &[0]).map(|graph| gradient = Some(graph)))?;
    let df = gradient.expect(missing);
    timed(&mut || optimize(&df).map(|graph| small = Some(graph)))?;
    let small_df = small.expect(missing);
    timed(&mut || Program::compile(&small_df).map(drop))?;
    Ok(Run { n_gradient_ops: small_df.n_ops(), stages })
}

/// One line of the table: the best time of each stage, since whatever else runs on the machine only adds to it.
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
    /// the gradient from source to code per operation of the gradient.
    fn columns(&self) -> Vec<f64> {
        let t = self.nanoseconds;
        let (f, df) = (t[0] + t[1] + t[2], t[0] + t[3] + t[4] + t[5]);
        let n = self.n as f64;
        t.iter().chain(&[f, df]).map(|t| t / n).chain([df / self.n_gradient_ops as f64]).collect()
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
    let find = |n: usize| lines.iter().find(|line| line.n == n).map(Line::columns);
    if let (Some(small), Some(large)) = (find(SIZES[0]), find(SIZES[2])) {
        let row: String = large.iter().zip(small).map(|(large, small)| format!("{:>15.2}", large / small)).collect();
        println!("{:>10}{row}", "100k / 1k");
    }
}

fn main() {
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
