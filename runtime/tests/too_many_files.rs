//! A listener in a process that may open no more files. It lowers the limit of the whole process,
//! so it is the only test here.

use std::net::SocketAddr;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use squall_runtime::{IOLoop, TcpListener, TcpStream, timeout};

#[test]
fn accepting_fails_at_the_limit_and_the_connection_waits() {
    let test = timeout(Duration::from_secs(120), async {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let usual = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: Some(3), ..usual }).unwrap();

        for _ in 0..2 {
            let error = listener.accept().await.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::MFILE.raw_os_error()));
        }

        setrlimit(Resource::Nofile, usual).unwrap();
        let (_server, peer) = listener.accept().await.unwrap();
        assert_eq!(client.local_addr().unwrap(), peer);
    });
    IOLoop::current().run_sync(test).unwrap().unwrap();
}
