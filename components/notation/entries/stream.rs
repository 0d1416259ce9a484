//! Components for messages of any kind.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use bytes::Bytes;

use super::{Entry, component};
use crate::net::Accepted;
use crate::notation::servers::{HttpConnection, SecureConnection};
use crate::notation::value::{AboveZero, Chance, Size};
use crate::stream::{
    Unreliability, batch, chunkify, collate, counter, echo, first_only, frame, lines,
    lossy_connector, measure_rate, null_sink, one_shot, prompted_turnstile, rate_limit,
    tag_with_sequence_number, ticker, unframe, unlines, unreliable, unseen_only, zip,
};
use crate::web::Request;

pub(super) fn entries() -> Vec<Entry> {
    [framing(), passing(), passing_connections(), measuring()]
        .into_iter()
        .flatten()
        .collect()
}

/// Streams of bytes to messages, and back.
fn framing() -> Vec<Entry> {
    vec![
        component! {
            "chunkify" = chunkify in "stream/framing/chunkify.rs" {
                /// How many bytes.
                size: AboveZero<Size>,
                => chunkify(size.0.0)
            }
        },
        component! {
            "frame" = frame in "stream/framing/frame.rs" {
                /// The limit for a message, in bytes.
                longest: u32 = "1048576",
                => frame(longest)
            }
        },
        component! {
            "unframe" = unframe in "stream/framing/unframe.rs" {
                /// The limit for a message, in bytes.
                longest: u32 = "1048576",
                => unframe(longest)
            }
        },
        component! {
            "lines" = lines in "stream/framing/lines.rs" {
                /// How long a line may be.
                longest: Size = "64KiB",
                => lines(longest.0)
            }
        },
        component! { "unlines" = unlines in "stream/framing/unlines.rs" { => unlines } },
    ]
}

/// Components that pass on some of the messages, later or changed.
fn passing() -> Vec<Entry> {
    vec![
        component! {
            "batch" = batch in "stream/batch.rs" for [Bytes, String, u64] {
                /// The limit for messages.
                most: NonZeroUsize,
                /// How long the first one may wait.
                within: Duration = "1s",
                => batch::<T>(most.get(), within)
            }
        },
        component! {
            "collate" = collate in "stream/collate.rs" for [Bytes, String, u64] {
                /// The limit for stored messages.
                most: usize = "65536",
                => collate::<T>(most)
            }
        },
        component! {
            "prompted_turnstile" = prompted_turnstile in "stream/prompted_turnstile.rs"
                for [Bytes, String, u64]
            {
                => prompted_turnstile::<T, u64>
            }
        },
        component! {
            "tag_with_sequence_number" = tag_with_sequence_number
                in "stream/tag_with_sequence_number.rs" for [Bytes, String]
            {
                => tag_with_sequence_number::<T>()
            }
        },
        component! {
            "unseen_only" = unseen_only in "stream/unseen_only.rs" for [Bytes, String, u64] {
                /// How many different messages are remembered.
                memory: NonZeroUsize = "65536",
                => unseen_only::<T>(memory.get())
            }
        },
        component! { "zip" = zip in "stream/zip.rs" for [Bytes, String] { => zip::<T, T> } },
    ]
}

/// Components that pass on messages, or connections that nobody has served yet.
fn passing_connections() -> Vec<Entry> {
    vec![
        component! {
            "echo" = echo in "stream/echo.rs"
                for [Bytes, String, u64, Accepted, HttpConnection, SecureConnection, Request]
            {
                => echo::<T>
            }
        },
        component! {
            "first_only" = first_only in "stream/first_only.rs"
                for [Bytes, String, u64, Accepted, HttpConnection, SecureConnection, Request]
            {
                /// How many.
                count: usize = "1",
                => first_only::<T>(count)
            }
        },
        component! {
            "lossy_connector" = lossy_connector in "stream/lossy_connector.rs"
                for [Bytes, String, u64, Accepted, HttpConnection, SecureConnection, Request]
            {
                => lossy_connector::<T>()
            }
        },
        component! {
            "rate_limit" = rate_limit in "stream/rate_limit.rs"
                for [Bytes, String, u64, Accepted, HttpConnection, SecureConnection, Request]
            {
                /// How many messages.
                most: NonZeroU32,
                /// Per which time.
                period: Duration = "1s",
                => rate_limit::<T>(most.get(), period)
            }
        },
    ]
}

/// Sources, sinks, counters, and a link that loses messages.
fn measuring() -> Vec<Entry> {
    vec![
        component! { "counter" = counter in "stream/counter.rs" for any { => counter::<T> } },
        component! {
            "measure_rate" = measure_rate in "stream/measure_rate.rs"
                for [Bytes, String, u64, Accepted, HttpConnection, SecureConnection, Request]
            {
                /// How long messages are counted.
                period: AboveZero<Duration> = "1s",
                => measure_rate::<T>(period.0)
            }
        },
        component! { "null_sink" = null_sink in "stream/null_sink.rs" for any { => null_sink::<T> } },
        component! {
            "one_shot" = one_shot in "stream/one_shot.rs" {
                /// The message.
                text: String,
                => one_shot(text)
            }
        },
        component! {
            "ticker" = ticker in "stream/ticker.rs" {
                /// How long it waits before each tick.
                period: AboveZero<Duration>,
                => ticker(period.0)
            }
        },
        component! {
            "unreliable" = unreliable in "stream/unreliable.rs" for [Bytes, String, u64] {
                /// The probability that a message is lost, from 0 to 1.
                loss: Chance = "0",
                /// The probability that a message arrives twice, from 0 to 1.
                duplication: Chance = "0",
                /// The probability that a message may overtake others, from 0 to 1.
                disorder: Chance = "0",
                /// The minimum delay of each message.
                delay: Duration = "0s",
                /// The maximum additional delay.
                jitter: Duration = "0s",
                => unreliable::<T>(Unreliability {
                    loss: loss.0,
                    duplication: duplication.0,
                    disorder: disorder.0,
                    delay,
                    jitter,
                })
            }
        },
    ]
}
