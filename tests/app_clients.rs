//! Forms with files, as real clients send them: curl, Python's requests, Node's undici, Chromium; and
//! the corpus of python-multipart.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod multipart {
    mod clients;
    mod corpus;
}
