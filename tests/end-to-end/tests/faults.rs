//! Whatever Stint calls breaks, in every way and at every moment: nobody is left in a group, nothing
//! is lost, and people learn how it went.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use end_to_end::{ALICE, BOB, DAVE, DECIDING, ERRORS, STAGING, Stint, buttons, words};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// How long Alice gets Staging, in seconds.
const GRANT_S: u64 = 1800;

/// How many calls a fault breaks at most, so that those that it broke can be counted.
const MANY: u64 = 1_000_000;

/// A call that Okta limits, loses or answers with nonsense, before or after it did what was asked.
fn okta() -> Vec<Value> {
    vec![
        json!({"status": 429}),
        json!({"status": 500}),
        json!({"status": 200, "body": "{\"id\":"}),
        json!({"drop": "before"}),
        json!({"drop": "after"}),
    ]
}

/// The same of Slack.
fn slack() -> Vec<Value> {
    vec![
        json!({"status": 429, "headers": {"retry-after": "20"}}),
        json!({"status": 200, "body": "{\"ok\":tru"}),
        json!({"status": 200, "body": {"ok": false, "error": "fatal_error"}}),
        json!({"drop": "before"}),
        json!({"drop": "after"}),
    ]
}

/// The same of AWS.
fn aws() -> Vec<Value> {
    vec![
        json!({"status": 500}),
        json!({"status": 200, "body": "<html>"}),
        json!({"drop": "after"}),
    ]
}

/// Where nothing is changed, two ways stand for all of them.
fn reading() -> Vec<Value> {
    vec![
        json!({"status": 429}),
        json!({"status": 200, "body": "<html>"}),
    ]
}

/// What AWS says while a permission is missing.
fn refusing() -> Vec<Value> {
    vec![json!({"status": 403})]
}

/// Breaks `what` of `system` in each of `ways` while somebody asks, while somebody approves, and
/// while the grant ends.
async fn breaks(system: &str, what: &str, ways: Vec<Value>) {
    let mut lives = JoinSet::new();
    for way in ways {
        let mut fault = json!({"system": system, "match": what, "times": MANY});
        let way = way.as_object().unwrap().clone();
        fault.as_object_mut().unwrap().extend(way);
        lives.spawn(async move { life(&Stint::start().await, &fault).await });
    }
    while let Some(lived) = lives.join_next().await {
        lived.expect("what is said above");
    }
}

/// The life of one request, in which everything that can break does.
async fn life(stint: &Stint, fault: &Value) {
    // Somebody asks.
    let before = stint.requests().await;
    let heard = stint.heard(ALICE).await;
    switch_on(stint, fault).await;
    let values = json!({"target": STAGING, "duration": "1800", "reason": "fixing INC-42"});
    let seen = stint.command(ALICE, "/access").await;
    let mut said = seen["status"] != 200;
    if let Some(view) = seen["view"]["id"].as_str() {
        let submit = json!({"view_id": view, "values": values});
        let seen = stint.slack(ALICE, json!({ "submit": submit })).await;
        said |= seen["errors"] != json!({});
    }
    let mut broken = switch_off(stint).await;
    stint.advance(400).await;
    said |= stint.heard(ALICE).await != heard;
    close_all(stint).await;
    let is_new = |it: &(String, Value)| !before.contains_key(&it.0);
    let made = stint.requests().await.into_iter().find(is_new);
    let id = if let Some((id, _)) = made {
        id
    } else {
        assert!(
            said,
            "{fault}: nothing was asked for, and Alice was not told"
        );
        let id = stint.ask(ALICE, "Staging", "30 minutes").await;
        id.unwrap_or_else(|| panic!("{fault}: nothing can be asked for any more"))
    };
    assert_eq!(stint.standing(&id).await, "pending", "{fault}");
    let card = stint.card(&id).await;
    assert_eq!(buttons(&card), DECIDING, "{fault}");

    // Somebody approves.
    let heard = stint.heard(BOB).await;
    switch_on(stint, fault).await;
    stint.press(BOB, "approve", &id).await;
    stint.advance(30).await;
    broken += switch_off(stint).await;
    stint.advance(270).await;
    if stint.standing(&id).await == "pending" {
        let told = stint.heard(BOB).await;
        assert_ne!(
            told, heard,
            "{fault}: nothing came of the click, and Bob was not told"
        );
        stint.press(BOB, "approve", &id).await;
    }
    assert_eq!(stint.standing(&id).await, "active", "{fault}");
    assert!(stint.is_member("alice", STAGING).await, "{fault}");

    // Its time ends.
    let start = stint.request(&id).await["starts_at"].clone();
    let now = stint.state().await["now"].clone();
    let left = GRANT_S - seconds(&start, &now);
    stint.advance(left - 5).await;
    assert!(stint.is_member("alice", STAGING).await, "{fault}");
    switch_on(stint, fault).await;
    stint.advance(5 + 90).await;
    let in_the_way = fault["system"] == "okta"
        || ["DynamoDB", "Secrets", "STS"]
            .iter()
            .any(|it| fault["match"].as_str().unwrap().starts_with(it));
    if !in_the_way {
        assert!(
            !stint.is_member("alice", STAGING).await,
            "{fault}: 90 s late"
        );
    }
    broken += switch_off(stint).await;
    stint.advance(90).await;
    assert!(
        !stint.is_member("alice", STAGING).await,
        "{fault}: still in"
    );
    stint.advance(600).await;
    over(stint, &id, fault).await;
    assert_ne!(broken, 0, "{fault}: nothing was broken");
}

/// Breaks what `fault` says. Okta's 429 has the headers that Okta sends with it, by its own clock.
async fn switch_on(stint: &Stint, fault: &Value) {
    let mut fault = fault.clone();
    if fault["system"] == "okta" && fault["status"] == 429 {
        let now = stint.state().await["now"].clone();
        let now: jiff::Timestamp = now.as_str().unwrap().parse().unwrap();
        fault["headers"] = json!({
            "date": now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
            "x-rate-limit-limit": "50",
            "x-rate-limit-remaining": "0",
            "x-rate-limit-reset": (now.as_second() + 20).to_string(),
        });
    }
    stint.fault(fault).await;
}

/// Mends it; how many calls it broke.
async fn switch_off(stint: &Stint) -> u64 {
    let left = stint.state().await["faults"][0]["left"].as_u64().unwrap();
    stint.mend().await;
    MANY - left
}

/// Closes what is left of forms.
async fn close_all(stint: &Stint) {
    let state = stint.state().await;
    let views = state["slack"]["views"][ALICE].as_array().cloned();
    for view in views.unwrap_or_default().iter().rev() {
        let close = json!({"close": {"view_id": view["id"]}});
        stint.slack(ALICE, close).await;
    }
}

fn seconds(from: &Value, to: &Value) -> u64 {
    let parse = |it: &Value| -> jiff::Timestamp { it.as_str().unwrap().parse().unwrap() };
    let between = parse(to).duration_since(parse(from));
    u64::try_from(between.as_secs()).unwrap()
}

/// Nobody is in, nothing is due, and everybody sees that it is over.
async fn over(stint: &Stint, id: &str, fault: &Value) {
    assert_eq!(stint.standing(id).await, "ended/elapsed", "{fault}");
    let state = stint.state().await;
    assert_eq!(state["schedules"], json!([]), "{fault}");
    assert_eq!(state["memberships"], json!([]), "{fault}");
    assert_eq!(state["handoffs"]["waiting"], 0, "{fault}");
    for request in state["requests"].as_array().unwrap() {
        assert_eq!(request["due_at"], Value::Null, "{fault}: {request}");
    }
    let card = stint.card(id).await;
    assert!(words(&card).contains("Expired at"), "{fault}: {card}");
    assert_eq!(buttons(&card), Vec::<String>::new(), "{fault}");
    // A message whose posting was never answered is not known, and cannot follow.
    let has_orphans = fault["match"] == "chat.postMessage" && fault["drop"] == "after";
    if !has_orphans {
        for user in [ALICE, BOB] {
            let messages = state["slack"]["dms"][user]["messages"].as_array().unwrap();
            // The warning is no card: whoever presses a button of it is told how things stand.
            let is_card = |it: &&Value| !words(it).contains('⏰');
            for message in messages.iter().filter(is_card) {
                let left = buttons(message);
                assert!(left.iter().all(|it| it == "again"), "{fault}: {message}");
            }
        }
    }
    let told = stint.texts(ALICE).await.join("\n");
    for part in [
        "Your access to *Staging* has ended",
        "You have *Staging* until",
    ] {
        assert!(told.contains(part), "{fault}: {part}: {told}");
    }
}

#[tokio::test]
async fn okta_breaks_when_users_are_looked_up() {
    breaks("okta", "GET /api/v1/users?", reading()).await;
}

#[tokio::test]
async fn okta_breaks_when_the_requester_is_read() {
    breaks("okta", "GET /api/v1/users/00u1alice", reading()).await;
}

#[tokio::test]
async fn okta_breaks_when_the_approver_is_read() {
    breaks("okta", "GET /api/v1/users/00u2bob", reading()).await;
}

#[tokio::test]
async fn okta_breaks_when_it_is_read_who_is_in() {
    breaks("okta", "GET /api/v1/users/00u1alice/groups", reading()).await;
}

#[tokio::test]
async fn okta_breaks_when_the_group_is_looked_at() {
    breaks("okta", "GET /api/v1/groups/00g3stagingadmins", reading()).await;
}

#[tokio::test]
async fn okta_breaks_when_the_group_rules_are_read() {
    breaks("okta", "GET /api/v1/groups/rules", reading()).await;
}

#[tokio::test]
async fn okta_breaks_when_somebody_is_added() {
    let mut ways = okta();
    ways.push(json!({"status": 403}));
    breaks("okta", "PUT /api/v1/groups", ways).await;
}

#[tokio::test]
async fn okta_breaks_when_somebody_is_removed() {
    let mut ways = okta();
    ways.push(json!({"status": 403}));
    // Nobody knows what is not there.
    ways.push(json!({"status": 404}));
    breaks("okta", "DELETE /api/v1/groups", ways).await;
}

#[tokio::test]
async fn okta_breaks_altogether() {
    let down = || vec![json!({"status": 503, "body": "<html>down for maintenance</html>"})];
    tokio::join!(
        breaks("okta", "GET /", down()),
        breaks("okta", "PUT /", down()),
        breaks("okta", "DELETE /", down())
    );
}

#[tokio::test]
async fn slack_breaks_when_a_message_is_posted() {
    breaks("slack", "chat.postMessage", slack()).await;
}

#[tokio::test]
async fn slack_breaks_when_a_card_is_redrawn() {
    breaks("slack", "chat.update", reading()).await;
}

#[tokio::test]
async fn slack_breaks_when_a_form_is_opened() {
    breaks("slack", "views.open", reading()).await;
}

#[tokio::test]
async fn slack_breaks_when_it_is_asked_who_somebody_is() {
    breaks("slack", "users.info", reading()).await;
}

#[tokio::test]
async fn slack_breaks_when_somebody_alone_is_told() {
    for way in slack() {
        let stint = Stint::start().await;
        let id = stint.ask(ALICE, "Staging", "30 minutes").await.unwrap();
        let mut fault = json!({"system": "slack", "match": "chat.postEphemeral", "times": MANY});
        let way = way.as_object().unwrap().clone();
        fault.as_object_mut().unwrap().extend(way);
        switch_on(&stint, &fault).await;
        stint.press(DAVE, "approve", &id).await;
        assert_ne!(switch_off(&stint).await, 0, "{fault}");
        stint.advance(90).await;
        let told = stint.heard(DAVE).await;
        assert_ne!(told, "", "{fault}");
        assert_eq!(stint.standing(&id).await, "pending", "{fault}");
    }
}

#[tokio::test]
async fn the_table_breaks_when_it_is_written() {
    breaks("aws", "DynamoDB.TransactWriteItems", aws()).await;
}

#[tokio::test]
async fn the_table_breaks_when_an_item_is_read() {
    breaks("aws", "DynamoDB.GetItem", aws()).await;
}

#[tokio::test]
async fn the_table_breaks_when_it_is_asked_what_is_due() {
    breaks("aws", "DynamoDB.Query", refusing()).await;
}

#[tokio::test]
async fn the_table_breaks_when_a_binding_is_written() {
    breaks("aws", "DynamoDB.PutItem", aws()).await;
}

#[tokio::test]
async fn the_scheduler_breaks_when_a_schedule_is_made() {
    breaks("aws", "Scheduler.CreateSchedule", aws()).await;
}

#[tokio::test]
async fn the_scheduler_breaks_when_a_schedule_is_deleted() {
    breaks("aws", "Scheduler.DeleteSchedule", refusing()).await;
}

#[tokio::test]
async fn the_secrets_cannot_be_read() {
    breaks("aws", "SecretsManager.GetSecretValue", refusing()).await;
}

#[tokio::test]
async fn the_connectors_role_cannot_be_assumed() {
    breaks("aws", "STS.AssumeRole", refusing()).await;
}

#[tokio::test]
async fn hand_offs_get_lost() {
    breaks("aws", "Lambda.Invoke", aws()).await;
}

#[tokio::test]
async fn a_removal_that_okta_refuses_is_told_once_and_tried_until_it_is_done() {
    let stint = Stint::start().await;
    let id = stint.grant("Staging", "30 minutes").await;
    let fault = json!({
        "system": "okta", "match": "DELETE /api/v1/groups", "status": 403, "times": 0,
    });
    stint.fault(fault).await;
    let told = stint.texts(ERRORS).await.len();
    stint.advance(GRANT_S + 900).await;
    assert_eq!(stint.standing(&id).await, "deescalating/elapsed");
    assert!(stint.is_member("alice", STAGING).await);
    let card = words(&stint.card(&id).await);
    assert!(
        card.contains("⚠️") && card.contains("tried again until it is done"),
        "{card}"
    );
    let errors = stint.texts(ERRORS).await;
    assert_eq!(errors.len(), told + 1, "{errors:?}");
    let error = errors.last().unwrap();
    assert!(
        error.contains("taking <@U01ALICE> out of the group"),
        "{error}"
    );
    stint.mend().await;
    stint.advance(60).await;
    assert!(!stint.is_member("alice", STAGING).await);
    stint.advance(600).await;
    assert_eq!(stint.standing(&id).await, "ended/elapsed");
}

#[tokio::test]
async fn while_okta_is_down_a_person_who_clicked_is_told_what_where_and_what_to_do() {
    let stint = Stint::start().await;
    let id = stint.ask(ALICE, "Staging", "30 minutes").await.unwrap();
    let fault = json!({"system": "okta", "match": "GET /", "status": 503, "times": 0});
    stint.fault(fault).await;
    let seen = stint.press(BOB, "approve", &id).await;
    let told = words(&seen["ephemerals"]);
    for part in ["*What*", "<@U02BOB>", "*Where*", "*Staging*", "*Hint*"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!(stint.standing(&id).await, "pending");
    let errors = stint.texts(ERRORS).await.join("\n");
    assert!(errors.contains("<@U02BOB>"), "{errors}");
    // It stays so: nobody was let in because nothing could be found out.
    assert_eq!(stint.okta_calls("PUT").await, Vec::<Value>::new());
}

#[tokio::test]
async fn an_add_that_is_never_answered_is_undone_and_failed_after_fifteen_minutes() {
    let stint = Stint::start().await;
    let id = stint.ask(ALICE, "Staging", "4 hours").await.unwrap();
    let fault = json!({
        "system": "okta", "match": "PUT /api/v1/groups", "drop": "after", "times": 0,
    });
    let fault = stint.fault(fault).await;
    stint.press(BOB, "approve", &id).await;
    assert!(stint.is_member("alice", STAGING).await);
    stint.advance(900 + 90).await;
    assert!(!stint.is_member("alice", STAGING).await);
    let path = format!("/sandbox/faults/{fault}");
    stint.call(Method::DELETE, &path, None).await;
    stint.advance(600).await;
    assert_eq!(stint.standing(&id).await, "failed/failed");
    assert!(words(&stint.card(&id).await).contains("Failed at"));
    let state = stint.state().await;
    assert_eq!(state["memberships"], json!([]));
    assert_eq!(state["schedules"], json!([]));
    assert_eq!(state["requests"][0]["due_at"], Value::Null);
    assert!(
        stint
            .heard(ALICE)
            .await
            .contains("Sorry, an error occurred!")
    );
}

#[tokio::test]
async fn a_revoked_token_leaves_the_request_waiting_for_another_yes() {
    let stint = Stint::start().await;
    let id = stint.ask(ALICE, "Staging", "30 minutes").await.unwrap();
    let slow = json!({
        "system": "okta", "match": "PUT /api/v1/groups", "status": 401, "times": 0,
    });
    stint.fault(slow).await;
    stint.press(BOB, "approve", &id).await;
    stint.advance(60).await;
    assert_eq!(stint.standing(&id).await, "pending");
    let card = stint.card(&id).await;
    assert_eq!(buttons(&card), DECIDING);
    assert!(words(&card).contains("token"), "{card}");
    assert!(stint.texts(ERRORS).await.join("\n").contains("token"));
    stint.mend().await;
    stint.press(BOB, "approve", &id).await;
    assert_eq!(stint.standing(&id).await, "active");
}

#[tokio::test]
async fn an_error_channel_that_is_gone_for_good_is_given_up_after_a_weekend() {
    let stint = Stint::start().await;
    let id = stint.ask(ALICE, "Staging", "1 hour").await.unwrap();
    let gone = json!({"channel_admin": {"channel": "#sym-errors", "bot_in": false}});
    stint.post("slack", gone).await;
    let inactive = json!({"user": "00u1alice", "status": "SUSPENDED"});
    stint.post("okta", inactive).await;
    stint.press(BOB, "approve", &id).await;
    assert_eq!(stint.standing(&id).await, "failed/failed");
    let due_at = async || stint.state().await["requests"][0]["due_at"].clone();
    stint.advance(3600).await;
    assert_ne!(due_at().await, Value::Null);
    let untold = stint.metric("ErrorChannelFailed").await;
    assert!(untold["value"].is_number(), "{untold}");
    stint.advance(86_400 * 3).await;
    assert_eq!(due_at().await, Value::Null);
}

#[tokio::test]
async fn a_channel_that_is_gone_is_told_and_does_not_keep_anybody_in() {
    let stint = Stint::start().await;
    let id = stint.grant("Staging", "30 minutes").await;
    let gone = json!({"channel_admin": {"channel": "#sym-requests", "archived": true}});
    stint.post("slack", gone).await;
    let gone = json!({"channel_admin": {"channel": "#sym-errors", "bot_in": false}});
    stint.post("slack", gone).await;
    stint.advance(GRANT_S + 90).await;
    assert!(!stint.is_member("alice", STAGING).await);
    stint.advance(86_400 * 2).await;
    assert_eq!(stint.standing(&id).await, "ended/elapsed");
    let state = stint.state().await;
    assert_eq!(state["requests"][0]["due_at"], Value::Null);
}
