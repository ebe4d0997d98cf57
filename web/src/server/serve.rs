//! The life of a connection: a head is read and answered, again and again.

use std::ops::Deref;
use std::rc::Rc;
use std::task::{Poll, ready};

use squall_runtime::IOLoop;

use crate::connection::request_body::BodyFailure;
use crate::connection::{Backlog, Connection, HeadProgress};
use crate::connection::{close, upgrade};
use crate::context::Context;
use crate::context::finish::Conclusion;
use crate::context::upgrade::{Handover, ServeWebSocket, Upgrade};
use crate::error::HTTPError;
use crate::http1::head::HeadError;
use crate::server::relayed::read_proxy_header;
use crate::server::service::Service;

/// With more than this waiting to be sent, the next request of a pipeline waits as well.
const OUTPUT_HIGH_WATER: u64 = 64 * 1024;

/// Serves the requests of one connection until either side closes it.
pub(super) async fn serve(service: Rc<Service>, connection: Serving) {
    if service.worker.settings.proxy_protocol && !read_proxy_header(&service, &connection).await {
        return close::close(&connection).await;
    }
    while let Some(mut cx) = next_request(&service, &connection).await {
        service.begin(&mut cx);
        if cx.wants_whole_body() {
            match connection.collect_body().await {
                Ok(()) => cx.set_body_read(),
                Err(BodyFailure::Gone) => cx.refuse_disconnected(),
                Err(failure) => cx.refuse_body(failure),
            }
        }
        let answered = service.answer(cx).wait().await;
        match service.conclude(answered) {
            Conclusion::KeepAlive => {}
            Conclusion::Drain if connection.drain_body().await.is_ok() => {}
            Conclusion::Drain | Conclusion::Close => break,
            Conclusion::Abort => return,
            Conclusion::Reset => return connection.stream.reset(),
            Conclusion::Upgrade(Upgrade::Stream(serve)) => {
                return upgrade::hand_over(connection.release(), serve).await;
            }
            Conclusion::WebSocket(serve, cx) => {
                // Boxed, so that the tasks of other connections are smaller.
                return Box::pin(open_websocket(connection.release(), serve, cx)).await;
            }
            // The service makes a `WebSocket` of it.
            Conclusion::Upgrade(Upgrade::WebSocket(_)) => return,
        }
        connection.end_request();
    }
    close::close(&connection).await;
}

/// Sends the 101, then lets `serve` have the stream and the request.
async fn open_websocket(connection: Rc<Connection>, serve: ServeWebSocket, cx: Context) {
    if let Some(stream) = upgrade::switch(connection).await {
        let early = stream.take_early();
        // A task of its own is smaller than the one that has read the requests.
        IOLoop::current().spawn_callback(serve(Handover { stream, early, cx }));
    }
}

/// Ends the connection together with its task, whoever else still holds it.
pub(super) struct Serving(pub(super) Rc<Connection>);

impl Serving {
    /// Leaves the end of the connection to who is given it.
    fn release(self) -> Rc<Connection> {
        self.0.set_handed_over();
        Rc::clone(&self.0)
    }
}

impl Deref for Serving {
    type Target = Rc<Connection>;

    fn deref(&self) -> &Rc<Connection> {
        &self.0
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if Rc::strong_count(&self.0) > 1 {
            self.0.retire();
        }
    }
}

/// Waits for a request: its head has been read, its body not yet. `None`: there will be no
/// more.
fn next_request(
    service: &Service,
    connection: &Rc<Connection>,
) -> impl Future<Output = Option<Context>> {
    std::future::poll_fn(|task| {
        let Backlog { mut received, mut queued } = connection.backlog();
        if queued >= OUTPUT_HIGH_WATER {
            if ready!(connection.poll_output(task)).is_err() {
                return Poll::Ready(None);
            }
            queued = 0;
        }
        loop {
            if received {
                match begin_request(service, connection) {
                    Ok(None) => {}
                    Ok(request) => return Poll::Ready(request),
                    Err(error) => {
                        refuse_malformed(service, connection, error);
                        return Poll::Ready(None);
                    }
                }
            }
            // What was answered leaves before more is waited for.
            if queued > 0 && ready!(connection.poll_output_at_once(task)).is_err() {
                return Poll::Ready(None);
            }
            queued = 0;
            let begun = received && connection.has_begun();
            match ready!(connection.poll_head(task, begun)) {
                HeadProgress::Received => received = true,
                HeadProgress::Ended => return Poll::Ready(None),
                HeadProgress::TooSlow => {
                    refuse_slow(service, connection);
                    return Poll::Ready(None);
                }
            }
        }
    })
}

/// Begins to serve the next request, if its head is complete.
fn begin_request(
    service: &Service,
    connection: &Rc<Connection>,
) -> Result<Option<Context>, HeadError> {
    let mut cx = service.lease(connection);
    match cx.begin(service.application.index()) {
        Ok(true) => Ok(Some(cx)),
        begun => {
            service.release(cx);
            begun.map(|_| None)
        }
    }
}

/// Answers what is no head.
#[cold]
fn refuse_malformed(service: &Service, connection: &Rc<Connection>, error: HeadError) {
    let error = HTTPError::new(error.status()).with_log_message(error.to_string());
    refuse(service, connection, error);
}

/// Answers a client that takes too long for a head.
pub(super) fn refuse_slow(service: &Service, connection: &Rc<Connection>) {
    let reason = "the head was not complete in time";
    refuse(service, connection, HTTPError::REQUEST_TIMEOUT.with_log_message(reason));
}

/// Answers what is no request. The connection ends after it.
pub(super) fn refuse(service: &Service, connection: &Rc<Connection>, error: HTTPError) {
    connection.end_request();
    connection.set_linger();
    service.worker.recorder.page.refused();
    let mut cx = service.lease(connection);
    cx.respond_to_malformed(error, |cx, error| service.application.write_error(cx, error));
    service.release(cx);
}
