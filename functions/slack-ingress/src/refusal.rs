//! Why nothing can be asked for, as people are told.

use slack::blocks::section;
use slack::text::{Mrkdwn, escaped, plain};
use slack::{Message, notice};

/// How much of it is told inside a form, below one input.
const IN_FORM: usize = 500;

/// Why nothing can be asked for.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    error: String,
    /// What is wrong in particular.
    lines: Vec<String>,
    hint: &'static str,
}

impl Refusal {
    /// The flows file is not as it must be.
    pub(crate) fn broken(error: String, lines: Vec<String>) -> Self {
        Self {
            error,
            lines,
            hint: "the people who run Stint must mend the file (`cargo stint check` lists every \
                   mistake) and deploy again; access that was given still ends on time",
        }
    }

    /// The person belongs to another workspace than the flows file names.
    pub(crate) fn foreign() -> Self {
        Self {
            error: "people of another workspace cannot ask for access or decide about it"
                .to_owned(),
            lines: Vec::new(),
            hint: "ask a full member of this workspace",
        }
    }

    /// On one line.
    pub(crate) fn line(&self) -> String {
        let colon = if self.lines.is_empty() { "" } else { ": " };
        format!("{}{colon}{}", self.error, self.lines.join("; "))
    }

    /// Inside a form.
    pub(crate) fn in_form(&self) -> String {
        let rest = format!("; {}", self.hint);
        let room = IN_FORM.saturating_sub(rest.len());
        plain(&self.line(), room) + &rest
    }

    /// As a message, where nothing else tells what was attempted and where.
    pub(crate) fn message(&self, what: Mrkdwn, place: Mrkdwn) -> Message {
        let lines = self
            .lines
            .iter()
            .map(|line| Mrkdwn::from("• ") + escaped(line));
        let list = (!self.lines.is_empty()).then(|| section(Mrkdwn::join(lines, "\n")));
        notice::problem(what, place, &self.error, self.hint).with(list)
    }
}
