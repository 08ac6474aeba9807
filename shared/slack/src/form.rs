//! The forms: what people are asked, and what they answered.
//!
//! Everything that a form needs to be read again is in its private metadata, and everything that the
//! flows file alone can tell is told inside the form.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use access::flows::{Channel, Duration, Field, FieldKind, Flow, Flows, Target, in_words};
use access::{Group, Place, Request, RequestId};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::blocks::{Choice, Choices, Element, Input, View, context, section};
use crate::payload::{Values, ViewRef};
use crate::text::{Mrkdwn, cut, escaped, is_person, marked, mention, spaced, units};

/// What the form that asks for access is told from other forms by.
pub const FORM: &str = "request";
/// What the form that asks which flow is meant is told from other forms by.
pub const PICKER: &str = "request_flow";
/// Asks which flow is meant.
pub const FLOW: &str = "flow";
/// Asks what is wanted.
pub const TARGET: &str = "target";
/// Asks why.
pub const REASON: &str = "reason";
/// Asks for how long.
pub const DURATION: &str = "duration";

/// The longest reason, in characters.
const REASON_LIMIT: usize = 1000;
/// The longest answer to a question of a flow's own, in characters.
const TEXT_LIMIT: usize = 300;
/// Slack's limit for the options of one menu.
const OPTIONS: usize = 100;
/// How many bytes of a view a menu of a flow's own may take: ten of them and the rest of the form
/// stay below what a view may have.
const FIELD_MENU: usize = 12_000;
/// The same for the menus that every form has; a hundred options are never more.
const MENU: usize = 60_000;

/// What a form is filled with when it opens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prefill {
    /// The target's group.
    pub group: Option<Group>,
    /// The duration, in seconds.
    pub duration_s: Option<u64>,
    /// The reason.
    pub reason: Option<String>,
    /// What is answered to the flow's own questions, by name.
    pub fields: BTreeMap<String, String>,
    /// The id (`C…`, `G…`) of the channel in which it is asked for, if in one.
    pub asked_from: Option<String>,
}

/// What the buttons `extend` and `again` carry, so that their form can be opened without the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    /// The request whose card has the button.
    pub request: RequestId,
    /// Its flow's name.
    pub flow: String,
    /// The group asked for.
    pub group: Group,
    /// For how long, in seconds.
    pub duration_s: u64,
    /// Why, where it fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// For `extend`: the longest that is left of the target's maximum, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to_s: Option<u64>,
    /// The id of a channel in which the request was shown: where it may have been asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_from: Option<String>,
}

impl Again {
    /// For a form that asks for the same as `request` once more.
    #[must_use]
    pub fn repeating(request: &Request) -> Self {
        Self {
            request: request.id.clone(),
            flow: request.flow.clone(),
            group: request.group.clone(),
            duration_s: request.duration_s,
            reason: Some(request.reason.clone()),
            up_to_s: None,
            asked_from: request.asking().find_map(|card| match &card.place {
                Place::Channel(channel) if !card.is_lost() => channel_id(channel),
                _ => None,
            }),
        }
    }

    /// For a form that asks for more time for `request`.
    #[must_use]
    pub fn extending(request: &Request) -> Self {
        Self {
            up_to_s: Some(request.extendable_s()),
            ..Self::repeating(request)
        }
    }

    /// What its form is filled with.
    #[must_use]
    pub fn prefill(&self) -> Prefill {
        Prefill {
            group: Some(self.group.clone()),
            duration_s: Some(self.duration_s)
                .filter(|duration| self.up_to_s.is_none_or(|most| *duration <= most)),
            reason: self.reason.clone(),
            asked_from: self.asked_from.clone(),
            fields: BTreeMap::new(),
        }
    }

    /// The button's value, at most 2000 characters, and not much more once it is part of a message; a
    /// reason that is too long is shortened.
    #[must_use]
    pub fn to_value(&self) -> String {
        let json = |reason: Option<String>| {
            let less = Self {
                reason,
                ..self.clone()
            };
            serde_json::to_string(&less).unwrap_or_default()
        };
        [1500, 700, 300]
            .map(|limit| json(self.reason.as_ref().map(|text| cut(text, limit, false))))
            .into_iter()
            .find(|value| units(value) <= 2000 && value.matches(['"', '\\']).count() <= 500)
            .unwrap_or_else(|| json(None))
    }

    /// Reads a button's value.
    #[must_use]
    pub fn read(value: &str) -> Option<Self> {
        serde_json::from_str(value).ok()
    }
}

/// What somebody asks for, as far as the flows file can tell that it may be asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Filled<'a> {
    /// The flow.
    pub flow: &'a Flow,
    /// The target.
    pub target: &'a Target,
    /// For how long; the target offers it.
    pub duration: Duration,
    /// Why, without space around it; 1 to 1000 characters.
    pub reason: String,
    /// What was answered to the flow's own questions, by name: texts as they were written, whole
    /// numbers, days as `2026-11-24`, people as Slack ids.
    pub fields: BTreeMap<String, String>,
    /// The request that this one extends. Whose it is and how much is left, only the table tells.
    pub extends: Option<RequestId>,
    /// The id (`C…`, `G…`) of the channel in which it was asked for, if in one.
    pub asked_from: Option<String>,
}

/// What is wrong with a form: for each block, what to tell the person. Each is an input block of that
/// form, since Slack shows errors nowhere else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wrong(pub BTreeMap<String, String>);

/// What a form's private metadata keeps, so that it can be read again.
#[derive(Serialize, Deserialize)]
struct Kept {
    flow: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    extends: Option<RequestId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    up_to_s: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked_from: Option<String>,
}

/// What the picker's private metadata keeps for the form that comes next.
#[derive(Serialize, Deserialize)]
struct Typed {
    text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked_from: Option<String>,
}

impl Typed {
    /// At most 3000 characters; a text that is too long is shortened.
    fn to_metadata(&self) -> String {
        let json = |limit| {
            let text = cut(&self.text, limit, false);
            let asked_from = self.asked_from.clone();
            serde_json::to_string(&Self { text, asked_from }).unwrap_or_default()
        };
        let metadata = [2500, 1300, 400].map(json);
        let mut metadata = metadata.into_iter();
        metadata.find(|it| units(it) <= 3000).unwrap_or_default()
    }

    fn read(metadata: &str) -> Self {
        serde_json::from_str(metadata).unwrap_or_else(|_| Self {
            text: metadata.to_owned(),
            asked_from: None,
        })
    }
}

/// The form of `flow`, filled with `prefill` as far as the flow offers it. Once a target is chosen, it
/// offers that one's durations alone. With `extends` it asks for more time for that request: the target
/// is fixed, and only durations are offered that still fit. Where nothing can be asked for, the view
/// says so and cannot be submitted.
#[must_use]
pub fn form(flow: &Flow, prefill: &Prefill, extends: Option<&Again>) -> View {
    let targets: Vec<&Target> = flow
        .targets
        .iter()
        .filter(|target| extends.is_none_or(|again| again.group == target.group))
        .collect();
    let most_s = extends.and_then(|again| again.up_to_s).unwrap_or(u64::MAX);
    let chosen = match targets.as_slice() {
        [only] => Some(*only),
        _ => prefill.group.as_ref().and_then(|group| flow.target(group)),
    };
    let offering = chosen.map_or_else(|| targets.clone(), |target| vec![target]);
    let durations = durations(&offering, most_s);
    if durations.is_empty() {
        return nothing_left(flow, chosen, most_s);
    }
    let duration = prefill.duration_s.and_then(Duration::from_seconds);
    let kept = Kept {
        flow: flow.name.clone(),
        extends: extends.map(|again| again.request.clone()),
        up_to_s: extends.and_then(|again| again.up_to_s),
        asked_from: prefill.asked_from.as_deref().and_then(channel_id),
    };
    let mut view = View::form(FORM, &flow.label, "Submit")
        .metadata(serde_json::to_string(&kept).unwrap_or_default())
        .with(flow.header.as_deref().map(|text| section(header(text))));
    if let (Some(_), Some(target)) = (extends, chosen) {
        view = view.with(section(more_time(target)));
    }
    if let Some(asked) = duration.filter(|asked| !durations.contains(asked)) {
        let whom = chosen.map(|it| Mrkdwn::from(" for *") + escaped(&it.label) + "*");
        let note = escaped(&asked.to_string()) + " is not offered" + whom.unwrap_or_default();
        view = view.with(context([note + ": choose another duration."]));
    }
    let seconds = duration
        .filter(|asked| durations.contains(asked))
        .map(|it| it.seconds().to_string());
    let group = chosen.map(|target| target.group.as_str());
    let resource = Input::new(
        TARGET,
        "Resource",
        menu(&target_offers(&targets), MENU, group),
    );
    let resource = match targets.as_slice() {
        [_] => resource,
        // Once it is chosen, the form can offer what fits: see `redrawn`.
        _ => resource.told(),
    };
    let lengths = Input::new(
        DURATION,
        "Duration",
        menu(&duration_offers(&durations), MENU, seconds.as_deref()),
    );
    let differ = targets
        .iter()
        .any(|target| target.durations.len() != durations.len());
    let lengths = match (extends, chosen) {
        (None, Some(target)) => lengths.hint(&(given_for_at_most(target) + ".")),
        (None, None) if differ => lengths.hint(
            "Not every resource is given for every duration: beside each is how long it is given for at \
             most.",
        ),
        _ => lengths,
    };
    let reason = Element::text(true, REASON_LIMIT, prefill.reason.as_deref());
    let view = view
        .input(resource)
        .input(Input::new(REASON, "Reason", reason))
        .input(lengths);
    flow.fields.iter().fold(view, |view, field| {
        let answer = prefill.fields.get(&field.name);
        view.input(question(field, answer.map(String::as_str)))
    })
}

/// The form that asks which of `flows` is meant.
#[must_use]
pub fn picker(flows: &Flows) -> View {
    View::form(PICKER, "Request access", "Next").input(Input::new(
        FLOW,
        "What kind of access?",
        menu(&flow_offers(flows), MENU, None),
    ))
}

/// The view that says that no flow is configured, and who must do what.
#[must_use]
pub fn welcome() -> View {
    View::modal("Welcome to Stint")
        .with(section(
            "*Stint gives people access for a while, and takes it back on time.*",
        ))
        .with(section(
            "There is nothing to ask for yet, because no flow is configured. The platform team adds a \
             `[[flow]]` with its targets to `infra/flows/flows.toml` and deploys it. Then the form is \
             here.",
        ))
}

/// The view that a slash command with `text` after it opens: the form, the picker or the welcome.
/// `asked_from` is the id of the channel in which it was typed; what is not a channel (a direct message)
/// does not count.
///
/// The text is `[flow] [target] [duration] [reason…]`, all of it optional, in which case does not
/// matter. A flow is meant by its name or label, a target by its label, which may have spaces (the
/// longest that fits is meant); target and duration may also come the other way round. A duration is
/// written as in the flows file, such as `30m`. From the first word on that is none of these, the text
/// is the reason: a person sees a misspelt target in the reason, and has lost nothing. A duration
/// that is not offered is told in the form.
///
/// Where there are several flows, the one is opened that can make most of the text; if none is named
/// by itself or by a target, or several make as much of it, the picker asks, and the text fills the
/// form that is then opened.
#[must_use]
pub fn prefilled(flows: &Flows, text: &str, asked_from: Option<&str>) -> View {
    let text = text.trim();
    let asked_from = asked_from.and_then(channel_id);
    match flows.flows.as_slice() {
        [] => return welcome(),
        [only] => return opened(only, Reading::of(only, text), asked_from),
        _ => {}
    }
    let mut readings: Vec<(&Flow, Reading)> = flows
        .flows
        .iter()
        .map(|flow| (flow, Reading::of(flow, text)))
        .filter(|(_, reading)| reading.names_flow)
        .collect();
    let least = readings.iter().map(|(_, reading)| reading.left).min();
    readings.retain(|(_, reading)| Some(reading.left) == least);
    if let (Some((flow, reading)), None) = (readings.pop(), readings.pop()) {
        return opened(flow, reading, asked_from);
    }
    let text = text.to_owned();
    picker(flows).metadata(Typed { text, asked_from }.to_metadata())
}

/// The form of the flow that was picked in `view`, filled with the text that came with the command.
pub fn picked(flows: &Flows, view: &ViewRef, values: &Values) -> Result<View, Wrong> {
    let Some(name) = values.get(FLOW) else {
        return Err(Wrong::at(FLOW, "choose one"));
    };
    match flows.flow(name) {
        Some(flow) => {
            let typed = Typed::read(&view.private_metadata);
            let asked_from = typed.asked_from.as_deref().and_then(channel_id);
            Ok(opened(flow, Reading::of(flow, &typed.text), asked_from))
        }
        None => Err(Wrong::at(
            FLOW,
            "this is not offered any more: choose another, or close this and start again",
        )),
    }
}

fn opened(flow: &Flow, reading: Reading, asked_from: Option<String>) -> View {
    let prefill = Prefill {
        asked_from,
        ..reading.prefill
    };
    form(flow, &prefill, None)
}

/// The form `view` once another target was chosen in it: it offers that one's durations, and keeps what
/// was filled in (`values`). None where the flow is not offered any more.
#[must_use]
pub fn redrawn(flows: &Flows, view: &ViewRef, values: &Values) -> Option<View> {
    let kept: Kept = serde_json::from_str(&view.private_metadata).ok()?;
    let flow = flows.flow(&kept.flow)?;
    let group = values.get(TARGET).map(Group::new);
    let duration_s = values.get(DURATION).and_then(|it| it.parse().ok());
    let extends = kept
        .extends
        .zip(group.clone())
        .map(|(request, group)| Again {
            request,
            flow: flow.name.clone(),
            group,
            duration_s: duration_s.unwrap_or_default(),
            reason: None,
            up_to_s: kept.up_to_s,
            asked_from: None,
        });
    let prefill = Prefill {
        group,
        duration_s,
        reason: values.get(REASON).cloned(),
        fields: values.clone(),
        asked_from: kept.asked_from,
    };
    Some(form(flow, &prefill, extends.as_ref()))
}

/// Reads the submitted `view` with its `values` under the present `flows`.
pub fn read<'a>(flows: &'a Flows, view: &ViewRef, values: &Values) -> Result<Filled<'a>, Wrong> {
    let kept: Option<Kept> = serde_json::from_str(&view.private_metadata).ok();
    let Some((flow, kept)) = kept.and_then(|kept| Some((flows.flow(&kept.flow)?, kept))) else {
        return Err(Wrong::at(
            TARGET,
            "this kind of access is not offered any more: close the form and start again",
        ));
    };
    let answer = |id: &str| {
        let text = values.get(id).map(|value| value.trim());
        text.filter(|text| !text.is_empty())
    };
    let mut wrong = Wrong::default();
    let target = wrong.without(
        TARGET,
        match answer(TARGET) {
            None => Err("choose a resource".to_owned()),
            Some(group) => flow
                .target(&Group::new(group))
                .ok_or_else(|| "this is not offered any more: choose another".to_owned()),
        },
    );
    let duration = wrong.without(DURATION, chosen_duration(answer(DURATION), target));
    let reason = wrong.without(
        REASON,
        match answer(REASON) {
            None => Err("say why you need it".to_owned()),
            Some(reason) => within(reason, REASON_LIMIT),
        },
    );
    let mut fields = BTreeMap::new();
    for field in &flow.fields {
        match answer(&field.name) {
            None if field.required => {
                let text = format!("`{}` is required", field.label);
                wrong.0.insert(field.name.clone(), text);
            }
            None => {}
            Some(text) => {
                let read = wrong.without(&field.name, field_answer(field, text));
                fields.extend(read.map(|read| (field.name.clone(), read)));
            }
        }
    }
    match (target, duration, reason) {
        (Some(target), Some(duration), Some(reason)) if wrong.0.is_empty() => Ok(Filled {
            flow,
            target,
            duration,
            reason,
            fields,
            extends: kept.extends,
            asked_from: kept.asked_from.as_deref().and_then(channel_id),
        }),
        _ => Err(wrong.shown_in(view)),
    }
}

/// What is offered in the block `block_id` of `view` to somebody who `typed` that: first what is just
/// that, then what begins with it, then what has a word that begins with it, then what contains it.
#[must_use]
pub fn options(flows: &Flows, view: &ViewRef, block_id: &str, typed: &str) -> Choices {
    let flow = || {
        let kept: Kept = serde_json::from_str(&view.private_metadata).ok()?;
        flows.flow(&kept.flow)
    };
    let offers = match (view.callback_id.as_str(), block_id) {
        (PICKER, FLOW) => flow_offers(flows),
        (FORM, _) => flow().map_or_else(Vec::new, |flow| offers_in(flow, block_id)),
        _ => Vec::new(),
    };
    let typed = typed.trim().to_lowercase();
    let mut found: Vec<(u8, &Offer)> = offers
        .iter()
        .filter_map(|offer| Some((rank(&offer.label.to_lowercase(), &typed)?, offer)))
        .collect();
    found.sort_by_key(|(rank, _)| *rank);
    Choices::new(found.into_iter().map(|(_, offer)| offer.choice()))
}

impl Wrong {
    /// One thing that is wrong, to be shown at the block `block_id`.
    pub(crate) fn at(block_id: &str, text: &str) -> Self {
        let mut wrong = Self::default();
        wrong.0.insert(block_id.to_owned(), text.to_owned());
        wrong
    }

    /// What was read, or nothing and one more thing that is wrong.
    fn without<T>(&mut self, block_id: &str, read: Result<T, String>) -> Option<T> {
        match read {
            Ok(read) => Some(read),
            Err(text) => {
                self.0.insert(block_id.to_owned(), text);
                None
            }
        }
    }

    /// The same, where `view` has a place to show it: the flow may have got questions since the form
    /// was opened.
    fn shown_in(mut self, view: &ViewRef) -> Self {
        let is_new = |id: &String| !view.inputs.is_empty() && !view.inputs.contains(id);
        if self.0.keys().any(is_new) {
            self.0.retain(|id, _| !is_new(id));
            let text = "the form has changed meanwhile: close it and open it again";
            self.0.insert(TARGET.to_owned(), text.to_owned());
        }
        self
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, text) in self.0.values().enumerate() {
            let between = if at > 0 { "; " } else { "" };
            write!(f, "{between}{text}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Wrong {}

/// What a command's text says to somebody who knows a flow.
#[derive(Debug)]
struct Reading {
    prefill: Prefill,
    /// Whether it names the flow or one of its targets.
    names_flow: bool,
    /// How much of the text is left for the reason.
    left: usize,
}

impl Reading {
    fn of(flow: &Flow, text: &str) -> Self {
        let with = |rest: Option<&str>| rest.map(|rest| Self::fill(flow, rest, true));
        let named = with(after(text, &flow.name));
        let labelled = with(after(text, &flow.label));
        let unnamed = Self::fill(flow, text, false);
        [named, labelled]
            .into_iter()
            .flatten()
            .fold(unnamed, |best, next| {
                let worth = |it: &Self| (Reverse(it.left), it.prefill.group.is_some());
                if worth(&next) > worth(&best) {
                    next
                } else {
                    best
                }
            })
    }

    fn fill(flow: &Flow, text: &str, is_named: bool) -> Self {
        let mut rest = text;
        let mut prefill = Prefill::default();
        loop {
            let target = flow
                .targets
                .iter()
                .filter_map(|target| Some((after(rest, &target.label)?, target)))
                .min_by_key(|(rest, _)| rest.len());
            let duration = || {
                let (word, rest) = first_word(rest)?;
                Some((rest, Duration::parse(&word.to_lowercase())?))
            };
            if let Some((after, target)) = target.filter(|_| prefill.group.is_none()) {
                prefill.group = Some(target.group.clone());
                rest = after;
            } else if let Some((after, duration)) =
                duration().filter(|_| prefill.duration_s.is_none())
            {
                prefill.duration_s = Some(duration.seconds());
                rest = after;
            } else {
                break;
            }
        }
        let reason = rest.trim();
        Self {
            names_flow: is_named || prefill.group.is_some(),
            left: reason.len(),
            prefill: Prefill {
                reason: (!reason.is_empty()).then(|| reason.to_owned()),
                ..prefill
            },
        }
    }
}

/// What follows `words` at the beginning of `text`, if it begins with them.
fn after<'t>(text: &'t str, words: &str) -> Option<&'t str> {
    words.split_whitespace().try_fold(text, |text, word| {
        let (first, rest) = first_word(text)?;
        (first.to_lowercase() == word.to_lowercase()).then_some(rest)
    })
}

fn first_word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (!word.is_empty()).then_some((word, rest))
}

/// Something to choose.
struct Offer {
    label: String,
    value: String,
    about: Option<String>,
}

impl Offer {
    fn new(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            value: value.into(),
            about: None,
        }
    }

    fn choice(&self) -> Choice {
        let choice = Choice::new(&self.label, &self.value);
        match &self.about {
            Some(about) => choice.described(about),
            None => choice,
        }
    }
}

/// A menu of `offers` set to `initial`, or to the only one. It is searched by typing where they are
/// more than a menu holds, or more than `room` bytes.
fn menu(offers: &[Offer], room: usize, initial: Option<&str>) -> Element {
    let initial = match offers {
        [only] => Some(only),
        _ => offers
            .iter()
            .find(|offer| Some(offer.value.as_str()) == initial),
    };
    let choices: Vec<Choice> = offers.iter().map(Offer::choice).collect();
    let bytes = serde_json::to_vec(&choices).map_or(usize::MAX, |json| json.len());
    if choices.len() > OPTIONS || bytes > room {
        Element::search("Type to search", initial.map(Offer::choice))
    } else {
        let initial = initial.map(|offer| Choice::value_of(&offer.value));
        Element::select(choices, initial.as_deref())
    }
}

fn flow_offers(flows: &Flows) -> Vec<Offer> {
    let flows = flows.flows.iter();
    flows
        .map(|flow| Offer::new(&flow.label, &flow.name))
        .collect()
}

fn target_offers(targets: &[&Target]) -> Vec<Offer> {
    let offer = |target: &&Target| Offer {
        about: Some(format!("for at most {}", target.max_duration)),
        ..Offer::new(&target.label, target.group.as_str())
    };
    targets.iter().map(offer).collect()
}

fn duration_offers(durations: &BTreeSet<Duration>) -> Vec<Offer> {
    let offer = |it: &Duration| Offer::new(it.to_string(), it.seconds().to_string());
    durations.iter().map(offer).collect()
}

/// What the form of `flow` offers in the block `block_id`.
fn offers_in(flow: &Flow, block_id: &str) -> Vec<Offer> {
    let targets: Vec<&Target> = flow.targets.iter().collect();
    match block_id {
        TARGET => target_offers(&targets),
        DURATION => duration_offers(&durations(&targets, u64::MAX)),
        _ => flow
            .fields
            .iter()
            .find(|field| field.name == block_id)
            .map_or_else(Vec::new, |field| match &field.kind {
                FieldKind::Choice(choices) => choice_offers(choices),
                _ => Vec::new(),
            }),
    }
}

fn choice_offers(choices: &[String]) -> Vec<Offer> {
    let choices = choices.iter();
    choices.map(|text| Offer::new(text, text)).collect()
}

/// The durations that any of `targets` offers, up to `most_s` seconds.
fn durations(targets: &[&Target], most_s: u64) -> BTreeSet<Duration> {
    let all = targets.iter().flat_map(|target| &target.durations);
    let mut durations = BTreeSet::new();
    durations.extend(all.filter(|it| it.seconds() <= most_s));
    durations
}

/// How well `label` fits what was `typed`, both in lower case; 0 is best.
fn rank(label: &str, typed: &str) -> Option<u8> {
    if label == typed {
        Some(0)
    } else if label.starts_with(typed) {
        Some(1)
    } else if label
        .split(|c: char| !c.is_alphanumeric())
        .any(|word| word.starts_with(typed))
    {
        Some(2)
    } else {
        label.contains(typed).then_some(3)
    }
}

fn question(field: &Field, answer: Option<&str>) -> Input {
    let element = match &field.kind {
        FieldKind::Text => Element::text(false, TEXT_LIMIT, answer),
        FieldKind::Number => Element::whole_number(answer.and_then(|it| it.parse().ok())),
        FieldKind::Choice(choices) => {
            let chosen = choices
                .iter()
                .find(|it| Some(Choice::value_of(it).as_str()) == answer);
            menu(
                &choice_offers(choices),
                FIELD_MENU,
                chosen.map(String::as_str),
            )
        }
        FieldKind::Person => Element::person(answer),
        FieldKind::Date => Element::date(answer.and_then(|it| it.parse().ok())),
    };
    Input::new(&field.name, &field.label, element).optional(!field.required)
}

/// What asking for more time means.
fn more_time(target: &Target) -> Mrkdwn {
    Mrkdwn::from("This asks for more time for *")
        + escaped(&target.label)
        + "*, which is given for at most "
        + escaped(&target.max_duration.to_string())
        + " in all. The time that you choose counts from the moment it is approved, and takes the place \
           of what is left then. It never makes your access shorter: asking for less than is left is \
           refused."
}

fn given_for_at_most(target: &Target) -> String {
    format!(
        "{} is given for at most {}",
        target.label, target.max_duration
    )
}

/// `text`, if it is the id of a channel.
fn channel_id(text: &str) -> Option<String> {
    let is_id = |text: &&str| !text.starts_with('#') && Channel::parse(text).is_some();
    Some(text).filter(is_id).map(str::to_owned)
}

/// The view that says why no more time can be asked for.
fn nothing_left(flow: &Flow, target: Option<&Target>, most_s: u64) -> View {
    let why = match target {
        None => Mrkdwn::from("This is not offered any more."),
        Some(target) => {
            let label = Mrkdwn::from("*") + escaped(&target.label) + "*";
            let at_most = escaped(&target.max_duration.to_string());
            let left = if most_s == 0 {
                Mrkdwn::from("nothing of that is left")
            } else {
                escaped(&in_words(most_s)) + " of that is left, less than any duration offered"
            };
            label
                + " is given for at most "
                + at_most
                + ", and "
                + left
                + ". Ask again when it ends."
        }
    };
    View::modal(&flow.label).with(section(why))
}

fn chosen_duration(answer: Option<&str>, target: Option<&Target>) -> Result<Duration, String> {
    let Some(answer) = answer else {
        return Err("choose a duration".to_owned());
    };
    let seconds = answer.parse().ok();
    let Some(duration) = seconds.and_then(Duration::from_seconds) else {
        return Err("this duration is not offered: choose another".to_owned());
    };
    match target {
        Some(target) if duration > target.max_duration => Err(given_for_at_most(target)),
        Some(target) if !target.durations.contains(&duration) => {
            let offered: Vec<String> = target.durations.iter().map(Duration::to_string).collect();
            let offered = cut(&offered.join(", "), 200, false);
            Err(format!("{} is given for one of: {offered}", target.label))
        }
        _ => Ok(duration),
    }
}

fn field_answer(field: &Field, text: &str) -> Result<String, String> {
    match &field.kind {
        FieldKind::Text => within(text, TEXT_LIMIT),
        FieldKind::Number => match text.parse::<i64>() {
            Ok(number) => Ok(number.to_string()),
            Err(_) => Err("this is not a whole number".to_owned()),
        },
        FieldKind::Choice(choices) => choices
            .iter()
            .find(|choice| Choice::value_of(choice) == text)
            .cloned()
            .ok_or_else(|| "this is not offered any more: choose another".to_owned()),
        FieldKind::Person => {
            if is_person(text) {
                Ok(text.to_owned())
            } else {
                Err("this is nobody in Slack".to_owned())
            }
        }
        FieldKind::Date => match text.parse::<Date>() {
            Ok(date) => Ok(date.to_string()),
            Err(_) => Err("this is not a day such as 2026-11-24".to_owned()),
        },
    }
}

fn within(text: &str, limit: usize) -> Result<String, String> {
    let length = text.chars().count();
    if length <= limit {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "this has {length} characters, {limit} at most are kept: shorten it"
        ))
    }
}

/// A flow's header, which is written in Slack's markup: its lines, links and mentions stay, and
/// whatever else is in `<…>` is shown as it is written.
fn header(text: &str) -> Mrkdwn {
    let kept = |inside: &str| {
        let is_link = ["https://", "http://", "mailto:"]
            .iter()
            .any(|scheme| inside.starts_with(scheme));
        match inside.strip_prefix(['@', '#']) {
            Some(id) => Some(mention(id)),
            None => is_link.then(|| Mrkdwn::from("<") + spaced(inside) + ">"),
        }
    };
    let lines = text.trim().lines().map(|line| marked(line, kept));
    Mrkdwn::join(lines, "\n")
}
