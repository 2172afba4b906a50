//! Arbitrary bytes for `iptables-restore`: no panic, and what it takes is saved, restored and saved the same.
#![no_main]

#[path = "../../sim/tests/restore/mod.rs"]
mod restore;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Err(e) = restore::stable(&String::from_utf8_lossy(data)) {
        panic!("{e}");
    }
});
