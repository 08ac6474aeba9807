//! What people say when they decide, and who reads it.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use end_to_end::{ALICE, BOB, CAROL, Copy, PROD, Stint, buttons, words};
use serde_json::{Value, json};

/// The only entry of the audit for the step `step` of the request `id`.
async fn step(stint: &Stint, id: &str, step: &str) -> Value {
    let state = stint.state().await;
    let audit = state["audit"].as_array().unwrap().iter();
    let mut found = audit.filter(|it| it["request"] == id && it["step"] == step);
    let entry = found.next().unwrap().clone();
    assert_eq!(found.next(), None);
    entry
}

/// What each copy of the card of `id` says.
async fn cards(stint: &Stint, id: &str) -> Vec<(Copy, String)> {
    let copies = stint.copies(id).await;
    copies.iter().map(|it| (it.0, words(&it.2))).collect()
}

#[tokio::test]
async fn denied_with_a_reason() {
    let stint = Stint::start().await;
    let id = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    let seen = stint.press(BOB, "deny", &id).await;
    let form = &seen["view"];
    assert_eq!(form["callback_id"], "deny");
    assert!(words(form).contains("request by <@U01ALICE>"), "{form}");
    assert_eq!(stint.standing(&id).await, "pending", "nothing yet");

    let seen = stint
        .submit(BOB, json!({"note": " use the read replica "}))
        .await;
    assert_eq!((&seen["errors"], &seen["view"]), (&json!({}), &Value::Null));
    assert_eq!(seen["ephemerals"], json!([]));
    assert_eq!(stint.standing(&id).await, "denied");
    for (copy, said) in cards(&stint, &id).await {
        assert!(said.contains("Denied by <@U02BOB>"), "{copy:?}: {said}");
        assert!(said.contains("> use the read replica"), "{copy:?}: {said}");
    }
    let told = "request was denied by <@U02BOB>.\n> use the read replica";
    assert_eq!(stint.count(ALICE, told).await, 1);
    let denied = step(&stint, &id, "deny").await;
    assert_eq!(denied["reason"], "use the read replica");
    assert_eq!(denied["actor"]["slack"], BOB);
    assert_eq!(denied["policy"], json!(["approvers-decide"]));
    stint.is_shown_everywhere(&id).await;
}

#[tokio::test]
async fn denied_without_a_reason() {
    let stint = Stint::start().await;
    for note in ["", "  \n "] {
        let id = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
        stint.decide(BOB, "deny", &id, note).await;
        assert_eq!(stint.standing(&id).await, "denied");
        let card = words(&stint.card(&id).await);
        assert!(card.contains("Denied by <@U02BOB>"), "{card}");
        assert!(!card.contains("\n> "), "{card}");
        assert_eq!(step(&stint, &id, "deny").await["reason"], Value::Null);
    }
    let told = stint.texts(ALICE).await;
    let denials = told.iter().filter(|it| it.contains("was denied by"));
    for told in denials {
        assert!(!told.contains("\n> "), "{told}");
    }
}

#[tokio::test]
async fn approved_with_a_note() {
    let stint = Stint::start().await;
    let id = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    let seen = stint.press(BOB, "approve_note", &id).await;
    assert_eq!(seen["view"]["callback_id"], "approve");
    assert_eq!(stint.standing(&id).await, "pending", "nothing yet");
    stint
        .submit(BOB, json!({"note": "ping me when you are done"}))
        .await;
    assert_eq!(stint.standing(&id).await, "active");
    assert!(stint.is_member("alice", PROD).await);
    let all = cards(&stint, &id).await;
    assert_eq!(all.len(), 3, "the channel's, hers and his: {all:?}");
    for (copy, said) in all {
        assert!(said.contains("Approved by <@U02BOB>"), "{copy:?}: {said}");
        assert!(
            said.contains("<@U02BOB>: _ping me when you are done_"),
            "{copy:?}: {said}"
        );
    }
    let approved = step(&stint, &id, "approve").await;
    assert_eq!(approved["reason"], "ping me when you are done");
    stint.is_shown_everywhere(&id).await;

    // A note may be left out there too, and a form that is closed decides nothing.
    stint.press(BOB, "revoke", &id).await;
    let id = stint
        .ask_with(
            ALICE,
            json!({"target": "Prod", "duration": "1 hour", "reason": "once more"}),
        )
        .await
        .unwrap();
    let seen = stint.press(BOB, "approve_note", &id).await;
    stint
        .slack(BOB, json!({"close": {"view_id": seen["view"]["id"]}}))
        .await;
    assert_eq!(stint.standing(&id).await, "pending");
    stint.decide(CAROL, "approve_note", &id, "").await;
    assert_eq!(stint.standing(&id).await, "active");
    assert_eq!(step(&stint, &id, "approve").await["reason"], Value::Null);
    stint.is_shown_everywhere(&id).await;
}

#[tokio::test]
async fn a_note_that_is_too_long_is_an_error_in_the_form_and_nothing_is_decided() {
    let stint = Stint::start().await;
    let id = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    for action in ["deny", "approve_note"] {
        let seen = stint.press(BOB, action, &id).await;
        let submit = json!({"view_id": seen["view"]["id"], "values": {"note": "x".repeat(1001)}});
        let seen = stint
            .slack(BOB, json!({"submit": submit, "force": true}))
            .await;
        let error = seen["errors"]["note"].as_str().unwrap_or_default();
        assert!(error.contains("1001 characters"), "{action}: {seen}");
        assert!(seen["view"].is_object(), "{action}: the form stays open");
    }
    assert_eq!(stint.standing(&id).await, "pending");
    assert_eq!(stint.state().await["audit"].as_array().unwrap().len(), 1);
}

/// Everything that would be more than words, if it were not escaped.
const LOUD: &str = "*<!channel>* <!here> <!everyone> <@U03CAROL> <#C03GENERAL> <!subteam^S1|all> \
    <https://evil.example|click> @channel & `code` ~gone~ _x_ \u{202e}txet\u{2066} שלום مرحبا 🔥🧑‍🚒";

/// `LOUD` as often as it fits into a note.
fn loud() -> String {
    let long = format!("{LOUD}\n").repeat(20);
    long.chars().take(1000).collect()
}

#[tokio::test]
async fn whatever_is_in_a_note_nobody_is_pinged() {
    let stint = Stint::start().await;
    let loud = loud();
    assert_eq!(loud.chars().count(), 1000);
    let mut ids = Vec::new();
    for action in ["deny", "approve_note"] {
        let values =
            json!({"target": "Prod", "duration": "1 hour", "reason": format!("{action}: {LOUD}")});
        let id = stint.ask_with(ALICE, values).await.unwrap();
        let seen = stint.decide(BOB, action, &id, &loud).await;
        assert_eq!(seen["errors"], json!({}), "{action}");
        ids.push(id);
    }
    assert_eq!(stint.standing(&ids[0]).await, "denied");
    assert_eq!(stint.standing(&ids[1]).await, "active");
    stint.open_home(ALICE).await;
    stint.open_home(BOB).await;
    stint.press_gone(CAROL, "details", &ids[0]).await;
    stint.press_gone(CAROL, "details", &ids[1]).await;
    let state = stint.state().await;
    let slack = &state["slack"];
    let shown = [
        &slack["channels"],
        &slack["dms"],
        &slack["ephemerals"],
        &slack["homes"],
    ];
    for shown in shown {
        let said = words(shown);
        assert!(!said.is_empty());
        for ping in [
            "<!channel",
            "<!here",
            "<!everyone",
            "<!subteam",
            "<@U03CAROL",
            "<#C03GENERAL",
            "<https://evil",
        ] {
            assert!(!said.contains(ping), "{ping} in {said}");
        }
    }
    // All of it is kept, as it was written.
    assert_eq!(step(&stint, &ids[0], "deny").await["reason"], loud.trim());
    assert_eq!(
        step(&stint, &ids[1], "approve").await["reason"],
        loud.trim()
    );
}

#[tokio::test]
async fn what_a_card_shortens_is_one_click_away() {
    let stint = Stint::start().await;
    let reason = format!("it begins here {}and ends here", "and goes on ".repeat(70));
    let values = json!({"target": "Prod", "duration": "1 hour", "reason": reason});
    let id = stint.ask_with(ALICE, values).await.unwrap();
    let card = stint.card(&id).await;
    assert_eq!(buttons(&card).last().unwrap(), "details");
    assert!(!words(&card).contains("and ends here"));

    let seen = stint.press(CAROL, "details", &id).await;
    let told = words(&seen["ephemerals"]);
    assert!(told.contains(&reason), "{told}");
    for part in [
        "*Okta Access* request by <@U01ALICE>",
        "*Prod* for 1 hour",
        "*State* pending",
        "*Asked*",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!(stint.standing(&id).await, "pending");

    // With what was said since, and for whoever sees only another copy.
    let note = format!("no, because {}that is why", "it is not needed ".repeat(50));
    stint.decide(BOB, "deny", &id, &note).await;
    let seen = stint.press_own(ALICE, "details").await;
    let told = words(&seen["ephemerals"]);
    assert!(told.contains("*Denied* by <@U02BOB>"), "{told}");
    assert!(
        told.contains("that is why") && told.contains(&reason),
        "{told}"
    );

    // What is short has no such button.
    let id = stint.ask(ALICE, "Staging", "1 hour").await.unwrap();
    assert!(!buttons(&stint.card(&id).await).contains(&"details".to_owned()));
}

#[tokio::test]
async fn two_must_say_yes_and_every_copy_counts_them() {
    let stint = Stint::start().await;
    stint.need_two();
    for user in [ALICE, BOB, CAROL] {
        stint.open_home(user).await;
    }
    let id = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    stint.decide(BOB, "approve_note", &id, "fine by me").await;
    assert_eq!(stint.standing(&id).await, "pending");
    stint.is_shown_everywhere(&id).await;
    for (copy, said) in cards(&stint, &id).await {
        assert!(
            said.contains("Approved by <@U02BOB> (1 of 2)"),
            "{copy:?}: {said}"
        );
    }
    let seen = stint.press(BOB, "approve", &id).await;
    let told = words(&seen["ephemerals"]);
    assert!(told.contains("It takes 1 more, of somebody else"), "{told}");
    stint.press_home(CAROL, "approve", &id).await;
    assert_eq!(stint.standing(&id).await, "active");
    stint.is_shown_everywhere(&id).await;
    assert_eq!(
        stint.copies(&id).await.len(),
        4,
        "the channel's, hers and those of both"
    );
}
