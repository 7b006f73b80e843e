//! What a body may take, and who gets what is left.

use std::io;

use futures::stream;

use super::*;

const LIMIT: usize = 7 << 20;
const BUDGET: usize = 64 << 20;
const PEER: Peer = Peer(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

fn parts(parts: Vec<Bytes>) -> Body {
    Body::from_stream(stream::iter(parts.into_iter().map(Ok::<_, io::Error>)))
}

#[tokio::test]
async fn t16_a_body_is_charged_while_it_is_held_and_refused_beyond_the_bounds() {
    let whole = 4 * (LIMIT + 10);
    let memory = Memory::new(whole);
    let head = HeaderMap::new();
    let held =
        read(&head, parts(vec!["one".into(), "two".into(), Bytes::new()]), PEER, &memory, LIMIT).await.expect("read");
    assert_eq!((&held.bytes[..], memory.free()), (&b"onetwo"[..], whole - 6));
    let huge = || Bytes::from(vec![b' '; LIMIT]);
    let cases = [
        ("as much as is allowed", parts(vec![huge()]), None),
        ("one byte more", parts(vec![huge(), " ".into()]), Some(StatusCode::PAYLOAD_TOO_LARGE)),
        (
            "a broken connection",
            Body::from_stream(stream::iter([Err::<Bytes, _>(io::Error::other("gone"))])),
            Some(StatusCode::BAD_REQUEST),
        ),
    ];
    for (case, body, wanted) in cases {
        assert_eq!(read(&head, body, PEER, &memory, LIMIT).await.err(), wanted, "{case}");
        assert_eq!(memory.free(), whole - 6, "{case}: its memory is free again");
    }
    let full = read(&head, parts(vec![huge()]), PEER, &memory, LIMIT).await.expect("read");
    assert_eq!(
        read(&head, parts(vec!["12345".into()]), PEER, &memory, LIMIT).await.err(),
        Some(StatusCode::TOO_MANY_REQUESTS)
    );
    drop((full, held));
    assert_eq!(memory.free(), whole);
    let promise = HeaderMap::from_iter([(header::CONTENT_LENGTH, "7340033".parse().expect("a value"))]);
    assert_eq!(read(&promise, parts(vec![]), PEER, &memory, LIMIT).await.err(), Some(StatusCode::PAYLOAD_TOO_LARGE));
}

#[tokio::test(start_paused = true)]
async fn t17_a_slow_body_is_given_up() {
    let silent = Body::from_stream(stream::pending::<Result<Bytes, io::Error>>());
    let slow = read(&HeaderMap::new(), silent, PEER, &Memory::new(BUDGET), LIMIT).await;
    assert_eq!(slow.err(), Some(StatusCode::REQUEST_TIMEOUT));
}

#[test]
fn atk11_no_number_of_addresses_takes_all_memory_and_each_gets_a_quarter_of_the_rest() {
    let memory = Memory::new(BUDGET);
    let mut all = Vec::new();
    // A quarter of 64 MiB, of 48 MiB, and of 36 MiB.
    for (last, mebibytes) in [(1, 16), (2, 12), (3, 9)] {
        let mut parts: Vec<_> = (0..2).map(|_| memory.charge(IpAddr::from([10, 0, 0, last]))).collect();
        assert_eq!(parts[0].set((mebibytes << 20) - 1), Ok(()));
        assert_eq!(parts[1].set(1), Ok(()));
        assert_eq!(parts[1].set(2), Err(StatusCode::TOO_MANY_REQUESTS), "{last}: one share, in however many bodies");
        all.extend(parts);
    }
    assert_eq!(memory.free(), (64 - 16 - 12 - 9) << 20);
    for last in 4..20 {
        let mut one = memory.charge(IpAddr::from([10, 0, 0, last]));
        let most = memory.free() / 4;
        assert_eq!((one.set(most + 1), one.set(most)), (Err(StatusCode::TOO_MANY_REQUESTS), Ok(())), "{last}");
        all.push(one);
    }
    let mut newcomer = memory.charge(IpAddr::from([10, 0, 0, 99]));
    assert_eq!(newcomer.set(64 << 10), Ok(()), "beside nineteen that hold all they can get");
    assert_eq!(all[0].set(1), Ok(()), "less is always to be had");
    drop((all, newcomer));
    assert_eq!(memory.free(), BUDGET);
}
