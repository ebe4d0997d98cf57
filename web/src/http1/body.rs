//! Removes the framing of a request body.

use super::byte_class::{is_field_byte, is_token_byte};
pub(crate) use super::error::BodyError;
use super::framing::Framing;

/// The maximum number of digits of a chunk size, including leading zeros: as many as 64 bits have.
const MAX_SIZE_DIGITS: u16 = 16;

/// The maximum bytes of extensions after one chunk size. No client is known to use them.
const MAX_EXTENSION: u16 = 256;

/// The maximum bytes of trailers, including line ends.
const MAX_TRAILER_BYTES: u16 = 8 * 1024;

/// The maximum number of trailers.
const MAX_TRAILERS: u8 = 64;

/// The bytes of framing that are free for each chunk, in addition to twice its data. A chunk of one
/// byte has six bytes of framing.
const FREE_FRAMING: u64 = 16;

/// The maximum bytes of framing of a whole body beyond the free ones.
const MAX_EXCESS_FRAMING: u64 = 16 * 1024;

/// Removes the framing of a body, piece by piece.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BodyDecoder {
    /// A body with a length: the number of bytes that have not arrived.
    Length(u64),
    /// A chunked body.
    Chunked(ChunkState),
}

/// What the caller must do with the front of the input. The decoder counts it as consumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyStep {
    /// Skip `skip` bytes of framing. The next `len` bytes are data; there is at least one.
    Data { skip: usize, len: usize },
    /// Skip this number of bytes, possibly 0, and call again with more input.
    Skip(usize),
    /// Skip `skip` bytes. The body ends there, and the next request follows.
    Done { skip: usize },
}

impl BodyDecoder {
    pub(crate) fn new(framing: Framing) -> Self {
        match framing {
            Framing::None => Self::Length(0),
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(ChunkState::default()),
        }
    }

    /// Decodes the front of `input`, which begins after everything consumed so far.
    ///
    /// A caller that wants at most *n* bytes of data passes at most *n* bytes of input.
    ///
    /// # Errors
    ///
    /// Returns an error if the framing is malformed or exceeds a limit. Do not use the decoder
    /// after that.
    pub(crate) fn decode(&mut self, input: &[u8]) -> Result<BodyStep, BodyError> {
        match self {
            Self::Length(0) => Ok(BodyStep::Done { skip: 0 }),
            Self::Length(remaining) => Ok(match take(remaining, input.len()) {
                0 => BodyStep::Skip(0),
                len => BodyStep::Data { skip: 0, len },
            }),
            Self::Chunked(state) => state.decode(input),
        }
    }

    /// Whether the whole body has been consumed.
    pub(crate) fn is_done(&self) -> bool {
        match self {
            Self::Length(remaining) => *remaining == 0,
            Self::Chunked(state) => state.step == ChunkStep::Done,
        }
    }

    /// Returns how many bytes of data are announced and not yet decoded: of the whole body, or of
    /// the current chunk. So a body whose announced length exceeds the limit can be refused at
    /// once.
    pub(crate) fn announced(&self) -> u64 {
        match self {
            Self::Length(remaining) => *remaining,
            Self::Chunked(state) if state.step == ChunkStep::Data => state.remaining,
            Self::Chunked(_) => 0,
        }
    }
}

/// Subtracts at most `available` from `remaining`. Returns how much.
fn take(remaining: &mut u64, available: usize) -> usize {
    let taken = usize::try_from(*remaining).map_or(available, |remaining| remaining.min(available));
    *remaining -= taken as u64;
    taken
}

/// The position of the decoder in a chunked body (RFC 9112 §7.1).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ChunkState {
    /// The size of the chunk as far as it has been read, and then the remaining bytes of its data.
    remaining: u64,
    /// The bytes of framing so far, without the free ones.
    excess: u64,
    /// The bytes of the size line, and after the last chunk the bytes of the trailers.
    line: u16,
    trailers: u8,
    step: ChunkStep,
}

/// The part of a chunked body that comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ChunkStep {
    /// A digit of the size, or the end of the size.
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
    fn decode(&mut self, input: &[u8]) -> Result<BodyStep, BodyError> {
        let mut skip = 0;
        loop {
            match self.step {
                ChunkStep::Done => return Ok(BodyStep::Done { skip }),
                ChunkStep::Data => return Ok(self.data(skip, input.len() - skip)),
                _ => {}
            }
            let Some(&byte) = input.get(skip) else { return Ok(BodyStep::Skip(skip)) };
            self.step = self.framing(byte)?;
            skip += 1;
        }
    }

    /// Consumes the data of a chunk, as far as it has arrived.
    fn data(&mut self, skip: usize, available: usize) -> BodyStep {
        let len = take(&mut self.remaining, available);
        if self.remaining == 0 {
            self.step = ChunkStep::DataCr;
        }
        match len {
            0 => BodyStep::Skip(skip),
            len => BodyStep::Data { skip, len },
        }
    }

    /// Consumes one byte of framing. Returns the next step.
    fn framing(&mut self, byte: u8) -> Result<ChunkStep, BodyError> {
        match (self.step, byte) {
            (ChunkStep::Size, _) => self.size(byte),
            (ChunkStep::Extension, b'\r') => Ok(ChunkStep::SizeLf),
            (ChunkStep::Extension, _) if is_field_byte(byte) => self.extension(),
            (ChunkStep::Extension, _) => Err(BodyError::ChunkExtension),
            (ChunkStep::SizeLf, b'\n') => self.begin_chunk(),
            (ChunkStep::SizeLf, _) => Err(BodyError::ChunkExtension),
            (ChunkStep::DataCr, b'\r') => Ok(ChunkStep::DataLf),
            (ChunkStep::DataLf, b'\n') => Ok(ChunkStep::Size),
            (ChunkStep::DataCr | ChunkStep::DataLf, _) => Err(BodyError::ChunkEnd),
            (ChunkStep::EndLf, b'\n') => Ok(ChunkStep::Done),
            _ => self.trailer(byte),
        }
    }

    fn size(&mut self, byte: u8) -> Result<ChunkStep, BodyError> {
        match (char::from(byte).to_digit(16), byte) {
            (Some(digit), _) if self.line < MAX_SIZE_DIGITS => {
                self.line += 1;
                self.remaining = self.remaining << 4 | u64::from(digit);
                Ok(ChunkStep::Size)
            }
            (None, b'\r') if self.line > 0 => Ok(ChunkStep::SizeLf),
            (None, b';') if self.line > 0 => Ok(ChunkStep::Extension),
            _ => Err(BodyError::ChunkSize),
        }
    }

    fn extension(&mut self) -> Result<ChunkStep, BodyError> {
        self.line += 1;
        if self.line > MAX_SIZE_DIGITS + MAX_EXTENSION {
            return Err(BodyError::ChunkExtensionTooLong);
        }
        Ok(ChunkStep::Extension)
    }

    /// Called at the end of the size line.
    fn begin_chunk(&mut self) -> Result<ChunkStep, BodyError> {
        // Each chunk has two line ends.
        let framing = u64::from(self.line) + 4;
        let free = FREE_FRAMING.saturating_add(self.remaining.saturating_mul(2));
        self.excess = (self.excess + framing).saturating_sub(free);
        if self.excess > MAX_EXCESS_FRAMING {
            return Err(BodyError::TooMuchFraming);
        }
        self.line = 0;
        Ok(if self.remaining == 0 { ChunkStep::TrailerStart } else { ChunkStep::Data })
    }

    /// Consumes a byte after the last chunk: of a trailer, which is checked and dropped, or of the
    /// blank line.
    fn trailer(&mut self, byte: u8) -> Result<ChunkStep, BodyError> {
        self.line += 1;
        if self.line > MAX_TRAILER_BYTES {
            return Err(BodyError::TrailersTooLarge);
        }
        match (self.step, byte) {
            (ChunkStep::TrailerStart, b'\r') => Ok(ChunkStep::EndLf),
            (ChunkStep::TrailerStart, _) if is_token_byte(byte) => {
                self.trailers += 1;
                if self.trailers > MAX_TRAILERS {
                    return Err(BodyError::TrailersTooLarge);
                }
                Ok(ChunkStep::TrailerName)
            }
            (ChunkStep::TrailerName, b':') => Ok(ChunkStep::TrailerValue),
            (ChunkStep::TrailerName, _) if is_token_byte(byte) => Ok(ChunkStep::TrailerName),
            (ChunkStep::TrailerValue, b'\r') => Ok(ChunkStep::TrailerLf),
            (ChunkStep::TrailerValue, _) if is_field_byte(byte) => Ok(ChunkStep::TrailerValue),
            (ChunkStep::TrailerLf, b'\n') => Ok(ChunkStep::TrailerStart),
            _ => Err(BodyError::Trailer),
        }
    }
}

#[cfg(test)]
mod tests;
