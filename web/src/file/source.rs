//! [`FileSource`]: everything that `Context::send_file` accepts.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::open::OpenFile;

/// A file to send with [`Context::send_file`](crate::Context::send_file): a path, a
/// [`File`](std::fs::File) or an [`OpenFile`].
///
/// Created with `From`; you seldom need the type itself. There is no conversion from a part of a
/// request ([`Text`](crate::Text)).
///
/// # Examples
///
/// ```
/// use squall::FileSource;
///
/// let sources = [FileSource::from("logo.png"), std::fs::File::open("Cargo.toml")?.into()];
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct FileSource(pub(super) Source);

#[derive(Debug)]
pub(super) enum Source {
    Path(PathBuf),
    File(File),
    Open(OpenFile),
}

/// An argument of [`Context::send_file`](crate::Context::send_file): a path, or an open file.
///
/// A path is a `&str`, a `String`, a `&Path` or a `PathBuf`. A part of a request is not a path by
/// itself, because it may name any file of the machine.
///
/// # Examples
///
/// ```
/// # use squall::{Context, Result};
/// async fn logo(cx: &mut Context) -> Result {
///     cx.send_file("static/logo.svg").await
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a file that can be sent",
    label = "neither a path nor a file",
    note = "a path is a `&str`, `String`, `&Path` or `PathBuf`; before you use text from a client as a path, check that it does not lead to another folder"
)]
pub trait IntoFileSource {
    /// Converts the argument.
    fn into_source(self) -> FileSource;
}

#[diagnostic::do_not_recommend]
impl<T: Into<FileSource>> IntoFileSource for T {
    fn into_source(self) -> FileSource {
        self.into()
    }
}

impl From<&str> for FileSource {
    fn from(path: &str) -> Self {
        Self(Source::Path(path.into()))
    }
}

impl From<String> for FileSource {
    fn from(path: String) -> Self {
        Self(Source::Path(path.into()))
    }
}

impl From<&String> for FileSource {
    fn from(path: &String) -> Self {
        Self(Source::Path(path.into()))
    }
}

impl From<&Path> for FileSource {
    fn from(path: &Path) -> Self {
        Self(Source::Path(path.into()))
    }
}

impl From<PathBuf> for FileSource {
    fn from(path: PathBuf) -> Self {
        Self(Source::Path(path))
    }
}

impl From<&PathBuf> for FileSource {
    fn from(path: &PathBuf) -> Self {
        Self(Source::Path(path.clone()))
    }
}

impl From<File> for FileSource {
    fn from(file: File) -> Self {
        Self(Source::File(file))
    }
}

impl From<OpenFile> for FileSource {
    fn from(file: OpenFile) -> Self {
        Self(Source::Open(file))
    }
}

impl From<&OpenFile> for FileSource {
    fn from(file: &OpenFile) -> Self {
        Self(Source::Open(file.clone()))
    }
}
