//! The two files that a team edits, as they are now.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use access::flows::{Flows, Target};
use access::policy::{Policy, Question};
use access::{Action, Group, Person, Request, Trouble};
use aws::Layer;
use jiff::Timestamp;

/// What people can ask for, and who may do what.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) flows: Flows,
    pub(crate) policy: Policy,
}

/// What the policy is asked about a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking<'a> {
    pub(crate) request: &'a Request,
    /// The target as the flows file has it now, if it has it.
    pub(crate) target: Option<&'a Target>,
    pub(crate) principal: &'a Person,
    /// The groups that the principal is in.
    pub(crate) groups: &'a [Group],
    pub(crate) now: Timestamp,
}

impl<'a> Asking<'a> {
    /// May the principal do `action`, as `requester` asked?
    pub(crate) fn of(self, action: Action, requester: &'a Person) -> Question<'a> {
        static NO_TAGS: BTreeMap<String, String> = BTreeMap::new();
        let request = self.request;
        Question {
            action,
            principal: self.principal,
            groups: self.groups,
            flow: &request.flow,
            target: &request.group,
            label: &request.label,
            tags: self.target.map_or(&NO_TAGS, |it| &it.tags),
            approver_group: self.target.and_then(|it| it.approver_group.as_ref()),
            requester,
            duration_s: request.duration_s,
            reason: &request.reason,
            fields: &request.fields,
            now: self.now,
        }
    }
}

/// `flows.toml` and `policy.cedar` as they are deployed.
#[derive(Debug)]
pub(crate) struct RuleFiles(Layer<Result<Arc<Rules>, Trouble>, 2>);

impl RuleFiles {
    /// The files in `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        Self(Layer::new(folder, ["flows.toml", "policy.cedar"]))
    }

    /// What they say; or every mistake in them, for a person.
    pub(crate) fn get(&self) -> Result<Arc<Rules>, Trouble> {
        self.0
            .get(|[flows, policy]| parse(flows, policy).map(Arc::new))
    }
}

fn parse(flows: Result<String, String>, policy: Result<String, String>) -> Result<Rules, Trouble> {
    let mut wrong = Vec::new();
    let flows = parse_one("flows.toml", flows, Flows::parse, &mut wrong);
    let policy = parse_one("policy.cedar", policy, Policy::parse, &mut wrong);
    if let (Some(flows), Some(policy)) = (flows, policy) {
        return Ok(Rules { flows, policy });
    }
    let error = wrong.join("; ");
    tracing::error!(error, "nobody can ask or approve: {error}");
    Err(Trouble {
        error,
        hint: "the people who run Stint must mend these files (`cargo stint check` lists every \
               mistake) and deploy again; access that was given still ends on time"
            .to_owned(),
    })
}

fn parse_one<T, E: Display>(
    name: &str,
    text: Result<String, String>,
    parse: fn(&str) -> Result<T, E>,
    wrong: &mut Vec<String>,
) -> Option<T> {
    let text = text.map_err(|error| wrong.push(error)).ok()?;
    parse(&text)
        .map_err(|mistakes| {
            let lines = mistakes.to_string();
            wrong.extend(lines.lines().map(|line| format!("`{name}` {line}")));
        })
        .ok()
}
