//! The arguments of a request, from its query and its form.

use serde::de::DeserializeOwned;

use crate::context::Context;
use crate::context::encoding::unknown_coding;
use crate::context::path_arguments::FromArgument;
use crate::error::{Error, Result, invalid};
use crate::forms::urlencoded::{Fields, check_fields};
use crate::types::content::Content;
use crate::types::text::Text;

const FORM: &str = "application/x-www-form-urlencoded";

impl Context {
    /// Returns the argument called `name`: from a form in the body, or from the query if the form
    /// has none. If there are several, returns the last one.
    ///
    /// A form is a body of type `application/x-www-form-urlencoded`. It is read unless the route
    /// streams the body. Spaces around the value are removed, as in Tornado. Other arguments are
    /// not decoded, so it does not matter if they are not UTF-8.
    ///
    /// # Errors
    ///
    /// 400 if the argument is missing or not UTF-8, and if the form or the query has more than
    /// 1,000 fields.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn greet(cx: &mut Context) -> Result {
    ///     let name = cx.argument("name")?;
    ///     write!(cx, "Hello, {name}")
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", get(greet).post(greet))]));
    /// assert_eq!(client.get("/?name=Ada%20L.").send().text(), "Hello, Ada L.");
    /// let form = client.post("/").header("Content-Type", "application/x-www-form-urlencoded");
    /// assert_eq!(form.body("name=Ada").send().text(), "Hello, Ada");
    /// ```
    pub fn argument(&self, name: &str) -> Result<Text> {
        self.find_argument(name)?.map(|(_, text)| text).ok_or_else(|| missing(name))
    }

    /// Returns the argument called `name`, parsed.
    ///
    /// # Errors
    ///
    /// Like [`argument`](Self::argument), and 400 if it does not parse as a `T`. The message for the
    /// client names the argument and its source.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn twice(cx: &mut Context) -> Result {
    ///     let n: u32 = cx.argument_as("n")?;
    ///     cx.write((2 * n).to_string())
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", get(twice))]));
    /// assert_eq!(client.get("/?n=21").send().text(), "42");
    /// let refused = client.get("/?n=many").send();
    /// assert_eq!(refused.status(), 400);
    /// assert!(refused.text().contains("query argument &quot;n&quot;: &quot;many&quot; is not valid"));
    /// assert_eq!(client.get("/").send().status(), 400);
    /// ```
    pub fn argument_as<T: FromArgument>(&self, name: &str) -> Result<T> {
        self.argument_opt(name)?.ok_or_else(|| missing(name))
    }

    /// Returns the argument called `name`, parsed, or `None` if there is none.
    ///
    /// # Errors
    ///
    /// Like [`argument_as`](Self::argument_as), but a missing argument is not an error.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn list(cx: &mut Context) -> Result {
    ///     let since: Option<u32> = cx.argument_opt("since")?;
    ///     write!(cx, "{since:?}")
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", get(list))]));
    /// assert_eq!(client.get("/?since=1999").send().text(), "Some(1999)");
    /// assert_eq!(client.get("/").send().text(), "None");
    /// assert_eq!(client.get("/?since=ever").send().status(), 400);
    /// ```
    pub fn argument_opt<T: FromArgument>(&self, name: &str) -> Result<Option<T>> {
        match self.find_argument(name)? {
            Some((source, text)) => parse(source, name, &text).map(Some),
            None => Ok(None),
        }
    }

    /// Returns the argument called `name`, parsed, or `default` if there is none.
    ///
    /// # Errors
    ///
    /// Like [`argument_opt`](Self::argument_opt): an argument that does not parse is an error.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn list(cx: &mut Context) -> Result {
    ///     let page = cx.argument_or("page", 1)?;
    ///     write!(cx, "page {page}")
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", get(list))]));
    /// assert_eq!(client.get("/?page=7").send().text(), "page 7");
    /// assert_eq!(client.get("/").send().text(), "page 1");
    /// ```
    pub fn argument_or<T: FromArgument>(&self, name: &str, default: T) -> Result<T> {
        Ok(self.argument_opt(name)?.unwrap_or(default))
    }

    /// Returns all arguments called `name`: first from the query, then from the form.
    ///
    /// # Errors
    ///
    /// Like [`argument`](Self::argument), but a missing argument is not an error.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn tags(cx: &mut Context) -> Result {
    ///     let tags = cx.arguments("tag")?;
    ///     cx.json(&tags)
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", get(tags))]));
    /// assert_eq!(client.get("/?tag=a&tag=b%20c").send().text(), r#"["a","b c"]"#);
    /// assert_eq!(client.get("/").send().text(), "[]");
    /// ```
    pub fn arguments(&self, name: &str) -> Result<Vec<Text>> {
        self.query_fields()?.all(name).chain(self.form_fields()?.all(name)).collect()
    }

    /// Returns all arguments called `name`, parsed, in the order of [`arguments`](Self::arguments).
    ///
    /// # Errors
    ///
    /// Like [`argument_as`](Self::argument_as), but a missing argument is not an error.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn sum(cx: &mut Context) -> Result {
    ///     let numbers: Vec<u32> = cx.arguments_as("n")?;
    ///     cx.write(numbers.iter().sum::<u32>().to_string())
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", get(sum))]));
    /// assert_eq!(client.get("/?n=40&n=2").send().text(), "42");
    /// assert_eq!(client.get("/?n=40&n=two").send().status(), 400);
    /// ```
    pub fn arguments_as<T: FromArgument>(&self, name: &str) -> Result<Vec<T>> {
        let query = self.query_fields()?.all(name).map(|text| parse(QUERY, name, &text?));
        let form = self.form_fields()?.all(name).map(|text| parse(BODY, name, &text?));
        query.chain(form).collect()
    }

    /// Returns the argument of the query called `name`, and ignores a form. If there are several,
    /// returns the last one.
    ///
    /// # Errors
    ///
    /// Like [`argument_opt`](Self::argument_opt).
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, post, route};
    /// async fn save(cx: &mut Context) -> Result {
    ///     let draft = cx.query_argument("draft")?.unwrap_or(false);
    ///     let title: Option<String> = cx.body_argument("title")?;
    ///     write!(cx, "{draft} {title:?}")
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", post(save))]));
    /// let response = client.post("/?draft=true&title=no").form(&[("title", "yes")]).send();
    /// assert_eq!(response.text(), r#"true Some("yes")"#);
    /// ```
    pub fn query_argument<T: FromArgument>(&self, name: &str) -> Result<Option<T>> {
        let found = self.query_fields()?.last(name)?;
        found.map(|text| parse(QUERY, name, &text)).transpose()
    }

    /// Returns the argument of the form called `name`, and ignores the query. If there are several,
    /// returns the last one.
    ///
    /// # Errors
    ///
    /// Like [`argument_opt`](Self::argument_opt).
    pub fn body_argument<T: FromArgument>(&self, name: &str) -> Result<Option<T>> {
        let found = self.form_fields()?.last(name)?;
        found.map(|text| parse(BODY, name, &text)).transpose()
    }

    /// Returns the bytes of the argument called `name`, percent-decoded. They need not be UTF-8, and
    /// spaces around them are kept.
    ///
    /// # Errors
    ///
    /// 400 if the form or the query has more than 1,000 fields.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn hash(cx: &mut Context) -> Result {
    ///     let hash = cx.argument_bytes("info_hash")?.unwrap_or_default();
    ///     write!(cx, "{hash:x?}")
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", get(hash))]));
    /// assert_eq!(client.get("/?info_hash=%ff%00a").send().text(), "[ff, 0, 61]");
    /// ```
    pub fn argument_bytes(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let found = self.form_fields()?.last_bytes(name);
        Ok(match found {
            None => self.query_fields()?.last_bytes(name),
            found => found,
        })
    }

    /// Returns the argument called `name` and its source.
    fn find_argument(&self, name: &str) -> Result<Option<(&'static str, Text)>> {
        if let Some(text) = self.form_fields()?.last(name)? {
            return Ok(Some((BODY, text)));
        }
        Ok(self.query_fields()?.last(name)?.map(|text| (QUERY, text)))
    }

    /// Deserializes the query into a `T`.
    ///
    /// Bytes that are not UTF-8 become U+FFFD, the replacement character. To refuse them, use
    /// [`argument`](Self::argument).
    ///
    /// # Errors
    ///
    /// 400 if the query does not fit the type, and if it has more than 1,000 fields.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// #[derive(serde::Deserialize)]
    /// struct Search {
    ///     q: String,
    ///     #[serde(default)]
    ///     page: u32,
    /// }
    ///
    /// async fn search(cx: &mut Context) -> Result {
    ///     let search: Search = cx.query_as()?;
    ///     cx.write(format!("{}, page {}", search.q, search.page))
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", get(search))]));
    /// assert_eq!(client.get("/?q=wind&page=2").send().text(), "wind, page 2");
    /// ```
    pub fn query_as<T: DeserializeOwned>(&self) -> Result<T> {
        let query = self.encoded_query();
        check_fields(&query)?;
        serde_html_form::from_bytes(&query).map_err(|error| invalid("query", error))
    }

    /// Returns the query as it was sent.
    fn encoded_query(&self) -> Content {
        let Some(range) = self.exchange.head.query else { return Content::default() };
        let (buffer, range) = self.connection.with(|buffers| buffers.input.share(range));
        Content::shared(&buffer, range.start, range.end)
    }

    fn query_fields(&self) -> Result<&Fields> {
        let cache = &self.exchange.cache().query;
        if let Some(fields) = cache.get() {
            return Ok(fields);
        }
        let fields = Fields::parse(self.encoded_query())?;
        Ok(cache.get_or_init(|| fields))
    }

    fn form_fields(&self) -> Result<&Fields> {
        let cache = &self.exchange.cache().form;
        if let Some(fields) = cache.get() {
            return Ok(fields);
        }
        let body = self.connection.with(|buffers| buffers.body.whole(&buffers.input));
        let fields = match body {
            Some(body) if !body.is_empty() && self.has_form() => {
                if self.is_body_encoded() {
                    Err(unknown_coding())?;
                }
                Fields::parse(body)?
            }
            _ => Fields::default(),
        };
        Ok(cache.get_or_init(|| fields))
    }

    /// Whether the body is declared as a form.
    pub(crate) fn has_form(&self) -> bool {
        let content_type = self.header("content-type").unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default();
        media_type.trim().eq_ignore_ascii_case(FORM)
    }
}

const QUERY: &str = "query argument";
const BODY: &str = "form field";

fn missing(name: &str) -> Error {
    invalid(format_args!("argument {name:?}"), "missing")
}

fn parse<T: FromArgument>(source: &str, name: &str, text: &str) -> Result<T> {
    T::from_argument(text).ok_or_else(|| {
        let shown: String = text.chars().take(MAX_SHOWN).collect();
        let dots = if shown.len() < text.len() { "…" } else { "" };
        invalid(format_args!("{source} {name:?}"), format_args!("{shown:?}{dots} is not valid"))
    })
}

/// The most characters of an invalid argument that its error shows.
const MAX_SHOWN: usize = 40;
