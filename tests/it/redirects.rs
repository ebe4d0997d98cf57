use squall::testing::TestClient;
use squall::{Application, Context, RequestHandler, ResponseError, Result, StatusCode, get, route};

use crate::wire::Server;

#[test]
fn a_redirect_names_the_place_and_has_no_body() {
    async fn go(cx: &mut Context) -> Result {
        cx.set_header("X-Own", "1")?;
        cx.write("thrown away")?;
        cx.redirect("/there?a=b#c")
    }
    let server = Server::start(|| Application::new([route("/", get(go))]));
    let exchange = server.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let expected = "HTTP/1.1 302 Found\r\nServer: Squall/0.1.0\r\nX-Own: 1\r\n\
        Location: /there?a=b#c\r\nDate:\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(exchange.only().raw, expected);
    assert!(exchange.kept);
    let exchange = server.exchange("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(exchange.only().raw, expected);
}

#[test]
fn the_status_and_the_place_are_as_given() {
    let statuses = [
        (StatusCode::MOVED_PERMANENTLY, "301 Moved Permanently"),
        (StatusCode::FOUND, "302 Found"),
        (StatusCode::SEE_OTHER, "303 See Other"),
        (StatusCode::TEMPORARY_REDIRECT, "307 Temporary Redirect"),
        (StatusCode::PERMANENT_REDIRECT, "308 Permanent Redirect"),
    ];
    let places =
        ["/", "there", "../up", "?a=b", "//other/x", "https://example.com/%C3%A9?q=1&r=2", ""];
    for (status, line) in statuses {
        for place in places {
            let go = async move |cx: &mut Context| cx.redirect_with(status, place);
            let client = TestClient::new(Application::new([route("/", get(go).post(go))]));
            for method in ["GET", "POST", "HEAD"] {
                let answer = client.exchange(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"));
                assert!(answer.starts_with(&format!("HTTP/1.1 {line}\r\n")), "{answer}");
                assert!(answer.contains(&format!("\r\nLocation: {place}\r\n")), "{answer}");
                assert!(answer.ends_with("\r\nContent-Length: 0\r\n\r\n"), "{answer}");
            }
        }
    }
}

#[test]
fn a_place_is_percent_encoded_as_browsers_do_it() {
    for (place, location) in [
        ("/a b", "/a%20b"),
        ("/a\tb?c\td", "/a%09b?c%09d"),
        (
            "/sm\u{f8}rrebr\u{f8}d?q=\u{20ac} 5#\u{fc}",
            "/sm%C3%B8rrebr%C3%B8d?q=%E2%82%AC%205#%C3%BC",
        ),
        ("/%C3%A9?a=%20", "/%C3%A9?a=%20"),
        ("  /x ", "/x"),
    ] {
        let server = Server::start(move || {
            Application::new([route("/", get(async move |cx: &mut Context| cx.redirect(place)))])
        });
        let exchange = server.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let expected = format!(
            "HTTP/1.1 302 Found\r\nServer: Squall/0.1.0\r\nLocation: {location}\r\nDate:\r\n\
             Content-Length: 0\r\n\r\n"
        );
        assert_eq!(exchange.only().raw, expected);
    }
}

#[test]
fn an_invalid_redirect_is_refused_and_leaves_the_response_unchanged() {
    let statuses = [100, 101, 199, 200, 201, 204, 304, 400, 404, 500, 599, 999];
    for status in statuses {
        let status = StatusCode::from_u16(status).unwrap();
        let go = async move |cx: &mut Context| {
            cx.write("stays")?;
            let error = cx.redirect_with(status, "/there").unwrap_err();
            assert_eq!(error.downcast_ref(), Some(&ResponseError::NotRedirect(status)));
            assert_eq!((cx.status(), cx.is_finished()), (StatusCode::OK, false));
            assert_eq!(cx.response_header("location"), None);
            cx.write(", here")
        };
        let client = TestClient::new(Application::new([route("/", get(go))]));
        assert_eq!(client.get("/").send().text(), "stays, here");
    }
    for place in ["/a\r\nX-Injected: 1", "/a\nb", "\r", "/\0", "/\u{7f}", "/\u{1b}[0m"] {
        let go = async move |cx: &mut Context| {
            assert!(cx.redirect(place).is_err(), "{place:?}");
            cx.write("stays")
        };
        let client = TestClient::new(Application::new([route("/", get(go))]));
        let response = client.get("/").send();
        assert_eq!((response.text().as_str(), response.header("location")), ("stays", None));
    }
    let go = async |cx: &mut Context| cx.redirect_with(StatusCode::OK, "/there");
    let client = TestClient::new(Application::new([route("/", get(go))]));
    assert_eq!(client.get("/").send().status(), 500);
}

#[test]
fn behind_a_redirect_nothing_can_be_written() {
    async fn go(cx: &mut Context) -> Result {
        cx.redirect("/there")?;
        assert!(cx.is_finished());
        let error = cx.write("more").unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&ResponseError::Finished));
        Ok(())
    }
    let client = TestClient::new(Application::new([route("/", get(go))]));
    let response = client.get("/").send();
    assert_eq!((response.status().as_u16(), response.body()), (302, &b""[..]));
}

#[test]
fn a_redirect_comes_too_late_behind_a_flush() {
    async fn go(cx: &mut Context) -> Result {
        cx.write("part")?;
        cx.flush().await?;
        let error = cx.redirect("/there").unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&ResponseError::HeadSent));
        Ok(())
    }
    let client = TestClient::new(Application::new([route("/", get(go))]));
    let response = client.get("/").send();
    assert_eq!((response.status().as_u16(), response.text()), (200, "part".to_owned()));
    assert_eq!(response.header("location"), None);
}

#[test]
fn a_redirect_in_prepare_keeps_the_method_from_being_called() {
    #[derive(Clone)]
    struct Elsewhere;

    impl RequestHandler for Elsewhere {
        async fn prepare(&mut self, cx: &mut Context) -> Result {
            cx.redirect_with(StatusCode::PERMANENT_REDIRECT, "/there")
        }

        async fn get(&mut self, _: &mut Context) -> Result {
            panic!("not called")
        }
    }
    let client = TestClient::new(Application::new([route("/", Elsewhere)]));
    assert_eq!(client.get("/").send().status(), 308);
    assert_eq!(client.post("/").send().status(), 405, "a method that is left out stays so");
}
