//! Clients, and what they measure.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use squall::IOLoop;
use squall_runtime::TcpStream;

pub(crate) const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";

/// How many connections are opened at a time.
const OPENING: usize = 128;

pub(crate) fn allow_many_descriptors() -> io::Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

/// Opens connections and sends `bytes` on each.
pub(crate) async fn open(
    address: SocketAddr,
    count: usize,
    bytes: &'static [u8],
) -> io::Result<Vec<TcpStream>> {
    let opened = Rc::new(RefCell::new(Vec::with_capacity(count)));
    all((0..OPENING).map(|task| {
        let opened = Rc::clone(&opened);
        let share = count / OPENING + usize::from(task < count % OPENING);
        async move {
            for _ in 0..share {
                let mut connection = TcpStream::connect(address).await?;
                connection.write_all(bytes).await?;
                opened.borrow_mut().push(connection);
            }
            Ok(())
        }
    }))
    .await?;
    Ok(opened.take())
}

/// Runs all of `futures` at once, to their ends.
pub(crate) async fn all(
    futures: impl IntoIterator<Item = impl Future<Output = io::Result<()>> + 'static>,
) -> io::Result<()> {
    let tasks: Vec<_> = futures.into_iter().map(|f| IOLoop::current().spawn(f)).collect();
    for task in tasks {
        task.await.map_err(io::Error::other)??;
    }
    Ok(())
}

pub(crate) async fn request(connection: &mut TcpStream) -> io::Result<()> {
    connection.write_all(REQUEST).await?;
    answer(connection).await
}

/// Receives a response that is short.
pub(crate) async fn answer(connection: &mut TcpStream) -> io::Result<()> {
    let mut answer = [0; 1024];
    let count = connection.read(&mut answer).await?;
    match answer[..count].starts_with(b"HTTP/1.1 200 OK\r\n") {
        true => Ok(()),
        false => Err(io::Error::other(format!("answered {}", answer[..count].escape_ascii()))),
    }
}

/// How long things took.
#[derive(Clone, Default)]
pub(crate) struct Times(Rc<RefCell<Vec<Duration>>>);

impl Times {
    pub(crate) fn add(&self, since: Instant) {
        self.0.borrow_mut().push(since.elapsed());
    }

    /// Makes requests on one connection, one every `pace`.
    pub(crate) async fn measure(
        &self,
        address: SocketAddr,
        duration: Duration,
        pace: Duration,
    ) -> io::Result<()> {
        let mut connection = TcpStream::connect(address).await?;
        let end = Instant::now() + duration;
        while Instant::now() < end {
            let begin = Instant::now();
            request(&mut connection).await?;
            self.add(begin);
            squall::sleep(pace).await;
        }
        Ok(())
    }

    pub(crate) fn report(&self, what: &str) {
        let mut times = self.0.take();
        times.sort_unstable();
        let at = |part: f64| match times.len() {
            0 => 0.0,
            count => times[((count - 1) as f64 * part) as usize].as_secs_f64() * 1000.0,
        };
        println!(
            "  {what}: {} requests, p50 {:.2} ms, p99 {:.2} ms, longest {:.2} ms",
            times.len(),
            at(0.5),
            at(0.99),
            at(1.0),
        );
    }
}
