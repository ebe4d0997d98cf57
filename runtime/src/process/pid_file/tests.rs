use super::*;

/// A directory of its own, removed in the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("squall-pid-{name}-{}", id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("server.pid")
    }

    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(&self.0).unwrap();
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn own_line() -> String {
    format!("{}\n", id())
}

#[test]
fn the_file_is_there_as_long_as_the_server() {
    let directory = Directory::new("life");
    let file = PidFile::create(&directory.file(), Predecessor::None).unwrap();
    assert_eq!(fs::read_to_string(directory.file()).unwrap(), own_line());
    assert_eq!(directory.names(), ["server.pid"], "nothing is left beside it");
    drop(file);
    assert!(directory.names().is_empty());
}

#[test]
fn a_server_that_lives_is_not_replaced() {
    let directory = Directory::new("living");
    let file = PidFile::create(&directory.file(), Predecessor::None).unwrap();
    let error = PidFile::create(&directory.file(), Predecessor::None).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    let text = format!("the server runs already, as process {}", id());
    assert!(error.to_string().ends_with(&text), "{error}");
    assert_eq!(directory.names(), ["server.pid"]);
    drop(file);
}

#[test]
fn a_file_that_a_dead_server_has_left_is_replaced() {
    let directory = Directory::new("dead");
    // Whoever has the number 1 by now.
    for left in ["1\n", "1", ""] {
        fs::write(directory.file(), left).unwrap();
        let file = PidFile::create(&directory.file(), Predecessor::None).unwrap();
        assert_eq!(fs::read_to_string(directory.file()).unwrap(), own_line());
        drop(file);
    }
}

#[test]
fn another_file_is_left_alone() {
    let directory = Directory::new("other");
    for text in [&b"[section]\n"[..], b"1\n2\n", b"\xff\xff", b"12345678901234567890"] {
        fs::write(directory.file(), text).unwrap();
        for predecessor in [Predecessor::None, Predecessor::Running] {
            let error = PidFile::create(&directory.file(), predecessor).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists, "{error}");
        }
        assert_eq!(fs::read(directory.file()).unwrap(), text);
    }
}

#[test]
fn a_successor_takes_the_place_and_keeps_it() {
    let directory = Directory::new("successor");
    let old = PidFile::create(&directory.file(), Predecessor::None).unwrap();
    let new = PidFile::create(&directory.file(), Predecessor::Running).unwrap();
    drop(old);
    assert_eq!(directory.names(), ["server.pid"], "the old one has removed what is not its own");
    let error = PidFile::create(&directory.file(), Predecessor::None).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    drop(new);
    assert!(directory.names().is_empty());
}

#[test]
fn a_process_that_was_forked_removes_nothing() {
    let directory = Directory::new("forked");
    let mut file = PidFile::create(&directory.file(), Predecessor::None).unwrap();
    file.owner += 1;
    drop(file);
    assert_eq!(directory.names(), ["server.pid"]);
}
