//! Who may do what: `policy.cedar`, asked before anything that gives access.
//!
//! A [`Policy`] was checked against the schema in `policy.cedarschema`, which the functions know in its
//! JSON form (a reader for the other one would make them larger and slower to start); whatever goes wrong when it is
//! asked means no. (A `forbid` that cannot be evaluated does not forbid, so an answer with any error
//! in it is never a yes. Cedar documentation, "How Cedar authorization works".)

mod read;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use cedar_policy::{
    AuthorizationError, Authorizer, Context, Decision, Effect, Entities, Entity, EntityId,
    EntityTypeName, EntityUid, PolicyId, PolicySet, Request, Response, RestrictedExpression,
    Schema, ValidationMode, ValidationWarning, Validator,
};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::flows::{Mistake, Mistakes};
use crate::names::Group;
use crate::permit::{Action, Permit};
use crate::request::Person;

const SCHEMA: &str = include_str!("../policy.cedarschema.json");

/// The policies of one `policy.cedar`.
#[derive(Debug, Clone)]
pub struct Policy {
    policies: PolicySet,
    schema: Schema,
    warnings: Vec<Mistake>,
}

/// May this person do that? Everything a policy can look at.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Do what.
    pub action: Action,
    /// Who would do it.
    pub principal: &'a Person,
    /// The Okta groups that the principal is in now.
    pub groups: &'a [Group],
    /// The flow's name.
    pub flow: &'a str,
    /// The target's group.
    pub target: &'a Group,
    /// The target's label.
    pub label: &'a str,
    /// The target's tags.
    pub tags: &'a BTreeMap<String, String>,
    /// The group whose members may decide, as the flows file says.
    pub approver_group: Option<&'a Group>,
    /// Who asked for the access.
    pub requester: &'a Person,
    /// For how long, in seconds.
    pub duration_s: u64,
    /// Why.
    pub reason: &'a str,
    /// The flow's own fields, by name.
    pub fields: &'a BTreeMap<String, String>,
    /// When it is asked.
    pub now: Timestamp,
}

/// The answer to a [`Question`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Yes, and which policies say so.
    Permitted(Permit),
    /// No.
    Refused {
        /// For the person who asked: what the `@message` of the policy that forbids it says, or
        /// plain words.
        message: String,
        /// The policies that forbid it or could not be evaluated; none if no policy permits it.
        policies: Vec<String>,
    },
}

/// One policy of the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// Its `@id`.
    pub id: String,
    /// Whether it permits; if not, it forbids.
    pub permits: bool,
    /// The flows (by name) that it names.
    pub flows: BTreeSet<String>,
    /// The targets (by group) that it names.
    pub targets: BTreeSet<String>,
}

impl Policy {
    /// Reads the text of `policy.cedar`.
    ///
    /// # Errors
    /// Every mistake in it: what is not Cedar; or else what the schema does not allow, a policy
    /// without an `@id` of its own, a template, an id that nobody can have, and a question about the
    /// groups of somebody other than the principal, which are not known.
    pub fn parse(text: &str) -> Result<Self, Mistakes> {
        read::read(text)
    }

    /// Answers `question`. Pure: the same question has the same answer.
    #[must_use]
    pub fn decide(&self, question: &Question<'_>) -> Verdict {
        let response = match self.ask(question) {
            Ok(response) => response,
            Err(error) => return failed(&error.to_string(), Vec::new()),
        };
        let diagnostics = response.diagnostics();
        let errors: Vec<String> = diagnostics.errors().map(ToString::to_string).collect();
        if !errors.is_empty() {
            let ids = diagnostics.errors().map(|error| match error {
                AuthorizationError::PolicyEvaluationError(error) => error.policy_id().to_string(),
            });
            return failed(&errors.join("; "), sorted(ids));
        }
        let policies = sorted(diagnostics.reason().map(ToString::to_string));
        match response.decision() {
            Decision::Allow => Verdict::Permitted(Permit::new(question.action, policies)),
            Decision::Deny => {
                let message = policies
                    .iter()
                    .find_map(|id| self.policies.annotation(&PolicyId::new(id), "message"))
                    .unwrap_or(refusal(question.action));
                Verdict::Refused {
                    message: message.to_owned(),
                    policies,
                }
            }
        }
    }

    /// The policies, in the order of their ids.
    #[must_use]
    pub fn rules(&self) -> Vec<Rule> {
        let mut rules: Vec<Rule> = self
            .policies
            .policies()
            .map(|policy| {
                let named = |kind: &str| {
                    let literals = policy.entity_literals().into_iter();
                    literals
                        .filter(|uid| uid.type_name().basename() == kind)
                        .map(|uid| uid.id().unescaped().to_owned())
                        .collect()
                };
                Rule {
                    id: policy.id().to_string(),
                    permits: policy.effect() == Effect::Permit,
                    flows: named("Flow"),
                    targets: named("Target"),
                }
            })
            .collect();
        rules.sort();
        rules
    }

    /// What is right but hardly meant, such as a policy that can never apply.
    #[must_use]
    pub fn warnings(&self) -> &[Mistake] {
        &self.warnings
    }

    /// Whether any policy could ever permit `action` on a target, with or without an approver group.
    /// For whoever edits the files: a no is certain, a yes is not.
    #[must_use]
    pub fn could_permit(&self, action: Action, has_approver_group: bool) -> bool {
        let Some(schema) = narrowed(action, has_approver_group) else {
            return true;
        };
        let result = Validator::new(schema).validate(&self.policies, ValidationMode::Strict);
        let impossible: BTreeSet<&PolicyId> = result
            .validation_warnings()
            .filter(|warning| matches!(warning, ValidationWarning::ImpossiblePolicy(_)))
            .map(ValidationWarning::policy_id)
            .collect();
        self.policies
            .policies()
            .any(|policy| policy.effect() == Effect::Permit && !impossible.contains(policy.id()))
    }

    fn ask(&self, question: &Question<'_>) -> Result<Response, Box<dyn Error>> {
        let principal = uid("Person", question.principal.slack.as_str())?;
        let is_own = question.principal.is(question.requester);
        let requester = if is_own {
            principal.clone()
        } else {
            uid("Person", question.requester.slack.as_str())?
        };
        let target = uid("Target", question.target.as_str())?;
        let fields = uid("Fields", "form")?;
        let groups: Vec<EntityUid> = question
            .groups
            .iter()
            .map(|group| uid("Group", group.as_str()))
            .collect::<Result<_, _>>()?;

        let mut entities = vec![
            person(&principal, question.principal, groups)?,
            Entity::new_with_tags(
                target.clone(),
                [text("label", question.label)],
                [uid("Flow", question.flow)?],
                question.tags.iter().map(|(name, value)| text(name, value)),
            )?,
            Entity::new_with_tags(
                fields.clone(),
                [],
                [],
                question
                    .fields
                    .iter()
                    .map(|(name, value)| text(name, value)),
            )?,
        ];
        if !is_own {
            entities.push(person(&requester, question.requester, Vec::new())?);
        }

        let now = question.now.to_zoned_datetime(TimeZone::UTC);
        let now_text = format!("{:.3}", question.now);
        let long = |number: i64| RestrictedExpression::new_long(number);
        let mut context = vec![
            ("requester", RestrictedExpression::new_entity_uid(requester)),
            ("duration_s", long(i64::try_from(question.duration_s)?)),
            (
                "reason",
                RestrictedExpression::new_string(question.reason.to_owned()),
            ),
            ("fields", RestrictedExpression::new_entity_uid(fields)),
            ("now", RestrictedExpression::new_datetime(now_text)),
            ("weekday", long(now.weekday().to_monday_one_offset().into())),
        ];
        if let Some(group) = question.approver_group {
            let group = uid("Group", group.as_str())?;
            context.push((
                "approver_group",
                RestrictedExpression::new_entity_uid(group),
            ));
        }
        let context = context
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));

        let request = Request::new(
            principal,
            uid("Action", question.action.as_str())?,
            target,
            Context::from_pairs(context)?,
            Some(&self.schema),
        )?;
        let entities = Entities::from_entities(entities, Some(&self.schema))?;
        Ok(Authorizer::new().is_authorized(&request, &self.policies, &entities))
    }
}

/// What a person is told when no policy says it better.
fn refusal(action: Action) -> &'static str {
    match action {
        Action::Request => "The policy does not let you ask for this.",
        Action::Approve => {
            "The policy does not let you approve this: it takes one of its approvers."
        }
        Action::Deny => "The policy does not let you deny this: it takes one of its approvers.",
        Action::Revoke => "The policy does not let you revoke this: it takes one of its approvers.",
        Action::Extend => "The policy does not let you ask for more time.",
        Action::AutoApprove => "The policy does not approve this by itself: it takes an approver.",
    }
}

fn failed(error: &str, policies: Vec<String>) -> Verdict {
    Verdict::Refused {
        message: format!(
            "The policy could not be evaluated, so the answer is no. Tell whoever looks after \
             policy.cedar: {error}."
        ),
        policies,
    }
}

/// The schema for `action` alone, on targets that all have, or all lack, an approver group.
fn narrowed(action: Action, has_approver_group: bool) -> Option<Schema> {
    let mut json: serde_json::Value = serde_json::from_str(SCHEMA).ok()?;
    let facts = json
        .pointer_mut("//commonTypes/Asked/attributes")?
        .as_object_mut()?;
    if has_approver_group {
        facts
            .get_mut("approver_group")?
            .as_object_mut()?
            .remove("required");
    } else {
        facts.remove("approver_group")?;
    }
    for (name, declared) in json.pointer_mut("//actions")?.as_object_mut()? {
        if name != action.as_str() {
            declared.as_object_mut()?.remove("appliesTo");
        }
    }
    Schema::from_json_value(json).ok()
}

fn person(
    uid: &EntityUid,
    person: &Person,
    groups: Vec<EntityUid>,
) -> Result<Entity, Box<dyn Error>> {
    let okta = person.okta.iter().map(|okta| text("okta", okta.as_str()));
    let email = person.email.iter().map(|email| text("email", email));
    let attributes = [text("slack", person.slack.as_str())];
    let attributes = attributes.into_iter().chain(okta).chain(email).collect();
    Ok(Entity::new(
        uid.clone(),
        attributes,
        groups.into_iter().collect(),
    )?)
}

fn uid(kind: &str, id: &str) -> Result<EntityUid, Box<dyn Error>> {
    let kind: EntityTypeName = kind.parse()?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

fn text(name: &str, value: &str) -> (String, RestrictedExpression) {
    (
        name.to_owned(),
        RestrictedExpression::new_string(value.to_owned()),
    )
}

fn sorted(ids: impl Iterator<Item = String>) -> Vec<String> {
    let mut ids: Vec<String> = ids.collect();
    ids.sort_unstable();
    ids
}
