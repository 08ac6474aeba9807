//! What is wrong with a file, all of it at once, each with its line.

use std::fmt;

/// Every mistake of one file, in the order of their lines; never empty when it is an error.
/// Displayed one a line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mistakes(Vec<Mistake>);

/// One mistake: where, what was found and what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The line, counted from 1.
    pub line: usize,
    /// What was found and what was expected, in one line.
    pub text: String,
}

impl Mistakes {
    /// The mistakes, in the order of their lines.
    #[must_use]
    pub fn as_slice(&self) -> &[Mistake] {
        &self.0
    }

    pub(crate) fn add(&mut self, line: usize, text: String) {
        self.0.push(Mistake { line, text });
    }

    /// What was read, unless there are mistakes.
    pub(crate) fn or<T>(mut self, read: Option<T>) -> Result<T, Self> {
        self.0.sort_by_key(|mistake| mistake.line);
        self.0.dedup();
        match read {
            Some(read) if self.0.is_empty() => Ok(read),
            _ => Err(self),
        }
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, mistake) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            mistake.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.text)
    }
}

/// Where the lines of a text begin.
pub(crate) struct Lines(Vec<usize>);

impl Lines {
    pub(crate) fn of(text: &str) -> Self {
        Self(
            std::iter::once(0)
                .chain(text.match_indices('\n').map(|(at, _)| at + 1))
                .collect(),
        )
    }

    /// The line, from 1, in which the byte at `offset` is.
    pub(crate) fn at(&self, offset: usize) -> usize {
        self.0.partition_point(|&start| start <= offset).max(1)
    }
}

/// A piece of the file as it is quoted in a mistake: one line, not long.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut piece: String = text
        .chars()
        .take(LONGEST)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        piece.push('…');
    }
    format!("`{piece}`")
}
