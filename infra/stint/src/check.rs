//! `stint check`: is what a team edits right, and what does it say?

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::ErrorKind;
use std::path::Path;

use access::Action;
use access::flows::{Duration, Flows, Mistakes, Route, Target};
use access::policy::Policy;

/// What [`check`] has to say, in lines for a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What the files say, and warnings.
    pub found: String,
    /// Every mistake, as `file:line: what`; empty if there is none.
    pub wrong: String,
}

/// Reads `flows.toml` and `policy.cedar` in `dir`.
#[must_use]
pub fn check(dir: &Path) -> Report {
    let mut found = Vec::new();
    let mut wrong = Vec::new();
    let flows = read(&dir.join("flows.toml"), Flows::parse, &mut wrong);
    let policy = read(&dir.join("policy.cedar"), Policy::parse, &mut wrong);
    if let Some(flows) = &flows {
        found.extend(describe_flows(&dir.join("flows.toml"), flows));
    }
    if let Some(policy) = &policy {
        found.extend(describe_policy(&dir.join("policy.cedar"), policy));
    }
    if let (Some(flows), Some(policy)) = (&flows, &policy) {
        found.extend(warnings(dir, flows, policy));
    }
    Report {
        found: lines(&found),
        wrong: lines(&wrong),
    }
}

fn read<T>(
    path: &Path,
    parse: fn(&str) -> Result<T, Mistakes>,
    wrong: &mut Vec<String>,
) -> Option<T> {
    let file = path.display();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            wrong.push(match error.kind() {
                ErrorKind::NotFound => format!(
                    "{file}: there is no such file; name the folder that has it: `stint check DIR`"
                ),
                ErrorKind::InvalidData => format!("{file}: this is not text in UTF-8"),
                _ => format!("{file}: it cannot be read: {error}"),
            });
            return None;
        }
    };
    match parse(&text) {
        Ok(parsed) => Some(parsed),
        Err(mistakes) => {
            let mistakes = mistakes.as_slice().iter();
            wrong.extend(mistakes.map(|m| format!("{file}:{}: {}", m.line, m.text)));
            None
        }
    }
}

fn describe_flows(path: &Path, flows: &Flows) -> Vec<String> {
    let mut lines = vec![format!(
        "{}: {} for the Slack workspace {} and the Okta org {}, failures to {}",
        path.display(),
        count(flows.flows.len(), "flow"),
        flows.slack_workspace_id,
        flows.okta_org,
        flows.error_channel,
    )];
    for flow in &flows.flows {
        let targets = count(flow.targets.len(), "target");
        lines.push(format!("  {} ({}): {targets}", flow.name, flow.label));
        lines.extend(
            flow.targets
                .iter()
                .map(|target| format!("    {}", describe_target(target))),
        );
    }
    lines
}

fn describe_target(target: &Target) -> String {
    let durations: Vec<String> = target.durations.iter().map(Duration::to_string).collect();
    let approvers = match &target.approver_group {
        Some(group) => format!("{} of the approver group {group}", target.approvals_needed),
        None => format!("{} whom the policy permits", target.approvals_needed),
    };
    format!(
        "{} ({}): {}, {} in all; {}; approved by {approvers} within {}",
        target.label,
        target.group,
        durations.join(", "),
        target.max_duration,
        describe_routes(target),
        target.request_timeout,
    )
}

fn describe_routes(target: &Target) -> String {
    let route = describe_route(&target.route);
    let fallback = target
        .fallback
        .as_ref()
        .map_or_else(String::new, |fallback| {
            let (fallback, after) = (describe_route(fallback), target.fallback_after);
            format!(", after {after} also to {fallback}")
        });
    let reminders = target.remind_after.map_or_else(
        || "no reminders".to_owned(),
        |after| format!("first reminder after {after}"),
    );
    format!("sent to {route}{fallback}, {reminders}")
}

fn describe_route(route: &Route) -> String {
    match route {
        Route::Channel(channel) => channel.to_string(),
        Route::AskedFrom => "the channel it was asked from".to_owned(),
        Route::People(people) => people.join(", "),
    }
}

fn describe_policy(path: &Path, policy: &Policy) -> Vec<String> {
    let rules = policy.rules();
    let policies = match rules.len() {
        1 => "1 policy".to_owned(),
        n => format!("{n} policies"),
    };
    let mut lines = vec![format!("{}: {policies}", path.display())];
    lines.extend(rules.iter().map(|rule| {
        let effect = if rule.permits { "permit" } else { "forbid" };
        format!("  {effect} {}", rule.id)
    }));
    lines
}

fn warnings(dir: &Path, flows: &Flows, policy: &Policy) -> Vec<String> {
    let in_file = |name: &str, line: usize, text: &dyn Display| {
        format!("warning: {}:{line}: {text}", dir.join(name).display())
    };
    let mut warnings = Vec::new();
    warnings.extend(
        flows
            .warnings
            .iter()
            .map(|m| in_file("flows.toml", m.line, &m.text)),
    );
    warnings.extend(
        policy
            .warnings()
            .iter()
            .map(|m| in_file("policy.cedar", m.line, &m.text)),
    );

    if !policy.could_permit(Action::Request, true) && !policy.could_permit(Action::Request, false) {
        warnings.push("warning: no policy permits `request`, so nobody can ask".to_owned());
    }
    for flow in &flows.flows {
        for target in &flow.targets {
            let has_approvers = target.approver_group.is_some();
            let could = |action| policy.could_permit(action, has_approvers);
            if !could(Action::Approve) && !could(Action::AutoApprove) {
                let (flow, label) = (&flow.name, &target.label);
                let without = if has_approvers {
                    ""
                } else {
                    ", which has no `approver_group`"
                };
                warnings.push(format!(
                    "warning: no policy permits `approve` for the target `{label}` of the flow \
                     `{flow}`{without}, so nobody can approve"
                ));
            }
        }
    }

    let names: BTreeSet<&str> = flows.flows.iter().map(|flow| flow.name.as_str()).collect();
    let targets = flows.flows.iter().flat_map(|flow| &flow.targets);
    let groups: BTreeSet<&str> = targets.map(|target| target.group.as_str()).collect();
    for rule in policy.rules() {
        let strange = |kind: &str, named: &BTreeSet<String>, known: &BTreeSet<&str>| {
            let strange = named.iter().filter(|name| !known.contains(name.as_str()));
            let warning = |name| {
                format!(
                    "warning: the policy `{}` names the {kind} `{name}`, which is not in flows.toml",
                    rule.id
                )
            };
            strange.map(warning).collect::<Vec<_>>()
        };
        warnings.extend(strange("flow", &rule.flows, &names));
        warnings.extend(strange("target", &rule.targets, &groups));
    }
    warnings
}

fn count(n: usize, what: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {what}{plural}")
}

fn lines(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}
