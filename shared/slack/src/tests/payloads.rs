use access::{Click, SlackUser};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::payload::{EventKind, Payload, PayloadError};

const FORM: &str = "application/x-www-form-urlencoded";

fn interaction(payload: &Value) -> Result<Payload, PayloadError> {
    let body = serde_urlencoded::to_string([("payload", payload.to_string())]).unwrap();
    Payload::parse(FORM, body.as_bytes())
}

fn event(payload: &Value) -> Result<Payload, PayloadError> {
    let body = payload.to_string();
    Payload::parse("application/json; charset=utf-8", body.as_bytes())
}

fn view() -> Value {
    json!({
        "id": "VMHU10V25", "team_id": "T8N4K1JN", "type": "modal", "callback_id": "request",
        "private_metadata": "{\"flow\":\"okta\"}", "hash": "1569362015.55b5e41b",
        "blocks": [
            {"type": "section", "block_id": "head", "text": {"type": "mrkdwn", "text": "x"}},
            {"type": "input", "block_id": "target", "element": {"type": "static_select", "action_id": "target"}},
            {"type": "input", "block_id": "reason", "element": {"type": "plain_text_input", "action_id": "reason"}},
        ],
        "state": {"values": {
            "target": {"target": {"type": "static_select", "selected_option": {
                "text": {"type": "plain_text", "text": "Prod", "emoji": true}, "value": "00g2prod",
            }}},
            "reason": {"reason": {"type": "plain_text_input", "value": "fixing INC-42"}},
            "duration": {"duration": {"type": "static_select", "selected_option": null}},
            "note": {"note": {"type": "plain_text_input", "value": null}},
            "day": {"day": {"type": "datepicker", "selected_date": "2026-11-24"}},
            "who": {"who": {"type": "users_select", "selected_user": "U2"}},
            "many": {"many": {"type": "multi_static_select", "selected_options": [{"value": "a"}, {"value": "b"}]}},
        }},
        "title": {"type": "plain_text", "text": "Stint"}, "root_view_id": "VMHU10V25",
    })
}

#[test]
fn a_command_may_have_spaces_spelt_either_way_or_no_text() {
    let body = "token=t&team_id=T1&team_domain=d&channel_id=C1&channel_name=general&user_id=W1\
        &user_name=ann&command=%2Faccess&text=prod+1h%20fixing+%26+so&api_app_id=A1\
        &is_enterprise_install=false&response_url=https%3A%2F%2Fhooks.slack.com%2F1&trigger_id=13.37.abc";
    let Ok(Payload::Command(command)) = Payload::parse(FORM, body.as_bytes()) else {
        panic!("no command");
    };
    assert_eq!(command.command, "/access");
    assert_eq!(command.text, "prod 1h fixing & so");
    assert_eq!(command.by.user, SlackUser::new("W1"));
    assert_eq!(command.by.team.as_deref(), Some("T1"));
    assert_eq!(command.channel.as_deref(), Some("C1"));
    let click = Payload::Command(command).click_id();
    assert_eq!(click, Some(Click::new("13.37.abc")));

    let body = "team_id=T1&user_id=U1&command=%2Faccess&text=&trigger_id=1";
    let parsed = Payload::parse(FORM, body.as_bytes());
    assert!(matches!(parsed, Ok(Payload::Command(it)) if it.text.is_empty()));
}

#[test]
fn a_certificate_check_is_told_from_a_command_that_pretends_to_be_one() {
    let check = Payload::parse(FORM, b"ssl_check=1&token=t");
    assert_eq!(check, Ok(Payload::SslCheck));
    let body = b"ssl_check=1&team_id=T1&user_id=U1&command=%2Faccess&trigger_id=1";
    assert!(matches!(
        Payload::parse(FORM, body),
        Ok(Payload::Command(_))
    ));
}

#[test]
fn a_click_on_a_message_names_the_message_and_the_button() {
    let click = json!({
        "type": "block_actions", "team": {"id": "T1", "domain": "d"}, "enterprise": null,
        "user": {"id": "U1", "username": "bob", "name": "bob", "team_id": "T1"},
        "api_app_id": "A1", "token": "t", "trigger_id": "12321423423.333649436676.d8c1bb837935619ccad0f624c448ffb3",
        "container": {"type": "message", "message_ts": "1548261231.000200", "channel_id": "C1", "is_ephemeral": false},
        "channel": {"id": "C1", "name": "review-updates"},
        "message": {"bot_id": "B1", "type": "message", "text": "x", "user": "U2", "ts": "1548261231.000200"},
        "state": {"values": {}}, "response_url": "https://hooks.slack.com/actions/A/1/b",
        "actions": [{
            "action_id": "approve", "block_id": "=qXel", "type": "button", "action_ts": "1548426417.840180",
            "text": {"type": "plain_text", "text": "Approve", "emoji": true}, "value": "T1-V1", "style": "primary",
        }],
    });
    let parsed = interaction(&click).unwrap();
    let click_id = parsed.click_id();
    let Payload::BlockActions(actions) = parsed else {
        panic!("no click")
    };
    let message = actions.message.unwrap();
    assert_eq!(
        (message.channel.as_str(), message.ts.as_str()),
        ("C1", "1548261231.000200")
    );
    assert!(!message.ephemeral);
    assert_eq!(actions.view, None);
    assert_eq!(actions.actions[0].action_id, "approve");
    assert_eq!(actions.actions[0].value.as_deref(), Some("T1-V1"));
    let trigger = "12321423423.333649436676.d8c1bb837935619ccad0f624c448ffb3";
    assert_eq!(click_id, Some(Click::new(trigger)));
}

#[test]
fn a_click_without_a_trigger_is_named_by_who_what_and_when() {
    let click = |at: &str| {
        interaction(&json!({
            "type": "block_actions", "user": {"id": "U1"}, "team": {"id": "T1"},
            "actions": [{"action_id": "approve", "block_id": "b", "type": "button", "value": "R", "action_ts": at}],
        }))
        .unwrap()
        .click_id()
        .unwrap()
    };
    assert_eq!(click("1548426417.840180"), click("1548426417.840180"));
    assert_ne!(click("1548426417.840180"), click("1548426418.840180"));
}

#[test]
fn an_organisation_wide_installation_sends_no_team() {
    for (payload, team) in [
        (
            json!({"team": null, "user": {"id": "U1", "team_id": "T2"}, "enterprise": {"id": "E1", "name": "x"}}),
            "T2",
        ),
        (
            json!({"team": null, "user": {"id": "U1"}, "enterprise": {"id": "E1", "name": "x"}}),
            "E1",
        ),
        (
            json!({"team": {"id": "T1"}, "user": {"id": "U1", "team_id": "T2"}}),
            "T1",
        ),
    ] {
        let mut payload = payload;
        payload["type"] = json!("view_submission");
        payload["view"] = view();
        payload["is_enterprise_install"] = json!(true);
        let parsed = interaction(&payload).unwrap();
        assert_eq!(parsed.by().unwrap().team.as_deref(), Some(team));
    }
}

#[test]
fn who_belongs_to_the_workspace_is_told_from_who_does_not() {
    let is_of = |workspace: &str, team: Value, home: Value, enterprise: Value| {
        let parsed = interaction(&json!({
            "type": "view_submission", "team": team, "user": {"id": "U1", "team_id": home},
            "enterprise": enterprise, "view": view(),
        }));
        parsed.unwrap().by().unwrap().is_of(workspace)
    };
    let id = |id: &str| json!({ "id": id });
    let none = || Value::Null;
    assert!(is_of("T1", id("T1"), json!("T1"), none()));
    assert!(is_of("T1", id("T1"), none(), none()));
    assert!(!is_of("T1", id("T2"), json!("T2"), none()));
    // Somebody of another workspace, in a shared channel.
    assert!(!is_of("T1", id("T1"), json!("T2"), none()));
    assert!(!is_of("T1", id("T1"), json!("T2"), id("E1")));
    assert!(!is_of("T1", none(), json!("T2"), id("E1")));
    // Some belong to the organization alone.
    assert!(is_of("T1", id("T1"), json!("E1"), id("E1")));
    assert!(is_of("E1", id("T1"), json!("T1"), id("E1")));
    assert!(is_of("E1", none(), json!("E1"), id("E1")));
    assert!(!is_of("E1", id("T1"), json!("T1"), none()));
    assert!(!is_of("E1", id("T1"), json!("T1"), id("E2")));
    assert!(!is_of("E1", id("T1"), json!("E2"), id("E1")));

    let command = |more: &str| {
        let body = format!("team_id=T1&user_id=U1&command=%2Faccess&trigger_id=1{more}");
        Payload::parse(FORM, body.as_bytes()).unwrap()
    };
    let command = |more: &str| command(more).by().unwrap().clone();
    assert!(command("").is_of("T1"));
    assert!(!command("").is_of("E1"));
    assert!(command("&enterprise_id=E1").is_of("E1"));
}

#[test]
fn a_submitted_form_gives_what_was_filled_in() {
    let parsed = interaction(&json!({
        "type": "view_submission", "team": {"id": "T1"}, "user": {"id": "U1", "name": "a", "team_id": "T1"},
        "view": view(), "response_urls": [], "trigger_id": "1.2.3",
    }));
    let Ok(Payload::ViewSubmission(form)) = parsed else {
        panic!("no form");
    };
    assert_eq!(form.view.id, "VMHU10V25");
    assert_eq!(form.view.callback_id, "request");
    assert_eq!(form.view.private_metadata, "{\"flow\":\"okta\"}");
    assert_eq!(form.view.hash.as_deref(), Some("1569362015.55b5e41b"));
    assert_eq!(form.view.inputs, ["target", "reason"]);
    let values: Vec<(&str, &str)> = form
        .values
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        values,
        [
            ("day", "2026-11-24"),
            ("many", "a, b"),
            ("reason", "fixing INC-42"),
            ("target", "00g2prod"),
            ("who", "U2"),
        ]
    );
}

#[test]
fn a_click_in_a_view_a_closed_view_a_shortcut_and_a_question_for_options_are_told_apart() {
    let base = |kind: &str, more: Value| {
        let mut all =
            json!({"type": kind, "team": {"id": "T1"}, "user": {"id": "U1", "team_id": "T1"}});
        all.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        interaction(&all).unwrap()
    };
    let in_view = base(
        "block_actions",
        json!({
            "view": view(), "container": {"type": "view", "view_id": "V1"}, "trigger_id": "1",
            "actions": [{"action_id": "flow", "block_id": "flow", "type": "static_select",
                "selected_option": {"value": "okta"}, "action_ts": "1"}],
        }),
    );
    let Payload::BlockActions(it) = in_view else {
        panic!("no click")
    };
    assert_eq!(it.message, None);
    assert_eq!(it.view.unwrap().id, "VMHU10V25");
    assert_eq!(it.actions[0].value.as_deref(), Some("okta"));
    assert_eq!(it.values["reason"], "fixing INC-42");

    let closed = base("view_closed", json!({"view": view(), "is_cleared": true}));
    assert!(matches!(closed, Payload::ViewClosed(it) if it.view.id == "VMHU10V25"));

    let shortcut = base(
        "shortcut",
        json!({"callback_id": "request", "trigger_id": "9", "action_ts": "1"}),
    );
    assert_eq!(shortcut.click_id(), Some(Click::new("9")));
    assert!(matches!(shortcut, Payload::Shortcut(it) if it.callback_id == "request"));

    let options = base(
        "block_suggestion",
        json!({
            "action_id": "target", "block_id": "target", "value": "pr", "view": view(),
            "container": {"type": "view", "view_id": "V1"},
        }),
    );
    assert!(
        matches!(options, Payload::BlockSuggestion(it) if it.typed == "pr" && it.action_id == "target")
    );

    let old = base("interactive_message", json!({"callback_id": "x"}));
    assert_eq!(
        old,
        Payload::Other {
            kind: "interactive_message".to_owned()
        }
    );
}

#[test]
fn events_are_told_apart() {
    let verification =
        event(&json!({"type": "url_verification", "token": "t", "challenge": "3eZbrw1a"}));
    assert_eq!(
        verification,
        Ok(Payload::UrlVerification {
            challenge: "3eZbrw1a".to_owned()
        })
    );
    let envelope = |event: Value| {
        json!({
            "token": "t", "team_id": "T1", "api_app_id": "A1", "event": event, "type": "event_callback",
            "event_id": "Ev1", "event_time": 1_234_567_890, "authorizations": [],
        })
    };
    // The first time the tab is opened there is no view.
    let opened = event(&envelope(
        json!({"type": "app_home_opened", "user": "U1", "channel": "D1", "tab": "messages"}),
    ));
    let Ok(Payload::Event(it)) = opened else {
        panic!("no event")
    };
    let kind = EventKind::AppHomeOpened {
        user: SlackUser::new("U1"),
        tab: "messages".to_owned(),
    };
    assert_eq!((it.id.as_str(), it.kind), ("Ev1", kind));
    let revoked = event(&envelope(
        json!({"type": "tokens_revoked", "tokens": {"bot": ["U"]}}),
    ));
    assert!(
        matches!(revoked, Ok(Payload::Event(it)) if it.kind == EventKind::Other("tokens_revoked".to_owned()))
    );
    assert_eq!(
        event(&json!({"type": "app_rate_limited"})),
        Ok(Payload::Other {
            kind: "app_rate_limited".to_owned()
        })
    );
}

#[test]
fn what_cannot_be_understood_is_said() {
    assert_eq!(
        Payload::parse("text/plain", b"x"),
        Err(PayloadError::ContentType)
    );
    assert_eq!(
        Payload::parse("application/json", b"{"),
        Err(PayloadError::Malformed)
    );
    assert_eq!(
        Payload::parse(FORM, b"payload=%7B"),
        Err(PayloadError::Malformed)
    );
    assert_eq!(
        Payload::parse(FORM, b""),
        Err(PayloadError::Missing("command"))
    );
    assert_eq!(
        Payload::parse(FORM, b"command=%2Fa&trigger_id=1"),
        Err(PayloadError::Missing("user_id"))
    );
    assert_eq!(
        interaction(&json!({"type": "view_submission"})),
        Err(PayloadError::Missing("user"))
    );
    assert_eq!(
        interaction(&json!({"type": "view_submission", "user": {"id": "U1"}})),
        Err(PayloadError::Missing("view"))
    );
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..400), json in any::<bool>()) {
        let kind = if json { "application/json" } else { FORM };
        let _ = Payload::parse(kind, &body);
    }

    #[test]
    fn no_json_makes_it_panic(
        kind in "block_actions|view_submission|view_closed|shortcut|message_action|block_suggestion|event_callback|url_verification|x",
        keys in prop::collection::vec(("team|user|view|actions|container|channel|message|state|event|value|trigger_id|action_ts|enterprise", odd()), 0..8),
    ) {
        let mut map: serde_json::Map<String, Value> = keys.into_iter().collect();
        map.insert("type".to_owned(), json!(kind));
        let value = Value::Object(map);
        if let Ok(payload) = interaction(&value) {
            let _ = payload.click_id();
        }
        let _ = event(&value);
    }
}

/// A JSON value that has some of the shape of what Slack sends, and is wrong somewhere.
fn odd() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let key = "id|type|values|state|value|selected_option|selected_options|action_id|action_ts|[a-z]{1,4}";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}
