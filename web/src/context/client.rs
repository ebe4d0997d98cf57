//! The client of a request: its address, and the host and the protocol that it asked for.

use std::net::{IpAddr, SocketAddr};

use crate::context::Context;
use crate::http1::head::Range;
use crate::proxy::{Protocol, claims};
use crate::types::text::Text;

/// The client of a request: the peer of the connection, or the client that a trusted proxy names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    address: Option<SocketAddr>,
    protocol: Protocol,
    host: Option<Range>,
}

impl Context {
    /// Returns the IP address of the client: see [`remote_addr`](Self::remote_addr).
    ///
    /// # Examples
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
    /// // Any client can send such a header. It is ignored unless it comes from a trusted proxy.
    /// let stranger = TestClient::of(&server).peer_addr(([203, 0, 113, 9], 4711));
    /// let request = stranger.get("/").header("X-Real-Ip", "10.0.0.1");
    /// assert_eq!(request.send().text(), "Some(203.0.113.9)");
    /// # std::io::Result::Ok(())
    /// ```
    pub fn remote_ip(&self) -> Option<IpAddr> {
        self.remote_addr().map(|address| address.ip())
    }

    /// Returns the address of the client.
    ///
    /// This is the peer of the connection. If the peer is a proxy of the server's
    /// [`trusted_downstream`](crate::HTTPServer::trusted_downstream) and names the client in a
    /// header, it is that client; the port is 0 if the proxy does not send it. With the [PROXY
    /// protocol](crate::HTTPServer::proxy_protocol), the client that it names counts as the peer.
    ///
    /// `None` over a Unix socket where no proxy names the client, and if the client has reset the
    /// connection. An IPv4 address never has the form of an IPv6 address (`::ffff:192.0.2.1`).
    ///
    /// The address is determined at the first call, which may cost a system call.
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.client().address
    }

    /// Returns the address of the peer of the connection. Behind a proxy, this is the proxy.
    ///
    /// `None` over a Unix socket, and if the connection has been reset. Each call is a system call.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.connection.stream.peer().address()
    }

    /// Returns the protocol that the client uses, `"http"` or `"https"`.
    ///
    /// A proxy of the server's [`trusted_downstream`](crate::HTTPServer::trusted_downstream)
    /// decides it. Otherwise it is the [protocol that the server was
    /// given](crate::HTTPServer::protocol).
    pub fn protocol(&self) -> &'static str {
        let trusts_proxies = self.connection.server.settings.trusted_downstream.is_some();
        let protocol =
            if trusts_proxies { self.client().protocol } else { self.connection.protocol() };
        protocol.as_str()
    }

    /// Returns the host that the request is for, with the port if there is one. It is empty if the
    /// request names none.
    ///
    /// This is the authority of an absolute target, otherwise the `Host` header, as it was sent. A
    /// proxy of the server's [`trusted_downstream`](crate::HTTPServer::trusted_downstream) can name
    /// another host.
    pub fn host(&self) -> Text {
        let trusts_proxies = self.connection.server.settings.trusted_downstream.is_some();
        let host = if trusts_proxies { self.client().host } else { self.exchange.head.authority };
        host.map(|range| self.text(range)).unwrap_or_default()
    }

    /// Returns the URL that the client has requested: the [protocol](Self::protocol), the
    /// [host](Self::host) and the [`uri`](Self::uri). Behind a proxy, the first two are right only if
    /// the server [trusts](crate::HTTPServer::trusted_downstream) it.
    pub fn full_url(&self) -> String {
        format!("{}://{}{}", self.protocol(), self.host(), self.uri())
    }

    fn client(&self) -> &Client {
        self.exchange.cache().client.get_or_init(|| self.find_client())
    }

    fn find_client(&self) -> Client {
        let settings = &self.connection.server.settings;
        let peer = self.connection.client();
        let direct = Client {
            address: peer.address().map(canonical),
            protocol: self.connection.protocol(),
            host: self.exchange.head.authority,
        };
        let trusted = settings.trusted_downstream.as_ref();
        let Some(trusted) = trusted.filter(|trusted| trusted.trusts(peer)) else { return direct };
        self.connection.with(|buffers| {
            let head = buffers.input.head();
            let fields = self.exchange.head.fields.iter();
            let fields = fields.map(|field| (field.name.of(head), field.value.of(head)));
            let claimed = claims::read(fields, &settings.real_ip_header, trusted);
            Client {
                address: claimed.address.or(direct.address),
                protocol: claimed.protocol.unwrap_or(direct.protocol),
                host: claimed.host.map(|host| Range::within(head, host)).or(direct.host),
            }
        })
    }
}

/// Turns an IPv6 address that contains an IPv4 address into the latter.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
