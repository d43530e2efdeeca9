//! The error of one result, and the largest of many.

use rug::float::Special;
use rug::{Assign, Float};

use crate::BLOCK;
use crate::catalog::{Case, Floor, Function};
use crate::points::points;

/// How many wrong special values are told.
const MAX_WRONG: usize = 8;

/// A format of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    F64,
    F32,
}

impl Format {
    /// The name in Rust.
    pub fn name(self) -> &'static str {
        match self {
            Format::F64 => "f64",
            Format::F32 => "f32",
        }
    }

    /// The number of bits of a significand.
    fn digits(self) -> i32 {
        match self {
            Format::F64 => f64::MANTISSA_DIGITS as i32,
            Format::F32 => f32::MANTISSA_DIGITS as i32,
        }
    }

    /// The exponents of the smallest normal and the largest number, for a significand in [1/2, 1).
    fn exponents(self) -> (i32, i32) {
        match self {
            Format::F64 => (f64::MIN_EXP, f64::MAX_EXP),
            Format::F32 => (f32::MIN_EXP, f32::MAX_EXP),
        }
    }

    /// The precision of references: a unit in their last place is less than a millionth of ours.
    pub fn reference_precision(self) -> u32 {
        match self {
            Format::F64 => 80,
            Format::F32 => 48,
        }
    }
}

/// The largest error among some points, and where it stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct Largest {
    pub error: f64,
    pub place: [f64; 2],
}

impl Largest {
    fn add(&mut self, error: f64, place: [f64; 2]) {
        if error > self.error {
            *self = Largest { error, place };
        }
    }
}

/// What was found about one function in one format.
#[derive(Clone, Debug, Default)]
pub struct Errors {
    /// Among normal results.
    pub normal: Largest,
    /// Among subnormal results.
    pub subnormal: Largest,
    /// The largest value at which the error exceeds the bound, though not next to the floor.
    pub near_zero: f64,
    /// Wrong infinities, NaNs and signs of zeros.
    pub wrong: Vec<String>,
    /// The number of arguments.
    arity: usize,
}

impl Errors {
    /// What two threads found.
    pub fn merge(mut self, other: Errors) -> Errors {
        self.normal.add(other.normal.error, other.normal.place);
        self.subnormal.add(other.subnormal.error, other.subnormal.place);
        self.near_zero = self.near_zero.max(other.near_zero);
        self.wrong.extend(other.wrong);
        self.wrong.truncate(MAX_WRONG);
        self.arity = other.arity.max(self.arity);
        self
    }

    /// The largest error of all.
    pub fn largest(&self) -> f64 {
        self.normal.error.max(self.subnormal.error)
    }

    /// The arguments at which the largest error stands.
    pub fn place(&self) -> &[f64] {
        let largest = if self.subnormal.error > self.normal.error { &self.subnormal } else { &self.normal };
        &largest.place[..self.arity]
    }
}

/// Measures a function at a block of points.
pub fn measure(case: &Case, format: Format, block: u64, errors: &mut Errors) {
    let points = points(case, format, block, BLOCK as usize);
    let results = evaluate(case, format, &points);
    let mut exact = Float::new(format.reference_precision());
    let mut second = Float::new(format.reference_precision());
    let mut difference = Float::new(format.reference_precision());
    errors.arity = case.function.arity();
    for (&point, y) in points.iter().zip(results) {
        exact.assign(point[0]);
        second.assign(point[1]);
        case.function.reference(&mut exact, &second);
        if let Some(defect) = defect(y, &exact, format) {
            if errors.wrong.len() < MAX_WRONG {
                errors.wrong.push(format!("{:?} gives {y:?}, not {:.20e}: {defect}", &point[..errors.arity], exact));
            }
            continue;
        }
        if y.is_nan() || exact.is_zero() || exact.is_infinite() {
            continue;
        }
        let (lowest, highest) = format.exponents();
        let exponent = exact.get_exp().expect("a number").min(highest);
        let is_subnormal = exponent < lowest;
        exact.abs_mut();
        // What is infinite stands where the next number would.
        match y.is_infinite() {
            true => difference.assign(Float::with_val(2, 1) << highest),
            false => difference.assign(y.abs()),
        }
        difference -= &exact;
        if y.is_infinite() && difference.is_sign_negative() {
            difference.assign(Special::Zero);
        }
        let (size, scale) = difference.to_f64_exp();
        let ulps = |exponent: i32| (size * f64::from(scale - (exponent.max(lowest) - format.digits())).exp2()).abs();
        let mut error = ulps(exponent);
        if let Some(floor) = case.floor
            && floor.applies(point[0])
        {
            if error > case.bound {
                errors.near_zero = errors.near_zero.max(exact.to_f64());
            }
            error = ulps(exponent.max(Floor::EXPONENT));
        }
        let largest = if is_subnormal { &mut errors.subnormal } else { &mut errors.normal };
        largest.add(error, point);
    }
}

/// Our values, by the entries for slices, with numbers of `f32` widened.
fn evaluate(case: &Case, format: Format, points: &[[f64; 2]]) -> Vec<f64> {
    let n = points.len();
    let column = |i: usize| points.iter().map(|point| point[i]).collect::<Vec<f64>>();
    let narrow_column = |i: usize| points.iter().map(|point| point[i] as f32).collect::<Vec<f32>>();
    match format {
        Format::F64 => {
            let (x, y) = (column(0), column(1));
            let mut z = vec![0.0; n];
            // SAFETY: all have the same length.
            unsafe {
                match case.function {
                    Function::One(f, _) => f.slice_f64()(x.as_ptr(), z.as_mut_ptr(), n),
                    Function::Two(f, _) => f.slice_f64()(x.as_ptr(), y.as_ptr(), z.as_mut_ptr(), n),
                }
            }
            z
        }
        Format::F32 => {
            let (x, y) = (narrow_column(0), narrow_column(1));
            let mut z = vec![0.0; n];
            // SAFETY: all have the same length.
            unsafe {
                match case.function {
                    Function::One(f, _) => f.slice_f32()(x.as_ptr(), z.as_mut_ptr(), n),
                    Function::Two(f, _) => f.slice_f32()(x.as_ptr(), y.as_ptr(), z.as_mut_ptr(), n),
                }
            }
            z.into_iter().map(f64::from).collect()
        }
    }
}

/// What is wrong about a result that no number of units tells.
fn defect(y: f64, exact: &Float, format: Format) -> Option<&'static str> {
    if y.is_nan() != exact.is_nan() {
        return Some("NaN");
    }
    if y.is_nan() {
        // Widening keeps the sign and moves the bits that are there to the same place.
        return (y.to_bits() != f64::NAN.to_bits()).then_some("another NaN");
    }
    if y.is_sign_negative() != exact.is_sign_negative() {
        return Some("the sign");
    }
    if exact.is_infinite() != y.is_infinite() && (exact.is_infinite() || !overflows(exact, format)) {
        return Some("infinity");
    }
    (exact.is_zero() && y != 0.0).then_some("zero")
}

/// Whether a value is so near to overflow, or beyond it, that infinity is a matter of rounding.
fn overflows(exact: &Float, format: Format) -> bool {
    exact.get_exp().is_some_and(|exponent| exponent >= format.exponents().1)
}
