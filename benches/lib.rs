//! Benchmarks, side by side with peers.
//!
//! `bench` is the harness. `floor` and `hyper-peer` are two of the servers that it compares with.

pub mod http;
