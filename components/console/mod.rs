//! The console: what whoever has started a program says to it, and what it says to them.

mod console_echoer;
mod console_reader;

pub use console_echoer::console_echoer;
pub use console_reader::console_reader;
