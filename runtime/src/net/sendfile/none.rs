//! Systems without a usable `sendfile`: files are read and then sent.

use std::fs::File;
use std::os::fd::OwnedFd;

use super::{End, Sent};

pub(super) const HAS_SENDFILE: bool = false;

pub(super) fn send(_: &OwnedFd, _: &File, _offset: u64, _length: u64) -> Sent {
    Sent { count: 0, end: End::Unsupported }
}
