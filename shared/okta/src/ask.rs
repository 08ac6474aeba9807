//! What Okta is asked.

use std::fmt;

use reqwest::Method;

/// One thing that Okta is asked, with the ids that it is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ask<'a> {
    Add { user: &'a str, group: &'a str },
    Remove { user: &'a str, group: &'a str },
    User { user: &'a str },
    UsersCalled { email: &'a str },
    GroupsOf { user: &'a str },
    MembersOf { group: &'a str },
    Group { group: &'a str },
    Rules,
    RolesOf { group: &'a str },
}

impl<'a> Ask<'a> {
    pub(crate) fn method(self) -> Method {
        match self {
            Self::Add { .. } => Method::PUT,
            Self::Remove { .. } => Method::DELETE,
            _ => Method::GET,
        }
    }

    /// The path below `/api/v1`, part by part.
    pub(crate) fn path(self) -> Vec<&'a str> {
        match self {
            Self::Add { user, group } | Self::Remove { user, group } => {
                vec!["groups", group, "users", user]
            }
            Self::User { user } => vec!["users", user],
            Self::UsersCalled { .. } => vec!["users"],
            Self::GroupsOf { user } => vec!["users", user, "groups"],
            Self::MembersOf { group } => vec!["groups", group, "users"],
            Self::Group { group } => vec!["groups", group],
            Self::Rules => vec!["groups", "rules"],
            Self::RolesOf { group } => vec!["groups", group, "roles"],
        }
    }

    /// Whether it changes a membership.
    pub(crate) fn is_change(self) -> bool {
        matches!(self, Self::Add { .. } | Self::Remove { .. })
    }

    /// What the admin whose token it is needs for it, after "the admin behind the Okta token needs".
    ///
    /// The scopes are those of Okta's specification. It does not name the roles; those of the custom
    /// kind are from its catalogue of permissions.
    pub(crate) fn needs(self) -> &'static str {
        match self {
            Self::Add { .. } | Self::Remove { .. } => {
                "the role Group Membership Administrator for this group, or a custom role with \
                 `okta.groups.members.manage` and `okta.users.groupMembership.manage` (OAuth scope \
                 `okta.groups.manage`); members of a group with admin roles are a super \
                 administrator's to change, and those of a group that an app or Okta itself manages \
                 are nobody's"
            }
            Self::User { .. } | Self::UsersCalled { .. } => {
                "a role that may view all users: Group Membership Administrator, or a custom role \
                 with `okta.users.read` (OAuth scope `okta.users.read`)"
            }
            Self::GroupsOf { .. } | Self::MembersOf { .. } | Self::Group { .. } => {
                "a role that may view users and groups: Group Membership Administrator, or a custom \
                 role with `okta.users.read` and `okta.groups.read` (OAuth scopes `okta.users.read` \
                 and `okta.groups.read`)"
            }
            Self::Rules => {
                "a role that may view group rules, beside the one for memberships: Read-only \
                 Administrator, or a custom role with `okta.groups.read` for all groups (OAuth scope \
                 `okta.groups.read`)"
            }
            Self::RolesOf { .. } => {
                "a role that may view the admin roles of groups, beside the one for memberships: a \
                 custom role with `okta.iam.read` for all identity and access management resources \
                 (OAuth scope `okta.roles.read`)"
            }
        }
    }
}

/// As it goes on after "could not".
impl fmt::Display for Ask<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add { user, group } => {
                write!(f, "add the Okta user `{user}` to the group `{group}`")
            }
            Self::Remove { user, group } => {
                write!(f, "remove the Okta user `{user}` from the group `{group}`")
            }
            Self::User { user } => write!(f, "read the Okta user `{user}`"),
            Self::UsersCalled { email } => write!(f, "look for `{email}` in Okta"),
            Self::GroupsOf { user } => write!(f, "read the groups of the Okta user `{user}`"),
            Self::MembersOf { group } => {
                write!(f, "read who is in the Okta group `{group}`")
            }
            Self::Group { group } => write!(f, "read the Okta group `{group}`"),
            Self::Rules => write!(f, "read the group rules of Okta"),
            Self::RolesOf { group } => {
                write!(f, "read the admin roles of the Okta group `{group}`")
            }
        }
    }
}
