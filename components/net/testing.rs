//! What tests need of the network.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// The ports that are handed out. The system gives none of them to a client, nor to a listener
/// that asks for port 0: these are 32768 and above.
const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;

/// Returns the first of `count` ports of 127.0.0.1 in a row on which nobody listens: for a program
/// that must be told its port. This process does not hand them out again soon, so that nobody
/// takes them before the program listens.
///
/// # Errors
///
/// If so many ports in a row are not free, with the error of the last one that is taken.
///
/// # Examples
///
/// ```
/// use std::net::{TcpListener, TcpStream};
/// use kamea_components::net::testing::free_ports;
///
/// let first = free_ports(2)?;
/// assert!(TcpStream::connect(("127.0.0.1", first)).is_err());
/// let _servers = [TcpListener::bind(("127.0.0.1", first))?,
///     TcpListener::bind(("127.0.0.1", first + 1))?];
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn free_ports(count: u16) -> io::Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test programs that run side by side begin at different ports.
    let of_process = std::process::id().wrapping_mul(97) % u32::from(COUNT);
    let base = u16::try_from(of_process).unwrap_or(0);
    let count = count.clamp(1, COUNT / 2);
    let mut error = None;
    for _ in 0..COUNT / count {
        let taken = NEXT.fetch_add(count, Ordering::Relaxed) % COUNT;
        let first = FIRST + (base + taken) % COUNT;
        let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        match (first..first + count)
            .map(bind)
            .collect::<io::Result<Vec<_>>>()
        {
            Ok(_) => return Ok(first),
            Err(found) => error = Some(found),
        }
    }
    Err(error.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
}

/// Returns an address of 127.0.0.1 at which nobody listens, as [`free_ports`] finds it: for a
/// program that must be told its address, and for one that must not be reached.
///
/// # Errors
///
/// If no port is free.
///
/// # Examples
///
/// ```
/// use kamea_components::net::testing::free_address;
///
/// assert_ne!(free_address()?, free_address()?);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn free_address() -> io::Result<SocketAddr> {
    Ok((Ipv4Addr::LOCALHOST, free_ports(1)?).into())
}
