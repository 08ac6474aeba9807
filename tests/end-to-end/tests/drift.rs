//! What somebody else changes in Okta is found and said; and a membership that is handed over stays.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use end_to_end::{ALICE, BOB, DAVE, ERRORS, HOUR, PROD, STAGING, Stint, words};
use serde_json::{Value, json};

/// From one comparison until surely after the next.
const QUARTER: u64 = 15 * 60;

/// An administrator of Okta changes `group`.
async fn okta(stint: &Stint, group: &str, mut change: Value) {
    change["group"] = json!(group);
    stint.post("okta", change).await;
}

async fn compare(stint: &Stint) {
    let answer = stint.invoke(json!({"v": 1, "drift": true})).await;
    assert_eq!(answer, Ok(Value::Null));
}

async fn hand_over(stint: &Stint, request: &str) -> Value {
    let asked = json!({
        "request": request, "by": "jane@example.com", "reason": "she is <on> the team now",
    });
    stint.invoke(json!({ "hand_over": asked })).await.unwrap()
}

/// What the error channel was told, all of it.
async fn told(stint: &Stint) -> String {
    stint.texts(ERRORS).await.join("\n")
}

#[tokio::test]
async fn nothing_is_said_where_nobody_interferes() {
    let stint = Stint::start().await;
    let first = stint.grant("Prod", "30 minutes").await;
    compare(&stint).await;
    stint.advance(10 * 60).await;
    let second = stint.grant("Staging", "1 hour").await;
    let dave = stint.ask(DAVE, "Prod", "30 minutes").await.unwrap();
    assert_eq!(stint.standing(&dave).await, "ended/already_member");
    stint.advance(2 * HOUR).await;
    for grant in [&first, &second] {
        assert_eq!(stint.standing(grant).await, "ended/elapsed");
    }
    // Asked for again within the day.
    let third = stint.grant("Prod", "30 minutes").await;
    compare(&stint).await;
    stint.advance(31 * 60).await;
    compare(&stint).await;
    assert_eq!(stint.standing(&third).await, "ended/elapsed");
    stint.advance(HOUR).await;

    assert_eq!(told(&stint).await, "");
    let heard = stint.heard(ALICE).await;
    assert!(!heard.contains("Sorry"), "{heard}");
    let calls = stint.okta_calls("GET").await;
    let lists = calls.iter().filter(|it| {
        let path = it["path"].as_str();
        path.is_some_and(|it| it.starts_with("/api/v1/groups") && it.contains("/users?"))
    });
    assert!(lists.count() > 10, "it was compared all the time");
}

#[tokio::test]
async fn somebody_who_was_taken_out_and_is_back_is_told_of_once_and_left_alone() {
    let stint = Stint::start().await;
    let grant = stint.grant("Prod", "30 minutes").await;
    stint.advance(31 * 60).await;
    assert_eq!(stint.standing(&grant).await, "ended/elapsed");
    assert_eq!(stint.state().await["memberships"], json!([]));
    okta(&stint, PROD, json!({"add": "00u1alice"})).await;

    // A moment after the removal Okta's own answer may be the reason.
    compare(&stint).await;
    assert_eq!(told(&stint).await, "");
    stint.advance(QUARTER).await;
    let said = told(&stint).await;
    for part in ["00u1alice", "alice@", PROD, "again", "System Log"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    stint.advance(2 * HOUR).await;
    assert_eq!(stint.texts(ERRORS).await.len(), 1, "{}", told(&stint).await);
    assert_eq!(stint.okta_calls("DELETE").await.len(), 1);
    assert!(stint.is_member("alice", PROD).await);
}

#[tokio::test]
async fn somebody_who_was_taken_out_by_hand_is_told_and_is_not_put_in_again() {
    let stint = Stint::start().await;
    let grant = stint.grant("Staging", "4 hours").await;
    okta(&stint, STAGING, json!({"remove": "00u1alice"})).await;

    // Okta's list may be older than the access.
    compare(&stint).await;
    assert_eq!(told(&stint).await, "");
    stint.advance(QUARTER).await;
    let card = words(&stint.card(&grant).await);
    for said in [&card, &stint.heard(ALICE).await, &told(&stint).await] {
        assert!(
            said.contains("was taken out of the Okta group of"),
            "{said}"
        );
        assert!(
            said.contains("puts nobody in whom somebody took out"),
            "{said}"
        );
    }
    assert!(
        told(&stint)
            .await
            .contains("the access that <@U01ALICE> has")
    );
    stint.advance(2 * HOUR).await;
    let error = "*What* the access that";
    assert_eq!(stint.count(ERRORS, error).await, 1);
    assert_eq!(stint.count(ALICE, error).await, 1);
    assert_eq!(stint.standing(&grant).await, "active");
    assert_eq!(stint.okta_calls("PUT").await.len(), 1);
    assert!(!stint.is_member("alice", STAGING).await);

    // Put in again by hand: nothing is wrong any more, and it ends as it was to.
    okta(&stint, STAGING, json!({"add": "00u1alice"})).await;
    stint.advance(QUARTER).await;
    let card = words(&stint.card(&grant).await);
    assert!(!card.contains("was taken out"), "{card}");
    stint.advance(2 * HOUR).await;
    assert_eq!(stint.standing(&grant).await, "ended/elapsed");
    assert!(!stint.is_member("alice", STAGING).await);
}

#[tokio::test]
async fn who_was_taken_out_by_hand_can_give_it_back_and_ask_again() {
    let stint = Stint::start().await;
    let grant = stint.grant("Prod", "1 hour").await;
    okta(&stint, PROD, json!({"remove": "00u1alice"})).await;
    stint.advance(QUARTER).await;
    stint.press(BOB, "revoke", &grant).await;
    assert_eq!(stint.standing(&grant).await, "ended/revoked");
    let card = words(&stint.card(&grant).await);
    assert!(!card.contains("was taken out"), "{card}");
    let again = stint.grant("Prod", "30 minutes").await;
    assert_eq!(stint.standing(&again).await, "active");
    assert!(stint.is_member("alice", PROD).await);
}

#[tokio::test]
async fn a_group_that_gets_a_rule_during_a_grant_is_told_of_and_left_on_time() {
    let stint = Stint::start().await;
    let grant = stint.grant("Prod", "1 hour").await;
    okta(&stint, PROD, json!({"rules": ["All engineers"]})).await;
    stint.advance(QUARTER).await;
    let said = told(&stint).await;
    assert!(said.contains("All engineers"), "{said}");
    assert!(said.contains("exclusion list"), "{said}");
    stint.advance(HOUR).await;
    assert_eq!(stint.standing(&grant).await, "ended/elapsed");
    assert!(!stint.is_member("alice", PROD).await);
    stint.advance(HOUR).await;
    assert_eq!(stint.texts(ERRORS).await.len(), 1, "{}", told(&stint).await);
}

#[tokio::test]
async fn a_list_that_cannot_be_read_is_told_of_and_the_others_are_compared() {
    let stint = Stint::start().await;
    let prod = stint.grant("Prod", "1 hour").await;
    let staging = stint.grant("Staging", "1 hour").await;
    for group in [PROD, STAGING] {
        okta(&stint, group, json!({"remove": "00u1alice"})).await;
    }
    let list = format!("GET /api/v1/groups/{PROD}/users");
    let broken = json!({"system": "okta", "match": list, "status": 500, "times": 0});
    stint.fault(broken).await;
    stint.advance(QUARTER).await;
    let said = told(&stint).await;
    assert!(said.contains("read who is in the Okta group"), "{said}");
    let card = words(&stint.card(&staging).await);
    assert!(card.contains("was taken out"), "{card}");
    let card = words(&stint.card(&prod).await);
    assert!(!card.contains("was taken out"), "{card}");
    // What cannot be read counts as what differs.
    let found = stint.metric("DriftFound").await;
    assert_eq!(found["value"], json!(2.0), "{found}");

    stint.mend().await;
    stint.advance(QUARTER).await;
    let card = words(&stint.card(&prod).await);
    assert!(card.contains("was taken out"), "{card}");
}

#[tokio::test]
async fn somebody_who_cannot_be_asked_for_counts_as_what_differs() {
    let stint = Stint::start().await;
    let grant = stint.grant("Staging", "1 hour").await;
    okta(&stint, STAGING, json!({"remove": "00u1alice"})).await;
    let one = "GET /api/v1/users/00u1alice/groups";
    let broken = json!({"system": "okta", "match": one, "status": 500, "times": 0});
    stint.fault(broken).await;
    stint.advance(QUARTER).await;
    let said = told(&stint).await;
    assert!(
        said.contains("the Okta user 00u1alice in the group"),
        "{said}"
    );
    let found = stint.metric("DriftFound").await;
    assert_eq!(found["value"], json!(1.0), "{found}");
    let card = words(&stint.card(&grant).await);
    assert!(!card.contains("was taken out"), "{card}");

    stint.mend().await;
    stint.advance(QUARTER).await;
    let card = words(&stint.card(&grant).await);
    assert!(card.contains("was taken out"), "{card}");
}

#[tokio::test]
async fn a_group_with_many_members_is_read_page_by_page_as_okta_allows() {
    let stint = Stint::start().await;
    let grant = stint.grant("Staging", "1 hour").await;
    let crowd = json!({"crowd": 500, "group": STAGING});
    stint.post("okta", crowd).await;
    okta(&stint, STAGING, json!({"remove": "00u1alice"})).await;
    // Okta wants to be asked later in the middle of the list.
    let page = format!("GET /api/v1/groups/{STAGING}/users?after");
    let later = json!({"system": "okta", "match": page, "status": 429});
    stint.fault(later).await;
    stint.advance(QUARTER + 120).await;
    let calls = stint.okta_calls("GET").await;
    let card = words(&stint.card(&grant).await);
    assert!(card.contains("was taken out"), "{card}");
    let pages = |is_first: bool| {
        let is_one = |it: &&Value| {
            let path = it["path"].as_str();
            let list = format!("/api/v1/groups/{STAGING}/users?");
            let is_page = |it: &str| it.starts_with(&list) && it.contains("after") != is_first;
            path.is_some_and(is_page)
        };
        calls.iter().filter(is_one).count()
    };
    assert_eq!((pages(true), pages(false)), (1, 2));
}

#[tokio::test]
async fn a_group_that_is_gone_is_told_of_once() {
    let stint = Stint::start().await;
    let grant = stint.grant("Staging", "4 hours").await;
    okta(&stint, STAGING, json!({"deleted": true})).await;
    stint.advance(2 * HOUR).await;
    assert_eq!(stint.count(ERRORS, "is gone: nobody is in it").await, 1);
    let told = "*What* the access that";
    assert_eq!(stint.count(ALICE, told).await, 1);
    stint.advance(3 * HOUR).await;
    assert_eq!(stint.standing(&grant).await, "ended/elapsed");
}

#[tokio::test]
async fn what_only_the_ledger_knows_to_be_stuck_is_told() {
    let stint = Stint::start().await;
    let first = stint.grant("Prod", "1 hour").await;
    let fault = |what: &str, status: u16| {
        let what = format!("{what} /api/v1/groups");
        json!({"system": "okta", "match": what, "status": status, "times": 0})
    };
    // A second grant holds the membership for as long as it is tried; the first one ends meanwhile.
    stint.fault(fault("PUT", 429)).await;
    let second = stint.grant("Prod", "30 minutes").await;
    assert_eq!(stint.standing(&second).await, "escalating");
    stint.press(BOB, "revoke", &first).await;
    assert_eq!(stint.standing(&first).await, "ended/revoked");

    // Then it is refused, and so is the removal that nobody but the ledger knows of.
    stint.mend().await;
    stint.fault(fault("PUT", 403)).await;
    stint.fault(fault("DELETE", 403)).await;
    stint.advance(3 * 60).await;
    assert_eq!(stint.standing(&second).await, "pending");
    assert!(stint.is_member("alice", PROD).await);
    let doing = "taking somebody out of a group";
    assert_eq!(
        stint.count(ERRORS, doing).await,
        1,
        "{}",
        told(&stint).await
    );

    stint.mend().await;
    stint.advance(90).await;
    assert!(!stint.is_member("alice", PROD).await);
}

#[tokio::test]
async fn a_membership_is_handed_over_for_good() {
    let stint = Stint::start().await;
    let grant = stint.grant("Prod", "1 hour").await;
    let calls = stint.okta_calls("PUT").await.len();
    let answer = hand_over(&stint, &grant).await;
    assert_eq!(
        answer,
        json!({"handed_over": grant, "okta_user": "00u1alice", "group_id": PROD})
    );
    assert_eq!(stint.standing(&grant).await, "ended/handed_over");
    let state = stint.state().await;
    assert_eq!(state["memberships"], json!([]));
    assert_eq!(state["schedules"], json!([]));
    let audit = state["audit"].as_array().unwrap();
    let last = audit
        .iter()
        .rfind(|it| it["request"] == json!(grant))
        .unwrap();
    assert_eq!(last["step"], "end");
    assert_eq!(last["why"], "handed_over");
    assert_eq!(last["reason"], "jane@example.com: she is <on> the team now");
    let card = words(&stint.card(&grant).await);
    for said in [&card, &stint.heard(ALICE).await, &told(&stint).await] {
        assert!(said.contains("does not take it back any more"), "{said}");
        assert!(
            said.contains("jane@example.com: _she is &lt;on&gt; the team now_"),
            "{said}"
        );
    }
    let heard = stint.heard(ALICE).await;
    assert!(!heard.contains("sign out where it matters"), "{heard}");

    stint.advance(30 * HOUR).await;
    assert!(stint.is_member("alice", PROD).await);
    assert_eq!(stint.okta_calls("DELETE").await.len(), 0);
    assert_eq!(stint.okta_calls("PUT").await.len(), calls);
    // They are a standing member now.
    let later = stint.ask(ALICE, "Prod", "30 minutes").await.unwrap();
    assert_eq!(stint.standing(&later).await, "ended/already_member");
    assert_eq!(stint.texts(ERRORS).await.len(), 1);

    // Each is told, however short the time between them.
    for _ in 0..2 {
        let id = stint.grant("Staging", "1 hour").await;
        hand_over(&stint, &id).await;
        okta(&stint, STAGING, json!({"remove": "00u1alice"})).await;
    }
    assert_eq!(stint.texts(ERRORS).await.len(), 3);
}

#[tokio::test]
async fn nothing_is_handed_over_where_something_stands_in_the_way() {
    let stint = Stint::start().await;
    let refused = |why: &str| json!({"refused": format!("{why}: nothing was changed")});

    assert_eq!(
        hand_over(&stint, "T1-V1").await,
        refused("there is no request `T1-V1`")
    );
    let pending = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    assert_eq!(
        hand_over(&stint, &pending).await,
        refused("the request is pending, not active")
    );
    stint.press(BOB, "approve", &pending).await;
    let other = stint.grant("Prod", "30 minutes").await;
    assert_eq!(
        hand_over(&stint, &pending).await,
        refused(&format!("it is held by other requests too: {other}"))
    );

    for (by, reason, why) in [
        ("", "x", "`by` is empty"),
        (" ", "x", "`by` is empty"),
        ("jane", "", "`reason` is empty"),
        (&"x".repeat(201), "x", "`by` has more than 200 characters"),
        (
            "jane",
            &"ü".repeat(201),
            "`reason` has more than 200 characters",
        ),
    ] {
        let asked = json!({"request": other, "by": by, "reason": reason});
        let answer = stint.invoke(json!({ "hand_over": asked })).await.unwrap();
        assert_eq!(answer, refused(why));
    }
    for event in [
        json!({"hand_over": {"request": other, "by": "jane"}}),
        json!({"hand_over": {"request": other, "by": "j", "reason": "x", "expect": 1}}),
        json!({"hand_over": {"request": other, "by": "j", "reason": "x"}, "end_all": {}}),
    ] {
        let answer = stint.invoke(event).await.unwrap();
        assert!(answer["refused"].is_string(), "{answer}");
    }
    let other_version = json!({"request": other, "by": "j", "reason": "x"});
    let other_version = json!({"v": 2, "hand_over": other_version});
    let error = stint.invoke(other_version).await.unwrap_err();
    assert!(error.contains("an event has version 2"), "{error}");
    for grant in [&pending, &other] {
        assert_eq!(stint.standing(grant).await, "active");
    }
    stint.advance(HOUR + 120).await;
    assert!(!stint.is_member("alice", PROD).await);
    assert_eq!(
        hand_over(&stint, &other).await,
        refused("the request is ended, not active")
    );
    assert_eq!(told(&stint).await, "");
}

#[tokio::test]
async fn nothing_is_handed_over_that_moves_or_while_a_call_is_under_way() {
    let stint = Stint::start().await;
    let first = stint.grant("Prod", "1 hour").await;
    // A second grant adds once more; the answer is lost, so its call counts as under way.
    let lost =
        json!({"system": "okta", "match": "PUT /api/v1/groups", "drop": "after", "times": 1});
    stint.fault(lost).await;
    let second = stint.grant("Prod", "30 minutes").await;
    assert_eq!(stint.standing(&second).await, "escalating");
    stint.press_gone(BOB, "revoke", &second).await;
    let answer = hand_over(&stint, &first).await;
    let why = "a call to Okta is under way, or Okta was not seen to agree yet: nothing was changed";
    assert_eq!(answer, json!({ "refused": why }));
    assert_eq!(stint.standing(&first).await, "active");

    let stint = Stint::start().await;
    let grant = stint.grant("Prod", "1 hour").await;
    let cancelled = json!({
        "system": "aws", "match": "DynamoDB.TransactWriteItems", "status": 400, "times": 1,
        "body": {
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "CancellationReasons": [{"Code": "ConditionalCheckFailed"}],
        },
    });
    stint.fault(cancelled).await;
    let answer = hand_over(&stint, &grant).await;
    let why = "the request moved while it was read, ask again: nothing was changed";
    assert_eq!(answer, json!({ "refused": why }));
    assert_eq!(stint.standing(&grant).await, "active");
}
