//! The addresses of the server as a browser takes them, on stderr; also as a QR code, for a phone.

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use kamea_components::net::local_address;
use qrcodegen::{QrCode, QrCodeEcc};

use super::options::Options;

impl Options {
    /// Says where a browser finds the server.
    pub(crate) fn say_urls(&self, addresses: &[SocketAddr]) {
        let (plain, _) = self.addresses_by_security();
        let (plain, secure) = addresses.split_at(plain.len());
        let local = local_address();
        let urls = [urls("http", plain, local), urls("https", secure, local)].concat();
        let mut text = String::new();
        for url in &urls {
            text += &format!("Open {url}\n");
        }
        if self.qr
            && let Some(url) = urls.last()
        {
            text += &code(url);
        }
        // Who cannot read it cannot be helped.
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

/// The URLs of some addresses: of one for all addresses the one of this machine, and the one that
/// others in the local network use.
fn urls(scheme: &str, addresses: &[SocketAddr], local: Option<IpAddr>) -> Vec<String> {
    let mut urls = Vec::new();
    for address in addresses {
        let port = address.port();
        let here = match address.ip() {
            ip if ip.is_loopback() || ip.is_unspecified() => {
                format!("{scheme}://localhost:{port}/")
            }
            _ => format!("{scheme}://{address}/"),
        };
        let is_everywhere = address.ip() == Ipv4Addr::UNSPECIFIED;
        let there = local.filter(|_| is_everywhere);
        let there = there.map(|ip| format!("{scheme}://{}/", SocketAddr::new(ip, port)));
        for url in [Some(here), there].into_iter().flatten() {
            if !urls.contains(&url) {
                urls.push(url);
            }
        }
    }
    urls
}

/// A QR code of half blocks, dark on light, with the quiet zone that readers want.
fn code(text: &str) -> String {
    const QUIET: i32 = 2;
    let Ok(code) = QrCode::encode_text(text, QrCodeEcc::Low) else {
        return String::new();
    };
    let (from, to) = (-QUIET, code.size() + QUIET);
    let mut lines = String::new();
    for y in (from..to).step_by(2) {
        lines.extend((from..to).map(|x| {
            match (code.get_module(x, y), code.get_module(x, y + 1)) {
                (true, true) => ' ',
                (true, false) => '▄',
                (false, true) => '▀',
                (false, false) => '█',
            }
        }));
        lines.push('\n');
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_has_a_url_that_can_be_opened() {
        let local = Some("192.168.1.7".parse().unwrap());
        for (addresses, local, expected) in [
            (
                &["0.0.0.0:9234", "[::]:9234"][..],
                local,
                &["http://localhost:9234/", "http://192.168.1.7:9234/"][..],
            ),
            (&["[::]:80"], local, &["http://localhost:80/"]),
            (&["0.0.0.0:80"], None, &["http://localhost:80/"]),
            (&["127.0.0.1:1"], local, &["http://localhost:1/"]),
            (&["[::1]:1"], local, &["http://localhost:1/"]),
            (
                &["192.0.2.5:80", "[2001:db8::1]:80"],
                local,
                &["http://192.0.2.5:80/", "http://[2001:db8::1]:80/"],
            ),
        ] {
            let addresses: Vec<_> = addresses.iter().map(|text| text.parse().unwrap()).collect();
            assert_eq!(urls("http", &addresses, local), expected, "{addresses:?}");
        }
    }

    #[test]
    fn a_code_is_a_square_with_three_corners() {
        let lines: Vec<Vec<char>> = code("http://192.168.1.7:9234/")
            .lines()
            .map(|line| line.chars().collect())
            .collect();
        let side = lines[0].len();
        assert_eq!(lines.len(), side.div_ceil(2));
        assert!(lines.iter().all(|line| line.len() == side));
        // The quiet zone, and the dark edge of a corner.
        assert!(lines[0].iter().all(|&module| module == '█'));
        for x in [2, side - 9] {
            assert!(
                lines[1][x..x + 7]
                    .iter()
                    .all(|module| " ▄".contains(*module))
            );
        }
    }
}
