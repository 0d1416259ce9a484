//! `spidey`, the web server.
fn main() {}
