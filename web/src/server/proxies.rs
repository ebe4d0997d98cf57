use std::io;

use crate::http::HeaderName;
use crate::proxy::Protocol;
use crate::proxy::claims::ClientHeader;
use crate::proxy::trust::TrustedProxies;
use crate::server::HTTPServer;

/// Some proxies, for [`HTTPServer::trusted_downstream`]: a list of texts.
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
    /// Each of them.
    fn into_texts(self) -> Vec<String>;
}

#[diagnostic::do_not_recommend]
impl<T: AsRef<str>, L: IntoIterator<Item = T>> ProxyList for L {
    fn into_texts(self) -> Vec<String> {
        self.into_iter().map(|text| text.as_ref().to_owned()).collect()
    }
}

/// The settings for a server behind proxies (nginx, HAProxy, a load balancer).
///
/// By default no proxy is known, and nothing that one may say is read: who connects is the client.
///
/// # Panics
///
/// Each, once the server has started, as the other settings.
impl HTTPServer {
    /// Which proxies stand in front of the server, and are believed: networks
    /// (`"10.0.0.0/8"`, `"2001:db8::/32"`), addresses (`"127.0.0.1"`), and `"unix:"` for all that
    /// come over a Unix socket. Default: none. It replaces what was set before.
    ///
    /// Only if the other end of the connection is one of them, these headers are read:
    ///
    /// | | says, in this order |
    /// |---|---|
    /// | [`remote_ip`](crate::Context::remote_ip), [`remote_addr`](crate::Context::remote_addr) | `X-Real-Ip`, `X-Forwarded-For` |
    /// | [`protocol`](crate::Context::protocol) | `X-Scheme`, `X-Forwarded-Proto` |
    /// | [`host`](crate::Context::host) | `X-Forwarded-Host` |
    /// | all of them | `Forwarded` (RFC 7239), in a request without any of the others |
    ///
    /// - Proxies append to a list. The client is the last in `X-Forwarded-For` or `Forwarded` that
    ///   is not one of these networks, for what comes before it may be made up; the first, if all
    ///   are. At most 64 entries are looked at.
    /// - `X-Scheme` and the like count as the nearest proxy sent them: of a list, the last. What
    ///   `Forwarded` says of protocol and host stands beside the client.
    /// - What makes no sense in its place (a name, `unknown`, a hidden identifier, two `X-Real-Ip`,
    ///   a bad host) is ignored, and what the connection shows stays: no other header takes its
    ///   place.
    ///
    /// **Each proxy must set or remove the headers that count.** Most pass on what they do not know:
    /// a client can send an `X-Real-Ip` through a proxy that only knows `X-Forwarded-For`. If yours
    /// is one of those, say [which header](Self::real_ip_header) counts. For nginx:
    ///
    /// ```text
    /// proxy_set_header Host              $host;
    /// proxy_set_header X-Real-Ip         $remote_addr;
    /// proxy_set_header X-Forwarded-Proto $scheme;
    /// proxy_set_header X-Scheme          "";
    /// proxy_set_header X-Forwarded-Host  "";
    /// ```
    ///
    /// It is Tornado's `xheaders` and `trusted_downstream` in one, and nginx's `set_real_ip_from`:
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
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if one of them is no network, no address and
    /// not `unix:`, or has bits behind its prefix (`10.0.0.1/8`); the message names it.
    #[doc(alias = "xheaders")]
    #[doc(alias = "set_real_ip_from")]
    #[track_caller]
    pub fn trusted_downstream(self, proxies: impl ProxyList) -> io::Result<Self> {
        let trusted = TrustedProxies::parse(proxies.into_texts()).map_err(invalid)?;
        Ok(self.set(|settings| settings.trusted_downstream = Some(trusted)))
    }

    /// Which header of a [trusted proxy](Self::trusted_downstream) says who the client is; no
    /// other is asked then, and those that clients make up go unread.
    ///
    /// `Forwarded` is read as RFC 7239 says, and the `X-` headers not at all. Any other header is a
    /// list of addresses as `X-Forwarded-For` is, often of one (`X-Real-Ip`, `CF-Connecting-IP`),
    /// and `Forwarded` is not read at all. Default: as `trusted_downstream` says.
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
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if `name` cannot be the name of a header.
    #[track_caller]
    pub fn real_ip_header(self, name: &str) -> io::Result<Self> {
        let header = HeaderName::from_bytes(name.as_bytes());
        let header = header.map_err(|_| invalid(format!("{name:?} is no name of a header")))?;
        Ok(self.set(|settings| settings.real_ip_header = ClientHeader::named(header)))
    }

    /// What clients speak, `"http"` or `"https"`, as [`Context::protocol`](crate::Context::protocol)
    /// has it unless a [trusted proxy](Self::trusted_downstream) says otherwise. Default: `"http"`.
    ///
    /// For a server behind a proxy that speaks TLS for it, and does not say so.
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
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if it is neither.
    #[track_caller]
    pub fn protocol(self, protocol: &str) -> io::Result<Self> {
        let named = Protocol::named(protocol.as_bytes());
        let named =
            named.ok_or_else(|| invalid(format!("{protocol:?} is neither http nor https")))?;
        Ok(self.set(|settings| settings.protocol = named))
    }

    /// Whether each connection begins with a header of the PROXY protocol, version 1 or 2, as
    /// HAProxy (`send-proxy`, `send-proxy-v2`), nginx (`proxy_protocol on` of a `stream`) and the
    /// load balancers of cloud providers send it when they pass on bytes and not requests. The
    /// client that it names counts as the other end of the connection, in
    /// [`remote_addr`](crate::Context::remote_addr) as in all that is decided by it. Default:
    /// `false`.
    ///
    /// It is for all addresses of this server; what is to be reached without it, for health checks
    /// for example, is bound by another `HTTPServer`.
    ///
    /// - A connection that does not begin with it is answered with 400 and closed: whether there is
    ///   one is not guessed. It has the time that the head of a request has, and at most 4 KiB.
    /// - With [`trusted_downstream`](Self::trusted_downstream), the other end must be one of those,
    ///   and is answered with 403 otherwise. **Without it, anybody who can connect can pretend to be
    ///   any client.** The headers of requests count only if the client is one of those as well,
    ///   such as an nginx behind a balancer.
    /// - Checks of the proxy itself (`LOCAL`) are from the proxy. If it does not know the client
    ///   (`UNKNOWN`, `UNSPEC`), or that came over a Unix socket, there is no `remote_addr`.
    /// - Of what else version 2 may hold, a checksum must be right, and whether the client speaks
    ///   TLS becomes the [`protocol`](crate::Context::protocol).
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
