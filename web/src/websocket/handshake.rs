//! The values of the opening handshake (RFC 6455 §4).

use std::hash::{BuildHasher, RandomState};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1_smol::Sha1;

use crate::http1::field::elements;

pub(crate) mod extensions;
pub(crate) mod permessage_deflate;

/// The version of the protocol, for `Sec-WebSocket-Version`. There is no other.
pub(crate) const VERSION: &str = "13";

/// A server appends this to the key of a client before it computes the hash.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The length of a decoded key in bytes.
const KEY_LENGTH: usize = 16;

/// Whether `key` is the value of a `Sec-WebSocket-Key` header: 16 bytes in base64.
pub(crate) fn is_valid_key(key: &[u8]) -> bool {
    STANDARD.decode(key).is_ok_and(|key| key.len() == KEY_LENGTH)
}

/// The value of the `Sec-WebSocket-Accept` header that answers `key`.
pub(crate) fn accept_key(key: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(GUID);
    STANDARD.encode(hash.digest().bytes())
}

/// A random value for a `Sec-WebSocket-Key` header.
pub(crate) fn new_key() -> String {
    let random = RandomState::new();
    let halves = [random.hash_one(0), random.hash_one(1)].map(u64::to_ne_bytes);
    STANDARD.encode(halves.concat())
}

/// The subprotocols in the values of `Sec-WebSocket-Protocol` headers, in the order of preference.
pub(crate) fn subprotocols<'a>(
    values: impl Iterator<Item = &'a [u8]>,
) -> impl Iterator<Item = &'a str> {
    let names = values.flat_map(elements).filter(|name| extensions::is_token(name));
    names.filter_map(|name| str::from_utf8(name).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_standard() {
        let key = b"dGhlIHNhbXBsZSBub25jZQ==";
        assert!(is_valid_key(key));
        assert_eq!(accept_key(key), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_key_is_16_bytes_in_base64() {
        let keys = ["", "abc", "AAAAAAAAAAAAAAAAAAAAAA==", "dGhlIHNhbXBsZSBub25jZQ", "!"];
        let valid: Vec<_> = keys.into_iter().filter(|key| is_valid_key(key.as_bytes())).collect();
        assert_eq!(valid, ["AAAAAAAAAAAAAAAAAAAAAA=="]);
        // Of 15 and 17 bytes, and with bits beyond the last byte.
        for key in ["AAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA=", "AAAAAAAAAAAAAAAAAAAAAB=="]
        {
            assert!(!is_valid_key(key.as_bytes()), "{key}");
        }
    }

    #[test]
    fn new_keys_are_valid_and_differ() {
        let keys = [new_key(), new_key()];
        assert!(keys.iter().all(|key| is_valid_key(key.as_bytes())));
        assert_ne!(keys[0], keys[1]);
    }

    #[test]
    fn subprotocols_keep_their_order_over_several_headers() {
        let values = [b"chat , superchat".as_slice(), b"", b"v1.api,,not a token, last"];
        let names: Vec<_> = subprotocols(values.into_iter()).collect();
        assert_eq!(names, ["chat", "superchat", "v1.api", "last"]);
    }
}
