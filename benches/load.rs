//! The load: wrk, with one thread.

use std::path::PathBuf;
use std::process::Command;

use crate::Error;
use crate::server::Server;

/// How requests use connections.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reuse {
    /// One after another on each connection.
    KeepAlive,
    /// Sixteen at a time on each connection.
    Pipelined,
    /// Each on a new connection.
    Close,
}

impl Reuse {
    fn script(self) -> Option<PathBuf> {
        let name = match self {
            Self::KeepAlive => return None,
            Self::Pipelined => "pipeline.lua",
            Self::Close => "close.lua",
        };
        Some(script(name))
    }
}

/// A script for wrk.
fn script(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/wrk")).join(name)
}

/// The result of wrk.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) requests: f64,
    pub(crate) per_second: f64,
}

/// The target of the requests.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) path: &'static str,
    /// A header field of the request, `Name: value`.
    pub(crate) field: Option<String>,
    /// The length of the body, if the requests are POST.
    pub(crate) body: Option<usize>,
    /// A script that makes the requests.
    pub(crate) script: Option<&'static str>,
    /// The number of concurrent connections.
    pub(crate) connections: u32,
}

impl Ask {
    /// The small file.
    pub(crate) const SMALL: Self = Self {
        path: "/small.txt",
        field: None,
        body: None,
        script: None,
        connections: 64,
    };
}

/// Sends requests for this many seconds.
pub(crate) fn run(server: &Server, ask: &Ask, reuse: Reuse, seconds: u32) -> Result<Load, Error> {
    let mut command = Command::new("wrk");
    let connections = format!("-c{}", ask.connections);
    command.args(["-t1", &connections, &format!("-d{seconds}s")]);
    if let Some(field) = &ask.field {
        command.args(["-H", field]);
    }
    if let Some(script) = reuse.script() {
        command.arg("-s").arg(script);
    }
    if let Some(name) = ask.script {
        command.arg("-s").arg(script(name));
    }
    if ask.body.is_some() {
        command.arg("-s").arg(script("post.lua"));
    }
    let scheme = if server.kind.is_secure() {
        "https"
    } else {
        "http"
    };
    command.arg(format!("{scheme}://{}{}", server.address, ask.path));
    if let Some(length) = ask.body {
        command.args(["--", &length.to_string()]);
    }
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("wrk: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    parse(&text).map_err(|error| format!("{} under {reuse:?}: {error}", server.kind.name()).into())
}

fn parse(text: &str) -> Result<Load, Error> {
    let trouble = ["Non-2xx", "Socket errors"];
    if let Some(line) = text
        .lines()
        .find(|line| trouble.iter().any(|word| line.contains(word)))
    {
        return Err(format!("wrk: {}", line.trim()).into());
    }
    let odd = || Error::from(format!("wrk said something unexpected: {text}"));
    let mut words = text.split_whitespace();
    let before = text.split(" requests in").next().ok_or_else(odd)?;
    let requests = before.split_whitespace().last().ok_or_else(odd)?;
    words
        .find(|word| *word == "Requests/sec:")
        .ok_or_else(odd)?;
    Ok(Load {
        requests: requests.parse().map_err(|_| odd())?,
        per_second: words.next().ok_or_else(odd)?.parse()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "Running 2s test @ http://127.0.0.1:1/\n  1 threads and 64 connections\n  \
        Thread Stats   Avg      Stdev     Max   +/- Stdev\n  217493 requests in 2.00s, 231.27MB read\n\
        Requests/sec: 108657.16\nTransfer/sec:    115.54MB\n";

    #[test]
    fn what_wrk_says_is_understood() {
        let load = parse(SAID).unwrap();
        assert_eq!((load.requests, load.per_second), (217_493.0, 108_657.16));
    }

    #[test]
    fn failed_requests_are_no_requests() {
        let said = format!("{SAID}  Non-2xx or 3xx responses: 3\n");
        assert!(parse(&said).unwrap_err().to_string().contains("Non-2xx"));
        assert!(parse("").is_err());
    }
}
