//! Whatever comes in, and however it is cut, the response decoder says the same and keeps to its limits.
//!
//! From the root: `cargo +nightly fuzz run response`. The first line of an input says what the requests were. What the run finds belongs
//! into `corpus/response`, under a name that says what it is: the unit tests of the decoder replay that folder.

#![no_main]

use kamea_components::http::check_response_split_invariance;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| check_response_split_invariance(data));
