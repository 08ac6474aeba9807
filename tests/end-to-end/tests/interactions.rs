//! Whatever people do in Slack comes twice, late, or when things have moved on: there is one truth, and
//! every card and every Home tab shows it.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use end_to_end::{ALICE, BOB, CAROL, HOUR, PROD, Stint, signature, words};
use reqwest::Method;
use serde_json::{Value, json};

const FORM: &str = "application/x-www-form-urlencoded";

/// What Slack sends, which can be delivered as often and as late as one likes.
struct Sent {
    content_type: &'static str,
    body: Vec<u8>,
}

impl Sent {
    fn interaction(kind: &str, user: &str, more: &Value) -> Self {
        let mut payload = json!({
            "type": kind, "team": {"id": "T0SANDBOX"}, "api_app_id": "A0SANDBOX",
            "user": {"id": user, "team_id": "T0SANDBOX"}, "trigger_id": format!("1.2.{kind}"),
        });
        let more = more.as_object().unwrap().clone();
        payload.as_object_mut().unwrap().extend(more);
        let pairs = [("payload", payload.to_string())];
        Self {
            content_type: FORM,
            body: serde_urlencoded::to_string(pairs).unwrap().into_bytes(),
        }
    }

    /// `user` presses `action` of `request` in `place`.
    fn click(user: &str, place: &Value, action: &str, request: &str) -> Self {
        let mut more = place.clone();
        more["actions"] = json!([{
            "type": "button", "action_id": action, "block_id": "b", "value": request,
            "action_ts": "1.1",
        }]);
        Self::interaction("block_actions", user, &more)
    }

    /// `user` sends the form that they see, filled with `values`.
    async fn form(stint: &Stint, user: &str, values: Value) -> Self {
        let state = stint.state().await;
        let mut view = state["slack"]["views"][user]
            .as_array()
            .unwrap()
            .last()
            .unwrap()
            .clone();
        for (id, value) in values.as_object().unwrap() {
            let block = view["blocks"].as_array().unwrap().iter();
            let block = block
                .clone()
                .find(|it| it["block_id"] == id.as_str())
                .unwrap();
            let (kind, action) = (
                block["element"]["type"].clone(),
                block["element"]["action_id"].clone(),
            );
            let held = if kind == "static_select" {
                json!({"type": kind, "selected_option": {"value": value}})
            } else {
                json!({"type": kind, "value": value})
            };
            view["state"]["values"][id] = json!({action.as_str().unwrap(): held});
        }
        Self::interaction("view_submission", user, &json!({"view": view}))
    }

    fn home_opened(user: &str) -> Self {
        let event = json!({"type": "app_home_opened", "user": user, "tab": "home"});
        let body = json!({
            "type": "event_callback", "team_id": "T0SANDBOX", "event_id": "Ev1", "event": event,
        });
        Self {
            content_type: "application/json",
            body: body.to_string().into_bytes(),
        }
    }

    /// Delivers it, signed `age_s` seconds ago, for the `retry`th time after the first; the status.
    async fn deliver(&self, stint: &Stint, age_s: i64, retry: u32) -> u16 {
        let state = stint.state().await;
        self.deliver_at(stint, &state, age_s, retry).await
    }

    async fn deliver_at(&self, stint: &Stint, state: &Value, age_s: i64, retry: u32) -> u16 {
        let secret = state["slack"]["signing_secret"].as_str().unwrap();
        let now: jiff::Timestamp = state["now"].as_str().unwrap().parse().unwrap();
        let at = (now.as_second() - age_s).to_string();
        let mut headers = vec![
            ("content-type", self.content_type.to_owned()),
            ("x-slack-signature", signature(secret, &at, &self.body)),
            ("x-slack-request-timestamp", at),
        ];
        if retry > 0 {
            headers.push(("x-slack-retry-num", retry.to_string()));
            headers.push(("x-slack-retry-reason", "http_timeout".to_owned()));
        }
        let body = self.body.clone();
        let (status, _) = stint
            .send(Method::POST, "/slack/events", &headers, body)
            .await;
        status
    }
}

/// The card of `request` that asks, as the place of a click.
async fn on_card(stint: &Stint, request: &str) -> Value {
    let card = stint.request(request).await["card"].clone();
    place(
        card["channel"].as_str().unwrap(),
        card["ts"].as_str().unwrap(),
    )
}

/// The requester's own card of `request`, as the place of a click.
async fn on_own_card(stint: &Stint, request: &str) -> Value {
    let copies = stint.copies(request).await;
    let own = copies
        .iter()
        .find(|it| it.0 == end_to_end::Copy::Requester)
        .unwrap();
    place("D01ALICE", own.2["ts"].as_str().unwrap())
}

fn place(channel: &str, ts: &str) -> Value {
    json!({
        "channel": {"id": channel},
        "container": {"type": "message", "message_ts": ts, "channel_id": channel, "is_ephemeral": false},
    })
}

/// The Home tab of `user`, as the place of a click.
async fn in_home(stint: &Stint, user: &str) -> Value {
    let home = stint.home(user).await;
    assert!(home.is_object(), "{user} has not opened it");
    json!({"view": home, "container": {"type": "view", "view_id": home["id"]}})
}

/// Stint, in which Alice has asked for Prod and everybody looks at their Home tab; the request.
async fn asked() -> (Stint, String) {
    let stint = Stint::start().await;
    for user in [ALICE, BOB, CAROL] {
        stint.open_home(user).await;
    }
    let id = stint.ask(ALICE, "Prod", "30 minutes").await.unwrap();
    (stint, id)
}

/// The same once Bob has approved.
async fn granted() -> (Stint, String) {
    let (stint, id) = asked().await;
    stint.press(BOB, "approve", &id).await;
    assert_eq!(stint.standing(&id).await, "active");
    (stint, id)
}

/// Everything that people were told but the cards: how many messages there are for each.
async fn told(stint: &Stint) -> Vec<usize> {
    let state = stint.state().await;
    let slack = &state["slack"];
    let count = |it: &Value| it.as_array().map_or(0, Vec::len);
    let users = [ALICE, BOB, CAROL];
    let dms = users.iter().map(|it| count(&slack["dms"][it]["messages"]));
    let ephemerals = users.iter().map(|it| count(&slack["ephemerals"][it]));
    dms.chain(ephemerals).collect()
}

/// Delivers what decides something too late, twice at once, again later and again with the headers of
/// a repeated delivery: it is decided once, as `standing` and `steps` say, and nobody is told twice.
async fn decides_once(stint: &Stint, id: &str, sent: Sent, standing: &str, all: &[&str]) {
    let before = (
        stint.standing(id).await,
        stint.steps(id).await,
        told(stint).await,
    );
    for age_s in [301, -301, 86_400] {
        assert_eq!(sent.deliver(stint, age_s, 0).await, 401, "{age_s} s old");
    }
    let after = (
        stint.standing(id).await,
        stint.steps(id).await,
        told(stint).await,
    );
    assert_eq!(before, after, "what is too old changes nothing");

    let state = stint.state().await;
    let both = tokio::join!(
        sent.deliver_at(stint, &state, 0, 0),
        sent.deliver_at(stint, &state, 0, 1)
    );
    assert_eq!(both, (200, 200));
    assert_eq!(stint.standing(id).await, standing);
    assert_eq!(stint.steps(id).await, all);
    stint.is_shown_everywhere(id).await;
    let heard = told(stint).await;

    stint.advance(60).await;
    assert_eq!(sent.deliver(stint, 60, 0).await, 200);
    assert_eq!(sent.deliver(stint, 60, 3).await, 200);
    assert_eq!(stint.standing(id).await, standing);
    assert_eq!(stint.steps(id).await, all);
    assert_eq!(told(stint).await, heard, "the same click is not late");
    stint.is_shown_everywhere(id).await;
    let is_in = standing == "active";
    assert_eq!(stint.is_member("alice", PROD).await, is_in);
    let calls = ["PUT", "DELETE"].map(|it| stint.okta_calls(it));
    let [puts, deletes] = calls;
    assert!(puts.await.len() <= 1 && deletes.await.len() <= 1);
}

const GIVEN: [&str; 4] = ["request", "approve", "escalate", "activate"];

#[tokio::test]
async fn a_yes_is_one_yes() {
    let (stint, id) = asked().await;
    let sent = Sent::click(BOB, &on_card(&stint, &id).await, "approve", &id);
    decides_once(&stint, &id, sent, "active", &GIVEN).await;
    let (stint, id) = asked().await;
    let sent = Sent::click(BOB, &in_home(&stint, BOB).await, "approve", &id);
    decides_once(&stint, &id, sent, "active", &GIVEN).await;
}

#[tokio::test]
async fn a_form_that_decides_is_one_decision() {
    let (stint, id) = asked().await;
    stint.press(BOB, "approve_note", &id).await;
    let sent = Sent::form(&stint, BOB, json!({"note": "be careful"})).await;
    decides_once(&stint, &id, sent, "active", &GIVEN).await;
    let (stint, id) = asked().await;
    stint.press_home(BOB, "deny", &id).await;
    let sent = Sent::form(&stint, BOB, json!({"note": "not now"})).await;
    decides_once(&stint, &id, sent, "denied", &["request", "deny"]).await;
    assert_eq!(
        stint.count(ALICE, "request was denied by <@U02BOB>").await,
        1
    );
}

#[tokio::test]
async fn what_is_taken_back_is_taken_back_once() {
    let revoked = [&GIVEN[..], &["revoke", "end"]].concat();
    let (stint, id) = granted().await;
    let sent = Sent::click(CAROL, &on_card(&stint, &id).await, "revoke", &id);
    decides_once(&stint, &id, sent, "ended/revoked", &revoked).await;
    let (stint, id) = granted().await;
    let sent = Sent::click(BOB, &in_home(&stint, BOB).await, "revoke", &id);
    decides_once(&stint, &id, sent, "ended/revoked", &revoked).await;
}

#[tokio::test]
async fn what_is_given_back_is_given_back_once() {
    let withdrawn = [&GIVEN[..], &["withdraw", "end"]].concat();
    let (stint, id) = granted().await;
    let sent = Sent::click(ALICE, &on_own_card(&stint, &id).await, "done", &id);
    decides_once(&stint, &id, sent, "ended/withdrawn", &withdrawn).await;
    let (stint, id) = granted().await;
    let sent = Sent::click(ALICE, &in_home(&stint, ALICE).await, "done", &id);
    decides_once(&stint, &id, sent, "ended/withdrawn", &withdrawn).await;
}

#[tokio::test]
async fn what_is_cancelled_is_cancelled_once() {
    let (stint, id) = asked().await;
    let sent = Sent::click(ALICE, &on_own_card(&stint, &id).await, "cancel", &id);
    decides_once(&stint, &id, sent, "cancelled", &["request", "cancel"]).await;
    let (stint, id) = asked().await;
    let sent = Sent::click(ALICE, &in_home(&stint, ALICE).await, "cancel", &id);
    decides_once(&stint, &id, sent, "cancelled", &["request", "cancel"]).await;
}

#[tokio::test]
async fn a_form_that_asks_is_one_request() {
    let stint = Stint::start().await;
    for user in [ALICE, BOB] {
        stint.open_home(user).await;
    }
    stint.command(ALICE, "/access").await;
    let values = json!({"target": PROD, "duration": "1800", "reason": "INC-7"});
    let sent = Sent::form(&stint, ALICE, values).await;
    assert_eq!(sent.deliver(&stint, 301, 0).await, 401);
    assert_eq!(stint.requests().await.len(), 0);
    let state = stint.state().await;
    tokio::join!(
        sent.deliver_at(&stint, &state, 0, 0),
        sent.deliver_at(&stint, &state, 0, 1)
    );
    let id = stint.requests().await.pop_first().unwrap().0;
    stint.is_shown_everywhere(&id).await;
    let heard = told(&stint).await;
    stint.advance(60).await;
    sent.deliver(&stint, 60, 2).await;
    assert_eq!(stint.requests().await.len(), 1);
    assert_eq!(stint.steps(&id).await, ["request"]);
    assert_eq!(told(&stint).await, heard);
    // Also when it was decided meanwhile.
    stint.deny(BOB, &id).await;
    let heard = told(&stint).await;
    stint.advance(60).await;
    sent.deliver(&stint, 120, 3).await;
    assert_eq!(stint.standing(&id).await, "denied");
    assert_eq!(stint.requests().await.len(), 1);
    assert_eq!(told(&stint).await, heard);
    stint.is_shown_everywhere(&id).await;
}

#[tokio::test]
async fn what_only_shows_something_changes_nothing_however_often_it_comes() {
    let (stint, id) = granted().await;
    let everything = |state: &Value| (state["requests"].clone(), state["audit"].clone());
    let before = everything(&stint.state().await);
    let shows = [
        Sent::click(BOB, &on_card(&stint, &id).await, "details", &id),
        Sent::click(BOB, &in_home(&stint, BOB).await, "details", &id),
        Sent::click(BOB, &in_home(&stint, BOB).await, "more", "held:10"),
        Sent::click(BOB, &in_home(&stint, BOB).await, "more", "nonsense"),
        Sent::home_opened(BOB),
    ];
    for sent in shows {
        assert_eq!(sent.deliver(&stint, 301, 0).await, 401);
        let state = stint.state().await;
        tokio::join!(
            sent.deliver_at(&stint, &state, 0, 0),
            sent.deliver_at(&stint, &state, 0, 1)
        );
        assert_eq!(sent.deliver(&stint, 120, 2).await, 200);
        assert_eq!(everything(&stint.state().await), before);
        stint.is_shown_everywhere(&id).await;
    }
}

/// What opens a form opens one, and changes nothing else.
#[tokio::test]
async fn what_opens_a_form_opens_one() {
    let (stint, id) = granted().await;
    let pending = json!({"target": "Staging", "duration": "1 hour", "reason": "INC-9"});
    let pending = stint.ask_with(ALICE, pending).await.unwrap();
    let over = json!({"target": "Staging", "duration": "1 hour", "reason": "INC-10"});
    let over = stint.ask_with(CAROL, over).await.unwrap();
    stint.deny(BOB, &over).await;
    let again = json!({"view_id": stint.home(CAROL).await["id"], "action_id": "again"});
    let own = |place: &Value| {
        (
            place["channel"]["id"].clone(),
            place["container"]["message_ts"].clone(),
        )
    };
    let button = |place: Value, action: &str| {
        let (channel, ts) = own(&place);
        json!({"click": {"channel": channel, "ts": ts, "action_id": action}})
    };
    let ask = json!({"view_id": stint.home(ALICE).await["id"], "action_id": "ask"});
    let acts = [
        (ALICE, json!({"command": "/access prod 30m INC-8"})),
        (ALICE, json!({"shortcut": "request"})),
        (BOB, button(on_card(&stint, &pending).await, "deny")),
        (BOB, button(on_card(&stint, &pending).await, "approve_note")),
        (ALICE, button(on_own_card(&stint, &id).await, "extend")),
        (ALICE, json!({"click": ask})),
        (CAROL, json!({"click": again})),
    ];
    let before = stint.state().await;
    for (user, act) in acts {
        for more in [json!({"deliveries": 2}), json!({"retry_num": 1})] {
            let mut act = act.clone();
            act.as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            let seen = stint.slack(user, act.clone()).await;
            assert_eq!(seen["status"], 200, "{act}");
            let state = stint.state().await;
            let open = state["slack"]["views"][user].as_array().unwrap();
            assert_eq!(open.len(), 1, "{act}");
            let close = json!({"close": {"view_id": open[0]["id"]}});
            stint.slack(user, close).await;
        }
        let mut late = act.clone();
        late["age_s"] = json!(301);
        let seen = stint.slack(user, late).await;
        assert_eq!(
            (&seen["status"], &seen["view"]),
            (&json!(401), &Value::Null),
            "{act}"
        );
    }
    let after = stint.state().await;
    for what in ["requests", "audit"] {
        assert_eq!(before[what], after[what]);
    }
    for id in [&id, &pending, &over] {
        stint.is_shown_everywhere(id).await;
    }
}

/// What happens first, and what somebody does who does not know.
#[derive(Clone, Copy)]
struct Late {
    first: &'static [(&'static str, &'static str)],
    wait_s: u64,
    then: (&'static str, &'static str),
    standing: &'static str,
    told: &'static str,
}

/// Everything that can come when things have moved on.
const LATE: [Late; 16] = [
    late(
        &[(BOB, "deny")],
        (CAROL, "approve"),
        "denied",
        "<@U02BOB> denied the request",
    ),
    late(
        &[(BOB, "deny")],
        (CAROL, "approve_note"),
        "denied",
        "<@U02BOB> denied the request",
    ),
    late(
        &[(BOB, "deny")],
        (CAROL, "deny"),
        "denied",
        "<@U02BOB> denied the request",
    ),
    late(
        &[(BOB, "deny")],
        (ALICE, "cancel"),
        "denied",
        "<@U02BOB> denied the request",
    ),
    late(
        &[(BOB, "approve")],
        (CAROL, "deny"),
        "active",
        "<@U02BOB> approved the request",
    ),
    late(
        &[(BOB, "approve")],
        (CAROL, "approve"),
        "active",
        "<@U02BOB> approved the request",
    ),
    late(
        &[(BOB, "approve")],
        (BOB, "approve"),
        "active",
        "You approved the request",
    ),
    late(
        &[(BOB, "approve")],
        (ALICE, "cancel"),
        "active",
        "<@U02BOB> approved the request",
    ),
    late(
        &[(ALICE, "cancel")],
        (BOB, "approve"),
        "cancelled",
        "<@U01ALICE> took back the request",
    ),
    late(
        &[(ALICE, "cancel")],
        (BOB, "deny"),
        "cancelled",
        "<@U01ALICE> took back the request",
    ),
    late(
        &[(BOB, "approve"), (BOB, "revoke")],
        (ALICE, "done"),
        "ended/revoked",
        "<@U02BOB> ended the access",
    ),
    late(
        &[(BOB, "approve"), (ALICE, "done")],
        (BOB, "revoke"),
        "ended/withdrawn",
        "<@U01ALICE> ended the access",
    ),
    late(
        &[(BOB, "approve"), (BOB, "revoke")],
        (CAROL, "revoke"),
        "ended/revoked",
        "<@U02BOB> ended the access",
    ),
    late(
        &[],
        (BOB, "revoke"),
        "pending",
        "Nobody has decided on the request",
    ),
    Late {
        wait_s: HOUR,
        ..late(
            &[(BOB, "approve")],
            (ALICE, "done"),
            "ended/elapsed",
            "The access has ended",
        )
    },
    Late {
        wait_s: 24 * HOUR + 61,
        ..late(
            &[],
            (BOB, "approve"),
            "expired",
            "Nobody answered the request",
        )
    },
];

const fn late(
    first: &'static [(&'static str, &'static str)],
    then: (&'static str, &'static str),
    standing: &'static str,
    told: &'static str,
) -> Late {
    Late {
        first,
        wait_s: 0,
        then,
        standing,
        told,
    }
}

#[tokio::test]
async fn who_comes_after_a_no_is_told_and_changes_nothing() {
    come_late(&LATE[..4]).await;
}

#[tokio::test]
async fn who_comes_after_a_yes_is_told_and_changes_nothing() {
    come_late(&LATE[4..8]).await;
}

#[tokio::test]
async fn who_comes_after_it_was_taken_back_is_told_and_changes_nothing() {
    come_late(&LATE[8..13]).await;
}

#[tokio::test]
async fn who_comes_too_early_or_when_time_is_over_is_told_and_changes_nothing() {
    come_late(&LATE[13..]).await;
}

async fn come_late(all: &[Late]) {
    for Late {
        first,
        wait_s,
        then,
        standing,
        told,
    } in all.iter().copied()
    {
        let what = format!("{then:?} after {first:?} and {wait_s} s");
        let (stint, id) = asked().await;
        for (user, action) in first {
            stint.decide_gone(user, action, &id).await;
        }
        stint.advance(wait_s).await;
        if wait_s > 0 {
            for user in [ALICE, BOB, CAROL] {
                stint.open_home(user).await;
            }
        }
        assert_eq!(stint.standing(&id).await, standing, "{what}");
        stint.is_shown_everywhere(&id).await;
        let before = (
            stint.steps(&id).await,
            stint.okta_calls("PUT").await,
            stint.okta_calls("DELETE").await,
        );

        let (user, action) = then;
        // On the card.
        let seen = stint.decide_gone(user, action, &id).await;
        let said = words(&seen["ephemerals"]);
        assert!(said.contains(told), "{what}: {said}");
        // In a Home tab that was drawn before.
        let click =
            json!({"view_id": stint.home(user).await["id"], "action_id": action, "value": id});
        let messages = stint.texts(user).await.len();
        let seen = stint
            .slack(user, json!({"click": click, "force": true}))
            .await;
        if seen["view"].is_object() {
            stint.submit(user, json!({})).await;
        }
        let direct = stint.texts(user).await;
        assert_eq!(direct.len(), messages + 1, "{what}");
        assert!(direct.last().unwrap().contains(told), "{what}: {direct:?}");

        assert_eq!(stint.standing(&id).await, standing, "{what}");
        let after = (
            stint.steps(&id).await,
            stint.okta_calls("PUT").await,
            stint.okta_calls("DELETE").await,
        );
        assert_eq!(after, before, "{what}");
        stint.is_shown_everywhere(&id).await;
    }
}

#[tokio::test]
async fn a_decision_form_that_comes_after_another_decision_changes_nothing() {
    for (action, other, standing) in [
        ("deny", "approve", "active"),
        ("approve_note", "deny", "denied"),
        ("deny", "cancel", "cancelled"),
    ] {
        let (stint, id) = asked().await;
        let seen = stint.press(BOB, action, &id).await;
        assert!(seen["view"].is_object(), "{seen}");
        let who = if other == "cancel" { ALICE } else { CAROL };
        stint.decide_gone(who, other, &id).await;
        assert_eq!(stint.standing(&id).await, standing);
        let before = stint.steps(&id).await;
        let seen = stint.submit(BOB, json!({"note": "too late"})).await;
        let said = words(&seen["ephemerals"]);
        assert!(
            said.contains(&format!("<@{who}>")),
            "{action} after {other}: {said}"
        );
        assert_eq!(stint.standing(&id).await, standing);
        assert_eq!(stint.steps(&id).await, before);
        assert!(!stint.texts(ALICE).await.join("\n").contains("too late"));
        stint.is_shown_everywhere(&id).await;
    }
}

#[tokio::test]
async fn more_time_for_what_has_ended_is_not_asked_for() {
    let stint = Stint::start().await;
    let id = stint.grant("Prod", "30 minutes").await;
    stint.open_home(ALICE).await;
    // The form was open before, and sent after.
    stint.press_own(ALICE, "extend").await;
    stint.press(BOB, "revoke", &id).await;
    assert_eq!(
        stint.send_form(ALICE, json!({"reason": "more"})).await,
        None
    );
    let told = stint.heard(ALICE).await;
    assert!(
        told.contains("The access is not extended: the access has ended"),
        "{told}"
    );
    // The button was still seen.
    let place = on_own_card(&stint, &id).await;
    let click = json!({
        "channel": "D01ALICE", "ts": place["container"]["message_ts"], "action_id": "extend",
    });
    let seen = stint
        .slack(ALICE, json!({"click": click, "force": true}))
        .await;
    assert!(seen["view"].is_object(), "{seen}");
    assert_eq!(
        stint.send_form(ALICE, json!({"reason": "more"})).await,
        None
    );
    assert_eq!(stint.requests().await.len(), 1);
    stint.is_shown_everywhere(&id).await;
}

#[tokio::test]
async fn a_form_for_what_has_vanished_says_so() {
    let stint = Stint::start().await;
    let id = stint.ask(ALICE, "Prod", "30 minutes").await.unwrap();
    stint.open_home(BOB).await;
    stint.command(ALICE, "/access").await;
    stint.press(BOB, "approve_note", &id).await;
    let prod = "[[flow.target]]\nlabel        = \"Prod\"\ngroup_id     = \"00g2prodadmins\"\nmax_duration = \"1h\"\n";
    let right = std::fs::read_to_string(stint.file("flows.toml")).unwrap();
    stint.edit("flows.toml", prod, "");
    let values = json!({"target": "Prod", "duration": "30 minutes", "reason": "more"});
    let seen = stint.submit(ALICE, values).await;
    let error = seen["errors"]["target"].as_str().unwrap_or_default();
    assert!(error.contains("not offered any more"), "{seen}");
    let seen = stint.submit(BOB, json!({"note": "be careful"})).await;
    let said = words(&seen["ephemerals"]);
    assert!(
        said.contains("the target was taken out of the flows file"),
        "{said}"
    );
    assert_eq!(stint.standing(&id).await, "pending");
    assert_eq!(stint.requests().await.len(), 1);
    // It is there again.
    std::fs::write(stint.file("flows.toml"), right).unwrap();
    stint.press(BOB, "approve", &id).await;
    assert_eq!(stint.standing(&id).await, "active");
    stint.is_shown_everywhere(&id).await;
}

/// What each of the two does is right by itself; one of them is first.
#[tokio::test]
async fn any_two_decisions_at_once_are_one() {
    let pairs = [
        (false, (BOB, "approve"), (ALICE, "cancel")),
        (false, (BOB, "approve"), (CAROL, "approve")),
        (true, (BOB, "revoke"), (ALICE, "done")),
        (true, (BOB, "revoke"), (CAROL, "revoke")),
    ];
    for (is_granted, one, other) in pairs {
        let (stint, id) = if is_granted {
            granted().await
        } else {
            asked().await
        };
        let sent = async |(user, action): (&str, &str)| {
            let place = in_home(&stint, user).await;
            Sent::click(user, &place, action, &id)
        };
        let (first, second) = (sent(one).await, sent(other).await);
        let state = stint.state().await;
        let both = tokio::join!(
            first.deliver_at(&stint, &state, 0, 0),
            second.deliver_at(&stint, &state, 0, 0)
        );
        assert_eq!(both, (200, 200));
        let standing = stint.standing(&id).await;
        let all = stint.steps(&id).await;
        let decided = all
            .iter()
            .filter(|it| it == &one.1 || it == &other.1 || *it == "withdraw");
        let count = decided.count() - usize::from(is_granted && one.1 == "approve");
        assert_eq!(count, 1, "{one:?} and {other:?}: {standing}, {all:?}");
        stint.is_shown_everywhere(&id).await;
        let heard = [stint.heard(one.0).await, stint.heard(other.0).await].join("\n");
        let by = |user: &str| heard.contains(&format!("<@{user}>"));
        assert!(by(one.0) || by(other.0), "who was late was told: {heard}");
        let is_in = standing == "active";
        assert_eq!(stint.is_member("alice", PROD).await, is_in, "{standing}");
    }
}
