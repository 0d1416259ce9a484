//! The derive macro behind `#[derive(Ports)]`.
