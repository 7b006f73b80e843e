use tokio::sync::mpsc;

use super::super::lines::{Line, Point};
use super::*;

const PATH: &str = "/api/v1/pods";

fn event(kind: &str, name: &str, version: u64) -> String {
    let metadata = json!({"name": name, "namespace": "a", "resourceVersion": version.to_string()});
    format!("{}\n", json!({"type": kind, "object": {"metadata": metadata}}))
}

/// An answer whose lines come in pieces that are none.
fn answer(lines: &[String]) -> Vec<u8> {
    let text = lines.concat();
    let parts = text.as_bytes().chunks(50).flat_map(chunk);
    opened().into_iter().chain(parts).chain(END.to_vec()).collect()
}

/// The lines that are told when harm is done at the second event, without their frames; whether the end was told; and what is
/// forgotten.
async fn told(lapse: Option<Lapse>, lines: &[String]) -> (Vec<String>, bool, Option<Lapse>) {
    let known = Lines::new(mpsc::unbounded_channel().0);
    let point = lapse.map(|lapse| Point { at: 2, harm: Harm::Watch(lapse) });
    known.with(|all| all.insert("a".to_owned(), Line::new(point)));
    let watch = Watch { lines: &known, plane: "east", path: PATH };
    let mut said = Vec::new();
    let passed = watch.pass(std::io::Cursor::new(answer(lines)), &mut said);
    // A frozen one ends with whoever watches.
    let _ = tokio::time::timeout(Duration::from_secs(60), passed).await;
    let text = String::from_utf8(said).unwrap();
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    let whole = body.ends_with("0\r\n\r\n");
    let lines = body.split("\r\n").skip(1).step_by(2).filter(|line| !line.is_empty()).map(str::to_owned);
    (lines.collect(), whole, known.forgot("east", PATH, 11))
}

#[tokio::test(start_paused = true)]
async fn harm_is_done_at_one_event_and_the_others_pass_as_they_came() {
    let one = event("ADDED", "one", 11);
    let [two, again, mark] = [event("ADDED", "two", 12), event("MODIFIED", "two", 14), event("BOOKMARK", "", 15)];
    let other = event("MODIFIED", "one", 13);
    let all = [&one, &two, &other, &again, &mark].map(Clone::clone);
    let said = String::from_utf8(expired()).unwrap();
    let half = two[..two.len() / 2].to_owned();
    #[rustfmt::skip]
    let cases = [
        (None,                  vec![&one, &two, &other, &again, &mark], true,  None),
        (Some(Lapse::Gone),     vec![&one],                              true,  Some(Lapse::Gone)),
        (Some(Lapse::Expired),  vec![&one, &said],                       true,  Some(Lapse::Expired)),
        (Some(Lapse::Frozen),   vec![&one],                              false, None),
        (Some(Lapse::HalfLine), vec![&one, &half],                       false, None),
        (Some(Lapse::Hidden),   vec![&one, &other, &again, &mark],       true,  None),
        (Some(Lapse::Unmarked), vec![&one, &two, &other, &again],        true,  Some(Lapse::Unmarked)),
    ];
    for (lapse, lines, ends, forgotten) in cases {
        let lines = lines.into_iter().cloned().collect::<Vec<_>>();
        assert_eq!(told(lapse, &all).await, (lines, ends, forgotten), "{lapse:?}");
    }
    let unmarked = told(Some(Lapse::Unmarked), &all[..4]).await;
    assert_eq!(unmarked, (all[..4].to_vec(), true, None), "it ends by itself");
    let alone = [&one, &two, &other].map(Clone::clone);
    assert_eq!(told(Some(Lapse::Hidden), &alone).await, (alone.to_vec(), true, None), "no other follows it");
}

#[tokio::test]
async fn a_watch_from_before_what_is_forgotten_is_refused_and_a_later_one_is_not() {
    let known = Lines::new(mpsc::unbounded_channel().0);
    known.forget("east", PATH, 12, Lapse::Expired);
    let asked = [("east", PATH, 11), ("east", PATH, 12), ("west", PATH, 11), ("east", "/api/v1/secrets", 11)];
    let forgot = asked.map(|(plane, path, version)| known.forgot(plane, path, version));
    assert_eq!(forgot, [Some(Lapse::Expired), None, None, None]);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_bookmark_waits_while_a_watch_withholds_them_for_its_sake() {
    let known = Lines::new(mpsc::unbounded_channel().0);
    let withheld = known.unmark("a");
    known.marked("b").await;
    let waits = tokio::time::timeout(Duration::from_secs(60), known.marked("a")).await;
    assert!(waits.is_err());
    drop(withheld);
    known.marked("a").await;
}

#[tokio::test(start_paused = true)]
async fn the_watches_of_an_api_server_that_is_behind_stand_still_until_it_has_caught_up() {
    let known = Lines::new(mpsc::unbounded_channel().0);
    let lines = [event("ADDED", "one", 11), event("BOOKMARK", "", 12)];
    let (mut said, begun) = (Vec::new(), Instant::now());
    known.lags.fall_behind("east");
    let watch = Watch { lines: &known, plane: "east", path: PATH };
    {
        let passes = watch.pass(std::io::Cursor::new(answer(&lines)), &mut said);
        let mut passes = std::pin::pin!(passes);
        let early = tokio::time::timeout(Duration::from_secs(7), &mut passes).await;
        assert!(early.is_err(), "it is behind");
        passes.await.unwrap();
    }
    assert_eq!(begun.elapsed(), Duration::from_secs(8));
    let text = String::from_utf8(said).unwrap();
    assert!(lines.iter().all(|line| text.contains(line)), "{text}");
    let elsewhere = Watch { lines: &known, plane: "west", path: PATH };
    known.lags.fall_behind("east");
    elsewhere.pass(std::io::Cursor::new(answer(&lines)), &mut Vec::new()).await.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_secs(8), "another API server is not behind");
}
