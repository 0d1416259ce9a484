//! Components that run other components, or connect them.

use std::num::{NonZeroU16, NonZeroUsize};
use std::time::Duration;

use bytes::Bytes;
use kamea::{Composite, Message, Pipe, Sink, Source, pipeline};

use super::{Entry, component};
use crate::chassis::{
    Backplane, carousel, chooser, each, forward_chooser, inactivity_timeout, parallel, publish_to,
    sequence, splitter, subscribe_to, tee, time_to_live,
};
use crate::net::{Accepted, serve_connections};
use crate::notation::parameter::{LineOf, NotHere};
use crate::notation::servers::{SecureConnection, each_secure};
use crate::notation::words::Mapping;
use crate::stream::one_shot;

/// The input and output types of a line in parentheses.
trait Line {
    type In: Message + Clone;
    type Out: Message;
}

impl<A: Message + Clone, B: Message> Line for (A, B) {
    type In = A;
    type Out = B;
}

/// A line that is created for one message, and receives only that message.
fn for_message<L: Line>(
    line: &LineOf<Pipe<L::In, L::Out>>,
    message: L::In,
) -> Composite<Source<L::Out>> {
    pipeline!(one_shot(message) => line.make())
}

pub(super) fn entries() -> Vec<Entry> {
    [running(), connecting()].into_iter().flatten().collect()
}

/// Components that run lines.
fn running() -> Vec<Entry> {
    vec![
        component! {
            "carousel" = carousel in "chassis/carousel.rs" for [
                (String, String), (String, Bytes), (Bytes, Bytes), (Bytes, String)
            ] {
                /// The line that each configuration creates: it receives the configuration as its
                /// only message.
                line: LineOf<Pipe<<T as Line>::In, <T as Line>::Out>>,
                => carousel(move |message| for_message::<T>(&line, message))
            }
        },
        each_message(),
        component! {
            "inactivity_timeout" = inactivity_timeout in "chassis/inactivity.rs"
                for [Bytes, String, u64]
            {
                /// The idle timeout.
                limit: Duration,
                /// The line to end.
                line: LineOf<Pipe<T, T>>,
                => inactivity_timeout(limit, line.make())
            }
        },
        component! {
            "time_to_live" = time_to_live in "chassis/time_to_live.rs" for [Bytes, String, u64] {
                /// How long it may run.
                limit: Duration,
                /// The line to end.
                line: LineOf<Pipe<T, T>>,
                => time_to_live(limit, line.make())
            }
        },
        component! {
            "parallel" = parallel in "chassis/parallel.rs" {
                /// How many copies there are.
                copies: NonZeroU16,
                /// The change of each text: upper, lower, trim or reverse.
                mapping: Mapping,
                /// Whether the order is kept.
                ordered: bool = "yes",
                => {
                    let copies = parallel(copies.get().into(), move |text: String| mapping.of(&text));
                    if ordered { copies.ordered() } else { copies }
                }
            }
        },
        component! {
            "sequence" = sequence in "chassis/sequence.rs" for [Bytes, String, u64] {
                /// The lines to run, one after another: each begins with a source.
                lines: Vec<LineOf<Source<T>>>,
                => {
                    let mut lines = lines.iter().map(LineOf::make);
                    let first = lines.next().expect("at least one line was given");
                    lines.fold(sequence(first), |sequence, line| sequence.then(line))
                }
            }
        },
    ]
}

/// Components that connect others.
fn connecting() -> Vec<Entry> {
    vec![
        component! {
            "chooser" = chooser in "chassis/chooser.rs" {
                /// The choices.
                choices: Vec<String>,
                => chooser(choices)
            }
        },
        component! {
            "forward_chooser" = forward_chooser in "chassis/chooser.rs" {
                /// The choices.
                choices: Vec<String>,
                => forward_chooser(choices)
            }
        },
        component! {
            "publish_to" = publish_to in "chassis/publish_to.rs" for [Bytes, String, u64] {
                /// The backplane of the text.
                plane: Backplane<T>,
                /// The topic.
                topic: String,
                => publish_to(&plane, &topic)
            }
        },
        component! {
            "splitter" = splitter in "chassis/splitter.rs" for [Bytes, String, u64] {
                => splitter::<T>()
            }
        },
        component! {
            "subscribe_to" = subscribe_to in "chassis/subscribe_to.rs" for [Bytes, String, u64] {
                /// The backplane of the text.
                plane: Backplane<T>,
                /// The topic.
                topic: String,
                => subscribe_to(&plane, &topic)
            }
        },
        component! {
            "tee" = tee in "chassis/tee.rs" for [Bytes, String, u64] {
                /// The line that receives a copy of every message.
                line: LineOf<Sink<T>>,
                => tee(line.make())
            }
        },
    ]
}

/// For connections it is the line that serves them, without an outbox.
fn each_message() -> Entry {
    let mut each = component! {
        "each" = each in "chassis/each.rs" for [
            (String, String), (String, Bytes), (String, u64),
            (Bytes, Bytes), (Bytes, String), (Bytes, u64)
        ] {
            /// The line that runs for each message: its only input is the message, or the bytes of
            /// a client.
            line: LineOf<Pipe<<T as Line>::In, <T as Line>::Out>>,
            /// Only for messages: how many run at once, 256 by default.
            at_most: Option<NonZeroUsize>,
            /// Only for messages: whether they run on all workers; connections always do.
            spread: Option<bool>,
            => {
                let mut each = each(move |message| for_message::<T>(&line, message));
                if let Some(count) = at_most {
                    each = each.at_most(count.get());
                }
                if spread == Some(true) { each.spread() } else { each }
            }
        }
    };
    let connections = component! {
        "each" = each in "chassis/each.rs" for [Accepted] {
            /// Its inbox receives the bytes of the client, its output is sent to the client.
            line: LineOf<Pipe<Bytes, Bytes>>,
            /// Not for connections.
            at_most: NotHere,
            /// Not for connections.
            spread: NotHere,
            => {
                let [NotHere, NotHere] = [at_most, spread];
                serve_connections(move || line.make())
            }
        }
    };
    let secure = component! {
        "each" = each in "chassis/each.rs" for [SecureConnection] {
            /// Its inbox receives the plaintext of the client, its output is sent to the client.
            line: LineOf<Pipe<Bytes, Bytes>>,
            /// Not for connections.
            at_most: NotHere,
            /// Not for connections.
            spread: NotHere,
            => {
                let [NotHere, NotHere] = [at_most, spread];
                each_secure(line)
            }
        }
    };
    each.forms.extend(connections.forms);
    each.forms.extend(secure.forms);
    each
}
