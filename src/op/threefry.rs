//! Random bits of a key.

use ndarray::{ArrayViewMut1, ArrayViewMutD, Axis};
use serde::{Deserialize, Serialize};

use super::rules::{
    Answer, Batch, Batched, Batching, Derivative, Doc, Examples, Library, Lowering, Rules, Sample, eval_library,
    expect_arity, literal,
};
use super::trace::apply;
use super::{Op, Var};
use crate::ir::{Mismatch, Signature, Types, mismatch};
use crate::math::normal::{self, Normal};
use crate::math::threefry::{self, Key};
use crate::value::{Array, ArrayMut, ArrayRef, DType, Element, Shape, Type};

/// Random bits by Threefry 2×32 with 20 rounds, a function of a key and of counters alone (Salmon, Moraes, Dror and Shaw,
/// "Parallel random numbers: as easy as 1, 2, 3", SC 2011). The streams are those of JAX, whose
/// `jax_threefry_partitionable` is on by default; [`random`](crate::random) has what users call.
///
/// Operands: a key, `i64[…, 2]`, and an offset, `i64[…]`. Results: for each key an array of `shape`, or of `[shape…, 2]`
/// for [`Draw::Words`]. The element at position `i` in row-major order is made of the two words that the key gives for
/// the counter `offset + i`, modulo 2⁶⁴. The words of a key are taken modulo 2³².
///
/// # Constraints
/// (C1) Both operands are `i64`. (C2) The last axis of the key has extent 2. (C3) The offset has the shape of the key
/// without its last axis.
///
/// # Derivative
/// None: bits are integers, and numbers made of them do not depend on anything that has a derivative.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threefry {
    /// The shape of what each key gives.
    pub shape: Vec<usize>,
    /// What is made of the words of each counter.
    pub draw: Draw,
}

/// What is made of two words of 32 bits, `hi` and `lo`.
///
/// ```
/// use retrograd::op::{Draw, Op, Threefry};
/// use retrograd::value::Array;
///
/// let op: Op = Threefry { shape: vec![], draw: Draw::Words }.into();
/// let key = Array::from_elements([2], vec![0i64, 0]).unwrap();
/// let words = op.eval(&[&key, &Array::scalar(0i64)])?;
/// assert_eq!(words, [Array::from_elements([2], vec![0x6b200159i64, 0x99ba4efe]).unwrap()]);
/// # Ok::<(), retrograd::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Draw {
    /// Both, as `i64`s in `0..2³²` along one more axis: another key.
    Words,
    /// `hi ^ lo`, an `i64` in `0..2³²`.
    Bits32,
    /// `hi · 2³² + lo`, the 64 bits of an `i64`.
    Bits64,
    /// An `f64` in `0..1`, which is a multiple of 2⁻⁵²: the upper 52 bits of [`Draw::Bits64`].
    UnitF64,
    /// An `f32` in `0..1`, which is a multiple of 2⁻²³: the upper 23 bits of [`Draw::Bits32`].
    UnitF32,
    /// A normal number, √2 erf⁻¹(x) with `x = 2 u - 1 + 2⁻⁵³` for the `u` of [`Draw::UnitF64`].
    NormalF64,
    /// A normal number, √2 erf⁻¹(x) with `x = 2 u - 1 + 2⁻²⁴` for the `u` of [`Draw::UnitF32`].
    NormalF32,
}

impl Draw {
    /// The dtype of the results.
    fn dtype(self) -> DType {
        match self {
            Draw::Words | Draw::Bits32 | Draw::Bits64 => DType::I64,
            Draw::UnitF64 | Draw::NormalF64 => DType::F64,
            Draw::UnitF32 | Draw::NormalF32 => DType::F32,
        }
    }
}

fn bits32(hi: u32, lo: u32) -> u32 {
    hi ^ lo
}

fn bits64(hi: u32, lo: u32) -> u64 {
    u64::from(hi) << 32 | u64::from(lo)
}

/// Bits as the fraction of a number in `1..2`, less 1.
fn unit_f64(hi: u32, lo: u32) -> f64 {
    f64::from_bits(bits64(hi, lo) >> 12 | 1.0f64.to_bits()) - 1.0
}

fn unit_f32(hi: u32, lo: u32) -> f32 {
    f32::from_bits(bits32(hi, lo) >> 9 | 1.0f32.to_bits()) - 1.0
}

impl Rules for Threefry {
    const NAME: &'static str = "threefry";

    fn infer(&self, operands: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        expect_arity(operands, 2)?;
        if let Some(other) = operands.iter().find(|ty| ty.dtype != DType::I64) {
            return Err(mismatch!("takes a key and an offset of i64, but got {other}"));
        }
        let [key, offset] = [&operands[0], &operands[1]];
        let Some((2, keys)) = key.shape.split_last().map(|(&last, keys)| (last, keys)) else {
            return Err(mismatch!("the last axis of a key must have extent 2, but got {key}"));
        };
        if *offset.shape != *keys {
            let expected = Type::new(DType::I64, keys);
            return Err(mismatch!("the offset of {key} must be {expected}, but got {offset}"));
        }
        let words: &[usize] = if self.draw == Draw::Words { &[2] } else { &[] };
        let shape: Shape = keys.iter().chain(&self.shape).chain(words).copied().collect();
        Ok(smallvec::smallvec![Type::new(self.draw.dtype(), shape)])
    }

    fn eval(&self, operands: &[&Array], results: &[Type]) -> Vec<Array> {
        eval_library(self, operands, results)
    }

    fn derivative(&self) -> Derivative<'_> {
        Derivative::Zero
    }

    fn batch(&self) -> Batching<'_> {
        Batching::Rule(self)
    }

    fn lower(&self) -> Lowering<'_> {
        Lowering::Library(self)
    }

    fn doc() -> Doc {
        Doc {
            summary: "random bits of a key and counters by Threefry 2x32, JAX's streams",
            derivative: "none",
            accuracy: "exact; normal numbers 4 ulp",
        }
    }

    fn examples() -> Examples {
        let op = |shape: &[usize], draw: Draw| -> Op { Threefry { shape: shape.to_vec(), draw }.into() };
        let draws =
            [Draw::Words, Draw::Bits32, Draw::Bits64, Draw::UnitF64, Draw::UnitF32, Draw::NormalF64, Draw::NormalF32];
        let shapes: [(&[usize], &[usize]); 4] = [(&[], &[]), (&[], &[7, 11]), (&[3], &[5]), (&[3], &[0])];
        let sample = |draw: Draw| {
            shapes.map(|(keys, shape)| {
                let key: Shape = keys.iter().copied().chain([2]).collect();
                let operands = [key, keys.into()].map(|shape| (Type::new(DType::I64, shape), (-9.0, 9.0)));
                Sample { op: op(shape, draw), operands: operands.into(), regions: vec![] }
            })
        };
        Examples { answers: known_answers(), samples: draws.into_iter().flat_map(sample).collect() }
    }
}

/// The words are those of Random123, the authors' implementation; the numbers made of them those of JAX, and normal ones
/// by mpmath.
fn known_answers() -> Vec<Answer> {
    let answer = |shape: &[usize], draw: Draw, key: [i64; 2], offset: i64, result: Array| Answer {
        op: Threefry { shape: shape.to_vec(), draw }.into(),
        operands: vec![literal([2], key), Array::scalar(offset)],
        results: vec![result],
        ulps: 0,
        regions: vec![],
    };
    let pi = [0x1319_8a2e, 0x0370_7344];
    let at = 0x243f_6a88_85a3_08d3;
    vec![
        answer(&[], Draw::Words, [0, 0], 0, literal([2], [0x6b20_0159, 0x99ba_4efe])),
        answer(&[], Draw::Words, [0xffff_ffff, -1], -1, literal([2], [0x1cb9_96fc, 0xbb00_2be7])),
        answer(&[], Draw::Words, pi, at, literal([2], [0xc492_3a9c, 0x483d_f7a0])),
        answer(&[], Draw::Bits32, pi, at, Array::scalar(0x8caf_cd3ci64)),
        answer(&[], Draw::Bits64, pi, at, Array::scalar(0xc492_3a9c_483d_f7a0u64.cast_signed())),
        answer(&[], Draw::UnitF64, pi, at, Array::scalar((0xc_4923_a9c4_83dfu64 as f64) / (1u64 << 52) as f64)),
        Answer { ulps: 4, ..answer(&[], Draw::NormalF64, pi, at, Array::scalar(0.7318052459534772)) },
        Answer { ulps: 1, ..answer(&[], Draw::NormalF32, pi, at, Array::scalar(0.12454339f32)) },
        answer(&[], Draw::UnitF32, pi, at, Array::scalar(0x46_57e6 as f32 / (1 << 23) as f32)),
    ]
}

impl Batch for Threefry {
    /// Further keys are no other operation: each gives what it gives alone.
    fn batch(&self, x: &[Batched], n: usize) -> Var {
        apply(self.clone(), &[x[0].rows(n), x[1].rows(n)])
    }
}

impl Library for Threefry {
    fn run(&self, operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) {
        let result = &mut results[0];
        match self.draw {
            Draw::Words => self.fill_words(operands, result.typed::<i64>()),
            Draw::NormalF64 => self.fill_normals(operands, result.typed::<f64>()),
            Draw::NormalF32 => self.fill_normals(operands, result.typed::<f32>()),
            Draw::Bits32 => self.fill(operands, result.typed::<i64>(), |hi, lo| bits32(hi, lo).into()),
            Draw::Bits64 => self.fill(operands, result.typed::<i64>(), |hi, lo| bits64(hi, lo).cast_signed()),
            Draw::UnitF64 => self.fill(operands, result.typed::<f64>(), unit_f64),
            Draw::UnitF32 => self.fill(operands, result.typed::<f32>(), unit_f32),
        }
    }

    /// The subtraction that makes a number of bits. The function in normal numbers is one of `math`, and none of them.
    fn flops(&self, _: &[&Type], result: &Type) -> usize {
        result.size()
    }
}

impl Threefry {
    /// Fills what each key gives, which lies one after the other in the result.
    fn fill<T: Element>(
        &self,
        operands: &[ArrayRef<'_>],
        result: &mut ArrayViewMutD<'_, T>,
        of: impl Fn(u32, u32) -> T,
    ) {
        let n = self.shape.iter().product::<usize>();
        in_order(result, |elements| {
            for (index, (key, offset)) in keys(operands).into_iter().enumerate() {
                threefry::fill(key, offset, &mut elements[index * n..][..n], &of);
            }
        });
    }

    fn fill_normals<T: Element + Normal>(&self, operands: &[ArrayRef<'_>], result: &mut ArrayViewMutD<'_, T>) {
        let n = self.shape.iter().product::<usize>();
        in_order(result, |elements| {
            for (index, (key, offset)) in keys(operands).into_iter().enumerate() {
                normal::fill(key, offset, &mut elements[index * n..][..n]);
            }
        });
    }

    fn fill_words(&self, operands: &[ArrayRef<'_>], result: &mut ArrayViewMutD<'_, i64>) {
        let n = self.shape.iter().product::<usize>();
        in_order(result, |elements| {
            let (pairs, _) = elements.as_chunks_mut::<2>();
            for (index, (key, offset)) in keys(operands).into_iter().enumerate() {
                threefry::fill(key, offset, &mut pairs[index * n..][..n], |hi, lo| [hi.into(), lo.into()]);
            }
        });
    }
}

/// The keys, and the counters from which on they are asked.
fn keys(operands: &[ArrayRef<'_>]) -> Vec<(Key, u64)> {
    let word = |word: i64| (word.cast_unsigned() & u64::from(u32::MAX)) as u32;
    let (keys, offsets) = (operands[0].typed::<i64>(), operands[1].typed::<i64>());
    let axis = Axis(keys.ndim() - 1);
    let key = |key: ndarray::ArrayView1<'_, i64>| [word(key[0]), word(key[1])];
    keys.lanes(axis).into_iter().map(key).zip(offsets.iter().map(|offset| offset.cast_unsigned())).collect()
}

/// Runs the body on the elements in row-major order; where they lie otherwise, on others that are copied there.
fn in_order<T: Element>(result: &mut ArrayViewMutD<'_, T>, body: impl FnOnce(&mut [T])) {
    if let Some(elements) = result.as_slice_mut() {
        return body(elements);
    }
    let mut elements: Vec<T> = result.iter().copied().collect();
    body(&mut elements);
    let copied = ArrayViewMut1::from(&mut elements[..]).into_shape_with_order(result.raw_dim());
    result.assign(&copied.expect("bug: as many elements"));
}
