//! `Accept-Encoding`: no coding is accepted twice, and none that is refused.

#![no_main]

use kamea_components::coding::AcceptedCodings;
use kamea_components::http::Fields;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut fields = Fields::new();
    for line in data.split(|&b| b == b'\n') {
        // What the decoder would not let through is of no interest here.
        let _ = fields.push("Accept-Encoding", line);
    }
    let accepted: Vec<_> = AcceptedCodings::of(&fields).iter().collect();
    for (place, coding) in accepted.iter().enumerate() {
        assert!(!accepted[..place].contains(coding));
        let name = coding.name();
        let is_named = |text: &str| text.contains(name) || text.contains('*') || text.contains("gzip");
        assert!(is_named(&String::from_utf8_lossy(data).to_lowercase()));
    }
});
