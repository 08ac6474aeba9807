//! The road from Slack to Okta and back.

use end_to_end::{ALICE, BOB, DECIDING, HOUR, PROD, Stint, buttons, words};
use serde_json::json;

#[tokio::test]
async fn asked_approved_added_and_out_at_the_end() {
    let stint = Stint::start().await;
    let seen = stint.command(ALICE, "/access").await;
    assert_eq!(seen["view"]["callback_id"], "request");
    let id = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    let card = stint.card(&id).await;
    assert_eq!(buttons(&card), DECIDING);
    assert!(words(&card).contains("fixing INC-42: it is down"));

    stint.press(BOB, "approve", &id).await;
    assert!(stint.is_member("alice", PROD).await);
    let card = stint.card(&id).await;
    let text = words(&card);
    assert!(text.contains('✅') && text.contains("Expires at"), "{text}");
    assert!(text.contains("Approved by <@U02BOB>"), "{text}");

    stint.advance(HOUR + 1).await;
    assert!(!stint.is_member("alice", PROD).await);
    assert_eq!(stint.standing(&id).await, "ended/elapsed");
    assert!(words(&stint.card(&id).await).contains("Expired at"));
    let state = stint.state().await;
    assert_eq!(state["schedules"], json!([]));
    let audit = state["audit"].as_array().unwrap();
    let steps: Vec<&str> = audit
        .iter()
        .map(|it| it["step"].as_str().unwrap())
        .collect();
    let all = [
        "request",
        "approve",
        "escalate",
        "activate",
        "deescalate",
        "end",
    ];
    assert_eq!(steps, all);
    assert_eq!(audit[0]["actor"]["slack"], ALICE);
    assert_eq!(audit[1]["actor"]["slack"], BOB);
    assert_eq!(audit[1]["policy"], json!(["approvers-decide"]));
    assert_eq!(audit[4]["actor"]["function"], "deescalation");
}
