//! The row of the route table that serves WebSockets.

use std::marker::PhantomData;
use std::rc::Rc;

use squall_runtime::IOLoop;

use crate::context::Context;
use crate::error::Result;
use crate::handler::endpoint::Endpoint;
use crate::handler::path_arguments::PathArgs;
use crate::http::Method;
use crate::types::local_future::LocalBoxFuture;
use crate::websocket::message::Message;
use crate::websocket::session::WebSocket;

use super::{WebSocketHandler, opening, serving};

/// What [`websocket`](crate::websocket()) takes: a [`WebSocketHandler`], or a
/// [function](WebSocketFunction).
///
/// `Kind` is inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot serve WebSockets",
    label = "neither a `WebSocketHandler` nor an `async fn(WebSocket) -> Result`",
    note = "for a struct, implement `WebSocketHandler`",
    note = "a function takes the `WebSocket` by value, and then at most two path arguments"
)]
pub trait IntoWebSocketEndpoint<Kind> {
    /// Erases the type.
    fn into_websocket_endpoint(self) -> Box<dyn Endpoint>;
}

/// The kinds of endpoint, told apart so that each may have a blanket implementation.
pub mod kind {
    use std::marker::PhantomData;

    /// A [`WebSocketHandler`](super::WebSocketHandler).
    #[derive(Debug)]
    pub struct Handler;

    /// A [`WebSocketFunction`](super::WebSocketFunction) with these path arguments.
    #[derive(Debug)]
    pub struct Function<A, K>(PhantomData<(A, K)>);
}

/// An async function that serves a WebSocket: it takes the [`WebSocket`], and then up to two
/// [path arguments](PathArgs).
///
/// When it returns, the connection is closed with 1000, or with 1011 after an error. When the
/// connection ends while the function waits for something of its own, the function is dropped at
/// its `await`. If it was told of the end, by [`recv`](WebSocket::recv) or
/// [`send`](WebSocket::send), it runs on.
#[diagnostic::on_unimplemented(
    message = "this is not a function that can serve a WebSocket",
    label = "expected `async fn(WebSocket) -> Result`, with at most two path arguments"
)]
pub trait WebSocketFunction<A>: 'static {
    /// Calls the function.
    fn call(&self, ws: WebSocket, args: A) -> impl Future<Output = Result>;
}

impl<F> WebSocketFunction<()> for F
where
    F: AsyncFn(WebSocket) -> Result + 'static,
{
    async fn call(&self, ws: WebSocket, (): ()) -> Result {
        self(ws).await
    }
}

impl<F, A> WebSocketFunction<(A,)> for F
where
    F: AsyncFn(WebSocket, A) -> Result + 'static,
{
    async fn call(&self, ws: WebSocket, (a,): (A,)) -> Result {
        self(ws, a).await
    }
}

impl<F, A, B> WebSocketFunction<(A, B)> for F
where
    F: AsyncFn(WebSocket, A, B) -> Result + 'static,
{
    async fn call(&self, ws: WebSocket, (a, b): (A, B)) -> Result {
        self(ws, a, b).await
    }
}

#[diagnostic::do_not_recommend]
impl<H: WebSocketHandler + 'static> IntoWebSocketEndpoint<kind::Handler> for H {
    fn into_websocket_endpoint(self) -> Box<dyn Endpoint> {
        Box::new(HandlerEndpoint(self))
    }
}

#[diagnostic::do_not_recommend]
impl<F, A, K> IntoWebSocketEndpoint<kind::Function<A, K>> for F
where
    F: WebSocketFunction<A>,
    A: PathArgs<K>,
    K: 'static,
{
    fn into_websocket_endpoint(self) -> Box<dyn Endpoint> {
        Box::new(FunctionEndpoint { function: Rc::new(self), args: PhantomData })
    }
}

/// A handler whose clones serve the connections.
struct HandlerEndpoint<H>(H);

impl<H: WebSocketHandler + 'static> Endpoint for HandlerEndpoint<H> {
    fn allowed(&self, _: &mut Context) -> &[Method] {
        &[Method::GET]
    }

    fn call<'a>(&'a self, cx: &'a mut Context) -> LocalBoxFuture<'a, Result> {
        let handler = self.0.clone();
        Box::pin(opening::open(handler, cx, |handler, opening| {
            Box::new(|handover| {
                IOLoop::current()
                    .spawn_callback(serving::serve_handler(handler, opening, handover));
            })
        }))
    }
}

struct FunctionEndpoint<F, A, K> {
    function: Rc<F>,
    args: PhantomData<(A, K)>,
}

impl<F, A, K> Endpoint for FunctionEndpoint<F, A, K>
where
    F: WebSocketFunction<A>,
    A: PathArgs<K>,
    K: 'static,
{
    fn allowed(&self, _: &mut Context) -> &[Method] {
        &[Method::GET]
    }

    fn path_arguments(&self) -> usize {
        A::COUNT
    }

    fn call<'a>(&'a self, cx: &'a mut Context) -> LocalBoxFuture<'a, Result> {
        let function = Rc::clone(&self.function);
        Box::pin(async move {
            let args = A::from_path(cx)?;
            let opened = opening::open(Plain, cx, |Plain, opening| {
                Box::new(|handover| {
                    let call = move |ws| async move { function.call(ws, args).await };
                    let serving = serving::serve_function(call, opening, handover);
                    IOLoop::current().spawn_callback(serving);
                })
            });
            opened.await
        })
    }
}

/// The handshake of a function.
#[derive(Clone)]
struct Plain;

impl WebSocketHandler for Plain {
    async fn on_message(&mut self, _: &WebSocket, _: Message) -> Result {
        Ok(())
    }
}
