use std::fmt::Write as _;
use std::time::{Duration, Instant};

use retrograd::Error;
use retrograd::compile::{Inspection, KernelKind, KernelReport, Machine, Report};
use retrograd::value::json::write_text;
use retrograd::value::{Array, ArrayMut, ArrayRef};

use crate::times::{Time, human, time};

/// How long each kernel of a program takes, compared with what the machine can do (Williams, Waterman, Patterson,
/// "Roofline: an insightful visual performance model for multicore architectures", 2009).
pub struct Roofline {
    plan: Report,
    kernels: Vec<Time>,
    machine: Machine,
    /// The bytes of all that a call works on, and the bandwidth of data of that size.
    data_bytes: usize,
    bandwidth: f64,
    peak_loop_bytes: usize,
}

/// The most kernels that a table shows.
const MAX_ROWS: usize = 24;

/// The widest that the name of a kernel is shown.
const MAX_NAME: usize = 48;

/// A kernel that takes so many times longer than any of its roofs demands is bound by none of them.
const FAR: f64 = 5.0;

/// What a kernel needs, in the shares of its time that each would take at the machine's best.
struct Needs {
    memory: f64,
    compute: f64,
    math: f64,
}

impl Roofline {
    /// Times the kernels of a program as long as wanted, but twice at least, and measures the machine.
    pub fn measure(inspection: Inspection, inputs: &[Array], wanted: impl Fn() -> bool) -> Result<Roofline, Error> {
        let x: Vec<ArrayRef<'_>> = inputs.iter().map(Array::view).collect();
        let outputs = inspection.program.outputs().iter().map(|(_, ty)| Array::try_zeros(ty));
        let mut outputs = outputs.collect::<Result<Vec<Array>, _>>()?;
        let mut y: Vec<ArrayMut<'_>> = outputs.iter_mut().map(Array::view_mut).collect();
        let clock = clock();
        let mut samples: Vec<Vec<f64>> = vec![Vec::new(); inspection.plan.kernels.len()];
        // The first call is not measured: it brings memory and code into the caches.
        inspection.time_kernels(&x, &mut y)?;
        let mut n_calls = 0;
        while n_calls == 0 || wanted() && n_calls < MAX_CALLS {
            let times = inspection.time_kernels(&x, &mut y)?;
            let seconds = times.iter().map(|time| time.saturating_sub(clock).max(SHORTEST).as_secs_f64());
            samples.iter_mut().zip(seconds).for_each(|(samples, seconds)| samples.push(seconds));
            n_calls += 1;
        }
        let Inspection { program, plan, .. } = inspection;
        let peak_loop_bytes = program.peak_loop_bytes();
        let io_bytes = plan.input_bytes + plan.output_bytes + plan.constant_bytes;
        let data_bytes = io_bytes + plan.memory_bytes() + peak_loop_bytes;
        let mut machine = Machine::measure()?;
        let bandwidth = machine.bandwidth(data_bytes);
        let kernels = samples.into_iter().map(|samples| time("kernel", samples)).collect();
        Ok(Roofline { plan, kernels, machine, data_bytes, bandwidth, peak_loop_bytes })
    }

    /// A table for people.
    pub fn table(&self) -> String {
        let shown = self.shown();
        let rows: Vec<[String; 6]> = shown.iter().map(|&k| self.row(k)).collect();
        let head = ["kernel", "time", "share", "GB/s", "GFLOP/s", "bound by"].map(str::to_string);
        let width =
            |column: usize| rows.iter().chain([&head]).map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; 6] = std::array::from_fn(width);
        let mut text = String::new();
        for row in [&head].into_iter().chain(&rows) {
            let _ = write!(text, "{:1$}", row[0], widths[0]);
            (1..5).for_each(|column| _ = write!(text, "  {:>1$}", row[column], widths[column]));
            let _ = writeln!(text, "  {}", row[5]);
        }
        if shown.len() < self.kernels.len() {
            let rest: f64 = (0..self.kernels.len()).filter(|k| !shown.contains(k)).map(|k| self.share(k)).sum();
            let _ = writeln!(text, "and {} others, {}", self.kernels.len() - shown.len(), percent(rest));
        }
        text + &self.roofs() + &self.memory()
    }

    fn roofs(&self) -> String {
        let Machine { memory_bandwidth, f64_flops, f32_flops, product_flops, calls, .. } = &self.machine;
        format!(
            "100% is {} GB/s for the {} bytes of a call (from memory {}); {} GFLOP/s in f64, {} in f32, {} in products of \
             matrices; {:.0} million calls of exp a second\n",
            giga(self.bandwidth),
            self.data_bytes,
            giga(*memory_bandwidth),
            giga(*f64_flops),
            giga(*f32_flops),
            giga(*product_flops),
            calls / 1e6
        )
    }

    fn memory(&self) -> String {
        let Report { input_bytes, output_bytes, constant_bytes, .. } = self.plan;
        let (working, loops) = (self.plan.memory_bytes(), self.peak_loop_bytes);
        format!(
            "peak of memory: {} bytes; {input_bytes} of inputs, {output_bytes} of outputs, {constant_bytes} of constants, \
             {working} of arena and frame, {loops} of what loops save\n",
            self.data_bytes
        )
    }

    /// The entries of a JSON object, each with a comma before it.
    pub fn json(&self) -> String {
        let Machine { memory_bandwidth, f64_flops, f32_flops, product_flops, calls, .. } = &self.machine;
        let mut text = format!(
            ",\n \"peak_bytes\": {},\n \"peak_loop_bytes\": {},\n \"machine\": {{\"memory_bandwidth\": \
             {memory_bandwidth:?}, \"bandwidth\": {:?}, \"f64_flops\": {f64_flops:?}, \"f32_flops\": {f32_flops:?}, \
             \"product_flops\": {product_flops:?}, \"calls\": {calls:?}}},\n \"kernels\": [",
            self.data_bytes, self.peak_loop_bytes, self.bandwidth
        );
        for (k, (kernel, time)) in self.plan.kernels.iter().zip(&self.kernels).enumerate() {
            text.push_str(if k > 0 { ",\n  " } else { "\n  " });
            text.push_str("{\"kernel\": ");
            write_text(&kernel.title(), &mut text);
            text.push_str(", \"operations\": ");
            write_text(&kernel.summary(), &mut text);
            let _ = write!(text, ", \"seconds\": {{\"min\": {:?}, \"median\": {:?}}}", time.min, time.median);
            let _ = write!(text, ", \"share\": {:?}, \"bytes\": {}", self.share(k), kernel.moved_bytes());
            if let Some(cost) = kernel.cost {
                let _ = write!(text, ", \"flops\": {}, \"calls\": {}", cost.flops(), cost.calls);
            }
            text.push_str(", \"bound_by\": ");
            write_text(self.bound(k), &mut text);
            text.push('}');
        }
        text.push_str("\n ]");
        text
    }

    /// The kernels that take longest, in the order in which they run.
    fn shown(&self) -> Vec<usize> {
        let mut longest: Vec<usize> = (0..self.kernels.len()).collect();
        longest.sort_by(|&a, &b| self.kernels[b].median.total_cmp(&self.kernels[a].median));
        longest.truncate(MAX_ROWS);
        longest.sort_unstable();
        longest
    }

    fn row(&self, k: usize) -> [String; 6] {
        let (kernel, seconds) = (&self.plan.kernels[k], self.kernels[k].median);
        let needs = self.needs(k);
        let flops = kernel.cost.map(|cost| cost.flops() as f64 / seconds);
        [
            name(k, kernel),
            human(seconds),
            percent(self.share(k)),
            rate(Some(kernel.moved_bytes() as f64 / seconds), needs.memory),
            rate(flops, needs.compute),
            self.bound(k).to_string(),
        ]
    }

    fn share(&self, k: usize) -> f64 {
        self.kernels[k].median / self.kernels.iter().map(|time| time.median).sum::<f64>()
    }

    fn needs(&self, k: usize) -> Needs {
        let (kernel, seconds) = (&self.plan.kernels[k], self.kernels[k].median);
        let cost = kernel.cost.unwrap_or_default();
        let compute = match kernel.kind {
            KernelKind::Library => cost.flops() as f64 / self.machine.product_flops,
            KernelKind::Scalar | KernelKind::Loop { .. } | KernelKind::Control | KernelKind::Registers => {
                cost.f64_flops as f64 / self.machine.f64_flops + cost.f32_flops as f64 / self.machine.f32_flops
            }
        };
        Needs {
            memory: kernel.moved_bytes() as f64 / self.bandwidth / seconds,
            compute: compute / seconds,
            math: cost.calls as f64 / self.machine.calls / seconds,
        }
    }

    /// What a kernel waits for most.
    fn bound(&self, k: usize) -> &'static str {
        let Needs { memory, compute, math } = self.needs(k);
        let most = memory.max(compute).max(math);
        if self.plan.kernels[k].cost.is_none() {
            "the number of iterations"
        } else if most * FAR < 1.0 {
            "overhead"
        } else if most == memory {
            "memory"
        } else if most == compute {
            "compute"
        } else {
            "math calls"
        }
    }
}

/// So many calls are enough.
const MAX_CALLS: usize = 100_000;

/// No kernel is taken to be shorter, which the clock could not measure.
const SHORTEST: Duration = Duration::from_nanos(1);

/// How long it takes to read the clock.
fn clock() -> Duration {
    let shortest = (0..1000).map(|_| Instant::now().elapsed()).min();
    shortest.unwrap_or_default()
}

fn name(k: usize, kernel: &KernelReport) -> String {
    let name = format!("{k} {}: {}", kernel.title(), kernel.summary());
    if name.chars().count() <= MAX_NAME {
        return name;
    }
    name.chars().take(MAX_NAME - 1).chain(['…']).collect()
}

/// `3.42 (12%)`, or a dash where there is nothing of the kind.
fn rate(per_second: Option<f64>, share: f64) -> String {
    match per_second {
        Some(rate) if rate > 0.0 => format!("{} ({:.0}%)", giga(rate), 100.0 * share),
        Some(_) | None => "-".to_string(),
    }
}

fn giga(x: f64) -> String {
    let x = x / 1e9;
    let digits = if x < 1.0 {
        3
    } else if x < 10.0 {
        2
    } else {
        1
    };
    format!("{x:.digits$}")
}

fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}
