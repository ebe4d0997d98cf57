//! Requests with faults put in at random, the same ones each time.

use std::fmt::Write;

use squall::{Application, Context, HTTPServer, Result, get, post, route};

use crate::wire::{Response, Server, split};

const CASES: u64 = 3000;

/// The possible statuses of a response here, where no handler fails.
const STATUSES: [u16; 14] = [100, 200, 204, 304, 400, 404, 405, 408, 413, 414, 417, 431, 501, 505];

const REQUESTS: [&str; 14] = [
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /path/a%20b?a=1&b=%C3%A9 HTTP/1.1\r\nHost: example.com:80\r\nAccept: */*\r\n\r\n",
    "GET http://example.com/?a=1 HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
    "GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n",
    "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n",
    "POST /buffered HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world",
    "POST /streamed HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello worldGET / HTTP/1.1\r\n\
     Host: a\r\n\r\n",
    "POST /ignored HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n\
     Host: a\r\n\r\n",
    "POST /buffered HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n\
     6;x=\"y\"\r\n world\r\n0\r\nX: y\r\n\r\n",
    "POST /streamed HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n00b\r\nhello world\r\n\
     0\r\n\r\nPOST /ignored HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n\
     0\r\n\r\n",
    "POST /form?a=1 HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n\
     Content-Length: 15\r\nExpect: 100-continue\r\n\r\na=1&b=2+3&c=%41",
    "\r\nGET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
     If-None-Match: \"x\", W/\"y\"\r\nCookie: a=b; c=d\r\nTE: trailers\r\n\r\n",
];

/// Common parts of malformed requests.
const PARTS: [&[u8]; 27] = [
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"\t",
    b":",
    b",",
    b";",
    b"/",
    b"?",
    b"#",
    b"%",
    b"\"",
    b"\xff",
    b"\x7f",
    b"\xc3\xa9",
    b"0",
    b"9",
    b"ffffffffffffffff",
    b"18446744073709551615",
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Host: b\r\n",
    b"Expect: 100-continue\r\n",
    b"Connection: close\r\n",
];

/// Numbers that are the same on each run (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `limit`, which is above 0.
    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// A place in `bytes`, or behind them.
    fn place(&mut self, bytes: &[u8]) -> usize {
        self.below(bytes.len() + 1)
    }
}

/// A request, or two, with one to four faults.
fn faulty(random: &mut Random) -> Vec<u8> {
    let mut bytes = random.of(&REQUESTS).as_bytes().to_vec();
    for _ in 0..=random.below(4) {
        let (one, other) = (random.place(&bytes), random.place(&bytes));
        let range = one.min(other)..one.max(other).min(one.min(other) + 16);
        match random.below(8) {
            0 => bytes.insert(one, random.next() as u8),
            1 => drop(bytes.drain(range)),
            2 => {
                let copy = bytes[range.clone()].to_vec();
                bytes.splice(other..other, copy);
            }
            3 => bytes.truncate(one),
            4 => {
                let front = random.of(&REQUESTS).as_bytes();
                let cut = random.place(front);
                bytes.splice(..one, front[..cut].iter().copied());
            }
            5 if one < bytes.len() => bytes[one] ^= 1 << random.below(8),
            6 if one < bytes.len() => bytes[one] = random.next() as u8,
            _ => {
                let part = random.of(&PARTS);
                bytes.splice(one..one, part.iter().copied());
            }
        }
    }
    bytes
}

fn server() -> Server {
    async fn page() -> &'static str {
        "page"
    }
    async fn echo(cx: &mut Context) -> Result {
        cx.write(cx.body().await?)
    }
    async fn argument(cx: &mut Context) -> Result {
        cx.write(cx.argument("a")?)
    }
    async fn path(cx: &mut Context, text: String) -> Result {
        let headers = cx.headers().len();
        cx.write(format!("{text} {} {} {} {headers}", cx.host(), cx.path(), cx.query()))
    }
    Server::with(|| {
        let application = Application::new([
            route("/", get(page)),
            route("/path/{text}", get(path)),
            route("/buffered", post(echo)),
            route("/streamed", post(echo)).stream_request_body(),
            route("/ignored", post(page)).stream_request_body(),
            route("/form", post(argument)),
        ]);
        HTTPServer::new(application).max_body_size(20).max_header_size(1000).max_target_size(60)
    })
}

/// The final responses, without what depends on when the bytes came.
fn answers(received: &[u8]) -> Vec<Response> {
    let mut responses = split(received);
    responses.retain(|response| response.status != 100);
    responses
}

/// Asserts that the same bytes were answered in the same way, up to the refusal that ends the
/// connection: of two faults in a head either may be seen first, and of a head that the client
/// leaves incomplete a fault may be seen at once or not at all.
#[track_caller]
fn are_the_same(what: &str, whole: &[Response], cut: &[Response]) {
    let served = |responses: &[Response]| -> Vec<String> {
        let refused = responses
            .last()
            .is_some_and(|last| last.status >= 400 && last.header("connection") == Some("close"));
        let served = &responses[..responses.len() - usize::from(refused)];
        served.iter().map(|response| response.raw.clone()).collect()
    };
    assert_eq!(served(whole), served(cut), "{what}");
}

#[test]
fn every_malformed_request_is_answered_and_affects_no_other_client() {
    let server = server();
    let mut random = Random(7);
    let mut good = server.connect();
    let mut counts = [0; 600];
    for case in 0..CASES {
        let bytes = faulty(&mut random);
        let cut = random.place(&bytes);
        let mut what = format!("case {case}: ");
        let _ = write!(what, "\"{}\", cut at {cut}", bytes.escape_ascii());

        let mut client = server.connect();
        client.send(&bytes);
        client.finish();
        let whole = answers(&client.rest());
        let mut client = server.connect();
        client.send(&bytes[..cut]);
        client.let_server_run();
        client.send(&bytes[cut..]);
        client.finish();
        let cut = answers(&client.rest());

        are_the_same(&what, &whole, &cut);
        for response in &whole {
            assert!(STATUSES.contains(&response.status), "{what}: {response:#?}");
            counts[usize::from(response.status)] += 1;
        }
        if case % 10 == 0 {
            good.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(good.response().text(), "page", "after {what}");
        }
    }
    let log = server.log();
    let errors: Vec<_> = log.iter().filter(|line| line.starts_with("ERROR")).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    // The faults are not all of one kind.
    for status in [200, 400, 404, 405, 501, 505] {
        assert!(counts[status] > 0, "{status} never comes");
    }
}

#[test]
fn bytes_without_any_sense_are_answered() {
    let server = server();
    let mut random = Random(11);
    for case in 0..CASES / 6 {
        // Long enough that some byte of it shows that it is no beginning of a request.
        let length = 30 + random.below(300);
        let bytes: Vec<_> = (0..length).map(|_| random.next() as u8).collect();
        let mut client = server.connect();
        client.send(&bytes);
        client.finish();
        let responses = split(&client.rest());
        let statuses: Vec<_> = responses.iter().map(|response| response.status).collect();
        assert_eq!(statuses, [400], "case {case}: {}", bytes.escape_ascii());
    }
    server.serves("a good one", "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}
