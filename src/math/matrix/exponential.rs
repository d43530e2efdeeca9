//! Exponentials of matrices and their directional derivatives.
//!
//! Padé approximants with scaling and squaring. N. J. Higham, "The scaling and squaring method for the matrix exponential
//! revisited", SIAM J. Matrix Anal. Appl. 26 (2005); A. H. Al-Mohy and N. J. Higham, "A new scaling and squaring algorithm
//! for the matrix exponential", 31 (2009), which bounds the scaling by norms of powers; the same, "Computing the Fréchet
//! derivative of the matrix exponential", 30 (2009), and "Computing the action of the matrix exponential", SIAM J. Sci.
//! Comput. 33 (2011).

use super::dense::{Dense, Factors, binary_exponent, times_power_of_two};
use crate::math::Unary;

/// The exponential of a matrix.
pub(crate) fn expm(a: &[f64], n: usize, result: &mut [f64]) {
    exponential(&Dense::read(a, n, n)).unwrap_or_else(|| Dense::nan(n, n)).write(result);
}

/// The derivative of the exponential at `a` in direction `e`; a direction that is 0 gives 0, whatever the matrix is.
pub(crate) fn expm_frechet(a: &[f64], e: &[f64], n: usize, result: &mut [f64]) {
    let (a, e) = (Dense::read(a, n, n), Dense::read(e, n, n));
    if e.is_zero() {
        return Dense::zeros(n, n).write(result);
    }
    frechet(&a, &e).unwrap_or_else(|| Dense::nan(n, n)).write(result);
}

/// The exponential of a matrix times another.
pub(crate) fn expm_multiply(a: &[f64], b: &[f64], n: usize, columns: usize, result: &mut [f64]) {
    let (a, b) = (Dense::read(a, n, n), Dense::read(b, n, columns));
    action(&a, b).unwrap_or_else(|| Dense::nan(n, columns)).write(result);
}

/// `None` where it is NaN or overflows.
fn exponential(a: &Dense) -> Option<Dense> {
    if !a.is_finite() {
        return None;
    }
    if let Some(diagonal) = of_diagonal(a) {
        return Some(diagonal);
    }
    let balanced = Balanced::new(a);
    let a = &balanced.matrix;
    let exponent = scale(a.norm1());
    let powers = Powers::new(Dual { x: a.clone().map(|x| times_power_of_two(x, -exponent)), t: None }, exponent);
    let (degree, squarings) = powers.degree();
    let result = balanced.restore(powers.exponential(degree, squarings)?.x);
    result.is_finite().then_some(result)
}

/// The exponential of a diagonal matrix, of which no element depends on others.
fn of_diagonal(a: &Dense) -> Option<Dense> {
    let n = a.rows();
    let is_diagonal = (0..n).all(|i| (0..n).all(|k| i == k || a[(i, k)] == 0.0));
    is_diagonal.then(|| Dense::from_fn(n, n, |i, k| if i == k { Unary::Exp.f64(a[(i, i)]) } else { 0.0 }))
}

/// `None` where it is NaN or overflows.
fn frechet(a: &Dense, e: &Dense) -> Option<Dense> {
    if !a.is_finite() || !e.is_finite() {
        return None;
    }
    let balanced = Balanced::new(a);
    let (a, e) = (&balanced.matrix, balanced.transform(e));
    let size = a.norm1();
    let exponent = scale(size);
    // The derivative is linear in its direction, which is scaled to the size of 1.
    let own = binary_exponent(e.norm1());
    let scaled = |x: &Dense, exponent: i32| x.clone().map(|x| times_power_of_two(x, -exponent));
    let powers = Powers::new(Dual { x: scaled(a, exponent), t: Some(scaled(&e, own)) }, exponent);
    let bounds = [1.08e-2, 2.00e-1, 7.83e-1, 1.78];
    let (degree, squarings) = match bounds.iter().position(|&bound| size <= bound) {
        Some(position) => (3 + 2 * position, 0),
        None => (13, log2_ceil(size, 4.74)),
    };
    let result = powers.exponential(degree, squarings)?.t?;
    let result = balanced.restore(result.map(|x| times_power_of_two(x, own - exponent)));
    result.is_finite().then_some(result)
}

/// The binary exponent of norms up to which the sixth power of a matrix does not overflow.
const MODERATE: i32 = 160;

/// The power of two by which a matrix of that norm is scaled down before powers are formed.
fn scale(norm: f64) -> i32 {
    (binary_exponent(norm) - MODERATE).max(0)
}

/// A matrix `B` with `A = D B D⁻¹` for a diagonal D of powers of two: A itself, unless its norm is so large that powers of it
/// would have to be scaled, and small elements of these would be lost.
struct Balanced {
    matrix: Dense,
    /// The exponents of D.
    exponents: Vec<i32>,
}

/// The most passes over rows and columns: after one per row nothing is left to gain from a triangular matrix.
const MAX_PASSES: usize = 32;

impl Balanced {
    /// Rows and columns are brought to one size (E. E. Osborne, "On pre-conditioning of matrices", J. ACM 7 (1960)).
    fn new(a: &Dense) -> Balanced {
        let n = a.rows();
        let mut balanced = Balanced { matrix: a.clone(), exponents: vec![0; n] };
        if scale(a.norm1()) == 0 {
            return balanced;
        }
        for _ in 0..MAX_PASSES {
            let mut changes = false;
            for i in 0..n {
                let by = balanced.gain(i);
                changes |= by != 0;
                balanced.exponents[i] += by;
                for k in (0..n).filter(|&k| k != i) {
                    balanced.matrix[(i, k)] = times_power_of_two(balanced.matrix[(i, k)], -by);
                    balanced.matrix[(k, i)] = times_power_of_two(balanced.matrix[(k, i)], by);
                }
            }
            if !changes {
                break;
            }
        }
        balanced
    }

    /// The power of two by which a row is divided and a column multiplied.
    fn gain(&self, i: usize) -> i32 {
        let others = || (0..self.matrix.rows()).filter(|&k| k != i);
        let row = others().map(|k| self.matrix[(i, k)].abs()).fold(0.0, f64::max);
        let column = others().map(|k| self.matrix[(k, i)].abs()).fold(0.0, f64::max);
        match (row == 0.0, column == 0.0) {
            (true, true) => 0,
            (false, true) => binary_exponent(row).max(0),
            (true, false) => -binary_exponent(column).max(0),
            (false, false) => (binary_exponent(row) - binary_exponent(column)) / 2,
        }
    }

    /// `D⁻¹ X D`.
    fn transform(&self, x: &Dense) -> Dense {
        self.scaled(x, -1)
    }

    /// `D X D⁻¹`.
    fn restore(&self, x: Dense) -> Dense {
        self.scaled(&x, 1)
    }

    fn scaled(&self, x: &Dense, sign: i32) -> Dense {
        let by = |i: usize, k: usize| sign * (self.exponents[i] - self.exponents[k]);
        Dense::from_fn(x.rows(), x.columns(), |i, k| times_power_of_two(x[(i, k)], by(i, k)))
    }
}

/// The least s ≥ 0 with `x / bound ≤ 2^s`.
fn log2_ceil(x: f64, bound: f64) -> i32 {
    let ratio = x / bound;
    if ratio <= 1.0 {
        return 0;
    }
    // x · 2^-exponent lies in [1/2, 1).
    let exponent = binary_exponent(ratio);
    if times_power_of_two(ratio, -exponent) == 0.5 { exponent - 1 } else { exponent }
}

/// A matrix that depends on a number, with its derivative by it.
#[derive(Clone)]
struct Dual {
    x: Dense,
    t: Option<Dense>,
}

impl Dual {
    fn times(&self, rhs: &Dual) -> Dual {
        let t = self.t.as_ref().zip(rhs.t.as_ref());
        let t = t.map(|(a, b)| a.times(&rhs.x).plus(&self.x.times(b)));
        Dual { x: self.x.times(&rhs.x), t }
    }

    fn scaled(self, exponent: i32) -> Dual {
        let scale = |x: Dense| x.map(|x| times_power_of_two(x, exponent));
        Dual { x: scale(self.x), t: self.t.map(scale) }
    }

    fn with(self, rhs: &Dual, f: impl Fn(Dense, &Dense) -> Dense) -> Dual {
        let t = self.t.zip(rhs.t.as_ref()).map(|(a, b)| f(a, b));
        Dual { x: f(self.x, &rhs.x), t }
    }

    /// `Σ factor · power`, and a multiple of the identity.
    fn sum(terms: &[(f64, &Dual)], shift: f64) -> Dual {
        let zero = |x: &Dense| Dense::zeros(x.rows(), x.columns());
        let first = terms[0].1;
        let mut sum = Dual { x: zero(&first.x), t: first.t.as_ref().map(zero) };
        for (factor, term) in terms {
            sum.x.add(*factor, &term.x);
            if let (Some(t), Some(term)) = (&mut sum.t, &term.t) {
                t.add(*factor, term);
            }
        }
        sum.x.shift(shift);
        sum
    }

    /// The X of `self · X = rhs`: its derivative solves `self · X' = rhs' - self' · X`.
    fn solve(&self, rhs: &Dual) -> Option<Dual> {
        let factors = Factors::new(&self.x)?;
        let x = factors.solve(&rhs.x)?;
        let t = match (&self.t, &rhs.t) {
            (Some(a), Some(b)) => Some(factors.solve(&b.clone().minus(&a.times(&x)))?),
            _ => None,
        };
        Some(Dual { x, t })
    }
}

/// The first even powers of a matrix, which is scaled by a power of two so that all are of moderate size.
struct Powers {
    first: Dual,
    second: Dual,
    fourth: Dual,
    sixth: Dual,
    /// The matrix is that of which the exponential is asked for, times 2^-exponent.
    exponent: i32,
}

/// The coefficients of the numerators of the Padé approximants.
const DEGREE_3: [f64; 4] = [120.0, 60.0, 12.0, 1.0];
const DEGREE_5: [f64; 6] = [30240.0, 15120.0, 3360.0, 420.0, 30.0, 1.0];
const DEGREE_7: [f64; 8] = [17297280.0, 8648640.0, 1995840.0, 277200.0, 25200.0, 1512.0, 56.0, 1.0];
const DEGREE_9: [f64; 10] =
    [17643225600.0, 8821612800.0, 2075673600.0, 302702400.0, 30270240.0, 2162160.0, 110880.0, 3960.0, 90.0, 1.0];
const DEGREE_13: [f64; 14] = [
    64764752532480000.0,
    32382376266240000.0,
    7771770303897600.0,
    1187353796428800.0,
    129060195264000.0,
    10559470521600.0,
    670442572800.0,
    33522128640.0,
    1323241920.0,
    40840800.0,
    960960.0,
    16380.0,
    182.0,
    1.0,
];

impl Powers {
    fn new(first: Dual, exponent: i32) -> Powers {
        let second = first.times(&first);
        let fourth = second.times(&second);
        let sixth = fourth.times(&second);
        Powers { first, second, fourth, sixth, exponent }
    }

    /// The degree of the approximant and the number of squarings, by Al-Mohy and Higham 2009, algorithm 5.1. Norms of the
    /// eighth and tenth power are bounded by those of lower ones.
    fn degree(&self) -> (usize, i32) {
        let [norm2, norm4, norm6] = [&self.second, &self.fourth, &self.sixth].map(|power| power.x.norm1());
        let root = |norm: f64, k: f64| {
            let root = if norm == 0.0 { 0.0 } else { Unary::Exp2.f64(Unary::Log2.f64(norm) / k) };
            times_power_of_two(root, self.exponent)
        };
        let [d4, d6] = [root(norm4.min(norm2 * norm2), 4.0), root(norm6, 6.0)];
        let [d8, d10] = [root((norm4 * norm4).min(norm2 * norm6), 8.0), root(norm4 * norm6, 10.0)];
        let [eta1, eta3, eta4] = [d4.max(d6), d6.max(d8), d8.max(d10)];
        let bounds = [
            (3, eta1, 1.495585217958292e-2),
            (5, eta1, 2.53939833006323e-1),
            (7, eta3, 9.504178996162932e-1),
            (9, eta3, 2.097847961257068),
        ];
        for (degree, eta, bound) in bounds {
            if eta <= bound && self.more_scalings(degree, 0) == 0 {
                return (degree, 0);
            }
        }
        let squarings = log2_ceil(eta3.min(eta4), 4.25);
        (13, squarings + self.more_scalings(13, squarings))
    }

    /// By how much more a matrix of nonnormal powers must be scaled: the function ℓ of Al-Mohy and Higham 2009, (4.3),
    /// rounded up.
    fn more_scalings(&self, degree: usize, squarings: i32) -> i32 {
        // The inverse of the first coefficient of the backward error of that approximant.
        let coefficient: f64 = match degree {
            3 => 100800.0,
            5 => 10059033600.0,
            7 => 4487938430976000.0,
            9 => 5914384781877411840000.0,
            _ => 113250775606021113483283660800000000.0,
        };
        let power = 2 * degree as i32 + 1;
        let Some(log_norm) = log2_norm_of_power(&self.first.x, power) else { return 0 };
        let log_first = Unary::Log2.f64(self.first.x.norm1());
        let scale = f64::from((self.exponent - squarings) * (power - 1));
        let log_alpha = log_norm - log_first + scale - Unary::Log2.f64(coefficient);
        // Beyond the unit roundoff, 2^-53.
        ((log_alpha + 53.0) / f64::from(power - 1)).ceil().max(0.0) as i32
    }

    fn exponential(self, degree: usize, squarings: i32) -> Option<Dual> {
        let exponent = self.exponent - squarings;
        let scaled = |power: Dual, k: i32| power.scaled(k * exponent);
        let [x, x2, x4, x6] =
            [scaled(self.first, 1), scaled(self.second, 2), scaled(self.fourth, 4), scaled(self.sixth, 6)];
        let low = |b: &[f64]| {
            let odd =
                Dual::sum(&[(b[3], &x2), (*b.get(5).unwrap_or(&0.0), &x4), (*b.get(7).unwrap_or(&0.0), &x6)], b[1]);
            let even =
                Dual::sum(&[(b[2], &x2), (*b.get(4).unwrap_or(&0.0), &x4), (*b.get(6).unwrap_or(&0.0), &x6)], b[0]);
            (odd, even)
        };
        let (odd, even) = match degree {
            3 => low(&DEGREE_3),
            5 => low(&DEGREE_5),
            7 => low(&DEGREE_7),
            9 => {
                let b = &DEGREE_9;
                let x8 = x4.times(&x4);
                let (odd, even) = low(&b[..8]);
                (Dual::sum(&[(1.0, &odd), (b[9], &x8)], 0.0), Dual::sum(&[(1.0, &even), (b[8], &x8)], 0.0))
            }
            _ => {
                let b = &DEGREE_13;
                let (odd, even) = low(&b[..8]);
                let high_odd = x6.times(&Dual::sum(&[(b[9], &x2), (b[11], &x4), (b[13], &x6)], 0.0));
                let high_even = x6.times(&Dual::sum(&[(b[8], &x2), (b[10], &x4), (b[12], &x6)], 0.0));
                (odd.with(&high_odd, Dense::plus), even.with(&high_even, Dense::plus))
            }
        };
        let odd = x.times(&odd);
        let numerator = even.clone().with(&odd, Dense::plus);
        let mut result = even.with(&odd, Dense::minus).solve(&numerator)?;
        for _ in 0..squarings {
            result = result.times(&result);
            if !result.x.is_finite() {
                return None;
            }
        }
        Some(result)
    }
}

/// The binary logarithm of the 1-norm of a power of the matrix of magnitudes; `None` if that is 0.
fn log2_norm_of_power(x: &Dense, power: i32) -> Option<f64> {
    let n = x.rows();
    let (mut sums, mut next) = (vec![1.0; n], vec![0.0; n]);
    let mut exponent = 0;
    for _ in 0..power {
        next.fill(0.0);
        for (i, sum) in sums.iter().enumerate() {
            next.iter_mut().zip(x.row(i)).for_each(|(next, x)| *next += sum * x.abs());
        }
        let largest = next.iter().fold(0.0, |a: f64, &b| a.max(b));
        let own = binary_exponent(largest);
        sums.iter_mut().zip(&next).for_each(|(sum, x)| *sum = times_power_of_two(*x, -own));
        exponent += own;
    }
    let largest = sums.iter().fold(0.0, |a: f64, &b| a.max(b));
    (largest > 0.0).then(|| Unary::Log2.f64(largest) + f64::from(exponent))
}

/// For each number of terms of the exponential series, the norm up to which it is exact to the unit roundoff of `f64`
/// (Al-Mohy and Higham 2011, table 3.1).
const SERIES: [(i32, f64); 35] = [
    (1, 2.29e-16),
    (2, 2.58e-8),
    (3, 1.39e-5),
    (4, 3.40e-4),
    (5, 2.40e-3),
    (6, 9.07e-3),
    (7, 2.38e-2),
    (8, 5.00e-2),
    (9, 8.96e-2),
    (10, 1.44e-1),
    (11, 2.14e-1),
    (12, 3.00e-1),
    (13, 4.00e-1),
    (14, 5.14e-1),
    (15, 6.41e-1),
    (16, 7.81e-1),
    (17, 9.31e-1),
    (18, 1.09),
    (19, 1.26),
    (20, 1.44),
    (21, 1.62),
    (22, 1.82),
    (23, 2.01),
    (24, 2.22),
    (25, 2.43),
    (26, 2.64),
    (27, 2.86),
    (28, 3.08),
    (29, 3.31),
    (30, 3.54),
    (35, 4.7),
    (40, 6.0),
    (45, 7.2),
    (50, 8.5),
    (55, 9.9),
];

/// `exp(a) · b` by the series of the exponential in steps, or by the exponential where that takes less.
fn action(a: &Dense, b: Dense) -> Option<Dense> {
    if !a.is_finite() || !b.is_finite() {
        return None;
    }
    let n = a.rows();
    // A shift by the mean eigenvalue lessens the norm, and multiplies the result by a number.
    let mean = (0..n).map(|k| a[(k, k)] / n as f64).sum::<f64>();
    let mut shifted = a.clone();
    shifted.shift(-mean);
    if !shifted.is_finite() {
        return None;
    }
    let norm = shifted.norm1();
    let products = |&(terms, bound): &(i32, f64)| f64::from(terms) * (norm / bound).ceil().max(1.0);
    let &(terms, bound) = SERIES.iter().min_by(|x, y| products(x).total_cmp(&products(y)))?;
    let steps = (norm / bound).ceil().max(1.0);
    // Products of matrices take a fraction of the time of as many products with vectors, which read the matrix each time.
    let of_exponential = n as f64 * (12.0 + f64::from(log2_ceil(norm, 4.25)));
    if steps * f64::from(terms) * b.columns().max(4) as f64 > of_exponential {
        let result = exponential(a)?.times(&b);
        return result.is_finite().then_some(result);
    }
    let factor = Unary::Exp.f64(mean / steps);
    let mut result = b;
    for _ in 0..steps as usize {
        result = series(&shifted, result, steps, terms).scaled(factor);
        if !result.is_finite() {
            return None;
        }
    }
    Some(result)
}

/// `exp(a / steps) · b`.
fn series(a: &Dense, b: Dense, steps: f64, terms: i32) -> Dense {
    let mut sum = b.clone();
    let (mut term, mut previous) = (b, f64::INFINITY);
    for k in 1..=terms {
        term = a.times(&term).scaled(1.0 / (steps * f64::from(k)));
        sum.add(1.0, &term);
        let size = term.max_abs();
        if previous + size <= 0.5 * f64::EPSILON * sum.max_abs() {
            break;
        }
        previous = size;
    }
    sum
}
