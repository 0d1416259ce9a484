//! Chassis: components that run other components or graphs, and components that connect them.

mod backplane;
mod carousel;
mod child;
mod chooser;
mod each;
mod gate;
mod inactivity;
mod no_ports;
mod parallel;
mod publish_to;
mod sequence;
mod splitter;
mod subscribe_to;
mod tee;
mod time_to_live;

pub use backplane::{Backplane, Publisher, Slow, Subscription};
pub use carousel::{Carousel, CarouselPorts, CarouselPortsHandles, carousel};
pub use child::{Head, LinePorts};
pub use chooser::{Choice, ChoiceError, chooser, forward_chooser};
pub use each::{Each, EachPorts, EachPortsHandles, each, run_each};
pub use gate::Gated;
pub use inactivity::inactivity_timeout;
pub use no_ports::{NoPorts, NoPortsHandles};
pub use parallel::{Parallel, parallel};
pub use publish_to::{PublishPorts, PublishPortsHandles, publish_to};
pub use sequence::{Sequence, sequence};
pub use splitter::{SplitPorts, SplitPortsHandles, splitter};
pub use subscribe_to::{SubscribePorts, SubscribePortsHandles, subscribe_to};
pub use tee::tee;
pub use time_to_live::time_to_live;

#[cfg(test)]
mod tests;
