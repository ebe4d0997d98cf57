//! Each example does what the first lines of its page say.
//!
//! `cargo test` at the root builds the examples. A run of this package alone lets cargo build them.

#[path = "support/exposition.rs"]
mod exposition;
#[path = "support/http.rs"]
mod http;
#[path = "support/program.rs"]
mod program;
#[path = "support/websocket.rs"]
mod websocket;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashSet};
use std::env;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::exposition::Exposition;
use crate::http::{Connection, Response, SOON};
use crate::program::Program;
use crate::websocket::WebSocket;

/// The root of the repository.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

const EXAMPLES: [&str; 15] = [
    "background",
    "behind_nginx",
    "bench",
    "chat",
    "countdown",
    "echo_websocket",
    "files",
    "functions",
    "get_post",
    "hello",
    "metrics",
    "notes",
    "slow",
    "stories",
    "workers",
];

/// Examples that are not servers, and have no port.
const OTHERS: [&str; 1] = ["top"];

/// An example that runs.
struct Example {
    program: Program,
    port: u16,
    /// The suggestions on its page that were not tried yet.
    untried: RefCell<BTreeSet<String>>,
}

impl Example {
    /// Starts it at a free port, and waits for the line with its address.
    #[track_caller]
    fn start(name: &str) -> Self {
        Self::start_with(name, |command, port| {
            command.arg(port);
        })
    }

    #[track_caller]
    fn start_with(name: &str, set_port: fn(&mut Command, &str)) -> Self {
        let page = page(name);
        let runs =
            ["", "--release "].map(|how| format!("//! Run it: `cargo run {how}--example {name}`"));
        assert!(runs.iter().any(|run| page.contains(run)), "{name} does not say how to run it");
        // Another process may take the port before the example does.
        for _ in 0..5 {
            let port = free_port();
            let mut command = Command::new(binary(name));
            set_port(command.env_remove("PORT"), &port.to_string());
            let program = Program::start(command);
            let address = format!("http://localhost:{port}");
            let line = program.expect_line(|line| line == address || line.contains("in use"));
            if line.expect("it prints its address") == address {
                return Self { program, port, untried: RefCell::new(curls(&page)) };
            }
        }
        panic!("no port stays free for {name}");
    }

    /// Does what a `curl` of the page does.
    #[track_caller]
    fn curl(&self, command: &str) -> Response {
        self.untried.borrow_mut().remove(command);
        let Curl { method, path, headers, body } = Curl::parse(command);
        let mut connection = Connection::open(self.port).expect("it listens");
        connection.send(&method, &path, &headers, &body).unwrap();
        connection.response().unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Has it answer something: it has begun to serve then, and can be ended gracefully.
    #[track_caller]
    fn ping(&self) {
        Connection::open(self.port).and_then(|mut one| one.get("/nothing")).expect("it serves");
    }

    /// Ends it gracefully. All that its page suggests was tried. Returns what it has printed
    /// besides its address.
    #[track_caller]
    fn end(self) -> Vec<String> {
        assert_eq!(self.untried.take(), BTreeSet::new());
        self.program.signal(Signal::SIGTERM);
        let (status, lines) = self.program.ended();
        assert_eq!(status.code(), Some(0), "{lines:?}");
        assert!(!lines.iter().any(|line| line.contains("http://")), "{lines:?}");
        lines
    }
}

fn binary(name: &str) -> PathBuf {
    static BUILD: Once = Once::new();
    BUILD.call_once(build);
    let tests = env::current_exe().unwrap();
    // target/debug/deps/examples-0123456789abcdef
    tests.parent().unwrap().with_file_name("examples").join(name)
}

/// Builds the examples for the profile of this test. Does nothing after a `cargo test` at the root.
fn build() {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--package", "squall-workspace", "--examples", "--offline", "--quiet"]);
    cargo.arg("--target-dir").arg(Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap());
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    // Cargo sets these for this test. Some build scripts would see them and run again.
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_")) {
            cargo.env_remove(name);
        }
    }
    assert!(cargo.current_dir(ROOT).status().unwrap().success(), "the examples do not build");
}

fn page(name: &str) -> String {
    let root = Path::new(ROOT);
    fs::read_to_string(root.join("examples").join(name).with_extension("rs")).unwrap()
}

/// One that is free in both families.
fn free_port() -> u16 {
    squall::bind_sockets(0).unwrap().local_addrs()[0].port()
}

/// The commands in the first lines of a page.
fn curls(page: &str) -> BTreeSet<String> {
    let head = page.lines().take_while(|line| line.starts_with("//!"));
    // The text between two backticks.
    let code = head.flat_map(|line| line.split('`').skip(1).step_by(2));
    code.filter_map(|code| code.find("curl ").map(|at| code[at..].to_owned())).collect()
}

/// The request that a command line sends, as far as the pages need.
struct Curl {
    method: String,
    path: String,
    headers: String,
    body: Vec<u8>,
}

impl Curl {
    #[track_caller]
    fn parse(command: &str) -> Self {
        let words = words(command);
        let mut words = words.into_iter().skip(1);
        let (mut method, mut body, mut headers, mut path) = (None, Vec::new(), String::new(), None);
        while let Some(word) = words.next() {
            match word.as_slice() {
                b"-i" => {}
                b"-H" => {
                    headers.push_str(str::from_utf8(&words.next().unwrap()).unwrap());
                    headers.push_str("\r\n");
                }
                b"-X" => method = words.next(),
                b"-d" | b"--data-binary" => {
                    body = words.next().unwrap();
                    headers.push_str("Content-Type: application/x-www-form-urlencoded\r\n");
                }
                url => path = Some(url.strip_prefix(b"localhost:8000").unwrap().to_vec()),
            }
        }
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let default = if body.is_empty() { "GET" } else { "POST" };
        let path = text(path.expect("an address"));
        Self {
            method: method.map_or_else(|| default.to_owned(), text),
            path: if path.is_empty() { "/".to_owned() } else { path },
            headers,
            body,
        }
    }
}

/// Splits a command as a shell does: `'a b'` is one word, and so is `$'\xff'`, one byte.
fn words(command: &str) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut rest = command.trim_start();
    while !rest.is_empty() {
        let (word, after) = if let Some(quoted) = rest.strip_prefix(r"$'\x") {
            let (digits, after) = quoted.split_once('\'').unwrap();
            (vec![u8::from_str_radix(digits, 16).unwrap()], after)
        } else if let Some(quoted) = rest.strip_prefix('\'') {
            let (word, after) = quoted.split_once('\'').unwrap();
            (word.as_bytes().to_vec(), after)
        } else {
            let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
            (word.as_bytes().to_vec(), after)
        };
        words.push(word);
        rest = after.trim_start();
    }
    words
}

#[test]
fn each_example_has_a_test() {
    let examples = fs::read_dir(Path::new(ROOT).join("examples")).unwrap();
    let files = examples.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let names: BTreeSet<_> =
        files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let tested: BTreeSet<_> = EXAMPLES.into_iter().chain(OTHERS).map(str::to_owned).collect();
    assert_eq!(names, tested, "each example stands in EXAMPLES, and has a test");
}

#[test]
fn each_takes_its_port_from_the_environment() {
    for name in EXAMPLES {
        let example = Example::start_with(name, |command, port| {
            command.env("PORT", port);
        });
        example.untried.take();
        example.ping();
        example.end();
    }
}

#[test]
fn the_argument_goes_before_the_environment() {
    let example = Example::start_with("get_post", |command, port| {
        command.env("PORT", "1").arg(port);
    });
    example.untried.take();
    example.ping();
    example.end();
}

#[test]
fn each_names_a_port_that_is_taken() {
    for name in EXAMPLES {
        let holder = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = holder.local_addr().unwrap().port();
        let mut command = Command::new(binary(name));
        command.arg(port.to_string());
        let program = Program::start(command);
        program.expect(&format!("cannot listen on 0.0.0.0:{port}: Address already in use"));
        let (status, lines) = program.ended();
        assert_eq!(status.code(), Some(1));
        assert!(!lines.iter().any(|line| line.contains("http://")), "{lines:?}");
    }
}

#[test]
fn background_works_on_after_its_response() {
    let example = Example::start("background");
    let begun = example.curl("curl -i -X POST localhost:8000/jobs");
    assert_eq!((begun.status(), begun.header("Location")), (202, Some("/jobs/1")));
    let percent = || -> u8 {
        let text = example.curl("curl localhost:8000/jobs/1").text();
        text.strip_prefix("job 1: ").unwrap().strip_suffix(" %\n").unwrap().parse().unwrap()
    };
    let first = percent();
    assert!(first < 100, "the request has waited for the job");
    again_and_again(|| percent() > first);
    again_and_again(|| {
        let uptime = example.curl("curl localhost:8000/uptime").text();
        uptime.strip_suffix(" seconds\n").unwrap().parse::<u64>().unwrap() > 0
    });
    assert_eq!(example.end(), [""; 0]);
}

/// Asks until it is so.
#[track_caller]
fn again_and_again(is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < SOON);
        #[expect(
            clippy::disallowed_methods,
            reason = "the server has no way to tell, and no loop runs here"
        )]
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn files_are_sent() {
    let example = Example::start("files");
    let root = Path::new(ROOT);
    let source = example.curl("curl -i localhost:8000/source");
    let page = page("files");
    assert_eq!((source.status(), source.text()), (200, page.clone()));
    assert_eq!(source.header("Content-Type"), Some("text/plain; charset=UTF-8"));
    let since = "'If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT'";
    let unchanged = example.curl(&format!("curl -i -H {since} localhost:8000/source"));
    assert_eq!((unchanged.status(), unchanged.text().as_str()), (304, ""));
    let readme = example.curl("curl -i localhost:8000/pages/readme");
    assert_eq!(readme.body, fs::read(root.join("README.md")).unwrap());
    assert_eq!(readme.header("Content-Type"), Some("text/markdown"));
    assert_eq!(example.curl("curl -i localhost:8000/pages/..%2FCargo.toml").status(), 404);
    let end = example.curl("curl -i localhost:8000/end");
    assert_eq!((end.status(), end.text().as_str()), (206, &page[page.len() - 60..]));
    let download = example.curl("curl -i localhost:8000/download");
    assert_eq!(download.body, fs::read(root.join("Cargo.lock")).unwrap());
    example.end();
}

#[test]
fn functions_take_arguments() {
    let example = Example::start("functions");
    assert_eq!(example.curl("curl localhost:8000").text(), "try /sum/40/2\n");
    assert_eq!(example.curl("curl localhost:8000/sum/40/2").text(), "42\n");
    assert_eq!(example.curl("curl localhost:8000/sum/40/two").status(), 404);
    let year = example.curl("curl localhost:8000/archive/1999");
    assert_eq!(year.text(), "what happened in 1999\n");
    assert_eq!(example.curl("curl localhost:8000/archive/99").status(), 404);
    let noted = example.curl("curl -d 'once upon a time' localhost:8000/notes");
    assert_eq!((noted.status(), noted.text().as_str()), (204, ""));
    assert_eq!(example.curl("curl localhost:8000/notes").text(), "once upon a time");
    let refused = example.curl("curl -i -X DELETE localhost:8000/notes");
    let allowed: BTreeSet<_> = refused.header("Allow").unwrap().split(", ").collect();
    assert_eq!(refused.status(), 405);
    assert_eq!(allowed, ["GET", "HEAD", "OPTIONS", "POST"].into());
    example.end();
}

#[test]
fn notes_is_a_json_api() {
    let example = Example::start("notes");
    let new = r#"curl -H 'Content-Type: application/json' -d '{"title":"Buy tea"}' localhost:8000/api/v1/notes"#;
    let created = example.curl(new);
    assert_eq!((created.status(), created.header("Location")), (201, Some("/api/v1/notes/1")));
    let note = r#"{"id":1,"title":"Buy tea","text":""}"#;
    assert_eq!(created.text(), note);
    assert_eq!(example.curl("curl localhost:8000/api/v1/notes").text(), format!("[{note}]"));
    let found = example.curl("curl 'localhost:8000/api/v1/notes?q=tea&page=1'");
    assert_eq!(found.text(), format!("[{note}]"));
    assert_eq!(example.curl("curl localhost:8000/api/v1/notes/1").text(), note);
    let missing = example.curl("curl localhost:8000/api/v1/notes/7");
    assert_eq!((missing.status(), missing.header("Access-Control-Allow-Origin")), (404, Some("*")));
    assert!(missing.text().contains("there is no such note"), "{}", missing.text());
    let refused = example.curl("curl -X DELETE localhost:8000/api/v1/notes/1");
    assert_eq!((refused.status(), refused.header("WWW-Authenticate")), (401, Some("Bearer")));
    let token = "curl -H 'Authorization: Bearer secret' -X DELETE localhost:8000/api/v1/notes/1";
    assert_eq!(example.curl(token).status(), 204);
    example.end();
}

#[test]
fn behind_nginx_knows_the_client() {
    let example = Example::start("behind_nginx");
    let curl = "curl -H 'X-Real-Ip: 203.0.113.7' -H 'X-Scheme: https' localhost:8000";
    let text = example.curl(curl).text();
    assert!(text.starts_with("203.0.113.7 asks for https://"), "{text}");
    let text = example.curl("curl localhost:8000").text();
    assert!(text.starts_with("127.0.0.1 asks for http://"), "{text}");
    example.end();
}

#[test]
fn bench_answers_what_its_peers_answer() {
    let example = Example::start("bench");
    let plain = example.curl("curl -i localhost:8000/plaintext");
    assert_eq!(plain.text(), "Hello, World!");
    assert_eq!(plain.header("Content-Type"), Some("text/plain; charset=UTF-8"));
    // The measured application sends the same headers as any other.
    assert!(plain.header("Date").is_some() && plain.header("Server").is_some());
    let json = example.curl("curl localhost:8000/json");
    assert_eq!(json.text(), r#"{"message":"Hello, World!"}"#);
    assert_eq!(json.header("Content-Type"), Some("application/json; charset=UTF-8"));
    let echo = example.curl("curl -d 'whatever you like' localhost:8000/echo");
    assert_eq!(echo.text(), "whatever you like");
    let post = example.curl("curl localhost:8000/user/123/posts/456");
    assert_eq!(post.text(), "post 456 of user 123\n");
    assert_eq!(example.end(), [""; 0]);
}

/// Somebody in the lobby of the chat, and the process that serves them.
fn enter_chat(port: u16, name: &str) -> (WebSocket, Pid) {
    let mut socket = WebSocket::open(port, &format!("/chat?room=lobby&name={name}"));
    let welcome = next_json(&mut socket, |message| message["type"] == "welcome");
    let worker = welcome["worker"].as_i64().unwrap();
    (socket, Pid::from_raw(i32::try_from(worker).unwrap()))
}

/// The next message like this.
fn next_json(
    socket: &mut WebSocket,
    is_it: impl Fn(&serde_json::Value) -> bool,
) -> serde_json::Value {
    loop {
        let message = serde_json::from_str(&socket.receive()).unwrap();
        if is_it(&message) {
            return message;
        }
    }
}

#[test]
fn chat_reaches_the_people_of_all_workers() {
    let example = Example::start("chat");
    assert!(example.curl("curl localhost:8000").text().contains("<title>Chat</title>"));
    let (mut ada, of_ada) = enter_chat(example.port, "Ada");
    let start = Instant::now();
    let (mut grace, of_grace) = loop {
        let (grace, worker) = enter_chat(example.port, "Grace");
        // There may be only one processor.
        if worker != of_ada || start.elapsed() > Duration::from_secs(2) {
            break (grace, worker);
        }
    };
    let people = |names: &[&str]| serde_json::json!({"type": "people", "names": names});
    next_json(&mut grace, |message| *message == people(&["Ada", "Grace"]));
    ada.send("<b>hello</b>");
    for socket in [&mut ada, &mut grace] {
        let said = next_json(socket, |message| !message["text"].is_null());
        assert_eq!((&said["name"], &said["text"]), (&"Ada".into(), &"<b>hello</b>".into()));
    }
    let mut late = WebSocket::open(example.port, "/chat?room=lobby&name=Late");
    let welcome = next_json(&mut late, |message| message["type"] == "welcome");
    assert_eq!(welcome["history"][0]["text"], "<b>hello</b>");
    drop(late);
    next_json(&mut grace, |message| *message == people(&["Ada", "Grace"]));
    if of_ada != of_grace {
        kill(of_ada, Signal::SIGKILL).unwrap();
        let start = Instant::now();
        next_json(&mut grace, |message| *message == people(&["Grace"]));
        assert!(start.elapsed() < Duration::from_secs(5), "on a machine that may be busy");
        eprintln!("the people of a dead worker were gone after {:?}", start.elapsed());
    }
    drop((ada, grace));
    example.end();
}

#[test]
fn countdown_tells_how_far_the_work_is() {
    let example = Example::start("countdown");
    let page = example.curl("curl localhost:8000");
    assert!(page.text().contains("<title>Countdown</title>"));
    let mut socket = WebSocket::open(example.port, "/countdown");
    socket.send("launch");
    for done in 0..3 {
        let progress: serde_json::Value = serde_json::from_str(&socket.receive()).unwrap();
        assert_eq!(progress["done"], done);
        assert_eq!((&progress["of"], &progress["stopped"]), (&100.into(), &false.into()));
    }
    socket.send("stop");
    let is_last = |text: &str| text.contains("\"stopped\":true");
    while !is_last(&socket.receive()) {}
    drop(socket);
    example.end();
}

#[test]
fn echo_websocket_sends_each_message_back() {
    let example = Example::start("echo_websocket");
    let refused = example.curl("curl -i localhost:8000/echo");
    assert_eq!(refused.status(), 400);
    let mut socket = WebSocket::open(example.port, "/echo");
    socket.send("hello");
    assert_eq!(socket.receive(), "hello");
    let mut socket = WebSocket::open(example.port, "/greet?name=Ada");
    socket.send("hello");
    assert_eq!(socket.receive(), "Ada: hello");
    example.end();
}

#[test]
fn get_post_shares_its_state() {
    let example = Example::start("get_post");
    for count in 1..=3 {
        let posted = example.curl("curl -d message=hi localhost:8000");
        assert_eq!(posted.status(), 201);
        assert_eq!(posted.text(), format!("message {count} is noted\n"));
    }
    let all = example.curl("curl localhost:8000");
    assert_eq!(all.text(), r#"["hi","hi","hi"]"#);
    assert_eq!(all.header("Content-Type"), Some("application/json; charset=UTF-8"));
    assert_eq!(example.curl("curl -d text=hi localhost:8000").status(), 400);
    example.end();
}

#[test]
fn hello_answers_as_the_readme_shows() {
    let example = Example::start("hello");
    let response = example.curl("curl -i localhost:8000");
    let readme = Path::new(ROOT).join("README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let shown = readme.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    // The time and the hash are others each time.
    let names = |text: &str| -> Vec<String> {
        let changes = |line: &&str| line.starts_with("Date: ") || line.starts_with("Etag: \"");
        let cut = |line: &str| match changes(&line) {
            true => line.split_once(':').unwrap().0.to_owned(),
            false => line.to_owned(),
        };
        text.lines().map(cut).collect()
    };
    assert_eq!(names(&(response.head.clone() + &response.text())), names(shown));
    assert_eq!(example.end(), [""; 0]);
}

#[test]
fn metrics_are_exported_and_top_shows_them() {
    let example = Example::start("metrics");
    again_and_again(|| example.curl("curl -i localhost:8000/readyz").status() == 200);
    assert_eq!(example.curl("curl -d 'Dear Ada' localhost:8000/mails").text(), "sent\n");
    example.curl("curl localhost:8000/slow/300");
    example.program.expect(", serving GET /slow/{milliseconds}");
    let page = Exposition::parse(&example.curl("curl localhost:8000/metrics").text());
    assert_eq!(page.value(r#"mails_total{result="sent"}"#), 1.0);
    assert_eq!(page.value(r#"mails_total{result="empty"}"#), 0.0);
    let slow = r#"method="GET",route="/slow/{milliseconds}""#;
    assert_eq!(page.value(&format!("http_requests_total{{{slow},status=\"2xx\"}}")), 1.0);
    assert!(page.value(&format!("http_request_duration_seconds_sum{{{slow}}}")) >= 0.3);
    assert_eq!(page.sum("http_request_duration_seconds_count"), page.sum("http_requests_total"));

    let socket = env::temp_dir().join(format!("squall-{}.sock", example.port));
    let mut top = Command::new(binary("top"));
    top.arg(&socket);
    let (status, lines) = Program::start(top).ended();
    assert_eq!(status.code(), Some(0), "{lines:?}");
    assert!(lines[0].contains(" 2 workers ready"), "{lines:?}");
    let of_slow = lines.iter().find(|line| line.contains("/slow/{milliseconds}"));
    assert!(of_slow.expect("the route is shown").starts_with("GET "), "{lines:?}");
    example.end();
    let mut top = Command::new(binary("top"));
    top.arg(&socket);
    let top = Program::start(top);
    top.expect("no server answers at /");
    assert_eq!(top.ended().0.code(), Some(1));
}

#[test]
fn slow_does_not_block_other_requests() {
    // For a thousand sockets here, and as many there.
    let files = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files }).unwrap();
    let example = Example::start("slow");
    let start = Instant::now();
    assert_eq!(example.curl("curl localhost:8000").text(), "that took a second\n");
    assert!(start.elapsed() >= Duration::from_secs(1));

    let start = Instant::now();
    let mut clients: Vec<_> = (0..1000).map(|_| Connection::open(example.port).unwrap()).collect();
    clients.iter_mut().for_each(|client| client.send("GET", "/", "", b"").unwrap());
    for client in &mut clients {
        assert_eq!(client.response().unwrap().status(), 200);
    }
    println!("a thousand took {:?}", start.elapsed());
    // One after the other, 100 of 1000 would be served by now.
    assert!(start.elapsed() < Duration::from_secs(100), "{:?}", start.elapsed());
    drop(clients);
    assert_eq!(example.end(), [""; 0]);
}

#[test]
fn stories_turn_errors_into_responses() {
    let example = Example::start("stories");
    let put = "curl -i -X PUT -d 'Once upon a time' localhost:8000/story/7";
    for status in [201, 200] {
        let stored = example.curl(put);
        assert_eq!((stored.status(), stored.text().as_str()), (status, "stored\n"));
    }
    assert_eq!(example.curl("curl -i localhost:8000/story/7").text(), "Once upon a time");
    let none = example.curl("curl -i localhost:8000/story/8");
    assert_eq!(none.text(), "no luck with story 8: 404 Not Found\n");
    assert_eq!(none.status(), 404);
    assert_eq!(example.curl("curl -i localhost:8000/story/seven").status(), 404);
    let binary = r"curl -i -X PUT --data-binary $'\xff' localhost:8000/story/7";
    assert_eq!(example.curl(binary).status(), 400);
    assert_eq!(example.curl("curl -i -X DELETE localhost:8000/story/7").status(), 500);
    example
        .program
        .expect("DELETE /story/7: No such file or directory (os error 2), at examples/stories.rs:");
    example.end();
}

#[test]
fn workers_are_supervised() {
    let example = Example::start("workers");
    let program = &example.program;
    program.expect(&format!("supervisor {}", program.pid()));
    let mut workers: Vec<_> = (0..4).map(|id| begun(program, id)).collect();
    let mut answers = HashSet::new();
    let ask = |answers: &mut HashSet<String>| {
        answers.insert(example.curl("curl localhost:8000").text());
    };
    // All of 64 go to the same one of four once in 10^38 times.
    (0..64).for_each(|_| ask(&mut answers));
    assert!(answers.len() > 1, "{answers:?}");
    let possible = |workers: &[Pid]| -> HashSet<String> {
        let answer = |(id, pid)| format!("pid {pid}, task id {id}\n");
        workers.iter().enumerate().map(answer).collect()
    };
    assert!(answers.is_subset(&possible(&workers)), "{answers:?}");

    kill(workers[2], Signal::SIGKILL).unwrap();
    program.expect(&format!("worker 2 (pid {}) was killed by SIGKILL, restarting", workers[2]));
    workers[2] = begun(program, 2);
    answers.clear();
    (0..64).for_each(|_| ask(&mut answers));
    assert!(answers.is_subset(&possible(&workers)), "{answers:?}");

    let ends: BTreeSet<_> = workers.iter().map(|pid| format!("worker {pid} ends")).collect();
    assert_eq!(BTreeSet::from_iter(example.end()), ends);
}

/// Waits for a worker to begin.
#[track_caller]
fn begun(program: &Program, id: usize) -> Pid {
    let end = format!(" begins, task id Some({id})");
    let line = program.expect_line(|line| line.ends_with(&end)).expect("it begins");
    Pid::from_raw(line["worker ".len()..line.len() - end.len()].parse().unwrap())
}
