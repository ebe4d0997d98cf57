use squall::http::header::{self, HeaderName, HeaderValue};
use squall::{Application, Context, Functions, ResponseError, Result, StatusCode, get, route};

use crate::events::Gate;
use crate::wire::Server;

fn serving(handler: impl FnOnce() -> Functions + Send + 'static) -> Server {
    Server::start(|| Application::new([route("/", handler())]))
}

async fn hint(cx: &mut Context, link: &'static str) -> Result {
    let link = (header::LINK, HeaderValue::from_static(link));
    cx.send_informational(StatusCode::EARLY_HINTS, [link]).await
}

#[test]
fn hints_leave_before_the_response() {
    let gate = Gate::default();
    let opened = gate.clone();
    let server = serving(|| {
        get(async move |cx: &mut Context| -> Result {
            hint(cx, "</a.css>").await?;
            hint(cx, "</b.css>").await?;
            gate.passed().await;
            cx.write("page")
        })
    });
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let hint = |path| format!("HTTP/1.1 103 Early Hints\r\nLink: <{path}>\r\n\r\n");
    assert_eq!(client.response().raw, hint("/a.css"));
    assert_eq!(client.response().raw, hint("/b.css"));
    opened.open();
    assert_eq!(client.response().text(), "page");
}

#[test]
fn headers_of_a_hint_are_not_those_of_the_response() {
    let server = serving(|| {
        get(async |cx: &mut Context| -> Result {
            cx.set_header("X-Own", "1")?;
            hint(cx, "</a.css>").await?;
            cx.write("page")
        })
    });
    let exchange = server.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let [hint, response] = &exchange.responses[..] else { panic!("{exchange:?}") };
    assert_eq!((hint.header("x-own"), response.header("x-own")), (None, Some("1")));
    assert_eq!((hint.header("link").is_some(), response.header("link")), (true, None));
    assert!(exchange.kept);
}

#[test]
fn a_client_of_http10_gets_no_hints() {
    let server = serving(|| {
        get(async |cx: &mut Context| -> Result {
            hint(cx, "</a.css>").await?;
            cx.write("page")
        })
    });
    let exchange = server.exchange("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(exchange.only().text(), "page");
}

#[test]
fn the_framing_is_not_in_a_hint() {
    let server = serving(|| {
        get(async |cx: &mut Context| -> Result {
            let headers = [
                (header::CONTENT_LENGTH, HeaderValue::from_static("5")),
                (header::TRANSFER_ENCODING, HeaderValue::from_static("chunked")),
                (header::CONNECTION, HeaderValue::from_static("close")),
            ];
            cx.send_informational(StatusCode::PROCESSING, headers).await
        })
    });
    let exchange = server.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(exchange.responses[0].raw, "HTTP/1.1 102 Processing\r\n\r\n");
    assert_eq!(exchange.statuses(), [102, 200]);
}

#[test]
fn only_interim_statuses_can_be_sent_before_the_response() {
    let server = serving(|| {
        get(async |cx: &mut Context| -> Result {
            for code in [101, 200, 204, 404, 500] {
                let status = StatusCode::from_u16(code).unwrap();
                let error = cx.send_informational(status, [("X-A", "b")]).await.unwrap_err();
                assert_eq!(error.downcast_ref(), Some(&ResponseError::NotInformational(status)));
            }
            cx.write("page")?;
            cx.flush().await?;
            let error = hint(cx, "</a.css>").await.unwrap_err();
            assert_eq!(error.downcast_ref(), Some(&ResponseError::HeadSent));
            Ok(())
        })
    });
    let exchange = server.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(exchange.only().text(), "page");
}

/// Adds trailers to a response in chunks.
async fn trailers(cx: &mut Context) -> Result {
    cx.add_trailer("X-Early", "1")?;
    cx.write("data")?;
    cx.flush().await?;
    cx.add_trailer("x-late", "2")?;
    cx.add_trailer(HeaderName::from_static("x-late"), HeaderValue::from_static("3"))
}

/// All that is sent behind the head.
fn body(server: &Server, request: &str) -> String {
    let mut client = server.connect();
    client.send(request);
    let text = String::from_utf8(client.rest()).unwrap();
    text.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn trailers_follow_the_chunks_if_the_client_accepts_them() {
    let server = serving(|| get(trailers));
    let with = "4\r\ndata\r\n0\r\nX-Early: 1\r\nX-Late: 2\r\nX-Late: 3\r\n\r\n";
    let without = "4\r\ndata\r\n0\r\n\r\n";
    let cases = [
        ("TE: trailers\r\n", with),
        ("TE: Trailers\r\n", with),
        ("te: gzip;q=0.5, trailers\r\n", with),
        ("TE: gzip\r\nTE: trailers\r\n", with),
        ("", without),
        ("TE: gzip\r\n", without),
        ("TE: trailers2\r\n", without),
        ("TE:\r\n", without),
    ];
    for (te, expected) in cases {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{te}\r\n");
        assert_eq!(body(&server, &request), expected, "{te:?}");
    }
    assert_eq!(body(&server, "GET / HTTP/1.0\r\nTE: trailers\r\n\r\n"), "data");
    let head = "HEAD / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: close\r\n\r\n";
    assert_eq!(body(&server, head), "");
}

const TAKES_TRAILERS: &str =
    "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: close\r\n\r\n";

#[test]
fn trailers_are_dropped_where_there_are_no_chunks() {
    let server = serving(|| {
        get(async |cx: &mut Context| -> Result {
            cx.add_trailer("X-A", "1")?;
            cx.write("data")
        })
    });
    assert_eq!(body(&server, TAKES_TRAILERS), "data");
    let server = serving(|| {
        get(async |cx: &mut Context| -> Result {
            cx.add_trailer("X-A", "1")?;
            cx.set_header("Content-Length", "4")?;
            cx.write("data")?;
            cx.flush().await
        })
    });
    assert_eq!(body(&server, TAKES_TRAILERS), "data");
}

#[test]
fn the_framing_cannot_be_a_trailer() {
    let server = serving(|| {
        get(async |cx: &mut Context| -> Result {
            cx.write("data")?;
            cx.flush().await?;
            for name in ["Content-Length", "Transfer-Encoding", "Connection"] {
                assert!(cx.add_trailer(name, "1").is_err(), "{name}");
            }
            cx.add_trailer("X-A", "1")
        })
    });
    assert_eq!(body(&server, TAKES_TRAILERS), "4\r\ndata\r\n0\r\nX-A: 1\r\n\r\n");
}

#[test]
fn an_error_drops_the_trailers() {
    let server = serving(|| {
        get(async |cx: &mut Context| -> Result {
            cx.add_trailer("X-A", "1")?;
            Err(squall::HTTPError::NOT_FOUND)?
        })
    });
    let page = "<html><title>404: Not Found</title><body>404: Not Found</body></html>";
    assert_eq!(body(&server, TAKES_TRAILERS), page);
}
