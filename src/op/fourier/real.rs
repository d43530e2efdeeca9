//! Transforms of real lines, by half of their bins: the others are their mirror images.

use serde::{Deserialize, Serialize};
use smallvec::smallvec;

use super::{Transform, last, lines, parts, with_last};
use crate::ir::{Mismatch, Signature, Types, mismatch};
use crate::math::fourier::Kind;
use crate::op::Var;
use crate::op::rules::{Answer, Doc, Examples, General, Library, Prepared, Rules, Sample, literal};
use crate::op::trace::{apply, apply_all};
use crate::value::{Array, ArrayMut, ArrayRef, DType, Type};

/// The discrete Fourier transform of real lines of length `n` along the last axis, of which the bins `k` from 0 to `n/2`,
/// rounded down, are given by real and imaginary parts: `y[k] = Σⱼ x[j] exp(-2πi j k / n)`, not scaled.
///
/// The other bins are mirror images, `y[n-k] = conj y[k]`. The imaginary parts of bin 0, and of bin `n/2` if `n` is even,
/// are 0. Lines of even length are transformed as complex ones of half of it, in half the time of [`Fft`]; others as complex ones.
/// Length 0 has one bin, which is 0. For errors, single precision and NaN see there.
///
/// `doubled` gives the inner bins, which are all but 0 and `n/2`, twice: that is the transpose of [`Irfft`].
///
/// # Constraints
/// (C1) The operand is of floating point. (C2) It has at least 1 axis.
///
/// # Derivative
/// Linear. The cotangent goes back by [`Irfft`], with `halved` the opposite of `doubled`. What comes for an imaginary part
/// that is always 0 is not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rfft {
    /// Whether inner bins are given twice.
    pub doubled: bool,
}

impl Rules for Rfft {
    const NAME: &'static str = "rfft";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        let n = lines(operands, 1)?;
        let bins = with_last(&operands[0], n / 2 + 1);
        Ok(smallvec![bins.clone(), bins])
    }

    transform!();

    fn doc() -> Doc {
        Doc {
            summary: "discrete Fourier transform of real lines along the last axis: bins 0 to n/2 by real and imaginary parts",
            derivative: "linear: the transform of the tangent; irfft of the cotangent with inner bins halved",
            accuracy: "an ulp times log n, of the norm of the line",
        }
    }

    fn examples() -> Examples {
        let answer = |doubled: bool, x: Array, re: Array, im: Array| Answer {
            op: Rfft { doubled }.into(),
            operands: vec![x],
            results: vec![re, im],
            ulps: 2,
            regions: vec![],
        };
        let half_sqrt_3 = 0.75f64.sqrt();
        let answers = vec![
            answer(
                false,
                literal([4], [1.0, 2.0, 3.0, 5.0]),
                literal([3], [11.0, -2.0, -3.0]),
                literal([3], [0.0, 3.0, 0.0]),
            ),
            answer(
                true,
                literal([4], [1.0, 2.0, 3.0, 5.0]),
                literal([3], [11.0, -4.0, -3.0]),
                literal([3], [0.0, 6.0, 0.0]),
            ),
            answer(false, literal([3], [0.0, 1.0, 0.0]), literal([2], [1.0, -0.5]), literal([2], [0.0, -half_sqrt_3])),
            answer(
                true,
                literal([3], [0.0, 1.0, 0.0]),
                literal([2], [1.0, -1.0]),
                literal([2], [0.0, -2.0 * half_sqrt_3]),
            ),
            answer(
                false,
                literal([2, 2], [1.0f32, 2.0, 0.5, -0.5]),
                literal([2, 2], [3.0f32, -1.0, 0.0, 1.0]),
                literal([2, 2], [0.0f32; 4]),
            ),
            answer(
                true,
                literal([2, 1], [1.5, f64::NAN]),
                literal([2, 1], [1.5, f64::NAN]),
                literal([2, 1], [0.0, 0.0]),
            ),
            answer(false, literal::<f64>([2, 0], []), literal([2, 1], [0.0, 0.0]), literal([2, 1], [0.0, 0.0])),
        ];
        let sample = |dtype: DType, doubled: bool, shape: &[usize]| Sample {
            op: Rfft { doubled }.into(),
            operands: vec![(Type::new(dtype, shape), (-2.0, 2.0))],
            regions: vec![],
        };
        let of = |dtype: DType| {
            let shapes: [&[usize]; 9] = [&[1], &[0], &[2], &[64], &[3, 7], &[2, 3, 6], &[37], &[0, 4], &[46]];
            shapes.into_iter().enumerate().map(move |(k, shape)| sample(dtype, k % 2 == 1, shape))
        };
        Examples { answers, samples: [DType::F64, DType::F32].into_iter().flat_map(of).collect() }
    }
}

impl Rfft {
    fn transform(self, n: usize) -> Transform {
        Transform { kind: Kind::Forward, n, scaled: self.doubled }
    }
}

impl Library for Rfft {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        let n = operands[0].shape().last().copied().unwrap_or(0);
        self.transform(n).run(operands, results);
    }

    fn flops(&self, operands: &[&Type], _: &Type) -> usize {
        self.transform(last(operands[0])).flops(operands)
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        self.transform(last(operands[0])).scratch_bytes(operands)
    }

    fn prepare(&self, operands: &[&Type]) -> Option<Box<dyn Prepared>> {
        self.transform(last(operands[0])).prepare(operands)
    }
}

impl General for Rfft {
    fn jvp(&self, _: &[Var], _: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        match t[0] {
            Some(t) => rfft_of(t, self.doubled).map(Some).into(),
            None => vec![None; 2],
        }
    }

    fn vjp(&self, x: &[Var], _: &[Var], ct: &[Option<Var>], _: &[bool]) -> Vec<Option<Var>> {
        let back = |[re, im]: [Var; 2]| irfft_of(re, im, last(&x[0].ty()), !self.doubled);
        vec![parts(ct).map(back)]
    }
}

/// The real lines of length `n` of which [`Rfft`] gives the bins 0 to `n/2`, not scaled: `x[j] = Σₖ y[k] exp(2πi j k / n)` over
/// all bins, of which those beyond are the mirror images, `y[n-k] = conj y[k]`.
///
/// Operands are real and imaginary parts of the bins, of which the last axis has `n/2 + 1`. The imaginary parts of bin 0,
/// and of bin `n/2` if `n` is even, are not read. After [`Rfft`] it gives `n` times the line. For time, errors, single
/// precision and NaN see there.
///
/// `halved` counts the inner bins, which are all but 0 and `n/2`, once instead of twice, so that the line is the real
/// part of the sum over bins 0 to `n/2`: that is the transpose of [`Rfft`].
///
/// # Constraints
/// (C1) Both operands are of one floating-point dtype and one shape. (C2) Their last axis has `n/2 + 1` elements, rounded down.
///
/// # Derivative
/// Linear. The cotangent goes back by [`Rfft`], with `doubled` the opposite of `halved`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Irfft {
    /// The length of the lines: bins do not tell if it is even.
    pub n: usize,
    /// Whether inner bins count once.
    pub halved: bool,
}

impl Rules for Irfft {
    const NAME: &'static str = "irfft";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        let (bins, expected) = (lines(operands, 2)?, self.n / 2 + 1);
        if bins != expected {
            return Err(mismatch!(
                "lines of length {} have {expected} bins along the last axis, but got {}",
                self.n,
                operands[0]
            ));
        }
        Ok(smallvec![with_last(&operands[0], self.n)])
    }

    transform!();

    fn doc() -> Doc {
        Doc {
            summary: "real lines of length n of which bins 0 to n/2 are given, by the unscaled inverse Fourier transform",
            derivative: "linear: the transform of the tangent; rfft of the cotangent with inner bins doubled",
            accuracy: "an ulp times log n, of the norm of the line",
        }
    }

    fn examples() -> Examples {
        let answer = |halved: bool, re: Array, im: Array, x: Array| Answer {
            op: Irfft { n: x.shape()[x.shape().len() - 1], halved }.into(),
            operands: vec![re, im],
            results: vec![x],
            ulps: 2,
            regions: vec![],
        };
        let root_3 = 3.0f64.sqrt();
        let nan = f64::NAN;
        let (re, im) = (|| literal([3], [11.0, -2.0, -3.0]), || literal([3], [nan, 3.0, nan]));
        let answers = vec![
            answer(false, re(), im(), literal([4], [4.0, 8.0, 12.0, 20.0])),
            answer(true, re(), im(), literal([4], [6.0, 11.0, 10.0, 17.0])),
            answer(
                false,
                literal([2], [1.0, 0.0]),
                literal([2], [nan, 1.0]),
                literal([3], [1.0, 1.0 - root_3, 1.0 + root_3]),
            ),
            answer(true, literal([2], [0.0, 0.0]), literal([2], [nan, 2.0]), literal([3], [0.0, -root_3, root_3])),
            answer(
                false,
                literal([2, 2], [3.0f32, -1.0, 0.0, 1.0]),
                literal([2, 2], [5.0f32; 4]),
                literal([2, 2], [2.0f32, 4.0, 1.0, -1.0]),
            ),
            answer(true, literal([1], [1.5]), literal([1], [7.0]), literal([1], [1.5])),
            answer(false, literal([1], [1.5]), literal([1], [7.0]), literal::<f64>([0], [])),
        ];
        let sample = |dtype: DType, halved: bool, leading: &[usize], n: usize| {
            let shape: Vec<usize> = leading.iter().copied().chain([n / 2 + 1]).collect();
            Sample {
                op: Irfft { n, halved }.into(),
                operands: vec![(Type::new(dtype, &shape[..]), (-2.0, 2.0)); 2],
                regions: vec![],
            }
        };
        let of = |dtype: DType| {
            let lines: [(&[usize], usize); 9] =
                [(&[], 1), (&[], 0), (&[], 2), (&[], 64), (&[3], 7), (&[2, 3], 6), (&[], 37), (&[0], 4), (&[], 46)];
            lines.into_iter().enumerate().map(move |(k, (leading, n))| sample(dtype, k % 2 == 1, leading, n))
        };
        Examples { answers, samples: [DType::F64, DType::F32].into_iter().flat_map(of).collect() }
    }
}

impl Irfft {
    fn transform(self) -> Transform {
        Transform { kind: Kind::Backward, n: self.n, scaled: self.halved }
    }
}

impl Library for Irfft {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        self.transform().run(operands, results);
    }

    fn flops(&self, operands: &[&Type], _: &Type) -> usize {
        self.transform().flops(operands)
    }

    fn scratch_bytes(&self, operands: &[&Type]) -> usize {
        self.transform().scratch_bytes(operands)
    }

    fn prepare(&self, operands: &[&Type]) -> Option<Box<dyn Prepared>> {
        self.transform().prepare(operands)
    }
}

impl General for Irfft {
    fn jvp(&self, _: &[Var], _: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        vec![parts(t).map(|[re, im]| irfft_of(re, im, self.n, self.halved))]
    }

    fn vjp(&self, _: &[Var], _: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        let Some(ct) = ct[0] else { return vec![None; 2] };
        let back = rfft_of(ct, !self.halved);
        back.into_iter().zip(wanted).map(|(ct, &wanted)| wanted.then_some(ct)).collect()
    }
}

/// The bins of real lines; see [`Rfft`].
#[track_caller]
pub(crate) fn rfft_of(x: Var, doubled: bool) -> [Var; 2] {
    apply_all(Rfft { doubled }, &[x])
}

/// The real lines of bins; see [`Irfft`].
#[track_caller]
pub(crate) fn irfft_of(re: Var, im: Var, n: usize, halved: bool) -> Var {
    apply(Irfft { n, halved }, &[re, im])
}
