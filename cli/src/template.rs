use std::path::Path;

use retrograd::value::{Array, Type};
use retrograd::{Error, Graph};

use crate::limits::LimitFlags;
use crate::numbers::{Format, cannot, write_arrays};
use crate::output::{note, one_line};

/// The most elements of an array in a template of JSON: nobody fills in more by hand.
const MAX_ELEMENTS: u64 = 10_000;

/// Writes a file of inputs to fill in, all of them zeros: as .npz if its name says so, else as JSON.
///
/// # Errors
/// If the file is of another format, or the zeros take more memory than the limits allow.
pub fn write_template(graph: &Graph, output: Option<&Path>, limits: &LimitFlags) -> Result<(), Error> {
    let format = Format::of(output)?;
    if let (Some(path), Format::Npy | Format::Csv) = (output, format) {
        return Err(cannot(path, "a template is written as .json or .npz").into());
    }
    let inputs = graph.inputs().iter().map(|input| (&*input.name, graph.ty(input.node.into())));
    let (shown, left_out): (Vec<_>, Vec<_>) =
        inputs.partition(|(_, ty)| format != Format::Json || written_size(ty) <= MAX_ELEMENTS);
    limits.demand_inputs(shown.iter().map(|(_, ty)| *ty))?;
    let zeros = shown.into_iter().map(|(name, ty)| Ok((name, Array::try_zeros(ty)?)));
    let zeros = zeros.collect::<Result<Vec<_>, Error>>()?;
    write_arrays(output, &zeros.iter().map(|(name, array)| (*name, array)).collect::<Vec<_>>())?;
    for (name, ty) in left_out {
        let name = one_line(name);
        note(&format!(
            "note: input {name} ({ty}) is left out, since it is large; give {name}=@FILE.npy, or write the template as .npz"
        ));
    }
    Ok(())
}

/// How many elements or empty lists are written for an array.
fn written_size(ty: &Type) -> u64 {
    ty.shape.iter().fold(1, |size, &extent| size.saturating_mul(extent.max(1) as u64))
}
