use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use squall::testing::TestClient;
use squall::websocket::{CloseCode, Prepared, WebSocketSender};
use squall::{DrainReason, HTTPServer, IOLoop, control, metrics, sleep};

use super::*;

type Events = Rc<RefCell<Vec<String>>>;

/// Notes what happens.
#[derive(Clone, Default)]
struct Noting {
    events: Events,
    open_fails: bool,
    /// Each connection has its own.
    count: u32,
}

impl Noting {
    fn note(&self, event: impl Into<String>) {
        self.events.borrow_mut().push(event.into());
    }
}

impl WebSocketHandler for Noting {
    async fn open(&mut self, ws: &WebSocket, cx: &mut Context) -> Result {
        sleep(Duration::from_secs(10)).await;
        self.note(format!("open {}", cx.path_argument::<String>("room")?));
        assert!(cx.write("too late").is_err());
        if self.open_fails {
            "x".parse::<u8>()?;
        }
        ws.send("opened").await
    }

    async fn on_message(&mut self, ws: &WebSocket, message: Message) -> Result {
        self.count += 1;
        self.note(format!("begin {}", message.as_text()?));
        match message.as_text()? {
            "panic" => panic!("as asked"),
            "error" => drop("x".parse::<u8>()?),
            "missing" => Err(HTTPError::NOT_FOUND)?,
            "close" => ws.close(3001, "bye").await?,
            "hang" => std::future::pending().await,
            _ => {}
        }
        sleep(Duration::from_secs(1)).await;
        self.note(format!("end {} {}", message.as_text()?, self.count));
        ws.send(message).await
    }

    async fn on_pong(&mut self, _: &WebSocket, payload: Bytes) -> Result {
        self.note(format!("pong {payload:?}"));
        Ok(())
    }

    fn on_close(&mut self, code: Option<CloseCode>, reason: &str) {
        self.note(format!("close {:?} {reason:?}", code.map(CloseCode::as_u16)));
    }
}

fn noting(open_fails: bool) -> (TestClient, Events) {
    let events = Events::default();
    let handler = Noting { events: Rc::clone(&events), open_fails, count: 0 };
    (TestClient::new(Application::new([websocket("/{room}", handler)])), events)
}

fn pass(seconds: u64) {
    IOLoop::current().run_sync(sleep(Duration::from_secs(seconds))).unwrap();
}

#[test]
fn messages_are_handled_one_at_a_time_and_after_open() {
    let (client, events) = noting(false);
    let mut ws = client.websocket("/lobby").connect();
    for text in ["a", "b"] {
        ws.send(text);
    }
    for text in ["opened", "a", "b"] {
        assert_eq!(ws.recv(), Some(text.into()));
    }
    ws.close(4000, "enough");
    assert_eq!(
        *events.borrow(),
        ["open lobby", "begin a", "end a 1", "begin b", "end b 2", "close Some(4000) \"enough\""]
    );
}

#[test]
fn an_error_or_a_panic_closes_with_1011_and_is_logged_with_its_line() {
    let (server, events) = {
        let events = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let sent = std::sync::Arc::clone(&events);
        let server =
            Server::start(move || Application::new([websocket("/echo", Failing { events: sent })]));
        (server, events)
    };
    for (message, expected) in [
        (masked(0x81, "error"), closing(1011, "")),
        (masked(0x81, "panic"), closing(1011, "")),
        (masked(0x81, "missing"), closing(1008, "Not Found")),
        (masked(0x82, "binary"), closing(1003, "expected text")),
    ] {
        let mut client = open(&server, "/echo", "");
        client.send(&message);
        assert_eq!(client.exact(expected.len()), expected);
        client.send(masked(0x88, &expected[2..4]));
        assert_eq!(client.rest(), b"");
        client.let_server_run();
    }
    assert_eq!(*events.lock().unwrap(), [1011, 1011, 1008, 1003]);
    let log = server.log();
    let lines: Vec<_> = log.iter().filter(|line| line.contains("squall::application")).collect();
    assert_eq!(lines.len(), 2, "{log:?}");
    assert!(lines[0].contains("invalid digit") && lines[0].contains("handlers.rs:"), "{lines:?}");
    assert!(lines[1].contains("as asked") && lines[1].contains("handlers.rs:"), "{lines:?}");
    let ends =
        log.iter().filter(|line| line.contains("INFO squall::access: 101 GET /echo (127.0.0.1)"));
    assert_eq!(ends.count(), 4, "{log:?}");
}

#[derive(Clone)]
struct Failing {
    events: std::sync::Arc<std::sync::Mutex<Vec<u16>>>,
}

impl WebSocketHandler for Failing {
    async fn on_message(&mut self, _: &WebSocket, message: Message) -> Result {
        match message.as_text()? {
            "panic" => panic!("as asked"),
            "missing" => Err(HTTPError::NOT_FOUND)?,
            _ => drop("x".parse::<u8>()?),
        }
        Ok(())
    }

    fn on_close(&mut self, code: Option<CloseCode>, _: &str) {
        self.events.lock().unwrap().push(code.map_or(0, CloseCode::as_u16));
    }
}

#[test]
fn an_error_in_open_closes_with_1011() {
    let (client, events) = noting(true);
    let mut ws = client.websocket("/lobby").connect();
    assert_eq!(ws.closed().unwrap().code(), CloseCode::INTERNAL_ERROR);
    pass(1);
    assert_eq!(*events.borrow(), ["open lobby", "close Some(1011) \"\""]);
}

#[test]
fn on_close_is_called_once_however_the_connection_ends() {
    // The server closes.
    let (client, events) = noting(false);
    let mut ws = client.websocket("/a").connect();
    ws.send("close");
    let frame = ws.closed().unwrap();
    assert_eq!((frame.code().as_u16(), frame.reason().as_str()), (3001, "bye"));
    pass(10);
    let expected = ["open a", "begin close", "end close 1", "close Some(3001) \"\""];
    assert_eq!(*events.borrow(), expected);
    // The client is gone without a word, while a handler hangs.
    let (client, events) = noting(false);
    let mut ws = client.websocket("/a").connect();
    ws.send("hang");
    assert_eq!(ws.recv(), Some("opened".into()));
    pass(10);
    drop(ws);
    pass(10);
    assert_eq!(events.borrow().last().unwrap(), "close None \"\"");
    assert_eq!(events.borrow().len(), 3);
    // The client breaks the protocol.
    let (client, events) = noting(false);
    let mut ws = client.websocket("/a").connect();
    assert_eq!(ws.recv(), Some("opened".into()));
    ws.send_raw([0x81, 0]);
    assert_eq!(ws.closed().unwrap().code(), CloseCode::PROTOCOL_ERROR);
    drop(ws);
    pass(10);
    assert_eq!(*events.borrow(), ["open a", "close None \"\""]);
    // The client vanishes.
    let (client, events) = noting(false);
    let mut ws = client.websocket("/a").connect();
    assert_eq!(ws.recv(), Some("opened".into()));
    ws.vanish();
    pass(3600);
    assert_eq!(ws.received_raw(), [plain(0x89, ""), closing(1011, "ping timed out")].concat());
    assert_eq!(*events.borrow(), ["open a", "close None \"\""]);
}

#[test]
fn pings_keep_a_connection_alive_and_pongs_are_seen() {
    let (client, events) = noting(false);
    let mut ws = client.websocket("/a").connect();
    assert_eq!(ws.recv(), Some("opened".into()));
    pass(3600);
    assert_eq!(events.borrow().iter().filter(|event| *event == "pong b\"\"").count(), 120);
    ws.close(1000, "");
}

#[test]
fn the_end_of_the_server_closes_all_sockets_with_1001() {
    let (client, events) = noting(false);
    let mut idle = client.websocket("/idle").connect();
    let mut busy = client.websocket("/busy").connect();
    busy.send("hang");
    assert_eq!(idle.recv(), Some("opened".into()));
    assert_eq!(busy.recv(), Some("opened".into()));
    let begin = IOLoop::current().time();
    client.begin_shutdown();
    for ws in [&mut idle, &mut busy] {
        assert_eq!(ws.closed().unwrap().code().as_u16(), DrainReason::Shutdown.close_code());
    }
    client.finish_shutdown();
    assert!(IOLoop::current().time() - begin < Duration::from_secs(2));
    let closed =
        events.borrow().iter().filter(|event| event.starts_with("close Some(1001)")).count();
    assert_eq!(closed, 2);
}

#[test]
fn a_function_is_dropped_at_a_disconnect_unless_it_opted_out() {
    let events = Events::default();
    let (waiting, told) = (Rc::clone(&events), Rc::clone(&events));
    let waits = async move |ws: WebSocket| {
        ws.send("hello").await?;
        struct Noted(Events);
        impl Drop for Noted {
            fn drop(&mut self) {
                self.0.borrow_mut().push("dropped".to_owned());
            }
        }
        let _noted = Noted(Rc::clone(&waiting));
        std::future::pending::<Result>().await
    };
    let listens = async move |mut ws: WebSocket, name: String| {
        while ws.recv().await?.is_some() {}
        sleep(Duration::from_secs(60)).await;
        told.borrow_mut().push(format!("cleaned up {name}"));
        Ok(())
    };
    let app = Application::new([websocket("/waits", waits), websocket("/listens/{name}", listens)]);
    let client = TestClient::new(app);
    let mut ws = client.websocket("/waits").connect();
    assert_eq!(ws.recv(), Some("hello".into()));
    ws.close(1000, "");
    pass(1);
    assert_eq!(*events.borrow(), ["dropped"]);
    client.websocket("/listens/ada").connect().close(1000, "");
    pass(100);
    assert_eq!(*events.borrow(), ["dropped", "cleaned up ada"]);
}

#[test]
fn connections_may_send_to_each_other() {
    #[derive(Clone, Default)]
    struct Chat {
        members: Rc<RefCell<Vec<WebSocketSender>>>,
    }

    impl WebSocketHandler for Chat {
        async fn open(&mut self, ws: &WebSocket, _: &mut Context) -> Result {
            self.members.borrow_mut().push(ws.sender());
            Ok(())
        }

        async fn on_message(&mut self, _: &WebSocket, message: Message) -> Result {
            let message = Prepared::new(message);
            let members = self.members.borrow().clone();
            for member in members.iter().filter(|member| member.is_open()) {
                let _ = member.send_prepared(&message).await;
            }
            Ok(())
        }

        fn on_close(&mut self, _: Option<CloseCode>, _: &str) {
            self.members.borrow_mut().retain(WebSocketSender::is_open);
        }
    }

    let chat = Chat::default();
    let client = TestClient::new(Application::new([websocket("/chat", chat.clone())]));
    let mut members: Vec<_> = (0..3).map(|_| client.websocket("/chat").connect()).collect();
    pass(1);
    members[0].send("hello");
    for member in &mut members {
        assert_eq!(member.recv(), Some("hello".into()));
    }
    members.pop().unwrap().close(1000, "");
    pass(1);
    assert_eq!(chat.members.borrow().len(), 2);
}

#[test]
fn compression_works_through_the_test_client() {
    let app = Application::new([websocket("/", echo)]);
    let client = TestClient::new(app);
    let mut ws = client.websocket("/").compression(WebSocketCompression::new()).connect();
    assert!(ws.response().header("sec-websocket-extensions").is_some());
    for length in [10, 5000, 200_000] {
        let text = "compress me ".repeat(length / 12);
        ws.send(text.clone());
        assert!(ws.recv() == Some(text.into()));
    }
}

#[test]
fn sockets_and_messages_are_counted() {
    let app = Application::new([
        websocket("/", echo),
        route("/metrics", metrics::handler()),
        route("/status", control::page()),
    ]);
    let options = WebSocketOptions::new().compression(None);
    let client = TestClient::of(&HTTPServer::new(app).websocket_options(options));
    let mut sockets: Vec<_> = (0..3).map(|_| client.websocket("/").connect()).collect();
    sockets[0].send("hello");
    sockets[0].recv();
    sockets[1].send(vec![0; 1000]);
    sockets[1].recv();
    sockets.pop().unwrap().close(1000, "");
    pass(1);
    let text = client.get("/metrics").send().text();
    for line in [
        "websocket_connections_open 2",
        "websocket_connections_opened_total 3",
        "websocket_received_messages_total 2",
        "websocket_sent_messages_total 2",
        "websocket_received_bytes_total 1005",
        "websocket_sent_bytes_total 1005",
        "http_requests_total{method=\"GET\",route=\"/\",status=\"1xx\"} 3",
    ] {
        assert!(text.lines().any(|other| other == line), "{line} is not in {text}");
    }
    let page = client.get("/status").send().text();
    assert!(page.contains("2 WebSockets of 3, 2 messages received, 2 sent"), "{page}");
}
