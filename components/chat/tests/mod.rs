//! Tests of more than one part: hostile peers, and whole peers in simulations.

mod hostile;
mod simulation;
