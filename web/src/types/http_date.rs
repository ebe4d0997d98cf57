//! [`HttpDate`]: a date in a header.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use super::http::HeaderValue;

/// A date as the value of a header, such as `Last-Modified` or `Expires` (RFC 9110 §5.6.7).
///
/// It has whole seconds. A time before 1970 or after 9999 becomes the nearest date that can be
/// written.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use squall::testing::TestClient;
/// use squall::{Application, Context, HttpDate, Result, get, route};
///
/// async fn page(cx: &mut Context) -> Result {
///     let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
///     cx.set_header("Last-Modified", HttpDate::from(changed))?;
///     cx.write("old")
/// }
///
/// let response = TestClient::new(Application::new([route("/", get(page))])).get("/").send();
/// let header = response.header("last-modified").unwrap();
/// assert_eq!(header, "Sun, 06 Nov 1994 08:49:37 GMT");
/// assert_eq!(header.parse::<HttpDate>().unwrap().to_string(), header);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpDate(SystemTime);

/// The last second that a date can name, in seconds since 1970.
const LAST: u64 = 253_402_300_799;

impl HttpDate {
    /// Returns the time.
    #[must_use]
    pub fn time(self) -> SystemTime {
        self.0
    }
}

impl From<SystemTime> for HttpDate {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let seconds = std::time::Duration::from_secs(since.as_secs().min(LAST));
        Self(SystemTime::UNIX_EPOCH + seconds)
    }
}

impl fmt::Display for HttpDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&httpdate::HttpDate::from(self.0), f)
    }
}

impl From<HttpDate> for HeaderValue {
    fn from(date: HttpDate) -> Self {
        // The text of a date is a valid value.
        Self::try_from(date.to_string()).unwrap_or_else(|_| Self::from_static(""))
    }
}

/// Reads the three forms of a date that clients and servers send (RFC 9110 §5.6.7).
impl FromStr for HttpDate {
    type Err = InvalidDate;

    fn from_str(text: &str) -> Result<Self, InvalidDate> {
        httpdate::parse_http_date(text).map(Self::from).map_err(|_| InvalidDate)
    }
}

/// The text is not a date of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidDate;

impl fmt::Display for InvalidDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a date of HTTP")
    }
}

impl std::error::Error for InvalidDate {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_that_cannot_be_written_become_the_nearest_date() {
        let text = |time: SystemTime| HttpDate::from(time).to_string();
        let epoch = SystemTime::UNIX_EPOCH;
        assert_eq!(text(epoch - Duration::from_secs(1)), "Thu, 01 Jan 1970 00:00:00 GMT");
        let last = "Fri, 31 Dec 9999 23:59:59 GMT";
        assert_eq!(text(epoch + Duration::from_secs(LAST)), last);
        assert_eq!(text(epoch + Duration::from_secs(LAST + 1)), last);
        assert_eq!("yesterday".parse::<HttpDate>(), Err(InvalidDate));
        let old = "Sunday, 06-Nov-94 08:49:37 GMT".parse::<HttpDate>().unwrap();
        assert_eq!(old.to_string(), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
