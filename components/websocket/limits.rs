//! How much a peer may send.

/// Limits on what a peer controls. Each has its own [`Violation`](super::Violation).
///
/// # Examples
///
/// ```
/// use kamea_components::websocket::Limits;
///
/// let limits = Limits { message: 16 << 20, ..Limits::default() };
/// assert_eq!(limits.fragments, 1024);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest payload of one frame, in bytes as they travel. Default: 16 MiB.
    pub frame: u64,
    /// The largest message, in bytes, after decompression. Default: 1 MiB.
    pub message: u64,
    /// The most frames of one message. Empty frames count too. Default: 1,024.
    pub fragments: u32,
    /// The most control frames within a second. Default: 100.
    pub control_frames: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame: 16 << 20,
            message: 1 << 20,
            fragments: 1024,
            control_frames: 100,
        }
    }
}
