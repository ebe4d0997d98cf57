//! A loop on a thread of its own, for servers that do not listen like those of `wire`.

use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};

use squall::IOLoop;
use squall_runtime::IOLoopHandle;

use crate::wire::{Client, DEADLINE};

/// The loop runs until this is dropped.
pub struct Running {
    io_loop: IOLoopHandle,
    ended: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Calls `begin` on a thread and runs the loop of that thread. Returns what `begin` does.
    #[track_caller]
    pub fn start<T: Send + 'static>(begin: impl FnOnce() -> T + Send + 'static) -> (Self, T) {
        let (send_begun, begun) = mpsc::channel();
        let (send_ended, ended) = mpsc::channel();
        let thread = thread::spawn(move || {
            let value = begin();
            let io_loop = IOLoop::current();
            send_begun.send((io_loop.handle(), value)).unwrap();
            io_loop.start().unwrap();
            send_ended.send(()).unwrap();
        });
        let (io_loop, value) = begun.recv_timeout(DEADLINE).expect("it begins");
        (Self { io_loop, ended, thread: Some(thread) }, value)
    }

    #[track_caller]
    pub fn connect(&self, address: SocketAddr) -> Client {
        Client::connect(address, self.io_loop.clone())
    }

    /// Calls `work` on the thread, in a turn of the loop.
    #[track_caller]
    pub fn call(&self, work: impl FnOnce() + Send + 'static) {
        let (send, called) = mpsc::channel();
        let call = move || {
            work();
            send.send(()).unwrap();
        };
        self.io_loop.add_callback(call).expect("the loop runs");
        called.recv_timeout(DEADLINE).expect("the loop turns");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let stopping = self.io_loop.add_callback(|| IOLoop::current().stop());
        if !thread::panicking() {
            stopping.expect("the loop has not ended before");
            self.ended.recv_timeout(DEADLINE).expect("the loop ends when it is stopped");
            // The thread drops the contents of its loop when it ends.
            self.thread.take().map(JoinHandle::join).unwrap().unwrap();
        }
    }
}
