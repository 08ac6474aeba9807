//! From the text of the file to [`Flows`]: what each key means, its default, and what does not go
//! together.

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistakes::Mistakes;
use super::section::{File, Kind, Said, Section};
use super::{
    Channel, Duration, Field, FieldKind, Flow, Flows, Route, Target, is_group_id, is_slack_id,
    is_slug,
};
use crate::names::{Group, Org};

const FILE_KEYS: &[&str] = &[
    "slack_workspace_id",
    "okta_org_domain",
    "error_channel",
    "allow_approver_group_as_target",
    "tags",
    "flow",
];
const FLOW_KEYS: &[&str] = &["name", "label", "header", "field", "target"];
const TARGET_KEYS: &[&str] = &["label", "group_id"];
/// What a flow says for all of its targets, and a target for itself.
const LEVEL_KEYS: &[&str] = &[
    "approver_group",
    "approvals_needed",
    "durations",
    "max_duration",
    "request_timeout",
    "request_channel",
    "request_people",
    "fallback_channel",
    "fallback_people",
    "fallback_after",
    "remind_after",
    "error_channel",
    "notify",
    "tags",
];
const FIELD_KEYS: &[&str] = &["name", "label", "type", "required", "choices"];

/// Names that the form itself uses.
const TAKEN_NAMES: &[&str] = &["flow", "target", "reason", "duration"];
const MOST_FIELDS: usize = 10;
const MOST_MENTIONS: usize = 50;
const MOST_PEOPLE: usize = 10;
/// Slack's limit for the options of one menu (Block Kit reference, "Select menu element").
const MOST_OPTIONS: usize = 100;

const WORKSPACE: Kind<String> = Kind {
    expected: "a Slack workspace id such as `T0123ABCD`",
    read: |v| text_if(v, |text| is_slack_id(text, &['T', 'E'])),
};
const ORG: Kind<Org> = Kind {
    expected: "the bare host name of an Okta org such as `myco.okta.com`, without `https://` and \
               without `-admin`",
    read: |v| org(v.as_str()?),
};
const CHANNEL: Kind<Channel> = Kind {
    expected: "a channel such as `#sym-requests`, or a channel id such as `C0123ABCD`",
    read: |v| Channel::parse(v.as_str()?),
};
const GROUP: Kind<String> = Kind {
    expected: "an Okta group id such as `00g1abcd2EFGH3ijk4x7`",
    read: |v| text_if(v, is_group_id),
};
const DURATION: Kind<Duration> = Kind {
    expected: "a duration such as `30m`, `1h` or `2d`, from one minute to 90 days",
    read: |v| Duration::parse(v.as_str()?),
};
const MENTION: Kind<String> = Kind {
    expected: "the Slack id of a person (`U…`, `W…`) or of a user group (`S…`)",
    read: |v| text_if(v, |text| is_slack_id(text, &['U', 'W', 'S'])),
};
const PERSON: Kind<String> = Kind {
    expected: "the Slack id of a person (`U…`, `W…`), and not of a user group (`S…`), which cannot \
               get direct messages",
    read: |v| text_if(v, |text| is_slack_id(text, &['U', 'W'])),
};
const REMINDER: Kind<Option<Duration>> = Kind {
    expected: "a duration such as `30m`, `1h` or `2d`, from one minute to 90 days, or `never`",
    read: |v| match v.as_str()? {
        "never" => Some(None),
        text => Duration::parse(text).map(Some),
    },
};
const SLUG: Kind<String> = Kind {
    expected: "1 to 40 lower-case letters, digits and `-`",
    read: |v| text_if(v, is_slug),
};
const FIELD_NAME: Kind<String> = Kind {
    expected: "1 to 40 lower-case letters, digits and `-`, and none of `flow`, `target`, `reason` and \
               `duration`, which every form has",
    read: |v| text_if(v, |text| is_slug(text) && !TAKEN_NAMES.contains(&text)),
};
const LABEL: Kind<String> = Kind {
    expected: "a text of 1 to 75 characters in one line, without space around it",
    read: |v| text_if(v, is_label),
};
const HEADER: Kind<String> = Kind {
    expected: "a text of 1 to 3000 characters",
    read: |v| {
        text_if(v, |text| {
            !text.trim().is_empty() && text.chars().count() <= 3000
        })
    },
};
const TAG: Kind<String> = Kind {
    expected: "a text",
    read: |v| text_if(v, |_| true),
};
const APPROVALS: Kind<u32> = Kind {
    expected: "a whole number from 1 to 10",
    read: |v| {
        let number = v.as_integer()?;
        let number = u32::from_str_radix(number.as_str(), number.radix()).ok()?;
        (1..=10).contains(&number).then_some(number)
    },
};
const YES_OR_NO: Kind<bool> = Kind {
    expected: "`true` or `false`",
    read: |v| v.as_bool(),
};
const FIELD_TYPE: Kind<FieldKind> = Kind {
    expected: "`text`, `number`, `choice`, `person` or `date`",
    read: |v| match v.as_str()? {
        "text" => Some(FieldKind::Text),
        "number" => Some(FieldKind::Number),
        "choice" => Some(FieldKind::Choice(Vec::new())),
        "person" => Some(FieldKind::Person),
        "date" => Some(FieldKind::Date),
        _ => None,
    },
};

/// Two keys, of which one says where cards are posted.
struct RouteKeys {
    channel: &'static str,
    people: &'static str,
    /// What the value of `channel` may be.
    kind: Kind<Route>,
}

const REQUEST: RouteKeys = RouteKeys {
    channel: "request_channel",
    people: "request_people",
    kind: Kind {
        expected: "a channel such as `#sym-requests`, a channel id such as `C0123ABCD`, or \
                   `asked-from`",
        read: |v| match v.as_str()? {
            "asked-from" => Some(Route::AskedFrom),
            text => Channel::parse(text).map(Route::Channel),
        },
    },
};
const FALLBACK: RouteKeys = RouteKeys {
    channel: "fallback_channel",
    people: "fallback_people",
    kind: Kind {
        expected: "a channel such as `#sym-requests`, or a channel id such as `C0123ABCD`, and not \
                   `asked-from`, which needs a fallback itself",
        read: |v| Channel::parse(v.as_str()?).map(Route::Channel),
    },
};

pub(super) fn parse(text: &str) -> Result<Flows, Mistakes> {
    let mut file = File::new(text);
    if text.len() > Flows::SIZE_LIMIT {
        let limit = Flows::SIZE_LIMIT;
        let found = format!("the file is {} bytes, expected at most {limit}", text.len());
        file.wrong(0, found);
        return file.done(None);
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    // A key that is there twice leaves the rest readable, other errors do not.
    let mut is_readable = true;
    for error in &errors {
        let span = error.span().unwrap_or_default();
        let start = span.start;
        let wrong = if error.message() == "duplicate key" {
            format!(
                "{} is there a second time, expected each key once",
                file.written(span)
            )
        } else {
            is_readable = false;
            format!("this is not TOML: {}", error.message().replace('\n', ", "))
        };
        file.wrong(start, wrong);
    }
    let flows = is_readable.then(|| read_file(&mut file, table.get_ref()));
    file.done(flows.flatten())
}

fn read_file(file: &mut File<'_>, table: &DeTable<'_>) -> Option<Flows> {
    let section = Section::open(file, table, "file", 0, &[FILE_KEYS]);
    let slack_workspace_id = section.required(file, "slack_workspace_id", &WORKSPACE);
    let okta_org = section.required(file, "okta_org_domain", &ORG);
    let error_channel = section
        .optional(file, "error_channel", &CHANNEL)
        .map_or_else(|| Channel("#sym-errors".to_owned()), Spanned::into_inner);
    let approvers_may_be_targets = section
        .optional(file, "allow_approver_group_as_target", &YES_OR_NO)
        .is_some_and(Spanned::into_inner);
    let top = Level {
        error_channel: Some(error_channel.clone()),
        tags: section.texts(file, "tags", &TAG),
        ..Level::default()
    };
    let mut groups = Groups::default();
    let (mut names, mut labels) = (Once::new("flow", "name"), Once::new("flow", "label"));
    let mut flows = Vec::new();
    for (start, table) in section.tables(file, "flow", "flow") {
        let section = Section::open(file, table, "flow", start, &[FLOW_KEYS, LEVEL_KEYS]);
        let name = section.required(file, "name", &SLUG);
        let label = section.required(file, "label", &LABEL);
        names.check(file, name.as_ref());
        labels.check(file, label.as_ref());
        flows.push(read_flow(file, &section, &top, &mut groups, name, label));
    }
    if !approvers_may_be_targets {
        groups.check(file);
    }
    Some(Flows {
        slack_workspace_id: slack_workspace_id?.into_inner(),
        okta_org: okta_org?.into_inner(),
        error_channel,
        flows: flows.into_iter().collect::<Option<_>>()?,
        warnings: file.odd_ones(),
    })
}

fn read_flow(
    file: &mut File<'_>,
    section: &Section<'_>,
    top: &Level,
    groups: &mut Groups,
    name: Option<Spanned<String>>,
    label: Option<Spanned<String>>,
) -> Option<Flow> {
    let header = section.optional(file, "header", &HEADER);
    if !REQUEST.are_in(section) {
        section.wrong(
            file,
            "has neither `request_channel` nor `request_people`, expected one of them, such as \
             `request_channel = \"#sym-requests\"`",
        );
    }
    section.must_have(
        file,
        "durations",
        "a list of durations such as `[\"30m\", \"1h\"]`",
    );
    let level = Level::read(file, section, groups).within(top);
    let fields = read_fields(file, section);
    let targets = read_targets(file, section, &level, groups);
    Some(Flow {
        name: name?.into_inner(),
        label: label?.into_inner(),
        header: header.map(Spanned::into_inner),
        fields: fields?,
        targets: targets?,
    })
}

fn read_targets(
    file: &mut File<'_>,
    flow: &Section<'_>,
    level: &Level,
    groups: &mut Groups,
) -> Option<Vec<Target>> {
    let (mut labels, mut ids) = (
        Once::new("target", "label"),
        Once::new("target", "group_id"),
    );
    let mut targets = Vec::new();
    let mut has_fallback = level.has_fallback();
    // The longest durations of the targets that have the flow's durations.
    let mut limits = Vec::new();
    for (start, table) in flow.tables(file, "target", "flow.target") {
        let section = Section::open(file, table, "target", start, &[TARGET_KEYS, LEVEL_KEYS]);
        let label = section.required(file, "label", &LABEL);
        let group = section.required(file, "group_id", &GROUP);
        labels.check(file, label.as_ref());
        ids.check(file, group.as_ref());
        groups.targets.extend(group.clone());
        let own = Level::read(file, &section, groups);
        let has_own_durations = own.durations.is_some();
        // What could not be read is not held against the rest.
        let is_clear = section.has("durations") == has_own_durations
            && section.has("max_duration") == own.max_duration.is_some();
        let level = own.within(level);
        has_fallback |= level.has_fallback();
        check_routes(file, &section, &level);
        let max_duration = level.max().filter(|_| is_clear);
        let durations = max_duration.and_then(|max| level.offered(max));
        match (durations.as_deref(), &level.max_duration) {
            _ if has_own_durations => {
                for (start, wrong) in level.too_long(file, max_duration) {
                    file.wrong(start, wrong);
                }
            }
            (Some([]), Some(max)) => {
                let found = file.written(max.span());
                let wrong = format!(
                    "`max_duration` is {found}, expected at least the shortest of the flow's \
                     `durations`"
                );
                file.wrong(max.span().start, wrong);
            }
            _ => limits.push(max_duration),
        }
        targets.push(level.target(label, group, durations, max_duration));
    }
    if targets.is_empty() {
        flow.wrong(
            file,
            "has no targets, expected at least one `[[flow.target]]`",
        );
    }
    if !has_fallback {
        level.unused_fallback_after(file);
    }
    let limits: Option<Vec<Duration>> = limits.into_iter().collect();
    for (start, odd) in level.too_long(file, limits.and_then(|limits| limits.into_iter().max())) {
        file.odd(start, odd + ", so it is never offered");
    }
    targets.into_iter().collect()
}

fn read_fields(file: &mut File<'_>, flow: &Section<'_>) -> Option<Vec<Field>> {
    let (mut names, mut labels) = (Once::new("field", "name"), Once::new("field", "label"));
    let mut fields = Vec::new();
    for (start, table) in flow.tables(file, "field", "flow.field") {
        let section = Section::open(file, table, "field", start, &[FIELD_KEYS]);
        let name = section.required(file, "name", &FIELD_NAME);
        let label = section.required(file, "label", &LABEL);
        names.check(file, name.as_ref());
        labels.check(file, label.as_ref());
        fields.push(read_field(file, &section, name, label));
        if fields.len() > MOST_FIELDS {
            let found = fields.len();
            section.wrong(
                file,
                &format!("is number {found}, expected at most {MOST_FIELDS}"),
            );
        }
    }
    fields.into_iter().collect()
}

fn read_field(
    file: &mut File<'_>,
    section: &Section<'_>,
    name: Option<Spanned<String>>,
    label: Option<Spanned<String>>,
) -> Option<Field> {
    let kind = section.required(file, "type", &FIELD_TYPE);
    let required = section.optional(file, "required", &YES_OR_NO);
    let choices = section.list(file, "choices", &LABEL, 1..=MOST_OPTIONS);
    let kind = match (kind?.into_inner(), choices) {
        (FieldKind::Choice(_), Some(choices)) => FieldKind::Choice(plain(choices)),
        (FieldKind::Choice(_), None) => {
            section.must_have(
                file,
                "choices",
                "a list of texts, because its `type` is `choice`",
            );
            return None;
        }
        (_, Some(_)) => {
            section.wrong(
                file,
                "has `choices`, expected only with `type = \"choice\"`",
            );
            return None;
        }
        (kind, None) => kind,
    };
    Some(Field {
        name: name?.into_inner(),
        label: label?.into_inner(),
        kind,
        required: required.is_none_or(Spanned::into_inner),
    })
}

/// What the file, a flow or a target says about targets.
#[derive(Default, Clone)]
struct Level {
    approver_group: Option<Group>,
    approvals_needed: Option<u32>,
    durations: Option<Vec<Spanned<Duration>>>,
    max_duration: Option<Spanned<Duration>>,
    request_timeout: Said<Duration>,
    request: Said<Route>,
    fallback: Said<Route>,
    fallback_after: Said<Duration>,
    remind_after: Option<Spanned<Option<Duration>>>,
    error_channel: Option<Channel>,
    notify: Option<Vec<String>>,
    tags: BTreeMap<String, String>,
}

impl Level {
    fn read(file: &mut File<'_>, section: &Section<'_>, groups: &mut Groups) -> Self {
        let approver_group = section.optional(file, "approver_group", &GROUP);
        groups
            .approvers
            .extend(approver_group.iter().map(|group| group.get_ref().clone()));
        Self {
            approver_group: approver_group.map(|group| Group::new(group.into_inner())),
            approvals_needed: inner(section.optional(file, "approvals_needed", &APPROVALS)),
            durations: section.list(file, "durations", &DURATION, 1..=MOST_OPTIONS),
            max_duration: section.optional(file, "max_duration", &DURATION),
            request_timeout: section.said(file, "request_timeout", &DURATION),
            request: REQUEST.read(file, section),
            fallback: FALLBACK.read(file, section),
            fallback_after: section.said(file, "fallback_after", &DURATION),
            remind_after: section.optional(file, "remind_after", &REMINDER),
            error_channel: inner(section.optional(file, "error_channel", &CHANNEL)),
            notify: section
                .list(file, "notify", &MENTION, 0..=MOST_MENTIONS)
                .map(plain),
            tags: section.texts(file, "tags", &TAG),
        }
    }

    /// What holds at this level inside `outer`: the nearest says.
    fn within(self, outer: &Self) -> Self {
        let outer = outer.clone();
        let mut tags = outer.tags;
        tags.extend(self.tags);
        Self {
            approver_group: self.approver_group.or(outer.approver_group),
            approvals_needed: self.approvals_needed.or(outer.approvals_needed),
            durations: self.durations.or(outer.durations),
            max_duration: self.max_duration.or(outer.max_duration),
            request_timeout: self.request_timeout.or(outer.request_timeout),
            request: self.request.or(outer.request),
            fallback: self.fallback.or(outer.fallback),
            fallback_after: self.fallback_after.or(outer.fallback_after),
            remind_after: self.remind_after.or(outer.remind_after),
            error_channel: self.error_channel.or(outer.error_channel),
            notify: self.notify.or(outer.notify),
            tags,
        }
    }

    /// The longest that a request may last.
    fn max(&self) -> Option<Duration> {
        let longest = || self.durations.as_ref()?.iter().map(Spanned::get_ref).max();
        self.max_duration
            .as_ref()
            .map(Spanned::get_ref)
            .or_else(longest)
            .copied()
    }

    /// The durations up to `max`, shortest first.
    fn offered(&self, max: Duration) -> Option<Vec<Duration>> {
        let mut offered = plain(self.durations.clone()?);
        offered.retain(|duration| *duration <= max);
        offered.sort_unstable();
        Some(offered)
    }

    /// Where the durations are that are longer than `max`, and what to say of each.
    fn too_long(&self, file: &File<'_>, max: Option<Duration>) -> Vec<(usize, String)> {
        let Some(max) = max else { return Vec::new() };
        self.durations
            .iter()
            .flatten()
            .filter(|duration| *duration.get_ref() > max)
            .map(|duration| {
                let found = file.written(duration.span());
                let wrong = format!(
                    "`durations` has {found}, expected at most the longest `max_duration`, {max}"
                );
                (duration.span().start, wrong)
            })
            .collect()
    }

    /// How long a request waits; none if it cannot be read.
    fn timeout(&self) -> Option<Duration> {
        match &self.request_timeout {
            Said::Nothing => Some(Duration::DAY),
            Said::Wrong => None,
            Said::Right(timeout) => Some(*timeout.get_ref()),
        }
    }

    /// How long it waits before others are asked; none if it cannot be read.
    fn fallback_after(&self) -> Option<Duration> {
        match &self.fallback_after {
            Said::Nothing => {
                let half_s = self.timeout()?.seconds() / 2;
                Some(Duration::from_seconds(half_s).unwrap_or(Duration::SHORTEST))
            }
            Said::Wrong => None,
            Said::Right(after) => Some(*after.get_ref()),
        }
    }

    /// Whether there are others to ask, right or wrong.
    fn has_fallback(&self) -> bool {
        !matches!(self.fallback, Said::Nothing)
    }

    /// Notes that there is nobody else to ask at the time that is said.
    fn unused_fallback_after(&self, file: &mut File<'_>) {
        if let Said::Right(after) = &self.fallback_after {
            let found = file.written(after.span());
            let wrong = format!(
                "`fallback_after` is {found}, expected only with a `fallback_channel` or \
                 `fallback_people`"
            );
            file.wrong(after.span().start, wrong);
        }
    }

    fn target(
        self,
        label: Option<Spanned<String>>,
        group: Option<Spanned<String>>,
        durations: Option<Vec<Duration>>,
        max_duration: Option<Duration>,
    ) -> Option<Target> {
        let (request_timeout, fallback_after) = (self.timeout()?, self.fallback_after()?);
        Some(Target {
            label: label?.into_inner(),
            group: Group::new(group?.into_inner()),
            approver_group: self.approver_group,
            approvals_needed: self.approvals_needed.unwrap_or(1),
            durations: durations?,
            max_duration: max_duration?,
            request_timeout,
            fallback_after,
            route: self.request.right()?.into_inner(),
            fallback: inner(self.fallback.right()),
            remind_after: self
                .remind_after
                .map_or(Duration::parse("1h"), Spanned::into_inner),
            error_channel: self.error_channel?,
            notify: self.notify.unwrap_or_default(),
            tags: self.tags,
        })
    }
}

impl RouteKeys {
    /// What `section` says with them.
    fn read(&self, file: &mut File<'_>, section: &Section<'_>) -> Said<Route> {
        let channel = section.optional(file, self.channel, &self.kind);
        let people = section.list(file, self.people, &PERSON, 1..=MOST_PEOPLE);
        match (section.span(self.channel), section.span(self.people)) {
            (None, None) => Said::Nothing,
            (Some(_), None) => channel.into(),
            (None, Some(span)) => people
                .map(|people| Spanned::new(span, Route::People(plain(people))))
                .into(),
            (Some(channel), Some(people)) => {
                let mut both = [(channel.start, self.channel), (people.start, self.people)];
                both.sort_unstable();
                let [(first, one), (second, other)] = both;
                let line = file.line(first);
                let wrong = format!(
                    "`{other}` is there as well as `{one}` in line {line}, expected only one of them"
                );
                file.wrong(second, wrong);
                Said::Wrong
            }
        }
    }

    /// Whether one of them is in `section`.
    fn are_in(&self, section: &Section<'_>) -> bool {
        section.has(self.channel) || section.has(self.people)
    }

    /// The one that says `route`.
    fn of(&self, route: &Route) -> &'static str {
        match route {
            Route::Channel(_) | Route::AskedFrom => self.channel,
            Route::People(_) => self.people,
        }
    }
}

/// Notes what does not go together in where the requests for the target of `section` go, for which
/// `level` holds. The nearer one of two values is the wrong one.
fn check_routes(file: &mut File<'_>, section: &Section<'_>, level: &Level) {
    if !level.has_fallback() {
        if section.has("fallback_after") {
            level.unused_fallback_after(file);
        }
        if let Said::Right(request) = &level.request
            && *request.get_ref() == Route::AskedFrom
        {
            let wrong = "`request_channel` is `asked-from`, expected a `fallback_channel` or \
                         `fallback_people` as well, for requests that come from no channel";
            file.wrong(request.span().start, wrong.to_owned());
        }
        return;
    }
    if let (Said::Right(request), Said::Right(fallback)) = (&level.request, &level.fallback)
        && is_same(request.get_ref(), fallback.get_ref())
    {
        let request = (request, REQUEST.of(request.get_ref()));
        let fallback = (fallback, FALLBACK.of(fallback.get_ref()));
        let ((near, key), (far, other)) = if REQUEST.are_in(section) && !FALLBACK.are_in(section) {
            (request, fallback)
        } else {
            (fallback, request)
        };
        let (found, line) = (file.written(near.span()), file.line(far.span().start));
        let expected = match near.get_ref() {
            Route::People(_) => "others",
            Route::Channel(_) | Route::AskedFrom => "another",
        };
        let wrong = format!(
            "`{key}` is {found}, the same as `{other}` in line {line}, expected {expected}"
        );
        file.wrong(near.span().start, wrong);
    }
    if let (Some(after), Some(timeout)) = (level.fallback_after(), level.timeout())
        && after >= timeout
    {
        let is_timeout_near = section.has("request_timeout") && !section.has("fallback_after");
        let (near, key, expected) = match (&level.fallback_after, &level.request_timeout) {
            (Said::Right(near), _) if !is_timeout_near => (
                near,
                "fallback_after",
                format!("less than `request_timeout`, {timeout}"),
            ),
            (_, Said::Right(near)) => (
                near,
                "request_timeout",
                format!("more than `fallback_after`, {after}"),
            ),
            _ => return,
        };
        let found = file.written(near.span());
        file.wrong(
            near.span().start,
            format!("`{key}` is {found}, expected {expected}"),
        );
    }
}

/// Whether the same people see a card there.
fn is_same(one: &Route, other: &Route) -> bool {
    match (one, other) {
        (Route::People(one), Route::People(other)) => {
            // Nobody is in either twice.
            one.len() == other.len() && one.iter().all(|person| other.contains(person))
        }
        _ => one == other,
    }
}

/// All the groups in the file.
#[derive(Default)]
struct Groups {
    approvers: BTreeSet<String>,
    targets: Vec<Spanned<String>>,
}

impl Groups {
    /// Notes the targets whose members could let one another in.
    fn check(&self, file: &mut File<'_>) {
        for target in self
            .targets
            .iter()
            .filter(|target| self.approvers.contains(target.get_ref()))
        {
            file.wrong(
                target.span().start,
                format!(
                    "`group_id` is `{}`, which is an approver group, expected another group or \
                     `allow_approver_group_as_target = true`",
                    target.get_ref()
                ),
            );
        }
    }
}

/// The values of one key, which must differ by more than case.
struct Once {
    what: &'static str,
    key: &'static str,
    lines: BTreeMap<String, usize>,
}

impl Once {
    fn new(what: &'static str, key: &'static str) -> Self {
        Self {
            what,
            key,
            lines: BTreeMap::new(),
        }
    }

    fn check(&mut self, file: &mut File<'_>, value: Option<&Spanned<String>>) {
        let Some(value) = value else { return };
        let start = value.span().start;
        let line = file.line(start);
        if let Some(first) = self.lines.insert(value.get_ref().to_lowercase(), line) {
            let (what, key) = (self.what, self.key);
            let text = format!(
                "`{key}` is `{}`, the same as in line {first}, expected another for each {what}",
                value.get_ref()
            );
            file.wrong(start, text);
        }
    }
}

fn inner<T>(value: Option<Spanned<T>>) -> Option<T> {
    value.map(Spanned::into_inner)
}

fn plain<T>(list: Vec<Spanned<T>>) -> Vec<T> {
    list.into_iter().map(Spanned::into_inner).collect()
}

fn text_if(value: &DeValue<'_>, is_right: impl Fn(&str) -> bool) -> Option<String> {
    value
        .as_str()
        .filter(|text| is_right(text))
        .map(str::to_owned)
}

/// 75 characters are Slack's limit for an option (Block Kit reference, "Option object").
fn is_label(text: &str) -> bool {
    (1..=75).contains(&text.chars().count())
        && text.trim() == text
        && !text.chars().any(char::is_control)
}

/// A host name in lower case. The address of Okta's admin console is a common slip: the API does not
/// answer there (Okta developer guide, "Find your Okta domain").
fn org(text: &str) -> Option<Org> {
    let host = text.to_lowercase();
    let is_part = |part: &str| {
        (1..=63).contains(&part.len())
            && part
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    let parts: Vec<&str> = host.split('.').collect();
    let is_console = match parts.as_slice() {
        [name, "okta" | "okta-emea" | "oktapreview", "com"] => name.ends_with("-admin"),
        _ => false,
    };
    let is_host = host.len() <= 253 && parts.len() > 1 && parts.iter().all(|part| is_part(part));
    (is_host && !is_console).then(|| Org::new(host))
}
