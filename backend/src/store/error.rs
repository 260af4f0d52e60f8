//! What can go wrong with the store. `Display` says what to do.

use std::io;
use std::path::PathBuf;

/// Why the server does not start with this data folder.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or a file in it cannot be made.
    #[error(
        "--data {}: nothing can be kept there ({source}). Please name a folder that golive may write to, or keep everything in memory with --data none.",
        folder.display()
    )]
    Folder {
        /// What the flag says.
        folder: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another server has it.
    #[error(
        "--data {} is in use by another golive: please stop that one, or name another folder.",
        folder.display()
    )]
    InUse {
        /// What the flag says.
        folder: PathBuf,
    },
    /// It was written by a later version of this program.
    #[error(
        "{} was written by a newer golive (schema {found}, this one knows {known}): please start that version, or name another folder with --data.",
        file.display()
    )]
    Newer {
        /// The database.
        file: PathBuf,
        /// Its version.
        found: i64,
        /// The newest this program knows.
        known: i64,
    },
    /// It is a database, but another program's.
    #[error(
        "{} is the database of another program: please name another folder with --data.",
        file.display()
    )]
    Foreign {
        /// The database.
        file: PathBuf,
    },
    /// It cannot be read.
    #[error(
        "{} is damaged ({detail}): please put a backup in its place, or move it away to begin without rooms.",
        file.display()
    )]
    Damaged {
        /// The database.
        file: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// It can be read, but not written.
    #[error("{} cannot be written ({source}): please give golive the right to, or name another folder with --data.", file.display())]
    NotWritable {
        /// The database.
        file: PathBuf,
        /// Why not.
        source: rusqlite::Error,
    },
    /// There is no room left.
    #[error("{} cannot be written, because the disk is full: please free some space.", file.display())]
    Full {
        /// The database.
        file: PathBuf,
    },
}

/// Why a batch was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// There is no room left.
    #[error("the disk is full")]
    Full,
    /// Whatever the database says.
    #[error("the database says: {0}")]
    Database(#[from] rusqlite::Error),
}

/// Why something was not kept, for whoever wanted it to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotKept {
    /// Nothing can be written at the moment.
    #[error(
        "The server cannot save anything at the moment, perhaps because its disk is full: please try again in a minute."
    )]
    Failing,
    /// It was told to everybody, but could not be written.
    #[error("Everybody has seen this, but it is not saved yet: the server tries again by itself.")]
    Late,
    /// More comes than can be written.
    #[error("The server has a lot to save at the moment: please try again in a few seconds.")]
    Busy,
    /// The server is stopping.
    #[error("The server is restarting: please try again in a few seconds.")]
    Stopping,
}
