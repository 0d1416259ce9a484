//! A configuration of the proxy, in both formats: whatever it says, it is a plan with a table, or its
//! mistakes are shown.

#![no_main]

use std::path::Path;

use kamea_proxy::config::read_plan;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for file in ["proxy.conf", "proxy.toml"] {
        match read_plan(Path::new(file), text) {
            Ok(plan) => assert!(plan.to_string().starts_with("host")),
            Err(mistakes) => assert!(mistakes.to_string().contains(file)),
        }
    }
});
