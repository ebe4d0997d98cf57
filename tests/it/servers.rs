use std::cell::RefCell;
use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Instant;

use squall::testing::TestClient;
use squall::{Application, Context, HTTPServer, IOLoop, Result, bind_sockets, get, route};

use crate::events::{Gate, events};
use crate::running::Running;
use crate::wire::{Client, DEADLINE};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const LOCAL: &str = "127.0.0.1:0";

/// An application that answers with `text`.
fn saying(text: &'static str) -> Application {
    Application::new([route("/", get(async move || text))])
}

/// A server without signals, which would end the servers of the other tests.
fn server_of(app: Application) -> HTTPServer {
    HTTPServer::new(app).handle_signals(false)
}

#[track_caller]
fn assert_says(client: &mut Client, text: &str) {
    client.send(GET);
    assert_eq!(client.response().text(), text);
}

/// Waits until the address is free: a server that was stopped still takes a turn or two.
#[track_caller]
fn assert_refused(address: SocketAddr) {
    let start = Instant::now();
    let connect = || TcpStream::connect_timeout(&address, DEADLINE).map_err(|error| error.kind());
    while connect().map(drop) != Err(ErrorKind::ConnectionRefused) {
        assert!(start.elapsed() < DEADLINE, "somebody listens");
    }
}

#[test]
fn two_servers_of_a_process_are_independent() {
    let (running, [first, second]) = Running::start(|| {
        [("first", 3), ("second", 1000)].map(|(text, limit)| {
            let app =
                Application::new([route("/", get(async move || text).post(async move || text))]);
            let server = server_of(app).max_body_size(limit);
            server.listen(LOCAL).unwrap();
            server.local_addrs()[0]
        })
    });
    let mut clients = [running.connect(first), running.connect(second)];
    for _ in 0..2 {
        assert_says(&mut clients[0], "first");
        assert_says(&mut clients[1], "second");
    }
    for (client, status) in clients.iter_mut().zip([413, 200]) {
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
        assert_eq!(client.response().status, status);
    }
}

/// The servers of the thread, to be stopped by the test.
fn stop_all() {
    SERVERS.with_borrow(|servers| servers.iter().for_each(HTTPServer::stop));
}

thread_local! {
    static SERVERS: RefCell<Vec<HTTPServer>> = const { RefCell::new(Vec::new()) };
}

#[test]
fn a_stopped_server_serves_the_connections_it_has_and_no_others() {
    let (teller, events) = events();
    let gate = Gate::default();
    let opened = gate.clone();
    let (running, [stopped, other]) = Running::start(|| {
        let wait = async move || {
            teller.tell("waits");
            gate.passed().await;
            "waited"
        };
        let app =
            Application::new([route("/", get(async || "stopped")), route("/wait", get(wait))]);
        let (stopped, other) = (server_of(app), server_of(saying("other")));
        stopped.listen(LOCAL).unwrap();
        other.listen(LOCAL).unwrap();
        let addresses = [stopped.local_addrs()[0], other.local_addrs()[0]];
        SERVERS.set(vec![stopped]);
        addresses
    });
    let (mut idle, mut fresh, mut waiting) =
        (running.connect(stopped), running.connect(stopped), running.connect(stopped));
    assert_says(&mut idle, "stopped");
    waiting.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    events.expect("waits");

    running.call(stop_all);
    idle.let_server_run();
    assert_refused(stopped);
    running.call(stop_all);
    for _ in 0..2 {
        assert_says(&mut idle, "stopped");
        assert_says(&mut fresh, "stopped");
    }
    opened.open();
    assert_eq!(waiting.response().text(), "waited");
    assert_says(&mut waiting, "stopped");
    let mut client = running.connect(other);
    assert_says(&mut client, "other");
}

#[test]
fn a_client_in_the_queue_is_served_when_the_server_stops() {
    let (running, address) = Running::start(|| {
        let server = server_of(saying("hello"));
        server.listen(LOCAL).unwrap();
        let address = server.local_addrs()[0];
        SERVERS.set(vec![server]);
        address
    });
    // In one turn: the loop cannot accept before it receives the order to stop.
    let mut early = Vec::new();
    let (send, received) = std::sync::mpsc::channel();
    running.call(move || {
        for _ in 0..10 {
            send.send(TcpStream::connect_timeout(&address, DEADLINE).unwrap()).unwrap();
        }
        stop_all();
    });
    early.extend(received);
    assert_eq!(early.len(), 10);
    for mut stream in early {
        std::io::Write::write_all(&mut stream, b"GET / HTTP/1.0\r\n\r\n").unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.ends_with("\r\n\r\nhello"), "{text}");
    }
    assert_refused(address);
}

#[test]
fn a_handler_may_stop_its_server() {
    let (running, address) = Running::start(|| {
        let shared: Rc<RefCell<Option<HTTPServer>>> = Rc::default();
        let own = Rc::clone(&shared);
        let stop = async move || {
            own.borrow().as_ref().unwrap().stop();
            "stopped"
        };
        let server = server_of(Application::new([route("/", get(stop))]));
        server.listen(LOCAL).unwrap();
        let address = server.local_addrs()[0];
        *shared.borrow_mut() = Some(server);
        address
    });
    let mut client = running.connect(address);
    assert_says(&mut client, "stopped");
    client.let_server_run();
    assert_refused(address);
    assert_says(&mut client, "stopped");
}

#[test]
fn the_address_that_a_stopped_server_had_can_be_bound_again() {
    let (running, address) = Running::start(|| {
        let server = server_of(saying("old"));
        server.listen(LOCAL).unwrap();
        let address = server.local_addrs()[0];
        SERVERS.set(vec![server]);
        address
    });
    let mut old = running.connect(address);
    assert_says(&mut old, "old");
    running.call(stop_all);
    old.let_server_run();
    running.call(move || {
        let server = server_of(saying("new"));
        server.listen(address).unwrap();
    });
    let mut new = running.connect(address);
    assert_says(&mut new, "new");
    assert_says(&mut old, "old");
}

#[test]
fn dropping_its_handles_stops_nothing() {
    let (running, address) = Running::start(|| {
        let server = server_of(saying("hello"));
        let clone = server.clone();
        server.listen(LOCAL).unwrap();
        drop(server);
        clone.local_addrs()[0]
    });
    assert_says(&mut running.connect(address), "hello");
}

#[test]
fn port_0_binds_one_free_port_for_both_families() {
    let (running, addresses) = Running::start(|| {
        let server = server_of(saying("hello"));
        assert_eq!(server.local_addrs(), []);
        server.listen(0).unwrap();
        server.local_addrs()
    });
    let port = addresses[0].port();
    assert_ne!(port, 0);
    let all = [
        SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
        SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
    ];
    assert!(addresses == all || addresses == all[..1], "{addresses:?}");
    for address in addresses {
        let address = match address {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
        };
        assert_says(&mut running.connect(address), "hello");
    }
}

#[test]
fn a_client_is_known_by_its_address() {
    async fn who(cx: &mut Context) -> Result {
        let (address, ip) = (cx.remote_addr().unwrap(), cx.remote_ip().unwrap());
        assert_eq!(address.ip().to_canonical(), ip);
        cx.write(format!("{ip} {}", address.port()))
    }
    let (running, port) = Running::start(|| {
        let server = server_of(Application::new([route("/", get(who))]));
        server.listen(0).unwrap();
        server.local_addrs()[0].port()
    });
    let mut client = running.connect((Ipv4Addr::LOCALHOST, port).into());
    let own_port = client.socket().local_addr().unwrap().port();
    assert_says(&mut client, &format!("127.0.0.1 {own_port}"));
}

#[test]
fn a_port_in_use_is_an_error() {
    let holder = TcpListener::bind(LOCAL).unwrap();
    let port = holder.local_addr().unwrap().port();
    let (_running, errors) = Running::start(move || {
        let bind = || server_of(saying("hello")).bind(format!("127.0.0.1:{port}")).map(drop);
        let listen = || server_of(saying("hello")).listen(port);
        let app_listen = || saying("hello").listen(format!("127.0.0.1:{port}")).map(drop);
        [bind(), listen(), app_listen()].map(Result::unwrap_err)
    });
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().contains(&format!(":{port}: ")), "{error}");
    }
}

#[test]
fn an_invalid_address_is_named_in_the_error() {
    for address in ["nonsense", "127.0.0.1", "127.0.0.1:x", "1.2.3.4.5:80", "::1:80"] {
        let error = server_of(saying("hello")).bind(address).map(drop).unwrap_err();
        assert!(error.to_string().contains(address), "{address}: {error}");
    }
}

#[test]
fn a_bound_address_is_served_once_the_server_starts() {
    let (running, [first, second]) = Running::start(|| {
        let server = server_of(saying("hello"));
        server.bind(LOCAL).unwrap().bind(LOCAL).unwrap();
        let addresses = server.local_addrs();
        SERVERS.set(vec![server]);
        [addresses[0], addresses[1]]
    });
    let mut clients = [running.connect(first), running.connect(second)];
    clients.iter_mut().for_each(|client| client.send(GET));
    running.call(|| SERVERS.with_borrow(|servers| servers[0].start(1).unwrap()));
    for client in &mut clients {
        assert_eq!(client.response().text(), "hello");
    }
}

#[test]
fn starting_a_server_twice_is_an_error() {
    let (running, address) = Running::start(|| {
        let server = server_of(saying("hello"));
        server.bind(LOCAL).unwrap().start(1).unwrap();
        let error = server.start(1).unwrap_err();
        assert!(error.to_string().starts_with("the server was started already"), "{error}");
        server.local_addrs()[0]
    });
    assert_says(&mut running.connect(address), "hello");
}

#[test]
fn stopping_releases_an_address_that_was_only_bound() {
    let (_running, address) = Running::start(|| {
        let server = server_of(saying("hello"));
        server.bind(LOCAL).unwrap();
        server.stop();
        let error = server.start(1).unwrap_err();
        assert!(error.to_string().starts_with("nothing is bound"), "{error}");
        server.local_addrs()[0]
    });
    assert_refused(address);
}

#[test]
fn sockets_may_come_from_elsewhere() {
    let (running, [first, second]) = Running::start(|| {
        let server = server_of(saying("hello"));
        server.add_sockets(bind_sockets(LOCAL).unwrap()).unwrap();
        server.add_sockets(bind_sockets(LOCAL).unwrap()).unwrap();
        let addresses = server.local_addrs();
        [addresses[0], addresses[1]]
    });
    assert_ne!(first, second);
    assert_says(&mut running.connect(first), "hello");
    assert_says(&mut running.connect(second), "hello");
}

#[test]
fn an_application_is_built_once_and_not_before_it_is_served() {
    let (teller, events) = events();
    let (running, [first, second]) = Running::start(move || {
        let told = teller.clone();
        let server = HTTPServer::with(move || {
            told.tell("built");
            // State that no other thread may have.
            let count = Rc::new(std::cell::Cell::new(0));
            let counting = async move || {
                count.set(count.get() + 1);
                count.get().to_string()
            };
            Application::new([route("/", get(counting))])
        });
        let server = server.handle_signals(false);
        server.bind(LOCAL).unwrap().bind(LOCAL).unwrap();
        teller.tell("bound");
        server.start(1).unwrap();
        teller.tell("started");
        let addresses = server.local_addrs();
        [addresses[0], addresses[1]]
    });
    assert_eq!(events.so_far(), ["bound", "built", "started"]);
    assert_says(&mut running.connect(first), "1");
    assert_says(&mut running.connect(second), "2");
    assert_eq!(events.so_far(), Vec::<&str>::new());
}

#[test]
fn a_server_need_not_listen_to_be_tested() {
    let client = TestClient::of(&server_of(saying("hello")));
    assert_eq!(client.get("/").send().text(), "hello");
    IOLoop::current().stop();
}
