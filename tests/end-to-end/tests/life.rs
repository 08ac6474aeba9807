//! What people do with a request while it lives, and what they are told.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use end_to_end::{ALICE, BOB, CAROL, DAVE, ERRORS, HOUR, PROD, REQUESTS, Stint, buttons, words};
use serde_json::{Value, json};

#[tokio::test]
async fn whoever_approved_takes_it_back_on_the_card() {
    let stint = Stint::start().await;
    let id = stint.grant("Prod", "1 hour").await;
    assert!(stint.is_member("alice", PROD).await);
    assert_eq!(buttons(&stint.card(&id).await), ["revoke"]);

    stint.press(BOB, "revoke", &id).await;
    assert!(!stint.is_member("alice", PROD).await);
    assert_eq!(stint.standing(&id).await, "ended/revoked");
    let card = stint.card(&id).await;
    assert!(buttons(&card).is_empty());
    assert!(words(&card).contains("Revoked by <@U02BOB>"));
    let told = "access to *Prod* was revoked by <@U02BOB>";
    assert_eq!(stint.count(ALICE, told).await, 1);
    assert_eq!(stint.state().await["schedules"], json!([]));
}

#[tokio::test]
async fn whoever_approved_takes_it_back_in_their_direct_messages() {
    let stint = Stint::start().await;
    let id = stint.grant("Prod", "1 hour").await;
    assert_eq!(stint.count(BOB, "You approved *Okta Access*").await, 1);

    stint.press_own(BOB, "revoke").await;
    assert!(!stint.is_member("alice", PROD).await);
    assert_eq!(stint.standing(&id).await, "ended/revoked");
    assert_eq!(stint.count(BOB, "Revoked by <@U02BOB>").await, 1);
}

#[tokio::test]
async fn another_approver_takes_it_back_because_the_policy_lets_them() {
    let stint = Stint::start().await;
    let id = stint.grant("Prod", "1 hour").await;
    stint.press(CAROL, "revoke", &id).await;
    assert!(!stint.is_member("alice", PROD).await);
    assert_eq!(stint.standing(&id).await, "ended/revoked");
    let revoked = step(&stint, &id, "revoke").await;
    assert_eq!(revoked["actor"]["slack"], CAROL);
    assert_eq!(revoked["actor"]["okta"], "00u3carol");
    assert_eq!(revoked["policy"], json!(["approvers-decide"]));
}

#[tokio::test]
async fn who_may_not_decide_is_told_so_and_nobody_else_is() {
    let stint = Stint::start().await;
    let id = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    for action in ["approve", "deny"] {
        let seen = stint.decide_gone(DAVE, action, &id).await;
        let said = words(&seen["ephemerals"]);
        let no = format!("does not let you {action} this");
        assert!(said.contains(&no), "{said}");
        let seen = stint.decide_gone(ALICE, action, &id).await;
        let said = words(&seen["ephemerals"]);
        assert!(
            said.contains("Nobody decides on their own request"),
            "{said}"
        );
    }
    assert_eq!(stint.standing(&id).await, "pending");

    stint.press(BOB, "approve", &id).await;
    let seen = stint.press(DAVE, "revoke", &id).await;
    assert_eq!(seen["ephemerals"].as_array().unwrap().len(), 1, "{seen}");
    let said = words(&seen["ephemerals"]);
    assert!(said.contains("does not let you revoke this"), "{said}");
    assert_eq!(stint.standing(&id).await, "active");
    assert!(stint.is_member("alice", PROD).await);
    assert_eq!(stint.texts(DAVE).await, [""; 0]);
    assert_eq!(stint.texts(ERRORS).await, [""; 0]);
    let state = stint.state().await;
    assert_eq!(state["slack"]["ephemerals"][BOB], json!([]));
}

#[tokio::test]
async fn denied() {
    let stint = Stint::start().await;
    let id = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    stint.deny(BOB, &id).await;
    assert_eq!(stint.standing(&id).await, "denied");
    let card = stint.card(&id).await;
    assert!(buttons(&card).is_empty());
    assert!(words(&card).contains("Denied by <@U02BOB>"));
    let told = "request was denied by <@U02BOB>";
    assert_eq!(stint.count(ALICE, told).await, 1);
    assert_eq!(stint.okta_calls("PUT").await, [json!(null); 0]);

    let seen = stint
        .slack(
            CAROL,
            json!({"click": stint.button("approve", &id).await, "force": true}),
        )
        .await;
    let said = words(&seen["ephemerals"]);
    assert!(said.contains("<@U02BOB> denied"), "{said}");
    assert_eq!(stint.standing(&id).await, "denied");
}

#[tokio::test]
async fn only_the_requester_cancels_and_only_before_it_is_decided() {
    let stint = Stint::start().await;
    let id = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    assert_eq!(stint.count(ALICE, "Sent to #sym-requests").await, 1);
    let mut click = own_button(&stint, ALICE, "cancel").await;
    let forced = json!({"click": click, "force": true});
    let seen = stint.slack(BOB, forced).await;
    let said = words(&seen["ephemerals"]) + &stint.texts(BOB).await.join("\n");
    assert!(said.contains("Only the person who asked"), "{said}");
    assert_eq!(stint.standing(&id).await, "pending");

    stint.press_own(ALICE, "cancel").await;
    assert_eq!(stint.standing(&id).await, "cancelled");
    let card = stint.card(&id).await;
    assert!(buttons(&card).is_empty());
    assert!(words(&card).contains("Cancelled by <@U01ALICE>"));

    // Who has the old card before their eyes still.
    click["action_id"] = json!("cancel");
    let forced = json!({"click": click, "force": true});
    let seen = stint.slack(ALICE, forced).await;
    let said = words(&seen["ephemerals"]);
    assert!(said.contains("took back"), "{said}");
}

#[tokio::test]
async fn a_request_that_nobody_answers_expires() {
    let stint = Stint::start().await;
    let id = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    stint.advance(24 * HOUR - 1).await;
    assert_eq!(stint.standing(&id).await, "pending");
    stint.advance(61).await;
    assert_eq!(stint.standing(&id).await, "expired");
    let card = stint.card(&id).await;
    assert!(buttons(&card).is_empty());
    assert!(words(&card).contains("nobody answered"));
    assert_eq!(stint.count(ALICE, "request has expired").await, 1);
    let expired = step(&stint, &id, "expire").await;
    assert_eq!(expired["actor"], json!({"function": "deescalation"}));

    let seen = stint.press_own(ALICE, "again").await;
    assert_eq!(seen["view"]["callback_id"], "request");
    assert!(seen["view"].to_string().contains("fixing INC-42"));
    let seen = stint.submit(ALICE, json!({})).await;
    assert_eq!(seen["errors"], json!({}));
    let again = stint.requests().await;
    let again = again.values().find(|it| it["state"] == "pending").unwrap();
    assert_eq!(again["duration_s"], 3600);
    assert_eq!(again["reason"], "fixing INC-42: it is down");
}

#[tokio::test]
async fn given_back() {
    let stint = Stint::start().await;
    let id = stint.grant("Prod", "1 hour").await;
    let click = own_button(&stint, ALICE, "done").await;
    let forced = json!({"click": click, "force": true});
    stint.slack(BOB, forced).await;
    assert_eq!(stint.standing(&id).await, "active");

    stint.press_own(ALICE, "done").await;
    assert!(!stint.is_member("alice", PROD).await);
    assert_eq!(stint.standing(&id).await, "ended/withdrawn");
    assert!(words(&stint.card(&id).await).contains("Given back by <@U01ALICE>"));
    assert_eq!(
        stint.count(ALICE, "access to *Prod* was given back").await,
        1
    );
    assert_eq!(stint.state().await["schedules"], json!([]));

    let seen = stint.press_own(ALICE, "again").await;
    assert_eq!(seen["view"]["callback_id"], "request");
}

#[tokio::test]
async fn an_extension_takes_over() {
    let stint = Stint::start().await;
    let old = stint.grant("Prod", "30 minutes").await;
    stint.advance(20 * 60).await;
    let seen = stint.press_own(ALICE, "extend").await;
    let form = words(&seen["view"]["blocks"]);
    let durations = form.split("Duration\n").last().unwrap();
    assert_eq!(durations, "30 minutes\n30 minutes", "only what is left");
    let values = json!({"duration": "30 minutes", "reason": "not done yet"});
    let seen = stint.submit(ALICE, values).await;
    assert_eq!(seen["errors"], json!({}), "{seen}");
    let new = extension_of(&stint, &old).await;
    assert!(words(&stint.card(&new).await).contains("Extends access that they have now"));
    assert_eq!(stint.standing(&old).await, "active");
    stint.press(BOB, "approve", &new).await;
    assert_eq!(stint.standing(&old).await, "ended/superseded");
    assert_eq!(stint.standing(&new).await, "active");
    let state = stint.state().await;
    assert_eq!(state["memberships"][0]["holders"], json!([new]));
    assert!(words(&stint.card(&old).await).contains("a newer request took over"));

    stint.advance(29 * 60).await;
    assert!(
        stint.is_member("alice", PROD).await,
        "the old end has passed"
    );
    // The whole of the maximum is used up.
    let state = stint.state().await;
    let dms = state["slack"]["dms"][ALICE]["messages"].as_array().unwrap();
    assert!(
        dms.iter()
            .all(|it| !buttons(it).contains(&"extend".to_owned()))
    );

    stint.advance(61).await;
    assert!(!stint.is_member("alice", PROD).await);
    assert_eq!(stint.standing(&new).await, "ended/elapsed");
    assert_eq!(stint.count(ALICE, "access to *Prod* has ended").await, 1);
    assert_eq!(stint.okta_calls("DELETE").await.len(), 1);
    stint.advance(HOUR).await;
    let state = stint.state().await;
    assert_eq!(state["schedules"], json!([]));
    assert_eq!(state["memberships"], json!([]));
}

#[tokio::test]
async fn what_was_extended_is_not_extended_twice() {
    let stint = Stint::start().await;
    let old = stint.grant("Prod", "30 minutes").await;
    let extend = own_button(&stint, ALICE, "extend").await;
    stint.slack(ALICE, json!({"click": extend})).await;
    stint.submit(ALICE, json!({"reason": "more"})).await;
    let first = extension_of(&stint, &old).await;

    // A second one beside the one that waits is not made.
    stint.slack(ALICE, json!({"click": extend})).await;
    stint.submit(ALICE, json!({"reason": "more"})).await;
    assert_eq!(stint.requests().await.len(), 2);
    assert_eq!(stint.count(ALICE, "still waits with").await, 1);

    // Nor is one of a card that is behind.
    stint.press(BOB, "approve", &first).await;
    let forced = json!({"click": extend, "force": true});
    let seen = stint.slack(ALICE, forced).await;
    if seen["view"].is_object() {
        stint.submit(ALICE, json!({"reason": "more"})).await;
    }
    assert_eq!(stint.requests().await.len(), 2);
}

#[tokio::test]
async fn two_extensions_of_one_access_do_not_add_up() {
    let stint = Stint::start().await;
    let old = stint.grant("Prod", "30 minutes").await;
    stint.advance(20 * 60).await;
    let extend = own_button(&stint, ALICE, "extend").await;
    let more = json!({"duration": "30 minutes", "reason": "more"});
    stint.slack(ALICE, json!({"click": extend})).await;
    stint.submit(ALICE, more.clone()).await;
    let first = extension_of(&stint, &old).await;

    // While the first is carried out, a second is asked for.
    let busy = json!({"system": "okta", "match": "PUT /api/v1/groups", "status": 503, "times": 0});
    stint.fault(busy).await;
    stint.press(BOB, "approve", &first).await;
    assert_eq!(stint.standing(&first).await, "escalating");
    stint.slack(ALICE, json!({"click": extend})).await;
    stint.submit(ALICE, more).await;
    let mut requests = stint.requests().await;
    requests.retain(|id, it| it["extends"] == old.as_str() && *id != first);
    let second = requests.pop_first().unwrap().0;
    stint.mend().await;
    stint.advance(120).await;
    assert_eq!(stint.standing(&first).await, "active");

    stint.advance(20 * 60).await;
    let seen = stint.press(BOB, "approve", &second).await;
    let said = words(&seen["ephemerals"]);
    assert!(said.contains("another request extends it"), "{said}");
    assert_eq!(stint.standing(&second).await, "pending");
    stint.advance(18 * 60 + 61).await;
    assert!(
        !stint.is_member("alice", PROD).await,
        "an hour is the maximum"
    );
}

#[tokio::test]
async fn a_standing_member_who_asks_stays_one() {
    let stint = Stint::start().await;
    let id = stint.ask(DAVE, "Prod", "1 hour").await.unwrap();
    assert_eq!(stint.standing(&id).await, "ended/already_member");
    assert_eq!(
        stint
            .count(DAVE, "You are in *Prod* already, not through Stint")
            .await,
        1
    );
    let state = stint.state().await;
    assert_eq!(state["schedules"], json!([]));
    assert_eq!(state["memberships"], json!([]));
    assert_eq!(stint.count(REQUESTS, "").await, 0);

    stint.advance(30 * 24 * HOUR).await;
    assert!(stint.is_member("dave", PROD).await);
    assert_eq!(stint.okta_calls("PUT").await.len(), 0);
    assert_eq!(stint.okta_calls("DELETE").await.len(), 0);
    assert_eq!(stint.texts(DAVE).await.len(), 1);
}

#[tokio::test]
async fn who_became_a_standing_member_before_the_yes_stays_one() {
    let stint = Stint::start().await;
    let id = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    let added = json!({"group": PROD, "add": "00u1alice"});
    stint.post("okta", added).await;
    stint.press(BOB, "approve", &id).await;
    assert_eq!(stint.standing(&id).await, "ended/already_member");
    stint.advance(30 * 24 * HOUR).await;
    assert!(stint.is_member("alice", PROD).await);
    assert_eq!(stint.okta_calls("PUT").await.len(), 0);
    assert_eq!(stint.okta_calls("DELETE").await.len(), 0);
}

#[tokio::test]
async fn every_step_is_in_the_audit() {
    let stint = Stint::start().await;
    let [ended, revoked, denied, cancelled, expired] = some_days(&stint).await;
    let given = [
        "request: pending, by U01ALICE, under anyone-may-ask",
        "approve: approved, by U02BOB, under approvers-decide",
        "escalate: escalating, by escalation",
        "activate: active, by escalation",
    ];
    let and = |more: &[&'static str]| [&given[..], more].concat();
    let elapsed = [
        "deescalate: deescalating/elapsed, by deescalation",
        "end: ended/elapsed, by deescalation",
    ];
    assert_eq!(audit(&stint, &ended).await, and(&elapsed));
    let taken_back = [
        "revoke: deescalating/revoked, by U03CAROL, under approvers-decide",
        "end: ended/revoked, by deescalation",
    ];
    assert_eq!(audit(&stint, &revoked).await, and(&taken_back));
    for (id, last) in [
        (denied, "deny: denied, by U03CAROL, under approvers-decide"),
        (cancelled, "cancel: cancelled, by U01ALICE"),
        (expired, "expire: expired, by deescalation"),
    ] {
        assert_eq!(audit(&stint, &id).await, [given[0], last]);
    }
    // Okta's own ids join the calls to its log.
    for id in [&ended, &revoked] {
        for name in ["activate", "end"] {
            let entry = step(&stint, id, name).await;
            assert!(entry["okta_request_id"].is_string(), "{entry}");
        }
    }
}

#[tokio::test]
async fn every_message_comes_once() {
    let stint = Stint::start().await;
    some_days(&stint).await;
    let alice = [
        ("You have *Prod* until", 1),
        ("Your access to *Prod* ends at", 1),
        ("access to *Prod* has ended", 1),
        ("You have *Staging* until", 1),
        ("access to *Staging* was revoked by <@U03CAROL>", 1),
        ("request was denied by <@U03CAROL>", 1),
        ("request has expired", 1),
    ];
    for (text, times) in alice {
        assert_eq!(stint.count(ALICE, text).await, times, "{text}");
    }
    assert_eq!(stint.texts(ALICE).await.len(), 7 + 5, "and her five cards");
    assert_eq!(stint.count(BOB, "You approved").await, 2);
    assert_eq!(stint.texts(BOB).await.len(), 2);
    assert_eq!(stint.texts(CAROL).await, [""; 0]);
    assert_eq!(
        stint.count(REQUESTS, "Still waiting for an answer").await,
        4
    );
    assert_eq!(stint.texts(REQUESTS).await.len(), 5 + 4);
    assert_eq!(stint.texts(ERRORS).await, [""; 0]);
    for user in [ALICE, BOB, CAROL] {
        let told = stint.state().await["slack"]["ephemerals"][user].clone();
        assert_eq!(told, json!([]), "{user}");
    }
}

/// Five requests of Alice: one ends, the others are revoked, denied, cancelled and left alone.
async fn some_days(stint: &Stint) -> [String; 5] {
    let ended = stint.grant("Prod", "30 minutes").await;
    stint.advance(31 * 60).await;
    let revoked = stint.grant("Staging", "1 hour").await;
    stint.press(CAROL, "revoke", &revoked).await;
    let denied = stint.ask(ALICE, "Staging", "4 hours").await.unwrap();
    stint.deny(CAROL, &denied).await;
    let cancelled = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    stint.press_own(ALICE, "cancel").await;
    let expired = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    stint.advance(25 * HOUR).await;
    [ended, revoked, denied, cancelled, expired]
}

/// The steps of the request `id`: what, to which state and why, by whom, under which policies.
async fn audit(stint: &Stint, id: &str) -> Vec<String> {
    let line = |it: Value| {
        let text = |value: &Value, before: &str| {
            let text = value.as_str().map(|text| format!("{before}{text}"));
            text.unwrap_or_default()
        };
        let mut line = text(&it["step"], "") + &text(&it["to"], ": ") + &text(&it["why"], "/");
        let actor = &it["actor"];
        line += &(text(&actor["slack"], ", by ") + &text(&actor["function"], ", by "));
        let policies = it["policy"].as_array().unwrap().iter();
        line + &policies.map(|id| text(id, ", under ")).collect::<String>()
    };
    entries(stint, id).await.into_iter().map(line).collect()
}

async fn entries(stint: &Stint, id: &str) -> Vec<Value> {
    let state = stint.state().await;
    let audit = state["audit"].as_array().unwrap().iter();
    audit.filter(|it| it["request"] == id).cloned().collect()
}

/// The only entry for the step `step` of the request `id`.
async fn step(stint: &Stint, id: &str, step: &str) -> Value {
    let mut all = entries(stint, id).await;
    all.retain(|it| it["step"] == step);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

async fn extension_of(stint: &Stint, old: &str) -> String {
    let requests = stint.requests().await;
    let new = requests.values().find(|it| it["extends"] == old);
    new.unwrap()["id"].as_str().unwrap().to_owned()
}

/// The button `action` in the direct messages of `user`, as a click names it.
async fn own_button(stint: &Stint, user: &str, action: &str) -> Value {
    let state = stint.state().await;
    let dm = &state["slack"]["dms"][user];
    let mut messages = dm["messages"].as_array().unwrap().iter().rev();
    let message = messages
        .find(|it| buttons(it).contains(&action.to_owned()))
        .unwrap();
    json!({"channel": dm["channel"], "ts": message["ts"], "action_id": action})
}
