//! State that workers must not share.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use futures_lite::StreamExt;
use nix::sys::signal::{Signal, kill};
use squall_runtime::process::{ForkOptions, fork_processes};
use squall_runtime::signal::{SIGUSR1, Signals};
use squall_runtime::{IOLoop, PeriodicCallback, TcpListener, sleep};

use crate::case::{Case, announce};

pub fn a_random_stream(case: &Case) {
    let server = case.server(|| {
        // Whatever has drawn from it before: here, and on other streams of the libraries beneath.
        let _ = fastrand::u64(..);
        let id = fork_processes(4)?;
        println!("drawn {:016x}", fastrand::u64(..));
        println!("calls {}", jittered()?);
        announce(id);
        Ok(())
    });
    for id in 0..4 {
        server.worker(id);
    }
    for what in ["drawn ", "calls "] {
        let drawn: HashSet<String> = (0..4).map(|_| server.expect(what)).collect();
        assert_eq!(drawn.len(), 4, "{drawn:?}");
    }
}

/// When a callback that has its times moved at random is called, in virtual time.
fn jittered() -> io::Result<String> {
    let io_loop = IOLoop::current();
    io_loop.use_virtual_time();
    let start = io_loop.time();
    let times = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let called = std::rc::Rc::clone(&times);
    let callback = PeriodicCallback::new(Duration::from_secs(60), async move || {
        let time: Instant = IOLoop::current().time();
        called.borrow_mut().push((time - start).as_millis());
    });
    let callback = callback.jitter(0.5);
    callback.start();
    io_loop.run_sync(sleep(Duration::from_secs(600)))?;
    Ok(format!("{:?}", times.borrow()))
}

/// Which epoll instances and pipes this process has: those with a number of their own.
fn descriptors(kind: &str) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        if let Ok(target) = fs::read_link(entry?.path())
            && target.to_string_lossy().starts_with(kind)
        {
            found.push(target.to_string_lossy().into_owned());
        }
    }
    Ok(found)
}

pub fn an_epoll_instance(case: &Case) {
    let server = case.server(|| {
        let id = fork_processes(2)?;
        assert_eq!(descriptors("anon_inode:[eventpoll]")?, [""; 0], "it was inherited");
        IOLoop::current().run_sync(async {
            // A shared one would give each process the events of the other.
            let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
            println!("worker {id} is registered: {:?}", listener.as_fd());
            announce(id);
            sleep(Duration::from_millis(1)).await;
            io::Result::Ok(())
        })??;
        assert_eq!(descriptors("anon_inode:[eventpoll]")?.len(), 1);
        Ok(())
    });
    server.worker(0);
    server.worker(1);
    assert_eq!(server.ended().0.code(), Some(0));
}

pub fn a_signal_pipe(case: &Case) {
    let server = case.server(|| {
        let before: HashSet<_> =
            descriptors("pipe:")?.into_iter().chain(descriptors("socket:")?).collect();
        let id = ForkOptions::new().workers(2).fork_processes()?;
        IOLoop::current().run_sync(async {
            let mut signals = Signals::new([SIGUSR1])?;
            let after = descriptors("pipe:")?.into_iter().chain(descriptors("socket:")?);
            for own in after.filter(|one| !before.contains(one)) {
                println!("own {own}");
            }
            announce(id);
            signals.next().await;
            println!("worker {id} was signalled");
            signals.next().await;
            Ok(())
        })?
    });
    let workers = [server.worker(0), server.worker(1)];
    for (id, worker) in workers.into_iter().enumerate() {
        kill(worker, Signal::SIGUSR1).unwrap();
        server.expect(&format!("worker {id} was signalled"));
    }
    kill(workers[0], Signal::SIGUSR1).unwrap();
    kill(workers[1], Signal::SIGUSR1).unwrap();
    let (status, others) = server.ended();
    assert_eq!(status.code(), Some(0));
    let own: Vec<_> = others.iter().filter(|line| line.starts_with("own ")).collect();
    let different: HashSet<_> = own.iter().collect();
    assert!(own.len() >= 2 && own.len() == different.len(), "they share one: {own:?}");
    assert!(!others.iter().any(|line| line.ends_with("was signalled")), "{others:?}");
}
