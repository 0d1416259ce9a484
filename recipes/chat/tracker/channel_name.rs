//! The names of channels, checked when they are read.

use serde::{Deserialize, Serialize};

/// A text is not the name of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name of a channel has 1 to 64 characters, and none is a control character")]
pub struct ChannelNameError;

/// The name of a channel, as the tracker knows it: any text without control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChannelName(String);

impl ChannelName {
    /// The longest name, in characters.
    pub const LONGEST: usize = 64;
}

impl TryFrom<String> for ChannelName {
    type Error = ChannelNameError;

    fn try_from(name: String) -> Result<Self, ChannelNameError> {
        let length = name.chars().take(Self::LONGEST + 1).count();
        let is_name = (1..=Self::LONGEST).contains(&length)
            && !name.trim().is_empty()
            && !name.chars().any(char::is_control);
        is_name.then_some(Self(name)).ok_or(ChannelNameError)
    }
}

impl From<ChannelName> for String {
    fn from(name: ChannelName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_have_any_printable_name() {
        for name in ["general", "Küche 2", "日本", &"x".repeat(64)] {
            assert!(ChannelName::try_from(name.to_owned()).is_ok(), "{name}");
        }
        for name in ["", "  ", "a\nb", "a\0", "\u{85}", &"x".repeat(65)] {
            assert!(ChannelName::try_from(name.to_owned()).is_err(), "{name:?}");
        }
    }
}
