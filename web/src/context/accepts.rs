//! Content negotiation (RFC 9110 §12.5.1).

use crate::context::Context;
use crate::http1::field::elements;

impl Context {
    /// Returns the one of `offers` that the client prefers, by its `Accept` headers. `None` if it
    /// accepts none of them.
    ///
    /// Offers are media types: `"text/html"`. Put your favourite first: it wins between offers that
    /// the client likes equally, and if there is no `Accept` header. A more specific range decides
    /// before a general one, and `q=0` excludes. Malformed ranges are ignored.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, HTTPError, Result, StatusCode};
    /// # use squall::{get, route};
    /// async fn show(cx: &mut Context) -> Result {
    ///     match cx.accepts(["text/html", "application/json"]) {
    ///         Some("application/json") => cx.json(&[1, 2]),
    ///         Some(_) => cx.write("<p>1, 2</p>"),
    ///         None => Err(HTTPError::new(StatusCode::NOT_ACCEPTABLE))?,
    ///     }
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", get(show))]));
    /// let text = |accept: &str| client.get("/").header("Accept", accept).send().text();
    /// assert_eq!(text("application/json, text/html;q=0.5"), "[1,2]");
    /// assert_eq!(text("text/*, application/json;q=0.9"), "<p>1, 2</p>");
    /// assert_eq!(client.get("/").header("Accept", "image/png").send().status(), 406);
    /// ```
    pub fn accepts<'a>(&self, offers: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
        let ranges = self.connection.with(|buffers| {
            let head = buffers.input.head();
            let fields = self.exchange.head.fields.iter();
            let accepts =
                fields.filter(|field| field.name.of(head).eq_ignore_ascii_case(b"accept"));
            let elements = accepts.flat_map(|field| elements(field.value.of(head)));
            elements.filter_map(AcceptedRange::parse).collect::<Vec<_>>()
        });
        let mut best: Option<(&str, u16)> = None;
        for offer in offers {
            let weight = if ranges.is_empty() { 1000 } else { weight(&ranges, offer) };
            if weight > best.map_or(0, |(_, weight)| weight) {
                best = Some((offer, weight));
            }
        }
        best.map(|(offer, _)| offer)
    }
}

/// A range of media types, and how much the client likes them.
struct AcceptedRange {
    main: String,
    sub: String,
    /// In thousandths.
    weight: u16,
}

impl AcceptedRange {
    fn parse(element: &[u8]) -> Option<Self> {
        let mut parts = str::from_utf8(element).ok()?.split(';');
        let (main, sub) = parts.next()?.trim().split_once('/')?;
        let weight = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then(|| thousandths(value.trim()))
        });
        let weight = weight.unwrap_or(Some(1000))?;
        Some(Self { main: main.to_ascii_lowercase(), sub: sub.to_ascii_lowercase(), weight })
    }

    /// Returns how specific the range is, if it includes the type.
    fn matches(&self, main: &str, sub: &str) -> Option<u8> {
        match (&*self.main, &*self.sub) {
            ("*", "*") => Some(0),
            (range, "*") if range.eq_ignore_ascii_case(main) => Some(1),
            (range, exact)
                if range.eq_ignore_ascii_case(main) && exact.eq_ignore_ascii_case(sub) =>
            {
                Some(2)
            }
            _ => None,
        }
    }
}

/// Returns the weight of the most specific range that includes `offer`, or 0.
fn weight(ranges: &[AcceptedRange], offer: &str) -> u16 {
    let essence = offer.split(';').next().unwrap_or_default().trim();
    let (main, sub) = essence.split_once('/').unwrap_or((essence, ""));
    let matching =
        ranges.iter().filter_map(|range| Some((range.matches(main, sub)?, range.weight)));
    matching.max().map_or(0, |(_, weight)| weight)
}

/// Parses a weight: `0`, `1`, or a number between them with at most three decimals (RFC 9110
/// §12.4.2).
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let is_valid = decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    let decimals = format!("{decimals:0<3}").parse::<u16>().ok().filter(|_| is_valid)?;
    match whole {
        "0" => Some(decimals),
        "1" if decimals == 0 => Some(1000),
        _ => None,
    }
}
