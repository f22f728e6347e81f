//! What one node's operator can do when whole parts of its data are gone: a journal, both checkpoints of a shard, the
//! metadata. Nothing starts without a word, and what is left is had back.

use std::fs;
use std::path::Path;

use crate::broker::{Broker, Place};
use crate::client::Client;
use crate::log_tools::{fill, findings, flip, log, text, verify};

/// A broker that was stopped in order and then ended by a crash, with what it acknowledged. Its journals are `journals`.
fn written(place: &Place, arguments: &[&str]) -> Vec<String> {
    let broker = Broker::start(place, arguments);
    let mut client = Client::connect(broker.bootstrap());
    client.create_topic_with("numbers", 1, &[("segment.bytes", "1048576")]);
    let mut values = fill(&mut client, "numbers", 0..30);
    assert_eq!(broker.terminate().code, Some(0));
    values.extend(more(place, arguments, 30..35));
    values
}

/// What a broker acknowledges before it is ended by a crash.
fn more(place: &Place, arguments: &[&str], numbers: std::ops::Range<usize>) -> Vec<String> {
    let broker = Broker::start(place, arguments);
    let values = fill(&mut Client::connect(broker.bootstrap()), "numbers", numbers);
    broker.kill();
    values
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("listed").flatten() {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).expect("copied")),
        }
    }
}

fn repair(place: &Place, arguments: &[&str]) {
    let done = log(place, &[&["repair", "--yes"], arguments].concat());
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
}

/// The first records of the log are there, at least `least` of them, and it goes on behind them over a crash.
fn goes_on(place: &Place, arguments: &[&str], values: &[String], least: usize) {
    let mut known = None;
    for round in 0..2 {
        let broker = Broker::start(place, arguments);
        let mut client = Client::connect(broker.bootstrap());
        let found = client.fetch_all("numbers", 0);
        match &known {
            None => assert!(found.len() >= least && values.starts_with(&found), "{} are left", found.len()),
            Some(known) => assert!(*known == found, "round {round}"),
        }
        let more = fill(&mut client, "numbers", 100 + 10 * round..105 + 10 * round);
        known = Some([found, more].concat());
        broker.kill();
    }
}

#[test]
fn a_journal_that_is_gone_is_given_up() {
    for is_all in [false, true] {
        let place = Place::new();
        let journals = place.beside("journals");
        let arguments = ["--shards", "1", "--journal-dir", journals.to_str().expect("UTF-8")];
        let values = written(&place, &arguments);
        let directory = journals.join("layout-1/shard-0/journal");
        match is_all {
            // An empty device.
            true => fs::remove_dir_all(journals.join("layout-1")).expect("removed"),
            false => fs::remove_file(directory.join("0001.journal")).expect("removed"),
        }
        let refused = Broker::refused(&place, &arguments);
        assert!(refused.code != Some(0) && refused.log.contains("repair --journal"), "{}", refused.log);
        assert!(!verify(&place, &arguments[2..]).0);
        repair(&place, &[&["--journal"], &arguments[2..]].concat());
        assert!(verify(&place, &arguments[2..]).0);
        // What was stopped in order is in segments.
        goes_on(&place, &arguments, &values, 30);
    }
}

#[test]
fn an_older_copy_of_the_journal_is_known() {
    let place = Place::new();
    let journals = place.beside("journals");
    let arguments = ["--shards", "1", "--journal-dir", journals.to_str().expect("UTF-8")];
    let mut values = written(&place, &arguments);
    let older = place.beside("older");
    copy(&journals, &older);
    values.extend(more(&place, &arguments, 35..40));
    let newest = place.beside("newest");
    copy(&journals, &newest);

    copy(&older, &journals);
    let (is_sound, verified) = verify(&place, &arguments[2..]);
    let corruptions = findings(&verified, "corruption");
    assert!(
        !is_sound && corruptions[0]["what"].as_str().expect("text").contains("older copy"),
        "{verified:#}"
    );
    // A start changes nothing: the right one can still be put back.
    drop(Broker::start(&place, &arguments));
    copy(&newest, &journals);
    assert!(verify(&place, &arguments[2..]).0);

    copy(&older, &journals);
    repair(&place, &[&["--journal"], &arguments[2..]].concat());
    assert!(verify(&place, &arguments[2..]).0);
    goes_on(&place, &arguments, &values, 35);
}

#[test]
fn checkpoints_that_are_both_rotten_cost_no_record() {
    let place = Place::new();
    let arguments = ["--shards", "1"];
    let values = written(&place, &arguments);
    for slot in 0..2 {
        flip(&place.path("layout-1/shard-0").join(format!("checkpoint.{slot}")), 40);
    }
    let refused = Broker::refused(&place, &arguments);
    assert!(refused.code != Some(0) && refused.log.contains("repair --checkpoint"), "{}", refused.log);
    assert!(!verify(&place, &[]).0);
    repair(&place, &["--checkpoint"]);
    assert!(verify(&place, &[]).0);
    goes_on(&place, &arguments, &values, values.len());
}

#[test]
fn rot_in_the_metadata_is_found() {
    let place = Place::new();
    written(&place, &["--shards", "1"]);
    let database = place.path("control/metadata.redb");
    let length = fs::metadata(&database).expect("there").len() as usize;
    assert!(verify(&place, &[]).0);
    let whole = fs::read(&database).expect("read");
    let found = (64..length).step_by(4096).filter(|&at| {
        flip(&database, at);
        let (is_sound, verified) = verify(&place, &[]);
        fs::write(&database, &whole).expect("written");
        let named = database.to_str().expect("UTF-8");
        assert!(is_sound || findings(&verified, "corruption")[0]["file"] == named, "{verified:#}");
        !is_sound
    });
    assert!(found.take(1).count() > 0, "some page counts");
}
