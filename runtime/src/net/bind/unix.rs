//! One listening Unix socket, and the stale file of an earlier server.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::Mode;
use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};

/// Only Linux has names without files.
const HAS_ABSTRACT_NAMES: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Listens on `path` and gives its file the permissions `mode`.
pub(super) fn listen(path: &Path, mode: u32, backlog: i32) -> io::Result<Socket> {
    let address = SockAddr::unix(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    if path.as_os_str().as_bytes().first() == Some(&0) {
        if !HAS_ABSTRACT_NAMES {
            return Err(io::Error::from(io::ErrorKind::Unsupported));
        }
        socket.bind(&address)?;
        socket.listen(backlog)?;
        return Ok(socket);
    }

    // Linux creates the file with the permissions of the socket, less the umask. So there is no
    // moment in which other users may connect. Other systems refuse this.
    let _ = rustix::fs::fchmod(&socket, Mode::from_raw_mode(mode as _));
    match socket.bind(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_stale(path)?;
            socket.bind(&address)?;
        }
        result => result?,
    }
    // Listens at once, because another server takes the file for stale until then.
    socket.listen(backlog)?;
    // Adds the permissions that the umask removed.
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    Ok(socket)
}

/// Removes the socket file at `path` if no process listens on it.
fn remove_stale(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            let text = "a file that is not a socket is in the way";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    if is_served(path)? { Err(Errno::ADDRINUSE.into()) } else { remove_unserved(path) }
}

/// Removes a socket file on which no process listened a moment ago.
///
/// Another server may do this at the same time, and may have bound the name since. So this moves
/// the file aside, checks it once more, and puts it back if it belongs to the other server.
pub(super) fn remove_unserved(path: &Path) -> io::Result<()> {
    let aside = aside(path);
    match fs::rename(path, &aside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        result => result?,
    }
    let served = is_served(&aside);
    if !matches!(served, Ok(false)) {
        // Unlike a rename, a link does not replace a file that is there by now.
        fs::hard_link(&aside, path)?;
    }
    fs::remove_file(&aside)?;
    if served? { Err(Errno::ADDRINUSE.into()) } else { Ok(()) }
}

/// Returns whether a socket listens at this path.
fn is_served(path: &Path) -> io::Result<bool> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // A server with a full queue must not delay this check.
    socket.set_nonblocking(true)?;
    let Err(error) = socket.connect(&SockAddr::unix(path)?) else { return Ok(true) };
    match Errno::from_io_error(&error) {
        Some(Errno::CONNREFUSED | Errno::NOENT) => Ok(false),
        // The queue is full, or it is an open socket of another type.
        Some(Errno::AGAIN | Errno::INPROGRESS | Errno::PROTOTYPE) => Ok(true),
        _ => Err(error),
    }
}

/// Returns an unused name beside `path`. It is short, because the path of a socket has at most 107
/// bytes.
fn aside(path: &Path) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".{:x}.{count}", std::process::id()))
}
