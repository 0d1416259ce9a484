//! Web applications, each a short program in an example. What they need are dev-dependencies, so
//! that nothing else builds it.
