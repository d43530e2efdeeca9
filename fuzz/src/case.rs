//! A program and its inputs.

use std::fs;
use std::path::Path;

use retrograd::value::{Array, DType, Type};
use retrograd::{Error, Graph};

use crate::Random;

/// A graph and the inputs that it is run with.
#[derive(Clone, Debug)]
pub struct Case {
    /// The graph.
    pub graph: Graph,
    /// Its inputs.
    pub inputs: Vec<Array>,
    /// The floating-point scalar output to differentiate, if there is one.
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
        // Writing the graph has shown that the folder is writable.
        let _ = fs::write(folder.join(format!("{name}.inputs.json")), text);
        Ok(())
    }

    /// The positions of nonempty floating-point inputs.
    pub fn float_inputs(&self) -> Vec<usize> {
        let is_float = |&k: &usize| self.inputs[k].dtype().is_float() && self.inputs[k].size() > 0;
        (0..self.inputs.len()).filter(is_float).collect()
    }

    /// The positions of nonempty floating-point outputs.
    pub fn float_outputs(&self) -> Vec<usize> {
        let outputs = self.graph.outputs();
        let ty = |k: usize| self.graph.ty(outputs[k].value);
        (0..outputs.len()).filter(|&k| ty(k).dtype.is_float() && ty(k).size() > 0).collect()
    }
}

/// The distribution of the elements of an array.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Draw {
    /// Uniform between two bounds.
    Uniform(f64, f64),
    /// Halves of small integers, so that some are equal and some are 0.
    Halves,
    /// Sometimes an infinity, NaN, a zero of either sign or a number of extreme magnitude.
    Special,
}

/// A random array of type `ty`.
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
