//! The grammar of `Sec-WebSocket-Extensions` (RFC 6455 §9.1).

use std::borrow::Cow;
use std::fmt;

use crate::http1::byte_class::is_token_byte;
use crate::http1::field::{trim, trim_start};

/// An extension that one side offers, or the other one accepts.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Extension<'a> {
    pub(super) name: &'a [u8],
    pub(super) params: Vec<Param<'a>>,
}

/// A parameter of an extension.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Param<'a> {
    pub(super) name: &'a [u8],
    /// A token, without the quotes that were around it.
    pub(super) value: Option<Cow<'a, [u8]>>,
}

/// A `Sec-WebSocket-Extensions` header does not follow its grammar. The handshake must fail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct MalformedExtensions;

/// The extensions in the values of all headers, in their order.
///
/// # Errors
///
/// If a value does not follow the grammar.
pub(super) fn parse<'a>(
    values: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<Extension<'a>>, MalformedExtensions> {
    let mut extensions = Vec::new();
    for value in values {
        let mut rest = trim(value);
        while !rest.is_empty() {
            // A list may have empty elements.
            if rest[0] != b',' {
                let extension;
                (extension, rest) = parse_extension(rest)?;
                extensions.push(extension);
            }
            rest = match rest {
                [] => rest,
                [b',', rest @ ..] => trim_start(rest),
                _ => return Err(MalformedExtensions),
            };
        }
    }
    Ok(extensions)
}

/// Whether `bytes` are a token (RFC 9110 §5.6.2).
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_token_byte)
}

/// The extension at the front of `rest`, and the bytes behind it.
fn parse_extension(rest: &[u8]) -> Result<(Extension<'_>, &[u8]), MalformedExtensions> {
    let (name, mut rest) = parse_token(rest)?;
    let mut params = Vec::new();
    while let [b';', after @ ..] = rest {
        let (name, after) = parse_token(trim_start(after))?;
        let (value, after) = match after {
            [b'=', after @ ..] => {
                let (value, after) = parse_value(trim_start(after))?;
                (Some(value), after)
            }
            _ => (None, after),
        };
        params.push(Param { name, value });
        rest = after;
    }
    Ok((Extension { name, params }, rest))
}

/// The token at the front of `rest`, and the bytes behind it and the space after it.
fn parse_token(rest: &[u8]) -> Result<(&[u8], &[u8]), MalformedExtensions> {
    let length = rest.iter().take_while(|byte| is_token_byte(**byte)).count();
    match rest.split_at(length) {
        ([], _) => Err(MalformedExtensions),
        (token, rest) => Ok((token, trim_start(rest))),
    }
}

/// The value at the front of `rest`, and the bytes behind it. A quoted value must be a token as
/// well.
fn parse_value(rest: &[u8]) -> Result<(Cow<'_, [u8]>, &[u8]), MalformedExtensions> {
    let [b'"', quoted @ ..] = rest else {
        let (token, rest) = parse_token(rest)?;
        return Ok((Cow::Borrowed(token), rest));
    };
    let mut value = Vec::new();
    let mut bytes = quoted;
    loop {
        bytes = match bytes {
            [b'"', rest @ ..] if is_token(&value) => {
                return Ok((Cow::Owned(value), trim_start(rest)));
            }
            [b'\\', byte, rest @ ..] | [byte, rest @ ..] if is_token_byte(*byte) => {
                value.push(*byte);
                rest
            }
            _ => return Err(MalformedExtensions),
        };
    }
}

impl fmt::Display for MalformedExtensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("malformed Sec-WebSocket-Extensions header")
    }
}

impl std::error::Error for MalformedExtensions {}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(values: &[&str]) -> Result<String, MalformedExtensions> {
        let extensions = parse(values.iter().map(|value| value.as_bytes()))?;
        let mut shown = Vec::new();
        for extension in extensions {
            let mut text = String::from_utf8_lossy(extension.name).into_owned();
            for param in extension.params {
                text += &format!(";{}", String::from_utf8_lossy(param.name));
                if let Some(value) = param.value {
                    text += &format!("={}", String::from_utf8_lossy(&value));
                }
            }
            shown.push(text);
        }
        Ok(shown.join(","))
    }

    #[test]
    fn lists_of_extensions_are_read() {
        let rows: [(&[&str], &str); 8] = [
            (&[], ""),
            (&[" "], ""),
            (&["foo"], "foo"),
            (&["foo, bar; baz=2"], "foo,bar;baz=2"),
            (&["foo", "bar; baz=2"], "foo,bar;baz=2"),
            (&[" ,foo ;\ta ; b = \"1\\0\" ,, bar"], "foo;a;b=10,bar"),
            (&["deflate-stream"], "deflate-stream"),
            (
                &["mux; max-channels=4; flow-control, deflate-stream"],
                "mux;max-channels=4;flow-control,deflate-stream",
            ),
        ];
        for (values, expected) in rows {
            assert_eq!(show(values).as_deref(), Ok(expected), "{values:?}");
        }
    }

    #[test]
    fn input_outside_the_grammar_is_refused() {
        let values = [
            ";",
            "=",
            "a;",
            "a;;b",
            "a b",
            "a; b=",
            "a; b=\"",
            "a; b=\"\"",
            "a; b=\"x y\"",
            "a; b=\"x\"y",
            "a; b=x y",
            "a; b c",
            "\"a\"",
            "a; \"b\"",
            "a; b=\"\\",
            "a; =b",
            "a;,b",
            "a; b==c",
            "\u{e9}",
            "a; b=\"\\\"\"",
            "a\\",
        ];
        for value in values {
            assert_eq!(show(&[value]), Err(MalformedExtensions), "{value}");
        }
    }
}
