//! The request of the client, and what it requires of the response (RFC 6455 §4.1).

use httparse::{EMPTY_HEADER, Header, Response, Status};

use super::options::ConnectOptions;
use super::target::Target;
use super::{ConnectError, MAX_HEAD_SIZE};
use crate::http::header::{AUTHORIZATION, HOST};
use crate::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use crate::http1::field::has_token;
use crate::websocket::codec::deflate::params::Deflate;
use crate::websocket::handshake::permessage_deflate;
use crate::websocket::{compression, handshake};

/// The most header fields of a response.
const MAX_FIELDS: usize = 100;

/// The opening handshake of a client, which knows what it has asked for.
pub(super) struct Handshake<'a> {
    target: &'a Target,
    options: &'a ConnectOptions,
    key: String,
}

/// What the server agreed to.
pub(super) struct Accepted {
    pub(super) subprotocol: Option<Box<str>>,
    pub(super) deflate: Option<Deflate>,
}

impl<'a> Handshake<'a> {
    pub(super) fn new(target: &'a Target, options: &'a ConnectOptions) -> Self {
        Self { target, options, key: handshake::new_key() }
    }

    pub(super) fn request(&self) -> Vec<u8> {
        let mut request = format!("GET {} HTTP/1.1\r\n", self.target.path_and_query).into_bytes();
        let mut add = |name: &str, value: &[u8]| {
            request.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        };
        let headers = &self.options.headers;
        if !headers.contains_key(HOST) {
            add("Host", self.target.authority.as_bytes());
        }
        add("Upgrade", b"websocket");
        add("Connection", b"Upgrade");
        add("Sec-WebSocket-Key", self.key.as_bytes());
        add("Sec-WebSocket-Version", handshake::VERSION.as_bytes());
        if !self.options.subprotocols.is_empty() {
            add("Sec-WebSocket-Protocol", self.options.subprotocols.join(", ").as_bytes());
        }
        if let Some(compression) = &self.options.websocket.compression {
            let offer = permessage_deflate::offer(&compression::wanted(compression));
            add("Sec-WebSocket-Extensions", offer.as_bytes());
        }
        if let Some(credentials) = &self.target.credentials
            && !headers.contains_key(AUTHORIZATION)
        {
            add("Authorization", credentials.as_bytes());
        }
        for (name, value) in headers {
            add(name.as_str(), value.as_bytes());
        }
        request.extend(b"\r\n");
        request
    }

    /// Reads the response from the bytes that have arrived. Returns the length of its head, with
    /// any interim responses before it, and what the server agreed to. Returns `None` while the
    /// head is not complete.
    pub(super) fn read_response(
        &self,
        bytes: &[u8],
    ) -> Result<Option<(usize, Accepted)>, ConnectError> {
        let mut start = 0;
        loop {
            let mut fields = [EMPTY_HEADER; MAX_FIELDS];
            let mut response = Response::new(&mut fields);
            let rest = &bytes[start..];
            let Ok(parsed) = response.parse(&rest[..rest.len().min(MAX_HEAD_SIZE)]) else {
                return Err(ConnectError::InvalidResponse("it is not HTTP/1.1"));
            };
            let (Status::Complete(length), Some(code)) = (parsed, response.code) else {
                return Ok(None);
            };
            start += length;
            match code {
                101 => return Ok(Some((start, self.accept(response.headers)?))),
                100..=199 => {}
                _ => return Err(rejected(code, response.headers)),
            }
        }
    }

    /// Checks the headers of a response with status 101.
    fn accept(&self, fields: &[Header<'_>]) -> Result<Accepted, ConnectError> {
        let values = |name: &'static str| {
            let fields = fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name));
            fields.map(|field| field.value)
        };
        let invalid = |reason| Err(ConnectError::InvalidResponse(reason));
        if !values("Upgrade").any(|value| value.eq_ignore_ascii_case(b"websocket")) {
            return invalid("it does not upgrade to WebSocket");
        }
        if !values("Connection").any(|value| has_token(value, "upgrade")) {
            return invalid("its Connection header does not have `Upgrade`");
        }
        let key = handshake::accept_key(self.key.as_bytes());
        if !values("Sec-WebSocket-Accept").eq([key.as_bytes()]) {
            return invalid("its Sec-WebSocket-Accept header does not fit the key");
        }
        Ok(Accepted {
            subprotocol: self.subprotocol(values("Sec-WebSocket-Protocol"))?,
            deflate: self.deflate(values("Sec-WebSocket-Extensions"))?,
        })
    }

    fn subprotocol<'v>(
        &self,
        mut values: impl Iterator<Item = &'v [u8]>,
    ) -> Result<Option<Box<str>>, ConnectError> {
        let Some(chosen) = values.next() else { return Ok(None) };
        let mut offered = self.options.subprotocols.iter();
        match offered.find(|name| name.as_bytes() == chosen) {
            Some(name) if values.next().is_none() => Ok(Some(name.as_str().into())),
            _ => Err(ConnectError::InvalidResponse("its subprotocol was not offered")),
        }
    }

    fn deflate<'v>(
        &self,
        values: impl Iterator<Item = &'v [u8]>,
    ) -> Result<Option<Deflate>, ConnectError> {
        let Some(compression) = &self.options.websocket.compression else {
            return match values.into_iter().all(<[u8]>::is_empty) {
                true => Ok(None),
                false => Err(ConnectError::InvalidResponse("its extension was not offered")),
            };
        };
        let agreed = permessage_deflate::agreed(values, &compression::wanted(compression));
        let params = agreed.map_err(|error| ConnectError::InvalidResponse(error.reason()))?;
        Ok(params.map(|params| compression::agreed(compression, params)))
    }
}

/// The error for a response with another status than 101.
fn rejected(code: u16, fields: &[Header<'_>]) -> ConnectError {
    let Ok(status) = StatusCode::from_u16(code) else {
        return ConnectError::InvalidResponse("its status is not one of HTTP");
    };
    let mut headers = HeaderMap::new();
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(field.value)) {
            headers.append(name, value);
        }
    }
    ConnectError::Rejected { status, headers: Box::new(headers) }
}
