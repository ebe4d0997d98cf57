//! Access to the inside of this crate for the fuzz targets in `web/fuzz`. It exists only with
//! `--cfg fuzzing` and is not part of the public interface.

use std::net::SocketAddr;
use std::ops::Range;

use squall_runtime::{DuplexStream, IOLoop, duplex};

use crate::connection::stream::Stream;
use crate::http::HeaderName;
use crate::http1::body::{BodyDecoder, BodyStep};
use crate::http1::head::{Expect, Framing, Head, HeadLimits, PartialHead, Version};
use crate::http1::inflate::{self, ContentCoding};
use crate::proxy::claims::{self, ClientHeader};
use crate::proxy::proxy_protocol::{self, ConnectionSource};
use crate::proxy::trust::TrustedProxies;
use crate::server::HTTPServer;

/// The framing of a request body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFraming {
    /// No body.
    None,
    /// A body with a length.
    Length(u64),
    /// A chunked body.
    Chunked,
}

/// A request head as owned values.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as the fields of `Head`")]
pub struct ParsedHead {
    pub method: String,
    pub target: Vec<u8>,
    pub path: Vec<u8>,
    pub query: Option<Vec<u8>>,
    pub authority: Option<Vec<u8>>,
    pub http11: bool,
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    pub framing: BodyFraming,
    pub keep_alive: bool,
    pub upgrade: bool,
    /// Whether the client waits for `100 Continue`. `None` for an unknown expectation.
    pub awaits_continue: Option<bool>,
}

/// Reads heads like a connection.
#[derive(Debug)]
pub struct HeadReader {
    head: Head,
    partial: PartialHead,
    limits: HeadLimits,
}

impl HeadReader {
    /// Creates a reader for a new connection.
    pub fn new(max_head_size: usize, max_fields: usize, max_target: usize) -> Self {
        let limits = HeadLimits { max_head_size, max_fields, max_target };
        Self { head: Head::new(), partial: PartialHead::default(), limits }
    }

    /// Reads the head at the front of `bytes`, which begin with those of the last call.
    ///
    /// # Errors
    ///
    /// Returns the status of the response if it is refused.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Option<(Range<usize>, ParsedHead)>, u16> {
        let found = self.head.read(&mut self.partial, bytes, &self.limits);
        let place = found.map_err(|error| error.status().as_u16())?;
        Ok(place.map(|place| (place.clone(), self.view(&bytes[place]))))
    }

    fn view(&self, bytes: &[u8]) -> ParsedHead {
        let head = &self.head;
        let fields = head.fields.iter();
        ParsedHead {
            method: head.method.as_str().to_owned(),
            target: head.target.of(bytes).to_vec(),
            path: head.path.of(bytes).to_vec(),
            query: head.query.map(|query| query.of(bytes).to_vec()),
            authority: head.authority.map(|authority| authority.of(bytes).to_vec()),
            http11: head.version == Version::Http11,
            fields: fields
                .map(|f| (f.name.of(bytes).to_vec(), f.value.of(bytes).to_vec()))
                .collect(),
            framing: match head.framing {
                Framing::None => BodyFraming::None,
                Framing::Length(length) => BodyFraming::Length(length),
                Framing::Chunked => BodyFraming::Chunked,
            },
            keep_alive: head.keep_alive,
            upgrade: head.upgrade,
            awaits_continue: match head.expect {
                Expect::None => Some(false),
                Expect::Continue => Some(true),
                Expect::Unknown => None,
            },
        }
    }
}

/// The part of a body in some input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as the variants of `BodyStep`")]
pub enum Piece {
    Data { skip: usize, len: usize },
    Skip(usize),
    Done { skip: usize },
}

/// Removes the framing of a body.
#[derive(Debug)]
pub struct BodyReader(BodyDecoder);

impl BodyReader {
    /// Creates a decoder for a body with this framing.
    pub fn new(framing: BodyFraming) -> Self {
        Self(BodyDecoder::new(match framing {
            BodyFraming::None => Framing::None,
            BodyFraming::Length(length) => Framing::Length(length),
            BodyFraming::Chunked => Framing::Chunked,
        }))
    }

    /// Decodes the front of `input`.
    ///
    /// # Errors
    ///
    /// Returns the status of the response if it is refused.
    pub fn decode(&mut self, input: &[u8]) -> Result<Piece, u16> {
        Ok(match self.0.decode(input).map_err(|error| error.status().as_u16())? {
            BodyStep::Data { skip, len } => Piece::Data { skip, len },
            BodyStep::Skip(skip) => Piece::Skip(skip),
            BodyStep::Done { skip } => Piece::Done { skip },
        })
    }

    /// Whether the body has ended.
    pub fn is_done(&self) -> bool {
        self.0.is_done()
    }

    /// Returns how many bytes of data are announced and have not arrived.
    pub fn announced(&self) -> u64 {
        self.0.announced()
    }
}

/// Decompresses a body with gzip or deflate.
#[derive(Debug)]
pub struct BodyInflater(inflate::BodyInflater);

impl BodyInflater {
    /// Creates an inflater for gzip, or otherwise for deflate.
    pub fn new(gzip: bool) -> Self {
        Self(inflate::BodyInflater::new(if gzip {
            ContentCoding::Gzip
        } else {
            ContentCoding::Deflate
        }))
    }

    /// Decompresses the front of `input` into `output`. Returns the consumed and the filled bytes.
    ///
    /// # Errors
    ///
    /// Returns the status of the response if it is refused.
    pub fn inflate(&mut self, input: &[u8], output: &mut [u8]) -> Result<(usize, usize), u16> {
        let inflated = self.0.inflate(input, output);
        inflated.map(|i| (i.used, i.filled)).map_err(|error| error.status().as_u16())
    }

    /// Ends the body.
    ///
    /// # Errors
    ///
    /// Returns the status of the response if it is refused.
    pub fn end(&self) -> Result<(), u16> {
        self.0.end().map_err(|error| error.status().as_u16())
    }
}

/// A PROXY protocol header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as the fields of `ProxyHeader`")]
pub struct ProxyHeader {
    /// Whether the connection is of the proxy itself.
    pub local: bool,
    pub client: Option<SocketAddr>,
    pub tls: Option<bool>,
    pub length: usize,
}

/// Parses the PROXY protocol header at the front of `bytes`.
///
/// # Errors
///
/// Returns the reason if it is refused.
pub fn proxy_header(bytes: &[u8]) -> Result<Option<ProxyHeader>, String> {
    let header = proxy_protocol::read(bytes).map_err(|error| error.to_string())?;
    Ok(header.map(|header| {
        let client = match header.source {
            ConnectionSource::Client(address) => Some(address),
            ConnectionSource::Local | ConnectionSource::Unknown => None,
        };
        let (local, tls) = (header.source == ConnectionSource::Local, header.tls);
        ProxyHeader { local, client, tls, length: header.length }
    }))
}

/// The information about a client in the headers of its request: its address, the protocol, the
/// host.
pub type ProxyClaims = (Option<SocketAddr>, Option<&'static str>, Option<Vec<u8>>);

/// Reads `fields` from one of the `trusted` proxies. `header` is the header with the client's
/// address.
///
/// # Panics
///
/// Panics if `header` is not a header name, or `trusted` are not networks.
pub fn proxy_claims(
    fields: &[(&[u8], &[u8])],
    header: Option<&str>,
    trusted: &[&str],
) -> ProxyClaims {
    let name = |name: &str| ClientHeader::named(name.parse::<HeaderName>().expect("a name"));
    let header = header.map_or(ClientHeader::Default, name);
    let trusted = TrustedProxies::parse(trusted).expect("networks");
    let claims = claims::read(fields.iter().copied(), &header, &trusted);
    let protocol = claims.protocol.map(|protocol| protocol.as_str());
    (claims.address, protocol, claims.host.map(<[u8]>::to_vec))
}

/// Opens a connection to `server` in memory. Each direction buffers `capacity` bytes. From then on,
/// time is virtual.
///
/// # Panics
///
/// Panics if the loop of this thread cannot be created, or if the application cannot be built.
pub fn connect(server: &HTTPServer, capacity: usize) -> DuplexStream {
    IOLoop::current().use_virtual_time();
    let (stream, peer) = duplex(capacity);
    let service = server.service_without_signals().expect("the application is built");
    service.open(Stream::memory(peer, None));
    stream
}
