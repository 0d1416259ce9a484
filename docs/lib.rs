//! The book and the README, so that every code block in them is a test.

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
pub mod readme {}
#[doc = include_str!("src/guide.md")]
#[cfg(doctest)]
pub mod guide {}
#[doc = include_str!("src/wsgi.md")]
#[cfg(doctest)]
pub mod wsgi {}
#[doc = include_str!("src/server.md")]
#[cfg(doctest)]
pub mod server {}
#[doc = include_str!("src/gateway.md")]
#[cfg(doctest)]
pub mod gateway {}
