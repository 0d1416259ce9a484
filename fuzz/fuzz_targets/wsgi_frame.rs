//! Whatever a worker of a WSGI application says, and however it is cut, the decoder says the same, and ends.

#![no_main]

use kamea_components::wsgi::check_frames;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| check_frames(data));
