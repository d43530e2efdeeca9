//! Complex matrices with their parts apart, so that rows run in lanes.

use faer::c64;

use super::super::{Widened, widened};
use super::Parts;

/// A complex matrix, in row-major order.
#[derive(Clone)]
pub(super) struct Split {
    re: Vec<f64>,
    im: Vec<f64>,
    columns: usize,
}

impl Split {
    pub fn new([re, im]: [&[f64]; 2], columns: usize) -> Split {
        Split { re: re.to_vec(), im: im.to_vec(), columns }
    }

    /// The first columns of the unit matrix.
    pub fn identity(rows: usize, columns: usize) -> Split {
        let mut re = vec![0.0; rows * columns];
        re.iter_mut().step_by(columns + 1).take(columns).for_each(|x| *x = 1.0);
        Split { im: vec![0.0; re.len()], re, columns }
    }

    pub fn at(&self, i: usize, k: usize) -> c64 {
        c64::new(self.re[i * self.columns + k], self.im[i * self.columns + k])
    }

    pub fn set(&mut self, i: usize, k: usize, z: c64) {
        (self.re[i * self.columns + k], self.im[i * self.columns + k]) = (z.re, z.im);
    }

    pub fn swap_rows(&mut self, i: usize, k: usize) {
        for column in 0..self.columns {
            for part in [&mut self.re, &mut self.im] {
                part.swap(i * self.columns + column, k * self.columns + column);
            }
        }
    }

    /// The matrix of those rows of this one.
    pub fn with_rows(&self, rows: impl Iterator<Item = usize> + Clone) -> Split {
        let pick =
            |part: &[f64]| rows.clone().flat_map(|i| part[i * self.columns..][..self.columns].to_vec()).collect();
        Split { re: pick(&self.re), im: pick(&self.im), columns: self.columns }
    }

    /// Copies the elements to a result.
    pub fn write(&self, [re, im]: Parts<'_>) {
        re.copy_from_slice(&self.re);
        im.copy_from_slice(&self.im);
    }

    /// Adds to row `to` a multiple of another one.
    #[inline(always)]
    pub fn add_row(&mut self, to: usize, factor: c64, from: usize) {
        let n = self.columns;
        let at = to.max(from) * n;
        let [(re_low, re_high), (im_low, im_high)] = [&mut self.re, &mut self.im].map(|part| part.split_at_mut(at));
        let (to, from) = (to * n, from * n);
        if to < from {
            add_multiple([&mut re_low[to..to + n], &mut im_low[to..to + n]], factor, [&re_high[..n], &im_high[..n]]);
        } else {
            add_multiple(
                [&mut re_high[..n], &mut im_high[..n]],
                factor,
                [&re_low[from..from + n], &im_low[from..from + n]],
            );
        }
    }

    /// The same function of all elements of a row.
    #[inline(always)]
    pub fn map_row(&mut self, i: usize, f: impl Fn(c64) -> c64) {
        for k in 0..self.columns {
            self.set(i, k, f(self.at(i, k)));
        }
    }

    /// Subtracts from each row behind row `k` the multiple of that by which the row begins in column `k`; of the columns
    /// behind that.
    pub fn eliminate(&mut self, k: usize) {
        widened(Elimination { matrix: self, k });
    }

    /// Applies the reflection `I - tau · v · vᴴ` to the columns from `first` on; `v` begins at row `row`.
    pub fn reflect(&mut self, row: usize, v: &[c64], tau: f64, first: usize) {
        widened(Reflection { matrix: self, row, v, tau, first });
    }
}

/// `y + z · x` of rows, by parts.
#[inline(always)]
fn add_multiple([y_re, y_im]: [&mut [f64]; 2], z: c64, [x_re, x_im]: [&[f64]; 2]) {
    for (((y_re, y_im), x_re), x_im) in y_re.iter_mut().zip(y_im).zip(x_re).zip(x_im) {
        *y_re += z.re * x_re - z.im * x_im;
        *y_im += z.re * x_im + z.im * x_re;
    }
}

struct Elimination<'a> {
    matrix: &'a mut Split,
    k: usize,
}

impl Widened for Elimination<'_> {
    #[inline(always)]
    fn run(self) {
        let Elimination { matrix: Split { re, im, columns }, k } = self;
        let n = *columns;
        let (pivot_re, rest_re) = re.split_at_mut((k + 1) * n);
        let (pivot_im, rest_im) = im.split_at_mut((k + 1) * n);
        let pivot = [&pivot_re[k * n + k + 1..], &pivot_im[k * n + k + 1..]];
        for (row_re, row_im) in rest_re.chunks_exact_mut(n).zip(rest_im.chunks_exact_mut(n)) {
            let factor = c64::new(-row_re[k], -row_im[k]);
            add_multiple([&mut row_re[k + 1..], &mut row_im[k + 1..]], factor, pivot);
        }
    }
}

struct Reflection<'a> {
    matrix: &'a mut Split,
    row: usize,
    v: &'a [c64],
    tau: f64,
    first: usize,
}

impl Widened for Reflection<'_> {
    #[inline(always)]
    fn run(self) {
        let Reflection { matrix: Split { re, im, columns }, row, v, tau, first } = self;
        let n = *columns;
        // vᴴ · A.
        let [mut sum_re, mut sum_im] = [(); 2].map(|()| vec![0.0; n - first]);
        for (i, z) in v.iter().enumerate() {
            let place = (row + i) * n + first..(row + i + 1) * n;
            add_multiple([&mut sum_re, &mut sum_im], z.conj(), [&re[place.clone()], &im[place]]);
        }
        for (i, &z) in v.iter().enumerate() {
            let place = (row + i) * n + first..(row + i + 1) * n;
            add_multiple([&mut re[place.clone()], &mut im[place]], -z * tau, [&sum_re, &sum_im]);
        }
    }
}
