//! Any frames, cut anywhere.

use super::*;
use crate::websocket::codec::deflate::params::WindowBits;

/// A frame of any kind, right or wrong.
#[derive(Clone, Debug)]
struct AnyFrame {
    first: u8,
    payload: Vec<u8>,
    compress: bool,
}

fn any_frame() -> impl Strategy<Value = AnyFrame> {
    let first = prop_oneof![
        12 => proptest::sample::select(vec![0x81_u8, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8a]),
        4 => proptest::sample::select(vec![0xc1_u8, 0xc2, 0x41, 0x42]),
        1 => proptest::sample::select(vec![0x88_u8]),
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        6 => "[a-e]{0,20}".prop_map(String::into_bytes),
        3 => "\\PC{0,40}".prop_map(String::into_bytes),
        2 => ("[a-c]{1,3}", 1..300_usize).prop_map(|(text, times)| text.repeat(times).into_bytes()),
        1 => proptest::collection::vec(any::<u8>(), 0..130),
    ];
    (first, payload, any::<bool>()).prop_map(|(first, payload, compress)| AnyFrame {
        first,
        payload,
        compress,
    })
}

fn bytes_of(frames: &[AnyFrame], deflate: &Deflate) -> Vec<u8> {
    let mut encoder = Encoder::new(Role::Server, Some(deflate));
    let mut bytes = Vec::new();
    for AnyFrame { first, payload, compress } in frames {
        // A compressed payload followed by another fragment is nonsense, and refused alike.
        if *compress && first & 0x40 != 0 {
            let frame = encoder.message(MessageKind::Binary, payload);
            let is_compressed = frame.header()[0] & 0x40 != 0;
            if is_compressed {
                bytes.extend(masked(*first, &frame.into_payload()));
                continue;
            }
        }
        bytes.extend(masked(*first, payload));
    }
    bytes
}

fn pieces<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn events_do_not_depend_on_how_bytes_are_cut(
        frames in proptest::collection::vec(any_frame(), 1..8),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
        takeover in any::<bool>(),
        max_message_size in prop_oneof![Just(300_usize), Just(100_000)],
    ) {
        let mut deflate = deflate();
        deflate.params.client_no_context_takeover = !takeover;
        deflate.params.server_no_context_takeover = !takeover;
        let limits = Limits { max_frame_size: 500, max_message_size };
        let decoder = || Decoder::new(Role::Server, limits, Some(&deflate));
        let bytes = bytes_of(&frames, &deflate);
        let whole = events(&mut decoder(), [bytes.as_slice()]);
        prop_assert_eq!(&events(&mut decoder(), pieces(&bytes, &cuts)), &whole);
        prop_assert_eq!(&events(&mut decoder(), bytes.chunks(1)), &whole);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut client = Decoder::new(Role::Client, Limits::default(), Some(&deflate()));
        let whole = events(&mut client, [bytes.as_slice()]);
        let mut client = Decoder::new(Role::Client, Limits::default(), Some(&deflate()));
        prop_assert_eq!(events(&mut client, bytes.chunks(3)), whole);
    }

    #[test]
    fn messages_come_back_as_they_were_sent(
        messages in proptest::collection::vec(("\\PC{0,200}", any::<bool>(), 1..40_usize), 1..6),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
        role in prop_oneof![Just(Role::Server), Just(Role::Client)],
        takeover in any::<bool>(),
        bits in 8..=15_u8,
        compressed in any::<bool>(),
        shrink in any::<bool>(),
    ) {
        let mut deflate = deflate();
        let bits = WindowBits::new(bits).unwrap();
        deflate.params = DeflateParams {
            server_no_context_takeover: !takeover,
            client_no_context_takeover: !takeover,
            server_max_window_bits: bits,
            client_max_window_bits: bits,
        };
        let deflate = compressed.then_some(&deflate);
        let peer = if role == Role::Server { Role::Client } else { Role::Server };
        let mut encoder = Encoder::new(peer, deflate);
        let mut decoder = Decoder::new(role, Limits::default(), deflate);
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        for (text, is_binary, times) in messages {
            let text = text.repeat(times);
            let message =
                if is_binary { Message::from(text.into_bytes()) } else { Message::from(text) };
            bytes.extend(encoder.message(message.kind(), message.as_bytes()).to_vec());
            bytes.extend(encoder.ping(b"between").unwrap().to_vec());
            if shrink {
                encoder.shrink();
            }
            expected.extend([Event::Message(message), Event::Ping("between".into())]);
        }
        bytes.extend(encoder.close(None).to_vec());
        expected.push(Event::Close(None));
        prop_assert_eq!(events(&mut decoder, pieces(&bytes, &cuts)), (expected, None));
    }
}
