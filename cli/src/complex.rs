//! Complex numbers on the command line: two inputs or outputs, `z.re` and `z.im`, under one name.

use std::collections::HashSet;

use retrograd::Graph;
use retrograd::value::json::parse_complex;
use retrograd::value::{Array, Tree, Type};

/// What derivatives append to the name of an input or output: the gradient by `z` is that by `z.re` and that by `z.im`.
const APPENDED: [&str; 5] = ["", ".grad", ".tangent", ".ct", ".hvp"];

/// The names of the parts of a complex value, in all ways in which they may be named.
fn names_of_parts(name: &str) -> impl Iterator<Item = [String; 2]> {
    APPENDED.iter().filter_map(move |end| {
        let whole = name.strip_suffix(end).filter(|whole| !whole.is_empty())?;
        Some(["re", "im"].map(|part| format!("{whole}.{part}{end}")))
    })
}

/// The name of the complex value whose parts have these names.
fn name_of_whole(re: &str, im: &str) -> Option<String> {
    APPENDED.iter().find_map(|end| {
        let whole = re.strip_suffix(end)?.strip_suffix(".re").filter(|whole| !whole.is_empty())?;
        (im.strip_suffix(end)?.strip_suffix(".im")? == whole).then(|| format!("{whole}{end}"))
    })
}

/// The positions of the parts of a complex value among these names.
pub fn positions_of_parts<'n>(name: &str, names: impl Iterator<Item = &'n str> + Clone) -> Option<[usize; 2]> {
    let position = |name: &str| names.clone().position(|known| known == name);
    names_of_parts(name).find_map(|[re, im]| Some([position(&re)?, position(&im)?]))
}

/// Which inputs a name means.
#[derive(Clone, Copy)]
pub enum Slot {
    Real(usize),
    /// Both parts of a complex input, of one type.
    Complex([usize; 2]),
}

impl Slot {
    /// The inputs of that name.
    pub fn of(name: &str, graph: &Graph) -> Option<Slot> {
        let names = graph.inputs().iter().map(|input| &*input.name);
        if let Some(at) = names.clone().position(|known| known == name) {
            return Some(Slot::Real(at));
        }
        let ty = |at: usize| graph.ty(graph.inputs()[at].node.into());
        let parts = positions_of_parts(name, names)?;
        let is_pair = ty(parts[0]) == ty(parts[1]) && ty(parts[0]).dtype.is_float();
        is_pair.then_some(Slot::Complex(parts))
    }
}

/// Values by name, where the parts of a complex one that follow each other are joined under its name.
pub fn join<'a, T>(values: &[(&str, &'a T)], ty: impl Fn(&T) -> Type) -> Vec<(String, Tree<&'a T>)> {
    let names: HashSet<&str> = values.iter().map(|(name, _)| *name).collect();
    let mut joined = Vec::new();
    let mut rest = values;
    while let [(name, re), after @ ..] = rest {
        let whole = after.first().and_then(|(second, im)| {
            let whole = name_of_whole(name, second).filter(|whole| !names.contains(whole.as_str()))?;
            (ty(re).dtype.is_float() && ty(re) == ty(im)).then_some((whole, *im))
        });
        let n_taken = if whole.is_some() { 2 } else { 1 };
        joined.push(match whole {
            Some((whole, im)) => (whole, Tree::complex(Tree::Leaf(*re), Tree::Leaf(im))),
            None => (name.to_string(), Tree::Leaf(*re)),
        });
        rest = &rest[n_taken..];
    }
    joined
}

/// A real or complex array as JSON.
pub fn to_json(value: &Tree<&Array>) -> String {
    match value.as_complex() {
        Some([re, im]) => format!("{{\"re\": {}, \"im\": {}}}", re.to_json(), im.to_json()),
        None => value.leaves().iter().map(|array| array.to_json()).collect(),
    }
}

/// The text with its complex numbers in quotes, so that it is JSON: `[1+2j, 3]` becomes `["1+2j", 3]`, and so does
/// `[(1+2j), 3]`, as Python shows them.
///
/// # Errors
/// If a part of such a number is out of range.
pub fn quote(text: &str) -> Result<String, &'static str> {
    let (mut quoted, mut is_string, mut rest) = (String::with_capacity(text.len()), false, text);
    while let Some(first) = rest.chars().next() {
        if !is_string && let Some((number, after)) = in_parentheses(rest) {
            quoted.extend(["\"", number, "\""]);
            rest = after;
            continue;
        }
        let is_of_number = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        let length = match rest.find(|c| !is_of_number(c)).unwrap_or(rest.len()) {
            // An escaped character ends no string.
            0 if is_string && first == '\\' => rest.chars().take(2).map(char::len_utf8).sum(),
            0 => first.len_utf8(),
            length => length,
        };
        let (token, after) = rest.split_at(length);
        let number = if is_string { None } else { Some(parse_complex(token)) };
        match number {
            Some(Ok(_)) => quoted.extend(["\"", token, "\""]),
            Some(Err(message)) if message.contains("range") => return Err(message),
            Some(Err(_)) | None => quoted.push_str(token),
        }
        is_string ^= token == "\"";
        rest = after;
    }
    Ok(quoted)
}

/// The complex number in parentheses with which a text begins, and what follows it.
fn in_parentheses(text: &str) -> Option<(&str, &str)> {
    let (number, after) = text.strip_prefix('(')?.split_once(')')?;
    parse_complex(number).ok().map(|_| (number, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parts_are_of_the_whole() {
        let whole = |re, im| name_of_whole(re, im).unwrap_or_default();
        assert_eq!(whole("z.re", "z.im"), "z");
        assert_eq!(whole("p.0.z.re", "p.0.z.im"), "p.0.z");
        assert_eq!(whole("z.re.grad", "z.im.grad"), "z.grad");
        assert_eq!(whole("z.re.tangent", "z.im.tangent"), "z.tangent");
        for (re, im) in [("z.im", "z.re"), ("z.re", "y.im"), (".re", ".im"), ("z.re.grad", "z.im.ct"), ("re", "im")] {
            assert_eq!(whole(re, im), "", "{re} {im}");
        }
        let at = |name| positions_of_parts(name, ["z.re", "w", "z.im", "z.re.ct", "z.im.ct"].into_iter());
        assert_eq!([at("z"), at("z.ct"), at("w"), at("")], [Some([0, 2]), Some([3, 4]), None, None]);
    }

    #[test]
    fn complex_numbers_are_quoted() {
        let is = |text, expected: &str| assert_eq!(quote(text).as_deref(), Ok(expected), "{text}");
        is("1+2j", "\"1+2j\"");
        is("[1+2i,-j, 3]", "[\"1+2i\",\"-j\", 3]");
        is(r#"{"1+2j": "i", "re": 3}"#, r#"{"1+2j": "i", "re": 3}"#);
        is(r#"["a\"1j", 1j]"#, r#"["a\"1j", "1j"]"#);
        is(r#"["a\\", 1j]"#, r#"["a\\", "1j"]"#);
        is("[1+, naj, ö1j]", "[1+, naj, ö\"1j\"]");
        is("(1+2j)", "\"1+2j\"");
        is("[(1-2j), 3]", "[\"1-2j\", 3]");
        is("[\"(1+2j)\"]", "[\"(1+2j)\"]");
        assert_eq!(quote("[1+1e400j]"), Err("number out of range"));
    }
}
