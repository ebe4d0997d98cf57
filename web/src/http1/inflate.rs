//! Compressed body → body.

use std::fmt;

use flate2::{Decompress, FlushDecompress, Status};

use super::error::BodyError;
use super::field::elements;

/// The codings that are understood, as a response says it (RFC 9110 §12.5.3).
pub(crate) const ACCEPTED: &str = "gzip, deflate";

/// The window of a gzip stream, as a power of two: the largest there is.
const WINDOW_BITS: u8 = 15;

/// A content coding that can be taken off a body (RFC 9110 §8.4.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Coding {
    /// RFC 1952.
    Gzip,
    /// RFC 1950: despite its name not the bare data of RFC 1951.
    Deflate,
}

/// A coding that is not known here, or one on top of another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct UnknownCoding;

impl Coding {
    /// Adds what a `Content-Encoding` field says to what those before it have said.
    ///
    /// # Errors
    ///
    /// If it is nothing that can be taken off.
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

    /// `None` for no coding at all.
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

/// Takes a coding off a body, piece by piece.
pub(crate) struct Inflater {
    coding: Coding,
    state: Decompress,
    place: Place,
}

/// Where in the compressed bytes it stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    Start,
    Within,
    /// Behind a stream that has ended, where another may follow if it is gzip.
    Behind,
}

/// How far one step has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Inflated {
    /// Bytes of the input that are done with.
    pub(crate) used: usize,
    /// Bytes of the output that are filled.
    pub(crate) filled: usize,
}

impl Inflater {
    pub(crate) fn new(coding: Coding) -> Self {
        Self { coding, state: state(coding), place: Place::Start }
    }

    /// Inflates the front of `input`, what follows everything used so far, into `output`, which
    /// must not be empty. If that is filled, there may be more to come without more input.
    ///
    /// # Errors
    ///
    /// If it is not of the coding. The inflater is of no use after that.
    pub(crate) fn inflate(
        &mut self,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<Inflated, BodyError> {
        if self.place != Place::Within {
            if input.is_empty() {
                return Ok(Inflated { used: 0, filled: 0 });
            }
            self.begin_stream()?;
        }
        let (used, filled) = (self.state.total_in(), self.state.total_out());
        let status = self.state.decompress(input, output, FlushDecompress::None);
        let status = status.map_err(|_| BodyError::Coding)?;
        if status == Status::StreamEnd {
            self.place = Place::Behind;
        }
        // Neither is more than the slice is long.
        let used = (self.state.total_in() - used) as usize;
        let filled = (self.state.total_out() - filled) as usize;
        if used == 0 && filled == 0 && !input.is_empty() {
            return Err(BodyError::Coding);
        }
        Ok(Inflated { used, filled })
    }

    fn begin_stream(&mut self) -> Result<(), BodyError> {
        if self.place == Place::Behind {
            if self.coding != Coding::Gzip {
                return Err(BodyError::Coding);
            }
            self.state = state(self.coding);
        }
        self.place = Place::Within;
        Ok(())
    }

    /// Says whether the body may end here. Nothing at all is an empty body in every coding.
    ///
    /// # Errors
    ///
    /// If there must be more of it.
    pub(crate) fn end(&self) -> Result<(), BodyError> {
        match self.place {
            Place::Start | Place::Behind => Ok(()),
            Place::Within => Err(BodyError::CodingEnd),
        }
    }
}

fn state(coding: Coding) -> Decompress {
    match coding {
        Coding::Gzip => Decompress::new_gzip(WINDOW_BITS),
        Coding::Deflate => Decompress::new(true),
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { coding, place, .. } = self;
        f.debug_struct("Inflater").field("coding", coding).field("place", place).finish()
    }
}

#[cfg(test)]
mod tests;
