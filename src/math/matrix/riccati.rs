//! Algebraic Riccati equations: the stabilizing solution, from the matrix sign function, sharpened by Newton's method.
//!
//! The stable invariant subspace of a Hamiltonian matrix is the image of `[I; X]` (J. D. Roberts, "Linear model reduction and
//! solution of the algebraic Riccati equation by use of the sign function", Int. J. Control 32 (1980)). A Cayley transform
//! maps the pencil of the discrete equation, in its extended form that inverts no weight, to such a matrix. Newton's method:
//! D. L. Kleinman (1968) and G. A. Hewer (1971), whose steps are Lyapunov equations.

use super::dense::{Dense, Factors, binary_exponent, times_power_of_two};
use super::equations::{Equation, solution};
use super::qr;
use super::schur::{Block, Schur, blocks};

/// Which equation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Time {
    /// `AᵀX + XA - XBR⁻¹BᵀX + Q = 0`.
    Continuous,
    /// `AᵀXA - X - AᵀXB (R + BᵀXB)⁻¹ BᵀXA + Q = 0`.
    Discrete,
}

/// The stabilizing solution for n states and m inputs; NaN where there is none. Of Q and R the symmetric parts count.
pub(crate) fn solve(time: Time, [a, b, q, r]: [&[f64]; 4], n: usize, m: usize, result: &mut [f64]) {
    let problem = Problem {
        time,
        a: Dense::read(a, n, n),
        b: Dense::read(b, n, m),
        q: Dense::read(q, n, n).symmetric_part(),
        r: Dense::read(r, m, m).symmetric_part(),
    };
    problem.solution().unwrap_or_else(|| Dense::nan(n, n)).write(result);
}

struct Problem {
    time: Time,
    a: Dense,
    b: Dense,
    q: Dense,
    r: Dense,
}

/// The most steps of Newton's method: it starts near the solution and doubles the digits.
const MAX_REFINEMENTS: usize = 8;

/// The residual, relative to its terms, above which a solution is none.
const MAX_RESIDUAL: f64 = 1e-7;

impl Problem {
    fn solution(&self) -> Option<Dense> {
        if ![&self.a, &self.b, &self.q, &self.r].into_iter().all(Dense::is_finite) {
            return None;
        }
        let mut x = self.subspace_solution()?;
        let mut best = self.residual(&x)?;
        for _ in 0..MAX_REFINEMENTS {
            let Some(step) = self.newton(&best) else { break };
            let next = x.clone().plus(&step).symmetric_part();
            let Some(residual) = self.residual(&next).filter(|new| new.relative < 0.5 * best.relative) else { break };
            (x, best) = (next, residual);
        }
        (best.relative <= MAX_RESIDUAL && self.is_stable(&best.closed)?).then_some(x)
    }

    /// Whether all eigenvalues of the closed loop lie left of the imaginary axis, or within the unit circle.
    fn is_stable(&self, closed: &Dense) -> Option<bool> {
        let t = Schur::new(closed)?.t;
        Some(blocks(&t).into_iter().all(|Block { start: i, size }| match (self.time, size) {
            (Time::Continuous, _) => t[(i, i)] < 0.0,
            (Time::Discrete, 1) => t[(i, i)].abs() < 1.0,
            // A block in standard form: the product of its conjugate eigenvalues.
            (Time::Discrete, _) => t[(i, i)] * t[(i, i)] - t[(i, i + 1)] * t[(i + 1, i)] < 1.0,
        }))
    }

    /// `R⁻¹BᵀX` or `(R + BᵀXB)⁻¹ BᵀXA`.
    fn gain(&self, x: &Dense) -> Option<Dense> {
        let bx = self.b.transposed_times(x);
        match self.time {
            Time::Continuous => self.r.solve(&bx),
            Time::Discrete => self.r.clone().plus(&bx.times(&self.b)).solve(&bx.times(&self.a)),
        }
    }

    fn residual(&self, x: &Dense) -> Option<Residual> {
        let gain = self.gain(x)?;
        let closed = self.a.clone().minus(&self.b.times(&gain));
        let cost = gain.transposed_times(&self.r.times(&gain));
        let (sum, size) = match self.time {
            // AᵀX + XA - KᵀRK + Q: with a cheap input, the closed loop and the gain are large, and XB is small.
            Time::Continuous => {
                let half = x.times(&self.a);
                let size = 2.0 * half.norm1();
                (half.transposed().plus(&half).minus(&cost), size)
            }
            // CᵀXC - X + KᵀRK + Q with C = A - BK, of which all but one term are positive.
            Time::Discrete => (closed.transposed_times(&x.times(&closed)).minus(x).plus(&cost), x.norm1()),
        };
        let size = size + self.q.norm1() + cost.norm1();
        let residual = sum.plus(&self.q).symmetric_part();
        let relative = if size == 0.0 { 0.0 } else { residual.norm1() / size };
        relative.is_finite().then_some(Residual { closed, residual, relative })
    }

    /// The step that solves the linearized equation: a Lyapunov equation of the closed loop.
    fn newton(&self, at: &Residual) -> Option<Dense> {
        let transposed = at.closed.transposed();
        match self.time {
            Time::Continuous => {
                solution(Equation::Sylvester, &transposed, &at.closed, &at.residual.clone().scaled(-1.0))
            }
            Time::Discrete => solution(Equation::Stein, &transposed, &at.closed, &at.residual),
        }
    }

    fn subspace_solution(&self) -> Option<Dense> {
        let n = self.a.rows();
        // With X scaled so that the blocks of the matrix are of one size.
        let weight = self.weight()?;
        let exponent = (binary_exponent(self.q.norm1()) - binary_exponent(weight)) / 2;
        let scaled = |x: &Dense, exponent: i32| x.clone().map(|x| times_power_of_two(x, exponent));
        let (q, r) = (scaled(&self.q, -exponent), scaled(&self.r, -exponent));
        let matrix = match self.time {
            Time::Continuous => self.hamiltonian(&q, &r)?,
            Time::Discrete => self.transformed_pencil(&q, &r)?,
        };
        let mut sign = sign(matrix)?;
        sign.shift(1.0);
        // (sign + I) · [I; X; …] = 0.
        let size = sign.rows();
        let rhs = sign.block(0, 0, size, n).scaled(-1.0);
        let x = least_squares(&sign.block(0, n, size, size - n), &rhs)?;
        Some(scaled(&x.block(0, 0, n, n), exponent).symmetric_part())
    }

    /// The size of `B R⁻¹ Bᵀ`, or an estimate of it.
    fn weight(&self) -> Option<f64> {
        match self.time {
            Time::Continuous => Some(self.b.times(&self.r.solve(&self.b.transposed())?).norm1()),
            Time::Discrete => {
                let (b, r) = (self.b.norm1(), self.r.norm1());
                Some(if r == 0.0 { 0.0 } else { b / r * b })
            }
        }
    }

    fn hamiltonian(&self, q: &Dense, r: &Dense) -> Option<Dense> {
        let n = self.a.rows();
        let mut h = Dense::zeros(2 * n, 2 * n);
        h.set_block(0, 0, &self.a);
        h.set_block(0, n, &self.b.times(&r.solve(&self.b.transposed())?).scaled(-1.0));
        h.set_block(n, 0, &q.clone().scaled(-1.0));
        h.set_block(n, n, &self.a.transposed().scaled(-1.0));
        Some(h)
    }

    /// `(M + L)⁻¹ (M - L)` of the pencil `M - λL` with M = [[A, 0, B], [-Q, I, 0], [0, 0, R]] and L = [[I, 0, 0], [0, Aᵀ, 0],
    /// [0, -Bᵀ, 0]]: eigenvalues within the unit circle move to the left half plane, infinite ones to 1.
    fn transformed_pencil(&self, q: &Dense, r: &Dense) -> Option<Dense> {
        let (n, m) = (self.a.rows(), self.b.columns());
        let size = 2 * n + m;
        let (mut first, mut second) = (Dense::zeros(size, size), Dense::zeros(size, size));
        first.set_block(0, 0, &self.a);
        first.set_block(0, 2 * n, &self.b);
        first.set_block(n, 0, &q.clone().scaled(-1.0));
        first.set_block(n, n, &Dense::identity(n));
        first.set_block(2 * n, 2 * n, r);
        second.set_block(0, 0, &Dense::identity(n));
        second.set_block(n, n, &self.a.transposed());
        second.set_block(2 * n, n, &self.b.transposed().scaled(-1.0));
        first.clone().plus(&second).solve(&first.minus(&second))
    }
}

/// What an approximate solution leaves of the equation.
struct Residual {
    closed: Dense,
    residual: Dense,
    relative: f64,
}

/// The most steps of the sign iteration: scaled, it takes about ten, and more only by eigenvalues near the imaginary axis.
const MAX_STEPS: usize = 100;

/// The matrix sign function, by Newton's iteration with scaling by norms (Higham, "Functions of Matrices", 2008, chapter 5);
/// `None` where an eigenvalue is imaginary.
fn sign(mut x: Dense) -> Option<Dense> {
    let identity = Dense::identity(x.rows());
    let mut scales = true;
    let mut previous = f64::INFINITY;
    for _ in 0..MAX_STEPS {
        let inverse = Factors::new(&x)?.solve(&identity)?;
        let factor = if scales { (inverse.norm1() / x.norm1()).sqrt() } else { 1.0 };
        let next = x.clone().scaled(0.5 * factor).plus(&inverse.scaled(0.5 / factor));
        let size = next.norm1();
        let change = next.clone().minus(&x).norm1() / size;
        if !change.is_finite() {
            return None;
        }
        x = next;
        // From here on the number of digits doubles.
        scales &= change > 1e-2;
        if !scales && (change <= 1e-14 || (change < 1e-6 && change >= 0.5 * previous)) {
            return Some(x);
        }
        previous = change;
    }
    None
}

/// The X that minimizes `‖a X - b‖`; `None` where columns depend on each other.
fn least_squares(a: &Dense, b: &Dense) -> Option<Dense> {
    let (m, n) = (a.rows(), a.columns());
    let (mut q, mut r) = (Dense::zeros(m, n), Dense::zeros(n, n));
    qr(a.rows_of(0, m), [m, n], q.rows_mut(0, m), r.rows_mut(0, n));
    r.solve(&q.transposed_times(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_loops_are_stable_by_all_their_eigenvalues() {
        let matrix = |x: [f64; 4]| Dense::read(&x, 2, 2);
        let is_stable = |time: Time, closed: [f64; 4]| {
            let [a, b, q, r] = [(); 4].map(|()| Dense::identity(1));
            Problem { time, a, b, q, r }.is_stable(&matrix(closed)).unwrap()
        };
        // Conjugate and real eigenvalues on both sides of the boundary.
        for (closed, continuous, discrete) in [
            ([-0.1, 1.0, -1.0, -0.1], true, false),
            ([0.1, 1.0, -1.0, 0.1], false, false),
            ([0.1, 0.9, -0.9, 0.1], false, true),
            ([-0.1, 0.9, -0.9, -0.1], true, true),
            ([-2.0, 9.0, 0.0, -1e-3], true, false),
            ([-2.0, 9.0, 0.0, 1e-3], false, false),
            ([-0.9, 9.0, 0.0, 0.9], false, true),
            ([0.9, 9.0, 0.0, -1.1], false, false),
            ([0.0, 1.0, -1.0, 0.0], false, false),
        ] {
            assert_eq!(is_stable(Time::Continuous, closed), continuous, "{closed:?}");
            assert_eq!(is_stable(Time::Discrete, closed), discrete, "{closed:?}");
        }
    }
}
