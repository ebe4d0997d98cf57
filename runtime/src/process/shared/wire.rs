//! A line between the supervisor and one worker. Each end can ring the other, and notices when the
//! other is gone. The reason for a ring is on the scoreboard.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// One end.
#[derive(Debug)]
pub(crate) struct Wire(UnixStream);

/// What a read of the line has found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Heard {
    Nothing,
    Ring,
    /// The other end is closed.
    End,
}

impl Wire {
    /// Returns both ends. Neither blocks.
    pub(crate) fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = UnixStream::pair()?;
        one.set_nonblocking(true)?;
        other.set_nonblocking(true)?;
        Ok((Self(one), Self(other)))
    }

    /// Rings at the other end. One that has not looked for long has rings enough.
    pub(crate) fn ring(&self) {
        let _ = (&self.0).write(&[0]);
    }

    /// Takes all rings that have come.
    pub(crate) fn listen(&self) -> io::Result<Heard> {
        let mut heard = Heard::Nothing;
        loop {
            match (&self.0).read(&mut [0; 64]) {
                Ok(0) => return Ok(Heard::End),
                Ok(_) => heard = Heard::Ring,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(heard),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Ok(Heard::End);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_end_receives_each_ring_and_the_end() {
        let (one, other) = Wire::pair().unwrap();
        assert_eq!(other.listen().unwrap(), Heard::Nothing);
        one.ring();
        one.ring();
        assert_eq!(one.listen().unwrap(), Heard::Nothing);
        assert_eq!(other.listen().unwrap(), Heard::Ring);
        assert_eq!(other.listen().unwrap(), Heard::Nothing);
        drop(one);
        assert_eq!(other.listen().unwrap(), Heard::End);
        other.ring();
    }

    #[test]
    fn a_full_wire_does_not_block_its_sender() {
        let (one, _other) = Wire::pair().unwrap();
        (0..1_000_000).for_each(|_| one.ring());
    }
}
