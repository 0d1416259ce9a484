//! What the tools that measure have in common: reports.

pub mod report;
