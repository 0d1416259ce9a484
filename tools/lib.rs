//! Reports: the common part of the measuring tools.

pub mod report;
