//! Failures are told to whoever meets them, each time, and to the error channel, once for each cause.

use end_to_end::{ALICE, BOB, CAROL, DAVE, ERRORS, HOUR, PROD, Stint, words};
use serde_json::json;

#[tokio::test]
async fn one_cause_is_told_once_an_hour_however_many_meet_it() {
    let stint = Stint::start().await;
    let first = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    let second = stint.ask(DAVE, "Staging", "1 hour").await.unwrap();
    assert_eq!(stint.texts(ERRORS).await, [""; 0]);
    stint.post("okta", json!({"credential": "revoked"})).await;

    let clicks = [
        (BOB, &first),
        (CAROL, &first),
        (BOB, &second),
        (CAROL, &second),
        (BOB, &first),
    ];
    for (user, id) in clicks {
        let seen = stint.press(user, "approve", id).await;
        let told = words(&seen["ephemerals"]);
        for part in ["*What*", user, "*Where*", "*Hint*", "token"] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert_eq!(stint.standing(id).await, "pending");
    }
    let errors = stint.texts(ERRORS).await;
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert!(errors[0].contains("attempted by <@U02BOB>"), "{errors:?}");

    // Asking goes on meanwhile; it is looked at again when somebody approves.
    for user in [ALICE, CAROL] {
        stint.ask(user, "Staging", "30 minutes").await.unwrap();
    }
    assert_eq!(stint.texts(ERRORS).await.len(), 1);

    stint.advance(HOUR - 60).await;
    stint.press(CAROL, "approve", &first).await;
    assert_eq!(stint.texts(ERRORS).await.len(), 1, "within the hour");
    stint.advance(61).await;
    stint.press(CAROL, "approve", &first).await;
    stint.press(BOB, "approve", &second).await;
    let errors = stint.texts(ERRORS).await;
    assert_eq!(errors.len(), 2, "{errors:#?}");

    // It is mended, and works.
    stint.post("okta", json!({"credential": "valid"})).await;
    stint.press(BOB, "approve", &first).await;
    assert_eq!(stint.standing(&first).await, "active");
    assert_eq!(stint.texts(ERRORS).await.len(), 2);
}

#[tokio::test]
async fn another_cause_is_told_at_once() {
    let stint = Stint::start().await;
    let id = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    stint.post("okta", json!({"credential": "revoked"})).await;
    stint.press(BOB, "approve", &id).await;
    stint.post("okta", json!({"credential": "valid"})).await;
    let down = json!({"system": "okta", "match": "GET /", "status": 503, "times": 0});
    stint.fault(down).await;
    stint.press(BOB, "approve", &id).await;
    stint.press(CAROL, "approve", &id).await;
    let errors = stint.texts(ERRORS).await;
    assert_eq!(errors.len(), 2, "{errors:#?}");
}

#[tokio::test]
async fn five_requests_that_fail_for_one_cause_are_told_once_to_the_channel_and_to_each() {
    let stint = Stint::start().await;
    let people = [
        (ALICE, "Prod"),
        (ALICE, "Staging"),
        (DAVE, "Staging"),
        (CAROL, "Prod"),
        (CAROL, "Staging"),
    ];
    let mut ids = Vec::new();
    for (user, target) in people {
        ids.push(stint.ask(user, target, "30 minutes").await.unwrap());
    }
    // They can all be read, and nobody can be added.
    let fault = json!({"system": "okta", "match": "PUT /api/v1/groups", "status": 403, "times": 0});
    stint.fault(fault).await;
    for id in &ids {
        stint.press(BOB, "approve", id).await;
    }
    let errors = stint.texts(ERRORS).await;
    assert_eq!(errors.len(), 1, "{errors:#?}");
    for (user, count) in [(ALICE, 2), (DAVE, 1), (CAROL, 2)] {
        let told = stint.texts(user).await;
        let told = told
            .iter()
            .filter(|it| it.starts_with("Sorry, an error occurred!"));
        assert_eq!(told.count(), count, "{user}");
    }
    for id in &ids {
        assert_eq!(stint.standing(id).await, "pending");
        let card = words(&stint.card(id).await);
        assert!(card.contains("⚠️") && card.contains("*Hint*"), "{card}");
    }
    stint.mend().await;
    for id in &ids {
        stint.press(BOB, "approve", id).await;
        assert_eq!(stint.standing(id).await, "active");
    }
    assert_eq!(stint.texts(ERRORS).await.len(), 1);
}

#[tokio::test]
async fn an_error_channel_that_is_not_there_keeps_nobody_from_being_told() {
    let stint = Stint::start().await;
    let id = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    let out = json!({"channel_admin": {"channel": ERRORS, "bot_in": false}});
    stint.post("slack", out).await;
    stint.post("okta", json!({"credential": "revoked"})).await;
    let seen = stint.press(BOB, "approve", &id).await;
    let told = words(&seen["ephemerals"]);
    assert!(told.contains("*Hint*"), "{told}");
    let untold = stint.metric("ErrorChannelFailed").await;
    assert_eq!(untold["value"], json!(1.0), "{untold}");
    // It was not told, so it is when it can be.
    let back = json!({"channel_admin": {"channel": ERRORS, "bot_in": true}});
    stint.post("slack", back).await;
    stint.press(CAROL, "approve", &id).await;
    assert_eq!(stint.texts(ERRORS).await.len(), 1);
}

#[tokio::test]
async fn a_removal_that_fails_is_told_though_something_else_failed_for_the_same_cause() {
    let stint = Stint::start().await;
    let id = stint.ask(ALICE, "Prod", "30 minutes").await.unwrap();
    let down = |what: &str| json!({"system": "okta", "match": what, "status": 503, "times": 0});
    stint.fault(down("GET /")).await;
    stint.press(BOB, "approve", &id).await;
    assert_eq!(stint.texts(ERRORS).await.len(), 1);
    stint.mend().await;
    stint.press(BOB, "approve", &id).await;
    assert_eq!(stint.standing(&id).await, "active");

    stint.fault(down("DELETE /")).await;
    stint.advance(HOUR / 2 + 120).await;
    assert!(stint.is_member("alice", PROD).await);
    let errors = stint.texts(ERRORS).await;
    assert_eq!(errors.len(), 2, "{errors:#?}");
    let stuck = &errors[1];
    assert!(stuck.contains("out of the group"), "{stuck}");
    stint.mend().await;
    stint.advance(90).await;
    assert!(!stint.is_member("alice", PROD).await);
}
