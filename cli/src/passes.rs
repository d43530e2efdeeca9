use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use retrograd::optimize::{self, Pass};

/// Takes the name of a pass.
pub fn pass_parser() -> impl TypedValueParser<Value = Pass> {
    PossibleValuesParser::new(values()).map(|name| optimize::pass(&name).expect("bug: a pass that is not listed"))
}

/// The graph of which something is shown.
#[derive(Clone, Copy)]
pub enum After {
    /// As it is in the file.
    None,
    /// After that pass, and those that run before it.
    Pass(Pass),
    /// After each pass in turn.
    All,
}

/// Takes the name of a pass, `none` or `all`.
pub fn after_parser() -> impl TypedValueParser<Value = After> {
    let none = PossibleValue::new("none").help("as it is in the file");
    let all = PossibleValue::new("all").help("each that keeps every bit, in turn");
    PossibleValuesParser::new([none].into_iter().chain(values()).chain([all])).map(|name| match name.as_str() {
        "none" => After::None,
        "all" => After::All,
        name => After::Pass(optimize::pass(name).expect("bug: a pass that is not listed")),
    })
}

fn values() -> Vec<PossibleValue> {
    let value = |pass: &Pass| PossibleValue::new(pass.name).aliases(pass.former_name()).help(pass.summary);
    optimize::passes().iter().map(value).collect()
}
