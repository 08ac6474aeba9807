//! Why the local run does not start.

use std::io;
use std::path::{Path, PathBuf};

/// Why the local run does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else listens there.
    #[error(
        "port {port} is in use: stop what listens there, or give another port with `--port` (0 \
         takes any that is free)"
    )]
    PortInUse {
        /// The port.
        port: u16,
    },
    /// It cannot be listened there.
    #[error("cannot listen on 127.0.0.1:{port}: {error}; give another port with `--port`")]
    Listen {
        /// The port.
        port: u16,
        /// What the system said.
        error: io::Error,
    },
    /// Something in the data folder cannot be read or written.
    #[error(
        "`{path}` cannot be used: {error}; give another folder with `--data`, or delete this one to \
         start afresh",
        path = path.display()
    )]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        error: String,
    },
    /// Another local run uses the data folder.
    #[error(
        "another local run uses `{path}`: stop it, or give another folder with `--data`",
        path = path.display()
    )]
    FolderInUse {
        /// The folder.
        path: PathBuf,
    },
    /// The data folder was written by another version.
    #[error(
        "the data in `{path}` is of version {found}, and this is version {known}: delete the folder \
         to start afresh, or give another with `--data`",
        path = path.display()
    )]
    OtherVersion {
        /// The folder.
        path: PathBuf,
        /// The version of its data.
        found: u32,
        /// The version that this code writes.
        known: u32,
    },
    /// The table cannot be opened.
    #[error(
        "the table in `{path}` cannot be opened: {error}; give another folder with `--data`, or \
         delete this one to start afresh",
        path = path.display()
    )]
    Table {
        /// The file.
        path: PathBuf,
        /// What the database said.
        error: String,
    },
    /// The system does not give what a process needs.
    #[error("the system does not let it run: {0}")]
    System(io::Error),
}

impl Error {
    /// The `error` of the file or folder `path`.
    pub(crate) fn folder(path: &Path, error: &io::Error) -> Self {
        Self::Folder {
            path: path.to_owned(),
            error: error.to_string(),
        }
    }
}
