//! The Home tab: what somebody holds, what waits for them, what they asked for, and who holds what.
//!
//! Each section shows ten rows, and the rest on demand, so that any number of grants fits into a view.

use access::flows::in_words;
use access::{Request, SlackUser, State, Trouble};
use jiff::Timestamp;

use crate::blocks::{Block, Button, Home, actions, context, divider, header, section};
use crate::card::{
    again, approve, cancel, closed_how, deny, has_approved, holding, may_ask_again, requester,
    revoke, show_everything, so_far, warning,
};
use crate::text::{Mrkdwn, date, escaped, short};

/// Opens the form; its value is what would follow the slash command.
pub const ASK: &str = "ask";
/// Shows more of a section, or its beginning again.
pub const MORE: &str = "more";

/// What a Home tab shows.
#[derive(Debug, Clone, Copy)]
pub struct Contents<'a> {
    /// The present time.
    pub now: Timestamp,
    /// Whose Home tab it is.
    pub viewer: &'a SlackUser,
    /// Whether any flow is configured.
    pub is_configured: bool,
    /// The viewer's own requests, newest first.
    pub own: &'a [Request],
    /// Requests that wait for a decision which the viewer may make.
    pub waiting: &'a [Request],
    /// Requests of others that hold access, which the viewer may revoke.
    pub held: &'a [Request],
    /// The section of which more is shown.
    pub more: Option<More>,
    /// What could not be found out.
    pub trouble: Option<&'a Trouble>,
}

/// Where a section begins; the value of the buttons [`MORE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct More {
    /// Which.
    pub section: Section,
    /// How many of its rows are left out before the first that is shown.
    pub from: usize,
}

/// A part of the Home tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// What the viewer holds.
    Holding,
    /// What waits for the viewer.
    Waiting,
    /// What the viewer asked for lately.
    Lately,
    /// Who else holds what.
    Held,
}

impl Section {
    const ALL: [Self; 4] = [Self::Holding, Self::Waiting, Self::Lately, Self::Held];

    fn title(self) -> &'static str {
        match self {
            Self::Holding => "What you hold",
            Self::Waiting => "What waits for you",
            Self::Lately => "What you asked for lately",
            Self::Held => "Who holds what",
        }
    }

    /// What is said where there is nothing; a section that would be of no use is left out.
    fn when_empty(self) -> Option<&'static str> {
        match self {
            Self::Holding => Some("Nothing at the moment."),
            Self::Lately => Some("Nothing lately."),
            Self::Waiting | Self::Held => None,
        }
    }

    fn button(self, label: &str, from: usize) -> Button {
        let more = More {
            section: self,
            from,
        };
        Button::new(MORE, label, &more.to_value())
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Holding => "holding",
            Self::Waiting => "waiting",
            Self::Lately => "lately",
            Self::Held => "held",
        }
    }
}

impl More {
    /// Reads a button's value, such as `waiting:10`.
    #[must_use]
    pub fn read(value: &str) -> Option<Self> {
        let (name, from) = value.split_once(':')?;
        let section = Section::ALL.into_iter().find(|it| it.as_str() == name)?;
        Some(Self {
            section,
            from: from.parse().ok()?,
        })
    }

    /// The button's value.
    #[must_use]
    pub fn to_value(self) -> String {
        format!("{}:{}", self.section.as_str(), self.from)
    }
}

/// How many rows of a section are shown at once.
const ROWS: usize = 10;
/// How much of a label a row shows.
const LABEL: usize = 100;
/// How much of a reason or a note a row shows.
const REASON: usize = 100;

/// The Home tab that shows `contents`.
#[must_use]
pub fn home(contents: &Contents<'_>) -> Home {
    let is_holding = |request: &&Request| {
        matches!(
            request.state,
            State::Approved | State::Escalating | State::Active | State::Deescalating
        )
    };
    let (holding, lately): (Vec<&Request>, Vec<&Request>) =
        contents.own.iter().partition(is_holding);
    let waiting: Vec<&Request> = contents.waiting.iter().collect();
    let held: Vec<&Request> = contents.held.iter().collect();
    let mut home = Home::new().with(contents.trouble.map(|it| section(warning(it))));
    home = if contents.is_configured {
        home.with(actions([Button::new(ASK, "Ask for access", "").primary()]))
    } else {
        home.with(section(
            "*Welcome to Stint.* It gives people access for a while, and takes it back on time.\nThere is \
             nothing to ask for yet, because no flow is configured. The platform team adds a `[[flow]]` \
             with its targets to `infra/flows/flows.toml` and deploys it.",
        ))
    };
    let parts = [
        (Section::Holding, holding),
        (Section::Waiting, waiting),
        (Section::Lately, lately),
        (Section::Held, held),
    ];
    for (section, requests) in parts {
        let blocks = part(section, &requests, contents);
        home = blocks.into_iter().fold(home, Home::with);
    }
    let mut shown = contents.own.iter().chain(contents.held);
    let counts = shown.any(|request| request.state == State::Active);
    let as_of = Mrkdwn::from("What is left is as of ") + date(contents.now) + ".";
    home.with(context(counts.then_some(as_of)))
}

/// The Home tab of somebody who may take no part, and `why`.
#[must_use]
pub fn no_part(why: &str) -> Home {
    Home::new()
        .with(section(
            "*Stint gives people access for a while, and takes it back on time.*",
        ))
        .with(section(escaped(why)))
}

/// A section: its title, its rows, and the ways to the others.
fn part(section_: Section, requests: &[&Request], contents: &Contents<'_>) -> Vec<Block> {
    if requests.is_empty() {
        return match section_.when_empty() {
            Some(line) => vec![divider(), header(section_.title()), section(line)],
            None => Vec::new(),
        };
    }
    let more = contents.more.filter(|more| more.section == section_);
    let last_page = (requests.len() - 1) / ROWS * ROWS;
    let from = more.map_or(0, |more| more.from).min(last_page);
    let shown = requests.iter().skip(from).take(ROWS);
    let behind = requests.len().saturating_sub(from + ROWS);
    let mut blocks = vec![divider(), header(section_.title())];
    if from > 0 {
        let to = from + shown.len();
        let of = format!("{} to {to} of {}", from + 1, requests.len());
        blocks.push(section(escaped(&of)).beside(section_.button("Back to the beginning", 0)));
    }
    for request in shown {
        blocks.extend(row(section_, request, contents));
    }
    if behind > 0 {
        let label = format!("Show more ({behind})");
        blocks.extend(actions([section_.button(&label, from + ROWS)]));
    }
    blocks
}

/// A request and what can be done about it.
fn row(section_: Section, request: &Request, contents: &Contents<'_>) -> Vec<Block> {
    let standing = || standing(request, contents);
    let (text, mut buttons) = match section_ {
        Section::Holding => (
            what(request) + "\n" + standing(),
            match request.state {
                State::Active => holding(request),
                _ => Vec::new(),
            },
        ),
        Section::Waiting => (
            what(request)
                + " · "
                + requester(request)
                + "\n_"
                + short(&request.reason, REASON)
                + "_\n"
                + standing(),
            if has_approved(request, contents.viewer) {
                vec![deny(request)]
            } else {
                vec![approve(request), deny(request)]
            },
        ),
        Section::Lately => (
            what(request) + "\n" + standing(),
            match request.state {
                State::Pending => vec![cancel(request)],
                _ if may_ask_again(request) => vec![again(request)],
                _ => Vec::new(),
            },
        ),
        Section::Held => (
            what(request) + " · " + requester(request) + "\n" + standing(),
            match request.state {
                State::Active => vec![revoke(request)],
                _ => Vec::new(),
            },
        ),
    };
    if text.is_cut() {
        buttons.push(show_everything(request));
    }
    let id = format!("{}-{}", section_.as_str(), request.id);
    let text = section(text).id(&id);
    match buttons.as_slice() {
        [only] => vec![text.beside(only.clone())],
        _ => std::iter::once(text)
            .chain(actions(buttons).map(|block| block.id(&(id + "-buttons"))))
            .collect(),
    }
}

/// The target, the flow and the duration.
fn what(request: &Request) -> Mrkdwn {
    Mrkdwn::from("*")
        + short(&request.label, LABEL)
        + "* · "
        + short(&request.flow_label, LABEL)
        + " · "
        + escaped(&in_words(request.duration_s))
}

/// How it stands, on one line.
fn standing(request: &Request, contents: &Contents<'_>) -> Mrkdwn {
    let stands = match request.state {
        State::Pending => {
            let stands = Mrkdwn::from("🔑 waits for an answer until ") + date(request.expires_at);
            if request.approvals.is_empty() {
                stands
            } else if has_approved(request, contents.viewer) {
                stands + " · you approved " + so_far(request)
            } else {
                stands + " · approved " + so_far(request)
            }
        }
        State::Approved | State::Escalating => Mrkdwn::from("⏳ approved, adding to Okta…"),
        State::Active => match request.ends_at {
            Some(end) => Mrkdwn::from("✅ until ") + date(end) + " · " + left(end, contents.now),
            None => Mrkdwn::from("✅ active"),
        },
        State::Deescalating => Mrkdwn::from("⏳ removing…"),
        _ => closed_how(request),
    };
    match &request.trouble {
        Some(trouble) => stands + "\n⚠️ " + short(&trouble.error, REASON),
        None => stands,
    }
}

/// How long it is from `now` to `end`, in words.
fn left(end: Timestamp, now: Timestamp) -> Mrkdwn {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 3600;
    let left_s = u64::try_from(end.duration_since(now).as_secs()).unwrap_or_default();
    let whole = |unit_s: u64| {
        let rounded_s = left_s.saturating_add(unit_s / 2) / unit_s * unit_s;
        escaped(&in_words(rounded_s)) + " left"
    };
    match left_s {
        0..MINUTE => Mrkdwn::from("less than a minute left"),
        MINUTE..86_400 => whole(MINUTE),
        _ => whole(HOUR),
    }
}
