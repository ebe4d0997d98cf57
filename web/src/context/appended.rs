//! What is written straight into the memory of a body: all of it, or nothing.

use std::fmt::{self, Write as _};

use serde::Serialize;

use crate::error::Result;
use crate::http1::send_buffer::SendBuffer;

/// Appends `value`; nothing if that fails.
pub(super) fn append_json<T: Serialize + ?Sized>(out: &mut SendBuffer, value: &T) -> Result {
    let mut text = Appended { start: out.len(), out, is_kept: false };
    serde_json::to_writer(&mut *text.out, value)?;
    if memchr::memchr(b'<', &text.out.as_slice()[text.start..]).is_some() {
        escape_slashes(text.out, text.start);
    }
    text.is_kept = true;
    Ok(())
}

/// Appends `text`; nothing if that fails.
pub(super) fn append_text(out: &mut SendBuffer, text: fmt::Arguments<'_>) -> Result {
    let mut written = Appended { start: out.len(), out, is_kept: false };
    written.write_fmt(text)?;
    written.is_kept = true;
    Ok(())
}

/// What stands behind `start`, taken back when this is dropped: also by a panic.
struct Appended<'a> {
    out: &'a mut SendBuffer,
    start: usize,
    is_kept: bool,
}

impl fmt::Write for Appended<'_> {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.out.extend_short(text.as_bytes());
        Ok(())
    }
}

impl Drop for Appended<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            self.out.truncate(self.start);
        }
    }
}

/// Writes `</` as `<\/` from `start` on.
#[inline(never)]
fn escape_slashes(json: &mut SendBuffer, start: usize) {
    if memchr::memmem::find(&json.as_slice()[start..], b"</").is_none() {
        return;
    }
    let plain = json.as_slice()[start..].to_vec();
    json.truncate(start);
    for byte in plain {
        if byte == b'/' && json.as_slice()[start..].last() == Some(&b'<') {
            json.extend(b"\\");
        }
        json.extend(&[byte]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beginning(bytes: &[u8]) -> SendBuffer {
        let mut buffer = SendBuffer::default();
        buffer.extend(bytes);
        buffer
    }

    #[test]
    fn what_has_no_form_in_json_leaves_nothing_behind() {
        let mut out = beginning(b"before");
        let half = ([1, 2], std::collections::HashMap::from([((1, 2), 3)]));
        assert!(append_json(&mut out, &half).is_err());
        assert_eq!(out.as_slice(), b"before");
    }

    #[test]
    fn what_cannot_be_formatted_leaves_nothing_behind() {
        struct Broken;
        impl fmt::Display for Broken {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                Err(fmt::Error)
            }
        }
        let mut out = beginning(b"before");
        assert!(append_text(&mut out, format_args!("half {Broken}")).is_err());
        assert_eq!(out.as_slice(), b"before");
        append_text(&mut out, format_args!(", {}", 1)).unwrap();
        assert_eq!(out.as_slice(), b"before, 1");
    }

    #[test]
    fn no_script_is_ended_but_what_stood_before_stays() {
        let mut out = beginning(b"</");
        append_json(&mut out, &["</a", "<b>", "/"]).unwrap();
        assert_eq!(str::from_utf8(out.as_slice()).unwrap(), r#"</["<\/a","<b>","/"]"#);
        let mut out = beginning(b"<");
        append_json(&mut out, &["</"]).unwrap();
        assert_eq!(str::from_utf8(out.as_slice()).unwrap(), r#"<["<\/"]"#);
    }
}
