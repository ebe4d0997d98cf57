//! Masking (RFC 6455 §5.3).

use std::hash::{BuildHasher, RandomState};

/// The key that a payload is masked with. Masking twice with the same key changes nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct MaskKey([u8; 4]);

impl MaskKey {
    pub(crate) fn new(key: [u8; 4]) -> Self {
        Self(key)
    }

    pub(crate) fn to_bytes(self) -> [u8; 4] {
        self.0
    }

    /// Masks `payload` in place. The next call continues behind it: a payload may be masked in
    /// pieces of any length.
    pub(crate) fn apply(&mut self, payload: &mut [u8]) {
        let key = u32::from_ne_bytes(self.0);
        // The compiler makes vector instructions of this loop.
        let (words, rest) = payload.as_chunks_mut::<4>();
        for word in words {
            *word = (u32::from_ne_bytes(*word) ^ key).to_ne_bytes();
        }
        for (byte, key) in rest.iter_mut().zip(self.0) {
            *byte ^= key;
        }
        let masked = rest.len();
        self.0.rotate_left(masked);
    }
}

/// Makes masking keys that a peer cannot predict from those it has seen (RFC 6455 §10.3).
///
/// The keys are a keyed hash (SipHash) of a counter; the standard library takes the key of the
/// hash from the operating system.
#[derive(Clone, Debug)]
pub(crate) struct MaskKeys {
    hash: RandomState,
    count: u64,
}

impl MaskKeys {
    pub(crate) fn new() -> Self {
        Self { hash: RandomState::new(), count: 0 }
    }

    /// The next key.
    pub(crate) fn next_key(&mut self) -> MaskKey {
        self.count += 1;
        let [a, b, c, d, ..] = self.hash.hash_one(self.count).to_ne_bytes();
        MaskKey([a, b, c, d])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_example_of_the_standard() {
        let mut payload = *b"Hello";
        MaskKey::new([0x37, 0xfa, 0x21, 0x3d]).apply(&mut payload);
        assert_eq!(payload, [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    }

    #[test]
    fn keys_differ() {
        let (mut keys, mut others) = (MaskKeys::new(), MaskKeys::new());
        let first: Vec<_> = (0..4).map(|_| keys.next_key()).collect();
        let second: Vec<_> = (0..4).map(|_| others.next_key()).collect();
        assert_ne!(first, second);
        assert!(first.iter().any(|key| *key != first[0]), "{first:?}");
    }

    proptest! {
        #[test]
        fn pieces_are_masked_like_the_whole(
            payload in proptest::collection::vec(any::<u8>(), 0..200),
            key in any::<[u8; 4]>(),
            cuts in proptest::collection::vec(0..200_usize, 0..5),
        ) {
            let expected: Vec<u8> =
                payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(payload.len())).collect();
            cuts.sort_unstable();
            cuts.push(payload.len());
            let (mut masked, mut mask, mut start) = (payload, MaskKey::new(key), 0);
            for cut in cuts {
                mask.apply(&mut masked[start..cut]);
                start = cut;
            }
            prop_assert_eq!(masked, expected);
        }
    }
}
