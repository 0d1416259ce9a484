//! Whole applications, without a socket.

mod answers;
mod bad_input;
mod calls;
mod files;
mod layers;
mod sessions;
mod simulation;
mod views;
mod websockets;
