use std::collections::HashMap;

use squall::{Application, Context, Result, get, post, regex, route};

use crate::wire::Server;

const FORM: &str = "application/x-www-form-urlencoded";

/// `/` answers with all arguments called `a` in parentheses, `/last` with the one that counts;
/// `/path/…` with its path argument, `/unread` with nothing of what it was given.
fn server() -> Server {
    async fn all(cx: &mut Context) -> Result {
        let values = cx.arguments("a")?;
        let shown: Vec<_> = values.iter().map(|value| format!("({value})")).collect();
        cx.write(shown.concat())
    }
    async fn last(cx: &mut Context) -> Result {
        cx.write(cx.argument("a")?)
    }
    async fn accented(cx: &mut Context) -> Result {
        cx.write(cx.argument("\u{e9}")?)
    }
    async fn path(cx: &mut Context, text: String) -> Result {
        cx.write(format!("({text})"))
    }
    async fn number(cx: &mut Context, number: u8) -> Result {
        cx.write(number.to_string())
    }
    async fn two(cx: &mut Context, first: String, second: String) -> Result {
        cx.write(format!("({first})({second})"))
    }
    async fn optional(cx: &mut Context) -> Result {
        let first: String = cx.path_argument("first")?;
        let second = cx.path_argument::<String>("second");
        let second = second.unwrap_or_else(|error| error.status().to_string());
        cx.write(format!("({first})({second})"))
    }
    async fn maybe(cx: &mut Context, first: Option<String>, second: Option<u8>) -> Result {
        let named: Option<u8> = cx.optional_path_argument("second")?;
        assert_eq!(named, second);
        assert_eq!(cx.optional_path_argument::<u8>("third").unwrap_err().status(), 500);
        assert_eq!(cx.optional_path_argument_at::<u8>(2)?, None);
        cx.write(format!("{first:?} {second:?}"))
    }
    async fn mixed(cx: &mut Context, a: u8, b: Option<char>, c: Option<bool>) -> Result {
        cx.write(format!("{a} {b:?} {c:?}"))
    }
    async fn unread() -> &'static str {
        "unread"
    }
    Server::start(|| {
        Application::new([
            route("/", get(all).post(all)),
            route("/last", get(last).post(last)),
            route("/accented", get(accented)),
            route("/path/{text}", get(path)),
            route("/number/{number}", get(number)),
            route("/two/{first}/{second}", get(two)),
            route("/rest/{*rest}", get(path)),
            regex("/optional/(?<first>[^/]+)(?:/(?<second>[^/]+))?", get(optional)),
            regex("/maybe(?:/(?<first>[^/]*))?(?:/(?<second>[^/]+))?", get(maybe)),
            regex("/mixed/([0-9]+)(-.)?(/[a-z]+)?", get(mixed)),
            regex("/group/([0-9]+)(?:-(.))?(?:/([a-z]+))?", get(mixed)),
            route("/always/{a}/{b}/{c}", get(mixed)),
            route("/unread", get(unread).post(unread)),
            route("/unread/{text}", get(unread)),
        ])
    })
}

fn get_of(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")
}

fn post_of(target: &str, content_type: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {target} HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

/// The bytes between `?` and the end of a query, or in the body of a form.
const FIELDS: &[(&str, &str, &str)] = &[
    ("nothing", "", ""),
    ("one", "a=1", "(1)"),
    ("two of a name", "a=1&a=2", "(1)(2)"),
    ("others between them", "a=1&b=2&a=3", "(1)(3)"),
    ("an empty value", "a=", "()"),
    ("no value", "a", "()"),
    ("an empty value among others", "a=1&a=&a=2", "(1)()(2)"),
    ("empty fields", "&&a=1&&", "(1)"),
    ("a plus is a space", "a=x+y", "(x y)"),
    ("an escaped space", "a=x%20y", "(x y)"),
    ("an escaped plus", "a=1+%2B+1", "(1 + 1)"),
    ("a semicolon is a semicolon", "a=1;a=2", "(1;a=2)"),
    ("an equals sign in a value", "a=b=c", "(b=c)"),
    ("an escaped separator", "a=1%26a=2", "(1&a=2)"),
    ("an escaped name", "%61=1", "(1)"),
    ("an escaped equals sign", "a%3D1", ""),
    ("a question mark", "a=?", "(?)"),
    ("a slash", "a=/b", "(/b)"),
    ("small and large digits", "a=%c3%A9", "(\u{e9})"),
    ("beyond the first plane", "a=%F0%9F%A6%80", "(\u{1f980})"),
    ("an escape that is none", "a=100%", "(100%)"),
    ("an escape with bad digits", "a=%zz", "(%zz)"),
    ("an escape that is cut short", "a=%4", "(%4)"),
    ("spaces around a value", "a=+x%20", "(x)"),
    ("NUL", "a=%00", "(\0)"),
    ("names differ in their letters", "A=1&a=2", "(2)"),
];

#[test]
fn a_query_is_a_list_of_names_and_values() {
    let server = server();
    for (what, query, seen) in FIELDS {
        assert_eq!(server.serves(what, get_of(&format!("/?{query}"))).text(), *seen, "{what}");
    }
    assert_eq!(server.serves("no query", get_of("/")).text(), "");
}

#[test]
fn a_form_is_a_list_of_names_and_values() {
    let server = server();
    for (what, form, seen) in FIELDS {
        assert_eq!(server.serves(what, post_of("/", FORM, form)).text(), *seen, "{what}");
    }
}

#[test]
fn a_query_may_contain_unescaped_bytes_outside_ascii() {
    let server = server();
    assert_eq!(server.serves("a value", get_of("/?a=\u{e9}")).text(), "(\u{e9})");
    assert_eq!(server.serves("a name", get_of("/accented?\u{e9}=1")).text(), "1");
    assert_eq!(server.serves("an escaped name", get_of("/accented?%C3%A9=1")).text(), "1");
}

#[test]
fn a_form_counts_before_the_query_and_comes_behind_it() {
    let server = server();
    let both = post_of("/?a=1&a=2", FORM, "a=3&a=4");
    assert_eq!(server.serves("all of them", both).text(), "(1)(2)(3)(4)");
    let both = post_of("/last?a=1&a=2", FORM, "a=3&a=4");
    assert_eq!(server.serves("the last of the form", both).text(), "4");
    let both = post_of("/last?a=1&a=2", FORM, "b=3");
    assert_eq!(server.serves("the last of the query", both).text(), "2");
}

#[test]
fn only_a_form_is_read_as_one() {
    let rows = [
        (FORM, "(1)"),
        ("Application/X-WWW-Form-URLEncoded", "(1)"),
        ("application/x-www-form-urlencoded; charset=UTF-8", "(1)"),
        ("application/x-www-form-urlencoded;charset=UTF-8", "(1)"),
        ("application/x-www-form-urlencoded2", ""),
        ("text/plain", ""),
        ("application/json", ""),
        ("", ""),
    ];
    let server = server();
    for (content_type, seen) in rows {
        let response = server.serves(content_type, post_of("/", content_type, "a=1"));
        assert_eq!(response.text(), seen, "{content_type:?}");
    }
}

/// Asserts that `request` is answered with 400, and the connection kept: the request is one,
/// only what it says is wrong.
#[track_caller]
fn is_bad(server: &Server, what: &str, request: String) {
    let exchange = server.exchange(request);
    assert_eq!(exchange.statuses(), [400], "{what}");
    assert!(exchange.kept, "{what}");
}

#[test]
fn an_argument_that_is_missing_is_the_mistake_of_the_client() {
    let server = server();
    is_bad(&server, "no query", get_of("/last"));
    is_bad(&server, "another name", get_of("/last?b=1"));
    is_bad(&server, "another form", post_of("/last", FORM, "b=1"));
    is_bad(&server, "no form", post_of("/last", "text/plain", "a=1"));
}

#[test]
fn text_that_is_not_utf8_is_refused_where_it_is_read() {
    let rows = ["a=%FF", "a=%C3", "a=%E9", "a=%C0%80", "a=%ED%A0%80", "a=%FF&a=1", "%61=%FF"];
    let server = server();
    for fields in rows {
        is_bad(&server, fields, get_of(&format!("/?{fields}")));
        is_bad(&server, fields, post_of("/", FORM, fields));
        server.serves(fields, get_of(&format!("/unread?{fields}")));
        server.serves(fields, post_of("/unread", FORM, fields));
    }
    is_bad(&server, "a path argument", get_of("/path/%FF"));
    is_bad(&server, "an optional path argument", get_of("/maybe/%FF"));
    is_bad(&server, "a number that is a path argument", get_of("/number/%FF"));
    server.serves("a path argument that is not read", get_of("/unread/%FF"));
}

#[test]
fn only_the_requested_argument_is_decoded() {
    let server = server();
    let rows: [(&str, &[u8], &str); 9] = [
        ("another value", b"a=1&b=%FF", "1"),
        ("another value before it", b"b=%FF&a=1", "1"),
        ("a value that does not count", b"a=%FF&a=1", "1"),
        ("another name", b"%FF=1&a=1", "1"),
        ("another name that begins so", b"a%FF=1&a=1", "1"),
        ("raw bytes in another value", b"a=\xC3\xA9&b=\xFF", "\u{e9}"),
        ("raw bytes in another name", b"a=\xC3\xA9&\xFF=1", "\u{e9}"),
        ("escapes and raw bytes", b"\xFF%FF=%FF\xFF&%61=%C3\xA9", "\u{e9}"),
        ("nothing but names", b"%FF&a&%C3", ""),
    ];
    for (what, fields, seen) in rows {
        let query = [b"GET /last?", fields, b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
        assert_eq!(server.serves(what, query).text(), seen, "{what}");
        let head = post_of("/last", FORM, &"x".repeat(fields.len()));
        let form = [head.trim_end_matches('x').as_bytes(), fields].concat();
        assert_eq!(server.serves(what, form).text(), seen, "{what}, in a form");
    }
    let both = post_of("/last?a=%FF&b=%FF", FORM, "a=1");
    assert_eq!(server.serves("the query is not asked", both).text(), "1");
    let both = post_of("/last?a=1", FORM, "b=%FF");
    assert_eq!(server.serves("the form has none of the name", both).text(), "1");
    is_bad(&server, "all of the name are asked for", get_of("/?a=1&a=%FF&a=2"));
    is_bad(
        &server,
        "a raw byte",
        "GET /last?a=\u{ff} HTTP/1.1\r\nHost: a\r\n\r\n".replace('\u{ff}', "%FF"),
    );
}

#[test]
fn a_query_and_a_form_as_a_type_have_as_many_fields_at_most() {
    type Pairs = Vec<(String, String)>;
    async fn query(cx: &mut Context) -> Result {
        let pairs: Pairs = cx.query_as()?;
        cx.write(pairs.len().to_string())
    }
    async fn form(cx: &mut Context) -> Result {
        let pairs: Pairs = cx.body().form().await?;
        cx.write(pairs.len().to_string())
    }
    async fn one(cx: &mut Context) -> Result {
        let fields: HashMap<String, String> = cx.query_as()?;
        cx.write(fields["a"].clone())
    }
    let server = Server::start(|| {
        Application::new([
            route("/query", get(query)),
            route("/form", post(form)),
            route("/streamed", post(form)).stream_request_body(),
            route("/one", get(one)),
        ])
    });
    for (separator, field) in [("&", "a="), ("&&", "a"), ("&", "=%FF"), ("&", "a;b=c")] {
        let fields = |count: usize| format!("&{}&", vec![field; count].join(separator));
        let most = get_of(&format!("/query?{}", fields(1000)));
        assert_eq!(server.serves("a thousand", most).text(), "1000", "{field}");
        is_bad(&server, "one more", get_of(&format!("/query?{}", fields(1001))));
        for target in ["/form", "/streamed"] {
            let most = post_of(target, FORM, &fields(1000));
            assert_eq!(server.serves("a thousand in a form", most).text(), "1000", "{field}");
            is_bad(&server, "one more in a form", post_of(target, FORM, &fields(1001)));
            is_bad(&server, "many more", post_of(target, FORM, &fields(20_000)));
        }
    }
    assert_eq!(server.serves("another is not UTF-8", get_of("/one?a=1&b=%FF")).text(), "1");
}

#[test]
fn there_are_at_most_a_thousand_fields() {
    let server = server();
    let fields = |count: usize| vec!["a="; count].join("&");
    let most = server.serves("a thousand", get_of(&format!("/?{}", fields(1000))));
    assert_eq!(most.text(), "()".repeat(1000));
    server.serves("a thousand in a form", post_of("/", FORM, &fields(1000)));
    is_bad(&server, "one more", get_of(&format!("/?{}", fields(1001))));
    is_bad(&server, "one more in a form", post_of("/", FORM, &fields(1001)));
    server.serves("one more, unread", get_of(&format!("/unread?{}", fields(1001))));
    let each = post_of(&format!("/?{}", fields(1000)), FORM, &fields(1000));
    assert_eq!(server.serves("a thousand in each", each).text(), "()".repeat(2000));
}

#[test]
fn a_path_argument_is_decoded_after_the_route_is_found() {
    let rows = [
        ("/path/a", "(a)"),
        ("/path/a%20b", "(a b)"),
        ("/path/a%2Fb", "(a/b)"),
        ("/path/a%2fb", "(a/b)"),
        ("/path/a%3Fb", "(a?b)"),
        ("/path/a%23b", "(a#b)"),
        ("/path/a%25b", "(a%b)"),
        ("/path/a%2541", "(a%41)"),
        ("/path/1%20+%201", "(1 + 1)"),
        ("/path/caf%C3%A9", "(caf\u{e9})"),
        ("/path/caf\u{e9}", "(caf\u{e9})"),
        ("/path/100%", "(100%)"),
        ("/path/%zz", "(%zz)"),
        ("/path/..", "(..)"),
        ("/path/%2e%2e", "(..)"),
        ("/path/%00", "(\0)"),
        ("/path/a?b", "(a)"),
        ("/two/a/b", "(a)(b)"),
        ("/two/a%2Fb/c", "(a/b)(c)"),
        ("/two/a+b/c%2Bd", "(a+b)(c+d)"),
        ("/rest/a/b/c", "(a/b/c)"),
        ("/rest/a%2Fb//c", "(a/b//c)"),
        ("/rest/", "()"),
        ("/rest/?a=b", "()"),
        ("/number/255", "255"),
        ("/number/%32%35%35", "255"),
        ("/optional/a/b", "(a)(b)"),
        ("/optional/a", "(a)(404 Not Found)"),
        ("/maybe", "None None"),
        ("/maybe/", "Some(\"\") None"),
        ("/maybe/a", "Some(\"a\") None"),
        ("/maybe/a%20b/255", "Some(\"a b\") Some(255)"),
        ("/group/7", "7 None None"),
        ("/group/7-x", "7 Some('x') None"),
        ("/group/7/true", "7 None Some(true)"),
        ("/group/%37-%78/%74rue", "7 Some('x') Some(true)"),
        ("/always/1/x/false", "1 Some('x') Some(false)"),
    ];
    let server = server();
    for (target, seen) in rows {
        assert_eq!(server.serves(target, get_of(target)).text(), seen, "{target}");
    }
}

#[test]
fn a_path_without_a_route_is_not_found() {
    let rows = [
        "/nowhere",
        "/path",
        "/path/",
        "/path/a/b",
        "/path/a/",
        "/PATH/a",
        "/number/256",
        "/number/-1",
        "/number/x",
        "/number/1.0",
        "/two/a",
        "/two/a/",
        "/two//b",
        "/rest",
        "/optional/",
        "/maybe/a/256",
        "/maybe/a/x",
        "/group/256",
        "/group/7/maybe",
        "/mixed/7-x",
        "/always/1/xx/true",
    ];
    let server = server();
    for target in rows {
        let exchange = server.exchange(get_of(target));
        assert_eq!(exchange.statuses(), [404], "{target}");
        assert!(exchange.kept, "{target}");
    }
}
