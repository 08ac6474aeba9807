//! The flows layer: the files that a team edits, as they are deployed.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// What was made of some files of the flows layer. They are read once, and again when the length or
/// the time of the last change of one of them differs.
#[derive(Debug)]
pub struct Layer<T, const FILES: usize> {
    paths: [PathBuf; FILES],
    made: Mutex<Option<Made<T, FILES>>>,
}

#[derive(Debug)]
struct Made<T, const FILES: usize> {
    revision: [Option<(SystemTime, u64)>; FILES],
    made: T,
}

impl<T: Clone, const FILES: usize> Layer<T, FILES> {
    /// The files called `names` in `folder`.
    #[must_use]
    pub fn new(folder: &Path, names: [&str; FILES]) -> Self {
        Self {
            paths: names.map(|name| folder.join(name)),
            made: Mutex::default(),
        }
    }

    /// What `read` makes of the texts of the files, in the order of their names. An `Err` says, for a
    /// person, why a file cannot be read.
    pub fn get(&self, read: impl FnOnce([Result<String, String>; FILES]) -> T) -> T {
        let mut known = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let revision = self.paths.each_ref().map(|path| revision(path));
        match known.as_ref() {
            Some(known) if known.revision == revision => known.made.clone(),
            _ => {
                let made = read(self.paths.each_ref().map(|path| text(path)));
                *known = Some(Made {
                    revision,
                    made: made.clone(),
                });
                made
            }
        }
    }
}

fn revision(path: &Path) -> Option<(SystemTime, u64)> {
    let file = std::fs::metadata(path).ok()?;
    Some((file.modified().ok()?, file.len()))
}

fn text(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        format!("`{name}` cannot be read: {error}")
    })
}
