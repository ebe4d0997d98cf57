//! The settings of a server behind proxies.

use std::io;

use crate::http::HeaderName;
use crate::proxy::Protocol;
use crate::proxy::claims::ClientHeader;
use crate::proxy::trust::TrustedProxies;
use crate::server::HTTPServer;

/// A list of proxies as texts, for [`HTTPServer::trusted_downstream`].
///
/// # Examples
///
/// ```
/// # use squall::{Application, HTTPServer};
/// let server = HTTPServer::new(Application::new([]));
/// let networks: Vec<String> = vec!["10.0.0.0/8".to_owned()];
/// let server = server.trusted_downstream(networks)?;
/// # std::io::Result::Ok(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a list of proxies",
    label = "not a list of texts",
    note = "one is a list as well: `[\"127.0.0.1\"]`"
)]
pub trait ProxyList {
    /// Returns the texts.
    fn into_texts(self) -> Vec<String>;
}

#[diagnostic::do_not_recommend]
impl<T: AsRef<str>, L: IntoIterator<Item = T>> ProxyList for L {
    fn into_texts(self) -> Vec<String> {
        self.into_iter().map(|text| text.as_ref().to_owned()).collect()
    }
}

/// # Settings for a server behind proxies
///
/// By default no proxy (nginx, HAProxy, a load balancer) is trusted, and the headers of proxies are
/// not read. The other end of the connection is the client.
///
/// # Panics
///
/// Like the other settings, each panics once the server has started.
impl HTTPServer {
    /// Sets the trusted proxies in front of the server: networks (`"10.0.0.0/8"`,
    /// `"2001:db8::/32"`), addresses (`"127.0.0.1"`), and `"unix:"` for all clients of a Unix
    /// socket. Replaces an earlier list. Default: none.
    ///
    /// The server reads these headers only if the other end of the connection is in the list:
    ///
    /// | value | headers, the first one counts |
    /// |---|---|
    /// | [`remote_ip`](crate::Context::remote_ip), [`remote_addr`](crate::Context::remote_addr) | `X-Real-Ip`, `X-Forwarded-For` |
    /// | [`protocol`](crate::Context::protocol) | `X-Scheme`, `X-Forwarded-Proto` |
    /// | [`host`](crate::Context::host) | `X-Forwarded-Host` |
    /// | all of them | `Forwarded` (RFC 7239), in a request without any of the others |
    ///
    /// - Proxies append to a list. The client is the last address in `X-Forwarded-For` or
    ///   `Forwarded` that is not a trusted proxy, because a client can forge the entries before it.
    ///   If all are trusted, it is the first. At most 64 entries are read.
    /// - Of several values of `X-Scheme`, `X-Forwarded-Proto` or `X-Forwarded-Host`, the last one
    ///   counts: the nearest proxy sent it. In `Forwarded`, protocol and host are taken from the
    ///   client's entry.
    /// - A malformed value (a name, `unknown`, a hidden identifier, two `X-Real-Ip`, a bad host) is
    ///   ignored, and the values of the connection are used. No other header replaces it.
    ///
    /// **Each proxy must set or remove the headers that count.** Most proxies pass on headers that
    /// they do not know: a client can send an `X-Real-Ip` through a proxy that only knows
    /// `X-Forwarded-For`. If yours does, choose [the header](Self::real_ip_header) that counts. For
    /// nginx:
    ///
    /// ```text
    /// proxy_set_header Host              $host;
    /// proxy_set_header X-Real-Ip         $remote_addr;
    /// proxy_set_header X-Forwarded-Proto $scheme;
    /// proxy_set_header X-Scheme          "";
    /// proxy_set_header X-Forwarded-Host  "";
    /// ```
    ///
    /// This setting is Tornado's `xheaders` and `trusted_downstream` in one, and nginx's
    /// `set_real_ip_from`.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if an entry is no network, no address and not
    /// `unix:`, or has bits set behind its prefix (`10.0.0.1/8`). The message names it.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall::testing::TestClient;
    /// use squall::{Application, Context, HTTPServer, Result, get, route};
    ///
    /// async fn who(cx: &mut Context) -> Result {
    ///     let client = cx.remote_ip().map_or_else(|| "-".to_owned(), |ip| ip.to_string());
    ///     cx.write(format!("{client} asked for {}://{}", cx.protocol(), cx.host()))
    /// }
    ///
    /// let app = Application::new([route("/", get(who))]);
    /// let server = HTTPServer::new(app).trusted_downstream(["127.0.0.1", "10.0.0.0/8", "unix:"])?;
    /// let proxy = TestClient::of(&server).peer_addr(([127, 0, 0, 1], 4711));
    /// let request = proxy
    ///     .get("/")
    ///     .header("X-Forwarded-For", "6.6.6.6, 203.0.113.7, 10.0.0.1")
    ///     .header("X-Forwarded-Proto", "https")
    ///     .header("X-Forwarded-Host", "squall.example");
    /// assert_eq!(request.send().text(), "203.0.113.7 asked for https://squall.example");
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "xheaders")]
    #[doc(alias = "set_real_ip_from")]
    #[track_caller]
    pub fn trusted_downstream(self, proxies: impl ProxyList) -> io::Result<Self> {
        let trusted = TrustedProxies::parse(proxies.into_texts()).map_err(invalid)?;
        Ok(self.set(|settings| settings.trusted_downstream = Some(trusted)))
    }

    /// Sets the only header of a [trusted proxy](Self::trusted_downstream) that names the client.
    /// Clients can forge the others. Default: the headers that `trusted_downstream` lists.
    ///
    /// With `Forwarded` (RFC 7239), the `X-` headers are not read at all. Any other header is a
    /// list of addresses like `X-Forwarded-For`, often of one (`X-Real-Ip`, `CF-Connecting-IP`),
    /// and `Forwarded` is not read at all.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if `name` is not a valid header name.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall::testing::TestClient;
    /// use squall::{Application, Context, HTTPServer, Result, get, route};
    ///
    /// async fn who(cx: &mut Context) -> Result {
    ///     cx.write(format!("{:?}", cx.remote_addr()))
    /// }
    ///
    /// let app = Application::new([route("/", get(who))]);
    /// let server = HTTPServer::new(app).trusted_downstream(["::1"])?.real_ip_header("Forwarded")?;
    /// let proxy = TestClient::of(&server).peer_addr("[::1]:4711".parse::<std::net::SocketAddr>().unwrap());
    /// let request = proxy
    ///     .get("/")
    ///     .header("X-Real-Ip", "6.6.6.6")
    ///     .header("Forwarded", "for=\"203.0.113.7:1234\";proto=https");
    /// assert_eq!(request.send().text(), "Some(203.0.113.7:1234)");
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn real_ip_header(self, name: &str) -> io::Result<Self> {
        let header = HeaderName::from_bytes(name.as_bytes());
        let header = header.map_err(|_| invalid(format!("{name:?} is not a valid header name")))?;
        Ok(self.set(|settings| settings.real_ip_header = ClientHeader::named(header)))
    }

    /// Sets the protocol of clients, `"http"` or `"https"`. Default: `"http"`.
    ///
    /// [`Context::protocol`](crate::Context::protocol) returns it, unless a [trusted
    /// proxy](Self::trusted_downstream) says otherwise. Use it behind a proxy that terminates TLS
    /// and sends no header about it.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if it is another protocol.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, HTTPServer, Result, get, route};
    /// async fn protocol(cx: &mut Context) -> Result {
    ///     cx.write(cx.protocol())
    /// }
    ///
    /// let app = Application::new([route("/", get(protocol))]);
    /// let server = HTTPServer::new(app).protocol("https")?;
    /// assert_eq!(TestClient::of(&server).get("/").send().text(), "https");
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn protocol(self, protocol: &str) -> io::Result<Self> {
        let named = Protocol::named(protocol.as_bytes());
        let named = named.ok_or_else(|| {
            invalid(format!("the protocol {protocol:?} is neither http nor https"))
        })?;
        Ok(self.set(|settings| settings.protocol = named))
    }

    /// Sets whether each connection begins with a PROXY protocol header, version 1 or 2. Default:
    /// `false`.
    ///
    /// HAProxy (`send-proxy`, `send-proxy-v2`), nginx (`proxy_protocol on` of a `stream`) and the
    /// load balancers of cloud providers send it when they forward bytes instead of requests. The
    /// client that it names counts as the other end of the connection, for
    /// [`remote_addr`](crate::Context::remote_addr) and for everything that depends on it.
    ///
    /// The setting holds for all addresses of this server. Bind addresses without the header, for
    /// example for health checks, with another `HTTPServer`.
    ///
    /// - A connection without the header gets a 400 and is closed. The server does not guess. The
    ///   header has the same time limit as the head of a request, and at most 4 KiB.
    /// - With [`trusted_downstream`](Self::trusted_downstream), the other end must be in that list,
    ///   and gets a 403 otherwise. **Without that list, everyone who can connect can claim to be
    ///   any client.** The headers of requests count only if the client of the PROXY header is in
    ///   the list as well, such as an nginx behind a balancer.
    /// - Checks of the proxy itself (`LOCAL`) come from the proxy. If the proxy does not know the
    ///   client (`UNKNOWN`, `UNSPEC`), or the client uses a Unix socket, `remote_addr` is `None`.
    /// - In version 2, a checksum must be correct, and TLS information sets the
    ///   [`protocol`](crate::Context::protocol).
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, HTTPServer, Result, get, route};
    /// async fn who(cx: &mut Context) -> Result {
    ///     cx.write(format!("{:?}", cx.remote_addr()))
    /// }
    ///
    /// let app = Application::new([route("/", get(who))]);
    /// let server = HTTPServer::new(app).trusted_downstream(["10.0.0.1"])?.proxy_protocol(true);
    /// let balancer = TestClient::of(&server).peer_addr(([10, 0, 0, 1], 4711));
    /// let mut connection = balancer.connect();
    /// connection.send("PROXY TCP4 203.0.113.7 192.0.2.1 56789 80\r\n");
    /// connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    /// connection.receive_until("Some(203.0.113.7:56789)");
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn proxy_protocol(self, expected: bool) -> Self {
        self.set(|settings| settings.proxy_protocol = expected)
    }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}
