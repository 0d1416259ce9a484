//! A line of components of Axon, Kamaelia's kernel, in Python.

use std::process::Command;

use super::messages;
use crate::Error;
use crate::python::{environment, make_environment, run};

const PROGRAM: &str = include_str!("axon.py");

/// It gets this many times fewer messages, so that it takes no longer than the others.
const FEWER: u64 = 200;

pub(super) fn axon(length: u64) -> Result<f64, Error> {
    let folder = environment(&crate::data()?);
    make_environment(&folder)?;
    let sent = messages(length) / FEWER;
    let told = run(Command::new(folder.join("bin/python"))
        .args(["-c", PROGRAM])
        .args([length.to_string(), sent.to_string()]))?;
    let mut words = told.split_whitespace().map(str::parse::<u64>);
    let (Some(Ok(sum)), Some(Ok(nanoseconds))) = (words.next(), words.next()) else {
        return Err(format!("Axon said {told:?}").into());
    };
    if sum != sent * (sent - 1) / 2 {
        return Err("Axon lost messages".into());
    }
    Ok(nanoseconds as f64 / (sent * length) as f64)
}
