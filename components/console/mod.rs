//! The console: what a program says to whoever has started it.

mod console_echoer;

pub use console_echoer::console_echoer;
