//! The access log of `spidey`, if there is to be one.

use std::io;

use kamea_recipes::AccessLog;

use super::options::Options;

impl Options {
    /// Starts the log that the options name.
    pub(crate) fn start_access_log(&self) -> io::Result<AccessLog> {
        match &self.access_log {
            // The recorder says on stderr what came of each request, and nobody writes it down.
            None if self.verbose => AccessLog::nowhere(),
            None => Ok(AccessLog::none()),
            Some(path) => AccessLog::to(path, self.log_format()),
        }
    }
}
