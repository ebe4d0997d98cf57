//! How a client connects.

use std::time::Duration;

use crate::connection::settings::{IntoTimeout, time_limit};
use crate::http::header::{
    CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use crate::http::{HeaderMap, HeaderName, HeaderValue};
use crate::websocket::WebSocketOptions;
use crate::websocket::handshake::extensions::is_token;

/// Headers that the handshake itself sets.
const OWN_HEADERS: [HeaderName; 9] = [
    CONNECTION,
    CONTENT_LENGTH,
    SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// How [`websocket_connect`](super::websocket_connect) connects.
///
/// | setting | default |
/// |---|---|
/// | [`header`](Self::header) | none besides those of the handshake |
/// | [`subprotocols`](Self::subprotocols) | none |
/// | [`connect_timeout`](Self::connect_timeout) | 20 seconds |
/// | [`websocket`](Self::websocket) | [`WebSocketOptions::new`] |
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use squall::websocket::{ConnectOptions, WebSocketOptions};
///
/// let options = ConnectOptions::new()
///     .header("Origin", "https://example.com")
///     .subprotocols(["v2.chat", "v1.chat"])
///     .connect_timeout(Duration::from_secs(5))
///     .websocket(WebSocketOptions::new().max_message_size(64 * 1024));
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    pub(super) headers: HeaderMap,
    pub(super) subprotocols: Vec<String>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) websocket: WebSocketOptions,
}

impl ConnectOptions {
    /// Returns the defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            headers: HeaderMap::new(),
            subprotocols: Vec::new(),
            connect_timeout: Some(Duration::from_secs(20)),
            websocket: WebSocketOptions::new(),
        }
    }

    /// Adds a header to the request, for instance `Cookie`, `Authorization` or `Origin`. `Host`
    /// replaces the host of the URL.
    ///
    /// # Panics
    ///
    /// If the name or the value is not one of a header, or if the handshake itself sets the header,
    /// for instance `Sec-WebSocket-Protocol`.
    #[must_use]
    #[track_caller]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let Ok(name) = HeaderName::try_from(name) else {
            panic!("`ConnectOptions::header`: {name:?} is not the name of a header");
        };
        let Ok(value) = HeaderValue::try_from(value) else {
            panic!("`ConnectOptions::header`: the value of {name} is not one of a header");
        };
        assert!(
            !OWN_HEADERS.contains(&name),
            "`ConnectOptions::header`: the handshake itself sets {name}"
        );
        self.headers.append(name, value);
        self
    }

    /// Offers subprotocols, in the order of preference. The server chooses one of them or none: see
    /// [`WebSocket::subprotocol`](crate::websocket::WebSocket::subprotocol).
    ///
    /// # Panics
    ///
    /// If a name is not a token (RFC 9110 §5.6.2), or is there twice.
    #[must_use]
    #[track_caller]
    pub fn subprotocols<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.subprotocols.clear();
        for name in names {
            let name = name.into();
            assert!(
                is_token(name.as_bytes()) && !self.subprotocols.contains(&name),
                "`ConnectOptions::subprotocols`: {name:?} is not a token, or is there twice"
            );
            self.subprotocols.push(name);
        }
        self
    }

    /// Sets how long the whole attempt may take: looking up the host, connecting, and the
    /// handshake. `None` for no limit. Default: 20 seconds.
    ///
    /// # Panics
    ///
    /// If the time is zero.
    #[must_use]
    #[track_caller]
    pub fn connect_timeout(mut self, timeout: impl IntoTimeout) -> Self {
        self.connect_timeout = time_limit("ConnectOptions::connect_timeout", timeout);
        self
    }

    /// Sets the limits, time-outs and the compression of the connection.
    #[must_use]
    pub fn websocket(mut self, options: WebSocketOptions) -> Self {
        self.websocket = options;
        self
    }
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl From<WebSocketOptions> for ConnectOptions {
    fn from(options: WebSocketOptions) -> Self {
        Self::new().websocket(options)
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{UnwindSafe, catch_unwind};

    use super::*;

    fn refusal(set: impl FnOnce(ConnectOptions) -> ConnectOptions + UnwindSafe) -> String {
        *catch_unwind(|| drop(set(ConnectOptions::new()))).unwrap_err().downcast().unwrap()
    }

    #[test]
    fn a_value_that_cannot_be_sent_is_refused_with_the_name_of_its_setting() {
        let refused = refusal(|options| options.header("a b", ""));
        assert_eq!(refused, "`ConnectOptions::header`: \"a b\" is not the name of a header");
        let refused = refusal(|options| options.header("X-A", "a\r\nX-B: b"));
        assert_eq!(refused, "`ConnectOptions::header`: the value of x-a is not one of a header");
        let refused = refusal(|options| options.header("Sec-WebSocket-Protocol", "chat"));
        assert!(refused.contains("the handshake itself sets sec-websocket-protocol"), "{refused}");
        for names in [["a b", "c"], ["", "c"], ["c", "c"]] {
            let refused = refusal(move |options| options.subprotocols(names));
            assert!(refused.starts_with("`ConnectOptions::subprotocols`"), "{refused}");
        }
        let refused = refusal(|options| options.connect_timeout(Duration::ZERO));
        assert!(refused.starts_with("`ConnectOptions::connect_timeout`"), "{refused}");
    }
}
