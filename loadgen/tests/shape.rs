//! Keeps the shape of the source: what of the broker is used, and how long files are.

use std::fs;
use std::path::{Path, PathBuf};

/// All that may be named of the broker's library: the wire layer, and the ids that its messages hold.
const SHARED: [&str; 2] = ["corelane::protocol", "corelane::base::ids"];

/// Lines of a file at most, as in the broker.
const LINES_MAX: usize = 500;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_broker_lends_its_wire_layer_and_nothing_else() {
    let (mut files, mut wrong) = (Vec::new(), Vec::new());
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.len() > 20);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for (at, _) in text.match_indices("corelane::") {
            if !SHARED.iter().any(|shared| text[at..].starts_with(shared)) {
                wrong.push(format!("{}: {}", file.display(), text[at..].lines().next().unwrap()));
            }
        }
        if text.lines().count() > LINES_MAX {
            wrong.push(format!("{} has more than {LINES_MAX} lines", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
