//! Drops privileges: a server that has bound port 80 as root continues as another user.
//!
//! The supervisor does it, before it forks, so that no worker ever has more rights, and what the
//! system does at a change of user (such as forgetting that a worker is to end with its
//! supervisor) is over by then.

#[cfg_attr(
    not(any(target_os = "linux", target_os = "android", target_os = "freebsd")),
    path = "privileges/unsupported.rs"
)]
mod target;

use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::fchown;

use nix::unistd::{Gid, Group, Uid, User};

use target::Target;

/// The user and group with which the server continues.
#[derive(Clone, Debug, Default)]
pub(crate) struct Privileges {
    /// A name, or a number.
    pub(crate) user: Option<String>,
    pub(crate) group: Option<String>,
}

impl Privileges {
    /// Changes to this user and group for good, and verifies it. Nothing happens if the process has
    /// them already, which may lack the permission to change.
    ///
    /// Without a group, the user's own group is used. The supplementary groups are the user's, if
    /// the user has a name here, and none otherwise.
    pub(crate) fn apply(&self) -> io::Result<()> {
        let Some(target) = self.find()? else { return Ok(()) };
        if !target.is_current()? {
            target.become_it()?;
        }
        target.verify()
    }

    /// Makes this user and group the owner of `file`, so that they may write to it.
    pub(crate) fn give(&self, file: impl AsFd) -> io::Result<()> {
        match self.find()? {
            Some(target) => fchown(file, target.uid.map(Uid::as_raw), Some(target.gid.as_raw())),
            None => Ok(()),
        }
    }

    fn find(&self) -> io::Result<Option<Target>> {
        let account = self.user.as_deref().map(find_user).transpose()?;
        let group = self.group.as_deref().map(find_group).transpose()?;
        let own_group = account.as_ref().and_then(|account| account.gid);
        match (account, group.or(own_group)) {
            (None, None) => Ok(None),
            (Some(Account { uid, .. }), None) => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("user {uid} has no group here: set one"),
            )),
            (Some(Account { uid, name, .. }), Some(gid)) => {
                Ok(Some(Target { uid: Some(uid), gid, name }))
            }
            (None, Some(gid)) => Ok(Some(Target { uid: None, gid, name: None })),
        }
    }
}

struct Account {
    uid: Uid,
    gid: Option<Gid>,
    name: Option<String>,
}

/// A number may be one that has no name.
fn find_user(user: &str) -> io::Result<Account> {
    let number = user.parse().ok().map(Uid::from_raw);
    let found = match number {
        Some(uid) => User::from_uid(uid)?,
        None => User::from_name(user)?,
    };
    match (found, number) {
        (Some(found), _) => {
            Ok(Account { uid: found.uid, gid: Some(found.gid), name: Some(found.name) })
        }
        (None, Some(uid)) => Ok(Account { uid, gid: None, name: None }),
        (None, None) => Err(unknown("user", user)),
    }
}

fn find_group(group: &str) -> io::Result<Gid> {
    if let Ok(number) = group.parse() {
        return Ok(Gid::from_raw(number));
    }
    Group::from_name(group)?.map(|found| found.gid).ok_or_else(|| unknown("group", group))
}

fn unknown(kind: &str, name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("there is no {kind} `{name}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn privileges(user: Option<&str>, group: Option<&str>) -> Privileges {
        Privileges { user: user.map(Into::into), group: group.map(Into::into) }
    }

    #[test]
    fn without_a_user_or_group_nothing_changes() {
        privileges(None, None).apply().unwrap();
    }

    #[test]
    fn an_unknown_user_or_group_is_named() {
        let error = privileges(Some("nobody-of-this-name"), None).apply().unwrap_err();
        assert_eq!(error.to_string(), "there is no user `nobody-of-this-name`");
        let error = privileges(None, Some("none-of-this-name")).apply().unwrap_err();
        assert_eq!(error.to_string(), "there is no group `none-of-this-name`");
    }

    #[test]
    fn a_number_without_an_account_needs_a_group() {
        let error = privileges(Some("4000000001"), None).apply().unwrap_err();
        assert_eq!(error.to_string(), "user 4000000001 has no group here: set one");
    }
}
