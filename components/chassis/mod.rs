//! Chassis: components that run other components or graphs, and what joins them.

mod backplane;
mod carousel;
mod child;
mod chooser;
mod each;
mod parallel;
mod publish_to;
mod sequence;
mod splitter;
mod subscribe_to;
mod tee;

pub use backplane::{Backplane, Publisher, Slow, Subscription};
pub use carousel::{Carousel, CarouselPorts, CarouselPortsHandles, carousel};
pub use child::{Head, LinePorts};
pub use chooser::{Choice, NoChoice, chooser, forward_chooser};
pub use each::{Each, EachPorts, EachPortsHandles, each, run_each};
pub use parallel::{Parallel, parallel};
pub use publish_to::{PublishPorts, PublishPortsHandles, publish_to};
pub use sequence::{Sequence, sequence};
pub use splitter::{SplitPorts, SplitPortsHandles, splitter};
pub use subscribe_to::{SubscribePorts, SubscribePortsHandles, subscribe_to};
pub use tee::tee;
