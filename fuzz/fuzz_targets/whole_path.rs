//! Files: accepted graphs go through derivatives, optimizer and compiler, and give the interpreter's numbers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use retrograd_fuzz::files;

fuzz_target!(|bytes: &[u8]| {
    match files::read(bytes).map(|graph| graph.map_or(Ok(false), |graph| files::run(&graph, bytes.len() as u64))) {
        Ok(Ok(_)) => {}
        Ok(Err(finding)) | Err(finding) => panic!("{finding}"),
    }
});
