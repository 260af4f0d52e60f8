//! The page: `dist/`, built when something of it has changed.
//!
//! Trunk writes it anew each time, and not always in the same order; the server would then be built anew, too.

use std::fmt::Write;
use std::path::Path;
use std::{fs, io};

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::target_dir;

/// What it is made of, from the top level: files, and folders with all that is in them.
const SOURCES: [&str; 5] = [
    "Cargo.lock",
    "Cargo.toml",
    "Trunk.toml",
    "frontend",
    "shared",
];
/// What is made from them there.
const MADE: &str = "node_modules";
/// Written by every build.
const INDEX: &str = "dist/index.html";

/// Builds it, unless it is there and up to date.
pub(crate) fn build(sh: &Shell) -> Result<()> {
    let (top, stamp) = (sh.current_dir(), target_dir().join("page-built"));
    let sources = sources(&top)?;
    let is_known = |built: String| fs::read_to_string(&stamp).is_ok_and(|known| known == built);
    if stamp_of(&top, &sources).is_ok_and(is_known) {
        println!("The page is up to date.");
        return Ok(());
    }
    // Trunk takes only "true" and "false" for NO_COLOR, which others merely set.
    cmd!(sh, "trunk build --release")
        .env_remove("NO_COLOR")
        .run()?;
    // As they were before: what has changed meanwhile may not be in it.
    Ok(fs::write(&stamp, stamp_of(&top, &sources)?)?)
}

/// What tells that the page in `dist/` is the one that was built from these sources.
fn stamp_of(top: &Path, sources: &str) -> io::Result<String> {
    let mut stamp = sources.to_owned();
    put(top, INDEX.as_ref(), &mut stamp)?;
    Ok(stamp)
}

/// All sources, with when they were changed.
fn sources(top: &Path) -> io::Result<String> {
    let mut list = String::new();
    for source in SOURCES {
        put(top, source.as_ref(), &mut list)?;
    }
    Ok(list)
}

/// Puts a file, or all files of a folder, into a list.
fn put(top: &Path, path: &Path, list: &mut String) -> io::Result<()> {
    let here = top.join(path);
    let metadata = fs::metadata(&here)?;
    if !metadata.is_dir() {
        let _ = writeln!(list, "{} {:?}", path.display(), metadata.modified()?);
        return Ok(());
    }
    let entries: io::Result<Vec<_>> = fs::read_dir(&here)?.collect();
    let mut names: Vec<_> = entries?.iter().map(fs::DirEntry::file_name).collect();
    names.sort();
    for name in names.iter().filter(|name| *name != MADE) {
        put(top, &path.join(name), list)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::SystemTime;

    use super::*;

    /// A repository with a page, gone at the end.
    struct Repository(PathBuf);

    impl Repository {
        fn new(name: &str) -> Self {
            let name = format!("golive-page-{}-{name}", std::process::id());
            let top = std::env::temp_dir().join(name);
            let files = [
                "Cargo.lock",
                "Cargo.toml",
                "Trunk.toml",
                "shared/a.rs",
                "frontend/b.rs",
                INDEX,
            ];
            for file in files {
                let file = top.join(file);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, "").unwrap();
            }
            Self(top)
        }

        fn stamp(&self) -> String {
            stamp_of(&self.0, &sources(&self.0).unwrap()).unwrap()
        }

        fn touch(&self, file: &str) {
            let file = fs::File::open(self.0.join(file)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        }
    }

    impl Drop for Repository {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_npm_fetches_is_no_source() {
        let repository = Repository::new("npm");
        let before = repository.stamp();
        fs::create_dir(repository.0.join("frontend/node_modules")).unwrap();
        fs::write(repository.0.join("frontend/node_modules/c.js"), "").unwrap();
        assert_eq!(repository.stamp(), before);
    }

    #[test]
    fn sources_that_change_come_or_go_are_noticed() {
        let repository = Repository::new("sources");
        let before = repository.stamp();
        repository.touch("frontend/b.rs");
        let changed = repository.stamp();
        assert_ne!(changed, before);
        fs::write(repository.0.join("frontend/c.css"), "").unwrap();
        assert_ne!(repository.stamp(), changed);
        fs::remove_file(repository.0.join("frontend/c.css")).unwrap();
        assert_eq!(repository.stamp(), changed);
    }

    #[test]
    fn a_page_that_somebody_else_has_built_is_noticed() {
        let repository = Repository::new("other");
        let before = repository.stamp();
        repository.touch(INDEX);
        assert_ne!(repository.stamp(), before);
    }

    #[test]
    fn a_page_that_is_not_there_has_no_stamp() {
        let repository = Repository::new("missing");
        fs::remove_file(repository.0.join(INDEX)).unwrap();
        assert!(stamp_of(&repository.0, &sources(&repository.0).unwrap()).is_err());
    }
}
