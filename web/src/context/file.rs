//! Files as bodies of responses.

use std::panic::Location;
use std::time::SystemTime;

use squall_runtime::FilePart;

use crate::context::Context;
use crate::context::response::{FileInBody, Response, ResponseError};
use crate::error::{Error, Result};
use crate::file::IntoFileSource;
use crate::file::load::{FileBody, LoadedFile, Modified};
use crate::http::{HeaderValue, Method, header};
use crate::types::shield::shielded;

impl Context {
    /// Appends a file to the body of the response. Usually the file is the whole body.
    ///
    /// # Security: the path is trusted
    ///
    /// **The client receives whatever file the path names.** The path is opened as it is: `..` goes
    /// up, an absolute path leaves every folder, and links are followed. A path that contains text
    /// from a client can reach every file that the server may read: keys, passwords, source code. A
    /// path argument can contain `/`, because `%2F` is decoded, and `folder.join(argument)` ignores
    /// the folder if the argument begins with `/`.
    ///
    /// So never build a path from a request. Look the file up in a list of files that may be sent:
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, HTTPError, Result, get, route};
    /// async fn page(cx: &mut Context, name: String) -> Result {
    ///     let file = match name.as_str() {
    ///         "manifest" => "Cargo.toml",
    ///         "changes" => "CHANGELOG.md",
    ///         _ => Err(HTTPError::NOT_FOUND)?,
    ///     };
    ///     cx.send_file(file).await
    /// }
    /// # let client = TestClient::new(Application::new([route("/{name}", get(page))]));
    /// # assert_eq!(client.get("/changes").send().status(), 200);
    /// # assert_eq!(client.get("/..%2FCargo.toml").send().status(), 404);
    /// ```
    ///
    /// # The response
    ///
    /// The file is opened at once, in the [thread pool](crate::IOLoop::run_in_executor), and this
    /// returns an error if that fails. The bytes are sent with the response, when the handler
    /// returns or at a [`flush`](Self::flush), with the length that the file had when it was
    /// opened. The handler does not wait for them, and may delete the file.
    ///
    /// - **`Content-Type`**: from the file's extension (`application/octet-stream` if that is
    ///   unknown; never with a charset), unless the handler has set one or has written something
    ///   before.
    /// - **`Last-Modified`**: set if the file is the whole body, unless the handler has set one.
    /// - **`ETag`**: none, unless the handler has set one.
    /// - **304**: sent to a `GET` or `HEAD` whose `If-None-Match` has the handler's tag, or whose
    ///   `If-Modified-Since` is not before `Last-Modified`.
    /// - **`Range`**: the handler decides. See [`OpenFile::range`](crate::OpenFile::range).
    /// - **`HEAD`**: gets the same headers. Nothing is read.
    ///
    /// HTTP dates have whole seconds, and a file may change twice in one. So a file that changed
    /// less than a second before it was opened never causes a 304 by its date, and its
    /// `Last-Modified` is one second before the change. A handler that sets `Last-Modified` itself
    /// must do the same. A file of `/proc` has no `Last-Modified`.
    ///
    /// A file whose length is 0 is read to its end, because files of `/proc` have content
    /// nevertheless: up to 1 MiB; more is an error. If another process holds a lease on the file,
    /// as Samba does, the file is opened once that process has given the lease up.
    ///
    /// # How a file is sent
    ///
    /// No file is read on the loop's thread, except up to 64 KiB of an
    /// [`OpenFile`](crate::OpenFile) that the kernel has in memory. The pool's job that opens a
    /// file also reads up to 64 KiB of it, which are sent together with the head. The kernel copies
    /// larger files from its cache to the socket (`sendfile`), at most 2 MiB at a time, as fast as
    /// the client reads. The [`write_timeout`](crate::HTTPServer::write_timeout) ends a response
    /// that the client does not read. If the file becomes shorter meanwhile, the connection is
    /// closed, so that the response does not look complete, and the error is logged.
    ///
    /// # Errors
    ///
    /// [`FileError`](crate::FileError): 404 if there is no such file; 403 if the server may not
    /// read it, and for directories and anything else that is not a regular file; otherwise 500.
    /// Also like [`write`](Self::write).
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn manifest(cx: &mut Context) -> Result {
    ///     cx.send_file("Cargo.toml").await
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/manifest", get(manifest))]));
    /// let response = client.get("/manifest").send();
    /// assert!(response.text().starts_with("[package]"));
    /// assert_eq!(response.header("content-type"), Some("text/x-toml"));
    /// assert!(response.header("last-modified").is_some());
    /// ```
    #[track_caller]
    pub fn send_file<F: IntoFileSource>(
        &mut self,
        file: F,
    ) -> impl Future<Output = Result> + use<'_, F> {
        let (source, location) = (file.into_source(), Location::caller());
        async move {
            if self.is_finished() {
                return Err(Error::at(location, ResponseError::Finished));
            }
            let wanted = *self.method() != Method::HEAD;
            let loaded = shielded(source.load(wanted)).await;
            self.append_file(loaded.map_err(|error| Error::at(location, error))?)
        }
    }

    fn append_file(&mut self, loaded: LoadedFile) -> Result {
        let LoadedFile { content_type, modified, body } = loaded;
        let is_first = self.exchange.response.body.is_empty() && !self.is_head_sent();
        if is_first && self.response_header("content-type").is_none() {
            self.set_header(header::CONTENT_TYPE, content_type)?;
        }
        let response = &mut self.exchange.response;
        match body {
            FileBody::Bytes(bytes) => response.body.push(bytes.into()),
            FileBody::Part { file, offset, length } => {
                response.body.push_file(FilePart::new(file, offset, length));
            }
        }
        let length = is_first.then(|| response.body.len());
        response.file = Some(FileInBody { length, modified });
        Ok(())
    }

    /// Returns when the file was modified, if it is the whole body.
    fn file_modified(&self) -> Option<Modified> {
        let Response { file, body, .. } = &self.exchange.response;
        file.filter(|file| file.length == Some(body.len()))?.modified
    }

    /// Sets `Last-Modified`, unless the handler has.
    pub(super) fn date_file(&mut self) {
        if let Some(modified) = self.file_modified()
            && self.exchange.response.headers.first(&header::LAST_MODIFIED).is_none()
        {
            // Fails only once the head has been sent.
            let _ = self.set_header(header::LAST_MODIFIED, http_date(modified.last_modified()));
        }
    }

    /// Whether the client has this version of the file, by its date (RFC 9110 §13.1.3).
    pub(super) fn has_unmodified(&self) -> bool {
        let modified = self.exchange.response.headers.first(&header::LAST_MODIFIED);
        let is_settled = self.file_modified().is_some_and(|modified| modified.is_settled);
        let Some(modified) = modified.filter(|_| is_settled) else {
            return false;
        };
        if !self.is_cacheable() || self.header("if-none-match").is_some() {
            return false;
        }
        let since = self.header("if-modified-since");
        let since = since.and_then(|since| httpdate::parse_http_date(&since).ok());
        let modified = modified.to_str().ok();
        let modified = modified.and_then(|at| httpdate::parse_http_date(at).ok());
        since.zip(modified).is_some_and(|(since, modified)| modified <= since)
    }
}

/// Formats a time for a header. A time in the future, from a wrong clock, becomes now
/// (RFC 9110 §8.8.2.1); a time before 1970 becomes 1970.
fn http_date(time: SystemTime) -> HeaderValue {
    let time = time.min(SystemTime::now()).max(SystemTime::UNIX_EPOCH);
    let text = httpdate::fmt_http_date(time);
    HeaderValue::try_from(text)
        .unwrap_or_else(|_| unreachable!("a date contains only digits, letters and punctuation"))
}
