//! Whether a worker lives, and whether the server is ready for requests: for load balancers and
//! container managers, on routes of your choice.
//!
//! ```
//! use squall::testing::TestClient;
//! use squall::{Application, health, route};
//!
//! let client = TestClient::new(Application::new([
//!     route("/livez", health::livez()),
//!     route("/readyz", health::readyz()),
//! ]));
//! assert_eq!(client.get("/livez").send().text(), "live\n");
//! assert_eq!(client.get("/readyz").send().text(), "ready: 1 of 1 workers\n");
//! assert_eq!(client.head("/readyz").send().status(), 200);
//! ```

use squall_runtime::process::State;

use crate::context::Context;
use crate::error::Result;
use crate::handler::functions::{Functions, get};
use crate::http::{StatusCode, header};
use crate::scoreboard::own::{Standing, standing};

/// Answers `GET` and `HEAD` with 200 and `live`, as long as the worker's loop turns; one that
/// hangs does not answer at all.
///
/// It asks nothing of anybody: a database that is gone is no reason to restart the server.
///
/// See the [module](self) for an example.
pub fn livez() -> Functions {
    get(async |cx: &mut Context| answer(cx, StatusCode::OK, "live"))
}

/// Answers `GET` and `HEAD` with 200, and with 503 while requests should go elsewhere:
///
/// - this worker, or the whole server, is ending: those who ask over a kept connection hear of it
///   before it is closed;
/// - fewer workers are ready than there should be: the server is starting, or some have died and
///   their replacements have not come up yet. A reload does not count, for the old workers stay
///   until the new ones are ready.
///
/// A load balancer that asks only now and then hears of the end in time if the server
/// [waits](crate::HTTPServer::drain_delay) for it.
///
/// The body says which, in a line of text. The access log has it at the level of a success.
///
/// See the [module](self) for an example.
pub fn readyz() -> Functions {
    get(async |cx: &mut Context| {
        let (status, text) = judge(standing());
        answer(cx, status, &text)
    })
}

fn answer(cx: &mut Context, status: StatusCode, text: &str) -> Result {
    cx.mark_as_probe();
    cx.set_status(status);
    cx.set_header(header::CONTENT_TYPE, "text/plain; charset=utf-8")?;
    cx.set_header(header::CACHE_CONTROL, "no-store")?;
    cx.write(format!("{text}\n"))
}

fn judge(standing: Standing) -> (StatusCode, String) {
    let Standing { own, ready, wanted, is_stopping } = standing;
    if is_stopping || matches!(own, Some(State::Draining | State::Stopping)) {
        return (StatusCode::SERVICE_UNAVAILABLE, "not ready: ending".to_owned());
    }
    let workers = format!("{ready} of {wanted} workers");
    match ready < wanted.max(1) {
        true => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {workers}")),
        false => (StatusCode::OK, format!("ready: {workers}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: Standing =
        Standing { own: Some(State::Ready), ready: 2, wanted: 2, is_stopping: false };

    #[test]
    fn a_server_is_ready_when_all_its_workers_are() {
        assert_eq!(judge(READY), (StatusCode::OK, "ready: 2 of 2 workers".to_owned()));
        // One that leaves, and its replacement.
        assert_eq!(judge(Standing { ready: 3, ..READY }).0, StatusCode::OK);
        let (status, text) = judge(Standing { ready: 1, ..READY });
        assert_eq!((status.as_u16(), text.as_str()), (503, "not ready: 1 of 2 workers"));
    }

    #[test]
    fn who_is_ending_is_not_ready() {
        for own in [State::Draining, State::Stopping] {
            let (status, text) = judge(Standing { own: Some(own), ..READY });
            assert_eq!((status.as_u16(), text.as_str()), (503, "not ready: ending"));
        }
        assert_eq!(judge(Standing { is_stopping: true, ..READY }).0.as_u16(), 503);
    }

    #[test]
    fn nobody_is_not_ready() {
        let nobody = Standing { own: None, ready: 0, wanted: 0, is_stopping: false };
        assert_eq!(judge(nobody).0.as_u16(), 503);
    }
}
