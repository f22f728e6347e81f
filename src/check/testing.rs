//! Made-up machines for tests.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::finding::{Finding, Status};
use super::machine::{Place, Use};
use super::tree::Tree;

/// A machine with these files; a text that begins with `-> ` is a link's target.
pub fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, Tree) {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match text.strip_prefix("-> ") {
            Some(target) => symlink(target, path).unwrap(),
            None => fs::write(path, text).unwrap(),
        }
    }
    let tree = Tree::new(root.path());
    (root, tree)
}

/// A broker on these CPUs, with its data in `/data`.
pub fn using(cpus: &[usize]) -> Use {
    let place = Place { key: "data.dir", path: PathBuf::from("/data") };
    Use { cpus: cpus.to_vec(), places: vec![place], is_exposed: true }
}

/// The one finding on a subject, as its status and what it says.
pub fn of(findings: &[Finding], subject: &str) -> (Status, String) {
    let mut found = findings.iter().filter(|finding| finding.subject == subject);
    let finding = found.next().unwrap_or_else(|| panic!("{subject} among {findings:#?}"));
    assert_eq!(found.next(), None, "one finding on {subject}");
    let change = finding.change.as_ref().map(|change| format!(" | {change}")).unwrap_or_default();
    (finding.status, format!("{}{change}", finding.found))
}
