//! Writing the heads of responses.

use divan::{Bencher, black_box};
use squall::internals::{Encoded, ResponseHeaders};
use squall::{HeaderName, HeaderValue};

/// By how many headers of the handler's own there are.
#[divan::bench(args = [1, 4, 8])]
fn encode(bencher: Bencher<'_, '_>, headers: usize) {
    let all = [
        ("content-type", "text/plain; charset=UTF-8"),
        ("cache-control", "no-cache"),
        ("vary", "Accept-Encoding"),
        ("x-request-id", "0123456789abcdef"),
        ("x-frame-options", "DENY"),
        ("content-language", "en"),
        ("set-cookie", "session=0123456789abcdef; HttpOnly; Secure; SameSite=Lax"),
        ("link", "</style.css>; rel=preload; as=style"),
    ];
    let headers =
        ResponseHeaders::new(all[..headers].iter().map(|&(name, value)| header(name, value)));
    let mut out = Encoded::default();
    bencher.bench_local(|| {
        black_box(&headers).encode(&mut out, black_box(13));
    });
}

fn header(name: &'static str, value: &'static str) -> (HeaderName, HeaderValue) {
    (HeaderName::from_static(name), HeaderValue::from_static(value))
}
