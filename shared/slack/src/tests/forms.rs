use std::fmt::Write as _;

use access::flows::{Duration, Flows};
use access::{Group, RequestId};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::limits::{anything, assert_view};
use super::slacks_limits;
use crate::View;
use crate::form::{self, Again, FORM, Filled, PICKER, Prefill, Wrong};
use crate::payload::{Payload, ViewRef};

const HEAD: &str = "
slack_workspace_id = \"T0SANDBOX\"
okta_org_domain = \"myco.okta.com\"
";

const OKTA: &str = "
[[flow]]
name = \"okta\"
label = \"Okta Access\"
header = \"See <https://wiki.example.com/a?b=1&c=2|the wiki> & ask <!channel>.\\n*Twice.*\"
request_channel = \"#sym-requests\"
durations = [\"30m\", \"1h\", \"4h\"]

[[flow.target]]
label = \"Prod\"
group_id = \"00gprod\"
max_duration = \"1h\"

[[flow.target]]
label = \"Prod DB\"
group_id = \"00gproddb\"
durations = [\"15m\"]

[[flow.target]]
label = \"Staging\"
group_id = \"00gstaging\"
";

const AWS: &str = "
[[flow]]
name = \"aws\"
label = \"AWS accounts\"
request_channel = \"#sym-requests\"
durations = [\"1h\", \"2h\"]

[[flow.target]]
label = \"Staging\"
group_id = \"00gawsstaging\"

[[flow.target]]
label = \"Billing\"
group_id = \"00gbilling\"

[[flow.field]]
name = \"ticket\"
label = \"Ticket\"
type = \"text\"

[[flow.field]]
name = \"people\"
label = \"How many\"
type = \"number\"

[[flow.field]]
name = \"env\"
label = \"Environment\"
type = \"choice\"
choices = [\"Blue\", \"Green\"]

[[flow.field]]
name = \"who\"
label = \"For whom\"
type = \"person\"
required = false

[[flow.field]]
name = \"day\"
label = \"Day\"
type = \"date\"
required = false
";

fn flows(parts: &[&str]) -> Flows {
    Flows::parse(&(HEAD.to_owned() + &parts.concat())).unwrap()
}

fn json(view: &View) -> Value {
    assert_view(view)
}

fn block<'a>(view: &'a Value, id: &str) -> &'a Value {
    let mut blocks = view["blocks"].as_array().unwrap().iter();
    let found = blocks.find(|block| block["block_id"] == id);
    found.unwrap_or_else(|| panic!("no block `{id}` in {view:#}"))
}

fn labels(options: &Value) -> Vec<&str> {
    let options = options.as_array().unwrap().iter();
    options
        .map(|it| it["text"]["text"].as_str().unwrap())
        .collect()
}

/// What the form is filled with, by block.
fn initial(view: &Value, id: &str) -> Value {
    let element = &block(view, id)["element"];
    match &element["initial_option"] {
        Value::Null => element["initial_value"].clone(),
        option => option["value"].clone(),
    }
}

/// The same, of the three that every form has.
fn filled(view: &View) -> [Value; 3] {
    let json = json(view);
    assert_eq!(json["callback_id"], FORM, "{json:#}");
    ["target", "duration", "reason"].map(|id| initial(&json, id))
}

/// `view` as Slack sends it back.
pub(super) fn sent(view: &View) -> ViewRef {
    let mut view = json(view);
    view["id"] = json!("V1");
    let payload = json!({
        "type": "view_submission", "team": {"id": "T1"}, "user": {"id": "U1"}, "view": view,
    });
    let body = serde_urlencoded::to_string([("payload", payload.to_string())]).unwrap();
    let parsed = Payload::parse("application/x-www-form-urlencoded", body.as_bytes());
    match parsed.unwrap() {
        Payload::ViewSubmission(it) => it.view,
        other => panic!("{other:?}"),
    }
}

fn read<'a>(flows: &'a Flows, view: &View, values: &[(&str, &str)]) -> Result<Filled<'a>, Wrong> {
    let values = values
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    form::read(flows, &sent(view), &values.collect())
}

fn wrong(flows: &Flows, view: &View, values: &[(&str, &str)]) -> Vec<(String, String)> {
    let wrong = read(flows, view, values).unwrap_err();
    wrong.0.into_iter().collect()
}

fn pair(id: &str, text: &str) -> (String, String) {
    (id.to_owned(), text.to_owned())
}

fn plain(flows: &Flows, flow: &str) -> View {
    form::form(flows.flow(flow).unwrap(), &Prefill::default(), None)
}

fn again(group: &str, duration_s: u64, up_to_s: Option<u64>) -> Again {
    Again {
        request: RequestId::new("T1-V0"),
        flow: "okta".to_owned(),
        group: Group::new(group),
        duration_s,
        reason: Some("fixing INC-42".to_owned()),
        up_to_s,
        asked_from: None,
    }
}

#[test]
fn the_form_asks_for_what_the_flow_offers() {
    let flows = flows(&[OKTA]);
    let view = json(&plain(&flows, "okta"));
    assert_eq!(view["title"]["text"], "Okta Access");
    assert_eq!(view["private_metadata"], "{\"flow\":\"okta\"}");
    let ids: Vec<&Value> = view["blocks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["block_id"])
        .collect();
    assert_eq!(ids[1..], ["target", "reason", "duration"]);
    let target = &block(&view, "target")["element"];
    assert_eq!(labels(&target["options"]), ["Prod", "Prod DB", "Staging"]);
    assert_eq!(target["options"][0]["value"], "00gprod");
    assert_eq!(target["action_id"], "target");
    assert_eq!(
        target["options"][0]["description"]["text"],
        "for at most 1 hour"
    );
    let durations = &block(&view, "duration")["element"]["options"];
    assert_eq!(
        labels(durations),
        ["15 minutes", "30 minutes", "1 hour", "4 hours"]
    );
    assert!(block(&view, "duration")["hint"].is_object());
    assert_eq!(block(&view, "reason")["optional"], false);
    assert_eq!(block(&view, "reason")["element"]["max_length"], 1000);
}

#[test]
fn the_header_keeps_its_lines_and_links_and_mentions_nobody_by_accident() {
    let view = json(&plain(&flows(&[OKTA]), "okta"));
    assert_eq!(
        view["blocks"][0]["text"]["text"],
        "See <https://wiki.example.com/a?b=1&amp;c=2|the wiki> &amp; ask &lt;!channel&gt;.\n*Twice.*"
    );
}

#[test]
fn a_flow_has_questions_of_its_own() {
    let flows = flows(&[AWS]);
    let view = json(&plain(&flows, "aws"));
    let kind = |id: &str| block(&view, id)["element"]["type"].clone();
    assert_eq!(
        ["ticket", "people", "env", "who", "day"].map(kind),
        [
            "plain_text_input",
            "number_input",
            "static_select",
            "users_select",
            "datepicker"
        ]
    );
    assert_eq!(block(&view, "ticket")["optional"], false);
    assert_eq!(block(&view, "who")["optional"], true);
    assert_eq!(block(&view, "duration")["hint"], Value::Null);
}

#[test]
fn a_filled_form_is_read() {
    let flows = flows(&[OKTA, AWS]);
    let view = plain(&flows, "aws");
    let read = read(
        &flows,
        &view,
        &[
            ("target", "00gbilling"),
            ("duration", "7200"),
            ("reason", " month's\nend "),
            ("ticket", "INC-42"),
            ("people", "+3"),
            ("env", "Green"),
            ("who", "U02BOB"),
        ],
    )
    .unwrap();
    assert_eq!(read.flow.name, "aws");
    assert_eq!(read.target.label, "Billing");
    assert_eq!(read.duration, Duration::parse("2h").unwrap());
    assert_eq!(read.reason, "month's\nend");
    assert_eq!(read.extends, None);
    let fields: Vec<(&str, &str)> = read
        .fields
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        fields,
        [
            ("env", "Green"),
            ("people", "3"),
            ("ticket", "INC-42"),
            ("who", "U02BOB")
        ]
    );
}

#[test]
fn everything_that_is_wrong_is_told_where_it_is() {
    let flows = flows(&[OKTA, AWS]);
    assert_eq!(
        wrong(&flows, &plain(&flows, "okta"), &[("reason", "  ")]),
        [
            pair("duration", "choose a duration"),
            pair("reason", "say why you need it"),
            pair("target", "choose a resource"),
        ]
    );
    let reason = "x".repeat(1001);
    let values = [
        ("target", "00gprod"),
        ("duration", "14400"),
        ("reason", reason.as_str()),
    ];
    assert_eq!(
        wrong(&flows, &plain(&flows, "okta"), &values),
        [
            pair("duration", "Prod is given for at most 1 hour"),
            pair(
                "reason",
                "this has 1001 characters, 1000 at most are kept: shorten it"
            ),
        ]
    );
    let values = [("target", "00gprod"), ("duration", "900"), ("reason", "x")];
    assert_eq!(
        wrong(&flows, &plain(&flows, "okta"), &values),
        [pair(
            "duration",
            "Prod is given for one of: 30 minutes, 1 hour"
        )]
    );
    for odd in ["1h", "-1", "0", "99999999999999999999"] {
        let values = [("target", "00gprod"), ("duration", odd), ("reason", "x")];
        assert_eq!(
            wrong(&flows, &plain(&flows, "okta"), &values),
            [pair(
                "duration",
                "this duration is not offered: choose another"
            )]
        );
    }
    let values = [
        ("target", "00gstaging"),
        ("duration", "3600"),
        ("reason", "x"),
        ("people", "two"),
        ("env", "Red"),
        ("who", "bob"),
        ("day", "2026-02-30"),
    ];
    assert_eq!(
        wrong(&flows, &plain(&flows, "aws"), &values),
        [
            pair("day", "this is not a day such as 2026-11-24"),
            pair("env", "this is not offered any more: choose another"),
            pair("people", "this is not a whole number"),
            pair("target", "this is not offered any more: choose another"),
            pair("ticket", "`Ticket` is required"),
            pair("who", "this is nobody in Slack"),
        ]
    );
}

#[test]
fn all_that_is_wrong_can_be_told_in_one_line() {
    let flows = flows(&[OKTA]);
    let wrong = read(&flows, &plain(&flows, "okta"), &[("target", "00gprod")]).unwrap_err();
    assert_eq!(wrong.to_string(), "choose a duration; say why you need it");
}

#[test]
fn a_form_outlives_what_it_asked_for() {
    let (both, okta) = (flows(&[OKTA, AWS]), flows(&[OKTA]));
    let gone = "this kind of access is not offered any more: close the form and start again";
    assert_eq!(
        wrong(&okta, &plain(&both, "aws"), &[]),
        [pair("target", gone)]
    );

    // Between opening and submitting, the flow got a question.
    let more = OKTA.to_owned()
        + "[[flow.field]]\nname = \"ticket\"\nlabel = \"Ticket\"\ntype = \"text\"\n";
    let values = [("target", "00gprod"), ("duration", "3600"), ("reason", "")];
    let found = wrong(&flows(&[&more]), &plain(&okta, "okta"), &values);
    let changed = "the form has changed meanwhile: close it and open it again";
    assert_eq!(
        found,
        [
            pair("reason", "say why you need it"),
            pair("target", changed)
        ]
    );
}

#[test]
fn more_time_is_asked_for_one_target_and_only_as_much_as_is_left() {
    let flows = flows(&[OKTA]);
    let flow = flows.flow("okta").unwrap();
    let extend = again("00gprod", 1800, Some(1800));
    let view = form::form(flow, &extend.prefill(), Some(&extend));
    assert_eq!(
        filled(&view),
        [json!("00gprod"), json!("1800"), json!("fixing INC-42")]
    );
    let shown = json(&view);
    assert_eq!(
        labels(&block(&shown, "target")["element"]["options"]),
        ["Prod"]
    );
    assert_eq!(
        labels(&block(&shown, "duration")["element"]["options"]),
        ["30 minutes"]
    );
    assert!(shown.to_string().contains("asks for more time for *Prod*"));
    let values = [
        ("target", "00gprod"),
        ("duration", "1800"),
        ("reason", "more"),
    ];
    let read = read(&flows, &view, &values).unwrap();
    assert_eq!(read.extends, Some(RequestId::new("T1-V0")));
}

#[test]
fn where_no_time_is_left_there_is_nothing_to_submit() {
    let flows = flows(&[OKTA]);
    let flow = flows.flow("okta").unwrap();
    for (group, up_to_s, why) in [
        (
            "00gprod",
            600,
            "*Prod* is given for at most 1 hour, and 10 minutes of that is left",
        ),
        (
            "00gprod",
            0,
            "*Prod* is given for at most 1 hour, and nothing of that is left",
        ),
        ("00ggone", 600, "This is not offered any more."),
    ] {
        let extend = again(group, 1800, Some(up_to_s));
        let view = json(&form::form(flow, &extend.prefill(), Some(&extend)));
        assert_eq!(view["submit"], Value::Null);
        assert!(
            view["blocks"][0]["text"]["text"]
                .as_str()
                .unwrap()
                .starts_with(why),
            "{view:#}"
        );
    }
}

#[test]
fn asking_again_offers_what_is_offered_now() {
    let flows = flows(&[OKTA]);
    let flow = flows.flow("okta").unwrap();
    let same = form::form(flow, &again("00gstaging", 14_400, None).prefill(), None);
    assert_eq!(
        filled(&same),
        [json!("00gstaging"), json!("14400"), json!("fixing INC-42")]
    );
    let shorter = form::form(flow, &again("00gprod", 14_400, None).prefill(), None);
    assert_eq!(
        filled(&shorter),
        [json!("00gprod"), Value::Null, json!("fixing INC-42")]
    );
    assert!(
        json(&shorter)
            .to_string()
            .contains("4 hours is not offered for *Prod*")
    );
}

#[test]
fn a_command_fills_the_form() {
    let flows = flows(&[OKTA]);
    let fills = |text: &str| filled(&form::prefilled(&flows, text, None));
    let none = || Value::Null;
    for (text, expected) in [
        ("", [none(), none(), none()]),
        (
            "prod 1h fixing INC-42",
            [json!("00gprod"), json!("3600"), json!("fixing INC-42")],
        ),
        ("PROD", [json!("00gprod"), none(), none()]),
        ("okta prod 30M", [json!("00gprod"), json!("1800"), none()]),
        ("okta access prod", [json!("00gprod"), none(), none()]),
        // The longest label is meant, wherever spaces are.
        (
            "prod  db 15m x",
            [json!("00gproddb"), json!("900"), json!("x")],
        ),
        (
            "1h staging x",
            [json!("00gstaging"), json!("3600"), json!("x")],
        ),
        (
            "1h 30m of work",
            [none(), json!("3600"), json!("30m of work")],
        ),
        // What is none of it is the reason, all of it.
        ("prdo 1h fix", [none(), none(), json!("prdo 1h fix")]),
        (
            "products are down",
            [none(), none(), json!("products are down")],
        ),
    ] {
        assert_eq!(fills(text), expected, "{text}");
    }
    let view = form::prefilled(&flows, "prod 4h x", None);
    assert_eq!(filled(&view), [json!("00gprod"), none(), json!("x")]);
    assert!(
        json(&view)
            .to_string()
            .contains("4 hours is not offered for *Prod*")
    );
}

#[test]
fn a_command_finds_the_flow() {
    let flows = flows(&[OKTA, AWS]);
    let fills = |text: &str| filled(&form::prefilled(&flows, text, None));
    assert_eq!(
        fills("billing 1h x"),
        [json!("00gbilling"), json!("3600"), json!("x")]
    );
    assert_eq!(
        fills("aws staging"),
        [json!("00gawsstaging"), Value::Null, Value::Null]
    );
    assert_eq!(
        fills("AWS Accounts 1h"),
        [Value::Null, json!("3600"), Value::Null]
    );
    // Two flows have it, or none is named: the person is asked, and what they typed is not lost.
    for (text, target) in [
        ("staging 1h x", json!("00gawsstaging")),
        ("1h x", Value::Null),
    ] {
        let view = form::prefilled(&flows, text, None);
        let shown = json(&view);
        assert_eq!(shown["callback_id"], PICKER);
        assert_eq!(
            labels(&block(&shown, "flow")["element"]["options"]),
            ["Okta Access", "AWS accounts"]
        );
        let values = [("flow".to_owned(), "aws".to_owned())].into();
        let picked = form::picked(&flows, &sent(&view), &values).unwrap();
        assert_eq!(filled(&picked), [target, json!("3600"), json!("x")]);
    }
    let view = sent(&form::picker(&flows));
    let nothing = form::picked(&flows, &view, &[].into()).unwrap_err();
    assert_eq!(nothing.to_string(), "choose one");
    let gone = form::picked(&flows, &view, &[("flow".to_owned(), "x".to_owned())].into());
    assert!(gone.unwrap_err().0.contains_key("flow"));
}

#[test]
fn without_a_flow_there_is_a_welcome() {
    let view = json(&form::prefilled(&flows(&[]), "prod 1h x", None));
    assert_eq!(view["submit"], Value::Null);
    assert!(view.to_string().contains("no flow is configured"));
}

#[test]
fn a_chosen_target_offers_its_own_durations() {
    let flows = flows(&[OKTA]);
    let view = json(&form::prefilled(&flows, "prod", None));
    let duration = block(&view, "duration");
    assert_eq!(
        labels(&duration["element"]["options"]),
        ["30 minutes", "1 hour"]
    );
    assert_eq!(
        duration["hint"]["text"],
        "Prod is given for at most 1 hour."
    );
    assert_eq!(block(&view, "target")["dispatch_action"], true);
    assert_eq!(block(&view, "reason")["dispatch_action"], Value::Null);

    let one = self::flows(&["
[[flow]]
name = \"one\"
label = \"One\"
request_channel = \"#x\"
durations = [\"1h\"]
[[flow.target]]
label = \"Only\"
group_id = \"00gonly\"
"]);
    let view = json(&plain(&one, "one"));
    assert_eq!(block(&view, "target")["dispatch_action"], Value::Null);
    assert_eq!(
        block(&view, "duration")["hint"]["text"],
        "Only is given for at most 1 hour."
    );
}

#[test]
fn another_target_redraws_the_form_and_loses_nothing() {
    let flows = flows(&[OKTA, AWS]);
    let view = sent(&form::prefilled(&flows, "billing", Some("C01REQUESTS")));
    let filled_in = [
        ("target", "00gawsstaging"),
        ("duration", "7200"),
        ("reason", "month's end"),
        ("ticket", "INC-42"),
        ("people", "3"),
        ("env", "Green"),
        ("who", "U02BOB"),
        ("day", "2026-11-24"),
    ]
    .map(|(id, value)| (id.to_owned(), value.to_owned()));
    let view = form::redrawn(&flows, &view, &filled_in.into()).unwrap();
    assert_eq!(
        filled(&view),
        [json!("00gawsstaging"), json!("7200"), json!("month's end")]
    );
    let shown = json(&view);
    assert_eq!(initial(&shown, "ticket"), "INC-42");
    assert_eq!(initial(&shown, "people"), "3");
    assert_eq!(initial(&shown, "env"), "Green");
    assert_eq!(block(&shown, "who")["element"]["initial_user"], "U02BOB");
    assert_eq!(
        block(&shown, "day")["element"]["initial_date"],
        "2026-11-24"
    );
    assert!(
        shown["private_metadata"]
            .as_str()
            .unwrap()
            .contains("C01REQUESTS")
    );

    // What the new target does not offer is said, and nothing odd reaches Slack.
    let odd = [
        ("target", "00gprod"),
        ("duration", "14400"),
        ("reason", ""),
        ("day", "soon"),
        ("who", "bob"),
        ("people", "1.5"),
    ]
    .map(|(id, value)| (id.to_owned(), value.to_owned()));
    let view = form::redrawn(&flows, &sent(&plain(&flows, "okta")), &odd.into()).unwrap();
    assert_eq!(filled(&view), [json!("00gprod"), Value::Null, Value::Null]);
    let text = json(&view).to_string();
    assert!(text.contains("4 hours is not offered for *Prod*"), "{text}");

    let gone = sent(&plain(&flows, "aws"));
    assert_eq!(
        form::redrawn(&self::flows(&[OKTA]), &gone, &[].into()),
        None
    );
}

#[test]
fn an_extension_that_is_redrawn_stays_one() {
    let flows = flows(&[OKTA]);
    let extend = again("00gprod", 1800, Some(1800));
    let view = form::form(&flows.flows[0], &extend.prefill(), Some(&extend));
    let values = [("target".to_owned(), "00gprod".to_owned())].into();
    let view = form::redrawn(&flows, &sent(&view), &values).unwrap();
    let values = [
        ("target", "00gprod"),
        ("duration", "1800"),
        ("reason", "more"),
    ];
    let read = read(&flows, &view, &values).unwrap();
    assert_eq!(read.extends, Some(RequestId::new("T1-V0")));
    let shown = json(&view);
    assert_eq!(
        labels(&block(&shown, "duration")["element"]["options"]),
        ["30 minutes"]
    );
    assert!(
        shown
            .to_string()
            .contains("never makes your access shorter")
    );
}

#[test]
fn the_channel_in_which_it_was_asked_for_is_kept() {
    let flows = flows(&[OKTA, AWS]);
    let values = [
        ("target", "00gbilling"),
        ("duration", "3600"),
        ("reason", "x"),
        ("ticket", "1"),
        ("people", "1"),
        ("env", "Blue"),
    ];
    let asked_from = |view: &View| read(&flows, view, &values).unwrap().asked_from;
    for (channel, kept) in [
        ("C01REQUESTS", Some("C01REQUESTS".to_owned())),
        ("G01PRIVATE", Some("G01PRIVATE".to_owned())),
        ("D01ALICE", None),
        ("#sym-requests", None),
        ("C1\"}", None),
        ("", None),
    ] {
        let view = form::prefilled(&flows, "billing", Some(channel));
        assert_eq!(asked_from(&view), kept, "{channel}");
        let picker = form::prefilled(&flows, "1h x", Some(channel));
        let aws = [("flow".to_owned(), "aws".to_owned())].into();
        let view = form::picked(&flows, &sent(&picker), &aws).unwrap();
        assert_eq!(asked_from(&view), kept, "{channel}");
    }
    let repeated = Again {
        asked_from: Some("C01REQUESTS".to_owned()),
        flow: "aws".to_owned(),
        ..again("00gbilling", 3600, None)
    };
    let repeated = Again::read(&repeated.to_value()).unwrap();
    let view = form::form(&flows.flows[1], &repeated.prefill(), None);
    assert_eq!(asked_from(&view), Some("C01REQUESTS".to_owned()));
}

#[test]
fn a_long_command_reaches_the_form_through_the_picker() {
    let flows = flows(&[OKTA, AWS]);
    let reason = "why not? ".repeat(110);
    let view = form::prefilled(&flows, &format!("1h {reason}"), Some("C01REQUESTS"));
    let picked = [("flow".to_owned(), "okta".to_owned())].into();
    let view = form::picked(&flows, &sent(&view), &picked).unwrap();
    assert_eq!(
        filled(&view),
        [Value::Null, json!("3600"), json!(reason.trim())]
    );
    for text in ["\"".repeat(9000), "漢".repeat(9000)] {
        json(&form::prefilled(&flows, &text, None));
    }
}

/// A flow with `count` targets, the first of which are called as given.
fn many(names: &[&str], count: usize) -> Flows {
    let mut text = "[[flow]]\nname = \"big\"\nlabel = \"Big\"\nrequest_channel = \"#x\"\ndurations = [\"1h\"]\n".to_owned();
    let rest = (names.len()..count).map(|n| format!("Number {n}"));
    let names = names.iter().map(|it| (*it).to_owned()).chain(rest);
    for (n, name) in names.enumerate() {
        let _ = write!(
            text,
            "[[flow.target]]\nlabel = \"{name}\"\ngroup_id = \"00g{n}\"\n"
        );
    }
    flows(&[&text])
}

#[test]
fn a_hundred_targets_are_a_menu_and_more_are_searched() {
    let kind = |flows: &Flows| {
        let view = json(&form::prefilled(flows, "number 7", None));
        assert_eq!(initial(&view, "target"), "00g7");
        block(&view, "target")["element"]["type"].clone()
    };
    assert_eq!(kind(&many(&[], 100)), "static_select");
    assert_eq!(kind(&many(&[], 101)), "external_select");
}

#[test]
fn what_fits_best_is_offered_first() {
    let flows = many(
        &["Old prod", "Nonprod", "Production", "PROD", "Prod-EU"],
        300,
    );
    let view = sent(&plain(&flows, "big"));
    let offered = |block_id: &str, typed: &str| {
        let json = serde_json::to_value(form::options(&flows, &view, block_id, typed)).unwrap();
        let options = json["options"].clone();
        assert_eq!(slacks_limits::options(&options), [""; 0]);
        let labels = labels(&options).into_iter().map(str::to_owned);
        labels.collect::<Vec<_>>()
    };
    assert_eq!(
        offered("target", " prod "),
        ["PROD", "Production", "Prod-EU", "Old prod", "Nonprod"]
    );
    assert_eq!(offered("target", "nothing like it"), [""; 0]);
    assert_eq!(offered("target", "").len(), 100);
    assert_eq!(offered("target", "")[0], "Old prod");
    assert_eq!(offered("target", "number 299"), ["Number 299"]);
    assert_eq!(offered("duration", ""), ["1 hour"]);
    assert_eq!(offered("reason", ""), [""; 0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn no_flow_and_no_text_make_a_view_that_slack_refuses(
        texts in prop::collection::vec(anything(), 1..12),
        targets in 1..130_usize,
        fields in 0..=10_usize,
        choices in 1..=100_usize,
    ) {
        let label = |at: usize| -> String {
            let text: String = texts[at % texts.len()].chars().filter(|c| !c.is_control()).take(60).collect();
            format!("{at}x{text}x")
        };
        let quoted = |text: &str| Value::from(text).to_string();
        let header: String = texts[0].chars().filter(|c| *c != '\0' && *c != '\u{1f}').take(2900).collect();
        let mut text = format!(
            "[[flow]]\nname = \"a\"\nlabel = {}\nheader = {}\nrequest_channel = \"#x\"\ndurations = [\"1h\", \"2h\"]\n",
            quoted(&label(0)), quoted(&(header + ".")),
        );
        for at in 0..targets {
            let _ = write!(text, "[[flow.target]]\nlabel = {}\ngroup_id = \"00g{at}\"\n", quoted(&label(at)));
        }
        for at in 0..fields {
            let options: Vec<String> = (0..choices).map(|n| quoted(&label(n))).collect();
            let _ = write!(
                text, "[[flow.field]]\nname = \"f{at}\"\nlabel = {}\ntype = \"choice\"\nchoices = [{}]\n",
                quoted(&label(at)), options.join(","),
            );
        }
        let flows = Flows::parse(&(HEAD.to_owned() + &text)).unwrap();
        let typed = format!("{} 1h {}", label(targets - 1), texts.concat());
        let view = form::prefilled(&flows, &typed, None);
        let shown = json(&view);
        // Nothing that must be answered is left out.
        let inputs = sent(&view).inputs;
        prop_assert_eq!(inputs.len(), 3 + fields);
        for id in &inputs {
            let offered = serde_json::to_value(form::options(&flows, &sent(&view), id, "")).unwrap();
            prop_assert_eq!(slacks_limits::options(&offered["options"]), Vec::<String>::new());
        }
        prop_assert!(shown["private_metadata"].as_str().unwrap().len() < 100);
        json(&form::picker(&flows));
        let extend = Again { reason: Some(texts.concat()), flow: "a".to_owned(), ..again("00g0", 3600, Some(3600)) };
        json(&form::form(&flows.flows[0], &extend.prefill(), Some(&extend)));
    }
}
