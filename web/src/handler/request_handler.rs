//! Handlers as structs: [`RequestHandler`], and the life of a request inside it.

use std::cell::OnceCell;

use crate::context::Context;
use crate::error::panic::guard;
use crate::error::{Error, Result};
use crate::handler::drive::{cancellable, drive};
use crate::handler::endpoint::{Endpoint, IntoEndpoint, Started, kind};
use crate::handler::future_slot::{Answered, RunningHandler, in_slot};
use crate::http::Method;
use crate::types::local_future::LocalBoxFuture;

/// Answers the requests of a route, with one method for each HTTP method.
///
/// The value given to [`route`](crate::route()) is a prototype: each request is served by a clone
/// of it. All requests share a field that is an `Rc<RefCell<_>>`. Any other field starts each
/// request with the prototype's value. A `Vec` or a `HashMap` is copied for each request, so share
/// it. A handler stays on the thread of its loop and need not be `Send`.
///
/// # Methods that a handler leaves out
///
/// They are answered with 405 and an `Allow` header that names the others. `OPTIONS` is answered
/// with 204 and the same header, and `HEAD` like `GET` without the body.
///
/// To find the implemented methods, the framework calls each method once and drops its future
/// without polling it. For an `async fn` this does nothing. If you write a method as a plain `fn`
/// that returns a future, act when the future is polled and not before. A handler that wraps
/// another forwards with a plain `fn`:
/// `fn get(&mut self, cx: &mut Context) -> impl Future<Output = Result> { self.0.get(cx) }`.
///
/// # Cancellation
///
/// If the client disconnects while a method waits, the method is dropped at its `await`. Then
/// [`on_finish`](Self::on_finish) is called. Give work that must go on to
/// [`IOLoop::spawn_callback`](crate::IOLoop::spawn_callback).
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
/// use std::rc::Rc;
/// use squall::testing::TestClient;
/// use squall::{Application, Context, RequestHandler, Result, route};
///
/// #[derive(Clone)]
/// struct Counter {
///     count: Rc<Cell<u64>>,
/// }
///
/// impl RequestHandler for Counter {
///     async fn get(&mut self, cx: &mut Context) -> Result {
///         cx.write(self.count.get().to_string())
///     }
///
///     async fn post(&mut self, cx: &mut Context) -> Result {
///         self.count.set(self.count.get() + 1);
///         cx.redirect("/")
///     }
/// }
///
/// let app = Application::new([route("/", Counter { count: Rc::default() })]);
/// let client = TestClient::new(app);
/// assert_eq!(client.post("/").send().status(), 302);
/// assert_eq!(client.get("/").send().text(), "1");
/// assert_eq!(client.delete("/").send().status(), 405);
/// ```
pub trait RequestHandler: Clone {
    /// Answers `GET`.
    fn get(&mut self, cx: &mut Context) -> impl Future<Output = Result> {
        cx.refuse_method()
    }

    /// Answers `HEAD`. The default calls [`get`](Self::get); the server does not send the body.
    fn head(&mut self, cx: &mut Context) -> impl Future<Output = Result> {
        self.get(cx)
    }

    /// Answers `POST`.
    fn post(&mut self, cx: &mut Context) -> impl Future<Output = Result> {
        cx.refuse_method()
    }

    /// Answers `DELETE`.
    fn delete(&mut self, cx: &mut Context) -> impl Future<Output = Result> {
        cx.refuse_method()
    }

    /// Answers `PATCH`.
    fn patch(&mut self, cx: &mut Context) -> impl Future<Output = Result> {
        cx.refuse_method()
    }

    /// Answers `PUT`.
    fn put(&mut self, cx: &mut Context) -> impl Future<Output = Result> {
        cx.refuse_method()
    }

    /// Answers `OPTIONS`. The default is 204 with the `Allow` header.
    fn options(&mut self, cx: &mut Context) -> impl Future<Output = Result> {
        cx.refuse_method()
    }

    /// The methods that [`other`](Self::other) answers, such as `PROPFIND`. The default is none.
    ///
    /// Methods are case-sensitive. Text that is not a method (RFC 9110 §5.6.2) is left out.
    const SUPPORTED_METHODS: &'static [&'static str] = &[];

    /// Answers the [`SUPPORTED_METHODS`](Self::SUPPORTED_METHODS), which have no function of their
    /// own here.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Method, RequestHandler, Result, route};
    /// #[derive(Clone)]
    /// struct Folder;
    ///
    /// impl RequestHandler for Folder {
    ///     const SUPPORTED_METHODS: &'static [&'static str] = &["PROPFIND", "MKCOL"];
    ///
    ///     async fn other(&mut self, cx: &mut Context) -> Result {
    ///         let method = cx.method().to_string();
    ///         cx.write(method)
    ///     }
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", Folder)]));
    /// let propfind = Method::from_bytes(b"PROPFIND").unwrap();
    /// assert_eq!(client.request(propfind, "/").send().text(), "PROPFIND");
    /// assert_eq!(client.get("/").send().header("allow"), Some("PROPFIND, MKCOL, OPTIONS"));
    /// ```
    fn other(&mut self, cx: &mut Context) -> impl Future<Output = Result> {
        cx.refuse_method()
    }

    /// Runs before the method.
    ///
    /// If it [finishes](Context::finish) the response or fails, the method is not called. `prepare`
    /// is not called for a method that the handler leaves out.
    ///
    /// The body has been read by then, unless the route
    /// [streams](crate::Route::stream_request_body) it.
    ///
    /// # Errors
    ///
    /// An error becomes the response, as in a method: [`write_error`](Self::write_error) writes it.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall::testing::TestClient;
    /// use squall::{Application, Context, HTTPError, RequestHandler, Result, Text, route};
    ///
    /// #[derive(Clone, Default)]
    /// struct Profile {
    ///     user: Text,
    /// }
    ///
    /// impl RequestHandler for Profile {
    ///     async fn prepare(&mut self, cx: &mut Context) -> Result {
    ///         self.user = cx.header("x-user").ok_or(HTTPError::UNAUTHORIZED)?;
    ///         Ok(())
    ///     }
    ///
    ///     async fn get(&mut self, cx: &mut Context) -> Result {
    ///         cx.write(&self.user)
    ///     }
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", Profile::default())]));
    /// assert_eq!(client.get("/").header("X-User", "ada").send().text(), "ada");
    /// assert_eq!(client.get("/").send().status(), 401);
    /// ```
    fn prepare(&mut self, _cx: &mut Context) -> impl Future<Output = Result> {
        async { Ok(()) }
    }

    /// Writes the response to a request that failed with `error`.
    ///
    /// The response is empty when this is called; its status and headers are those of the error.
    /// The default writes a small HTML page that names the status.
    ///
    /// It is not called in two cases. If the head of the response has been
    /// [flushed](Context::flush), only closing the connection can tell the client. If the client
    /// has disconnected, no response can be sent.
    ///
    /// # Errors
    ///
    /// An error here is logged, and the response is a 500 without a body.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall::testing::TestClient;
    /// use squall::{Application, Context, Error, HTTPError, RequestHandler, Result, route};
    ///
    /// #[derive(Clone)]
    /// struct Api;
    ///
    /// impl RequestHandler for Api {
    ///     async fn get(&mut self, _: &mut Context) -> Result {
    ///         Err(HTTPError::NOT_FOUND)?
    ///     }
    ///
    ///     fn write_error(&mut self, cx: &mut Context, error: &Error) -> Result {
    ///         cx.json(&[error.status().as_u16()])
    ///     }
    /// }
    ///
    /// let response = TestClient::new(Application::new([route("/", Api)])).get("/").send();
    /// assert_eq!((response.status().as_u16(), response.text()), (404, "[404]".into()));
    /// ```
    fn write_error(&mut self, cx: &mut Context, error: &Error) -> Result {
        cx.write_error(error)
    }

    /// Runs last, when the response is complete. It is always called, also if the handler failed or
    /// panicked, was cancelled, or did not run because the request was refused.
    ///
    /// [`Context::status`] says how the request ended. It is 499 if the client did not wait for the
    /// response.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::rc::Rc;
    /// use squall::testing::TestClient;
    /// use squall::{Application, Context, RequestHandler, Result, route};
    ///
    /// #[derive(Clone, Default)]
    /// struct Counted {
    ///     failures: Rc<Cell<u32>>,
    /// }
    ///
    /// impl RequestHandler for Counted {
    ///     async fn get(&mut self, cx: &mut Context) -> Result {
    ///         let page: u32 = cx.argument_as("page")?;
    ///         cx.write(page.to_string())
    ///     }
    ///
    ///     fn on_finish(&mut self, cx: &mut Context) {
    ///         if cx.status().is_client_error() {
    ///             self.failures.set(self.failures.get() + 1);
    ///         }
    ///     }
    /// }
    ///
    /// let counted = Counted::default();
    /// let client = TestClient::new(Application::new([route("/", counted.clone())]));
    /// client.get("/?page=1").send();
    /// client.get("/?page=one").send();
    /// assert_eq!(counted.failures.get(), 1);
    /// ```
    fn on_finish(&mut self, _cx: &mut Context) {}
}

/// The life of a request inside a handler.
async fn execute<H: RequestHandler>(mut handler: H, cx: &mut Context) -> Result {
    let connection = cx.connection();
    let answered = cancellable(connection, async {
        handler.prepare(cx).await?;
        let answered = match *cx.method() {
            _ if cx.is_finished() => Ok(()),
            Method::GET => handler.get(cx).await,
            Method::HEAD => handler.head(cx).await,
            Method::POST => handler.post(cx).await,
            Method::DELETE => handler.delete(cx).await,
            Method::PATCH => handler.patch(cx).await,
            Method::PUT => handler.put(cx).await,
            Method::OPTIONS => handler.options(cx).await,
            _ => handler.other(cx).await,
        };
        match answered {
            Ok(()) if cx.has_stream() => cx.send_stream().await,
            answered => answered,
        }
    });
    let answered = answered.await.unwrap_or_else(|cancellation| Err(cx.cancelled(cancellation)));
    if let Err(error) = answered.and_then(|()| cx.complete()) {
        respond_with_error(&mut handler, cx, &error);
    }
    handler.on_finish(cx);
    Ok(())
}

/// The life of a request that the framework refuses: `prepare` and the method do not run.
async fn refuse<H: RequestHandler>(mut handler: H, cx: &mut Context, error: Error) -> Result {
    respond_with_error(&mut handler, cx, &error);
    handler.on_finish(cx);
    Ok(())
}

fn respond_with_error<H: RequestHandler>(handler: &mut H, cx: &mut Context, error: &Error) {
    cx.respond_with_error_by(error, |cx, error| handler.write_error(cx, error));
}

/// Finds the methods that `handler` implements, without running any of them.
///
/// Each method is called once and its future is dropped unpolled, so an `async fn` does nothing.
/// The provided methods are not `async fn`s: they mark the context when they are called.
fn allowed_methods<H: RequestHandler>(handler: &mut H, cx: &mut Context) -> Vec<Method> {
    let mut implements = |call: fn(&mut H, &mut Context)| {
        call(handler, cx);
        !cx.take_method_refused()
    };
    let methods = [
        (Method::GET, implements(|handler, cx| drop(handler.get(cx)))),
        (Method::HEAD, implements(|handler, cx| drop(handler.head(cx)))),
        (Method::POST, implements(|handler, cx| drop(handler.post(cx)))),
        (Method::DELETE, implements(|handler, cx| drop(handler.delete(cx)))),
        (Method::PATCH, implements(|handler, cx| drop(handler.patch(cx)))),
        (Method::PUT, implements(|handler, cx| drop(handler.put(cx)))),
        (Method::OPTIONS, implements(|handler, cx| drop(handler.options(cx)))),
    ];
    let methods =
        methods.into_iter().filter_map(|(method, implements)| implements.then_some(method));
    let others =
        H::SUPPORTED_METHODS.iter().filter_map(|name| Method::from_bytes(name.as_bytes()).ok());
    methods.chain(others).collect()
}

#[diagnostic::do_not_recommend]
impl<H: RequestHandler + 'static> IntoEndpoint<kind::Handler> for H {
    fn into_endpoint(self) -> Box<dyn Endpoint> {
        Box::new(Prototype { handler: self, allowed: OnceCell::new(), start: in_slot(run) })
    }
}

/// Runs `handler`. The future owns the context.
#[expect(clippy::manual_async_fn, reason = "an `async fn` would hold its arguments twice")]
fn run<H: RequestHandler>(handler: H, mut cx: Context) -> impl Future<Output = Answered> {
    async move {
        let (connection, in_flight) = (cx.connection(), cx.in_flight());
        let outcome = drive(connection, in_flight, execute(handler, &mut cx)).await;
        Answered { cx, outcome }
    }
}

/// The endpoint of a handler. Each request gets a clone of `handler`.
///
/// `S` is the function that [`in_slot`] returns for [`run`]. It starts a clone; its type has no
/// name.
struct Prototype<H, S> {
    handler: H,
    /// Determined at the first request.
    allowed: OnceCell<Vec<Method>>,
    start: S,
}

impl<H, S> Endpoint for Prototype<H, S>
where
    H: RequestHandler,
    S: Fn(H, Context) -> RunningHandler,
{
    fn allowed(&self, cx: &mut Context) -> &[Method] {
        self.allowed.get_or_init(|| allowed_methods(&mut self.handler.clone(), cx))
    }

    fn call<'a>(&'a self, cx: &'a mut Context) -> LocalBoxFuture<'a, Result> {
        Box::pin(execute(self.handler.clone(), cx))
    }

    fn refuse<'a>(&'a self, cx: &'a mut Context, error: Error) -> LocalBoxFuture<'a, Result> {
        Box::pin(refuse(self.handler.clone(), cx, error))
    }

    fn start(&self, cx: Context) -> Started {
        Started::Running(match guard(|| self.handler.clone()) {
            Ok(handler) => (self.start)(handler, cx),
            Err(panic) => RunningHandler::panicked(cx, panic),
        })
    }
}
