use std::cell::Cell;
use std::fmt;

use squall::parameters::kind;
use squall::testing::{TestClient, TestRequest};
use squall::{
    Application, Body, Bytes, Content, Context, Form, FromHeader, FromRequest, HTTPError,
    HTTPServer, Header, Json, Needs, Query, RemoteAddr, Result, State, get, post, regex, route,
};

#[derive(serde::Deserialize, serde::Serialize)]
struct Point {
    x: i32,
    y: i32,
}

#[derive(serde::Deserialize)]
struct Page {
    page: u32,
    #[serde(default)]
    tag: Vec<String>,
}

struct Depth(u8);

impl FromHeader for Depth {
    const NAME: &'static str = "Depth";

    fn from_header(value: &str) -> Option<Self> {
        value.parse().ok().map(Self)
    }
}

#[derive(Default)]
struct Count(Cell<u32>);

/// A parameter of the test's own, which needs a state and waits.
struct Ticket(u32);

impl FromRequest for Ticket {
    fn needs(needs: &mut Needs) {
        needs.state::<Count>();
    }

    async fn from_request(cx: &mut Context) -> Result<Self> {
        squall::sleep(std::time::Duration::from_millis(1)).await;
        let count: State<Count> = cx.state()?;
        count.0.set(count.0.get() + 1);
        Ok(Self(count.0.get()))
    }
}

/// A parameter of the test's own that takes the body.
struct Shouted(String);

impl FromRequest<kind::TakesBody> for Shouted {
    async fn from_request(cx: &mut Context) -> Result<Self> {
        Ok(Self(cx.body().text().await?.to_uppercase()))
    }
}

fn client(app: Application) -> TestClient {
    TestClient::new(app.state(Count::default()))
}

fn typed<'a>(request: TestRequest<'a>, content_type: &str, body: &str) -> TestRequest<'a> {
    request.header("Content-Type", content_type).body(body)
}

#[test]
fn path_arguments_are_taken_in_order_wherever_they_are_among_the_others() {
    async fn show(
        a: u8,
        count: State<Count>,
        b: String,
        depth: Option<Header<Depth>>,
        c: char,
    ) -> String {
        format!("{a} {b} {c} {} {}", count.0.get(), depth.is_some())
    }
    let client = client(Application::new([route("/{a}/{b}/{c}", get(show))]));
    assert_eq!(client.get("/1/two/3").send().text(), "1 two 3 0 false");
    assert_eq!(client.get("/1/two/three").send().status(), 404);
    assert_eq!(client.get("/256/two/3").send().status(), 404);
}

#[test]
fn a_function_takes_the_context_and_eight_parameters() {
    #[expect(clippy::too_many_arguments, reason = "as many as are allowed")]
    async fn all(
        cx: &mut Context,
        a: u8,
        b: String,
        c: bool,
        Query(page): Query<Page>,
        count: State<Count>,
        ticket: Ticket,
        remote: RemoteAddr,
        Json(point): Json<Point>,
    ) -> Result {
        let tags = page.tag.join("+");
        write!(cx, "{a} {b} {c} {} {tags} {} {} ", page.page, count.0.get(), ticket.0)?;
        write!(cx, "{:?} {}", remote.ip(), point.x + point.y)
    }
    let client = client(Application::new([route("/{a}/{b}/{c}", post(all))]));
    let request = client.post("/1/b/true?page=7&tag=x&tag=y").json(&Point { x: 1, y: 2 });
    assert_eq!(request.send().text(), "1 b true 7 x+y 1 1 None 3");
}

#[test]
fn an_optional_group_is_an_optional_path_argument() {
    async fn archive(year: u16, month: Option<u8>) -> String {
        format!("{year} {month:?}")
    }
    let client = client(Application::new([regex("/([0-9]{4})(?:/([0-9]+))?", get(archive))]));
    assert_eq!(client.get("/1999/7").send().text(), "1999 Some(7)");
    assert_eq!(client.get("/1999").send().text(), "1999 None");
    assert_eq!(client.get("/1999/700").send().status(), 404);
}

#[test]
fn json_is_refused_by_type_syntax_and_shape() {
    async fn sum(Json(point): Json<Point>) -> String {
        (point.x + point.y).to_string()
    }
    let client = client(Application::new([route("/", post(sum))]));
    let good = r#"{"x":1,"y":2}"#;
    for (content_type, body, status, text) in [
        ("application/json", good, 200, "3"),
        ("Application/JSON; charset=utf-8", good, 200, "3"),
        ("application/vnd.api+json", good, 200, "3"),
        ("text/plain", good, 415, "the body must be application/json"),
        ("application/jsonx", good, 415, "the body must be application/json"),
        ("application/json", r#"{"x":1,"y":"#, 400, "JSON: EOF while parsing a value at line 1"),
        ("application/json", r#"{"x":1,}"#, 400, "JSON: trailing comma at line 1"),
        ("application/json", "", 400, "JSON: EOF while parsing a value at line 1"),
        ("application/json", r#"{"x":1}"#, 422, "JSON: missing field `y` at line 1"),
        ("application/json", r#"{"x":"a","y":2}"#, 422, "JSON: invalid type: string \"a\""),
        ("application/json", r#"{"x":"<b>","y":2}"#, 422, "string \"&lt;b&gt;\""),
    ] {
        let response = typed(client.post("/"), content_type, body).send();
        assert_eq!(response.status(), status, "{content_type} {body}");
        let shown = response.text().replace("&quot;", "\"");
        assert!(shown.contains(text), "{content_type} {body}: {shown}");
    }
    assert_eq!(client.post("/").body(good).send().status(), 415, "there is no type");
}

#[test]
fn a_server_may_accept_json_of_any_content_type() {
    let app =
        Application::new([route("/", post(async |Json(number): Json<u8>| number.to_string()))]);
    let client = TestClient::of(&HTTPServer::new(app).any_json_content_type(true));
    assert_eq!(client.post("/").body("7").send().text(), "7");
    assert_eq!(typed(client.post("/"), "text/plain", "7").send().text(), "7");
}

#[test]
fn forms_and_queries_name_the_field_that_is_wrong() {
    async fn form(Form(page): Form<Page>) -> String {
        page.page.to_string()
    }
    async fn query(Query(page): Query<Page>) -> String {
        page.page.to_string()
    }
    const FORM: &str = "application/x-www-form-urlencoded";
    let client = client(Application::new([route("/", get(query).post(form))]));
    assert_eq!(typed(client.post("/"), FORM, "page=7").send().text(), "7");
    assert_eq!(typed(client.post("/"), "text/plain", "page=7").send().status(), 415);
    for response in [
        typed(client.post("/"), FORM, "other=7").send(),
        client.get("/?other=7").send(),
        client.get("/").send(),
    ] {
        assert_eq!(response.status(), 400);
        assert!(response.text().contains("missing field `page`"), "{}", response.text());
    }
    let response = client.get("/?page=many").send();
    assert!(response.text().contains("query: "), "{}", response.text());
}

#[test]
fn headers_are_required_unless_they_are_optional() {
    async fn required(Header(depth): Header<Depth>) -> String {
        depth.0.to_string()
    }
    async fn optional(depth: Option<Header<Depth>>) -> String {
        depth.map_or_else(|| "none".to_owned(), |Header(depth)| depth.0.to_string())
    }
    let client =
        client(Application::new([route("/required", get(required)), route("/", get(optional))]));
    for (path, value, status, text) in [
        ("/required", Some("2"), 200, "2"),
        ("/required", None, 400, "header &quot;Depth&quot;: missing"),
        ("/required", Some("deep"), 400, "header &quot;Depth&quot;: invalid"),
        ("/", Some("2"), 200, "2"),
        ("/", None, 200, "none"),
        ("/", Some("deep"), 400, "header &quot;Depth&quot;: invalid"),
    ] {
        let request = client.get(path);
        let request = match value {
            Some(value) => request.header("depth", value),
            None => request,
        };
        let response = request.send();
        assert_eq!(response.status(), status, "{path} {value:?}");
        assert!(response.text().contains(text), "{path} {value:?}: {}", response.text());
    }
}

#[test]
fn a_body_is_taken_whole_in_pieces_or_by_a_type_of_the_user() {
    async fn bytes(body: Bytes) -> Bytes {
        body
    }
    async fn content(body: Content) -> Content {
        body
    }
    async fn pieces(mut body: Body) -> Result<String> {
        let mut length = 0;
        while let Some(piece) = body.next().await {
            length += piece?.len();
        }
        Ok(length.to_string())
    }
    async fn shouted(Shouted(text): Shouted) -> String {
        text
    }
    let app = Application::new([
        route("/bytes", post(bytes)),
        route("/content", post(content)),
        route("/pieces", post(pieces)).stream_request_body(),
        route("/shouted", post(shouted)),
    ]);
    let client = client(app);
    for (path, expected) in
        [("/bytes", "abc"), ("/content", "abc"), ("/pieces", "3"), ("/shouted", "ABC")]
    {
        assert_eq!(client.post(path).body("abc").send().text(), expected, "{path}");
    }
    let response = client.post("/bytes").body("abc").send();
    assert_eq!(response.header("content-type"), Some("application/octet-stream"));
}

#[test]
fn an_optional_body_is_none_without_a_body_and_refused_if_it_is_wrong() {
    async fn count(numbers: Option<Json<Vec<u8>>>) -> String {
        numbers.map_or_else(|| "none".to_owned(), |Json(numbers)| numbers.len().to_string())
    }
    let client = client(Application::new([route("/", post(count))]));
    assert_eq!(client.post("/").send().text(), "none");
    assert_eq!(client.post("/").json(&[1, 2]).send().text(), "2");
    assert_eq!(typed(client.post("/"), "application/json", "[1,").send().status(), 400);
}

#[test]
fn a_result_gives_the_error_of_a_parameter_to_the_function() {
    async fn lenient(point: Result<Json<Point>>, depth: Result<Header<Depth>>) -> String {
        let status = |error: squall::Error| error.status().as_u16();
        format!("{:?} {:?}", point.map(|Json(point)| point.x).map_err(status), depth.is_ok())
    }
    let client = client(Application::new([route("/", post(lenient))]));
    assert_eq!(client.post("/").json(&Point { x: 1, y: 2 }).send().text(), "Ok(1) false");
    let wrong = typed(client.post("/"), "application/json", "{}").header("depth", "1");
    assert_eq!(wrong.send().text(), "Err(422) true");
}

#[test]
fn the_first_parameter_that_cannot_be_read_decides_the_response() {
    struct Refused;
    impl FromRequest for Refused {
        async fn from_request(_: &mut Context) -> Result<Self> {
            Err(HTTPError::UNAUTHORIZED)?
        }
    }
    async fn guarded(_: Refused, Json(_): Json<Point>) {}
    let client = client(Application::new([route("/", post(guarded))]));
    assert_eq!(client.post("/").body("no json").send().status(), 401);
}

#[test]
fn state_is_shared_by_all_requests_and_need_not_be_send() {
    async fn next(ticket: Ticket, count: State<Count>) -> String {
        format!("{} {}", ticket.0, count.0.get())
    }
    let client = client(Application::new([route("/", get(next))]));
    assert_eq!(client.get("/").send().text(), "1 1");
    assert_eq!(client.get("/").send().text(), "2 2");
}

/// Asserts that `app` is refused for a state of type `Count` of the row `/needs`.
fn is_refused(app: Application) {
    let error = app.check().unwrap_err().to_string();
    assert!(error.starts_with("route \"/needs\", at tests/it/parameters.rs:"), "{error}");
    assert!(error.contains("a state of type `it::parameters::Count`"), "{error}");
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| TestClient::new(app)));
    assert_eq!(*refused.unwrap_err().downcast::<String>().unwrap(), error);
}

#[test]
fn an_application_without_the_state_that_a_function_takes_is_refused() {
    is_refused(Application::new([route("/needs", get(async |_: State<Count>| "never"))]));
    is_refused(Application::new([route("/needs", get(async |_: Ticket| "never"))]));
    let fallback = async |_: State<Count>| "never";
    let error = Application::new([]).fallback(get(fallback)).check().unwrap_err().to_string();
    assert!(error.starts_with("route \"(fallback)\", at tests/it/parameters.rs:"), "{error}");
    let server = HTTPServer::with(|| {
        Application::new([route("/needs", get(async |_: State<Count>| "never"))])
    });
    let refused =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| TestClient::of(&server)));
    let message = *refused.unwrap_err().downcast::<String>().unwrap();
    assert!(message.starts_with("cannot build the application: route \"/needs\""), "{message}");
}

#[test]
#[should_panic(expected = "the application has a state of type `u8` already")]
fn two_states_of_one_type_are_refused() {
    let _ = Application::new([]).state(1_u8).state(2_u8);
}

#[test]
fn a_missing_state_is_a_500_in_a_handler_that_asks_for_it() {
    async fn asks(cx: &mut Context) -> Result {
        cx.state::<fmt::Error>()?;
        Ok(())
    }
    assert_eq!(client(Application::new([route("/", get(asks))])).get("/").send().status(), 500);
}
