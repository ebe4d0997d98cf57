use squall::http::HeaderValue;
use squall::testing::{TestClient, TestRequest};
use squall::{Application, Context, Error, HTTPError, Html, Result, Route, Text, get, post, route};

const FORM: &str = "application/x-www-form-urlencoded";

fn client<const N: usize>(rows: [Route; N]) -> TestClient {
    TestClient::new(Application::new(rows))
}

fn form<'a>(request: TestRequest<'a>, body: &str) -> TestRequest<'a> {
    request.header("Content-Type", FORM).body(body)
}

/// The message on the page of a 400, without its entities.
#[track_caller]
fn refusal(request: TestRequest<'_>) -> String {
    let response = request.send();
    assert_eq!(response.status(), 400, "{}", response.text());
    let text = response.text().replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">");
    let (_, message) = text.split_once("<br>").expect("the page has a message");
    message.trim_end_matches("</body></html>").to_owned()
}

async fn required(cx: &mut Context) -> Result<String> {
    Ok(cx.argument_as::<u8>("n")?.to_string())
}

async fn all(cx: &mut Context) -> Result<String> {
    Ok(format!("{:?}", cx.arguments_as::<u8>("n")?))
}

#[test]
fn an_invalid_argument_is_named_with_its_source_and_the_reason() {
    let client =
        client([route("/", get(required).post(required)), route("/all", get(all).post(all))]);
    assert_eq!(client.get("/?n=7").send().text(), "7");
    assert_eq!(client.get("/?n=1&n=7").send().text(), "7", "the last one counts");
    assert_eq!(refusal(client.get("/")), "argument \"n\": missing");
    assert_eq!(refusal(client.get("/?n=256")), "query argument \"n\": \"256\" is not valid");
    assert_eq!(refusal(client.get("/?n=<b>")), "query argument \"n\": \"<b>\" is not valid");
    assert_eq!(refusal(client.get("/?n=%ff")), "argument \"n\": not UTF-8");
    assert_eq!(refusal(form(client.post("/"), "n=x")), "form field \"n\": \"x\" is not valid");
    assert_eq!(refusal(form(client.post("/?n=1"), "n=x")), "form field \"n\": \"x\" is not valid");
    assert_eq!(refusal(client.get("/all?n=1&n=x")), "query argument \"n\": \"x\" is not valid");
    let long = refusal(client.get(&format!("/?n={}", "a".repeat(100))));
    assert_eq!(long, format!("query argument \"n\": \"{}\"… is not valid", "a".repeat(40)));
    let many = "a=1&".repeat(1001);
    assert_eq!(refusal(client.get(&format!("/?{many}"))), "there are more than 1000 fields");
    assert_eq!(form(client.post("/all?n=1"), "n=2").send().text(), "[1, 2]");
}

#[test]
fn optional_arguments_have_a_default_and_are_still_checked() {
    async fn list(cx: &mut Context) -> Result<String> {
        let page = cx.argument_or("page", 1_u32)?;
        let tag: Option<String> = cx.argument_opt("tag")?;
        Ok(format!("{page} {tag:?}"))
    }
    let client = client([route("/", get(list))]);
    assert_eq!(client.get("/").send().text(), "1 None");
    assert_eq!(client.get("/?page=7&tag=").send().text(), "7 Some(\"\")");
    assert_eq!(refusal(client.get("/?page=x")), "query argument \"page\": \"x\" is not valid");
}

#[test]
fn the_query_and_the_form_can_be_asked_for_alone_and_as_bytes() {
    async fn both(cx: &mut Context) -> Result<String> {
        let (query, body) = (cx.query_argument::<String>("a")?, cx.body_argument::<String>("a")?);
        Ok(format!("{query:?} {body:?} {:?}", cx.argument_bytes("a")?))
    }
    let client = client([route("/", get(both).post(both))]);
    let response = form(client.post("/?a=q"), "a=%ff+").send();
    assert_eq!(response.status(), 400, "the field of the form is asked for as text");
    let response = form(client.post("/?a=q"), "a=+b").send();
    assert_eq!(response.text(), "Some(\"q\") Some(\"b\") Some([32, 98])");
    assert_eq!(client.get("/?a=q").send().text(), "Some(\"q\") None Some([113])");
    assert_eq!(client.get("/").send().text(), "None None None");
}

#[test]
fn text_compares_and_converts_in_both_directions() {
    let text = Text::from("a\u{e9}");
    let value = HeaderValue::from_bytes("a\u{e9}".as_bytes()).unwrap();
    let string = String::from("a\u{e9}");
    assert_eq!(text, value);
    assert_eq!(value, text);
    assert_eq!(text, string);
    assert_eq!(string, text);
    assert_eq!(text, *string.as_str());
    assert_eq!(*string.as_str(), text);
    assert_eq!("a\u{e9}", text);
    assert_eq!(HeaderValue::try_from(text.clone()).unwrap(), value);
    assert_eq!(Text::from(&value), text);
    assert_eq!(Text::from(&HeaderValue::from_bytes(b"\xe9").unwrap()), "\u{e9}", "ISO-8859-1");
    assert!(HeaderValue::try_from(Text::from("a\nb")).is_err());
    assert_eq!(serde_json::from_str::<Text>("\"a\u{e9}\"").unwrap(), text);
    assert_eq!(serde_json::to_string(&text).unwrap(), "\"a\u{e9}\"");
}

#[test]
fn a_request_header_is_echoed_in_one_line() {
    async fn echo(cx: &mut Context) -> Result {
        cx.set_header("X-Echo", cx.header("x-echo").unwrap_or_default())
    }
    let client = client([route("/", get(echo))]);
    let response = client.get("/").header("X-Echo", "as it was").send();
    assert_eq!(response.header("x-echo"), Some("as it was"));
}

#[test]
fn default_headers_are_in_every_response_unless_it_has_its_own() {
    async fn own(cx: &mut Context) -> Result {
        cx.set_header("X-A", "own")?;
        cx.clear_header("x-b");
        cx.write("own")
    }
    async fn cleared(cx: &mut Context) -> Result {
        cx.set_header("X-A", "own")?;
        cx.clear()?;
        cx.write("cleared")
    }
    let app = Application::new([
        route("/", get(async || "plain")),
        route("/own", get(own)),
        route("/cleared", get(cleared)),
        route("/fails", get(async || -> Result { Err(HTTPError::CONFLICT)? })),
    ]);
    let client = TestClient::new(app.default_header("X-A", "a").default_header("X-B", "b"));
    for (path, a, b) in [
        ("/", Some("a"), Some("b")),
        ("/own", Some("own"), None),
        ("/cleared", Some("a"), Some("b")),
        ("/fails", Some("a"), Some("b")),
        ("/nowhere", Some("a"), Some("b")),
    ] {
        // Each twice, because the second request reuses the memory of the first.
        for _ in 0..2 {
            let response = client.get(path).send();
            assert_eq!((response.header("x-a"), response.header("x-b")), (a, b), "{path}");
            assert_eq!(response.header("server"), Some(concat!("Squall/", "0.1.0")), "{path}");
        }
    }
    let malformed = client.exchange("no request\r\n\r\n");
    assert!(malformed.contains("\r\nX-A: a\r\nX-B: b\r\n"), "{malformed}");
}

#[test]
fn the_server_header_can_be_replaced_and_left_out() {
    let rows = || {
        let own = async |cx: &mut Context| -> Result {
            cx.clear_header("x-none");
            cx.set_header("Server", "handler")?;
            cx.write("own")
        };
        let clears = async |cx: &mut Context| -> Result {
            cx.clear_header("x-none");
            cx.write("clears")
        };
        [route("/", get(async || "a")), route("/own", get(own)), route("/clears", get(clears))]
    };
    let named = TestClient::new(Application::new(rows()).default_header("Server", "mine"));
    let hidden = TestClient::new(Application::new(rows()).without_server_header());
    for (path, of_named, of_hidden) in [
        ("/", Some("mine"), None),
        ("/clears", Some("mine"), None),
        ("/own", Some("handler"), Some("handler")),
        ("/nowhere", Some("mine"), None),
    ] {
        assert_eq!(named.get(path).send().header("server"), of_named, "{path}");
        assert_eq!(hidden.get(path).send().header("server"), of_hidden, "{path}");
    }
    assert!(!hidden.exchange("no request\r\n\r\n").contains("Server"));
}

#[test]
#[should_panic(expected = "the server sets \"content-length\"")]
fn a_default_header_that_the_server_sets_is_refused() {
    let _ = Application::new([]).default_header("Content-Length", "7");
}

#[test]
fn the_client_chooses_among_the_offers_by_its_accept_headers() {
    async fn choose(cx: &mut Context) -> String {
        cx.accepts(["text/html", "application/json", "image/png"]).unwrap_or("none").to_owned()
    }
    let client = client([route("/", get(choose))]);
    for (accept, chosen) in [
        ("*/*", "text/html"),
        ("application/json", "application/json"),
        ("APPLICATION/JSON", "application/json"),
        ("text/html;q=0.5, application/json;q=0.9", "application/json"),
        ("text/*;q=0.5, */*;q=0.1", "text/html"),
        ("text/html;q=0, */*", "application/json"),
        ("image/*, text/html;q=0.999", "image/png"),
        ("image/png;q=1.000", "image/png"),
        ("text/plain", "none"),
        ("*/*;q=0", "none"),
        ("text/html;q=2, image/png", "image/png"),
        ("text/html;q=0.1234, image/png", "image/png"),
        ("nonsense, image/png", "image/png"),
        ("nonsense", "text/html"),
        ("", "text/html"),
    ] {
        let response = client.get("/").header("Accept", accept).send();
        assert_eq!(response.text(), chosen, "{accept}");
    }
    assert_eq!(client.get("/").send().text(), "text/html", "without a header");
    let two = client.get("/").header("Accept", "text/plain").header("Accept", "image/png");
    assert_eq!(two.send().text(), "image/png");
}

#[test]
fn an_error_can_become_a_standard_error_and_an_own_type_one_of_ours() {
    struct Plain(u16);
    impl From<Plain> for Error {
        #[track_caller]
        fn from(plain: Plain) -> Self {
            HTTPError::new(plain.0.try_into().unwrap()).into()
        }
    }
    async fn teapot() -> Result<Html<&'static str>> {
        Err(Plain(418))?
    }
    assert_eq!(client([route("/", post(teapot))]).post("/").send().status(), 418);
    let standard = Error::from("x".parse::<u8>().unwrap_err()).into_std();
    assert!(standard.downcast::<std::num::ParseIntError>().is_ok());
}
