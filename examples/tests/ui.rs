//! What the compiler says of a closure or a call that does not fit, to the letter. It is built like any user's crate.
//!
//! The texts are those of the compiler that `rust-version` names. Where a message changed on purpose,
//! `TRYBUILD=overwrite cargo test --test ui -- --ignored` writes the files anew.

#[test]
#[ignore = "builds all dependencies once more; .ci/run runs it"]
fn the_compiler_names_the_remedy() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
