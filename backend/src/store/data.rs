//! `--data`: where what survives a restart is kept.

use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where data is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// In memory: nothing survives.
    Memory,
    /// In this folder, which is made where it does not exist.
    Folder(PathBuf),
}

impl Data {
    /// The folder, if there is one.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Memory => None,
            Self::Folder(folder) => Some(folder),
        }
    }
}

impl FromStr for Data {
    type Err = Infallible;

    /// `none`, or a folder; `./none` is a folder of that name.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "none" => Self::Memory,
            folder => Self::Folder(folder.into()),
        })
    }
}

impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("none"),
            Self::Folder(folder) => folder.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_is_no_folder_unless_it_is_a_path() {
        let data = |text: &str| text.parse::<Data>().unwrap();
        assert_eq!(data("none").folder(), None);
        assert_eq!(data("./none").folder(), Some(Path::new("./none")));
        assert_eq!(data("golive-data").to_string(), "golive-data");
    }
}
