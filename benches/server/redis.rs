//! Redis, for sessions.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::proxies::OTHER_CORE;
use super::{ANSWER_TIME, free_address, pinned_to};
use crate::Error;

/// A running Redis, beside the load. It writes nothing to the disk. Dropping it stops it.
pub(crate) struct Redis {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Redis {
    /// Starts it, and waits until it listens.
    pub(crate) fn start() -> Result<Self, Error> {
        let address = free_address()?;
        let mut command = pinned_to(OTHER_CORE, Path::new("redis-server"));
        command.args(["--bind", &address.ip().to_string()]);
        command.args(["--port", &address.port().to_string()]);
        command.args(["--save", "", "--appendonly", "no"]);
        let child = command.stdout(Stdio::null()).spawn()?;
        let redis = Self { child, address };
        let until = Instant::now() + ANSWER_TIME;
        while TcpStream::connect(address).is_err() {
            if Instant::now() > until {
                return Err("redis-server did not start".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(redis)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
