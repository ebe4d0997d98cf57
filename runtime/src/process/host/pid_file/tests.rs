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
    let file = PidFile::create(&directory.file()).unwrap();
    assert_eq!(fs::read_to_string(directory.file()).unwrap(), own_line());
    assert_eq!(directory.names(), ["server.pid"], "nothing is left beside it");
    drop(file);
    assert!(directory.names().is_empty());
}

#[test]
fn a_server_that_lives_is_not_replaced() {
    let directory = Directory::new("living");
    let file = PidFile::create(&directory.file()).unwrap();
    let error = PidFile::create(&directory.file()).unwrap_err();
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
        let file = PidFile::create(&directory.file()).unwrap();
        assert_eq!(fs::read_to_string(directory.file()).unwrap(), own_line());
        drop(file);
    }
}

#[test]
fn another_file_is_left_alone() {
    let directory = Directory::new("other");
    for text in [&b"[section]\n"[..], b"1\n2\n", b"\xff\xff", b"12345678901234567890"] {
        fs::write(directory.file(), text).unwrap();
        let error = PidFile::create(&directory.file()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists, "{error}");
        assert_eq!(fs::read(directory.file()).unwrap(), text);
    }
}

#[test]
fn a_successor_takes_the_file_with_its_lock() {
    let directory = Directory::new("successor");
    let old = PidFile::create(&directory.file()).unwrap();
    fs::write(directory.file(), "1234567890\n").unwrap();
    let inherited = || old.file.try_clone().unwrap().into();
    drop(PidFile::inherit(&directory.file(), inherited()).unwrap());
    let left = fs::read_to_string(directory.file()).unwrap();
    assert_eq!(left, "1234567890\n", "one that has not taken it has not changed it");
    let mut new = PidFile::inherit(&directory.file(), inherited()).unwrap();
    old.leave(17).unwrap();
    assert_eq!(fs::read_to_string(directory.file()).unwrap(), "17\n");
    new.take().unwrap();
    assert_eq!(fs::read_to_string(directory.file()).unwrap(), own_line());
    assert_eq!(directory.names(), ["server.pid"]);
    let error = PidFile::create(&directory.file()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    drop(new);
    assert!(directory.names().is_empty());
}

#[test]
fn an_inherited_descriptor_is_used_only_if_it_is_the_pid_file() {
    let directory = Directory::new("stranger");
    let old = PidFile::create(&directory.file()).unwrap();
    let inherited = || old.file.try_clone().unwrap().into();
    assert!(PidFile::inherit(&directory.0.join("other.pid"), inherited()).is_none());
    fs::remove_file(directory.file()).unwrap();
    fs::write(directory.file(), "1\n").unwrap();
    assert!(PidFile::inherit(&directory.file(), inherited()).is_none());
}

#[test]
fn a_process_that_was_forked_removes_nothing() {
    let directory = Directory::new("forked");
    let mut file = PidFile::create(&directory.file()).unwrap();
    file.owner += 1;
    drop(file);
    assert_eq!(directory.names(), ["server.pid"]);
}
