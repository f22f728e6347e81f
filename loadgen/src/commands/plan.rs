//! Deals producers and consumers out to threads.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::client::{
    BlockingClient, ClientError, Cluster, LATEST, Partition, init_producer_id, list_offsets, when_ready,
};
use crate::group::Share;
use crate::settings::Workload;
use crate::worker::{ConsumerPlan, Plan, ProducerPlan};

/// One plan for each CPU that has something to do. `ends` are where partitions end; `shares` those of the members of a
/// group, if the consumers are any.
pub fn plans(
    workload: &Workload,
    client: &mut BlockingClient,
    ends: &[i64],
    shares: &[Arc<Share>],
) -> Result<Vec<Plan>, ClientError> {
    let plan = |cpu: &usize| Plan { cpu: *cpu, producers: Vec::new(), consumers: Vec::new() };
    let mut plans: Vec<Plan> = workload.cpus.iter().map(plan).collect();
    let threads = plans.len();
    for number in 0..workload.producers {
        let identity = workload.idempotence.then(|| when_ready(|| init_producer_id(client))).transpose()?;
        plans[number as usize % threads].producers.push(ProducerPlan { number, identity });
    }
    for number in 0..workload.consumers as usize {
        let own = ends.iter().copied().enumerate();
        let positions: Vec<_> =
            own.filter(|(partition, _)| partition % workload.consumers as usize == number).collect();
        let plan = match shares.get(number) {
            Some(share) => ConsumerPlan::Shared(Arc::clone(share)),
            None => ConsumerPlan::Fixed(positions),
        };
        // From the other end, so that the first CPU does not get both where there are few.
        plans[threads - 1 - number % threads].consumers.push(plan);
    }
    plans.retain(|plan| !plan.producers.is_empty() || !plan.consumers.is_empty());
    Ok(plans)
}

/// Where every partition ends. Asked even where nobody reads: a leader that answers this also takes records.
pub fn ends(cluster: &Cluster) -> Result<Vec<i64>, ClientError> {
    let mut by_leader: BTreeMap<i32, Vec<(usize, &Partition)>> = BTreeMap::new();
    for (at, partition) in cluster.partitions.iter().enumerate() {
        by_leader.entry(partition.leader).or_default().push((at, partition));
    }
    let mut ends = vec![0; cluster.partitions.len()];
    for (leader, own) in by_leader {
        let mut client = BlockingClient::connect(&cluster.brokers[&leader])
            .map_err(|error| error.of_advertised(leader))?;
        let partitions: Vec<&Partition> = own.iter().map(|(_, partition)| *partition).collect();
        let offsets = when_ready(|| list_offsets(&mut client, &partitions, LATEST))?;
        own.iter().zip(offsets).for_each(|((at, _), offset)| ends[*at] = offset);
    }
    Ok(ends)
}
