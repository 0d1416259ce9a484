//! A graph as text: whatever it says, it is read and drawn, or the mistake is shown in its line.

#![no_main]

use kamea_components::notation::Catalogue;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| match Catalogue::shipped().read(text) {
    Ok(draft) => assert!(draft.to_svg().ends_with("</svg>\n")),
    Err(mistake) => assert!(mistake.show("file", text).contains('^')),
});
