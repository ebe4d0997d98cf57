//! What holds for all heads, whatever is in them.

use proptest::prelude::*;

use super::*;

/// Text that looks like a head, often nearly right.
fn nearly_a_head() -> impl Strategy<Value = Vec<u8>> {
    let line_end =
        prop_oneof![30 => Just("\r\n"), 1 => Just("\n"), 1 => Just("\r"), 1 => Just("\r\r\n")];
    let method = prop_oneof![4 => Just("GET".to_owned()), 1 => Just("CONNECT".to_owned()), 4 => "[A-Z!,]{1,9}"];
    let target = prop_oneof![4 => "/[a-z0-9/%.]{0,20}", 2 => "/[ -~]{0,20}", 1 => Just("*".to_owned()), 1 => "https?://[a-z:/?#@]{0,9}"];
    let version = prop_oneof![8 => Just("HTTP/1.1".to_owned()), 2 => Just("HTTP/1.0".to_owned()), 1 => "[Hh]TTP/[0-9].[0-9]"];
    let name = prop_oneof![
        2 => prop::sample::select(vec!["Connection", "Content-Length", "Transfer-Encoding", "Expect", "Upgrade", "Cookie"]).prop_map(str::to_owned),
        4 => "[A-Za-z-]{1,20}",
        1 => "[!-~ ]{0,9}",
    ];
    let value = prop_oneof![
        2 => prop::sample::select(vec!["close", "keep-alive", "3", "chunked", "100-continue", "upgrade, close"]).prop_map(str::to_owned),
        4 => "[ -~\t]{0,80}",
        1 => "[\0-\u{ff}]{0,9}",
    ];
    let field = (
        name,
        prop_oneof![9 => Just(": "), 1 => Just(":"), 1 => Just(" :")],
        value,
        line_end.clone(),
    );
    let host = prop_oneof![9 => Just("Host: a\r\n".to_owned()), 1 => "Host: [ -~]{0,9}\r\n", 1 => Just(String::new())];
    let fields = prop::collection::vec(field, 0..8);
    (method, target, version, line_end.clone(), host, fields, line_end).prop_map(
        |(method, target, version, end, host, fields, blank)| {
            let mut head = format!("{method} {target} {version}{end}{host}");
            for (name, colon, value, end) in fields {
                head += &(name + colon + &value + end);
            }
            (head + blank).into_bytes()
        },
    )
}

/// A head that is right, with a few bytes replaced.
fn damaged_head() -> impl Strategy<Value = Vec<u8>> {
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    damage.prop_map(|damage| {
        let mut head =
            b"POST /path?query HTTP/1.1\r\nHost: example.com:80\r\nContent-Length: 12\r\n\
            Connection: keep-alive\r\nX-Long: 0123456789012345678901234567890123456789\r\n\r\n"
                .to_vec();
        for (index, byte) in damage {
            let index = index.index(head.len());
            head[index] = byte;
        }
        head
    })
}

fn any_head() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![nearly_a_head(), damaged_head(), prop::collection::vec(any::<u8>(), 0..40)]
}

/// What the parser says of the front of `bytes` as a whole.
fn whole(bytes: &[u8]) -> Result<Option<Parsed>, HeadError> {
    let mut head = Head::new();
    let read = head.read(&mut HeadSearch::default(), bytes, &LIMITS)?;
    Ok(read.map(|range| Parsed { head, bytes: bytes[range].to_vec() }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn pieces_are_read_as_the_whole(bytes in any_head(), mut cuts in prop::collection::vec(0..300_usize, 0..6)) {
        cuts.push(bytes.len());
        cuts.sort_unstable();
        let (mut head, mut search) = (Head::new(), HeadSearch::default());
        let mut in_pieces = Ok(None);
        for cut in cuts {
            in_pieces = head.read(&mut search, &bytes[..cut.min(bytes.len())], &LIMITS);
            if in_pieces != Ok(None) {
                break;
            }
        }
        match (whole(&bytes), in_pieces) {
            (Ok(Some(whole)), Ok(Some(range))) => {
                let pieces = Parsed { head, bytes: bytes[range].to_vec() };
                prop_assert_eq!(whole.appearance(), pieces.appearance());
            }
            (Ok(None), Ok(None)) | (Err(_), Err(_)) => {}
            // What arrives in pieces is looked at less closely until it is complete.
            (Err(_), Ok(None)) => {
                let completed = [bytes.as_slice(), b"\r\n\r\n"].concat();
                prop_assert!(head.read(&mut search, &completed, &LIMITS).is_err());
            }
            (whole, pieces) => prop_assert!(false, "{whole:?} {pieces:?}"),
        }
    }

    #[test]
    fn what_is_accepted_is_read_as_others_read_it(bytes in any_head()) {
        if let Ok(Some(parsed)) = whole(&bytes) {
            let mut fields = [httparse::EMPTY_HEADER; 64];
            let mut request = httparse::Request::new(&mut fields);
            let mut text = parsed.bytes.clone();
            // Of later minor versions and of targets not in UTF-8 it knows nothing.
            let version = text.windows(7).position(|window| window == b" HTTP/1").unwrap() + 8;
            if text[version] > b'1' {
                text[version] = b'1';
            }
            if text.is_ascii() {
                prop_assert_eq!(request.parse(&text), Ok(httparse::Status::Complete(text.len())));
                prop_assert_eq!(request.method, Some(parsed.head.method.as_str()));
                prop_assert_eq!(request.path.map(str::as_bytes), Some(parsed.head.target.of(&parsed.bytes)));
                prop_assert_eq!(request.version == Some(0), parsed.head.version == Version::Http10);
                let fields = request.headers.iter().map(|field| (field.name.as_bytes(), field.value));
                let ours = parsed.head.fields.iter().map(|field| (field.name.of(&parsed.bytes), field.value.of(&parsed.bytes)));
                prop_assert!(fields.eq(ours));
            }
        }
    }

    #[test]
    fn what_is_accepted_is_sound(bytes in any_head()) {
        if let Ok(Some(parsed)) = whole(&bytes) {
            let path = parsed.head.path.of(&parsed.bytes);
            let odd = [Method::CONNECT, Method::OPTIONS].contains(&parsed.head.method);
            prop_assert!(path.starts_with(b"/") || odd);
            prop_assert!(!path.iter().any(|byte| matches!(byte, 0..=b' ' | b'?' | b'#' | 0x7f)));
            prop_assert!(parsed.bytes.ends_with(b"\r\n\r\n"));
            let lines = parsed.bytes.split(|&byte| byte == b'\n').count();
            prop_assert_eq!(lines, parsed.head.fields.len() + 3, "no line is lost");
            prop_assert!(parsed.head.version == Version::Http10 || parsed.head.authority.is_some());
        }
    }

    #[test]
    fn what_others_accept_is_refused_for_what_they_do_not_look_at(bytes in any_head()) {
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut fields);
        let Ok(httparse::Status::Complete(end)) = request.parse(&bytes) else { return Ok(()) };
        match whole(&bytes[..end]) {
            Ok(parsed) => prop_assert!(parsed.is_some()),
            Err(HeadError::LineEnd) => {
                let bare = |at: usize| at == 0 || bytes[at - 1] != b'\r';
                let alone = bytes[..end].iter().enumerate().any(|(at, &byte)| byte == b'\n' && bare(at));
                prop_assert!(alone);
            }
            Err(
                HeadError::NotHttp
                | HeadError::RequestLine
                | HeadError::Version
                | HeadError::FieldName
                | HeadError::FieldValue
                | HeadError::TooLarge,
            ) => prop_assert!(false, "{:?}", String::from_utf8_lossy(&bytes)),
            Err(_) => {}
        }
    }
}
