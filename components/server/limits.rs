//! How many connections a server may have, by the files that its process may open.

use crate::process::file_limit;

/// How many descriptors a connection may need: its socket, and a file that is being sent.
const PER_CONNECTION: u64 = 2;

/// How many descriptors are left for everything else, such as listening sockets, logs, programs and
/// Python processes.
const OTHERS: u64 = 256;

/// The limit of connections: `wanted`, or fewer if this process may open too few files.
pub(super) fn connections_that_fit(wanted: usize) -> usize {
    let fit = file_limit().map_or(u64::MAX, fit_into);
    usize::try_from(fit).map_or(wanted, |fit| fit.min(wanted))
}

/// How many connections fit into a limit of open files, at least one.
fn fit_into(files: u64) -> u64 {
    let others = OTHERS.min(files / 4);
    ((files - others) / PER_CONNECTION).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_and_the_rest_fit_into_the_limit() {
        for (files, connections) in [
            (0, 1),
            (3, 1),
            (64, 24),
            (256, 96),
            (1024, 384),
            (20_000, 9872),
            (1 << 20, 524_160),
        ] {
            assert_eq!(fit_into(files), connections, "{files}");
        }
        assert_eq!(connections_that_fit(1), 1);
    }
}
