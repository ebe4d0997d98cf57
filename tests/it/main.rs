//! What the server does at the wire: a raw socket in, exact bytes out. One module a behaviour.

/// What handlers tell a test, and how it holds them up.
mod events;
/// Reads what is written for Prometheus.
#[path = "../support/exposition.rs"]
mod exposition;
/// Dependencies between the modules of the crates point one way.
mod layers;
/// A server, and a client that knows nothing but bytes, for the others.
mod wire;

/// The arguments of a query, a form and a path, and how they are decoded.
mod arguments;
/// Bodies of any size, whole and in pieces; those that nobody reads, and those that end early.
mod bodies;
/// Bodies in chunks: sizes, extensions, trailers, and the codings that are none of ours.
mod chunked_requests;
/// Bodies that come compressed.
mod compressed_bodies;
/// How many connections there may be, what one of them may ask for, and how long all may take.
mod connection_limits;
/// Bodies whose length is said, and what is no length.
mod content_length;
mod control;
/// `Expect: 100-continue`, and expectations that are not met.
mod expect_continue;
/// Names and values of headers, folding, and the bytes that may stand in them.
mod header_block;
/// What may stand in `Host`, and what becomes of it.
mod host;
/// What is too large, too many or too long: heads, headers, targets, bodies.
mod limits;
/// Faults at random: each is answered, and harms nobody else.
mod malformed;
/// Methods, the forms of a target, versions, blank lines and line ends.
mod request_line;
/// Settings at the ends of their ranges, and beyond them.
mod settings;
/// Clients that take too long over a head or a body, or say nothing.
mod slow_senders;
/// Requests that two readers could take two ways: none of them hides another.
mod smuggling;

/// Clients that read slowly, or not at all.
mod back_pressure;
/// Statuses whose responses have no body.
mod bodiless;
/// Clients that do not wait for the response, in the log, the metrics and to handlers.
mod disconnected;
/// What the framework refuses for endpoints of the user.
mod endpoints;
/// What becomes of errors and panics.
mod errors;
/// The tags of bodies, and clients that have the body already.
mod etag;
/// Every response passes through middleware, or through the error hook of the application.
mod every_response;
/// Which parts of a handler are called when one of them fails or panics.
mod failing_parts;
/// Responses whose body is a file.
mod files;
/// Responses that are complete before their handler is.
mod finishing;
/// A client that ends its side, or breaks the connection off.
mod half_close_and_reset;
/// What is sent before a response and behind its body.
mod interim_and_trailers;
/// When a connection is kept, and when it ends after a response.
mod keep_alive;
/// Which methods a resource has, and what the others are answered.
mod methods;
/// What is counted and timed, who is asked for it, and which handlers keep the loop.
mod metrics;
/// What stands around the handlers.
mod middleware;
/// Requests that are sent before the ones ahead of them are answered.
mod pipelining;
/// Who the client is, for which host and over what it asks, as proxies say that are believed.
mod proxies;
/// Connections that begin with a header of the PROXY protocol.
mod proxy_protocol;
/// Responses that send the client elsewhere.
mod redirects;
/// Where the body of a response ends, and how the client can tell.
mod response_framing;
/// Which headers a response has, and what may stand in them.
mod response_headers;
/// Rows for the same paths: merged, or refused.
mod route_tables;
/// A loop on a thread of its own, for servers that listen in other ways.
mod running;
/// Requests of all kinds one after the other.
mod sequences;
/// Servers as their program sees them: where they listen, and how they end.
mod servers;
/// Clients that take a response, but too slowly.
mod slow_readers;
/// The client for tests itself: time, endless streams, handlers that hang, and the graceful end.
mod test_client;
/// What is sent and what is received, each with limits of its own, and who else uses a connection.
mod two_directions;
/// Serving over Unix sockets.
mod unix_sockets;
/// Connections that go on with another protocol.
mod upgrade;
/// WebSockets: the handshake, messages, control frames, and handlers.
mod websocket;
