//! Every grant ended at once, and the stack that is not deleted while anybody is held in.

use end_to_end::{ALICE, BOB, CAROL, CloudFormation, HOUR, PROD, STAGING, Stint, words};
use serde_json::{Value, json};

#[tokio::test]
async fn every_grant_is_ended_if_the_number_of_people_is_right() {
    let stint = Stint::start().await;
    let prod = stint.grant("Prod", "30 minutes").await;
    let staging = stint.grant("Staging", "1 hour").await;
    let pending = stint.ask(CAROL, "Prod", "30 minutes").await.expect("one");

    let answer = stint
        .invoke(json!({"end_all": {"expect": 2}}))
        .await
        .expect("an answer");
    assert_eq!(
        answer,
        json!({"refused": "1 person is in groups through Stint, expected 2: nothing was changed"})
    );
    assert_eq!(stint.standing(&prod).await, "active");

    let answer = stint
        .invoke(json!({"v": 1, "end_all": {"expect": 1}}))
        .await
        .expect("an answer");
    assert_eq!(answer, json!({"people": 1, "grants": 2, "left": 0}));
    for (grant, group) in [(&prod, PROD), (&staging, STAGING)] {
        assert_eq!(stint.standing(grant).await, "ended/stopped");
        assert!(!stint.is_member("alice", group).await);
        let card = words(&stint.card(grant).await);
        assert!(card.contains("Ended by the people who run Stint"), "{card}");
    }
    assert!(stint.is_member("dave", PROD).await, "he was there before");
    assert_eq!(stint.standing(&pending).await, "pending");
    let heard = stint.heard(ALICE).await;
    assert!(
        heard.contains("was ended by the people who run Stint"),
        "{heard}"
    );
    let audit = stint.state().await["audit"].clone();
    let ends = audit.as_array().expect("entries").iter();
    let ends = ends.filter(|it| it["step"] == "deescalate" && it["why"] == "stopped");
    assert_eq!(ends.count(), 2);

    // Life goes on.
    stint.press(BOB, "approve", &pending).await;
    assert_eq!(stint.standing(&pending).await, "active");
}

#[tokio::test]
async fn who_cannot_be_removed_yet_is_counted_and_removed_later() {
    let stint = Stint::start().await;
    let grant = stint.grant("Prod", "30 minutes").await;
    let removal =
        json!({"system": "okta", "match": "DELETE /api/v1/groups", "status": 500, "times": 0});
    stint.fault(removal).await;

    let asked = stint.invoke(json!({"end_all": {"expect": 1}}));
    let answer = stint.while_time_goes_on(asked).await.expect("an answer");
    assert_eq!(answer, json!({"people": 1, "grants": 1, "left": 1}));
    assert_eq!(stint.standing(&grant).await, "deescalating/stopped");

    stint.mend().await;
    stint.advance(90).await;
    assert_eq!(stint.standing(&grant).await, "ended/stopped");
    assert!(!stint.is_member("alice", PROD).await);
}

#[tokio::test]
async fn the_stack_is_not_deleted_while_somebody_is_held_in() {
    let stint = Stint::start().await;
    let mut cloudformation = CloudFormation::start().await;
    let answer = cloudformation.ask(&stint, "Create").await;
    assert_eq!(answer["Status"], "SUCCESS", "{answer}");

    let grant = stint.grant("Prod", "30 minutes").await;
    let answer = cloudformation.ask(&stint, "Update").await;
    assert_eq!(answer["Status"], "SUCCESS", "{answer}");
    let answer = cloudformation.ask(&stint, "Delete").await;
    assert_eq!(answer["Status"], "FAILED", "{answer}");
    let reason = answer["Reason"].as_str().expect("a reason");
    assert!(
        reason.starts_with("1 person is in groups through Stint."),
        "{reason}"
    );
    assert!(reason.contains(r#"{"end_all":{"expect":1}}"#), "{reason}");
    for key in ["StackId", "RequestId", "LogicalResourceId"] {
        assert!(answer[key].is_string(), "{answer}");
    }
    assert_eq!(answer["PhysicalResourceId"], "nobody-held-in");

    // The refusal changed nothing: access is given, and ends.
    let other = stint.grant("Staging", "30 minutes").await;
    assert_eq!(stint.standing(&other).await, "active");
    stint.advance(31 * 60).await;
    assert_eq!(stint.standing(&grant).await, "ended/elapsed");

    let answer = cloudformation.ask(&stint, "Delete").await;
    assert_eq!(answer["Status"], "SUCCESS", "{answer}");
}

#[tokio::test]
async fn nobody_gets_in_once_the_deletion_is_under_way() {
    let stint = Stint::start().await;
    let mut cloudformation = CloudFormation::start().await;
    let asked = stint.ask(ALICE, "Prod", "30 minutes").await.expect("one");
    let answer = cloudformation.ask(&stint, "Delete").await;
    assert_eq!(answer["Status"], "SUCCESS", "{answer}");

    stint.press(BOB, "approve", &asked).await;
    assert_eq!(stint.standing(&asked).await, "approved");
    assert!(!stint.is_member("alice", PROD).await);
    assert_eq!(stint.okta_calls("PUT").await, Vec::<Value>::new());

    let card = words(&stint.card(&asked).await);
    assert!(card.contains("the stack is being deleted"), "{card}");

    // It stays so, unless the stack is made all the same.
    stint.advance(2 * HOUR).await;
    assert_eq!(
        stint.standing(&asked).await,
        "pending",
        "it waits for another yes"
    );
    let later = stint.grant("Staging", "30 minutes").await;
    assert_eq!(stint.standing(&later).await, "approved");
    let answer = cloudformation.ask(&stint, "Create").await;
    assert_eq!(answer["Status"], "SUCCESS", "{answer}");
    stint.advance(60).await;
    assert_eq!(stint.standing(&later).await, "active");
}

#[tokio::test]
async fn who_is_just_being_added_is_counted() {
    let stint = Stint::start().await;
    let mut cloudformation = CloudFormation::start().await;
    // The add takes effect, and its answer is lost.
    let lost =
        json!({"system": "okta", "match": "PUT /api/v1/groups", "drop": "after", "times": 1});
    stint.fault(lost).await;
    let grant = stint.grant("Prod", "30 minutes").await;
    assert_eq!(stint.standing(&grant).await, "escalating");
    assert!(stint.is_member("alice", PROD).await);

    let answer = cloudformation.ask(&stint, "Delete").await;
    assert_eq!(answer["Status"], "FAILED", "{answer}");
    stint.advance(HOUR).await;
    assert!(!stint.is_member("alice", PROD).await);
}

#[tokio::test]
async fn a_refusal_does_not_open_what_another_deletion_closed() {
    let stint = Stint::start().await;
    let mut failing = CloudFormation::start().await;
    let mut other = CloudFormation::start().await;
    // Of two deletions that are answered at the same time one cannot count.
    let query = json!({"system": "aws", "match": "DynamoDB.Query", "status": 400, "times": 1});
    stint.fault(query).await;
    let (failed, succeeded) =
        tokio::join!(failing.ask(&stint, "Delete"), other.ask(&stint, "Delete"));
    let statuses = [&failed["Status"], &succeeded["Status"]];
    assert!(statuses.contains(&&json!("FAILED")), "{statuses:?}");

    // Whatever came first: after a yes nobody gets in, and nobody is kept out without one.
    let is_closed = statuses.contains(&&json!("SUCCESS"));
    let asked = stint.grant("Prod", "30 minutes").await;
    let expected = if is_closed { "approved" } else { "active" };
    assert_eq!(stint.standing(&asked).await, expected);
    assert_eq!(stint.is_member("alice", PROD).await, !is_closed);
}

#[tokio::test]
async fn what_cannot_be_counted_is_not_deleted() {
    let stint = Stint::start().await;
    let mut cloudformation = CloudFormation::start().await;
    let query = json!({"system": "aws", "match": "DynamoDB.Query", "status": 400, "times": 0});
    stint.fault(query).await;
    let answer = cloudformation.ask(&stint, "Delete").await;
    assert_eq!(answer["Status"], "FAILED", "{answer}");
    let reason = answer["Reason"].as_str().expect("a reason");
    assert!(reason.contains("cannot be found out"), "{reason}");
}
