//! The line in the log for each request.

use std::time::Instant;

use http::{Method, StatusCode};
use kamea::time::now;
use log::Level;

/// What is known of an answered request.
pub(super) struct Answered<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    /// The pattern of its route, if the routes were asked; empty if none matched.
    pub(super) pattern: Option<&'a str>,
    pub(super) status: StatusCode,
    pub(super) bytes: u64,
    /// When it had come.
    pub(super) since: Instant,
    /// Its id, if it has one.
    pub(super) id: Option<&'a str>,
}

/// Logs a request, at the level of its status.
pub(super) fn log_request(answered: &Answered<'_>) {
    let level = match answered.status.as_u16() {
        500.. => Level::Error,
        400.. => Level::Warn,
        _ => Level::Info,
    };
    if !log::log_enabled!(level) {
        return;
    }
    // Without a route, the path; what a peer could use to forge a line is escaped there.
    let pattern = answered.pattern.filter(|pattern| !pattern.is_empty());
    log::log!(
        level,
        "{} {} {} {} bytes {:.3} ms{}{}",
        answered.method,
        pattern.unwrap_or(answered.path),
        answered.status.as_u16(),
        answered.bytes,
        now()
            .saturating_duration_since(answered.since)
            .as_secs_f64()
            * 1000.0,
        if answered.id.is_some() { " " } else { "" },
        answered.id.unwrap_or_default(),
    );
}
