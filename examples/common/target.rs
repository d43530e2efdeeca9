use std::path::{Path, PathBuf};

/// A path in the folder where cargo builds this workspace.
pub fn target(name: &str) -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).join("target").join(name)
}
