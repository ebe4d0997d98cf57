//! What the fuzz targets in `web/fuzz` see of the inside of this crate. Only there under
//! `--cfg fuzzing`, which they are built with; no part of the public interface.

use std::net::SocketAddr;
use std::ops::Range;

use squall_runtime::{DuplexStream, IOLoop, duplex};

use crate::connection::stream::Stream;
use crate::http::HeaderName;
use crate::http1::body::{Decoded, Decoder};
use crate::http1::head::{Expect, Framing, Head, HeadLimits, PartialHead, Version};
use crate::http1::inflate::{Coding, Inflater};
use crate::proxy::claims::{self, ClientHeader};
use crate::proxy::proxy_protocol::{self, Source};
use crate::proxy::trust::TrustedProxies;
use crate::server::HTTPServer;

/// How the body of a request is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFraming {
    /// Not at all.
    None,
    /// By its length.
    Length(u64),
    /// By chunks.
    Chunked,
}

/// A request head, by value.
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
    /// Whether `100 Continue` is waited for, if anything known is.
    pub awaits_continue: Option<bool>,
}

/// Reads heads as a connection does.
#[derive(Debug)]
pub struct HeadReader {
    head: Head,
    partial: PartialHead,
    limits: HeadLimits,
}

impl HeadReader {
    /// One for a connection that is new.
    pub fn new(max_head_size: usize, max_fields: usize, max_target: usize) -> Self {
        let limits = HeadLimits { max_head_size, max_fields, max_target };
        Self { head: Head::new(), partial: PartialHead::default(), limits }
    }

    /// Reads the head at the front of `bytes`, which are those of the last call and more.
    ///
    /// # Errors
    ///
    /// The status that it is refused with.
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

/// What of a body some input held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as the variants of `Decoded`")]
pub enum Piece {
    Data { skip: usize, len: usize },
    Skip(usize),
    Done { skip: usize },
}

/// Takes the framing off a body.
#[derive(Debug)]
pub struct BodyReader(Decoder);

impl BodyReader {
    /// For a body framed so.
    pub fn new(framing: BodyFraming) -> Self {
        Self(Decoder::new(match framing {
            BodyFraming::None => Framing::None,
            BodyFraming::Length(length) => Framing::Length(length),
            BodyFraming::Chunked => Framing::Chunked,
        }))
    }

    /// Looks at the front of `input`.
    ///
    /// # Errors
    ///
    /// The status that it is refused with.
    pub fn decode(&mut self, input: &[u8]) -> Result<Piece, u16> {
        Ok(match self.0.decode(input).map_err(|error| error.status().as_u16())? {
            Decoded::Data { skip, len } => Piece::Data { skip, len },
            Decoded::Skip(skip) => Piece::Skip(skip),
            Decoded::Done { skip } => Piece::Done { skip },
        })
    }

    /// Whether the body has ended.
    pub fn is_done(&self) -> bool {
        self.0.is_done()
    }

    /// Bytes of data that are announced and have not come.
    pub fn announced(&self) -> u64 {
        self.0.announced()
    }
}

/// Takes gzip or deflate off a body.
#[derive(Debug)]
pub struct BodyInflater(Inflater);

impl BodyInflater {
    /// For gzip, or else for deflate.
    pub fn new(gzip: bool) -> Self {
        Self(Inflater::new(if gzip { Coding::Gzip } else { Coding::Deflate }))
    }

    /// Inflates the front of `input` into `output`: how much is used, how much is filled.
    ///
    /// # Errors
    ///
    /// The status that it is refused with.
    pub fn inflate(&mut self, input: &[u8], output: &mut [u8]) -> Result<(usize, usize), u16> {
        let inflated = self.0.inflate(input, output);
        inflated.map(|i| (i.used, i.filled)).map_err(|error| error.status().as_u16())
    }

    /// Ends the body.
    ///
    /// # Errors
    ///
    /// The status that it is refused with.
    pub fn end(&self) -> Result<(), u16> {
        self.0.end().map_err(|error| error.status().as_u16())
    }
}

/// A header of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as the fields of `ProxyHeader`")]
pub struct ProxyHeader {
    /// Whether the proxy speaks for itself.
    pub local: bool,
    pub client: Option<SocketAddr>,
    pub tls: Option<bool>,
    pub length: usize,
}

/// Reads the header of the PROXY protocol at the front of `bytes`.
///
/// # Errors
///
/// Why it is refused.
pub fn proxy_header(bytes: &[u8]) -> Result<Option<ProxyHeader>, String> {
    let header = proxy_protocol::read(bytes).map_err(|error| error.to_string())?;
    Ok(header.map(|header| {
        let client = match header.source {
            Source::Client(address) => Some(address),
            Source::Local | Source::Unknown => None,
        };
        let (local, tls) = (header.source == Source::Local, header.tls);
        ProxyHeader { local, client, tls, length: header.length }
    }))
}

/// What the headers of a request say of its client: its address, the protocol, the host.
pub type ProxyClaims = (Option<SocketAddr>, Option<&'static str>, Option<Vec<u8>>);

/// Reads `fields`, of which `header` names the client if it is said; `trusted` are the proxies
/// that are believed.
///
/// # Panics
///
/// If `header` is no name, or `trusted` no networks.
pub fn proxy_claims(
    fields: &[(&[u8], &[u8])],
    header: Option<&str>,
    trusted: &[&str],
) -> ProxyClaims {
    let name = |name: &str| ClientHeader::named(name.parse::<HeaderName>().expect("a name"));
    let header = header.map_or(ClientHeader::Usual, name);
    let trusted = TrustedProxies::parse(trusted).expect("networks");
    let claims = claims::read(fields.iter().copied(), &header, &trusted);
    let protocol = claims.protocol.map(|protocol| protocol.as_str());
    (claims.address, protocol, claims.host.map(<[u8]>::to_vec))
}

/// Opens a connection to `server` in memory, of which each direction holds `capacity` bytes.
/// Time is virtual from then on.
///
/// # Panics
///
/// If the loop of this thread cannot be made, or the application not be built.
pub fn connect(server: &HTTPServer, capacity: usize) -> DuplexStream {
    IOLoop::current().use_virtual_time();
    let (stream, peer) = duplex(capacity);
    let service = server.service_without_signals().expect("the application is built");
    service.open(Stream::memory(peer, None));
    stream
}
