//! Systems on which dropping privileges has not been tried.

use std::io;

use nix::unistd::{Gid, Uid};

#[expect(dead_code, reason = "what is not supported does not look at it")]
pub(super) struct Target {
    pub(super) uid: Option<Uid>,
    pub(super) gid: Gid,
    pub(super) name: Option<String>,
}

impl Target {
    pub(super) fn is_current(&self) -> io::Result<bool> {
        Ok(false)
    }

    pub(super) fn become_it(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn verify(&self) -> io::Result<()> {
        Ok(())
    }
}
