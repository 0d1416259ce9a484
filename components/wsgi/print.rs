//! What a worker prints, line by line in our log.

use kamea::Component;
use log::Level;

use crate::http::NoPorts;
use crate::process::PipeReader;

/// How much of a line is kept, in bytes.
const LONGEST: usize = 4 * 1024;

/// Logs what comes out of a pipe of the process `id`.
pub(super) fn log_lines(
    output: PipeReader,
    id: u32,
    level: Level,
) -> impl Component<NoPorts> + Send {
    let mut output = Some(output);
    async move |_: &mut NoPorts| {
        let Some(mut output) = output.take() else {
            return Ok(());
        };
        let mut line = Vec::new();
        loop {
            let bytes = output.read().await?;
            let mut parts = bytes.split(|&byte| byte == b'\n').peekable();
            while let Some(part) = parts.next() {
                let room = LONGEST.saturating_sub(line.len());
                line.extend_from_slice(&part[..part.len().min(room)]);
                let is_whole = parts.peek().is_some() || bytes.is_empty();
                if is_whole && !line.is_empty() {
                    log::log!(level, "WSGI {id} | {}", printable(&line));
                    line.clear();
                }
            }
            if bytes.is_empty() {
                return Ok(());
            }
        }
    }
}

/// Text that cannot do anything to a terminal.
pub(super) fn printable(line: &[u8]) -> String {
    let escape = |character: char| match character.is_control() {
        true => character.escape_default().to_string(),
        false => character.to_string(),
    };
    String::from_utf8_lossy(line).chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_move_a_cursor_is_escaped() {
        assert_eq!(
            printable("h\u{e9}llo \x1b[2J\r".as_bytes()),
            "h\u{e9}llo \\u{1b}[2J\\r"
        );
        assert_eq!(printable(b"\xff"), "\u{fffd}");
    }
}
