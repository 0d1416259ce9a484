//! Components that run other components, or bring them together.

use bytes::Bytes;

use super::{Entry, component};
use crate::chassis::{Backplane, publish_to, subscribe_to};

pub(super) fn entries() -> Vec<Entry> {
    vec![
        component! {
            "publish_to" = publish_to in "chassis/publish_to.rs" for [Bytes, String, u64] {
                /// The plane of the text.
                plane: Backplane<T>,
                /// The topic.
                topic: String,
                => publish_to(&plane, &topic)
            }
        },
        component! {
            "subscribe_to" = subscribe_to in "chassis/subscribe_to.rs" for [Bytes, String, u64] {
                /// The plane of the text.
                plane: Backplane<T>,
                /// The topic.
                topic: String,
                => subscribe_to(&plane, &topic)
            }
        },
    ]
}
