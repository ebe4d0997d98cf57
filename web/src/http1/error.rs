//! Why a request is refused, and with which status.

use std::fmt;

use http::StatusCode;

/// The reason why a head is refused. Nothing more can be read from the connection after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadError {
    /// The first byte cannot begin a method: TLS on a plain port, or another protocol.
    NotHttp,
    /// Too many blank lines before the request.
    BlankLines,
    /// A line that ends in LF alone, or a CR without LF.
    LineEnd,
    /// The request line is not method, space, target, space, version.
    RequestLine,
    /// A target with none of the four forms, or with one that is invalid for its method.
    Target,
    /// The target is longer than `max_target`.
    TargetTooLong,
    /// A major version other than 1.
    Version,
    /// A field name that is empty, is not a token, or is followed by a space; a folded line.
    FieldName,
    /// A control byte in a field value.
    FieldValue,
    /// The head is longer than `max_head_size`.
    TooLarge,
    /// More fields than `max_fields`.
    TooManyFields,
    /// No `Host` in a request of HTTP/1.1.
    HostMissing,
    /// More than one `Host`.
    HostRepeated,
    /// `Host`, or the authority in the target, is not a host and an optional port.
    Host,
    /// A `Content-Length` that is not a number of 64 bits, or several different ones.
    ContentLength,
    /// A `Transfer-Encoding` that is not a list of codings, or has `chunked` twice.
    TransferEncoding,
    /// `Transfer-Encoding` under HTTP/1.0, which does not have it.
    TransferEncodingUnderHttp10,
    /// `Transfer-Encoding` with a coding other than `chunked`.
    TransferCodingUnknown,
    /// Both `Transfer-Encoding` and `Content-Length`.
    TwoFramings,
}

impl HeadError {
    /// Returns the status of the response.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::TooLarge | Self::TooManyFields => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::TransferCodingUnknown => StatusCode::NOT_IMPLEMENTED,
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::NotHttp
            | Self::BlankLines
            | Self::LineEnd
            | Self::RequestLine
            | Self::Target
            | Self::FieldName
            | Self::FieldValue
            | Self::HostMissing
            | Self::HostRepeated
            | Self::Host
            | Self::ContentLength
            | Self::TransferEncoding
            | Self::TransferEncodingUnderHttp10
            | Self::TwoFramings => StatusCode::BAD_REQUEST,
        }
    }
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotHttp => "the first byte cannot begin an HTTP request",
            Self::BlankLines => "too many blank lines before the request",
            Self::LineEnd => "a line does not end in CR LF",
            Self::RequestLine => "malformed request line",
            Self::Target => "malformed request target",
            Self::TargetTooLong => "request target too long",
            Self::Version => "HTTP version not supported",
            Self::FieldName => "malformed field name",
            Self::FieldValue => "control byte in a field value",
            Self::TooLarge => "request head too large",
            Self::TooManyFields => "too many request fields",
            Self::HostMissing => "no Host field",
            Self::HostRepeated => "more than one Host field",
            Self::Host => "malformed host",
            Self::ContentLength => "malformed Content-Length",
            Self::TransferEncoding => "malformed Transfer-Encoding",
            Self::TransferEncodingUnderHttp10 => "Transfer-Encoding under HTTP/1.0",
            Self::TransferCodingUnknown => "unknown transfer coding",
            Self::TwoFramings => "both Transfer-Encoding and Content-Length",
        })
    }
}

impl std::error::Error for HeadError {}

impl From<httparse::Error> for HeadError {
    fn from(error: httparse::Error) -> Self {
        match error {
            httparse::Error::HeaderName => Self::FieldName,
            httparse::Error::HeaderValue => Self::FieldValue,
            httparse::Error::NewLine => Self::LineEnd,
            httparse::Error::TooManyHeaders => Self::TooManyFields,
            httparse::Error::Token | httparse::Error::Version | httparse::Error::Status => {
                Self::RequestLine
            }
        }
    }
}

/// The reason why a body is refused. Nothing more can be read from the connection after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// A chunk size that is not 1 to 16 hexadecimal digits.
    ChunkSize,
    /// A control byte in a chunk extension, or a line that does not end in CR LF.
    ChunkExtension,
    /// A chunk extension longer than its limit.
    ChunkExtensionTooLong,
    /// A chunk that is not followed by CR LF.
    ChunkEnd,
    /// Much more framing than data, over many chunks.
    TooMuchFraming,
    /// A trailer line that is not a field.
    Trailer,
    /// More trailers than the limit, in bytes or in number.
    TrailersTooLarge,
    /// The bytes do not have the coding of `Content-Encoding`, or more bytes follow them.
    Coding,
    /// The compressed data is incomplete.
    CodingEnd,
}

impl BodyError {
    /// Returns the status of the response.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::TrailersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::ChunkSize
            | Self::ChunkExtension
            | Self::ChunkExtensionTooLong
            | Self::ChunkEnd
            | Self::TooMuchFraming
            | Self::Trailer
            | Self::Coding
            | Self::CodingEnd => StatusCode::BAD_REQUEST,
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ChunkSize => "malformed chunk size",
            Self::ChunkExtension => "malformed chunk extension",
            Self::ChunkExtensionTooLong => "chunk extension too long",
            Self::ChunkEnd => "a chunk does not end in CR LF",
            Self::TooMuchFraming => "too much framing for the data in the chunks",
            Self::Trailer => "malformed trailer",
            Self::TrailersTooLarge => "too many trailers",
            Self::Coding => "the body does not match its Content-Encoding",
            Self::CodingEnd => "the compressed body is incomplete",
        })
    }
}

impl std::error::Error for BodyError {}
