//! Transforms of complex lines.

use serde::{Deserialize, Serialize};

use super::real::rfft_of;
use super::{Transform, last, lines, parts};
use crate::ir::{Mismatch, Signature, Types};
use crate::math::fourier::Kind;
use crate::op::Var;
use crate::op::rules::{Answer, Doc, Examples, General, Library, Prepared, Rules, Sample, literal};
use crate::op::trace::apply_all;
use crate::value::{ArrayMut, ArrayRef, DType, Type};

/// The discrete Fourier transform of complex lines along the last axis, `y[k] = Σⱼ x[j] exp(∓2πi j k / n)`, with a minus if it is
/// not `inverse`, not scaled in either direction.
///
/// Operands and results are real and imaginary parts. The transform and the inverse one, one after the other, give `n`
/// times the line. Any length takes `O(n log n)`: those with large prime factors are convolutions (Rader, Bluestein), in
/// two to ten times the time of their neighbors. The error of a line is some ulp times `log n` of its 2-norm. Single precision is computed
/// in single precision, by factors that are rounded once.
///
/// # Constraints
/// (C1) Both operands are of one floating-point dtype and one shape. (C2) They have at least 1 axis.
///
/// # Derivative
/// Linear. The cotangent is transformed the other way: with `⟨c, y⟩ = Σ c.re · y.re + c.im · y.im` that is the transpose. A line
/// of zeros gives zeros.
///
/// # NaN
/// One element that is infinite or NaN spoils its line, and no other: each number of the result is then infinite, NaN or
/// of no meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fft {
    /// Whether the exponents are positive.
    pub inverse: bool,
}

impl Rules for Fft {
    const NAME: &'static str = "fft";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        lines(operands, 2)?;
        Ok(operands.iter().cloned().collect())
    }

    transform!();

    fn doc() -> Doc {
        Doc {
            summary: "discrete Fourier transform of complex lines along the last axis, unscaled, by real and imaginary parts",
            derivative: "linear: the transform of the tangent; of the cotangent in the other direction",
            accuracy: "an ulp times log n, of the norm of the line",
        }
    }

    fn examples() -> Examples {
        let half_sqrt_3 = 0.75f64.sqrt();
        let answer = |inverse: bool, ulps: u32, x: [&[f64]; 2], y: [&[f64]; 2]| Answer {
            op: Fft { inverse }.into(),
            operands: x.map(|part| literal([part.len()], part)).into(),
            results: y.map(|part| literal([part.len()], part)).into(),
            ulps,
            regions: vec![],
        };
        let single = |part: [f32; 4]| literal([2, 2], part);
        let answers = vec![
            answer(false, 0, [&[1.0, 2.0, 3.0, 4.0], &[0.0; 4]], [&[10.0, -2.0, -2.0, -2.0], &[0.0, 2.0, 0.0, -2.0]]),
            answer(true, 0, [&[1.0, 2.0, 3.0, 4.0], &[0.0; 4]], [&[10.0, -2.0, -2.0, -2.0], &[0.0, -2.0, 0.0, 2.0]]),
            answer(false, 2, [&[0.0, 1.0, 0.0], &[0.0; 3]], [&[1.0, -0.5, -0.5], &[0.0, -half_sqrt_3, half_sqrt_3]]),
            answer(false, 0, [&[1.5], &[f64::INFINITY]], [&[1.5], &[f64::INFINITY]]),
            answer(false, 0, [&[], &[]], [&[], &[]]),
            Answer {
                op: Fft { inverse: false }.into(),
                operands: vec![single([1.0, 2.0, 0.0, 3.0]), single([0.0, 1.0, -1.0, 5.0])],
                results: vec![single([3.0, -1.0, 3.0, -3.0]), single([1.0, -1.0, 4.0, -6.0])],
                ulps: 0,
                regions: vec![],
            },
        ];
        let sample = |dtype: DType, inverse: bool, shape: &[usize]| Sample {
            op: Fft { inverse }.into(),
            operands: vec![(Type::new(dtype, shape), (-2.0, 2.0)); 2],
            regions: vec![],
        };
        let of = |dtype: DType| {
            let shapes: [&[usize]; 8] = [&[1], &[0], &[8], &[12], &[3, 7], &[2, 3, 5], &[37], &[0, 4]];
            shapes.into_iter().enumerate().map(move |(k, shape)| sample(dtype, k % 2 == 1, shape))
        };
        Examples { answers, samples: [DType::F64, DType::F32].into_iter().flat_map(of).collect() }
    }
}

impl Fft {
    fn transform(self, n: usize) -> Transform {
        Transform { kind: Kind::Complex { inverse: self.inverse }, n, scaled: false }
    }
}

impl Library for Fft {
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

impl General for Fft {
    fn jvp(&self, _: &[Var], _: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        match *t {
            [Some(re), im] => fft_of(re, im, self.inverse).map(Some).into(),
            [None, Some(im)] => fft_of(im.full_like(0.0), Some(im), self.inverse).map(Some).into(),
            _ => vec![None; 2],
        }
    }

    fn vjp(&self, _: &[Var], _: &[Var], ct: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        let Some([re, im]) = parts(ct) else { return vec![None; 2] };
        let back = fft_of(re, Some(im), !self.inverse);
        back.into_iter().zip(wanted).map(|(ct, &wanted)| wanted.then_some(ct)).collect()
    }
}

/// The transform of complex lines; see [`Fft`]. Lines that are known to be real take half of the time, if they are worth it.
#[track_caller]
pub(crate) fn fft_of(re: Var, im: Option<Var>, inverse: bool) -> [Var; 2] {
    match im {
        Some(im) => apply_all(Fft { inverse }, &[re, im]),
        None if re.is_poisoned() => [re; 2],
        None if last(&re.ty()) >= MIN_REAL => of_real(re, inverse),
        None => apply_all(Fft { inverse }, &[re, re.full_like(0.0)]),
    }
}

/// Shorter lines take longer to be put together from halves than to be transformed as complex ones.
const MIN_REAL: usize = 64;

/// The bins 0 to n/2, and the others as their mirror images.
#[track_caller]
fn of_real(x: Var, inverse: bool) -> [Var; 2] {
    let axis = x.rank() - 1;
    let n = x.shape()[axis];
    let [re, im] = rfft_of(x, false);
    let mirrored = |part: Var| part.slice(axis, 1..n.div_ceil(2)).reverse(&[axis]);
    let (first, second) = if inverse { (-im, mirrored(im)) } else { (im, -mirrored(im)) };
    [Var::concatenate(&[re, mirrored(re)], axis), Var::concatenate(&[first, second], axis)]
}
