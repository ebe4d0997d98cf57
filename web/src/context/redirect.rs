//! Redirects.

use percent_encoding::{AsciiSet, utf8_percent_encode};

use crate::context::Context;
use crate::context::response::ResponseError;
use crate::error::Result;
use crate::http::{StatusCode, header};

impl Context {
    /// Redirects to the path with a `/` added at its end or removed from it: 308.
    pub(crate) fn redirect_to_other_slash(&mut self) -> Result {
        let path = self.path();
        let mut url = match path.strip_suffix('/') {
            Some(rest) => rest.to_owned(),
            None => format!("{path}/"),
        };
        if url.starts_with("//") {
            // Two slashes would begin the name of another host.
            url.insert_str(0, "/.");
        }
        if self.exchange.head.query.is_some() {
            url.push('?');
            url.push_str(&self.query());
        }
        self.redirect_with(StatusCode::PERMANENT_REDIRECT, &url)
    }

    /// Returns `text` with the path arguments in place of their names in braces, as the client has
    /// sent them.
    pub(crate) fn fill_with_path_arguments(&self, text: &str) -> String {
        let names = self.with_pattern(|pattern| pattern.argument_names().to_vec());
        let mut filled = text.to_owned();
        for (position, name) in names.unwrap_or_default().iter().enumerate() {
            let Some(range) = self.exchange.arguments.range(position) else { continue };
            let range = self.exchange.head.path.part(range.start, range.end);
            let value = self.with_bytes(range, |bytes| String::from_utf8_lossy(bytes).into_owned());
            filled = filled.replace(&format!("{{{name}}}"), &value);
        }
        filled
    }

    /// Redirects the client to `url` with 302 Found, and finishes the response.
    ///
    /// # Errors
    ///
    /// Like [`redirect_with`](Self::redirect_with).
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn old(cx: &mut Context) -> Result {
    ///     cx.redirect("/new")
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/old", get(old))]));
    /// let response = client.get("/old").send();
    /// assert_eq!((response.status().as_u16(), response.header("location")), (302, Some("/new")));
    /// ```
    #[track_caller]
    pub fn redirect(&mut self, url: &str) -> Result {
        self.redirect_with(StatusCode::FOUND, url)
    }

    /// Redirects the client to `url` with `status`, and finishes the response.
    ///
    /// `url` is absolute, or relative to the request. The `Location` header gets it percent-encoded
    /// as a browser would: text outside ASCII, spaces, tabs, `"`, `<` and `>` everywhere, and a few
    /// more characters in the path and the fragment. Escapes such as `%20` stay as they are. Spaces
    /// and tabs at either end are removed.
    ///
    /// # Errors
    ///
    /// The response does not change if this fails:
    /// - [`ResponseError::NotRedirect`] if `status` is not 3xx, or is 304 Not Modified;
    /// - [`ResponseError::HeadSent`] once the head has been flushed;
    /// - if `url` contains a control character other than a tab, such as a line end.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, StatusCode, get, route};
    /// async fn old(cx: &mut Context) -> Result {
    ///     cx.redirect_with(StatusCode::MOVED_PERMANENTLY, "/caf\u{e9} noir?a=b c")
    /// }
    ///
    /// let response = TestClient::new(Application::new([route("/", get(old))])).get("/").send();
    /// assert_eq!(response.header("location"), Some("/caf%C3%A9%20noir?a=b%20c"));
    /// ```
    #[track_caller]
    pub fn redirect_with(&mut self, status: StatusCode, url: &str) -> Result {
        if !status.is_redirection() || status == StatusCode::NOT_MODIFIED {
            return Err(ResponseError::NotRedirect(status).into());
        }
        self.set_header(header::LOCATION, encode(url))?;
        self.set_status(status);
        self.exchange.response.body.clear();
        self.complete()
    }
}

/// The characters that a browser encodes in every part of a URL. Control characters other than the
/// tab are not included: no header may contain them, and encoding them would hide a mistake.
const ANYWHERE: &AsciiSet = &AsciiSet::EMPTY.add(b'\t').add(b' ').add(b'"').add(b'<').add(b'>');

const IN_PATHS: &AsciiSet = &ANYWHERE.add(b'`').add(b'{').add(b'}');

const IN_FRAGMENTS: &AsciiSet = &ANYWHERE.add(b'`');

/// Percent-encodes each part of `url` by the rules of the URL standard.
fn encode(url: &str) -> String {
    let url = url.trim_matches([' ', '\t']);
    let (url, fragment) = url.split_at(url.find('#').unwrap_or(url.len()));
    let (path, query) = url.split_at(url.find('?').unwrap_or(url.len()));
    let parts = [(path, IN_PATHS), (query, ANYWHERE), (fragment, IN_FRAGMENTS)];
    parts.iter().flat_map(|(part, set)| utf8_percent_encode(part, set)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_a_url_is_encoded_by_its_own_rules() {
        let cases = [
            ("", ""),
            ("/", "/"),
            ("/a b\tc", "/a%20b%09c"),
            ("/\u{e9}?\u{e9}#\u{e9}", "/%C3%A9?%C3%A9#%C3%A9"),
            ("/\u{1f980}", "/%F0%9F%A6%80"),
            ("https://b\u{fc}cher.example/x", "https://b%C3%BCcher.example/x"),
            ("/\"<>`{}?\"<>`{}#\"<>`{}", "/%22%3C%3E%60%7B%7D?%22%3C%3E`{}#%22%3C%3E%60{}"),
            ("/a%20b%zz%", "/a%20b%zz%"),
            (
                "//h:1/a;b=c,d/(e)!*'~@$&+[f]|g^\\?x=1&y=/?#a?b#c",
                "//h:1/a;b=c,d/(e)!*'~@$&+[f]|g^\\?x=1&y=/?#a?b#c",
            ),
            (" \t/a b\t ", "/a%20b"),
            ("?a b", "?a%20b"),
            ("#a b", "#a%20b"),
            ("/a\r\nb", "/a\r\nb"),
        ];
        for (url, expected) in cases {
            assert_eq!(encode(url), expected, "{url:?}");
        }
    }
}
