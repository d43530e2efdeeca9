use retrograd::Var;
use retrograd::value::{Array, DType, Shape, Type};

use super::Author;

/// Elements by indices: read, replaced, sorted, summed by segments.
impl Author<'_> {
    /// A value of the same shape, by indices that lie within.
    pub(super) fn indexed(&mut self) -> Var {
        let x = self.array();
        let shape = x.shape();
        let axis = self.choices.below(shape.rank());
        let n = shape[axis];
        if shape.size() == 0 {
            return x;
        }
        match self.choices.weighted(&[4, 3, 4, 4, 3, 3, 2, 2]) {
            0 => x.take(self.indices(&[n], n), axis),
            1 => x.along(self.indices(&shape, n), axis).get(),
            2 => {
                // Some of them beyond both ends.
                let beyond = (self.indices(&[n], n) * 3) - (n as i64);
                let at = x.at_indices(beyond, axis);
                match self.choices.below(3) {
                    0 => at.clamp().get(),
                    1 => at.wrap().get(),
                    _ => at.skip().get(),
                }
            }
            3 => {
                let (at, y) = (x.at_indices(self.indices(&[n], n), axis), self.view(x));
                let at = if self.choices.one_in(3) { at.skip() } else { at };
                match self.choices.below(5) {
                    0 => at.set(y),
                    1 => at.mul(y),
                    2 => at.min(y),
                    3 => at.max(y),
                    _ => at.add(y),
                }
            }
            4 => match self.choices.below(4) {
                0 => x.sort(axis),
                1 => x.sort_descending(axis),
                2 => {
                    let (largest, _) = x.top_k(1 + self.choices.below(n), axis);
                    self.fit(largest, &shape)
                }
                _ => self.view(x).take_along_axis(x.argsort(axis), axis),
            },
            5 => {
                let rows = x.segment_sum(self.indices(&[shape[0]], shape[0]), shape[0]);
                rows.take(self.indices(&[shape[0]], shape[0]), 0)
            }
            6 => {
                let k = 1 + self.choices.below(n);
                let extents: Shape = (0..shape.rank()).map(|a| if a == axis { k } else { shape[a] }).collect();
                let start = |a: usize| if a == axis { self.indices(&[], n - k + 1) } else { Var::from(0i64) };
                let starts: Vec<Var> = (0..shape.rank()).map(start).collect();
                match self.choices.below(2) {
                    0 => self.fit(x.dynamic_slice(&starts, &extents), &shape),
                    _ => x.dynamic_update_slice(self.fit(self.view(x), &extents), &starts),
                }
            }
            _ => x.quantile([0.0, 0.3, 0.5, 1.0][self.choices.below(4)], axis).insert_axis(axis).broadcast_to(&shape),
        }
    }

    /// Indices below `limit`: written down, or computed.
    fn indices(&self, shape: &[usize], limit: usize) -> Var {
        let ty = Type::new(DType::I64, shape);
        let size = ty.size();
        let (step, first) = (1 + self.choices.below(7), self.choices.below(limit));
        if self.choices.below(2) == 0 {
            let indices: Vec<i64> = (0..size).map(|i| ((i * i * step + first) % limit) as i64).collect();
            return Var::constant(Array::from_elements(shape, indices).expect("as many as fit"));
        }
        let numbers = Var::iota(&[size], 0, DType::I64).reshape(shape);
        (numbers * (step as i64) + first as i64) % (limit as i64)
    }
}
