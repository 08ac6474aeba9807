//! What people are shown: kept for other checks, and compared with how things stand.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::{Stint, buttons, elements, words};

/// What was kept already, by test: its file is begun anew.
static KEPT: Mutex<BTreeMap<String, HashSet<String>>> = Mutex::new(BTreeMap::new());

/// Appends what the simulated Slack has taken, which is in the file `shown`, to a file of the running
/// test in `target/surfaces`, each once.
pub(crate) fn keep(shown: &Path) {
    let Ok(text) = fs::read_to_string(shown) else {
        return;
    };
    let here = std::env::current_exe().unwrap_or_default();
    let Some(target) = here.ancestors().nth(3) else {
        return;
    };
    // `crash-0123456789abcdef` is the program of the tests in `crash.rs`.
    let program = here.file_stem().unwrap_or_default().to_string_lossy();
    let program = program.rsplit_once('-').map_or(&*program, |it| it.0);
    let thread = std::thread::current();
    let running = format!("{program}.{}", thread.name().unwrap_or("main"));
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let is_new = !kept.contains_key(&running);
    let known = kept.entry(running.clone()).or_default();
    let mut lines = String::new();
    for line in text.lines() {
        let Ok(mut line) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        line["from"] = json!(running);
        let line = line.to_string();
        if known.insert(line.clone()) {
            lines += &line;
            lines.push('\n');
        }
    }
    let folder = target.join("surfaces");
    let path = folder.join(running.replace("::", ".") + ".jsonl");
    let written = fs::create_dir_all(folder).and_then(|()| {
        let mut file = if is_new {
            File::create(path)
        } else {
            OpenOptions::new().create(true).append(true).open(path)
        }?;
        file.write_all(lines.as_bytes())
    });
    if let Err(error) = written {
        eprintln!("what {running} showed to people was not kept: {error}");
    }
}

/// For whom a copy of a card is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copy {
    /// For whoever decides: in a channel, or in somebody's direct messages.
    Asks,
    /// For the requester.
    Requester,
    /// For somebody who approved.
    Approver,
}

impl Copy {
    /// For whom the message is a copy of a card, by how its text begins; none if it is none.
    fn of(message: &Value) -> Option<Self> {
        let text = message["text"].as_str()?;
        if text.starts_with("You approved ") {
            Some(Self::Approver)
        } else if text.starts_with("Your ") && text.contains(" request: ") {
            Some(Self::Requester)
        } else if text.contains(" request by <@") {
            Some(Self::Asks)
        } else {
            None
        }
    }
}

impl Stint {
    /// Every copy of the card of `request` that people have before them: for whom, in which channel,
    /// and the message. Its reason must be one that no other request has.
    pub async fn copies(&self, request: &str) -> Vec<(Copy, String, Value)> {
        let state = self.state().await;
        let request = self.request(request).await;
        let reason = request["reason"].as_str().expect("a reason");
        let all = state["requests"].as_array().expect("requests").iter();
        let same = all.filter(|it| it["reason"] == reason).count();
        assert_eq!(same, 1, "another request has the reason `{reason}` too");
        let slack = &state["slack"];
        let channels = slack["channels"].as_object().expect("channels").iter();
        let dms = slack["dms"].as_object().expect("direct messages").iter();
        let mut copies = Vec::new();
        for (place, it) in channels.chain(dms) {
            for message in it["messages"].as_array().into_iter().flatten() {
                let is_about = words(message).contains(&format!("_{reason}_"));
                if let Some(copy) = Copy::of(message).filter(|_| is_about) {
                    copies.push((copy, place.clone(), message.clone()));
                }
            }
        }
        copies
    }

    /// What the Home tab of `user` says about `request`, and in which section: `held`, `holding`,
    /// `lately` or `waiting`; none if it does not show it.
    pub async fn row(&self, user: &str, request: &str) -> Option<(String, String)> {
        row(&self.home(user).await, request)
    }

    /// Every copy of the card of `request` shows how it stands now, and every Home tab does at the latest
    /// once the sweep has been there.
    pub async fn is_shown_everywhere(&self, request: &str) {
        self.is_shown_by_cards(request).await;
        if self.homes_behind(request).await.is_empty() {
            return;
        }
        self.advance(70).await;
        assert_eq!(self.homes_behind(request).await, [""; 0]);
        self.is_shown_by_cards(request).await;
    }

    async fn is_shown_by_cards(&self, request: &str) {
        let it = self.request(request).await;
        let (state, why) = (it["state"].as_str().expect("a state"), it["why"].as_str());
        let copies = self.copies(request).await;
        let own = copies.iter().filter(|it| it.0 == Copy::Requester).count();
        assert!(own == 1 && copies.len() > 1, "{state}: {copies:#?}");
        for (copy, place, message) in copies {
            let shown = message["text"].as_str().unwrap_or_default();
            if state == "pending" && copy == Copy::Asks {
                let closed = shown.ends_with(')') && !shown.ends_with("(pending)");
                assert!(!closed, "{place} shows of {state}: {shown}");
            } else {
                let state = format!("({state})");
                assert!(shown.ends_with(&state), "{place} shows of {state}: {shown}");
            }
            let mut shown = buttons(&message);
            shown.retain(|it| it != "details" && it != "extend");
            let is_changed = !matches!(why, Some("superseded" | "already_member"));
            let right: &[&str] = match (copy, state) {
                (Copy::Asks, "pending") => &["approve", "approve_note", "deny"],
                (Copy::Asks | Copy::Approver, "active") => &["revoke"],
                (Copy::Requester, "pending") => &["cancel"],
                (Copy::Requester, "active") => &["done"],
                (Copy::Requester, state) if is_over(state) && is_changed => &["again"],
                _ => &[],
            };
            assert_eq!(shown, right, "{place}, {copy:?}, {state}");
        }
    }

    /// What is wrong with the Home tabs, as far as they show `request`.
    async fn homes_behind(&self, request: &str) -> Vec<String> {
        let it = self.request(request).await;
        let (state, why) = (it["state"].as_str().expect("a state"), it["why"].as_str());
        let all = self.state().await;
        let approvers = all["okta"]["groups"]["00g1approvers"]["members"].clone();
        let homes = all["slack"]["homes"].as_object().expect("Home tabs").iter();
        let mut wrong = Vec::new();
        for (user, home) in homes.filter(|it| takes_part(it.1)) {
            let okta = &all["slack"]["users"][user]["okta"];
            let decides = approvers.as_array().is_some_and(|it| it.contains(okta));
            let mut approvals = it["approvals"].as_array().into_iter().flatten();
            let has_approved = approvals.any(|it| it["user"] == user.as_str());
            let section = if it["requester"] == user.as_str() {
                Some(if is_over(state) || state == "pending" {
                    "lately"
                } else {
                    "holding"
                })
            } else {
                match state {
                    "pending" if decides => Some("waiting"),
                    "active" | "deescalating" if decides || has_approved => Some("held"),
                    _ => None,
                }
            };
            let shown = row(home, request);
            if state == "pending" && has_approved && shown.is_none() {
                continue; // There is nothing left for them to approve.
            }
            let shown_in = shown.as_ref().map(|it| it.0.as_str());
            let mut is_right = shown_in == section;
            if let Some((_, text)) = &shown {
                is_right &= text.contains(says(state, why));
            }
            if section == Some("waiting") {
                let offers = |action: &str| {
                    let all = elements(home);
                    let mut all = all.iter();
                    all.any(|it| it["action_id"] == action && it["value"] == request)
                };
                is_right &= offers("deny") && offers("approve") != has_approved;
            }
            if !is_right {
                wrong.push(format!("{user} sees of {state}: {shown:?}"));
            }
        }
        wrong
    }
}

fn is_over(state: &str) -> bool {
    !matches!(
        state,
        "pending" | "approved" | "escalating" | "active" | "deescalating"
    )
}

/// What a Home tab says of a request that stands so.
fn says(state: &str, why: Option<&str>) -> &'static str {
    match (state, why) {
        ("pending", _) => "waits for an answer",
        ("approved" | "escalating", _) => "adding to Okta",
        ("active", _) => "✅ until",
        ("deescalating", _) => "removing",
        ("denied", _) => "denied by",
        ("cancelled", _) => "cancelled by",
        ("expired", _) => "nobody answered",
        ("failed", _) => "could not be carried out",
        (_, Some("revoked")) => "revoked by",
        (_, Some("withdrawn")) => "given back",
        (_, Some("superseded")) => "a newer request took over",
        (_, Some("already_member")) => "already in the group",
        _ => "✅ ended",
    }
}

/// Whether it is the Home tab of somebody who may ask and decide.
fn takes_part(home: &Value) -> bool {
    let blocks = home["blocks"].as_array().into_iter().flatten();
    blocks.into_iter().any(|block| block["type"] == "header")
}

fn row(home: &Value, request: &str) -> Option<(String, String)> {
    home["blocks"].as_array()?.iter().find_map(|block| {
        let (section, id) = block["block_id"].as_str()?.split_once('-')?;
        (id == request).then(|| (section.to_owned(), words(block)))
    })
}
