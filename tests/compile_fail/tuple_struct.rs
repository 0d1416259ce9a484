//! Ports have names.

#[derive(kamea::Ports)]
struct Odd(kamea::Inbox<u8>);

fn main() {}
