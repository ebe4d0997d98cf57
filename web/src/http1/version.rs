//! Which versions of HTTP are served.

use super::error::HeadError;

/// The version of a request, as far as it makes a difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1, and any later 1.x: a minor version only adds what may be ignored.
    #[default]
    Http11,
}

/// Where in `bytes` the minor version stands, for a request whose version httparse does not
/// know, which is any but 1.0 and 1.1. `None`: the line has not arrived to its end, and until
/// then nothing is said of it, however little is enough for httparse.
///
/// # Errors
///
/// [`HeadError::Version`] for another major version, [`HeadError::RequestLine`] for what is
/// no version at all, small letters among it.
pub(crate) fn minor_of_unknown(
    request: &httparse::Request<'_, '_>,
    bytes: &[u8],
) -> Result<Option<usize>, HeadError> {
    let target = request.path.ok_or(HeadError::RequestLine)?;
    let start = super::range::Range::within(bytes, target.as_bytes()).end as usize + 1;
    let rest = bytes.get(start..).unwrap_or_default();
    if !rest.contains(&b'\n') {
        return Ok(None);
    }
    match rest {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'2'..=b'9', b'\r', b'\n', ..] => {
            Ok(Some(start + 7))
        }
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9', b'\r', b'\n', ..] => {
            Err(HeadError::Version)
        }
        _ => Err(HeadError::RequestLine),
    }
}
