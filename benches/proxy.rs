//! The rows of the proxy: CPU of the proxy per request, in front of four backends that do almost
//! nothing.

use std::net::SocketAddr;
use std::process::Child;

use crate::load::{self, Ask, Reuse};
use crate::requests::UNIT;
use crate::server::{Kind, Server, start_backends};
use crate::table::{Figure, Row, Target};
use crate::{Error, Setting};

/// How many backends there are.
const BACKENDS: usize = 4;

/// One request after another on each connection.
pub(crate) fn keep_alive(setting: &Setting) -> Result<Vec<Row>, Error> {
    let targets = vec![Target::MostOf(0.9, "nginx"), Target::MostOf(0.9, "HAProxy")];
    Ok(vec![Row {
        what: "1 KiB through a proxy, keep-alive",
        unit: UNIT,
        figures: measure(setting, Reuse::KeepAlive)?,
        targets,
    }])
}

/// A new connection of the client for each request.
pub(crate) fn close(setting: &Setting) -> Result<Vec<Row>, Error> {
    Ok(vec![Row {
        what: "1 KiB through a proxy, a connection each",
        unit: UNIT,
        figures: measure(setting, Reuse::Close)?,
        targets: vec![Target::MostOf(1.0, "nginx")],
    }])
}

/// All proxies run at once and take turns.
fn measure(setting: &Setting, reuse: Reuse) -> Result<Vec<Figure>, Error> {
    let (mut backends, addresses) = start_backends(BACKENDS)?;
    let measured = measure_before(setting, reuse, &addresses);
    stop(&mut backends);
    measured
}

fn measure_before(
    setting: &Setting,
    reuse: Reuse,
    backends: &[SocketAddr],
) -> Result<Vec<Figure>, Error> {
    let kinds = [Kind::KameaProxy, Kind::NginxProxy, Kind::Haproxy];
    let start = |kind| Server::start_proxy(kind, &setting.data, backends);
    let proxies: Vec<_> = kinds.into_iter().map(start).collect::<Result<_, _>>()?;
    let mut figures: Vec<_> = kinds.iter().map(|kind| Figure::new(kind.name())).collect();
    for proxy in &proxies {
        load::run(proxy, &Ask::SMALL, reuse, 1)?;
    }
    for _ in 0..setting.rounds {
        for (proxy, figure) in proxies.iter().zip(&mut figures) {
            let before = proxy.cpu_us()?;
            let load = load::run(proxy, &Ask::SMALL, reuse, setting.seconds)?;
            figure
                .rounds
                .push((proxy.cpu_us()? - before) / load.requests);
        }
    }
    Ok(figures)
}

fn stop(backends: &mut [Child]) {
    for backend in backends {
        drop(backend.kill());
        let _ = backend.wait();
    }
}
