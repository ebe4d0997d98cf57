//! Who asks, for which host, and over what: as the connection shows it, or as trusted proxies say.

use std::net::{IpAddr, SocketAddr};

use crate::context::Context;
use crate::http1::range::Range;
use crate::proxy::Protocol;
use crate::proxy::claims;
use crate::types::text::Text;

/// What is known of the client of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    address: Option<SocketAddr>,
    protocol: Protocol,
    host: Option<Range>,
}

impl Context {
    /// The IP address of the client: that of [`remote_addr`](Self::remote_addr).
    ///
    /// ```
    /// use squall::testing::TestClient;
    /// use squall::{Application, Context, HTTPServer, Result, get, route};
    ///
    /// async fn who(cx: &mut Context) -> Result {
    ///     cx.write(format!("{:?}", cx.remote_ip()))
    /// }
    ///
    /// let app = Application::new([route("/", get(who))]);
    /// let server = HTTPServer::new(app).trusted_downstream(["10.0.0.0/8"])?;
    /// let nginx = TestClient::of(&server).peer_addr(([10, 0, 0, 1], 4711));
    /// let request = nginx.get("/").header("X-Real-Ip", "203.0.113.7");
    /// assert_eq!(request.send().text(), "Some(203.0.113.7)");
    ///
    /// // Anybody else can send such a header as well; it is not looked at.
    /// let stranger = TestClient::of(&server).peer_addr(([203, 0, 113, 9], 4711));
    /// let request = stranger.get("/").header("X-Real-Ip", "10.0.0.1");
    /// assert_eq!(request.send().text(), "Some(203.0.113.9)");
    /// # std::io::Result::Ok(())
    /// ```
    pub fn remote_ip(&self) -> Option<IpAddr> {
        self.remote_addr().map(|address| address.ip())
    }

    /// The address of the client: the other end of the connection, unless that is a proxy of the
    /// server's [`trusted_downstream`](crate::HTTPServer::trusted_downstream), and says in a header
    /// who the client is; the port is 0 then if the proxy does not tell it. Under the
    /// [PROXY protocol](crate::HTTPServer::proxy_protocol), the client that it names counts as the
    /// other end.
    ///
    /// `None` over a Unix socket, where no proxy says more, and when the client has reset the
    /// connection. An IPv4 address never comes in the form of an IPv6 one (`::ffff:192.0.2.1`).
    ///
    /// Found out when it is first asked for, which may cost a system call.
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.known().address
    }

    /// The address of the socket at the other end of the connection, whatever it says: that of
    /// the proxy, behind one. `None` over a Unix socket, and when the connection is reset.
    ///
    /// Asked of the system each time: keep it rather than ask twice.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.connection.stream.peer().address()
    }

    /// What the client speaks, `"http"` or `"https"`: as a proxy of the server's
    /// [`trusted_downstream`](crate::HTTPServer::trusted_downstream) says, else as the server is
    /// [set](crate::HTTPServer::protocol).
    pub fn protocol(&self) -> &'static str {
        let is_told = self.connection.worker.settings.trusted_downstream.is_some();
        let protocol = if is_told { self.known().protocol } else { self.connection.protocol() };
        protocol.as_str()
    }

    /// The host that the request is for, with the port if there is one; empty if there is none.
    ///
    /// It is the authority of an absolute target, else the `Host` header, as it was sent; unless a
    /// proxy of the server's [`trusted_downstream`](crate::HTTPServer::trusted_downstream) says for
    /// which host it was asked.
    pub fn host(&self) -> Text {
        let is_told = self.connection.worker.settings.trusted_downstream.is_some();
        let host = if is_told { self.known().host } else { self.exchange.head.authority };
        host.map(|range| self.text(range)).unwrap_or_default()
    }

    fn known(&self) -> &Client {
        self.exchange.cache().client.get_or_init(|| self.find_client())
    }

    fn find_client(&self) -> Client {
        let settings = &self.connection.worker.settings;
        let peer = self.connection.client();
        let shown = Client {
            address: peer.address().map(canonical),
            protocol: self.connection.protocol(),
            host: self.exchange.head.authority,
        };
        let trusted = settings.trusted_downstream.as_ref();
        let Some(trusted) = trusted.filter(|trusted| trusted.trusts(peer)) else { return shown };
        self.connection.with(|buffers| {
            let head = buffers.input.head();
            let fields = self.exchange.head.fields.iter();
            let fields = fields.map(|field| (field.name.of(head), field.value.of(head)));
            let told = claims::read(fields, &settings.real_ip_header, trusted);
            Client {
                address: told.address.or(shown.address),
                protocol: told.protocol.unwrap_or(shown.protocol),
                host: told.host.map(|host| Range::within(head, host)).or(shown.host),
            }
        })
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
