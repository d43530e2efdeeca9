//! The application of a function of the host.

use serde::{Deserialize, Serialize};

use super::rules::{Answer, Batching, Derivative, Doc, Examples, General, Lowering, Rules, Sample, literal};
use super::{Op, Var, trace};
use crate::error::{ExternalError, SourceLine};
use crate::external::{self, Host, IDENTITY};
use crate::ir::{Mismatch, Signature, Types, mismatch};
use crate::value::{Array, ArrayMut, ArrayRef, DType, Type};

/// Applies a function that the program has registered; see [`external`](mod@crate::external).
///
/// Operands: what the function takes. Results: as declared.
///
/// # Constraints
/// (C1) Operands and results are arrays. (C2) There is at least one result. Whether there is such a function, and takes
/// and gives these types, shows when the graph is compiled or run.
///
/// # Derivative
/// None: an error, unless nothing flows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct External {
    /// The name under which it is registered.
    pub function: String,
    /// The types of its results.
    #[serde(with = "texts")]
    pub results: Vec<Type>,
}

impl External {
    /// The registered function, for operands of these types.
    ///
    /// # Errors
    /// If there is none, or one for other types.
    pub(crate) fn find(
        &self,
        operands: &[Type],
        at: Option<&SourceLine>,
    ) -> Result<std::sync::Arc<Host>, ExternalError> {
        external::find(&self.function, operands, &self.results, at)
    }

    /// The results on these operands.
    ///
    /// # Errors
    /// As [`External::find`], and those of the function itself.
    pub(crate) fn call(&self, operands: &[&Array], at: Option<&SourceLine>) -> Result<Vec<Array>, ExternalError> {
        let types: Vec<Type> = operands.iter().map(|x| x.ty()).collect();
        let host = self.find(&types, at)?;
        let mut arrays: Vec<Array> = self.results.iter().map(Array::zeros).collect();
        let operands: Vec<ArrayRef<'_>> = operands.iter().map(|x| x.view()).collect();
        let mut results: Vec<ArrayMut<'_>> = arrays.iter_mut().map(Array::view_mut).collect();
        host.call(&operands, &mut results, at)?;
        drop(results);
        Ok(arrays)
    }
}

impl Rules for External {
    const NAME: &'static str = "external";

    fn infer(&self, _: &[Type], _: &[Signature]) -> Result<Types, Mismatch> {
        if self.results.is_empty() {
            return Err(mismatch!("must give at least one result, but \"results\" is empty"));
        }
        match self.results.iter().find(|ty| ty.stack) {
            Some(stack) => Err(mismatch!("gives arrays, but \"results\" has {stack}")),
            None => Ok(self.results.iter().cloned().collect()),
        }
    }

    fn eval(&self, operands: &[&Array], _: &[Type]) -> Vec<Array> {
        self.call(operands, None).unwrap_or_else(|error| panic!("bug: evaluated where it must not fail: {error}"))
    }

    fn derivative(&self) -> Derivative<'_> {
        Derivative::General(self)
    }

    fn batch(&self) -> Batching<'_> {
        Batching::RowByRow
    }

    fn lower(&self) -> Lowering<'_> {
        Lowering::External(self)
    }

    fn doc() -> Doc {
        Doc {
            summary: "a function of the host, which the program registers under a name",
            derivative: "none: an error, unless a custom rule around it gives one",
            accuracy: "that of the function",
        }
    }

    fn examples() -> Examples {
        let identity = |results: Vec<Type>| -> Op { External { function: IDENTITY.to_string(), results }.into() };
        let of = |x: Vec<Array>| Answer {
            op: identity(x.iter().map(Array::ty).collect()),
            operands: x.clone(),
            results: x,
            ulps: 0,
            regions: vec![],
        };
        let answers = vec![
            of(vec![literal([2, 2], [1.5, -0.0, f64::NAN, f64::INFINITY])]),
            of(vec![literal([2], [1.5f32, -2.0]), literal([], [true]), literal([0], Vec::<i64>::new())]),
        ];
        // Without operands of floating point there is nothing to differentiate.
        let samples =
            [vec![Type::new(DType::I64, [3, 5])], vec![Type::scalar(DType::I64), Type::new(DType::Bool, [7])]].map(
                |types| Sample {
                    op: identity(types.clone()),
                    operands: types.into_iter().map(|ty| (ty, (-9.0, 9.0))).collect(),
                    regions: vec![],
                },
            );
        Examples { answers, samples: samples.into() }
    }
}

impl General for External {
    fn jvp(&self, _: &[Var], y: &[Var], t: &[Option<Var>]) -> Vec<Option<Var>> {
        if let Some(slot) = t.iter().position(Option::is_some) {
            fail(slot);
        }
        vec![None; y.len()]
    }

    fn vjp(&self, x: &[Var], _: &[Var], _: &[Option<Var>], wanted: &[bool]) -> Vec<Option<Var>> {
        if let Some(slot) = wanted.iter().position(|&wanted| wanted) {
            fail(slot);
        }
        vec![None; x.len()]
    }
}

fn fail(slot: usize) {
    let operand = ["first", "second", "third", "fourth"].get(slot).copied().unwrap_or("further");
    let reason = "it is a function of the host; custom_vjp or custom_jvp around it gives it a derivative, and \
                  stop_gradient of its operands the derivative zero";
    trace::fail_no_rule(External::NAME, operand, reason);
}

/// Types as they are written in files.
mod texts {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::value::Type;

    pub fn serialize<S: Serializer>(types: &[Type], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(types.iter().map(Type::to_string))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Type>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let parse = |text: &String| Type::parse(text).ok_or_else(|| D::Error::custom(format!("\"{text}\" is no type")));
        texts.iter().map(parse).collect()
    }
}
