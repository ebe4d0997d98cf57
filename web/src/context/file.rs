//! Bodies that are files.

use std::panic::Location;
use std::time::SystemTime;

use squall_runtime::FilePart;

use crate::context::Context;
use crate::context::response::{FileInBody, Response, ResponseError};
use crate::error::{Error, Result};
use crate::file::{Content, IntoFileSource, Loaded, Modified};
use crate::http::{HeaderValue, Method, header};
use crate::types::shield::shielded;

impl Context {
    /// Appends a file to the body of the response, which as a rule it is all of.
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
    ///
    /// # The path is trusted
    ///
    /// **Whatever `file` names is sent to whoever asks.** The path is opened as it is: `..` goes up,
    /// an absolute path leaves every folder, links are followed, and a path that a client has had a
    /// say in reaches every file that the server may read: its keys, its passwords,
    /// its source. An argument of the path may hold a `/`, for `%2F` is decoded, and
    /// `folder.join(argument)` forgets the folder if the argument begins with one. So do not build
    /// a path of what a request holds; look the file up by it, in a list of what there is to have:
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
    /// # What is sent
    ///
    /// The file is opened at once, in the [pool](crate::IOLoop::run_in_executor), and what fails is
    /// returned. Its bytes leave when the response does, which is when the handler has returned, or
    /// at a [`flush`](Self::flush): with the length that the file had when it was opened. The handler
    /// does not wait for it, and may delete the file.
    ///
    /// A file that says it is empty is read to its end, because those of `/proc` have content
    /// nevertheless: up to 1 MiB, more is an error. A file on which another process holds a lease, as
    /// Samba does, is opened once that process has given it up.
    ///
    /// The `Content-Type` is that of the extension (`application/octet-stream` if that tells
    /// nothing; never with a charset), unless one is set or something was written before. If the
    /// file is all of the body, it gets a `Last-Modified` when it leaves, unless one is set. No `ETag`
    /// is made. A `GET` or `HEAD` whose `If-None-Match` has the tag that the handler has set, or
    /// whose `If-Modified-Since` is not before `Last-Modified`, is answered with 304. A `Range` is
    /// the handler's to answer: see [`OpenFile::range`](crate::OpenFile::range).
    ///
    /// A header says whole seconds, and a file may change twice in one. So a file that changed less
    /// than a second before it was opened is never answered with 304 by its date, and its
    /// `Last-Modified` is a second earlier than the change. A handler that sets `Last-Modified` itself
    /// has to do the same. A file of `/proc` has no `Last-Modified`.
    ///
    /// `HEAD` gets the same headers, and nothing is read.
    ///
    /// # How
    ///
    /// No file is read on the loop's thread, except for up to 64 KiB of an
    /// [`OpenFile`](crate::OpenFile) that the
    /// system says it has in memory. Up to 64 KiB are read by the trip to the pool that opens the
    /// file, and leave together with the head. More is copied by the system from its cache to the
    /// socket (`sendfile`), at most 2 MiB a trip, as fast as the client takes it; the
    /// [`write_timeout`](crate::HTTPServer::write_timeout) ends one that takes nothing. A file that
    /// becomes shorter meanwhile ends the connection, so that what the client has does not look
    /// whole, and stands in the log.
    ///
    /// # Errors
    ///
    /// [`FileError`](crate::FileError): 404 if there is no such file; 403 if the server may not read
    /// it, and for directories and all else that is no regular file; otherwise 500. And as
    /// [`write`](Self::write).
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

    fn append_file(&mut self, loaded: Loaded) -> Result {
        let Loaded { content_type, modified, content } = loaded;
        let is_first = self.exchange.response.body.is_empty() && !self.is_head_sent();
        if is_first && self.response_header("content-type").is_none() {
            self.set_header(header::CONTENT_TYPE, content_type)?;
        }
        let response = &mut self.exchange.response;
        match content {
            Content::Bytes(bytes) => response.body.push(bytes.into()),
            Content::Part { file, offset, length } => {
                response.body.push_file(FilePart::new(file, offset, length));
            }
        }
        let length = is_first.then(|| response.body.len());
        response.file = Some(FileInBody { length, modified });
        Ok(())
    }

    /// When the file that is all of the body was modified.
    fn file_modified(&self) -> Option<Modified> {
        let Response { file, body, .. } = &self.exchange.response;
        file.filter(|file| file.length == Some(body.len()))?.modified
    }

    /// Says how old the file is, unless the handler has.
    pub(super) fn date_file(&mut self) {
        if let Some(modified) = self.file_modified()
            && self.exchange.response.headers.first(&header::LAST_MODIFIED).is_none()
        {
            // It fails only once the head has left.
            let _ = self.set_header(header::LAST_MODIFIED, http_date(modified.told()));
        }
    }

    /// Whether the client has the file as it is, by its age (RFC 9110 §13.1.3).
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

/// A time as it stands in a header. What was changed in the future, by a clock that is wrong, was
/// changed now (RFC 9110 §8.8.2.1); what was changed before 1970, then.
fn http_date(time: SystemTime) -> HeaderValue {
    let time = time.min(SystemTime::now()).max(SystemTime::UNIX_EPOCH);
    let text = httpdate::fmt_http_date(time);
    HeaderValue::try_from(text).unwrap_or_else(|_| unreachable!("a date is of digits and letters"))
}
