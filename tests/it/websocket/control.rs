use super::*;

#[test]
fn pings_are_answered_with_their_payload() {
    let server = server();
    let frames = [masked(0x89, ""), masked(0x89, "p"), masked(0x89, [7; 125]), masked(0x88, "")];
    let expected =
        [plain(0x8a, ""), plain(0x8a, "p"), plain(0x8a, [7; 125]), plain(0x88, "")].concat();
    assert_eq!(talk(&server, "/echo", "", &frames), expected);
}

#[test]
fn handlers_see_pings_and_unsolicited_pongs_are_ignored() {
    let server = server();
    let frames = [masked(0x8a, "unsolicited"), masked(0x89, "seen"), masked(0x88, "")];
    let expected = [plain(0x8a, "seen"), plain(0x82, "seen"), plain(0x88, "")].concat();
    assert_eq!(talk(&server, "/guarded", "X-User: ada\r\n", &frames), expected);
}

#[test]
fn a_close_frame_is_answered_with_its_code_and_ends_the_connection() {
    let server = server();
    for (payload, answer) in [
        (&b""[..], plain(0x88, "")),
        (b"\x03\xe8bye", closing(1000, "")),
        (b"\x03\xe9goodbye", closing(1001, "")),
        (b"\x0f\xa0", closing(4000, "")),
        (b"\x03\xed", closing(1002, "invalid close code")),
        (b"\x03", closing(1002, "close frame with a payload of one byte")),
        (b"\x03\xe8\xff", closing(1007, "close reason is not UTF-8")),
    ] {
        let frames = [masked(0x88, payload), masked(0x81, "ignored")];
        assert_eq!(talk(&server, "/echo", "", &frames), answer, "{payload:?}");
    }
}

#[test]
fn messages_before_the_end_of_the_stream_are_answered() {
    let server = server();
    let mut client = open(&server, "/echo", "");
    client.send([masked(0x81, "a"), masked(0x81, "b")].concat());
    client.finish();
    assert_eq!(client.rest(), [plain(0x81, "a"), plain(0x81, "b")].concat());
    // Another client is served after all of this.
    let mut client = open(&server, "/echo", "");
    client.send(masked(0x81, "x"));
    client.reset();
    assert_eq!(talk(&server, "/echo", "", &[masked(0x88, "")]), plain(0x88, ""));
    let errors = server.log().into_iter().filter(|line| line.starts_with("ERROR"));
    assert_eq!(errors.count(), 0);
}

#[test]
fn a_flood_of_frames_does_not_delay_others() {
    let server = server();
    let mut flood = open(&server, "/echo", "");
    let mut other = open(&server, "/echo", "");
    let frames = masked(0x8a, "").repeat(100_000);
    let sender = std::thread::spawn(move || {
        flood.send(&frames);
        flood.send(masked(0x88, ""));
        flood.rest()
    });
    for _ in 0..20 {
        other.send(masked(0x81, "x"));
        assert_eq!(other.exact(3), plain(0x81, "x"));
    }
    assert_eq!(sender.join().unwrap(), plain(0x88, ""));
}
