//! The client: [`websocket_connect`].
//!
//! | file | content |
//! |---|---|
//! | `options` | [`ConnectOptions`]: headers, subprotocols, time-out |
//! | `target` | where a `ws://` URL leads |
//! | `handshake` | the request of the client, and what it requires of the response |
//! | `reconnect` | [`Reconnect`]: connects again, with growing pauses |
//! | `error` | [`ConnectError`] |

use std::io;
use std::rc::Rc;

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use squall_runtime::{IOLoop, TcpStream, timeout};

mod error;
mod handshake;
mod options;
mod reconnect;
mod target;

pub use error::ConnectError;
pub use options::ConnectOptions;
pub use reconnect::Reconnect;

use super::codec::Role;
use super::session::{Driver, Session, Start, Transport, WebSocket};
use handshake::{Accepted, Handshake};
use target::Target;

/// The longest head of a response, in bytes.
const MAX_HEAD_SIZE: usize = 64 * 1024;

/// How much is read at once while the response is awaited.
const READ_SIZE: usize = 4 * 1024;

/// Connects to a WebSocket server: `ws://host:port/path?query`.
///
/// The URL may have a user name and a password, which the client sends in an `Authorization` header
/// (`Basic`). Redirects are not followed. `wss://` is not supported.
///
/// The connection lives in a task of this thread's loop until it is closed. When the last handle is
/// dropped, it is closed with 1000. If the future is dropped before it is ready, nothing is left of
/// the attempt.
///
/// # Errors
///
/// - [`ConnectError::InvalidUrl`] if the URL is not one of a WebSocket.
/// - [`ConnectError::Io`] if the host is unknown or cannot be reached, or the connection breaks.
/// - [`ConnectError::TimedOut`] after the [`connect_timeout`](ConnectOptions::connect_timeout).
/// - [`ConnectError::Rejected`] if the server answers with another status than 101.
/// - [`ConnectError::InvalidResponse`] if the answer breaks the protocol (RFC 6455 §4.1).
///
/// # Examples
///
/// ```no_run
/// use squall::websocket::{ConnectOptions, websocket_connect};
/// use squall::{IOLoop, Result};
///
/// async fn greet() -> Result {
///     let options = ConnectOptions::new().header("Authorization", "Bearer secret");
///     let mut ws = websocket_connect("ws://localhost:8000/echo", options).await?;
///     ws.send("Hello").await?;
///     if let Some(message) = ws.recv().await? {
///         println!("{}", message.as_text()?);
///     }
///     ws.close(1000, "").await
/// }
///
/// IOLoop::current().run_sync(greet())??;
/// # squall::Result::<()>::Ok(())
/// ```
pub async fn websocket_connect(
    url: &str,
    options: impl Into<ConnectOptions>,
) -> Result<WebSocket, ConnectError> {
    let options = options.into();
    let target = Target::parse(url)?;
    let handshake = Handshake::new(&target, &options);
    let connecting = shake_hands(&target, &handshake);
    let Connected { stream, accepted, early } = match options.connect_timeout {
        Some(limit) => timeout(limit, connecting).await.map_err(|_| ConnectError::TimedOut)??,
        None => connecting.await?,
    };
    let start = Start {
        role: Role::Client,
        options: Rc::new(options.websocket),
        deflate: accepted.deflate,
        page: None,
        early,
        wants_control: false,
    };
    let session = Session::new(Box::new(stream), start, accepted.subprotocol);
    let ws = WebSocket::new(&session);
    IOLoop::current().spawn_callback(Driver::new(&session));
    Ok(ws)
}

/// A connection after the handshake.
struct Connected {
    stream: TcpStream,
    accepted: Accepted,
    /// Bytes that arrived right behind the response.
    early: Vec<u8>,
}

async fn shake_hands(
    target: &Target,
    handshake: &Handshake<'_>,
) -> Result<Connected, ConnectError> {
    let mut stream = TcpStream::connect_host(&target.host, target.port).await?;
    stream.set_nodelay(true)?;
    stream.write_all(&handshake.request()).await?;
    let mut received = Vec::new();
    loop {
        if let Some((length, accepted)) = handshake.read_response(&received)? {
            received.drain(..length);
            return Ok(Connected { stream, accepted, early: received });
        }
        if received.len() >= MAX_HEAD_SIZE {
            return Err(ConnectError::InvalidResponse("its head is larger than 64 KiB"));
        }
        let start = received.len();
        received.resize(start + READ_SIZE, 0);
        let count = stream.read(&mut received[start..]).await?;
        received.truncate(start + count);
        if count == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
    }
}

impl Transport for TcpStream {}

#[cfg(test)]
mod tests;
