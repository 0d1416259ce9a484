//! The header that a program writes: the same is found in it however it is cut into pieces.

#![no_main]

use kamea_components::cgi::check_split_invariance;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|output: &[u8]| check_split_invariance(output));
