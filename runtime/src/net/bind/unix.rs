//! One Unix socket that listens, and the file that an earlier server left.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::Mode;
use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};

/// Names that are no files exist on Linux only.
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

    // On Linux the file is made with the permissions of the socket, less the umask: there is no
    // moment at which more people may connect. Other systems refuse this.
    let _ = rustix::fs::fchmod(&socket, Mode::from_raw_mode(mode as _));
    match socket.bind(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_stale(path)?;
            socket.bind(&address)?;
        }
        result => result?,
    }
    // At once: until it listens, another server may take the file for a stale one.
    socket.listen(backlog)?;
    // What the umask took away.
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    Ok(socket)
}

/// Removes the socket file at `path` if nobody listens on it.
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

/// Removes a socket file that nobody listened on a moment ago.
///
/// Two servers may do this at the same time, and since that moment the other one may have bound
/// the name. So the file is moved aside, looked at once more, and put back if it turns out to
/// be the new one.
pub(super) fn remove_unserved(path: &Path) -> io::Result<()> {
    let aside = aside(path);
    match fs::rename(path, &aside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        result => result?,
    }
    let served = is_served(&aside);
    if !matches!(served, Ok(false)) {
        // Unlike a rename, a link does not replace what may be there by now.
        fs::hard_link(&aside, path)?;
    }
    fs::remove_file(&aside)?;
    if served? { Err(Errno::ADDRINUSE.into()) } else { Ok(()) }
}

/// Whether a socket listens under this name.
fn is_served(path: &Path) -> io::Result<bool> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // It only asks: a server with a full queue must not hold us up.
    socket.set_nonblocking(true)?;
    let Err(error) = socket.connect(&SockAddr::unix(path)?) else { return Ok(true) };
    match Errno::from_io_error(&error) {
        Some(Errno::CONNREFUSED | Errno::NOENT) => Ok(false),
        // The queue is full, or it is a socket of another type that lives.
        Some(Errno::AGAIN | Errno::INPROGRESS | Errno::PROTOTYPE) => Ok(true),
        _ => Err(error),
    }
}

/// A name beside `path` that nobody else takes. Short, for a socket's name has 107 bytes.
fn aside(path: &Path) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".{:x}.{count}", std::process::id()))
}
