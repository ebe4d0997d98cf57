//! Where a `ws://` URL leads.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{CONTROLS, percent_decode_str, utf8_percent_encode};

use super::ConnectError;
use crate::http1::host::is_authority;

const DEFAULT_PORT: u16 = 80;

/// The parts of a WebSocket URL (RFC 6455 §3).
#[derive(Debug)]
pub(super) struct Target {
    /// A name, or an address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// The value of the `Host` header.
    pub(super) authority: String,
    pub(super) path_and_query: String,
    /// The value of the `Authorization` header, if the URL has a user name.
    pub(super) credentials: Option<String>,
}

impl Target {
    pub(super) fn parse(url: &str) -> Result<Self, ConnectError> {
        Self::of(url).map_err(ConnectError::InvalidUrl)
    }

    fn of(url: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        if scheme.eq_ignore_ascii_case("wss") {
            return Err("wss:// is not supported");
        }
        if !scheme.eq_ignore_ascii_case("ws") {
            return Err("it does not begin with ws://");
        }
        if rest.contains('#') {
            return Err("it has a fragment");
        }
        if rest.bytes().any(|byte| byte == b' ' || byte.is_ascii_control()) {
            return Err("it has a space or a control character");
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (user, authority) = match authority.rsplit_once('@') {
            Some((user, authority)) => (Some(user), authority),
            None => (None, authority),
        };
        if !is_authority(authority.as_bytes()) {
            return Err("its host or its port is invalid");
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => (authority, ""),
        };
        let port = if port.is_empty() { DEFAULT_PORT } else { port.parse().unwrap_or_default() };
        if port == 0 {
            return Err("its port is 0");
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            authority: authority.trim_end_matches(':').to_owned(),
            path_and_query: format!("{slash}{}", utf8_percent_encode(path, CONTROLS)),
            credentials: user.map(basic),
        })
    }
}

/// The value of an `Authorization` header for `name:password` in a URL (RFC 7617).
fn basic(user: &str) -> String {
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let mut text: Vec<u8> = percent_decode_str(name).collect();
    text.push(b':');
    text.extend(percent_decode_str(password));
    format!("Basic {}", STANDARD.encode(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> (String, u16, String, String) {
        let target = Target::parse(url).unwrap();
        (target.host, target.port, target.authority, target.path_and_query)
    }

    #[test]
    fn a_url_has_a_host_a_port_and_a_path() {
        let rows = [
            ("ws://localhost", ("localhost", 80, "localhost", "/")),
            ("ws://localhost:8000/", ("localhost", 8000, "localhost:8000", "/")),
            ("ws://localhost:/", ("localhost", 80, "localhost", "/")),
            ("ws://[::1]/", ("::1", 80, "[::1]", "/")),
            ("WS://Example.com/a/b?c=d", ("Example.com", 80, "Example.com", "/a/b?c=d")),
            ("ws://localhost?a", ("localhost", 80, "localhost", "/?a")),
            ("ws://[::1]:9000/a", ("::1", 9000, "[::1]:9000", "/a")),
            ("ws://localhost/gr\u{fc}n", ("localhost", 80, "localhost", "/gr%C3%BCn")),
            ("ws://ada:pw@localhost:8000/a", ("localhost", 8000, "localhost:8000", "/a")),
        ];
        for (url, (host, port, authority, path)) in rows {
            let expected = (host.to_owned(), port, authority.to_owned(), path.to_owned());
            assert_eq!(parts(url), expected, "{url}");
        }
    }

    #[test]
    fn a_name_and_a_password_are_sent_as_basic_credentials() {
        let credentials = |url| Target::parse(url).unwrap().credentials;
        assert_eq!(credentials("ws://a/"), None);
        // RFC 7617 §2.
        let example = credentials("ws://Aladdin:open%20sesame@a/");
        assert_eq!(example.as_deref(), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
    }

    #[test]
    fn a_url_that_is_not_of_a_websocket_is_refused_with_the_reason() {
        let rows = [
            ("http://localhost/", "it does not begin with ws://"),
            ("localhost:8000", "it does not begin with ws://"),
            ("/chat", "it does not begin with ws://"),
            ("wss://localhost/", "wss:// is not supported"),
            ("ws://localhost/#top", "it has a fragment"),
            ("ws:///chat", "its host or its port is invalid"),
            ("ws://", "its host or its port is invalid"),
            ("ws://localhost:99999/", "its host or its port is invalid"),
            ("ws://localhost:http/", "its host or its port is invalid"),
            ("ws://[::1/", "its host or its port is invalid"),
            ("ws://m\u{fc}nchen/", "its host or its port is invalid"),
            ("ws://localhost:0/", "its port is 0"),
            ("ws://a/b c", "it has a space or a control character"),
            ("ws://a/b\r\nX: y", "it has a space or a control character"),
            ("", "it does not begin with ws://"),
        ];
        for (url, reason) in rows {
            match Target::parse(url) {
                Err(ConnectError::InvalidUrl(found)) => assert_eq!(found, reason, "{url}"),
                other => panic!("{url}: {other:?}"),
            }
        }
    }
}
