//! What there is in the org, and the journal in which every change is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// What a user can be.
pub(super) const STATUSES: [&str; 8] = [
    "ACTIVE",
    "DEPROVISIONED",
    "LOCKED_OUT",
    "PASSWORD_EXPIRED",
    "PROVISIONED",
    "RECOVERY",
    "STAGED",
    "SUSPENDED",
];

/// Everything in the org. Each change is a [`Record`], written to a journal before anybody is
/// answered; the journal is what the org is read from at the next start.
#[derive(Debug, Default)]
pub(super) struct Org {
    journal: Option<File>,
    pub(super) credential: Credential,
    pub(super) users: BTreeMap<String, User>,
    pub(super) groups: BTreeMap<String, Group>,
}

/// One change.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Record {
    Credential(Credential),
    User {
        id: String,
        user: User,
    },
    UserGone {
        user: String,
    },
    /// The group with everybody in it.
    Group {
        id: String,
        group: Group,
    },
    GroupGone {
        group: String,
    },
    In {
        group: String,
        user: String,
        by_rule: bool,
    },
    Out {
        group: String,
        user: String,
    },
}

/// What the token is worth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Credential {
    #[default]
    Valid,
    Revoked,
    /// The admin whose token it is lost their role.
    NoRole,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct User {
    pub(super) first_name: String,
    pub(super) login: String,
    pub(super) email: Option<String>,
    pub(super) status: String,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Group {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: Kind,
    /// The group rules whose target it is.
    pub(super) rules: Vec<String>,
    pub(super) admin_roles: Vec<String>,
    /// Who is in it, and whether a rule put them there.
    pub(super) members: BTreeMap<String, bool>,
    /// Whom its rules must leave out, because they were removed by hand.
    pub(super) excluded: BTreeSet<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Kind {
    #[default]
    OktaGroup,
    AppGroup,
    BuiltIn,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::OktaGroup => "OKTA_GROUP",
            Self::AppGroup => "APP_GROUP",
            Self::BuiltIn => "BUILT_IN",
        }
    }
}

impl Org {
    /// Reads the journal at `path`, and writes it anew without what has been overwritten since.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut org = Self::default();
        for record in read(path)?.unwrap_or_else(seed) {
            org.apply(record);
        }
        let draft = path.with_extension("draft");
        let mut file = BufWriter::new(File::create(&draft)?);
        for record in org.snapshot() {
            file.write_all(&line(&record)?)?;
        }
        let file = file.into_inner()?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        org.journal = Some(file);
        Ok(org)
    }

    /// Keeps a change, then makes it. If it cannot be kept, it is not made.
    pub(super) fn record(&mut self, record: Record) -> io::Result<()> {
        let line = line(&record)?;
        if let Some(journal) = &mut self.journal {
            journal.write_all(&line)?;
        }
        self.apply(record);
        Ok(())
    }

    fn apply(&mut self, record: Record) {
        match record {
            Record::Credential(credential) => self.credential = credential,
            Record::User { id, user } => {
                self.users.insert(id, user);
            }
            Record::UserGone { user } => {
                self.users.remove(&user);
                for group in self.groups.values_mut() {
                    group.members.remove(&user);
                    group.excluded.remove(&user);
                }
            }
            Record::Group { id, mut group } => {
                if group.rules.is_empty() {
                    group.excluded.clear();
                }
                self.groups.insert(id, group);
            }
            Record::GroupGone { group } => {
                self.groups.remove(&group);
            }
            Record::In {
                group,
                user,
                by_rule,
            } => {
                if let Some(group) = self.groups.get_mut(&group) {
                    group.members.insert(user, by_rule);
                }
            }
            Record::Out { group, user } => {
                if let Some(group) = self.groups.get_mut(&group)
                    && group.members.remove(&user) == Some(true)
                {
                    group.excluded.insert(user);
                }
            }
        }
    }

    /// The records that make everything there is.
    fn snapshot(&self) -> Vec<Record> {
        let mut all = vec![Record::Credential(self.credential)];
        all.extend(self.users.iter().map(|(id, user)| Record::User {
            id: id.clone(),
            user: user.clone(),
        }));
        all.extend(self.groups.iter().map(|(id, group)| Record::Group {
            id: id.clone(),
            group: group.clone(),
        }));
        all
    }
}

fn line(record: &Record) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    Ok(line)
}

/// The records at `path`, if it is there. A last one that was cut off when the process was killed
/// never was.
fn read(path: &Path) -> io::Result<Option<Vec<Record>>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    text.split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .map(|line| serde_json::from_str(line).map_err(io::Error::from))
        .collect::<io::Result<_>>()
        .map(Some)
}

/// The users: id, first name, login, e-mail.
const USERS: [(&str, &str, &str, &str); 7] = [
    (
        "00u1alice",
        "Alice",
        "alice@example.com",
        "alice@example.com",
    ),
    ("00u2bob", "Bob", "bob@example.com", "bob@example.com"),
    (
        "00u3carol",
        "Carol",
        "carol@example.com",
        "carol@example.com",
    ),
    ("00u4dave", "Dave", "dave@example.com", "dave@example.com"),
    (
        "00u5guest",
        "Guest",
        "guest@example.com",
        "guest@example.com",
    ),
    (
        "00u6twin",
        "Castor",
        "twin.one@example.com",
        "twins@example.com",
    ),
    (
        "00u7twin",
        "Pollux",
        "twin.two@example.com",
        "twins@example.com",
    ),
];

/// The org as it is at the first start.
fn seed() -> Vec<Record> {
    let mut all: Vec<Record> = USERS
        .iter()
        .map(|(id, first_name, login, email)| Record::User {
            id: (*id).to_owned(),
            user: User {
                first_name: (*first_name).to_owned(),
                login: (*login).to_owned(),
                email: Some((*email).to_owned()),
                status: "ACTIVE".to_owned(),
            },
        })
        .collect();
    let everybody = USERS.map(|(id, ..)| id);
    let mut group = |id: &str, name: &str, members: &[&str], more: Group| {
        let members = members.iter().map(|id| ((*id).to_owned(), false));
        all.push(Record::Group {
            id: id.to_owned(),
            group: Group {
                name: name.to_owned(),
                members: members.collect(),
                ..more
            },
        });
    };
    let plain = Group::default;
    let of_kind = |kind| Group { kind, ..plain() };
    group(
        "00g0everyone",
        "Everyone",
        &everybody,
        of_kind(Kind::BuiltIn),
    );
    let approvers = ["00u2bob", "00u3carol"];
    group("00g1approvers", "Stint approvers", &approvers, plain());
    group("00g2prodadmins", "Prod admins", &["00u4dave"], plain());
    group("00g3stagingadmins", "Staging admins", &[], plain());
    let ruled = Group {
        rules: vec!["All engineers".to_owned()],
        ..plain()
    };
    group("00g4rulemanaged", "Engineering", &[], ruled);
    group("00g5app", "Salesforce", &[], of_kind(Kind::AppGroup));
    let admins = Group {
        admin_roles: vec!["SUPER_ADMIN".to_owned()],
        ..plain()
    };
    group("00g6admins", "Okta admins", &[], admins);
    all
}
