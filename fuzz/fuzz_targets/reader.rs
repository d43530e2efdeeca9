//! Files: the reader refuses them, or gives what can be dumped and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use retrograd_fuzz::files;

fuzz_target!(|bytes: &[u8]| {
    if let Err(finding) = files::read(bytes) {
        panic!("{finding}");
    }
});
