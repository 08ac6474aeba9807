//! Writes down everything that people see, for a check with Slack's own models.

use std::fmt::Write as _;
use std::path::Path;

use access::flows::Flows;
use access::{
    Group, HandOver, Notice, Place, Recipient, Request, RequestId, SlackUser, State, Trouble, Why,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::cards::{approved, asked, at, decided, lost_at, request, shown_at};
use super::forms::sent;
use super::homes::extremes;
use crate::blocks::Button;
use crate::card::{APPROVE_NOTE, DENY, card, everything};
use crate::decision::{self, About};
use crate::form::{self, Again, Prefill, Wrong};
use crate::home::{Contents, More, Section, home, no_part};
use crate::notice;
use crate::payload::Values;
use crate::text::escaped;
use crate::{Message, View};

const FILE: &str = "../../target/surfaces/slack.jsonl";

/// Texts of which everything is made once: ordinary ones first.
const TEXTS: [&str; 8] = [
    "fixing INC-42",
    "word after word ",
    "oneword",
    "🔑👩‍🚒 ",
    "שלום 42 \u{202e}",
    "漢字",
    "<!channel> & <@U02BOB> *_`~ ",
    "\"\\\u{1}\n",
];

#[derive(Default)]
struct Surfaces {
    lines: String,
}

impl Surfaces {
    fn add(&mut self, kind: &str, from: &str, content: impl Serialize) {
        let line = json!({"kind": kind, "from": from, "content": content});
        writeln!(self.lines, "{line}").unwrap();
    }

    fn message(&mut self, from: &str, message: &Message) {
        self.add("message", from, message);
    }

    fn modal(&mut self, from: &str, view: &View) {
        self.add("modal", from, view);
    }

    fn errors(&mut self, from: &str, view: &View, wrong: &Wrong) {
        let blocks = serde_json::to_value(view).unwrap()["blocks"].clone();
        self.add("errors", from, json!({"errors": wrong.0, "blocks": blocks}));
    }
}

/// `text` over and over, `length` characters of it.
fn long(text: &str, length: usize) -> String {
    text.chars().cycle().take(length).collect()
}

#[test]
fn everything_that_people_see_is_written_down() {
    let mut surfaces = Surfaces::default();
    let whole = ["", "a much longer one, of "];
    for (n, text) in TEXTS.into_iter().enumerate() {
        let lengths = if n == 0 {
            [0, 0, 0, 0]
        } else {
            [75, 300, 1000, 3000]
        };
        let of = |length: usize| {
            if n == 0 {
                text.to_owned()
            } else {
                long(text, length)
            }
        };
        let from = format!("{}{text:?}", whole[usize::from(n > 0)]);
        messages(&mut surfaces, &from, &of, lengths);
        forms(&mut surfaces, &from, n, &of);
        homes(&mut surfaces, &from, text);
    }
    many(&mut surfaces);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, &surfaces.lines).unwrap();
    assert!(surfaces.lines.lines().count() > 2000);
}

fn handed_over(text: &str) -> Request {
    Request {
        why: Some(Why::HandedOver),
        handed_over: Some(HandOver {
            by: text.to_owned(),
            reason: text.to_owned(),
        }),
        ..approved(State::Ended)
    }
}

/// A request in each state and for each reason, ordinary or with all that it can have.
fn requests(of: &dyn Fn(usize) -> String, lengths: [usize; 4]) -> Vec<Request> {
    let why = |state, why| decided(state, Some(why), "U02BOB", Some(&of(lengths[2])));
    let all = vec![
        request(State::Pending),
        approved(State::Pending),
        approved(State::Approved),
        approved(State::Escalating),
        approved(State::Active),
        why(State::Deescalating, Why::Revoked),
        why(State::Deescalating, Why::Withdrawn),
        why(State::Deescalating, Why::Elapsed),
        why(State::Deescalating, Why::Stopped),
        why(State::Deescalating, Why::Superseded),
        why(State::Deescalating, Why::Failed),
        why(State::Ended, Why::Elapsed),
        why(State::Ended, Why::Revoked),
        why(State::Ended, Why::Withdrawn),
        why(State::Ended, Why::Stopped),
        why(State::Ended, Why::Superseded),
        why(State::Ended, Why::AlreadyMember),
        handed_over(&of(lengths[3])),
        why(State::Failed, Why::Failed),
        decided(State::Denied, None, "U02BOB", Some(&of(lengths[2]))),
        decided(State::Cancelled, None, "U01ALICE", None),
        request(State::Expired),
    ];
    if lengths[0] == 0 {
        return all;
    }
    let full = |mut it: Request| {
        it.flow_label = of(300);
        it.label = of(300);
        it.reason = of(3000);
        it.fields = (0..10).map(|n| (format!("field-{n}"), of(300))).collect();
        it.trouble = Some(Trouble {
            error: of(3000),
            hint: of(3000),
        });
        it.notify = (0..50).map(|n| format!("U{n:08}")).collect();
        it.approvals_needed = 10;
        let approval = approved(State::Active).approvals.remove(0);
        if !it.approvals.is_empty() {
            it.approvals = vec![approval; 10];
        }
        for yes in &mut it.approvals {
            yes.note = Some(of(1000));
        }
        it.extends = Some(RequestId::new("T1-V0"));
        it.cards
            .extend((0..10).map(|n| shown_at(asked(&format!("U1{n:07}")))));
        it.cards.push(lost_at(asked("U09GONE")));
        it.fallback = vec![Place::Channel("C02ONCALL".to_owned())];
        it.fallback_at = Some(at(60));
        it
    };
    all.clone()
        .into_iter()
        .chain(all.into_iter().map(full))
        .collect()
}

fn messages(
    surfaces: &mut Surfaces,
    from: &str,
    of: &dyn Fn(usize) -> String,
    lengths: [usize; 4],
) {
    let trouble = Trouble {
        error: of(lengths[3]),
        hint: of(lengths[3]),
    };
    for it in requests(of, lengths) {
        let state = format!("{}, {:?}, {from}", it.state.as_str(), it.why);
        for place in [
            Place::Channel("#sym-requests".to_owned()),
            asked("U02BOB"),
            Place::Requester,
            Place::Approver(SlackUser::new("U02BOB")),
            Place::Homes,
        ] {
            surfaces.message(&format!("card at {place:?}, {state}"), &card(&it, &place));
        }
        let details = everything(&it);
        surfaces.add("ephemeral", &format!("details, {state}"), &details);
        for to in [
            Recipient::Requester,
            Recipient::Person(SlackUser::new("U02BOB")),
            Recipient::ErrorChannel,
            Recipient::Card(Place::Channel("#sym-requests".to_owned())),
            Recipient::Card(asked("U02BOB")),
        ] {
            for told in [
                Notice::Active,
                Notice::Reminder,
                Notice::Ending,
                Notice::Denied,
                Notice::Expired,
                Notice::Ended,
                Notice::Failed,
                Notice::AlreadyMember,
                Notice::Trouble(trouble.clone()),
            ] {
                if !is_told_in(&told, it.state) {
                    continue;
                }
                let from = format!("{told:?} to {to:?}, {state}");
                let owed = access::Owed {
                    to: to.clone(),
                    notice: told,
                };
                let from: String = from.chars().take(200).collect();
                surfaces.message(&from, &notice::notice(&it, &owed));
            }
        }
    }
    let problem = notice::problem(
        escaped(&of(3000)),
        notice::place(&of(300), &of(300)),
        &of(3000),
        &of(3000),
    );
    surfaces.add("ephemeral", &format!("problem, {from}"), &problem);
    let told = notice::told(escaped(&of(3000)));
    surfaces.add("ephemeral", &format!("told, {from}"), &told);
    let button = Button::new("ask", "Try again", &of(3000));
    let retry = notice::retry(escaped(&of(3000)), button);
    surfaces.add("ephemeral", &format!("retry, {from}"), &retry);
}

/// Whether that is told of a request that stands there.
fn is_told_in(notice: &Notice, state: State) -> bool {
    match notice {
        Notice::Active | Notice::Ending => state == State::Active,
        Notice::Reminder => state == State::Pending,
        Notice::Denied => state == State::Denied,
        Notice::Expired => state == State::Expired,
        Notice::Ended | Notice::AlreadyMember => state == State::Ended,
        Notice::Failed => state == State::Failed,
        Notice::Trouble(_) => !state.is_final(),
    }
}

/// The flows file with labels as long as they may be.
fn flows(of: &dyn Fn(usize) -> String, targets: usize, fields: usize) -> Flows {
    let label = |n: usize| {
        let text: String = format!("{n} {} .", of(64))
            .chars()
            .filter(|c| !c.is_control())
            .collect();
        Value::from(text).to_string()
    };
    let mut text = format!(
        "slack_workspace_id = \"T0SANDBOX\"\nokta_org_domain = \"myco.okta.com\"\n\
         [[flow]]\nname = \"big\"\nlabel = {}\nheader = {}\nrequest_channel = \"#x\"\n\
         durations = [\"30m\", \"1h\", \"4h\"]\n",
        label(0),
        Value::from(format!(
            "See <https://wiki.example.com/?a=1&b=2|this>.\n{}",
            of(2500).replace('\u{1}', "")
        )),
    );
    for n in 0..targets {
        let _ = write!(
            text,
            "[[flow.target]]\nlabel = {}\ngroup_id = \"00g{n}\"\nmax_duration = \"{}\"\n",
            label(n),
            if n % 2 == 0 { "1h" } else { "4h" },
        );
    }
    for n in 0..fields {
        let choices: Vec<String> = (0..100).map(label).collect();
        let kind = ["choice", "text", "number", "person", "date"][if fields == 10 { 0 } else { n }];
        let _ = write!(
            text,
            "[[flow.field]]\nname = \"f{n}\"\nlabel = {}\ntype = \"{kind}\"\n",
            label(n)
        );
        if kind == "choice" {
            let _ = writeln!(text, "choices = [{}]", choices.join(","));
        }
    }
    text.push_str(
        "[[flow]]\nname = \"small\"\nlabel = \"Small\"\nrequest_channel = \"#x\"\ndurations = [\"1h\"]\n\
         [[flow.target]]\nlabel = \"Only\"\ngroup_id = \"00gonly\"\n",
    );
    Flows::parse(&text).unwrap()
}

fn forms(surfaces: &mut Surfaces, from: &str, n: usize, of: &dyn Fn(usize) -> String) {
    let fields = if n.is_multiple_of(2) { 5 } else { 10 };
    let flows = flows(of, 20, fields);
    let values: Values = [
        ("target", "00g2".to_owned()),
        ("duration", "3600".to_owned()),
        ("reason", of(3000)),
        ("f0", of(75)),
        ("f1", of(3000)),
        ("f2", "42".to_owned()),
        ("f3", "U02BOB".to_owned()),
        ("f4", "2026-11-24".to_owned()),
    ]
    .map(|(id, value)| (id.to_owned(), value))
    .into();
    let plain = form::form(&flows.flows[0], &Prefill::default(), None);
    surfaces.modal(&format!("form, {from}"), &plain);
    let chosen = form::redrawn(&flows, &sent(&plain), &values).unwrap();
    surfaces.modal(&format!("form once chosen, {from}"), &chosen);
    let wrong = form::read(&flows, &sent(&plain), &Values::new()).unwrap_err();
    surfaces.errors(&format!("empty form, {from}"), &plain, &wrong);
    let mut odd = values.clone();
    odd.insert("duration".to_owned(), "14400".to_owned());
    let wrong = form::read(&flows, &sent(&chosen), &odd).unwrap_err();
    surfaces.errors(&format!("wrong form, {from}"), &chosen, &wrong);

    surfaces.modal(&format!("picker, {from}"), &form::picker(&flows));
    for text in [String::new(), "only 1h ".to_owned() + &of(3000), of(3000)] {
        let view = form::prefilled(&flows, &text, Some("C01REQUESTS"));
        surfaces.modal(&format!("command, {from}"), &view);
    }
    for (group, up_to_s) in [("00g0", Some(3600)), ("00g0", Some(60)), ("00ggone", None)] {
        let again = Again {
            request: RequestId::new("T1-V1"),
            flow: "big".to_owned(),
            group: Group::new(group),
            duration_s: 1800,
            reason: Some(of(3000)),
            up_to_s,
            asked_from: None,
        };
        let extended = form::form(&flows.flows[0], &again.prefill(), Some(&again));
        surfaces.modal(&format!("extend, {from}"), &extended);
        let again = form::form(&flows.flows[0], &again.prefill(), None);
        surfaces.modal(&format!("ask again, {from}"), &again);
    }
    for id in ["target", "duration", "f0", "reason"] {
        for typed in ["", "1", "nothing like it"] {
            let offered = form::options(&flows, &sent(&plain), id, typed);
            surfaces.add("options", &format!("{id}, `{typed}`, {from}"), offered);
        }
    }

    let about = About {
        request: RequestId::new("T1-V1"),
        channel: Some("C01REQUESTS".to_owned()),
        ts: Some("1795510800.000100".to_owned()),
    };
    let posted = card(
        &Request {
            reason: of(3000),
            ..request(State::Pending)
        },
        &Place::Requester,
    );
    for action in [DENY, APPROVE_NOTE] {
        for summary in [None, Some(posted.text().as_str()), Some(of(3000).as_str())] {
            let view = decision::form(action, &about, summary);
            surfaces.modal(&format!("{action}, {from}"), &view);
            let values = [("note".to_owned(), "x".repeat(1001))].into();
            let wrong = decision::read(&sent(&view), &values).unwrap_err();
            surfaces.errors(&format!("{action}, {from}"), &view, &wrong);
        }
    }
}

fn homes(surfaces: &mut Surfaces, from: &str, text: &str) {
    let (alice, bob) = (SlackUser::new("U01ALICE"), SlackUser::new("U02BOB"));
    let trouble = Trouble {
        error: long(text, 3000),
        hint: long(text, 3000),
    };
    let ordinary = [approved(State::Active), request(State::Expired)];
    let waiting = [request(State::Pending)];
    let [own, many_waiting, held] = extremes(text);
    let empty = Contents {
        now: at(9),
        viewer: &alice,
        is_configured: true,
        own: &[],
        waiting: &[],
        held: &[],
        more: None,
        trouble: None,
    };
    let unconfigured = Contents {
        is_configured: false,
        trouble: Some(&trouble),
        ..empty
    };
    let some = Contents {
        viewer: &bob,
        own: &ordinary,
        waiting: &waiting,
        held: &ordinary[..1],
        ..empty
    };
    let most = Contents {
        own: &own,
        waiting: &many_waiting,
        held: &held,
        trouble: Some(&trouble),
        ..empty
    };
    for contents in [empty, unconfigured, some, most] {
        surfaces.add("home", &format!("home, {from}"), home(&contents));
    }
    for (section, row) in [
        (Section::Holding, 10),
        (Section::Waiting, 40),
        (Section::Lately, 1000),
        (Section::Held, 190),
    ] {
        let more = Some(More { section, from: row });
        let home = home(&Contents { more, ..most });
        surfaces.add("home", &format!("{section:?} from {row}, {from}"), home);
    }
    surfaces.add(
        "home",
        &format!("no part, {from}"),
        no_part(&long(text, 3000)),
    );
}

/// Five thousand targets, and no flow at all.
fn many(surfaces: &mut Surfaces) {
    let flows = flows(&|length| long("target ", length.min(30)), 5000, 10);
    let view = form::prefilled(&flows, "big 1h x", None);
    surfaces.modal("5,000 targets", &view);
    for typed in ["", "4999", "target", "tar get", "nothing like it"] {
        let offered = form::options(&flows, &sent(&view), "target", typed);
        surfaces.add("options", &format!("5,000 targets, `{typed}`"), offered);
    }
    let values = [("target".to_owned(), "00g4999".to_owned())].into();
    let chosen = form::redrawn(&flows, &sent(&view), &values).unwrap();
    surfaces.modal("5,000 targets, one chosen", &chosen);
    surfaces.modal("welcome", &form::welcome());
    let none =
        Flows::parse("slack_workspace_id = \"T0SANDBOX\"\nokta_org_domain = \"myco.okta.com\"\n")
            .unwrap();
    surfaces.modal(
        "command without a flow",
        &form::prefilled(&none, "prod 1h", None),
    );
}
