//! What a turn of the loop costs and why, for the next person who wants to make it faster.
//!
//! Nothing is defined here. All figures are of Linux on x86-64, of a release build with fat LTO.
//!
//! # How to see it
//!
//! | | |
//! |---|---|
//! | `cargo bench --bench budget` | system calls, instructions and allocations of a request, and memory of an idle connection; `loop` is this crate alone, under a server that parses nothing |
//! | `cargo bench --bench budget -- --files loop` | the instructions by source file |
//! | `cargo bench --bench micro -- tasks`, `timers` | times of single operations |
//! | `cargo bench --bench connections -- 100000` | memory of connections that do nothing |
//! | `strace -f target/release/examples/bench` | which calls, in which order |
//! | `valgrind --tool=callgrind`, then `callgrind_annotate --inclusive=yes` | instructions by function; an optimised build inlines most of them into the turn |
//!
//! Times are a poor guide: the same build differs by 10 % from run to run on a machine that does
//! something else as well. System calls and instructions do not. A needless system call costs as
//! much as 2,000 to 3,500 instructions of user space, so calls come first.
//!
//! # The account
//!
//! A request on a connection that is kept, alone:
//!
//! | step | system calls | where |
//! |---|---|---|
//! | the wait ends with an event | 1, `epoll_wait` | `reactor/linux.rs` |
//! | the clock is read, for all of the turn | 0, the kernel shows it | `timer/clock.rs` |
//! | the event is noted at its source, where the owner sees it; its task is woken and queued | 0 | `reactor.rs`, `executor.rs` |
//! | the task receives once | 1, `recv` | `fd.rs`, `net/tcp.rs` |
//! | it does what it is for, and sends once | 1, `send` | `fd.rs`, `net/tcp.rs` |
//! | it waits to read: a flag says that all was taken | 0 | `fd.rs` |
//! | its deadline is moved | 0 | `timer/deadline.rs` |
//! | the wheel says how long to wait | 0 | `timer/wheel.rs` |
//!
//! In user space these are about 430 instructions:
//!
//! | | instructions |
//! |---|---|
//! | the turn: its queue, when the next timer is due, the clock | 95 |
//! | `epoll_wait` | 15 |
//! | the event: its source, its task, the queue | 55 |
//! | the task runs; of these 39 for the clock after it, to know the slow ones | 98 |
//! | receive 40, send 30, deadline 40, learning that nothing more has come 20, and what the task is made of | 170 |
//!
//! With 64 connections at a time 330 for each.
//!
//! With many connections that are ready together, the turn is shared by all of them and 2 calls
//! remain for each; with pipelining, the calls are shared as well.
//!
//! Memory: a task is one allocation, its future and 64 bytes before it, beside 16 bytes in the list
//! of tasks. A descriptor has 16 bytes in a chunk of 64, and a timer 24 in a slab. Waking, waiting,
//! and moving a deadline allocate nothing.
//!
//! # Why it is so
//!
//! **The wait is asked for directly.** `polling` owns the epoll instance, but its own wait makes five
//! calls: it arms a timer descriptor, waits, reads the descriptor by which it is notified and arms
//! that again, whatever the timeout is. That is 7 calls for a request alone instead of 3.
//!
//! **Edges, with `EPOLLRDHUP`.** A socket is registered once in its life. A read that does not fill
//! its buffer has taken all there was, and need not be tried again until `EAGAIN`. Without
//! `EPOLLRDHUP` that would lose the end of a stream that arrives with the last data: one edge would
//! stand for both. While the peer is known to have finished, a short read counts for nothing.
//! Nor does it after urgent data (`EPOLLPRI`), where a read ends early. A Unix socket has no event that
//! tells of a descriptor sent along, so it is read until `EAGAIN`.
//!
//! **Registered late.** An operation is tried before its descriptor is registered, and nothing is
//! removed from epoll before it is closed. A connection with one request may never be in epoll.
//!
//! **Accepting is level-triggered, and one connection per event.** Accepting until `EAGAIN` is a call
//! more for each connection that comes alone.
//!
//! **A timer is one number, nearly always.** A deadline that moves later stores the new time; its
//! entry in the wheel stays, and when it is due, it is put where it belongs by then. So the wheel is
//! touched once per time-out, not per request. Re-arming costs 23 instructions; in a wheel that is
//! exact 79, in a `BTreeMap` 1,189, more than all the rest of the loop.
//!
//! **A snapshot of the queue runs.** What these tasks wake waits for the next turn. It is pushed behind
//! them, and they are cut off when they have run, so that taking a task out is an index and no ring.
//!
//! **A descriptor and the reactor look at the same cells.** What events have told and what the owner
//! believes is one byte. With a list in the reactor, which the owner asked by a key, it were two, and
//! 50 instructions more for a request.
//!
//! **Nothing is divided.** Timers are due at a nanosecond. What a tick is, is asked when a timer is put into
//! the wheel.
//!
//! **The clock is read before the loop sleeps**, which takes about 40 instructions. The time of the turn
//! may be old by as long as a task has kept the loop, and a timer would be late by as much.
//!
//! **A task is an `async_task` task**, because another thread may wake it at any time, and that
//! protocol is easy to get wrong. Its atomic operations cost about 11 ns per wake. An executor of our
//! own without them took 124 instructions less for a request, which no clock could show, and over 300
//! lines more.
//!
//! **A task that waits is a number.** The reactor and the timers remember it by its place in the list
//! of tasks, and neither clone nor drop its waker.
//!
//! **Nothing is asked that is known.** The system is a type and not a trait object, the loop holds it
//! while it runs, and thread-locals are emptied at the end of the loop rather than destroyed, for who
//! uses one with a destructor asks each time whether it had it.
//!
//! # What was tried and does not pay
//!
//! | | |
//! |---|---|
//! | one-shot registration, armed anew for each read | 1 call per request more: 21 % more CPU time with 64 connections |
//! | level-triggered connections | 5 to 7 % more per event |
//! | reading until `EAGAIN` | 1 call per request more: 10 % more CPU time |
//! | registering a socket for reading and writing at once | each new connection gets an event that it can be written to, which nobody waits for |
//! | a heap of timers, stale ones left in it | 45 instructions, and it grows without bound under connections that are kept |
//! | reading the clock without a call | 22 instructions more: it calls what it is made of |
//! | one exchange of the atomic after a wait in place of one and a look | 3 instructions more, by the registers it takes |
//! | timing each task with two `Instant`s, to find those that block | 130 instructions; one reading after each task, in nanoseconds, 39 |
//! | `mimalloc` in place of the system's `malloc` | 2 % fewer instructions per request, and twice the memory of an idle connection |
//! | `polling`'s wait with its timer descriptor denied | 5 calls instead of 7, by a trick with the limit of descriptors; asking directly makes 3 |
//!
//! # Where the rest lies
//!
//! Most of a small request is the kernel's, in the three calls. They cannot be fewer on epoll;
//! `io_uring` makes fewer, and was no faster by the clock in servers that were measured beside this
//! one, but then it is not what `polling` offers. In user space, the framework above this crate takes
//! four fifths: of its 1,660 instructions for a request alone, 300 find and read the head, 50 the row,
//! 330 call the handler and take its answer, 270 put the response together, 130 count the request, and
//! the rest is what the connection holds, and gives back while it waits.
