use std::future::poll_fn;

use super::*;
use crate::IOLoop;

fn area() -> Area {
    Area::create(3).expect("there is memory").0
}

fn message(name: &str, payload: &[u8]) -> Option<Received> {
    Some(Received::Message { name: name.into(), kind: 0, payload: payload.into() })
}

#[test]
fn a_worker_receives_what_others_publish_and_not_its_own() {
    let area = area();
    let (one, other) = (Exchange::join_area(area).unwrap(), Exchange::join_area(area).unwrap());
    assert!(one.publish(b"a", 0, b"before"));
    assert!(area.ring(0).is_at_end(Cursor::default()), "no worker listened");
    one.listen();
    other.listen();
    assert!(one.publish(b"a", 0, b"1") && one.publish(b"b", 0, b"2") && one.publish(b"a", 0, b"3"));
    let is_a = |name: &[u8]| name == b"a";
    assert_eq!([other.next(is_a), other.next(is_a)], [message("a", b"1"), message("a", b"3")]);
    assert_eq!((other.next(is_a), one.next(is_a)), (None, None));
    // One that comes later, and takes a place that was never used.
    let third = Exchange::join_area(area).unwrap();
    assert!(third.publish(b"c", 0, b"4"));
    assert_eq!(one.next(|_| true), message("c", b"4"));
    assert_eq!(other.next(|_| true), message("c", b"4"));
    let error = Exchange::join_area(area).unwrap_err();
    assert_eq!(error.to_string(), "all 3 places for messages between workers are taken");
}

#[test]
fn what_a_worker_has_published_outlives_it_and_its_place_is_free() {
    let area = area();
    let (one, other) = (Exchange::join_area(area).unwrap(), Exchange::join_area(area).unwrap());
    other.listen();
    assert!(one.publish(b"a", 0, b"last"));
    drop(one);
    let next = Exchange::join_area(area).unwrap();
    assert_eq!(next.place, 0);
    assert!(next.publish(b"a", 0, b"first"));
    assert_eq!(
        [other.next(|_| true), other.next(|_| true)],
        [message("a", b"last"), message("a", b"first")]
    );
}

#[test]
fn a_worker_sleeps_until_another_publishes() {
    let area = area();
    let (one, other) = (Exchange::join_area(area).unwrap(), Exchange::join_area(area).unwrap());
    other.listen();
    IOLoop::current()
        .run_sync(async {
            for number in 0..100u8 {
                let reading = IOLoop::current().spawn(async move {
                    crate::yield_now().await;
                });
                let woken = poll_fn(|cx| other.poll_ready(cx));
                let publishing = async {
                    reading.await.unwrap();
                    assert!(one.publish(b"a", 0, &[number]));
                };
                futures_lite::future::zip(woken, publishing).await.0.unwrap();
                assert_eq!(other.next(|_| true), message("a", &[number]));
                assert_eq!(other.next(|_| true), None);
            }
        })
        .unwrap();
    other.stop_listening();
    assert!(one.publish(b"a", 0, b"unheard"));
    assert_eq!(other.next(|_| true), None);
}

#[test]
fn no_ring_keeps_the_others_waiting() {
    let area = area();
    let all: Vec<_> = (0..3).map(|_| Exchange::join_area(area).unwrap()).collect();
    all[2].listen();
    (0..1000u32).for_each(|_| assert!(all[0].publish(b"busy", 0, b"")));
    assert!(all[1].publish(b"quiet", 0, b""));
    let place = (0..).take(1001).position(|_| all[2].next(|_| true) == message("quiet", b""));
    assert!(place.unwrap() <= MAX_IN_A_ROW as usize);
    assert_eq!(std::iter::from_fn(|| all[2].next(|_| true)).count(), 1000 - place.unwrap());
}

#[test]
fn many_unwanted_messages_give_other_tasks_their_turn() {
    let area = area();
    let (one, other) = (Exchange::join_area(area).unwrap(), Exchange::join_area(area).unwrap());
    other.listen();
    (0..200).for_each(|_| assert!(one.publish(b"busy", 0, b"")));
    assert!(one.publish(b"wanted", 0, b""));
    let found: Vec<_> = std::iter::from_fn(|| other.next(|name| name == b"wanted")).collect();
    let [pauses @ .., last] = &found[..] else { panic!("{found:?}") };
    assert_eq!(
        (pauses, Some(last)),
        (
            &[Received::Unwanted, Received::Unwanted, Received::Unwanted][..],
            message("wanted", b"").as_ref()
        )
    );
}
