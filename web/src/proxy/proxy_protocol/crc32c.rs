//! The checksum of the PROXY protocol.

/// The reversed Castagnoli polynomial.
const POLYNOMIAL: u32 = 0x82F6_3B78;

/// Returns the CRC-32C of the joined `parts`. It works bit by bit, which is fast enough for once
/// per connection.
pub(super) fn crc32c(parts: [&[u8]; 3]) -> u32 {
    let mut remainder = u32::MAX;
    for byte in parts.into_iter().flatten() {
        remainder ^= u32::from(*byte);
        for _ in 0..8 {
            let carry = remainder & 1;
            remainder = (remainder >> 1) ^ (POLYNOMIAL * carry);
        }
    }
    !remainder
}

#[cfg(test)]
mod tests {
    use super::crc32c;

    #[test]
    fn the_checksums_match_rfc_3720() {
        assert_eq!(crc32c([b"123456789", b"", b""]), 0xE306_9283);
        assert_eq!(crc32c([&[0; 16], &[], &[0; 16]]), 0x8A91_36AA);
        assert_eq!(crc32c([&[0xFF; 32], &[], &[]]), 0x62A8_AB43);
    }
}
