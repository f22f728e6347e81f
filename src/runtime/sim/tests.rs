use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::sync::Notify;

use super::{CrashPoint, SimWorld};
use crate::base::buffer::AlignedBuf;
use crate::base::limits::BLOCK_BYTES;
use crate::runtime::OpenMode;

/// Eight tasks that sleep and write to a file at once, with a crash in the middle and one more boot.
fn busy_run(seed: u64) -> u64 {
    let world = SimWorld::new(seed);
    let runtime = world.runtime();
    for _ in 0..2 {
        world.crash_at(CrashPoint::DiskEvents(20));
        let outcome = world.block_on(async {
            let file = runtime.open(Path::new("/file"), OpenMode::Write).await.unwrap();
            join_all((0..8).map(async |task| {
                runtime.sleep(Duration::from_nanos(runtime.random_u64() % 100_000)).await;
                let block = AlignedBuf::copy_of(&[task as u8 + 1; BLOCK_BYTES]).view(0..BLOCK_BYTES);
                file.write_at(task * BLOCK_BYTES as u64, block).await.unwrap();
                file.sync().await.unwrap();
            }))
            .await;
        });
        assert!(outcome.is_none());
    }
    world.trace_hash()
}

#[test]
fn the_same_seed_runs_the_same_way() {
    let hashes: BTreeSet<u64> = (0..20).map(busy_run).collect();
    assert_eq!(hashes.len(), 20, "different seeds run differently");
    assert!((0..20).all(|seed| hashes.contains(&busy_run(seed))), "equal seeds run alike");
}

#[test]
fn tasks_run_in_an_order_of_the_seed() {
    let order = |seed| {
        let world = SimWorld::new(seed);
        let runtime = world.runtime();
        let order = Rc::new(RefCell::new(Vec::new()));
        world.block_on(async {
            for task in 0..5 {
                let order = Rc::clone(&order);
                runtime.spawn(async move { order.borrow_mut().push(task) }.boxed_local());
            }
            runtime.sleep(Duration::from_secs(1)).await;
        });
        order.take()
    };
    let orders: BTreeSet<Vec<i32>> = (0..50).map(order).collect();
    assert!(orders.len() > 10, "{orders:?}");
    assert!(orders.contains(&vec![0, 1, 2, 3, 4]), "in order, now and then");
}

#[test]
fn time_passes_only_in_the_simulation() {
    let world = SimWorld::new(1);
    let runtime = world.runtime();
    let week = Duration::from_secs(7 * 24 * 3600);
    world.block_on(async {
        let (start, wall_start) = (runtime.now(), runtime.wall_clock_ms());
        let unused = runtime.sleep(2 * week);
        futures_util::future::join(runtime.sleep(week), runtime.sleep(week / 2)).await;
        drop(unused);
        let passed = runtime.now() - start;
        assert!(passed >= week && passed < week + Duration::from_millis(1), "{passed:?}");
        assert_eq!((runtime.wall_clock_ms() - wall_start) / 1000, week.as_secs() as i64);
    });
}

#[test]
fn a_task_that_yields_lets_others_run() {
    let world = SimWorld::new(3);
    let runtime = world.runtime();
    let flag = Rc::new(Cell::new(false));
    world.block_on(async {
        let set = Rc::clone(&flag);
        runtime.spawn(async move { set.set(true) }.boxed_local());
        while !flag.get() {
            runtime.yield_now().await;
        }
    });
}

#[test]
#[should_panic(expected = "deadlock: nothing can run and no timer is set (seed 5)")]
fn a_deadlock_is_found() {
    SimWorld::new(5).block_on(Notify::new().notified());
}

#[test]
#[should_panic(expected = "livelock: no end after 1000 polls (seed 5)")]
fn a_livelock_is_found() {
    let world = SimWorld::new(5);
    world.limit_polls(1000);
    let runtime = world.runtime();
    world.block_on(async {
        loop {
            runtime.yield_now().await;
        }
    });
}

#[test]
fn a_crash_kills_every_task_and_the_next_boot_runs() {
    let world = SimWorld::new(9);
    let runtime = world.runtime();
    let alive = Rc::new(());
    world.crash_at(CrashPoint::After(Duration::from_secs(10)));
    let outcome = world.block_on(async {
        for _ in 0..3 {
            let (alive, runtime) = (Rc::clone(&alive), world.runtime());
            let task = async move {
                let _alive = alive;
                runtime.sleep(Duration::from_secs(3600)).await;
            };
            world.runtime().spawn(task.boxed_local());
        }
        runtime.sleep(Duration::from_secs(9)).await;
        assert_eq!(Rc::strong_count(&alive), 4);
        runtime.sleep(Duration::from_secs(2)).await;
        panic!("power was lost a second ago");
    });
    assert!(outcome.is_none());
    assert_eq!(Rc::strong_count(&alive), 1);
    assert_eq!(world.block_on(async { 1 }), Some(1));
}

#[test]
fn every_disk_event_can_be_a_crash_point() {
    let steps = |crash_after| {
        let world = SimWorld::new(11);
        let runtime = world.runtime();
        let steps = Cell::new(0);
        world.crash_at(CrashPoint::DiskEvents(crash_after));
        let outcome = world.block_on(async {
            let file = runtime.open(Path::new("/file"), OpenMode::Write).await.unwrap();
            steps.set(1);
            file.allocate(1).await.unwrap();
            steps.set(2);
        });
        (outcome.is_some(), steps.get(), world.disk_events())
    };
    // Submitted, completed (but nobody has heard of it yet), submitted, completed.
    let seen: Vec<_> = (0..6).map(steps).collect();
    let crashed = |steps, events| (false, steps, events);
    assert_eq!(
        seen,
        [crashed(0, 0), crashed(0, 1), crashed(0, 2), crashed(1, 3), crashed(1, 4), (true, 2, 4)]
    );
}

#[test]
#[should_panic(expected = "was opened before the crash")]
fn a_file_handle_does_not_survive_a_crash() {
    let world = SimWorld::new(2);
    let runtime = world.runtime();
    let file = world.block_on(runtime.open(Path::new("/file"), OpenMode::Write)).unwrap().unwrap();
    world.crash();
    drop(file.sync());
}
