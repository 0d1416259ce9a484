//! The row of idle WebSockets.

use super::{CONNECTIONS, Fastwebsockets, Kamea, Node, Thor, Tungstenite, start};
use crate::idle::{self, KIB, check_open, settled};
use crate::server::echo_once;
use crate::table::{Figure, Row, Target};
use crate::{Error, Setting};

/// The memory of an idle WebSocket, which has echoed one message. Each round has servers of its own.
pub(crate) fn idle(setting: &Setting) -> Result<Vec<Row>, Error> {
    let contenders = [Kamea, Fastwebsockets, Tungstenite, Node];
    let mut figures = contenders.map(|which| Figure::new(which.name()));
    for _ in 0..setting.rounds {
        for (which, figure) in contenders.into_iter().zip(&mut figures) {
            let server = start(which, setting)?;
            Thor::run(&server, CONNECTIONS, &[], 1)?;
            let before = settled(&server)?;
            let mut connections = Vec::with_capacity(idle::CONNECTIONS);
            for _ in 0..idle::CONNECTIONS {
                let mut stream = server.open_websocket("/echo")?;
                echo_once(&mut stream)?;
                connections.push(stream);
            }
            let growth = settled(&server)? - before;
            check_open(&connections)?;
            figure.rounds.push(growth / idle::CONNECTIONS as f64 / KIB);
        }
    }
    Ok(vec![Row {
        what: "an idle WebSocket, of 9,000",
        unit: "KiB resident",
        figures: figures.into(),
        targets: vec![Target::Most(2.5)],
    }])
}
