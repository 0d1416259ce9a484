//! A field that is not a port.

#[derive(kamea::Ports)]
struct Odd {
    inbox: kamea::Inbox<u8>,
    count: u32,
}

fn main() {}
