//! The rows of WebSockets: CPU of the server for each message, the memory of idle ones, and how much
//! clients that never read slow the others. The load comes from `thor`.

mod memory;
mod room;
mod stuck;

use std::process::Command;

use serde_json::Value;

use crate::server::{Kind, Server, WebSockets, program};
use crate::table::{Figure, Row, Target};
use crate::{Error, Setting};
use WebSockets::{Fastwebsockets, Kamea, Node, Python, Tungstenite};
pub(crate) use memory::idle;
pub(crate) use room::broadcast;
pub(crate) use stuck::stuck;

const UNIT: &str = "us of CPU per message";

/// The connections of the echo.
const CONNECTIONS: &[&str] = &["-c", "64"];

/// One size of message, in one way.
struct Load {
    what: &'static str,
    options: &'static [&'static str],
    contenders: &'static [WebSockets],
    targets: &'static [Target],
}

const ALL: &[WebSockets] = &[Kamea, Fastwebsockets, Tungstenite, Node, Python];

const SMALL: &[Target] = &[
    Target::MostOfLeast(1.0),
    Target::MostOf(0.25, "ws"),
    Target::MostOf(0.05, "websockets"),
];

const LARGE: &[WebSockets] = &[Kamea, Fastwebsockets, Tungstenite, Node];

const LOADS: &[Load] = &[
    Load {
        what: "WebSocket echo of 20 B",
        options: &[],
        contenders: ALL,
        targets: SMALL,
    },
    Load {
        what: "WebSocket echo of 20 B, 16 in flight",
        options: &["--pipeline", "16"],
        contenders: ALL,
        targets: SMALL,
    },
    Load {
        what: "WebSocket echo of 1 KiB",
        options: &["--message-size", "1KiB"],
        contenders: ALL,
        targets: SMALL,
    },
    Load {
        what: "WebSocket echo of 1 KiB, 16 in flight",
        options: &["--message-size", "1KiB", "--pipeline", "16"],
        contenders: ALL,
        targets: SMALL,
    },
    Load {
        what: "WebSocket echo of 16 KiB",
        options: &["--message-size", "16KiB", "--binary"],
        contenders: LARGE,
        targets: &[Target::MostOfLeast(1.0)],
    },
    Load {
        what: "WebSocket echo of 1 KiB, compressed",
        options: &["--message-size", "1KiB", "--deflate"],
        contenders: &[Kamea, Node, Python],
        targets: &[Target::MostOfLeast(1.0)],
    },
    LARGEST,
];

/// Its memory is measured too.
const LARGEST: Load = Load {
    what: "WebSocket echo of 1 MiB",
    options: &["--message-size", "1MiB", "--binary"],
    contenders: LARGE,
    targets: &[Target::MostOfLeast(1.0)],
};

/// CPU of the server for each message that it echoes, and whether its memory stays the same.
pub(crate) fn echo(setting: &Setting) -> Result<Vec<Row>, Error> {
    let servers = ALL.iter().map(|&which| start(which, setting));
    let servers = servers.collect::<Result<Vec<_>, Error>>()?;
    let mut rows = Vec::new();
    for load in LOADS {
        let (cost, growth) = measure(load, &servers, setting)?;
        rows.push(Row {
            what: load.what,
            unit: UNIT,
            figures: cost,
            targets: load.targets.to_vec(),
        });
        if load.what == LARGEST.what {
            rows.push(Row {
                what: "the same, growth of resident memory after the first round",
                unit: "MiB",
                figures: growth,
                targets: vec![Target::Most(4.0)],
            });
        }
    }
    Ok(rows)
}

fn start(which: WebSockets, setting: &Setting) -> Result<Server, Error> {
    Server::start(Kind::WebSockets(which), &setting.data)
}

/// Measures a load: CPU for each message, and by how many MiB the memory grows from one round to the
/// next.
fn measure(
    load: &Load,
    servers: &[Server],
    setting: &Setting,
) -> Result<(Vec<Figure>, Vec<Figure>), Error> {
    let (mut cost, mut growth) = (Vec::new(), Vec::new());
    for which in load.contenders {
        cost.push(Figure::new(which.name()));
        growth.push((Figure::new(which.name()), None));
    }
    for _ in 0..setting.rounds {
        for (place, &which) in load.contenders.iter().enumerate() {
            let kind = Kind::WebSockets(which);
            let server = servers.iter().find(|server| server.kind == kind);
            let server = server.ok_or("a server was not started")?;
            let before = server.cpu_us()?;
            let thor = Thor::run(server, CONNECTIONS, load.options, setting.seconds)?;
            let used = server.cpu_us()? - before;
            cost[place].rounds.push(used / thor.messages);
            let resident = server.resident()? / f64::from(1 << 20);
            let (figure, first) = &mut growth[place];
            figure
                .rounds
                .push(resident - *first.get_or_insert(resident));
        }
    }
    let growth = growth.into_iter().map(|(figure, _)| figure).collect();
    Ok((cost, growth))
}

/// What `thor` has measured.
struct Thor {
    messages: f64,
    /// The 99th percentile of the latencies, in milliseconds.
    late: f64,
}

impl Thor {
    /// Lets `thor` send messages for this many seconds.
    fn run(
        server: &Server,
        connections: &[&str],
        options: &[&str],
        seconds: u32,
    ) -> Result<Self, Error> {
        let mut command = Command::new(program("thor")?);
        command.args(["--json", "-d", &format!("{seconds}s")]);
        let url = format!("ws://{}/echo", server.address);
        let output = command.args(connections).args(options).arg(url).output()?;
        let failed = |why: &str| format!("{}: thor: {why}", server.kind.name());
        if !output.status.success() {
            return Err(failed(&String::from_utf8_lossy(&output.stderr)).into());
        }
        let report: Value = serde_json::from_slice(&output.stdout)?;
        let has_failed = |errors: &Value| {
            errors
                .as_object()
                .is_none_or(|all| all.values().any(|count| count != 0))
        };
        if has_failed(&report["errors"]) {
            return Err(failed(&report["error_examples"].to_string()).into());
        }
        let figure = |value: &Value| value.as_f64().ok_or_else(|| failed("a figure is missing"));
        Ok(Self {
            messages: figure(&report["requests"])?,
            late: figure(&report["latency_us"]["corrected"]["p99"])? / 1e3,
        })
    }
}
