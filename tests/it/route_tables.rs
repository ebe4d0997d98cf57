use squall::testing::TestClient;
use squall::{
    Application, Context, Endpoint, IntoEndpoint, LocalBoxFuture, Method, RequestHandler, Result,
    Route, get, post, put, regex, route,
};

use crate::wire::Server;

async fn name(cx: &mut Context) -> Result {
    let pattern = cx.route_pattern().unwrap_or_default();
    cx.write(format!("{} {pattern}", cx.method()))
}

#[derive(Clone)]
struct Handler;

impl RequestHandler for Handler {
    async fn get(&mut self, cx: &mut Context) -> Result {
        cx.write("handler")
    }
}

struct Own;

impl Endpoint for Own {
    fn allowed(&self, _: &mut Context) -> &[Method] {
        &[Method::DELETE]
    }

    fn call<'a>(&'a self, _: &'a mut Context) -> LocalBoxFuture<'a, Result> {
        Box::pin(async { Ok(()) })
    }
}

struct Kind;

impl IntoEndpoint<Kind> for Own {
    fn into_endpoint(self) -> Box<dyn Endpoint> {
        Box::new(self)
    }
}

#[test]
fn functions_of_rows_with_the_same_pattern_answer_together() {
    let server = Server::start(|| {
        let shown = async |cx: &mut Context, id: u32| cx.write(format!("item {id}"));
        Application::new([
            route("/a", get(name)),
            route("/items/{id}", get(shown)).max_body_size(4),
            route("/other", get(name)),
            route("/a", post(name)),
            route("/items/{id}", put(shown)).max_body_size(4),
            route("/caf%C3%A9", get(name)),
            route("/a", put(name).delete(name)),
            route("/café", post(name)),
            regex("/year/([0-9]+)", get(name)),
            regex("/year/([0-9]+)", post(name)),
        ])
    });
    let cases = [
        ("GET /a", 200, "GET /a"),
        ("POST /a", 200, "POST /a"),
        ("DELETE /a", 200, "DELETE /a"),
        ("PATCH /a", 405, "GET, HEAD, POST, PUT, DELETE, OPTIONS"),
        ("OPTIONS /a", 204, "GET, HEAD, POST, PUT, DELETE, OPTIONS"),
        ("GET /items/7", 200, "item 7"),
        ("PUT /items/7", 200, "item 7"),
        ("GET /other", 200, "GET /other"),
        ("POST /other", 405, "GET, HEAD, OPTIONS"),
        ("GET /caf%C3%A9", 200, "GET /caf%C3%A9"),
        ("POST /caf%c3%a9", 200, "POST /caf%C3%A9"),
        ("POST /year/1999", 200, "POST /year/([0-9]+)"),
    ];
    for (request, status, expected) in cases {
        let exchange = server.exchange(format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let response = exchange.only();
        assert_eq!(response.status, status, "{request}");
        if status == 200 {
            assert_eq!(response.text(), expected, "{request}");
        } else {
            let methods = |text: &str| {
                let mut methods: Vec<_> = text.split(", ").map(str::to_owned).collect();
                methods.sort();
                methods
            };
            let allow = response.header("allow").unwrap();
            assert_eq!(methods(allow), methods(expected), "{request}");
        }
    }
    let too_long = "PUT /items/7 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345";
    assert_eq!(server.exchange(too_long).statuses(), [413], "the options are those of both");
}

#[test]
fn merged_rows_keep_their_names() {
    let app = Application::new([
        route("/a/{id}", get(name)).name("show"),
        route("/b", get(name)).name("b"),
        route("/a/{id}", post(name)).name("edit"),
        route("/b", post(name)).name("b"),
    ]);
    for name in ["show", "edit"] {
        assert_eq!(app.reverse_url(name, &["7"]).unwrap(), "/a/7");
    }
    assert_eq!(app.reverse_url("b", &[]).unwrap(), "/b");
    assert_eq!(TestClient::new(app).post("/a/7").send().text(), "POST /a/{id}");
}

/// Asserts that a table of `rows` is refused, in words that contain `why` and name the row `other`
/// as well as the last one, with their lines.
#[track_caller]
fn assert_refused(rows: Vec<Route>, other: usize, why: &str) {
    let last = rows.len();
    let error = Application::try_new(rows).unwrap_err();
    assert_eq!(error.row(), last, "{error}");
    let text = error.to_string();
    assert!(text.starts_with(&format!("route {last}, ")), "{text}");
    assert!(text.contains(why), "{text}");
    let rest = text.split_once(": ").unwrap().1;
    assert!(other == last || rest.contains(&format!("route {other}, ")), "{text}");
    let lines = if other == last { 1 } else { 2 };
    assert_eq!(text.matches(concat!("(at ", file!())).count(), lines, "{text}");
}

#[test]
fn two_functions_for_a_method_are_refused() {
    let why = "already has a function for POST";
    assert_refused(vec![route("/a", post(name)), route("/a", get(name).post(name))], 1, why);
    let third = vec![route("/a", get(name)), route("/a", post(name)), route("/a", post(name))];
    assert_refused(third, 2, why);
    assert_refused(vec![route("/a/{b}", post(name)), route("/a/{b}", post(name))], 1, why);
    assert_refused(vec![regex("/(a)", post(name)), regex("/(a)", post(name))], 1, why);
    let head = vec![route("/", get(name).on(Method::HEAD, name)), route("/", get(name))];
    assert_refused(head, 1, "already has a function for GET");
    assert_refused(vec![route("/", get(name).post(name).get(name))], 1, "two functions for GET");
}

#[test]
fn rows_with_the_same_pattern_and_other_options_are_refused() {
    type Change = fn(Route) -> Route;
    let changes: [Change; 5] = [
        |row| row.max_body_size(4),
        |row| row.stream_request_body(),
        |row| row.half_close(true),
        |row| row.decompress_request(true),
        |row| row.handler_timeout(std::time::Duration::from_secs(1)),
    ];
    for change in changes {
        let why = "has the same pattern and other options";
        assert_refused(vec![route("/a", get(name)), change(route("/a", post(name)))], 1, why);
        assert_refused(vec![change(route("/a", get(name))), route("/a", post(name))], 1, why);
        let rows = [change(route("/a", get(name))), change(route("/a", post(name)))];
        assert!(Application::try_new(rows).is_ok());
    }
}

#[test]
fn a_handler_on_the_pattern_of_another_row_is_refused() {
    let why = "only functions of two rows can be merged";
    assert_refused(vec![route("/a", Handler), route("/a", Handler)], 1, why);
    assert_refused(vec![route("/a", Handler), route("/a", post(name))], 1, why);
    assert_refused(vec![route("/a", get(name)), route("/a", Handler)], 1, why);
    assert_refused(vec![route("/a", get(name)), route("/a", Own)], 1, why);
    assert_refused(vec![route("/{a}", Handler), route("/{a}", post(name))], 1, why);
    assert_refused(vec![regex("/(a)", Own), regex("/(a)", post(name))], 1, why);
}

#[test]
fn a_row_that_no_request_can_reach_is_refused() {
    let covered = [
        ("/{any}", "/about"),
        ("/{id}", "/{name}"),
        ("/{file}", "/{file}.json"),
        ("/a/{b}", "/a/b"),
        ("/{*rest}", "/"),
        ("/{*rest}", "/a/{b}"),
        ("/a/{*rest}", "/a/{*other}"),
    ];
    let why = "no request can reach it";
    for (earlier, later) in covered {
        assert_refused(vec![route(earlier, get(name)), route(later, post(name))], 1, why);
        let apart = vec![route("/x/y", get(name)), route(earlier, Handler), route(later, Own)];
        assert_refused(apart, 2, why);
        let rows = [route(later, get(name)), route(earlier, post(name))];
        let is_same = earlier.ends_with("{id}") || later.ends_with("{*other}");
        assert_eq!(Application::try_new(rows).is_err(), is_same, "{later} before {earlier}");
    }
    assert_refused(vec![regex("/[a-z]+", get(name)), route("/about", get(name))], 1, why);
    assert_refused(vec![route("/{*all}", get(name)), regex("/[a-z]+", get(name))], 1, why);
}

#[test]
fn rows_that_share_only_some_paths_are_sound() {
    let app = Application::new([
        route("/users/me", get(name)),
        route("/users/{id}", get(name)),
        route("/{kind}/me", get(name)),
        regex("/users/([0-9]+)", get(name)),
        route("/{*rest}", Handler),
    ]);
    let client = TestClient::new(app);
    let cases = [
        ("/users/me", "GET /users/me"),
        ("/users/7", "GET /users/{id}"),
        ("/dogs/me", "GET /{kind}/me"),
        ("/anything", "handler"),
    ];
    for (path, expected) in cases {
        assert_eq!(client.get(path).send().text(), expected);
    }
}

#[test]
#[should_panic = "route 2, \"/a\": route 1, \"/a\" (at "]
fn an_application_of_rows_that_do_not_go_together_panics() {
    let _ = Application::new([route("/a", get(name)), route("/a", Handler)]);
}
