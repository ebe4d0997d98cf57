//! Parsing the heads of requests.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use squall::internals::Heads;

/// A head of the minimal size that clients send, and a head of a browser.
const NAMES: [&str; 3] = ["one field", "three fields", "browser"];

#[divan::bench(args = NAMES)]
fn parse(bencher: Bencher<'_, '_>, name: &str) {
    let bytes = head(name);
    let mut heads = Heads::new();
    assert_eq!(heads.parse(bytes), Some(bytes.len()));
    bencher.counter(BytesCount::of_slice(bytes)).bench_local(|| heads.parse(black_box(bytes)));
}

fn head(name: &str) -> &'static [u8] {
    match name {
        "one field" => b"GET /plaintext HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "three fields" => {
            b"GET /plaintext HTTP/1.1\r\nHost: localhost\r\nUser-Agent: curl/8.5.0\r\n\
              Accept: */*\r\n\r\n"
        }
        _ => {
            b"GET /user/123/posts/456?page=2 HTTP/1.1\r\n\
              Host: www.example.org\r\n\
              User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
              Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
              Accept-Language: en-GB,en;q=0.5\r\n\
              Accept-Encoding: gzip, deflate, br, zstd\r\n\
              Referer: https://www.example.org/user/123\r\n\
              Connection: keep-alive\r\n\
              Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\
              Upgrade-Insecure-Requests: 1\r\n\
              Sec-Fetch-Dest: document\r\n\
              Sec-Fetch-Mode: navigate\r\n\
              Sec-Fetch-Site: same-origin\r\n\
              Priority: u=0, i\r\n\r\n"
        }
    }
}
