//! Leaves out of `src/math` what needs the rest of retrograd.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(elementary)");
    println!("cargo::rustc-check-cfg=cfg(unoptimized)");
    println!("cargo::rustc-cfg=elementary");
    println!("cargo::rerun-if-changed=build.rs");
}
