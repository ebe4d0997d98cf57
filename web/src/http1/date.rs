//! The `Date` header.

use std::cell::Cell;
use std::fmt;
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use httpdate::HttpDate;

/// A `Date` header with its line end: `Date: Sun, 06 Nov 1994 08:49:37 GMT`.
pub(crate) type DateLine = [u8; 37];

const BLANK: DateLine = *b"Date:                              \r\n";

/// The range of the date in the line.
const TEXT: std::ops::Range<usize> = 6..35;

/// The last second that the format can express: the year has four digits.
const LAST_SECOND: u64 = 253_402_300_799;

/// The current `Date` header. It is rendered again only when the second has changed.
pub(crate) struct DateCache {
    /// The rendered second since 1970. `u64::MAX` before the first.
    second: Cell<u64>,
    line: Cell<DateLine>,
}

impl DateCache {
    pub(crate) fn new() -> Self {
        Self { second: Cell::new(u64::MAX), line: Cell::new(BLANK) }
    }

    /// Sets the date to `now`, as an IMF-fixdate (RFC 9110 §5.6.7).
    ///
    /// The format has the years 1970 to 9999. A clock outside this range gives the nearest date in
    /// it.
    pub(crate) fn set(&self, now: SystemTime) {
        let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if self.second.replace(second) != second {
            self.line.set(render(second.min(LAST_SECOND)));
        }
    }

    /// Returns the header for the last date that was set.
    #[inline]
    pub(crate) fn line(&self) -> &Cell<DateLine> {
        &self.line
    }
}

fn render(second: u64) -> DateLine {
    let mut line = BLANK;
    let date = HttpDate::from(UNIX_EPOCH + Duration::from_secs(second));
    let written = write!(&mut line[TEXT], "{date}");
    debug_assert!(written.is_ok(), "every date has the same length");
    line
}

impl fmt::Debug for DateCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DateCache").field(&String::from_utf8_lossy(&self.line.get())).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> String {
        let line = line_at(&DateCache::new(), UNIX_EPOCH + Duration::from_secs(second));
        let line = String::from_utf8(line.to_vec()).unwrap();
        line.strip_prefix("Date: ").and_then(|rest| rest.strip_suffix("\r\n")).unwrap().to_owned()
    }

    fn line_at(cache: &DateCache, now: SystemTime) -> DateLine {
        cache.set(now);
        cache.line().get()
    }

    #[test]
    fn a_date_is_an_imf_fixdate() {
        assert_eq!(at(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(at(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(at(LAST_SECOND), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    #[test]
    fn a_clock_out_of_range_gives_the_nearest_date() {
        assert_eq!(at(LAST_SECOND + 1), at(LAST_SECOND));
        let before = UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(line_at(&DateCache::new(), before)[TEXT], *at(0).as_bytes());
    }

    #[test]
    fn the_text_is_right_when_the_clock_moves_either_way() {
        let cache = DateCache::new();
        for second in [10, 11, 11, 12, 9] {
            for millisecond in [0, 999] {
                let now = UNIX_EPOCH + Duration::from_millis(second * 1000 + millisecond);
                assert_eq!(line_at(&cache, now)[TEXT], *at(second).as_bytes());
            }
        }
    }
}
