use proptest::prelude::*;

use super::*;

/// Decodes the body at the front of `input`, which arrives in pieces that end at `cuts`. Returns
/// the body and the number of consumed bytes, or `None` if the body is incomplete.
fn decode(
    framing: Framing,
    input: &[u8],
    cuts: impl IntoIterator<Item = usize>,
) -> Result<Option<(Vec<u8>, usize)>, BodyError> {
    let mut decoder = BodyDecoder::new(framing);
    let (mut body, mut consumed) = (Vec::new(), 0);
    for end in cuts.into_iter().chain([input.len()]) {
        loop {
            match decoder.decode(&input[consumed..end])? {
                BodyStep::Data { skip, len } => {
                    assert!(len > 0);
                    body.extend_from_slice(&input[consumed + skip..][..len]);
                    consumed += skip + len;
                    assert!(consumed <= end);
                }
                BodyStep::Skip(skip) => {
                    consumed += skip;
                    assert!(!decoder.is_done());
                    assert_eq!(consumed, end, "all that is there is consumed");
                    break;
                }
                BodyStep::Done { skip } => {
                    assert!(decoder.is_done());
                    return Ok(Some((body, consumed + skip)));
                }
            }
        }
    }
    Ok(None)
}

/// Decodes chunks at once, byte by byte, and followed by other bytes. All results must agree.
#[track_caller]
fn chunks(input: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>, BodyError> {
    let input = input.as_ref();
    let whole = decode(Framing::Chunked, input, []);
    assert_eq!(decode(Framing::Chunked, input, 0..input.len()), whole, "byte by byte");
    if let Ok(Some((_, consumed))) = &whole {
        assert_eq!(*consumed, input.len());
        let longer = [input, b"GET / HTTP/1.1\r\n\r\n"].concat();
        assert_eq!(decode(Framing::Chunked, &longer, []), whole, "with more behind it");
    }
    whole.map(|done| done.map(|(body, _)| body))
}

#[track_caller]
fn refused(input: &str, status: u16) {
    match chunks(input) {
        Err(error) => assert_eq!(error.status(), status, "{input:?}: {error}"),
        Ok(body) => panic!("{input:?} was accepted: {body:?}"),
    }
}

#[test]
fn without_a_body_the_next_request_follows_at_once() {
    for framing in [Framing::None, Framing::Length(0)] {
        assert_eq!(BodyDecoder::new(framing).decode(b"GET /"), Ok(BodyStep::Done { skip: 0 }));
        assert!(BodyDecoder::new(framing).is_done());
    }
}

#[test]
fn a_length_is_counted_down() {
    let mut decoder = BodyDecoder::new(Framing::Length(5));
    assert_eq!(decoder.announced(), 5);
    assert_eq!(decoder.decode(b""), Ok(BodyStep::Skip(0)));
    assert_eq!(decoder.decode(b"abc"), Ok(BodyStep::Data { skip: 0, len: 3 }));
    assert_eq!(decoder.announced(), 2);
    assert!(!decoder.is_done());
    assert_eq!(decoder.decode(b"deGET"), Ok(BodyStep::Data { skip: 0, len: 2 }));
    assert!(decoder.is_done());
    assert_eq!(decoder.decode(b"GET"), Ok(BodyStep::Done { skip: 0 }));
}

#[test]
fn the_largest_length_is_accepted() {
    let mut decoder = BodyDecoder::new(Framing::Length(u64::MAX));
    assert_eq!(decoder.decode(b"abc"), Ok(BodyStep::Data { skip: 0, len: 3 }));
    assert_eq!(decoder.announced(), u64::MAX - 3);
}

#[test]
fn chunks_are_joined() {
    for (input, body) in [
        ("0\r\n\r\n", ""),
        ("3\r\nabc\r\n0\r\n\r\n", "abc"),
        ("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "abcde"),
        ("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"),
        ("003\r\nabc\r\n000\r\n\r\n", "abc"),
        ("0000000000000003\r\nabc\r\n0000000000000000\r\n\r\n", "abc"),
        ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
    ] {
        assert_eq!(chunks(input).unwrap().as_deref(), Some(body.as_bytes()), "{input:?}");
    }
}

#[test]
fn a_size_is_hexadecimal_digits() {
    for size in [
        "",
        "0x3",
        "-3",
        "+3",
        "1_a",
        "3 ",
        " 3",
        "3\t",
        "g",
        "\0",
        "3\u{a0}",
        "00000000000000003",
        "11111111111111111",
        "3,",
        "3 ;a",
    ] {
        refused(&format!("{size}\r\nabc\r\n0\r\n\r\n"), 400);
    }
}

#[test]
fn the_largest_chunk_size_is_accepted() {
    let mut decoder = BodyDecoder::new(Framing::Chunked);
    assert_eq!(decoder.decode(b"ffffffffffffffff\r\n"), Ok(BodyStep::Skip(18)));
    assert_eq!(decoder.announced(), u64::MAX);
    assert_eq!(decoder.decode(b"abc"), Ok(BodyStep::Data { skip: 0, len: 3 }));
    assert_eq!(decoder.announced(), u64::MAX - 3);
}

#[test]
fn the_size_of_a_chunk_is_known_before_its_data() {
    let mut decoder = BodyDecoder::new(Framing::Chunked);
    assert_eq!(decoder.decode(b"400"), Ok(BodyStep::Skip(3)));
    assert_eq!(decoder.announced(), 0);
    assert_eq!(decoder.decode(b"\r\n"), Ok(BodyStep::Skip(2)));
    assert_eq!(decoder.announced(), 1024);
}

#[test]
fn every_line_ends_in_cr_lf() {
    for input in [
        "3\nabc\r\n0\r\n\r\n",
        "3\rabc\r\n0\r\n\r\n",
        "3\r\rabc\r\n0\r\n\r\n",
        "3\r\nabc\n0\r\n\r\n",
        "3\r\nabc\r0\r\n\r\n",
        "3\r\nabc0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\n\r\n",
        "3\r\nabc\r\n0\r\n\n",
        "3\r\nabc\r\n0\r\n\rx",
        "3\r\nabc\r\n0\r\nA: b\n\r\n",
        "3\r\nabc\r\n0\r\nA: b\r\n\n",
        "3\r\nabc\r\n\r\n0\r\n\r\n",
    ] {
        refused(input, 400);
    }
}

#[test]
fn extensions_are_ignored() {
    for extension in [";a", ";a=b", ";a=\"b;c\"", "; a = b ", ";", ";;", ";\u{e9}", ";a\tb"] {
        let input = format!("3{extension}\r\nabc\r\n0{extension}\r\n\r\n");
        assert_eq!(chunks(input).unwrap().as_deref(), Some(b"abc".as_slice()), "{extension}");
    }
}

#[test]
fn extensions_cannot_hide_a_line_end() {
    for extension in [
        ";\n",
        ";a\n",
        ";a\nabc\r\n0\r\n\r\n",
        ";\r",
        ";a\rb",
        ";\"\n\"",
        ";\0",
        ";\x7f",
        ";a=\"\r\n\"",
    ] {
        refused(&format!("3{extension}\r\nabc\r\n0\r\n\r\n"), 400);
    }
}

#[test]
fn extensions_are_bounded() {
    let input = |length| format!("3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(length));
    assert!(chunks(input(250)).is_ok());
    refused(&input(300), 400);
}

#[test]
fn a_flood_of_framing_is_refused() {
    // With so much framing each, about two hundred chunks are accepted.
    let chunk = format!("1;{}\r\nx\r\n", "y".repeat(90));
    assert!(chunks(chunk.repeat(100) + "0\r\n\r\n").is_ok());
    refused(&chunk.repeat(1000), 400);
    let zeros = "0000000000000001\r\nx\r\n";
    refused(&zeros.repeat(10_000), 400);
}

#[test]
fn small_chunks_without_extensions_are_accepted() {
    let input = "1\r\nx\r\n".repeat(20_000) + "0\r\n\r\n";
    assert_eq!(chunks(input).unwrap().map(|body| body.len()), Some(20_000));
}

#[test]
fn trailers_are_checked_and_dropped() {
    for trailers in ["A: b\r\n", "A:\r\n", "A: \tb c\t\r\nB-c: \u{e9}\r\n", "Content-Length: 5\r\n"]
    {
        let input = format!("3\r\nabc\r\n0\r\n{trailers}\r\n");
        assert_eq!(chunks(input).unwrap().as_deref(), Some(b"abc".as_slice()), "{trailers:?}");
    }
    for trailers in [
        "A\r\n",
        ": b\r\n",
        " A: b\r\n",
        "A : b\r\n",
        "A: b\r\n c\r\n",
        "A: \0\r\n",
        "A: b\rc\r\n",
        "A(: b\r\n",
        "GET / HTTP/1.1\r\n",
        "\u{e9}: a\r\n",
    ] {
        refused(&format!("3\r\nabc\r\n0\r\n{trailers}\r\n"), 400);
    }
}

#[test]
fn trailers_are_bounded() {
    let many = |count: usize| format!("0\r\n{}\r\n", "A: b\r\n".repeat(count));
    assert!(chunks(many(64)).is_ok());
    refused(&many(65), 431);
    let long = |length| format!("0\r\nA: {}\r\n\r\n", "b".repeat(length));
    assert!(chunks(long(8000)).is_ok());
    refused(&long(9000), 431);
}

#[test]
fn an_unfinished_body_is_not_done() {
    let input = "3\r\nabc\r\n0\r\n\r\n";
    for end in 0..input.len() {
        assert_eq!(chunks(&input[..end]), Ok(None), "{:?}", &input[..end]);
    }
}

fn chunked_body() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let piece = (prop::collection::vec(any::<u8>(), 1..40), "(;[ -~]{0,9})?", any::<bool>());
    let trailers = prop::collection::vec("[A-Za-z-]{1,9}: [ -~]{0,9}\r\n", 0..3);
    (prop::collection::vec(piece, 0..8), trailers).prop_map(|(pieces, trailers)| {
        let (mut body, mut input) = (Vec::new(), Vec::new());
        for (data, extension, capitals) in pieces {
            let size = data.len();
            let size = if capitals { format!("{size:X}") } else { format!("0{size:x}") };
            input.extend_from_slice(format!("{size}{extension}\r\n").as_bytes());
            input.extend_from_slice(&data);
            input.extend_from_slice(b"\r\n");
            body.extend_from_slice(&data);
        }
        input.extend_from_slice(format!("0\r\n{}\r\n", trailers.concat()).as_bytes());
        (body, input)
    })
}

proptest! {
    #[test]
    fn a_body_does_not_depend_on_how_its_bytes_arrive(
        (body, input) in chunked_body(),
        mut cuts in prop::collection::vec(0..400_usize, 0..8),
    ) {
        let consumed = input.len();
        let input = [input.as_slice(), b"next"].concat();
        cuts.iter_mut().for_each(|cut| *cut = (*cut).min(input.len()));
        cuts.sort_unstable();
        prop_assert_eq!(decode(Framing::Chunked, &input, cuts), Ok(Some((body, consumed))));
    }

    #[test]
    fn arbitrary_bytes_are_decoded_alike_however_they_arrive(
        input in prop::collection::vec(prop_oneof![4 => Just(b'0'), 4 => Just(b'1'), 4 => Just(b'\r'), 4 => Just(b'\n'), 1 => any::<u8>()], 0..60),
        cut in 0..60_usize,
    ) {
        let cut = cut.min(input.len());
        prop_assert_eq!(decode(Framing::Chunked, &input, [cut]), decode(Framing::Chunked, &input, []));
    }
}
