//! Framed bytes → body.

use super::byte_class::{is_field_byte, is_token_byte};
pub(crate) use super::error::BodyError;
use super::framing::Framing;

/// The digits of a chunk size: as many as 64 bits have, leading zeros counted.
const MAX_SIZE_DIGITS: u16 = 16;

/// Bytes of extensions after one chunk size. Nobody is known to use any.
const MAX_EXTENSION: u16 = 256;

/// Bytes of trailers, line ends included.
const MAX_TRAILER_BYTES: u16 = 8 * 1024;

/// Number of trailers.
const MAX_TRAILERS: u8 = 64;

/// Bytes of framing that each chunk may have for nothing, beside twice its data. Chunks of
/// one byte have six.
const FREE_FRAMING: u64 = 16;

/// Bytes of framing beyond what is free that a whole body may have.
const MAX_EXCESS_FRAMING: u64 = 16 * 1024;

/// Takes the framing off a body, piece by piece.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Decoder {
    /// So many bytes are still to come.
    Length(u64),
    /// Chunks, somewhere in them.
    Chunked(ChunkState),
}

/// What to do with the front of the input. The decoder has counted it as consumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decoded {
    /// Skip `skip` bytes of framing; the `len` bytes after them, at least one, are data.
    Data { skip: usize, len: usize },
    /// Skip so many bytes, possibly none, and come back with more input.
    Skip(usize),
    /// Skip `skip` bytes; the body ends there, and what follows is the next request.
    Done { skip: usize },
}

impl Decoder {
    pub(crate) fn new(framing: Framing) -> Self {
        match framing {
            Framing::None => Self::Length(0),
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(ChunkState::default()),
        }
    }

    /// Looks at `input`, what follows everything consumed so far, and says what to do with
    /// its front.
    ///
    /// Who wants at most *n* bytes of data passes at most *n* bytes of input.
    ///
    /// # Errors
    ///
    /// When the framing is malformed or over a limit. The decoder is of no use after that.
    pub(crate) fn decode(&mut self, input: &[u8]) -> Result<Decoded, BodyError> {
        match self {
            Self::Length(0) => Ok(Decoded::Done { skip: 0 }),
            Self::Length(remaining) => Ok(match take(remaining, input.len()) {
                0 => Decoded::Skip(0),
                len => Decoded::Data { skip: 0, len },
            }),
            Self::Chunked(state) => state.decode(input),
        }
    }

    /// Whether the body has been consumed whole.
    pub(crate) fn is_done(&self) -> bool {
        match self {
            Self::Length(remaining) => *remaining == 0,
            Self::Chunked(state) => state.step == Step::Done,
        }
    }

    /// Bytes of data that are announced and not yet decoded: of the whole body, or of the
    /// current chunk. A body whose announcement is over the limit is refused without waiting
    /// for it.
    pub(crate) fn announced(&self) -> u64 {
        match self {
            Self::Length(remaining) => *remaining,
            Self::Chunked(state) if state.step == Step::Data => state.remaining,
            Self::Chunked(_) => 0,
        }
    }
}

/// Takes at most `available` from `remaining` and returns how much.
fn take(remaining: &mut u64, available: usize) -> usize {
    let taken = usize::try_from(*remaining).map_or(available, |remaining| remaining.min(available));
    *remaining -= taken as u64;
    taken
}

/// Where in a chunked body the decoder stands (RFC 9112 §7.1).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ChunkState {
    /// Of the chunk: its size as far as read, then what is left of its data.
    remaining: u64,
    /// Framing beyond what is free, so far.
    excess: u64,
    /// Bytes of the size line, digits and extensions; then bytes of the trailers.
    line: u16,
    trailers: u8,
    step: Step,
}

/// What is expected next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step {
    /// A digit of the size, or what ends it.
    #[default]
    Size,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// A trailer, or the line that ends the body.
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    EndLf,
    Done,
}

impl ChunkState {
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, BodyError> {
        let mut skip = 0;
        loop {
            match self.step {
                Step::Done => return Ok(Decoded::Done { skip }),
                Step::Data => return Ok(self.data(skip, input.len() - skip)),
                _ => {}
            }
            let Some(&byte) = input.get(skip) else { return Ok(Decoded::Skip(skip)) };
            self.step = self.framing(byte)?;
            skip += 1;
        }
    }

    /// Gives out the data of a chunk, as far as it is there.
    fn data(&mut self, skip: usize, available: usize) -> Decoded {
        let len = take(&mut self.remaining, available);
        if self.remaining == 0 {
            self.step = Step::DataCr;
        }
        match len {
            0 => Decoded::Skip(skip),
            len => Decoded::Data { skip, len },
        }
    }

    /// Takes in one byte of framing; returns the next step.
    fn framing(&mut self, byte: u8) -> Result<Step, BodyError> {
        match (self.step, byte) {
            (Step::Size, _) => self.size(byte),
            (Step::Extension, b'\r') => Ok(Step::SizeLf),
            (Step::Extension, _) if is_field_byte(byte) => self.extension(),
            (Step::Extension, _) => Err(BodyError::ChunkExtension),
            (Step::SizeLf, b'\n') => self.begin_chunk(),
            (Step::SizeLf, _) => Err(BodyError::ChunkExtension),
            (Step::DataCr, b'\r') => Ok(Step::DataLf),
            (Step::DataLf, b'\n') => Ok(Step::Size),
            (Step::DataCr | Step::DataLf, _) => Err(BodyError::ChunkEnd),
            (Step::EndLf, b'\n') => Ok(Step::Done),
            _ => self.trailer(byte),
        }
    }

    fn size(&mut self, byte: u8) -> Result<Step, BodyError> {
        match (char::from(byte).to_digit(16), byte) {
            (Some(digit), _) if self.line < MAX_SIZE_DIGITS => {
                self.line += 1;
                self.remaining = self.remaining << 4 | u64::from(digit);
                Ok(Step::Size)
            }
            (None, b'\r') if self.line > 0 => Ok(Step::SizeLf),
            (None, b';') if self.line > 0 => Ok(Step::Extension),
            _ => Err(BodyError::ChunkSize),
        }
    }

    fn extension(&mut self) -> Result<Step, BodyError> {
        self.line += 1;
        if self.line > MAX_SIZE_DIGITS + MAX_EXTENSION {
            return Err(BodyError::ChunkExtensionTooLong);
        }
        Ok(Step::Extension)
    }

    /// At the end of the size line.
    fn begin_chunk(&mut self) -> Result<Step, BodyError> {
        // Two line ends belong to each chunk.
        let framing = u64::from(self.line) + 4;
        let free = FREE_FRAMING.saturating_add(self.remaining.saturating_mul(2));
        self.excess = (self.excess + framing).saturating_sub(free);
        if self.excess > MAX_EXCESS_FRAMING {
            return Err(BodyError::TooMuchFraming);
        }
        self.line = 0;
        Ok(if self.remaining == 0 { Step::TrailerStart } else { Step::Data })
    }

    /// After the last chunk: fields, which are checked and dropped, and a blank line.
    fn trailer(&mut self, byte: u8) -> Result<Step, BodyError> {
        self.line += 1;
        if self.line > MAX_TRAILER_BYTES {
            return Err(BodyError::TrailersTooLarge);
        }
        match (self.step, byte) {
            (Step::TrailerStart, b'\r') => Ok(Step::EndLf),
            (Step::TrailerStart, _) if is_token_byte(byte) => {
                self.trailers += 1;
                if self.trailers > MAX_TRAILERS {
                    return Err(BodyError::TrailersTooLarge);
                }
                Ok(Step::TrailerName)
            }
            (Step::TrailerName, b':') => Ok(Step::TrailerValue),
            (Step::TrailerName, _) if is_token_byte(byte) => Ok(Step::TrailerName),
            (Step::TrailerValue, b'\r') => Ok(Step::TrailerLf),
            (Step::TrailerValue, _) if is_field_byte(byte) => Ok(Step::TrailerValue),
            (Step::TrailerLf, b'\n') => Ok(Step::TrailerStart),
            _ => Err(BodyError::Trailer),
        }
    }
}

#[cfg(test)]
mod tests;
