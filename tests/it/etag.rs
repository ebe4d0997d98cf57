use squall::testing::TestClient;
use squall::{Application, Context, Functions, Method, Result, StatusCode, get, route};

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
        let request = client.request(Method::from_bytes(method.as_bytes()).unwrap(), path);
        let response = request.header("If-None-Match", "*").send();
        assert_eq!(response.status() == 304, has_tag, "{method} {path}");
        let response = client.request(Method::from_bytes(method.as_bytes()).unwrap(), path).send();
        assert_eq!(response.header("etag"), has_tag.then_some(HELLO), "{method} {path}");
    }
}

#[test]
fn a_client_that_has_the_body_is_not_sent_it() {
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
fn a_304_has_the_tag_and_nothing_about_a_body() {
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
