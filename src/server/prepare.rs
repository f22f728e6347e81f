//! Before the shards start: their files exist and hold what the metadata gives them. And when they are open:
//! what nobody knows goes.

use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use super::error::ServeError;
use super::ground::assigned;
use super::layout::{Ground, LayoutError};
use crate::base::ids::{PartitionId, TopicId};
use crate::cluster::Image;
use crate::config::Config;
use crate::control::{Control, Layout};
use crate::log::LogError;
use crate::log::segment::path::{partition_of, topics_directory};
use crate::runtime::Runtime;
use crate::runtime::glommio::run_here;

/// Makes the first layout, or one for another number of shards, if that is needed.
pub fn lay_out(config: &Config, ground: &Ground, control: &mut Control) -> Result<(), ServeError> {
    let old = control.node_file().layout;
    if old.generation == 0 {
        let new = old.next(config.shards());
        let ground = ground.clone();
        on_executor(move |runtime| async move { ground.create(&runtime, new).await })??;
        control.adopt_next_layout()?;
        return Ok(());
    }
    if old.shards != config.shards() {
        tracing::info!(from = old.shards, to = config.shards(), "the number of shards changes");
        move_partitions(config, ground, control)?;
    }
    Ok(())
}

/// Makes the next layout with all partitions where the metadata wants them.
pub fn move_partitions(config: &Config, ground: &Ground, control: &mut Control) -> Result<(), ServeError> {
    let old = control.node_file().layout;
    let (new, partitions) = (old.next(config.shards()), assigned(config, &control.image()));
    let moved = partitions.len();
    let ground = ground.clone();
    on_executor(move |runtime| async move { ground.rebuild(&runtime, old, new, &partitions).await })??;
    control.adopt_next_layout()?;
    tracing::info!(
        partitions = moved,
        layout = new.generation,
        "partitions were dealt to the shards' new files"
    );
    Ok(())
}

/// Removes what is left of other layouts and of deleted topics. Only once the shards have opened theirs.
pub fn tidy(ground: &Ground, layout: Layout, image: &Image) -> Result<(), ServeError> {
    let (ground, known) = (ground.clone(), known_topics(image));
    let tidied = on_executor(move |runtime| async move {
        ground.remove_others(&runtime, layout).await?;
        remove_deleted(&runtime, &ground.data_directory, &|id| {
            known.get(&id.topic).is_some_and(|&partitions| id.index < partitions)
        })
        .await
    })?;
    Ok(tidied.map_err(LayoutError::Log)?)
}

/// The topics with their numbers of partitions.
fn known_topics(image: &Image) -> HashMap<TopicId, i32> {
    image.topics().map(|topic| (topic.record.id, topic.partitions.len() as i32)).collect()
}

/// Removes the directories of partitions that do not exist any more: a crash came between a topic's deletion
/// and theirs. What does not look like a partition's directory is left alone.
async fn remove_deleted(
    runtime: &Rc<dyn Runtime>,
    data_directory: &Path,
    exists: &dyn Fn(PartitionId) -> bool,
) -> Result<(), LogError> {
    let topics = topics_directory(data_directory);
    for directory in runtime.list_dir(&topics).await.map_err(LogError::io(&topics))? {
        if partition_of(&directory).is_some_and(|id| !exists(id)) {
            tracing::info!(directory = %directory.display(), "removing what is left of a deleted topic");
            runtime.remove_dir_all(&directory).await.map_err(LogError::io(&directory))?;
        }
    }
    Ok(())
}

/// Runs a future on an executor of its own, on this thread.
fn on_executor<T, F>(main: impl FnOnce(Rc<dyn Runtime>) -> F) -> Result<T, ServeError>
where
    F: Future<Output = T> + 'static,
{
    run_here(main).map_err(|source| ServeError::Thread { what: "an executor".to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::segment::path::partition_directory;
    use crate::runtime::sim::SimWorld;

    #[test]
    fn only_directories_of_deleted_partitions_go() {
        let world = SimWorld::new(1);
        let runtime = world.runtime();
        let id = |topic: u8, index| PartitionId { topic: TopicId::from_bytes([topic; 16]), index };
        let data = Path::new("/data");
        let directory = |name, id| partition_directory(data, name, id);
        let kept = [directory("a", id(1, 0)), directory("a-1.b", id(1, 1)), data.join("topics/lost+found")];
        world.block_on(async {
            let gone = [directory("a", id(2, 0)), directory("x.y-3", id(1, 2))];
            for directory in kept.iter().chain(&gone) {
                runtime.create_dir(directory).await.unwrap();
            }
            let exists = |partition: PartitionId| partition.topic == id(1, 0).topic && partition.index < 2;
            remove_deleted(&runtime, data, &exists).await.unwrap();
            let mut expected = kept.to_vec();
            expected.sort();
            assert_eq!(runtime.list_dir(&topics_directory(data)).await.unwrap(), expected);
        });
    }
}
