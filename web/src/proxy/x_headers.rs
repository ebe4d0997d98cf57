//! The `X-` headers of proxies, which are not standardised.

use crate::http1::field::trim;
use crate::http1::host::is_authority;
use crate::proxy::claims::{Claims, Field, last_untrusted, values};
use crate::proxy::trust::TrustedProxies;
use crate::proxy::{Protocol, node};

const REAL_IP: &str = "x-real-ip";
const FORWARDED_FOR: &str = "x-forwarded-for";
const SCHEME: &str = "x-scheme";
const FORWARDED_PROTO: &str = "x-forwarded-proto";
const FORWARDED_HOST: &str = "x-forwarded-host";

/// Whether `fields` have any of these headers.
pub(super) fn are_in<'a>(mut fields: impl Iterator<Item = Field<'a>>) -> bool {
    let names = [REAL_IP, FORWARDED_FOR, SCHEME, FORWARDED_PROTO, FORWARDED_HOST];
    fields.any(|(name, _)| names.iter().any(|ours| name.eq_ignore_ascii_case(ours.as_bytes())))
}

pub(super) fn read<'a>(
    fields: &(impl DoubleEndedIterator<Item = Field<'a>> + Clone),
    trusted: &TrustedProxies,
) -> Claims<'a> {
    let all = |name| values(fields.clone(), name);
    // The last value is from the nearest proxy. Earlier ones may be from the client.
    let last = |name| all(name).next().map(last_item);
    let address = match all(REAL_IP).count() {
        0 => last_untrusted(all(FORWARDED_FOR), trusted),
        // If there are two, one may be from the client.
        1 => all(REAL_IP).next().and_then(node::parse),
        _ => None,
    };
    Claims {
        address,
        protocol: last(SCHEME).or_else(|| last(FORWARDED_PROTO)).and_then(Protocol::named),
        host: last(FORWARDED_HOST).filter(|host| is_authority(host)),
    }
}

fn last_item(list: &[u8]) -> &[u8] {
    trim(list.rsplit(|&byte| byte == b',').next().unwrap_or_default())
}
