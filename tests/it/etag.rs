use squall::testing::TestClient;
use squall::{Application, Context, Functions, Method, Result, StatusCode, get, route};

use crate::wire::Server;

/// XXH3 of "hello", 128 bits.
const HELLO: &str = "\"9555e8555c62dcfd\"";

fn serving(functions: Functions) -> TestClient {
    TestClient::new(Application::new([route("/", functions)]))
}

async fn hello() -> &'static str {
    "hello"
}

#[test]
fn a_whole_body_has_a_tag_that_depends_on_its_bytes_alone() {
    async fn pieces(cx: &mut Context) -> Result {
        cx.set_header("X-Own", "1")?;
        cx.set_header("Content-Type", "text/plain")?;
        cx.write("he")?;
        cx.write(Vec::from("llo"))
    }
    async fn large(cx: &mut Context) -> Result {
        for length in [1, 10_000, 2, 20_000] {
            cx.write(vec![b'l'; length])?;
        }
        Ok(())
    }
    let tag = |client: &TestClient| client.get("/").send().header("etag").unwrap().to_owned();
    assert_eq!(tag(&serving(get(hello))), HELLO);
    assert_eq!(tag(&serving(get(pieces))), HELLO);
    assert_ne!(tag(&serving(get(async || "hello!"))), HELLO);
    assert_eq!(tag(&serving(get(large))), tag(&serving(get(async || vec![b'l'; 30_003]))));
}

#[test]
fn only_a_whole_200_to_get_and_head_has_a_tag() {
    async fn flushed(cx: &mut Context) -> Result {
        cx.write("hello")?;
        cx.flush().await
    }
    async fn declared_and_flushed(cx: &mut Context) -> Result {
        cx.set_header("Content-Length", "5")?;
        flushed(cx).await
    }
    let (ok, created, error) =
        (StatusCode::OK, StatusCode::CREATED, StatusCode::INTERNAL_SERVER_ERROR);
    let client = TestClient::new(Application::new([
        route("/", get(hello).post(hello).put(hello).patch(hello).delete(hello)),
        route("/options", Functions::default().on(Method::OPTIONS, hello)),
        route("/created", get(async move || (created, "hello"))),
        route("/error", get(async move || (error, "hello"))),
        route("/ok", get(async move || (ok, "hello"))),
        route("/flushed", get(flushed)),
        route("/declared-and-flushed", get(declared_and_flushed)),
        route("/empty", get(async || "")),
    ]));
    let cases = [
        ("GET", "/", true),
        ("HEAD", "/", true),
        ("GET", "/ok", true),
        ("POST", "/", false),
        ("PUT", "/", false),
        ("PATCH", "/", false),
        ("DELETE", "/", false),
        ("OPTIONS", "/options", false),
        ("GET", "/created", false),
        ("GET", "/error", false),
        ("GET", "/nowhere", false),
        ("GET", "/flushed", false),
        ("GET", "/declared-and-flushed", false),
        ("GET", "/empty", false),
    ];
    for (method, path, has_tag) in cases {
        let response = client.request(Method::from_bytes(method.as_bytes()).unwrap(), path).send();
        assert_eq!(response.header("etag"), has_tag.then_some(HELLO), "{method} {path}");
    }
}

#[test]
fn if_none_match_star_turns_every_200_to_get_and_head_into_a_304() {
    async fn flushed(cx: &mut Context) -> Result {
        cx.write("hel")?;
        cx.flush().await?;
        cx.write("lo")
    }
    async fn declared_and_flushed(cx: &mut Context) -> Result {
        cx.set_header("Content-Length", "5")?;
        flushed(cx).await
    }
    async fn file(cx: &mut Context) -> Result {
        cx.send_file("Cargo.toml").await
    }
    async fn file_and_flush(cx: &mut Context) -> Result {
        cx.send_file("Cargo.toml").await?;
        cx.flush().await
    }
    async fn finished(cx: &mut Context) -> Result {
        cx.write("hello")?;
        cx.finish()
    }
    let created = StatusCode::CREATED;
    let app = move || {
        Application::new([
            route("/", get(hello).post(hello).put(hello)),
            route("/empty", get(async || "")),
            route("/nothing", get(async || ())),
            route("/flushed", get(flushed).post(flushed)),
            route("/declared-and-flushed", get(declared_and_flushed)),
            route("/file", get(file)),
            route("/file-and-flush", get(file_and_flush)),
            route("/finished", get(finished)),
            route("/created", get(async move || (created, ""))),
            route("/no-content", get(async || StatusCode::NO_CONTENT)),
            route("/gone", get(async || StatusCode::GONE)),
            route("/moved", get(async |cx: &mut Context| cx.redirect("/"))),
        ])
    };
    let server = Server::start(app);
    let expected = "HTTP/1.1 304 Not Modified\r\nServer: Squall/0.1.0\r\nDate:\r\n";
    let paths = [
        "/empty",
        "/nothing",
        "/flushed",
        "/declared-and-flushed",
        "/file",
        "/file-and-flush",
        "/finished",
    ];
    for (path, method) in paths.iter().flat_map(|path| [(path, "GET"), (path, "HEAD")]) {
        // Also a file is not looked at by its date then.
        let since = "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
        for extra in ["", since] {
            let exchange = server.exchange(format!(
                "{method} {path} HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n{extra}\r\n"
            ));
            let response = exchange.only();
            assert_eq!(exchange.statuses(), [304], "{method} {path}");
            assert!(response.raw.starts_with("HTTP/1.1 304 Not Modified\r\n"));
            assert!(response.raw.ends_with("\r\n\r\n"), "{method} {path}: no body");
            assert_eq!(response.header("content-length"), None, "{method} {path}");
            assert_eq!(response.header("transfer-encoding"), None, "{method} {path}");
            assert!(exchange.kept, "{method} {path}");
            if path.ends_with("flushed") || *path == "/empty" || *path == "/nothing" {
                assert_eq!(response.raw, format!("{expected}\r\n"), "{method} {path}");
            }
        }
    }
    for (method, path, status) in [
        ("POST", "/", 200),
        ("PUT", "/", 200),
        ("POST", "/flushed", 200),
        ("GET", "/created", 201),
        ("GET", "/no-content", 204),
        ("GET", "/gone", 410),
        ("GET", "/moved", 302),
        ("GET", "/nowhere", 404),
        ("DELETE", "/", 405),
    ] {
        let exchange = server.exchange(format!(
            "{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nIf-None-Match: *\r\n\r\n"
        ));
        assert_eq!(exchange.statuses(), [status], "{method} {path}");
    }
}

#[test]
fn a_flushed_response_with_a_tag_of_the_handler_is_compared_as_well() {
    async fn flushed(cx: &mut Context) -> Result {
        cx.set_header("ETag", "\"v1\"")?;
        for piece in ["a", "b", "c"] {
            cx.write(piece)?;
            cx.flush().await?;
        }
        Ok(())
    }
    let client = serving(get(flushed));
    for method in [Method::GET, Method::HEAD] {
        for (value, status) in [("\"v1\"", 304), ("W/\"v1\"", 304), ("\"v2\"", 200)] {
            let request = client.request(method.clone(), "/").header("If-None-Match", value);
            assert_eq!(request.send().status(), status, "{method} {value}");
        }
    }
}

#[test]
fn a_client_that_has_the_body_gets_a_304() {
    const OTHER: &str = "\"00000000000000000000000000000000\"";
    let client = serving(get(hello));
    let matching = [
        HELLO.to_owned(),
        format!("W/{HELLO}"),
        "*".to_owned(),
        " * ".to_owned(),
        format!("{OTHER}, {HELLO}"),
        format!("{HELLO},{OTHER}"),
        format!("\"with, a comma\", W/{HELLO}"),
        format!(" , {HELLO}, "),
        format!("junk, {HELLO}"),
    ];
    let not_matching = [
        OTHER.to_owned(),
        "\"\"".to_owned(),
        String::new(),
        HELLO.trim_matches('"').to_owned(),
        format!("w/{HELLO}"),
        format!("\"{}", HELLO.trim_matches('"')),
        HELLO.to_uppercase(),
        format!("{OTHER}, W/{OTHER}"),
        "\"*\"".to_owned(),
        format!("{HELLO}x"),
    ];
    for (values, status) in [(&matching[..], 304), (&not_matching[..], 200)] {
        for value in values {
            for method in [Method::GET, Method::HEAD] {
                let request = client.request(method.clone(), "/").header("If-None-Match", value);
                assert_eq!(request.send().status(), status, "{method} {value:?}");
            }
        }
    }
    let two_lines = client.get("/").header("If-None-Match", OTHER).header("If-None-Match", HELLO);
    assert_eq!(two_lines.send().status(), 304);
}

#[test]
fn a_304_has_the_tag_and_no_content_headers() {
    async fn described(cx: &mut Context) -> Result {
        for (name, value) in [
            ("Content-Type", "text/plain"),
            ("Content-Language", "en"),
            ("Content-Encoding", "identity"),
            ("Content-Length", "5"),
            ("Cache-Control", "max-age=60"),
            ("Vary", "Accept"),
            ("Set-Cookie", "a=b"),
            ("Content-Location", "/there"),
        ] {
            cx.set_header(name, value)?;
        }
        cx.write("hello")
    }
    let client = serving(get(described));
    for method in ["GET", "HEAD"] {
        let answer = client.exchange(format!(
            "{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nIf-None-Match: {HELLO}\r\n\r\n"
        ));
        let (start, rest) = answer.split_once("Date: ").unwrap();
        let expected = "HTTP/1.1 304 Not Modified\r\nServer: Squall/0.1.0\r\n\
            Cache-Control: max-age=60\r\nVary: Accept\r\nSet-Cookie: a=b\r\n\
            Content-Location: /there\r\n";
        assert_eq!(start, expected);
        let (_, end) = rest.split_once("\r\n").unwrap();
        assert_eq!(end, format!("Etag: {HELLO}\r\nConnection: close\r\n\r\n"));
    }
}

#[test]
fn a_tag_of_the_handler_takes_the_place_of_ours() {
    async fn own(cx: &mut Context) -> Result {
        cx.set_header("ETag", "\"v1\"")?;
        cx.write("hello")
    }
    async fn own_weak(cx: &mut Context) -> Result {
        cx.set_header("ETag", "W/\"v1\"")?;
        cx.write("hello")
    }
    async fn own_without_body(cx: &mut Context) -> Result {
        cx.set_header("ETag", "\"v1\"")
    }
    async fn own_error(cx: &mut Context) -> Result {
        cx.set_status(StatusCode::GONE);
        own(cx).await
    }
    let cases = [
        (serving(get(own).post(own)), "\"v1\""),
        (serving(get(own_weak).post(own_weak)), "W/\"v1\""),
        (serving(get(own_without_body).post(own_without_body)), "\"v1\""),
    ];
    for (client, tag) in cases {
        assert_eq!(client.get("/").send().header("etag"), Some(tag));
        for (value, status) in
            [("\"v1\"", 304), ("W/\"v1\"", 304), ("*", 304), (HELLO, 200), ("\"v2\"", 200)]
        {
            for method in [Method::GET, Method::HEAD] {
                let request = client.request(method.clone(), "/").header("If-None-Match", value);
                let response = request.send();
                assert_eq!(response.status(), status, "{method} {tag} against {value}");
                assert_eq!(response.header("etag"), Some(tag));
                if status == 304 {
                    assert_eq!(response.header("content-length"), None);
                    assert_eq!(response.header("content-type"), None);
                    assert_eq!(response.body(), b"");
                }
            }
            let posted = client.post("/").header("If-None-Match", value).send();
            assert_eq!(posted.status(), 200, "not to POST: {tag} against {value}");
        }
    }
    let response = serving(get(own_error)).get("/").header("If-None-Match", "*").send();
    assert_eq!(response.status(), 410);
}

#[test]
fn middleware_may_give_or_take_the_tag() {
    let app = Application::new([route("/", get(hello))]).around(async |cx, next| {
        next.run(cx).await?;
        cx.set_header("ETag", "\"outside\"")
    });
    let client = TestClient::new(app);
    assert_eq!(client.get("/").send().header("etag"), Some("\"outside\""));
    let response = client.get("/").header("If-None-Match", "\"outside\"").send();
    assert_eq!(response.status(), 304);
}
