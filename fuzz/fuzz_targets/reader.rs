//! Files: the reader rejects them, or returns a graph that can be saved and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use retrograd_fuzz::files;

fuzz_target!(|bytes: &[u8]| {
    if let Err(finding) = files::read(bytes) {
        panic!("{finding}");
    }
});
