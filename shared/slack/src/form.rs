//! The forms: what people are asked, and what they answered.
//!
//! Everything that a form needs to be read again is in its private metadata, and everything that the
//! flows file alone can tell is told inside the form.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use access::flows::{Duration, Field, FieldKind, Flow, Flows, Target, in_words};
use access::{Group, Request, RequestId};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::blocks::{Choice, Choices, Element, Input, View, context, section};
use crate::payload::{Values, ViewRef};
use crate::text::{Mrkdwn, cut, escaped, mention, units};

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
        }
    }

    /// The button's value, at most 2000 characters; a reason that is too long is shortened.
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
            .find(|value| units(value) <= 2000)
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
}

/// The form of `flow`, filled with `prefill` as far as the flow offers it. With `extends` it asks for
/// more time for that request: the target is fixed, and only durations are offered that still fit.
/// Where nothing can be asked for, the view says so and cannot be submitted.
#[must_use]
pub fn form(flow: &Flow, prefill: &Prefill, extends: Option<&Again>) -> View {
    let targets: Vec<&Target> = flow
        .targets
        .iter()
        .filter(|target| extends.is_none_or(|again| again.group == target.group))
        .collect();
    let most_s = extends.and_then(|again| again.up_to_s).unwrap_or(u64::MAX);
    let durations = durations(&targets, most_s);
    if durations.is_empty() {
        return nothing_left(flow, targets.first().copied(), most_s);
    }
    let target = match targets.as_slice() {
        [only] => Some(*only),
        _ => prefill.group.as_ref().and_then(|group| flow.target(group)),
    };
    let duration = prefill.duration_s.and_then(Duration::from_seconds);
    let is_offered = |duration: &Duration| {
        durations.contains(duration) && target.is_none_or(|it| it.durations.contains(duration))
    };
    let kept = Kept {
        flow: flow.name.clone(),
        extends: extends.map(|again| again.request.clone()),
    };
    let mut view = View::form(FORM, &flow.label, "Submit")
        .metadata(serde_json::to_string(&kept).unwrap_or_default())
        .with(flow.header.as_deref().map(|text| section(header(text))));
    if let (Some(_), Some(target)) = (extends, target) {
        view = view.with(section(
            Mrkdwn::from("This asks for more time for *")
                + escaped(&target.label)
                + "*. The time that you choose starts when it is approved, and takes the place of what \
                   is left now.",
        ));
    }
    if let Some(asked) = duration.filter(|asked| !is_offered(asked)) {
        let whom = target.map(|it| Mrkdwn::from(" for *") + escaped(&it.label) + "*");
        let note = escaped(&asked.to_string()) + " is not offered" + whom.unwrap_or_default();
        view = view.with(context([note + ": choose another duration."]));
    }
    let seconds = duration
        .filter(is_offered)
        .map(|it| it.seconds().to_string());
    let group = target.map(|target| target.group.as_str());
    let reason = Element::text(true, REASON_LIMIT, prefill.reason.as_deref());
    let lengths = Input::new(
        DURATION,
        "Duration",
        menu(&duration_offers(&durations), MENU, seconds.as_deref()),
    );
    let differ = targets
        .iter()
        .any(|target| target.durations.len() != durations.len());
    view = view
        .input(Input::new(
            TARGET,
            "Resource",
            menu(&target_offers(&targets), MENU, group),
        ))
        .input(Input::new(REASON, "Reason", reason))
        .input(match (extends, differ) {
            (None, true) => lengths.hint(
                "Not every resource is given for every duration: beside each is how long it is given \
                 for at most.",
            ),
            _ => lengths,
        });
    flow.fields
        .iter()
        .fold(view, |view, field| view.input(question(field)))
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
pub fn prefilled(flows: &Flows, text: &str) -> View {
    let text = text.trim();
    match flows.flows.as_slice() {
        [] => return welcome(),
        [only] => return form(only, &Reading::of(only, text).prefill, None),
        _ => {}
    }
    let readings: Vec<(&Flow, Reading)> = flows
        .flows
        .iter()
        .map(|flow| (flow, Reading::of(flow, text)))
        .filter(|(_, reading)| reading.names_flow)
        .collect();
    let least = readings.iter().map(|(_, reading)| reading.left).min();
    let mut best = readings
        .iter()
        .filter(|(_, reading)| Some(reading.left) == least);
    match (best.next(), best.next()) {
        (Some((flow, reading)), None) => form(flow, &reading.prefill, None),
        _ => picker(flows).metadata(text.to_owned()),
    }
}

/// The form of the flow that was picked in `view`, filled with the text that came with the command.
pub fn picked(flows: &Flows, view: &ViewRef, values: &Values) -> Result<View, Wrong> {
    let Some(name) = values.get(FLOW) else {
        return Err(Wrong::at(FLOW, "choose one"));
    };
    match flows.flow(name) {
        Some(flow) => {
            let reading = Reading::of(flow, &view.private_metadata);
            Ok(form(flow, &reading.prefill, None))
        }
        None => Err(Wrong::at(
            FLOW,
            "this is not offered any more: choose another, or close this and start again",
        )),
    }
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
    fn at(block_id: &str, text: &str) -> Self {
        Self(BTreeMap::from([(block_id.to_owned(), text.to_owned())]))
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
    all.filter(|it| it.seconds() <= most_s).copied().collect()
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

fn question(field: &Field) -> Input {
    let element = match &field.kind {
        FieldKind::Text => Element::text(false, TEXT_LIMIT, None),
        FieldKind::Number => Element::whole_number(None),
        FieldKind::Choice(choices) => menu(&choice_offers(choices), FIELD_MENU, None),
        FieldKind::Person => Element::person(None),
        FieldKind::Date => Element::date(None),
    };
    Input::new(&field.name, &field.label, element).optional(!field.required)
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
        Some(target) if duration > target.max_duration => Err(format!(
            "{} is given for at most {}",
            target.label, target.max_duration
        )),
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
            let is_id = text.starts_with(['U', 'W'])
                && text
                    .chars()
                    .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
            if is_id {
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
    let lines = text.trim().lines().map(|line| {
        let mut out = Mrkdwn::default();
        let mut rest = line;
        while let Some((before, (inside, behind))) = rest
            .split_once('<')
            .and_then(|(before, rest)| Some((before, rest.split_once('>')?)))
        {
            let is_link = ["https://", "http://", "mailto:"]
                .iter()
                .any(|scheme| inside.starts_with(scheme));
            out = out + spaced(before);
            out = match inside.strip_prefix(['@', '#']) {
                Some(id) => out + mention(id),
                None if is_link => out + "<" + spaced(inside) + ">",
                None => out + "&lt;" + spaced(inside) + "&gt;",
            };
            rest = behind;
        }
        out + spaced(rest)
    });
    Mrkdwn::join(lines, "\n")
}

/// `text` escaped, with the space around it, where it may have been escaped by hand already.
fn spaced(text: &str) -> Mrkdwn {
    let raw = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    let space = |yes: bool| Mrkdwn::from(if yes { " " } else { "" });
    let is_blank = raw.trim().is_empty();
    space(raw.starts_with(' ')) + escaped(raw.trim()) + space(raw.ends_with(' ') && !is_blank)
}
