//! Reading the PROXY protocol header at the beginning of a connection.

use std::future::poll_fn;
use std::rc::Rc;

use crate::connection::Connection;
use crate::connection::receive::HeadProgress;
use crate::error::HTTPError;
use crate::server::service::Service;

/// Waits for the PROXY protocol header. Returns `false` if there is none. The client has then been
/// answered, or has disconnected.
pub(super) async fn read_proxy_header(service: &Service, connection: &Rc<Connection>) -> bool {
    loop {
        match read_if_complete(connection) {
            Ok(true) => return true,
            Ok(false) => {}
            Err(error) => {
                service.refuse(connection, error);
                return false;
            }
        }
        let begun = connection.backlog().received;
        match poll_fn(|task| connection.poll_head(task, begun)).await {
            HeadProgress::Received => {}
            HeadProgress::Ended => return false,
            HeadProgress::TooSlow => {
                service.refuse_slow(connection);
                return false;
            }
        }
    }
}

/// Reads the header. Returns `false` if it is not complete.
fn read_if_complete(connection: &Connection) -> Result<bool, HTTPError> {
    if !connection.backlog().received {
        return Ok(false);
    }
    let trusted = connection.server.settings.trusted_downstream.as_ref();
    if trusted.is_some_and(|trusted| !trusted.trusts(connection.stream.peer())) {
        let reason = "the connection does not come from a trusted proxy";
        return Err(HTTPError::FORBIDDEN.with_log_message(reason));
    }
    let bad_request = |reason: String| HTTPError::BAD_REQUEST.with_log_message(reason);
    connection.read_proxy_header().map_err(|error| bad_request(error.to_string()))
}
