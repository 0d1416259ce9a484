//! Chassis: components that run other components or graphs, and what joins them.

mod backplane;
mod publish_to;
mod subscribe_to;

pub use backplane::{Backplane, Publisher, Slow, Subscription};
pub use publish_to::{PublishPorts, PublishPortsHandles, publish_to};
pub use subscribe_to::{SubscribePorts, SubscribePortsHandles, subscribe_to};
