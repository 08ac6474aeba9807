//! The program is killed where it stands, and started again.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use std::time::Duration;

use end_to_end::{ALICE, BOB, HOUR, PROD, Stint};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn killed_during_a_grant() {
    let mut stint = Stint::start_program().await;
    let id = stint.grant("Prod", "1 hour").await;
    assert!(stint.is_member("alice", PROD).await);
    stint.advance(600).await;
    stint.kill().await;

    stint.start_again().await;
    assert_eq!(stint.standing(&id).await, "active");
    stint.advance(HOUR - 600 - 1).await;
    assert!(stint.is_member("alice", PROD).await);
    stint.advance(61).await;
    assert!(!stint.is_member("alice", PROD).await);
    assert_eq!(stint.standing(&id).await, "ended/elapsed");
    assert_eq!(stint.count(ALICE, "access to *Prod* has ended").await, 1);
    stint.advance(HOUR).await;
    let state = stint.state().await;
    assert_eq!(state["schedules"], json!([]));
    assert_eq!(state["memberships"], json!([]));
}

#[tokio::test]
async fn killed_when_the_yes_was_written_and_nothing_else_was_done() {
    let mut stint = Stint::start_program().await;
    let id = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    // Whoever carries it out gets no further than this.
    stint.fault(stuck("GET /api/v1/groups")).await;
    let click = stint.button("approve", &id).await;
    stint
        .slack(BOB, json!({"click": click, "wait": false}))
        .await;
    until(&stint, |state| state["requests"][0]["state"] == "approved").await;
    stint.kill().await;

    stint.start_again().await;
    assert_eq!(stint.standing(&id).await, "approved");
    assert!(!stint.is_member("alice", PROD).await);
    stint.advance(120).await;
    assert_eq!(stint.standing(&id).await, "active");
    assert!(stint.is_member("alice", PROD).await);
    assert_eq!(stint.count(ALICE, "You have *Prod* until").await, 1);
    stint.advance(HOUR + 61).await;
    assert!(!stint.is_member("alice", PROD).await);
}

#[tokio::test]
async fn killed_when_the_call_was_announced_and_not_made() {
    let mut stint = Stint::start_program().await;
    let id = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    stint.fault(stuck("PUT /api/v1/groups")).await;
    let click = stint.button("approve", &id).await;
    stint
        .slack(BOB, json!({"click": click, "wait": false}))
        .await;
    until(&stint, |state| {
        state["requests"][0]["state"] == "escalating"
    })
    .await;
    stint.kill().await;

    stint.start_again().await;
    let announced = stint.request(&id).await;
    assert_eq!(announced["state"], "escalating");
    assert!(!stint.is_member("alice", PROD).await);
    stint.advance(180).await;
    assert_eq!(stint.standing(&id).await, "active");
    assert!(stint.is_member("alice", PROD).await);
    let ends_at = stint.request(&id).await["ends_at"].clone();
    assert_eq!(ends_at, announced["ends_at"], "an end does not move");
    stint.advance(HOUR - 180 + 61).await;
    assert!(!stint.is_member("alice", PROD).await);
    assert_eq!(stint.standing(&id).await, "ended/elapsed");
}

#[tokio::test]
async fn killed_when_okta_had_done_it_and_nobody_had_written_so() {
    let mut stint = Stint::start_program().await;
    let id = added_and_not_recorded(&stint).await;
    stint.kill().await;

    stint.start_again().await;
    assert!(stint.is_member("alice", PROD).await);
    assert_eq!(stint.standing(&id).await, "escalating");
    stint.advance(180).await;
    assert_eq!(
        stint.standing(&id).await,
        "active",
        "not taken for a standing member"
    );
    stint.advance(HOUR).await;
    assert!(!stint.is_member("alice", PROD).await);
    assert_eq!(stint.standing(&id).await, "ended/elapsed");
}

#[tokio::test]
async fn killed_again_and_again() {
    let mut stint = Stint::start_program().await;
    let id = added_and_not_recorded(&stint).await;
    for _ in 0..3 {
        stint.kill().await;
        stint.start_again().await;
        stint.advance(7).await;
    }
    stint.advance(HOUR - 300).await;
    // Nothing can be written when its end comes.
    let broken =
        json!({"system": "aws", "match": "DynamoDB.TransactWriteItems", "status": 400, "times": 0});
    stint.fault(broken).await;
    stint.advance(600).await;
    assert!(stint.is_member("alice", PROD).await);
    stint.kill().await;
    stint.start_again().await;
    stint.advance(60).await;
    assert!(!stint.is_member("alice", PROD).await);
    assert_eq!(stint.standing(&id).await, "ended/elapsed");
    stint.advance(HOUR).await;
    assert_eq!(stint.state().await["memberships"], json!([]));
}

#[tokio::test]
async fn killed_while_somebody_is_taken_out() {
    let mut stint = Stint::start_program().await;
    let id = stint.grant("Prod", "1 hour").await;
    stint.fault(stuck("DELETE /api/v1/groups")).await;
    let click = stint.button("revoke", &id).await;
    stint
        .slack(BOB, json!({"click": click, "wait": false}))
        .await;
    until(&stint, |state| {
        state["memberships"][0]["under_way"] != json!([])
    })
    .await;
    stint.kill().await;

    stint.start_again().await;
    stint.advance(90).await;
    assert!(!stint.is_member("alice", PROD).await);
    assert_eq!(stint.standing(&id).await, "ended/revoked");
    assert_eq!(stint.count(ALICE, "was revoked by <@U02BOB>").await, 1);
}

/// Alice is in Prod through a request, and the answer that said so is not in the table.
async fn added_and_not_recorded(stint: &Stint) -> String {
    let id = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    let slow = json!({"system": "okta", "match": "PUT /api/v1/groups", "latency_ms": 3000});
    stint.fault(slow).await;
    let click = stint.button("approve", &id).await;
    stint
        .slack(BOB, json!({"click": click, "wait": false}))
        .await;
    until(stint, |state| state["requests"][0]["state"] == "escalating").await;
    let lost = json!({"system": "aws", "match": "DynamoDB.TransactWriteItems", "drop": "before", "times": 0});
    stint.fault(lost).await;
    until(stint, |state| {
        let members = state["okta"]["groups"][PROD]["members"].as_array();
        members.is_some_and(|all| all.contains(&json!("00u1alice")))
    })
    .await;
    id
}

/// A call that hangs until the program is killed.
fn stuck(call: &str) -> Value {
    json!({"system": "okta", "match": call, "latency_ms": 60_000, "times": 0})
}

/// Waits until everything is as `is` says, while work is under way.
async fn until(stint: &Stint, is: impl Fn(&Value) -> bool) {
    let waits = async {
        loop {
            let (_, state) = stint.call(Method::GET, "/sandbox/state", None).await;
            if is(&state) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_mins(1), waits).await;
    waited.expect("it never came to that");
}
