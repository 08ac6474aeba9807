//! Moments at which a scenario begins.

use end_to_end::{ALICE, BOB, DAVE, PROD, STAGING, Stint};
use serde_json::{Value, json};

use crate::run::named;

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

/// Alice is in Staging twice; the first ends in half a minute.
pub async fn granted_twice(stint: &Stint) {
    granted_and_asked(stint).await;
    approve(stint, AGAIN).await;
    stint.advance(GRANT_S - 30).await;
}

/// Alice is in Prod, and has asked to stay longer; her time ends in half a minute.
pub async fn extension_asked(stint: &Stint) {
    let values = json!({"target": PROD, "duration": GRANT_S.to_string(), "reason": WHY});
    stint.ask_with(ALICE, values).await;
    approve(stint, WHY).await;
    stint.advance(GRANT_S - 30).await;
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
    let state = stint.state().await;
    let id = named(&state, why).and_then(|it| it["id"].as_str());
    let id = id.expect("it was asked");
    stint.press(BOB, "approve", id).await;
    assert_eq!(stint.standing(id).await, "active");
}
