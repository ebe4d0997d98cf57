//! What a turn of the loop costs and why, for the next person who wants to make it faster.
//!
//! This module defines nothing. All figures are for Linux on x86-64, in a release build with fat LTO.
//!
//! # How to measure
//!
//! | command | shows |
//! |---|---|
//! | `cargo bench --bench budget` | system calls, instructions and allocations of a request, and memory of an idle connection; `loop` is this crate alone, under a server that parses nothing |
//! | `cargo bench --bench budget -- --files loop` | the instructions by source file |
//! | `cargo bench --bench micro -- tasks`, `timers` | times of single operations |
//! | `cargo bench --bench connections -- 100000` | memory of idle connections |
//! | `strace -f target/release/examples/bench` | the system calls in order |
//! | `valgrind --tool=callgrind`, then `callgrind_annotate --inclusive=yes` | instructions by function; an optimized build inlines most functions into the turn |
//!
//! Do not judge by times. On a busy machine, the same build differs by 10 % from run to run. System
//! calls and instructions are stable. Reduce system calls first: one costs as much as 2,000 to 3,500
//! instructions of user space.
//!
//! # The cost of a request
//!
//! One request at a time on a kept connection takes these steps:
//!
//! | step | system calls | where |
//! |---|---|---|
//! | the wait ends with an event | 1, `epoll_wait` | `reactor/linux.rs` |
//! | read the clock, once for the turn | 0 (vDSO) | `timer/clock.rs` |
//! | note the event at its source, and queue the waiting task | 0 | `reactor.rs`, `executor.rs` |
//! | the task receives once | 1, `recv` | `fd/attempt.rs`, `net/stream.rs` |
//! | the task does its work and sends once | 1, `send` | `fd/attempt.rs`, `net/stream.rs` |
//! | the task waits to read; a flag says that the socket is empty | 0 | `fd/attempt.rs` |
//! | the task moves its deadline | 0 | `timer/deadline.rs` |
//! | the wheel returns how long to wait | 0 | `timer/wheel.rs` |
//!
//! In user space, this takes about 600 instructions:
//!
//! | part | instructions |
//! |---|---|
//! | the turn: the queue, the next timer, the clock | 95 |
//! | `epoll_wait` | 15 |
//! | the event: its source, its task, the queue | 55 |
//! | running the task; 39 of them read the clock afterwards, to find slow tasks | 98 |
//! | the work of the task: receive 40, send 30, deadline 40, finding the socket empty 20, and the rest | 170 |
//! | `async_task`: atomic operations, metadata, and catching panics | 170 |
//!
//! Connections that are ready together share the turn, and two system calls remain for each. A
//! pipeline shares those, too.
//!
//! Memory: a task is one allocation, of its future and 64 bytes of headers, and 16 bytes in the list
//! of tasks. A descriptor takes 16 bytes in a chunk of 64, and a timer 24 bytes in a slab. Waking,
//! waiting and moving a deadline allocate nothing.
//!
//! # Decisions
//!
//! **The reactor calls `epoll_wait` itself.** `polling` owns the epoll instance, but its own wait
//! makes five system calls, whatever the time-out is: it arms a timer descriptor, waits, and reads
//! and re-arms its notification descriptor. A request alone would take 7 calls instead of 3.
//!
//! **Connections are edge-triggered, with `EPOLLRDHUP`.** A socket is registered once in its life. A
//! read that does not fill its buffer has emptied the socket, so the next attempt waits for an event.
//! Without `EPOLLRDHUP`, this would miss the end of a stream that arrives with the last data, because
//! one edge announces both. After the peer has finished, or has sent urgent data (`EPOLLPRI`, where a
//! read ends early), a short read proves nothing. For Unix sockets no event announces a descriptor
//! that the peer sent, so they are read until `EAGAIN`.
//!
//! **Descriptors are registered late.** An operation is tried before its descriptor is registered,
//! and closing removes it from epoll. A connection with one request may never be registered.
//!
//! **Listeners are level-triggered and accept one connection per event.** Accepting until `EAGAIN`
//! costs one more call for each connection that arrives alone.
//!
//! **A deadline that moves later stores one number.** Its entry in the wheel stays. When the entry
//! is due, it moves to the new time. So the wheel is touched once per time-out, not per request.
//! Extending costs 23 instructions; an exact wheel would take 79, and a `BTreeMap` 1,189.
//!
//! **The queue of tasks is two vectors.** The loop takes one of them as a batch, while tasks that
//! are woken go into the other and run in the next turn. So taking a task is an index, and no ring
//! is needed.
//!
//! **A descriptor's owner and the reactor share cells.** One byte holds readiness, as events and
//! attempts have shown it. A list in the reactor with a lookup by key would cost 50 instructions more
//! per request.
//!
//! **Times are nanoseconds.** They are divided into ticks only when a timer enters the wheel.
//!
//! **The loop reads the clock before it sleeps**, for about 40 instructions. Otherwise a timer could
//! be late by as long as a task has kept the loop busy.
//!
//! **A task is an `async_task` task.** Any thread may wake a task at any time, and that protocol is
//! easy to get wrong. Its atomic operations cost about 11 ns per wake. An executor of our own without
//! them took 124 instructions less per request, which no clock could show, and over 300 lines more.
//!
//! **Reactor and timers store the number of a waiting task** instead of its waker. So they clone and
//! drop nothing.
//!
//! **The backend is a type, not a trait object**, and the loop holds it while it runs.
//!
//! **Thread-locals have no destructor**; the loop empties them when it ends. A thread-local with a
//! destructor checks its state at each access.
//!
//! # Attempts that did not pay
//!
//! | attempt | result |
//! |---|---|
//! | one-shot registration, re-armed for each read | 1 call per request more: 21 % more CPU time with 64 connections |
//! | level-triggered connections | 5 to 7 % more per event |
//! | reading until `EAGAIN` | 1 call per request more: 10 % more CPU time |
//! | registering a socket for reading and writing at once | each new connection gets an event for room to write, for which no task waits |
//! | a heap of timers that keeps stale entries | 45 instructions, and it grows without bound under kept connections |
//! | inlining the function that reads the clock | 22 instructions more: its callees become calls |
//! | one atomic exchange after the wait, instead of one there and a check | 3 instructions more, because it takes more registers |
//! | timing each task with two `Instant`s, to find slow ones | 130 instructions; one reading per task, in nanoseconds, takes 39 |
//! | `mimalloc` instead of the system's `malloc` | 2 % fewer instructions per request, and twice the memory of an idle connection |
//! | `polling`'s wait without its timer descriptor | 5 calls instead of 7, by lowering the limit of open files; the reactor's own wait makes 3 |
//!
//! # The rest of a request
//!
//! The kernel takes most of the time of a small request, in its three system calls. Epoll needs all
//! three. `io_uring` makes fewer, but servers on it were no faster when measured beside this one, and
//! `polling` does not offer it.
//!
//! In user space, the framework above this crate takes four fifths of the instructions.
//! `cargo bench --bench budget -- --files plaintext` lists them by source file.
