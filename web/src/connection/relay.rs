//! Who is behind a connection that a proxy passes on.

use crate::connection::Connection;
use crate::proxy::Protocol;
use crate::proxy::proxy_protocol::{self, ConnectionSource, ProxyHeaderError};
use crate::proxy::trust::Peer;

/// What a PROXY protocol header has said of the client, for as long as the connection lasts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Relay {
    client: Peer,
    protocol: Option<Protocol>,
}

impl Connection {
    /// Reads the PROXY protocol header, if it is complete.
    pub(crate) fn read_proxy_header(&self) -> Result<bool, ProxyHeaderError> {
        let read = self.with(|buffers| {
            let header = proxy_protocol::read(buffers.input.unread())?;
            buffers.input.consume(header.map_or(0, |header| header.length));
            Ok(header)
        });
        let Some(header) = read? else { return Ok(false) };
        let client = match header.source {
            // The proxy itself is the client.
            ConnectionSource::Local => return Ok(true),
            ConnectionSource::Unknown => Peer::Unknown,
            ConnectionSource::Client(address) => Peer::Address(address),
        };
        let tls = |is_tls| if is_tls { Protocol::Https } else { Protocol::Http };
        let relay = Relay { client, protocol: header.tls.map(tls) };
        self.worker.keep_relay(self.key.get(), relay);
        Ok(true)
    }

    fn relay(&self) -> Option<Relay> {
        if !self.worker.settings.proxy_protocol {
            return None;
        }
        self.worker.relay(self.key.get())
    }

    /// Who speaks HTTP on the connection.
    pub(crate) fn client(&self) -> Peer {
        self.relay().map_or_else(|| self.stream.peer(), |relay| relay.client)
    }

    /// What the client speaks, if no header says otherwise.
    pub(crate) fn protocol(&self) -> Protocol {
        let told = self.relay().and_then(|relay| relay.protocol);
        told.unwrap_or(self.worker.settings.protocol)
    }
}
