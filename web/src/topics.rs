//! Topics: one publish reaches every subscriber, without a broker.
//!
//! [`publish`] sends a message to a topic. Its subscribers are sockets, by
//! [`WebSocket::subscribe`](crate::websocket::WebSocket::subscribe), and streams, by [`subscribe`]:
//!
//! ```
//! use squall::testing::TestClient;
//! use squall::websocket::{Message, WebSocket, WebSocketHandler};
//! use squall::{Application, Context, Result, topics, websocket};
//!
//! #[derive(Clone)]
//! struct Chat;
//!
//! impl WebSocketHandler for Chat {
//!     async fn open(&mut self, ws: &WebSocket, _: &mut Context) -> Result {
//!         ws.subscribe("room/lobby")
//!     }
//!
//!     async fn on_message(&mut self, _: &WebSocket, message: Message) -> Result {
//!         topics::publish("room/lobby", message).await
//!     }
//! }
//!
//! let client = TestClient::new(Application::new([websocket("/chat", Chat)]));
//! let (ada, mut grace) = (client.websocket("/chat").connect(), client.websocket("/chat").connect());
//! ada.send("hello");
//! assert_eq!(grace.recv(), Some("hello".into()));
//! ```
//!
//! # Names and patterns
//!
//! A topic needs no declaration. Its name has 1 to 255 bytes of UTF-8 without control characters
//! and without `*`. A pattern is a name, or a prefix followed by `*`: `price/*` matches
//! `price/gold`, and `*` alone matches every topic.
//!
//! # Delivery
//!
//! - **Order.** A subscription receives the messages of one task to one topic in the order in which
//!   they were published, each exactly once. A socket or a program with two subscriptions that both
//!   match receives the message twice.
//! - **A slow subscriber** has a [bounded queue](SubscribeOptions). If it is full, the
//!   subscription's [`Overflow`] policy decides. A stream then receives an [`Event::Gap`] with the
//!   number of messages that it has lost, in their place.
//! - **Memory.** All subscribers of a worker share the memory of a message. A message for sockets
//!   is encoded once, and compressed once for each setting that clients have agreed on.
//! - **Persistence.** There is none: a subscriber receives what is published after it has
//!   subscribed. Keep the history of a room in a database.
//!
//! # Reach
//!
//! A topic reaches the subscribers of all workers of the server, with no other program. Workers
//! exchange messages through shared memory, on Linux. On other systems, and in tests, a topic
//! reaches the subscribers of its thread. A [`Transport`] of your own carries messages to other
//! hosts.
//!
//! - **No worker waits for another.** A worker that is slow or stopped does not delay others, and
//!   costs them no memory. It may lose messages: each worker's messages are kept in a ring of 4 MiB,
//!   and their names in a ring of 8 MiB. After 4 MiB of newer messages, a worker that has not read
//!   a message has lost it. Each of its subscriptions receives the exact number as a [`Gap`]. After
//!   8 MiB of names, which is about 200,000 messages, it receives the number of all messages of
//!   the other worker as the most that can be lost.
//! - **A worker that dies loses nothing** that it has published: its ring outlives it. This includes
//!   reloads, more or fewer workers, and upgrades, in which the workers of both programs reach each
//!   other.
//! - **A subscription may receive messages** that another worker has published shortly before it
//!   began.
//! - **Cost.** A message is written once for all other workers, and not at all if none of them has
//!   a subscriber. A worker that sleeps is woken by one datagram. The rings take memory only once
//!   they are written.
//! - Use topics in the workers, not before [`HTTPServer::start`](crate::HTTPServer::start).
//! - A worker has one thread that exchanges messages, the first that uses topics.
//!
//! # Layout
//!
//! | file | content |
//! |---|---|
//! | `name` | names and patterns |
//! | `options` | [`SubscribeOptions`], [`Overflow`] |
//! | `counts` | what the [metrics](crate::metrics) say about topics |
//! | `delivery` | a message on its way to many subscribers |
//! | `mailbox` | the bounded queue of a subscription |
//! | `hub` | who subscribes to what, on this thread |
//! | `hub::host` | the way to the other workers of the host |
//! | `hub::transport` | [`Transport`]: how messages reach others |
//! | `subscription` | [`subscribe`] and its stream |
//! | `socket` | subscriptions of WebSockets |

mod counts;
mod delivery;
mod hub;
mod mailbox;
mod name;
mod options;
mod socket;
mod subscription;

use std::future::poll_fn;
use std::panic::Location;

use squall_runtime::cooperate;

use crate::error::{Error, Result};
use crate::websocket::Message;
use delivery::Delivery;
use hub::Hub;

pub use delivery::{Event, Gap};
pub use hub::transport::{Inbox, Transport, use_transport};
pub use name::{MAX_NAME, Pattern, TopicError};
pub use options::{Overflow, SubscribeOptions};
pub use subscription::{Subscription, subscribe};

/// The longest message of a topic, in bytes: 1 MiB.
pub const MAX_MESSAGE: usize = 1 << 20;

/// Publishes a message: text from a `String` or `&str`, binary from bytes.
///
/// When the future is ready, the message is in the queue of every subscriber of this worker, and
/// the [`Transport`] has taken it for the others. The future waits only for subscribers of this
/// worker with [`Overflow::Wait`], and for the transport. If it is dropped before it is ready, the
/// message is not published at all.
///
/// Publishing without subscribers does nothing.
///
/// # Errors
///
/// [`TopicError`] if the name is not valid or the message is longer than [`MAX_MESSAGE`], and the
/// errors of the [`Transport`]. Nothing is published then.
///
/// # Examples
///
/// ```
/// use squall::{Result, topics};
///
/// async fn sell(item: &str) -> Result {
///     topics::publish(format!("sold/{item}"), "1").await
/// }
/// # squall::IOLoop::current().run_sync(sell("hat")).unwrap().unwrap();
/// ```
#[track_caller]
pub fn publish(
    topic: impl AsRef<str>,
    message: impl Into<Message>,
) -> impl Future<Output = Result> + 'static {
    let place = Location::caller();
    let delivery = Delivery::new(topic.as_ref(), message.into());
    async move {
        let delivery = delivery.map_err(|error| Error::at(place, error))?;
        // A loop that publishes gives its subscribers their turn.
        cooperate().await;
        let hub = Hub::current();
        poll_fn(|task| hub.poll_publish(task, &delivery)).await
    }
}

#[cfg(test)]
mod tests;
