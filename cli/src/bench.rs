use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use retrograd::ir::{Document, read_text};
use retrograd::op::Op;
use retrograd::value::json::write_text;
use retrograd::value::{Array, ArrayMut, ArrayRef};
use retrograd::{Error, Graph, Program, differentiate, interpret, optimize};

use crate::inputs::{InputFlags, values_help};
use crate::limits::{LimitFlags, MemoryFlag, within};
use crate::names::{input_positions, names_help, output_position};
use crate::output::{print, printable, report_as};
use crate::random::RandomFlags;
use crate::roofline::Roofline;
use crate::times::{Time, human, time};

/// Measures how long each step from the file to native code takes, how long a call takes, and what limits each kernel.
#[derive(Args)]
#[command(after_long_help = concat!("\
Each stage is repeated, and its shortest and median times are shown. A call of native code writes to outputs that were
allocated before, as `Program::call_into` does; short calls are timed in batches. The interpreter is timed for comparison.

Then each kernel is timed by itself: its share of the time, the bytes that it moves and the floating-point operations that it
does per second, both also as a percentage of what this machine can reach. This peak is measured first, within a few tenths
of a second: bandwidth by a loop x = y + s z over as much data as a call uses, and over data larger than the caches;
arithmetic by a loop of multiplications and additions in vector lanes; and calls of exp. A kernel is bound by the resource of
which it uses most (memory, compute, math calls), or by overhead if it takes five times longer than each of these accounts
for, as very short kernels do. Times of a few tens of nanoseconds are inexact. `show --plan` lists what each kernel computes.

Inputs without a value are random.

With --json the result is an object whose keys are
  graph, operations, memory_bytes   the graph, its operations after optimization, and its working memory
  seconds                           min and median of each stage: read, verify, differentiate, optimize, compile, native call
                                    and interpreted call
  peak_bytes, peak_loop_bytes       all memory of a call, and what loops in it save
  machine                           memory_bandwidth, bandwidth (for as much data as a call uses), f64_flops, f32_flops,
                                    product_flops and calls, all per second
  kernels                           objects of kernel, operations, seconds, share, bytes, flops, calls and bound_by; flops
                                    and calls are missing if they depend on the number of iterations
On failure the result is {\"errors\": [...]}, objects of file and message.

", names_help!(), "

", values_help!(), "

Examples:
  retrograd bench loss.json
  retrograd bench loss.json --grad --wrt w --input inputs.json --seconds 0.2
  retrograd bench loss.json --json > times.json"))]
pub struct Bench {
    /// The file; `-` is the standard input.
    file: PathBuf,
    #[command(flatten)]
    inputs: InputFlags,
    /// Measure the graph with its gradient, and how long differentiation takes.
    #[arg(long)]
    grad: bool,
    /// With --grad: the output to differentiate, a floating-point scalar [default: the first].
    #[arg(long, value_name = "OUTPUT", requires = "grad")]
    of: Option<String>,
    /// With --grad: the inputs to differentiate with respect to, as `w,t` or `w t` [default: every floating-point input].
    #[arg(long, value_name = "INPUT", num_args = 1.., requires = "grad")]
    wrt: Vec<String>,
    /// How long to measure, in total.
    #[arg(long, value_name = "S", default_value = "1", value_parser = seconds)]
    seconds: Duration,
    /// Print JSON; times are in seconds.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    random: RandomFlags,
    #[command(flatten)]
    memory: MemoryFlag,
    #[command(flatten)]
    limits: LimitFlags,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let positive = text.parse().ok().filter(|seconds| *seconds > 0.0);
    let duration = positive.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.ok_or_else(|| "takes a positive number of seconds".to_string())
}

/// The shares of the time that stages, native calls, interpreted calls and kernels get.
const SHARES: [(f64, f64); 4] = [(0.0, 0.35), (0.35, 0.6), (0.6, 0.8), (0.8, 1.0)];

/// No stage is repeated more often, so that little files do not fill memory with times.
const MAX_SAMPLES: usize = 10_000;

impl Bench {
    /// Does what the verb says, and reports what went wrong.
    pub fn run(&self) -> ExitCode {
        report_as(self.json, &self.file, self.work())
    }

    fn work(&self) -> Result<(), Error> {
        self.inputs.require_one_stdin::<Bench>("retrograd bench", &self.file);
        let bar = progress();
        let (graph, program, mut times) = self.stages(&bar)?;
        let given = self.inputs.given(&graph, &self.limits)?;
        let generator = &mut self.random.generator();
        let inputs = self.random.complete(&graph, &given, generator, &self.limits)?;
        bar.set_message("native calls");
        times.push(self.native(&program, &inputs, &bar)?);
        bar.set_message("interpreted calls");
        times.push(self.interpreted(&graph, &inputs, &bar)?);
        bar.set_message("kernels");
        let budget = Budget::new(self.seconds, SHARES[3]);
        let roofline = Roofline::measure(Program::inspect(&graph)?, &inputs, || {
            bar.set_position(budget.percent());
            !budget.is_spent()
        })?;
        bar.finish_and_clear();
        print(&if self.json {
            json(&graph, &program, &times, &roofline)
        } else {
            printable(&(table(&graph, &program, &times) + "\n" + &roofline.table()))
        })
    }

    /// Goes from the file to the program again and again.
    fn stages(&self, bar: &ProgressBar) -> Result<(Graph, Program, Vec<Time>), Error> {
        let budget = Budget::new(self.seconds, SHARES[0]);
        let mut samples: Vec<(&str, Vec<f64>)> = Vec::new();
        let mut text = read_text(&self.file, self.limits.max_file_bytes)?;
        loop {
            let mut stage = 0;
            let mut sample = |what, start: Instant| {
                let elapsed = start.elapsed().as_secs_f64();
                match samples.get_mut(stage) {
                    Some((_, times)) => times.push(elapsed),
                    None => samples.push((what, vec![elapsed])),
                }
                stage += 1;
            };
            // What came from the standard input cannot be read again.
            if self.file != Path::new("-") {
                bar.set_message("read");
                let start = Instant::now();
                text = read_text(&self.file, self.limits.max_file_bytes)?;
                sample("read", start);
            }
            bar.set_message("verify");
            let start = Instant::now();
            let mut graph = Document::<Op>::from_json(&text, &self.limits.limits())?.into_graph();
            sample("verify", start);
            if self.grad {
                bar.set_message("differentiate");
                let (of, wrt) = (output_position(&graph, self.of.as_deref())?, input_positions(&graph, &self.wrt)?);
                let start = Instant::now();
                graph = differentiate::grad(&graph, of, &wrt)?;
                sample("differentiate", start);
            }
            bar.set_message("optimize");
            let start = Instant::now();
            let optimized = optimize::optimize(&graph)?;
            sample("optimize", start);
            bar.set_message("compile");
            let start = Instant::now();
            let program = within(Program::compile(&optimized)?, self.memory.max_memory)?;
            sample("compile", start);
            bar.set_position(budget.percent());
            if budget.is_spent() || samples[0].1.len() >= MAX_SAMPLES {
                return Ok((optimized, program, samples.into_iter().map(|(what, times)| time(what, times)).collect()));
            }
        }
    }

    fn native(&self, program: &Program, inputs: &[Array], bar: &ProgressBar) -> Result<Time, Error> {
        let x: Vec<ArrayRef<'_>> = inputs.iter().map(Array::view).collect();
        let mut outputs: Vec<Array> =
            program.outputs().iter().map(|(_, ty)| Array::try_zeros(ty)).collect::<Result<_, _>>()?;
        let mut y: Vec<ArrayMut<'_>> = outputs.iter_mut().map(Array::view_mut).collect();
        self.calls("native call", SHARES[1], bar, || program.call_into(&x, &mut y))
    }

    fn interpreted(&self, graph: &Graph, inputs: &[Array], bar: &ProgressBar) -> Result<Time, Error> {
        self.calls("interpreted call", SHARES[2], bar, || {
            interpret::run_within(graph, inputs, self.memory.max_memory).map(drop)
        })
    }

    /// Times calls, so many at once that the clock does not matter.
    fn calls(
        &self,
        what: &'static str,
        share: (f64, f64),
        bar: &ProgressBar,
        mut call: impl FnMut() -> Result<(), Error>,
    ) -> Result<Time, Error> {
        let budget = Budget::new(self.seconds, share);
        let start = Instant::now();
        call()?;
        let first = start.elapsed().as_secs_f64();
        let n_at_once = (20e-6 / first.max(1e-9)).ceil().clamp(1.0, 10_000.0) as u32;
        let mut times = Vec::new();
        while times.is_empty() || !budget.is_spent() && times.len() < 100 * MAX_SAMPLES {
            let start = Instant::now();
            for _ in 0..n_at_once {
                call()?;
            }
            times.push(start.elapsed().as_secs_f64() / f64::from(n_at_once));
            bar.set_position(budget.percent());
        }
        Ok(time(what, times))
    }
}

/// A share of the time, from now on.
struct Budget {
    start: Instant,
    length: Duration,
    share: (f64, f64),
}

impl Budget {
    fn new(whole: Duration, share: (f64, f64)) -> Budget {
        Budget { start: Instant::now(), length: whole.mul_f64(share.1 - share.0), share }
    }

    fn is_spent(&self) -> bool {
        self.start.elapsed() >= self.length
    }

    /// How much of the whole has passed.
    fn percent(&self) -> u64 {
        let part = (self.start.elapsed().as_secs_f64() / self.length.as_secs_f64()).min(1.0);
        (100.0 * (self.share.0 + part * (self.share.1 - self.share.0))) as u64
    }
}

/// A bar on the standard error, if that is a terminal.
fn progress() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {msg}").expect("bug: the template is not one");
    ProgressBar::with_draw_target(Some(100), ProgressDrawTarget::stderr_with_hz(10)).with_style(style)
}

fn table(graph: &Graph, program: &Program, times: &[Time]) -> String {
    let (name, n_ops) = (graph.name(), graph.n_ops());
    let mut text =
        format!("{name}: {n_ops} operations, optimized; {} bytes of working memory\n", program.memory_bytes());
    let _ = writeln!(text, "{:20}{:>12}{:>12}", "", "shortest", "median");
    for Time { what, min, median } in times {
        let _ = writeln!(text, "{what:20}{:>12}{:>12}", human(*min), human(*median));
    }
    text
}

fn json(graph: &Graph, program: &Program, times: &[Time], roofline: &Roofline) -> String {
    let mut text = String::from("{\n \"graph\": ");
    write_text(graph.name(), &mut text);
    let _ = write!(
        text,
        ",\n \"operations\": {},\n \"memory_bytes\": {},\n \"seconds\": {{",
        graph.n_ops(),
        program.memory_bytes()
    );
    for (place, Time { what, min, median }) in times.iter().enumerate() {
        text.push_str(if place > 0 { ",\n  " } else { "\n  " });
        write_text(what, &mut text);
        let _ = write!(text, ": {{\"min\": {min:?}, \"median\": {median:?}}}");
    }
    text.push_str("\n }");
    text + &roofline.json() + "\n}\n"
}
