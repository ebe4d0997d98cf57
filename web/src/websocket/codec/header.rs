//! The header of a frame (RFC 6455 §5.2).

use super::error::DecodeError;
use super::mask::MaskKey;

/// The longest header: two bytes, a length of 64 bits, and a key.
pub(crate) const MAX_HEADER: usize = 14;

/// The longest payload of a control frame.
pub(crate) const MAX_CONTROL_PAYLOAD: usize = 125;

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV2_AND_RSV3: u8 = 0x30;
const OPCODE: u8 = 0x0f;
const MASKED: u8 = 0x80;
/// The lengths that say how many bytes of the header hold the actual length.
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

/// The kind of a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Opcode {
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

impl Opcode {
    fn new(opcode: u8) -> Result<Self, DecodeError> {
        Ok(match opcode {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return Err(DecodeError::ReservedOpcode(opcode)),
        })
    }

    /// Whether it may stand between the frames of a message.
    pub(crate) fn is_control(self) -> bool {
        match self {
            Self::Continuation | Self::Text | Self::Binary => false,
            Self::Close | Self::Ping | Self::Pong => true,
        }
    }
}

/// A frame without its payload.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct FrameHeader {
    /// Whether this is the last frame of its message.
    pub(crate) fin: bool,
    /// The bit that permessage-deflate sets on the first frame of a compressed message (RSV1).
    pub(crate) compressed: bool,
    pub(crate) opcode: Opcode,
    pub(crate) mask: Option<MaskKey>,
    /// The length of the payload.
    pub(crate) length: u64,
}

impl FrameHeader {
    /// Parses the header at the front of `bytes`. Returns it and its length, or `None` if more
    /// bytes are needed.
    ///
    /// # Errors
    ///
    /// As soon as `bytes` can no longer begin any header. The error is the same however many bytes
    /// follow.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, DecodeError> {
        let Some(&first) = bytes.first() else { return Ok(None) };
        if first & RSV2_AND_RSV3 != 0 {
            return Err(DecodeError::ReservedBits);
        }
        let opcode = Opcode::new(first & OPCODE)?;
        let fin = first & FIN != 0;
        if opcode.is_control() && !fin {
            return Err(DecodeError::FragmentedControlFrame);
        }
        let Some(&second) = bytes.get(1) else { return Ok(None) };
        if opcode.is_control() && usize::from(second & !MASKED) > MAX_CONTROL_PAYLOAD {
            return Err(DecodeError::ControlFrameTooLong);
        }
        let rest = &bytes[2..];
        let Some((length, rest)) = parse_length(second & !MASKED, rest)? else { return Ok(None) };
        let (mask, rest) = match rest.split_first_chunk() {
            _ if second & MASKED == 0 => (None, rest),
            Some((key, rest)) => (Some(MaskKey::new(*key)), rest),
            None => return Ok(None),
        };
        let header = Self { fin, compressed: first & RSV1 != 0, opcode, mask, length };
        Ok(Some((header, bytes.len() - rest.len())))
    }

    /// The bytes of the header.
    pub(crate) fn encode(&self) -> EncodedHeader {
        let mut header = EncodedHeader { bytes: [0; MAX_HEADER], len: 0 };
        let bit = |is_set: bool, bit: u8| if is_set { bit } else { 0 };
        let first = bit(self.fin, FIN) | bit(self.compressed, RSV1) | self.opcode as u8;
        let masked = bit(self.mask.is_some(), MASKED);
        match self.length {
            0..126 => header.extend([first, masked | self.length as u8]),
            126..=0xffff => {
                header.extend([first, masked | LENGTH_16]);
                header.extend((self.length as u16).to_be_bytes());
            }
            _ => {
                header.extend([first, masked | LENGTH_64]);
                header.extend(self.length.to_be_bytes());
            }
        }
        if let Some(key) = self.mask {
            header.extend(key.to_bytes());
        }
        header
    }
}

/// The length that begins with `short`, and the bytes behind it.
fn parse_length(short: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, DecodeError> {
    let (length, rest) = match short {
        LENGTH_16 => match rest.split_first_chunk() {
            Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
            None => return Ok(None),
        },
        LENGTH_64 => match rest.split_first_chunk() {
            Some((length, rest)) => (u64::from_be_bytes(*length), rest),
            None => return Ok(None),
        },
        _ => (u64::from(short), rest),
    };
    match short {
        LENGTH_16 if length < u64::from(LENGTH_16) => Err(DecodeError::LengthNotMinimal),
        LENGTH_64 if length <= u64::from(u16::MAX) => Err(DecodeError::LengthNotMinimal),
        LENGTH_64 if length > i64::MAX as u64 => Err(DecodeError::LengthTooLarge),
        _ => Ok(Some((length, rest))),
    }
}

/// A header as it is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EncodedHeader {
    bytes: [u8; MAX_HEADER],
    len: u8,
}

impl EncodedHeader {
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    fn extend<const N: usize>(&mut self, bytes: [u8; N]) {
        let start = usize::from(self.len);
        self.bytes[start..start + N].copy_from_slice(&bytes);
        self.len += N as u8;
    }
}

#[cfg(test)]
mod tests;
