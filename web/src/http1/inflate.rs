//! Decompresses a request body.

use std::fmt;

use flate2::{Decompress, FlushDecompress, Status};

use super::error::BodyError;
use super::field::elements;

/// The supported codings, in the form of an `Accept-Encoding` header (RFC 9110 §12.5.3).
pub(crate) const ACCEPTED: &str = "gzip, deflate";

/// The window of a gzip stream, as a power of two: the maximum.
const WINDOW_BITS: u8 = 15;

/// A content coding that can be decoded (RFC 9110 §8.4.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ContentCoding {
    /// RFC 1952.
    Gzip,
    /// RFC 1950. Despite the name, not the bare data of RFC 1951.
    Deflate,
}

/// An unknown coding, or one on top of another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct UnknownCoding;

impl ContentCoding {
    /// Adds the value of a `Content-Encoding` field to the coding of the fields before it.
    ///
    /// # Errors
    ///
    /// Returns an error if the result cannot be decoded.
    pub(crate) fn take_in(
        known: Option<Self>,
        value: &[u8],
    ) -> Result<Option<Self>, UnknownCoding> {
        elements(value).try_fold(known, |known, name| match (known, Self::named(name)?) {
            (known, None) => Ok(known),
            (None, coding) => Ok(coding),
            (Some(_), Some(_)) => Err(UnknownCoding),
        })
    }

    /// Returns `None` for no coding.
    fn named(name: &[u8]) -> Result<Option<Self>, UnknownCoding> {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        match () {
            () if is("gzip") || is("x-gzip") => Ok(Some(Self::Gzip)),
            () if is("deflate") => Ok(Some(Self::Deflate)),
            () if is("") || is("identity") => Ok(None),
            () => Err(UnknownCoding),
        }
    }
}

/// Decompresses a body, piece by piece.
pub(crate) struct BodyInflater {
    coding: ContentCoding,
    state: Decompress,
    stream: StreamState,
}

/// The position in the compressed bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum StreamState {
    Start,
    Within,
    /// After the end of a stream. Another gzip stream may follow.
    Behind,
}

/// The progress of one step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct InflateStep {
    /// Consumed bytes of the input.
    pub(crate) used: usize,
    /// Filled bytes of the output.
    pub(crate) filled: usize,
}

impl BodyInflater {
    pub(crate) fn new(coding: ContentCoding) -> Self {
        Self { coding, state: state(coding), stream: StreamState::Start }
    }

    /// Decompresses the front of `input`, which begins after everything consumed so far, into
    /// `output`, which must not be empty. If it fills `output`, more output may be available
    /// without more input.
    ///
    /// # Errors
    ///
    /// Returns an error if the bytes do not have the coding. Do not use the inflater after that.
    pub(crate) fn inflate(
        &mut self,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<InflateStep, BodyError> {
        if self.stream != StreamState::Within {
            if input.is_empty() {
                return Ok(InflateStep { used: 0, filled: 0 });
            }
            self.begin_stream()?;
        }
        let (used, filled) = (self.state.total_in(), self.state.total_out());
        let status = self.state.decompress(input, output, FlushDecompress::None);
        let status = status.map_err(|_| BodyError::Coding)?;
        if status == Status::StreamEnd {
            self.stream = StreamState::Behind;
        }
        // Neither exceeds the length of its slice.
        let used = (self.state.total_in() - used) as usize;
        let filled = (self.state.total_out() - filled) as usize;
        if used == 0 && filled == 0 && !input.is_empty() {
            return Err(BodyError::Coding);
        }
        Ok(InflateStep { used, filled })
    }

    fn begin_stream(&mut self) -> Result<(), BodyError> {
        if self.stream == StreamState::Behind {
            if self.coding != ContentCoding::Gzip {
                return Err(BodyError::Coding);
            }
            self.state = state(self.coding);
        }
        self.stream = StreamState::Within;
        Ok(())
    }

    /// Checks that the body may end here. No bytes at all are an empty body in every coding.
    ///
    /// # Errors
    ///
    /// Returns an error if the compressed stream is incomplete.
    pub(crate) fn end(&self) -> Result<(), BodyError> {
        match self.stream {
            StreamState::Start | StreamState::Behind => Ok(()),
            StreamState::Within => Err(BodyError::CodingEnd),
        }
    }
}

fn state(coding: ContentCoding) -> Decompress {
    match coding {
        ContentCoding::Gzip => Decompress::new_gzip(WINDOW_BITS),
        ContentCoding::Deflate => Decompress::new(true),
    }
}

impl fmt::Debug for BodyInflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { coding, stream, .. } = self;
        f.debug_struct("BodyInflater").field("coding", coding).field("stream", stream).finish()
    }
}

#[cfg(test)]
mod tests;
