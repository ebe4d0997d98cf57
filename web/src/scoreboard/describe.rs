//! What a worker was serving, in words: for the log of its supervisor.

use std::fmt::Write;
use std::time::Duration;

use squall_runtime::process::SlotPage;

use super::Page;

/// What stands after "while serving" when a worker has died or stands still. `None`: nothing.
///
/// It runs in the supervisor, on a page that a worker may have left in any state.
pub(crate) fn describe(slot: &SlotPage) -> Option<String> {
    Page::new(slot.extension())?.describe(SlotPage::now())
}

impl Page {
    fn describe(self, now_ms: u64) -> Option<String> {
        let in_flight = self.in_flight();
        let Some(served) = self.serving() else {
            return match in_flight {
                0 => None,
                1 => Some("1 request, whose handler waited".to_owned()),
                more => Some(format!("{more} requests, whose handlers waited")),
            };
        };
        let name = self.route_name(served.row()).unwrap_or_else(|| "a request".to_owned());
        let mut text = match name.split_once(' ') {
            Some((method, "")) => format!("{method} of what no route matches"),
            _ => name,
        };
        let took = Duration::from_millis(now_ms.saturating_sub(served.since_ms()));
        let _ = write!(text, " for {:.1} s", took.as_secs_f64());
        match in_flight.saturating_sub(1) {
            0 => {}
            1 => text.push_str(" (1 other request in flight)"),
            others => drop(write!(text, " ({others} other requests in flight)")),
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::served::Served;
    use super::super::tests::page;

    #[test]
    fn what_runs_is_named_with_its_time_and_its_company() {
        let page = page();
        assert_eq!(page.describe(5_000), None);
        let row = page.route("GET", "/users/{id}");
        page.begin();
        page.run(Served::new(row, 3_800_000_000));
        assert_eq!(page.describe(5_000).unwrap(), "GET /users/{id} for 1.2 s");
        page.begin();
        let text = "GET /users/{id} for 1.2 s (1 other request in flight)";
        assert_eq!(page.describe(5_000).unwrap(), text);
        page.begin();
        let text = "GET /users/{id} for 1.2 s (2 other requests in flight)";
        assert_eq!(page.describe(5_000).unwrap(), text);
        page.pause();
        assert_eq!(page.describe(5_000).unwrap(), "3 requests, whose handlers waited");
    }

    #[test]
    fn what_has_no_route_or_no_name_is_told_without() {
        let page = page();
        page.begin();
        page.run(Served::new(page.route("POST", ""), 3_800_000_000));
        assert_eq!(page.describe(5_000).unwrap(), "POST of what no route matches for 1.2 s");
        page.run(Served::new(u16::MAX, 5_000_000_000));
        assert_eq!(page.describe(5_000).unwrap(), "a request for 0.0 s");
    }
}
