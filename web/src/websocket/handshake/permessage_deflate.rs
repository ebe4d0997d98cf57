//! How two peers agree on the parameters of compression (RFC 7692 §5 and §7.1).

use std::fmt;

use super::extensions::{self, Extension, MalformedExtensions, Param};
use crate::websocket::codec::deflate::params::{DeflateParams, WindowBits};

const NAME: &[u8] = b"permessage-deflate";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";

/// The answer of a server to an offer that it accepts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Accepted {
    pub(crate) params: DeflateParams,
    /// The value of the `Sec-WebSocket-Extensions` header of the response.
    pub(crate) response: String,
}

/// For a server: accepts the first offer in the values of `Sec-WebSocket-Extensions` headers that
/// it can accept. Returns `None` if there is none: then messages are not compressed.
///
/// `wanted` holds the wishes of the server: context takeover in each direction or not, and the
/// largest windows. It gets less where the client asks for less. Windows of the client can be
/// limited only if the client has offered that.
///
/// # Errors
///
/// If a value is malformed. Unknown or invalid parameters are no error: such an offer is declined.
pub(crate) fn accept<'a>(
    values: impl Iterator<Item = &'a [u8]>,
    wanted: &DeflateParams,
) -> Result<Option<Accepted>, MalformedExtensions> {
    let offers = extensions::parse(values)?;
    let mut offers = offers.iter().filter_map(|offer| Params::of(offer)?.ok());
    let Some(offer) = offers.next() else { return Ok(None) };
    let client_max_window_bits = match offer.client_max_window_bits {
        None => None,
        Some(Some(bits)) => Some(bits.min(wanted.client_max_window_bits)),
        Some(None) => {
            let bits = wanted.client_max_window_bits;
            (bits < WindowBits::MAX).then_some(bits)
        }
    };
    let server_max_window_bits = match offer.server_max_window_bits {
        Some(bits) => Some(bits.min(wanted.server_max_window_bits)),
        None => {
            let bits = wanted.server_max_window_bits;
            (bits < WindowBits::MAX).then_some(bits)
        }
    };
    let response = Params {
        client_max_window_bits: client_max_window_bits.map(Some),
        client_no_context_takeover: offer.client_no_context_takeover
            || wanted.client_no_context_takeover,
        server_max_window_bits,
        server_no_context_takeover: offer.server_no_context_takeover
            || wanted.server_no_context_takeover,
    };
    Ok(Some(Accepted { params: response.agreed(), response: response.to_string() }))
}

/// For a client: the value of the `Sec-WebSocket-Extensions` header that offers compression.
///
/// `wanted` holds the wishes of the client, and limits its own messages. The client accepts
/// any limit of the server for its window.
pub(crate) fn offer(wanted: &DeflateParams) -> String {
    let is_limited = |bits: &WindowBits| *bits < WindowBits::MAX;
    let params = Params {
        client_max_window_bits: Some(Some(wanted.client_max_window_bits).filter(is_limited)),
        client_no_context_takeover: wanted.client_no_context_takeover,
        server_max_window_bits: Some(wanted.server_max_window_bits).filter(is_limited),
        server_no_context_takeover: wanted.server_no_context_takeover,
    };
    params.to_string()
}

/// For a client that has sent the [`offer`] of `wanted`: the parameters that the server agreed to.
/// Returns `None` if the server declined.
///
/// # Errors
///
/// If the response does not fit the offer. The client must not use the connection then.
pub(crate) fn agreed<'a>(
    values: impl Iterator<Item = &'a [u8]>,
    wanted: &DeflateParams,
) -> Result<Option<DeflateParams>, ResponseError> {
    let accepted = extensions::parse(values).map_err(|_| ResponseError::Malformed)?;
    let response = match accepted.as_slice() {
        [] => return Ok(None),
        [extension] => Params::of(extension).ok_or(ResponseError::NotOffered)?,
        _ => return Err(ResponseError::NotOffered),
    };
    let response = response.map_err(|InvalidParams| ResponseError::Params)?;
    let lacks_window = wanted.server_max_window_bits < WindowBits::MAX
        && response.server_max_window_bits.is_none_or(|bits| bits > wanted.server_max_window_bits);
    let lacks_reset = wanted.server_no_context_takeover && !response.server_no_context_takeover;
    let exceeds_window = match response.client_max_window_bits {
        None => false,
        Some(None) => true,
        Some(Some(bits)) => bits > wanted.client_max_window_bits,
    };
    if lacks_window || lacks_reset || exceeds_window {
        return Err(ResponseError::Params);
    }
    let mut params = response.agreed();
    params.client_no_context_takeover |= wanted.client_no_context_takeover;
    params.client_max_window_bits =
        params.client_max_window_bits.min(wanted.client_max_window_bits);
    Ok(Some(params))
}

/// Why a client cannot use the answer of a server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ResponseError {
    /// The header does not follow its grammar.
    Malformed,
    /// The server accepts an extension that was not offered, or one twice.
    NotOffered,
    /// The parameters are unknown, invalid, or do not fit the offer.
    Params,
}

/// The parameters of an offer or of a response.
#[derive(Clone, Copy, Debug, Default)]
struct Params {
    /// An offer may have it without a value.
    client_max_window_bits: Option<Option<WindowBits>>,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<WindowBits>,
    server_no_context_takeover: bool,
}

/// Parameters that are unknown, invalid, or there twice.
#[derive(Clone, Copy, Debug)]
struct InvalidParams;

impl Params {
    /// The parameters of `extension`, if it is permessage-deflate.
    fn of(extension: &Extension<'_>) -> Option<Result<Self, InvalidParams>> {
        (extension.name == NAME).then(|| {
            let mut params = Self::default();
            extension.params.iter().try_for_each(|param| params.add(param))?;
            Ok(params)
        })
    }

    fn add(&mut self, param: &Param<'_>) -> Result<(), InvalidParams> {
        let is = |name: &str| param.name == name.as_bytes();
        let bits = param.value.as_deref().map(window_bits).transpose()?;
        let has_value = bits.is_some();
        if is(CLIENT_MAX_WINDOW_BITS) && self.client_max_window_bits.is_none() {
            self.client_max_window_bits = Some(bits);
        } else if is(SERVER_MAX_WINDOW_BITS) && self.server_max_window_bits.is_none() && has_value {
            self.server_max_window_bits = bits;
        } else if is(CLIENT_NO_CONTEXT_TAKEOVER) && !self.client_no_context_takeover && !has_value {
            self.client_no_context_takeover = true;
        } else if is(SERVER_NO_CONTEXT_TAKEOVER) && !self.server_no_context_takeover && !has_value {
            self.server_no_context_takeover = true;
        } else {
            return Err(InvalidParams);
        }
        Ok(())
    }

    /// The parameters that both sides use if this is the response of a server.
    fn agreed(&self) -> DeflateParams {
        let client_max_window_bits = self.client_max_window_bits.flatten();
        DeflateParams {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: self.server_max_window_bits.unwrap_or(WindowBits::MAX),
            client_max_window_bits: client_max_window_bits.unwrap_or(WindowBits::MAX),
        }
    }
}

/// The number that `value` is: 8 to 15, without leading zeros.
fn window_bits(value: &[u8]) -> Result<WindowBits, InvalidParams> {
    let number = match value {
        [digit @ b'8'..=b'9'] => digit - b'0',
        [b'1', digit @ b'0'..=b'5'] => 10 + digit - b'0',
        _ => return Err(InvalidParams),
    };
    WindowBits::new(number).ok_or(InvalidParams)
}

/// As the value of a header, in alphabetical order.
impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("permessage-deflate")?;
        if let Some(bits) = self.client_max_window_bits {
            write!(f, "; {CLIENT_MAX_WINDOW_BITS}")?;
            if let Some(bits) = bits {
                write!(f, "={}", bits.bits())?;
            }
        }
        if self.client_no_context_takeover {
            write!(f, "; {CLIENT_NO_CONTEXT_TAKEOVER}")?;
        }
        if let Some(bits) = self.server_max_window_bits {
            write!(f, "; {SERVER_MAX_WINDOW_BITS}={}", bits.bits())?;
        }
        if self.server_no_context_takeover {
            write!(f, "; {SERVER_NO_CONTEXT_TAKEOVER}")?;
        }
        Ok(())
    }
}

impl ResponseError {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "its Sec-WebSocket-Extensions header is malformed",
            Self::NotOffered => "its extension was not offered",
            Self::Params => "its parameters of permessage-deflate do not fit the offer",
        }
    }
}

#[cfg(test)]
mod tests;
