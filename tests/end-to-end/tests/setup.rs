//! What the platform team sets up, forgets, breaks and mends.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use end_to_end::{ALICE, BOB, CAROL, DECIDING, ERRORS, HOUR, PROD, STAGING, Stint, buttons, words};
use serde_json::{Value, json};

const PUT_TOKEN: &str = "aws secretsmanager put-secret-value";

#[tokio::test]
async fn before_the_okta_token_is_in_the_secret() {
    let stint = Stint::start().await;
    stint.post("secret", json!(null)).await;
    let id = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    assert_eq!(stint.standing(&id).await, "pending");

    let seen = stint.press(BOB, "approve", &id).await;
    let said = words(&seen["ephemerals"]);
    assert!(said.contains(PUT_TOKEN), "{said}");
    assert!(said.contains("attempted by <@U02BOB>"), "{said}");
    assert!(said.contains("*Okta Access* for *Prod*"), "{said}");
    assert_eq!(stint.count(ERRORS, PUT_TOKEN).await, 1);
    assert_eq!(stint.standing(&id).await, "pending");
    assert_eq!(buttons(&stint.card(&id).await), DECIDING);

    let token = json!({"okta_api_token": local::OKTA_API_TOKEN});
    stint.post("secret", token).await;
    let seen = stint.press(BOB, "approve", &id).await;
    assert_eq!(seen["ephemerals"], json!([]));
    assert_eq!(stint.standing(&id).await, "active");
    assert!(stint.is_member("alice", PROD).await);
    assert_eq!(stint.request(&id).await["okta_user"], "00u1alice");
}

#[tokio::test]
async fn the_okta_token_is_revoked_during_a_grant() {
    let stint = Stint::start().await;
    let id = stint.grant("Prod", "30 minutes").await;
    stint.post("okta", json!({"credential": "revoked"})).await;
    stint.advance(40 * 60).await;
    assert!(stint.is_member("alice", PROD).await);
    assert_eq!(stint.standing(&id).await, "deescalating/elapsed");
    let card = words(&stint.card(&id).await);
    assert!(card.contains('⚠') && card.contains("tried again"), "{card}");
    let told = stint.texts(ERRORS).await;
    // The comparison with Okta met it first.
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("comparing Okta"), "{told:?}");
    assert!(told[1].contains("taking <@U01ALICE> out"), "{told:?}");
    assert!(told.iter().all(|it| it.contains("token")), "{told:?}");

    stint.post("okta", json!({"credential": "valid"})).await;
    stint.advance(60).await;
    assert!(!stint.is_member("alice", PROD).await);
    assert_eq!(stint.standing(&id).await, "ended/elapsed");
    assert_eq!(stint.count(ALICE, "access to *Prod* has ended").await, 1);
    assert_eq!(stint.texts(ERRORS).await.len(), 2);
}

#[tokio::test]
async fn the_okta_token_is_replaced_by_a_wrong_one_and_then_by_a_right_one() {
    let stint = Stint::start().await;
    let id = stint.grant("Prod", "30 minutes").await;
    stint
        .post("secret", json!({"okta_api_token": "wrong"}))
        .await;
    stint.advance(32 * 60).await;
    assert!(stint.is_member("alice", PROD).await);
    let told = "taking <@U01ALICE> out";
    assert_eq!(stint.count(ERRORS, told).await, 1);

    let token = json!({"okta_api_token": local::OKTA_API_TOKEN});
    stint.post("secret", token).await;
    stint.advance(60).await;
    assert!(!stint.is_member("alice", PROD).await);
    assert_eq!(stint.standing(&id).await, "ended/elapsed");
    assert_eq!(stint.count(ERRORS, told).await, 1);
}

#[tokio::test]
async fn the_okta_token_may_not_add_anybody() {
    let stint = Stint::start().await;
    let id = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    let refused =
        json!({"system": "okta", "match": "PUT /api/v1/groups", "status": 403, "times": 0});
    stint.fault(refused).await;
    stint.press(BOB, "approve", &id).await;
    assert_eq!(stint.standing(&id).await, "pending", "somebody can mend it");
    let card = stint.card(&id).await;
    assert_eq!(buttons(&card), DECIDING);
    assert!(words(&card).contains("Hint"), "{}", words(&card));
    assert_eq!(stint.request(&id).await["approvals"], json!([]));
    assert_eq!(stint.texts(ERRORS).await.len(), 1);
    assert_eq!(stint.state().await["memberships"], json!([]));

    stint.mend().await;
    stint.advance(10 * 60).await;
    assert!(!stint.is_member("alice", PROD).await, "it takes a new yes");
    stint.press(BOB, "approve", &id).await;
    assert_eq!(stint.standing(&id).await, "active");
    let request = stint.request(&id).await;
    stint.advance(HOUR - 1).await;
    assert!(stint.is_member("alice", PROD).await, "{request}");
    stint.advance(61).await;
    assert!(!stint.is_member("alice", PROD).await);
    assert_eq!(stint.state().await["schedules"], json!([]));
}

#[tokio::test]
async fn the_flows_file_is_broken_while_a_grant_is_live() {
    let stint = Stint::start().await;
    let live = stint.grant("Prod", "30 minutes").await;
    let revoked = stint.grant("Staging", "4 hours").await;
    let pending = stint.ask(BOB, "Prod", "1 hour").await.unwrap();
    stint.edit(
        "flows.toml",
        "max_duration = \"1h\"",
        "max_duration = \"soon\"",
    );
    stint.edit("flows.toml", "request_timeout", "request_tiemout");
    let text = std::fs::read_to_string(stint.file("flows.toml")).unwrap();
    let lines = ["max_duration", "request_tiemout"].map(|key| {
        let at = text.lines().position(|it| it.starts_with(key)).unwrap();
        format!("line {}", at + 1)
    });
    let lists_both = |said: &str| {
        for line in &lines {
            assert!(said.contains(line), "{line}: {said}");
        }
        assert!(said.contains("soon") && said.contains("request_tiemout"));
    };

    let seen = stint.command(CAROL, "/access").await;
    assert_eq!(seen["view"], Value::Null);
    lists_both(&words(&seen["ephemerals"]));
    let seen = stint.press(CAROL, "approve", &pending).await;
    lists_both(&words(&seen["ephemerals"]));
    assert_eq!(stint.standing(&pending).await, "pending");
    assert_eq!(stint.texts(ERRORS).await.len(), 1);
    lists_both(&stint.texts(ERRORS).await[0]);

    let seen = stint.press(BOB, "revoke", &revoked).await;
    assert_eq!(seen["ephemerals"], json!([]));
    assert_eq!(stint.standing(&revoked).await, "ended/revoked");
    assert!(!stint.is_member("alice", STAGING).await);
    stint.advance(30 * 60 + 61).await;
    assert_eq!(stint.standing(&live).await, "ended/elapsed");
    assert!(!stint.is_member("alice", PROD).await);

    // Nor does the requester need it.
    stint.press_own(BOB, "cancel").await;
    assert_eq!(stint.standing(&pending).await, "cancelled");
}

#[tokio::test]
async fn the_policy_is_broken_while_a_grant_is_live() {
    let stint = Stint::start().await;
    let live = stint.grant("Prod", "30 minutes").await;
    let pending = stint.ask(ALICE, "Staging", "1 hour").await.unwrap();
    stint.edit("policy.cedar", "context.requester", "context.asker");
    let seen = stint.press(BOB, "approve", &pending).await;
    let said = words(&seen["ephemerals"]);
    assert!(
        said.contains("policy.cedar") && said.contains("line"),
        "{said}"
    );
    assert_eq!(stint.standing(&pending).await, "pending");

    // A form is opened, since `slack-ingress` knows no policy; who sent it is told.
    let before = stint.requests().await.len();
    assert_eq!(stint.ask(CAROL, "Staging", "1 hour").await, None);
    assert_eq!(stint.requests().await.len(), before);
    assert_eq!(stint.count(CAROL, "policy.cedar").await, 1);

    stint.advance(30 * 60 + 61).await;
    assert_eq!(stint.standing(&live).await, "ended/elapsed");
    assert!(!stint.is_member("alice", PROD).await);

    stint.edit("policy.cedar", "context.asker", "context.requester");
    stint.press(BOB, "approve", &pending).await;
    assert_eq!(stint.standing(&pending).await, "active");
}

#[tokio::test]
async fn the_target_is_taken_out_while_a_grant_is_live() {
    let stint = Stint::start().await;
    let live = stint.grant("Prod", "30 minutes").await;
    let pending = stint.ask(BOB, "Prod", "1 hour").await.unwrap();
    stint.edit("flows.toml", PROD, "00g9elsewhere");

    let seen = stint.press(CAROL, "approve", &pending).await;
    let said = words(&seen["ephemerals"]);
    assert!(said.contains("taken out of the flows file"), "{said}");
    assert!(said.contains("Let them cancel it"), "{said}");
    assert_eq!(stint.standing(&pending).await, "pending");
    let seen = stint.press_own(ALICE, "extend").await;
    let said = words(&seen["ephemerals"]) + &stint.texts(ALICE).await.join("\n");
    assert!(said.contains("not offered any more"), "{said}");
    assert_eq!(seen["view"], Value::Null);
    stint.press_own(BOB, "cancel").await;
    assert_eq!(stint.standing(&pending).await, "cancelled");

    stint.advance(30 * 60 + 61).await;
    assert_eq!(stint.standing(&live).await, "ended/elapsed");
    assert!(!stint.is_member("alice", PROD).await);
}

#[tokio::test]
async fn the_maximum_is_lowered_while_a_request_waits() {
    let stint = Stint::start().await;
    let pending = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    stint.edit(
        "flows.toml",
        "max_duration = \"1h\"",
        "max_duration = \"30m\"",
    );
    let seen = stint.press(BOB, "approve", &pending).await;
    let said = words(&seen["ephemerals"]);
    assert!(said.contains("maximum was lowered"), "{said}");
    assert_eq!(stint.standing(&pending).await, "pending");
}

#[tokio::test]
async fn two_different_people_must_approve() {
    let stint = Stint::start().await;
    stint.need_two();
    let id = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    stint.press(BOB, "approve", &id).await;
    assert_eq!(stint.standing(&id).await, "pending");
    let card = words(&stint.card(&id).await);
    assert!(card.contains("Approved by <@U02BOB> (1 of 2)"), "{card}");
    let seen = stint.press(BOB, "approve", &id).await;
    let said = words(&seen["ephemerals"]);
    assert!(said.contains("It takes 1 more, of somebody else"), "{said}");
    assert_eq!(stint.standing(&id).await, "pending");
    assert_eq!(stint.okta_calls("PUT").await.len(), 0);

    stint.press(CAROL, "approve", &id).await;
    assert_eq!(stint.standing(&id).await, "active");
    let card = words(&stint.card(&id).await);
    assert!(
        card.contains("Approved by <@U02BOB>, <@U03CAROL>"),
        "{card}"
    );

    // Either of them may take it back.
    stint.press_own(BOB, "revoke").await;
    assert_eq!(stint.standing(&id).await, "ended/revoked");
    assert!(!stint.is_member("alice", PROD).await);
}

#[tokio::test]
async fn two_who_are_needed_approve_at_once() {
    let stint = Stint::start().await;
    stint.need_two();
    let id = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    let click = json!({"click": stint.button("approve", &id).await, "wait": false});
    tokio::join!(
        stint.slack(BOB, click.clone()),
        stint.slack(CAROL, click.clone())
    );
    assert_eq!(stint.standing(&id).await, "active");
    let request = stint.request(&id).await;
    assert_eq!(request["approvals"].as_array().unwrap().len(), 2);
    assert_eq!(stint.okta_calls("PUT").await.len(), 1);
    for user in [BOB, CAROL] {
        let told = stint.state().await["slack"]["ephemerals"][user].clone();
        assert_eq!(told, json!([]), "{user}");
    }
}

#[tokio::test]
async fn the_policy_approves_by_itself() {
    let stint = Stint::start().await;
    uncomment(&stint, "on-call-needs-no-approval");
    stint.edit("policy.cedar", "00g4oncall", "00g1approvers");

    let id = stint.ask(BOB, "Prod", "1 hour").await.unwrap();
    assert_eq!(stint.standing(&id).await, "active");
    assert!(stint.is_member("bob", PROD).await);
    let card = stint.card(&id).await;
    assert!(words(&card).contains("Approved by policy"));
    assert_eq!(buttons(&card), ["revoke"]);
    let state = stint.state().await;
    let audit = &state["audit"];
    assert_eq!(audit[0]["policy"], json!(["anyone-may-ask"]));
    assert_eq!(audit[1]["step"], "approve");
    assert_eq!(audit[1]["policy"], json!(["on-call-needs-no-approval"]));
    assert_eq!(audit[1]["actor"]["slack"], BOB);

    let long = stint.ask(BOB, "Staging", "4 hours").await.unwrap();
    assert_eq!(stint.standing(&long).await, "pending");
    let other = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    assert_eq!(stint.standing(&other).await, "pending");

    stint.advance(HOUR + 61).await;
    assert_eq!(stint.standing(&id).await, "ended/elapsed");
    assert!(!stint.is_member("bob", PROD).await);
}

#[tokio::test]
async fn several_flows() {
    let stint = Stint::start().await;
    let second = r##"[[flow]]
name            = "staging"
label           = "Staging Access"
request_channel = "#general"
durations       = ["2h"]
approver_group  = "00g1approvers"

[[flow.target]]
label    = "Staging""##;
    stint.edit(
        "flows.toml",
        "[[flow.target]]\nlabel    = \"Staging\"",
        second,
    );
    let seen = stint.command(ALICE, "/access").await;
    assert_eq!(seen["view"]["callback_id"], "request_flow");
    let seen = stint.submit(ALICE, json!({"flow": "Staging Access"})).await;
    assert_eq!(seen["view"]["callback_id"], "request", "{seen}");
    let values = json!({"target": "Staging", "duration": "2 hours", "reason": "to see"});
    let seen = stint.submit(ALICE, values).await;
    assert_eq!(seen["errors"], json!({}), "{seen}");
    let request = stint.requests().await.pop_first().unwrap().1;
    assert_eq!(request["flow"], "staging");
    assert_eq!(request["duration_s"], 7200);
    assert_eq!(
        stint
            .count("C03GENERAL", "*Staging Access* request by")
            .await,
        1
    );

    // What names one of them opens its form.
    let seen = stint.command(BOB, "/access prod 30m it is down").await;
    assert_eq!(seen["view"]["callback_id"], "request");
    stint.submit(BOB, json!({})).await;
    let requests = stint.requests().await;
    let bobs = requests.values().find(|it| it["requester"] == BOB).unwrap();
    assert_eq!(bobs["flow"], "okta");
    assert_eq!(bobs["duration_s"], 1800);
    assert_eq!(bobs["reason"], "it is down");
}

/// Takes the `//` away from the example `id` in `policy.cedar`.
fn uncomment(stint: &Stint, id: &str) {
    let path = stint.file("policy.cedar");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut is_in = false;
    let lines = text.lines().map(|line| {
        is_in = (is_in || line.contains(id)) && line.starts_with("//");
        let bare = line.strip_prefix("//").unwrap_or(line);
        if is_in { bare } else { line }.to_owned() + "\n"
    });
    std::fs::write(path, lines.collect::<String>()).unwrap();
}
