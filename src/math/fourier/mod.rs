//! Discrete Fourier transforms of lines of numbers, by rustfft, on split storage: real and imaginary parts are arrays of
//! their own.
//!
//! | file | what it does |
//! | --- | --- |
//! | `plans` | plans, of which equal ones are shared by the programs of the process |
//! | `packing` | from split to interleaved storage and back; a real line of even length as a complex one of half of it |
//! | `lines` | the lines of operands with any strides, read by whole cache lines |
//!
//! # Bits
//! Each line is transformed by itself, by one method of the plan of its length: its results do not depend on the other
//! lines or on strides. They do depend on the processor, for which rustfft chooses instructions.

mod lines;
mod packing;
mod plans;

use std::sync::Arc;

use rustfft::num_complex::Complex;

use super::linear::Number;
use crate::value::{ArrayMut, ArrayRef};

pub(crate) use plans::{Kind, Plan, bytes};

/// An element that is transformed.
pub(crate) trait Real: Number + rustfft::FftNum {
    /// The plans of this precision.
    fn plans() -> &'static plans::Plans<Self>;

    /// The number, rounded.
    fn of(x: f64) -> Self;
}

macro_rules! real {
    ($($float:ty, $plans:ident);*) => {$(
        static $plans: plans::Plans<$float> = plans::Plans::new();

        impl Real for $float {
            fn plans() -> &'static plans::Plans<$float> {
                &$plans
            }

            fn of(x: f64) -> $float {
                x as $float
            }
        }
    )*};
}
real!(f64, DOUBLE; f32, SINGLE);

impl<T: Real> Plan<T> {
    /// The plan of lines of that many numbers.
    pub fn of(kind: Kind, n: usize) -> Arc<Plan<T>> {
        T::plans().get(kind, n)
    }

    /// The complex transform of complex lines, both given by real and imaginary parts.
    pub fn complex(&self, x: &[ArrayRef<'_>], y: &mut [ArrayMut<'_>]) {
        self.with_space(|mut space| {
            let [buffer, scratch] = space.parts();
            lines::each::<T, 2, 2>(x, y, space.gathered, |[re, im], [y_re, y_im]| {
                packing::interleave(re, im, buffer);
                self.transform(buffer, scratch);
                packing::split(buffer, y_re, y_im);
            });
        });
    }

    /// The bins 0 to n/2 of real lines; inner ones twice if `doubled`.
    pub fn forward(&self, x: &[ArrayRef<'_>], y: &mut [ArrayMut<'_>], doubled: bool) {
        self.with_space(|mut space| {
            let [buffer, scratch] = space.parts();
            lines::each::<T, 1, 2>(x, y, space.gathered, |[x], [y_re, y_im]| match self.n {
                0 => y_re.iter_mut().chain(y_im).for_each(|y| *y = T::ZERO),
                n if n % 2 == 0 => {
                    self.transformed(packing::as_complex(x), buffer, scratch);
                    packing::bins_of_packed(buffer, &self.turns, [y_re, y_im], doubled);
                }
                _ => {
                    buffer.iter_mut().zip(x).for_each(|(z, &x)| *z = Complex::new(x, T::ZERO));
                    self.transform(buffer, scratch);
                    packing::first_bins(buffer, [y_re, y_im], doubled);
                }
            });
        });
    }

    /// The real lines of bins 0 to n/2; inner ones count once if `halved`, else twice, for their mirror images.
    pub fn backward(&self, x: &[ArrayRef<'_>], y: &mut [ArrayMut<'_>], halved: bool) {
        self.with_space(|mut space| {
            let [buffer, scratch] = space.parts();
            lines::each::<T, 2, 1>(x, y, space.gathered, |bins, [y]| match self.n {
                0 => {}
                n if n % 2 == 0 => {
                    let packed = packing::as_complex_mut(y);
                    packing::packed_of_bins(bins, &self.turns, packed, halved);
                    self.transform(packed, scratch);
                }
                _ => {
                    packing::mirrored(bins, buffer, halved);
                    self.transform(buffer, scratch);
                    y.iter_mut().zip(&*buffer).for_each(|(y, z)| *y = z.re);
                }
            });
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is declared before a plan is made covers what it takes.
    #[test]
    fn declared_bytes_cover_plans() {
        for n in (0..300).chain([1009, 1021, 4096, 5003, 10_007, 12_289, 16_384, 2 * 8191]) {
            for kind in [Kind::Complex { inverse: false }, Kind::Forward, Kind::Backward] {
                let plan = Plan::<f64>::of(kind, n);
                let own = plan.n_numbers() * size_of::<f64>();
                assert!(own <= bytes(kind, n, 1, size_of::<f64>()), "{kind:?} {n}: {own}");
            }
        }
    }
}
