//! Host names to addresses.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use crate::{IOLoop, budget};

/// Looks up the addresses of `host`, each with `port`.
///
/// The text of an IP address needs no lookup. The system's resolver looks up names (hosts file,
/// DNS); because it blocks, it runs on a thread of the pool.
///
/// # Errors
///
/// Fails if the name is unknown or the lookup fails.
///
/// # Examples
///
/// ```
/// use squall_runtime::{IOLoop, resolve};
///
/// let addresses = IOLoop::current().run_sync(resolve("127.0.0.1", 8000))??;
/// assert_eq!(addresses, ["127.0.0.1:8000".parse().unwrap()]);
/// # std::io::Result::Ok(())
/// ```
pub async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        budget::cooperate().await;
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let host = host.to_owned();
    let lookup = move || (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
    IOLoop::current().run_in_executor(lookup).await?
}
