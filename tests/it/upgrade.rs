use std::time::Duration;

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use squall::testing::TestClient;
use squall::{
    Application, Context, HTTPError, IOLoop, Method, RequestHandler, Result, StatusCode, Upgraded,
    get, post, route, sleep,
};

use crate::events::{Teller, events};
use crate::wire::{Ending, Server};

/// Gives back each byte that comes.
async fn echo(mut stream: Upgraded) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

async fn to_echo(cx: &mut Context) -> Result {
    cx.set_header("Upgrade", "echo")?;
    cx.upgrade(echo)
}

fn server() -> Server {
    Server::start(|| {
        Application::new([
            route("/", get(to_echo).post(to_echo)),
            route("/streaming", post(to_echo)).stream_request_body(),
            route("/hello", get(async || "hello")),
        ])
    })
}

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";

const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols\r\nServer: Squall/0.1.0\r\n\
    Upgrade: echo\r\nDate:\r\nConnection: Upgrade\r\n\r\n";

#[test]
fn both_directions_are_open() {
    let server = server();
    let mut client = server.connect();
    client.send(REQUEST);
    assert_eq!(client.response().raw, SWITCHING);
    for text in ["one", "two two", "GET / HTTP/1.1\r\n\r\n"] {
        client.send(text);
        assert_eq!(client.until(text), text.as_bytes());
    }
    // The end of one direction does not end the other.
    client.send("last");
    client.finish();
    assert_eq!(client.rest(), b"last");
}

#[test]
fn bytes_behind_the_request_are_the_first_to_be_read() {
    let server = server();
    let early = ["x".to_owned(), "y".repeat(5000), "z".repeat(300_000)];
    for early in early {
        let mut client = server.connect();
        client.send(format!("{REQUEST}{early}"));
        assert_eq!(client.response().raw, SWITCHING);
        assert!(client.until(&early) == early.as_bytes());
        client.send("and more");
        client.finish();
        assert_eq!(client.rest(), b"and more");

        let mut client = server.connect();
        client.send_slowly(format!("{REQUEST}{early}"));
        assert_eq!(client.response().raw, SWITCHING);
        client.finish();
        assert!(client.rest() == early.as_bytes());
    }
}

#[test]
fn early_bytes_are_read_in_the_pieces_that_are_asked_for() {
    async fn sip(mut stream: Upgraded) {
        let mut all = Vec::new();
        let mut byte = [0];
        while let Ok(1) = stream.read(&mut byte).await {
            all.push(byte[0]);
        }
        let _ = stream.write_all(&all).await;
    }
    let client = TestClient::new(Application::new([route(
        "/",
        get(async |cx: &mut Context| {
            cx.set_header("Upgrade", "echo")?;
            cx.upgrade(sip)
        }),
    )]));
    let answer = client.exchange(format!("{REQUEST}abcdefghij"));
    assert!(answer.ends_with("\r\n\r\nabcdefghij"), "{answer}");
}

#[test]
fn earlier_requests_are_answered_first() {
    let server = server();
    let mut client = server.connect();
    client.send(format!("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n{REQUEST}early"));
    assert_eq!(client.response().text(), "hello");
    assert_eq!(client.response().raw, SWITCHING);
    assert_eq!(client.until("early"), b"early");
}

#[test]
fn dropping_the_stream_ends_the_connection_and_closing_only_one_side() {
    async fn say_and_drop(mut stream: Upgraded) {
        stream.write_all(b"bye").await.unwrap();
    }
    async fn say_and_listen(mut stream: Upgraded, teller: Teller) {
        stream.write_all(b"bye").await.unwrap();
        stream.close().await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        teller.tell(if text == "still here" { "heard" } else { "misheard" });
    }
    let (teller, events) = events();
    let server = Server::start(|| {
        Application::new([
            route(
                "/drop",
                get(async |cx: &mut Context| {
                    cx.set_header("Upgrade", "echo")?;
                    cx.upgrade(say_and_drop)
                }),
            ),
            route(
                "/close",
                get(async move |cx: &mut Context| {
                    let teller = teller.clone();
                    cx.set_header("Upgrade", "echo")?;
                    cx.upgrade(async move |stream| say_and_listen(stream, teller).await)
                }),
            ),
        ])
    });
    for path in ["/drop", "/close"] {
        let mut client = server.connect();
        client.send(REQUEST.replace(" / ", &format!(" {path} ")));
        assert_eq!(client.response().status, 101);
        assert_eq!(client.rest(), b"bye", "{path}");
        if path == "/close" {
            client.send("still here");
            client.finish();
            events.expect("heard");
        }
    }
}

#[test]
fn a_request_that_nothing_can_follow_is_refused() {
    let server = server();
    let requests = [
        ("HTTP/1.0", "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"),
        (
            "HTTP/1.0, kept",
            "GET / HTTP/1.0\r\nConnection: upgrade, keep-alive\r\nUpgrade: echo\r\n\r\n",
        ),
        (
            "a body that was read",
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\
             Content-Length: 4\r\n\r\nbody",
        ),
        (
            "a body that was not read",
            "POST /streaming HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\
             Content-Length: 4\r\n\r\nbody",
        ),
        (
            "chunks that were not read",
            "POST /streaming HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\
             Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "chunks that were read",
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\
             Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
    ];
    for (what, request) in requests {
        let exchange = server.exchange(request);
        assert_eq!(exchange.statuses(), [400], "{what}");
        assert_eq!(exchange.only().header("upgrade"), None, "{what}");
        assert_eq!(
            exchange.kept,
            !request.starts_with("GET / HTTP/1.0\r\nConnection: upgrade\r\n")
        );
    }
    let empty = "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\
        Content-Length: 0\r\n\r\n";
    let mut client = server.connect();
    client.send(empty);
    assert_eq!(client.response().status, 101, "no body is no obstacle");
}

#[test]
fn a_client_that_does_not_ask_for_another_protocol_is_not_given_one() {
    let server = server();
    let headers = [
        "",
        "Connection: upgrade\r\n",
        "Upgrade: echo\r\n",
        "Connection: keep-alive\r\nUpgrade: echo\r\n",
        "Connection: upgrade2\r\nUpgrade: echo\r\n",
    ];
    for headers in headers {
        let exchange = server.exchange(format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n"));
        assert_eq!(exchange.statuses(), [400], "{headers:?}");
        assert!(exchange.kept);
    }
    for headers in [
        "Connection: Upgrade\r\nUpgrade: echo\r\n",
        "connection: keep-alive, UPGRADE\r\nupgrade: other, echo\r\n",
        "Connection: keep-alive\r\nConnection: upgrade\r\nUpgrade: echo\r\n",
    ] {
        let mut client = server.connect();
        client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n"));
        assert_eq!(client.response().raw, SWITCHING, "{headers:?}");
    }
}

#[test]
fn a_late_or_failed_upgrade_is_not_performed() {
    async fn flushed(cx: &mut Context) -> Result {
        cx.write("part")?;
        cx.flush().await?;
        assert!(cx.upgrade(echo).is_err());
        Ok(())
    }
    async fn fails(cx: &mut Context) -> Result {
        to_echo(cx).await?;
        Err(HTTPError::CONFLICT)?
    }
    async fn panics(cx: &mut Context) -> Result {
        to_echo(cx).await?;
        panic!("behind the upgrade")
    }
    async fn writes(cx: &mut Context) -> Result {
        to_echo(cx).await?;
        cx.write("more")
    }
    let server = Server::start(|| {
        Application::new([
            route("/flushed", get(flushed)),
            route("/fails", get(fails)),
            route("/panics", get(panics)),
            route("/writes", get(writes)),
            route("/nameless", get(async |cx: &mut Context| cx.upgrade(echo))),
        ])
    });
    for (path, status) in
        [("/flushed", 200), ("/fails", 409), ("/panics", 500), ("/writes", 500), ("/nameless", 500)]
    {
        let exchange = server.exchange(REQUEST.replace(" / ", &format!(" {path} ")));
        assert_eq!(exchange.statuses(), [status], "{path}");
        assert_eq!(exchange.only().header("connection"), None);
        assert!(exchange.kept, "{path}");
    }
}

/// A proxy that has passed a 101 on takes all that follows for bytes of the new protocol.
#[test]
fn a_connection_is_no_longer_http_once_a_101_has_left() {
    async fn send_101(cx: &mut Context) -> Result {
        to_echo(cx).await?;
        cx.flush().await
    }
    #[derive(Clone)]
    struct Failing;

    impl RequestHandler for Failing {
        async fn get(&mut self, cx: &mut Context) -> Result {
            send_101(cx).await?;
            Err(HTTPError::CONFLICT)?
        }
    }
    async fn fails(cx: &mut Context) -> Result {
        send_101(cx).await?;
        Err(HTTPError::CONFLICT)?
    }
    async fn panics(cx: &mut Context) -> Result {
        send_101(cx).await?;
        panic!("behind the 101")
    }
    async fn changes_its_mind(cx: &mut Context) -> Result {
        send_101(cx).await?;
        cx.set_status(StatusCode::OK);
        assert_eq!(cx.status(), StatusCode::SWITCHING_PROTOCOLS, "the client has been told so");
        Ok(())
    }
    async fn sends_an_error(cx: &mut Context) -> Result {
        send_101(cx).await?;
        cx.send_error(&HTTPError::CONFLICT.into());
        Ok(())
    }
    async fn waits(cx: &mut Context) -> Result {
        send_101(cx).await?;
        sleep(Duration::from_secs(3600)).await;
        Ok(())
    }
    let server = Server::start(|| {
        let routes = [
            route("/handler", Failing),
            route("/fails", get(fails)),
            route("/panics", get(panics)),
            route("/status", get(changes_its_mind)),
            route("/send-error", get(sends_an_error)),
            route("/waits", get(waits)).handler_timeout(Duration::from_millis(20)),
            route("/middleware", get(send_101)),
            route("/hello", get(async || "hello")),
        ];
        Application::new(routes).around(async |cx, next| {
            next.run(cx).await?;
            if &*cx.path() == "/middleware" { Err(HTTPError::CONFLICT)? } else { Ok(()) }
        })
    });
    let paths =
        ["/handler", "/fails", "/panics", "/status", "/send-error", "/waits", "/middleware"];
    for path in paths {
        let hidden = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
        let mut client = server.connect();
        client.send(REQUEST.replace(" / ", &format!(" {path} ")) + hidden);
        assert_eq!(client.response().raw, SWITCHING, "{path}");
        client.send(hidden);
        assert_eq!(client.rest(), b"", "{path}");
    }
}

/// A proxy takes what follows a successful response to CONNECT for bytes of a tunnel.
#[test]
fn a_connection_is_no_longer_http_after_a_successful_response_to_connect() {
    let server = Server::start(|| {
        Application::new([route("/", get(async || "hello"))]).around(async |cx, next| {
            if *cx.method() != Method::CONNECT {
                return next.run(cx).await;
            }
            cx.set_status(StatusCode::from_bytes(cx.header("x-status").unwrap().as_bytes())?);
            cx.write("no tunnel")
        })
    });
    for (status, is_kept) in [(200, false), (202, false), (299, false), (302, true), (403, true)] {
        let exchange = server
            .exchange(format!("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nX-Status: {status}\r\n\r\n"));
        assert_eq!(exchange.statuses(), [status]);
        assert_eq!(exchange.kept, is_kept, "{status}");
        let expected = if is_kept { None } else { Some("close") };
        assert_eq!(exchange.only().header("connection"), expected, "{status}");
    }
}

#[test]
fn the_handler_is_dropped_before_the_other_protocol_begins() {
    #[derive(Clone)]
    struct Switching(Teller);

    impl RequestHandler for Switching {
        async fn get(&mut self, cx: &mut Context) -> Result {
            let _dropped = self.0.at_drop("the handler is gone");
            let teller = self.0.clone();
            cx.write("thrown away")?;
            cx.set_header("Upgrade", "echo")?;
            cx.upgrade(async move |stream| {
                teller.tell("the protocol begins");
                echo(stream).await;
                teller.tell("the protocol ends");
            })
        }

        fn on_finish(&mut self, _: &mut Context) {
            self.0.tell("on_finish");
        }
    }
    let (teller, events) = events();
    let server = Server::start(|| Application::new([route("/", Switching(teller))]));
    let mut client = server.connect();
    client.send(REQUEST);
    assert_eq!(client.response().raw, SWITCHING);
    for event in ["the handler is gone", "on_finish", "the protocol begins"] {
        events.expect(event);
    }
    client.finish();
    events.expect("the protocol ends");
    assert_eq!(client.rest(), b"");
}

#[test]
fn the_time_outs_of_http_do_not_hold_for_another_protocol() {
    let client = TestClient::new(Application::new([route("/", get(to_echo))]));
    let mut connection = client.connect();
    connection.send(REQUEST);
    assert!(connection.receive_until("\r\n\r\n").starts_with("HTTP/1.1 101 "));
    for text in ["one", "two"] {
        IOLoop::current().run_sync(sleep(Duration::from_secs(1_000_000))).unwrap();
        connection.send(text);
        assert_eq!(connection.receive_until(text), text);
    }
}

#[test]
fn a_protocol_that_panics_ends_its_connection_and_no_other() {
    let panics = async |cx: &mut Context| {
        cx.set_header("Upgrade", "echo")?;
        cx.upgrade(async |_| panic!("in the other protocol"))
    };
    let client = TestClient::new(Application::new([
        route("/panics", get(panics)),
        route("/", get(to_echo)),
    ]));
    let mut other = client.connect();
    other.send(REQUEST);
    other.receive_until("\r\n\r\n");
    let answer = client.exchange(REQUEST.replace(" / ", " /panics "));
    assert!(answer.starts_with("HTTP/1.1 101 ") && answer.ends_with("\r\n\r\n"), "{answer}");
    other.send("still here");
    assert_eq!(other.receive_until("still here"), "still here");
}

#[test]
fn the_other_protocol_knows_its_client_and_sees_its_disconnect() {
    async fn listen(mut stream: Upgraded, teller: Teller) {
        assert!(stream.remote_addr().unwrap().ip().is_loopback());
        teller.tell("listens");
        let end = stream.read(&mut [0]).await.map_err(|error| error.kind());
        teller.tell(match end {
            Ok(0) => "finished",
            Err(std::io::ErrorKind::ConnectionReset) => "reset",
            _ => "something else",
        });
    }
    let (teller, events) = events();
    let server = Server::start(|| {
        let handler = async move |cx: &mut Context| {
            let teller = teller.clone();
            cx.set_header("Upgrade", "echo")?;
            cx.upgrade(async move |stream| listen(stream, teller).await)
        };
        Application::new([route("/", get(handler))])
    });
    let mut client = server.connect();
    client.send(REQUEST);
    client.response();
    events.expect("listens");
    client.finish();
    events.expect("finished");
    assert_eq!(client.rest_and_ending(), (Vec::new(), Ending::Closed));

    let mut client = server.connect();
    client.send(REQUEST);
    client.response();
    events.expect("listens");
    client.reset();
    events.expect("reset");
}
