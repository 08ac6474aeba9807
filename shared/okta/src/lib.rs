//! Okta, as far as Stint needs it: who somebody is, which groups they are in, whether a group may be
//! touched, and putting them in and taking them out.
//!
//! - [`Client`] calls the API; nothing is retried in it but a call whose token was rejected.
//! - [`CredentialSource`] is where its token comes from.
//! - [`Error`] says what a caller must do.

mod ask;
mod client;
mod credential;
mod error;
mod limits;
mod link;
#[cfg(test)]
mod tests;

pub use client::{Client, Done, GroupCheck, User};
pub use credential::{CredentialError, CredentialSource};
pub use error::{Error, Mend, Missing};
pub use limits::Room;
