//! Components that cut byte streams into messages, and turn messages into bytes.

mod chunkify;
mod frame;
mod lines;
mod unframe;
mod unlines;

pub use chunkify::chunkify;
pub use frame::{FrameError, frame};
pub(crate) use lines::LineSplitter;
pub use lines::{LONGEST_LINE, LineError, lines};
pub use unframe::unframe;
pub use unlines::unlines;
