//! How plaintext is cut into records.

use bytes::Bytes;

use super::{Session, TlsError};

/// How many bytes of plaintext one message of records holds at most.
pub(super) const BATCH: usize = 64 * 1024;

/// How many bytes of a batch are sent in small records.
const SOON: usize = 14 * 1024;

/// The plaintext of a small record. With its overhead it fits into one segment of TCP.
const SMALL: usize = 1_360;

/// Appends the records of some plaintext. A client cannot use a record before all of it has
/// arrived, so a long answer begins with small ones. What fits into one record stays in one.
pub(super) fn append_records(
    session: &mut Session,
    plaintext: &[u8],
    records: &mut Vec<u8>,
) -> Result<(), TlsError> {
    let is_long = plaintext.len() > SOON && !session.has_momentum();
    session.set_momentum(plaintext.len() > SOON);
    let (first, rest) = plaintext.split_at(if is_long { SOON } else { 0 });
    records.reserve(plaintext.len() + plaintext.len() / 8 + 64);
    for small in first.chunks(SMALL) {
        session.encrypt(small, records)?;
    }
    if !rest.is_empty() {
        session.encrypt(rest, records)?;
    }
    Ok(())
}

/// The `close_notify` of a session; `None` if it has failed, and has sent its alert instead.
pub(super) fn close_notify(session: &mut Session) -> Option<Bytes> {
    let mut records = Vec::new();
    session.close(&mut records).ok()?;
    Some(records.into())
}
