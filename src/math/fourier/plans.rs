//! Plans, of which equal ones are shared.

use std::collections::{HashMap, VecDeque};
use std::f64::consts::FRAC_PI_4;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use rustfft::num_complex::Complex;
use rustfft::{Fft, FftDirection, FftPlanner};

use super::Real;
use super::lines::GATHERED;
use crate::math::Unary;

/// What is transformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Complex lines.
    Complex {
        /// Whether exponents are positive.
        inverse: bool,
    },
    /// Real lines to bins.
    Forward,
    /// Bins to real lines.
    Backward,
}

impl Kind {
    fn direction(self) -> FftDirection {
        match self {
            Kind::Complex { inverse: false } | Kind::Forward => FftDirection::Forward,
            Kind::Complex { inverse: true } | Kind::Backward => FftDirection::Inverse,
        }
    }

    /// Whether a line of that length is transformed as a complex one of half of it.
    fn is_packed(self, n: usize) -> bool {
        n > 0 && n.is_multiple_of(2) && !matches!(self, Kind::Complex { .. })
    }

    /// The lengths of the complex transform, and of the buffer that it does not find elsewhere.
    fn lengths(self, n: usize) -> [usize; 2] {
        match self {
            Kind::Backward if n.is_multiple_of(2) => [n / 2, 0],
            _ if self.is_packed(n) => [n / 2; 2],
            _ => [n; 2],
        }
    }
}

/// All that transforms of one length need: the factors of rustfft, those of real lines, and memory to work in.
pub(crate) struct Plan<T: Real> {
    /// The length of lines.
    pub(super) n: usize,
    /// The complex transform; that of one number is the number.
    fft: Option<Arc<dyn Fft<T>>>,
    /// For real lines of even length `n`: `exp(2πik/n)` for k from 0 to n/4.
    pub(super) turns: Vec<Complex<T>>,
    n_buffer: usize,
    n_scratch: usize,
    /// Memory that no call uses just now.
    spaces: Mutex<Vec<Memory<T>>>,
}

/// The buffer with what rustfft needs beside it, and room for gathered lines.
type Memory<T> = (Vec<Complex<T>>, Vec<T>);

/// Memory of a call.
pub(super) struct Space<'a, T> {
    buffer: &'a mut [Complex<T>],
    scratch: &'a mut [Complex<T>],
    /// Lines that do not lie in one piece.
    pub gathered: &'a mut Vec<T>,
}

impl<'a, T> Space<'a, T> {
    /// The buffer, and what rustfft needs beside it.
    pub fn parts(&mut self) -> [&'a mut [Complex<T>]; 2] {
        [&mut self.buffer, &mut self.scratch].map(std::mem::take)
    }
}

/// How much memory is kept for calls of one plan at the same time; further ones ask for their own.
const MAX_SPACES: usize = 4;

impl<T: Real> Plan<T> {
    fn new(kind: Kind, n: usize) -> Plan<T> {
        let [n_transform, n_buffer] = kind.lengths(n);
        let fft = (n_transform > 1).then(|| FftPlanner::new().plan_fft(n_transform, kind.direction()));
        let n_scratch = fft.as_ref().map_or(0, |fft| match kind {
            Kind::Forward if kind.is_packed(n) => fft.get_immutable_scratch_len(),
            _ => fft.get_inplace_scratch_len(),
        });
        let turns = if kind.is_packed(n) { (0..=n / 4).map(|k| turn(k, n)).collect() } else { Vec::new() };
        Plan { n, fft, turns, n_buffer, n_scratch, spaces: Mutex::default() }
    }

    /// Transforms one line in place.
    pub(super) fn transform(&self, line: &mut [Complex<T>], scratch: &mut [Complex<T>]) {
        if let Some(fft) = &self.fft {
            fft.process_with_scratch(line, scratch);
        }
    }

    /// Transforms one line to another place.
    pub(super) fn transformed(&self, line: &[Complex<T>], result: &mut [Complex<T>], scratch: &mut [Complex<T>]) {
        match &self.fft {
            Some(fft) => fft.process_immutable_with_scratch(line, result, scratch),
            None => result.copy_from_slice(line),
        }
    }

    /// The numbers that a call works on, and the factors of its own.
    #[cfg(test)]
    pub fn n_numbers(&self) -> usize {
        2 * (self.n_buffer + self.n_scratch + self.turns.len())
    }

    pub(super) fn with_space(&self, call: impl FnOnce(Space<'_, T>)) {
        let kept = lock(&self.spaces).pop();
        let new = || (vec![Complex::new(T::ZERO, T::ZERO); self.n_buffer + self.n_scratch], Vec::new());
        let mut memory = kept.unwrap_or_else(new);
        let (buffer, scratch) = memory.0.split_at_mut(self.n_buffer);
        call(Space { buffer, scratch, gathered: &mut memory.1 });
        let mut spaces = lock(&self.spaces);
        if spaces.len() < MAX_SPACES {
            spaces.push(memory);
        }
    }
}

/// At most so many bytes are taken by a plan for lines of that many numbers of that size, and by a call of it.
pub(crate) fn bytes(kind: Kind, n: usize, n_lines: usize, size: usize) -> usize {
    let [n_transform, n_buffer] = kind.lengths(n);
    // Lengths with large prime factors are a convolution of at least twice the length, of which the factors, the
    // transformed kernel and the memory to work in are kept.
    let transform = n_transform.saturating_mul(if is_smooth(n_transform) { 6 } else { 24 }).saturating_add(64);
    let complex = transform.saturating_add(n_buffer).saturating_add(n / 4 + 1);
    let gathered = n.saturating_add(GATHERED).saturating_mul(2 * GATHERED.min(n_lines));
    complex.saturating_mul(2).saturating_add(gathered).saturating_mul(size)
}

/// Whether all prime factors are small.
fn is_smooth(n: usize) -> bool {
    let without = |mut n: usize, prime: usize| {
        while n > 0 && n.is_multiple_of(prime) {
            n /= prime;
        }
        n
    };
    [2, 3, 5, 7].into_iter().fold(n, without) <= 1
}

/// `exp(2πik/n)`, from an angle in the first eighth of a turn, which is the most accurate.
fn turn<T: Real>(k: usize, n: usize) -> Complex<T> {
    let (n, eight_k) = (n as u128, 8 * k as u128);
    let (octant, rest) = (eight_k / n, eight_k % n);
    // Odd octants are measured from their end.
    let rest = if octant % 2 == 1 { n - rest } else { rest };
    let angle = FRAC_PI_4 * (rest as f64 / n as f64);
    let [sin, cos] = [Unary::Sin, Unary::Cos].map(|f| T::of(f.f64(angle)));
    let (re, im) = match octant % 8 {
        0 => (cos, sin),
        1 => (sin, cos),
        2 => (-sin, cos),
        3 => (-cos, sin),
        4 => (-cos, -sin),
        5 => (-sin, -cos),
        6 => (sin, -cos),
        _ => (cos, -sin),
    };
    Complex::new(re, im)
}

/// The plans of one precision. Programs hold theirs; beside them the latest are kept, for the interpreter and for the
/// next program.
pub(crate) struct Plans<T: Real>(LazyLock<Mutex<Known<T>>>);

struct Known<T: Real> {
    plans: HashMap<(Kind, usize), Weak<Plan<T>>>,
    latest: VecDeque<Arc<Plan<T>>>,
}

/// How many plans are kept that no program may hold, of lines of at most so many numbers.
const MAX_LATEST: usize = 16;
const MAX_LATEST_LENGTH: usize = 1 << 20;

impl<T: Real> Plans<T> {
    pub(super) const fn new() -> Plans<T> {
        Plans(LazyLock::new(|| Mutex::new(Known { plans: HashMap::new(), latest: VecDeque::new() })))
    }

    /// How many hold a plan.
    #[cfg(test)]
    pub fn n_holders(&self, kind: Kind, n: usize) -> usize {
        lock(&self.0).plans.get(&(kind, n)).map_or(0, Weak::strong_count)
    }

    pub(super) fn get(&self, kind: Kind, n: usize) -> Arc<Plan<T>> {
        if let Some(plan) = lock(&self.0).plans.get(&(kind, n)).and_then(Weak::upgrade) {
            return plan;
        }
        // It may take long, and others need not wait for it. Two that make the same plan share the first that is done.
        let made = Arc::new(Plan::new(kind, n));
        let mut known = lock(&self.0);
        if let Some(plan) = known.plans.get(&(kind, n)).and_then(Weak::upgrade) {
            return plan;
        }
        known.plans.retain(|_, plan| plan.strong_count() > 0);
        known.plans.insert((kind, n), Arc::downgrade(&made));
        if n <= MAX_LATEST_LENGTH {
            known.latest.push_back(Arc::clone(&made));
        }
        // A plan is dropped when the lock is free again.
        let _dropped = if known.latest.len() > MAX_LATEST { known.latest.pop_front() } else { None };
        drop(known);
        made
    }
}

/// What a lock protects is whole at any time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
