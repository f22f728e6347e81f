//! /proc and /sys below a root, read within bounds. Whatever cannot be read is `None`, or empty.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::base::limits::{CHECK_ENTRIES_MAX, CHECK_FILE_BYTES_MAX};
use crate::config::parse_cpus;

/// The directory that stands for `/`.
#[derive(Debug)]
pub struct Tree {
    root: PathBuf,
}

impl Tree {
    /// The machine below `root`. Paths of the other calls are relative to it.
    pub fn new(root: &Path) -> Self {
        // Links are followed to real paths, which are compared with it.
        Tree { root: fs::canonicalize(root).unwrap_or_else(|_| root.to_path_buf()) }
    }

    /// The root itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A file's text without white space around it.
    pub fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        let mut bytes = Vec::new();
        let file = File::open(self.root.join(path)).ok()?;
        file.take(CHECK_FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    /// A file's number.
    pub fn number(&self, path: impl AsRef<Path>) -> Option<i64> {
        self.text(path)?.parse().ok()
    }

    /// A file's list of CPUs; one that is empty, or `(null)`, has none.
    pub fn cpus(&self, path: impl AsRef<Path>) -> Option<Vec<usize>> {
        let text = self.text(path)?;
        Some(parse_cpus(&text).unwrap_or_default())
    }

    /// The word in brackets among those that may be chosen: `none [mq-deadline]`.
    pub fn chosen(&self, path: impl AsRef<Path>) -> Option<String> {
        let text = self.text(path)?;
        let (_, rest) = text.split_once('[')?;
        Some(rest.split_once(']')?.0.to_owned())
    }

    /// The names in a directory, in order.
    pub fn names(&self, path: impl AsRef<Path>) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.root.join(path)) else { return Vec::new() };
        let name = |entry: fs::DirEntry| entry.file_name().into_string().ok();
        let mut names: Vec<String> =
            entries.take(CHECK_ENTRIES_MAX).filter_map(|entry| name(entry.ok()?)).collect();
        names.sort_unstable();
        names
    }

    /// Whether something is there.
    pub fn has(&self, path: impl AsRef<Path>) -> bool {
        self.root.join(path).exists()
    }

    /// The path with all links followed, relative to the root; none if it leads out of it.
    pub fn resolve(&self, path: impl AsRef<Path>) -> Option<PathBuf> {
        let real = fs::canonicalize(self.root.join(path)).ok()?;
        Some(real.strip_prefix(&self.root).ok()?.to_path_buf())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::testing::machine;

    #[test]
    fn what_is_there_is_read_and_what_is_not_is_unknown() {
        let (_kept, tree) = machine(&[
            ("a/number", "-1\n"),
            ("a/text", " two words \n"),
            ("a/cpus", "0-2,5\n"),
            ("a/none", "\n"),
            ("a/null", "(null)\n"),
            ("a/chosen", "none [mq-deadline] kyber\n"),
            ("b/link", "-> ../a"),
            ("b/out", "-> /"),
        ]);
        assert_eq!(tree.number("a/number"), Some(-1));
        assert_eq!(tree.number("a/text"), None);
        assert_eq!(tree.text("a/text").unwrap(), "two words");
        assert_eq!(tree.cpus("a/cpus"), Some(vec![0, 1, 2, 5]));
        assert_eq!((tree.cpus("a/none"), tree.cpus("a/null")), (Some(vec![]), Some(vec![])));
        assert_eq!(tree.cpus("a/absent"), None);
        assert_eq!(tree.chosen("a/chosen").unwrap(), "mq-deadline");
        assert_eq!(tree.chosen("a/text"), None);
        assert_eq!(tree.names("b"), ["link", "out"]);
        assert!(tree.names("absent").is_empty() && !tree.has("absent"));
        assert_eq!(tree.resolve("b/link/text"), Some("a/text".into()));
        assert_eq!(tree.resolve("b/out"), None);
    }

    #[test]
    fn a_file_is_read_up_to_a_bound() {
        let (_kept, tree) = machine(&[("long", &"x".repeat(CHECK_FILE_BYTES_MAX as usize + 1))]);
        assert_eq!(tree.text("long").unwrap().len() as u64, CHECK_FILE_BYTES_MAX);
    }
}
