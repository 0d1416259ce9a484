//! Whole web servers: [`WebServer`], its wiring, its connections, its access log, and how it
//! explains requests.

mod access_log;
mod connection;
mod connections;
mod explain;
mod hand_over;
mod limits;
mod mode;
mod mount;
mod preface;
mod secure;
mod site;
mod tls_settings;
mod until_gone;
mod web_server;

pub use access_log::{LogEntry, LogFormat, LogTarget, write_access_log};
pub use connection::{Opened, Service, hold_connection, refuse_connection};
pub use explain::{ExplainedHop, Explanation, Explanations, Picked};
pub use hand_over::{Handover, hand_over_connection};
pub use mode::Mode;
pub use preface::Preface;
pub use secure::{Greeting, SecureService, Tls};
pub use site::Site;
pub use tls_settings::{
    FileIdentity, OptionValue, TlsNote, TlsOption, TlsSettings, own_certificate_folder,
};
pub use web_server::{Bound, ConnectionGraph, Listening, Served, StartError, WebServer};
