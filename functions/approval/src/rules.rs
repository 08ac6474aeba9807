//! The two files that a team edits, as they are now.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use access::Trouble;
use access::flows::Flows;
use access::policy::Policy;
use aws::Layer;

/// What people can ask for, and who may do what.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) flows: Flows,
    pub(crate) policy: Policy,
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
