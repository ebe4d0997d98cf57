//! Close codes and reasons (RFC 6455 §5.5.1 and §7.4).

use std::fmt;

use super::error::DecodeError;
use super::header::MAX_CONTROL_PAYLOAD;
use crate::types::text::Text;

/// The longest reason in bytes: the code takes two of those that a control frame may have.
pub(crate) const MAX_CLOSE_REASON: usize = MAX_CONTROL_PAYLOAD - 2;

/// Why a connection is closed: a code that may be sent in a close frame.
///
/// Those are 1000 to 1003 and 1007 to 1014, which are registered, and 3000 to 4999, which are for
/// libraries and applications.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct CloseCode(u16);

impl CloseCode {
    /// The purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// A server is shutting down, or a browser leaves the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// The peer does not follow the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// The kind of a message, text or binary, is not one that is understood.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// The content of a message does not fit its kind, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// A message breaks a rule that no other code names.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// A message exceeds a limit of its receiver.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// A client needs an extension that the server has not accepted.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// A server met an unexpected condition.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// A server is restarting: the client may connect again at once.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// A server is overloaded: the client should connect again later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// A gateway got an invalid response from the server behind it.
    pub const BAD_GATEWAY: Self = Self(1014);

    /// The code of this number.
    ///
    /// # Errors
    ///
    /// If the number may not be sent: it is reserved, as 1005 and 1006 are, or means nothing.
    pub const fn new(code: u16) -> Result<Self, InvalidCloseCode> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Ok(Self(code)),
            _ => Err(InvalidCloseCode(code)),
        }
    }

    /// The number of the code.
    pub const fn as_u16(self) -> u16 {
        self.0
    }
}

/// The code and the reason in a close frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CloseFrame {
    code: CloseCode,
    reason: Text,
}

impl CloseFrame {
    /// A close frame with `code` and `reason`, which may be empty.
    ///
    /// # Errors
    ///
    /// If `reason` is longer than 123 bytes.
    pub fn new(code: CloseCode, reason: impl Into<Text>) -> Result<Self, CloseReasonTooLong> {
        let reason = reason.into();
        match reason.len() {
            0..=MAX_CLOSE_REASON => Ok(Self { code, reason }),
            length => Err(CloseReasonTooLong { length }),
        }
    }

    /// The code.
    pub fn code(&self) -> CloseCode {
        self.code
    }

    /// The reason, at most 123 bytes.
    pub fn reason(&self) -> &Text {
        &self.reason
    }

    /// Parses the payload of a close frame, which may be empty.
    ///
    /// # Errors
    ///
    /// If it is a single byte, the code may not be sent, or the reason is not UTF-8.
    pub(crate) fn parse(payload: &[u8]) -> Result<Option<Self>, DecodeError> {
        let (code, reason) = match payload.split_first_chunk() {
            Some((code, reason)) => (u16::from_be_bytes(*code), reason),
            None if payload.is_empty() => return Ok(None),
            None => return Err(DecodeError::ClosePayloadTooShort),
        };
        let code = CloseCode::new(code).map_err(|error| DecodeError::CloseCode(error.0))?;
        let reason = str::from_utf8(reason).map_err(|_| DecodeError::CloseReason)?;
        Ok(Some(Self { code, reason: Text::copied(reason) }))
    }

    /// The payload of the frame.
    pub(crate) fn payload(&self) -> Vec<u8> {
        [&self.code.0.to_be_bytes(), self.reason.as_bytes()].concat()
    }
}

/// A number that closes a WebSocket: a [`CloseCode`], or a `u16` that is checked when it is used.
pub trait IntoCloseCode {
    /// Returns the code.
    ///
    /// # Errors
    ///
    /// If the number may not be sent.
    fn into_close_code(self) -> Result<CloseCode, InvalidCloseCode>;
}

impl IntoCloseCode for CloseCode {
    fn into_close_code(self) -> Result<CloseCode, InvalidCloseCode> {
        Ok(self)
    }
}

impl IntoCloseCode for u16 {
    fn into_close_code(self) -> Result<CloseCode, InvalidCloseCode> {
        CloseCode::new(self)
    }
}

/// A number that may not be sent as a close code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InvalidCloseCode(u16);

/// A close reason that does not fit into a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CloseReasonTooLong {
    length: usize,
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for InvalidCloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the close code {} may not be sent", self.0)
    }
}

impl fmt::Display for CloseReasonTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.length;
        write!(f, "a close reason has at most {MAX_CLOSE_REASON} bytes, and this one {length}")
    }
}

impl std::error::Error for InvalidCloseCode {}

impl std::error::Error for CloseReasonTooLong {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_valid_in_both_directions_or_in_none() {
        for number in 0..=u16::MAX {
            let is_valid = match number {
                0..1000 | 1004..=1006 | 1015..3000 | 5000.. => false,
                1000..=1003 | 1007..=1014 | 3000..=4999 => true,
            };
            assert_eq!(CloseCode::new(number).is_ok(), is_valid, "{number}");
            let parsed = CloseFrame::parse(&number.to_be_bytes());
            match CloseCode::new(number) {
                Ok(code) => {
                    let frame = CloseFrame::new(code, "").unwrap();
                    assert_eq!(frame.payload(), number.to_be_bytes());
                    assert_eq!(parsed, Ok(Some(frame)));
                }
                Err(_) => assert_eq!(parsed, Err(DecodeError::CloseCode(number))),
            }
        }
    }

    #[test]
    fn reasons_are_short_and_utf8() {
        let code = CloseCode::new(4000).unwrap();
        let frame = CloseFrame::new(code, "\u{e9}t\u{e9}").unwrap();
        assert_eq!((frame.code(), frame.reason().as_str()), (code, "\u{e9}t\u{e9}"));
        assert_eq!(
            CloseCode::new(1005).unwrap_err().to_string(),
            "the close code 1005 may not be sent"
        );
        assert_eq!(frame.payload(), b"\x0f\xa0\xc3\xa9t\xc3\xa9");
        assert_eq!(CloseFrame::parse(&frame.payload()), Ok(Some(frame)));
        assert!(CloseFrame::new(code, "x".repeat(123)).is_ok());
        let error = CloseFrame::new(code, "x".repeat(124)).unwrap_err();
        assert_eq!(error.to_string(), "a close reason has at most 123 bytes, and this one 124");
        assert_eq!(CloseFrame::parse(b""), Ok(None));
        assert_eq!(CloseFrame::parse(b"\x03"), Err(DecodeError::ClosePayloadTooShort));
        assert_eq!(CloseFrame::parse(b"\x03\xe8\xff"), Err(DecodeError::CloseReason));
        assert_eq!(CloseFrame::parse(b"\x03\xe8\xc3"), Err(DecodeError::CloseReason));
    }
}
