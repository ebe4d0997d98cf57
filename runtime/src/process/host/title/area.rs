//! Linux: where the system reads the command line of a process.

#![expect(unsafe_code, reason = "the system is told of addresses")]

use std::ffi::CString;
use std::fs;
use std::io;
use std::ptr;
use std::sync::atomic::AtomicU8;

use nix::libc;
use rustix::process::{PrctlMmMap, configure_virtual_memory_map};

/// Makes the kernel read the command line from an area of `length` bytes, all NUL at first. Returns
/// `None` if the kernel refuses: it may lack the call, or filter it.
pub(super) fn claim(length: usize) -> Option<&'static [AtomicU8]> {
    let area = Vec::leak((0..length).map(|_| AtomicU8::new(0)).collect());
    move_command_line(area).ok()?;
    Some(area)
}

/// Sets what `top` shows, and `ps` without the arguments.
pub(super) fn set_short(name: &str) {
    if let Ok(name) = CString::new(name) {
        // It only fails for an address that is none.
        let _ = rustix::thread::set_name(&name);
    }
}

fn move_command_line(area: &'static [AtomicU8]) -> io::Result<()> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let mut map = current(&stat).ok_or(io::ErrorKind::InvalidData)?;
    drop(stat);
    map.arg_start = area.as_ptr().addr() as u64;
    map.arg_end = map.arg_start + area.len() as u64;
    // From here to the end nothing is allocated.
    // SAFETY: an address of 0 is none that the system could set, so that it answers with the
    // present one and changes nothing. It is as wide as the system reads it: of an `int` among
    // variable arguments the upper half may be anything.
    let end = unsafe { libc::syscall(libc::SYS_brk, 0_usize) };
    map.brk = end.cast_unsigned();
    // SAFETY: each address is what the system itself has just said it is, so that it stays, but
    // for the command line. In particular the end of the heap is as it was: the process has one
    // thread (the guard has seen to that), and this one has allocated nothing since it asked. The
    // new command line is never freed, and is atomic, because the system may read it at any time.
    unsafe { configure_virtual_memory_map(&map) }?;
    Ok(())
}

/// Where everything is, as `/proc/self/stat` has it, except for the end of the heap. See
/// `proc_pid_stat(5)` for the numbers of the fields.
fn current(stat: &str) -> Option<PrctlMmMap> {
    // The second field is a name that may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok().filter(|&n| n != 0);
    Some(PrctlMmMap {
        start_code: field(26)?,
        end_code: field(27)?,
        start_data: field(45)?,
        end_data: field(46)?,
        start_brk: field(47)?,
        brk: 0,
        start_stack: field(28)?,
        arg_start: field(48)?,
        arg_end: field(49)?,
        env_start: field(50)?,
        env_end: field(51)?,
        // Left as it is, and so is the executable.
        auxv: ptr::null_mut(),
        auxv_size: 0,
        exe_fd: -1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_found_behind_any_name() {
        let name = "7 (a) R (b\n)";
        let numbers: Vec<String> = (4..=52).map(|number| number.to_string()).collect();
        let map = current(&format!("{name} R {}\n", numbers.join(" "))).unwrap();
        let found = [
            map.start_code,
            map.end_code,
            map.start_stack,
            map.start_data,
            map.end_data,
            map.start_brk,
            map.arg_start,
            map.arg_end,
            map.env_start,
            map.env_end,
        ];
        assert_eq!(found, [26, 27, 28, 45, 46, 47, 48, 49, 50, 51]);
    }

    #[test]
    fn a_missing_address_gives_no_area() {
        let stat = "7 (a) R 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 1 1 1 1 0 0 0 0 0\n";
        assert!(current(stat).is_none());
    }
}
