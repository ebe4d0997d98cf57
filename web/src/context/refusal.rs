//! What the application and the endpoints ask of a context.

use std::future::{Ready, ready};
use std::time::Duration;

use crate::connection::request_body::BodyFailure;
use crate::context::Context;
use crate::context::target::Target;
use crate::error::{Error, HTTPError, Result};
use crate::http::{HeaderValue, Method, StatusCode, header};
use crate::http1::head::Expect;
use crate::routing::Pattern;

impl Context {
    /// Whether the request is `OPTIONS *`: for the server, not for a resource of it.
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

    /// Takes on how the route treats its requests, and refuses what the head alone shows to be
    /// too much.
    #[inline]
    pub(crate) fn apply_policy(&mut self) {
        self.connection.set_half_close(self.exchange.policy().half_close);
        let head = &self.exchange.head;
        if !head.framing.is_empty() || head.expect != Expect::None {
            self.apply_to_body();
        }
    }

    #[inline(never)]
    fn apply_to_body(&mut self) {
        let policy = self.exchange.policy();
        let (limit, decompresses) = (policy.max_body_size, policy.decompress_request);
        // A handler that streams may allow more.
        let may_allow_more = policy.streams_request_body;
        let too_large = self.connection.with(|buffers| {
            buffers.body.set_limit(limit);
            !may_allow_more && buffers.body.is_announced_too_large()
        });
        if too_large || decompresses || self.exchange.head.expect == Expect::Unknown {
            self.refuse_or_decompress(too_large);
        }
    }

    #[cold]
    fn refuse_or_decompress(&mut self, too_large: bool) {
        if self.exchange.head.expect == Expect::Unknown {
            self.refuse(HTTPError::EXPECTATION_FAILED);
        } else if too_large {
            self.refuse_body(BodyFailure::TooLarge);
        } else {
            self.decompress_request();
        }
    }

    /// Has the request answered with `error`, without asking a handler.
    pub(crate) fn refuse(&mut self, error: impl Into<Error>) {
        self.exchange.make_seldom().refusal = Some(error.into());
    }

    /// As [`refuse`](Self::refuse), because of a body after which nothing can follow.
    pub(crate) fn refuse_body(&mut self, failure: BodyFailure) {
        self.exchange.head.keep_alive = false;
        self.connection.set_linger();
        self.refuse(failure.error());
    }

    pub(crate) fn set_allow(&mut self, allow: HeaderValue) {
        self.exchange.make_seldom().allow = Some(allow);
    }

    /// Whether the body is to be read before the handler is called.
    pub(crate) fn wants_whole_body(&self) -> bool {
        self.exchange.awaits_body
            && matches!(self.exchange.target, Target::Route(_))
            && !self.has_refusal()
            && !self.exchange.policy().streams_request_body
    }

    /// Notes that it has been read.
    pub(crate) fn has_whole_body(&mut self) {
        self.exchange.awaits_body = false;
    }

    /// How long the handler may take.
    pub(crate) fn handler_timeout(&self) -> Option<Duration> {
        self.exchange.policy().handler_timeout
    }

    /// Whether the request is refused, so that no handler may be asked.
    #[inline]
    pub(crate) fn has_refusal(&self) -> bool {
        self.exchange.seldom().is_some_and(|seldom| seldom.refusal.is_some())
    }

    /// Why the request is refused, if it is.
    pub(crate) fn take_refusal(&mut self) -> Option<Error> {
        self.exchange.seldom_mut()?.refusal.take()
    }

    /// Answers for a method that a handler leaves out.
    pub(crate) fn refuse_method(&mut self) -> Ready<Result> {
        self.exchange.make_seldom().method_refused = true;
        ready(Err(HTTPError::METHOD_NOT_ALLOWED.into()))
    }

    /// Whether such a method was called since the last time.
    pub(crate) fn take_method_refused(&mut self) -> bool {
        std::mem::take(&mut self.exchange.make_seldom().method_refused)
    }

    pub(crate) fn answer_options(&mut self) -> Result {
        if let Some(allow) = self.exchange.make_seldom().allow.take() {
            self.set_header(header::ALLOW, allow)?;
        }
        self.set_status(StatusCode::NO_CONTENT);
        Ok(())
    }
}
