use std::time::{Duration, SystemTime};

use squall::testing::TestClient;
use squall::{Application, Bytes, Context, HTTPError, Result, StatusCode, get, route};

use crate::wire::Server;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// An action of a handler under test.
type Act = fn(&mut Context) -> Result;

/// A server with one handler, which performs `act`.
fn acting(act: Act) -> Server {
    Server::start(move || {
        Application::new([route("/", get(async move |cx: &mut Context| act(cx)))])
    })
}

/// The status line and the headers of a response, except for the server and the date.
fn head(act: Act) -> Vec<String> {
    let exchange = acting(act).exchange(GET);
    assert!(exchange.kept);
    let (head, _) = exchange.only().raw.split_once("\r\n\r\n").unwrap();
    let lines = head.split("\r\n").map(str::to_owned);
    lines.filter(|line| !line.starts_with("Server: Squall/") && line != "Date:").collect()
}

#[test]
fn headers_are_sent_in_the_order_in_which_they_were_set() {
    let head = head(|cx| {
        cx.set_header("x-zebra", "1")?;
        cx.set_header("Content-Type", "text/plain")?;
        cx.set_header("X-Apple", "2")
    });
    let expected = [
        "HTTP/1.1 200 OK",
        "X-Zebra: 1",
        "Content-Type: text/plain",
        "X-Apple: 2",
        "Content-Length: 0",
    ];
    assert_eq!(head, expected);
}

#[test]
fn setting_replaces_and_adding_adds() {
    let head = head(|cx| {
        cx.add_header("X-A", "1")?;
        cx.add_header("X-B", "2")?;
        cx.add_header("x-a", "3")?;
        cx.add_header("X-C", "4")?;
        cx.set_header("X-A", "5")?;
        cx.set_header("X-A", "6")?;
        cx.add_header("X-B", "7")?;
        cx.clear_header("x-c");
        cx.clear_header("X-Never");
        assert_eq!(cx.response_header("x-a").unwrap(), "6");
        assert_eq!(cx.response_header("X-C"), None);
        Ok(())
    });
    let expected = ["HTTP/1.1 200 OK", "X-A: 6", "X-B: 2", "X-B: 7", "Content-Length: 0"];
    assert_eq!(head, expected);
}

#[test]
fn a_value_may_contain_any_byte_but_control_characters() {
    let head = head(|cx| {
        cx.set_header("X-Tab", "a\tb")?;
        cx.set_header("X-Empty", "")?;
        cx.set_header("X-Utf8", "é→")
    });
    let expected =
        ["HTTP/1.1 200 OK", "X-Tab: a\tb", "X-Empty: ", "X-Utf8: é→", "Content-Length: 0"];
    assert_eq!(head, expected);
}

#[test]
fn an_invalid_header_value_is_an_error_of_the_handler() {
    const VALUES: [&str; 7] =
        ["a\r\nX-Injected: 1", "a\nb", "a\rb", "a\0b", "\r\n\r\n<body>", "a\u{7f}", "\u{1b}[2J"];
    const NAMES: [&str; 8] = ["", "X A", "X:A", "X-A\r\nX-Injected", "\0", "X-é", "(", "X-A "];
    let acts: [Act; 4] = [
        |cx| {
            for value in VALUES {
                assert!(cx.set_header("X-A", value).is_err(), "{value:?}");
                assert!(cx.add_header("X-A", value).is_err(), "{value:?}");
                assert!(cx.add_trailer("X-A", value).is_err(), "{value:?}");
                assert!(cx.redirect(value).is_err(), "{value:?}");
            }
            for name in NAMES {
                assert!(cx.set_header(name, "a").is_err(), "{name:?}");
                assert!(cx.add_header(name, "a").is_err(), "{name:?}");
                assert!(cx.add_trailer(name, "a").is_err(), "{name:?}");
            }
            Ok(())
        },
        |cx| cx.set_header("X-A", VALUES[0]),
        |cx| cx.set_header(NAMES[3], "a"),
        |cx| cx.redirect(VALUES[4]),
    ];
    for (act, status) in acts.into_iter().zip([200, 500, 500, 500]) {
        let exchange = acting(act).exchange(GET);
        assert_eq!(exchange.only().status, status);
        assert!(!exchange.only().raw.contains("X-Injected"));
        assert!(
            !exchange.only().headers.iter().any(|(name, _)| name == "X-A" || name == "Location")
        );
        assert!(exchange.kept);
    }
}

#[test]
fn handlers_cannot_set_the_framing() {
    let head = head(|cx| {
        cx.set_header("Transfer-Encoding", "gzip")?;
        cx.add_header("Content-Length", "0")?;
        cx.add_header("Content-Length", "7")?;
        cx.set_header("Connection", "X-Secret, keep-alive")
    });
    assert_eq!(head, ["HTTP/1.1 200 OK", "Content-Length: 0"]);
}

#[test]
fn the_status_line_names_the_status() {
    let acts: [(Act, &str); 6] = [
        (
            |cx| {
                cx.set_status(StatusCode::CREATED);
                Ok(())
            },
            "HTTP/1.1 201 Created",
        ),
        (
            |cx| {
                cx.set_status(StatusCode::IM_A_TEAPOT);
                Ok(())
            },
            "HTTP/1.1 418 I'm a teapot",
        ),
        (
            |cx| {
                cx.set_status(StatusCode::from_u16(299)?);
                Ok(())
            },
            "HTTP/1.1 299 Unknown",
        ),
        (
            |cx| {
                cx.set_status(StatusCode::from_u16(999)?);
                Ok(())
            },
            "HTTP/1.1 999 Unknown",
        ),
        (
            |cx| {
                cx.set_status(StatusCode::CREATED);
                cx.set_status(StatusCode::OK);
                Ok(())
            },
            "HTTP/1.1 200 OK",
        ),
        (
            |cx| {
                cx.set_status_with_reason(StatusCode::CREATED, "Mine");
                cx.set_status(StatusCode::CREATED);
                Ok(())
            },
            "HTTP/1.1 201 Created",
        ),
    ];
    for (act, line) in acts {
        assert_eq!(head(act)[0], line);
    }
}

#[test]
fn a_valid_reason_is_on_the_status_line() {
    let reasons = [
        ("Because", "Because"),
        ("two words\tand a tab", "two words\tand a tab"),
        ("", ""),
        ("<script>", "<script>"),
        ("Größe", "Größe"),
        ("a\r\nX-Injected: 1", "Unknown"),
        ("a\nb", "Unknown"),
        ("a\rb", "Unknown"),
        ("\0", "Unknown"),
        ("\u{7f}", "Unknown"),
        ("OK\r\n\r\n<body>", "Unknown"),
    ];
    for (reason, sent) in reasons {
        let client = TestClient::new(Application::new([
            route(
                "/set",
                get(async move |cx: &mut Context| {
                    cx.set_status_with_reason(StatusCode::OK, reason)
                }),
            ),
            route(
                "/error",
                get(async move || Err::<(), _>(HTTPError::NOT_FOUND.with_reason(reason))),
            ),
        ]));
        for (path, code) in [("/set", 200), ("/error", 404)] {
            let answer = client.exchange(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
            let (line, rest) = answer.split_once("\r\n").unwrap();
            assert_eq!(line, format!("HTTP/1.1 {code} {sent}"), "{reason:?}");
            assert!(!rest.contains("X-Injected") && !rest.contains("<body>\r\n"), "{answer}");
        }
        let page = client.get("/error").send().text();
        let shown = sent.replace('<', "&lt;").replace('>', "&gt;");
        let expected = format!("<html><title>404: {shown}</title><body>404: {shown}</body></html>");
        assert_eq!(page, expected, "the page says the same as the status line");
    }
}

#[test]
fn a_reason_may_hold_all_characters_but_controls() {
    for character in ('\0'..='\u{ff}').chain(['\u{20ac}', '\u{2028}', '\u{1f980}']) {
        let reason = format!("a{character}b");
        let may = character == '\t' || !character.is_ascii_control();
        let sent = if may { reason.clone() } else { "Unknown".to_owned() };
        let set = async move |cx: &mut Context| {
            cx.set_status_with_reason(StatusCode::OK, reason.as_str());
        };
        let client = TestClient::new(Application::new([route("/", get(set))]));
        let answer = client.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(answer.split_once("\r\n").unwrap().0, format!("HTTP/1.1 200 {sent}"));
    }
}

#[test]
fn the_date_is_the_present_time() {
    let server = acting(|_| Ok(()));
    let mut client = server.connect();
    client.send(GET);
    let date = client.response().header("date").unwrap().to_owned();
    let date = httpdate::parse_http_date(&date).unwrap_or_else(|_| panic!("no date: {date}"));
    // The date has whole seconds only, and it may be one turn old.
    let age = SystemTime::now().duration_since(date).unwrap();
    assert!(age < Duration::from_secs(10), "{age:?}");
}

#[test]
fn a_handler_may_have_its_own_date_and_server() {
    let server = acting(|cx| {
        cx.set_header("Date", "Thu, 01 Jan 1970 00:00:00 GMT")?;
        cx.set_header("Server", "mine")
    });
    let exchange = server.exchange(GET);
    let response = exchange.only();
    assert_eq!(response.header_values("date"), ["Thu, 01 Jan 1970 00:00:00 GMT"]);
    assert_eq!(response.header_values("server"), ["mine"]);
}

#[test]
fn only_a_response_with_a_body_has_a_content_type() {
    let acts: [(Act, Option<&str>); 8] = [
        (|cx| cx.write("text"), Some("text/html; charset=UTF-8")),
        (|cx| cx.write(vec![0, 159]), Some("text/html; charset=UTF-8")),
        (|cx| cx.write(Bytes::from_static(b"b")), Some("text/html; charset=UTF-8")),
        (|cx| cx.json(&[1, 2]), Some("application/json; charset=UTF-8")),
        (
            |cx| {
                cx.set_header("Content-Type", "image/png")?;
                cx.write("png")
            },
            Some("image/png"),
        ),
        (|_| Ok(()), None),
        (|cx| cx.write(""), None),
        (|cx| cx.set_header("Content-Type", "text/plain"), Some("text/plain")),
    ];
    for (act, expected) in acts {
        assert_eq!(acting(act).exchange(GET).only().header("content-type"), expected);
    }
}

#[test]
fn headers_of_one_response_are_not_in_the_next() {
    async fn once(cx: &mut Context) -> Result {
        if cx.header("x-first").is_some() {
            cx.set_status_with_reason(StatusCode::CREATED, "First");
            cx.set_header("X-A", "1")?;
            cx.set_header("Content-Type", "text/plain")?;
            cx.set_header("Connection", "keep-alive")?;
            cx.add_trailer("X-T", "1")?;
        }
        cx.write("hello")
    }
    let server = Server::start(|| Application::new([route("/", get(once))]));
    let second = server.exchange(GET);
    let both = server.exchange(format!("GET / HTTP/1.1\r\nHost: a\r\nX-First: 1\r\n\r\n{GET}"));
    assert_eq!(both.statuses(), [201, 200]);
    assert_eq!(both.responses[1], *second.only());
}
