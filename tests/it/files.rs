use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use squall::testing::TestClient;
use squall::{
    Application, Context, FileError, FileErrorKind, HTTPServer, IOLoop, OpenFile, ResponseError,
    Result, StatusCode, get, route, sleep,
};

use crate::events::{Gate, events};
use crate::running::Running;
use crate::wire::{Client, DEADLINE, Ending, Server, split};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Around what is read at once, and around what the pool reads and sends in one trip.
const SIZES: [usize; 10] = [
    0,
    1,
    64 * KIB - 1,
    64 * KIB,
    64 * KIB + 1,
    128 * KIB,
    300_001,
    2 * MIB,
    2 * MIB + 1,
    5_000_003,
];

/// A folder that is removed with this.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("squall-files-{}-{count}", std::process::id());
        let folder = std::env::temp_dir().canonicalize().unwrap().join(name);
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes a file.
    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Bytes without a repeated stretch of any size in use.
fn bytes(length: usize) -> Vec<u8> {
    let mut bytes = (0..=250).collect::<Vec<u8>>().repeat(length / 251 + 1);
    bytes.truncate(length);
    bytes.chunks_mut(64 * KIB).zip(0_usize..).for_each(|(chunk, number)| chunk[0] = number as u8);
    bytes
}

/// An application that sends the file at `path`.
fn sends(path: &Path) -> Application {
    let path = path.to_owned();
    let send = async move |cx: &mut Context| cx.send_file(&path).await;
    let hello = async || "hello";
    Application::new([route("/", get(send)), route("/hello", get(hello))])
}

/// The lines of the server's log, without those of served requests.
fn complaints(server: &Server) -> Vec<String> {
    server.log().into_iter().filter(|line| !line.starts_with("INFO squall::access")).collect()
}

/// How many descriptors of this process are of the file at `path`.
fn opened(path: &Path) -> usize {
    let descriptors = fs::read_dir("/proc/self/fd").unwrap();
    descriptors.filter(|entry| is_of(entry.as_ref().unwrap().path(), path)).count()
}

fn is_of(descriptor: PathBuf, path: &Path) -> bool {
    fs::read_link(descriptor).is_ok_and(|target| target == path)
}

/// Waits until the file at `path` is not open: a thread beside the loop closes it.
#[track_caller]
fn await_closed(path: &Path) {
    let start = Instant::now();
    while opened(path) > 0 {
        assert!(start.elapsed() < DEADLINE, "the file stays open");
        std::thread::yield_now();
    }
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const HEAD: &str = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn a_file_of_any_size_arrives_whole_by_path_or_handle() {
    let folder = Folder::new();
    for size in SIZES {
        let content = bytes(size);
        let path = folder.file("a.bin", &content);
        // A file that has just changed is said to be older than it is, for a second.
        let earlier = SystemTime::now() - Duration::from_secs(60);
        File::options().write(true).open(&path).unwrap().set_modified(earlier).unwrap();
        let server = Server::start(move || {
            let (by_path, by_file, opened) = (path.clone(), path.clone(), path);
            let by_path = async move |cx: &mut Context| cx.send_file(by_path.as_path()).await;
            let by_file = async move |cx: &mut Context| cx.send_file(File::open(&by_file)?).await;
            let opened = async move |cx: &mut Context| {
                let file = OpenFile::open(&opened).await?;
                cx.send_file(&file).await
            };
            Application::new([
                route("/path", get(by_path)),
                route("/file", get(by_file)),
                route("/open", get(opened)),
            ])
        });
        let mut client = server.connect();
        for target in ["/path", "/file", "/open"] {
            client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
            let response = client.large_response(|| {});
            assert_eq!(response.status, 200);
            assert_eq!(response.header("content-length"), Some(size.to_string().as_str()));
            assert!(response.body == content, "{target}: {size} bytes");

            client.send(format!("HEAD {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
            let head = client.response_to_head().undated_headers();
            assert_eq!(head, response.undated_headers(), "HEAD says what GET says");

            let mut old = server.connect();
            old.send(format!("GET {target} HTTP/1.0\r\n\r\n"));
            assert!(old.large_response(|| {}).body == content, "{target}, 1.0: {size} bytes");
            assert_eq!(old.rest(), b"");
        }
        assert_eq!(complaints(&server), Vec::<String>::new());
    }
}

#[test]
fn a_file_arrives_whole_over_other_streams() {
    let folder = Folder::new();
    for size in SIZES {
        let content = bytes(size);
        let path = folder.file("a.bin", &content);
        let response = TestClient::new(sends(&path)).get("/").send();
        assert!(response.body() == content, "in memory: {size} bytes");

        let socket = folder.path("a.sock");
        let (address, path) = (socket.clone(), path.clone());
        let listen = move || {
            let server = HTTPServer::new(sends(&path)).handle_signals(false);
            server.listen(address).unwrap();
        };
        let (_running, ()) = Running::start(listen);
        let mut client = UnixStream::connect(&socket).unwrap();
        client.set_read_timeout(Some(DEADLINE)).unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let mut received = Vec::new();
        client.read_to_end(&mut received).unwrap();
        assert!(received.ends_with(&content), "over a Unix socket: {size} bytes");
        let head = String::from_utf8_lossy(&received[..received.len() - size]);
        assert!(
            head.ends_with(&format!("\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"))
        );
    }
}

#[test]
fn a_slow_client_does_not_delay_others() {
    const LENGTH: usize = 20 * MIB;
    let folder = Folder::new();
    let content = bytes(LENGTH);
    let path = folder.file("large.bin", &content);
    let at = path.clone();
    let server = Server::start(move || sends(&at));
    let mut slow = server.connect();
    slow.send(GET);
    let mut other = server.connect();
    // It reads now and then, and others are answered in between.
    let response = slow.large_response(|| {
        other.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(other.response().text(), "hello");
    });
    assert!(response.body == content);
    slow.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(slow.response().text(), "hello", "the connection is kept");
    await_closed(&path);
    assert_eq!(complaints(&server), Vec::<String>::new());
}

#[test]
fn the_headers_of_a_file_are_set_where_the_handler_has_set_none() {
    let folder = Folder::new();
    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    let types = [
        ("a.html", "text/html"),
        ("a.css", "text/css"),
        ("a.js", "text/javascript"),
        ("a.PNG", "image/png"),
        ("a.json", "application/json"),
        ("a.wasm", "application/wasm"),
        ("a.tar.gz", "application/gzip"),
        ("a.nonsense", "application/octet-stream"),
        ("html", "application/octet-stream"),
        (".html", "application/octet-stream"),
    ];
    for size in [0, 10, 100_000] {
        for (name, content_type) in types {
            let path = folder.file(name, &bytes(size));
            File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
            let response = TestClient::new(sends(&path)).get("/").send();
            assert_eq!(response.header("content-type"), Some(content_type), "{name}");
            let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
            assert_eq!(response.header("last-modified"), date);
            assert_eq!(response.header("etag"), None, "nothing is read for it");
        }
        let path = folder.file("a.html", &bytes(size));
        let send = async move |cx: &mut Context| {
            cx.set_header("Content-Type", "text/x-own")?;
            cx.set_header("Last-Modified", "Mon, 07 Nov 1994 08:49:37 GMT")?;
            cx.set_status(StatusCode::NON_AUTHORITATIVE_INFORMATION);
            cx.send_file(&path).await
        };
        let response = TestClient::new(Application::new([route("/", get(send))])).get("/").send();
        assert_eq!(response.status(), 203);
        assert_eq!(response.header("content-type"), Some("text/x-own"));
        assert_eq!(response.header("last-modified"), Some("Mon, 07 Nov 1994 08:49:37 GMT"));
    }
}

#[test]
fn a_file_from_the_future_was_modified_now() {
    let folder = Folder::new();
    let path = folder.file("a.txt", b"a");
    let file = File::options().write(true).open(&path).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(1_000_000)).unwrap();
    let response = TestClient::new(sends(&path)).get("/").send();
    let modified = httpdate::parse_http_date(response.header("last-modified").unwrap()).unwrap();
    assert!(modified <= SystemTime::now());
}

#[test]
fn a_client_that_has_the_file_gets_a_304() {
    let folder = Folder::new();
    for size in [10, 100_000] {
        let path = folder.file("a.txt", &bytes(size));
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        let send = async move |cx: &mut Context| {
            if cx.query() == "tag" {
                cx.set_header("ETag", "\"mine\"")?;
            }
            if cx.query() == "created" {
                cx.set_status(StatusCode::CREATED);
            }
            cx.send_file(&path).await
        };
        let client = TestClient::new(Application::new([route("/", get(send))]));
        let since = |date: &str| ("If-Modified-Since", date.to_owned());
        let (same, before) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:36 GMT");
        let none_match = |tag: &str| ("If-None-Match", tag.to_owned());
        let cases = [
            ("/", vec![since(same)], 304),
            ("/", vec![since("Sun, 06 Nov 2033 08:49:37 GMT")], 304),
            ("/", vec![since(before)], 200),
            ("/", vec![since("yesterday")], 200),
            ("/", vec![since(same), none_match("\"other\"")], 200),
            ("/tag", vec![], 404),
            ("/?tag", vec![none_match("\"mine\"")], 304),
            ("/?tag", vec![none_match("\"other\""), since(same)], 200),
            ("/?tag", vec![since(same)], 304),
            ("/?created", vec![since(same)], 201),
        ];
        for (target, headers, status) in cases {
            for method in [squall::Method::GET, squall::Method::HEAD] {
                let mut request = client.request(method, target);
                for (name, value) in &headers {
                    request = request.header(name, value.as_str());
                }
                let response = request.send();
                assert_eq!(response.status(), status, "{target} {headers:?}");
                if status == 304 {
                    assert_eq!(
                        (response.text().as_str(), response.header("content-type")),
                        ("", None)
                    );
                    assert!(response.header("last-modified").is_some());
                }
            }
        }
    }
}

/// A header says whole seconds. Each round is one second, or nearly always.
#[test]
fn a_file_that_changes_twice_in_a_second_is_sent_anew() {
    let folder = Folder::new();
    let path = folder.file("a.txt", b"");
    let client = TestClient::new(sends(&path));
    for round in 0..20 {
        fs::write(&path, format!("first {round}")).unwrap();
        let response = client.get("/").send();
        assert_eq!(response.text(), format!("first {round}"));
        let told = response.header("last-modified").unwrap().to_owned();
        fs::write(&path, format!("second {round}")).unwrap();
        for method in [squall::Method::GET, squall::Method::HEAD] {
            let request = client.request(method, "/").header("If-Modified-Since", &told);
            assert_eq!(request.send().status(), 200);
        }
        let response = client.get("/").header("If-Modified-Since", &told).send();
        assert_eq!(response.text(), format!("second {round}"));
    }
    // The properties of the file that are known now do not change again.
    let earlier = SystemTime::now() - Duration::from_secs(5);
    File::options().write(true).open(&path).unwrap().set_modified(earlier).unwrap();
    let told = client.get("/").send().header("last-modified").unwrap().to_owned();
    assert_eq!(told, httpdate::fmt_http_date(earlier));
    assert_eq!(client.get("/").header("If-Modified-Since", &told).send().status(), 304);
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_that_says_it_is_empty_is_sent_with_its_content() {
    async fn open(cx: &mut Context) -> Result {
        cx.send_file(OpenFile::open("/proc/self/cmdline").await?).await
    }
    async fn part(cx: &mut Context) -> Result {
        cx.send_file(OpenFile::open("/proc/self/cmdline").await?.range(0..0)?).await
    }
    async fn file(cx: &mut Context) -> Result {
        cx.send_file(File::open("/proc/self/cmdline")?).await
    }
    let server = Server::start(|| {
        let path = async |cx: &mut Context| cx.send_file("/proc/self/cmdline").await;
        // Of the memory of a process there is more than may be sent.
        let large = async |cx: &mut Context| cx.send_file("/proc/self/pagemap").await;
        Application::new([
            route("/path", get(path)),
            route("/open", get(open)),
            route("/part", get(part)),
            route("/file", get(file)),
            route("/large", get(large)),
        ])
    });
    let expected = fs::read("/proc/self/cmdline").unwrap();
    assert!(!expected.is_empty());
    for target in ["/path", "/open", "/part", "/file"] {
        let mut client = server.connect();
        client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let response = client.response();
        assert_eq!((response.status, &response.body), (200, &expected), "{target}");
        let length = expected.len().to_string();
        assert_eq!(response.header("content-length"), Some(length.as_str()));
        assert_eq!(response.header("last-modified"), None, "its time says nothing");
        client.send(format!("HEAD {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let head = client.response_to_head();
        assert_eq!(head.undated_headers(), response.undated_headers(), "{target}");
    }
    let mut client = server.connect();
    client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response().status, 500);
    client.let_server_run();
    let log = complaints(&server).join("\n");
    let expected =
        "cannot send the file \"/proc/self/pagemap\": the file has more than 1048576 bytes";
    assert!(log.contains(expected), "{log}");
}

/// Where a program of its own finds the file to take a lease on.
#[cfg(target_os = "linux")]
const LEASED: &str = "SQUALL_TEST_LEASED_FILE";

/// The kernel is asked to do something with a descriptor, which must succeed.
#[cfg(target_os = "linux")]
fn control(file: &File, command: i32, argument: i32) -> i32 {
    use std::os::fd::AsRawFd;
    #[expect(unsafe_code, reason = "no crate has a safe call for leases")]
    // SAFETY: the descriptor is open, and these commands take and return numbers only.
    let result = unsafe { nix::libc::fcntl(file.as_raw_fd(), command, argument) };
    assert!(result >= 0, "fcntl {command}: {}", std::io::Error::last_os_error());
    result
}

/// The program that holds a lease until its input ends, and says when it is asked to give it up.
#[test]
#[cfg(target_os = "linux")]
#[ignore = "another test runs it"]
#[expect(clippy::disallowed_methods, reason = "there is no loop in this program")]
fn holds_a_lease() {
    use nix::libc::{F_GETLEASE, F_SETLEASE, F_UNLCK, F_WRLCK, SIGWINCH};
    /// As `fcntl.h` has it.
    const F_SETSIG: i32 = 10;
    let Some(path) = std::env::var_os(LEASED) else { return };
    let file = File::options().read(true).write(true).open(path).unwrap();
    // It would be a signal that ends the process.
    control(&file, F_SETSIG, SIGWINCH);
    control(&file, F_SETLEASE, F_WRLCK);
    println!("leased");
    while control(&file, F_GETLEASE, 0) == F_WRLCK {
        std::thread::sleep(Duration::from_millis(1));
    }
    println!("asked");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    control(&file, F_SETLEASE, F_UNLCK);
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_that_another_process_has_leased_is_waited_for() {
    let folder = Folder::new();
    let path = folder.file("a.txt", b"content");
    let at = path.clone();
    let server = Server::start(move || {
        let (path, opened) = (at.clone(), at);
        let send = async move |cx: &mut Context| cx.send_file(&path).await;
        let open = async move |cx: &mut Context| {
            let file = OpenFile::open(&opened).await?;
            cx.send_file(file).await
        };
        let hello = async || "hello";
        Application::new([
            route("/send", get(send)),
            route("/open", get(open)),
            route("/hello", get(hello)),
        ])
    });
    for target in ["/send", "/open"] {
        let mut holder = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "files::holds_a_lease", "--ignored", "--nocapture"])
            .env(LEASED, &path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines();
        let mut expect = |word: &str| {
            assert!(lines.any(|line| line.unwrap().ends_with(word)), "no {word:?}");
        };
        expect("leased");
        // Many wait, and no thread with them.
        let mut clients: Vec<_> = (0..50).map(|_| server.connect()).collect();
        for client in &mut clients {
            client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        }
        expect("asked");
        let mut other = server.connect();
        other.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(other.response().text(), "hello");
        drop(holder.stdin.take());
        for client in &mut clients {
            let response = client.response();
            assert_eq!((response.status, response.text()), (200, "content"));
        }
        assert!(holder.wait().unwrap().success());
    }
    assert_eq!(complaints(&server), Vec::<String>::new());
}

#[test]
fn a_part_of_a_file_is_sent_alone() {
    let folder = Folder::new();
    let content = bytes(1_000_000);
    let path = folder.file("a.bin", &content);
    let part = async move |cx: &mut Context, start: u64, end: u64| {
        let file = OpenFile::open(&path).await?;
        assert_eq!((file.len(), file.is_empty(), file.path()), (1_000_000, false, Some(&*path)));
        cx.send_file(file.range(start..end)?).await
    };
    let server = Server::start(move || Application::new([route("/{start}/{end}", get(part))]));
    let mut client = server.connect();
    let ends = [0, 1, 10, 65_536, 65_537, 999_999, 1_000_000];
    for (start, end) in ends.iter().flat_map(|start| ends.map(|end| (*start, end))) {
        client.send(format!("GET /{start}/{end} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let response = client.response();
        if start <= end {
            assert_eq!(response.status, 200);
            assert!(response.body == content[start..end], "{start}..{end}");
        } else {
            assert_eq!(response.status, 416);
            assert_eq!(response.header("content-range"), Some("bytes */1000000"));
        }
    }
    client.send("GET /0/1000001 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response().status, 416);
}

#[test]
fn only_regular_files_are_sent() {
    let folder = Folder::new();
    let fifo = folder.path("fifo");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let socket = folder.path("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    let file = folder.file("file", b"file");
    let dangling = folder.path("dangling");
    symlink("nowhere", &dangling).unwrap();
    let (circle, below) = (folder.path("circle"), folder.path("circle/below"));
    symlink("circle", &circle).unwrap();
    symlink("back", folder.path("forth")).unwrap();
    symlink("forth", folder.path("back")).unwrap();
    let cases: [(PathBuf, u16); 13] = [
        (circle, 404),
        (below, 404),
        (folder.path("back"), 404),
        (folder.path("none"), 404),
        (dangling, 404),
        (file.join("below"), 404),
        (folder.path(&"n".repeat(10_000)), 404),
        (folder.path("nul\0byte"), 404),
        (PathBuf::new(), 404),
        (folder.0.clone(), 403),
        (PathBuf::from("/dev/null"), 403),
        (socket, 403),
        (fifo, 403),
    ];
    for (path, status) in cases {
        let at = path.clone();
        let server = Server::start(move || sends(&at));
        for request in [GET, HEAD] {
            let mut client = server.connect();
            client.send(request.replace("Host", "Connection: close\r\nHost"));
            let received = String::from_utf8(client.rest()).unwrap();
            assert!(received.starts_with(&format!("HTTP/1.1 {status} ")), "{path:?}: {received}");
            assert!(!received.contains("squall-files"), "the path is for the log: {received}");
            assert!(!received.contains("Last-Modified"), "{received}");
        }
    }
}

#[test]
fn a_file_that_may_not_be_read_is_forbidden() {
    let folder = Folder::new();
    let path = folder.file("secret", b"secret");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if File::open(&path).is_ok() {
        return; // By the superuser it may; a unit test stands for the rest.
    }
    let at = path.clone();
    let server = Server::start(move || sends(&at));
    let mut client = server.connect();
    client.send(GET);
    assert_eq!(client.response().status, 403);
    let lines = complaints(&server).join("\n");
    assert!(lines.contains(path.to_str().unwrap()) && lines.contains("denied"), "{lines}");
}

#[test]
fn a_handler_can_handle_a_malformed_body() {
    let folder = Folder::new();
    let path = folder.path("none");
    let send = async move |cx: &mut Context| -> Result {
        let Err(error) = cx.send_file(&path).await else { panic!("there is no such file") };
        let error = error.downcast_ref::<FileError>().unwrap();
        assert_eq!((error.kind(), error.path()), (FileErrorKind::NotFound, Some(&*path)));
        cx.write("no file today")
    };
    let client = TestClient::new(Application::new([route("/", get(send))]));
    let response = client.get("/").send();
    assert_eq!((response.status().as_u16(), response.text().as_str()), (200, "no file today"));
    assert_eq!(response.header("content-type"), Some("text/html; charset=UTF-8"));
}

#[test]
fn an_error_that_is_the_servers_names_the_line_of_the_handler() {
    let (file, line) = (file!(), line!() + 4);
    let server = Server::start(|| {
        let send = async |cx: &mut Context| -> Result {
            cx.finish()?;
            cx.send_file("Cargo.toml").await
        };
        Application::new([route("/", get(send))])
    });
    let mut client = server.connect();
    client.send(GET);
    client.response();
    client.let_server_run();
    let lines = complaints(&server);
    let expected = format!("{}, at {file}:{line}", ResponseError::Finished);
    assert!(lines.len() == 1 && lines[0].contains(&expected), "{lines:?}");
}

#[test]
fn a_file_is_sent_between_the_writes_around_it() {
    let folder = Folder::new();
    for size in [0, 10, 200_000] {
        let content = bytes(size);
        let path = folder.file("a.txt", &content);
        let expected = [b"<<", content.as_slice(), b"><", &content, b">>"].concat();
        let send = async move |cx: &mut Context| -> Result {
            let flush = cx.query() == "flush";
            for written in ["<<", "><"] {
                cx.write(written)?;
                cx.send_file(&path).await?;
                if flush {
                    cx.flush().await?;
                }
            }
            cx.write(">>")
        };
        let server = Server::start(move || Application::new([route("/", get(send))]));
        let mut client = server.connect();
        for (target, chunked) in [("/", false), ("/?flush", true)] {
            for version in ["1.1\r\nHost: a", "1.0"] {
                let mut once = server.connect();
                once.send(format!("GET {target} HTTP/{version}\r\nConnection: close\r\n\r\n"));
                assert!(once.responses()[0].body == expected, "{target} {version} {size}");
            }
            client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
            let response = client.response();
            let coding = response.header("transfer-encoding");
            assert_eq!(coding, chunked.then_some("chunked"));
            assert_eq!(response.header("content-type"), Some("text/html; charset=UTF-8"));
            assert_eq!(response.header("last-modified"), None);
            assert!(response.body == expected, "{target} {size}");
        }
    }
}

#[test]
fn a_response_with_more_than_a_file_has_no_modification_date() {
    let folder = Folder::new();
    for size in [0, 10, 200_000] {
        let path = folder.file("a.txt", &bytes(size));
        let send = async move |cx: &mut Context| -> Result {
            cx.send_file(&path).await?;
            cx.write("and what changes")
        };
        let client = TestClient::new(Application::new([route("/", get(send))]));
        let since = "Sun, 06 Nov 2033 08:49:37 GMT";
        let response = client.get("/").header("If-Modified-Since", since).send();
        assert_eq!(response.status(), 200);
        assert_eq!(response.header("last-modified"), None);
        assert_eq!(response.header("content-type"), Some("text/plain"));
    }
}

#[test]
fn headers_can_be_changed_behind_a_file_whatever_its_size() {
    let folder = Folder::new();
    for size in [10, 200_000] {
        let path = folder.file("a.txt", &bytes(size));
        let app = sends(&path).around(async |cx, next| {
            next.run(cx).await?;
            assert!(!cx.is_head_sent());
            cx.set_header("X-Behind", "yes")
        });
        assert_eq!(TestClient::new(app).get("/").send().header("x-behind"), Some("yes"));
    }
}

#[test]
fn a_length_other_than_the_files_is_an_error() {
    let folder = Folder::new();
    for size in [10, 200_000] {
        let path = folder.file("a.txt", &bytes(size));
        let send = async move |cx: &mut Context| -> Result {
            cx.set_header("Content-Length", 11)?;
            cx.send_file(&path).await
        };
        let client = TestClient::new(Application::new([route("/", get(send))]));
        assert_eq!(client.get("/").send().status(), 500);
    }
}

#[test]
fn responses_stay_in_the_order_of_their_requests() {
    let folder = Folder::new();
    let (small, large) = (bytes(1000), bytes(3_000_000));
    let paths = [folder.file("small", &small), folder.file("large", &large)];
    let server = Server::start(move || {
        let [small, large] = paths;
        let small = async move |cx: &mut Context| cx.send_file(&small).await;
        let large = async move |cx: &mut Context| cx.send_file(&large).await;
        let hello = async || "hello";
        Application::new([
            route("/small", get(small)),
            route("/large", get(large)),
            route("/hello", get(hello)),
        ])
    });
    let order = ["small", "large", "hello", "large", "large", "small", "hello", "none"];
    let request = |path: &&str| format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n");
    for slowly in [false, true] {
        let mut client = server.connect();
        let requests = order.iter().map(request).collect::<String>();
        if slowly {
            client.send_slowly(requests)
        } else {
            client.send(requests)
        }
        for path in order {
            let response = client.large_response(|| {});
            match path {
                "small" => assert!(response.body == small),
                "large" => assert!(response.body == large),
                "hello" => assert_eq!(response.text(), "hello"),
                _ => assert_eq!(response.status, 404),
            }
        }
    }
}

#[test]
fn a_small_file_leaves_with_its_head_in_one_piece() {
    let folder = Folder::new();
    let path = folder.file("a.txt", b"the file");
    let (teller, events) = events();
    let server = Server::start(move || {
        let file = IOLoop::current().run_sync(OpenFile::open(path)).unwrap().unwrap();
        let send = async move |cx: &mut Context| {
            teller.tell("called");
            cx.send_file(&file).await
        };
        Application::new([route("/", get(send))])
    });
    // It is in the memory of the system, so that the handler never waits: what is asked for
    // together is answered together.
    let mut client = server.connect();
    client.send(GET.repeat(3));
    let mut buffer = [0; 16 * KIB];
    let count = client.socket().read(&mut buffer).unwrap();
    assert_eq!(events.so_far().len(), 3);
    let responses = split(&buffer[..count]);
    assert_eq!(
        responses.iter().map(|response| response.text()).collect::<Vec<_>>(),
        ["the file"; 3]
    );
}

/// A file that takes no room on the disk.
fn sparse(path: &Path, length: usize) -> File {
    let file = File::create(path).unwrap();
    file.set_len(length as u64).unwrap();
    file
}

/// More than the sockets of both sides take by far.
const ENDLESS: usize = 256 * MIB;

#[test]
fn a_file_that_becomes_shorter_does_not_look_whole() {
    for version in ["1.1\r\nHost: a", "1.0"] {
        let folder = Folder::new();
        let path = folder.path("a.bin");
        let file = sparse(&path, ENDLESS);
        let at = path.clone();
        let server = Server::start(move || sends(&at));
        let mut client = server.connect();
        client.send(format!("GET / HTTP/{version}\r\n\r\n"));
        client.until("\r\n\r\n");
        file.set_len(1000).unwrap();
        drop(file);
        let (rest, ending) = client.rest_and_ending();
        assert!(rest.len() < ENDLESS);
        assert_eq!(ending, Ending::Reset);
        await_closed(&path);
        let lines = complaints(&server);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with("ERROR squall::application: sending "), "{lines:?}");
        assert!(lines[0].contains(path.to_str().unwrap()), "{lines:?}");
        assert!(lines[0].ends_with("the file has become shorter"), "{lines:?}");
    }
}

#[test]
fn a_file_that_becomes_longer_is_sent_as_it_was_promised() {
    let folder = Folder::new();
    for size in [100, 20 * MIB] {
        let content = bytes(size);
        let path = folder.file("a.bin", &content);
        let gate = Gate::default();
        let (at, opened) = (path.clone(), gate.clone());
        let (teller, events) = events();
        let server = Server::start(move || {
            let send = async move |cx: &mut Context| -> Result {
                let file = OpenFile::open(&at).await?;
                teller.tell("open");
                gate.passed().await;
                cx.send_file(file).await
            };
            Application::new([route("/", get(send))])
        });
        let mut client = server.connect();
        client.send(GET);
        events.expect("open");
        File::options().append(true).open(&path).unwrap().write_all(b"more").unwrap();
        opened.open();
        assert!(client.large_response(|| {}).body == content);
        client.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response().status, 204, "the connection is kept");
    }
}

#[test]
fn a_file_may_be_deleted_once_it_is_open() {
    let folder = Folder::new();
    let content = bytes(3_000_000);
    let path = folder.file("a.bin", &content);
    let send = async move |cx: &mut Context| -> Result {
        cx.send_file(&path).await?;
        Ok(fs::remove_file(&path)?)
    };
    let server = Server::start(move || Application::new([route("/", get(send))]));
    let mut client = server.connect();
    client.send(GET);
    assert!(client.large_response(|| {}).body == content);
    client.send(GET);
    assert_eq!(client.response().status, 404);
}

#[test]
fn a_disconnect_in_the_middle_of_a_file_closes_the_file() {
    let folder = Folder::new();
    let path = folder.path("a.bin");
    sparse(&path, ENDLESS);
    let at = path.clone();
    let server = Server::start(move || sends(&at));
    for leave in [drop, Client::reset] {
        for _ in 0..20 {
            let mut client = server.connect();
            client.send(GET);
            client.until("\r\n\r\n");
            assert!(opened(&path) > 0);
            leave(client);
        }
        await_closed(&path);
    }
    assert_eq!(complaints(&server), Vec::<String>::new(), "it is nothing to complain about");
}

#[test]
fn a_client_that_reads_nothing_is_disconnected() {
    let folder = Folder::new();
    let path = folder.path("a.bin");
    sparse(&path, MIB);
    let server = HTTPServer::new(sends(&path)).write_timeout(Duration::from_secs(7));
    let client = TestClient::of(&server);
    let mut connection = client.connect();
    connection.send(GET);
    let pass = |seconds| IOLoop::current().run_sync(sleep(Duration::from_secs(seconds))).unwrap();
    pass(6);
    assert_eq!(opened(&path), 1);
    pass(2);
    await_closed(&path);
    assert!(connection.receive_to_end().len() <= 64 * KIB);
}

#[test]
fn a_client_that_reads_now_and_then_is_waited_for() {
    let folder = Folder::new();
    let path = folder.path("a.bin");
    sparse(&path, MIB);
    let server = HTTPServer::new(sends(&path)).write_timeout(Duration::from_secs(7));
    let client = TestClient::of(&server);
    let mut connection = client.connect();
    connection.send(GET.replace("Host", "Connection: close\r\nHost"));
    connection.receive_until("\r\n\r\n");
    for _ in 0..10 {
        IOLoop::current().run_sync(sleep(Duration::from_secs(6))).unwrap();
        assert_eq!(connection.receive_until(&"\0".repeat(50_000)).len(), 50_000);
    }
    assert_eq!(connection.receive_to_end().len(), MIB - 500_000);
}

#[test]
fn a_handler_that_goes_on_is_dropped_with_the_connection_of_its_file() {
    let folder = Folder::new();
    let path = folder.path("a.bin");
    sparse(&path, ENDLESS);
    let at = path.clone();
    let (teller, events) = events();
    let server = Server::start(move || {
        let send = async move |cx: &mut Context| -> Result {
            let _dropped = teller.at_drop("dropped");
            cx.send_file(&at).await?;
            cx.flush().await
        };
        Application::new([route("/", get(send))])
    });
    let mut client = server.connect();
    client.send(GET);
    client.until("\r\n\r\n");
    client.reset();
    events.expect("dropped");
    await_closed(&path);
}
