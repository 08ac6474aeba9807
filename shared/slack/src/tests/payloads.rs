use access::{Click, SlackUser};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::payload::{EventKind, Payload, PayloadError, Values, ViewRef};

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
    assert_eq!(message.text.as_deref(), Some("x"));
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
        payload["view"]["team_id"] = Value::Null;
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
    let opened = opened.unwrap();
    assert_eq!(opened.click_id(), Some(Click::new("Ev1")));
    assert_eq!(opened.by().unwrap().user, SlackUser::new("U1"));
    let Payload::Event(it) = opened else {
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

/// What opens a view in each of them.
const TRIGGER: &str = "9876543210987.4567890123456.0f1e2d3c4b5a69788796a5b4c3d2e1f0";

/// What is made of each recorded body: the file, what it says, who did it (the workspace, where they
/// belong, the organization), and the name of the click. The files are in the folder beside this one:
/// `.form` are bodies as they are, `.json` bodies of events or what is inside `payload=`.
const RECORDED: [(&str, &str, &str, &str); 54] = [
    ("app_rate_limited.json", "other app_rate_limited", "", ""),
    (
        "app_uninstalled.json",
        "event app_uninstalled in T04QUILL9A",
        "",
        "Ev06GONE0001",
    ),
    (
        "choice_in_modal.json",
        r#"target/target=00g2prod at 1764000299.002113 in modal V06REQ0001 `request` {"flow":"okta"} [target duration reason] {reason=half a rea; target=00g2prod}"#,
        "U05MARIT22 T04QUILL9A T04QUILL9A -: of the workspace",
        TRIGGER,
    ),
    (
        "choice_searched_in_modal.json",
        r#"target/target=00g3staging at 1764000299.002113 in modal V06REQ0001 `request` {"flow":"okta"} [target duration reason] {}"#,
        "U05MARIT22 T04QUILL9A T04QUILL9A -: of the workspace",
        TRIGGER,
    ),
    (
        "click.form",
        "decide/approve=T04QUILL9A-V06REQ0001 at 1764000302.885117 in C06ACCESS4 \
         1764000271.431219 `Prod for R&amp;D &lt;INC-42&gt;` {}",
        "U05MARIT22 T04QUILL9A T04QUILL9A -: of the workspace",
        TRIGGER,
    ),
    (
        "click_from_shared_channel.json",
        "decide/approve=T04QUILL9A-V06REQ0001 at 1764000302.885117 in C06ACCESS4 \
         1764000271.431219 `Prod for R&amp;D &lt;INC-42&gt;` {}",
        "U0OTHER123 T0FERRY77B T0FERRY77B -: a stranger",
        TRIGGER,
    ),
    (
        "click_from_shared_channel_of_an_organization.json",
        "decide/approve=T04QUILL9A-V06REQ0001 at 1764000302.885117 in C06ACCESS4 \
         1764000271.431219 `Prod for R&amp;D &lt;INC-42&gt;` {}",
        "W0OTHER123 T0FERRY77B T0FERRY77B E09LOCKS22: a stranger",
        TRIGGER,
    ),
    (
        "click_in_direct_message.json",
        "decide/approve=T04QUILL9A-V06REQ0001 at 1764000302.885117 in D06MARIT22 \
         1764000271.431219 `` {}",
        "U05MARIT22 T04QUILL9A T04QUILL9A -: of the workspace",
        TRIGGER,
    ),
    (
        "click_in_ephemeral.json",
        "decide/approve=T04QUILL9A-V06REQ0001 at 1764000302.885117 in C06ACCESS4 \
         1764000271.431219 for one `-` {}",
        "U05MARIT22 T04QUILL9A T04QUILL9A -: of the workspace",
        TRIGGER,
    ),
    (
        "click_in_home.json",
        "held-1/done=T04QUILL9A-V06REQ0001 at 1764000410.550001 in home V06HOME001 ``  [] {}",
        "U05MARIT22 T04QUILL9A T04QUILL9A -: of the workspace",
        TRIGGER,
    ),
    (
        "click_in_home_org_wide.json",
        "held-1/done=T04QUILL9A-V06REQ0001 at 1764000410.550001 in home V06HOME001 ``  [] {}",
        "W05OSKAR31 T04QUILL9A E03HARBOR7 E03HARBOR7: of the workspace and the organization",
        TRIGGER,
    ),
    (
        "click_in_message.json",
        "decide/approve=T04QUILL9A-V06REQ0001 at 1764000302.885117 in C06ACCESS4 \
         1764000271.431219 `Prod for R&amp;D &lt;INC-42&gt;` {}",
        "U05MARIT22 T04QUILL9A T04QUILL9A -: of the workspace",
        TRIGGER,
    ),
    (
        "click_in_thread.json",
        "decide/approve=T04QUILL9A-V06REQ0001 at 1764000302.885117 in C06ACCESS4 \
         1764000271.431219 `Prod for R&amp;D &lt;INC-42&gt;` {}",
        "U05MARIT22 T04QUILL9A T04QUILL9A -: of the workspace",
        TRIGGER,
    ),
    (
        "click_org_wide.json",
        "decide/approve=T04QUILL9A-V06REQ0001 at 1764000302.885117 in C06ACCESS4 \
         1764000271.431219 `Prod for R&amp;D &lt;INC-42&gt;` {}",
        "W05OSKAR31 T04QUILL9A T04QUILL9A E03HARBOR7: of the workspace and the organization",
        TRIGGER,
    ),
    (
        "click_org_wide_of_another_workspace.json",
        "decide/approve=T04QUILL9A-V06REQ0001 at 1764000302.885117 in C06ACCESS4 \
         1764000271.431219 `Prod for R&amp;D &lt;INC-42&gt;` {}",
        "W05FREJA44 T0SISTER8C T0SISTER8C E03HARBOR7: of the organization",
        TRIGGER,
    ),
    (
        "click_spelt_otherwise.form",
        "decide/approve=T04QUILL9A-V06REQ0001 at 1764000302.885117 in C06ACCESS4 \
         1764000271.431219 `Prod for R&amp;D &lt;INC-42&gt;` {}",
        "U05MARIT22 T04QUILL9A T04QUILL9A -: of the workspace",
        TRIGGER,
    ),
    (
        "click_with_bare_ids.json",
        "decide/approve=T04QUILL9A-V06REQ0001 at 1764000302.885117 in C06ACCESS4 \
         1764000271.431219 `Prod for R&amp;D &lt;INC-42&gt;` {}",
        "U05MARIT22 T04QUILL9A T04QUILL9A -: of the workspace",
        TRIGGER,
    ),
    (
        "closed.json",
        r#"closed modal V06REQ0001 `request` {"flow":"okta"} [target duration reason]"#,
        "U05MARIT22 T04QUILL9A T04QUILL9A -: of the workspace",
        "",
    ),
    (
        "closed_with_all_below.json",
        r#"closed modal V06REQ0001 `request` {"flow":"okta"} [target duration reason]"#,
        "U05MARIT22 T04QUILL9A T04QUILL9A -: of the workspace",
        "",
    ),
    (
        "command.form",
        "/access `prod 1h fixing R&D — 50% done` in C06ACCESS4",
        "U05MARIT22 T04QUILL9A - -: of the workspace",
        TRIGGER,
    ),
    (
        "command_escaped.form",
        "/access `<@U05JONAS88|jonas> needs <#C06ACCESS4|okta-requests> &amp; \
         <https://a.example/?b=1|a.example> &lt;now&gt; <!subteam^S06ONCALL1|@oncall>` in \
         C06ACCESS4",
        "U05MARIT22 T04QUILL9A - -: of the workspace",
        TRIGGER,
    ),
    (
        "command_in_a_grid.form",
        "/access `prod` in C06ACCESS4",
        "W05OSKAR31 T04QUILL9A - E03HARBOR7: of the workspace and the organization",
        TRIGGER,
    ),
    (
        "command_org_wide.form",
        "/access `prod` in C06ACCESS4",
        "W05OSKAR31 T04QUILL9A - E03HARBOR7: of the workspace and the organization",
        TRIGGER,
    ),
    (
        "command_spelt_otherwise.form",
        "/access `prod 1h fixing R&D — 50% done` in C06ACCESS4",
        "U05MARIT22 T04QUILL9A - -: of the workspace",
        TRIGGER,
    ),
    (
        "command_without_text.form",
        "/access `` in D06MARIT22",
        "U05MARIT22 T04QUILL9A - -: of the workspace",
        TRIGGER,
    ),
    (
        "home_opened_again.json",
        "U05MARIT22 opened home",
        "U05MARIT22 T04QUILL9A - -: of the workspace",
        "Ev06HOME0001",
    ),
    (
        "home_opened_first.json",
        "U05MARIT22 opened home",
        "U05MARIT22 T04QUILL9A - -: of the workspace",
        "Ev06HOME0001",
    ),
    (
        "home_opened_in_a_grid.json",
        "W05OSKAR31 opened home",
        "W05OSKAR31 T04QUILL9A - E03HARBOR7: of the workspace and the organization",
        "Ev06HOME0001",
    ),
    (
        "home_opened_of_old.json",
        "U05MARIT22 opened home",
        "U05MARIT22 T04QUILL9A - -: of the workspace",
        "Ev06HOME0001",
    ),
    (
        "home_opened_org_wide.json",
        "W05OSKAR31 opened home",
        "W05OSKAR31 T04QUILL9A - E03HARBOR7: of the workspace and the organization",
        "Ev06HOME0001",
    ),
    (
        "home_opened_without_team.json",
        "W05OSKAR31 opened home",
        "W05OSKAR31 E03HARBOR7 - E03HARBOR7: of the organization",
        "Ev06HOME0001",
    ),
    ("legacy_button.json", "other interactive_message", "", ""),
    ("legacy_dialog.json", "other dialog_submission", "", ""),
    (
        "legacy_dialog_closed.json",
        "other dialog_cancellation",
        "",
        "",
    ),
    (
        "legacy_dialog_options.json",
        "other dialog_suggestion",
        "",
        "",
    ),
    (
        "message_action.json",
        "shortcut request_about",
        "U05MARIT22 T04QUILL9A T04QUILL9A -: of the workspace",
        TRIGGER,
    ),
    (
        "message_in_shared_channel.json",
        "event message in T0FERRY77B",
        "",
        "Ev06TALK0001",
    ),
    (
        "messages_tab_opened.json",
        "U05MARIT22 opened messages",
        "U05MARIT22 T04QUILL9A - -: of the workspace",
        "Ev06HOME0001",
    ),
    (
        "options_asked.json",
        r#"options target/target `stag øst` in modal V06REQ0001 `request` {"flow":"okta"} [target duration reason]"#,
        "U05MARIT22 T04QUILL9A T04QUILL9A -: of the workspace",
        "",
    ),
    (
        "options_asked_at_once.json",
        r#"options target/target `` in modal V06REQ0001 `request` {"flow":"okta"} [target duration reason]"#,
        "W05OSKAR31 T04QUILL9A T04QUILL9A E03HARBOR7: of the workspace and the organization",
        "",
    ),
    (
        "shortcut.json",
        "shortcut request",
        "U05MARIT22 T04QUILL9A T04QUILL9A -: of the workspace",
        TRIGGER,
    ),
    (
        "shortcut_org_wide.json",
        "shortcut request",
        "W05OSKAR31 T04QUILL9A T04QUILL9A E03HARBOR7: of the workspace and the organization",
        TRIGGER,
    ),
    ("ssl_check.form", "certificate check", "", ""),
    (
        "ssl_check_of_a_command.form",
        "/access `prod` in C06ACCESS4",
        "U05MARIT22 T04QUILL9A - -: of the workspace",
        TRIGGER,
    ),
    (
        "submission.json",
        "modal V06REQ0001 `request` {\"flow\":\"okta\"} [text number email link choice \
         search person place channel day time moment radio ticks choices searches people \
         places channels prose files] {channel=C06ACCESS4; channels=C06ACCESS4; \
         choice=00g2prod; choices=00g2prod, 00g3staging; day=2026-11-24; \
         email=marit@quillworks.example; \
         link=https://tickets.quillworks.example/INC-42?a=1&b=2; moment=1764027300; \
         number=-12.50; people=U05MARIT22, W05OSKAR31; person=W05OSKAR31; place=D06MARIT22; \
         places=C06ACCESS4, G06OLDGRP1; radio=yes; search=00g3staging; searches=00g2prod; \
         text=two lines\nof \"text\" & more; ticks=read, write; time=23:35}",
        "U05MARIT22 T04QUILL9A T04QUILL9A -: of the workspace",
        TRIGGER,
    ),
    (
        "submission_from_shared_channel.json",
        r#"modal V06REQ0001 `request` {"flow":"okta"} [target duration reason] {reason=fixing INC-42; target=00g2prod}"#,
        "U0OTHER123 T0FERRY77B T0FERRY77B -: a stranger",
        TRIGGER,
    ),
    (
        "submission_in_a_grid.json",
        r#"modal V06REQ0001 `request` {"flow":"okta"} [target duration reason] {reason=fixing INC-42; target=00g2prod}"#,
        "W05OSKAR31 T04QUILL9A T04QUILL9A E03HARBOR7: of the workspace and the organization",
        TRIGGER,
    ),
    (
        "submission_of_nothing.json",
        r#"modal V06REQ0001 `request` {"flow":"okta"} [text number email link choice search person place channel day time moment radio ticks choices searches people places channels prose files] {}"#,
        "U05MARIT22 T04QUILL9A T04QUILL9A -: of the workspace",
        TRIGGER,
    ),
    (
        "submission_org_wide.json",
        r#"modal V06REQ0001 `request` {"flow":"okta"} [target duration reason] {reason=fixing INC-42; target=00g2prod}"#,
        "W05OSKAR31 T04QUILL9A E03HARBOR7 E03HARBOR7: of the workspace and the organization",
        TRIGGER,
    ),
    (
        "submission_with_response_url.json",
        r#"modal V06REQ0001 `request` {"flow":"okta"} [target duration reason] {}"#,
        "U05MARIT22 T04QUILL9A T04QUILL9A -: of the workspace",
        TRIGGER,
    ),
    (
        "team_access_revoked.json",
        "event team_access_revoked in E03HARBOR7",
        "",
        "Ev06GONE0003",
    ),
    (
        "tokens_revoked.json",
        "event tokens_revoked in T04QUILL9A",
        "",
        "Ev06GONE0002",
    ),
    (
        "url_verification.json",
        "challenge qUi11Works0nlyAn5wersThi5OneQuest10n",
        "",
        "",
    ),
    ("workflow_step.json", "other workflow_step_edit", "", ""),
];

#[test]
fn every_recorded_shape_is_understood() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/payloads");
    let mut found: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    let mut expected: Vec<&str> = RECORDED.iter().map(|(file, ..)| *file).collect();
    expected.sort_unstable();
    assert_eq!(
        found, expected,
        "each file is expected, and each expected one is there"
    );

    for (file, told, by, click) in RECORDED {
        let body = std::fs::read(format!("{folder}/{file}")).unwrap();
        let payload = if file.rsplit('.').next() == Some("form") {
            Payload::parse(FORM, &body)
        } else {
            let json: Value = serde_json::from_slice(&body).unwrap();
            // Only a person sends what is inside `payload=`.
            if json.get("user").is_some() {
                interaction(&json)
            } else {
                event(&json)
            }
        };
        let payload = payload.unwrap_or_else(|error| panic!("{file}: {error}"));
        let name = payload.click_id();
        let name = name.as_ref().map_or("", Click::as_str);
        assert_eq!(
            (
                file,
                told_of(&payload).as_str(),
                by_of(&payload).as_str(),
                name
            ),
            (file, told, by, click)
        );
    }
}

/// Who did it, in short; `-` for what is not told.
fn by_of(payload: &Payload) -> String {
    let known = |id: &Option<String>| id.clone().unwrap_or_else(|| "-".to_owned());
    payload.by().map_or_else(String::new, |by| {
        let (team, home, org) = (known(&by.team), known(&by.home), known(&by.enterprise));
        let ours = match (by.is_of("T04QUILL9A"), by.is_of("E03HARBOR7")) {
            (true, true) => "of the workspace and the organization",
            (true, false) => "of the workspace",
            (false, true) => "of the organization",
            (false, false) => "a stranger",
        };
        format!("{} {team} {home} {org}: {ours}", by.user)
    })
}

/// What it says, in short.
fn told_of(payload: &Payload) -> String {
    let view = |it: &ViewRef| {
        let inputs = it.inputs.join(" ");
        format!(
            "{} {} `{}` {} [{inputs}]",
            it.kind, it.id, it.callback_id, it.private_metadata
        )
    };
    let values = |it: &Values| {
        let all = it.iter().map(|(block, value)| format!("{block}={value}"));
        all.collect::<Vec<_>>().join("; ")
    };
    match payload {
        Payload::Command(it) => {
            let channel = it.channel.as_deref().unwrap_or("-");
            format!("{} `{}` in {channel}", it.command, it.text)
        }
        Payload::BlockActions(it) => {
            let place = match (&it.message, &it.view) {
                (Some(at), None) => {
                    let ephemeral = if at.ephemeral { " for one" } else { "" };
                    let text = at.text.as_deref().unwrap_or("-");
                    format!("{} {}{ephemeral} `{text}`", at.channel, at.ts)
                }
                (None, Some(it)) => view(it),
                both => panic!("{both:?}"),
            };
            let [action] = it.actions.as_slice() else {
                panic!("{:?}", it.actions)
            };
            let (id, block) = (&action.action_id, &action.block_id);
            let value = action.value.as_deref().unwrap_or("-");
            let at = action.action_ts.as_deref().unwrap_or("-");
            let values = values(&it.values);
            format!("{block}/{id}={value} at {at} in {place} {{{values}}}")
        }
        Payload::ViewSubmission(it) => format!("{} {{{}}}", view(&it.view), values(&it.values)),
        Payload::ViewClosed(it) => format!("closed {}", view(&it.view)),
        Payload::Shortcut(it) => format!("shortcut {}", it.callback_id),
        Payload::BlockSuggestion(it) => {
            let place = view(it.view.as_ref().unwrap());
            format!(
                "options {}/{} `{}` in {place}",
                it.block_id, it.action_id, it.typed
            )
        }
        Payload::UrlVerification { challenge } => format!("challenge {challenge}"),
        Payload::Event(it) => match &it.kind {
            EventKind::AppHomeOpened { user, tab } => format!("{user} opened {tab}"),
            EventKind::Other(kind) => {
                let team = it.team.as_deref().unwrap_or("-");
                format!("event {kind} in {team}")
            }
        },
        Payload::SslCheck => "certificate check".to_owned(),
        Payload::Other { kind } => format!("other {kind}"),
    }
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
