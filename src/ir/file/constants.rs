use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::value::{Array, DType, Type};

/// The elements in row-major order, each little-endian.
pub(super) fn encode(value: &Array, text: &mut String) {
    let mut bytes = Vec::with_capacity(value.size() * value.dtype().size());
    match value {
        Array::F64(a) => a.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
        Array::F32(a) => a.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
        Array::I64(a) => a.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
        Array::Bool(a) => a.iter().for_each(|&x| bytes.push(x.into())),
    }
    STANDARD.encode_string(bytes, text);
}

/// Decodes the elements of an array of type `ty`. The length is checked before anything is allocated.
pub(super) fn decode(ty: &Type, base64: &str) -> Result<Array, String> {
    let n_bytes = ty.checked_bytes().ok_or_else(|| format!("{ty} is too large"))?;
    let n_characters = n_bytes.div_ceil(3).checked_mul(4);
    if n_characters != Some(base64.len()) {
        let n_characters = n_characters.map_or("too many".into(), |n| n.to_string());
        return Err(format!("base64 of {ty} must have {n_characters} characters, but has {}", base64.len()));
    }
    let bytes = STANDARD.decode(base64).map_err(|error| format!("not base64: {error}"))?;
    elements(ty, &bytes).ok_or_else(|| format!("the bytes are not {ty}"))
}

fn elements(ty: &Type, bytes: &[u8]) -> Option<Array> {
    let shape = ty.shape.clone();
    match ty.dtype {
        DType::F64 => Array::from_elements(shape, words(bytes).map(f64::from_le_bytes).collect()),
        DType::F32 => Array::from_elements(shape, words(bytes).map(f32::from_le_bytes).collect()),
        DType::I64 => Array::from_elements(shape, words(bytes).map(i64::from_le_bytes).collect()),
        DType::Bool => Array::from_elements(shape, bytes.iter().map(truth).collect::<Option<Vec<bool>>>()?),
    }
}

fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> + '_ {
    bytes.as_chunks().0.iter().copied()
}

fn truth(byte: &u8) -> Option<bool> {
    match byte {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}
