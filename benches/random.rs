//! How many random numbers a second, on one core: `cargo bench --bench random` prints a table. Each program writes an array
//! of one length, and is measured with arrays within and beyond the caches. A column of `GB/s` is what is written; the
//! bound of the generator itself is 20 rounds for each 64 bits, some 110 instructions on eight (AVX2) or sixteen
//! (AVX-512) counters at a time.

use std::hint::black_box;
use std::time::{Duration, Instant};

use retrograd::optimize::optimize;
use retrograd::value::{Array, DType, Type};
use retrograd::{Program, Var, random, trace};

/// The lengths of arrays.
const LENGTHS: [usize; 2] = [1 << 12, 1 << 20];
/// The measurement time per program.
const PATIENCE: Duration = Duration::from_millis(300);

/// A function of a key and a length.
type Draw = fn(Var, usize) -> Var;

const ROWS: [(&str, Draw); 9] = [
    ("bits", |key, n| random::bits(key, [n])),
    ("bits32", |key, n| random::bits32(key, [n])),
    ("uniform f64", |key, n| random::uniform(key, [n], 0.0..1.0)),
    ("uniform f32", |key, n| random::uniform(key, Type::new(DType::F32, [n]), 0.0..1.0)),
    ("normal f64", |key, n| random::normal(key, [n])),
    ("normal f32", |key, n| random::normal(key, Type::new(DType::F32, [n]))),
    ("exponential f64", |key, n| random::exponential(key, [n])),
    ("integers", |key, n| random::integers(key, [n], 0..6)),
    ("gamma 2.5 f64", |key, n| random::gamma(key, 2.5, [n])),
];

fn main() {
    println!("{:16} {:>9} {:>12} {:>9} {:>9}", "", "length", "million/s", "ns each", "GB/s");
    for (name, draw) in ROWS {
        for n in LENGTHS {
            // Rejection takes a loop for each number: one length says it.
            if name.starts_with("gamma") && n == LENGTHS[1] {
                continue;
            }
            row(name, n, draw);
        }
    }
}

fn row(name: &str, n: usize, draw: Draw) {
    let graph = trace(|seed: Var| draw(random::key(seed), n), (Type::scalar(DType::I64),)).expect("a graph");
    let size = graph.ty(graph.outputs()[0].value).dtype.size();
    let program = Program::compile(&optimize(&graph).expect("a graph")).expect("a program");
    let seconds = seconds_of(&program) / n as f64;
    let (millions, gigabytes) = (1e-6 / seconds, 1e-9 * size as f64 / seconds);
    println!("{name:16} {n:9} {millions:12.0} {:9.2} {gigabytes:9.2}", 1e9 * seconds);
}

/// The shortest of many calls: what others do on the machine only adds to it.
fn seconds_of(program: &Program) -> f64 {
    let begin = Instant::now();
    let mut best = f64::INFINITY;
    let mut seed = 0i64;
    while begin.elapsed() < PATIENCE {
        seed += 1;
        let input = [Array::scalar(seed)];
        let start = Instant::now();
        black_box(program.call(&input).expect("a result"));
        best = best.min(start.elapsed().as_secs_f64());
    }
    best
}
