//! Graphs as text: a notation for graphs, and a catalogue of the components that it may name.
//!
//! ```text
//! text ─▶ lex ─▶ parse ─▶ draft: components, options, links ─▶ fit: types ─▶ links ─▶ build ─▶ Graph
//!                           ▲                                    ▲
//!                           └──────────── catalogue ─────────────┘
//! ```
//!
//! A text is checked completely before any component is created. The grammar is in the book, in the
//! chapter on the notation.

mod build;
mod catalogue;
mod draft;
mod draw;
mod entries;
mod entry;
mod fit;
mod links;
mod mistake;
mod options;
mod parameter;
mod parse;
mod planes;
mod servers;
mod show;
mod source;
mod syntax;
#[cfg(test)]
mod tests;
mod value;
mod words;

pub use catalogue::Catalogue;
pub use draft::Draft;
pub use entry::Entry;
pub use mistake::Mistake;
