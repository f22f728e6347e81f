//! Keeps the shape of the source: imports point down, the outside world is behind `src/runtime/`, files stay short,
//! and what the documents name exists. ARCHITECTURE.md describes the layers; this test holds the table.

use std::fs;
use std::path::{Path, PathBuf};

/// A folder of `src/` (or a file beside them) and its layer. A file imports from its own folder and from folders of
/// lower layers; folders of one layer do not know each other.
const LAYERS: [(&str, u32); 24] = [
    ("base", 0),
    ("runtime", 1),
    ("protocol", 1),
    ("config", 1),
    ("log", 2),
    ("cluster", 2),
    ("link", 2),
    ("quorum", 3),
    ("partition", 3),
    ("coordinator", 3),
    ("replication", 4),
    ("transport", 4),
    ("shard", 5),
    ("admin", 6),
    ("control", 6),
    ("peers", 6),
    ("startup", 7),
    ("api", 7),
    ("connection", 8),
    ("check", 8),
    ("offline", 8),
    ("server", 9),
    ("cli", 10),
    ("main", 11),
];

/// What only `src/runtime/` may name, so that the simulation decides everything that happens: paths that end here or
/// go on from here. A leading `..` matches whatever stands before.
const OUTSIDE_WORLD: [&str; 23] = [
    "glommio",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::time::*",
    "std::thread::sleep",
    "thread::sleep",
    "std::hash::RandomState",
    "std::collections::hash_map::RandomState",
    "rand",
    "fastrand",
    "getrandom",
    "rustix::rand",
    "rustix::time",
    "rustix::thread::nanosleep",
    "libc::clock_gettime",
    "libc::gettimeofday",
    "libc::nanosleep",
    "libc::getrandom",
    "tokio::time",
    "..::Uuid::new_v4",
    "..::Uuid::now_v7",
    "..::Instant::now",
    "..::SystemTime::now",
];

/// Files (or the beginnings of their paths) that may name something of the outside world, and why. One that is no
/// longer needed fails the test.
const EXCEPTIONS: [(&str, &str, &str); 1] =
    [("control/tests/store.rs", "..::Instant::now", "prints how long a large store takes, on a real disk")];

/// Folders that know that the runtime is glommio's: who starts executors, and who uses sockets. All others hold an
/// `Rc<dyn Runtime>` and run in the simulation too.
const KNOW_THE_RUNTIME: [&str; 5] = ["runtime/", "startup/", "server/", "connection/", "peers/"];

/// Lines of a file at most. Longer ones have more than one job.
const LINES_MAX: usize = 500;

/// All bounds in one place, which is its job, however many there are.
const TABLE_OF_LIMITS: &str = "base/limits.rs";

#[test]
fn imports_point_down() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        wrong.extend(upward_imports(&file, &text));
    }
    assert!(wrong.is_empty(), "\n{}\nLAYERS in tests/layers.rs says what may import what", wrong.join("\n"));
}

#[test]
fn the_outside_world_is_behind_the_runtime() {
    let (mut wrong, mut used) = (Vec::new(), vec![false; EXCEPTIONS.len()]);
    for (file, text) in sources().into_iter().filter(|(file, _)| !file.starts_with("runtime/")) {
        for path in outside_paths(&text) {
            let excepted = EXCEPTIONS
                .iter()
                .position(|(beginning, what, _)| file.starts_with(beginning) && matches(&path, what));
            match excepted {
                Some(at) => used[at] = true,
                None => wrong.push(format!("src/{file} names {path}")),
            }
        }
    }
    let idle = EXCEPTIONS.iter().zip(used).filter(|(_, used)| !used);
    wrong.extend(idle.map(|((file, what, _), _)| format!("{file} no longer needs its exception for {what}")));
    assert!(wrong.is_empty(), "\n{}\nask the Runtime of src/runtime/api.rs instead", wrong.join("\n"));
}

#[test]
fn few_know_which_runtime_it_is() {
    let mut wrong = Vec::new();
    let others = |file: &str| !KNOW_THE_RUNTIME.iter().any(|folder| file.starts_with(folder));
    for (file, text) in sources().into_iter().filter(|(file, _)| others(file)) {
        let named = paths(&text).into_iter().filter(|path| matches(path, "crate::runtime::glommio"));
        wrong.extend(named.map(|path| format!("src/{file} names {path}")));
    }
    assert!(wrong.is_empty(), "\n{}\nuse the traits of src/runtime/api.rs instead", wrong.join("\n"));
}

/// The client commands' library is a client like any other: nothing of the broker may lean on it.
#[test]
fn the_client_library_stays_in_the_client_commands() {
    let others = sources().into_iter().filter(|(file, _)| !file.starts_with("cli/client/"));
    let named = others.flat_map(|(file, text)| {
        let own: Vec<_> = paths(&text).into_iter().filter(|path| matches(path, "rdkafka")).collect();
        own.into_iter().map(move |path| format!("src/{file} names {path}"))
    });
    let wrong: Vec<String> = named.collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn files_are_short() {
    let long = |(file, text): &(String, String)| {
        let lines = text.lines().count();
        (lines > LINES_MAX && file != TABLE_OF_LIMITS)
            .then(|| format!("src/{file} has {lines} lines, more than {LINES_MAX}"))
    };
    let wrong: Vec<String> = sources().iter().filter_map(long).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn what_the_documents_name_exists() {
    let mut wrong = Vec::new();
    let mut documents = ["README.md", "ARCHITECTURE.md", "tuning.md"].map(|name| root().join(name)).to_vec();
    documents.extend(files_below(&root().join("docs"), "md"));
    for document in documents {
        let text = fs::read_to_string(&document).expect("a document");
        for named in text.split('`').skip(1).step_by(2).filter(|code| is_own_path(code)) {
            if !root().join(named).exists() {
                wrong.push(format!("{} names {named}", document.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Whether a piece of code in a document is the path of a file of this repository.
fn is_own_path(code: &str) -> bool {
    let below = ["src/", "tests/", "benches/", "docs/"].iter().any(|folder| code.starts_with(folder));
    below && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file of `src/`: its path below it, and its text.
fn sources() -> Vec<(String, String)> {
    let src = root().join("src");
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&src).expect("below src").to_str().expect("UTF-8").to_owned();
        // The crate's root only lists its modules.
        (name != "lib.rs").then(|| (name, fs::read_to_string(&path).expect("a source file")))
    };
    files_below(&src, "rs").into_iter().filter_map(read).collect()
}

fn files_below(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files_below(&path, extension));
        } else if path.extension().is_some_and(|it| it == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn layer(folder: &str) -> Option<u32> {
    LAYERS.iter().find(|(name, _)| *name == folder).map(|(_, layer)| *layer)
}

/// Imports of a file that do not point down.
fn upward_imports(file: &str, text: &str) -> Vec<String> {
    let own = file.split('/').next().expect("never empty").trim_end_matches(".rs");
    let Some(own_layer) = layer(own) else {
        return vec![format!("src/{own} is in no layer: add it to LAYERS and to ARCHITECTURE.md")];
    };
    let depth = file.split('/').count() - usize::from(file.ends_with("/mod.rs"));
    let mut wrong = Vec::new();
    for path in paths(text) {
        let parts: Vec<&str> = path.split("::").collect();
        let supers = parts.iter().take_while(|part| **part == "super").count();
        // `super` once for each folder, or once more from a module inside of the file, leads to the crate's root.
        let target = match parts[0] {
            "crate" | "corelane" => parts.get(1),
            "super" if supers >= depth => parts.get(supers),
            _ => continue,
        };
        match target.map(|folder| (*folder, layer(folder))) {
            Some((folder, Some(layer))) if folder != own && layer >= own_layer => {
                wrong.push(format!("src/{file} (layer {own_layer}) imports {path} (layer {layer})"));
            }
            Some(("*", None)) => wrong.push(format!("src/{file} imports {path}, which hides from where")),
            _ => {}
        }
    }
    wrong
}

/// Paths in a source text that lead out of the simulation.
fn outside_paths(text: &str) -> Vec<String> {
    let is_outside = |path: &String| OUTSIDE_WORLD.iter().any(|what| matches(path, what));
    paths(text).into_iter().filter(is_outside).collect()
}

/// Whether a path is the one that is meant, or goes on from it.
fn matches(path: &str, what: &str) -> bool {
    if let Some(end) = what.strip_prefix("..::") {
        return path == end || path.ends_with(&format!("::{end}"));
    }
    path.strip_prefix(what).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// All paths in a source text, `use` trees taken apart: `a::{b, c::*}` is `a::b` and `a::c::*`.
fn paths(text: &str) -> Vec<String> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        at = if is_name(&tokens[at]) { tree(&tokens, at, "", &mut found) } else { at + 1 };
    }
    found
}

/// Takes one path, or tree of paths, that begins at `at`; returns where it ends.
fn tree(tokens: &[String], mut at: usize, before: &str, found: &mut Vec<String>) -> usize {
    let mut path = before.to_owned();
    loop {
        match tokens.get(at).map(String::as_str) {
            Some("{") => {
                at += 1;
                while at < tokens.len() && tokens[at] != "}" {
                    at = if tokens[at] == "," { at + 1 } else { tree(tokens, at, &path, found).max(at + 1) };
                }
                return at + 1;
            }
            Some(name) if is_name(name) || name == "*" => {
                path = if path.is_empty() { name.to_owned() } else { format!("{path}::{name}") };
            }
            _ => return at,
        }
        at += 1;
        let goes_on = tokens.get(at).is_some_and(|token| token == "::")
            && tokens.get(at + 1).is_some_and(|token| is_name(token) || token == "{" || token == "*");
        if !goes_on {
            // A tree's `self` is the path that it stands in.
            found.push(path.trim_end_matches("::self").to_owned());
            return at;
        }
        at += 1;
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// A source text's names and punctuation, without comments and literals' contents.
fn tokens(text: &str) -> Vec<String> {
    let text: Vec<char> = text.chars().collect();
    let mut found: Vec<String> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let end_of = |end: fn(&char) -> bool| rest.iter().position(end).unwrap_or(rest.len());
        at += match rest {
            ['/', '/', ..] => end_of(|it| *it == '\n'),
            ['/', '*', ..] => block_comment(rest),
            ['r', '"' | '#', ..] if raw_string(rest) > 0 => raw_string(rest),
            ['"', ..] => string(rest),
            ['\'', '\\', ..] => 3 + rest[3..].iter().position(|it| *it == '\'').unwrap_or(0),
            ['\'', _, '\'', ..] => 3,
            [':', ':', ..] => {
                found.push("::".to_owned());
                2
            }
            [first, ..] if first.is_alphanumeric() || *first == '_' => {
                let length = end_of(|it| !it.is_alphanumeric() && *it != '_');
                found.push(rest[..length].iter().collect());
                length
            }
            [first, ..] => {
                if !first.is_whitespace() {
                    found.push(first.to_string());
                }
                1
            }
            [] => unreachable!("at is inside of the text"),
        };
    }
    found
}

fn block_comment(rest: &[char]) -> usize {
    rest.windows(2).position(|pair| pair == ['*', '/']).map_or(rest.len(), |at| at + 2)
}

fn string(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != '"' {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// Length of a raw string; 0 if it is a raw name.
fn raw_string(rest: &[char]) -> usize {
    let hashes = rest[1..].iter().take_while(|it| **it == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return 0;
    }
    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let start = hashes + 2;
    rest[start..].windows(end.len()).position(|it| it == end).map_or(rest.len(), |at| start + at + end.len())
}

#[test]
fn a_planted_violation_is_noticed() {
    let upward = |file: &str, text: &str| upward_imports(file, text).len();
    assert_eq!(upward("log/read.rs", "use crate::shard::Storage;"), 1);
    assert_eq!(upward("log/read.rs", "use crate::{base::ids, shard::{Replica, Storage}};"), 2);
    assert_eq!(upward("log/read.rs", "fn f() { crate::api::decode(b) }"), 1);
    assert_eq!(upward("log/journal/group.rs", "use super::super::super::partition::Partition;"), 1);
    assert_eq!(upward("log/mod.rs", "use super::cluster::Image;"), 1, "folders of one layer");
    assert_eq!(upward("base/ids.rs", "use crate::*;"), 1);
    assert_eq!(upward("novel/mod.rs", ""), 1, "a folder that is in no layer");
    let fine = "// use crate::shard::X;\n/* crate::api::y */ let a = \"crate::cli::z\"; use super::error::E;
                use crate::{base::limits, log::LogError}; let b = '\"'; use crate::protocol::batch::Batches;";
    assert_eq!(upward("log/read.rs", fine), 0);

    let outside = |text: &str| outside_paths(text).len();
    assert_eq!(outside("use std::time::{Duration, Instant};"), 1);
    assert_eq!(outside("use std::{fs, time::SystemTime}; let now = std::time::Instant::now();"), 2);
    assert_eq!(outside("use std::thread; fn f() { thread::sleep(d); uuid::Uuid::new_v4(); }"), 2);
    assert_eq!(outside("use glommio::spawn_local; use rand::random; getrandom::fill(b);"), 3);
    assert_eq!(outside("use std::time::*; let r = r#\"glommio::x\"#;"), 1);
    assert_eq!(outside("use crate::runtime::{File, glommio::Stream}; use std::time::Duration;"), 0);
    assert_eq!(outside("let c = '\\''; let l: &'static str = \"Instant::now\"; // glommio::x"), 0);
}
