//! What stands in the user's source: which files are the user's, and how operations are written there.

/// Whether a file belongs to a crate that was downloaded, or to the standard library.
pub(super) fn is_dependency(file: &str) -> bool {
    ["/registry/src/", "\\registry\\src\\", "/git/checkouts/", "\\git\\checkouts\\"]
        .iter()
        .any(|part| file.contains(part))
        || file.starts_with("/rustc/")
        || is_own(file)
}

/// Whether a file is one of this crate's that append operations for the user, wherever the crate was compiled.
fn is_own(file: &str) -> bool {
    let root = file!().strip_suffix("op/source.rs").expect("bug: this file has another name");
    let floors = ["batch", "differentiate", "numpy", "op", "random", "stats", "transform"];
    file.strip_prefix(root).is_some_and(|rest| floors.iter().any(|floor| rest.starts_with(floor)))
}

/// The method that is the operation of that name, if it has another name.
pub(super) fn method_of(op: &str) -> Option<&'static str> {
    METHODS.iter().find(|(name, _)| *name == op).map(|&(_, method)| method)
}

const METHODS: [(&str, &str); 24] = [
    ("reduce_sum", "sum_axes"),
    ("reduce_prod", "prod_axes"),
    ("reduce_max", "max_axes"),
    ("reduce_min", "min_axes"),
    ("reduce_and", "all_axes"),
    ("reduce_or", "any_axes"),
    ("integer_pow", "powi"),
    ("pow", "powf"),
    ("reciprocal", "recip"),
    ("fma", "mul_add"),
    ("log", "ln"),
    ("logistic", "sigmoid"),
    ("log1p", "ln_1p"),
    ("expm1", "exp_m1"),
    ("eq", "equal"),
    ("ne", "not_equal"),
    ("lt", "less"),
    ("le", "less_equal"),
    ("gt", "greater"),
    ("ge", "greater_equal"),
    ("slice", "slice_axis"),
    ("constant", "Var::constant"),
    ("iota", "Var::iota"),
    ("concatenate", "Var::concatenate"),
];
