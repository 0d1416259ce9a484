//! The whole `main` of a program that is an application.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process;

use kamea_components::server::{OptionValue, TlsOption, TlsSettings};
use kamea_components::web::Network;

use super::AppError;
use super::listen::parse;
use crate::App;

/// What the arguments of the program ask for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Run {
        address: String,
        inspect: Option<SocketAddr>,
        proxies: Vec<Network>,
        tls: TlsSettings,
    },
    Routes,
    OpenApi,
    Explain {
        method: String,
        target: String,
    },
    Help,
}

const USAGE: &str = "[ADDRESS] [--inspect ADDRESS] [--trusted-proxy NETWORK] [TLS OPTIONS] | --routes | --openapi | --explain METHOD PATH";

const HELP: &str = "
Serves a web application.

  ADDRESS               IP:PORT or PORT
  --inspect ADDRESS     show the running graphs on a page there
  --trusted-proxy NETWORK
                        a proxy whose X-Forwarded-For and X-Forwarded-Proto are true:
                        an address, or a network such as 10.0.0.0/8; may be repeated
  --routes              list the routes, and exit
  --openapi             print the description in OpenAPI 3.1, and exit
  --explain METHOD PATH say which route a request has, and which almost match, and exit
  --help                print this, and exit

KAMEA_LOG=debug logs more, and KAMEA_LOG=warn less.

TLS options:

";

/// How wide the help of an option is, in columns.
const WIDTH: usize = 78;

/// The help of the options of TLS.
fn tls_help() -> String {
    let mut text = String::new();
    for option in TlsSettings::OPTIONS {
        let value = option.value.name().map(|name| format!(" {name}"));
        text += &format!("  --{}{}\n", option.name, value.unwrap_or_default());
        let mut line = " ".repeat(5);
        for word in option.help.split(' ') {
            if line.len() + 1 + word.len() > WIDTH {
                text += &format!("{line}\n");
                line = " ".repeat(5);
            }
            line += &format!(" {word}");
        }
        text += &format!("{line}\n");
    }
    text
}

impl<S: Send + Sync + 'static> App<S> {
    /// Does what the arguments of the program say: runs the application at an address, by default
    /// this one; lists its routes (`--routes`); explains the routing of a request (`--explain GET
    /// /users`); or shows its running graphs on a page beside it (`--inspect 127.0.0.1:9235`).
    ///
    /// Wrong arguments end the program with status 2.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use kamea_app::{App, AppError};
    ///
    /// fn main() -> Result<(), AppError> {
    ///     App::new().get("/", async || "Hello, world!\n").main("127.0.0.1:8000")
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn main(self, address: &str) -> Result<(), AppError> {
        match wanted(std::env::args().skip(1), address) {
            Ok(Wanted::Run {
                address,
                inspect,
                proxies,
                tls,
            }) => {
                let app = match proxies.is_empty() {
                    true => self,
                    false => self.trust_proxies(proxies),
                };
                let app = match tls == TlsSettings::default() {
                    true => app,
                    false => app.tls(tls),
                };
                app.run_inspected(&address, inspect)
            }
            Ok(Wanted::Routes) => {
                let lines = self.routes()?;
                let lines = lines
                    .iter()
                    .map(|line| format!("{line}\n"))
                    .collect::<String>();
                Ok(io::stdout().write_all(lines.as_bytes())?)
            }
            Ok(Wanted::OpenApi) => {
                let document = self.document()?;
                Ok(writeln!(io::stdout(), "{document:#}")?)
            }
            Ok(Wanted::Explain { method, target }) => {
                let text = self.explain(&method, &target)?.to_string();
                Ok(io::stdout().write_all(text.as_bytes())?)
            }
            Ok(Wanted::Help) => {
                let name = program();
                let text = format!("Usage: {name} {USAGE}\n{HELP}{}", tls_help());
                Ok(io::stdout().write_all(text.as_bytes())?)
            }
            Err(mistake) => {
                // If standard error is closed, the status tells.
                let _ = writeln!(
                    io::stderr(),
                    "Error: {mistake}; usage: {} {USAGE}",
                    program()
                );
                process::exit(2);
            }
        }
    }
}

/// The name of the program.
fn program() -> String {
    let path = std::env::args().next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

fn wanted(arguments: impl Iterator<Item = String>, address: &str) -> Result<Wanted, String> {
    let mut arguments = arguments.peekable();
    let (mut at, mut inspect, mut proxies) = (None, None, Vec::new());
    let mut tls = TlsSettings::default();
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or_else(|| format!("{argument} needs a value"))
        };
        if let Some(option) = tls_option(&argument) {
            let value = match option.value {
                OptionValue::None => String::new(),
                _ => value()?,
            };
            let taken = tls.set(option.name, value.as_ref());
            taken.map_err(|wanted| format!("{argument} {value}: {wanted}"))?;
            continue;
        }
        match argument.as_str() {
            "--help" | "-h" => return Ok(Wanted::Help),
            "--routes" => return Ok(Wanted::Routes),
            "--openapi" => return Ok(Wanted::OpenApi),
            "--explain" => {
                let (method, target) = (value()?, value()?);
                return Ok(Wanted::Explain { method, target });
            }
            "--inspect" => {
                let value = value()?;
                inspect = Some(parse(&value).map_err(|error| error.to_string())?);
            }
            "--trusted-proxy" => {
                let value = value()?;
                let network = value.parse::<Network>();
                proxies.push(network.map_err(|error| format!("--trusted-proxy {value}: {error}"))?);
            }
            option if option.starts_with('-') => return Err(format!("{option} is no option")),
            _ if at.is_some() => return Err("there are two addresses".to_owned()),
            address => {
                parse(address).map_err(|error| error.to_string())?;
                at = Some(address.to_owned());
            }
        }
    }
    tls.check()?;
    let address = at.unwrap_or_else(|| address.to_owned());
    Ok(Wanted::Run {
        address,
        inspect,
        proxies,
        tls,
    })
}

/// The option of TLS that an argument is.
fn tls_option(argument: &str) -> Option<&'static TlsOption> {
    let name = argument.strip_prefix("--")?;
    let mut options = TlsSettings::OPTIONS.iter();
    options.find(|option| option.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_or_refused() {
        let read = |line: &str| {
            let arguments = line.split_whitespace().map(str::to_owned);
            wanted(arguments, "127.0.0.1:8000")
        };
        let run = |address: &str, inspect: Option<&str>| {
            let inspect = inspect.map(|address| address.parse().unwrap());
            Ok(Wanted::Run {
                address: address.to_owned(),
                inspect,
                proxies: Vec::new(),
                tls: TlsSettings::default(),
            })
        };
        assert_eq!(read(""), run("127.0.0.1:8000", None));
        assert_eq!(read("0.0.0.0:80"), run("0.0.0.0:80", None));
        assert_eq!(
            read("80 --inspect :9235"),
            run("80", Some("127.0.0.1:9235"))
        );
        let Ok(Wanted::Run { proxies, .. }) =
            read("--trusted-proxy ::1 80 --trusted-proxy 10.0.0.0/8")
        else {
            panic!("two proxies");
        };
        let expected: [Network; 2] = ["::1", "10.0.0.0/8"].map(|text| text.parse().unwrap());
        assert_eq!(proxies, expected);
        let line = "--tls-cert a.pem --tls-port 443 --tls-cert b.pem --redirect-http";
        let Ok(Wanted::Run { tls, .. }) = read(line) else {
            panic!("two certificates");
        };
        assert_eq!((tls.certificates.len(), tls.port), (2, Some(443)));
        assert!(tls.redirect_http && !tls.self_signed);
        assert_eq!(read("--routes"), Ok(Wanted::Routes));
        assert_eq!(read("-h"), Ok(Wanted::Help));
        let explain = Wanted::Explain {
            method: "GET".into(),
            target: "/a".into(),
        };
        assert_eq!(read("--explain GET /a"), Ok(explain));
        for (line, said) in [
            ("--explain GET", "--explain needs a value"),
            ("--inspect", "--inspect needs a value"),
            ("--inspect x", "x is not an address"),
            ("--trusted-proxy", "--trusted-proxy needs a value"),
            (
                "--trusted-proxy all",
                "--trusted-proxy all: this is not an IP address",
            ),
            ("--trusted-proxy 10.0.0.1/8", "the range begins at 10.0.0.0"),
            ("--route", "--route is no option"),
            ("localhost:80", "localhost:80 is not an address"),
            ("70000", "70000 is not an address"),
            ("80 81", "there are two addresses"),
            ("--tls-cert", "--tls-cert needs a value"),
            ("--tls-port x", "--tls-port x: a port is a number"),
            (
                "--tls-min 1.1",
                "--tls-min 1.1: one of these is wanted: 1.2, 1.3",
            ),
            ("--hsts 60", "--hsts needs a certificate"),
            (
                "--tls-self-signed --redirect-http",
                "--redirect-http needs --tls-port",
            ),
        ] {
            assert!(read(line).unwrap_err().contains(said), "{line}");
        }
    }
}
