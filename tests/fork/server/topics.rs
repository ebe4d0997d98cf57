//! Topics: what one worker publishes reaches the sockets of all, whatever becomes of the workers.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::id;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgrp};
use squall::process::{ForkOptions, task_id};
use squall::topics::{self, Overflow, SubscribeOptions};
use squall::websocket::{Message, WebSocket, WebSocketHandler};
use squall::{
    Application, Context, HTTPServer, IOLoop, Result, get, post, route, sleep, websocket,
};

use super::{connection_to, serve, who};
use crate::case::{Case, SOON, announce, await_end, suspend};

const HANDSHAKE: &str = "GET /count HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A client that learns which process serves it, and then everything that is counted.
#[derive(Clone)]
struct Listener;

impl WebSocketHandler for Listener {
    async fn open(&mut self, ws: &WebSocket, _: &mut Context) -> Result {
        let options = SubscribeOptions::new("count/*").max_messages(100_000).max_bytes(100 << 20);
        let options = options.on_overflow(Overflow::DropOldest);
        ws.subscribe(options.gap_message(|gap| {
            assert!(gap.is_exact());
            format!("lost {}", gap.lost())
        }))?;
        ws.send(format!("worker {}", id())).await
    }

    async fn on_message(&mut self, _: &WebSocket, _: Message) -> Result {
        Ok(())
    }
}

/// Publishes the next number of this process.
async fn count(padding: usize) -> Result<u64> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed) + 1;
    let message = format!("{} {number} {}", id(), "x".repeat(padding));
    topics::publish(format!("count/{}", id()), message).await?;
    Ok(number)
}

async fn count_many(_: &mut Context, messages: u64) -> Result<String> {
    for _ in 0..messages {
        count(1000).await?;
    }
    Ok("published".to_owned())
}

fn application() -> Application {
    Application::new([
        route("/", get(who)),
        route("/publish/{messages}", post(count_many)),
        websocket("/count", Listener),
    ])
}

/// A client, and the process that serves it.
struct Client {
    stream: TcpStream,
    worker: Pid,
}

impl Client {
    fn open(port: u16) -> io::Result<Self> {
        let address = (Ipv4Addr::LOCALHOST, port).into();
        let mut stream = TcpStream::connect_timeout(&address, SOON)?;
        stream.set_read_timeout(Some(SOON))?;
        stream.write_all(HANDSHAKE.as_bytes())?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let mut client = Self { stream, worker: Pid::from_raw(0) };
        // A message that was published at this moment may come first.
        let first = loop {
            let text = client.next()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if let Some(worker) = text.strip_prefix("worker ") {
                break worker.to_owned();
            }
        };
        client.worker = Pid::from_raw(first.parse().unwrap());
        Ok(client)
    }

    /// A client of this worker.
    fn of(port: u16, worker: Pid) -> Self {
        let start = Instant::now();
        loop {
            let client = Self::open(port).unwrap();
            if client.worker == worker {
                return client;
            }
            assert!(start.elapsed() < SOON, "no connection reaches {worker}");
        }
    }

    /// The next message, or `None` for a close frame.
    fn next(&mut self) -> io::Result<Option<String>> {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head)?;
        let length = match head[1] {
            126 => {
                let mut length = [0; 2];
                self.stream.read_exact(&mut length)?;
                u16::from_be_bytes(length).into()
            }
            length => usize::from(length),
        };
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload)?;
        Ok((head[0] == 0x81).then(|| String::from_utf8(payload).unwrap()))
    }

    /// Reads until the number `last` of `publisher`. Returns how many messages came, and how many
    /// are lost.
    fn read_to(&mut self, publisher: Pid, last: u64) -> (u64, u64) {
        let (mut received, mut lost) = (0, 0);
        loop {
            let text = self.next().unwrap().unwrap();
            if let Some(count) = text.strip_prefix("lost ") {
                lost += count.parse::<u64>().unwrap();
                continue;
            }
            let (process, number) = numbers(&text);
            assert_eq!(process, publisher);
            received += 1;
            assert_eq!(number, received + lost, "one is missing, or comes twice");
            if number == last {
                return (received, lost);
            }
        }
    }
}

fn numbers(text: &str) -> (Pid, u64) {
    let mut fields = text.split(' ');
    let mut field = || fields.next().unwrap().parse::<u64>().unwrap();
    (Pid::from_raw(i32::try_from(field()).unwrap()), field())
}

pub fn a_worker_that_was_suspended_delays_no_other_and_counts_what_it_has_lost(case: &Case) {
    const MESSAGES: u64 = 10_000;
    let server = case.server(|| serve(&HTTPServer::new(application()), 2));
    let port = server.port();
    let (one, other) = (server.worker(0), server.worker(1));
    let (mut fast, mut stopped) = (Client::of(port, one), Client::of(port, other));
    let mut publisher = connection_to(port, one);
    suspend(other);
    let reading = thread::spawn(move || fast.read_to(one, MESSAGES));
    publisher.send("POST", &format!("/publish/{MESSAGES}"), "", b"").unwrap();
    assert_eq!(publisher.response().unwrap().status(), 200);
    assert_eq!(reading.join().unwrap(), (MESSAGES, 0));
    kill(other, Signal::SIGCONT).unwrap();
    let (received, lost) = stopped.read_to(one, MESSAGES);
    // 4 MiB of them are kept.
    assert!((3_900..4_200).contains(&received), "{received}");
    assert_eq!(received + lost, MESSAGES);
}

/// Where a process notes the last number that it has published.
fn note_of(process: Pid) -> PathBuf {
    std::env::temp_dir().join(format!("squall-topics-{}-{process}", getpgrp()))
}

fn noted(process: Pid) -> u64 {
    fs::read(note_of(process))
        .map_or(0, |note| note.first_chunk().map_or(0, |number| u64::from_le_bytes(*number)))
}

async fn count_for_ever() {
    let note = File::create(note_of(Pid::this())).unwrap();
    loop {
        let number = count(10).await.unwrap();
        note.write_all_at(&number.to_le_bytes(), 0).unwrap();
        sleep(Duration::from_millis(2)).await;
    }
}

fn counting_server() -> io::Result<()> {
    let server = HTTPServer::new(application()).slow_callback(None);
    server.bind("127.0.0.1:0")?;
    println!("port {}", server.local_addrs()[0].port());
    println!("supervisor {}", id());
    let options = ForkOptions::new().workers(3).max_workers(5);
    server.start(options.max_restarts(1000, Duration::from_secs(1)))?;
    announce(task_id().unwrap_or(0));
    IOLoop::current().spawn_callback(count_for_ever());
    IOLoop::current().start()
}

/// Clients that connect again when their worker is gone.
struct Audience {
    threads: Vec<JoinHandle<()>>,
    /// What each has received last of each publisher, since it has connected.
    seen: Arc<Vec<Mutex<Seen>>>,
    is_over: Arc<AtomicBool>,
    received: Arc<AtomicU64>,
}

#[derive(Default)]
struct Seen {
    worker: Option<Pid>,
    last: HashMap<Pid, u64>,
}

impl Audience {
    fn start(port: u16, clients: usize) -> Self {
        let seen: Arc<Vec<_>> = Arc::new((0..clients).map(|_| Mutex::default()).collect());
        let (is_over, received) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let threads = (0..clients)
            .map(|client| {
                let (seen, is_over) = (Arc::clone(&seen), Arc::clone(&is_over));
                let received = Arc::clone(&received);
                thread::spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        listen(port, &seen[client], &is_over, &received);
                    }
                })
            })
            .collect();
        Self { threads, seen, is_over, received }
    }

    fn workers(&self) -> Vec<Pid> {
        self.seen.iter().filter_map(|seen| seen.lock().unwrap().worker).collect()
    }

    /// Waits until every client has received everything that was published before.
    #[track_caller]
    fn await_all(&self) {
        let start = Instant::now();
        for client in self.seen.iter() {
            let is_up_to_date = || {
                let seen = client.lock().unwrap();
                seen.worker.is_some() && seen.last.iter().all(|(&one, &last)| last >= noted(one))
            };
            while !is_up_to_date() {
                assert!(self.threads.iter().all(|one| !one.is_finished()), "a client has failed");
                assert!(start.elapsed() < SOON, "messages are missing");
                thread::yield_now();
            }
        }
    }

    /// Waits until so many more messages have come, to all clients together.
    #[track_caller]
    fn await_more(&self, messages: u64) {
        let start = Instant::now();
        let before = self.received.load(Ordering::Relaxed);
        while self.received.load(Ordering::Relaxed) < before + messages {
            assert!(start.elapsed() < SOON, "no messages");
            thread::yield_now();
        }
    }

    fn finish(self) -> u64 {
        self.is_over.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        self.received.load(Ordering::Relaxed)
    }
}

/// One connection: of each publisher, every number after the first one that comes.
fn listen(port: u16, seen: &Mutex<Seen>, is_over: &AtomicBool, received: &AtomicU64) {
    let Ok(mut client) = Client::open(port) else { return };
    seen.lock().unwrap().worker = Some(client.worker);
    while !is_over.load(Ordering::Relaxed)
        && let Ok(Some(text)) = client.next()
    {
        let (process, number) = numbers(&text);
        let mut seen = seen.lock().unwrap();
        if let Some(last) = seen.last.insert(process, number) {
            assert_eq!(number, last + 1, "of {process}, a message is missing or comes twice");
        }
        received.fetch_add(1, Ordering::Relaxed);
    }
    *seen.lock().unwrap() = Seen::default();
}

pub fn deaths_reloads_scaling_and_upgrades_lose_no_message_and_repeat_none(case: &Case) {
    let server = case.server(counting_server);
    let port = server.port();
    let mut supervisor = Pid::from_raw(server.number("supervisor "));
    let audience = Audience::start(port, 24);
    audience.await_all();
    for round in 0..12 {
        match round % 4 {
            0 => kill(supervisor, Signal::SIGHUP).unwrap(),
            1 => kill(supervisor, Signal::SIGTTIN).unwrap(),
            2 => kill(supervisor, Signal::SIGTTOU).unwrap(),
            _ => {
                kill(supervisor, Signal::SIGUSR2).unwrap();
                let next = Pid::from_raw(server.number("supervisor "));
                await_end(supervisor);
                supervisor = next;
            }
        }
        if let Some(&worker) = audience.workers().get(round) {
            let _ = kill(worker, Signal::SIGKILL);
        }
        audience.await_more(2000);
        audience.await_all();
    }
    let received = audience.finish();
    assert!(received > 10_000, "{received}");
    kill(supervisor, Signal::SIGTERM).unwrap();
    let (status, _) = server.ended();
    assert_eq!(status.code(), Some(0));
}
