//! The check of the `Origin` header against the host of the server.

use crate::context::Context;

/// Says whether a page from `origin` may connect to this server: if its host and port are those for
/// which the request is, or if it is one of the
/// [`allowed_origins`](crate::websocket::WebSocketOptions::allowed_origins).
///
/// Without this check, any page that a user visits could connect in the name of the user, with
/// the user's cookies.
pub fn is_allowed_origin(cx: &Context, origin: &str) -> bool {
    let allowed = &cx.websocket_options().allowed_origins;
    allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
        || is_same(&cx.host(), origin)
}

/// Whether the host of an origin is the one for which a request is. Ports that are the default of
/// the scheme may be left out on either side.
fn is_same(host: &str, origin: &str) -> bool {
    let Some((scheme, rest)) = origin.split_once("://") else { return false };
    let authority = rest.split('/').next().unwrap_or_default();
    let port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => "",
    };
    let without_port = |host: &str| host.strip_suffix(port).unwrap_or(host).to_ascii_lowercase();
    !authority.is_empty() && without_port(host) == without_port(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_and_the_port_must_be_the_same() {
        for (host, origin) in [
            ("example.com", "http://example.com"),
            ("EXAMPLE.com", "https://example.COM/page"),
            ("example.com:443", "https://example.com"),
            ("example.com", "http://example.com:80"),
            ("localhost:8000", "http://localhost:8000"),
            ("[::1]:8000", "http://[::1]:8000"),
        ] {
            assert!(is_same(host, origin), "{host} {origin}");
        }
        for (host, origin) in [
            ("example.com", "http://other.com"),
            ("example.com", "http://sub.example.com"),
            ("example.com", "http://example.com:8000"),
            ("example.com:80", "https://example.com"),
            ("example.com", "example.com"),
            ("example.com", "null"),
            ("", "http://"),
            ("example.com", "http://example.com@other.com"),
        ] {
            assert!(!is_same(host, origin), "{host} {origin}");
        }
    }
}
