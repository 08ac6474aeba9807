//! Who somebody is: in Slack, in Okta.

use access::flows::Flows;
use access::{Group, OktaUser, Person, Trouble};
use aws::Binding;
use drive::{Tools, trouble_of};
use slack::text::Mrkdwn;
use slack::{PersonKind, SlackPerson};

use crate::click::{Place, Stop};

/// Somebody who is known in Okta, and the groups they are in now.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) person: Person,
    pub(crate) groups: Vec<Group>,
}

/// Why somebody is not known in Okta.
#[derive(Debug)]
pub(crate) enum Unknown {
    /// They are nobody there, or more than one, or must not be used; what somebody must do.
    Nobody(Trouble),
    /// Okta could not be asked.
    NotFoundOut(okta::Error),
    /// The table could not be read or written.
    Aws(aws::Error),
}

/// Who Slack says somebody is, unless they may take no part.
pub(crate) fn colleague(
    in_slack: Result<SlackPerson, slack::Error>,
    flows: &Flows,
    what: &'static str,
    place: &Place,
) -> Result<SlackPerson, Stop> {
    let person = in_slack.map_err(|error| {
        place.stop(
            what,
            Trouble {
                error: format!("it cannot be found out who somebody is in Slack: {error}"),
                hint: error.hint().to_owned(),
            },
        )
    })?;
    let Some(refusal) = why_no_part(&person, flows) else {
        return Ok(person);
    };
    tracing::warn!(
        user = %person.id, kind = ?person.kind, team = person.team,
        "{} was refused: {refusal}", person.id
    );
    Err(Stop::Told(
        Mrkdwn::from("Nothing was done: ") + refusal + ". Ask a full member of this workspace.",
    ))
}

/// Why somebody may take no part, if they may not.
pub(crate) fn why_no_part(person: &SlackPerson, flows: &Flows) -> Option<&'static str> {
    let home = &flows.slack_workspace_id;
    let is_ours = person.team == *home || person.enterprise.as_ref() == Some(home);
    match person.kind {
        PersonKind::Member if is_ours => None,
        PersonKind::Member | PersonKind::Stranger => {
            Some("people of another workspace cannot ask for access or decide about it")
        }
        PersonKind::Guest => Some("guests cannot ask for access or decide about it"),
        PersonKind::Bot => Some("apps and bots cannot ask for access or decide about it"),
        PersonKind::Deleted => {
            Some("a deactivated account cannot ask for access or decide about it")
        }
    }
}

/// Finds out who `person` is in Okta: as they are bound there, or by their e-mail, which binds them.
pub(crate) async fn in_okta(
    tools: &Tools,
    person: &SlackPerson,
    binding: Option<Binding>,
) -> Result<Known, Unknown> {
    let okta = match &binding {
        Some(binding) => {
            let email = person.email.as_deref().unwrap_or_default();
            if !email.eq_ignore_ascii_case(&binding.email) {
                tracing::warn!(
                    user = %person.id, okta = %binding.okta,
                    "the e-mail of {} has changed in Slack since it was bound to Okta user {}; the binding stays",
                    person.id, binding.okta
                );
            }
            binding.okta.clone()
        }
        None => by_email(tools, person).await?,
    };
    let (account, groups) = tokio::join!(
        tools.okta.user(okta.as_str()),
        tools.okta.groups_of(okta.as_str())
    );
    let account = match account {
        Ok(account) => account,
        Err(okta::Error::Missing { .. }) => {
            return Err(Unknown::Nobody(Trouble {
                error: format!("the Okta user {okta}, who {} was, is gone", person.name),
                hint: format!(
                    "the people who run Stint can have {} found by e-mail again: docs/operations.md says how",
                    person.name
                ),
            }));
        }
        Err(error) => return Err(Unknown::NotFoundOut(error)),
    };
    if !account.is_active() {
        return Err(Unknown::Nobody(Trouble {
            error: format!("the Okta user {} is {}", account.login, account.status),
            hint: format!("an Okta administrator must activate {}", account.login),
        }));
    }
    let groups = groups.map_err(Unknown::NotFoundOut)?;
    if binding.is_none() {
        let binding = Binding {
            slack: person.id.clone(),
            okta: okta.clone(),
            email: person.email.clone().unwrap_or_default(),
            at: tools.now(),
        };
        tools.table.bind(&binding).await.map_err(Unknown::Aws)?;
    }
    Ok(Known {
        person: Person {
            slack: person.id.clone(),
            okta: Some(okta),
            email: person.email.clone(),
        },
        groups: groups.into_iter().map(Group::new).collect(),
    })
}

async fn by_email(tools: &Tools, person: &SlackPerson) -> Result<OktaUser, Unknown> {
    let nobody = |error: String, hint: String| Err(Unknown::Nobody(Trouble { error, hint }));
    let Some(email) = &person.email else {
        return nobody(
            format!("Slack shows no confirmed e-mail of {}", person.name),
            format!(
                "{} must confirm their e-mail in Slack, and the Slack app needs the scope `users:read.email`",
                person.name
            ),
        );
    };
    let users = tools
        .okta
        .users_by_email(email)
        .await
        .map_err(Unknown::NotFoundOut)?;
    match users.as_slice() {
        [user] => Ok(OktaUser::new(&user.id)),
        [] => nobody(
            format!("no Okta user has the e-mail `{email}`"),
            format!(
                "an Okta administrator must give the Okta user of {} that e-mail, or they must use the one from Okta in Slack",
                person.name
            ),
        ),
        several => nobody(
            format!("{} Okta users have the e-mail `{email}`", several.len()),
            format!("an Okta administrator must leave `{email}` to one of them"),
        ),
    }
}

impl Unknown {
    /// As it is told to the person who clicked.
    pub(crate) fn stop(self, what: &'static str, place: &Place) -> Stop {
        match self {
            Self::Nobody(trouble) => place.stop(what, trouble),
            Self::NotFoundOut(error) => place.stop(what, trouble_of(&error)),
            Self::Aws(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use access::SlackUser;

    use super::*;

    fn flows(workspace: &str) -> Flows {
        let text =
            format!("slack_workspace_id = \"{workspace}\"\nokta_org_domain = \"myco.okta.com\"\n");
        Flows::parse(&text).unwrap()
    }

    fn somebody(team: &str, enterprise: Option<&str>, kind: PersonKind) -> SlackPerson {
        SlackPerson {
            id: SlackUser::new("U0BOB"),
            team: team.to_owned(),
            enterprise: enterprise.map(str::to_owned),
            email: Some("bob@example.com".to_owned()),
            name: "Bob".to_owned(),
            kind,
            tz: None,
        }
    }

    fn is_admitted(person: SlackPerson, workspace: &str) -> bool {
        let place = Place {
            words: "here".into(),
            error_channel: None,
        };
        match colleague(Ok(person), &flows(workspace), "approve", &place) {
            Ok(_) => true,
            Err(Stop::Told(_)) => false,
            Err(stop) => panic!("{stop:?}"),
        }
    }

    #[test]
    fn only_full_members_of_the_workspace_take_part() {
        let team = |kind| somebody("T0OURS", None, kind);
        assert!(is_admitted(team(PersonKind::Member), "T0OURS"));
        for kind in [
            PersonKind::Guest,
            PersonKind::Bot,
            PersonKind::Stranger,
            PersonKind::Deleted,
        ] {
            assert!(!is_admitted(team(kind), "T0OURS"), "{kind:?}");
        }
        let partner = somebody("T0THEIRS", None, PersonKind::Member);
        assert!(!is_admitted(partner, "T0OURS"));
    }

    #[test]
    fn an_organization_admits_its_own_people_whatever_their_workspace() {
        let own = somebody("T0ONE", Some("E0OURS"), PersonKind::Member);
        assert!(is_admitted(own, "E0OURS"));
        // Slack calls nobody a stranger with whom a channel is shared.
        for enterprise in [None, Some("E0THEIRS")] {
            let partner = somebody("T0THEIRS", enterprise, PersonKind::Member);
            assert!(!is_admitted(partner, "E0OURS"));
        }
    }
}
