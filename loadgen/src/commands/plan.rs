//! Deals producers and consumers out to threads.

use std::collections::BTreeMap;

use crate::client::{
    BlockingClient, ClientError, Cluster, LATEST, Partition, init_producer_id, list_offsets, when_ready,
};
use crate::settings::Workload;
use crate::worker::{ConsumerPlan, Plan, ProducerPlan};

/// One plan for each CPU that has something to do.
pub fn plans(
    workload: &Workload,
    cluster: &Cluster,
    client: &mut BlockingClient,
) -> Result<Vec<Plan>, ClientError> {
    let plan = |cpu: &usize| Plan { cpu: *cpu, producers: Vec::new(), consumers: Vec::new() };
    let mut plans: Vec<Plan> = workload.cpus.iter().map(plan).collect();
    let threads = plans.len();
    for number in 0..workload.producers {
        let identity = workload.idempotence.then(|| when_ready(|| init_producer_id(client))).transpose()?;
        plans[number as usize % threads].producers.push(ProducerPlan { number, identity });
    }
    // Asked even where nobody reads: a leader that answers this also takes records.
    let offsets = ends(cluster)?;
    for number in 0..workload.consumers as usize {
        let own = offsets.iter().copied().enumerate();
        let positions: Vec<_> =
            own.filter(|(partition, _)| partition % workload.consumers as usize == number).collect();
        // From the other end, so that the first CPU does not get both where there are few.
        plans[threads - 1 - number % threads].consumers.push(ConsumerPlan { positions });
    }
    plans.retain(|plan| !plan.producers.is_empty() || !plan.consumers.is_empty());
    Ok(plans)
}

/// Where every partition ends.
fn ends(cluster: &Cluster) -> Result<Vec<i64>, ClientError> {
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
