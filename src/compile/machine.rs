//! What the machine can do at best, measured with code as programs of this crate are made of: the roofs under which their
//! kernels run.

use std::hint::black_box;
use std::time::{Duration, Instant};

use super::Program;
use crate::emit::{Code, Emitter, FunctionId, Mode, Module, Pointer, Reg, short, signed};
use crate::error::Error;
use crate::ir::Provenance;
use crate::math;
use crate::op::{DotGeneral, Graph, TILE};
use crate::value::{Array, ArrayMut, DType, Scalar, Type};

/// What the machine can do at best, in one thread.
///
/// ```
/// use retrograd::compile::Machine;
///
/// let mut machine = Machine::measure()?;
/// assert!(machine.memory_bandwidth > 1e7 && machine.f64_flops > 1e7 && machine.f32_flops > 1e7);
/// assert!(machine.product_flops > 1e7 && machine.calls > 1e5);
/// assert!(machine.bandwidth(20_000) > 1e7);
/// # Ok::<(), retrograd::Error>(())
/// ```
pub struct Machine {
    /// Bytes a second from and to memory, by the triad `x[i] = y[i] + s · z[i]` (McCalpin, "STREAM", 1995) over arrays that
    /// do not fit into the caches. What the processor reads only because it is about to be written does not count.
    pub memory_bandwidth: f64,
    /// Multiplications and additions of `f64` a second, in the lanes that compiled code uses, without memory.
    pub f64_flops: f64,
    /// The same of `f32`.
    pub f32_flops: f64,
    /// Operations a second within a product of two matrices of `f64`. The routine uses wider lanes, and fuses them.
    pub product_flops: f64,
    /// Elements a second of which `exp` is computed, for rows of them in the first-level cache.
    pub calls: f64,
    probes: Probes,
    /// Elements of each array of the triad.
    arrays: [Vec<f64>; 3],
}

/// How long each number is measured at least.
const BUDGET: Duration = Duration::from_millis(10);

/// The bytes of the largest cache, where the system does not tell.
const DEFAULT_CACHE: usize = 32 << 20;

/// No more memory than that is taken, however large the caches are.
const MAX_BYTES: usize = 512 << 20;

impl Machine {
    /// Measures the machine, in some tenths of a second. The best of several runs counts, so that what else the machine
    /// does matters little.
    ///
    /// # Errors
    /// If Cranelift has no backend for this machine, or the system refuses memory for code.
    pub fn measure() -> Result<Machine, Error> {
        let n = (4 * largest_cache()).clamp(DEFAULT_CACHE, MAX_BYTES) / (3 * size_of::<f64>());
        let mut machine = Machine {
            memory_bandwidth: 0.0,
            f64_flops: 0.0,
            f32_flops: 0.0,
            product_flops: product_flops()?,
            calls: 0.0,
            probes: Probes::new()?,
            arrays: [(); 3].map(|()| vec![0.0; n]),
        };
        machine.memory_bandwidth = machine.bandwidth(usize::MAX);
        [machine.f64_flops, machine.f32_flops] = [F64, F32].map(|probe| machine.flops(probe));
        machine.calls = machine.calls();
        Ok(machine)
    }

    /// Bytes a second, by the same triad, where all three arrays together have that size: within the caches it is more.
    /// Below some kilobytes it is what these have, and above the size of the caches it is that of memory.
    pub fn bandwidth(&mut self, bytes: usize) -> f64 {
        const LEAST: usize = 4096;
        let n = (bytes / (3 * size_of::<f64>())).clamp(LEAST / size_of::<f64>(), self.arrays[0].len());
        let n = n - n % TRIAD_STEP;
        let [x, y, z] = &mut self.arrays;
        let mut places = [x, y, z].map(|array| array.as_mut_ptr().cast());
        // The first three runs give the system's pages to all arrays.
        let time = best(3, || {
            places.rotate_left(1);
            // SAFETY: each array has `n` elements at least.
            unsafe { self.probes.run(self.probes.triad, &places, n) };
        });
        (3 * n * size_of::<f64>()) as f64 / time
    }

    fn flops(&mut self, (dtype, probe): (DType, usize)) -> f64 {
        const TRIPS: usize = 20_000;
        let places = [self.arrays[0].as_mut_ptr().cast(); 3];
        // SAFETY: the first array has room for the registers of the loop.
        let time = best(0, || unsafe { self.probes.run(self.probes.flops[probe], &places, TRIPS) });
        (TRIPS * UNROLL * CHAINS * 2 * usize::from(lanes(dtype))) as f64 / time
    }

    fn calls(&mut self) -> f64 {
        const ROUNDS: usize = 100;
        let [x, y, z] = &mut self.arrays;
        let places = [x, y, z].map(|array| array.as_mut_ptr().cast());
        // SAFETY: the arrays have more elements than a tile.
        let time = best(0, || unsafe { self.probes.run(self.probes.exp, &places, ROUNDS) });
        (ROUNDS * TILE) as f64 / time
    }
}

const F64: (DType, usize) = (DType::F64, 0);
const F32: (DType, usize) = (DType::F32, 1);

/// Chains of operations that do not wait for each other: enough for the latency of each, and not too many for registers.
const CHAINS: usize = 12;

/// How often a chain goes on within one iteration.
const UNROLL: usize = 4;

/// Elements of a iteration of the triad: as loops over arrays are unrolled.
const TRIAD_STEP: usize = 8;

fn lanes(dtype: DType) -> u8 {
    if dtype == DType::F32 { 4 } else { 2 }
}

/// The loops that are measured. Each finds three addresses and a number of iterations in its table.
struct Probes {
    code: Code,
    triad: FunctionId,
    flops: [FunctionId; 2],
    exp: FunctionId,
}

impl Probes {
    fn new() -> Result<Probes, Error> {
        let mut module = Module::new(Mode::default())?;
        let triad = module.function(triad);
        let flops = [F64, F32].map(|(dtype, _)| module.function(|e| multiply_add(e, dtype)));
        let exp = module.function(exponentials);
        Ok(Probes { code: module.finish()?.0, triad, flops, exp })
    }

    /// # Safety
    /// The addresses must be those of memory as large as the function needs for so many iterations.
    unsafe fn run(&self, function: FunctionId, places: &[*mut u8; 3], n: usize) {
        let bases = [places[0], places[1], places[2], std::ptr::without_provenance_mut(n)];
        // SAFETY: the code has this signature and lives as long as `self`; the rest is this function's contract.
        let code: extern "C" fn(*const *mut u8) -> i32 = unsafe { std::mem::transmute(self.code.address(function)) };
        let status = black_box(code(black_box(bases.as_ptr())));
        debug_assert_eq!(status, 0, "bug: a probe that fails");
    }
}

/// `x[i] = y[i] + s · z[i]`.
fn triad(e: &mut Emitter<'_>) {
    e.load_bases(0..4);
    let [x, y, z, n] = [0, 1, 2, 3].map(|entry| e.base(entry));
    let s = e.constant(Scalar::F64(0.5), 2);
    let zero = e.index(0);
    e.for_each(zero, n, signed(TRIAD_STEP), &[], |e, i, _| {
        let [x, y, z] = [x, y, z].map(|start| e.advance(start, i, 8));
        for offset in (0..short(8 * TRIAD_STEP)).step_by(16) {
            let [y, z] = [y, z].map(|place| e.load(place, offset, DType::F64, 2));
            let scaled = e.mul(z, s);
            let sum = e.add(y, scaled);
            e.store(sum, x, offset);
        }
        Vec::new()
    });
}

/// Chains of `x = x · 0.5 + 1`, which stay near 2.
fn multiply_add(e: &mut Emitter<'_>, dtype: DType) {
    let lanes = lanes(dtype);
    let [place, n]: [Pointer; 2] = [0, 3].map(|entry| e.base(entry));
    let [half, one] = [0.5, 1.0].map(|x| e.constant(Scalar::F64(x).convert(dtype), lanes));
    let chains: Vec<Reg> = (0..CHAINS).map(|k| e.constant(Scalar::F64(k as f64).convert(dtype), lanes)).collect();
    let zero = e.index(0);
    let (_, chains) = e.for_each(zero, n, 1, &chains, |e, _, chains| {
        let mut chains = chains.to_vec();
        for _ in 0..UNROLL {
            for x in &mut chains {
                let scaled = e.mul(*x, half);
                *x = e.add(scaled, one);
            }
        }
        chains
    });
    chains.iter().zip(0..).for_each(|(&x, k)| e.store(x, place, 16 * k));
}

/// `exp` of a tile, again and again.
fn exponentials(e: &mut Emitter<'_>) {
    e.load_bases(0..4);
    let [x, y, n] = [0, 1, 3].map(|entry| e.base(entry));
    let (zero, tile) = (e.index(0), e.index(signed(TILE)));
    e.for_each(zero, n, 1, &[], |e, _, _| {
        e.slice_math1(math::Unary::Exp, DType::F64, x, y, tile);
        Vec::new()
    });
}

fn product_flops() -> Result<f64, Error> {
    const N: usize = 256;
    let ty = Type::new(DType::F64, [N, N]);
    let mut graph = Graph::new("product");
    let [x, y] = [graph.add_input("x", ty.clone())?, graph.add_input("y", ty.clone())?];
    let op = DotGeneral { contract: [vec![1], vec![0]], batch: [vec![], vec![]] };
    let product = graph.add(op.into(), &[x, y], Provenance::default())?;
    graph.add_output("z", product.into())?;
    let program = Program::compile(&graph)?;
    let (x, mut z) = (Array::full(&ty, Scalar::F64(0.5)), Array::zeros(&ty));
    let mut outputs: [ArrayMut<'_>; 1] = [z.view_mut()];
    program.call_into(&[x.view(), x.view()], &mut outputs)?;
    let time = best(1, || {
        let outcome = program.call_into(&[x.view(), x.view()], &mut outputs);
        debug_assert!(outcome.is_ok(), "bug: a product that failed only once");
    });
    Ok((2 * N * N * N) as f64 / time)
}

/// The shortest time of a run, in seconds, after some that do not count.
fn best(n_warm: usize, mut run: impl FnMut()) -> f64 {
    (0..n_warm).for_each(|_| run());
    let (begin, mut shortest, mut n_runs) = (Instant::now(), Duration::MAX, 0);
    while n_runs < 5 || begin.elapsed() < BUDGET {
        let start = Instant::now();
        run();
        shortest = shortest.min(start.elapsed());
        n_runs += 1;
    }
    shortest.as_secs_f64().max(1e-9)
}

/// The bytes of the largest cache of the first processor, as Linux tells them.
fn largest_cache() -> usize {
    let size = |k: usize| {
        let text = std::fs::read_to_string(format!("/sys/devices/system/cpu/cpu0/cache/index{k}/size")).ok()?;
        let text = text.trim();
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let unit = match unit {
            "" => 1,
            "K" => 1 << 10,
            "M" => 1 << 20,
            _ => return None,
        };
        number.parse::<usize>().ok()?.checked_mul(unit)
    };
    (0..8).filter_map(size).max().unwrap_or(DEFAULT_CACHE)
}
