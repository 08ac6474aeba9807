//! Why a step was not taken.

use access::{Loaded, Refusal};

/// Why a step was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The domain refused: nothing was written, and what was loaded tells how things stand.
    #[error("{refusal}")]
    Refused {
        /// Why.
        refusal: Refusal,
        /// What was loaded.
        loaded: Box<Loaded>,
    },
    /// The item kept moving while it was decided: try again later.
    #[error("the item kept moving while it was decided")]
    Busy,
    /// The table or another service of AWS failed.
    #[error(transparent)]
    Aws(#[from] aws::Error),
}
