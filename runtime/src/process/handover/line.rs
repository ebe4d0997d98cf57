//! The line between a server and the one that should replace it. The new server reports that it is
//! ready, and the old one grants it the place. Until then the old server serves whatever happens:
//! it alone has the pid file and notifies the service manager, and it may give the new one up.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

/// From the new server: it is ready.
const READY: u8 = b'R';

/// From the new server: it is ready, and continues with the pid file that it inherited.
const READY_WITH_FILE: u8 = b'F';

/// The answer.
const GRANTED: u8 = b'G';

/// The end of the server that is replaced.
#[derive(Debug)]
pub(crate) struct Report(UnixStream);

/// The other end.
#[derive(Debug)]
pub(crate) struct Claim(UnixStream);

/// A message of the new server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reported {
    Nothing,
    Ready {
        has_pid_file: bool,
    },
    /// The other end is closed, or has sent an unknown message.
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
        // If the new server is gone, the message is lost.
        let _ = (&self.0).write(&[GRANTED]);
    }
}

impl Claim {
    pub(crate) fn new(descriptor: OwnedFd) -> Self {
        Self(descriptor.into())
    }

    pub(crate) fn say_ready(&self, has_pid_file: bool) {
        // A server that did not wait this long has closed its end, which the next read shows.
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
    fn each_end_sees_the_end_of_the_other() {
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
