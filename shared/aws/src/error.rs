//! The ways in which AWS can fail a function, told apart by what the caller must do.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

/// Why something that a function wanted of AWS did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The item was written by somebody else since it was loaded: load it and decide again.
    #[error("the item has moved since it was read")]
    Moved,
    /// The stack is being deleted: no access is given any more.
    #[error("the stack is being deleted, and gives no access any more")]
    Closing,
    /// Somebody must put a secret in place, or let the function read it.
    #[error("{error}")]
    Unconfigured {
        /// What is missing.
        error: String,
        /// What to do about it.
        hint: String,
    },
    /// An item that this version of the code must not touch.
    #[error(
        "item `{item}` has schema version {found}, and this code knows only version {known}: deploy \
         the version that wrote it"
    )]
    UnknownVersion {
        /// The item's key.
        item: String,
        /// The version it carries.
        found: String,
        /// The version that this code knows.
        known: u32,
    },
    /// An item that cannot be read although its version is known.
    #[error("item `{item}` cannot be read: {error}")]
    Unreadable {
        /// The item's key.
        item: String,
        /// What is wrong with it.
        error: String,
    },
    /// An event that this version of the code must not act on, nor forget: whoever meets it fails, so
    /// that the platform keeps it.
    #[error(
        "an event has version {found}, and this code knows only version {known}: deploy the version \
         that sent it"
    )]
    UnknownEvent {
        /// The version it carries, as JSON.
        found: String,
        /// The version that this code knows.
        known: u32,
    },
    /// An event that cannot be read although its version is known.
    #[error("an event of version {known} cannot be read: {error}; deploy the version that sent it")]
    UnreadableEvent {
        /// The version it carries.
        known: u32,
        /// What is wrong with it.
        error: String,
    },
    /// AWS did not do it, or did not say whether it did: try again later.
    #[error("{service} failed: {error}")]
    Unavailable {
        /// Which service.
        service: &'static str,
        /// What it said.
        error: String,
    },
}

impl Error {
    /// An error of `service`, for which the SDK has no better name.
    pub(crate) fn of<E>(service: &'static str, error: SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let error = match (error.code(), error.message()) {
            (Some(code), Some(message)) => format!("{code}: {}", message.trim_end_matches('.')),
            (Some(code), None) => code.to_owned(),
            _ => chain(&*Box::<dyn std::error::Error>::from(error)),
        };
        Self::Unavailable { service, error }
    }

    /// What to do about it, for a person.
    #[must_use]
    pub fn hint(&self) -> &str {
        match self {
            Self::Unconfigured { hint, .. } => hint,
            Self::UnknownVersion { .. } | Self::Unreadable { .. } => {
                "the people who run Stint must look at the table"
            }
            Self::UnknownEvent { .. } | Self::UnreadableEvent { .. } => {
                "the people who run Stint must deploy the version that sent it; the event is kept"
            }
            Self::Closing => "nothing to do: if the deletion is refused, it is tried again",
            Self::Moved | Self::Unavailable { .. } => {
                "try again in a minute; if it stays, the people who run Stint must look at AWS"
            }
        }
    }
}

/// What an error says, and what caused it. Nothing of an answer's body, which may hold a secret.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.join(": ")
}
