use retrograd::linalg::{self, Triangle};
use retrograd::{Var, numpy as np};

use super::Author;

/// Extents on both sides of the largest of straight-line code.
const EXTENTS: [usize; 8] = [1, 2, 3, 3, 4, 6, 7, 9];

/// Linear algebra: factors, systems, spectra of matrices with a diagonal that exceeds all else.
impl Author<'_> {
    /// A value of the same shape, by matrices that are made of it.
    pub(super) fn in_matrices(&mut self) -> Var {
        let x = self.array();
        let shape = x.shape();
        if shape.size() == 0 {
            return x;
        }
        let n = *self.choices.of(&EXTENTS);
        let stacks: [&[usize]; 5] = [&[], &[], &[2], &[5], &[17]];
        let stack = stacks[self.choices.below(5)];
        let identity = np::eye(n, n, 0).convert(x.dtype());
        let a = self.fit(x.tanh(), &[stack, &[n, n]].concat()) + identity * n as f64;
        let b = self.fit(self.view(x), &[stack, &[n, 1 + self.choices.below(3)]].concat());
        let y = match self.choices.below(14) {
            0 | 1 => linalg::solve(a, b),
            2 => linalg::solve(np::swapaxes(a, -1, -2), b),
            3 => linalg::solve_positive(a, b),
            4 => linalg::inv(a),
            5 => linalg::cholesky(a),
            6 => linalg::solve_triangular(linalg::cholesky(a), b, Triangle::LOWER),
            7 => linalg::solve_triangular(a, b, Triangle::UPPER.transposed()),
            8 => linalg::logdet(a),
            9 => linalg::slogdet(a).1 + linalg::det(a),
            10 => linalg::eigvalsh(a),
            11 => linalg::svdvals(a),
            12 => linalg::qr(a).1,
            _ => linalg::lu(a).2,
        };
        self.fit(y, &shape)
    }
}
