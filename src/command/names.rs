use retrograd::error::ArgumentError;

/// The position of a name.
pub fn position<'n>(
    kind: &'static str,
    name: &str,
    names: impl Iterator<Item = &'n str> + Clone,
) -> Result<usize, ArgumentError> {
    names.clone().position(|known| known == name).ok_or_else(|| ArgumentError::Unknown {
        kind,
        name: name.to_string(),
        known: names.map(str::to_string).collect(),
    })
}
