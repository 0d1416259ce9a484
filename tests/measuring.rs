//! The end-to-end tests of the tools: they start `thor` and `lab`, and the `spidey` that these
//! measure.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod end_to_end {
    #[allow(dead_code, reason = "the tests of the servers use the rest")]
    mod devtools;
    mod lab;
    mod lab_report;
    #[allow(dead_code, reason = "the tests of the servers use the rest")]
    mod programs;
    #[allow(dead_code, reason = "the tests of the servers use the rest")]
    mod server;
    #[allow(dead_code, reason = "the tests of the servers use the rest")]
    mod sessions;
    mod thor;
    mod thor_load;
    mod thor_report;
    mod thor_websocket;
    mod wrong_values;
}
