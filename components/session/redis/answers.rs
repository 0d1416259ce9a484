//! The answers of Redis.

use std::collections::BTreeMap;

use kamea_session::{Answer, Loaded, SessionKey, StoreError};
use redis_protocol::resp2::types::BytesFrame;

use crate::scripts::Meaning;

/// What an answer of Redis means.
pub(crate) fn answer(frame: BytesFrame, meaning: Meaning) -> Result<Answer, StoreError> {
    match (frame, meaning) {
        (BytesFrame::Error(error), _) => Err(StoreError::Unavailable(error.to_string())),
        (BytesFrame::Null, Meaning::Load) => Ok(Answer::Loaded(None)),
        (BytesFrame::Array(parts), Meaning::Load) => loaded(parts).ok_or_else(strange),
        (BytesFrame::Array(parts), Meaning::Change) => differs(parts).ok_or_else(strange),
        (frame, meaning) => match (text(&frame).as_deref(), meaning) {
            (Some("ended"), _) => Ok(Answer::Ended),
            (Some("retired"), Meaning::Load) => Ok(Answer::Retired),
            (Some("applied"), Meaning::Change) => Ok(Answer::Applied),
            (Some("applied"), Meaning::Named(key, id)) => Ok(Answer::Named { key, id }),
            _ => Err(strange()),
        },
    }
}

fn strange() -> StoreError {
    StoreError::Unavailable("the answer is none that Redis gives".to_owned())
}

/// A key, and the fields of its hash, name and value in turn.
fn loaded(parts: Vec<BytesFrame>) -> Option<Answer> {
    let [key, BytesFrame::Array(fields)] = <[BytesFrame; 2]>::try_from(parts).ok()? else {
        return None;
    };
    let (mut values, mut user) = (BTreeMap::new(), None);
    for pair in fields.chunks(2) {
        let [name, value] = pair else {
            return None;
        };
        let (name, value) = (text(name)?, text(value)?);
        if let Some(name) = name.strip_prefix('v') {
            values.insert(name.to_owned(), value);
        } else if name == "u" {
            user = Some(value);
        }
    }
    let key = SessionKey::new(text(&key)?);
    let loaded = Box::new(Loaded { key, values, user });
    Some(Answer::Loaded(Some(loaded)))
}

fn differs(parts: Vec<BytesFrame>) -> Option<Answer> {
    match <[BytesFrame; 2]>::try_from(parts).ok()? {
        [word, BytesFrame::Null] if text(&word)? == "differs" => Some(Answer::Differs(None)),
        [word, value] if text(&word)? == "differs" => Some(Answer::Differs(Some(text(&value)?))),
        _ => None,
    }
}

fn text(frame: &BytesFrame) -> Option<String> {
    match frame {
        BytesFrame::BulkString(bytes) | BytesFrame::SimpleString(bytes) => {
            String::from_utf8(bytes.to_vec()).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &'static str) -> BytesFrame {
        BytesFrame::BulkString(text.into())
    }

    #[test]
    fn answers_that_nobody_expects_are_errors() {
        for frame in [
            BytesFrame::Integer(1),
            BytesFrame::Null,
            bulk("something"),
            bulk("retired"),
            BytesFrame::Array(vec![]),
            BytesFrame::Array(vec![bulk("differs")]),
            BytesFrame::Array(vec![bulk("a"), bulk("b")]),
            BytesFrame::Error(String::from("ERR unknown").into()),
        ] {
            let answer = answer(frame.clone(), Meaning::Change);
            assert!(
                matches!(answer, Err(StoreError::Unavailable(_))),
                "{frame:?}"
            );
        }
        for parts in [
            vec![bulk("k"), bulk("x")],
            vec![bulk("k"), BytesFrame::Array(vec![bulk("va")])],
        ] {
            assert!(answer(BytesFrame::Array(parts), Meaning::Load).is_err());
        }
    }
}
