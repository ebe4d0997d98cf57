//! Tests of the output.

use squall_runtime::{IOLoop, RegularFile};

use super::*;

fn bytes_of(output: &Output) -> Vec<u8> {
    output.slices().flatten().copied().collect()
}

#[test]
fn pieces_leave_in_order_whatever_the_size_of_each_send() {
    let large = vec![b'L'; COPY_LIMIT + 3];
    for step in [1, 7, COPY_LIMIT, 2 * COPY_LIMIT] {
        let mut body = Output::default();
        body.push(Chunk::from("<"));
        body.push(Chunk::from(large.clone()));
        body.push(Chunk::from(">"));
        let mut output = Output::default();
        output.copy(b"head");
        output.take(&mut body);
        output.copy(b"next");
        let expected = [b"head<".as_slice(), &large, b">next"].concat();
        assert_eq!((bytes_of(&output), body.len()), (expected.clone(), 0));

        let mut sent = 0;
        while !output.is_empty() {
            assert_eq!(bytes_of(&output), expected[sent..]);
            let part = step.min(output.len() as usize);
            output.consume(part);
            sent += part;
        }
        assert_eq!(sent, expected.len());
    }
}

#[test]
fn memory_that_is_not_kept_is_sent_from_where_it_is() {
    let mut body = Output::default();
    body.append(|out| out.extend(&[b'x'; 2 * KEPT_CAPACITY]));
    let place = body.copied.as_slice().as_ptr();
    let mut output = Output::default();
    output.copy(b"head");
    output.take(&mut body);
    assert_eq!(output.slices().nth(1).map(<[u8]>::as_ptr), Some(place));
    assert_eq!((output.len(), body.len()), (4 + 2 * KEPT_CAPACITY as u64, 0));
    body.copy(b"next");
    output.take(&mut body);
    assert!(bytes_of(&output).ends_with(b"xnext"));
}

#[test]
fn a_file_keeps_its_place_and_counts_towards_the_length() {
    let file = IOLoop::current().run_sync(RegularFile::open("Cargo.toml")).unwrap().unwrap();
    let part = |length| FilePart::new(file.clone(), 0, length);
    let mut body = Output::default();
    body.push(Chunk::from(""));
    body.push_file(part(0));
    body.push_file(part(10));
    body.push(Chunk::from("between"));
    body.push_file(part(u64::MAX / 2));
    let mut output = Output::default();
    output.copy(b"head");
    output.take(&mut body);
    assert_eq!(output.len(), 4 + 10 + 7 + u64::MAX / 2);
    assert_eq!(bytes_of(&output), b"head", "up to the file");
    assert_eq!(output.large.len(), 2, "none of them is empty");
    output.consume(4);
    assert_eq!((bytes_of(&output), output.large.len()), (vec![], 2));
}
