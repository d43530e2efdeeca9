//! Measures the errors of retrograd's elementary functions against MPFR, in units in the last place.
//!
//! ```text
//! cd tools && nice cargo run --release -p accuracy               # all functions, ten million points each, f64 and f32
//! cd tools && cargo run --release -p accuracy -- sin pow --points 1000000
//! ```
//!
//! MPFR is built from source, which needs a C compiler, `make` and `m4`. The run ends with a table in Markdown, and with an
//! error where a function errs by more than its bound or is wrong about a special value.

mod catalog;
mod measure;
mod points;

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

use catalog::{CASES, Case};
use measure::{Errors, Format, measure};

/// How many points are taken at once.
const BLOCK: u64 = 4096;

/// Measures the errors of retrograd's elementary functions against MPFR.
#[derive(Parser)]
struct Arguments {
    /// The functions to measure; all if there are none.
    functions: Vec<String>,
    /// The number of points of f64 per function.
    #[arg(long, default_value_t = 10_000_000)]
    points: u64,
    /// The number of points of f32 per function.
    #[arg(long, default_value_t = 10_000_000)]
    points_f32: u64,
    /// The number of threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(name) = arguments.functions.iter().find(|name| CASES.iter().all(|case| case.name() != **name)) {
        let known: Vec<&str> = CASES.iter().map(Case::name).collect();
        eprintln!("{name}: no such function; there are {}", known.join(", "));
        return ExitCode::from(2);
    }
    let mut rows = Vec::new();
    let mut good = true;
    for case in CASES.iter().filter(|case| chosen(&arguments.functions, case.name())) {
        let start = Instant::now();
        let wide = run(case, Format::F64, arguments.points, arguments.threads);
        let narrow = run(case, Format::F32, arguments.points_f32, arguments.threads);
        let seconds = start.elapsed().as_secs_f64();
        for (format, errors) in [(Format::F64, &wide), (Format::F32, &narrow)] {
            good &= report(case, format, errors);
        }
        eprintln!("{:<10} {:.3} {:.3} ulp, {seconds:.1} s", case.name(), wide.largest(), narrow.largest());
        rows.push(row(case, &wide, &narrow));
    }
    println!("| function | f64 | f32 | largest error of f64 at |\n| --- | --- | --- | --- |");
    rows.iter().for_each(|row| println!("{row}"));
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether a function is among those asked for.
fn chosen(functions: &[String], name: &str) -> bool {
    functions.is_empty() || functions.iter().any(|function| function == name)
}

/// Measures one function in one format, on all threads.
fn run(case: &Case, format: Format, n_points: u64, n_threads: usize) -> Errors {
    let n_blocks = n_points.div_ceil(BLOCK);
    let style = ProgressStyle::with_template("{prefix:<16} {wide_bar} {percent:>3} %  {eta} left");
    let bar = ProgressBar::new(n_blocks).with_style(style.expect("the template is right"));
    bar.set_prefix(format!("{} {}", case.name(), format.name()));
    let next = AtomicU64::new(0);
    let work = || {
        let mut errors = Errors::default();
        loop {
            let block = next.fetch_add(1, Ordering::Relaxed);
            if block >= n_blocks {
                return errors;
            }
            measure(case, format, block, &mut errors);
            bar.inc(1);
        }
    };
    let errors = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..n_threads.max(1)).map(|_| scope.spawn(work)).collect();
        let parts = threads.into_iter().map(|thread| thread.join().expect("the thread ends well"));
        parts.fold(Errors::default(), Errors::merge)
    });
    bar.finish_and_clear();
    errors
}

/// Tells what is wrong with a function, and whether it is right.
fn report(case: &Case, format: Format, errors: &Errors) -> bool {
    let place = format!("{} {}", case.name(), format.name());
    for wrong in &errors.wrong {
        eprintln!("{place}: {wrong}");
    }
    let within = errors.largest() <= case.bound;
    if !within {
        eprintln!("{place}: {:.3} ulp exceed {} at {:?}", errors.largest(), case.bound, errors.place());
    }
    if case.floor.is_some() {
        let Errors { near_zero, .. } = errors;
        eprintln!("{place}: next to zeros the error exceeds {} ulp below |f| = {near_zero:.3e} only", case.bound);
    }
    within && errors.wrong.is_empty()
}

/// A row of the table.
fn row(case: &Case, wide: &Errors, narrow: &Errors) -> String {
    let place: Vec<String> = wide.place().iter().map(|x| format!("{x:e}")).collect();
    let parts = |errors: &Errors| match errors.subnormal.error > errors.normal.error {
        true => format!("{:.3} ({:.3} where normal)", errors.subnormal.error, errors.normal.error),
        false => format!("{:.3}", errors.normal.error),
    };
    format!("| `{}` | {} | {} | {} |", case.name(), parts(wide), parts(narrow), place.join(", "))
}
