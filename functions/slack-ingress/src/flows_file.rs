//! `flows.toml`, as it is now.

use std::path::Path;
use std::sync::Arc;

use access::flows::Flows;
use aws::Layer;

use crate::refusal::Refusal;

/// `flows.toml` as it is deployed.
#[derive(Debug)]
pub(crate) struct FlowsFile(Layer<Result<Arc<Flows>, Refusal>, 1>);

impl FlowsFile {
    /// The file in `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        Self(Layer::new(folder, ["flows.toml"]))
    }

    /// What it says; or every mistake in it, for a person.
    pub(crate) fn get(&self) -> Result<Arc<Flows>, Refusal> {
        self.0.get(|[text]| {
            let flows = parse(text);
            if let Err(refusal) = &flows {
                let wrong = refusal.line();
                tracing::error!(wrong, "nobody can ask for access: {wrong}");
            }
            flows.map(Arc::new)
        })
    }
}

fn parse(text: Result<String, String>) -> Result<Flows, Refusal> {
    let text = text.map_err(|error| Refusal::broken(error, Vec::new()))?;
    Flows::parse(&text).map_err(|mistakes| {
        let mistakes = mistakes.as_slice().iter();
        let lines: Vec<String> = mistakes.map(ToString::to_string).collect();
        let error = match lines.len() {
            1 => "`flows.toml` has a mistake".to_owned(),
            several => format!("`flows.toml` has {several} mistakes"),
        };
        Refusal::broken(error, lines)
    })
}
