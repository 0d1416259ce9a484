//! A message that must not leave its thread.

#[derive(kamea::Ports)]
struct Odd {
    inbox: kamea::Inbox<std::rc::Rc<u8>>,
}

fn main() {}
