//! The gateway: what stands between the server and programs that know nothing of its components.

mod mount;
mod variables;

pub use mount::Mount;
pub use variables::Variables;
