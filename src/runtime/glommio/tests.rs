//! What only the real runtime does: waking a parked executor, bounding the ring, real open flags.

use std::io::{ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use io_uring::{opcode, types};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::ring::{Lent, Ring};
use super::testing::{direct_io_dir, run_without_heartbeat};
use super::{run_here, spawn_shard};
use crate::base::buffer::AlignedBuf;
use crate::base::limits::{
    BLOCK_BYTES, DISK_OPERATIONS_IN_FLIGHT_MAX, DISK_READS_WAITING_MAX, DISK_SLOTS_NOT_FOR_READS,
};
use crate::runtime::OpenMode;

#[test]
fn a_disk_completion_wakes_a_parked_executor() {
    run_without_heartbeat(async {
        let ring = Ring::new().unwrap();
        let reaper = ring.spawn_reaper().unwrap();
        let dir = direct_io_dir();
        let file = Arc::new(std::fs::File::create(dir.path().join("file")).unwrap());
        for round in 1..=100 {
            let allocate = opcode::Fallocate::new(types::Fd(file.as_raw_fd()), round * 4096).build();
            // SAFETY: no memory is lent.
            let (answer, _) = unsafe { ring.submit(allocate, Lent::Nothing, &file) }.await.unwrap();
            answer.unwrap();
            assert_eq!(file.metadata().unwrap().len(), round * 4096);
        }
        reaper.cancel().await;
    });
}

#[test]
fn a_message_from_another_thread_wakes_a_parked_executor() {
    let (to_shard, mut from_test) = mpsc::channel::<oneshot::Sender<u32>>(1);
    let (set, mut watched) = watch::channel(0);
    let notify = Arc::new(Notify::new());
    let (notified, answers) = (Arc::clone(&notify), std::sync::mpsc::channel());
    let shard = std::thread::spawn(move || {
        run_without_heartbeat(async move {
            while let Some(reply) = from_test.recv().await {
                reply.send(7).unwrap();
                watched.changed().await.unwrap();
                answers.0.send(*watched.borrow_and_update()).unwrap();
                notified.notified().await;
                answers.0.send(0).unwrap();
            }
        });
    });
    for round in 1..=100 {
        let (reply, answer) = oneshot::channel();
        to_shard.blocking_send(reply).unwrap();
        assert_eq!(answer.blocking_recv().unwrap(), 7);
        set.send(round).unwrap();
        assert_eq!(answers.1.recv().unwrap(), round);
        notify.notify_one();
        assert_eq!(answers.1.recv().unwrap(), 0);
    }
    drop(to_shard);
    shard.join().unwrap();
}

#[test]
fn reads_beyond_the_ring_wait_those_beyond_the_queue_are_refused_and_writes_pass_them_all() {
    run_without_heartbeat(async {
        let ring = Ring::new().unwrap();
        let reaper = ring.spawn_reaper().unwrap();
        // Operations that complete when the test wants: waits for a byte in a pipe.
        let (reader, mut writer) = std::io::pipe().unwrap();
        let pipe = Arc::new(std::fs::File::from(std::os::fd::OwnedFd::from(reader)));
        let wait = || {
            let entry = opcode::PollAdd::new(types::Fd(pipe.as_raw_fd()), libc::POLLIN as u32).build();
            // SAFETY: the entry points to no memory.
            unsafe { ring.submit(entry, Lent::Read(AlignedBuf::with_capacity(1)), &pipe) }
        };
        // SAFETY: no memory is lent.
        let write = || unsafe { ring.submit(opcode::Nop::new().build(), Lent::Nothing, &pipe) };
        let accepted = DISK_OPERATIONS_IN_FLIGHT_MAX - DISK_SLOTS_NOT_FOR_READS + DISK_READS_WAITING_MAX;
        let waits: Vec<_> = (0..accepted).map(|_| wait()).collect();
        let (refused, _) = wait().await.unwrap();
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::ResourceBusy);
        let writes: Vec<_> = (0..2 * DISK_OPERATIONS_IN_FLIGHT_MAX).map(|_| write()).collect();
        assert!(join_all(writes).await.into_iter().all(|answer| answer.unwrap().0.is_ok()));
        writer.write_all(b"!").unwrap();
        assert!(join_all(waits).await.into_iter().all(|answer| answer.unwrap().0.is_ok()));
        reaper.cancel().await;
    });
}

#[test]
fn an_operation_is_carried_out_though_nobody_waits() {
    let dir = direct_io_dir();
    let (data, created) = (dir.path().join("data"), dir.path().join("created"));
    let (path, created_path) = (data.clone(), created.clone());
    run_here(|runtime| async move {
        let file = runtime.open(&path, OpenMode::WriteDurable).await.unwrap();
        for index in 0..50 {
            let block = AlignedBuf::copy_of(&[index as u8; BLOCK_BYTES]).view(0..BLOCK_BYTES);
            drop(file.write_at(index * BLOCK_BYTES as u64, block));
        }
        drop(runtime.create_dir(&created_path));
        while !created_path.exists() {
            runtime.yield_now().await;
        }
    })
    .unwrap();
    // The end of the shard has waited for the writes.
    let bytes = std::fs::read(data).unwrap();
    assert_eq!(bytes.len(), 50 * BLOCK_BYTES);
    assert!(bytes.chunks(BLOCK_BYTES).zip(0..).all(|(block, fill)| block.iter().all(|&byte| byte == fill)));
    assert!(created.exists());
}

/// The open flags of every descriptor of this process that is open on `path`.
fn open_flags(path: &Path) -> Vec<i32> {
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().file_name());
    let of_path = descriptors
        .filter(|fd| std::fs::read_link(Path::new("/proc/self/fd").join(fd)).is_ok_and(|link| link == path));
    let info = of_path.map(|fd| std::fs::read_to_string(Path::new("/proc/self/fdinfo").join(fd)).unwrap());
    let flags =
        info.map(|info| info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim().to_owned());
    flags.map(|octal| i32::from_str_radix(&octal, 8).unwrap()).collect()
}

#[test]
fn files_are_open_for_direct_io_and_durable_ones_for_synced_writes() {
    let dir = direct_io_dir();
    let path = dir.path().join("file");
    run_here(|runtime| async move {
        for (mode, synced) in
            [(OpenMode::WriteDurable, true), (OpenMode::Write, false), (OpenMode::Read, false)]
        {
            let _file = runtime.open(&path, mode).await.unwrap();
            let [flags] = open_flags(&path)[..] else { panic!("one descriptor") };
            assert_eq!(flags & libc::O_DIRECT, libc::O_DIRECT);
            assert_eq!(flags & libc::O_CLOEXEC, libc::O_CLOEXEC);
            assert_eq!(flags & libc::O_DSYNC != 0, synced);
        }
    })
    .unwrap();
}

#[test]
fn a_file_system_without_direct_io_is_named_as_such() {
    // procfs has no direct I/O.
    run_here(|runtime| async move {
        let error = runtime.open(Path::new("/proc/self/status"), OpenMode::Read).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("O_DIRECT"), "{error}");
    })
    .unwrap();
}

#[test]
fn a_shard_runs_pinned_to_its_cpu() {
    let cpu = core_affinity::get_core_ids().unwrap().last().unwrap().id;
    let shard = spawn_shard(cpu, "shard", |runtime| async move {
        runtime.sleep(Duration::from_millis(1)).await;
        let cpus = core_affinity::get_core_ids().unwrap().into_iter().map(|core| core.id).collect::<Vec<_>>();
        (cpus, std::thread::current().name().unwrap_or_default().to_owned())
    });
    let (cpus, name) = shard.unwrap().join().unwrap();
    assert_eq!(cpus, [cpu]);
    assert!(name.starts_with("shard"), "{name}");
}

#[test]
fn a_shard_that_cannot_start_or_panics_is_an_error() {
    assert!(spawn_shard(100_000, "nowhere", |_| async {}).unwrap().join().is_err());
    let shard = spawn_shard(0, "shard", |_| async { panic!("the shard is lost") });
    let error = shard.unwrap().join().map(|()| "no error").unwrap_err();
    assert!(error.to_string().contains("the shard is lost"), "{error}");
}
