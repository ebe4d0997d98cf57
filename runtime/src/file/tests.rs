//! Opening and reading files.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::*;
use crate::testing::run;

#[test]
fn only_regular_files_are_opened_and_without_waiting() {
    let folder = std::env::temp_dir().join(format!("squall-kinds-{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    let (fifo, socket) = (folder.join("fifo"), folder.join("socket"));
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let _listener = UnixListener::bind(&socket).unwrap();
    let cases = [
        (folder.clone(), ErrorKind::IsADirectory),
        (fifo.clone(), ErrorKind::InvalidInput),
        (socket, ErrorKind::InvalidInput),
        (PathBuf::from("/dev/null"), ErrorKind::InvalidInput),
        (PathBuf::from("a\0b"), ErrorKind::InvalidInput),
        (folder.join("none"), ErrorKind::NotFound),
        (folder.join("loop"), ErrorKind::NotFound),
        (folder.join("loop/below"), ErrorKind::NotFound),
    ];
    symlink("loop", folder.join("loop")).unwrap();
    for (path, kind) in cases {
        let error = run(RegularFile::open(&path)).unwrap_err();
        assert_eq!(error.kind(), kind, "{path:?}");
    }
    let pipe = File::options().read(true).write(true).open(&fifo).unwrap();
    assert_eq!(run(RegularFile::from_std(pipe)).unwrap_err().kind(), ErrorKind::InvalidInput);
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_read_returns_the_requested_bytes_or_an_error() {
    let path = std::env::temp_dir().join(format!("squall-read-{}", std::process::id()));
    let text: Vec<u8> = (0..=250).cycle().take(200_000).collect();
    fs::write(&path, &text).unwrap();
    let file = run(RegularFile::open(&path)).unwrap();
    for (offset, length) in [(0, 0), (0, 1), (1, 65_536), (1, 65_537), (0, 200_000), (200_000, 0)] {
        let expected = &text[offset..offset + length];
        assert!(run(file.read(offset as u64, length)).unwrap() == expected);
        assert!(file.read_blocking(offset as u64, length).unwrap() == expected);
    }
    for (offset, length) in [(0, 200_001), (199_999, 2), (1 << 40, 1)] {
        let error = run(file.read(offset, length)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{offset} {length}");
    }
    fs::remove_file(&path).unwrap();
}

#[test]
fn a_file_just_written_is_read_without_a_trip_to_the_pool() {
    let path = std::env::temp_dir().join(format!("squall-cached-{}", std::process::id()));
    fs::write(&path, b"fresh").unwrap();
    let file = RegularFile::open_blocking(&path).unwrap();
    let read = cached::read(file.as_file(), 1, 4);
    // Not every file system can tell whether a read would block.
    assert!(read.is_none_or(|bytes| bytes == b"resh"));
    assert_eq!(cached::read(file.as_file(), 1, 5), None, "there is less");
    fs::remove_file(&path).unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_that_says_it_is_empty_is_read_to_its_end() {
    let file = RegularFile::open_blocking("/proc/self/smaps").unwrap();
    assert_eq!(file.metadata().len(), 0);
    let content = file.read_to_end_blocking(1 << 20).unwrap();
    assert!(content.len() > 4096 && content.ends_with(b"\n"));
    let error = file.read_to_end_blocking(1000).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FileTooLarge);
}
