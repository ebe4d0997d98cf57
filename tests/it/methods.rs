use squall::testing::TestClient;
use squall::{
    Application, Context, Functions, HTTPError, Method, RequestHandler, Result, StatusCode, get,
    post, route,
};

use crate::events::{Teller, events};
use crate::wire::Server;

/// A handler with these methods, each of which writes its name.
macro_rules! handler {
    ($name:ident: $($method:ident)*) => {
        #[derive(Clone)]
        struct $name;

        impl RequestHandler for $name {
            $(async fn $method(&mut self, cx: &mut Context) -> Result {
                cx.set_header("X-Method", stringify!($method))?;
                cx.write(stringify!($method))
            })*
        }
    };
}

handler!(All: get head post delete patch put options);
handler!(OnlyGet: get);
handler!(OnlyHead: head);
handler!(OnlyPost: post);
handler!(GetAndPut: get put);
handler!(Nothing:);

fn method(name: &str) -> Method {
    Method::from_bytes(name.as_bytes()).unwrap()
}

const ALL: [&str; 7] = ["GET", "HEAD", "POST", "DELETE", "PATCH", "PUT", "OPTIONS"];

#[test]
fn each_method_calls_its_own() {
    let client = TestClient::new(Application::new([route("/", All)]));
    for name in ALL {
        let response = client.request(method(name), "/").send();
        assert_eq!(response.status(), 200, "{name}");
        assert_eq!(response.header("x-method"), Some(&*name.to_lowercase()));
        let text = if name == "HEAD" { String::new() } else { name.to_lowercase() };
        assert_eq!(response.text(), text);
    }
}

#[test]
fn each_function_answers_its_method() {
    async fn name(cx: &mut Context) -> Result {
        cx.set_header("X-Method", cx.method().as_str().to_lowercase())?;
        cx.write(cx.method().as_str().to_owned())
    }
    let functions = get(name).post(name).put(name).patch(name).delete(name);
    let functions = functions.on(Method::HEAD, name).on(Method::OPTIONS, name);
    let client = TestClient::new(Application::new([route("/", functions)]));
    for name in ALL {
        let response = client.request(method(name), "/").send();
        assert_eq!(response.header("x-method"), Some(&*name.to_lowercase()));
    }
}

#[test]
fn a_missing_method_gets_a_405_with_the_others() {
    async fn hello() -> &'static str {
        "hello"
    }
    let app = Application::new([
        route("/all", All),
        route("/get", OnlyGet),
        route("/head", OnlyHead),
        route("/post", OnlyPost),
        route("/get-and-put", GetAndPut),
        route("/nothing", Nothing),
        route("/functions", get(hello)),
        route("/post-function", post(hello)),
        route("/many-functions", post(hello).get(hello).delete(hello)),
        route("/own-head", get(hello).on(Method::HEAD, hello)),
        route("/no-functions", Functions::default()),
        route("/purge", get(hello).on(method("PURGE"), hello)),
    ]);
    let client = TestClient::new(app);
    let cases = [
        ("/all", "GET, HEAD, POST, DELETE, PATCH, PUT, OPTIONS"),
        ("/get", "GET, HEAD, OPTIONS"),
        ("/head", "HEAD, OPTIONS"),
        ("/post", "POST, OPTIONS"),
        ("/get-and-put", "GET, HEAD, PUT, OPTIONS"),
        ("/nothing", "OPTIONS"),
        ("/functions", "GET, HEAD, OPTIONS"),
        ("/post-function", "POST, OPTIONS"),
        ("/many-functions", "POST, GET, DELETE, HEAD, OPTIONS"),
        ("/own-head", "GET, HEAD, OPTIONS"),
        ("/no-functions", "OPTIONS"),
        ("/purge", "GET, PURGE, HEAD, OPTIONS"),
    ];
    for (path, allow) in cases {
        for name in ALL.into_iter().chain(["get", "FOO", "PURGE", "M-SEARCH", "CONNECT2", "TRACE"])
        {
            let response = client.request(method(name), path).send();
            let has = allow.split(", ").any(|allowed| allowed == name);
            if name == "OPTIONS" && path != "/all" {
                assert_eq!(response.status(), 204, "{path}");
                assert_eq!(response.header("allow"), Some(allow), "{path}");
            } else if has {
                assert_eq!(response.status(), 200, "{name} {path}");
                assert_eq!(response.header("allow"), None, "{name} {path}");
            } else {
                assert_eq!(response.status(), 405, "{name} {path}");
                assert_eq!(response.header("allow"), Some(allow), "{name} {path}");
                let page = "<html><title>405: Method Not Allowed</title>\
                    <body>405: Method Not Allowed</body></html>";
                assert_eq!(response.text(), if name == "HEAD" { "" } else { page });
            }
        }
    }
}

#[test]
fn a_405_to_head_has_the_length_of_its_page() {
    let server = Server::start(|| Application::new([route("/", OnlyPost)]));
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let expected = client.response();
    for _ in 0..2 {
        client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
        let response = client.response_to_head();
        assert_eq!(response.undated_headers(), expected.undated_headers());
    }
}

#[test]
fn the_answer_to_options_is_exact() {
    let server = Server::start(|| Application::new([route("/", OnlyGet)]));
    let start = "HTTP/1.1 204 No Content\r\nServer: Squall/0.1.0\r\n";
    let cases = [
        ("/", format!("{start}Allow: GET, HEAD, OPTIONS\r\nDate:\r\n\r\n")),
        ("*", format!("{start}Date:\r\n\r\n")),
    ];
    for (target, expected) in cases {
        let exchange = server.exchange(format!("OPTIONS {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(exchange.only().raw, expected);
        assert!(exchange.kept);
    }
    let exchange = server.exchange("OPTIONS /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(exchange.statuses(), [404]);
    // The asterisk means the server in OPTIONS only.
    let exchange = server.exchange("GET * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(exchange.statuses(), [400]);
}

#[test]
fn a_405_comes_before_the_body_is_read() {
    let server = Server::start(|| Application::new([route("/", OnlyGet)]));
    let mut client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    assert_eq!(client.response().status, 405);
    client.send("helloGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response().text(), "get");
}

#[test]
fn a_wrapper_has_the_methods_of_the_wrapped_handler() {
    #[derive(Clone)]
    struct Wrapper<H>(H);

    impl<H: RequestHandler> RequestHandler for Wrapper<H> {
        fn get(&mut self, cx: &mut Context) -> impl Future<Output = Result> {
            self.0.get(cx)
        }

        fn head(&mut self, cx: &mut Context) -> impl Future<Output = Result> {
            self.0.head(cx)
        }

        fn post(&mut self, cx: &mut Context) -> impl Future<Output = Result> {
            self.0.post(cx)
        }

        fn put(&mut self, cx: &mut Context) -> impl Future<Output = Result> {
            self.0.put(cx)
        }
    }
    let app = Application::new([
        route("/get", Wrapper(OnlyGet)),
        route("/get-and-put", Wrapper(Wrapper(GetAndPut))),
        route("/all", Wrapper(All)),
        route("/nothing", Wrapper(Nothing)),
    ]);
    let client = TestClient::new(app);
    let cases = [
        ("/get", "GET, HEAD, OPTIONS"),
        ("/get-and-put", "GET, HEAD, PUT, OPTIONS"),
        ("/all", "GET, HEAD, POST, PUT, OPTIONS"),
        ("/nothing", "OPTIONS"),
    ];
    for (path, allow) in cases {
        for name in ALL {
            let response = client.request(method(name), path).send();
            let has = allow.split(", ").any(|allowed| allowed == name);
            let status = if name == "OPTIONS" { 204 } else { [405, 200][usize::from(has)] };
            assert_eq!(response.status(), status, "{name} {path}");
            if status != 200 {
                assert_eq!(response.header("allow"), Some(allow), "{name} {path}");
            }
        }
    }
}

/// Tells what is run of it.
#[derive(Clone)]
struct Telling(Teller);

impl RequestHandler for Telling {
    async fn prepare(&mut self, _: &mut Context) -> Result {
        self.0.tell("prepare");
        Ok(())
    }

    async fn get(&mut self, _: &mut Context) -> Result {
        self.0.tell("get");
        Ok(())
    }

    async fn post(&mut self, _: &mut Context) -> Result {
        self.0.tell("post");
        Ok(())
    }

    fn on_finish(&mut self, _: &mut Context) {
        self.0.tell("on_finish");
    }
}

#[test]
fn to_find_the_methods_none_of_them_is_run() {
    let requests = [
        ("PUT", 405, &["on_finish"][..]),
        ("OPTIONS", 204, &[]),
        ("GET", 200, &["prepare", "get", "on_finish"]),
        ("PUT", 405, &["on_finish"]),
        ("HEAD", 200, &["prepare", "get", "on_finish"]),
        ("OPTIONS", 204, &[]),
    ];
    // Whatever the first request is.
    for first in 0..requests.len() {
        let (teller, events) = events();
        let client = TestClient::new(Application::new([route("/", Telling(teller))]));
        for (name, status, told) in requests.iter().cycle().skip(first).take(requests.len()) {
            assert_eq!(client.request(method(name), "/").send().status(), *status);
            assert_eq!(events.so_far(), **told, "{name}");
        }
    }
}

#[test]
fn a_handler_may_refuse_a_method_itself() {
    async fn refuse(_: &mut Context) -> Result {
        Err(HTTPError::METHOD_NOT_ALLOWED.with_header("Allow", "GET"))?
    }
    let client = TestClient::new(Application::new([route("/", post(refuse))]));
    let response = client.post("/").send();
    assert_eq!(
        (response.status(), response.header("allow")),
        (StatusCode::METHOD_NOT_ALLOWED, Some("GET"))
    );
}

#[test]
fn the_first_row_that_matches_answers_whatever_its_methods_are() {
    let app = Application::new([route("/{any}/a", OnlyGet), route("/post/{any}", OnlyPost)]);
    let response = TestClient::new(app).post("/post/a").send();
    assert_eq!(
        (response.status().as_u16(), response.header("allow")),
        (405, Some("GET, HEAD, OPTIONS"))
    );
}

#[test]
fn every_part_of_a_handler_sees_the_arguments_of_the_path() {
    #[derive(Clone)]
    struct Seeing(Teller);

    impl RequestHandler for Seeing {
        async fn prepare(&mut self, cx: &mut Context) -> Result {
            assert_eq!(cx.path_argument::<u32>("id")?, 7);
            assert_eq!(cx.path_argument_at::<String>(1)?, "a b");
            self.0.tell("prepare");
            Ok(())
        }

        async fn get(&mut self, cx: &mut Context) -> Result {
            cx.path_argument::<u32>("name").map(drop)
        }

        fn write_error(&mut self, cx: &mut Context, _: &squall::Error) -> Result {
            cx.write(cx.path_argument::<String>("name")?)
        }

        fn on_finish(&mut self, cx: &mut Context) {
            assert_eq!(cx.path_argument::<u32>("id").unwrap(), 7);
            self.0.tell("on_finish");
        }
    }
    let (teller, events) = events();
    let client = TestClient::new(Application::new([route("/{id}/{name}", Seeing(teller))]));
    let response = client.get("/7/a%20b").send();
    // A name is no number, and a path with it names nothing.
    assert_eq!((response.status().as_u16(), response.text()), (404, "a b".to_owned()));
    assert_eq!(events.so_far(), ["prepare", "on_finish"]);
}
