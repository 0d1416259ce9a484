//! The servers and the requests to them.

use std::fs;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::Path;
use std::sync::Arc;

use http::{Method, Version};
use kamea_components::http::{Fields, Url};
use kamea_components::load::{Target, Targets};
use kamea_components::net::Socket;
use kamea_components::tls::{ClientTls, connect_tls};

use super::Failed;
use crate::options::Options;
use crate::values::Weighted;

/// A server, and what it is asked for.
#[derive(Debug, Clone)]
pub(super) struct Server<Work> {
    pub(super) addresses: Arc<[SocketAddr]>,
    /// The name that its certificate must be for, if it speaks TLS.
    pub(super) tls: Option<(ClientTls, Arc<str>)>,
    pub(super) work: Work,
    /// Its weight: how many of the connections are for it, compared with the others.
    weight: u64,
}

/// The URLs, in the given order: those of the command line, then those of the file.
pub(super) fn urls(options: &Options) -> Result<Vec<Weighted>, Failed> {
    let mut urls = options.urls.clone();
    if let Some(file) = &options.load.url_file {
        let text = read(file)?;
        let text = String::from_utf8_lossy(&text);
        for (number, line) in text.lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong =
                |error| Failed::Usage(format!("{}, line {}: {error}", file.display(), number + 1));
            urls.push(line.parse().map_err(wrong)?);
        }
        if urls.is_empty() {
            return Err(Failed::Usage(format!("{}: no URL in it", file.display())));
        }
    }
    Ok(urls)
}

/// The servers of the URLs, with their requests.
pub(super) fn servers(
    options: &Options,
    urls: &[Weighted],
) -> Result<Vec<Server<Targets>>, Failed> {
    let (fields, content) = (fields(options)?, content(options)?);
    let method = options.load.method();
    if method == Method::CONNECT {
        return Err(Failed::Usage(
            "CONNECT asks for a tunnel, which is no load".to_owned(),
        ));
    }
    let mut groups: Vec<(&Url, Vec<&Weighted>)> = Vec::new();
    for weighted in urls {
        let url = &weighted.target.url;
        let server = |url: &Url| (url.is_https(), url.server());
        let is_its = |first: &Url| server(first) == server(url);
        match groups.iter_mut().find(|(first, _)| is_its(first)) {
            Some((_, group)) => group.push(weighted),
            None => groups.push((url, vec![weighted])),
        }
    }
    let tls = options.tls.for_urls(urls).map_err(Failed::Usage)?;
    let server = |(url, group): (&Url, Vec<&Weighted>)| {
        let targets = group.iter().map(|Weighted { weight, target }| {
            let fields = fields.clone();
            let head = target.url.request(method.clone(), Version::HTTP_11, fields);
            Target::new(&head, &content, *weight)
        });
        let weight = group.iter().map(|url| u64::from(url.weight)).sum();
        self::server(url, tls.as_ref(), weight, Targets::new(targets))
    };
    groups.into_iter().map(server).collect()
}

/// The server of a URL, over TLS if the URL says so.
pub(super) fn server<Work>(
    url: &Url,
    tls: Option<&ClientTls>,
    weight: u64,
    work: Work,
) -> Result<Server<Work>, Failed> {
    let tls = tls.filter(|_| url.is_https());
    Ok(Server {
        addresses: addresses(url)?,
        tls: tls.map(|tls| (tls.clone(), url.host().into())),
        work,
        weight,
    })
}

/// Connects to an address of a server.
pub(super) async fn connect(
    tls: Option<&(ClientTls, Arc<str>)>,
    address: SocketAddr,
) -> io::Result<Socket> {
    match tls {
        None => Socket::connect(address).await,
        Some((tls, name)) => connect_tls(tls, name, address).await,
    }
}

fn addresses(url: &Url) -> Result<Arc<[SocketAddr]>, Failed> {
    let (host, port) = (url.host(), url.port());
    let unknown = |error: &dyn std::fmt::Display| {
        Failed::Run(format!("the host {host} is not known: {error}"))
    };
    let addresses = (host, port).to_socket_addrs();
    let addresses: Arc<[_]> = addresses.map_err(|error| unknown(&error))?.collect();
    match addresses.is_empty() {
        true => Err(unknown(&"it has no address")),
        false => Ok(addresses),
    }
}

pub(super) fn fields(options: &Options) -> Result<Fields, Failed> {
    let mut fields = Fields::new();
    for text in &options.load.header {
        let wrong = |why: &dyn std::fmt::Display| {
            Failed::Usage(format!("-H '{}': {why}", text.escape_debug()))
        };
        let (name, value) = text.split_once(':').ok_or_else(|| {
            wrong(&"a field is a name, a colon and a value, as in 'Accept: text/html'")
        })?;
        let is_framing = ["content-length", "transfer-encoding"]
            .iter()
            .any(|ours| name.eq_ignore_ascii_case(ours));
        if is_framing {
            return Err(wrong(&"how long the content is follows from --body"));
        }
        fields
            .push(name, value.trim())
            .map_err(|error| wrong(&error))?;
    }
    if !fields.contains("user-agent") {
        fields = fields.with("User-Agent", concat!("thor/", env!("CARGO_PKG_VERSION")));
    }
    if options.load.no_keep_alive {
        fields.remove("connection");
        fields = fields.with("Connection", "close");
    }
    Ok(fields)
}

pub(super) fn content(options: &Options) -> Result<Vec<u8>, Failed> {
    options
        .load
        .body
        .as_deref()
        .map_or_else(|| Ok(Vec::new()), read)
}

fn read(file: &Path) -> Result<Vec<u8>, Failed> {
    fs::read(file).map_err(|error| Failed::Usage(format!("{}: {error}", file.display())))
}

/// The server of each connection, by weight. No server waits long for its share.
pub(super) fn deal<Work>(
    servers: &[Server<Work>],
    connections: usize,
) -> Result<Vec<usize>, Failed> {
    let weights: Vec<_> = servers.iter().map(|server| server.weight).collect();
    let dealt = deal_by(&weights, connections);
    match (0..servers.len()).find(|server| !dealt.contains(server)) {
        None => Ok(dealt),
        Some(_) => Err(Failed::Usage(format!(
            "{connections} connections are too few for {} servers with these weights: raise -c",
            servers.len()
        ))),
    }
}

fn deal_by(weights: &[u64], connections: usize) -> Vec<usize> {
    let mut credits = vec![0; weights.len()];
    let total: u64 = weights.iter().sum();
    let mut deal = || {
        for (credit, weight) in credits.iter_mut().zip(weights) {
            *credit += i128::from(*weight);
        }
        // The first of several with the same credit.
        let richest = (0..weights.len())
            .rev()
            .max_by_key(|server| credits[*server])?;
        credits[richest] -= i128::from(total);
        Some(richest)
    };
    (0..connections).map_while(|_| deal()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_dealt_by_weight() {
        assert_eq!(deal_by(&[1], 3), [0, 0, 0]);
        assert_eq!(deal_by(&[1, 1], 4), [0, 1, 0, 1]);
        assert_eq!(deal_by(&[1, 3], 8), [1, 0, 1, 1, 1, 0, 1, 1]);
        assert_eq!(deal_by(&[1_000_000, 1], 3), [0, 0, 0]);
    }
}
