//! Files that a response consists of.
//!
//! # Layout
//! - [`open`]: [`OpenFile`], an open file or a part of it;
//! - [`source`]: [`FileSource`], everything that [`Context::send_file`](crate::Context::send_file)
//!   accepts;
//! - [`load`]: opens a file, and reads it if it is small;
//! - `error`: why a file cannot be sent.

mod error;
pub(crate) mod load;
mod open;
mod source;

pub use error::{FileError, FileErrorKind};
pub use open::OpenFile;
pub use source::{FileSource, IntoFileSource};
