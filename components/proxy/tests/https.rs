//! Backends that speak TLS.

use std::fs;

use kamea_components::server::Tls;
use kamea_components::tls::{Certificate, ServerTls, TlsOptions, self_signed};

use super::*;
use crate::plan::{BackendTls, SetField};

/// A web server over TLS with one file, `/x`, and a certificate for one name.
struct Secure {
    folder: std::path::PathBuf,
    address: SocketAddr,
    _listening: Listening,
    _scheduler: Scheduler,
}

impl Secure {
    fn new(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("kamea-{test}-{}", std::process::id()));
        fs::create_dir_all(folder.join("www")).unwrap();
        fs::write(folder.join("www/x"), "over TLS").unwrap();
        let certificate: Certificate = self_signed(&["app.internal"]).unwrap();
        fs::write(folder.join("ca.pem"), certificate.to_pem()).unwrap();
        let tls = Tls::new(ServerTls::new(TlsOptions::new(vec![certificate])).unwrap());
        let scheduler = Scheduler::with_workers(1);
        let server = WebServer::new(Site::new(folder.join("www"))).tls(tls);
        let listening = server
            .run(&scheduler, &[([127, 0, 0, 1], 0).into()])
            .unwrap();
        Self {
            folder,
            address: listening.addresses()[0],
            _listening: listening,
            _scheduler: scheduler,
        }
    }

    /// A proxy before it, whose backend has these properties of TLS.
    fn proxy(&self, change: impl FnOnce(&mut BackendTls)) -> Running {
        let mut backend = Backend::parse(&format!("https://{}", self.address)).unwrap();
        change(&mut backend.tls);
        let mut route = Route::to([backend]);
        // It serves the host of its certificate only.
        route.set_fields.push(SetField {
            name: "Host".to_owned(),
            value: "app.internal".parse().unwrap(),
        });
        route.ejection.failures = 0;
        run(plan(route))
    }
}

impl Drop for Secure {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn a_backend_over_tls_is_verified() {
    let secure = Secure::new("verified");
    let file = secure.folder.join("ca.pem");
    let named = secure.proxy(|tls| {
        tls.authorities = Some(file.clone());
        tls.name = Some("app.internal".to_owned());
    });
    let answer = named.get();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.ends_with("over TLS"), "{answer}");
    // Another name, and authorities that have not signed it.
    let other = secure.proxy(|tls| tls.authorities = Some(file.clone()));
    let unknown = secure.proxy(|tls| tls.name = Some("app.internal".to_owned()));
    let missing = secure.proxy(|tls| tls.authorities = Some("/no/such/file".into()));
    for running in [other, unknown, missing] {
        assert!(running.get().starts_with("HTTP/1.1 502 "));
    }
    let unverified = secure.proxy(|tls| tls.verifies = false);
    assert!(unverified.get().ends_with("over TLS"));
}

#[test]
fn connections_over_tls_are_used_again() {
    let secure = Secure::new("reused");
    let running = secure.proxy(|tls| tls.verifies = false);
    let mut client = running.connect();
    for _ in 0..20 {
        client
            .write_all(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        assert!(read_head(&mut client).unwrap().starts_with("HTTP/1.1 200"));
        client.read_exact(&mut [0; 8]).unwrap();
    }
    let status = &running.proxy.status()[0].backends[0];
    assert_eq!((status.connects, status.reused), (1, 19));
}
