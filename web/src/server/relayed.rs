use std::rc::Rc;
use std::task::{Poll, ready};

use crate::connection::{Connection, HeadProgress};
use crate::error::HTTPError;
use crate::server::serve::{refuse, refuse_slow};
use crate::server::service::Service;

/// Waits for the header of the PROXY protocol that the connection begins with. `false`: it does
/// not, or has ended, and was answered.
pub(super) fn read_proxy_header(
    service: &Service,
    connection: &Rc<Connection>,
) -> impl Future<Output = bool> {
    std::future::poll_fn(|task| {
        loop {
            match begin(connection) {
                Ok(false) => {}
                Ok(true) => return Poll::Ready(true),
                Err(error) => {
                    refuse(service, connection, error);
                    return Poll::Ready(false);
                }
            }
            match ready!(connection.poll_head(task, connection.backlog().received)) {
                HeadProgress::Received => {}
                HeadProgress::Ended => return Poll::Ready(false),
                HeadProgress::TooSlow => {
                    refuse_slow(service, connection);
                    return Poll::Ready(false);
                }
            }
        }
    })
}

/// Reads the header, if it is complete.
fn begin(connection: &Connection) -> Result<bool, HTTPError> {
    if !connection.backlog().received {
        return Ok(false);
    }
    let trusted = connection.worker.settings.trusted_downstream.as_ref();
    if trusted.is_some_and(|trusted| !trusted.trusts(connection.stream.peer())) {
        let reason = "the connection is not from a proxy that is trusted";
        return Err(HTTPError::FORBIDDEN.with_log_message(reason));
    }
    let bad_request = |reason: String| HTTPError::BAD_REQUEST.with_log_message(reason);
    connection.read_proxy_header().map_err(|error| bad_request(error.to_string()))
}
