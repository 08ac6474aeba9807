//! Slack: what it sends, how it is called, and what people see.
//!
//! - [`signature`] and [`payload`] read what Slack sends.
//! - [`Client`] calls its Web API; its [`Error`] says what a caller must do.
//! - [`text`] and [`blocks`] build what Slack shows, in types that cannot exceed its limits.
//! - [`form`], [`card`], [`decision`] and [`notice`] are what people see of a request, and [`home`] is
//!   what they see of all of theirs.

pub mod blocks;
pub mod card;
mod client;
pub mod decision;
pub mod form;
pub mod home;
pub mod notice;
pub mod payload;
pub mod signature;
pub mod text;

#[cfg(test)]
mod tests;

pub use blocks::{Home, Message, View};
pub use client::{Client, Error, PersonKind, SlackPerson};
pub use payload::{Payload, PayloadError};
