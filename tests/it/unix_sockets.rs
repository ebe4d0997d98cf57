use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use squall::{Application, Context, HTTPServer, Result, get, post, route};
use squall_runtime::BindOptions;

use crate::running::Running;
use crate::wire::{DEADLINE, Response, split};

/// A path for a socket, in a folder that is removed with it.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("squall-{}-{count}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        Self(folder.join("a.sock"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.0.parent().unwrap());
    }
}

fn application() -> Application {
    async fn echo(cx: &mut Context) -> Result {
        cx.write(cx.body().await?)
    }
    async fn who(cx: &mut Context) -> Result {
        cx.write(format!("{:?} {:?}", cx.remote_addr(), cx.remote_ip()))
    }
    Application::new([
        route("/", get(async || "hello").post(echo)),
        route("/who", get(who)),
        route("/large", get(async || vec![b'l'; 4 << 20])),
        route("/stream", post(echo)).stream_request_body(),
    ])
}

fn server() -> HTTPServer {
    HTTPServer::new(application()).handle_signals(false)
}

/// A server on the socket at `path`.
#[track_caller]
fn serve(path: &Path) -> Running {
    let path = path.to_owned();
    Running::start(move || server().listen(path).unwrap()).0
}

fn connect(path: &Path) -> UnixStream {
    with_deadline(UnixStream::connect(path).unwrap())
}

fn with_deadline(stream: UnixStream) -> UnixStream {
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// Sends `bytes`, and receives until the server closes.
#[track_caller]
fn exchange(mut stream: UnixStream, bytes: &str) -> Vec<Response> {
    stream.write_all(bytes.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    split(&answer)
}

#[test]
fn requests_are_answered_as_over_tcp() {
    let place = Place::new();
    let _running = serve(&place.0);
    let responses = exchange(connect(&place.0), "GET / HTTP/1.0\r\n\r\n");
    let expected = "HTTP/1.1 200 OK\r\nServer: Squall/0.1.0\r\n\
        Content-Type: text/plain; charset=UTF-8\r\nDate:\r\n\
        Etag: \"9555e8555c62dcfd\"\r\nContent-Length: 5\r\n\r\nhello";
    assert_eq!(responses[0].raw, expected);

    let pipeline = "GET / HTTP/1.1\r\nHost: a\r\n\r\n\
        POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody\
        POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n\
        GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n\
        GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let responses = exchange(connect(&place.0), pipeline);
    let statuses: Vec<u16> = responses.iter().map(|response| response.status).collect();
    assert_eq!(statuses, [200, 200, 200, 404, 200]);
    assert_eq!((responses[1].text(), responses[2].text()), ("body", "one"));
    assert_eq!(responses[4].body.len(), 4 << 20);
}

#[test]
fn junk_is_refused_and_the_connection_ended() {
    let place = Place::new();
    let _running = serve(&place.0);
    let responses = exchange(connect(&place.0), "garbage\r\n\r\n");
    let page = "<html><title>400: Bad Request</title><body>400: Bad Request</body></html>";
    assert_eq!((responses[0].status, responses[0].text()), (400, page));
    assert_eq!(responses[0].header("connection"), Some("close"));
    assert_eq!(responses.len(), 1);
}

#[test]
fn a_client_that_has_finished_is_answered() {
    let place = Place::new();
    let _running = serve(&place.0);
    let mut stream = connect(&place.0);
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
}

#[test]
fn a_client_has_no_address() {
    let place = Place::new();
    let _running = serve(&place.0);
    let responses = exchange(connect(&place.0), "GET /who HTTP/1.0\r\n\r\n");
    assert_eq!(responses[0].text(), "None None");
}

#[test]
#[cfg(target_os = "linux")]
fn a_name_may_be_one_without_a_file() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;

    let name = format!("squall-it-{}", std::process::id());
    let address = format!("unix:@{name}");
    let (_running, ()) = Running::start(move || server().listen(address).unwrap());
    let address = SocketAddr::from_abstract_name(name).unwrap();
    let stream = with_deadline(UnixStream::connect_addr(&address).unwrap());
    assert_eq!(exchange(stream, "GET / HTTP/1.0\r\n\r\n")[0].text(), "hello");
}

#[test]
fn by_default_only_the_owner_may_use_the_socket() {
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let place = Place::new();
    let _running = serve(&place.0);
    assert!(fs::metadata(&place.0).unwrap().file_type().is_socket());
    assert_eq!(mode(&place.0), 0o600);

    for wanted in [0o666, 0o660, 0o600] {
        let place = Place::new();
        let path = place.0.clone();
        let (_running, ()) = Running::start(move || {
            let sockets = BindOptions::new().unix_mode(wanted).bind_sockets(path).unwrap();
            server().add_sockets(sockets).unwrap();
        });
        assert_eq!(mode(&place.0), wanted);
        assert_eq!(exchange(connect(&place.0), "GET / HTTP/1.0\r\n\r\n")[0].text(), "hello");
    }
}

#[test]
fn an_abandoned_socket_is_replaced() {
    let place = Place::new();
    // Its file remains, like the file of a killed server.
    drop(UnixListener::bind(&place.0).unwrap());
    assert!(fs::symlink_metadata(&place.0).unwrap().file_type().is_socket());
    let running = serve(&place.0);
    assert_eq!(exchange(connect(&place.0), "GET / HTTP/1.0\r\n\r\n")[0].text(), "hello");

    drop(running);
    let error = UnixStream::connect(&place.0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "its own file stays as well");
    let _again = serve(&place.0);
    assert_eq!(exchange(connect(&place.0), "GET / HTTP/1.0\r\n\r\n")[0].text(), "hello");
    let files = fs::read_dir(place.0.parent().unwrap()).unwrap().count();
    assert_eq!(files, 1, "nothing else is left");
}

#[track_caller]
fn assert_not_bound(path: &Path, kind: ErrorKind) {
    let error = server().bind(path).map(drop).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(&*path.to_string_lossy()), "{error}");
}

#[test]
fn a_file_that_is_not_a_socket_is_left_alone() {
    let place = Place::new();
    fs::write(&place.0, "precious").unwrap();
    assert_not_bound(&place.0, ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&place.0).unwrap(), b"precious");
    fs::remove_file(&place.0).unwrap();

    fs::create_dir(&place.0).unwrap();
    assert_not_bound(&place.0, ErrorKind::AlreadyExists);
    fs::remove_dir(&place.0).unwrap();

    // A link is no socket, wherever it leads.
    let target = place.0.with_file_name("target");
    fs::write(&target, "precious").unwrap();
    std::os::unix::fs::symlink(&target, &place.0).unwrap();
    assert_not_bound(&place.0, ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&target).unwrap(), b"precious");
    assert!(fs::symlink_metadata(&place.0).unwrap().is_symlink());
}

#[test]
fn a_socket_with_a_server_is_left_alone() {
    let place = Place::new();
    let _running = serve(&place.0);
    assert_not_bound(&place.0, ErrorKind::AddrInUse);
    assert_eq!(exchange(connect(&place.0), "GET / HTTP/1.0\r\n\r\n")[0].text(), "hello");
}

#[test]
fn an_impossible_path_is_named_in_the_error() {
    let place = Place::new();
    assert_not_bound(&place.0.join("below"), ErrorKind::NotFound);
    assert_not_bound(&place.0.with_file_name("x".repeat(200)), ErrorKind::InvalidInput);
}

#[test]
fn a_unix_socket_and_a_port_may_be_served_together() {
    let place = Place::new();
    let path = place.0.clone();
    let (running, address) = Running::start(move || {
        let server = server();
        server.bind(path).unwrap().bind("127.0.0.1:0").unwrap().start(1).unwrap();
        let addresses = server.local_addrs();
        assert_eq!(addresses.len(), 1, "a path is no socket address");
        addresses[0]
    });
    assert_eq!(exchange(connect(&place.0), "GET / HTTP/1.0\r\n\r\n")[0].text(), "hello");
    let mut client = running.connect(address);
    client.send("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(client.response().text(), "hello");
}

#[test]
fn a_body_is_posted() {
    let place = Place::new();
    let _running = serve(&place.0);
    let body = "b".repeat(1 << 20);
    let head = format!("POST / HTTP/1.0\r\nContent-Length: {}\r\n\r\n", body.len());
    assert!(exchange(connect(&place.0), &(head + &body))[0].text() == body);
}
