//! The length of a request's body, from `Content-Length` and `Transfer-Encoding`.
//!
//! The two together decide where the next request begins. So everything that two parsers could
//! understand in two ways is refused.

use super::byte_class::is_token_byte;
use super::error::HeadError;
use super::field::{decimal, elements};
use super::head::Version;

/// How the body of a request is framed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Framing {
    /// No body: the next request follows the head.
    #[default]
    None,
    /// A body with this length in bytes.
    Length(u64),
    /// A chunked body.
    Chunked,
}

impl Framing {
    /// Whether there are no bytes of a body to read.
    pub(crate) fn is_empty(self) -> bool {
        matches!(self, Self::None | Self::Length(0))
    }
}

/// The framing according to the fields so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FramingFields {
    length: Option<u64>,
    coding: Option<TransferCoding>,
}

/// The coding of all `Transfer-Encoding` fields together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TransferCoding {
    Chunked,
    Unknown,
}

impl FramingFields {
    /// Adds the value of a `Content-Length` field.
    ///
    /// A list of equal numbers, or several fields with equal numbers, count as one. RFC 9110 §8.6
    /// allows this, and proxies merge lines in this way.
    ///
    /// # Errors
    ///
    /// Returns [`HeadError::ContentLength`] for anything but digits, for a number above 64 bits,
    /// and for a number that differs from an earlier one.
    pub(crate) fn content_length(&mut self, value: &[u8]) -> Result<(), HeadError> {
        for element in elements(value) {
            let length = decimal(element).ok_or(HeadError::ContentLength)?;
            if self.length.replace(length).is_some_and(|before| before != length) {
                return Err(HeadError::ContentLength);
            }
        }
        Ok(())
    }

    /// Adds the value of a `Transfer-Encoding` field.
    ///
    /// # Errors
    ///
    /// Returns [`HeadError::TransferEncoding`] for a malformed list of codings, for `chunked` with
    /// parameters, and for a second `chunked`.
    pub(crate) fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), HeadError> {
        for element in elements(value) {
            let is_end = |byte: &u8| !is_token_byte(*byte);
            let end = element.iter().position(is_end).unwrap_or(element.len());
            let (name, parameters) = element.split_at(end);
            let chunked = name.eq_ignore_ascii_case(b"chunked");
            let malformed = match parameters {
                [] => name.is_empty(),
                [b';', ..] => name.is_empty() || chunked,
                _ => true,
            };
            if malformed || chunked && self.coding == Some(TransferCoding::Chunked) {
                return Err(HeadError::TransferEncoding);
            }
            self.coding = match self.coding {
                None if chunked => Some(TransferCoding::Chunked),
                _ => Some(TransferCoding::Unknown),
            };
        }
        Ok(())
    }

    /// Returns the framing according to all fields.
    ///
    /// # Errors
    ///
    /// Returns an error for `Transfer-Encoding` together with `Content-Length`, under HTTP/1.0, or
    /// with a coding other than `chunked`.
    #[inline]
    pub(crate) fn decide(self, version: Version) -> Result<Framing, HeadError> {
        match (self.coding, self.length) {
            (None, None) => Ok(Framing::None),
            (None, Some(length)) => Ok(Framing::Length(length)),
            (Some(_), Some(_)) => Err(HeadError::TwoFramings),
            (Some(_), None) if version == Version::Http10 => {
                Err(HeadError::TransferEncodingUnderHttp10)
            }
            (Some(TransferCoding::Chunked), None) => Ok(Framing::Chunked),
            (Some(TransferCoding::Unknown), None) => Err(HeadError::TransferCodingUnknown),
        }
    }
}
