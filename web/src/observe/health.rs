//! Health checks for load balancers and container managers: whether a worker is alive, and whether
//! the server is ready for requests.
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
use crate::scoreboard::page_of_thread::{ServerState, server_state};

/// Returns a handler that responds to `GET` and `HEAD` with 200 and `live`.
///
/// A worker whose event loop is stuck does not respond at all. The handler checks nothing else: a
/// database that is down is no reason to restart the server.
///
/// The [module](self) has an example.
pub fn livez() -> Functions {
    get(async |cx: &mut Context| respond(cx, StatusCode::OK, "live"))
}

/// Returns a handler that responds to `GET` and `HEAD` with 200, or with 503 while clients should
/// go elsewhere:
///
/// - This worker or the whole server is shutting down. Clients on kept-alive connections can still
///   see this before their connection is closed.
/// - Fewer workers are ready than there should be. The server is starting, or workers have died and
///   their replacements are not ready. A reload does not count, because the old workers stay until
///   the new ones are ready.
///
/// A load balancer that checks only now and then sees the shutdown in time if the server
/// [waits](crate::HTTPServer::drain_delay) for it.
///
/// The body is one line of text with the reason. The access log shows a 503 at the level of a
/// success.
///
/// The [module](self) has an example.
pub fn readyz() -> Functions {
    get(async |cx: &mut Context| {
        let (status, text) = judge(server_state());
        respond(cx, status, &text)
    })
}

fn respond(cx: &mut Context, status: StatusCode, text: &str) -> Result {
    cx.mark_as_probe();
    cx.set_status(status);
    cx.set_header(header::CONTENT_TYPE, "text/plain; charset=utf-8")?;
    cx.set_header(header::CACHE_CONTROL, "no-store")?;
    cx.write(format!("{text}\n"))
}

fn judge(server: ServerState) -> (StatusCode, String) {
    let ServerState { own, ready, wanted, is_stopping } = server;
    if is_stopping || matches!(own, Some(State::Draining | State::Stopping)) {
        return (StatusCode::SERVICE_UNAVAILABLE, "not ready: shutting down".to_owned());
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

    const READY: ServerState =
        ServerState { own: Some(State::Ready), ready: 2, wanted: 2, is_stopping: false };

    #[test]
    fn a_server_is_ready_when_all_its_workers_are() {
        assert_eq!(judge(READY), (StatusCode::OK, "ready: 2 of 2 workers".to_owned()));
        // One of them is being replaced.
        assert_eq!(judge(ServerState { ready: 3, ..READY }).0, StatusCode::OK);
        let (status, text) = judge(ServerState { ready: 1, ..READY });
        assert_eq!((status.as_u16(), text.as_str()), (503, "not ready: 1 of 2 workers"));
    }

    #[test]
    fn a_worker_that_shuts_down_is_not_ready() {
        for own in [State::Draining, State::Stopping] {
            let (status, text) = judge(ServerState { own: Some(own), ..READY });
            assert_eq!((status.as_u16(), text.as_str()), (503, "not ready: shutting down"));
        }
        assert_eq!(judge(ServerState { is_stopping: true, ..READY }).0.as_u16(), 503);
    }

    #[test]
    fn a_process_without_workers_is_not_ready() {
        let empty = ServerState { own: None, ready: 0, wanted: 0, is_stopping: false };
        assert_eq!(judge(empty).0.as_u16(), 503);
    }
}
