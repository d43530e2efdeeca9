use std::str::FromStr;

use clap::Args;
use retrograd::Graph;
use retrograd::error::LimitError;
use retrograd::value::{Array, DType, Scalar, Type};

use crate::limits::LimitFlags;

/// How inputs without a value are drawn.
#[derive(Args)]
pub struct RandomFlags {
    /// The seed of the random numbers; the same seed gives the same numbers.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// The range of the random numbers. Integers include both ends; truth values are true or false with equal chance.
    #[arg(long, value_name = "LOW..HIGH", default_value = "-1..1", allow_hyphen_values = true)]
    range: Range,
}

/// `LOW..HIGH` on the command line.
#[derive(Clone, Copy)]
struct Range {
    low: f64,
    high: f64,
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Range, String> {
        let (low, high) = text.split_once("..").ok_or("takes LOW..HIGH, as in -1..1")?;
        let number = |text: &str| text.parse::<f64>().ok().filter(|x| x.is_finite()).ok_or("takes two finite numbers");
        let (low, high) = (number(low)?, number(high)?);
        if low < high { Ok(Range { low, high }) } else { Err("the first number must be below the second".to_string()) }
    }
}

impl RandomFlags {
    /// A generator that begins anew.
    pub fn generator(&self) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed)
    }

    /// The inputs, with random arrays in place of those that are missing.
    pub fn complete(
        &self,
        graph: &Graph,
        given: &[Option<Array>],
        generator: &mut fastrand::Rng,
        limits: &LimitFlags,
    ) -> Result<Vec<Array>, LimitError> {
        let types: Vec<&Type> = graph.inputs().iter().map(|input| graph.ty(input.node.into())).collect();
        limits.demand_inputs(types.iter().copied())?;
        let value = |(given, ty): (&Option<Array>, &Type)| given.clone().unwrap_or_else(|| self.draw(ty, generator));
        Ok(given.iter().zip(types).map(value).collect())
    }

    fn draw(&self, ty: &Type, generator: &mut fastrand::Rng) -> Array {
        let Range { low, high } = self.range;
        let element = |_| match ty.dtype {
            DType::Bool => Scalar::Bool(generator.bool()),
            DType::I64 => {
                let (low, high) = (low.ceil() as i64, high.floor() as i64);
                Scalar::I64(if low < high { generator.i64(low..=high) } else { low })
            }
            DType::F64 | DType::F32 => {
                // Where the width overflows, its two halves do not.
                let t = generator.f64();
                Scalar::F64(low * (1.0 - t) + high * t).convert(ty.dtype)
            }
        };
        Array::collect(ty, (0..ty.size()).map(element))
    }
}
