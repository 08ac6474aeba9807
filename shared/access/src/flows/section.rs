//! Reading one table of the file, key by key, while noting every mistake.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistakes::{Lines, Mistake, Mistakes, quoted};

/// The file that is being read, and what is wrong with it so far.
pub(super) struct File<'a> {
    text: &'a str,
    lines: Lines,
    mistakes: Mistakes,
    odd: Vec<Mistake>,
}

/// One table of the file.
pub(super) struct Section<'a> {
    /// What it is to people, such as "flow".
    what: &'static str,
    /// Where its header begins.
    start: usize,
    table: &'a DeTable<'a>,
}

/// A kind of value: what it is to people, and how it is told.
pub(super) struct Kind<T> {
    pub(super) expected: &'static str,
    pub(super) read: fn(&DeValue<'_>) -> Option<T>,
}

/// What a table says about one thing.
#[derive(Clone, Default)]
pub(super) enum Said<T> {
    /// Nothing.
    #[default]
    Nothing,
    /// What cannot be used; the mistake is noted.
    Wrong,
    /// This.
    Right(Spanned<T>),
}

impl<'a> File<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            lines: Lines::of(text),
            mistakes: Mistakes::default(),
            odd: Vec::new(),
        }
    }

    /// Notes a mistake in what begins at the byte `start`.
    pub(super) fn wrong(&mut self, start: usize, text: String) {
        self.mistakes.add(self.lines.at(start), text);
    }

    /// Notes something that is right but hardly meant, in what begins at the byte `start`.
    pub(super) fn odd(&mut self, start: usize, text: String) {
        let line = self.lines.at(start);
        self.odd.push(Mistake { line, text });
    }

    /// What is right but hardly meant.
    pub(super) fn odd_ones(&mut self) -> Vec<Mistake> {
        std::mem::take(&mut self.odd)
    }

    /// The line of the byte at `start`.
    pub(super) fn line(&self, start: usize) -> usize {
        self.lines.at(start)
    }

    /// What was read, unless a mistake was noted.
    pub(super) fn done<T>(self, read: Option<T>) -> Result<T, Mistakes> {
        self.mistakes.or(read)
    }

    /// What is written at `span`, as it is quoted in a mistake.
    pub(super) fn written(&self, span: Range<usize>) -> String {
        let text = self.text.get(span).unwrap_or_default();
        quoted(text.trim_matches(['"', '\'']))
    }

    fn not_a_table(&mut self, key: &str, value: &Spanned<DeValue<'_>>, header: &str) {
        let found = self.quote(value);
        self.wrong(
            value.span().start,
            format!("`{key}` is {found}, expected `[[{header}]]`"),
        );
    }

    fn quote(&self, value: &Spanned<DeValue<'_>>) -> String {
        match value.get_ref() {
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
            _ => self.written(value.span()),
        }
    }
}

impl<'a> Section<'a> {
    /// Opens `table`, called `what`, whose header begins at the byte `start`, and notes every key
    /// that is not one of `keys`.
    pub(super) fn open(
        file: &mut File<'_>,
        table: &'a DeTable<'a>,
        what: &'static str,
        start: usize,
        keys: &[&[&'static str]],
    ) -> Self {
        let keys = keys.concat();
        for key in table.keys() {
            let name = key.get_ref().as_ref();
            if !keys.contains(&name) {
                let text = format!(
                    "{} is not a key of this {what}, {}",
                    quoted(name),
                    did_you_mean(name, &keys)
                );
                file.wrong(key.span().start, text);
            }
        }
        Self { what, start, table }
    }

    /// Notes that something about the whole section is wrong.
    pub(super) fn wrong(&self, file: &mut File<'_>, text: &str) {
        file.wrong(self.start, format!("this {} {text}", self.what));
    }

    /// The value of `key`; none when it is not there or wrong.
    pub(super) fn optional<T>(
        &self,
        file: &mut File<'_>,
        key: &str,
        kind: &Kind<T>,
    ) -> Option<Spanned<T>> {
        let value = self.table.get(key)?;
        let read = (kind.read)(value.get_ref());
        if read.is_none() {
            let text = format!(
                "`{key}` is {}, expected {}",
                file.quote(value),
                kind.expected
            );
            file.wrong(value.span().start, text);
        }
        Some(Spanned::new(value.span(), read?))
    }

    /// What is said with `key`.
    pub(super) fn said<T>(&self, file: &mut File<'_>, key: &str, kind: &Kind<T>) -> Said<T> {
        if self.has(key) {
            self.optional(file, key, kind).into()
        } else {
            Said::Nothing
        }
    }

    /// The value of `key`, which must be there; none when it is not or is wrong.
    pub(super) fn required<T>(
        &self,
        file: &mut File<'_>,
        key: &str,
        kind: &Kind<T>,
    ) -> Option<Spanned<T>> {
        self.must_have(file, key, kind.expected);
        self.optional(file, key, kind)
    }

    /// The list under `key`, with as many items as `lengths` allows, no two of them equal; none when
    /// it is not there or wrong.
    pub(super) fn list<T: PartialEq>(
        &self,
        file: &mut File<'_>,
        key: &str,
        kind: &Kind<T>,
        lengths: RangeInclusive<usize>,
    ) -> Option<Vec<Spanned<T>>> {
        let value = self.table.get(key)?;
        let start = value.span().start;
        let expected = kind.expected;
        let Some(items) = value.get_ref().as_array() else {
            let found = file.quote(value);
            file.wrong(
                start,
                format!("`{key}` is {found}, expected a list, each item {expected}"),
            );
            return None;
        };
        let mut is_right = lengths.contains(&items.len());
        if items.is_empty() && !is_right {
            file.wrong(start, format!("`{key}` is empty, expected {expected}"));
        } else if !is_right {
            let (found, most) = (items.len(), lengths.end());
            file.wrong(
                start,
                format!("`{key}` has {found} items, expected at most {most}"),
            );
        }
        let mut read: Vec<Spanned<T>> = Vec::new();
        for item in items {
            let wrong = match (kind.read)(item.get_ref()) {
                None => format!("{}, expected {expected}", file.quote(item)),
                Some(same) if read.iter().any(|other| other.get_ref() == &same) => {
                    format!(
                        "{} a second time, expected each item once",
                        file.quote(item)
                    )
                }
                Some(new) => {
                    read.push(Spanned::new(item.span(), new));
                    continue;
                }
            };
            is_right = false;
            file.wrong(item.span().start, format!("`{key}` has {wrong}"));
        }
        is_right.then_some(read)
    }

    /// Notes it if `key` is not there.
    pub(super) fn must_have(&self, file: &mut File<'_>, key: &str, expected: &str) {
        if !self.has(key) {
            self.wrong(file, &format!("has no `{key}`, expected {expected}"));
        }
    }

    /// Whether `key` is there, right or wrong.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Where the value of `key` is, right or wrong.
    pub(super) fn span(&self, key: &str) -> Option<Range<usize>> {
        self.table.get(key).map(Spanned::span)
    }

    /// The tables `[[…key]]`, each with where its header begins.
    pub(super) fn tables(
        &self,
        file: &mut File<'_>,
        key: &str,
        header: &str,
    ) -> Vec<(usize, &'a DeTable<'a>)> {
        let Some(value) = self.table.get(key) else {
            return Vec::new();
        };
        let mut tables = Vec::new();
        match value.get_ref() {
            DeValue::Array(items) => {
                for item in items {
                    match item.get_ref() {
                        DeValue::Table(table) => tables.push((item.span().start, table)),
                        _ => file.not_a_table(key, item, header),
                    }
                }
            }
            _ => file.not_a_table(key, value, header),
        }
        tables
    }

    /// The table of texts under `key`, without those that are wrong.
    pub(super) fn texts(
        &self,
        file: &mut File<'_>,
        key: &str,
        kind: &Kind<String>,
    ) -> BTreeMap<String, String> {
        let Some(value) = self.table.get(key) else {
            return BTreeMap::new();
        };
        let Some(table) = value.get_ref().as_table() else {
            let text = format!(
                "`{key}` is {}, expected a table such as `{{ tier = \"production\" }}`",
                file.quote(value)
            );
            file.wrong(value.span().start, text);
            return BTreeMap::new();
        };
        let section = Self {
            what: "table",
            start: value.span().start,
            table,
        };
        table
            .keys()
            .filter_map(|name| {
                let text = section.optional(file, name.get_ref(), kind)?;
                Some((name.get_ref().to_string(), text.into_inner()))
            })
            .collect()
    }
}

impl<T> Said<T> {
    /// This, or what `outer` says where this says nothing.
    pub(super) fn or(self, outer: Self) -> Self {
        match self {
            Self::Nothing => outer,
            said => said,
        }
    }

    /// What is said, if it is right.
    pub(super) fn right(self) -> Option<Spanned<T>> {
        match self {
            Self::Right(right) => Some(right),
            Self::Nothing | Self::Wrong => None,
        }
    }
}

/// Of what is there; none if it is wrong.
impl<T> From<Option<Spanned<T>>> for Said<T> {
    fn from(read: Option<Spanned<T>>) -> Self {
        read.map_or(Self::Wrong, Self::Right)
    }
}

fn did_you_mean(name: &str, keys: &[&str]) -> String {
    let close = keys
        .iter()
        .map(|key| (strsim::osa_distance(name, key), key))
        .filter(|(distance, key)| *distance <= (key.len() / 3).max(1))
        .min();
    match close {
        Some((_, key)) => format!("did you mean `{key}`?"),
        None => format!("expected one of `{}`", keys.join("`, `")),
    }
}
