//! Everything that a client sends on one connection, in any pieces, to a whole server.
//!
//! The first byte chooses how the client ends, the next three where the rest is cut.

#![no_main]

use libfuzzer_sys::fuzz_target;
use squall::HTTPServer;
use squall_fuzz::answers::{self, Answer};
use squall_fuzz::pieces::{cuts, pieces};
use squall_fuzz::server::{End, Received, SMALL_BODY, exchange, server};
use squall_fuzz::simple::{self, Body, Head};

thread_local! {
    static SERVER: HTTPServer = server();
}

fuzz_target!(|data: &[u8]| {
    let [end, a, b, c, bytes @ ..] = data else { return };
    let end = match end % 8 {
        0..=3 => End::Finish,
        4..=6 => End::Wait,
        _ => End::Reset,
    };
    let in_pieces = pieces(bytes, &cuts([*a, *b, *c], bytes.len()));
    SERVER.with(|server| {
        if end == End::Reset {
            exchange(server, &in_pieces, end);
            return;
        }
        let requests = simple::requests(bytes);
        let mut whole = check(&exchange(server, &[bytes], end), &requests);
        let mut cut = check(&exchange(server, &in_pieces, end), &requests);
        if let Some((None, _)) = requests.last() {
            // What is no request may be refused for any of its faults, or for being late if it
            // is not complete.
            whole.truncate(requests.len() - 1);
            cut.truncate(requests.len() - 1);
        }
        // A response that is cut short may have begun before or after the end of the request
        // was seen to be wrong.
        for answer in whole.iter_mut().chain(&mut cut).filter(|answer| !answer.whole) {
            answer.fields.clear();
        }
        whole.iter_mut().chain(&mut cut).for_each(forget_which_fault);
        assert_eq!(whole, cut, "it depends on how it arrives");
    });
});

/// Of several faults of a head, which is found first may depend on the pieces. So it is with a
/// compressed body that is both corrupt and too large.
fn forget_which_fault(answer: &mut Answer) {
    if answer.closes && [400, 413, 414, 431, 501, 505].contains(&answer.status) {
        *answer = Answer { status: 400, fields: Vec::new(), body: Vec::new(), ..*answer };
    }
}

/// Checks what was answered, and takes it apart.
fn check(received: &Received, requests: &[(Option<Head>, Option<Body>)]) -> Vec<Answer> {
    let method = |head: &Option<Head>| head.as_ref().map_or("GET".into(), |h| h.method.clone());
    let methods: Vec<String> = requests.iter().map(|(head, _)| method(head)).collect();
    let methods: Vec<&str> = methods.iter().map(String::as_str).collect();
    let answers = answers::read(received, &methods);
    assert!(answers.len() <= requests.len(), "{} answers: {requests:?}", answers.len());
    for (answer, (head, body)) in answers.iter().zip(requests) {
        assert_ne!(answer.status, 500, "nothing here fails");
        if answer.status >= 400 {
            continue;
        }
        let Some(head) = head else { panic!("answered what is no request: {answer:?}") };
        check_echo(answer, head, body.as_ref());
    }
    answers
}

fn check_echo(answer: &Answer, head: &Head, body: Option<&Body>) {
    let is_echo = ["/echo", "/small", "/stream"].iter().any(|path| head.target == path.as_bytes());
    if !is_echo || answer.status != 200 || !answer.whole {
        return;
    }
    let body = body.expect("a body that is not whole has no whole answer");
    assert_eq!(body.data, answer.body);
    assert!(head.target != b"/small" || body.data.len() as u64 <= SMALL_BODY);
}
