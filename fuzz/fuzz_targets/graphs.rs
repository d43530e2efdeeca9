//! Programs generated from the fuzzer's bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use retrograd_fuzz::{Choices, Generator, examine};

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, rest)) = bytes.split_first() else { return };
    let generator = Generator::of_seed(u64::from(first));
    if let Err(finding) = examine(generator, &Choices::from_bytes(rest.to_vec()), u64::from(first)) {
        panic!("{}\n{}\n{}", finding.kind, finding.detail, finding.case.graph);
    }
});
