use std::collections::BTreeSet;

use access::{Request, RequestId, SlackUser, State, Trouble, Why};
use proptest::prelude::*;
use serde_json::Value;

use super::cards::{approved, at, decided, request};
use super::limits::{anything, assert_home};
use crate::form::Again;
use crate::home::{Contents, More, Section, home, no_part};

/// A Home tab as the person sees it: all that is written in it, and its buttons.
struct Seen {
    text: String,
    buttons: Vec<(String, Option<String>)>,
    blocks: usize,
}

impl Seen {
    fn at(contents: &Contents<'_>) -> Self {
        let json = assert_home(&home(contents));
        let blocks = json["blocks"].as_array().unwrap();
        let mut ids = BTreeSet::new();
        let mut seen = Self {
            text: String::new(),
            buttons: Vec::new(),
            blocks: blocks.len(),
        };
        for block in blocks {
            if let Some(id) = block["block_id"].as_str() {
                assert!(ids.insert(id), "`{id}` is there twice");
            }
            let elements = block["elements"].as_array().into_iter().flatten();
            for element in elements.chain([&block["accessory"], block]) {
                if element["type"] == "button" {
                    let value = element["value"].as_str().map(str::to_owned);
                    let action = element["action_id"].as_str().unwrap();
                    seen.buttons.push((action.to_owned(), value));
                }
                let text = &element["text"];
                if let Some(text) = text.as_str().or_else(|| text["text"].as_str()) {
                    seen.text.push_str(text);
                    seen.text.push('\n');
                }
            }
        }
        seen
    }

    fn actions(&self) -> Vec<&str> {
        self.buttons
            .iter()
            .map(|(action, _)| action.as_str())
            .collect()
    }

    fn count(&self, action: &str) -> usize {
        self.actions().iter().filter(|it| **it == action).count()
    }

    /// Where the buttons that show more lead.
    fn more(&self) -> Vec<&str> {
        let more = self.buttons.iter().filter(|(action, _)| action == "more");
        more.map(|(_, value)| value.as_deref().unwrap()).collect()
    }

    fn says(&self, texts: &[&str]) {
        for text in texts {
            assert!(
                self.text.contains(text),
                "`{text}` is not in:\n{}",
                self.text
            );
        }
    }
}

fn alice() -> SlackUser {
    SlackUser::new("U01ALICE")
}

fn contents(viewer: &SlackUser) -> Contents<'_> {
    Contents {
        now: at(9),
        viewer,
        is_configured: true,
        own: &[],
        waiting: &[],
        held: &[],
        more: None,
        trouble: None,
    }
}

fn numbered(count: usize, of: &Request) -> Vec<Request> {
    let named = |n: usize| Request {
        id: RequestId::new(format!("T1-V{n}")),
        label: format!("Number {n}."),
        ..of.clone()
    };
    (0..count).map(named).collect()
}

#[test]
fn without_anything_there_is_a_button_to_ask() {
    let viewer = alice();
    let seen = Seen::at(&contents(&viewer));
    assert_eq!(seen.buttons, [("ask".to_owned(), None)]);
    assert!(!seen.text.contains("as of"));
    seen.says(&["What you hold\nNothing at the moment.", "Nothing lately."]);
    assert!(!seen.text.contains("What waits for you") && !seen.text.contains("Who holds what"));
}

#[test]
fn without_a_flow_there_is_a_welcome_and_what_is_held_can_be_given_back() {
    let viewer = alice();
    let own = [approved(State::Active)];
    let seen = Seen::at(&Contents {
        is_configured: false,
        own: &own,
        ..contents(&viewer)
    });
    seen.says(&["Welcome to Stint", "infra/flows/flows.toml", "*Prod*"]);
    assert_eq!(seen.actions(), ["done", "extend"]);
}

#[test]
fn what_is_held_says_how_long_and_can_be_ended_or_extended() {
    let viewer = alice();
    let own = [
        approved(State::Active),
        Request {
            id: RequestId::new("T1-V2"),
            chain_s: 1800,
            ..approved(State::Active)
        },
        Request {
            id: RequestId::new("T1-V3"),
            ..approved(State::Escalating)
        },
        Request {
            id: RequestId::new("T1-V4"),
            trouble: Some(Trouble {
                error: "Okta answered 500".to_owned(),
                hint: String::new(),
            }),
            ..decided(State::Deescalating, Some(Why::Withdrawn), "U01ALICE", None)
        },
    ];
    let seen = Seen::at(&Contents {
        own: &own,
        ..contents(&viewer)
    });
    seen.says(&[
        "*Prod* · Okta Access · 30 minutes\n✅ until <!date^1795512720",
        " · 23 minutes left",
        "⏳ approved, adding to Okta…",
        "⏳ removing…\n⚠️ Okta answered 500",
    ]);
    assert_eq!(seen.actions(), ["ask", "done", "extend", "done"]);
    let extend = Again::read(seen.buttons[2].1.as_deref().unwrap()).unwrap();
    assert_eq!(extend.up_to_s, Some(1800));

    for (minute, left) in [
        (32, "less than a minute left"),
        (60, "less than a minute left"),
        (-59, "1 hour 31 minutes left"),
        (32 - 2 * 1440 - 61, "2 days 1 hour left"),
    ] {
        let seen = Seen::at(&Contents {
            now: at(minute),
            own: &own,
            ..contents(&viewer)
        });
        seen.says(&[left]);
    }
}

#[test]
fn what_waits_says_who_wants_what_and_why_and_can_be_decided() {
    let viewer = SlackUser::new("U02BOB");
    let mut again = approved(State::Pending);
    again.id = RequestId::new("T1-V2");
    again.approvals_needed = 2;
    again.requester.slack = SlackUser::new("U04DAVE");
    let waiting = [request(State::Pending), again];
    let here = Contents {
        waiting: &waiting,
        ..contents(&viewer)
    };
    let seen = Seen::at(&here);
    seen.says(&[
        "What waits for you",
        "*Prod* · Okta Access · 30 minutes · <@U01ALICE>\n_fixing INC-42_",
        "· <@U04DAVE>",
        "you approved (1 of 2)",
    ]);
    assert_eq!(seen.actions(), ["ask", "approve", "deny", "deny"]);
    let carol = SlackUser::new("U03CAROL");
    let seen = Seen::at(&Contents {
        viewer: &carol,
        ..here
    });
    seen.says(&["· approved (1 of 2)"]);
    assert_eq!(seen.count("approve"), 2);
}

#[test]
fn what_was_asked_for_says_what_became_of_it() {
    let viewer = alice();
    let own = [
        request(State::Pending),
        decided(State::Denied, None, "U02BOB", Some("not today")),
        decided(State::Ended, Some(Why::Revoked), "U02BOB", None),
        decided(State::Ended, Some(Why::Superseded), "U02BOB", None),
        request(State::Expired),
    ];
    let own: Vec<Request> = own
        .into_iter()
        .enumerate()
        .map(|(n, it)| Request {
            id: RequestId::new(format!("T1-V{n}")),
            ..it
        })
        .collect();
    let seen = Seen::at(&Contents {
        own: &own,
        ..contents(&viewer)
    });
    seen.says(&[
        "What you asked for lately",
        "🔑 waits for an answer until <!date^",
        "🚫 denied by <@U02BOB> · <!date^",
        "· _not today_",
        "✅ revoked by <@U02BOB>",
        "extended: a newer request took over",
        "⌛ nobody answered",
    ]);
    assert_eq!(seen.actions(), ["ask", "cancel", "again", "again", "again"]);
}

#[test]
fn who_holds_what_can_be_revoked_and_asks_first() {
    let viewer = SlackUser::new("U02BOB");
    let held = [
        approved(State::Active),
        Request {
            id: RequestId::new("T1-V2"),
            ..decided(State::Deescalating, Some(Why::Revoked), "U02BOB", None)
        },
    ];
    let contents = Contents {
        held: &held,
        ..contents(&viewer)
    };
    let seen = Seen::at(&contents);
    seen.says(&["Who holds what", "· <@U01ALICE>\n✅ until", "⏳ removing…"]);
    assert_eq!(seen.actions(), ["ask", "revoke"]);
    let json = serde_json::to_string(&home(&contents)).unwrap();
    assert!(json.contains("Revoke access?"));
}

#[test]
fn the_same_request_may_be_in_two_sections() {
    let viewer = alice();
    let both = [request(State::Pending)];
    let seen = Seen::at(&Contents {
        own: &both,
        waiting: &both,
        ..contents(&viewer)
    });
    assert_eq!(seen.actions(), ["ask", "approve", "deny", "cancel"]);
}

#[test]
fn what_could_not_be_found_out_is_on_top() {
    let viewer = alice();
    let trouble = Trouble {
        error: "Okta did not answer".to_owned(),
        hint: "open this again in a minute".to_owned(),
    };
    let seen = Seen::at(&Contents {
        trouble: Some(&trouble),
        ..contents(&viewer)
    });
    assert!(
        seen.text
            .starts_with("⚠️ Okta did not answer\n*Hint* open this again in a minute"),
        "{}",
        seen.text
    );
}

#[test]
fn a_long_section_is_shown_ten_at_a_time_and_there_is_a_way_back() {
    let viewer = SlackUser::new("U02BOB");
    let held = numbered(23, &approved(State::Active));
    let page = |from: Option<usize>| {
        let more = from.map(|from| More {
            section: Section::Held,
            from,
        });
        Seen::at(&Contents {
            held: &held,
            more,
            ..contents(&viewer)
        })
    };
    let first = page(None);
    assert_eq!(first.more(), ["held:10"]);
    first.says(&["Number 0.", "Number 9.", "Show more (13)"]);
    assert_eq!(first.count("revoke"), 10);

    let second = page(Some(10));
    assert_eq!(second.more(), ["held:0", "held:20"]);
    second.says(&[
        "11 to 20 of 23",
        "Number 10.",
        "Number 19.",
        "Show more (3)",
    ]);
    assert!(!second.text.contains("Number 9."));

    let last = page(Some(20));
    assert_eq!(last.more(), ["held:0"]);
    last.says(&["21 to 23 of 23", "Number 22."]);
    // Meanwhile there are fewer.
    assert_eq!(page(Some(usize::MAX)).text, last.text);
    assert_eq!(page(Some(0)).text, first.text);
}

#[test]
fn a_button_says_where_it_leads() {
    for section in [
        Section::Holding,
        Section::Waiting,
        Section::Lately,
        Section::Held,
    ] {
        let more = More { section, from: 30 };
        assert_eq!(More::read(&more.to_value()), Some(more));
    }
    assert_eq!(More::read("waiting:10").unwrap().section, Section::Waiting);
    for odd in [
        "",
        "held",
        "held:",
        "held:-1",
        "held:x",
        "all:10",
        "held:99999999999999999999",
    ] {
        assert_eq!(More::read(odd), None, "{odd}");
    }
}

#[test]
fn what_was_shortened_is_one_click_away() {
    let viewer = alice();
    let long = Request {
        reason: "word ".repeat(40),
        ..request(State::Pending)
    };
    let (own, waiting) = ([long.clone()], [long]);
    let seen = Seen::at(&Contents {
        own: &own,
        waiting: &waiting,
        ..contents(&viewer)
    });
    // What was asked for lately does not show the reason.
    assert_eq!(
        seen.actions(),
        ["ask", "approve", "deny", "details", "cancel"]
    );
}

#[test]
fn who_may_take_no_part_is_told_why() {
    let json = assert_home(&no_part("guests cannot ask for access <!here>"));
    assert!(
        json.to_string()
            .contains("guests cannot ask for access &lt;!here&gt;")
    );
    assert_home(&no_part(""));
}

/// The most that there can be of everything.
pub(super) fn extremes(text: &str) -> [Vec<Request>; 3] {
    let cut = |limit: usize| -> String { text.chars().cycle().take(limit).collect() };
    let full = |it: Request| Request {
        label: cut(300),
        flow_label: cut(300),
        reason: cut(3000),
        trouble: Some(Trouble {
            error: cut(3000),
            hint: cut(3000),
        }),
        ..it
    };
    let many = |count: usize, it: Request, from: usize| -> Vec<Request> {
        let named = |n: usize| Request {
            id: RequestId::new(format!("T1-V{}", n + from)),
            ..full(it.clone())
        };
        (0..count).map(named).collect()
    };
    let own = [
        many(50, approved(State::Active), 0),
        many(
            50,
            decided(State::Denied, None, "U02BOB", Some(&cut(1000))),
            50,
        ),
    ];
    [
        own.concat(),
        many(100, approved(State::Pending), 1000),
        many(200, approved(State::Active), 2000),
    ]
}

#[test]
fn however_much_there_is_it_all_fits() {
    let viewer = SlackUser::new("U03CAROL");
    for text in ["word ", "漢字", "🔑", "שלום ", "\"\\", "&<>", "\u{1}x"] {
        let [own, waiting, held] = extremes(text);
        let trouble = own[0].trouble.clone();
        for section in [
            Section::Holding,
            Section::Waiting,
            Section::Lately,
            Section::Held,
        ] {
            let seen = Seen::at(&Contents {
                own: &own,
                waiting: &waiting,
                held: &held,
                more: Some(More { section, from: 20 }),
                trouble: trouble.as_ref(),
                ..contents(&viewer)
            });
            assert!(seen.blocks <= 100);
            for action in ["done", "extend", "approve", "again", "revoke"] {
                assert_eq!(seen.count(action), 10, "{action} with {text:?}");
            }
            assert_eq!(seen.count("more"), 5, "{text:?}");
            assert_eq!(seen.count("details"), 40, "{text:?}");
            seen.says(&["What is left is as of <!date^"]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(25))]

    #[test]
    fn no_text_breaks_a_home(text in anything(), from in any::<usize>()) {
        prop_assume!(!text.is_empty());
        let viewer = SlackUser::new("U02BOB");
        let [own, waiting, held] = extremes(&text);
        let seen = Seen::at(&Contents {
            own: &own,
            waiting: &waiting,
            held: &held,
            more: Some(More { section: Section::Lately, from }),
            ..contents(&viewer)
        });
        prop_assert_eq!(seen.count("revoke"), 10);
        let value = Value::from(text);
        assert_home(&no_part(value.as_str().unwrap()));
    }
}
