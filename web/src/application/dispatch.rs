//! From a request to its endpoint, through the middleware.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;

use super::Application;
use super::contained::TimeLimit;
use super::middleware::{Around, Next};
use super::route::Row;
use super::table;
use crate::context::Context;
use crate::context::policy::{Target, TrailingSlash};
use crate::error::{HTTPError, Result};
use crate::handler::endpoint::{Endpoint, Started};
use crate::http::Method;
use crate::routing::Router;
use crate::types::local_future::LocalBoxFuture;

impl Application {
    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(crate) fn names(&self) -> &Rc<HashMap<String, usize>> {
        &self.names
    }

    pub(crate) fn router(&self) -> &Router {
        &self.router
    }

    /// Fast path of [`find`](Self::find): same result; skip on a first reading.
    ///
    /// Returns `false` unless `find` has allowed a request with the same row and method before.
    /// Runs no user code.
    #[inline]
    pub(crate) fn find_fast(&self, cx: &mut Context) -> bool {
        let Some(row) = cx.row() else { return false };
        let is_known = self.allowed.get(row).is_some_and(|allowed| allowed.has(cx.method()));
        if is_known {
            cx.set_target(Target::Route(row));
            cx.apply_policy();
        }
        is_known
    }

    /// Finds the endpoint for the request of `cx`, and refuses the request if its head shows that
    /// it cannot be served.
    pub(crate) fn find(&self, cx: &mut Context) {
        let target = match cx.row() {
            Some(row) => Target::Route(row),
            None if cx.is_for_server() => Target::Options,
            None => self.find_with_other_slash(cx),
        };
        cx.set_target(target);
        // Replaces the policy of the last request on this connection.
        cx.apply_policy();
        let Target::Route(row) = target else {
            if *cx.method() == Method::CONNECT {
                cx.refuse(HTTPError::METHOD_NOT_ALLOWED.with_header("allow", ""));
            }
            return;
        };
        let route = &self.rows[row];
        let allowed = route.endpoint.allowed(cx);
        if allowed.contains(cx.method()) {
            self.allowed[row].add(cx.method());
            return;
        }
        let allow = table::allow(allowed);
        if *cx.method() == Method::OPTIONS {
            cx.set_target(Target::Options);
            cx.set_allow(allow);
        } else {
            cx.refuse(HTTPError::METHOD_NOT_ALLOWED.with_header("allow", allow));
        }
    }

    /// Whether there is middleware.
    pub(crate) fn has_middleware(&self) -> bool {
        !self.around.is_empty()
    }

    /// Starts the endpoint of a request that no middleware is around.
    pub(crate) fn start(&self, cx: Context) -> Started {
        let Target::Route(row) = cx.target() else { return Started::CallInstead(cx) };
        match self.rows.get(row) {
            Some(row) if !cx.has_refusal() && row.around.is_empty() => row.endpoint.start(cx),
            _ => Started::CallInstead(cx),
        }
    }

    /// Calls the middleware and the endpoint.
    pub(crate) async fn call(&self, cx: &mut Context) -> Result {
        let limit = TimeLimit::new(cx.handler_timeout());
        let (inner, endpoint) = self.part_for(cx);
        Next::new(&self.around, inner, endpoint, &limit).run(cx).await
    }

    /// Returns the endpoint for the request, and the middleware of its scopes and its row.
    fn part_for(&self, cx: &Context) -> (&[Rc<dyn Around>], &dyn Endpoint) {
        let around = |row: Option<usize>| row.map_or(&[][..], |row| &self.rows[row].around);
        match cx.target() {
            Target::Route(row) => (around(Some(row)), &*self.rows[row].endpoint),
            Target::Options => (around(cx.row()), &Options),
            Target::SlashRedirect => (around(cx.row()), &SlashRedirect),
            Target::NotFound => self.fallbacks.find(cx),
        }
    }

    /// Returns the target for a path that no row matches, but perhaps with a `/` more or less at its
    /// end.
    fn find_with_other_slash(&self, cx: &mut Context) -> Target {
        let strict = TrailingSlash::Strict;
        let of = |row: &Row| row.options.trailing_slash.unwrap_or(self.trailing_slash);
        if self.rows.iter().all(|row| of(row) == strict) {
            return Target::NotFound;
        }
        let Some(row) = cx.find_with_other_slash(&self.router) else { return Target::NotFound };
        match of(&self.rows[row]) {
            TrailingSlash::Strict => Target::NotFound,
            TrailingSlash::Redirect => {
                cx.set_row(row);
                Target::SlashRedirect
            }
            TrailingSlash::Ignore => {
                cx.set_row(row);
                Target::Route(row)
            }
        }
    }
}

/// The endpoint for `OPTIONS` where the handler has no such method (RFC 9110 §9.3.7).
struct Options;

impl Endpoint for Options {
    fn allowed(&self, _: &mut Context) -> &[Method] {
        &[Method::OPTIONS]
    }

    fn call<'a>(&'a self, cx: &'a mut Context) -> LocalBoxFuture<'a, Result> {
        Box::pin(async { cx.answer_options() })
    }
}

/// The endpoint of a path whose row has another end.
struct SlashRedirect;

impl Endpoint for SlashRedirect {
    fn allowed(&self, _: &mut Context) -> &[Method] {
        &[]
    }

    fn call<'a>(&'a self, cx: &'a mut Context) -> LocalBoxFuture<'a, Result> {
        Box::pin(std::future::ready(cx.redirect_to_other_slash()))
    }
}

/// The standard methods that an endpoint is known to allow. Asking the endpoint runs user code.
#[derive(Debug, Default)]
pub(super) struct AllowedCache(Cell<u16>);

impl AllowedCache {
    #[inline]
    fn has(&self, method: &Method) -> bool {
        self.0.get() & Self::bit(method) != 0
    }

    fn add(&self, method: &Method) {
        self.0.set(self.0.get() | Self::bit(method));
    }

    /// Returns the bit of a standard method, and 0 for all others.
    #[inline]
    fn bit(method: &Method) -> u16 {
        match *method {
            Method::GET => 1,
            Method::HEAD => 1 << 1,
            Method::POST => 1 << 2,
            Method::PUT => 1 << 3,
            Method::DELETE => 1 << 4,
            Method::CONNECT => 1 << 5,
            Method::OPTIONS => 1 << 6,
            Method::TRACE => 1 << 7,
            Method::PATCH => 1 << 8,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::route::route;
    use crate::handler::functions::get;
    use crate::testing::TestClient;

    #[test]
    fn only_added_standard_methods_are_in_the_cache() {
        let names = "GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH PURGE";
        let methods: Vec<Method> =
            names.split(' ').map(|name| Method::from_bytes(name.as_bytes()).unwrap()).collect();
        for added in &methods {
            let allowed = AllowedCache::default();
            allowed.add(added);
            for method in &methods {
                let expected = method == added && method.as_str() != "PURGE";
                assert_eq!(allowed.has(method), expected, "{added}, {method}");
            }
        }
    }

    #[test]
    fn the_fast_path_finds_the_same_endpoint_and_policy() {
        let hello = async |cx: &mut Context| cx.write(cx.body().await?);
        let new_client = || {
            TestClient::new(Application::new([
                route("/", get(hello).post(hello)).max_body_size(3),
                route("/{name}", get(hello).put(hello)),
            ]))
        };
        for head in ["GET /", "POST /", "PUT /", "OPTIONS /", "HEAD /a", "PUT /a", "GET /a/b"] {
            for body in ["abc", "abcd"] {
                let (client, length) = (new_client(), body.len());
                let exchange = || {
                    let head = format!("{head} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}");
                    let response = client.exchange(format!("{head}\r\n\r\n{body}"));
                    let lines = response.lines().filter(|line| !line.starts_with("Date: "));
                    lines.map(str::to_owned).collect::<Vec<_>>()
                };
                // The first request of an application takes the slow path.
                let slow = exchange();
                // The request in between has another policy.
                client.put("/a").body("abcdef").send();
                assert_eq!(exchange(), slow, "{head}, {length} bytes");
            }
        }
    }
}
