//! The life of a connection: read a head, get a response, repeat.

use std::future::poll_fn;
use std::ops::Deref;
use std::rc::Rc;

use squall_runtime::IOLoop;

use crate::connection::body::BodyFailure;
use crate::connection::receive::{Backlog, HeadProgress};
use crate::connection::stream::Stream;
use crate::connection::{Connection, close, upgrade};
use crate::context::Context;
use crate::context::exchange::Exchange;
use crate::context::finish::Conclusion;
use crate::context::upgrade::{Handover, ServeWebSocket, Upgrade};
use crate::error::panic::guard;
use crate::handler::endpoint::Started;
use crate::handler::future_slot::{Answered, RunningHandler};
use crate::http1::head::HeadError;
use crate::server::proxy_header::read_proxy_header;
use crate::server::service::Service;

/// While more bytes than this wait to be sent, the next request of a pipeline waits as well.
const OUTPUT_HIGH_WATER: u64 = 64 * 1024;

/// Serves the requests of one connection until either side closes it.
pub(super) async fn serve(service: Rc<Service>, connection: Serving) {
    if service.server.settings.proxy_protocol && !read_proxy_header(&service, &connection).await {
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
            // `conclude` makes a `WebSocket` of it.
            Conclusion::Upgrade(Upgrade::WebSocket(_)) => return,
        }
        connection.end_request();
    }
    close::close(&connection).await;
}

/// Sends the 101, then gives the stream and the request to `serve`.
async fn open_websocket(connection: Rc<Connection>, serve: ServeWebSocket, cx: Context) {
    if let Some(stream) = upgrade::switch(connection).await {
        let early = stream.take_early();
        // A task of its own is smaller than the one that has read the requests.
        serve(Handover { stream, early, cx });
    }
}

/// Ends the connection together with its task, even if a `Body` still holds it.
pub(super) struct Serving(pub(super) Rc<Connection>);

impl Serving {
    /// Hands over the connection without closing it. The caller becomes responsible for that.
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

/// Waits for the next request: its head has been read, its body has not. `None` if the connection
/// is done.
async fn next_request(service: &Service, connection: &Rc<Connection>) -> Option<Context> {
    let Backlog { mut received, queued } = connection.backlog();
    let mut must_send = queued > 0;
    if queued >= OUTPUT_HIGH_WATER {
        poll_fn(|task| connection.poll_output(task)).await.ok()?;
        must_send = false;
    }
    loop {
        if received {
            match begin_request(service, connection) {
                Ok(Some(request)) => return Some(request),
                Ok(None) => {}
                Err(error) => {
                    service.refuse_malformed(connection, &error);
                    return None;
                }
            }
        }
        // Queued responses are sent before the connection waits.
        if must_send {
            poll_fn(|task| connection.poll_output_fast(task)).await.ok()?;
            must_send = false;
        }
        let begun = received && connection.has_begun();
        match poll_fn(|task| connection.poll_head(task, begun)).await {
            HeadProgress::Received => received = true,
            HeadProgress::Ended => return None,
            HeadProgress::TooSlow => {
                service.refuse_slow(connection);
                return None;
            }
        }
    }
}

/// Begins the next request, if its head is complete.
fn begin_request(
    service: &Service,
    connection: &Rc<Connection>,
) -> Result<Option<Context>, HeadError> {
    let mut cx = service.lease(connection);
    match cx.begin(service.application.router()) {
        Ok(true) => Ok(Some(cx)),
        begun => {
            service.release(cx);
            begun.map(|_| None)
        }
    }
}

impl Service {
    /// Serves a connection in a task of its own.
    pub(crate) fn open(self: &Rc<Self>, stream: Stream) {
        let serving = self.connection(stream);
        IOLoop::current().spawn_from(self.started_at, serving).detach();
    }

    /// Returns a future that serves a connection.
    pub(crate) fn connection(self: &Rc<Self>, stream: Stream) -> impl Future<Output = ()> + use<> {
        let connection = Connection::new(&self.server, stream);
        serve(Rc::clone(self), Serving(connection))
    }

    /// Returns a context, with memory from the pool, for a request whose head has not been read.
    pub(super) fn lease(&self, connection: &Rc<Connection>) -> Context {
        Context::new(connection, self.exchanges.take(|| Exchange::new(Rc::clone(&self.policies))))
    }

    /// Returns the memory of a context to the pool.
    pub(super) fn release(&self, cx: Context) {
        self.exchanges.give(cx.into_exchange());
    }
}

/// The steps of a request. Each is recorded on the scoreboard.
impl Service {
    /// Finds the row of the route table, and refuses a request that no row answers.
    fn begin(&self, cx: &mut Context) {
        if !self.application.find_fast(cx)
            && let Err(panic) = guard(|| self.application.find(cx))
        {
            cx.refuse_panic(&*panic);
        }
        let route = cx.row();
        let pattern = || route.map_or("", |row| &self.application.rows()[row].text);
        let in_flight = self.server.recorder.begin(cx.began(), route, cx.method(), pattern);
        cx.set_in_flight(in_flight);
    }

    /// Starts the handler, behind the middleware if there is any.
    fn answer(self: &Rc<Self>, cx: Context) -> RunningHandler {
        // Creating the handler's future may clone the user's handler, and that may block. So this
        // is recorded as running, like each poll of the future (`drive`).
        self.server.recorder.run(cx.in_flight());
        let started =
            if self.is_direct { self.application.start(cx) } else { Started::CallInstead(cx) };
        match started {
            Started::Running(handler) => handler,
            Started::CallInstead(cx) => (self.answer_through)(Rc::clone(self), cx),
        }
    }

    /// Completes and queues the response, and ends the request.
    fn conclude(&self, Answered { mut cx, outcome }: Answered) -> Conclusion {
        // Printing errors and dropping the request's extensions runs code of the user.
        let conclusion = guard(|| cx.conclude(outcome)).unwrap_or(Conclusion::Abort);
        self.server.count_request();
        self.server.recorder.end(cx.in_flight(), cx.began(), cx.ending());
        if let Conclusion::Upgrade(Upgrade::WebSocket(serve)) = conclusion {
            // The conversation keeps the request.
            return Conclusion::WebSocket(serve, cx);
        }
        let _ = guard(|| self.release(cx));
        conclusion
    }
}
