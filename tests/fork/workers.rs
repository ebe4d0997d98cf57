//! The end of workers, and its consequences.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::process::exit;
use std::time::{Duration, Instant};

use futures_lite::StreamExt;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;
use squall_runtime::process::{
    ForkOptions, Scoreboard, SlotPage, State, fork_processes, task_id, want_replacement,
};
use squall_runtime::signal::{SIGTERM, Signals};
use squall_runtime::{IOLoop, bind_sockets, sleep, yield_now};

use crate::case::{Case, Client, SOON, announce, await_end, bit, greet, has, signal_set, suspend};

/// Workers that greet connections at a port of this machine.
fn greeters(options: ForkOptions) -> io::Result<()> {
    let sockets = bind_sockets("127.0.0.1:0")?;
    println!("port {}", sockets.local_addrs()[0].port());
    let id = options.fork_processes()?;
    announce(id);
    greet(id, sockets)
}

pub fn workers_are_numbered_from_0(case: &Case) {
    let server = case.server(|| {
        assert_eq!(task_id(), None);
        let id = fork_processes(4)?;
        assert_eq!(task_id(), Some(id));
        announce(id);
        Ok(())
    });
    let pids: HashSet<_> = (0..4).map(|id| server.worker(id)).collect();
    assert_eq!(pids.len(), 4);
    let (status, others) = server.ended_by_itself(4);
    assert_eq!((status.code(), others), (Some(0), Vec::new()));
}

pub fn a_killed_worker_is_replaced_at_once(case: &Case) {
    let server = case.server(|| greeters(ForkOptions::new().workers(8)));
    let workers: Vec<_> = (0..8).map(|id| server.worker(id)).collect();
    // The machine may be busy: the quickest time counts.
    let mut quickest = Duration::MAX;
    for (id, &pid) in workers.iter().enumerate().skip(1) {
        let start = Instant::now();
        kill(pid, Signal::SIGKILL).unwrap();
        let new = server.worker(id);
        quickest = quickest.min(start.elapsed());
        let delay =
            server.expect(&format!("worker {id} (pid {pid}) was killed by SIGKILL, restarting"));
        assert_eq!(delay, "", "it waits for nothing");
        assert_ne!(new, pid);
    }
    assert!(quickest < Duration::from_millis(100), "{quickest:?}");
    kill(workers[0], None).expect("the first one was left alone");
}

pub fn a_worker_that_fails_is_replaced(case: &Case) {
    let server = case.server(|| greeters(ForkOptions::new().workers(2)));
    let port = server.port();
    for status in [2, 3, 4] {
        let pid = server.worker(1);
        Client::of_worker(port, 1).order(&format!("exit {status}"));
        let line = format!("worker 1 (pid {pid}) exited with status {status}, restarting");
        server.expect(&line);
    }
    server.worker(1);
}

pub fn a_worker_that_exits_with_0_is_not_replaced(case: &Case) {
    let server = case.server(|| greeters(ForkOptions::new().workers(2)));
    let port = server.port();
    let first = server.worker(0);
    let other = server.worker(1);
    Client::of_worker(port, 1);
    Client::of_worker(port, 0).order("exit 0");
    // Clients in the queue of the dead worker are reset; then the other worker gets all of them.
    let mut in_a_row = 0;
    while in_a_row < 32 {
        match Client::connect(([127, 0, 0, 1], port)).and_then(|mut client| client.greeting()) {
            Ok(worker) if worker == (1, other) => in_a_row += 1,
            Ok((worker, _)) => panic!("worker {worker} is back"),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => in_a_row = 0,
            Err(error) => panic!("{error}"),
        }
    }
    Client::of_worker(port, 1).order("exit 0");
    let line = format!("worker 0 (pid {first}) exited normally; it is not replaced");
    assert_eq!(server.expect(&line), ", 1 worker is left");
    let line = format!("worker 1 (pid {other}) exited normally; it is not replaced");
    assert_eq!(server.expect(&line), ", no worker is left");
    server.expect("all workers have ended by themselves: the server ends, with status 0");
    let (status, others) = server.ended();
    assert_eq!((status.code(), others), (Some(0), Vec::new()));
}

/// Worker 1 is replaced by one that ends by itself before the first has ended.
fn outlived() -> io::Result<()> {
    let id = ForkOptions::new().workers(2).max_workers(2).fork_processes()?;
    announce(id);
    let own = Scoreboard::own_page().unwrap();
    let pages = Scoreboard::current().unwrap().pages();
    let other = pages.into_iter().find(|page| page.slot() == 1 && page.index() != own.index());
    let other = other.unwrap();
    let awaited = async |page: &SlotPage, state| {
        while page.state() != state {
            sleep(Duration::from_millis(5)).await;
        }
    };
    match own.generation() {
        2 => {
            SigSet::from(Signal::SIGTERM).thread_block()?;
            want_replacement();
            IOLoop::current().spawn_callback(async move {
                // The other is ready by then.
                awaited(&own, State::Stopping).await;
                awaited(&other, State::Empty).await;
                exit(0);
            });
        }
        3 => IOLoop::current().spawn_callback(async move {
            awaited(&other, State::Stopping).await;
            exit(0);
        }),
        _ => {}
    }
    IOLoop::current().start()
}

pub fn a_worker_that_ends_before_the_one_it_has_replaced_leaves_its_slot_free(case: &Case) {
    let server = case.server(outlived);
    server.worker(0);
    let (first, second) = (server.worker(1), server.worker(1));
    await_end(second);
    await_end(first);
    server.signal(Signal::SIGTTIN);
    server.worker(1);
}

/// The first worker asks to be replaced, and the others fail while a file says so.
fn irreplaceable() -> io::Result<()> {
    let sockets = bind_sockets("127.0.0.1:0")?;
    println!("port {}", sockets.local_addrs()[0].port());
    let failing = failing(std::process::id());
    fs::write(&failing, "")?;
    let never = Duration::from_secs(60);
    let options = ForkOptions::new().workers(1).max_restarts(0, never).max_failed_starts(0, never);
    let id = options.fork_processes()?;
    match Scoreboard::own_page().unwrap().generation() {
        1 => IOLoop::current().spawn_callback(async { want_replacement() }),
        _ if failing.exists() => exit(9),
        _ => {}
    }
    announce(id);
    greet(id, sockets)
}

fn failing(supervisor: u32) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("squall-failing-{supervisor}"))
}

pub fn who_cannot_be_replaced_goes_on(case: &Case) {
    let server = case.server(irreplaceable);
    let (port, first) = (server.port(), server.worker(0));
    let text = "exited with status 9; the one it was to replace goes on, restarting";
    server.expect(text);
    let delays: Vec<_> = (0..3).map(|_| server.number(&format!("{text} in "))).collect();
    assert!(delays.is_sorted(), "{delays:?}");
    assert_eq!(Client::local(port).greeting().unwrap(), (0, first));
    // A client that asks for another worker need not wait now.
    fs::remove_file(failing(server.pid().as_raw().unsigned_abs())).unwrap();
    server.signal(Signal::SIGHUP);
    let second = server.worker(0);
    await_end(first);
    assert_eq!(Client::local(port).greeting().unwrap(), (0, second));
}

pub fn all_workers_done_end_the_server(case: &Case) {
    let server = case.server(|| fork_processes(3).map(drop));
    assert_eq!(server.ended().0.code(), Some(0));
}

pub fn a_worker_that_never_starts_its_loop_is_told_of(case: &Case) {
    let server = case.server(|| {
        let _sockets = bind_sockets("127.0.0.1:0")?;
        announce(ForkOptions::new().workers(1).fork_processes()?);
        Ok(())
    });
    let text = "exited normally without having served what is bound: is its loop started?";
    server.expect(&format!("worker 0 (pid {}) {text}", server.worker(0)));
    assert_eq!(server.ended().0.code(), Some(0));
}

pub fn a_worker_that_ends_as_soon_as_it_is_ready_has_served(case: &Case) {
    let server = case.server(|| {
        let sockets = bind_sockets("127.0.0.1:0")?;
        announce(ForkOptions::new().workers(1).fork_processes()?);
        // So that it learns of both at once.
        suspend(Pid::parent());
        drop(sockets);
        IOLoop::current().run_sync(ready())
    });
    await_end(server.worker(0));
    kill(server.pid(), Signal::SIGCONT).unwrap();
    let (status, others) = server.ended_by_itself(1);
    assert_eq!((status.code(), others), (Some(0), Vec::new()));
}

pub fn too_many_restarts_end_the_server(case: &Case) {
    let options = ForkOptions::new().max_restarts(3, Duration::from_secs(60));
    let server = case.server(|| greeters(options.workers(2)));
    let port = server.port();
    server.worker(0);
    for _ in 0..4 {
        server.worker(1);
        Client::of_worker(port, 1).order("exit 7");
    }
    server.expect("exited with status 7; too many restarts (3 within 60s), giving up");
    assert_eq!(server.ended().0.code(), Some(1));
}

pub fn too_many_failed_starts_end_the_server(case: &Case) {
    let server = case.server(|| {
        let options = ForkOptions::new().max_failed_starts(2, Duration::from_secs(60));
        options.workers(1).fork_processes()?;
        std::process::exit(7);
    });
    server.expect("exited with status 7, restarting");
    server.expect("exited with status 7, restarting in ");
    server.expect("exited with status 7; too many workers have failed to start, giving up");
    assert_eq!(server.ended().0.code(), Some(1));
}

pub fn who_dies_early_again_and_again_waits_longer_and_longer(case: &Case) {
    let server = case.server(|| {
        fork_processes(1)?;
        std::process::exit(7);
    });
    server.expect("status 7, restarting");
    let delays: Vec<_> = (0..4).map(|_| server.number("status 7, restarting in ")).collect();
    for (doublings, delay) in delays.iter().enumerate() {
        let expected = 100 << doublings;
        assert!((expected * 3 / 4..=expected * 5 / 4).contains(delay), "{delays:?}");
    }
}

pub fn a_worker_that_is_never_ready_is_killed(case: &Case) {
    let server = case.server(|| {
        let sockets = bind_sockets("127.0.0.1:0")?;
        let options = ForkOptions::new().start_timeout(Duration::from_millis(300));
        options.workers(1).max_failed_starts(0, SOON).fork_processes()?;
        // The bound addresses are never served.
        IOLoop::current().run_sync(std::future::pending::<()>())?;
        drop(sockets);
        Ok(())
    });
    // It may have been too slow to say anything itself.
    let pid = server.number("not ready within 300ms: killing worker 0 (pid ");
    let end = server.expect(&format!("worker 0 (pid {pid}) was killed by SIGKILL"));
    assert!(end.ends_with("giving up"), "{end}");
    assert_eq!(server.ended().0.code(), Some(1));
}

pub fn a_worker_with_too_much_memory_is_replaced(case: &Case) {
    let server = case.server(|| {
        let id = ForkOptions::new().workers(1).max_memory(64 << 20).fork_processes()?;
        announce(id);
        let hoard = vec![1_u8; 80 << 20];
        let mut orders = Signals::new([SIGTERM])?;
        IOLoop::current().run_sync(async { orders.next().await })?;
        println!("replaced with {} bytes", hoard.len());
        Ok(())
    });
    let first = server.worker(0);
    let second = server.worker(0);
    assert_ne!(first, second);
    server.expect("replaced with 83886080 bytes");
}

pub fn a_hook_runs_when_a_worker_has_ended(case: &Case) {
    let server = case.server(|| {
        let supervisor = std::process::id();
        let options = ForkOptions::new()
            .after_fork(|id| println!("worker {id}: first"))
            .on_worker_start(|id| println!("worker {id}: second"))
            .on_worker_exit(move |exit| {
                assert_ne!(std::process::id(), supervisor);
                println!("worker {} has ended: {:?}", exit.id, (exit.status, exit.signal));
                panic!("which costs nobody anything");
            });
        greeters(options.workers(1))
    });
    let port = server.port();
    for _ in 0..2 {
        server.expect("worker 0: first");
        server.expect("worker 0: second");
        server.worker(0);
        Client::of_worker(port, 0).order("exit 5");
        server.expect("worker 0 has ended: (Some(5), None)");
    }
    kill(server.worker(0), Signal::SIGKILL).unwrap();
    server.expect("worker 0 has ended: (None, Some(9))");
    let last = server.worker(0);
    server.signal(Signal::SIGTERM);
    server.expect("worker 0 has ended: (None, Some(15))");
    assert_eq!(server.ended().0.code(), Some(0));
    kill(last, None).expect_err("it has ended");
}

/// Ends when this worker is ready.
async fn ready() {
    let page = Scoreboard::own_page().unwrap();
    while page.state() != State::Ready {
        yield_now().await;
    }
}

pub fn workers_share_no_poller(case: &Case) {
    let server = case.server(|| {
        let sockets = bind_sockets(0)?;
        let id = fork_processes(2)?;
        for entry in fs::read_dir("/proc/self/fd")? {
            if let Ok(target) = fs::read_link(entry?.path())
                && target.to_string_lossy().contains("anon_inode")
            {
                println!("inherited {target:?}");
            }
        }
        drop(sockets);
        IOLoop::current().run_sync(ready())?;
        announce(id);
        Ok(())
    });
    server.worker(0);
    server.worker(1);
    let (status, others) = server.ended_by_itself(2);
    assert_eq!((status.code(), others), (Some(0), Vec::new()));
}

pub fn a_worker_has_the_signals_it_should_have(case: &Case) {
    let sets = || ["SigBlk", "SigIgn", "SigCgt"].map(signal_set);
    let server = case.server(|| {
        let before = sets();
        fork_processes(1)?;
        let after = sets();
        assert_eq!(after[0], before[0], "what is blocked");
        assert_eq!(after[1], before[1], "what is ignored");
        assert!(has(after[1], Signal::SIGPIPE), "writing to a closed connection kills");
        let terminal = [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP];
        let terminal = terminal.map(bit).iter().fold(0, |set, bit| set | bit);
        assert_eq!(after[2], before[2] | terminal & !before[1], "what is caught");
        Ok(())
    });
    let (status, others) = server.ended_by_itself(1);
    assert_eq!((status.code(), others), (Some(0), Vec::new()));
}
