//! The Home tab: what somebody holds, what waits for them, what they asked for, who holds what.
//!
//! It shows, and decides nothing: whatever is pressed in it is held to the policy as anywhere else.

use std::collections::BTreeMap;

use access::flows::{Flows, Target};
use access::policy::{Question, Verdict};
use access::{Action, Group, Person, Request, RequestId, SlackUser, State, Trouble, Viewer};
use drive::trouble_of;
use jiff::{SignedDuration, Timestamp};
use slack::home::{Contents, More, home, no_part};

use crate::people::{Unknown, in_okta, why_no_part};
use crate::rules::{Asking, Rules};
use crate::{Deps, Error};

/// How many of a person's latest requests are shown, at most.
const LATELY: u8 = 50;

/// How often a Home tab is drawn because something has changed meanwhile.
const ROUNDS: u32 = 4;

/// How long what Okta said of somebody's groups is good enough for a Home tab that is drawn again, and for
/// one that they open.
const GROUPS_KEPT: SignedDuration = SignedDuration::from_mins(15);
const GROUPS_FRESH: SignedDuration = SignedDuration::from_mins(1);

/// The most targets of which the policy is asked whether somebody could decide on them.
const TARGETS: usize = 200;

/// Somebody opened their Home tab, or turned to `more` of it: it is drawn, and kept up to date from now on.
pub(crate) async fn open(deps: &Deps, user: &SlackUser, more: Option<More>) -> Result<(), Error> {
    let table = &deps.tools.table;
    let known = table.viewer(user).await?;
    let more_value = more.map(More::to_value);
    let viewer = Viewer::opened(user.clone(), known.as_ref(), more_value, deps.tools.now());
    match table.put_viewer(&viewer, known.as_ref()).await {
        Ok(()) | Err(aws::Error::Moved) => {}
        Err(error) => return Err(error.into()),
    }
    let drawn = draw(deps, user, None, GROUPS_FRESH).await;
    match more {
        // Somebody waits for what they pressed.
        Some(_) => drawn,
        None => left_to_the_sweep(user, drawn),
    }
}

/// Somebody pressed a button in their Home tab, and so looks at it: it is kept up to date again, if it
/// was not any more.
pub(crate) async fn seen(deps: &Deps, user: &SlackUser) -> Result<(), Error> {
    let known = deps.tools.table.viewer(user).await?;
    match known {
        Some(viewer) if !viewer.has_left(deps.tools.now()) => Ok(()),
        _ => open(deps, user, None).await,
    }
}

/// Something has changed that the Home tab of `user` shows; `request`, if it was one.
pub(crate) async fn redraw(
    deps: &Deps,
    user: &SlackUser,
    request: Option<&RequestId>,
) -> Result<(), Error> {
    left_to_the_sweep(user, draw(deps, user, request, GROUPS_KEPT).await)
}

/// What Slack did not take is still due.
fn left_to_the_sweep(user: &SlackUser, drawn: Result<(), Error>) -> Result<(), Error> {
    match drawn {
        Err(Error::Untold(error)) => {
            tracing::warn!(%user, %error, "the Home tab of {user} is not drawn yet: {error}");
            Ok(())
        }
        drawn => drawn,
    }
}

/// Draws the Home tab of `user`, and again while it changes; what is known of their groups must be no older
/// than `kept`. The indexes may not show `request` as it is yet.
async fn draw(
    deps: &Deps,
    user: &SlackUser,
    request: Option<&RequestId>,
    kept: SignedDuration,
) -> Result<(), Error> {
    let tools = &deps.tools;
    let slack = tools.slack().await?;
    let mut looked = None;
    for _ in 0..ROUNDS {
        let Some(before) = tools.table.viewer(user).await? else {
            return Ok(());
        };
        let now = tools.now();
        let mut viewer = before.clone();
        let is_known = now.duration_since(viewer.groups_at) <= kept;
        let found = match looked.take() {
            Some(found) => found,
            None if is_known => Found::Groups(viewer.groups.clone()),
            None => match look_up(deps, &viewer).await? {
                // What was found out a while ago is good enough.
                Found::Nothing(_) if now.duration_since(viewer.groups_at) <= GROUPS_KEPT => {
                    Found::Groups(viewer.groups.clone())
                }
                found => found,
            },
        };
        if let Found::NoPart(why) = found {
            publish(&slack, user, &no_part(why)).await?;
            match tools.table.put_viewer(&viewer.left(), Some(&before)).await {
                Err(aws::Error::Moved) => continue,
                written => return Ok(written?),
            }
        }
        if let Found::Fresh(groups) = &found {
            viewer.groups.clone_from(groups);
            viewer.groups_at = now;
        }
        let request = match request {
            Some(id) => tools.table.request(id).await?,
            None => None,
        };
        let shown = Shown::read(deps, user, &found, request.as_ref()).await?;
        viewer.decides = shown.decides;
        let more = viewer.more.as_deref().and_then(More::read);
        publish(&slack, user, &shown.home(user, now, more)).await?;
        match tools
            .table
            .put_viewer(&viewer.drawn(now), Some(&before))
            .await
        {
            Err(aws::Error::Moved) => looked = Some(found),
            written => return Ok(written?),
        }
    }
    // Whatever has changed last has made it due.
    Ok(())
}

/// Who somebody who looks at their Home tab is.
enum Found {
    /// Somebody in these Okta groups, as Okta says now.
    Fresh(Vec<Group>),
    /// Somebody who was in these Okta groups a while ago.
    Groups(Vec<Group>),
    /// Somebody who may take no part, and why.
    NoPart(&'static str),
    /// It cannot be told, and why, if they may know: they are shown what is their own.
    Nothing(Option<Trouble>),
}

async fn look_up(deps: &Deps, viewer: &Viewer) -> Result<Found, Error> {
    let (tools, user) = (&deps.tools, &viewer.user);
    let (slack, binding) = tokio::try_join!(tools.slack(), tools.table.binding(user))?;
    let rules = match deps.rules.get() {
        Ok(rules) => rules,
        // Whoever was never found out to be a colleague is not told what is wrong.
        Err(trouble) => return Ok(Found::Nothing(binding.map(|_| trouble))),
    };
    let person = match slack.user(user).await {
        Ok(person) => person,
        Err(error) => {
            tracing::warn!(%user, %error, "who looks at the Home tab of {user} is not known: {error}");
            return Ok(Found::Nothing(None));
        }
    };
    if let Some(no) = why_no_part(&person, &rules.flows) {
        return Ok(Found::NoPart(no));
    }
    match in_okta(tools, &person, binding).await {
        Ok(known) => Ok(Found::Fresh(known.groups)),
        Err(Unknown::Nobody(_)) => Ok(Found::Fresh(Vec::new())),
        Err(Unknown::NotFoundOut(error)) => {
            tracing::warn!(%user, %error, "the groups of {user} are not known: {error}");
            Ok(Found::Nothing(Some(trouble_of(&error))))
        }
        Err(Unknown::Aws(error)) => Err(error.into()),
    }
}

/// What a Home tab shows.
struct Shown {
    is_configured: bool,
    own: Vec<Request>,
    waiting: Vec<Request>,
    held: Vec<Request>,
    decides: bool,
    trouble: Option<Trouble>,
}

impl Shown {
    async fn read(
        deps: &Deps,
        user: &SlackUser,
        found: &Found,
        request: Option<&Request>,
    ) -> Result<Self, Error> {
        let tools = &deps.tools;
        let now = tools.now();
        let binding = tools.table.binding(user);
        let own = tools.table.requests_of(user, LATELY, now);
        let (binding, mut own) = tokio::try_join!(binding, own)?;
        let is_own = |it: &&Request| it.requester.slack == *user;
        if let Some(request) = request.filter(is_own) {
            own.retain(|it| it.id != request.id);
            let at = own.partition_point(|it| it.requested_at > request.requested_at);
            own.insert(at, request.clone());
        }
        let mut shown = Self {
            is_configured: true,
            own,
            waiting: Vec::new(),
            held: Vec::new(),
            decides: false,
            trouble: None,
        };
        let groups = match found {
            Found::Fresh(groups) | Found::Groups(groups) => Some(groups.as_slice()),
            Found::NoPart(_) | Found::Nothing(None) => return Ok(shown),
            Found::Nothing(trouble) => {
                shown.trouble.clone_from(trouble);
                None
            }
        };
        let rules = match deps.rules.get() {
            Ok(rules) => rules,
            Err(trouble) => {
                shown.trouble = Some(trouble);
                return Ok(shown);
            }
        };
        shown.is_configured = !rules.flows.flows.is_empty();
        let person = Person {
            slack: user.clone(),
            okta: binding.as_ref().map(|it| it.okta.clone()),
            email: binding.as_ref().map(|it| it.email.clone()),
        };
        let may = |request: &Request, action| {
            let Some(groups) = groups else { return false };
            let flow = rules.flows.flow(&request.flow);
            let asking = Asking {
                request,
                target: flow.and_then(|flow| flow.target(&request.group)),
                principal: &person,
                groups,
                now,
            };
            let question = asking.of(action, &request.requester);
            matches!(rules.policy.decide(&question), Verdict::Permitted(_))
        };
        shown.decides = groups.is_none_or(|it| could_decide(&rules, &person, it, now));
        if !shown.decides && !request.is_some_and(|it| it.involves(user)) {
            return Ok(shown);
        }
        for request in of_others(deps, &rules.flows, &person, request).await? {
            let has_approved = request.approvals.iter().any(|it| it.by.is(&person));
            if request.state == State::Pending {
                if has_approved || may(&request, Action::Approve) {
                    shown.waiting.push(request);
                }
            } else if has_approved || may(&request, Action::Revoke) {
                shown.held.push(request);
            }
        }
        Ok(shown)
    }

    fn home(&self, user: &SlackUser, now: Timestamp, more: Option<More>) -> slack::Home {
        home(&Contents {
            now,
            viewer: user,
            is_configured: self.is_configured,
            own: &self.own,
            waiting: &self.waiting,
            held: &self.held,
            more,
            trouble: self.trouble.as_ref(),
        })
    }
}

/// Whether the policy could let `person` approve or revoke anything that somebody else asks for.
fn could_decide(rules: &Rules, person: &Person, groups: &[Group], now: Timestamp) -> bool {
    let somebody = Person {
        slack: SlackUser::new("U0SOMEBODY"),
        okta: None,
        email: None,
    };
    let fields = BTreeMap::new();
    let targets = rules
        .flows
        .flows
        .iter()
        .flat_map(|flow| flow.targets.iter().map(move |target| (flow, target)));
    let is_approver = |target: &Target| {
        let group = target.approver_group.as_ref();
        group.is_some_and(|group| groups.contains(group))
    };
    targets.clone().any(|(_, target)| is_approver(target))
        || targets.take(TARGETS).any(|(flow, target)| {
            [Action::Approve, Action::Revoke].into_iter().any(|action| {
                let question = Question {
                    action,
                    principal: person,
                    groups,
                    flow: &flow.name,
                    target: &target.group,
                    label: &target.label,
                    tags: &target.tags,
                    approver_group: target.approver_group.as_ref(),
                    requester: &somebody,
                    duration_s: target.durations.first().map_or(0, |it| it.seconds()),
                    reason: "",
                    fields: &fields,
                    now,
                };
                matches!(rules.policy.decide(&question), Verdict::Permitted(_))
            })
        })
}

/// What others than `person` ask for and hold; what ends first, and what was asked first, comes first.
async fn of_others(
    deps: &Deps,
    flows: &Flows,
    person: &Person,
    changed: Option<&Request>,
) -> Result<Vec<Request>, Error> {
    let table = &deps.tools.table;
    let mut all = Vec::new();
    for flow in &flows.flows {
        let (pending, active, ending) = tokio::try_join!(
            table.open_requests(&flow.name, State::Pending),
            table.open_requests(&flow.name, State::Active),
            table.open_requests(&flow.name, State::Deescalating),
        )?;
        all.extend(pending.into_iter().chain(active).chain(ending));
    }
    if let Some(changed) = changed {
        all.retain(|it| it.id != changed.id);
        let is_open = matches!(
            changed.state,
            State::Pending | State::Active | State::Deescalating
        );
        all.extend(is_open.then(|| changed.clone()));
    }
    all.retain(|it| !it.requester.is(person));
    all.sort_unstable_by_key(|it| (it.ends_at, it.requested_at));
    Ok(all)
}

async fn publish(slack: &slack::Client, user: &SlackUser, home: &slack::Home) -> Result<(), Error> {
    match slack.publish_home(user, home).await {
        Ok(()) => Ok(()),
        Err(error @ (slack::Error::Later { .. } | slack::Error::Unclear { .. })) => {
            Err(Error::Untold(error))
        }
        Err(error) => {
            tracing::warn!(%user, %error, "the Home tab of {user} is given up: {error}");
            Ok(())
        }
    }
}
