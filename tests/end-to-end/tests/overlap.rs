//! Several grants at once, and several people at once.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use end_to_end::{ALICE, BOB, CAROL, Copy, ERRORS, HOUR, PROD, STAGING, Stint, words};
use serde_json::{Value, json};

#[tokio::test]
async fn the_shorter_of_two_ends_first() {
    let stint = Stint::start().await;
    let long = stint.grant("Staging", "1 hour").await;
    stint.advance(60).await;
    let short = stint.grant("Staging", "30 minutes").await;
    assert_eq!(holders(&stint).await, json!([long, short]));

    stint.advance(30 * 60 + 61).await;
    assert_eq!(stint.standing(&short).await, "ended/elapsed");
    assert_eq!(stint.standing(&long).await, "active");
    assert!(stint.is_member("alice", STAGING).await);
    assert_eq!(stint.okta_calls("DELETE").await.len(), 0);

    stint.advance(30 * 60).await;
    assert_eq!(stint.standing(&long).await, "ended/elapsed");
    assert!(!stint.is_member("alice", STAGING).await);
    assert_eq!(stint.okta_calls("DELETE").await.len(), 1);
    assert_eq!(stint.count(ALICE, "access to *Staging* has ended").await, 2);
}

#[tokio::test]
async fn the_longer_of_two_is_revoked_first() {
    let stint = Stint::start().await;
    let long = stint.grant("Staging", "1 hour").await;
    let short = stint.grant("Staging", "30 minutes").await;
    stint.press(BOB, "revoke", &long).await;
    assert_eq!(stint.standing(&long).await, "ended/revoked");
    assert!(stint.is_member("alice", STAGING).await);
    assert_eq!(holders(&stint).await, json!([short]));

    stint.advance(30 * 60 - 1).await;
    assert!(stint.is_member("alice", STAGING).await);
    stint.advance(61).await;
    assert!(!stint.is_member("alice", STAGING).await);
    assert_eq!(stint.standing(&short).await, "ended/elapsed");
    stint.advance(HOUR).await;
    let state = stint.state().await;
    assert_eq!(state["schedules"], json!([]));
    assert_eq!(state["memberships"], json!([]));
}

#[tokio::test]
async fn what_a_second_grant_that_is_refused_leaves_open_is_settled_for_the_first() {
    let stint = Stint::start().await;
    let first = stint.grant("Staging", "1 hour").await;
    let second = stint.ask(ALICE, "Staging", "30 minutes").await.unwrap();
    let refused =
        json!({"system": "okta", "match": "PUT /api/v1/groups", "status": 403, "times": 0});
    stint.fault(refused).await;
    stint.press(BOB, "approve", &second).await;
    assert_eq!(stint.standing(&second).await, "pending");
    stint.mend().await;
    let adds = stint.okta_calls("PUT").await.len();
    stint.advance(3 * 60).await;
    let item = stint.state().await["memberships"][0].clone();
    assert_eq!(item["holders"], json!([first]), "{item}");
    assert_eq!(stint.okta_calls("PUT").await.len(), adds + 1);
}

#[tokio::test]
async fn revoked_and_asked_again_at_once() {
    let stint = Stint::start().await;
    let first = stint.grant("Prod", "1 hour").await;
    stint.press(BOB, "revoke", &first).await;
    let second = stint.grant("Prod", "30 minutes").await;
    assert_eq!(stint.standing(&second).await, "active");
    assert!(stint.is_member("alice", PROD).await);
    stint.advance(30 * 60 + 61).await;
    assert!(!stint.is_member("alice", PROD).await);
}

#[tokio::test]
async fn two_people_of_one_group_do_not_hold_each_other() {
    let stint = Stint::start().await;
    let alice = stint.grant("Staging", "30 minutes").await;
    let bob = stint.ask(BOB, "Staging", "1 hour").await.unwrap();
    stint.press(CAROL, "approve", &bob).await;
    assert!(stint.is_member("bob", STAGING).await);
    stint.advance(30 * 60 + 61).await;
    assert_eq!(stint.standing(&alice).await, "ended/elapsed");
    assert!(!stint.is_member("alice", STAGING).await);
    assert!(stint.is_member("bob", STAGING).await);
    stint.advance(30 * 60).await;
    assert!(!stint.is_member("bob", STAGING).await);
}

#[tokio::test]
async fn a_second_pending_request_for_one_target_is_not_made() {
    let stint = Stint::start().await;
    let first = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    assert_eq!(stint.ask(ALICE, "Prod", "30 minutes").await, None);
    let told = "You have asked for *Prod* already";
    assert_eq!(stint.count(ALICE, told).await, 1);
    let copies = stint.copies(&first).await;
    let own = copies.iter().find(|it| it.0 == Copy::Requester).unwrap();
    let ts = own.2["ts"].as_str().unwrap().replace('.', "");
    assert_eq!(stint.count(ALICE, &ts).await, 1, "with a link to her card");
    assert!(stint.ask(ALICE, "Staging", "1 hour").await.is_some());
}

#[tokio::test]
async fn two_approvers_at_once() {
    for round in 0..4 {
        let stint = Stint::start().await;
        let id = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
        let click = json!({"click": stint.button("approve", &id).await, "wait": false});
        tokio::join!(
            stint.slack(BOB, click.clone()),
            stint.slack(CAROL, click.clone())
        );
        assert_eq!(stint.standing(&id).await, "active", "round {round}");
        let approvals = stint.request(&id).await["approvals"].clone();
        let [approval] = approvals.as_array().unwrap().as_slice() else {
            panic!("one decision: {approvals}");
        };
        assert_eq!(stint.okta_calls("PUT").await.len(), 1);
        let winner = approval["user"].as_str().unwrap();
        let late = if winner == BOB { CAROL } else { BOB };
        let state = stint.state().await;
        let told = |user: &str| words(&state["slack"]["ephemerals"][user]);
        let who = format!("<@{winner}> approved the request of <@U01ALICE> for *Prod*");
        assert!(told(late).contains(&who), "{}", told(late));
        assert_eq!(told(winner), "");
        assert_eq!(
            stint.steps(&id).await,
            ["request", "approve", "escalate", "activate"]
        );
        assert_eq!(state["schedules"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_yes_and_a_no_at_once() {
    let stint = Stint::start().await;
    let id = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    let form = stint.press(CAROL, "deny", &id).await["view"].clone();
    let submit = json!({"view_id": form["id"], "values": {}});
    let (yes, no) = (
        json!({"click": stint.button("approve", &id).await, "wait": false}),
        json!({"submit": submit, "wait": false}),
    );
    tokio::join!(stint.slack(BOB, yes), stint.slack(CAROL, no));
    let standing = stint.standing(&id).await;
    let state = stint.state().await;
    let told = |user: &str| words(&state["slack"]["ephemerals"][user]);
    if standing == "denied" {
        assert!(told(BOB).contains("<@U03CAROL> denied"), "{}", told(BOB));
        assert!(!stint.is_member("alice", PROD).await);
    } else {
        assert_eq!(standing, "active");
        let said = told(CAROL);
        assert!(said.contains("<@U02BOB> approved"), "{said}");
        assert!(stint.is_member("alice", PROD).await);
    }
}

#[tokio::test]
async fn one_click_delivered_twice_is_one_decision() {
    let stint = Stint::start().await;
    let id = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    let click = stint.button("approve", &id).await;
    let seen = stint
        .slack(BOB, json!({"click": click, "deliveries": 2}))
        .await;
    assert_eq!(seen["ephemerals"], json!([]), "nobody is late");
    assert_eq!(stint.standing(&id).await, "active");
    assert_eq!(stint.okta_calls("PUT").await.len(), 1);

    let click = stint.button("revoke", &id).await;
    let seen = stint
        .slack(BOB, json!({"click": click, "deliveries": 3}))
        .await;
    assert_eq!(seen["ephemerals"], json!([]), "nobody is late");
    assert_eq!(stint.standing(&id).await, "ended/revoked");
    assert_eq!(stint.okta_calls("DELETE").await.len(), 1);
    let all = [
        "request", "approve", "escalate", "activate", "revoke", "end",
    ];
    assert_eq!(stint.steps(&id).await, all);
    assert_eq!(stint.count(ALICE, "was revoked by <@U02BOB>").await, 1);
}

/// One function still draws what it did when the next has done its part.
#[tokio::test]
async fn every_message_comes_once_when_slack_is_slow() {
    let stint = Stint::start().await;
    for call in ["chat.postMessage", "chat.update"] {
        let slow = json!({"system": "slack", "match": call, "latency_ms": 200, "times": 0});
        stint.fault(slow).await;
    }
    let id = stint.grant("Prod", "1 hour").await;
    stint.press(CAROL, "revoke", &id).await;
    assert_eq!(stint.standing(&id).await, "ended/revoked");
    assert_eq!(stint.count(ALICE, "You have *Prod* until").await, 1);
    let revoked = "access to *Prod* was revoked by <@U03CAROL>";
    assert_eq!(stint.count(ALICE, revoked).await, 1);
    assert_eq!(stint.texts(ALICE).await.len(), 2 + 1, "and her card");
    assert_eq!(stint.texts(BOB).await.len(), 1, "his copy of it");
}

#[tokio::test]
async fn one_form_delivered_twice_is_one_request() {
    let stint = Stint::start().await;
    let opened = stint.command(ALICE, "/access prod 1h INC-42").await;
    let submit = json!({"view_id": opened["view"]["id"], "values": {}});
    stint
        .slack(ALICE, json!({"submit": submit, "deliveries": 3}))
        .await;
    let requests = stint.requests().await;
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert_eq!(stint.texts(end_to_end::REQUESTS).await.len(), 1);
    assert_eq!(stint.texts(ALICE).await.len(), 1);
}

#[tokio::test]
async fn a_second_click_of_the_same_person_is_told_how_it_stands() {
    let stint = Stint::start().await;
    let id = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    let click = stint.button("approve", &id).await;
    stint.slack(BOB, json!({"click": click})).await;
    let again = json!({"click": click, "force": true});
    let seen = stint.slack(BOB, again).await;
    let said = words(&seen["ephemerals"]);
    assert!(said.contains("approved the request"), "{said}");
    assert_eq!(stint.okta_calls("PUT").await.len(), 1);
}

/// Grants that end all over the day, while time is moved a day at once.
#[tokio::test]
async fn everybody_is_out_on_time_however_far_time_is_moved() {
    let stint = Stint::start().await;
    let mut ids = Vec::new();
    for (user, target, duration, approver) in [
        (ALICE, "Prod", "30 minutes", BOB),
        (ALICE, "Staging", "4 hours", CAROL),
        (BOB, "Staging", "1 hour", CAROL),
        (CAROL, "Prod", "1 hour", BOB),
        (CAROL, "Staging", "4 hours", BOB),
        (BOB, "Prod", "30 minutes", CAROL),
    ] {
        let id = stint.ask(user, target, duration).await.unwrap();
        stint.press(approver, "approve", &id).await;
        stint.advance(7).await;
        ids.push(id);
    }
    stint.advance(24 * HOUR).await;
    let state = stint.state().await;
    let removals = stint.okta_calls("DELETE").await;
    assert_eq!(removals.len(), ids.len());
    for id in &ids {
        let request = stint.request(id).await;
        assert_eq!(stint.standing(id).await, "ended/elapsed");
        let (user, group) = (&request["okta_user"], &request["group_id"]);
        let path = format!(
            "/api/v1/groups/{}/users/{}",
            group.as_str().unwrap(),
            user.as_str().unwrap()
        );
        let removal = removals.iter().find(|it| it["path"] == path.as_str());
        let removal = removal.unwrap_or_else(|| panic!("no {path} in {removals:?}"));
        let late = second(&removal["at"]) - second(&request["ends_at"]);
        assert!((0..=90).contains(&late), "{path}: {late} s late");
    }
    assert_eq!(state["schedules"], json!([]));
    assert_eq!(state["memberships"], json!([]));
    assert_eq!(stint.texts(ERRORS).await, [""; 0]);
}

/// The same when no schedule could be made: the sweep alone.
#[tokio::test]
async fn the_sweep_alone_is_on_time() {
    let stint = Stint::start().await;
    let none =
        json!({"system": "aws", "match": "Scheduler.CreateSchedule", "status": 500, "times": 0});
    stint.fault(none).await;
    let id = stint.grant("Prod", "30 minutes").await;
    stint.mend().await;
    assert_eq!(stint.standing(&id).await, "active");
    assert_eq!(stint.state().await["schedules"], json!([]));
    stint.advance(24 * HOUR).await;
    assert!(!stint.is_member("alice", PROD).await);
    let ends_at = stint.request(&id).await["ends_at"].clone();
    let removals = stint.okta_calls("DELETE").await;
    let late = second(&removals[0]["at"]) - second(&ends_at);
    assert!((0..=90).contains(&late), "{late} s late");
}

/// The holders of the only membership.
async fn holders(stint: &Stint) -> Value {
    stint.state().await["memberships"][0]["holders"].clone()
}

/// A time of the JSON surface, in seconds.
fn second(at: &Value) -> i64 {
    at.as_str()
        .unwrap()
        .parse::<jiff::Timestamp>()
        .unwrap()
        .as_second()
}
