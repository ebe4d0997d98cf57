//! The server that the connections are made to, and how they are made.

use std::time::Duration;

use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use squall::{Application, Context, HTTPServer, IOLoop, Result, StatusCode};
use squall::{get, post, put, regex, route, sleep, timeout};
use squall_runtime::{DuplexStream, yield_now};

/// By then a server has ended every connection. Of virtual time, of which there is enough.
const LONG: Duration = Duration::from_secs(3600);

pub const SMALL_BODY: u64 = 16;

/// What a client does in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It says that no more will come, and reads on.
    Finish,
    /// It waits for the server to lose patience.
    Wait,
    /// It resets the connection.
    Reset,
}

/// A server with a handler for each way to treat a body.
pub fn server() -> HTTPServer {
    // Requests that are refused would be lines on standard error.
    let _ = tracing::subscriber::set_global_default(Silence);
    let app = Application::new([
        route("/", get(async || "hello")),
        route("/echo", post(echo).put(echo)),
        route("/small", post(echo)).max_body_size(SMALL_BODY),
        route("/stream", post(stream)).stream_request_body(),
        route("/inflated", post(echo)).decompress_request(true).max_body_size(4096),
        route("/unread", put(async || "unread").post(async || "unread")).stream_request_body(),
        route("/empty", get(empty).post(empty)),
        route("/sleep", get(rest).post(rest)).half_close(true),
        route("/say", get(say)),
        route("/path/{name}/more", get(name)),
        regex("/number/([0-9]+)", get(number)),
    ]);
    HTTPServer::new(app).max_header_size(2048).max_header_count(40).max_target_size(512)
}

async fn echo(cx: &mut Context) -> Result {
    let body = cx.body().await?;
    cx.write(body)
}

async fn stream(cx: &mut Context) -> Result {
    let mut body = cx.body();
    while let Some(piece) = body.next().await {
        cx.write(piece?)?;
        cx.flush().await?;
    }
    Ok(())
}

async fn empty(cx: &mut Context) -> Result {
    cx.set_status(StatusCode::NO_CONTENT);
    Ok(())
}

async fn rest(cx: &mut Context) -> Result {
    sleep(Duration::from_secs(1)).await;
    cx.write("rested")
}

async fn say(cx: &mut Context) -> Result {
    let word = cx.argument("word")?;
    cx.set_header("X-Host", cx.host().as_str())?;
    if cx.set_header("X-Word", word.as_str()).is_err() {
        cx.set_status(StatusCode::BAD_REQUEST);
    }
    cx.write(word)?;
    let count = cx.headers().len();
    cx.write(count.to_string())
}

async fn name(cx: &mut Context) -> Result {
    let name: String = cx.path_argument("name")?;
    cx.write(name)
}

async fn number(cx: &mut Context) -> Result {
    let number: u64 = cx.path_argument_at(0)?;
    cx.write(number.to_string())
}

/// What a server sent, and how it ended the connection.
#[derive(Debug, Default)]
pub struct Received {
    pub bytes: Vec<u8>,
    /// By a reset, which takes with it what was under way.
    pub reset: bool,
}

/// Sends `pieces` one after the other, and returns what comes until the server closes.
///
/// # Panics
///
/// If it does not.
pub fn exchange(server: &HTTPServer, pieces: &[&[u8]], end: End) -> Received {
    let stream = squall::fuzzing::connect(server, 64 * 1024);
    let mut received = Received::default();
    let talk = timeout(LONG, talk(stream, pieces, end, &mut received));
    let ended = IOLoop::current().run_sync(talk).expect("the loop runs");
    ended.expect("the server ends the connection");
    received
}

async fn talk(stream: DuplexStream, pieces: &[&[u8]], end: End, received: &mut Received) {
    let send = async {
        for piece in pieces {
            // A server that has refused a request need not take the rest.
            let _ = (&stream).write_all(piece).await;
            // The server has a turn of the loop for each.
            yield_now().await;
        }
        if end == End::Finish {
            let _ = (&stream).close().await;
        }
    };
    if end == End::Reset {
        send.await;
        stream.reset();
        return;
    }
    let receive = async {
        received.reset = (&stream).read_to_end(&mut received.bytes).await.is_err();
    };
    future::zip(send, receive).await;
}

/// Takes all that is logged, and drops it.
struct Silence;

impl tracing::Subscriber for Silence {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        false
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {}

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}
