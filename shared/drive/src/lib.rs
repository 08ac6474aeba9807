//! What the functions do the same way every time: load, decide, write, carry out.
//!
//! - [`Tools::step`] loads a request and its ledger item, asks [`access::transition`], and writes.
//! - [`Tools::call`] sends the one call to Okta that a step announced, and records its answer.
//! - [`Tools::show`] draws the cards and sends the messages that a request owes.
//! - [`Tools::report`] tells the error channel, each cause once.
//! - [`Tools::redraw_home`] has a Home tab drawn again.

mod calls;
mod error;
mod homes;
mod report;
mod step;
mod surfaces;
mod tools;

pub use calls::{BY_ITSELF, after_of, trouble_of};
pub use error::Error;
pub use report::Failed;
pub use step::{Done, Subject};
pub use surfaces::Ours;
pub use tools::Tools;
