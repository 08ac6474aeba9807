use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use super::{Fake, Reply, complaint};
use crate::{Client, Error};

const DATE: &str = "Mon, 29 Sep 2025 06:24:57 GMT";
/// Eight seconds after [`DATE`].
const RESET: &str = "1759127105";

fn too_many() -> Reply {
    complaint(
        429,
        "E0000047",
        "API call exceeded rate limit due to too many requests.",
    )
}

/// `reply` at [`DATE`], with what is left of a bucket of 500.
fn left(reply: Reply, remaining: &str) -> Reply {
    reply
        .with("date", DATE)
        .with("x-rate-limit-limit", "500")
        .with("x-rate-limit-remaining", remaining)
        .with("x-rate-limit-reset", RESET)
}

/// The client of an Okta that gives these answers, one after the other.
async fn answering(replies: impl IntoIterator<Item = Reply>) -> Client {
    let replies = Mutex::new(replies.into_iter().collect::<VecDeque<_>>());
    let fake = Fake::new(move |asked| {
        let reply = replies.lock().unwrap().pop_front();
        reply.unwrap_or_else(|| panic!("{asked:?}"))
    });
    fake.client().await
}

fn wait(result: Result<crate::Done, Error>) -> Duration {
    match result {
        Err(Error::Later { after, .. }) => after,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_wait_is_measured_by_the_clock_of_okta() {
    let client = answering([left(too_many(), "0")]).await;
    let waited = wait(client.remove("00u1", "00g1").await);
    assert_eq!(waited, Duration::from_secs(9));
}

#[tokio::test]
async fn a_429_that_says_nothing_or_nonsense_still_ends() {
    let at = |reset: &str| {
        too_many()
            .with("date", DATE)
            .with("x-rate-limit-reset", reset.to_owned())
    };
    for (reply, seconds) in [
        (too_many(), 60),
        (at("never"), 60),
        (at("1759127000"), 1),
        (at("9223372036854775807"), 300),
    ] {
        let client = answering([reply]).await;
        let waited = wait(client.remove("00u1", "00g1").await);
        assert_eq!(waited, Duration::from_secs(seconds));
    }
}

#[tokio::test]
async fn too_many_at_once_come_back_soon_and_not_together() {
    let busy = |id: &str| {
        let mut reply = too_many()
            .with("date", DATE)
            .with("x-rate-limit-limit", "0")
            .with("x-rate-limit-remaining", "0")
            .with("x-rate-limit-reset", RESET);
        reply.headers[0].1 = id.to_owned();
        reply
    };
    let client = answering([busy("a"), busy("b"), Reply::done()]).await;
    let one = wait(client.remove("00u1", "00g1").await);
    let other = wait(client.remove("00u1", "00g1").await);
    assert_ne!(one, other);
    for wait in [one, other] {
        assert!((1000..3000).contains(&wait.as_millis()), "{wait:?}");
    }
    // That says nothing about what is left for the minute.
    client.add("00u1", "00g1").await.unwrap();
}

#[tokio::test]
async fn the_last_fifth_is_for_removals() {
    let client = answering([
        left(Reply::done(), "100"),
        left(Reply::done(), "99"),
        left(Reply::done(), "98"),
    ])
    .await;
    client.remove("00u1", "00g1").await.unwrap();
    client.add("00u1", "00g1").await.unwrap();
    let clone = client.clone();
    let waited = wait(clone.add("00u2", "00g1").await);
    // Four seconds after the reset, when removals have come back.
    assert!((12..=13).contains(&waited.as_secs()), "{waited:?}");
    client.remove("00u1", "00g1").await.unwrap();
}

#[tokio::test]
async fn whichever_of_adding_and_removing_is_scarce_keeps_additions_waiting() {
    let client = answering([left(Reply::done(), "400"), left(too_many(), "0")]).await;
    client.add("00u1", "00g1").await.unwrap();
    wait(client.remove("00u1", "00g1").await);
    wait(client.add("00u2", "00g1").await);
}

#[tokio::test]
async fn the_limit_of_reads_keeps_nobody_waiting() {
    let read = left(Reply::new(200, &serde_json::json!([])), "0");
    let client = answering([read, Reply::done()]).await;
    client.groups_of("00u1").await.unwrap();
    client.add("00u1", "00g1").await.unwrap();
}

#[tokio::test]
async fn after_the_reset_additions_go_on() {
    // A later answer to anything tells that the minute is over: no time has to pass here.
    let read =
        Reply::new(200, &serde_json::json!([])).with("date", "Mon, 29 Sep 2025 06:25:05 GMT");
    let client = answering([left(Reply::done(), "0"), read, Reply::done()]).await;
    client.remove("00u1", "00g1").await.unwrap();
    wait(client.add("00u1", "00g1").await);
    client.groups_of("00u1").await.unwrap();
    client.add("00u1", "00g1").await.unwrap();
}

#[tokio::test]
async fn without_another_answer_the_time_that_goes_by_counts() {
    let client = answering([left(Reply::done(), "0"), Reply::done()]).await;
    client.remove("00u1", "00g1").await.unwrap();
    wait(client.add("00u1", "00g1").await);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(8)).await;
    tokio::time::resume();
    client.add("00u1", "00g1").await.unwrap();
}

fn busy() -> Reply {
    too_many()
        .with("date", DATE)
        .with("x-rate-limit-limit", "0")
        .with("x-rate-limit-remaining", "0")
        .with("x-rate-limit-reset", RESET)
}

#[tokio::test]
async fn there_is_room_for_removals_until_the_minute_is_used_up() {
    let client = answering([left(Reply::done(), "2"), left(Reply::done(), "0")]).await;
    // Nothing is known yet.
    let rooms = [client.room_to_remove(), client.room_to_remove()];
    client.remove("00u1", "00g1").await.unwrap();
    drop(rooms);
    // Two are left: a third one waits for what becomes of them.
    let rooms = [client.room_to_remove(), client.room_to_remove()];
    assert!(rooms.iter().all(Result::is_ok), "{rooms:?}");
    let third = client.room_to_remove().unwrap_err();
    assert_eq!(third, Duration::from_secs(1));
    client.remove("00u2", "00g1").await.unwrap();
    drop(rooms);
    // None is left, until some time after the reset, the same for all who ask.
    let waited = client.room_to_remove().unwrap_err();
    assert!((8..12).contains(&waited.as_secs()), "{waited:?}");
    tokio::time::pause();
    tokio::time::advance(waited).await;
    client.clone().room_to_remove().unwrap();
}

#[tokio::test]
async fn an_answer_that_comes_late_gives_nothing_back() {
    let client = answering([left(Reply::done(), "0"), left(Reply::done(), "7")]).await;
    client.remove("00u1", "00g1").await.unwrap();
    client.remove("00u2", "00g1").await.unwrap();
    client.room_to_remove().unwrap_err();
}

#[tokio::test]
async fn while_okta_has_too_many_calls_at_once_nobody_comes_with_another() {
    let client = answering([busy()]).await;
    wait(client.remove("00u1", "00g1").await);
    let waited = client.room_to_remove().unwrap_err();
    assert!((900..3000).contains(&waited.as_millis()), "{waited:?}");
    tokio::time::pause();
    tokio::time::advance(waited).await;
    client.room_to_remove().unwrap();
}

#[tokio::test]
async fn whoever_has_another_clock_needs_no_answer_to_know_that_a_minute_is_over() {
    let now = std::sync::Arc::new(Mutex::new(Duration::from_hours(1)));
    let clock = std::sync::Arc::clone(&now);
    let client = answering([left(Reply::done(), "0")]).await;
    let client = client.timed_by(move || *clock.lock().unwrap());
    client.remove("00u1", "00g1").await.unwrap();
    client.room_to_remove().unwrap_err();
    *now.lock().unwrap() += Duration::from_secs(8);
    client.room_to_remove().unwrap();
}

#[tokio::test]
async fn a_reset_that_makes_no_sense_keeps_nobody_in() {
    let far = Reply::done()
        .with("date", DATE)
        .with("x-rate-limit-limit", "500")
        .with("x-rate-limit-remaining", "0")
        .with("x-rate-limit-reset", "9223372036854775807");
    let client = answering([far]).await;
    client.remove("00u1", "00g1").await.unwrap();
    client.room_to_remove().unwrap();
}
