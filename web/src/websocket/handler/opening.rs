//! The opening handshake of a server (RFC 6455 §4.2).

use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use crate::connection::settings::websocket::WebSocketOptions;
use crate::context::Context;
use crate::context::upgrade::{ServeWebSocket, Upgrade};
use crate::error::Result;
use crate::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use crate::http1::field::elements;
use crate::websocket::codec::Role;
use crate::websocket::codec::deflate::params::Deflate;
use crate::websocket::compression;
use crate::websocket::handshake::permessage_deflate::{self, Accepted};
use crate::websocket::handshake::{VERSION, accept_key, is_valid_key, subprotocols};
use crate::websocket::session::Start;

use super::WebSocketHandler;

/// What was agreed on, and what the log says of the connection.
pub(super) struct Opening {
    pub(super) options: Rc<WebSocketOptions>,
    pub(super) deflate: Option<Deflate>,
    pub(super) subprotocol: Option<Box<str>>,
    /// The line of the route.
    pub(super) location: Option<&'static Location<'static>>,
}

impl Opening {
    /// What a session begins with.
    pub(super) fn start(&self, cx: &Context, early: Vec<u8>, wants_control: bool) -> Start {
        Start {
            role: Role::Server,
            options: Rc::clone(&self.options),
            deflate: self.deflate.clone(),
            page: Some(cx.connection().server.recorder.page),
            early,
            wants_control,
        }
    }
}

/// Why a request opens no WebSocket. None of this is an error of the program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Refusal {
    OldHttp,
    NoUpgrade,
    NoConnectionUpgrade,
    HasBody,
    Origin,
    Version,
    Key,
    Extensions,
}

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Self::Origin => StatusCode::FORBIDDEN,
            Self::Version => StatusCode::UPGRADE_REQUIRED,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OldHttp => "A WebSocket needs HTTP/1.1.\n",
            Self::NoUpgrade => "This is a WebSocket: `Upgrade` must be `websocket`.\n",
            Self::NoConnectionUpgrade => "This is a WebSocket: `Connection` must be `Upgrade`.\n",
            Self::HasBody => "A WebSocket handshake has no body.\n",
            Self::Origin => "WebSockets from other origins are not allowed.\n",
            Self::Version => "",
            Self::Key => "Missing or invalid WebSocket headers: Sec-WebSocket-Key.\n",
            Self::Extensions => "Invalid WebSocket headers: Sec-WebSocket-Extensions.\n",
        })
    }
}

/// Answers the handshake: with 101, after which `serve` has the connection, or with the status of a
/// refusal.
pub(super) async fn open<H: WebSocketHandler>(
    mut handler: H,
    cx: &mut Context,
    serve: impl FnOnce(H, Opening) -> ServeWebSocket,
) -> Result {
    handler.prepare(cx).await?;
    if cx.is_finished() {
        return Ok(());
    }
    if let Some(refusal) = check(cx, &mut handler) {
        return refuse(cx, refusal);
    }
    let options = Rc::clone(cx.websocket_options());
    let Ok(accepted) = accept_compression(cx, &options) else {
        return refuse(cx, Refusal::Extensions);
    };
    let subprotocol = select_subprotocol(cx, &mut handler)?;
    let key = cx.header("sec-websocket-key").unwrap_or_default();
    cx.set_header(header::UPGRADE, "websocket")?;
    cx.set_header(header::SEC_WEBSOCKET_ACCEPT, accept_key(key.as_bytes()))?;
    if let Some(name) = &subprotocol {
        cx.set_header(header::SEC_WEBSOCKET_PROTOCOL, &**name)?;
    }
    let deflate = match (options.compression, accepted) {
        (Some(compression), Some(Accepted { params, response })) => {
            cx.set_header(header::SEC_WEBSOCKET_EXTENSIONS, response)?;
            Some(compression::agreed(&compression, params))
        }
        _ => None,
    };
    let opening = Opening { options, deflate, subprotocol, location: cx.route_location() };
    cx.begin_upgrade(Upgrade::WebSocket(serve(handler, opening)))
}

/// Why the request is no handshake that may be answered.
fn check(cx: &Context, handler: &mut impl WebSocketHandler) -> Option<Refusal> {
    let headers = cx.headers();
    if !cx.is_http11() {
        return Some(Refusal::OldHttp);
    }
    if !has_token(headers, &header::UPGRADE, b"websocket") {
        return Some(Refusal::NoUpgrade);
    }
    if !has_token(headers, &header::CONNECTION, b"upgrade") {
        return Some(Refusal::NoConnectionUpgrade);
    }
    if cx.has_body() {
        return Some(Refusal::HasBody);
    }
    // What is not text is no origin that a list could name.
    let origin = headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
    if let Some(origin) = origin
        && !handler.check_origin(cx, origin)
    {
        return Some(Refusal::Origin);
    }
    if only(headers, &header::SEC_WEBSOCKET_VERSION) != Some(VERSION.as_bytes()) {
        return Some(Refusal::Version);
    }
    if !only(headers, &header::SEC_WEBSOCKET_KEY).is_some_and(is_valid_key) {
        return Some(Refusal::Key);
    }
    None
}

fn refuse(cx: &mut Context, refusal: Refusal) -> Result {
    cx.set_status(refusal.status());
    if refusal == Refusal::Version {
        return cx.set_header(header::SEC_WEBSOCKET_VERSION, VERSION);
    }
    cx.set_header(header::CONTENT_TYPE, "text/plain; charset=UTF-8")?;
    cx.write(refusal.to_string())
}

fn accept_compression(cx: &Context, options: &WebSocketOptions) -> Result<Option<Accepted>, ()> {
    let values = cx.headers().get_all(header::SEC_WEBSOCKET_EXTENSIONS).iter();
    let wanted = compression::wanted(&options.compression.unwrap_or_default());
    permessage_deflate::accept(values.map(HeaderValue::as_bytes), &wanted).map_err(drop)
}

fn select_subprotocol(
    cx: &Context,
    handler: &mut impl WebSocketHandler,
) -> Result<Option<Box<str>>> {
    let values = cx.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let offered: Vec<_> = subprotocols(values.map(HeaderValue::as_bytes)).collect();
    match handler.select_subprotocol(&offered) {
        Some(name) if !offered.contains(&name) => Err(NotOffered(name.to_owned()))?,
        selected => Ok(selected.map(Box::from)),
    }
}

/// The value of a header that must not be there twice.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.as_bytes();
    values.next().is_none().then_some(first)
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &[u8]) -> bool {
    let values = headers.get_all(name).iter();
    values.flat_map(|value| elements(value.as_bytes())).any(|one| one.eq_ignore_ascii_case(token))
}

/// A handler selected a subprotocol that the client has not offered.
#[derive(Debug)]
struct NotOffered(String);

impl fmt::Display for NotOffered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`select_subprotocol` returned {:?}, which the client has not offered", self.0)
    }
}

impl std::error::Error for NotOffered {}
