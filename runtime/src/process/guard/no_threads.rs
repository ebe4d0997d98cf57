//! There is no simple way to ask for the threads of a process here; a loop is found all the same.

use std::io;

pub(super) fn others() -> io::Result<Vec<String>> {
    Ok(Vec::new())
}
