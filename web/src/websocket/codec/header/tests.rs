use super::*;

fn parse(bytes: &[u8]) -> Result<Option<(FrameHeader, usize)>, DecodeError> {
    let whole = FrameHeader::parse(bytes);
    // The result for a shorter beginning holds for the whole.
    for end in 0..bytes.len() {
        match FrameHeader::parse(&bytes[..end]) {
            Ok(None) => {}
            Ok(Some(header)) => {
                assert_eq!(whole, Ok(Some(header)));
                assert!(header.1 <= end);
            }
            Err(error) => assert_eq!(whole, Err(error)),
        }
    }
    whole
}

#[test]
fn every_pair_of_first_bytes_is_read_or_refused() {
    for first in 0..=u8::MAX {
        for second in 0..=u8::MAX {
            let bytes = [&[first, second], [0xff; 2].as_slice(), &[0; 10]].concat();
            let parsed = parse(&bytes);
            let (opcode, is_control) = (first & 0xf, first & 8 != 0);
            let expected = match () {
                () if first & 0x30 != 0 => Err(DecodeError::ReservedBits),
                () if opcode % 8 > 2 => Err(DecodeError::ReservedOpcode(opcode)),
                () if is_control && first < 0x80 => Err(DecodeError::FragmentedControlFrame),
                () if is_control && second & 0x7f > 125 => Err(DecodeError::ControlFrameTooLong),
                () if second & 0x7f == 127 => Err(DecodeError::LengthTooLarge),
                () => Ok(()),
            };
            match expected {
                Err(error) => assert_eq!(parsed, Err(error), "{first:02x} {second:02x}"),
                Ok(()) => {
                    let (header, length) = parsed.unwrap().unwrap();
                    assert_eq!(header.encode().as_slice(), &bytes[..length]);
                    assert_eq!(header.opcode as u8, opcode);
                    assert_eq!(header.fin, first >= 0x80);
                    assert_eq!(header.compressed, first & 0x40 != 0);
                    assert_eq!(header.mask.is_some(), second >= 0x80);
                }
            }
        }
    }
}

#[test]
fn lengths_have_one_encoding() {
    let rows: [(&[u8], Result<u64, DecodeError>); 11] = [
        (&[0x82, 0], Ok(0)),
        (&[0x82, 125], Ok(125)),
        (&[0x82, 126, 0, 0], Err(DecodeError::LengthNotMinimal)),
        (&[0x82, 126, 0, 125], Err(DecodeError::LengthNotMinimal)),
        (&[0x82, 126, 0, 126], Ok(126)),
        (&[0x82, 126, 0xff, 0xff], Ok(0xffff)),
        (&[0x82, 127, 0, 0, 0, 0, 0, 0, 0, 125], Err(DecodeError::LengthNotMinimal)),
        (&[0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff], Err(DecodeError::LengthNotMinimal)),
        (&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0], Ok(0x1_0000)),
        (&[0x82, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Ok(i64::MAX as u64)),
        (&[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], Err(DecodeError::LengthTooLarge)),
    ];
    for (bytes, expected) in rows {
        let parsed = parse(bytes);
        assert_eq!(parsed.map(|header| header.unwrap().0.length), expected, "{bytes:02x?}");
        if let Ok(Some((header, length))) = parsed {
            assert_eq!((header.encode().as_slice(), length), (bytes, bytes.len()));
        }
    }
}

#[test]
fn a_masked_header_needs_its_key() {
    let header = FrameHeader::parse(&[0x81, 0x85, 0x37, 0xfa, 0x21]);
    assert_eq!(header, Ok(None));
    let (header, length) = parse(&[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f]).unwrap().unwrap();
    assert_eq!((header.length, length), (5, 6));
    assert_eq!(header.mask, Some(MaskKey::new([0x37, 0xfa, 0x21, 0x3d])));
    let longest = [&[0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0], [7; 4].as_slice()].concat();
    assert_eq!(parse(&longest).unwrap().unwrap().1, MAX_HEADER);
}
