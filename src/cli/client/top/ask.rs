//! Looks at a cluster.

use std::collections::BTreeMap;

use super::super::cluster::Cluster;
use super::super::error::ClientError;
use super::super::native::{self, At, ListedGroup};
use super::super::partitions::{TopicPartition, offsets};
use super::admin::Admin;
use super::sample::{GroupSample, Sample};
use crate::base::limits::TOP_GROUPS_MAX;
use crate::runtime::wall_clock_ms;

/// Looks once. Fails without partitions and their ends; what else cannot be had is left out, with a note.
pub fn ask(cluster: &Cluster, admin: Option<&Admin>) -> Result<Sample, ClientError> {
    let (at_ms, ends) = ends(cluster)?;
    let mut sample = Sample { ends, at_ms, ..Sample::default() };
    match admin.map(Admin::read) {
        None => {}
        Some(Ok(page)) => sample.page = Some((wall_clock_ms(), page)),
        Some(Err(why)) => sample.notes.push(why),
    }
    groups(cluster, &mut sample);
    Ok(sample)
}

/// The ends of all partitions, and when their leaders were asked: one that is silent holds up what the others have
/// answered at once.
fn ends(cluster: &Cluster) -> Result<(i64, BTreeMap<TopicPartition, Option<i64>>), ClientError> {
    let (mut ends, mut led) = (BTreeMap::new(), Vec::new());
    for topic in cluster.metadata()?.topics() {
        for partition in topic.partitions() {
            let place = (topic.name().to_owned(), partition.id());
            // Who has no leader has nobody to ask.
            if partition.leader() >= 0 {
                led.push(place.clone());
            }
            ends.insert(place, None);
        }
    }
    let at_ms = wall_clock_ms();
    for (place, end) in offsets(cluster, &led, At::Latest)? {
        ends.insert(place, end.ok().flatten());
    }
    Ok((at_ms, ends))
}

fn groups(cluster: &Cluster, sample: &mut Sample) {
    let listed = match native::list_groups(cluster) {
        Ok(listed) => listed,
        Err(error) => return sample.notes.push(error.to_string()),
    };
    if listed.is_partial {
        sample.notes.push("some brokers do not tell their groups".to_owned());
    }
    let (groups, left_out) = chosen(listed.groups);
    sample.groups_left_out = left_out;
    let timeout_ms = i64::try_from(cluster.timeout.as_millis()).unwrap_or(i64::MAX);
    let give_up_ms = wall_clock_ms().saturating_add(timeout_ms);
    let mut unasked = 0;
    for ListedGroup { name, state, members, .. } in groups {
        // One after the other, and each may wait for a coordinator that is gone: all together wait no longer than one.
        let committed = if wall_clock_ms() > give_up_ms {
            unasked += 1;
            None
        } else {
            let asked = committed(cluster, &name);
            asked.map_err(|error| sample.notes.push(error.to_string())).ok()
        };
        sample.groups.push(GroupSample { group: name, state, members, committed });
    }
    if unasked > 0 {
        sample.notes.push(format!("no time was left to ask for the offsets of {unasked} groups"));
    }
}

fn committed(cluster: &Cluster, group: &str) -> Result<BTreeMap<TopicPartition, i64>, ClientError> {
    let elements = native::committed_offsets(cluster, group)?;
    let known = elements.into_iter().filter(|element| element.offset >= 0);
    Ok(known.map(|element| ((element.topic, element.partition), element.offset)).collect())
}

/// The groups to look at, those with members first, and how many are left out: each costs a request.
fn chosen(mut groups: Vec<ListedGroup>) -> (Vec<ListedGroup>, usize) {
    groups.sort_by(|one, other| (one.members == 0, &one.name).cmp(&(other.members == 0, &other.name)));
    let left_out = groups.len().saturating_sub(TOP_GROUPS_MAX);
    groups.truncate(TOP_GROUPS_MAX);
    (groups, left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_with_members_come_first_and_not_too_many() {
        let group = |name: String, members| ListedGroup {
            name,
            state: String::new(),
            protocol_type: String::new(),
            protocol: String::new(),
            members,
        };
        let mut all: Vec<_> = (0..TOP_GROUPS_MAX).map(|number| group(format!("a{number:05}"), 0)).collect();
        all.push(group("z".to_owned(), 1));
        let (groups, left_out) = chosen(all);
        assert_eq!((groups.len(), left_out), (TOP_GROUPS_MAX, 1));
        assert_eq!((groups[0].name.as_str(), groups[1].name.as_str()), ("z", "a00000"));
    }
}
