//! The start: first, again, cut off at every step, with other shards, and with directories that are not whole.

use std::fs;
use std::path::Path;

use super::super::lone_quorum::LoneQuorum;
use super::super::store::MetadataStore;
use super::super::{Layout, NodeFile, NodeFileError, StartError, StoreError};
use super::{NODE, config, start, topic};
use crate::base::ids::{NodeId, ShardId};
use crate::cluster::{Image, NewTopic};
use crate::control::thread::block_on;
use crate::control::{Control, ControlThread, ShardLink};

/// Runs control with shards that follow every image at once, and creates topics.
fn with_topics(dir: &Path, shards: u16, topics: Vec<NewTopic>) -> Image {
    let control = start(dir, shards).unwrap();
    let links: Vec<ShardLink> = (0..shards).map(|shard| control.link(ShardId(shard))).collect();
    let client = links[0].client.clone();
    let images = links[0].images.clone();
    let thread = control.spawn().unwrap();
    // Their word for it is given beforehand.
    links.iter().for_each(|link| link.applied.report(u64::MAX));
    let results = block_on(client.create_topics(topics, false)).unwrap();
    assert!(results.iter().all(Result::is_ok));
    let image = images.borrow().clone();
    ControlThread::stop(thread);
    (*image).clone()
}

fn node_file(dir: &Path) -> NodeFile {
    NodeFile::read(dir, NODE).unwrap().expect("written")
}

#[test]
fn each_start_is_a_new_incarnation_with_new_leader_epochs() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("not/there/yet");
    let before = with_topics(&data, 2, vec![topic("a", 4)]);
    assert_eq!(node_file(&data).boot_count, 1);
    for boot_count in 2..5u64 {
        let control = start(&data, 2).unwrap();
        assert_eq!(control.node_file().boot_count, boot_count);
        assert_eq!(node_file(&data).boot_count, boot_count);
        let image = control.image();
        assert_eq!(image.version(), 1);
        assert_eq!(image.cluster(), before.cluster());
        assert_eq!(image.node(NODE).unwrap().incarnation, boot_count);
        for (partition, old) in image.partitions().zip(before.partitions()) {
            assert_eq!(i64::from(partition.leader_epoch), boot_count as i64 - 1);
            assert_eq!(partition.owner(), old.owner());
        }
    }
}

#[test]
fn another_number_of_shards_deals_anew_and_keeps_the_old_layout_until_it_is_adopted() {
    let dir = tempfile::tempdir().unwrap();
    with_topics(dir.path(), 2, vec![topic("a", 6)]);
    for _ in 0..2 {
        // Not adopted the first time: as after a crash while the old journals were read.
        let control = start(dir.path(), 3).unwrap();
        assert_eq!(control.node_file().layout, Layout { generation: 0, shards: 2 });
        let mut counts = [0; 3];
        control
            .image()
            .partitions()
            .for_each(|partition| counts[usize::from(partition.owner().unwrap().shard.0)] += 1);
        assert_eq!(counts, [2, 2, 2]);
    }
    let mut control = start(dir.path(), 3).unwrap();
    control.adopt_next_layout().unwrap();
    assert_eq!(control.node_file().layout, Layout { generation: 1, shards: 3 });
    assert_eq!(node_file(dir.path()), *control.node_file());
    drop(control);
    let mut control = start(dir.path(), 1).unwrap();
    control.adopt_next_layout().unwrap();
    assert!(control.image().partitions().all(|partition| partition.owner().unwrap().shard.0 == 0));
    control.spawn().unwrap().stop();
}

#[test]
fn a_start_that_is_cut_off_at_any_step_is_followed_by_a_good_one() {
    // Before the store was made, and in the middle of making it.
    for partial in [None, Some(&b""[..]), Some(&b"redb\x1A\x0A\xA9"[..])] {
        let dir = tempfile::tempdir().unwrap();
        let whole = NodeFile { boot_count: 0, ..with_node_file(dir.path()) };
        whole.write(dir.path()).unwrap();
        fs::remove_dir_all(dir.path().join("control")).unwrap();
        if let Some(partial) = partial {
            fs::create_dir(dir.path().join("control")).unwrap();
            fs::write(dir.path().join("control/metadata.redb"), partial).unwrap();
        }
        let control = start(dir.path(), 1).unwrap();
        assert_eq!(*control.node_file(), NodeFile { boot_count: 1, ..whole });
    }
    // Between the boot count in node.json and the one in the store, twice.
    let dir = tempfile::tempdir().unwrap();
    let file = with_node_file(dir.path());
    for _ in 0..2 {
        NodeFile { boot_count: 2, ..file.clone() }.write(dir.path()).unwrap();
        assert_eq!(
            LoneQuorum::open(&dir.path().join("control"), file.disk_id)
                .unwrap()
                .load()
                .unwrap()
                .node(NODE)
                .unwrap()
                .incarnation,
            1
        );
    }
    assert_eq!(start(dir.path(), 1).unwrap().node_file().boot_count, 2);
}

/// Makes a directory by one start.
fn with_node_file(dir: &Path) -> NodeFile {
    start(dir, 1).unwrap().node_file().clone()
}

fn refusal(dir: &Path) -> StartError {
    start(dir, 1).err().expect("refused")
}

#[test]
fn a_part_that_is_missing_is_never_replaced_by_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    with_node_file(dir.path());
    fs::rename(dir.path().join("node.json"), dir.path().join("kept")).unwrap();
    assert!(matches!(refusal(dir.path()), StartError::NodeFileMissing { found, .. } if found == "control"));
    fs::rename(dir.path().join("kept"), dir.path().join("node.json")).unwrap();
    fs::remove_file(dir.path().join("control/metadata.redb")).unwrap();
    let error = refusal(dir.path());
    assert!(matches!(error, StartError::Store(StoreError::Missing { .. })));
    assert!(error.to_string().contains("restore the whole data directory"));

    for leftover in ["topics", "layout-3"] {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(leftover)).unwrap();
        assert!(matches!(refusal(dir.path()), StartError::NodeFileMissing { .. }));
    }
}

#[test]
fn a_directory_put_together_from_several_is_refused() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = with_node_file(one.path());
    let other = with_node_file(two.path());
    let mixed = [
        NodeFile { disk_id: other.disk_id, ..file.clone() },
        NodeFile { cluster_id: other.cluster_id, ..file.clone() },
        NodeFile { boot_count: 3, ..file.clone() },
    ];
    for mixed in mixed {
        mixed.write(one.path()).unwrap();
        assert!(matches!(refusal(one.path()), StartError::Mixed { .. }));
    }
    // A store that is newer than node.json: one of the two is an old copy.
    file.write(one.path()).unwrap();
    drop(start(one.path(), 1).unwrap());
    drop(start(one.path(), 1).unwrap());
    file.write(one.path()).unwrap();
    assert!(matches!(refusal(one.path()), StartError::Mixed { .. }));
}

#[test]
fn a_node_file_that_is_not_ours_is_refused_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let file = with_node_file(dir.path());
    let path = dir.path().join("node.json");

    let other = Control::start(crate::control::ControlConfig { node: NodeId(7), ..config(dir.path(), 1) });
    let error = other.err().expect("refused");
    assert!(matches!(
        error,
        StartError::NodeFile(NodeFileError::OtherNode { found: NODE, configured: NodeId(7), .. })
    ));
    assert!(error.to_string().contains("--node-id 1"));

    for format_version in [0, 2] {
        fs::write(&path, format!("{{\"format_version\":{format_version},\"other\":1}}")).unwrap();
        let error = refusal(dir.path());
        assert!(matches!(error, StartError::NodeFile(NodeFileError::OtherFormat { .. })));
    }
    let no_shards = NodeFile { layout: Layout { generation: 0, shards: 0 }, ..file };
    let no_shards = serde_json::to_vec(&no_shards).unwrap();
    for content in
        [&b""[..], b"{", b"[]", b"\xff\xfe", b"{\"format_version\":1}", &no_shards, &[b' '; 70_000]]
    {
        fs::write(&path, content).unwrap();
        assert!(matches!(refusal(dir.path()), StartError::NodeFile(NodeFileError::Damaged { .. })));
    }
}
