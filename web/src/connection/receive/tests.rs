//! Tests of what is received.

use super::*;
use crate::connection::settings::Settings;

#[test]
fn only_the_head_is_kept_between_the_bytes_of_a_slow_body() {
    let mut input = Input::default();
    let bytes = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
    input.put_back(bytes);
    assert_eq!(input.read_head(&mut Head::new(), &Settings::default().head, |_, _| {}), Ok(true));
    for _ in 0..3 {
        input.put_back(b"a");
        input.shrink_to_head();
        assert_eq!(input.unread(), b"a", "what is unread stays");
        input.consume(1);
        input.shrink_to_head();
        assert!(input.buffer.is_empty());
        assert_eq!(input.head(), bytes);
    }
}

#[test]
fn a_body_is_kept_beside_its_head_if_it_arrived_directly_behind_it() {
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
    let mut input = Input::default();
    input.put_back(&[head.as_slice(), b"abcGET"].concat());
    assert_eq!(input.read_head(&mut Head::new(), &Settings::default().head, |_, _| {}), Ok(true));
    assert!(!input.keep_body(7), "it has not come");
    assert!(input.keep_body(3));
    assert_eq!((&*input.body(), input.unread()), (&b"abc"[..], &b"GET"[..]));
    let many = vec![b'x'; 3 * BUFFER_SIZE];
    input.put_back(&many);
    assert_eq!(input.unread().len(), 3 + many.len(), "however many come behind it");
    assert_eq!((input.head(), &*input.body()), (&head[..], &b"abc"[..]));
    input.consume(3 + many.len());
    input.shrink_to_head();
    assert_eq!((input.head(), &*input.body()), (&head[..], &b"abc"[..]));
    assert!(!input.keep_body(0), "the head has been moved away");
    input.end_request();
    assert_eq!(input.body(), b"");
}
