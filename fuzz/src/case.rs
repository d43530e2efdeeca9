//! A program with its inputs.

use std::fs;
use std::path::Path;

use retrograd::value::{Array, DType, Type};
use retrograd::{Error, Graph};

use crate::Random;

/// A graph, and what it is run with.
#[derive(Clone, Debug)]
pub struct Case {
    /// The graph.
    pub graph: Graph,
    /// Its inputs.
    pub inputs: Vec<Array>,
    /// The output that is a scalar of floating point to be differentiated, if there is one.
    pub loss: Option<usize>,
}

impl Case {
    /// Writes `NAME.json` and `NAME.inputs.json`, as `retrograd run` reads them.
    ///
    /// # Errors
    /// If the graph does not verify, or the files cannot be written.
    pub fn save(&self, folder: &Path, name: &str) -> Result<(), Error> {
        self.graph.save(folder.join(format!("{name}.json")))?;
        let names = self.graph.inputs().iter().map(|input| &*input.name);
        let entries: Vec<String> =
            names.zip(&self.inputs).map(|(name, x)| format!(" {name:?}: {}", x.to_json())).collect();
        let text = format!("{{\n{}\n}}\n", entries.join(",\n"));
        // The graph's own file has shown that the folder can be written to.
        let _ = fs::write(folder.join(format!("{name}.inputs.json")), text);
        Ok(())
    }

    /// The positions of the inputs of floating point that have elements.
    pub fn float_inputs(&self) -> Vec<usize> {
        let is_float = |&k: &usize| self.inputs[k].dtype().is_float() && self.inputs[k].size() > 0;
        (0..self.inputs.len()).filter(is_float).collect()
    }

    /// The positions of the outputs of floating point that have elements.
    pub fn float_outputs(&self) -> Vec<usize> {
        let outputs = self.graph.outputs();
        let ty = |k: usize| self.graph.ty(outputs[k].value);
        (0..outputs.len()).filter(|&k| ty(k).dtype.is_float() && ty(k).size() > 0).collect()
    }
}

/// What the elements of an array are drawn from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Draw {
    /// Uniform between two bounds.
    Uniform(f64, f64),
    /// Halves of small integers, so that some are equal and some are 0.
    Halves,
    /// Now and then an infinity, NaN, a zero of either sign or a number of extreme size.
    Special,
}

/// An array of that type.
pub fn draw(random: &Random, ty: &Type, from: Draw) -> Array {
    let real = || match from {
        Draw::Uniform(low, high) => random.range(low, high),
        Draw::Halves => (random.below(9) as f64 - 4.0) / 2.0,
        Draw::Special if random.below(8) == 0 => {
            const SPECIAL: [f64; 9] =
                [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 5e-324, 1e300, -1e-40, 1e9];
            SPECIAL[random.below(SPECIAL.len())]
        }
        Draw::Special => random.range(-2.0, 2.0),
    };
    let list = ty.shape.extents();
    let each = 0..ty.size();
    let array = match ty.dtype {
        DType::F64 => Array::from_elements(list, each.map(|_| real()).collect()),
        DType::F32 => Array::from_elements(list, each.map(|_| real() as f32).collect()),
        DType::I64 => Array::from_elements(list, each.map(|_| random.below(7) as i64 - 3).collect()),
        DType::Bool => Array::from_elements(list, each.map(|_| random.below(2) == 1).collect()),
    };
    array.expect("as many elements as the shape has")
}
