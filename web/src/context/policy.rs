//! How the framework treats a request before its handler runs, as its route and the server say.

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use crate::connection::body::BodyFailure;
use crate::connection::settings::Settings;
use crate::connection::settings::websocket::WebSocketOptions;
use crate::context::Context;
use crate::context::error_hooks::ErrorHooks;
use crate::context::exchange::Exchange;
use crate::error::{HTTPError, Result};
use crate::http::{HeaderValue, Method, StatusCode, header};
use crate::http1::head::Expect;
use crate::http1::header_list::HeaderList;
use crate::routing::Pattern;
use crate::types::drop_each::DropEach;

/// The part of the application that answers a request.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Target {
    /// The endpoint in this row of the route table.
    Route(usize),
    /// The framework answers `OPTIONS` itself.
    Options,
    /// A redirect to the path with another end: see [`TrailingSlash`].
    SlashRedirect,
    #[default]
    NotFound,
}

/// The settings that a route can override. `None` leaves the server's setting.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct RouteOptions {
    pub(crate) streams_request_body: bool,
    pub(crate) max_body_size: Option<u64>,
    pub(crate) decompress_request: Option<bool>,
    pub(crate) half_close: Option<bool>,
    pub(crate) handler_timeout: Option<Duration>,
    pub(crate) websocket: Option<Rc<WebSocketOptions>>,
    pub(crate) trailing_slash: Option<TrailingSlash>,
}

impl RouteOptions {
    /// Returns these options, with those of a scope around the row where they are not set.
    pub(crate) fn within(self, outer: &Self) -> Self {
        Self {
            streams_request_body: self.streams_request_body || outer.streams_request_body,
            max_body_size: self.max_body_size.or(outer.max_body_size),
            decompress_request: self.decompress_request.or(outer.decompress_request),
            half_close: self.half_close.or(outer.half_close),
            handler_timeout: self.handler_timeout.or(outer.handler_timeout),
            websocket: self.websocket.or_else(|| outer.websocket.clone()),
            trailing_slash: self.trailing_slash.or(outer.trailing_slash),
        }
    }
}

/// How a path is treated that matches no row, but would match one with a `/` at its end, or without
/// it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrailingSlash {
    /// The path matches no row, and the response is 404.
    #[default]
    Strict,
    /// The client is redirected to the path of the row: 308, which keeps the method and the body.
    Redirect,
    /// The row answers the request.
    Ignore,
}

/// How the requests of a row are treated: the row's options, or the server's settings.
#[derive(Debug)]
pub(crate) struct Policy {
    /// The pattern of the row. `None` for requests that no row matches.
    pub(crate) pattern: Option<Rc<Pattern>>,
    /// The source line of the row, for the log.
    pub(crate) location: Option<&'static Location<'static>>,
    pub(crate) streams_request_body: bool,
    pub(crate) half_close: bool,
    pub(crate) decompress_request: bool,
    /// In bytes.
    pub(crate) max_body_size: u64,
    pub(crate) handler_timeout: Option<Duration>,
    pub(crate) websocket: Rc<WebSocketOptions>,
}

impl Policy {
    pub(crate) fn new(
        pattern: Option<Rc<Pattern>>,
        location: Option<&'static Location<'static>>,
        options: &RouteOptions,
        settings: &Settings,
    ) -> Self {
        Self {
            pattern,
            location,
            streams_request_body: options.streams_request_body,
            half_close: options.half_close.unwrap_or(settings.half_close),
            decompress_request: options.decompress_request.unwrap_or(settings.decompress_request),
            max_body_size: options.max_body_size.unwrap_or(settings.max_body_size),
            handler_timeout: options.handler_timeout.or(settings.handler_timeout),
            websocket: Rc::clone(options.websocket.as_ref().unwrap_or(&settings.websocket)),
        }
    }
}

/// The policies of all rows.
pub(crate) struct Policies {
    rows: Box<[Policy]>,
    /// For requests that no row matches.
    rest: Policy,
    pub(super) errors: RefCell<Rc<ErrorHooks>>,
    /// The headers of every response, unless it sets them itself.
    pub(super) default_headers: Option<HeaderList>,
    /// The rows by name.
    pub(super) names: Rc<HashMap<String, usize>>,
}

impl Policies {
    pub(crate) fn new(
        rows: impl Iterator<Item = Policy>,
        settings: &Settings,
        errors: ErrorHooks,
        default_headers: Option<HeaderList>,
        names: Rc<HashMap<String, usize>>,
    ) -> Self {
        let rest = Policy::new(None, None, &RouteOptions::default(), settings);
        let errors = RefCell::new(Rc::new(errors));
        Self { rows: rows.collect(), rest, errors, default_headers, names }
    }

    /// Whether any row has a time limit for its handler.
    /// Drops the error hooks, although the destructors of some panic.
    pub(crate) fn clear(&self, each: &mut DropEach) {
        if let Some(errors) = Rc::into_inner(self.errors.take()) {
            errors.clear(each);
        }
    }

    /// Returns the pattern of a row.
    pub(super) fn pattern_of(&self, row: usize) -> Option<&Pattern> {
        self.rows.get(row)?.pattern.as_deref()
    }

    pub(crate) fn limit_handlers(&self) -> bool {
        self.rows.iter().any(|policy| policy.handler_timeout.is_some())
    }
}

impl Exchange {
    /// Returns the policy of the row, or of the server if no row matches.
    #[inline]
    pub(super) fn policy(&self) -> &Policy {
        let row = self.row.and_then(|row| self.policies.rows.get(row));
        row.unwrap_or(&self.policies.rest)
    }
}

impl Context {
    /// Whether the request is `OPTIONS *`, which asks about the server and not about a resource.
    pub(crate) fn is_for_server(&self) -> bool {
        *self.method() == Method::OPTIONS
            && self.with_bytes(self.exchange.head.path, |path| path == b"*")
    }

    pub(crate) fn target(&self) -> Target {
        self.exchange.target
    }

    pub(crate) fn set_target(&mut self, target: Target) {
        self.exchange.target = target;
    }

    pub(super) fn with_pattern<R>(&self, work: impl FnOnce(&Pattern) -> R) -> Option<R> {
        self.exchange.policy().pattern.as_deref().map(work)
    }

    /// Applies the policy of the row, and refuses a request whose head already exceeds a limit.
    #[inline]
    pub(crate) fn apply_policy(&mut self) {
        self.connection.set_half_close(self.exchange.policy().half_close);
        let head = &self.exchange.head;
        if !head.framing.is_empty() || head.expect != Expect::None {
            self.apply_policy_to_body();
        }
    }

    #[inline(never)]
    fn apply_policy_to_body(&mut self) {
        let policy = self.exchange.policy();
        let (limit, decompresses) = (policy.max_body_size, policy.decompress_request);
        // A handler that streams may raise the limit before it reads.
        let may_raise_limit = policy.streams_request_body;
        let too_large = self.connection.with(|buffers| {
            buffers.body.set_limit(limit);
            !may_raise_limit && buffers.body.is_announced_too_large()
        });
        if self.exchange.head.expect == Expect::Unknown {
            self.refuse(HTTPError::EXPECTATION_FAILED);
        } else if too_large {
            self.refuse_body(BodyFailure::TooLarge);
        } else if decompresses {
            self.decompress_request();
        }
    }

    /// Whether the body must be read before the handler runs.
    pub(crate) fn wants_whole_body(&self) -> bool {
        self.exchange.awaits_body
            && matches!(self.exchange.target, Target::Route(_))
            && !self.has_refusal()
            && !self.exchange.policy().streams_request_body
    }

    /// Notes that all of the body has been read.
    pub(crate) fn set_body_read(&mut self) {
        self.exchange.awaits_body = false;
    }

    /// Returns the time limit of the handler.
    pub(crate) fn handler_timeout(&self) -> Option<Duration> {
        self.exchange.policy().handler_timeout
    }

    /// Keeps the `Allow` header for [`answer_options`](Self::answer_options).
    pub(crate) fn set_allow(&mut self, allow: HeaderValue) {
        self.exchange.rare_mut().allow = Some(allow);
    }

    /// Writes the framework's response to `OPTIONS`: 204 and the `Allow` header.
    pub(crate) fn answer_options(&mut self) -> Result {
        if let Some(allow) = self.exchange.rare.as_mut().and_then(|rare| rare.allow.take()) {
            self.set_header(header::ALLOW, allow)?;
        }
        self.set_status(StatusCode::NO_CONTENT);
        Ok(())
    }
}
