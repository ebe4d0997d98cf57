//! No request has anything of the one before it, whichever of them the server makes short work of.

use squall::{
    Application, Context, Error, HTTPError, HTTPServer, Method, RequestHandler, Result, StatusCode,
};
use squall::{get, regex, route};
use squall_runtime::yield_now;

use crate::wire::{DEADLINE, Server, normal};

#[derive(Clone)]
struct Thing(Vec<u8>);

impl RequestHandler for Thing {
    async fn prepare(&mut self, cx: &mut Context) -> Result {
        match cx.header("x-stop").as_deref() {
            Some("finish") => {
                cx.write("stopped")?;
                cx.finish()
            }
            Some("panic") => panic!("as it was asked to"),
            _ => Ok(()),
        }
    }

    async fn get(&mut self, cx: &mut Context) -> Result {
        self.0.push(b'x');
        cx.write(format!("thing {:?} {}", self.0, cx.query()))
    }

    async fn put(&mut self, cx: &mut Context) -> Result {
        yield_now().await;
        cx.write(cx.body().await?)
    }

    async fn patch(&mut self, cx: &mut Context) -> Result {
        cx.write("lost")?;
        cx.set_header("X-Lost", "1")?;
        Err(HTTPError::CONFLICT.with_header("x-why", "no"))?
    }

    fn write_error(&mut self, cx: &mut Context, error: &Error) -> Result {
        cx.write(format!("sorry {}", error.status()))
    }
}

async fn act(cx: &mut Context, act: String) -> Result {
    match act.as_str() {
        "large" => cx.write(vec![b'l'; 4097]),
        "small" => cx.write(vec![b's'; 4096]),
        "huge" => cx.write(vec![b'h'; 70_000]),
        "empty" => Ok(()),
        "none" => {
            cx.set_status(StatusCode::NO_CONTENT);
            Ok(())
        }
        "length" => {
            cx.set_header("Content-Length", "5")?;
            cx.write("12345")
        }
        "wrong" => {
            cx.set_header("Content-Length", "6")?;
            cx.write("12345")
        }
        "type" => {
            cx.set_header("X-A", "b")?;
            cx.set_header("Content-Type", "text/plain")?;
            cx.write("plain")
        }
        "untyped" => {
            cx.set_header("Content-Type", "text/plain")?;
            cx.set_header("X-A", "b")?;
            cx.clear_header("Content-Type");
            cx.write("untyped")
        }
        "json" => cx.json(&[1, 2, 3]),
        "jsons" => {
            cx.write("before ")?;
            cx.json(&["x".repeat(300)])
        }
        "stream" => {
            cx.write("a piece")?;
            cx.flush().await?;
            yield_now().await;
            cx.write("another")
        }
        "close" => {
            cx.set_header("Connection", "close")?;
            cx.write("last")
        }
        "etag" => {
            cx.set_header("Etag", "\"own\"")?;
            cx.write("tagged")
        }
        "accepted" => {
            cx.set_status(StatusCode::ACCEPTED);
            cx.write("accepted")
        }
        "reason" => {
            cx.set_status_with_reason(StatusCode::OK, "Fine");
            cx.write("reason")
        }
        "panic" => panic!("as it was asked to"),
        "fail" => Err(HTTPError::CONFLICT)?,
        "echo" => cx.write(cx.body().await?),
        "echo-later" => {
            yield_now().await;
            let body = cx.body().await?;
            cx.write("and ")?;
            cx.write(&body)
        }
        "later" => {
            cx.write("late")?;
            yield_now().await;
            cx.write("r")
        }
        "finish" => {
            cx.write("finished")?;
            cx.finish()?;
            Ok(())
        }
        "host" => cx.write(format!("{:?} {:?}", cx.host(), cx.header("host"))),
        "redirect" => cx.redirect("/elsewhere"),
        _ => Err(HTTPError::NOT_FOUND)?,
    }
}

async fn sum(cx: &mut Context, a: u8, b: i64) -> Result {
    cx.write((i64::from(a) + b).to_string())
}

fn application() -> Application {
    let purge = Method::from_bytes(b"PURGE").unwrap();
    Application::new([
        route("/", get(async || "root")),
        route("/thing", Thing(vec![b'a'])),
        route("/sum/{a}/{b}", get(sum)),
        route("/act/{act}", get(act).post(act).on(purge, act)),
        route("/in-parts", get(act_streamed).post(act_streamed)).stream_request_body(),
        route("/little", get(async || "l").post(act_little)).max_body_size(10),
        route("/half", get(async || "half").post(act_little)).half_close(true),
        regex(r"/r/(\d+)(?:/(x))?", get(async |cx: &mut Context, a: String| cx.write(a))),
    ])
}

async fn act_little(cx: &mut Context) -> Result {
    cx.write(cx.body().await?)
}

async fn act_streamed(cx: &mut Context) -> Result {
    if cx.query() == "leave" {
        return cx.write("left");
    }
    cx.write(cx.body().await?)
}

fn requests() -> Vec<String> {
    let mut all = Vec::new();
    let acts = "large small huge empty none length wrong type untyped json jsons stream close etag \
                accepted reason panic fail echo echo-later later finish host redirect nothing";
    for act in acts.split_whitespace() {
        all.push(format!("GET /act/{act} HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
    for act in ["small", "large", "empty", "length", "stream", "panic", "echo", "none"] {
        all.push(format!("HEAD /act/{act} HTTP/1.1\r\nHost: a.example\r\n\r\n"));
        all.push(format!("GET /act/{act} HTTP/1.0\r\n\r\n"));
        all.push(format!("GET /act/{act} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
        all.push(format!(
            "POST /act/{act} HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\n12345"
        ));
        all.push(format!(
            "PURGE /act/{act} HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n"
        ));
    }
    for size in [0, 1, 255, 256, 4096, 4097, 9000] {
        let body = "b".repeat(size);
        for act in ["echo", "echo-later", "later"] {
            all.push(format!("POST /act/{act} HTTP/1.1\r\nHost: a.example\r\nContent-Length: {size}\r\n\r\n{body}"));
            all.push(format!(
                "GET /act/{act} HTTP/1.1\r\nHost: a.example\r\ncontent-length: {size}\r\n\r\n{body}"
            ));
        }
        all.push(format!(
            "POST /in-parts HTTP/1.1\r\nHost: a.example\r\nContent-Length: {size}\r\n\r\n{body}"
        ));
        all.push(format!("POST /in-parts?leave HTTP/1.1\r\nHost: a.example\r\nContent-Length: {size}\r\n\r\n{body}"));
    }
    let others = [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: other.example:8080\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.example\r\nIf-None-Match: *\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.example\r\nExpect: much\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.example\r\nHost: a.example\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.example\r\nX: y\r\nHost: a.example\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.example \r\n\r\n",
        "GET /act/host HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "GET /act/host HTTP/1.1\r\nHost: b.example\r\n\r\n",
        "GET /act/host HTTP/1.1\r\nHost: a.example:80\r\n\r\n",
        "GET /act/host HTTP/1.1\r\nX: y\r\nHost: b.example\r\n\r\n",
        "GET /act/host HTTP/1.0\r\n\r\n",
        "GET http://t.example/act/host HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "GET /sum/1/2 HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "GET /sum/255/-2 HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "GET /sum/256/2 HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "GET /sum/%31/9223372036854775807 HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "GET /sum/1/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "GET /sum//1 HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "GET /r/12 HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "GET /r/12/x HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "GET /nothing HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "POST /nothing HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nabc",
        "OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "OPTIONS / HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "OPTIONS /thing HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "DELETE / HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "DELETE /thing HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nabc",
        "GET /thing?q HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "HEAD /thing?q HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "GET /thing HTTP/1.1\r\nHost: a.example\r\nX-Stop: finish\r\n\r\n",
        "GET /thing HTTP/1.1\r\nHost: a.example\r\nX-Stop: panic\r\n\r\n",
        "PATCH /thing HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "PUT /thing HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "POST /little HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\n0123456789",
        "POST /little HTTP/1.1\r\nHost: a.example\r\nContent-Length: 11\r\n\r\n01234567890",
        "POST /little HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n",
        "POST /little HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n",
        "POST /act/echo HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        "POST /act/echo HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        "POST /act/echo HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
        "POST /act/echo HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
        "POST /act/echo HTTP/1.0\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc",
        "POST /act/echo HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
        "GET /half HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n\r\n",
        "nonsense\r\n\r\n",
    ];
    all.extend(others.map(str::to_owned));
    all
}

const LAST: &str = "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// All that comes, the answer to a last request included if the connection is kept until then.
fn answers(server: &Server, requests: &[&str]) -> String {
    let mut client = server.connect();
    client.send(requests.concat() + LAST);
    normal(&client.rest_and_ending().0)
}

/// The response to each of `requests` from a server that has had no other request.
fn alone(requests: &[String], build: fn() -> HTTPServer) -> Vec<String> {
    requests.iter().map(|request| answers(&Server::with(build), &[request])).collect()
}

#[test]
fn a_request_is_answered_alike_whatever_came_before_it() {
    let requests = requests();
    let build = || HTTPServer::new(application());
    let alone = alone(&requests, build);
    let server = Server::with(build);
    let last = answers(&server, &[]);
    let pairs = || requests.iter().map(String::as_str).zip(&alone);
    let kept: Vec<_> = pairs()
        .filter_map(|(request, answer)| Some((request, answer.strip_suffix(&last)?)))
        .collect();
    assert!(kept.len() > requests.len() / 2);
    // Each of them comes after many others, as each step goes through all in another order.
    for step in (1..kept.len()).filter(|step| gcd(*step, kept.len()) == 1).take(40) {
        let order = || (0..kept.len()).map(|index| kept[index * step % kept.len()]);
        let (sent, expected): (Vec<_>, String) = order().collect();
        let got = answers(&server, &sent);
        assert_eq!(first_difference(&got, &(expected + &last)), None, "in steps of {step}");
    }
    let (before, answer) = kept[0];
    for (request, expected) in pairs() {
        assert_eq!(
            answers(&server, &[before, request]),
            format!("{answer}{expected}"),
            "{request}"
        );
    }
}

#[test]
fn responses_are_the_same_behind_middleware_and_time_limits() {
    let requests = requests();
    let direct = alone(&requests, || HTTPServer::new(application()));
    let through = alone(&requests, || {
        HTTPServer::new(application().around(async |cx, next| next.run(cx).await))
    });
    let limited = alone(&requests, || HTTPServer::new(application()).handler_timeout(DEADLINE));
    for (((request, direct), through), limited) in
        requests.iter().zip(&direct).zip(&through).zip(&limited)
    {
        assert_eq!((through, limited), (direct, direct), "{request}");
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Where two texts begin to differ, and what is there.
fn first_difference(one: &str, other: &str) -> Option<[String; 2]> {
    if one == other {
        return None;
    }
    let at = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    Some([one, other].map(|text| {
        String::from_utf8_lossy(&text.as_bytes()[at.saturating_sub(200)..text.len().min(at + 200)])
            .into_owned()
    }))
}
