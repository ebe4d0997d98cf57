//! Properties of all heads.

use proptest::prelude::*;

use super::*;
use Framing as BodyFraming;

/// The oracle: a parser that is as simple as possible. The fuzz targets use it, too.
#[path = "../../../../fuzz/src/simple.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "the fuzz targets use all of it, from a crate of their own"
)]
mod simple;

/// Text that looks like a head, and is often nearly valid.
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

/// A valid head with a few bytes replaced.
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

/// Reads the head at the front of `bytes`, which arrives whole.
fn whole(bytes: &[u8]) -> Result<Option<Parsed>, HeadError> {
    let mut head = Head::new();
    let read = head.read(&mut PartialHead::default(), bytes, &LIMITS)?;
    Ok(read.map(|range| Parsed { head, bytes: bytes[range].to_vec() }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn pieces_are_read_as_the_whole(bytes in any_head(), mut cuts in prop::collection::vec(0..300_usize, 0..6)) {
        cuts.push(bytes.len());
        cuts.sort_unstable();
        let (mut head, mut partial) = (Head::new(), PartialHead::default());
        let mut in_pieces = Ok(None);
        for cut in cuts {
            in_pieces = head.read(&mut partial, &bytes[..cut.min(bytes.len())], &LIMITS);
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
            // A head that arrives in pieces is checked less strictly until it is complete.
            (Err(_), Ok(None)) => {
                let completed = [bytes.as_slice(), b"\r\n\r\n"].concat();
                prop_assert!(head.read(&mut partial, &completed, &LIMITS).is_err());
            }
            (whole, pieces) => prop_assert!(false, "{whole:?} {pieces:?}"),
        }
    }

    #[test]
    fn an_accepted_head_has_the_same_meaning_in_the_simple_parser(bytes in any_head()) {
        if let Ok(Some(parsed)) = whole(&bytes) {
            let simple::Found::Whole(expected) = simple::head(&bytes) else {
                return Err(TestCaseError::fail("the simple parser refuses it"));
            };
            let head = &parsed.head;
            let lines = head.fields.iter();
            let lines = lines.map(|field| (field.name.of(&parsed.bytes), field.value.of(&parsed.bytes)));
            let expected_lines = expected.fields.iter();
            prop_assert!(expected_lines.map(|(name, value)| (&**name, &**value)).eq(lines));
            prop_assert_eq!(head.method.as_str(), expected.method);
            prop_assert_eq!(head.target.of(&parsed.bytes), expected.target);
            prop_assert_eq!(head.version == Version::Http11, expected.http11);
            prop_assert_eq!(head.framing, expected.framing);
            prop_assert!(bytes[..expected.length].ends_with(&parsed.bytes));
        }
    }

    #[test]
    fn one_step_and_two_steps_find_the_same(bytes in any_head()) {
        prop_assume!(bytes.first().is_some_and(|&byte| is_token_byte(byte)));
        let (mut one, mut two) = (Head::new(), Head::new());
        let in_one = one.parse(&bytes, &LIMITS);
        let in_two = two.parse_in_two_steps(&bytes, &LIMITS);
        match (in_one, in_two) {
            (Ok(in_one), Ok(in_two)) => {
                prop_assert_eq!(in_one, in_two);
                if in_one.is_some() {
                    prop_assert_eq!(format!("{one:?}"), format!("{two:?}"));
                }
            }
            // `parse_in_two_steps` checks the version only once its line is complete.
            (Err(_), Ok(None)) => prop_assert!(!bytes.contains(&b'\n')),
            // `httparse` accepts a line that ends in LF alone; `PartialHead` refuses it.
            (Ok(None), Err(_)) => {
                prop_assert_eq!(PartialHead::default().advance(&bytes), Err(HeadError::LineEnd));
            }
            (Err(one), Err(two)) => prop_assert_eq!(one.status(), two.status()),
            (one, two) => prop_assert!(false, "{one:?} {two:?}"),
        }
    }

    #[test]
    fn an_accepted_head_is_sound(bytes in any_head()) {
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
    fn a_head_that_the_simple_parser_accepts_is_refused_only_for_its_meaning(bytes in any_head()) {
        if let simple::Found::Whole(_) = simple::head(&bytes) {
            match whole(&bytes) {
                Ok(parsed) => prop_assert!(parsed.is_some()),
                Err(HeadError::Target | HeadError::Host | HeadError::BlankLines) => {}
                Err(error) => prop_assert!(false, "{error}: {:?}", bytes.escape_ascii().to_string()),
            }
        }
    }
}
