//! `Accept`: what is chosen was on offer.

#![no_main]

use kamea_components::http::{Fields, preferred_type};
use kamea_components::web::ErrorForm;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut fields = Fields::new();
    for line in data.split(|&b| b == b'\n') {
        // What the decoder would not let through is of no interest here.
        let _ = fields.push("Accept", line);
    }
    let offers = ["text/html", "application/json", "text/plain"];
    assert!(offers.contains(&preferred_type(&fields, &offers)));
    ErrorForm::wanted_by(&fields);
});
