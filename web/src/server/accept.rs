use std::io;
use std::rc::Rc;
use std::time::Duration;

use squall_runtime::{Listener, log, sleep};

use crate::connection::stream::Stream;
use crate::server::{HTTPServer, Service};

/// How long to wait when the process has run out of descriptors or memory: trying again at
/// once would only spin.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections until the server is stopped; each is served by a task of its own.
///
/// It holds a handle of the server, so that one whose handles are all dropped goes on.
pub(super) async fn accept(_handle: HTTPServer, service: Rc<Service>, listener: Listener) {
    loop {
        match next(&listener).await {
            Ok(stream) => service.open(stream),
            Err(error) => {
                log::error(log::GENERAL, format_args!("cannot accept a connection: {error}"));
                sleep(PAUSE).await;
            }
        }
    }
}

async fn next(listener: &Listener) -> io::Result<Stream> {
    match listener {
        Listener::Tcp(listener) => Ok(Stream::Tcp(listener.accept().await?.0)),
        Listener::Unix(listener) => Ok(Stream::Unix(listener.accept().await?.0)),
    }
}
