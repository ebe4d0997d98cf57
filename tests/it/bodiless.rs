use squall::{Application, Context, Functions, HTTPError, Result, StatusCode, get, route};

use crate::wire::Server;

/// A server of one handler.
fn serving(handler: impl FnOnce() -> Functions + Send + 'static) -> Server {
    Server::start(|| Application::new([route("/", handler())]))
}

const INTERNAL_SERVER_ERROR: &str = "<html><title>500: Internal Server Error</title>\
    <body>500: Internal Server Error</body></html>";

#[test]
fn a_status_without_a_body_has_neither_length_nor_type() {
    async fn bodiless(cx: &mut Context) -> Result {
        cx.set_status(status_asked_for(cx));
        cx.set_header("X-Own", "1")?;
        if cx.header("x-length").is_some() {
            cx.set_header("Content-Length", "5")?;
        }
        if cx.header("x-flush").is_some() {
            cx.flush().await?;
        }
        Ok(())
    }
    let server = serving(|| get(bodiless));
    for (status, reason) in [(204, "No Content"), (304, "Not Modified")] {
        for extra in ["", "X-Length: 1\r\n", "X-Flush: 1\r\n", "X-Length: 1\r\nX-Flush: 1\r\n"] {
            let request = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Status: {status}\r\n{extra}\r\n");
            let exchange = server.exchange(request);
            let expected = format!(
                "HTTP/1.1 {status} {reason}\r\nServer: Squall/0.1.0\r\nX-Own: 1\r\nDate:\r\n\r\n"
            );
            assert_eq!(exchange.only().raw, expected, "{extra:?}");
            assert!(exchange.kept);
        }
    }
}

#[test]
fn a_205_has_an_empty_body() {
    for handler in [
        || get(async || StatusCode::RESET_CONTENT),
        || get(async || Err::<(), _>(HTTPError::new(StatusCode::RESET_CONTENT))),
    ] {
        let exchange = serving(handler).exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let expected = "HTTP/1.1 205 Reset Content\r\nServer: Squall/0.1.0\r\nDate:\r\n\
            Content-Length: 0\r\n\r\n";
        assert_eq!(exchange.only().raw, expected);
        assert!(exchange.kept);
    }
}

fn status_asked_for(cx: &Context) -> StatusCode {
    StatusCode::from_bytes(cx.header("x-status").unwrap_or_default().as_bytes()).unwrap()
}

#[test]
fn a_body_with_a_status_that_forbids_one_is_a_500() {
    async fn with_body(cx: &mut Context) -> Result {
        cx.set_status(status_asked_for(cx));
        cx.write("hello")?;
        if cx.header("x-flush").is_some() {
            cx.flush().await?;
        }
        Ok(())
    }
    let server = serving(|| get(with_body));
    for status in [204, 205, 304, 100, 101, 103, 199] {
        for extra in ["", "X-Flush: 1\r\n"] {
            let request = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Status: {status}\r\n{extra}\r\n");
            let exchange = server.exchange(request);
            assert_eq!(exchange.only().text(), INTERNAL_SERVER_ERROR, "{status} {extra:?}");
            assert_eq!(exchange.statuses(), [500]);
            assert!(exchange.kept);
        }
    }
}

#[test]
fn an_interim_status_is_not_the_end_of_a_request() {
    // To the client it would be: the real response is still to come.
    async fn interim(cx: &mut Context) {
        cx.set_status(status_asked_for(cx));
    }
    async fn interim_error(cx: &mut Context) -> Result {
        Err(HTTPError::new(status_asked_for(cx)))?
    }
    for server in [serving(|| get(interim)), serving(|| get(interim_error))] {
        for status in [100, 101, 102, 103, 199] {
            let request = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Status: {status}\r\n\r\n");
            assert_eq!(server.exchange(request).statuses(), [500], "{status}");
        }
    }
}

#[test]
fn an_error_may_be_a_status_without_a_body() {
    async fn fails(cx: &mut Context) -> Result {
        cx.write("thrown away")?;
        Err(HTTPError::new(status_asked_for(cx)))?
    }
    let server = serving(|| get(fails));
    for (status, reason) in [(204, "No Content"), (304, "Not Modified")] {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Status: {status}\r\n\r\n");
        let exchange = server.exchange(request);
        let expected =
            format!("HTTP/1.1 {status} {reason}\r\nServer: Squall/0.1.0\r\nDate:\r\n\r\n");
        assert_eq!(exchange.only().raw, expected);
        assert!(exchange.kept);
    }
}
