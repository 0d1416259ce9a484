//! Rules of a site for its files: which response gets which `Cache-Control`, which file is encoded.

mod cache_rule;
mod coding_rule;

pub use cache_rule::CacheRule;
pub use coding_rule::CodingRule;
