//! How much arithmetic an operation takes, as what it becomes says: what plans and rooflines count.

use smallvec::SmallVec;

use super::instructions::Work;
use super::{Lowering, Op};
use crate::value::{DType, Type};

/// Arithmetic, as the counters of processors count it.
///
/// # What counts
/// - One for each element: addition, subtraction, multiplication, division, square root, maximum and minimum, in floating
///   point, whatever it takes the processor.
/// - Two for a fused multiply-add; so many as it is made of for what is made of these, as `clamp`, `rsqrt` and powers with
///   a fixed exponent.
/// - A reduction of `n` elements to one counts `n - 1`; a product of matrices two for each product of elements.
/// - Functions of `math`, as `exp`, are counted apart, as calls, one for each element: what is inside of them is none of
///   the program's arithmetic, and takes as long as some tens of it.
/// - Nothing for integers and `bool`s, for comparisons, selections and conversions, for signs, which are bits, for rounding,
///   and for what only moves elements.
///
/// ```
/// use retrograd::op::{Cost, DotGeneral, Exp, Op};
/// use retrograd::value::{DType, Type};
///
/// let [x, y] = [[4, 3], [3, 5]].map(|shape| Type::new(DType::F64, shape));
/// let dot: Op = DotGeneral { contract: [vec![1], vec![0]], batch: [vec![], vec![]] }.into();
/// let product = Type::new(DType::F64, [4, 5]);
/// assert_eq!(dot.cost(&[&x, &y], &[product]).flops(), 2 * 4 * 3 * 5);
///
/// let exp: Op = Exp.into();
/// assert_eq!(exp.cost(&[&x], &[x.clone()]), Cost { calls: 12, ..Cost::default() });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Operations in `f64`.
    pub f64_flops: u64,
    /// Operations in `f32`.
    pub f32_flops: u64,
    /// Elements of which a function of `math` is computed.
    pub calls: u64,
}

impl Cost {
    /// Operations in floating point, of either size.
    pub fn flops(self) -> u64 {
        self.f64_flops.saturating_add(self.f32_flops)
    }

    /// Both together.
    pub fn plus(self, other: Cost) -> Cost {
        self.with(other, u64::saturating_add)
    }

    /// The larger number of each kind.
    pub fn max(self, other: Cost) -> Cost {
        self.with(other, u64::max)
    }

    /// So many times that.
    pub fn times(self, n: u64) -> Cost {
        let times = |x: u64| x.saturating_mul(n);
        Cost { f64_flops: times(self.f64_flops), f32_flops: times(self.f32_flops), calls: times(self.calls) }
    }

    fn with(self, other: Cost, f: impl Fn(u64, u64) -> u64) -> Cost {
        Cost {
            f64_flops: f(self.f64_flops, other.f64_flops),
            f32_flops: f(self.f32_flops, other.f32_flops),
            calls: f(self.calls, other.calls),
        }
    }

    /// So many operations on numbers of that dtype.
    fn of(dtype: DType, n: usize) -> Cost {
        match dtype {
            DType::F64 => Cost { f64_flops: n as u64, ..Cost::default() },
            DType::F32 => Cost { f32_flops: n as u64, ..Cost::default() },
            DType::I64 | DType::Bool => Cost::default(),
        }
    }
}

impl Op {
    /// The arithmetic of one application, given the types of operands and results; see [`Cost`] for what counts.
    /// That of regions is not among it.
    pub fn cost(&self, operands: &[&Type], results: &[Type]) -> Cost {
        let (result, n) = (&results[0], results[0].size());
        match self.lower() {
            Lowering::Elementwise | Lowering::Math1(_) | Lowering::Math2(_) => {
                let dtypes: SmallVec<[DType; 3]> = operands.iter().map(|ty| ty.dtype).collect();
                let Work { f64_flops, f32_flops, calls, .. } = self.work(&dtypes);
                Cost { f64_flops, f32_flops, calls }.times(n as u64)
            }
            Lowering::Reduce { .. } => Cost::of(result.dtype, operands[0].size().saturating_sub(n)),
            Lowering::Constant(_) | Lowering::View(_) | Lowering::Control => Cost::default(),
            // What it does is not known.
            Lowering::External(_) => Cost { calls: 1, ..Cost::default() },
            Lowering::Checked(routine) => Cost::of(result.dtype, routine.flops(operands, result)),
            kind @ (Lowering::Assemble(_)
            | Lowering::Scatter(_)
            | Lowering::Contract(_)
            | Lowering::Generate(_)
            | Lowering::Library(_)
            | Lowering::Matrix(_)) => {
                Cost::of(result.dtype, kind.routine().map_or(0, |routine| routine.flops(operands, result)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::*;

    fn flops(op: impl Into<Op>, operands: &[Type]) -> u64 {
        let op = op.into();
        let results = op.infer(operands, &[]).unwrap();
        op.cost(&operands.iter().collect::<Vec<_>>(), &results).flops()
    }

    #[test]
    fn arithmetic_is_counted_by_what_is_computed() {
        let ty = |shape: &[usize]| Type::new(DType::F64, shape);
        assert_eq!(flops(Mul, &[ty(&[2, 3]), ty(&[2, 3])]), 6);
        assert_eq!(flops(Mul, &[Type::new(DType::I64, [6]), Type::new(DType::I64, [6])]), 0);
        assert_eq!(flops(Fma, &[ty(&[5]), ty(&[5]), ty(&[5])]), 10);
        assert_eq!(flops(ReduceSum { axes: vec![1] }, &[ty(&[2, 3])]), 4);
        assert_eq!(flops(ReduceSum { axes: vec![1] }, &[ty(&[2, 0])]), 0);
        assert_eq!(flops(CumSum { axis: 1, reverse: false }, &[ty(&[2, 3])]), 4);
        assert_eq!(flops(CumSum { axis: 1, reverse: false }, &[ty(&[2, 0])]), 0);
        // x¹³ = x · x⁴ · x⁸: two products, and three squares; its reciprocal takes a division, too.
        assert_eq!(flops(IntegerPow { exponent: 13 }, &[ty(&[])]), 5);
        assert_eq!(flops(IntegerPow { exponent: -13 }, &[ty(&[])]), 6);
        assert_eq!(flops(IntegerPow { exponent: 0 }, &[ty(&[])]), 0);
        let dot = DotGeneral { contract: [vec![2], vec![1]], batch: [vec![0], vec![0]] };
        assert_eq!(flops(dot, &[ty(&[7, 2, 3]), ty(&[7, 3, 5])]), 2 * 7 * 2 * 3 * 5);
    }

    /// No operation has both, and what `math` computes counts as calls, whatever the dtype of floating point.
    #[test]
    fn functions_of_math_are_calls() {
        for (name, _, examples) in Op::table() {
            for sample in examples.samples.iter().filter(|sample| sample.regions.is_empty()) {
                let operands: Vec<Type> = sample.operands.iter().map(|(ty, _)| ty.clone()).collect();
                let results = sample.op.infer(&operands, &[]).unwrap();
                let cost = sample.op.cost(&operands.iter().collect::<Vec<_>>(), &results);
                assert!(cost.calls == 0 || cost.flops() == 0, "{name}: {cost:?}");
                assert!(cost.f64_flops == 0 || results[0].dtype == DType::F64, "{name}: {cost:?}");
                assert!(cost.f32_flops == 0 || results[0].dtype == DType::F32, "{name}: {cost:?}");
                match sample.op.lower() {
                    Lowering::Math1(_) | Lowering::Math2(_) => {
                        assert_eq!(cost.calls, results[0].size() as u64, "{name}")
                    }
                    Lowering::Constant(_) | Lowering::View(_) => assert_eq!(cost, Cost::default(), "{name}"),
                    Lowering::External(_) => assert_eq!(cost.calls, 1, "{name}"),
                    Lowering::Elementwise | Lowering::Reduce { .. } | Lowering::Checked(_) | Lowering::Control => {}
                    kind => assert!(kind.routine().is_some(), "{name}"),
                }
            }
        }
    }
}
