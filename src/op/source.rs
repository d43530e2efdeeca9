//! Which files of source are the user's.

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
    let floors = ["batch", "differentiate", "op", "transform"];
    file.strip_prefix(root).is_some_and(|rest| floors.iter().any(|floor| rest.starts_with(floor)))
}
