use retrograd::Var;

use super::Author;

/// Arrays that are assembled from others.
impl Author<'_> {
    pub(super) fn join(&mut self) -> Var {
        let mut x = self.array();
        for _ in 0..1 + self.choices.below(3) {
            x = self.joined(x);
        }
        x
    }

    fn joined(&mut self, x: Var) -> Var {
        let shape = x.shape();
        let rank = shape.rank();
        if rank == 0 {
            return x.reshape(&[1]);
        }
        let axis = self.choices.below(rank);
        let room = self.at_most() / shape.size().max(1);
        if room < 4 {
            return x.slice_axis(axis, 0, shape[axis].div_ceil(2), 1);
        }
        match self.choices.weighted(&[10, 5, 3, 4, 3]) {
            0 => {
                let n_parts = self.choices.below(room.min(4));
                let mut parts: Vec<Var> = (0..n_parts).map(|_| self.part(x, axis)).collect();
                parts.insert(self.choices.below(n_parts + 1), x);
                Var::concatenate(&parts, axis)
            }
            1 => self.padded(x),
            2 if rank < 3 => {
                let parts = [x, self.view(x), self.fit(self.pick().convert(x.dtype()), &shape)];
                Var::stack(&parts[..1 + self.choices.below(3)], self.choices.below(rank + 1))
            }
            3 => {
                // The total is appended, as in a series whose next element depends on the previous ones.
                let total = if rank == 1 { x.sum().reshape(&[1]) } else { x.sum_axes(&[axis]).insert_axis(axis) };
                Var::concatenate(&[x, total], axis)
            }
            _ => {
                let y = self.view(x);
                Var::concatenate(&[x + y, x - y], axis)
            }
        }
    }

    /// An array to join with `x` along an axis.
    fn part(&mut self, x: Var, axis: usize) -> Var {
        let mut shape = x.shape().to_vec();
        match self.choices.weighted(&[3, 5, 4, 2, 3, 2]) {
            0 => x,
            1 => self.view(x),
            2 => {
                shape[axis] = 1 + self.choices.below(3);
                self.literal(x).broadcast_to(&shape)
            }
            3 => {
                shape[axis] = 0;
                if self.choices.below(2) == 0 { x.slice_axis(axis, 0, 0, 1) } else { x.sum().broadcast_to(&shape) }
            }
            4 => {
                let n = shape[axis];
                let start = self.choices.below(n + 1);
                x.slice_axis(axis, start, n, 1 + self.choices.below(2))
            }
            _ => {
                shape[axis] = 1 + self.choices.below(2);
                self.fit(self.pick().convert(x.dtype()), &shape)
            }
        }
    }

    /// Padding before, after and between elements.
    fn padded(&mut self, x: Var) -> Var {
        let shape = x.shape();
        let amounts =
            || -> Vec<i64> { shape.iter().map(|_| [0, 1, 2, -1][self.choices.weighted(&[4, 4, 1, 1])]).collect() };
        let (low, mut high) = (amounts(), amounts());
        for (axis, high) in high.iter_mut().enumerate() {
            *high = (*high).max(-low[axis] - shape[axis] as i64);
        }
        let between = shape.iter().map(|_| usize::from(self.choices.one_in(5))).collect::<Vec<_>>();
        match self.choices.below(3) {
            0 => x.pad(0i64, &low, &high, &between),
            1 => x.pad(self.number(), &low, &high, &between),
            _ => x.pad(x.sum(), &low, &high, &between),
        }
    }
}
