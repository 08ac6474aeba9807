//! Living with access: the warning before it ends, more time, the end.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use end_to_end::{ALICE, BOB, HOUR, PROD, Stint, buttons, words};
use serde_json::{Value, json};

const WARNING: &str = "⏰ Your access to *Prod* ends at";

/// The newest direct message of Alice that contains `text`.
async fn message(stint: &Stint, text: &str) -> Value {
    let state = stint.state().await;
    let messages = state["slack"]["dms"][ALICE]["messages"].as_array().unwrap();
    let mut found = messages.iter().rev().filter(|it| words(it).contains(text));
    found.next().unwrap().clone()
}

/// Alice presses `action` of `message`, one of her direct messages.
async fn press(stint: &Stint, action: &str, message: &Value) -> Value {
    let click = json!({"channel": "D01ALICE", "ts": message["ts"], "action_id": action});
    stint.slack(ALICE, json!({ "click": click })).await
}

async fn extension_of(stint: &Stint, old: &str) -> String {
    let requests = stint.requests().await;
    let new = requests.values().find(|it| it["extends"] == old);
    new.unwrap()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_warning_comes_once_before_the_end() {
    let stint = Stint::start().await;
    let id = stint.grant("Prod", "1 hour").await;
    stint.advance(50 * 60 - 1).await;
    assert_eq!(stint.count(ALICE, WARNING).await, 0);
    stint.advance(60).await;
    assert_eq!(stint.count(ALICE, WARNING).await, 1);
    let warning = message(&stint, WARNING).await;
    // There is no more than an hour of Prod, so that it cannot be extended.
    assert_eq!(buttons(&warning), ["done"]);
    let said = words(&warning);
    assert!(said.contains("may keep you signed in"), "{said}");
    stint.advance(5 * 60).await;
    assert_eq!(stint.count(ALICE, WARNING).await, 1);
    assert_eq!(stint.standing(&id).await, "active");
    stint.is_shown_everywhere(&id).await;

    press(&stint, "done", &warning).await;
    assert_eq!(stint.standing(&id).await, "ended/withdrawn");
    assert!(!stint.is_member("alice", PROD).await);
    let seen = press(&stint, "done", &warning).await;
    let told = words(&seen["ephemerals"]);
    assert!(told.contains("You ended the access"), "{told}");
    stint.is_shown_everywhere(&id).await;
}

#[tokio::test]
async fn what_has_ended_or_was_extended_is_not_warned_of() {
    let stint = Stint::start().await;
    // Taken back before.
    let id = stint.grant("Prod", "30 minutes").await;
    stint.advance(20 * 60).await;
    stint.press(BOB, "revoke", &id).await;
    stint.advance(HOUR).await;
    assert_eq!(stint.count(ALICE, WARNING).await, 0);

    // Extended before: the warning is of the new end.
    let old = stint.grant("Prod", "30 minutes").await;
    stint.advance(20 * 60).await;
    stint.press_own(ALICE, "extend").await;
    stint.submit(ALICE, json!({"reason": "not done yet"})).await;
    let new = extension_of(&stint, &old).await;
    stint.press(BOB, "approve", &new).await;
    assert_eq!(stint.standing(&new).await, "active");
    stint.advance(15 * 60).await;
    assert_eq!(
        stint.count(ALICE, WARNING).await,
        0,
        "the old end has passed"
    );
    stint.advance(11 * 60).await;
    assert_eq!(stint.count(ALICE, WARNING).await, 1);
    stint.advance(10 * 60).await;
    assert_eq!(stint.standing(&new).await, "ended/elapsed");
    assert_eq!(stint.count(ALICE, WARNING).await, 1);
}

#[tokio::test]
async fn an_end_that_was_passed_over_is_not_warned_of_afterwards() {
    let stint = Stint::start().await;
    let id = stint.grant("Prod", "30 minutes").await;
    // Nothing can be sent until it is over.
    let fault = json!({"system": "slack", "match": "chat.postMessage", "status": 503, "times": 0});
    stint.fault(fault).await;
    stint.advance(31 * 60).await;
    assert_eq!(stint.standing(&id).await, "ended/elapsed");
    stint.mend().await;
    stint.advance(600).await;
    assert_eq!(stint.count(ALICE, WARNING).await, 0);
    assert_eq!(
        stint.count(ALICE, "Your access to *Prod* has ended").await,
        1
    );
}

#[tokio::test]
async fn more_time_is_asked_for_from_the_warning() {
    let stint = Stint::start().await;
    let old = stint.grant("Prod", "30 minutes").await;
    stint.advance(26 * 60).await;
    let warning = message(&stint, WARNING).await;
    assert_eq!(buttons(&warning), ["done", "extend"]);
    let seen = press(&stint, "extend", &warning).await;
    assert_eq!(seen["view"]["callback_id"], "request");
    let values = json!({"duration": "30 minutes", "reason": "the restore still runs"});
    let new = stint.send_form(ALICE, values).await.unwrap();
    assert_eq!(stint.request(&new).await["extends"], json!(old));
    stint.press(BOB, "approve", &new).await;
    assert_eq!(stint.standing(&old).await, "ended/superseded");
    assert_eq!(stint.standing(&new).await, "active");
    stint.is_shown_everywhere(&new).await;

    // The warning still has its buttons: who presses them again is told, and nothing is doubled.
    let seen = press(&stint, "extend", &warning).await;
    if seen["view"].is_object() {
        stint.submit(ALICE, json!({"reason": "and more"})).await;
    }
    assert_eq!(stint.requests().await.len(), 2);
    let told = stint.heard(ALICE).await;
    assert!(told.contains("The access is not extended"), "{told}");
    stint.advance(HOUR).await;
    assert_eq!(stint.standing(&new).await, "ended/elapsed");
    assert!(!stint.is_member("alice", PROD).await);
}

#[tokio::test]
async fn an_extension_that_would_end_earlier_is_not_made() {
    let stint = Stint::start().await;
    stint.edit(
        "flows.toml",
        "max_duration = \"1h\"",
        "max_duration = \"2h\"",
    );
    let old = stint.grant("Prod", "1 hour").await;
    stint.press_own(ALICE, "extend").await;
    let values = json!({"duration": "30 minutes", "reason": "a little more"});
    assert_eq!(stint.send_form(ALICE, values).await, None);
    let told = stint.heard(ALICE).await;
    assert!(
        told.contains(
            "The access is not extended: it would end before the access that there is now"
        ),
        "{told}"
    );
    assert_eq!(stint.standing(&old).await, "active");
    // Half an hour later it would not.
    stint.advance(31 * 60).await;
    stint.press_own(ALICE, "extend").await;
    let values = json!({"duration": "30 minutes", "reason": "a little more"});
    assert!(stint.send_form(ALICE, values).await.is_some());
}

#[tokio::test]
async fn the_end_is_told_with_another_try() {
    let stint = Stint::start().await;
    let id = stint.grant("Prod", "30 minutes").await;
    stint.advance(31 * 60).await;
    stint.is_shown_everywhere(&id).await;
    let ended = message(&stint, "Your access to *Prod* has ended").await;
    assert_eq!(buttons(&ended), ["again"]);
    assert!(words(&ended).contains("may keep you signed in"));
    let seen = press(&stint, "again", &ended).await;
    assert_eq!(seen["view"]["callback_id"], "request");
    let again = stint.send_form(ALICE, json!({})).await.unwrap();
    let again = stint.request(&again).await;
    assert_eq!(
        (&again["duration_s"], &again["extends"]),
        (&json!(1800), &Value::Null)
    );
}
