//! Moments at which a scenario begins.

use end_to_end::{ALICE, BOB, DAVE, PROD, STAGING, Stint};
use serde_json::{Value, json};

use crate::named;

/// How long Alice gets what she asks for, in seconds.
pub const GRANT_S: u64 = 1800;

/// Why Alice asks.
pub const WHY: &str = "fixing INC-42: it is down";

/// Why she asks once more.
pub const AGAIN: &str = "not done yet";

/// Nobody has done anything.
pub async fn nothing(stint: &Stint) {
    stint.state().await;
}

/// Alice has asked for Staging.
pub async fn asked(stint: &Stint) {
    ask(stint, WHY, GRANT_S).await;
}

/// Alice is in Staging.
pub async fn granted(stint: &Stint) {
    asked(stint).await;
    approve(stint, WHY).await;
}

/// Alice is in Staging for half a minute more.
pub async fn ending(stint: &Stint) {
    granted(stint).await;
    stint.advance(GRANT_S - 30).await;
}

/// Alice is in Staging, and has asked for it once more, for longer.
pub async fn granted_and_asked(stint: &Stint) {
    granted(stint).await;
    ask(stint, AGAIN, 2 * GRANT_S).await;
}

/// Alice is in Staging twice.
pub async fn granted_twice(stint: &Stint) {
    granted_and_asked(stint).await;
    approve(stint, AGAIN).await;
}

/// Alice is in Staging twice; the first ends in half a minute.
pub async fn ending_once(stint: &Stint) {
    granted_twice(stint).await;
    stint.advance(GRANT_S - 30).await;
}

/// Alice is in Prod, and could stay longer.
pub async fn in_prod(stint: &Stint) {
    let values = json!({"target": PROD, "duration": GRANT_S.to_string(), "reason": WHY});
    stint.ask_with(ALICE, values).await;
    approve(stint, WHY).await;
}

/// Alice is in Prod for half a minute more, and could stay longer.
pub async fn extendable(stint: &Stint) {
    in_prod(stint).await;
    stint.advance(GRANT_S - 30).await;
}

/// The same, and she has asked to.
pub async fn extension_asked(stint: &Stint) {
    extendable(stint).await;
    stint.press_own(ALICE, "extend").await;
    let values = json!({"duration": GRANT_S.to_string(), "reason": AGAIN});
    stint.submit(ALICE, values).await;
}

/// The same, and it was approved.
pub async fn extended(stint: &Stint) {
    extension_asked(stint).await;
    approve(stint, AGAIN).await;
    stint.advance(30 + GRANT_S - 60).await;
}

/// Alice has asked people, who are reminded in half a minute.
pub async fn reminding(stint: &Stint) {
    let routed = "request_people = [\"U02BOB\", \"U03CAROL\"]\nremind_after = \"10m\"\n\
                  fallback_channel = \"#sym-errors\"\nfallback_after = \"10m\"";
    let old = "request_channel = \"#sym-requests\"";
    stint.edit("flows.toml", old, routed);
    asked(stint).await;
    stint.advance(600 - 30).await;
}

/// Alice is in Staging, and is warned of the end in half a minute.
pub async fn warning(stint: &Stint) {
    granted(stint).await;
    stint.advance(GRANT_S - GRANT_S / 6 - 30).await;
}

/// Alice has asked for what takes the yes of two.
pub async fn asked_of_two(stint: &Stint) {
    stint.need_two();
    asked(stint).await;
}

/// The same, and one has said yes.
pub async fn asked_of_one_more(stint: &Stint) {
    asked_of_two(stint).await;
    say_yes(stint, WHY).await;
}

/// Whoever asks gets it at once.
pub async fn permitted_at_once(stint: &Stint) {
    stint.need_nobody();
    stint.state().await;
}

/// Alice has asked, and said more than a card shows.
pub async fn asked_at_length(stint: &Stint) {
    ask(stint, &at_length(), GRANT_S).await;
}

/// What Alice says then.
#[must_use]
pub fn at_length() -> String {
    format!("it begins here {}and ends here", "and goes on ".repeat(70))
}

/// Alice was in Staging.
pub async fn ended(stint: &Stint) {
    ending(stint).await;
    stint.advance(90).await;
}

/// Alice was in Staging, and an administrator has put her in again.
pub async fn put_back(stint: &Stint) {
    ended(stint).await;
    stint.advance(180).await;
    stint
        .post("okta", json!({"group": STAGING, "add": "00u1alice"}))
        .await;
}

/// Alice is in Staging as far as Stint knows, and an administrator has taken her out.
pub async fn taken_out(stint: &Stint) {
    ask(stint, WHY, 2 * GRANT_S).await;
    approve(stint, WHY).await;
    let removed = json!({"group": STAGING, "remove": "00u1alice"});
    stint.post("okta", removed).await;
    // Until then Okta's list may be older than the access.
    stint.advance(180).await;
}

/// Alice has asked, and nobody has answered for a day less half a minute.
pub async fn expiring(stint: &Stint) {
    asked(stint).await;
    stint.advance(24 * 3600 - 30).await;
}

/// Alice has asked, and was suspended in Okta.
pub async fn suspended(stint: &Stint) {
    asked(stint).await;
    let suspended = json!({"user": "00u1alice", "status": "SUSPENDED"});
    stint.post("okta", suspended).await;
}

/// Alice is in Staging, and Bob has his Home tab open.
pub async fn at_home(stint: &Stint) {
    granted(stint).await;
    stint.open_home(BOB).await;
}

/// Nobody has done anything, and Dave, who is in Prod, can ask.
pub async fn standing(stint: &Stint) {
    stint.open_home(DAVE).await;
}

/// The event that compares Okta with the ledger.
#[must_use]
pub fn drift() -> Value {
    json!({"v": 1, "drift": true})
}

/// The event that hands the membership over of the request with `reason`.
#[must_use]
pub fn hand_over(state: &Value, reason: &str) -> Value {
    let id = named(state, reason).map(|it| &it["id"]);
    json!({"hand_over": {"request": id, "by": "jane@example.com", "reason": "on the team"}})
}

/// Nothing can be written.
#[must_use]
pub fn nothing_written() -> Value {
    let what = "DynamoDB.TransactWriteItems";
    json!({"system": "aws", "match": what, "status": 400, "times": 0})
}

/// Okta refuses to put anybody in.
#[must_use]
pub fn refused_add() -> Value {
    json!({"system": "okta", "match": "PUT /api/v1/groups", "status": 403, "times": 0})
}

async fn ask(stint: &Stint, why: &str, duration_s: u64) {
    let values = json!({
        "target": STAGING, "duration": duration_s.to_string(), "reason": why,
    });
    let made = stint.ask_with(ALICE, values).await;
    assert!(made.is_some(), "nothing was asked");
}

async fn approve(stint: &Stint, why: &str) {
    let id = say_yes(stint, why).await;
    assert_eq!(stint.standing(&id).await, "active");
}

/// Bob approves the request with the reason `why`; its id.
async fn say_yes(stint: &Stint, why: &str) -> String {
    let state = stint.state().await;
    let id = named(&state, why).and_then(|it| it["id"].as_str());
    let id = id.expect("it was asked").to_owned();
    stint.press(BOB, "approve", &id).await;
    id
}
