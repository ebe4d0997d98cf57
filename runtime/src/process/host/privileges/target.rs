//! The change of user and group, and the proof that it cannot be undone.

use std::ffi::CString;
use std::io;

use nix::unistd::{
    Gid, Uid, geteuid, getgrouplist, getgroups, getresgid, getresuid, setgid, setgroups, setuid,
};

/// The user and the groups that the process should have.
#[derive(Debug)]
pub(super) struct Target {
    /// `None`: as before.
    pub(super) uid: Option<Uid>,
    pub(super) gid: Gid,
    /// Of the user, by which its further groups are found.
    pub(super) name: Option<String>,
}

impl Target {
    /// Whether there is nothing to give up.
    pub(super) fn is_current(&self) -> io::Result<bool> {
        Ok(!geteuid().is_root() && self.has_ids()?)
    }

    /// Changes the groups first, because a process that is no longer root cannot change them.
    pub(super) fn become_it(&self) -> io::Result<()> {
        let groups = match &self.name {
            Some(name) => getgrouplist(&CString::new(name.as_str())?, self.gid)?,
            None => vec![self.gid],
        };
        setgroups(&groups).map_err(|error| refused("set the groups", error))?;
        setgid(self.gid).map_err(|error| refused(&format!("become group {}", self.gid), error))?;
        if let Some(uid) = self.uid {
            setuid(uid).map_err(|error| refused(&format!("become user {uid}"), error))?;
        }
        if getgroups()?.iter().any(|group| !groups.contains(group)) {
            return Err(still_there());
        }
        Ok(())
    }

    /// Verifies that the process cannot get the dropped privileges back.
    pub(super) fn verify(&self) -> io::Result<()> {
        let regained = || setuid(Uid::from_raw(0)).is_ok();
        // Root gives up nothing by naming itself.
        if self.has_ids()? && (geteuid().is_root() || !regained()) {
            return Ok(());
        }
        Err(still_there())
    }

    /// The saved ones as well: they could be taken on again.
    fn has_ids(&self) -> io::Result<bool> {
        let (uids, gids) = (getresuid()?, getresgid()?);
        let uid = self.uid.unwrap_or(uids.effective);
        Ok([uids.real, uids.effective, uids.saved] == [uid; 3]
            && [gids.real, gids.effective, gids.saved] == [self.gid; 3])
    }
}

fn still_there() -> io::Error {
    io::Error::other("the rights that were given up are still there")
}

fn refused(what: &str, error: nix::Error) -> io::Error {
    let error = io::Error::from(error);
    io::Error::new(error.kind(), format!("cannot {what}: {error}"))
}
