//! Benchmarks, side by side with peers.
//!
//! `bench` is the harness. `floor`, `hyper-peer`, `axum-peer` and `actix-peer` are servers that it
//! compares with.

pub mod http;
pub mod store;
