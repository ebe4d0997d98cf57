//! Fast path of [`Context::conclude`]: same result; skip on a first reading.

use squall_runtime::log;

use crate::context::Context;
use crate::context::exchange::Exchange;
use crate::context::finish::keeps_alive;
use crate::http::{Method, StatusCode};
use crate::http1::encode::{ResponseFraming, encode_fast};
use crate::http1::etag::ETag;
use crate::http1::head::Version;

impl Context {
    /// Queues the response if it is plain: a complete 200 that keeps the connection, to a request
    /// that was read to its end. Returns whether it did.
    pub(super) fn send_fast(&mut self) -> bool {
        if !self.is_plain() {
            return false;
        }
        let has_etag = self.exchange.head.method == Method::GET;
        let response = &mut self.exchange.response;
        let Some(body) = response.body.small_slice() else { return self.send_shared_fast() };
        let etag = has_etag.then(|| ETag::of(body));
        let date = self.connection.server.date_line();
        self.connection.with(|buffers| {
            buffers.body.answer_begins();
            buffers.output.append(|out| encode_fast(out, &response.headers, date, etag, body));
        });
        response.body.clear();
        self.finish_fast();
        true
    }

    /// Like [`send_fast`](Self::send_fast), for a body that is shared and not copied.
    #[inline(never)]
    fn send_shared_fast(&mut self) -> bool {
        let has_etag = self.exchange.head.method == Method::GET;
        let response = &mut self.exchange.response;
        let Some(body) = response.body.take_lent() else { return false };
        let etag = has_etag.then(|| ETag::of(&body));
        let date = self.connection.server.date_line();
        self.connection.with(|buffers| {
            buffers.body.answer_begins();
            buffers.output.append(|out| encode_fast(out, &response.headers, date, etag, &body));
        });
        self.finish_fast();
        true
    }

    fn finish_fast(&mut self) {
        self.exchange.response.keep_alive = true;
        self.exchange.response.set_finished();
        if log::is_access_enabled() {
            self.log_access();
        }
    }

    fn is_plain(&self) -> bool {
        let Exchange { head: request, response, awaits_body, .. } = &*self.exchange;
        response.is_checked()
            && response.status == StatusCode::OK
            && response.headers.are_plain()
            && response.reason.is_none()
            && response.file.is_none()
            && request.version == Version::Http11
            && request.method != Method::HEAD
            && !request.if_none_match
            && !*awaits_body
            && self.departure().is_none()
            && keeps_alive(&self.connection, request, response, ResponseFraming::Length(0))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use crate::testing::TestClient;
    use crate::{Application, Context, Result, get, route};

    thread_local! {
        static IS_PLAIN: Cell<bool> = const { Cell::new(false) };
    }

    /// Writes the response that the path and the headers ask for, and notes whether it is plain.
    async fn handler(cx: &mut Context) -> Result {
        if let Some(content_type) = cx.header("x-type") {
            cx.set_header("Content-Type", &*content_type)?;
        }
        match &*cx.path() {
            "/empty" => {}
            "/small" => cx.write("hello")?,
            "/pieces" => {
                cx.write("a".repeat(3_000))?;
                cx.write("b")?;
            }
            "/large" => cx.write("x".repeat(100_000))?,
            "/echo" => cx.write(cx.body().await?)?,
            "/header" => {
                cx.set_header("X-Other", "1")?;
                cx.write("with a header")?;
            }
            _ => unreachable!(),
        }
        cx.complete()?;
        IS_PLAIN.set(cx.is_plain());
        Ok(())
    }

    /// Exchanges a request for the bytes of its response, without the date.
    fn exchange(client: &TestClient, head: &str, body: &str) -> String {
        let length = body.len();
        let request = format!("{head}Host: a\r\nContent-Length: {length}\r\n\r\n{body}");
        let response = client.exchange(request);
        let date = response.find("Date: ").unwrap();
        let end = date + response[date..].find("\r\n").unwrap();
        format!("{}{}", &response[..date], &response[end..])
    }

    #[test]
    fn the_fast_path_sends_the_same_bytes() {
        let app = Application::new([route("/{*path}", get(handler).post(handler))]);
        let client = TestClient::new(app);
        let echo = "e".repeat(5_000);
        for (method, path) in [
            ("GET", "/empty"),
            ("GET", "/small"),
            ("POST", "/small"),
            ("GET", "/pieces"),
            ("GET", "/large"),
            ("POST", "/echo"),
            ("GET", "/header"),
        ] {
            let body = if path == "/echo" { &*echo } else { "" };
            // The second time, the response has the default `Content-Type`.
            for content_type in ["X-Type: text/plain\r\n", ""] {
                let head = format!("{method} {path} HTTP/1.1\r\n{content_type}");
                let fast = exchange(&client, &head, body);
                assert!(IS_PLAIN.get(), "{method} {path}");
                // An `If-None-Match` takes the slow path. It does not match.
                let slow = exchange(&client, &format!("{head}If-None-Match: \"other\"\r\n"), body);
                assert!(!IS_PLAIN.get(), "{method} {path}");
                assert_eq!(fast, slow, "{method} {path}");
            }
        }
    }
}
