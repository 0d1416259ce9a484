//! Bytes of files: reads them, cuts files into slices, and writes them.

mod follow;
mod read_file;
mod scratch;
mod slice;
mod slice_file;
mod wanted;
mod write_file;

pub use follow::follow;
pub use read_file::read_file;
pub use scratch::ScratchFile;
pub use slice::{FileSlice, OpenFile};
pub use slice_file::slice_file;
pub(crate) use wanted::{Wanted, wanted};
pub use write_file::{Existing, write_file};
