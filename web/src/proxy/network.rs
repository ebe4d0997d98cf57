//! [`Network`]: a range of IP addresses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A range of IP addresses that begin with the same bits.
///
/// An IPv4 address in the form of an IPv6 one (`::ffff:10.0.0.1`) is an IPv4 address here. No other
/// IPv6 range contains IPv4 addresses, not even `::/0`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Network {
    /// All bits after the prefix are 0.
    address: IpAddr,
    prefix: u32,
}

/// The number of bits before the IPv4 address in an IPv6 address.
const MAPPED_PREFIX: u32 = 96;

impl Network {
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differing = own.to_bits() ^ other.to_bits();
                differing.leading_zeros() >= self.prefix
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differing = own.to_bits() ^ other.to_bits();
                differing.leading_zeros() >= self.prefix
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// The reason why a text is not a [`Network`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NetworkError {
    /// The text before the slash, or all of it, is not an IP address.
    Address,
    /// The text after the slash is not a number, or too large for the address.
    Prefix,
    /// The text could mean the address or its network, which is this.
    BitsBehindPrefix(Network),
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => f.write_str("it is not an IP address or network"),
            Self::Prefix => f.write_str("the number of bits after the slash is invalid"),
            Self::BitsBehindPrefix(network) => {
                write!(f, "the address has bits after its prefix: the network is {network}")
            }
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    /// Parses `10.0.0.0/8`, `2001:db8::/32`, or one address.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Address)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Some(longest), |digits| parse_prefix(digits, longest));
        let network = Self { address, prefix: prefix.ok_or(NetworkError::Prefix)? };
        let masked = network.masked();
        if masked != network {
            return Err(NetworkError::BitsBehindPrefix(masked.canonical()));
        }
        Ok(network.canonical())
    }
}

impl Network {
    /// Returns the address without the bits after the prefix.
    fn masked(self) -> Self {
        let Self { address, prefix } = self;
        let address = match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
                IpAddr::V4((address.to_bits() & mask).into())
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
                IpAddr::V6((address.to_bits() & mask).into())
            }
        };
        Self { address, prefix }
    }

    fn canonical(self) -> Self {
        let address = self.address.to_canonical();
        if address == self.address || self.prefix < MAPPED_PREFIX {
            return self;
        }
        Self { address, prefix: self.prefix - MAPPED_PREFIX }
    }
}

fn parse_prefix(digits: &str, longest: u32) -> Option<u32> {
    // `parse` also accepts a sign.
    let is_number = (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|&prefix| is_number && prefix <= longest)
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_contains_the_addresses_with_its_prefix() {
        let rows = [
            ("10.0.0.0/8", "10.0.0.0", true),
            ("10.0.0.0/8", "10.255.255.255", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "9.255.255.255", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("10.0.0.0/8", "::10.1.2.3", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("127.0.0.1/32", "127.0.0.1", true),
            ("192.168.4.0/22", "192.168.7.255", true),
            ("192.168.4.0/22", "192.168.8.0", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "10.0.0.1", false),
            ("::/0", "::ffff:10.0.0.1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("::1", "::1", true),
            ("::1", "::2", false),
            ("::ffff:10.0.0.0/104", "10.200.0.1", true),
            ("::ffff:127.0.0.1", "127.0.0.1", true),
            ("::ffff:0:0/96", "8.8.8.8", true),
        ];
        for (text, address, expected) in rows {
            let contains = network(text).contains(address.parse().unwrap());
            assert_eq!(contains, expected, "{address} in {text}");
        }
    }

    #[test]
    fn an_invalid_network_has_a_reason() {
        let no_address = [
            "",
            "/",
            "/8",
            "localhost",
            "10.0.0/8",
            "010.0.0.0/8",
            " 10.0.0.0/8",
            "10.0.0.0 /8",
            "[::1]",
            "::1%lo",
            "10.0.0.0:80",
            "*",
        ];
        for text in no_address {
            assert_eq!(text.parse::<Network>(), Err(NetworkError::Address), "{text}");
        }
        let no_prefix = [
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.0/-8",
            "10.0.0.0/8/8",
            "10.0.0.0/ 8",
            "10.0.0.0/255.0.0.0",
            "10.0.0.0/0008",
            "::/129",
            "::/99999999999",
        ];
        for text in no_prefix {
            assert_eq!(text.parse::<Network>(), Err(NetworkError::Prefix), "{text}");
        }
        let bits = [
            ("10.0.0.1/8", "10.0.0.0/8"),
            ("255.255.255.255/0", "0.0.0.0/0"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("::ffff:10.0.0.1/104", "10.0.0.0/8"),
        ];
        for (text, meant) in bits {
            let error = NetworkError::BitsBehindPrefix(network(meant));
            assert_eq!(text.parse::<Network>(), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in r"[0-9a-f.:/]{0,30}|\PC*") {
            if let Ok(network) = text.parse::<Network>() {
                prop_assert!(network.contains(network.address));
                prop_assert_eq!(network.to_string().parse(), Ok(network));
            }
        }

        #[test]
        fn an_address_is_in_its_networks_and_no_others(bits: u128, other: u128, prefix in 0u32..=128) {
            let shown = |bits: u128, prefix| {
                Network { address: IpAddr::V6(bits.into()), prefix }.masked()
            };
            let network = shown(bits, prefix);
            prop_assert!(network.contains(IpAddr::V6(bits.into())) || IpAddr::V6(bits.into()).to_canonical().is_ipv4());
            let other_ip = IpAddr::V6(other.into());
            prop_assume!(!other_ip.to_canonical().is_ipv4());
            prop_assert_eq!(network.contains(other_ip), shown(other, prefix) == network);
        }
    }
}
