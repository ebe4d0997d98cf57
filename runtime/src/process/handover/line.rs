//! The line between a server and the one that is to take its place: this one says that it is ready,
//! that one that it has the place. Until then it is the old one that serves, whatever happens: it
//! alone has the pid file and speaks to the service manager, and may give the other one up.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

/// What the new one says: it is ready.
const READY: u8 = b'R';

/// It is ready, and goes on with the pid file it was handed.
const READY_WITH_FILE: u8 = b'F';

/// The answer.
const GRANTED: u8 = b'G';

/// The end of the server whose place is taken.
#[derive(Debug)]
pub(crate) struct Report(UnixStream);

/// The other end.
#[derive(Debug)]
pub(crate) struct Claim(UnixStream);

/// What was reported.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reported {
    Nothing,
    Ready {
        has_pid_file: bool,
    },
    /// The other end is closed, or says what nobody understands.
    End,
}

/// Both ends. That of the new one is still to be made inheritable.
pub(crate) fn pair() -> io::Result<(Report, OwnedFd)> {
    let (report, claim) = UnixStream::pair()?;
    report.set_nonblocking(true)?;
    claim.set_nonblocking(true)?;
    Ok((Report(report), claim.into()))
}

impl Report {
    pub(crate) fn hear(&self) -> Reported {
        let mut word = [0];
        match (&self.0).read(&mut word) {
            Ok(1) if word == [READY] => Reported::Ready { has_pid_file: false },
            Ok(1) if word == [READY_WITH_FILE] => Reported::Ready { has_pid_file: true },
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Reported::Nothing,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Reported::Nothing,
            _ => Reported::End,
        }
    }

    /// The other one has the place from now on.
    pub(crate) fn grant(&self) {
        // If it is gone, nobody has.
        let _ = (&self.0).write(&[GRANTED]);
    }
}

impl Claim {
    pub(crate) fn new(descriptor: OwnedFd) -> Self {
        Self(descriptor.into())
    }

    pub(crate) fn say_ready(&self, has_pid_file: bool) {
        // Who has not waited so long has closed its end, which is heard.
        let _ = (&self.0).write(&[if has_pid_file { READY_WITH_FILE } else { READY }]);
    }

    /// `WouldBlock` as long as the old one has not answered. If it is gone, the place is free.
    pub(crate) fn hear(&self) -> io::Result<()> {
        match (&self.0).read(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(error),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            _ => Ok(()),
        }
    }
}

impl AsFd for Report {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsFd for Claim {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Claim {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_granted_once_the_new_one_is_ready() {
        for has_pid_file in [false, true] {
            let (report, claim) = pair().unwrap();
            let claim = Claim::new(claim);
            assert_eq!(report.hear(), Reported::Nothing);
            claim.say_ready(has_pid_file);
            assert_eq!(report.hear(), Reported::Ready { has_pid_file });
            assert_eq!(claim.hear().unwrap_err().kind(), io::ErrorKind::WouldBlock);
            report.grant();
            claim.hear().unwrap();
        }
    }

    #[test]
    fn the_end_of_one_is_heard_by_the_other() {
        let (report, claim) = pair().unwrap();
        drop(claim);
        assert_eq!(report.hear(), Reported::End);
        let (report, claim) = pair().unwrap();
        drop(report);
        let claim = Claim::new(claim);
        claim.say_ready(true);
        claim.hear().unwrap();
    }
}
