//! The console: standard input and output.

mod console_echoer;
mod console_reader;

pub use console_echoer::console_echoer;
pub use console_reader::console_reader;
