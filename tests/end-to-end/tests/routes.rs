//! Who is asked, and what happens when nobody answers.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use end_to_end::{
    ALICE, BOB, CAROL, Copy, DAVE, DECIDING, ERRORS, HOUR, PROD, REQUESTS, Stint, buttons, words,
};
use serde_json::{Value, json};

const GENERAL: &str = "C03GENERAL";
const REMINDER: &str = "Still waiting for an answer";

/// Stint whose flow is routed as `route` says, in the place of its `request_channel`.
async fn routed(route: &str) -> Stint {
    let stint = Stint::start().await;
    let old = "request_channel = \"#sym-requests\"";
    stint.edit("flows.toml", old, route);
    stint
}

/// Where the copies of the card of `id` are that ask somebody.
async fn asked(stint: &Stint, id: &str) -> Vec<String> {
    let copies = stint.copies(id).await.into_iter();
    let asking = copies.filter(|it| it.0 == Copy::Asks);
    asking.map(|it| it.1).collect()
}

/// The app is in `channel`, or not.
async fn app_in(stint: &Stint, channel: &str, bot_in: bool) {
    let admin = json!({"channel_admin": {"channel": channel, "bot_in": bot_in}});
    stint.post("slack", admin).await;
}

fn values() -> Value {
    json!({"target": "Prod", "duration": "1 hour", "reason": "fixing INC-42"})
}

/// Alice asks for Prod with the command, in `channel`; the request's id.
async fn ask_in(stint: &Stint, channel: &str) -> String {
    let command = json!({"command": "/access", "channel": channel});
    stint.slack(ALICE, command).await;
    stint.send_form(ALICE, values()).await.unwrap()
}

#[tokio::test]
async fn people_are_asked_each_for_themselves_and_the_first_answer_counts() {
    let stint = routed("request_people = [\"U01ALICE\", \"U02BOB\", \"U03CAROL\"]").await;
    let id = stint.ask_with(ALICE, values()).await.unwrap();
    assert_eq!(asked(&stint, &id).await, [BOB, CAROL], "and not herself");
    assert_eq!(stint.texts(REQUESTS).await, [""; 0]);
    for (copy, _, card) in stint.copies(&id).await {
        let expected: &[&str] = match copy {
            Copy::Asks => &DECIDING,
            _ => &["cancel"],
        };
        assert_eq!(buttons(&card), expected);
    }
    let own = stint.count(ALICE, "Sent to <@U02BOB>, <@U03CAROL>").await;
    assert_eq!(own, 1, "{:?}", stint.texts(ALICE).await);

    stint.press_own(CAROL, "approve").await;
    assert_eq!(stint.standing(&id).await, "active");
    stint.is_shown_everywhere(&id).await;
    assert_eq!(
        stint.copies(&id).await.len(),
        3,
        "Carol has her copy already"
    );
    assert_eq!(stint.count(BOB, "Approved by <@U03CAROL>").await, 1);

    // Who was slower sees it on their own copy, and may still take it back there.
    stint.press_own(BOB, "revoke").await;
    assert_eq!(stint.standing(&id).await, "ended/revoked");
    stint.is_shown_everywhere(&id).await;
    for user in [BOB, CAROL] {
        assert_eq!(stint.count(user, "Revoked by <@U02BOB>").await, 1);
    }
}

#[tokio::test]
async fn somebody_who_is_asked_says_no_with_a_reason() {
    let stint = routed("request_people = [\"U02BOB\", \"U03CAROL\"]").await;
    let id = stint.ask_with(ALICE, values()).await.unwrap();
    let seen = stint.press_own(BOB, "deny").await;
    assert_eq!(seen["view"]["callback_id"], "deny");
    stint.submit(BOB, json!({"note": "not today"})).await;
    assert_eq!(stint.standing(&id).await, "denied");
    stint.is_shown_everywhere(&id).await;
    assert_eq!(stint.count(CAROL, "> not today").await, 1);
}

#[tokio::test]
async fn two_who_are_asked_answer_at_once() {
    let stint = routed("request_people = [\"U02BOB\", \"U03CAROL\"]").await;
    let id = stint.ask_with(ALICE, values()).await.unwrap();
    let state = stint.state().await;
    let click = |user: &str| {
        let dm = &state["slack"]["dms"][user];
        let ts = &dm["messages"][0]["ts"];
        let click = json!({"channel": dm["channel"], "ts": ts, "action_id": "approve"});
        json!({"click": click, "wait": false})
    };
    tokio::join!(
        stint.slack(BOB, click(BOB)),
        stint.slack(CAROL, click(CAROL))
    );
    assert_eq!(stint.standing(&id).await, "active");
    let approvals = stint.request(&id).await["approvals"].clone();
    assert_eq!(approvals.as_array().unwrap().len(), 1);
    let late = if approvals[0]["user"] == BOB {
        CAROL
    } else {
        BOB
    };
    let told = stint.heard(late).await;
    assert!(
        told.contains("approved the request of <@U01ALICE>"),
        "{told}"
    );
    stint.is_shown_everywhere(&id).await;
}

#[tokio::test]
async fn who_is_asked_but_may_not_decide_is_told_so() {
    let stint = routed("request_people = [\"U04DAVE\", \"U02BOB\"]").await;
    let id = stint.ask_with(ALICE, values()).await.unwrap();
    assert_eq!(asked(&stint, &id).await, [BOB, DAVE]);
    stint.press_own(DAVE, "approve").await;
    assert_eq!(stint.standing(&id).await, "pending");
    let told = stint.heard(DAVE).await;
    assert!(told.contains("does not let you approve this"), "{told}");
}

#[tokio::test]
async fn whoever_alone_is_asked_and_asks_goes_to_the_others() {
    let stint =
        routed("request_people = [\"U01ALICE\"]\nfallback_channel = \"#sym-requests\"").await;
    let id = stint.ask_with(ALICE, values()).await.unwrap();
    assert_eq!(asked(&stint, &id).await, [REQUESTS]);
    stint.press(BOB, "approve", &id).await;
    assert_eq!(stint.standing(&id).await, "active");
    stint.is_shown_everywhere(&id).await;
}

/// A person who is not there any more does not keep the others from being asked.
#[tokio::test]
async fn whoever_cannot_be_reached_is_named_and_the_others_are_asked() {
    let stint = routed("request_people = [\"U03CAROL\", \"U02BOB\"]").await;
    let gone = json!({"user_admin": {"user": CAROL, "deleted": true}});
    stint.post("slack", gone).await;
    let id = stint.ask_with(ALICE, values()).await.unwrap();
    assert_eq!(asked(&stint, &id).await, [BOB]);
    let own = &stint.state().await["slack"]["dms"][ALICE]["messages"];
    let own = words(own).to_lowercase();
    assert!(own.contains("could not be reached"), "{own}");
    stint.press_own(BOB, "approve_note").await;
    let home = stint.open_home(ALICE).await;
    assert!(words(&home).contains("waits for an answer"), "{home}");
    stint.press_own(BOB, "approve").await;
    assert_eq!(stint.standing(&id).await, "active");
}

#[tokio::test]
async fn what_is_asked_in_a_channel_is_decided_there() {
    let stint =
        routed("request_channel = \"asked-from\"\nfallback_channel = \"#sym-requests\"").await;
    let id = ask_in(&stint, "#general").await;
    assert_eq!(asked(&stint, &id).await, [GENERAL]);
    stint.press(BOB, "approve", &id).await;
    assert_eq!(stint.standing(&id).await, "active");
    stint.is_shown_everywhere(&id).await;
    stint.advance(HOUR + 61).await;
    stint.is_shown_everywhere(&id).await;

    // The same once more is asked for in the same place.
    stint.press_own(ALICE, "again").await;
    let again = json!({"reason": "once more"});
    let again = stint.send_form(ALICE, again).await.unwrap();
    assert_eq!(asked(&stint, &again).await, [GENERAL]);
}

#[tokio::test]
async fn what_is_asked_where_the_app_is_not_goes_to_the_fallback_at_once() {
    let stint =
        routed("request_channel = \"asked-from\"\nfallback_channel = \"#sym-requests\"").await;
    app_in(&stint, "#general", false).await;
    let id = ask_in(&stint, "#general").await;
    assert_eq!(asked(&stint, &id).await, [REQUESTS]);
    assert_eq!(stint.steps(&id).await, ["request", "forward"]);
    assert_eq!(stint.texts(ERRORS).await, [""; 0], "nothing is wrong");
    stint.press(BOB, "approve", &id).await;
    assert_eq!(stint.standing(&id).await, "active");
    stint.is_shown_everywhere(&id).await;
}

#[tokio::test]
async fn what_is_asked_outside_of_a_channel_goes_to_the_fallback() {
    let stint =
        routed("request_channel = \"asked-from\"\nfallback_channel = \"#sym-requests\"").await;
    let seen = stint.slack(ALICE, json!({"shortcut": "request"})).await;
    assert!(seen["view"].is_object(), "{seen}");
    let id = stint.send_form(ALICE, values()).await.unwrap();
    assert_eq!(asked(&stint, &id).await, [REQUESTS]);
    assert_eq!(stint.steps(&id).await, ["request"]);
    stint.press_own(ALICE, "cancel").await;

    // Her direct messages with the app are no channel either.
    let command = json!({"command": "/access", "channel": "D01ALICE"});
    stint.slack(ALICE, command).await;
    let values = json!({"target": "Prod", "duration": "1 hour", "reason": "from a message"});
    let id = stint.send_form(ALICE, values).await.unwrap();
    assert_eq!(asked(&stint, &id).await, [REQUESTS]);

    // Nor is the Home tab.
    let home = stint.open_home(ALICE).await;
    let click = json!({"view_id": home["id"], "action_id": "ask"});
    stint.slack(ALICE, json!({ "click": click })).await;
    let values = json!({"target": "Staging", "duration": "1 hour", "reason": "from Home"});
    let id = stint.send_form(ALICE, values).await.unwrap();
    assert_eq!(asked(&stint, &id).await, [REQUESTS]);
}

#[tokio::test]
async fn when_nobody_answers_others_are_asked_too() {
    let stint = routed(
        "request_channel = \"#sym-requests\"\nfallback_people = [\"U03CAROL\", \"U01ALICE\"]\n\
         fallback_after = \"2h\"",
    )
    .await;
    let id = stint.ask_with(ALICE, values()).await.unwrap();
    assert_eq!(stint.count(ALICE, "Goes to <@U03CAROL> too").await, 1);
    stint.advance(2 * HOUR - 1).await;
    assert_eq!(asked(&stint, &id).await, [REQUESTS]);
    stint.advance(61).await;
    assert_eq!(
        asked(&stint, &id).await,
        [REQUESTS, CAROL],
        "nobody asks herself"
    );
    assert_eq!(stint.steps(&id).await, ["request", "forward"]);
    stint.is_shown_everywhere(&id).await;

    stint.press_own(CAROL, "approve").await;
    assert_eq!(stint.standing(&id).await, "active");
    stint.is_shown_everywhere(&id).await;
}

#[tokio::test]
async fn whoever_is_answered_in_time_bothers_nobody_else() {
    let stint = routed(
        "request_channel = \"#sym-requests\"\nfallback_people = [\"U03CAROL\"]\nfallback_after = \"2h\"",
    )
    .await;
    let id = stint.ask_with(ALICE, values()).await.unwrap();
    stint.deny(BOB, &id).await;
    stint.advance(24 * HOUR).await;
    assert_eq!(stint.texts(CAROL).await, [""; 0]);
    assert_eq!(stint.steps(&id).await, ["request", "deny"]);
    assert_eq!(stint.request(&id).await["due_at"], Value::Null);
}

#[tokio::test]
async fn reminders_come_less_and_less_often_until_somebody_answers() {
    let stint = Stint::start().await;
    let id = stint.ask_with(ALICE, values()).await.unwrap();
    // After one hour, and then after two and four more; five times the sweep may be a minute late.
    for (to_h, count) in [(1, 1), (2, 1), (3, 2), (6, 2), (7, 3), (14, 3)] {
        let from = stint.request(&id).await["requested_at"].clone();
        let state = stint.state().await;
        let parse = |it: &Value| it.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        let since = parse(&state["now"]).duration_since(parse(&from)).as_secs();
        let to = to_h * 3600 + 65;
        stint.advance(u64::try_from(to - since).unwrap()).await;
        assert_eq!(
            stint.count(REQUESTS, REMINDER).await,
            count,
            "after {to_h} h"
        );
    }
    let card = stint.card(&id).await;
    let state = stint.state().await;
    let messages = state["slack"]["channels"][REQUESTS]["messages"]
        .as_array()
        .unwrap();
    let reminders = messages.iter().filter(|it| words(it).contains(REMINDER));
    for reminder in reminders {
        assert_eq!(reminder["thread_ts"], card["ts"], "below the card");
        assert_eq!(
            reminder["subtype"], "thread_broadcast",
            "and seen in the channel"
        );
    }
    assert_eq!(buttons(&card), DECIDING);

    stint.press(BOB, "approve", &id).await;
    stint.advance(HOUR + 61).await;
    stint.advance(10 * HOUR).await;
    assert_eq!(stint.count(REQUESTS, REMINDER).await, 3);
    assert_eq!(stint.count(ALICE, REMINDER).await, 0);
}

#[tokio::test]
async fn people_are_reminded_in_their_direct_messages() {
    let stint = routed("request_people = [\"U02BOB\", \"U03CAROL\"]\nremind_after = \"10m\"").await;
    let id = stint.ask_with(ALICE, values()).await.unwrap();
    stint.advance(10 * 60 + 61).await;
    for user in [BOB, CAROL] {
        assert_eq!(stint.count(user, REMINDER).await, 1, "{user}");
        assert_eq!(stint.texts(user).await.len(), 2, "{user}: and the card");
    }
    stint.press_own(ALICE, "cancel").await;
    stint.advance(24 * HOUR).await;
    assert_eq!(stint.count(BOB, REMINDER).await, 1);
    stint.is_shown_everywhere(&id).await;
}

#[tokio::test]
async fn nobody_is_reminded_where_that_is_switched_off() {
    let stint = routed("request_channel = \"#sym-requests\"\nremind_after = \"never\"").await;
    let id = stint.ask_with(ALICE, values()).await.unwrap();
    stint.advance(24 * HOUR + 61).await;
    assert_eq!(stint.standing(&id).await, "expired");
    assert_eq!(stint.count(REQUESTS, REMINDER).await, 0);
}

#[tokio::test]
async fn what_reaches_nobody_is_told_and_tried_until_it_does() {
    let stint = Stint::start().await;
    app_in(&stint, REQUESTS, false).await;
    let id = stint.ask_with(ALICE, values()).await.unwrap();
    assert_eq!(stint.standing(&id).await, "pending");
    let why = "the request cannot be posted to #sym-requests: not_in_channel";
    let hint = "invite the app to the channel";
    for told in [
        stint.heard(ALICE).await,
        stint.texts(ERRORS).await.join("\n"),
    ] {
        assert!(told.contains(why) && told.contains(hint), "{told}");
    }
    stint.advance(600).await;
    assert_eq!(stint.count(ERRORS, why).await, 1, "once");

    app_in(&stint, REQUESTS, true).await;
    stint.advance(600).await;
    assert_eq!(asked(&stint, &id).await, [REQUESTS]);
    stint.is_shown_everywhere(&id).await;
    for (copy, _, card) in stint.copies(&id).await {
        let said = words(&card);
        assert!(!said.contains("cannot be posted"), "{copy:?}: {said}");
    }
    stint.press(BOB, "approve", &id).await;
    assert_eq!(stint.standing(&id).await, "active");
    assert!(stint.is_member("alice", PROD).await);
    stint.is_shown_everywhere(&id).await;
    stint.advance(HOUR + 61).await;
    assert_eq!(stint.request(&id).await["due_at"], Value::Null);
}

#[tokio::test]
async fn what_reaches_nobody_can_be_cancelled_and_expires() {
    let stint = Stint::start().await;
    stint.edit(
        "flows.toml",
        "request_timeout = \"24h\"",
        "request_timeout = \"2h\"",
    );
    app_in(&stint, REQUESTS, false).await;
    let first = stint.ask_with(ALICE, values()).await.unwrap();
    stint.press_own(ALICE, "cancel").await;
    assert_eq!(stint.standing(&first).await, "cancelled");
    let second = json!({"target": "Prod", "duration": "1 hour", "reason": "once more"});
    let second = stint.ask_with(ALICE, second).await.unwrap();
    stint.advance(2 * HOUR + 61).await;
    assert_eq!(stint.standing(&second).await, "expired");
    stint.advance(600).await;
    for id in [first, second] {
        assert_eq!(
            stint.request(&id).await["due_at"],
            Value::Null,
            "nothing is owed"
        );
    }
}

#[tokio::test]
async fn every_copy_shows_that_nobody_answered() {
    let stint =
        routed("request_people = [\"U02BOB\", \"U04DAVE\"]\nfallback_channel = \"#sym-requests\"")
            .await;
    let id = stint.ask_with(ALICE, values()).await.unwrap();
    stint.open_home(ALICE).await;
    stint.advance(12 * HOUR + 61).await;
    assert_eq!(asked(&stint, &id).await, [REQUESTS, BOB, DAVE]);
    stint.open_home(ALICE).await;
    stint.advance(12 * HOUR).await;
    assert_eq!(stint.standing(&id).await, "expired");
    stint.is_shown_everywhere(&id).await;
    let told = stint.texts(ALICE).await.join("\n");
    assert!(
        told.contains("has expired: nobody answered. Asked: "),
        "{told}"
    );
    for user in [BOB, DAVE] {
        stint.press_own_gone(user, "approve", &id).await;
        let told = stint.heard(user).await;
        assert!(told.contains("Nobody answered the request"), "{told}");
    }
    assert_eq!(stint.okta_calls("PUT").await, Vec::<Value>::new());
}

#[tokio::test]
async fn where_the_fallback_cannot_be_reached_either_it_is_told_and_tried() {
    let stint =
        routed("request_channel = \"asked-from\"\nfallback_channel = \"#sym-requests\"").await;
    app_in(&stint, "#general", false).await;
    app_in(&stint, REQUESTS, false).await;
    let id = ask_in(&stint, "#general").await;
    assert_eq!(asked(&stint, &id).await, [""; 0]);
    for told in [
        stint.heard(ALICE).await,
        stint.texts(ERRORS).await.join("\n"),
    ] {
        assert!(told.contains("cannot be posted to"), "{told}");
    }
    app_in(&stint, REQUESTS, true).await;
    stint.advance(600).await;
    assert_eq!(asked(&stint, &id).await, [REQUESTS]);
    stint.press(BOB, "approve", &id).await;
    assert_eq!(stint.standing(&id).await, "active");
    stint.is_shown_everywhere(&id).await;
    stint.advance(HOUR + 61).await;
    assert_eq!(stint.standing(&id).await, "ended/elapsed");
    assert_eq!(stint.request(&id).await["due_at"], Value::Null);
}

/// While Slack takes nothing, nobody is told that nobody can be reached: it is tried again.
#[tokio::test]
async fn what_slack_does_not_take_now_is_no_reason_to_ask_others() {
    let stint = routed(
        "request_channel = \"#sym-requests\"\nfallback_people = [\"U03CAROL\"]\nfallback_after = \"2h\"",
    )
    .await;
    stint.command(ALICE, "/access").await;
    let fault = json!({"system": "slack", "match": "chat.postMessage", "status": 503, "times": 0});
    stint.fault(fault).await;
    let id = stint.send_form(ALICE, values()).await.unwrap();
    stint.advance(300).await;
    stint.mend().await;
    stint.advance(600).await;
    assert_eq!(asked(&stint, &id).await, [REQUESTS]);
    assert_eq!(stint.steps(&id).await, ["request"]);
    assert_eq!(stint.texts(ERRORS).await, [""; 0]);
    stint.is_shown_everywhere(&id).await;
}
