//! Programs as graphs of small components that talk only through typed, bounded inboxes and
//! outboxes.
//!
//! A component is an async function over a struct of ports. A [`Graph`] links the ports of its
//! components. A [`Scheduler`] runs graphs on a pool of threads. A component never knows the other
//! ends of its links.
//!
//! ```text
//!   source ──▶ pipe ──▶ sink        a link is bounded: a slow component slows its producers;
//!                                   it closes when either end goes: a graph drains by itself
//! ```

// The derive refers to the kernel as `::kamea`, also inside the kernel itself.
extern crate self as kamea;

mod ask;
mod blocking;
mod census;
mod component;
mod flow;
mod fuse;
mod graph;
mod handle;
mod link;
mod per_message;
mod port;
mod ports;
mod program;
pub mod random;
mod scheduler;
mod simulation;
mod standard_streams;
mod stderr_log;
mod supervision;
mod sync;
mod tap;
pub mod testing;
pub mod time;

pub use ask::{AskError, Asker, Call, Reply};
pub use blocking::{Blocking, blocking, compute, unblock};
pub use census::{
    Because, Census, ComponentCensus, FaultCensus, FeedCensus, GraphCensus, InstanceCensus,
    LinkCensus, Place, RingCensus, State, StateCount, WorkerCensus,
};
pub use component::{AtFirstMessage, BoxComponent, Component, Done, End, HeedsStop, Started};
pub use component::{at_first_message, heeds_stop};
pub use flow::Flow;
#[doc(hidden)]
pub use fuse::{Filter, FilterMap, Inspect, Map, Scan, Step};
pub use fuse::{Function, filter, filter_map, inspect, map, scan};
#[doc(hidden)]
pub use graph::{Begins, Follows, OpenTail, component_name};
pub use graph::{
    Composite, EndHandle, FaultsHandle, Graph, GraphError, LinkEnds, LinkOptions, LinksTo, Once,
    OpenEnds, OpenInbox, OpenOutboxes, Part, PerSeed, Pipeline, PipelineStart, Stage, Template,
};
pub use handle::Handle;
pub use link::DEFAULT_CAPACITY;
pub use link::across::{Leftovers, Messages, Receiver, Sender, link};
#[doc(hidden)]
pub use per_message::{for_each, map_async};
#[doc(hidden)]
pub use port::Letter;
pub use port::{Closed, Inbox, Message, NextMessage, Outbox, Permit, SendMessage, TrySendError};
pub use ports::{
    AnyInbox, AnyOutbox, AnyOutboxes, AnyPort, Direction, InboxHandle, MessageType, OutboxHandle,
    Outboxes, OutboxesHandle, Pipe, PipeHandles, Port, PortInfo, Ports, Sink, SinkHandles, Source,
    SourceHandles, WrongMessage,
};
#[doc(hidden)]
pub use ports::{ComponentId, Wiring};
#[doc(hidden)]
pub use program::WholeGraph;
pub use program::{Program, ProgramError, run};
pub use scheduler::{
    BlockedWorker, Children, Flows, NotDrained, Placement, RunError, Running, Scheduler, StopError,
    StopWish, WorkerOptions, Workers, before_exit, is_stopping, note_dropped, spawn, stopping,
    workers,
};
pub use simulation::{FailedSeed, Report, Seeds, Simulation, SimulationError};
pub use standard_streams::{StreamClosed, check_standard_output, check_standard_streams};
pub use stderr_log::log_to_stderr;
pub use supervision::{Cause, Fault, Policy, Restart};
#[doc(hidden)]
pub use supervision::{Ended, Failed, drop_each};
pub use tap::{Sample, Tap, TapOptions};
