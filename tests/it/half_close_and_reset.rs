use std::fs::{self, File};

use squall::{
    Application, Context, HTTPServer, OpenFile, RequestHandler, Result, get, post, route,
};

use crate::events::{Events, Gate, Teller, events};
use crate::wire::{Client, Server};

/// A handler that waits at the gate, and reports its end.
#[derive(Clone)]
struct Waiting {
    teller: Teller,
    gate: Gate,
}

impl RequestHandler for Waiting {
    async fn get(&mut self, cx: &mut Context) -> Result {
        let _dropped = self.teller.at_drop("dropped");
        self.teller.tell("waits");
        self.gate.passed().await;
        self.teller.tell("goes on");
        cx.write("waited")
    }

    async fn post(&mut self, cx: &mut Context) -> Result {
        self.get(cx).await
    }

    fn on_finish(&mut self, _: &mut Context) {
        self.teller.tell("finished");
    }
}

/// A server with a `Waiting`, its gate, and its events.
struct Setting {
    server: Server,
    gate: Gate,
    events: Events,
}

impl Setting {
    /// The bytes of the client, up to the end of a request that waits and has reported it.
    fn client_that_waits(&self, sent: &Sent) -> Client {
        let mut client = self.server.connect();
        for _ in 0..sent.requests_before {
            client.send("GET /ready HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(client.response().text(), "ready");
        }
        let behind = if sent.more_behind { "GET /ready HTTP/1.1\r\nHost: a\r\n\r\n" } else { "" };
        client.send(format!("GET {} HTTP/1.1\r\nHost: a\r\n\r\n{behind}", sent.path));
        self.events.expect("waits");
        if sent.more_later {
            // These bytes stay where they are: the server does not read while a handler waits.
            client.send("GET /ready HTTP/1.1\r\nHost: a\r\n\r\n");
            client.let_server_run();
        }
        client
    }

    #[track_caller]
    fn assert_no_complaints(&self) {
        let mut lines = self.server.log();
        let is_usual = |line: &String| {
            line.starts_with("INFO squall::access") || line.starts_with("WARN squall::access: 499 ")
        };
        lines.retain(|line| !is_usual(line));
        assert_eq!(lines, Vec::<String>::new());
    }
}

/// The state of a connection when its client disconnects.
#[derive(Debug)]
struct Sent {
    path: &'static str,
    requests_before: usize,
    /// Another request came together with the one that waits.
    more_behind: bool,
    /// Another request came while that one waited.
    more_later: bool,
}

/// On a fresh connection and on one that was used, with and without unread requests.
fn all_ways(path: &'static str) -> impl Iterator<Item = Sent> {
    (0..8).map(move |bits| Sent {
        path,
        requests_before: bits & 1,
        more_behind: bits & 2 != 0,
        more_later: bits & 4 != 0,
    })
}

fn setting(server: fn(Application) -> HTTPServer) -> Setting {
    let (teller, events) = events();
    let gate = Gate::default();
    let waiting = Waiting { teller, gate: gate.clone() };
    let server = Server::with(move || {
        server(Application::new([
            route("/ready", get(async || "ready").post(async || "ready")),
            route("/waiting", waiting.clone()),
            route("/half-close", waiting.clone()).half_close(true),
            route("/no-half-close", waiting).half_close(false),
        ]))
    });
    Setting { server, gate, events }
}

fn by_default() -> Setting {
    setting(HTTPServer::new)
}

fn with_half_close() -> Setting {
    setting(|app| HTTPServer::new(app).half_close(true))
}

#[test]
fn a_handler_that_does_not_wait_is_answered_although_the_client_has_finished() {
    for setting in [by_default(), with_half_close()] {
        let requests = [
            "GET /ready HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /ready HTTP/1.0\r\n\r\n",
            "POST /ready HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody",
            "GET /ready HTTP/1.1\r\nHost: a\r\n\r\nGET /ready HTTP/1.1\r\nHost: a\r\n\r\n",
        ];
        for request in requests {
            for requests_before in 0..2 {
                let mut client = setting.server.connect();
                for _ in 0..requests_before {
                    client.send("GET /ready HTTP/1.1\r\nHost: a\r\n\r\n");
                    assert_eq!(client.response().text(), "ready");
                }
                client.send(request);
                client.finish();
                let responses = client.responses();
                let count = request.matches("/ready").count();
                assert_eq!(responses.len(), count, "{request:?} after {requests_before}");
                assert!(responses.iter().all(|response| response.text() == "ready"));
            }
        }
        setting.assert_no_complaints();
    }
}

#[test]
fn a_large_response_that_was_ready_at_once_arrives_although_the_client_has_finished() {
    const LENGTH: usize = 8 << 20;
    let server = Server::start(|| Application::new([route("/", get(async || vec![b'l'; LENGTH]))]));
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.finish();
    let responses = client.responses();
    assert_eq!(responses.len(), 1);
    assert_eq!(responses[0].body.len(), LENGTH);
}

#[test]
fn a_client_that_finishes_while_a_handler_waits_cancels_it() {
    let cases = [
        (by_default(), "/waiting"),
        (by_default(), "/no-half-close"),
        (with_half_close(), "/no-half-close"),
    ];
    for (setting, path) in cases {
        for sent in all_ways(path) {
            let mut client = setting.client_that_waits(&sent);
            client.finish();
            setting.events.expect("dropped");
            setting.events.expect("finished");
            let (bytes, _) = client.rest_and_ending();
            assert_eq!(bytes, b"", "nobody is answered: {sent:?}");
        }
        assert_eq!(setting.events.so_far(), Vec::<&str>::new(), "it does not go on");
        setting.assert_no_complaints();
    }
}

#[test]
fn it_makes_no_difference_if_the_client_finishes_right_behind_its_request() {
    let setting = by_default();
    for method in ["GET /waiting HTTP/1.1\r\nHost: a\r\n\r\n", POST_WAITING] {
        let mut client = setting.server.connect();
        client.send(method);
        client.finish();
        setting.events.expect("waits");
        setting.events.expect("dropped");
        setting.events.expect("finished");
        assert_eq!(client.rest(), b"", "{method:?}");
    }
}

const POST_WAITING: &str = "POST /waiting HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";

#[test]
fn with_half_close_a_client_that_has_finished_is_answered() {
    let cases = [
        (by_default as fn() -> Setting, "/half-close"),
        (with_half_close, "/half-close"),
        (with_half_close, "/waiting"),
    ];
    for (setting, path) in cases {
        for sent in all_ways(path) {
            let setting = setting();
            let mut client = setting.client_that_waits(&sent);
            client.finish();
            client.let_server_run();
            assert_eq!(setting.events.so_far(), Vec::<&str>::new(), "{sent:?}");
            setting.gate.open();
            for event in ["goes on", "dropped", "finished"] {
                setting.events.expect(event);
            }
            let responses = client.responses();
            let texts: Vec<&str> = responses.iter().map(|response| response.text()).collect();
            let count = 1 + usize::from(sent.more_behind) + usize::from(sent.more_later);
            assert_eq!(texts, [&["waited"][..], &["ready"; 2]].concat()[..count], "{sent:?}");
            setting.assert_no_complaints();
        }
    }
}

/// Middleware that reports and waits, around routes that are ready at once.
fn waiting_middleware(server: fn(Application) -> HTTPServer) -> Setting {
    let (teller, events) = events();
    let gate = Gate::default();
    let passed = gate.clone();
    let server = Server::with(move || {
        let app = Application::new([
            route("/half-close", get(async || "half-close")).half_close(true),
            route("/no-half-close", get(async || "no-half-close")).half_close(false),
        ]);
        server(app.around(async move |cx, next| {
            let _dropped = teller.at_drop("dropped");
            if cx.header("x-wait").is_some() {
                teller.tell("waits");
                passed.passed().await;
            }
            next.run(cx).await
        }))
    });
    Setting { server, gate, events }
}

#[test]
fn requests_without_a_route_follow_the_setting_of_the_server() {
    let before = [
        "",
        "GET /half-close HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /no-half-close HTTP/1.1\r\nHost: a\r\n\r\n",
    ];
    for before in before {
        for request in ["GET /nowhere", "OPTIONS *"] {
            let request = format!("{request} HTTP/1.1\r\nHost: a\r\nX-Wait: 1\r\n\r\n");
            let setting = waiting_middleware(HTTPServer::new);
            let mut client = setting.server.connect();
            client.send(before);
            if !before.is_empty() {
                assert_eq!(client.response().status, 200);
                setting.events.expect("dropped");
            }
            client.send(&request);
            setting.events.expect("waits");
            client.finish();
            setting.events.expect("dropped");
            assert_eq!(client.rest(), b"", "{request:?} after {before:?}");

            let setting = waiting_middleware(|app| HTTPServer::new(app).half_close(true));
            let mut client = setting.server.connect();
            client.send(before);
            if !before.is_empty() {
                assert_eq!(client.response().status, 200);
                setting.events.expect("dropped");
            }
            client.send(&request);
            setting.events.expect("waits");
            client.finish();
            client.let_server_run();
            assert_eq!(setting.events.so_far(), Vec::<&str>::new(), "{request:?} after {before:?}");
            setting.gate.open();
            assert_eq!(client.responses().len(), 1, "{request:?} after {before:?}");
        }
    }
}

#[test]
fn a_reset_cancels_whatever_the_settings_are() {
    let cases = [
        (by_default(), "/waiting"),
        (by_default(), "/half-close"),
        (with_half_close(), "/waiting"),
        (with_half_close(), "/half-close"),
    ];
    for (setting, path) in cases {
        for sent in all_ways(path) {
            let client = setting.client_that_waits(&sent);
            client.reset();
            setting.events.expect("dropped");
            setting.events.expect("finished");
        }
        assert_eq!(setting.events.so_far(), Vec::<&str>::new(), "it does not go on");
        setting.assert_no_complaints();
    }
}

#[test]
fn a_reset_after_a_half_close_cancels_the_handler() {
    let setting = with_half_close();
    for sent in all_ways("/waiting") {
        let mut client = setting.client_that_waits(&sent);
        client.finish();
        client.let_server_run();
        assert_eq!(setting.events.so_far(), Vec::<&str>::new(), "{sent:?}");
        client.reset();
        setting.events.expect("dropped");
        setting.events.expect("finished");
    }
    setting.assert_no_complaints();
}

#[test]
fn a_handler_is_cancelled_while_it_waits_in_flush() {
    let (teller, events) = events();
    let server = Server::start(|| {
        let endless = async move |cx: &mut Context| -> Result {
            let _dropped = teller.at_drop("dropped");
            teller.tell("begins");
            loop {
                cx.write(vec![b'e'; 64 * 1024])?;
                cx.flush().await?;
            }
        };
        Application::new([route("/", get(endless))])
    });
    for leave in [drop, Client::reset] {
        let mut client = server.connect();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        events.expect("begins");
        client.let_server_run();
        leave(client);
        events.expect("dropped");
    }
}

/// When the client ends its side: right behind the request, or when the server had time to begin.
const WHEN: [fn(&Client); 2] = [|_| (), Client::let_server_run];

#[test]
fn a_client_that_half_closes_at_any_time_receives_its_file() {
    /// As many as make it unlikely that none comes at a bad time.
    const TIMES: usize = 24;
    let folder = std::env::temp_dir().join(format!("squall-half-close-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let sizes = [0, 1000, 100_000, 4_000_000];
    let files = sizes.map(|size| {
        let file = folder.join(size.to_string());
        fs::write(&file, vec![b'f'; size]).unwrap();
        file
    });
    let served = folder.clone();
    let server = Server::start(move || {
        let [by_path, open, std, flushed] = [(); 4].map(|()| served.clone());
        let by_path =
            async move |cx: &mut Context, name: String| cx.send_file(by_path.join(name)).await;
        let open = async move |cx: &mut Context, name: String| -> Result {
            let file = OpenFile::open(open.join(name)).await?;
            cx.send_file(file).await
        };
        let std = async move |cx: &mut Context, name: String| -> Result {
            let file = OpenFile::from_std(File::open(std.join(name))?).await?;
            cx.send_file(&file).await
        };
        let flushed = async move |cx: &mut Context, name: String| -> Result {
            cx.send_file(flushed.join(name)).await?;
            cx.flush().await
        };
        Application::new([
            route("/path/{name}", get(by_path)),
            route("/open/{name}", get(open)),
            route("/std/{name}", get(std)),
            route("/flushed/{name}", get(flushed)),
        ])
    });
    for (kind, size) in
        ["path", "open", "std", "flushed"].iter().flat_map(|k| sizes.map(|s| (k, s)))
    {
        for when in WHEN.iter().cycle().take(if size < 1_000_000 { TIMES } else { 4 }) {
            let mut client = server.connect();
            client.send(format!("GET /{kind}/{size} HTTP/1.1\r\nHost: a\r\n\r\n"));
            when(&client);
            client.finish();
            let responses = client.responses();
            assert_eq!(responses.len(), 1, "{kind} {size}");
            assert_eq!(
                (responses[0].status, responses[0].body.len()),
                (200, size),
                "{kind} {size}"
            );
        }
    }
    files.iter().for_each(|file| fs::remove_file(file).unwrap());
    fs::remove_dir(folder).unwrap();
}

#[test]
fn a_client_that_finishes_is_sent_what_a_handler_flushes() {
    const PIECES: usize = 64;
    const PIECE: usize = 256 * 1024;
    let (teller, events) = events();
    let server = Server::start(|| {
        let flushing = async move |cx: &mut Context| -> Result {
            teller.tell("begins");
            for _ in 0..PIECES {
                cx.write(vec![b'f'; PIECE])?;
                cx.flush().await?;
            }
            Ok(())
        };
        Application::new([route("/", get(flushing))])
    });
    for when in WHEN {
        let mut client = server.connect();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        events.expect("begins");
        when(&client);
        client.finish();
        // It is a while before the client takes anything.
        client.let_server_run();
        let responses = client.responses();
        assert_eq!(responses.len(), 1);
        assert_eq!(responses[0].body.len(), PIECES * PIECE);
    }
}

#[test]
fn a_client_that_half_closes_behind_its_body_is_answered_by_the_handler_that_reads_it() {
    let server = Server::start(|| {
        let whole = async |cx: &mut Context| cx.write(cx.body().await?);
        let pieces = async |cx: &mut Context| -> Result {
            let mut body = cx.body();
            while let Some(piece) = body.next().await {
                cx.write(piece?)?;
            }
            Ok(())
        };
        Application::new([
            route("/collected", post(whole)),
            route("/streamed", post(whole)).stream_request_body(),
            route("/pieces", post(pieces)).stream_request_body(),
        ])
    });
    for path in ["/collected", "/streamed", "/pieces"] {
        for when in WHEN {
            let mut client = server.connect();
            client
                .send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nhalf"));
            when(&client);
            client.send(" and");
            client.finish();
            let responses = client.responses();
            assert_eq!((responses.len(), responses[0].text()), (1, "half and"), "{path}");
        }
    }
}

/// The server remembers a half-close while the handler may not be cancelled.
#[test]
fn a_handler_is_cancelled_at_its_own_wait_whenever_the_client_has_finished() {
    let (teller, events) = events();
    let server = Server::start(|| {
        let flushing = teller.clone();
        let flushing = async move |cx: &mut Context| -> Result {
            let _dropped = flushing.at_drop("dropped");
            flushing.tell("begins");
            cx.write(vec![b'f'; 8 << 20])?;
            cx.flush().await?;
            flushing.tell("flushed");
            std::future::pending().await
        };
        let opening = async move |_: &mut Context| -> Result {
            let _dropped = teller.at_drop("dropped");
            teller.tell("begins");
            OpenFile::open("/proc/self/exe").await?;
            teller.tell("opened");
            std::future::pending().await
        };
        Application::new([route("/flushing", get(flushing)), route("/opening", get(opening))])
    });
    for (path, then) in [("/flushing", "flushed"), ("/opening", "opened")] {
        for when in WHEN {
            let mut client = server.connect();
            client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
            when(&client);
            client.finish();
            events.expect("begins");
            let (bytes, _) = client.rest_and_ending();
            assert_eq!(bytes.is_empty(), path == "/opening");
            for event in [then, "dropped"] {
                events.expect(event);
            }
        }
    }
}

#[test]
fn reading_the_body_fails_after_a_disconnect() {
    let (teller, events) = events();
    let server = Server::start(|| {
        let reader = async move |cx: &mut Context| -> Result {
            teller.tell("reads");
            let mut body = cx.body();
            while let Some(piece) = body.next().await {
                match piece {
                    Ok(_) => teller.tell("a piece"),
                    Err(error) => {
                        teller.tell("an error");
                        return Err(error);
                    }
                }
            }
            teller.tell("the end");
            Ok(())
        };
        Application::new([route("/", post(reader)).stream_request_body()])
    });
    for leave in [
        |mut client: Client| {
            client.finish();
            client.rest();
        },
        Client::reset,
    ] {
        let mut client = server.connect();
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf.");
        events.expect("reads");
        events.expect("a piece");
        leave(client);
        events.expect("an error");
    }
    assert_eq!(events.so_far(), Vec::<&str>::new());
}

#[test]
fn a_task_spawned_by_a_handler_outlives_it() {
    let (teller, events) = events();
    let gate = Gate::default();
    let opened = gate.clone();
    let server = Server::start(|| {
        let handler = async move || {
            let _dropped = teller.at_drop("dropped");
            let (teller, gate) = (teller.clone(), gate.clone());
            squall::IOLoop::current().spawn_callback(async move {
                gate.passed().await;
                teller.tell("spawned work is done");
            });
            std::future::pending::<()>().await;
        };
        Application::new([route("/", get(handler))])
    });
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.let_server_run();
    drop(client);
    events.expect("dropped");
    opened.open();
    events.expect("spawned work is done");
}

#[test]
fn a_connection_without_a_request_may_end_as_it_likes() {
    let setting = by_default();
    let leave: [fn(Client); 3] = [drop, Client::reset, |mut client| {
        client.finish();
        assert_eq!(client.rest(), b"");
    }];
    for bytes in ["", "\r\n", "GET / HT", "GET /ready HTTP/1.1\r\nHost: a\r\n\r\nGET"] {
        for leave in leave {
            let mut client = setting.server.connect();
            client.send(bytes);
            if bytes.ends_with("\r\n\r\nGET") {
                assert_eq!(client.response().text(), "ready");
            }
            client.let_server_run();
            leave(client);
        }
    }
    assert!(setting.server.exchange("GET /ready HTTP/1.1\r\nHost: a\r\n\r\n").kept);
    setting.assert_no_complaints();
}
