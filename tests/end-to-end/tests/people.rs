//! Who may take part, and into which groups nobody is put.

#![expect(
    clippy::indexing_slicing,
    reason = "a test ends where something is not as it should be"
)]

use end_to_end::{ALICE, BOB, CAROL, ERRORS, HOUR, PROD, STAGING, Stint};
use serde_json::{Value, json};

const NOBODY: &str = "U08NOBODY";
const TWINS: &str = "U09TWINS";

/// What a form is filled with that asks for `target`.
fn asking(target: &str, duration: &str) -> Value {
    json!({"target": target, "duration": duration, "reason": "fixing INC-42"})
}

/// The one request there is.
async fn only_request(stint: &Stint) -> Value {
    let all = stint.requests().await;
    let all: Vec<Value> = all.into_values().collect();
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].clone()
}

async fn nothing_was_added(stint: &Stint) {
    assert_eq!(stint.okta_calls("PUT").await, Vec::<Value>::new());
}

#[tokio::test]
async fn guests_bots_and_strangers_cannot_ask() {
    for (user, why) in [
        ("U05GUEST", "guests cannot ask"),
        // Nobody can write to a bot.
        ("U06BOT", ""),
        ("U07STRANGER", "people of another workspace cannot ask"),
    ] {
        let stint = Stint::start().await;
        let seen = stint.fill(user, asking(STAGING, "3600")).await;
        let told = format!("{}{}", seen["errors"], stint.heard(user).await);
        assert!(told.contains(why), "{user}: {told}");
        let state = stint.state().await;
        assert_eq!(state["requests"], json!([]), "{user}");
        assert_eq!(state["audit"], json!([]), "{user}");
        assert_eq!(
            state["slack"]["channels"]["C01REQUESTS"]["messages"],
            json!([])
        );
    }
}

#[tokio::test]
async fn guests_bots_and_strangers_cannot_decide_even_as_approvers_in_okta() {
    let stint = Stint::start().await;
    let guest = json!({"group": "00g1approvers", "add": "00u5guest"});
    stint.post("okta", guest).await;
    let id = stint.ask(ALICE, "Staging", "1 hour").await.unwrap();
    let before = stint.state().await;
    for (user, why) in [
        ("U05GUEST", "guests cannot ask for access or decide"),
        ("U06BOT", "apps and bots cannot ask for access or decide"),
        ("U07STRANGER", "people of another workspace cannot"),
    ] {
        for button in ["approve", "deny"] {
            let seen = stint.decide_gone(user, button, &id).await;
            let told = seen["ephemerals"].to_string();
            assert!(told.contains(why), "{user}, {button}: {told}");
        }
        stint.press_gone(user, "cancel", &id).await;
        stint.press_gone(user, "revoke", &id).await;
        stint.press_gone(user, "done", &id).await;
    }
    assert_eq!(stint.standing(&id).await, "pending");
    assert_eq!(stint.state().await["audit"], before["audit"]);
    nothing_was_added(&stint).await;
}

#[tokio::test]
async fn a_stranger_cannot_extend_or_ask_again_on_somebody_elses_card() {
    let stint = Stint::start().await;
    let id = stint.grant("Staging", "30 minutes").await;
    let request = stint.request(&id).await;
    let again = json!({"f": "okta", "g": STAGING}).to_string();
    for action in ["extend", "again"] {
        let card = &request["card"];
        let click = json!({
            "channel": card["channel"], "ts": card["ts"], "action_id": action, "value": again,
        });
        let act = json!({"click": click, "force": true});
        let seen = stint.slack("U07STRANGER", act).await;
        assert_eq!(seen["view"], Value::Null, "{action}");
    }
    assert_eq!(stint.requests().await.len(), 1);
}

#[tokio::test]
async fn somebody_whom_okta_does_not_know_or_knows_twice_is_told_who_must_do_what() {
    for (user, what, who) in [
        (
            NOBODY,
            "no Okta user has the e-mail `nobody@example.com`",
            "an Okta administrator must give the Okta user of nobody that e-mail",
        ),
        (
            TWINS,
            "2 Okta users have the e-mail `twins@example.com`",
            "an Okta administrator must leave `twins@example.com` to one of them",
        ),
    ] {
        let stint = Stint::start().await;
        let seen = stint.fill(user, asking(STAGING, "3600")).await;
        assert_eq!(seen["errors"], json!({}));
        let request = only_request(&stint).await;
        assert_eq!(request["state"], "failed");
        let to_person = stint.texts(user).await.join("\n");
        let to_errors = stint.texts(ERRORS).await.join("\n");
        for told in [to_person, to_errors] {
            assert!(told.contains(what) && told.contains(who), "{told}");
            assert!(told.contains(&format!("<@{user}>")), "{told}");
            assert!(told.contains("Staging"), "{told}");
        }
        nothing_was_added(&stint).await;

        // As approvers they are nobody either.
        let id = stint.ask(ALICE, "Staging", "1 hour").await.unwrap();
        let seen = stint.press(user, "approve", &id).await;
        let told = seen["ephemerals"].to_string();
        assert!(told.contains(what) && told.contains(who), "{told}");
        let to_errors = stint.texts(ERRORS).await.pop().unwrap();
        assert!(
            to_errors.contains(what) && to_errors.contains(user),
            "{to_errors}"
        );
        assert_eq!(stint.standing(&id).await, "pending");
        nothing_was_added(&stint).await;
    }
}

#[tokio::test]
async fn an_e_mail_in_other_letters_is_the_same_e_mail() {
    let stint = Stint::start().await;
    let loud = json!({"user_admin": {"user": ALICE, "email": "ALICE@Example.COM"}});
    stint.post("slack", loud).await;
    let okta = json!({"user": "00u2bob", "email": "BOB@EXAMPLE.com"});
    stint.post("okta", okta).await;
    let id = stint.grant("Staging", "30 minutes").await;
    assert_eq!(stint.standing(&id).await, "active");
    assert_eq!(stint.request(&id).await["okta_user"], "00u1alice");
    assert!(stint.is_member("alice", STAGING).await);
    // Nearly the same is not the same.
    let stint = Stint::start().await;
    for email in [
        "alice@example.com.evil",
        "al\u{131}ce@example.com",
        "alice",
        "*",
        "alice@example.com\" or profile.login sw \"",
    ] {
        let near = json!({"user_admin": {"user": NOBODY, "email": email}});
        stint.post("slack", near).await;
        let seen = stint.fill(NOBODY, asking(PROD, "1800")).await;
        assert_eq!(seen["errors"], json!({}), "{email}");
    }
    let states: Vec<Value> = stint
        .requests()
        .await
        .into_values()
        .map(|it| it["state"].clone())
        .collect();
    assert_eq!(states, ["failed"; 5]);
}

#[tokio::test]
async fn a_new_e_mail_in_slack_does_not_make_somebody_another_person() {
    let stint = Stint::start().await;
    let id = stint.grant("Staging", "30 minutes").await;
    stint.advance(HOUR).await;
    assert_eq!(stint.standing(&id).await, "ended/elapsed");
    let dave = json!({"user_admin": {"user": ALICE, "email": "dave@example.com"}});
    stint.post("slack", dave).await;
    let id = stint.grant("Staging", "30 minutes").await;
    assert_eq!(stint.request(&id).await["okta_user"], "00u1alice");
    assert!(!stint.is_member("dave", STAGING).await);
}

#[tokio::test]
async fn a_deactivated_requester_is_not_added() {
    for status in ["DEPROVISIONED", "SUSPENDED", "STAGED"] {
        // Before they ask.
        let stint = Stint::start().await;
        stint
            .post("okta", json!({"user": "00u1alice", "status": status}))
            .await;
        stint.fill(ALICE, asking(STAGING, "3600")).await;
        let request = only_request(&stint).await;
        assert_eq!(request["state"], "failed", "{status}");
        let told = stint.heard(ALICE).await;
        assert!(
            told.contains(status) && told.contains("must activate"),
            "{told}"
        );
        let told = stint.texts(ERRORS).await.join("\n");
        assert!(
            told.contains(status) && told.contains("must activate"),
            "{told}"
        );

        // After they asked.
        let stint = Stint::start().await;
        let id = stint.ask(ALICE, "Staging", "1 hour").await.unwrap();
        stint
            .post("okta", json!({"user": "00u1alice", "status": status}))
            .await;
        stint.press(BOB, "approve", &id).await;
        assert_eq!(stint.standing(&id).await, "failed/failed", "{status}");
        for told in [
            stint.heard(ALICE).await,
            stint.texts(ERRORS).await.join("\n"),
        ] {
            assert!(told.contains(status), "{told}");
        }
        assert!(!stint.is_member("alice", STAGING).await);
        nothing_was_added(&stint).await;
    }
}

#[tokio::test]
async fn a_deactivated_approver_says_yes_to_nothing() {
    let stint = Stint::start().await;
    let id = stint.ask(ALICE, "Staging", "1 hour").await.unwrap();
    let gone = json!({"user": "00u2bob", "status": "DEPROVISIONED"});
    stint.post("okta", gone).await;
    let seen = stint.press(BOB, "approve", &id).await;
    let told = seen["ephemerals"].to_string();
    assert!(told.contains("DEPROVISIONED"), "{told}");
    assert_eq!(stint.standing(&id).await, "pending");
    let deleted = json!({"user_admin": {"user": CAROL, "deleted": true}});
    stint.post("slack", deleted).await;
    let seen = stint.press(CAROL, "approve", &id).await;
    let told = seen["ephemerals"].to_string();
    assert!(told.contains("deactivated account"), "{told}");
    assert_eq!(stint.standing(&id).await, "pending");
    nothing_was_added(&stint).await;
}

#[tokio::test]
async fn whoever_left_the_approvers_says_yes_to_nothing_but_may_take_back_their_own_yes() {
    let stint = Stint::start().await;
    let id = stint.grant("Staging", "1 hour").await;
    let out = json!({"group": "00g1approvers", "remove": "00u2bob"});
    stint.post("okta", out).await;
    let other = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    let seen = stint.press(BOB, "approve", &other).await;
    assert_ne!(seen["ephemerals"], json!([]));
    assert_eq!(stint.standing(&other).await, "pending");
    stint.press(BOB, "revoke", &id).await;
    assert_eq!(stint.standing(&id).await, "ended/revoked");
    assert!(!stint.is_member("alice", STAGING).await);
}

#[tokio::test]
async fn nobody_says_yes_to_their_own_request() {
    let stint = Stint::start().await;
    let id = stint.ask(BOB, "Staging", "1 hour").await.unwrap();
    for button in ["approve", "deny"] {
        let seen = stint.decide_gone(BOB, button, &id).await;
        let told = seen["ephemerals"].to_string();
        let message = "Nobody decides on their own request: ask another approver.";
        assert!(told.contains(message), "{told}");
        assert_eq!(stint.standing(&id).await, "pending");
    }
    nothing_was_added(&stint).await;
    stint.press(CAROL, "approve", &id).await;
    assert_eq!(stint.standing(&id).await, "active");
    assert!(stint.is_member("bob", STAGING).await);
}

#[tokio::test]
async fn two_slack_accounts_of_one_okta_user_are_one_person() {
    let stint = Stint::start().await;
    let id = stint.ask(BOB, "Staging", "1 hour").await.unwrap();
    let same = json!({"user_admin": {"user": NOBODY, "email": "bob@example.com"}});
    stint.post("slack", same).await;
    let seen = stint.press(NOBODY, "approve", &id).await;
    let told = seen["ephemerals"].to_string();
    assert!(
        told.contains("Nobody decides on their own request"),
        "{told}"
    );
    assert_eq!(stint.standing(&id).await, "pending");
    nothing_was_added(&stint).await;
}

/// What makes Staging unfit, what is done to it, and what people are told.
fn unfit() -> [(&'static str, Value, &'static str); 4] {
    [
        (
            "a rule",
            json!({"group": STAGING, "rules": ["All engineers"]}),
            "gets its members from the group rule `All engineers`",
        ),
        (
            "an app",
            json!({"group": STAGING, "type": "APP_GROUP"}),
            "is of the type `APP_GROUP`",
        ),
        (
            "built in",
            json!({"group": STAGING, "type": "BUILT_IN"}),
            "is of the type `BUILT_IN`",
        ),
        (
            "admins",
            json!({"group": STAGING, "admin_roles": ["HELP_DESK_ADMIN"]}),
            "makes its members Okta administrators",
        ),
    ]
}

#[tokio::test]
async fn a_group_that_is_not_ours_to_change_is_refused_when_it_is_asked_for() {
    for (what, change, why) in unfit() {
        let stint = Stint::start().await;
        stint.post("okta", change).await;
        stint.fill(ALICE, asking(STAGING, "3600")).await;
        let request = only_request(&stint).await;
        assert_eq!(request["state"], "failed", "{what}");
        for told in [
            stint.heard(ALICE).await,
            stint.texts(ERRORS).await.join("\n"),
        ] {
            assert!(told.contains(why), "{what}: {told}");
        }
        // There is nothing to say yes to.
        let id = request["id"].as_str().unwrap();
        if !request["card"].is_null() {
            stint.press_gone(BOB, "approve", id).await;
        }
        assert_eq!(stint.standing(id).await, "failed/failed", "{what}");
        nothing_was_added(&stint).await;
    }
}

#[tokio::test]
async fn a_group_that_stops_being_ours_to_change_is_refused_after_the_yes() {
    for (what, change, why) in unfit() {
        let stint = Stint::start().await;
        let id = stint.ask(ALICE, "Staging", "1 hour").await.unwrap();
        stint.post("okta", change).await;
        stint.press(BOB, "approve", &id).await;
        assert_eq!(stint.standing(&id).await, "failed/failed", "{what}");
        for told in [
            stint.heard(ALICE).await,
            stint.texts(ERRORS).await.join("\n"),
        ] {
            assert!(told.contains(why), "{what}: {told}");
        }
        nothing_was_added(&stint).await;
    }
}

#[tokio::test]
async fn a_group_that_stops_being_ours_to_change_between_the_yes_and_the_add_is_refused() {
    for (what, change, why) in unfit() {
        let stint = Stint::start().await;
        let id = stint.ask(ALICE, "Staging", "1 hour").await.unwrap();
        let path = format!("GET /api/v1/groups/{STAGING}");
        stint
            .fault(json!({"system": "okta", "match": path, "status": 503, "times": 0}))
            .await;
        stint.press(BOB, "approve", &id).await;
        let standing = stint.standing(&id).await;
        assert!(
            standing == "approved" || standing == "escalating",
            "{what}: {standing}"
        );
        stint.post("okta", change).await;
        stint.mend().await;
        stint.advance(180).await;
        assert_eq!(stint.standing(&id).await, "failed/failed", "{what}");
        let told = stint.heard(ALICE).await;
        assert!(told.contains(why), "{what}: {told}");
        nothing_was_added(&stint).await;
    }
}

#[tokio::test]
async fn a_group_that_cannot_be_looked_into_is_refused_until_somebody_mends_the_role() {
    // When it is asked for.
    let stint = Stint::start().await;
    stint.post("okta", json!({"credential": "no_role"})).await;
    stint.fill(ALICE, asking(STAGING, "3600")).await;
    for told in [
        stint.heard(ALICE).await,
        stint.texts(ERRORS).await.join("\n"),
    ] {
        assert!(told.contains("role"), "{told}");
    }
    assert_eq!(only_request(&stint).await["state"], "failed");
    nothing_was_added(&stint).await;

    // Between the request and the yes.
    let stint = Stint::start().await;
    let id = stint.ask(ALICE, "Staging", "1 hour").await.unwrap();
    stint.post("okta", json!({"credential": "no_role"})).await;
    let seen = stint.press(BOB, "approve", &id).await;
    let told = seen["ephemerals"].to_string();
    assert!(told.contains("role"), "{told}");
    assert_eq!(stint.standing(&id).await, "pending");

    // Between the yes and the add: the request waits for another yes.
    stint.post("okta", json!({"credential": "valid"})).await;
    let path = format!("GET /api/v1/groups/{STAGING}");
    stint
        .fault(json!({"system": "okta", "match": path, "status": 503, "times": 0}))
        .await;
    stint.press(BOB, "approve", &id).await;
    stint.post("okta", json!({"credential": "no_role"})).await;
    stint.mend().await;
    stint.advance(180).await;
    assert_eq!(stint.standing(&id).await, "pending");
    for told in [
        stint.heard(ALICE).await,
        stint.texts(ERRORS).await.join("\n"),
    ] {
        assert!(told.contains("role"), "{told}");
    }
    nothing_was_added(&stint).await;
    stint.post("okta", json!({"credential": "valid"})).await;
    stint.press(BOB, "approve", &id).await;
    assert_eq!(stint.standing(&id).await, "active");
    stint.advance(HOUR + 1).await;
    assert_eq!(stint.standing(&id).await, "ended/elapsed");
}

#[tokio::test]
async fn a_group_that_becomes_rule_managed_during_a_grant_is_left_all_the_same() {
    let stint = Stint::start().await;
    let id = stint.grant("Staging", "30 minutes").await;
    stint
        .post(
            "okta",
            json!({"group": STAGING, "rules": ["All engineers"]}),
        )
        .await;
    stint.advance(HOUR).await;
    assert_eq!(stint.standing(&id).await, "ended/elapsed");
    assert!(!stint.is_member("alice", STAGING).await);
}

#[tokio::test]
async fn a_deleted_user_or_group_ends_a_grant_without_leaving_anything_due() {
    for gone in [
        json!({"user": "00u1alice", "deleted": true}),
        json!({"group": STAGING, "deleted": true}),
    ] {
        let stint = Stint::start().await;
        let id = stint.grant("Staging", "30 minutes").await;
        stint.post("okta", gone.clone()).await;
        stint.advance(HOUR).await;
        assert_eq!(stint.standing(&id).await, "ended/elapsed", "{gone}");
        let state = stint.state().await;
        assert_eq!(state["memberships"], json!([]), "{gone}");
        assert_eq!(state["schedules"], json!([]), "{gone}");
    }
}
