//! A form was sent.

use std::collections::BTreeMap;

use access::flows::{FieldKind, Flow, Route, Target};
use access::policy::{Question, Verdict};
use access::{
    Action, Event, Group, Look, MembershipKey, Permit, Person, Refusal, RequestId, Submission,
    Trouble,
};
use aws::Binding;
use drive::{Subject, Tools, trouble_of};
use jiff::{SignedDuration, Timestamp};
use slack::SlackPerson;
use slack::card::sent_to;
use slack::form::Filled;
use slack::notice;
use slack::payload::ViewSubmission;
use slack::text::{Mrkdwn, escaped, link};

use crate::Deps;
use crate::click::{Click, Place, Stop};
use crate::people::{Unknown, colleague, in_okta};
use crate::rules::Rules;

const WHAT: &str = "request";

/// Makes the request that `form` asks for, unless it may not be made.
pub(crate) async fn ask(deps: &Deps, click: &Click, form: &ViewSubmission) -> Result<(), Stop> {
    let tools = &deps.tools;
    let nowhere = Place {
        words: Mrkdwn::from("any flow"),
        error_channel: None,
    };
    let rules = deps.rules.get().map_err(|it| nowhere.stop(WHAT, it))?;
    let flows = &rules.flows;
    let filled = slack::form::read(flows, &form.view, &form.values)
        .map_err(|wrong| Stop::told(&format!("Nothing was asked for: {wrong}")))?;
    let place = place_of(filled.flow, filled.target);
    let who = &click.by.user;
    let team = click
        .by
        .team
        .as_deref()
        .unwrap_or(&flows.slack_workspace_id);
    let id = RequestId::from_form(team, &form.view.id);
    let slack = tools.slack().await?;
    let (in_table, in_slack) = tokio::join!(
        async {
            tokio::try_join!(
                tools.table.request(&id),
                tools.table.binding(who),
                tools.table.pending(who, &filled.target.group)
            )
        },
        slack.user(who)
    );
    let (known, binding, twin) = in_table?;
    // The reads are not one: its place may be seen before the request itself.
    if known.is_some() || twin.as_ref() == Some(&id) {
        let subject = Subject::Request(id.clone());
        return make(tools, &id, &subject, &Event::Repeat, &place).await;
    }
    let person = colleague(in_slack, flows, WHAT, &place)?;
    if let Some(twin) = twin {
        return Err(Stop::Told(waits_already(tools, &twin).await?));
    }

    let asked = Asked::of(tools, &person, binding, filled).await?;
    let key = asked.person.okta.clone().map(|user| MembershipKey {
        org: flows.okta_org.clone(),
        user,
        group: asked.filled.target.group.clone(),
    });
    let subject = Subject::Form {
        id: id.clone(),
        membership: key,
        extends: asked.filled.extends.clone(),
        asks: (who.clone(), asked.filled.target.group.clone()),
    };
    let submission = asked.submission(&id, &rules)?;
    let event = Event::Submit(Box::new(submission));
    make(tools, &id, &subject, &event, &place).await
}

/// Why nobody may be put into `group`, as far as Okta says so now.
pub(crate) async fn unfit(tools: &Tools, group: &Group) -> Option<Trouble> {
    let error = match tools.okta.group_check(group.as_str()).await {
        Ok(okta::GroupCheck::Fit { .. }) => return None,
        Ok(okta::GroupCheck::Unfit { reason }) => {
            return Some(Trouble {
                error: reason,
                hint: format!("ask the people who run Stint for another target than {group}"),
            });
        }
        Err(error) => error,
    };
    // Without a token, or while Okta does not answer, nothing can be said of the group: it is looked at
    // again before anybody is put into it.
    let is_about_the_group = match &error {
        okta::Error::Later { .. } | okta::Error::Unclear { .. } => false,
        okta::Error::Missing { .. } => true,
        okta::Error::Refused { mend, .. } => {
            matches!(mend, okta::Mend::Permission | okta::Mend::Nothing)
        }
    };
    is_about_the_group.then(|| trouble_of(&error))
}

/// A form, and what Okta says about it.
struct Asked<'a> {
    filled: Filled<'a>,
    person: Person,
    /// The groups that the person is in; none while Okta cannot be asked.
    groups: Option<Vec<Group>>,
    /// Why it can never be carried out.
    unfit: Option<Trouble>,
    now: Timestamp,
}

impl<'a> Asked<'a> {
    async fn of(
        tools: &Tools,
        who: &SlackPerson,
        binding: Option<Binding>,
        filled: Filled<'a>,
    ) -> Result<Self, Stop> {
        let group = &filled.target.group;
        let (found, unfit) = tokio::join!(in_okta(tools, who, binding), unfit(tools, group));
        let mut asked = Self {
            filled,
            person: Person {
                slack: who.id.clone(),
                okta: None,
                email: who.email.clone(),
            },
            groups: None,
            unfit,
            now: tools.now(),
        };
        match found {
            Ok(known) => (asked.person, asked.groups) = (known.person, Some(known.groups)),
            Err(Unknown::Nobody(trouble)) => asked.unfit = Some(trouble),
            // Okta is asked again before anybody approves.
            Err(Unknown::NotFoundOut(error)) => {
                let user = &who.id;
                tracing::warn!(%user, %error, "{user} asks while Okta cannot be asked: {error}");
            }
            Err(Unknown::Aws(error)) => return Err(error.into()),
        }
        Ok(asked)
    }

    fn submission(self, id: &RequestId, rules: &Rules) -> Result<Submission, Stop> {
        let action = match self.filled.extends {
            Some(_) => Action::Extend,
            None => Action::Request,
        };
        let permit = self.may(rules, action).map_err(|no| match self.groups {
            Some(_) => Stop::told(&no),
            None => Stop::told(&format!(
                "{no} Okta cannot be asked which groups you are in now, so try again in some minutes."
            )),
        })?;
        let auto_approve = match (&self.groups, &self.unfit) {
            (Some(_), None) => self.may(rules, Action::AutoApprove).ok(),
            _ => None,
        };
        let filled = self.filled;
        let target = filled.target;
        let look = match &self.groups {
            None => Look::Skipped,
            Some(groups) if groups.contains(&target.group) => Look::In,
            Some(_) => Look::Out,
        };
        Ok(Submission {
            id: id.clone(),
            flow: filled.flow.name.clone(),
            flow_label: filled.flow.label.clone(),
            label: target.label.clone(),
            org: rules.flows.okta_org.clone(),
            group: target.group.clone(),
            max_duration_s: target.max_duration.seconds(),
            route: places(&target.route, filled.asked_from.as_deref()),
            fallback: target
                .fallback
                .as_ref()
                .map_or_else(Vec::new, |it| places(it, None)),
            fallback_after: seconds(target.fallback_after.seconds()),
            remind_after: target.remind_after.map(|it| seconds(it.seconds())),
            error_channel: target.error_channel.as_str().to_owned(),
            notify: target.notify.clone(),
            requester: self.person,
            duration_s: filled.duration.seconds(),
            reason: filled.reason,
            fields: filled.fields,
            questions: questions(filled.flow),
            approvals_needed: target.approvals_needed,
            timeout: seconds(target.request_timeout.seconds()),
            extends: filled.extends,
            permit,
            auto_approve,
            look,
            unfit: self.unfit,
        })
    }

    fn may(&self, rules: &Rules, action: Action) -> Result<Permit, String> {
        let filled = &self.filled;
        let question = Question {
            action,
            principal: &self.person,
            groups: self.groups.as_deref().unwrap_or_default(),
            flow: &filled.flow.name,
            target: &filled.target.group,
            label: &filled.target.label,
            tags: &filled.target.tags,
            approver_group: filled.target.approver_group.as_ref(),
            requester: &self.person,
            duration_s: filled.duration.seconds(),
            reason: &filled.reason,
            fields: &filled.fields,
            now: self.now,
        };
        permitted(rules, &question)
    }
}

/// The permit, or what the person is told.
pub(crate) fn permitted(rules: &Rules, question: &Question<'_>) -> Result<Permit, String> {
    match rules.policy.decide(question) {
        Verdict::Permitted(permit) => Ok(permit),
        Verdict::Refused { message, policies } => {
            tracing::info!(
                user = %question.principal.slack, action = question.action.as_str(),
                policies = policies.join(", "),
                "the policy does not let {} {}", question.principal.slack, question.action.as_str()
            );
            Err(message)
        }
    }
}

async fn make(
    tools: &Tools,
    id: &RequestId,
    subject: &Subject,
    event: &Event,
    place: &Place,
) -> Result<(), Stop> {
    let done = match tools.step(subject, event).await {
        Ok(done) => done,
        Err(drive::Error::Refused { refusal, .. }) => {
            match refusal {
                Refusal::NotExtendable(why) => {
                    return Err(Stop::told(&format!("The access is not extended: {why}.")));
                }
                Refusal::Twin(twin) => {
                    return Err(Stop::Told(waits_already(tools, &twin).await?));
                }
                _ => {}
            }
            let trouble = Trouble {
                error: refusal.to_string(),
                hint: "ask again".to_owned(),
            };
            return Err(place.stop(WHAT, trouble));
        }
        Err(error) => return Err(error.into()),
    };
    tools.carry_out(&done).await;
    tools.show(id, done.ours()).await;
    Ok(())
}

/// What somebody is told who asks a second time for what they asked for already.
async fn waits_already(tools: &Tools, twin: &RequestId) -> Result<Mrkdwn, aws::Error> {
    let Some(twin) = tools.table.request(twin).await? else {
        return Ok("You have asked for that already.".into());
    };
    let said = Mrkdwn::from("You have asked for *")
        + escaped(&twin.label)
        + "* already, and that request still waits with "
        + sent_to(&twin);
    // Only they can open their own copy of the card.
    let mut own = twin.cards.iter();
    let copy = own.find(|card| card.place == access::Place::Requester);
    let posted = copy.and_then(|card| card.posted.as_ref());
    let seen = match (posted, tools.slack().await) {
        (Some(posted), Ok(slack)) => slack.permalink(posted).await.ok(),
        _ => None,
    };
    Ok(match seen {
        Some(url) => said + ": " + link(&url, "see it") + ".",
        None => said + ".",
    })
}

/// How people see the questions of `flow`.
fn questions(flow: &Flow) -> BTreeMap<String, access::Asked> {
    let mut questions = BTreeMap::new();
    questions.extend(flow.fields.iter().map(|field| {
        let question = access::Asked {
            label: field.label.clone(),
            is_person: field.kind == FieldKind::Person,
        };
        (field.name.clone(), question)
    }));
    questions
}

/// Where a route leads. Nowhere, if the command was not typed in a channel: then others are asked.
fn places(route: &Route, asked_from: Option<&str>) -> Vec<access::Place> {
    match route {
        Route::Channel(channel) => vec![access::Place::Channel(channel.as_str().to_owned())],
        Route::AskedFrom => asked_from
            .map(|channel| access::Place::Channel(channel.to_owned()))
            .into_iter()
            .collect(),
        Route::People(people) => people
            .iter()
            .map(|user| access::Place::Asked(access::SlackUser::new(user)))
            .collect(),
    }
}

fn place_of(flow: &Flow, target: &Target) -> Place {
    Place {
        words: notice::place(&flow.label, &target.label),
        error_channel: Some(target.error_channel.as_str().to_owned()),
    }
}

fn seconds(seconds: u64) -> SignedDuration {
    SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))
}
