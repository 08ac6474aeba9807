//! Reading `policy.cedar`, and noting everything that is wrong with it.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{PolicyId, PolicySet, Schema, ValidationMode, Validator};
use cedar_policy_core::ast::{self, BinaryOp, ExprKind};
use miette::Diagnostic;

use super::{Policy, SCHEMA};
use crate::flows::{Lines, Mistake, Mistakes, is_group_id, is_slack_id, is_slug, quoted};
use crate::permit::Action;

const ACTIONS: [Action; 6] = [
    Action::Request,
    Action::Approve,
    Action::Deny,
    Action::Revoke,
    Action::Extend,
    Action::AutoApprove,
];

pub(super) fn read(text: &str) -> Result<Policy, Mistakes> {
    let lines = Lines::of(text);
    let mut mistakes = Mistakes::default();
    let policies = policies(text, &lines, &mut mistakes);
    let Some(policies) = policies else {
        return mistakes.or(None);
    };
    let schema = match Schema::from_json_str(SCHEMA) {
        Ok(schema) => schema,
        Err(error) => {
            mistakes.add(
                1,
                format!("the schema of this build is broken: {}", told(&error)),
            );
            return mistakes.or(None);
        }
    };
    let result = Validator::new(schema.clone()).validate(&policies, ValidationMode::Strict);
    for (line, wrong) in noted(result.validation_errors(), &lines) {
        mistakes.add(line, wrong);
    }
    let warnings = noted(result.validation_warnings(), &lines)
        .into_iter()
        .map(|(line, text)| Mistake { line, text })
        .collect();
    mistakes.or(Some(Policy {
        policies,
        schema,
        warnings,
    }))
}

/// The policies in `text`, each under its own `@id`; none if that cannot be told. Notes what Cedar
/// would let pass.
fn policies(text: &str, lines: &Lines, mistakes: &mut Mistakes) -> Option<PolicySet> {
    let parsed = match text.parse::<PolicySet>() {
        Ok(parsed) => parsed,
        Err(errors) => {
            for error in errors.iter() {
                mistakes.add(line_of(error, lines), told(error));
            }
            return None;
        }
    };
    for template in parsed.templates() {
        let line = lines.at(start_of(&template.to_string(), text, 0));
        let wrong = "this is a template, expected no `?principal` and no `?resource`";
        mistakes.add(line, wrong.to_owned());
    }
    // Cedar numbers the policies in the order of the text.
    let mut numbered: Vec<_> = parsed.policies().collect();
    numbered.sort_unstable_by_key(|policy| {
        let id = policy.id().to_string();
        id.trim_start_matches("policy").parse::<usize>().ok()
    });
    let mut named = PolicySet::new();
    let mut lines_of_ids: BTreeMap<String, usize> = BTreeMap::new();
    let mut after = 0;
    for policy in numbered {
        let start = start_of(&policy.to_string(), text, after);
        after = start + 1;
        let line = lines.at(start);
        for wrong in oddities(policy) {
            mistakes.add(line, wrong);
        }
        let id = policy.annotation("id").unwrap_or_default();
        let mut is_new = false;
        if id.trim().is_empty() {
            let wrong = "this policy has no id, expected one such as `@id(\"approvers-decide\")`";
            mistakes.add(line, wrong.to_owned());
        } else if let Some(first) = lines_of_ids.insert(id.to_owned(), line) {
            let id = quoted(id);
            let wrong = format!("`@id` is {id}, the same as in line {first}, expected another");
            mistakes.add(line, wrong);
        } else {
            is_new = true;
        }
        // A policy without an id of its own is still held to the schema, under Cedar's.
        let id = if is_new {
            PolicyId::new(id)
        } else {
            policy.id().clone()
        };
        if let Err(error) = named.add(policy.new_id(id)) {
            mistakes.add(line, error.to_string());
        }
    }
    Some(named)
}

/// What Cedar lets pass in `policy` although it can never mean what it seems to.
fn oddities(policy: &cedar_policy::Policy) -> BTreeSet<String> {
    let mut odd = BTreeSet::new();
    for uid in policy.entity_literals() {
        let id = uid.id().unescaped();
        let (is_right, expected) = match uid.type_name().basename() {
            "Group" | "Target" => (
                is_group_id(id),
                "an Okta group id such as `00g1abcd2EFGH3ijk4x7`",
            ),
            "Person" => (
                is_slack_id(id, &['U', 'W']),
                "a Slack id such as `U0123ABCD`",
            ),
            "Flow" => (is_slug(id), "the name of a flow"),
            _ => continue,
        };
        if !is_right {
            odd.insert(format!(
                "{} is nobody's id, expected {expected}",
                quoted(&uid.to_string())
            ));
        }
    }
    // Cedar would answer "not a member" of anybody whose groups it was not told.
    if asks_for_others_groups(policy) {
        odd.insert(
            "this policy asks which groups somebody other than the principal is in, which is not \
             known, expected only `principal in …` and `resource in …`"
                .to_owned(),
        );
    }
    odd
}

/// Whether `policy` has an `in` whose left side is not a variable.
fn asks_for_others_groups(policy: &cedar_policy::Policy) -> bool {
    let policy: &ast::Policy = policy.as_ref();
    let condition = policy.condition();
    condition
        .subexpressions()
        .any(|expression| match expression.expr_kind() {
            ExprKind::BinaryApp {
                op: BinaryOp::In,
                arg1,
                ..
            } => !matches!(arg1.expr_kind(), ExprKind::Var(_)),
            _ => false,
        })
}

/// Where `policy` begins in `text`, from the byte `after` on and not in a comment.
fn start_of(policy: &str, text: &str, after: usize) -> usize {
    let rest = text.get(after..).unwrap_or_default();
    let is_live = |at: usize| {
        let line = rest.get(..at).unwrap_or_default();
        !line.rsplit('\n').next().unwrap_or_default().contains("//")
    };
    let mut starts = rest.match_indices(policy).map(|(at, _)| at);
    let start = starts.find(|at| is_live(*at)).or_else(|| rest.find(policy));
    after + start.unwrap_or_default()
}

/// What the validator says, in order. It says some things once for every action.
fn noted<'a, D: Diagnostic + 'a>(
    found: impl Iterator<Item = &'a D>,
    lines: &Lines,
) -> BTreeSet<(usize, String)> {
    let of_no_action = |text: String| {
        ACTIONS.iter().fold(text, |text, action| {
            text.replace(&format!(" for Action::\"{}\"", action.as_str()), "")
        })
    };
    let mut noted = BTreeSet::new();
    noted.extend(found.map(|error| (line_of(error, lines), of_no_action(told(error)))));
    noted
}

fn line_of(error: &dyn Diagnostic, lines: &Lines) -> usize {
    let label = error.labels().and_then(|mut labels| labels.next());
    lines.at(label.map_or(0, |label| label.offset()))
}

/// The error in one line, with what Cedar says beside the place and its advice.
fn told(error: &dyn Diagnostic) -> String {
    let label = error.labels().and_then(|mut labels| labels.next());
    let beside = label.and_then(|label| label.label().map(str::to_owned));
    let help = error.help().map(|help| help.to_string());
    let parts = [Some(error.to_string()), beside, help];
    parts
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("; ")
        .replace('\n', " ")
}
