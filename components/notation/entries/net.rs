//! The network, and the servers behind it.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use kamea::{Pipe, Source};

use super::{Entry, component};
use crate::net::{
    DialPorts, PermitPorts, WritePorts, serve_connections, tcp_client, tcp_server, udp,
    unix_client, unix_server,
};
use crate::notation::parameter::LineOf;
use crate::notation::servers::{answer, files, http, tcp, tls};
use crate::notation::value::Listen;

pub(super) fn entries() -> Vec<Entry> {
    [serving(), servers(), clients(), parts()]
        .into_iter()
        .flatten()
        .collect()
}

/// Components that serve connections.
fn serving() -> Vec<Entry> {
    vec![
        component! {
            "answer" = answer in "notation/servers.rs" {
                /// The line, of bytes.
                line: LineOf<Pipe<Bytes, Bytes>>,
                /// The media type of its output.
                type_: String = "text/plain; charset=utf-8",
                => answer(line, &type_)?
            }
        },
        component! {
            "files" = files in "notation/servers.rs" {
                /// The folder.
                folder: PathBuf,
                /// Whether clients may write files: PUT and DELETE.
                writable: bool = "no",
                /// Whether files are served whose names begin with a dot.
                hidden: bool = "no",
                /// Whether programs in `cgi-bin` answer requests.
                cgi: bool = "no",
                => files(folder, writable, hidden, cgi)?
            }
        },
        component! {
            "serve_connections" = serve_connections in "net/serve_connections.rs" {
                /// The line that serves a connection: its input is what the client sends, its
                /// output is sent back.
                line: LineOf<Pipe<Bytes, Bytes>>,
                => serve_connections(move || line.make())
            }
        },
    ]
}

/// Servers.
fn servers() -> Vec<Entry> {
    vec![
        component! {
            "http" = http in "notation/servers.rs" {
                /// Where it listens; `:8000` is port 8000 of this machine alone.
                address: Listen,
                => http(address.0)?
            }
        },
        component! {
            "tcp" = tcp in "notation/servers.rs" {
                /// Where it listens; `:9000` is port 9000 of this machine alone.
                address: Listen,
                => tcp(address.0)?
            }
        },
        component! {
            "tcp_server" = tcp_server in "net/tcp_server.rs" {
                /// Where it listens: host:port, or `:9000`.
                address: String,
                /// The line that serves a connection: its input is what the client sends, its
                /// output is sent back.
                line: LineOf<Pipe<Bytes, Bytes>>,
                => tcp_server(address, move || line.make())
            }
        },
        component! {
            "tls" = tls in "notation/servers.rs" {
                /// Where it listens; `:9443` is port 9443 of this machine alone.
                address: Listen,
                /// The PEM file of its certificate, with those of the chain after it.
                certificate: PathBuf,
                /// The PEM file of the key, if that is another file.
                key: Option<PathBuf>,
                => tls(address.0, &certificate, key.as_deref())?
            }
        },
        component! {
            "unix_server" = unix_server in "net/unix_server.rs" {
                /// The path of its socket.
                path: PathBuf,
                /// The line that serves a connection: its input is what the client sends, its
                /// output is sent back.
                line: LineOf<Pipe<Bytes, Bytes>>,
                => unix_server(path, move || line.make())
            }
        },
    ]
}

/// Clients and datagrams.
fn clients() -> Vec<Entry> {
    vec![
        component! {
            "tcp_client" = tcp_client in "net/tcp_client.rs" {
                /// The server: host:port, or `:9000`.
                server: String,
                /// How long it may take to connect.
                connect_within: Duration = "10s",
                => tcp_client(server, connect_within)
            }
        },
        component! {
            "udp" = udp in "net/udp.rs" {
                /// The address to bind; `:5353` is that port of this machine alone.
                address: Listen,
                => udp(address.0)
            }
        },
        component! {
            "unix_client" = unix_client in "net/unix_client.rs" {
                /// The socket of the server.
                path: PathBuf,
                => unix_client(path)
            }
        },
    ]
}

/// Parts of servers and clients: they need a socket.
fn parts() -> Vec<Entry> {
    vec![
        component! {
            "net.accept" = accept in "net/accept.rs" over Source<crate::net::Accepted>,
            needs "a socket that listens; `tcp` makes one"
        },
        component! {
            "net.accept_permitted" = accept_permitted in "net/accept_permitted.rs" over PermitPorts,
            needs "sockets that listen"
        },
        component! {
            "net.dial" = dial in "net/dial.rs" over DialPorts,
            needs "the addresses of a server; `tcp_client` finds them"
        },
        component! {
            "net.dial_by" = dial_by in "net/dial.rs" over DialPorts,
            needs "a function that makes connections"
        },
        component! {
            "net.read" = read_bytes in "net/read.rs" over Source<Bytes>,
            needs "the socket of a connection; `each` has one"
        },
        component! {
            "net.write" = write_bytes in "net/write.rs" over WritePorts,
            needs "the socket of a connection"
        },
    ]
}
