use futures_lite::{StreamExt, stream};
use squall::testing::TestClient;
use squall::{
    Application, Bytes, Context, Failure, HTTPError, Html, Json, NoContent, Redirect, Result,
    StatusCode, StreamBody, delete, get, post, route,
};

use crate::events::events;

fn client<const N: usize>(rows: [squall::Route; N]) -> TestClient {
    TestClient::new(Application::new(rows))
}

#[test]
fn a_function_that_returns_text_sends_plain_text_and_one_that_writes_sends_html() {
    const PLAIN: &str = "text/plain; charset=UTF-8";
    const HTML: &str = "text/html; charset=UTF-8";
    const BYTES: &str = "application/octet-stream";
    async fn own_type(cx: &mut Context) -> Result<&'static str> {
        cx.set_header("Content-Type", "text/css")?;
        Ok("a {}")
    }
    let client = client([
        route("/str", get(async || "a")),
        route("/string", get(async || "a".to_owned())),
        route("/text", get(async |cx: &mut Context| cx.path())),
        route("/vec", get(async || vec![b'a'])),
        route("/bytes", get(async || Bytes::from_static(b"a"))),
        route("/html", get(async || Html("a"))),
        route("/written", get(async |cx: &mut Context| cx.write("a"))),
        route("/own", get(own_type)),
        route("/json", get(async || Json("a"))),
        route("/status", get(async || (StatusCode::OK, "a"))),
    ]);
    for (path, expected) in [
        ("/str", PLAIN),
        ("/string", PLAIN),
        ("/text", PLAIN),
        ("/vec", BYTES),
        ("/bytes", BYTES),
        ("/html", HTML),
        ("/written", HTML),
        ("/own", "text/css"),
        ("/json", "application/json; charset=UTF-8"),
        ("/status", PLAIN),
    ] {
        assert_eq!(client.get(path).send().header("content-type"), Some(expected), "{path}");
    }
    let empty = crate::responses::client([route("/", get(async || ""))]).get("/").send();
    assert_eq!(empty.header("content-type"), None, "an empty body has no type");
}

#[test]
fn statuses_headers_options_and_redirects_are_responses() {
    async fn created() -> (StatusCode, [(&'static str, &'static str); 2], Json<u8>) {
        (StatusCode::CREATED, [("Location", "/7"), ("X-A", "b")], Json(7))
    }
    let client = client([
        route("/created", post(created)),
        route("/some/{id}", get(async |id: u8| (id == 7).then_some("seven"))),
        route("/gone", delete(async || NoContent)),
        route("/303", get(async || Redirect::to("/a b"))),
        route("/307", get(async || Redirect::temporary("/\u{e9}"))),
        route("/308", get(async || Redirect::permanent("https://example.com/"))),
        route("/bad", get(async || Redirect::to("/a\r\nX: y"))),
    ]);
    let response = client.post("/created").send();
    assert_eq!((response.status().as_u16(), &*response.text()), (201, "7"));
    assert_eq!(response.header("location"), Some("/7"));
    assert_eq!(response.header("x-a"), Some("b"));
    assert_eq!(client.get("/some/7").send().text(), "seven");
    assert_eq!(client.get("/some/8").send().status(), 404);
    let response = client.delete("/gone").send();
    assert_eq!((response.status().as_u16(), response.body()), (204, &b""[..]));
    for (path, status, location) in
        [("/303", 303, "/a%20b"), ("/307", 307, "/%C3%A9"), ("/308", 308, "https://example.com/")]
    {
        let response = client.get(path).send();
        assert_eq!(
            (response.status().as_u16(), response.header("location")),
            (status, Some(location))
        );
    }
    assert_eq!(client.get("/bad").send().status(), 500);
}

#[test]
fn a_stream_is_sent_piece_by_piece_and_its_error_cuts_the_connection() {
    async fn numbers() -> StreamBody {
        StreamBody::new(stream::iter(0..3).map(|number| format!("{number},")))
    }
    async fn fails() -> StreamBody {
        let pieces = [Ok("one, "), Err(HTTPError::BAD_GATEWAY)];
        StreamBody::fallible(stream::iter(pieces))
    }
    async fn fails_at_once() -> StreamBody {
        StreamBody::fallible(stream::iter([Err::<&str, _>(HTTPError::BAD_GATEWAY)]))
    }
    let client = client([
        route("/numbers", get(numbers)),
        route("/fails", get(fails)),
        route("/fails-at-once", get(fails_at_once)),
    ]);
    let response = client.get("/numbers").send();
    assert_eq!((&*response.text(), response.is_complete()), ("0,1,2,", true));
    assert_eq!(response.header("content-type"), Some("application/octet-stream"));
    let response = client.get("/fails").send();
    assert_eq!((&*response.text(), response.is_complete()), ("one, ", false));
    assert_eq!(client.get("/fails-at-once").send().status(), 502);
    assert_eq!(client.head("/numbers").send().body(), b"");
}

#[test]
fn a_handler_may_respond_with_a_stream() {
    #[derive(Clone)]
    struct Numbers;
    impl squall::RequestHandler for Numbers {
        async fn get(&mut self, cx: &mut Context) -> Result {
            use squall::Respond;
            StreamBody::new(stream::iter(["1", "2"])).respond(cx)
        }
    }
    assert_eq!(client([route("/", Numbers)]).get("/").send().text(), "12");
}

#[test]
fn a_message_for_the_client_is_also_logged() {
    let taken = async || -> Result { Err(HTTPError::CONFLICT.with_message("taken"))? };
    let server = crate::wire::Server::start(move || Application::new([route("/", get(taken))]));
    server.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let logged = server.log();
    assert!(logged.iter().any(|line| line.ends_with("HTTP 409: Conflict (taken)")), "{logged:?}");
}

#[test]
fn a_stream_is_dropped_when_the_client_disconnects() {
    let (teller, events) = events();
    let endless = async move || {
        let noted = teller.at_drop("dropped");
        StreamBody::new(stream::repeat("x").map(move |piece| {
            let _ = &noted;
            piece
        }))
    };
    let client = client([route("/", get(endless))]);
    let mut connection = client.connect();
    connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    connection.receive_until("x");
    assert_eq!(events.so_far(), Vec::<&str>::new(), "the stream waits for the client");
    drop(connection);
    client.finish_shutdown();
    assert_eq!(events.so_far(), ["dropped"]);
}

#[derive(Debug)]
enum NoteError {
    Missing,
    Broken,
}

impl std::fmt::Display for NoteError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for NoteError {}

impl Failure for NoteError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Missing => StatusCode::NOT_FOUND,
            Self::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

async fn typed(broken: bool) -> Result<&'static str, NoteError> {
    Err(if broken { NoteError::Broken } else { NoteError::Missing })
}

async fn raised() -> Result<&'static str> {
    Err(NoteError::Missing)?
}

#[test]
fn a_failure_has_its_status_also_behind_a_question_mark() {
    let client = client([route("/typed/{broken}", get(typed)), route("/raised", get(raised))]);
    assert_eq!(client.get("/typed/false").send().status(), 404);
    assert_eq!(client.get("/typed/true").send().status(), 500);
    assert_eq!(client.get("/raised").send().status(), 404, "another function returns the type");
    let alone = TestClient::new(Application::new([route("/raised", get(raised))]));
    assert_eq!(alone.get("/raised").send().status(), 500, "the type is not known");
}

#[test]
fn a_hook_for_one_error_type_comes_before_the_hook_for_all() {
    let app = Application::new([
        route("/typed/{broken}", get(typed)),
        route("/other", get(async || -> Result { Err(HTTPError::CONFLICT)? })),
    ]);
    let client = TestClient::new(
        app.on_error(|cx, error| write!(cx, "any {}", error.status().as_u16()))
            .on_error_of(|_, error: &NoteError| (StatusCode::GONE, format!("note {error}"))),
    );
    let response = client.get("/typed/false").send();
    assert_eq!((response.status().as_u16(), &*response.text()), (410, "note Missing"));
    for (path, status) in [("/other", 409), ("/nowhere", 404), ("/typed/neither", 404)] {
        let response = client.get(path).send();
        assert_eq!(
            (response.status().as_u16(), response.text()),
            (status, format!("any {status}"))
        );
    }
    assert_eq!(client.post("/other").send().text(), "any 405");
    assert!(client.exchange("no request\r\n\r\n").ends_with("any 400"));
}

#[test]
fn a_hook_that_sends_an_error_itself_is_not_called_again() {
    let app = Application::new([]).on_error(|cx, _| {
        cx.send_error(&HTTPError::new(StatusCode::IM_A_TEAPOT).into());
        Ok(())
    });
    let response = TestClient::new(app).get("/").send();
    assert_eq!(response.status(), 418);
}

#[test]
fn a_hook_that_fails_or_panics_is_a_500_without_a_body() {
    for fails in [true, false] {
        let app = Application::new([]).on_error(move |_, _| {
            assert!(fails, "in the hook");
            Err(HTTPError::CONFLICT)?
        });
        let response = TestClient::new(app).get("/").send();
        assert_eq!((response.status().as_u16(), response.body()), (500, &b""[..]));
    }
}

#[test]
fn an_error_may_have_a_message_and_a_body_for_the_client() {
    let message = async || -> Result { Err(HTTPError::CONFLICT.with_message("taken & <gone>"))? };
    let body = async || -> Result {
        Err(HTTPError::CONFLICT.with_body("text/x-own", "own").with_header("X-A", "b"))?
    };
    let client = client([route("/message", get(message)), route("/body", get(body))]);
    assert_eq!(
        client.get("/message").send().text(),
        "<html><title>409: Conflict</title><body>409: Conflict<br>taken &amp; &lt;gone&gt;</body></html>",
    );
    let response = client.get("/body").send();
    assert_eq!((response.status().as_u16(), &*response.text()), (409, "own"));
    assert_eq!(response.header("content-type"), Some("text/x-own"));
    assert_eq!(response.header("x-a"), Some("b"));
}

#[test]
fn functions_of_on_stop_run_in_order_when_the_server_ends() {
    let (teller, events) = events();
    let (first, second) = (teller.clone(), teller);
    let app = Application::new([])
        .on_stop(async move || {
            squall::sleep(std::time::Duration::from_secs(1)).await;
            first.tell("first");
        })
        .on_stop(async || panic!("while stopping"))
        .on_stop(async move || second.tell("second"));
    TestClient::new(app).finish_shutdown();
    assert_eq!(events.so_far(), ["first", "second"]);
}
