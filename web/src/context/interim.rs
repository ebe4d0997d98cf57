//! What is sent before the response and behind its body.

use crate::context::Context;
use crate::context::response::ResponseError;
use crate::error::Result;
use crate::http::{HeaderName, HeaderValue, StatusCode, header};
use crate::http1::encode::encode_informational;
use crate::http1::field::has_token;

/// What frames a message, controls or routes it, or says how to read its content.
const NO_TRAILERS: [HeaderName; 17] = [
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::DATE,
    header::EXPECT,
    header::HOST,
    header::LOCATION,
    header::SET_COOKIE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::WWW_AUTHENTICATE,
];

impl Context {
    /// Sends an informational response before the final one: `103 Early Hints`, say
    /// (RFC 8297), so that the client can begin to load what the page will need.
    ///
    /// It leaves at once. A client of HTTP/1.0 gets none (RFC 9110 §15.2).
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// use squall::StatusCode;
    ///
    /// async fn page(cx: &mut Context) -> Result {
    ///     let hint = ("Link", "</style.css>; rel=preload");
    ///     cx.send_informational(StatusCode::EARLY_HINTS, [hint]).await?;
    ///     cx.write("the page")
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", get(page))]));
    /// let answer = client.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    /// let hint = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";
    /// assert!(answer.starts_with(&format!("{hint}HTTP/1.1 200 OK\r\n")));
    /// ```
    ///
    /// # Errors
    ///
    /// If a name or a value may not stand in a header, [`ResponseError::HeadSent`] once the head of the response has been flushed,
    /// [`ResponseError::NotInformational`] for a status other than 100 and 102 to 199, and
    /// what [`flush`](Self::flush) fails with.
    pub async fn send_informational<N, V>(
        &mut self,
        status: StatusCode,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Result
    where
        N: TryInto<HeaderName, Error: Into<http::Error>>,
        V: TryInto<HeaderValue, Error: Into<http::Error>>,
    {
        let checked = headers.into_iter().map(|(name, value)| {
            Ok((name.try_into().map_err(Into::into)?, value.try_into().map_err(Into::into)?))
        });
        let headers = checked.collect::<Result<Vec<(HeaderName, HeaderValue)>, http::Error>>()?;
        if self.is_head_sent() {
            return Err(ResponseError::HeadSent.into());
        }
        if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(ResponseError::NotInformational(status).into());
        }
        if !self.is_http11() {
            return Ok(());
        }
        self.connection.with(|buffers| {
            buffers.output.append(|out| encode_informational(out, status, &headers));
        });
        self.connection.flush().await?;
        Ok(())
    }

    /// Adds a header behind the body: a checksum or a status that is known only at its end
    /// (RFC 9110 §6.5).
    ///
    /// It is sent if the response goes in chunks, because it was [flushed](Self::flush), and
    /// the client said `TE: trailers`; otherwise it is dropped, so that it should be something
    /// a client can do without. A `Trailer` header that announces it (RFC 9110 §6.6.2) is set
    /// like any other, before the flush.
    ///
    /// ```
    /// # use squall::{testing::TestClient, Application, Context, Result, get, route};
    /// async fn sum(cx: &mut Context) -> Result {
    ///     cx.write("data")?;
    ///     cx.flush().await?;
    ///     cx.add_trailer("X-Checksum", "410")
    /// }
    ///
    /// let client = TestClient::new(Application::new([route("/", get(sum))]));
    /// let answer = client.exchange("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n");
    /// assert!(answer.ends_with("4\r\ndata\r\n0\r\nX-Checksum: 410\r\n\r\n"));
    /// ```
    ///
    /// # Errors
    ///
    /// If `name` or `value` may not stand in a header; [`ResponseError::NoTrailer`] for one that
    /// a client must know before the body; [`ResponseError::Finished`] once the response is
    /// finished.
    #[track_caller]
    pub fn add_trailer<N, V>(&mut self, name: N, value: V) -> Result
    where
        N: TryInto<HeaderName, Error: Into<http::Error>>,
        V: TryInto<HeaderValue, Error: Into<http::Error>>,
    {
        if self.is_finished() {
            return Err(ResponseError::Finished.into());
        }
        let trailer = (name.try_into().map_err(Into::into)?, value.try_into().map_err(Into::into)?);
        if NO_TRAILERS.contains(&trailer.0) {
            return Err(ResponseError::NoTrailer.into());
        }
        self.exchange.response.trailers.push(trailer);
        Ok(())
    }

    /// Whether the client takes trailers.
    pub(super) fn takes_trailers(&self) -> bool {
        self.connection.with(|buffers| {
            let mut fields = self.exchange.head.fields(buffers.input.head(), "te");
            fields.any(|field| has_token(field, "trailers"))
        })
    }
}
