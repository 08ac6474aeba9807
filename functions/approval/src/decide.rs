//! A button was pressed.

use access::flows::Target;
use access::{
    Action, Card, Event, Loaded, Person, Refusal, Request, RequestId, State, Trouble, Why,
};
use aws::Binding;
use drive::{Done, Subject, Tools};
use slack::SlackPerson;
use slack::card::{APPROVE, CANCEL, DENY, DONE, REVOKE};
use slack::text::Mrkdwn;

use crate::Deps;
use crate::ask::{permitted, unfit};
use crate::click::{Click, Place, Stop, how_it_stands};
use crate::people::{Known, Unknown, colleague, in_okta};
use crate::rules::{Asking, Rules};

const SEE: &str = "see";

/// Does what `button` says, which `click` pressed, to the request `id`; with the `note` that came with it.
pub(crate) async fn press(
    deps: &Deps,
    click: &Click,
    button: &str,
    id: &RequestId,
    note: Option<String>,
) -> Result<(), Stop> {
    let tools = &deps.tools;
    let decide = match button {
        APPROVE => Button::Approve,
        DENY => Button::Deny,
        REVOKE => Button::Revoke,
        DONE => Button::Withdraw,
        CANCEL => Button::Cancel,
        other => {
            tracing::info!(action = other, "the button `{other}` has no effect");
            return Ok(());
        }
    };
    let slack = tools.slack().await?;
    let needs_slack = matches!(decide, Button::Approve | Button::Deny);
    let (in_table, in_slack) = tokio::join!(
        async { tokio::try_join!(tools.table.request(id), tools.table.binding(&click.by.user)) },
        async {
            if needs_slack {
                Some(slack.user(&click.by.user).await)
            } else {
                None
            }
        }
    );
    let (request, binding) = in_table?;
    let Some(request) = request else {
        return Err(unknown());
    };
    let it = Pressing {
        deps,
        click,
        request: &request,
        slack: &slack,
        binding,
        place: Place::of(&request),
    };
    if request.knows(&click.id) {
        return it.take(&Event::Repeat).await;
    }
    let is_open = match decide {
        Button::Approve | Button::Deny | Button::Cancel => request.state == State::Pending,
        Button::Revoke | Button::Withdraw => matches!(
            request.state,
            State::Approved | State::Escalating | State::Active
        ),
    };
    if !is_open {
        return it.came_late(&request).await;
    }
    let event = match decide {
        Button::Approve => it.approve(in_slack, note).await?,
        Button::Deny => it.deny(in_slack, note).await?,
        Button::Revoke => it.revoke().await?,
        Button::Withdraw => Event::Withdraw {
            actor: it.actor(),
            click: click.id.clone(),
        },
        Button::Cancel => Event::Cancel {
            actor: it.actor(),
            click: click.id.clone(),
        },
    };
    it.take(&event).await
}

/// Tells whoever clicked all of the request `id`, of which its card shows only a part.
pub(crate) async fn everything(deps: &Deps, click: &Click, id: &RequestId) -> Result<(), Stop> {
    let request = deps.tools.table.request(id).await?;
    let request = request.ok_or_else(unknown)?;
    // Whoever sees a card may read all of it; a Home tab may be from before they lost that right.
    if click.message.is_none() && !request.involves(&click.by.user) {
        let slack = deps.tools.slack().await?;
        let it = Pressing {
            deps,
            click,
            request: &request,
            slack: &slack,
            binding: deps.tools.table.binding(&click.by.user).await?,
            place: Place::of(&request),
        };
        let rules = it.rules(SEE)?;
        let (target, requester) = (it.target(&rules), &request.requester);
        let known = it.who(&rules, SEE, None).await?;
        let may = |action| it.may(&rules, action, &known, target, requester);
        may(Action::Approve).or_else(|_| may(Action::Revoke))?;
    }
    let message = slack::card::everything(&request);
    Ok(click.tell(&deps.tools, &message).await?)
}

fn unknown() -> Stop {
    Stop::told("That request is not known any more, so nothing was done. Ask again with /access.")
}

enum Button {
    Approve,
    Deny,
    Revoke,
    Withdraw,
    Cancel,
}

/// A click on a button of a request.
struct Pressing<'a> {
    deps: &'a Deps,
    click: &'a Click,
    request: &'a Request,
    slack: &'a slack::Client,
    binding: Option<Binding>,
    place: Place,
}

/// Who clicked, as far as Slack was asked.
type InSlack = Option<Result<SlackPerson, slack::Error>>;

impl Pressing<'_> {
    async fn approve(&self, in_slack: InSlack, note: Option<String>) -> Result<Event, Stop> {
        let what = "approve";
        let rules = self.rules(what)?;
        let target = self.offered(&rules)?;
        let (known, extends) = tokio::join!(self.who(&rules, what, in_slack), self.still_extends());
        let (known, ()) = (known?, extends?);
        let may = |requester| self.may(&rules, Action::Approve, &known, Some(target), requester);
        // Whoever may not approve sets nothing off; who the requester is may still change the answer.
        may(&self.request.requester)?;
        let requester = self.requester(&rules, target).await?;
        let permit = may(&requester)?;
        Ok(Event::Approve {
            actor: known.person,
            click: self.click.id.clone(),
            permit,
            note,
            requester,
            needed: target.approvals_needed,
        })
    }

    async fn deny(&self, in_slack: InSlack, note: Option<String>) -> Result<Event, Stop> {
        let what = "deny";
        let rules = self.rules(what)?;
        let target = self.target(&rules);
        let known = self.who(&rules, what, in_slack).await?;
        let requester = &self.request.requester;
        let permit = self.may(&rules, Action::Deny, &known, target, requester)?;
        Ok(Event::Deny {
            actor: known.person,
            click: self.click.id.clone(),
            permit,
            note,
        })
    }

    async fn revoke(&self) -> Result<Event, Stop> {
        let actor = self.actor();
        let click = self.click.id.clone();
        // Whoever said yes may take it back, whatever the files and Okta say.
        if self.request.approvals.iter().any(|it| it.by.is(&actor)) {
            return Ok(Event::Revoke {
                actor,
                click,
                permit: None,
            });
        }
        let what = "revoke";
        let rules = self.rules(what)?;
        let target = self.target(&rules);
        let known = self.who(&rules, what, None).await?;
        let requester = &self.request.requester;
        let permit = self.may(&rules, Action::Revoke, &known, target, requester)?;
        Ok(Event::Revoke {
            actor: known.person,
            click,
            permit: Some(permit),
        })
    }

    /// Takes the step, hands on what it sets off, and redraws the cards.
    async fn take(&self, event: &Event) -> Result<(), Stop> {
        let tools = self.tools();
        let id = &self.request.id;
        let done = match tools.step(&Subject::Request(id.clone()), event).await {
            Ok(done) => done,
            Err(drive::Error::Refused { refusal, loaded }) => {
                return self.refused(&refusal, &loaded).await;
            }
            Err(error) => return Err(error.into()),
        };
        tools.carry_out(&done).await;
        tools.show(id, done.ours()).await;
        self.tell_of_failure(&done)
    }

    /// The request could not be carried out, which its approver must hear too.
    fn tell_of_failure(&self, done: &Done) -> Result<(), Stop> {
        let request = done.step.request.as_ref();
        match request.filter(|it| it.state == State::Failed) {
            Some(request) => Err(Stop::Told(how_it_stands(&self.actor(), request))),
            None => Ok(()),
        }
    }

    async fn refused(&self, refusal: &Refusal, loaded: &Loaded) -> Result<(), Stop> {
        match (refusal, &loaded.request) {
            (Refusal::MovedOn(_), Some(request)) => self.came_late(request).await,
            (Refusal::NotYours, _) => Err(Stop::told(
                "Only the person who asked may do that. Nothing was done.",
            )),
            (refusal, _) => Err(Stop::told(&format!("Nothing was done: {refusal}."))),
        }
    }

    /// Somebody pressed a button of a card that is behind: the card is drawn again, and they are told
    /// how things stand.
    async fn came_late(&self, request: &Request) -> Result<(), Stop> {
        let tools = self.tools();
        let clicked = self.click.message.as_ref();
        let card = request.cards.iter().find(|card| {
            let posted = card.posted.as_ref();
            posted
                .zip(clicked)
                .is_some_and(|(posted, at)| posted.channel == at.channel && posted.ts == at.ts)
        });
        if let Some(card) = card {
            let event = Event::Shown {
                cards: vec![Card {
                    shows: 0,
                    ..card.clone()
                }],
                sent: Vec::new(),
                again: false,
                trouble: None,
            };
            let subject = Subject::Request(request.id.clone());
            let done = tools.step(&subject, &event).await?;
            tools.show(&request.id, done.ours()).await;
        } else {
            tools.redraw_home(&self.click.by.user).await?;
        }
        Err(Stop::Told(how_it_stands(&self.actor(), request)))
    }

    /// The requester, looked up in Okta if that could not be done when they asked, and held to
    /// everything that they were not held to then.
    async fn requester(&self, rules: &Rules, target: &Target) -> Result<Person, Stop> {
        let (request, tools) = (self.request, self.tools());
        if request.requester.okta.is_some() {
            return Ok(request.requester.clone());
        }
        let slack = &request.requester.slack;
        let binding = tools.table.binding(slack).await?;
        let asker = self.slack.user(slack).await;
        let asker = colleague(asker, &rules.flows, "approve", &self.place)?;
        let (found, unfit) = tokio::join!(
            in_okta(tools, &asker, binding),
            unfit(tools, &request.group)
        );
        let known = match (found, unfit) {
            (Err(Unknown::Nobody(trouble)), _) | (Ok(_), Some(trouble)) => {
                return Err(self.fails(trouble).await);
            }
            (Err(unknown), _) => return Err(unknown.stop("approve", &self.place)),
            (Ok(known), None) => known,
        };
        let action = match request.extends {
            Some(_) => Action::Extend,
            None => Action::Request,
        };
        let person = known.person.clone();
        self.may(rules, action, &known, Some(target), &person)
            .map(|_| person)
            .map_err(|stop| match stop {
                Stop::Told(no) => {
                    Stop::Told(Mrkdwn::from("Nothing was approved. Whoever asked is told: ") + no)
                }
                stop => stop,
            })
    }

    /// Ends the request, which can never be carried out.
    async fn fails(&self, trouble: Trouble) -> Stop {
        match self.take(&Event::Unknown { trouble }).await {
            Ok(()) => Stop::told("The request could not be carried out."),
            Err(stop) => stop,
        }
    }

    fn rules(&self, what: &'static str) -> Result<std::sync::Arc<Rules>, Stop> {
        let rules = self.deps.rules.get();
        rules.map_err(|trouble| self.place.stop(what, trouble))
    }

    /// The target as the flows file has it now, if it has it.
    fn target<'r>(&self, rules: &'r Rules) -> Option<&'r Target> {
        let flow = rules.flows.flow(&self.request.flow)?;
        flow.target(&self.request.group)
    }

    /// The target, if what was asked for is still offered.
    fn offered<'r>(&self, rules: &'r Rules) -> Result<&'r Target, Stop> {
        let request = self.request;
        let no = |why: &str| {
            Err(Stop::told(&format!(
                "Nothing was approved: {why} since this was asked for. Deny it, and let them ask again."
            )))
        };
        if request.org != rules.flows.okta_org {
            return no("another Okta org was configured");
        }
        let Some(target) = self.target(rules) else {
            // With it went the approver group, and so most likely whoever could deny.
            return Err(Stop::told(
                "Nothing was approved: the target was taken out of the flows file since this was asked \
                 for. Let them cancel it and ask for something else.",
            ));
        };
        let total_s = request.chain_s.saturating_add(request.duration_s);
        if total_s > target.max_duration.seconds() {
            return no("the target's maximum was lowered");
        }
        let is_offered = target
            .durations
            .iter()
            .any(|it| it.seconds() == request.duration_s);
        if !is_offered && request.extends.is_none() {
            return no("the duration was taken out of the flows file");
        }
        Ok(target)
    }

    /// Two extensions of one access would add up to more than the target's maximum: the first that is
    /// active takes its place.
    async fn still_extends(&self) -> Result<(), Stop> {
        let Some(extended) = &self.request.extends else {
            return Ok(());
        };
        let extended = self.tools().table.request(extended).await?;
        match extended.and_then(|it| it.why) {
            Some(Why::Superseded) => Err(Stop::told(
                "Nothing was approved: another request extends it already. Deny this one, and let \
                 them ask again.",
            )),
            _ => Ok(()),
        }
    }

    /// Who clicked, in Okta.
    async fn who(
        &self,
        rules: &Rules,
        what: &'static str,
        in_slack: InSlack,
    ) -> Result<Known, Stop> {
        let in_slack = match in_slack {
            Some(person) => person,
            None => self.slack.user(&self.click.by.user).await,
        };
        let person = colleague(in_slack, &rules.flows, what, &self.place)?;
        let known = in_okta(self.tools(), &person, self.binding.clone()).await;
        known.map_err(|unknown| unknown.stop(what, &self.place))
    }

    /// Who clicked, without asking anybody.
    fn actor(&self) -> Person {
        Person {
            slack: self.click.by.user.clone(),
            okta: self.binding.as_ref().map(|it| it.okta.clone()),
            email: self.binding.as_ref().map(|it| it.email.clone()),
        }
    }

    fn may(
        &self,
        rules: &Rules,
        action: Action,
        known: &Known,
        target: Option<&Target>,
        requester: &Person,
    ) -> Result<access::Permit, Stop> {
        let question = Asking {
            request: self.request,
            target,
            principal: &known.person,
            groups: &known.groups,
            now: self.tools().now(),
        };
        let question = question.of(action, requester);
        permitted(rules, &question).map_err(|no| Stop::told(&no))
    }

    fn tools(&self) -> &Tools {
        &self.deps.tools
    }
}
