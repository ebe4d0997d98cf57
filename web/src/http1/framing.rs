//! How long the body of a request is: `Content-Length` and `Transfer-Encoding`.
//!
//! What the two say together decides where the next request begins, so everything that two
//! readers could take two ways is refused.

use super::byte_class::is_token_byte;
use super::error::HeadError;
use super::field::{decimal, elements};
use super::head::Version;

/// How the body of a request is framed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is no body: the next request follows the head.
    #[default]
    None,
    /// So many bytes follow.
    Length(u64),
    /// Chunks follow.
    Chunked,
}

impl Framing {
    /// Whether there is nothing of a body to be read.
    pub(crate) fn is_empty(self) -> bool {
        matches!(self, Self::None | Self::Length(0))
    }
}

/// What the fields seen so far say about the framing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FramingFields {
    length: Option<u64>,
    coding: Option<Coding>,
}

/// What all `Transfer-Encoding` fields together ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Chunked,
    Unknown,
}

impl FramingFields {
    /// Takes in the value of one `Content-Length` field.
    ///
    /// Lists of equal numbers and repeated fields with equal numbers count as one, as RFC
    /// 9110 §8.6 allows; proxies merge lines so.
    ///
    /// # Errors
    ///
    /// [`HeadError::ContentLength`] for anything that is not digits, does not fit 64 bits, or
    /// differs from a length seen before.
    pub(crate) fn content_length(&mut self, value: &[u8]) -> Result<(), HeadError> {
        for element in elements(value) {
            let length = decimal(element).ok_or(HeadError::ContentLength)?;
            if self.length.replace(length).is_some_and(|before| before != length) {
                return Err(HeadError::ContentLength);
            }
        }
        Ok(())
    }

    /// Takes in the value of one `Transfer-Encoding` field.
    ///
    /// # Errors
    ///
    /// [`HeadError::TransferEncoding`] for what is not a list of codings, for `chunked` with
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
            if malformed || chunked && self.coding == Some(Coding::Chunked) {
                return Err(HeadError::TransferEncoding);
            }
            self.coding = match self.coding {
                None if chunked => Some(Coding::Chunked),
                _ => Some(Coding::Unknown),
            };
        }
        Ok(())
    }

    /// What the fields say together.
    ///
    /// # Errors
    ///
    /// For `Transfer-Encoding` beside `Content-Length`, under HTTP/1.0, or with a coding
    /// other than `chunked`.
    #[inline]
    pub(crate) fn decide(self, version: Version) -> Result<Framing, HeadError> {
        match (self.coding, self.length) {
            (None, None) => Ok(Framing::None),
            (None, Some(length)) => Ok(Framing::Length(length)),
            (Some(_), Some(_)) => Err(HeadError::TwoFramings),
            (Some(_), None) if version == Version::Http10 => {
                Err(HeadError::TransferEncodingUnderHttp10)
            }
            (Some(Coding::Chunked), None) => Ok(Framing::Chunked),
            (Some(Coding::Unknown), None) => Err(HeadError::TransferCodingUnknown),
        }
    }
}
