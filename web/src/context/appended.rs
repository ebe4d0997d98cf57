//! What is written straight into the memory of a body: all of it, or nothing.

use std::fmt::{self, Write as _};

use serde::Serialize;

use crate::error::Result;

/// Appends `value`; nothing if that fails.
pub(super) fn append_json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result {
    let mut text = Appended { start: out.len(), out, is_kept: false };
    serde_json::to_writer(&mut *text.out, value)?;
    if memchr::memchr(b'<', &text.out[text.start..]).is_some() {
        escape_slashes(text.out, text.start);
    }
    text.is_kept = true;
    Ok(())
}

/// Appends `text`; nothing if that fails.
pub(super) fn append_text(out: &mut Vec<u8>, text: fmt::Arguments<'_>) -> Result {
    let mut written = Appended { start: out.len(), out, is_kept: false };
    written.write_fmt(text)?;
    written.is_kept = true;
    Ok(())
}

/// What stands behind `start`, taken back when this is dropped: also by a panic.
struct Appended<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    is_kept: bool,
}

impl fmt::Write for Appended<'_> {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.out.extend_from_slice(text.as_bytes());
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
fn escape_slashes(json: &mut Vec<u8>, start: usize) {
    if memchr::memmem::find(&json[start..], b"</").is_none() {
        return;
    }
    let plain = json.split_off(start);
    json.reserve(plain.len() + 16);
    for byte in plain {
        if byte == b'/' && json[start..].last() == Some(&b'<') {
            json.push(b'\\');
        }
        json.push(byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_form_in_json_leaves_nothing_behind() {
        let mut out = b"before".to_vec();
        let half = ([1, 2], std::collections::HashMap::from([((1, 2), 3)]));
        assert!(append_json(&mut out, &half).is_err());
        assert_eq!(out, b"before");
    }

    #[test]
    fn what_cannot_be_formatted_leaves_nothing_behind() {
        struct Broken;
        impl std::fmt::Display for Broken {
            fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                Err(std::fmt::Error)
            }
        }
        let mut out = b"before".to_vec();
        assert!(append_text(&mut out, format_args!("half {Broken}")).is_err());
        assert_eq!(out, b"before");
        append_text(&mut out, format_args!(", {}", 1)).unwrap();
        assert_eq!(out, b"before, 1");
    }

    #[test]
    fn no_script_is_ended_but_what_stood_before_stays() {
        let mut out = b"</".to_vec();
        append_json(&mut out, &["</a", "<b>", "/"]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), r#"</["<\/a","<b>","/"]"#);
        let mut out = b"<".to_vec();
        append_json(&mut out, &["</"]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), r#"<["<\/"]"#);
    }
}
