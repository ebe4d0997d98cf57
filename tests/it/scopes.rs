use squall::testing::{TestClient, TestResponse};
use squall::{
    Application, Context, HTTPError, Method, Middleware, Next, RequestHandler, Result, Route,
    StatusCode, TrailingSlash, get, host, post, redirect, regex, route, scope,
};

use crate::wire::Server;

fn client<const N: usize>(rows: [Route; N]) -> TestClient {
    TestClient::new(Application::new(rows))
}

/// The message of the error of a table.
fn fault<const N: usize>(rows: [Route; N]) -> String {
    Application::try_new(rows).unwrap_err().to_string()
}

fn answer(response: &TestResponse) -> (u16, String) {
    (response.status().as_u16(), response.text())
}

/// Middleware that adds a mark to a header.
struct Marked(&'static str);

impl Middleware for Marked {
    async fn handle(&self, cx: &mut Context, next: Next<'_>) -> Result {
        let result = next.run(cx).await;
        cx.add_header("X-Mark", self.0)?;
        result
    }
}

fn marks(response: &TestResponse) -> Vec<&str> {
    response.headers().get_all("x-mark").iter().map(|mark| mark.to_str().unwrap()).collect()
}

#[test]
fn prefixes_are_joined_and_their_arguments_come_first() {
    async fn show(team: String, id: u64) -> String {
        format!("{team} {id}")
    }
    async fn file(team: String, rest: String) -> String {
        format!("{team} {rest}")
    }
    let client = client([scope(
        "/teams/{team}",
        [
            route("", get(async |team: String| team)),
            route("/", get(async |team: String| format!("{team}/"))),
            scope("/notes", [route("/{id}", get(show))]),
            route("/files/{*rest}", get(file)),
        ],
    )]);
    for (path, expected) in [
        ("/teams/blue", "blue"),
        ("/teams/blue/", "blue/"),
        ("/teams/blue/notes/7", "blue 7"),
        ("/teams/blue/files/a/b", "blue a/b"),
    ] {
        assert_eq!(answer(&client.get(path).send()), (200, expected.to_owned()), "{path}");
    }
    for path in ["/teams", "/teams/", "/notes/7", "/teams/blue/notes", "/teams/blue/notes/7/"] {
        assert_eq!(client.get(path).send().status(), 404, "{path}");
    }
}

#[test]
fn a_regex_in_a_scope_matches_behind_the_prefix() {
    let client = client([scope("/v1.0", [regex("/([0-9]+)", get(async |id: u8| id.to_string()))])]);
    assert_eq!(client.get("/v1.0/7").send().text(), "7");
    assert_eq!(client.get("/v1x0/7").send().status(), 404, "the dot of the prefix is a dot");
}

#[test]
fn malformed_scopes_and_hosts_are_refused_with_their_line() {
    let row = || route("/", get(async || "never"));
    for (message, text) in [
        (fault([scope("/api/", [row()])]), "the prefix of a scope begins with `/`"),
        (fault([scope("api", [row()])]), "the prefix of a scope begins with `/`"),
        (fault([scope("/{a", [row()])]), "route 1, \"/{a/\""),
        (fault([scope("/a", [route("b", get(async || "never"))])]), "a pattern begins with `/`"),
        (fault([scope("/{a}", [route("/{a}", get(async || "never"))])]), "route 1, \"/{a}/{a}\""),
        (fault([scope("/{a}", [regex("/b", get(async || "never"))])]), "cannot be in the scope"),
        (fault([host("a:80", [row()])]), "a host is a name without a port"),
        (fault([host("a", [host("b", [row()])])]), "a host cannot be inside of another host"),
    ] {
        assert!(message.contains(text), "{message}");
        assert!(message.contains("tests/it/scopes.rs:"), "{message}");
    }
}

#[test]
fn rows_of_the_same_paths_are_merged_or_refused_across_scopes() {
    let api = || scope("/api", [route("/notes", get(async || "list"))]);
    let more = scope("/api", [route("/notes", post(async || "saved"))]);
    let client = client([api(), more]);
    assert_eq!(client.get("/api/notes").send().text(), "list");
    assert_eq!(client.post("/api/notes").send().text(), "saved");

    let same = fault([api(), route("/api/notes", get(async || "again"))]);
    assert!(same.contains("already has a function for GET"), "{same}");
    let guarded = scope("/api", [route("/notes", post(async || "saved"))]).middleware(Marked("a"));
    let other = fault([api(), guarded]);
    assert!(other.contains("other options or middleware"), "{other}");
    let covered = fault([scope("/api", [route("/{*rest}", get(async || "all"))]), api()]);
    assert!(covered.contains("no request can reach it"), "{covered}");
}

#[test]
fn names_work_through_scopes_and_in_handlers() {
    async fn link(cx: &mut Context) -> Result<String> {
        cx.reverse_url("note", &["blue", "7"])
    }
    async fn wrong(cx: &mut Context) -> Result<String> {
        cx.reverse_url("nothing", &[])
    }
    let note = route("/{id}", get(async |_team: String, _id: u8| "note")).name("note");
    let app = Application::new([
        scope("/{team}", [scope("/notes", [note])]),
        route("/link", get(link)),
        route("/wrong", get(wrong)),
    ]);
    assert_eq!(app.reverse_url("note", &["blue", "7"]).unwrap(), "/blue/notes/7");
    let client = TestClient::new(app);
    assert_eq!(client.get("/link").send().text(), "/blue/notes/7");
    assert_eq!(client.get("/wrong").send().status(), 500);
}

#[test]
fn rows_for_a_host_come_first_and_the_others_serve_every_host() {
    let named = |name: &'static str| get(async move || name);
    let client = client([
        route("/", named("any")),
        route("/shared", named("shared")),
        host("api.example.com", [route("/", named("api")), route("/{id}", named("api id"))]),
        host("*.example.com", [route("/", named("sub"))]),
    ]);
    for (host, path, expected) in [
        ("api.example.com", "/", "api"),
        ("API.Example.com:8000", "/", "api"),
        ("api.example.com", "/7", "api id"),
        ("www.example.com", "/", "sub"),
        ("www.example.com", "/shared", "shared"),
        ("example.com", "/", "any"),
        ("localhost", "/", "any"),
    ] {
        let response = client.get(path).header("Host", host).send();
        assert_eq!(answer(&response), (200, expected.to_owned()), "{host}{path}");
    }
    assert_eq!(client.get("/7").header("Host", "www.example.com").send().status(), 404);
    let answer = client.exchange("GET http://api.example.com/ HTTP/1.1\r\nHost: b\r\n\r\n");
    assert!(answer.ends_with("api"), "the authority of the target counts: {answer}");
    let answer = client.exchange("GET / HTTP/1.0\r\n\r\n");
    assert!(answer.ends_with("any"), "HTTP/1.0 without a host: {answer}");
}

#[test]
fn options_of_a_scope_apply_to_rows_that_do_not_set_them() {
    let client = client([scope(
        "/up",
        [
            route("/small", post(async || "taken")),
            route("/large", post(async || "taken")).max_body_size(100),
        ],
    )
    .max_body_size(3)]);
    assert_eq!(client.post("/up/small").body("four").send().status(), 413);
    assert_eq!(client.post("/up/large").body("four").send().status(), 200);
}

#[test]
fn middleware_runs_from_the_application_through_scopes_to_the_row() {
    let rows = [
        scope(
            "/outer",
            [
                scope("/inner", [route("/", get(async || "inner")).middleware(Marked("row"))])
                    .middleware(Marked("inner"))
                    .middleware(Marked("around inner")),
                route("/", get(async || "outer")),
            ],
        )
        .middleware(Marked("outer")),
        route("/", get(async || "plain")),
    ];
    let client = TestClient::new(Application::new(rows).middleware(Marked("application")));
    let inner = ["row", "inner", "around inner", "outer", "application"];
    for (path, status, expected) in [
        ("/outer/inner/", 200, &inner[..]),
        ("/outer/", 200, &inner[3..]),
        ("/", 200, &inner[4..]),
        ("/outer/inner/nowhere", 404, &inner[1..]),
        ("/outer/nowhere", 404, &inner[3..]),
        ("/outer", 404, &inner[3..]),
        ("/nowhere", 404, &inner[4..]),
        ("/outside", 404, &inner[4..]),
    ] {
        let response = client.get(path).send();
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(marks(&response), expected, "{path}");
    }
    let refused = client.post("/outer/inner/").send();
    assert_eq!((refused.status().as_u16(), marks(&refused)), (405, inner.to_vec()));
    let options = client.request(Method::OPTIONS, "/outer/inner/").send();
    assert_eq!((options.status().as_u16(), marks(&options)), (204, inner.to_vec()));
}

#[test]
fn a_row_without_middleware_is_not_slowed_by_the_middleware_of_another() {
    let client = client([
        route("/marked", get(async || "marked")).around(async |cx, next| {
            next.run(cx).await?;
            cx.set_header("X-Mark", "here")
        }),
        route("/", get(async || "plain")),
    ]);
    assert_eq!(marks(&client.get("/marked").send()), ["here"]);
    assert_eq!(marks(&client.get("/").send()), Vec::<&str>::new());
}

#[test]
fn the_fallback_of_the_innermost_scope_answers_what_no_row_matches() {
    let says = |text: &'static str| get(async move || (StatusCode::NOT_FOUND, text));
    let rows = [
        scope(
            "/api",
            [
                scope("/v1", [route("/notes", get(async || "notes"))]).fallback(says("v1")),
                scope("/v2", [route("/notes", get(async || "notes"))]),
            ],
        )
        .fallback(says("api")),
        host("b", [route("/notes", get(async || "notes"))]).fallback(says("host b")),
    ];
    let client = TestClient::new(Application::new(rows).fallback(says("application")));
    for (path, expected) in [
        ("/api/v1/nowhere", "v1"),
        ("/api/v1", "v1"),
        ("/api/v1/", "v1"),
        ("/api/v2/nowhere", "api"),
        ("/api/v11", "api"),
        ("/nowhere", "application"),
        ("/apis", "application"),
    ] {
        assert_eq!(answer(&client.get(path).send()), (404, expected.to_owned()), "{path}");
    }
    assert_eq!(client.get("/nowhere").header("Host", "b").send().text(), "host b");
    let post = client.post("/api/v1/nowhere").send();
    assert!(post.text().starts_with("<html><title>404"), "the fallback has no POST");
    assert_eq!(client.post("/api/v1/notes").send().status(), 405, "a row matches");
    let head = client.head("/nowhere").send();
    assert_eq!((head.status().as_u16(), head.body()), (404, &b""[..]));
}

#[test]
fn a_slash_at_the_end_is_strict_redirected_or_ignored() {
    let rows = || {
        [
            route("/with/", get(async || "with").post(async || "posted")),
            route("/without", get(async || "without")),
            route("/{id}/more", get(async |id: String| id)),
            route("/strict", get(async || "strict")).trailing_slash(TrailingSlash::Strict),
        ]
    };
    let strict = client(rows());
    for path in ["/with", "/without/", "/7/more/", "/strict/"] {
        assert_eq!(strict.get(path).send().status(), 404, "{path}");
    }
    let redirect =
        TestClient::new(Application::new(rows()).trailing_slash(TrailingSlash::Redirect));
    for (path, location) in [
        ("/with", "/with/"),
        ("/with?a=1&b", "/with/?a=1&b"),
        ("/without/", "/without"),
        ("/a%20b/more/", "/a%20b/more"),
    ] {
        for method in [Method::GET, Method::POST] {
            let response = redirect.request(method, path).send();
            assert_eq!(response.status(), 308, "{path}");
            assert_eq!(response.header("location"), Some(location), "{path}");
        }
    }
    let ignore = TestClient::new(Application::new(rows()).trailing_slash(TrailingSlash::Ignore));
    for (path, text) in [("/with", "with"), ("/without/", "without"), ("/a%20b/more/", "a b")] {
        assert_eq!(answer(&ignore.get(path).send()), (200, text.to_owned()), "{path}");
    }
    assert_eq!(ignore.post("/with").body("x").send().text(), "posted");
    assert_eq!(ignore.post("/without/").send().status(), 405);
    for client in [redirect, ignore] {
        for path in ["/strict/", "/without//", "/nowhere", "/nowhere/", "/"] {
            assert_eq!(client.get(path).send().status(), 404, "{path}");
        }
    }
}

#[test]
fn a_redirect_of_a_path_with_two_slashes_stays_on_the_host() {
    let app = Application::new([route("/{*rest}", post(async |_rest: String| "never"))]);
    let rows = [route("//evil.example/a", get(async || "two slashes"))];
    drop(app);
    let client = TestClient::new(Application::new(rows).trailing_slash(TrailingSlash::Redirect));
    let location = client.get("//evil.example/a/").send();
    assert_eq!(location.header("location"), Some("/.//evil.example/a"));
}

#[test]
fn redirect_rows_carry_arguments_and_the_query() {
    let client = client([
        redirect("/old", "/new"),
        redirect("/blog/{year}/{slug}", "https://example.com/{slug}?y={year}"),
        redirect("/docs/{*rest}", "/guide/{rest}"),
        redirect("/moved/{*rest}", "/{rest}"),
    ]);
    for (path, location) in [
        ("/old", "/new"),
        ("/old?a=1", "/new?a=1"),
        ("/blog/1999/a%2Fb", "https://example.com/a%2Fb?y=1999"),
        ("/blog/1999/a?b=c", "https://example.com/a?y=1999&b=c"),
        ("/docs/a/b", "/guide/a/b"),
        ("/moved/a", "/a"),
        ("/moved//evil.example/a", "/.//evil.example/a"),
    ] {
        let response = client.get(path).send();
        assert_eq!(response.status(), 301, "{path}");
        assert_eq!(response.header("location"), Some(location), "{path}");
    }
    assert_eq!(client.post("/old").send().status(), 405);
    assert_eq!(client.head("/old").send().status(), 301);
}

#[derive(Clone)]
struct Folder;

impl RequestHandler for Folder {
    const SUPPORTED_METHODS: &'static [&'static str] = &["PROPFIND", "MKCOL", "not a method"];

    async fn other(&mut self, cx: &mut Context) -> Result {
        match cx.method().as_str() {
            "PROPFIND" => cx.write("found"),
            _ => Err(HTTPError::CONFLICT)?,
        }
    }
}

#[test]
fn a_handler_answers_extension_methods_that_it_names() {
    let server = Server::start(|| Application::new([route("/", Folder)]));
    for (method, status) in [("PROPFIND", 200), ("MKCOL", 409), ("LOCK", 405), ("GET", 405)] {
        let exchange = server.exchange(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(exchange.statuses(), [status], "{method}");
        if status == 405 {
            assert_eq!(exchange.only().header("allow"), Some("PROPFIND, MKCOL, OPTIONS"));
        }
    }
}

#[test]
fn the_listing_shows_methods_hosts_patterns_and_names() {
    let app = Application::new([
        scope("/api", [route("/notes/{id}", get(async |_id: u8| "note")).name("note")]),
        route("/folder", Folder),
        host("*.b", [route("/", post(async || "posted"))]),
    ]);
    let lines: Vec<_> = app.routes().iter().map(ToString::to_string).collect();
    let shown: Vec<Vec<_>> = lines.iter().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(shown[0][..3], ["GET", "/api/notes/{id}", "note"]);
    assert_eq!(shown[1][..3], ["(handler)", "/folder", "-"]);
    assert_eq!(shown[2][..3], ["POST", "*.b/", "-"]);
    assert!(shown[0][3].starts_with("tests/it/scopes.rs:"), "{}", lines[0]);
}
