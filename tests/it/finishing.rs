use squall::{Application, Context, Functions, RequestHandler, ResponseError, Result, get, route};

use crate::events::{Gate, events};
use crate::wire::{Ending, Response, Server};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn serving(handler: impl FnOnce() -> Functions + Send + 'static) -> Server {
    Server::start(|| Application::new([route("/", handler())]))
}

#[track_caller]
fn assert_is(response: &Response, status: u16, text: &str) {
    assert_eq!((response.status, response.text()), (status, text));
}

#[test]
fn a_finished_response_leaves_while_its_handler_goes_on() {
    let gate = Gate::default();
    let opened = gate.clone();
    let (teller, events) = events();
    let server = serving(|| {
        get(async move |cx: &mut Context| -> Result {
            cx.write("early")?;
            cx.finish()?;
            assert!(cx.is_finished());
            gate.passed().await;
            teller.tell("went on");
            Ok(())
        })
    });
    let mut client = server.connect();
    client.send(GET.repeat(2));
    assert_is(&client.response(), 200, "early");
    client.let_server_run();
    assert_eq!(events.so_far(), Vec::<&str>::new(), "the second request waits for the first");
    opened.open();
    events.expect("went on");
    assert_is(&client.response(), 200, "early");
    events.expect("went on");
}

#[test]
fn a_finished_response_cannot_be_changed() {
    async fn too_late(cx: &mut Context) -> Result {
        cx.write("whole")?;
        cx.finish()?;
        let finished = ResponseError::Finished;
        for result in [cx.write("more"), cx.finish(), cx.add_trailer("X-A", "b")] {
            assert_eq!(result.unwrap_err().downcast_ref(), Some(&finished));
        }
        let sent = ResponseError::HeadSent;
        for result in [cx.set_header("X-A", "b"), cx.add_header("X-A", "b"), cx.redirect("/")] {
            assert_eq!(result.unwrap_err().downcast_ref(), Some(&sent));
        }
        let result = cx.upgrade(async |_| ());
        assert_eq!(result.unwrap_err().downcast_ref(), Some(&finished));
        cx.set_status(squall::StatusCode::CREATED);
        cx.clear_header("Content-Type");
        cx.flush().await
    }
    let server = serving(|| get(too_late));
    for _ in 0..2 {
        let exchange = server.exchange(GET);
        assert_is(exchange.only(), 200, "whole");
        assert!(exchange.kept);
    }
}

#[test]
fn an_error_behind_a_finished_response_is_only_logged() {
    async fn writes(cx: &mut Context) -> Result {
        cx.write("whole")?;
        cx.finish()?;
        cx.write("more")
    }
    async fn panics(cx: &mut Context) -> Result {
        cx.write("whole")?;
        cx.finish()?;
        panic!("too late")
    }
    async fn writes_after_flush(cx: &mut Context) -> Result {
        cx.write("wh")?;
        cx.flush().await?;
        cx.write("ole")?;
        cx.finish()?;
        cx.write("more")
    }
    let cases = [
        (serving(|| get(writes)), "the response is finished"),
        (serving(|| get(writes_after_flush)), "the response is finished"),
        (serving(|| get(panics)), "too late"),
    ];
    for (server, message) in cases {
        let exchange = server.exchange(GET);
        assert_is(exchange.only(), 200, "whole");
        assert!(exchange.kept);
        let log = server.log();
        let logged = |line: &String| line.starts_with("ERROR") && line.contains(message);
        assert!(log.iter().any(logged), "{log:?}");
    }
}

#[test]
fn an_invalid_response_cannot_be_finished() {
    async fn wrong_length(cx: &mut Context) -> Result {
        cx.set_header("Content-Length", "9")?;
        cx.write("four")?;
        let error = cx.finish().unwrap_err();
        let expected = ResponseError::WrongLength { declared: 9, written: 4 };
        assert_eq!(error.downcast_ref(), Some(&expected));
        cx.set_header("Content-Length", "4")?;
        cx.finish()
    }
    let server = serving(|| get(wrong_length));
    assert_is(server.exchange(GET).only(), 200, "four");
}

#[test]
fn a_client_that_finishes_gets_what_was_finished_before() {
    const LENGTH: usize = 16 << 20;
    let (teller, events) = events();
    let server = serving(|| {
        get(async move |cx: &mut Context| -> Result {
            let _dropped = teller.at_drop("dropped");
            cx.write(vec![b'l'; LENGTH])?;
            cx.finish()?;
            std::future::pending().await
        })
    });
    let mut client = server.connect();
    client.send(GET);
    client.finish();
    events.expect("dropped");
    let (bytes, ending) = client.rest_and_ending();
    assert!(bytes.len() > LENGTH, "{} bytes", bytes.len());
    assert_eq!(ending, Ending::Closed);
}

#[test]
fn a_response_finished_in_prepare_is_all_there_is() {
    #[derive(Clone)]
    struct Early;

    impl RequestHandler for Early {
        async fn prepare(&mut self, cx: &mut Context) -> Result {
            match cx.header("x-how").as_deref() {
                Some("finish") => {
                    cx.write("prepared")?;
                    cx.finish()
                }
                Some("redirect") => cx.redirect("/elsewhere"),
                _ => cx.write("prepared and "),
            }
        }

        async fn get(&mut self, cx: &mut Context) -> Result {
            cx.write("got")
        }
    }
    let server = Server::start(|| Application::new([route("/", Early)]));
    let cases = [("finish", 200, "prepared"), ("redirect", 302, ""), ("", 200, "prepared and got")];
    for (how, status, text) in cases {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\nX-How: {how}\r\n\r\n");
        assert_is(server.exchange(request).only(), status, text);
    }
}
