use retrograd::Var;
use retrograd::value::DType;

use super::Author;

/// Functions of one array, smooth ones first.
const FUNCTIONS: [fn(Var) -> Var; 34] = [
    |x| x.exp(),
    |x| x.sin(),
    |x| x.tanh(),
    |x| x * x,
    |x| x.cos(),
    |x| (x * x + 1.0).sqrt(),
    |x| x.sigmoid(),
    |x| 1.0 / (1.0 + x * x),
    |x| (x.abs() + 0.5).ln(),
    |x| x * 0.5 + 0.25,
    |x| -x,
    |x| (-x * x).exp(),
    |x| x.atan(),
    |x| x.powi(3),
    |x| x.softplus(),
    |x| x.erf(),
    |x| x.relu(),
    |x| x.abs(),
    |x| x.clamp(-1.0, 1.0),
    |x| x.sqrt(),
    |x| x.ln(),
    |x| x.square() - 1.0,
    |x| x.abs().powf(1.5),
    |x| x.cbrt(),
    |x| (x * 0.3).sinh(),
    |x| x.exp_m1(),
    |x| x.abs().ln_1p(),
    |x| x.sign() * x.square(),
    |x| x - x.floor(),
    |x| x.max(0.5).rsqrt(),
    |x| x.greater(0.0).select(x.abs().sqrt(), x * 0.1),
    |x| x.greater(0.0).select(x.sqrt(), x.full_like(0.0)),
    |x| x.sinc(),
    |x| x.recip(),
];

/// Functions of two arrays of the same shape.
const PAIRS: [fn(Var, Var) -> Var; 14] = [
    |x, y| x + y,
    |x, y| x - y,
    |x, y| x * y,
    |x, y| x / (1.0 + y * y),
    |x, y| x.max(y),
    |x, y| x.min(y),
    |x, y| x.hypot(y),
    |x, y| x.atan2(y),
    |x, y| x.less(y).select(x, y * 0.5),
    |x, y| x.mul_add(y, y),
    |x, y| x.abs().powf(y),
    |x, y| x.logaddexp(y),
    |x, y| (x - y) * (x + y),
    |x, y| x.copysign(y),
];

/// Formulas over whole arrays.
impl Author<'_> {
    pub(super) fn elementwise(&mut self) -> Var {
        let x = if self.choices.one_in(8) { self.pick() } else { self.array() };
        let y = self.choices.of(&FUNCTIONS)(x);
        match self.choices.below(4) {
            0 | 1 => y,
            2 => y * self.number(),
            _ => {
                let z = self.fit(self.pick().convert(y.dtype()), &y.shape());
                self.choices.of(&PAIRS)(y, z)
            }
        }
    }

    /// Combines two views of one array, which in most cases has just been computed.
    pub(super) fn of_two_views(&mut self) -> Var {
        let mut x = if self.choices.below(2) == 0 { self.square() } else { self.array() };
        match self.choices.below(6) {
            0 => {}
            1 => x = x.softmax(self.choices.below(x.rank())),
            2 => x = x.cumsum(self.choices.below(x.rank())),
            _ => x = self.choices.of(&FUNCTIONS)(x),
        }
        // The most common cases: the symmetric and the antisymmetric part.
        if x.rank() == 2 && x.shape()[0] == x.shape()[1] && self.choices.below(3) > 0 {
            let y = if self.choices.below(2) == 0 { x + x.t() } else { x - x.t() };
            return match self.choices.below(4) {
                0 => y * 0.5,
                1 => y.dot(y),
                2 => y.dot(x.t()),
                _ => y,
            };
        }
        let y = self.choices.of(&PAIRS)(self.view(x), self.view(x));
        match self.choices.below(3) {
            0 => y,
            1 => self.choices.of(&PAIRS)(y, self.view(x)),
            _ => self.choices.of(&PAIRS)(self.view(x), self.choices.of(&FUNCTIONS)(y)),
        }
    }

    pub(super) fn reduction(&mut self) -> Var {
        let x = self.array();
        let rank = x.rank();
        let axis = self.choices.below(rank);
        let axes: Vec<usize> = match self.choices.below(3) {
            0 => vec![axis],
            1 => (0..rank).collect(),
            _ => (0..rank).filter(|_| self.choices.below(2) == 0).collect(),
        };
        let y = match self.choices.weighted(&[8, 4, 3, 3, 3, 3, 3, 2, 3, 3, 2, 2]) {
            0 => x.sum_axes(&axes),
            1 => x.mean_axes(&axes),
            2 => x.reduce_max(&axes),
            3 => x.logsumexp(&axes),
            4 => x.var_axes(&axes),
            5 => return x.softmax(axis),
            6 => return x.cumsum(axis),
            7 => (x * 0.5 + 1.0).prod_axes(&axes),
            8 => x.norm(),
            9 => return x.log_softmax(axis),
            10 => x.reduce_min(&axes),
            _ => x.std_axes(&axes),
        };
        // Centered and normalized arrays use both the array and its reduction.
        match self.choices.below(4) {
            0 if y.rank() == 0 => x - y,
            1 if y.rank() == 0 => x / (y * y + 1.0),
            0 | 1 if y.rank() + 1 == rank && axes.len() == 1 => {
                let y = y.insert_axis(axes[0]);
                if self.choices.below(2) == 0 { x - y } else { x * y }
            }
            _ => y,
        }
    }

    pub(super) fn product(&mut self) -> Var {
        let x = self.matrix();
        let (m, n) = (x.shape()[0], x.shape()[1]);
        // A product of large matrices takes as long as a hundred other programs.
        if m * m.max(n) * n > 300_000 {
            return x.sum_axes(&[0]).dot(x.slice_axis(0, 0, 1, 1).squeeze(0));
        }
        match self.choices.below(8) {
            0 => x.dot(self.fit(self.pick().convert(x.dtype()), &[n])),
            1 if n * n <= self.at_most() => x.t().dot(x),
            2 if m * m <= self.at_most() => x.dot(x.t()),
            3 => x.dot(self.fit(self.pick().convert(x.dtype()), &[n, 2])),
            4 => x.dot_general(self.view(x), [&[1], &[1]], [&[0], &[0]]),
            5 => {
                let y = self.fit(self.pick().convert(x.dtype()), &[m]);
                y.dot(x) + x.sum_axes(&[0])
            }
            6 if m == n => x.matmul(x).matmul(self.view(x)),
            _ => {
                let y = self.view(x);
                x.flatten().dot(y.flatten())
            }
        }
    }

    /// Differences of neighbors, and functions of them.
    pub(super) fn stencil(&mut self) -> Var {
        let x = self.array();
        let axis = self.choices.below(x.rank());
        let n = x.shape()[axis];
        if n < 3 {
            return x - x.reverse(&[axis]);
        }
        let part = |k: usize, length: usize| x.slice_axis(axis, k, k + length, 1);
        match self.choices.below(7) {
            0 => part(1, n - 1) - part(0, n - 1),
            1 => part(2, n - 2) - 2.0 * part(1, n - 2) + part(0, n - 2),
            2 => {
                let inner = (part(2, n - 2) - part(0, n - 2)) * 0.5;
                Var::concatenate(&[part(0, 1), inner, part(n - 1, 1)], axis)
            }
            3 => {
                let (mut low, mut high) = (vec![0; x.rank()], vec![0; x.rank()]);
                (low[axis], high[axis]) = (1, 1);
                let padded = x.pad(0i64, &low, &high, &vec![0; x.rank()]);
                let part = |k: usize| padded.slice_axis(axis, k, k + n, 1);
                part(0) + part(2) - 2.0 * part(1)
            }
            4 => {
                // Periodic boundaries.
                let roll = |k: usize| Var::concatenate(&[part(k, n - k), part(0, k)], axis);
                (roll(1) - x) * (x - roll(n - 1))
            }
            5 => {
                let (even, odd) = (x.slice_axis(axis, 0, n / 2 * 2, 2), x.slice_axis(axis, 1, n / 2 * 2, 2));
                Var::concatenate(&[even + odd, even - odd], axis)
            }
            _ => {
                let d = part(1, n - 1) - part(0, n - 1);
                (d * d + 0.1).sqrt() * part(0, n - 1)
            }
        }
    }

    /// Conversion to integers, booleans or the other precision, and back.
    pub(super) fn other_dtype(&mut self) -> Var {
        let x = self.array();
        let shape = x.shape();
        let axis = self.choices.below(x.rank());
        let back = x.dtype();
        match self.choices.below(9) {
            0 => x.convert(if back == DType::F32 { DType::F64 } else { DType::F32 }),
            1 => x.greater(self.view(x)).select(x, self.choices.of(&FUNCTIONS)(x)),
            2 => x.argmax(axis).convert(back),
            3 => (x * 3.0).clamp(-50.0, 50.0).convert(DType::I64),
            4 => {
                let mask = x.greater(0.0) & x.less(self.view(x) + 1.0);
                if self.choices.below(2) == 0 { mask.any() } else { mask.all_over(&[axis]) }
            }
            5 => {
                let k = Var::iota(&shape, axis, DType::I64);
                ((k * k - 2 * k) % 5).convert(back) * x
            }
            6 => {
                let upper = Var::iota(&shape, 0, DType::I64).less_equal(Var::iota(&shape, axis, DType::I64));
                upper.select(x, x.full_like(0.0))
            }
            7 => {
                let y =
                    self.pick_where(|ty| ty.dtype == DType::I64).unwrap_or_else(|| Var::iota(&shape, axis, DType::I64));
                match self.choices.below(4) {
                    0 => y + self.view(y),
                    1 => y.max(self.view(y) * 2),
                    2 if y.rank() > 0 => y.cumsum(0),
                    _ => y.sum(),
                }
            }
            _ => match self.pick_where(|ty| ty.dtype == DType::Bool) {
                Some(mask) => self.fit(mask, &shape).select(x, self.view(x)),
                None => x.equal(self.view(x)),
            },
        }
    }

    /// Formulas on single scalars: polynomials, small matrices, coordinates.
    pub(super) fn in_scalars(&mut self) -> Var {
        let x = self.array().flatten();
        let n = x.shape()[0];
        let at = |k: usize| x.index(k % n);
        let k = self.choices.below(n);
        match self.choices.below(6) {
            0 => at(k) * at(k + 1) - at(k + 2) * at(k + 3),
            1 => {
                let (a, b): (Vec<Var>, Vec<Var>) = (0..3).map(|i| (at(k + i), at(k + i + 3))).unzip();
                let cross = |i: usize, j: usize| a[i] * b[j] - a[j] * b[i];
                Var::stack(&[cross(1, 2), cross(2, 0), cross(0, 1)], 0)
            }
            2 => {
                let (sin, cos) = at(k).sin_cos();
                let (u, v) = (at(k + 1), at(k + 2));
                Var::stack(&[cos * u - sin * v, sin * u + cos * v], 0)
            }
            3 => (0..4 + self.choices.below(12)).fold(at(k), |y, i| y * at(k + 1) * 0.5 + at(i)),
            4 => {
                let m = |i: usize, j: usize| at(3 * i + j + k);
                let minor = |a: usize, b: usize| m(1, a) * m(2, b) - m(1, b) * m(2, a);
                m(0, 0) * minor(1, 2) - m(0, 1) * minor(0, 2) + m(0, 2) * minor(0, 1)
            }
            _ => {
                let mut parts = x.slice_axis(0, 0, n.min(8), 1).unstack(0);
                for i in 1..parts.len() {
                    parts[i] = (parts[i] + parts[i - 1] * 0.5).tanh();
                }
                Var::stack(&parts, 0)
            }
        }
    }
}
