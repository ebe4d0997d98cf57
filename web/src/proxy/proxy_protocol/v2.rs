//! Version 2 of the PROXY protocol: binary.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::proxy::proxy_protocol::crc32c::crc32c;
use crate::proxy::proxy_protocol::{ConnectionSource, ProxyHeader, ProxyHeaderError};

pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The length of the signature, the version and command, the family, and the length field.
const FIXED: usize = 16;

/// The maximum length of the rest. Addresses take at most 216 bytes, and the extensions of cloud
/// providers and certificates some hundred.
const LARGEST: usize = 4096 - FIXED;

/// The types of extensions: the checksum of the header, and the TLS of the client.
const TLV_CRC32C: u8 = 0x03;
const TLV_SSL: u8 = 0x20;

pub(super) fn read(bytes: &[u8]) -> Result<Option<ProxyHeader>, ProxyHeaderError> {
    let Some(&[version_and_command, family, high, low]) =
        bytes.get(SIGNATURE.len()..).and_then(<[u8]>::first_chunk)
    else {
        return Ok(None);
    };
    let is_local = match version_and_command {
        0x20 => true,
        0x21 => false,
        _ => return Err(ProxyHeaderError::Version),
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > LARGEST {
        return Err(ProxyHeaderError::TooLarge);
    }
    let Some(header) = bytes.get(..FIXED + length) else { return Ok(None) };
    let length = header.len();
    if is_local {
        // The rest is ignored.
        return Ok(Some(ProxyHeader { source: ConnectionSource::Local, tls: None, length }));
    }
    let (client, tlvs) = addresses(family, &header[FIXED..])?;
    let tls = read_tlvs(header, tlvs)?;
    let source = client.map_or(ConnectionSource::Unknown, ConnectionSource::Client);
    Ok(Some(ProxyHeader { source, tls, length }))
}

/// Returns the address of the client, if it is an IP address, and the bytes after the addresses.
///
/// Datagrams make no sense here, but their addresses are read, too.
fn addresses(family: u8, block: &[u8]) -> Result<(Option<SocketAddr>, &[u8]), ProxyHeaderError> {
    match family {
        0x11 | 0x12 => {
            let (address, rest) = split::<12>(block)?;
            let [a, b, c, d, _, _, _, _, high, low, ..] = *address;
            let port = u16::from_be_bytes([high, low]);
            Ok((Some(SocketAddr::new(Ipv4Addr::new(a, b, c, d).into(), port)), rest))
        }
        0x21 | 0x22 => {
            let (source, rest) = split::<16>(block)?;
            let (_destination, rest) = split::<16>(rest)?;
            let (&[high, low, _, _], rest) = split::<4>(rest)?;
            let address = Ipv6Addr::from_octets(*source);
            let port = u16::from_be_bytes([high, low]);
            Ok((Some(SocketAddr::new(IpAddr::V6(address).to_canonical(), port)), rest))
        }
        0x31 | 0x32 => split::<216>(block).map(|(_, rest)| (None, rest)),
        // Unspecified or unknown: the length of the addresses is unknown as well.
        _ => Ok((None, &[])),
    }
}

fn split<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), ProxyHeaderError> {
    bytes.split_first_chunk().ok_or(ProxyHeaderError::TooShort)
}

/// Reads the extensions, and verifies the checksum. Returns whether the client uses TLS.
fn read_tlvs(header: &[u8], mut tlvs: &[u8]) -> Result<Option<bool>, ProxyHeaderError> {
    let mut tls = None;
    let mut is_checked = false;
    while !tlvs.is_empty() {
        let (&[kind, high, low], rest) = split::<3>(tlvs)?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let (value, behind) = rest.split_at_checked(length).ok_or(ProxyHeaderError::TooShort)?;
        match kind {
            TLV_SSL => {
                // The lowest bit is set if the client connected with TLS.
                let (&[flags], _) = split::<1>(value)?;
                tls = Some(flags & 1 == 1);
            }
            // Only one is accepted, because each takes a pass over the header.
            TLV_CRC32C if !is_checked => {
                is_checked = true;
                check_sum(header, header.len() - rest.len(), value)?;
            }
            TLV_CRC32C => return Err(ProxyHeaderError::Checksum),
            _ => {}
        }
        tlvs = behind;
    }
    Ok(tls)
}

/// Verifies `sum`, which is at `place` in the header. It was 0 when the checksum was computed.
fn check_sum(header: &[u8], place: usize, sum: &[u8]) -> Result<(), ProxyHeaderError> {
    let sum: [u8; 4] = sum.try_into().map_err(|_| ProxyHeaderError::Checksum)?;
    let parts = [&header[..place], &[0; 4], &header[place + sum.len()..]];
    let is_right = crc32c(parts) == u32::from_be_bytes(sum);
    if is_right { Ok(()) } else { Err(ProxyHeaderError::Checksum) }
}
