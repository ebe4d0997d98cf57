use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, SERVER, TRANSFER_ENCODING};
use proptest::prelude::*;

use super::*;

fn day() -> &'static Cell<DateLine> {
    Box::leak(Box::new(Cell::new(*b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n")))
}

fn pair(name: &str, value: &str) -> (HeaderName, HeaderValue) {
    (name.parse().unwrap(), value.parse().unwrap())
}

fn list(headers: &[(HeaderName, HeaderValue)]) -> HeaderList {
    let mut list = HeaderList::new();
    list.extend(headers);
    list
}

/// An ordinary response. Tests replace parts of it.
fn ordinary(headers: &HeaderList) -> ResponseHead<'_> {
    ResponseHead {
        status: StatusCode::OK,
        reason: None,
        headers,
        framing: ResponseFraming::Length(13),
        connection: ConnectionHeader::Implied,
        date: day(),
        etag: None,
        server: true,
    }
}

fn text(head: &ResponseHead<'_>) -> String {
    let mut out = SendBuffer::default();
    encode_head(&mut out, head);
    str::from_utf8(out.as_slice()).unwrap().to_owned()
}

/// Like `text`, but without the default `Content-Type`.
fn text_untyped(head: &ResponseHead<'_>) -> String {
    text(head).replace("Content-Type: text/html; charset=UTF-8\r\n", "")
}

#[test]
fn an_ordinary_response() {
    let headers = list(&[pair("content-type", "text/html; charset=UTF-8")]);
    let etag = ETag::of(b"Hello, world!");
    let head = ResponseHead { etag: Some(etag), ..ordinary(&headers) };
    let tag = etag.text();
    let etag = str::from_utf8(&tag).unwrap();
    let server = concat!("Server: Squall/", env!("CARGO_PKG_VERSION"), "\r\n");
    assert_eq!(
        text(&head),
        format!(
            "HTTP/1.1 200 OK\r\n{server}Content-Type: text/html; charset=UTF-8\r\n\
             Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nEtag: {etag}\r\nContent-Length: 13\r\n\r\n"
        )
    );
}

#[test]
fn a_head_is_appended_to_the_buffer() {
    let mut out = SendBuffer::default();
    out.extend(b"the response before");
    encode_head(&mut out, &ordinary(&HeaderList::new()));
    assert!(out.as_slice().starts_with(b"the response beforeHTTP/1.1 200 OK\r\n"));
}

#[test]
fn status_lines() {
    let line = |status: u16, reason| {
        let status = StatusCode::from_u16(status).unwrap();
        let text = text(&ResponseHead { status, reason, ..ordinary(&HeaderList::new()) });
        text.split("\r\n").next().unwrap().to_owned()
    };
    assert_eq!(line(200, None), "HTTP/1.1 200 OK");
    assert_eq!(line(200, Some("Fine")), "HTTP/1.1 200 Fine");
    assert_eq!(line(200, Some("")), "HTTP/1.1 200 ");
    assert_eq!(line(404, None), "HTTP/1.1 404 Not Found");
    assert_eq!(line(418, Some("Caf\u{e9}")), "HTTP/1.1 418 Caf\u{e9}");
    assert_eq!(line(599, None), "HTTP/1.1 599 Unknown");
    for reason in ["a\r\nSet-Cookie: b", "a\nb", "a\0", "\x7f"] {
        assert_eq!(line(404, Some(reason)), "HTTP/1.1 404 Not Found", "{reason:?}");
        assert_eq!(line(599, Some(reason)), "HTTP/1.1 599 Unknown", "{reason:?}");
    }
}

#[test]
fn framings() {
    let lines = |framing| {
        text_untyped(&ResponseHead { framing, server: false, ..ordinary(&HeaderList::new()) })
    };
    let start = "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    for (framing, line) in [
        (ResponseFraming::Length(0), "Content-Length: 0\r\n"),
        (ResponseFraming::Length(9), "Content-Length: 9\r\n"),
        (ResponseFraming::Length(10), "Content-Length: 10\r\n"),
        (ResponseFraming::Length(u64::MAX), "Content-Length: 18446744073709551615\r\n"),
        (ResponseFraming::Chunked, "Transfer-Encoding: chunked\r\n"),
        (ResponseFraming::UntilClose, ""),
        (ResponseFraming::None, ""),
    ] {
        assert_eq!(lines(framing), format!("{start}{line}\r\n"));
    }
}

#[test]
fn the_default_content_type_is_html() {
    let type_of = |framing, headers: &[_]| {
        let text = text(&ResponseHead { framing, ..ordinary(&list(headers)) });
        let line = text.lines().find_map(|line| line.strip_prefix("Content-Type: "));
        line.map(str::to_owned)
    };
    let html = Some("text/html; charset=UTF-8".to_owned());
    assert_eq!(type_of(ResponseFraming::Length(1), &[]), html);
    assert_eq!(type_of(ResponseFraming::Chunked, &[]), html);
    assert_eq!(type_of(ResponseFraming::UntilClose, &[]), html);
    assert_eq!(type_of(ResponseFraming::Length(0), &[]), None);
    assert_eq!(type_of(ResponseFraming::None, &[]), None);
    let own = [pair("content-type", "a/b")];
    assert_eq!(type_of(ResponseFraming::Length(1), &own), Some("a/b".to_owned()));
}

#[test]
fn the_framing_follows_from_version_status_and_length() {
    use ResponseFraming::{Chunked, Length, None as Bodiless, UntilClose};
    let (http10, http11) = (Version::Http10, Version::Http11);
    for (version, status, length, framing) in [
        (http11, 200, Some(3), Length(3)),
        (http11, 200, None, Chunked),
        (http10, 200, Some(3), Length(3)),
        (http10, 200, None, UntilClose),
        (http11, 404, Some(0), Length(0)),
        (http11, 205, Some(0), Length(0)),
        (http11, 204, Some(0), Bodiless),
        (http11, 204, None, Bodiless),
        (http11, 304, Some(3), Bodiless),
        (http11, 103, None, Bodiless),
        (http10, 304, None, Bodiless),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(ResponseFraming::of(version, status, length), framing, "{version:?} {status}");
    }
}

#[test]
fn connection_headers() {
    let last_lines = |connection| {
        let text = text(&ResponseHead { connection, ..ordinary(&HeaderList::new()) });
        text.split_once("Content-Length: 13\r\n").unwrap().1.to_owned()
    };
    assert_eq!(last_lines(ConnectionHeader::Implied), "\r\n");
    assert_eq!(last_lines(ConnectionHeader::Close), "Connection: close\r\n\r\n");
    assert_eq!(last_lines(ConnectionHeader::KeepAlive), "Connection: Keep-Alive\r\n\r\n");
    assert_eq!(last_lines(ConnectionHeader::Upgrade), "Connection: Upgrade\r\n\r\n");

    let of = ConnectionHeader::of;
    assert_eq!(of(Version::Http11, true), ConnectionHeader::Implied);
    assert_eq!(of(Version::Http11, false), ConnectionHeader::Close);
    assert_eq!(of(Version::Http10, true), ConnectionHeader::KeepAlive);
    assert_eq!(of(Version::Http10, false), ConnectionHeader::Implied);
}

#[test]
fn a_handlers_date_and_server_replace_the_automatic_ones() {
    let headers = list(&[pair("server", "Mine"), pair("x-a", "b"), pair("date", "today")]);
    assert_eq!(
        text_untyped(&ordinary(&headers)),
        "HTTP/1.1 200 OK\r\nServer: Mine\r\nX-A: b\r\nDate: today\r\nContent-Length: 13\r\n\r\n"
    );
    let none = HeaderList::new();
    let head = ResponseHead { server: false, ..ordinary(&none) };
    assert!(!text(&head).contains("Server"));
}

#[test]
fn a_handler_cannot_set_the_headers_that_govern_the_connection() {
    let headers = list(&[
        pair("content-length", "1"),
        pair("x-a", "b"),
        pair("transfer-encoding", "gzip"),
        pair("connection", "close"),
    ]);
    let text = text_untyped(&ResponseHead { server: false, ..ordinary(&headers) });
    assert_eq!(
        text,
        "HTTP/1.1 200 OK\r\nX-A: b\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 13\r\n\r\n"
    );
}

#[test]
fn a_handlers_connection_close_is_found() {
    let asks_to_close = |headers: &[_]| list(headers).asks_to_close();
    assert!(!asks_to_close(&[]));
    assert!(!asks_to_close(&[pair("connection", "keep-alive"), pair("x", "close")]));
    assert!(asks_to_close(&[pair("connection", "close")]));
    assert!(asks_to_close(&[pair("connection", "x"), pair("connection", "a, CLOSE")]));
}

#[test]
fn names_are_capitalised() {
    for (name, line) in [
        ("content-type", "Content-Type: a"),
        ("set-cookie", "Set-Cookie: a"),
        ("etag", "Etag: a"),
        ("www-authenticate", "Www-Authenticate: a"),
        ("x-request-id", "X-Request-Id: a"),
        ("x--y-", "X--Y-: a"),
        ("1x", "1x: a"),
    ] {
        let headers = list(&[pair(name, "a")]);
        assert!(text(&ordinary(&headers)).contains(&format!("\r\n{line}\r\n")), "{name}");
    }
}

#[test]
fn the_table_of_names_is_right() {
    for name in [
        "age",
        "vary",
        "etag",
        "link",
        "allow",
        "expires",
        "location",
        "set-cookie",
        "retry-after",
        "cache-control",
        "content-range",
        "accept-ranges",
        "last-modified",
        "content-encoding",
        "content-language",
        "content-disposition",
        "content-security-policy",
        "strict-transport-security",
        "x-content-type-options",
        "x-frame-options",
        "access-control-allow-origin",
    ] {
        let mut out = SendBuffer::default();
        capitalise(&mut out, name);
        assert_eq!(capitalised(name).map(str::as_bytes), Some(out.as_slice()));
    }
}

#[test]
fn chunks() {
    for (len, start) in [
        (1, "1"),
        (9, "9"),
        (10, "a"),
        (15, "f"),
        (16, "10"),
        (255, "ff"),
        (4096, "1000"),
        (u64::MAX, "ffffffffffffffff"),
    ] {
        let mut out = SendBuffer::default();
        chunk_start(&mut out, len);
        assert_eq!(str::from_utf8(out.as_slice()).unwrap().to_owned(), format!("{start}\r\n"));
    }
}

#[test]
fn informational_responses_and_trailers() {
    let mut out = SendBuffer::default();
    let headers = [pair("link", "</a.css>; rel=preload"), pair("content-length", "3")];
    encode_informational(&mut out, StatusCode::EARLY_HINTS, &headers);
    assert_eq!(out.as_slice(), b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n");
    out.clear();
    encode_informational(&mut out, StatusCode::CONTINUE, &[]);
    assert_eq!(out.as_slice(), CONTINUE);
    out.clear();
    encode_trailers(&mut out, &[pair("x-sum", "1"), pair("transfer-encoding", "x")]);
    assert_eq!(out.as_slice(), b"0\r\nX-Sum: 1\r\n\r\n");
    out.clear();
    encode_trailers(&mut out, &[]);
    assert_eq!(out.as_slice(), LAST_CHUNK);
}

fn any_header() -> impl Strategy<Value = (HeaderName, HeaderValue)> {
    let standard = prop::sample::select(vec![
        CONTENT_TYPE,
        SERVER,
        DATE,
        CONNECTION,
        CONTENT_LENGTH,
        TRANSFER_ENCODING,
    ]);
    let own = "[!#-'*+.^_`|~0-9A-Za-z-]{1,30}".prop_map(|name| name.parse().unwrap());
    let value = "([!-~][ -~\t]{0,60}[!-~])?".prop_map(|value| value.parse().unwrap());
    (prop_oneof![standard, own], value)
}

proptest! {
    #[test]
    fn an_encoded_head_parses_back(
        status in 100..1000_u16,
        reason in prop::option::of("[ -~]{0,20}"),
        headers in prop::collection::vec(any_header(), 0..10),
        length in any::<u64>(),
        server in any::<bool>(),
    ) {
        let list = list(&headers);
        let head = ResponseHead {
            status: StatusCode::from_u16(status).unwrap(),
            reason: reason.as_deref(),
            framing: ResponseFraming::Length(length),
            server,
            ..ordinary(&list)
        };
        let text = if list.has(HeaderRole::ContentType) { text(&head) } else { text_untyped(&head) };
        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut fields);
        prop_assert_eq!(response.parse(text.as_bytes()), Ok(httparse::Status::Complete(text.len())));
        prop_assert_eq!((response.version, response.code), (Some(1), Some(status)));
        if let Some(reason) = reason {
            prop_assert_eq!(response.reason, Some(reason.as_str()));
        }

        let values = |name: &str| {
            let fields = response.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
            fields.map(|field| field.value.to_vec()).collect::<Vec<_>>()
        };
        prop_assert_eq!(values("content-length"), [length.to_string().into_bytes()]);
        prop_assert!(values("transfer-encoding").is_empty() && values("connection").is_empty());
        prop_assert!(!values("date").is_empty());
        prop_assert!(!server || !values("server").is_empty());

        let sent = headers.iter().filter(|(name, _)| !HeaderRole::of(name).is_governed());
        for (name, _) in sent.clone() {
            let expected = sent.clone().filter(|(other, _)| other == name);
            let expected: Vec<_> = expected.map(|(_, value)| value.as_bytes().to_vec()).collect();
            prop_assert_eq!(values(name.as_str()), expected);
        }
    }

    #[test]
    fn the_fast_path_writes_the_same_bytes(
        headers in prop::collection::vec(any_header(), 0..4),
        has_etag in any::<bool>(),
        body in "[a-z]{0,40}",
    ) {
        let mut plain = HeaderList::new();
        plain.extend(headers.iter().filter(|(name, _)| {
            matches!(HeaderRole::of(name), HeaderRole::Plain | HeaderRole::ContentType)
        }));
        prop_assert!(plain.are_plain());
        let etag = has_etag.then(|| ETag::of(body.as_bytes()));
        let mut fast = SendBuffer::default();
        encode_fast(&mut fast, &plain, day(), etag, body.as_bytes());
        let framing = ResponseFraming::Length(body.len() as u64);
        let slow = text(&ResponseHead { framing, etag, ..ordinary(&plain) }) + &body;
        prop_assert_eq!(str::from_utf8(fast.as_slice()).unwrap(), slow);
    }

    #[test]
    fn chunks_are_read_back(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..100), 0..6)) {
        use super::super::body::{BodyStep, BodyDecoder};
        use super::super::framing::Framing;
        let mut out = SendBuffer::default();
        for piece in &pieces {
            chunk_start(&mut out, piece.len() as u64);
            out.extend(piece);
            out.extend(CHUNK_END);
        }
        out.extend(LAST_CHUNK);
        let (mut decoder, mut rest, mut body) = (BodyDecoder::new(Framing::Chunked), out.as_slice(), Vec::new());
        while let BodyStep::Data { skip, len } = decoder.decode(rest).unwrap() {
            body.extend_from_slice(&rest[skip..skip + len]);
            rest = &rest[skip + len..];
        }
        prop_assert!(decoder.is_done());
        prop_assert_eq!(body, pieces.concat());
    }
}
