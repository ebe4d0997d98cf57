//! The file that says which process the server is.
//!
//! The file is written atomically, and locked for as long as the process lives. So a file that an
//! earlier server has left can be distinguished from one in use, without checking whether some
//! process has its number by now.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::id;

use rustix::io::FdFlags;

use crate::log;

/// Readable for everyone: it is not a secret, and scripts of other users stop servers.
const MODE: u32 = 0o644;

/// No file with a process id in it is longer, in bytes.
const LONGEST: u64 = 16;

/// A pid file of this process. It is removed with this, but not by a process that was forked
/// meanwhile.
#[derive(Debug)]
pub(crate) struct PidFile {
    path: PathBuf,
    /// The lock is on this.
    file: File,
    /// The process it was made by.
    owner: u32,
}

impl PidFile {
    /// Writes the id of this process to `path`.
    ///
    /// # Errors
    ///
    /// `AddrInUse` if the server that wrote the file lives, `AlreadyExists` if it is no such
    /// file; each names it.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        // The server may have another working directory when it stops.
        let path = std::path::absolute(path)?;
        Self::try_create(&path).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot write {}: {error}", path.display()))
        })
    }

    /// The file of a predecessor, which is open here too, if it is the one at `path`. It is left as
    /// it is until it is [taken](Self::take). The lock is not the predecessor's alone, so that it
    /// is never given up, and needs no rights to be had.
    pub(crate) fn inherit(path: &Path, descriptor: OwnedFd) -> Option<Self> {
        let path = std::path::absolute(path).ok()?;
        let file = File::from(descriptor);
        let found = fs::symlink_metadata(&path).ok()?;
        is_same(&found, &file.metadata().ok()?).then_some(Self { path, file, owner: 0 })
    }

    /// Makes this the file of this process.
    pub(crate) fn take(&mut self) -> io::Result<()> {
        self.owner = id();
        // The predecessor has done so, unless it has died over it.
        self.write(id())
    }

    fn write(&self, process: u32) -> io::Result<()> {
        let mut text = format!("{process}\n");
        let length = text.len();
        // A process that reads the file meanwhile sees one number or the other, and empty lines at
        // most.
        let before = usize::try_from(self.file.metadata()?.len()).unwrap_or(length);
        text.extend((length..before).map(|_| '\n'));
        self.file.write_all_at(text.as_bytes(), 0)?;
        self.file.set_len(length as u64)
    }

    /// Says whether a program that is started from now on has it open too.
    pub(crate) fn set_inheritable(&self, inheritable: bool) -> io::Result<()> {
        let flags = if inheritable { FdFlags::empty() } else { FdFlags::CLOEXEC };
        Ok(rustix::io::fcntl_setfd(&self.file, flags)?)
    }

    /// Leaves the file to a successor, which has it open.
    pub(crate) fn leave(mut self, successor: u32) -> io::Result<()> {
        self.owner = 0;
        self.write(successor)
    }

    fn try_create(path: &Path) -> io::Result<Self> {
        let (aside, file) = write_aside(path)?;
        let placed = match fs::hard_link(&aside, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => replace(path, &aside),
            linked => linked,
        };
        // It is gone if it has replaced the other.
        let _ = fs::remove_file(&aside);
        placed?;
        Ok(Self { path: path.to_owned(), file, owner: id() })
    }

    fn remove(&mut self) -> io::Result<()> {
        let found = match fs::symlink_metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            found => found?,
        };
        // Another process has replaced the file, so it is not ours to remove.
        if !is_same(&found, &self.file.metadata()?) {
            return Ok(());
        }
        match fs::remove_file(&self.path) {
            // Its directory may belong to the user that this process had before it dropped
            // privileges.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => self.file.set_len(0),
            removed => removed,
        }
    }
}

impl AsFd for PidFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl AsRawFd for PidFile {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if self.owner != id() {
            return;
        }
        if let Err(error) = self.remove() {
            let path = self.path.display();
            log::warn(log::GENERAL, format_args!("cannot remove {path}: {error}"));
        }
    }
}

/// The whole file under another name, locked.
fn write_aside(path: &Path) -> io::Result<(PathBuf, File)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let aside = path.with_file_name(format!(".{name}.{}", id()));
    // Only this process creates a file of this name. A process that had the same number may have
    // died and left one.
    let _ = fs::remove_file(&aside);
    let mut file =
        OpenOptions::new().read(true).write(true).create_new(true).mode(MODE).open(&aside)?;
    let write = |file: &mut File| {
        file.lock()?;
        writeln!(file, "{}", id())
    };
    if let Err(error) = write(&mut file) {
        let _ = fs::remove_file(&aside);
        return Err(error);
    }
    Ok((aside, file))
}

/// Puts the new file in the place of the one that is there, if that may be.
fn replace(path: &Path, aside: &Path) -> io::Result<()> {
    let other = "there is something else of this name";
    let other = || io::Error::new(io::ErrorKind::AlreadyExists, other);
    // Opening a pipe might wait for ever.
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(other());
    }
    let mut found = File::open(path)?;
    let mut text = String::new();
    let is_text = (&mut found).take(LONGEST + 1).read_to_string(&mut text).is_ok();
    let is_id = text.is_empty() || text.trim_end().parse::<u32>().is_ok();
    if !is_text || !is_id {
        return Err(other());
    }
    lock_stale(&found, text.trim_end())?;
    // Another process was faster and has replaced the file.
    if !is_same(&fs::symlink_metadata(path)?, &found.metadata()?) {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another server starts"));
    }
    fs::rename(aside, path)
}

/// Takes the lock that its server would have, if it lived.
fn lock_stale(file: &File, pid: &str) -> io::Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            format!("the server runs already, as process {pid}"),
        )),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(test)]
mod tests;
