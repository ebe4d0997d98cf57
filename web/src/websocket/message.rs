//! A whole message: text or bytes.

use std::fmt;

use bytes::Bytes;

use crate::types::text::Text;

/// A whole WebSocket message.
///
/// Both kinds are cheap to clone: the clones share the memory of the payload.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Message {
    /// Text, which is always valid UTF-8.
    Text(Text),
    /// Any bytes.
    Binary(Bytes),
}

/// The kind of a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MessageKind {
    /// UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

/// Returned for a binary message where text is required.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NotText;

impl Message {
    /// The kind of the message.
    pub fn kind(&self) -> MessageKind {
        match self {
            Self::Text(_) => MessageKind::Text,
            Self::Binary(_) => MessageKind::Binary,
        }
    }

    /// Whether the message is text.
    pub fn is_text(&self) -> bool {
        self.kind() == MessageKind::Text
    }

    /// Whether the message is binary.
    pub fn is_binary(&self) -> bool {
        self.kind() == MessageKind::Binary
    }

    /// The length of the payload in bytes.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether the payload is empty.
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }

    /// The payload as bytes, of either kind.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The payload as bytes, of either kind. A long text that has no other clones is not copied.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.into(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The text.
    ///
    /// # Errors
    ///
    /// If the message is binary, even if its bytes are valid UTF-8.
    pub fn as_text(&self) -> Result<&str, NotText> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Binary(_) => Err(NotText),
        }
    }

    /// The text, owned.
    ///
    /// # Errors
    ///
    /// If the message is binary, even if its bytes are valid UTF-8.
    pub fn into_text(self) -> Result<Text, NotText> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Binary(_) => Err(NotText),
        }
    }
}

impl From<Text> for Message {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(Text::copied(text))
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}

impl From<&[u8]> for Message {
    fn from(bytes: &[u8]) -> Self {
        Self::Binary(Bytes::copy_from_slice(bytes))
    }
}

impl fmt::Display for NotText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a text message, received a binary one")
    }
}

impl std::error::Error for NotText {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_messages_are_text() {
        let text = Message::from("caf\u{e9}");
        assert_eq!((text.as_text(), text.len()), (Ok("caf\u{e9}"), 5));
        assert!(text.is_text() && !text.is_binary() && !text.is_empty());
        assert_eq!(text.clone().into_bytes(), "caf\u{e9}");
        assert_eq!(text.into_text(), Ok(Text::from("caf\u{e9}")));
        let binary = Message::from(b"valid UTF-8".as_slice());
        assert_eq!((binary.as_text(), binary.is_binary()), (Err(NotText), true));
        assert_eq!(binary.clone().into_text(), Err(NotText));
        assert_eq!(binary, Message::from(b"valid UTF-8".to_vec()));
        assert_eq!(binary.into_bytes(), "valid UTF-8");
    }

    #[test]
    fn the_memory_of_a_long_text_is_not_copied() {
        let text = "x".repeat(10_000);
        let place = text.as_ptr();
        let message = Message::from(text);
        assert_eq!(message.clone().as_bytes().as_ptr(), place);
        assert_eq!(message.into_bytes().as_ptr(), place);
    }
}
