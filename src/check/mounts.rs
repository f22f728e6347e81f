//! Which file system a directory is on: proc_pid_mountinfo(5).

use std::path::{Path, PathBuf};

use super::tree::Tree;

/// A mounted file system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mount {
    /// Its block device's numbers, `MAJOR:MINOR`. What has no device of its own has 0 as major number.
    pub device: String,
    /// Where it is mounted.
    pub point: PathBuf,
    /// Its kind, such as `xfs`.
    pub kind: String,
    /// The options of the mount and of the file system, each once.
    pub options: Vec<String>,
}

/// The mount that a directory is in.
pub fn mount_of(tree: &Tree, path: &Path) -> Option<Mount> {
    let table = tree.text("proc/self/mountinfo")?;
    let around = table.lines().filter_map(parse).filter(|mount| path.starts_with(&mount.point));
    // Of several mounts on one point the last one counts, which `max_by_key` gives.
    around.max_by_key(|mount| mount.point.components().count())
}

/// `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [OPTIONAL...] - KIND SOURCE OPTIONS`
fn parse(line: &str) -> Option<Mount> {
    let (mount, file_system) = line.split_once(" - ")?;
    let mut mount = mount.split(' ').skip(2);
    let (device, _root, point, options) = (mount.next()?, mount.next()?, mount.next()?, mount.next()?);
    let mut file_system = file_system.split(' ');
    let (kind, _source, its_options) = (file_system.next()?, file_system.next()?, file_system.next()?);
    let mut all: Vec<String> = Vec::new();
    for option in options.split(',').chain(its_options.split(',')) {
        if !all.iter().any(|seen| seen == option) {
            all.push(option.to_owned());
        }
    }
    Some(Mount {
        device: device.to_owned(),
        point: PathBuf::from(unescape(point)),
        kind: kind.to_owned(),
        options: all,
    })
}

/// Space, tab, newline and backslash are written as octal numbers.
fn unescape(text: &str) -> String {
    let codes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    codes.iter().fold(text.to_owned(), |text, (code, character)| text.replace(code, character))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::testing::machine;

    const TABLE: &str = "\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
30 27 0:25 / /dev/shm rw - tmpfs tmpfs rw
40 27 259:2 / /var/lib/core\\040lane rw,noatime shared:1 master:2 - xfs /dev/nvme0n1p2 rw,attr2
41 40 259:3 / /var/lib/core\\040lane rw,noatime - xfs /dev/nvme1n1 rw
nonsense
";

    #[test]
    fn the_nearest_and_last_mount_counts() {
        let (_kept, tree) = machine(&[("proc/self/mountinfo", TABLE)]);
        let of = |path: &str| mount_of(&tree, Path::new(path)).unwrap();
        assert_eq!(of("/srv/data").device, "254:0");
        assert_eq!(of("/srv/data").options, ["rw", "relatime", "discard"]);
        assert_eq!(of("/var/lib/core lane/data").device, "259:3");
        assert_eq!(of("/var/lib/core lanes").device, "254:0");
        assert_eq!(of("/dev/shm/x").kind, "tmpfs");
        assert_eq!(mount_of(&machine(&[]).1, Path::new("/")), None);
    }
}
