//! Why bytes of a peer are not valid frames.

use std::fmt;

use super::close::CloseCode;

/// A fault in the bytes of a peer. The connection must be closed with the
/// [code](Self::close_code) of the error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum DecodeError {
    /// A reserved bit is set that no extension gives a meaning.
    ReservedBits,
    /// The opcode is 3 to 7 or 11 to 15.
    ReservedOpcode(u8),
    /// A control frame is not the last of its message.
    FragmentedControlFrame,
    /// A control frame has more than 125 bytes.
    ControlFrameTooLong,
    /// The length has more bytes than it needs.
    LengthNotMinimal,
    /// The length has more than 63 bits.
    LengthTooLarge,
    /// A client sent a frame that is not masked.
    NotMasked,
    /// A server sent a masked frame.
    Masked,
    /// A continuation frame without a message that it continues.
    UnexpectedContinuation,
    /// A new message begins before the end of the last one.
    MessageInterrupted,
    /// A close frame has a payload of one byte.
    ClosePayloadTooShort,
    /// A close frame has a code that may not be sent.
    CloseCode(u16),
    /// The reason in a close frame is not UTF-8.
    CloseReason,
    /// A text message is not UTF-8.
    InvalidUtf8,
    /// A compressed message is not valid DEFLATE data.
    CorruptDeflate,
    /// A frame is longer than the limit.
    FrameTooBig,
    /// A message is longer than the limit.
    MessageTooBig,
    /// A compressed message is longer than the limit once it is decompressed.
    DecompressedMessageTooBig,
}

impl DecodeError {
    /// The code to close the connection with (RFC 6455 §7.4.1).
    pub(crate) fn close_code(self) -> CloseCode {
        match self {
            Self::ReservedBits
            | Self::ReservedOpcode(_)
            | Self::FragmentedControlFrame
            | Self::ControlFrameTooLong
            | Self::LengthNotMinimal
            | Self::LengthTooLarge
            | Self::NotMasked
            | Self::Masked
            | Self::UnexpectedContinuation
            | Self::MessageInterrupted
            | Self::ClosePayloadTooShort
            | Self::CloseCode(_) => CloseCode::PROTOCOL_ERROR,
            Self::CloseReason | Self::InvalidUtf8 | Self::CorruptDeflate => {
                CloseCode::INVALID_PAYLOAD
            }
            Self::FrameTooBig | Self::MessageTooBig | Self::DecompressedMessageTooBig => {
                CloseCode::MESSAGE_TOO_BIG
            }
        }
    }

    /// The reason to close the connection with, at most 123 bytes.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::ReservedBits => "reserved bits are set",
            Self::ReservedOpcode(_) => "reserved opcode",
            Self::FragmentedControlFrame => "fragmented control frame",
            Self::ControlFrameTooLong => "control frame too long",
            Self::LengthNotMinimal => "length is not encoded minimally",
            Self::LengthTooLarge => "length has more than 63 bits",
            Self::NotMasked => "frame of a client is not masked",
            Self::Masked => "frame of a server is masked",
            Self::UnexpectedContinuation => "continuation frame without a message",
            Self::MessageInterrupted => "new message inside a fragmented one",
            Self::ClosePayloadTooShort => "close frame with a payload of one byte",
            Self::CloseCode(_) => "invalid close code",
            Self::CloseReason => "close reason is not UTF-8",
            Self::InvalidUtf8 => "text is not UTF-8",
            Self::CorruptDeflate => "compressed data is corrupt",
            Self::FrameTooBig => "frame too big",
            Self::MessageTooBig => "message too big",
            Self::DecompressedMessageTooBig => "message too big after decompression",
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReservedOpcode(opcode) => write!(f, "reserved opcode {opcode}"),
            Self::CloseCode(code) => write!(f, "invalid close code {code}"),
            error => f.write_str(error.reason()),
        }
    }
}

impl std::error::Error for DecodeError {}
