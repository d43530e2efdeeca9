use retrograd::Var;

use super::Author;

/// Views: the same elements in another arrangement.
impl Author<'_> {
    /// A view of the same shape: reversed, transposed, rolled, one row or column repeated, or sliced and reshaped.
    pub(super) fn view(&self, x: Var) -> Var {
        let shape = x.shape();
        let rank = shape.rank();
        if rank == 0 || shape.size() == 0 {
            return x;
        }
        let axis = self.choices.below(rank);
        let n = shape[axis];
        match self.choices.weighted(&[3, 4, 5, 2, 3, 2, 2]) {
            0 => x,
            1 => x.reverse(&[axis]),
            2 => match self.permutation(&shape) {
                Some(perm) => x.transpose(&perm),
                None => x.reverse(&(0..rank).collect::<Vec<_>>()),
            },
            3 => {
                let k = self.choices.below(n);
                Var::concatenate(&[x.slice_axis(axis, k, n, 1), x.slice_axis(axis, 0, k, 1)], axis)
            }
            4 => {
                let k = self.choices.below(n);
                x.slice_axis(axis, k, k + 1, 1).broadcast_to(&shape)
            }
            5 => {
                let mut turned = shape.to_vec();
                turned.rotate_left(axis);
                let y = x.reshape(&turned);
                let perm: Vec<usize> = (0..rank).map(|k| (k + rank - axis) % rank).collect();
                y.transpose(&perm)
            }
            _ => x.flatten().reverse(&[0]).reshape(&shape),
        }
    }

    /// A permutation of axes that keeps the shape and is not the identity.
    fn permutation(&self, shape: &[usize]) -> Option<Vec<usize>> {
        let rank = shape.len();
        let pairs: Vec<(usize, usize)> =
            (0..rank).flat_map(|a| (a + 1..rank).map(move |b| (a, b))).filter(|&(a, b)| shape[a] == shape[b]).collect();
        let &(a, b) = (!pairs.is_empty()).then(|| self.choices.of(&pairs))?;
        let mut perm: Vec<usize> = (0..rank).collect();
        perm.swap(a, b);
        Some(perm)
    }

    /// A view of another shape.
    pub(super) fn reshaped(&self, x: Var) -> Var {
        let shape = x.shape();
        let rank = shape.rank();
        if rank == 0 {
            return if self.choices.below(2) == 0 { x.reshape(&[1]) } else { x };
        }
        let axis = self.choices.below(rank);
        let n = shape[axis];
        match self.choices.below(6) {
            0 => x.t(),
            1 => x.flatten(),
            2 if n > 1 => {
                let start = self.choices.below(n);
                let end = start + 1 + self.choices.below(n - start);
                x.slice_axis(axis, start, end, 1 + self.choices.below(3))
            }
            3 if n > 0 => x.index_axis(axis, self.choices.below(n)),
            4 => x.insert_axis(self.choices.below(rank + 1)),
            _ => {
                let mut turned = shape.to_vec();
                turned.reverse();
                x.reshape(&turned)
            }
        }
    }

    /// The value adapted to a shape: repeated, sliced, transposed, or reshaped.
    pub(super) fn fit(&self, x: Var, shape: &[usize]) -> Var {
        let own = x.shape();
        if own.extents() == shape {
            return x;
        }
        let lead = shape.len().wrapping_sub(own.rank());
        if own.rank() <= shape.len() && own.iter().enumerate().all(|(k, &n)| n == 1 || n == shape[lead + k]) {
            return x.broadcast_to(shape);
        }
        if own.rank() == 2 && shape.len() == 2 && own[0] == shape[1] && own[1] == shape[0] && self.choices.below(4) > 0
        {
            return x.t();
        }
        if own.rank() == 1 && shape.len() == 2 && own[0] == shape[0] {
            return x.insert_axis(1).broadcast_to(shape);
        }
        let (have, want): (usize, usize) = (own.size(), shape.iter().product());
        if x.dtype() == retrograd::value::DType::Bool {
            return if have == 0 { Var::from(true) } else { x.any() }.broadcast_to(shape);
        }
        if have == 0 {
            return x.sum().broadcast_to(shape);
        }
        let flat = x.flatten();
        match self.choices.below(3) {
            0 if have >= want => flat.slice_axis(0, have - want, have, 1).reshape(shape),
            0 | 1 if have < want => {
                let low = self.choices.below(want - have + 1);
                flat.pad(0i64, &[low as i64], &[(want - have - low) as i64], &[0]).reshape(shape)
            }
            1 => flat.slice_axis(0, 0, want, 1).reshape(shape),
            _ => flat.index(self.choices.below(have)).broadcast_to(shape),
        }
    }
}
