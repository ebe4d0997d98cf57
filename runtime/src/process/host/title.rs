//! What `ps` and `top` call a process: `shop: supervisor`, `shop: worker 3`.
//!
//! Linux reads the command line from an area of the process's own memory. Most programs change it
//! by writing over the strings that `main` was given, and over the environment behind them if a
//! title is longer. Then `std::env::args` returns the title, and pointers into the environment read
//! something else. Squall moves the area itself to memory that is used for nothing else
//! (`PR_SET_MM_MAP`, which needs no privilege), so that arguments and environment stay intact. If
//! that is not possible, and on other systems, only the short name changes, or nothing.

#[cfg_attr(not(all(target_os = "linux", target_pointer_width = "64")), path = "title/unchanged.rs")]
mod area;

use std::borrow::Cow;
use std::sync::atomic::{AtomicU8, Ordering};

/// Room for a title: longer ones are cut. It is allocated once, and kept.
const AREA: usize = 256;

/// What the system keeps of the name of a thread, without the NUL at the end.
const SHORT: usize = 15;

/// The title of this process and of those forked from it.
#[derive(Debug)]
pub(crate) struct Title {
    /// The part before the colon.
    name: String,
    /// The area from which the kernel reads the title, if it could be moved.
    area: Option<&'static [AtomicU8]>,
}

impl Title {
    /// Prepares titles that begin with `name`. To be called before the process forks, while it
    /// has one thread; nothing changes before the first [`set`](Self::set).
    pub(crate) fn new(name: &str) -> Self {
        let name = name.replace(|character: char| character.is_control(), "?");
        Self { name, area: None }
    }

    /// Calls this process `name: role`.
    pub(crate) fn set(&mut self, role: &str) {
        if self.area.is_none() {
            self.area = area::claim(AREA);
        }
        if let Some(area) = self.area {
            write(area, format!("{}: {role}", self.name).as_bytes());
        }
        area::set_short(&short(&self.name, role));
    }
}

/// Writes the title as the system expects it where the area is longer: a byte at the very end
/// that is not NUL says that the title ends at the first NUL.
fn write(area: &[AtomicU8], title: &[u8]) {
    let Some((last, text)) = area.split_last() else { return };
    let length = title.len().min(text.len().saturating_sub(1));
    let bytes = title[..length].iter().copied().chain(std::iter::repeat(0));
    for (place, byte) in text.iter().zip(bytes) {
        place.store(byte, Ordering::Relaxed);
    }
    last.store(b' ', Ordering::Relaxed);
}

/// Shortens the title to 15 bytes. The end of the name is cut, because the role is more useful.
fn short(name: &str, role: &str) -> String {
    let whole = format!("{name}: {role}");
    if whole.len() <= SHORT {
        return whole;
    }
    let role: Cow<'_, str> = match role.len() < SHORT {
        true => role.into(),
        false => cut(role, SHORT - 1).into(),
    };
    format!("{}:{role}", cut(name, SHORT - 1 - role.len()))
}

/// The beginning of `text`, of no more than `length` bytes.
fn cut(text: &str, length: usize) -> &str {
    &text[..text.floor_char_boundary(length)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(area: &[AtomicU8]) -> Vec<u8> {
        area.iter().map(|byte| byte.load(Ordering::Relaxed)).collect()
    }

    #[test]
    fn a_title_ends_at_the_first_nul_and_the_area_does_not() {
        let area: Vec<_> = (0..8).map(|_| AtomicU8::new(b'x')).collect();
        write(&area, b"abc");
        assert_eq!(text(&area), b"abc\0\0\0\0 ");
        write(&area, b"a");
        assert_eq!(text(&area), b"a\0\0\0\0\0\0 ");
        write(&area, b"abcdefghi");
        assert_eq!(text(&area), b"abcdef\0 ");
    }

    #[test]
    fn a_short_name_keeps_the_role() {
        assert_eq!(short("shop", "worker 3"), "shop: worker 3");
        assert_eq!(short("squall", "worker 3"), "squall:worker 3");
        assert_eq!(short("squall", "worker 123"), "squa:worker 123");
        assert_eq!(short("squall", "supervisor"), "squa:supervisor");
        assert_eq!(short("åäö", "supervisor"), "åä:supervisor");
        assert_eq!(short("squall", "a role that is long"), ":a role that is");
    }
}
