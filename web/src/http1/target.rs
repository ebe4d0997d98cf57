//! The four forms of a request target (RFC 9112 §3.2).

use http::Method;
use memchr::memchr;

use super::error::HeadError;
use super::host::{is_authority, is_authority_with_port};
use super::range::Range;

/// The parts of a target, as ranges of the bytes that hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TargetParts {
    /// Begins with `/`; of `OPTIONS *` the asterisk and of CONNECT the authority.
    pub(crate) path: Range,
    /// What follows the first `?`, which may be nothing.
    pub(crate) query: Option<Range>,
    /// The host and port that an absolute target or CONNECT names.
    pub(crate) authority: Option<Range>,
}

/// Splits the target that stands in `bytes` at `target`.
///
/// # Errors
///
/// [`HeadError::Target`] for a target in none of the four forms or in one that `method` may
/// not have, and for a fragment: clients keep it to themselves, so one that arrives was put
/// there to be read two ways, as part of the path or not. [`HeadError::Host`] if an authority
/// in it is not a host and a port.
pub(crate) fn split(
    bytes: &[u8],
    target: Range,
    method: &Method,
) -> Result<TargetParts, HeadError> {
    let text = target.of(bytes);
    if *method == Method::CONNECT {
        return authority_form(text, target);
    }
    match text {
        [b'/', ..] => origin_form(text, target),
        b"*" if *method == Method::OPTIONS => {
            Ok(TargetParts { path: target, query: None, authority: None })
        }
        _ => absolute_form(text, target),
    }
}

/// `/path?query`
fn origin_form(text: &[u8], target: Range) -> Result<TargetParts, HeadError> {
    let mark = text.iter().position(|&byte| byte == b'?' || byte == b'#');
    let Some(mark) = mark else {
        return Ok(TargetParts { path: target, query: None, authority: None });
    };
    if text[mark] == b'#' || memchr(b'#', &text[mark..]).is_some() {
        return Err(HeadError::Target);
    }
    let (path, query) = (target.part(0, mark), target.part(mark + 1, text.len()));
    Ok(TargetParts { path, query: Some(query), authority: None })
}

/// `http://host:port/path?query`, which proxies are sent and servers must take as well.
fn absolute_form(text: &[u8], target: Range) -> Result<TargetParts, HeadError> {
    let after = |scheme: &[u8]| {
        let is = text.get(..scheme.len()).is_some_and(|text| text.eq_ignore_ascii_case(scheme));
        is.then_some(scheme.len())
    };
    let start = after(b"http://").or_else(|| after(b"https://")).ok_or(HeadError::Target)?;
    let is_end = |byte: &u8| matches!(byte, b'/' | b'?' | b'#');
    let end = text[start..].iter().position(is_end).map_or(text.len(), |at| start + at);
    if !is_authority(&text[start..end]) {
        return Err(HeadError::Host);
    }
    let mut parts = origin_form(&text[end..], target.part(end, text.len()))?;
    parts.authority = Some(target.part(start, end));
    if parts.path.is_empty() {
        // An empty path means "/", and the one before the authority will do.
        parts.path = target.part(start - 1, start);
    }
    Ok(parts)
}

/// `host:port`, which only CONNECT has.
fn authority_form(text: &[u8], target: Range) -> Result<TargetParts, HeadError> {
    if !is_authority_with_port(text) {
        return Err(HeadError::Target);
    }
    Ok(TargetParts { path: target, query: None, authority: Some(target) })
}
