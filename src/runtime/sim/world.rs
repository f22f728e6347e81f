//! What a test holds in its hand: a world made from a seed.

use std::future::Future;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use super::disk::{
    DeviceImage, DiskFault, DiskOp, Node, Plan, WrittenFile, directory_at, image_of, parent_of, replace,
};
use super::host::SimRuntime;
use super::machine::{CrashPoint, Machine};
use crate::runtime::Runtime;

/// A machine with a disk that one seed determines wholly; [`block_on`](Self::block_on) runs it.
///
/// A panic inside prints the seed; the same seed runs the same way again. Code under simulation must use nothing
/// else that is random: no `HashMap` iteration that matters, no unbiased `select!`.
pub struct SimWorld {
    machine: Rc<Machine>,
}

impl SimWorld {
    /// A machine with an empty disk.
    pub fn new(seed: u64) -> Self {
        SimWorld { machine: Rc::new(Machine::new(seed)) }
    }

    /// The runtime to hand to the code under test; valid over crashes, whereas open files are not.
    pub fn runtime(&self) -> Rc<dyn Runtime> {
        Rc::new(SimRuntime(Rc::clone(&self.machine)))
    }

    /// Runs until `root` is done, or until power is lost at an armed crash point: then all tasks are dropped,
    /// the disk keeps what it must, the next boot begins, and the answer is `None`. Tasks that were spawned go on
    /// at the next call unless power was lost.
    ///
    /// Panics if nothing can run any more, or if there is no end after millions of polls (see
    /// [`limit_polls`](Self::limit_polls)).
    pub fn block_on<T>(&self, root: impl Future<Output = T>) -> Option<T> {
        self.machine.run(root)
    }

    /// Arms a loss of power during the next calls of [`block_on`](Self::block_on); replaces an earlier one.
    pub fn crash_at(&self, point: CrashPoint) {
        self.machine.crash_at_event.set(None);
        self.machine.crash_at_time.set(None);
        self.machine.crash_at_success.set(None);
        match point {
            CrashPoint::DiskEvents(count) => {
                self.machine.crash_at_event.set(Some(self.machine.disk_events.get() + count));
                self.machine.check_crash_event();
            }
            CrashPoint::Successes(op, count) => self.machine.crash_at_success.set(Some((op, count))),
            CrashPoint::After(duration) => {
                self.machine.crash_at_time.set(Some(self.machine.now.get().saturating_add(duration)));
            }
        }
    }

    /// Loses power now: drops all tasks, applies the loss to the disk, and begins the next boot.
    pub fn crash(&self) {
        self.machine.crash();
    }

    /// Fails the `nth` completion from now (1 is the next) of a kind of operation. A crash forgets it.
    pub fn fail(&self, op: DiskOp, nth: u64, fault: DiskFault) {
        self.plan(Plan::new(fault).of(op).nth(nth));
    }

    /// Plans a fault. A crash forgets it.
    pub fn plan(&self, plan: Plan) {
        self.machine.record("plan", "fault", 0);
        self.machine.disk.plan(plan);
    }

    /// Forgets the faults that were planned: from now on the disk is well.
    pub fn forget_plans(&self) {
        self.machine.disk.forget_plans();
    }

    /// Gives a directory so many bytes, or again as many as it likes.
    pub fn limit_space(&self, mount: &Path, bytes: Option<u64>) {
        self.machine.record("limit", "space", bytes.unwrap_or(u64::MAX));
        self.machine.disk.devices.limit(mount, bytes);
    }

    /// Bytes that the files below a directory take.
    pub fn used_bytes(&self, mount: &Path) -> u64 {
        let directory = directory_at(&self.machine.disk.root, mount);
        directory.expect("a directory of the disk").used_bytes()
    }

    /// Has every operation below a path take longer, each by up to `by_at_most`, for some time or until the crash.
    pub fn slow_down(&self, below: &Path, during: Duration, by_at_most: Duration) {
        self.machine.record("slow", "disk", by_at_most.as_micros() as u64);
        let until = self.now().saturating_add(during);
        self.machine.disk.devices.slow_down(below, until, by_at_most);
    }

    /// Lets sectors that are being written when power is lost tear inside, every 512 bytes.
    pub fn tear_sectors(&self) {
        self.machine.disk.tears_sectors.set(true);
    }

    /// Lets one byte of an existing file rot on the disk: one of its bits flips, durably.
    pub fn rot(&self, path: &Path, position: u64) {
        self.machine.record("rot", "byte", position);
        let (parent, name) = parent_of(&self.machine.disk.root, path).expect("a file of the disk");
        let Some(Node::File(inode)) = parent.get(name) else { panic!("{} is no file", path.display()) };
        inode.rot(position);
    }

    /// The files below a directory that hold durable bytes other than zeros.
    pub fn written_files(&self, below: &Path) -> Vec<WrittenFile> {
        let directory = directory_at(&self.machine.disk.root, below).expect("a directory of the disk");
        directory.written_files(below)
    }

    /// What a directory durably holds now, with all that is below.
    pub fn image_of(&self, path: &Path) -> DeviceImage {
        image_of(&self.machine.disk.root, path).expect("a directory of the disk")
    }

    /// Puts an image in the place of a directory, durably. Only between two boots: files that are open stay as
    /// they were.
    pub fn replace(&self, path: &Path, image: &DeviceImage) {
        self.machine.record("swap", "device", 0);
        replace(&self.machine.disk.root, path, image).expect("a place on the disk");
    }

    /// Empties a directory: the device that was mounted there is lost. Only between two boots.
    pub fn lose(&self, path: &Path) {
        self.replace(path, &DeviceImage::empty());
    }

    /// A digest of everything that the disk durably holds: equal for two runs alike.
    pub fn disk_hash(&self) -> u64 {
        self.machine.disk.root.durable_hash()
    }

    /// Moves the wall clock, forth or back.
    pub fn step_wall_clock(&self, by_ms: i64) {
        self.machine.record("clock", "ms", by_ms as u64);
        self.machine.wall_start_ms.set(self.machine.wall_start_ms.get() + by_ms);
    }

    /// Plants a bug: the disk treats files opened with `WriteDurable` as `Write`.
    pub fn ignore_dsync(&self) {
        self.machine.disk.ignores_dsync.set(true);
    }

    /// Makes [`block_on`](Self::block_on) panic after this many polls of tasks, so that a livelock is found.
    pub fn limit_polls(&self, polls: u64) {
        self.machine.polls_max.set(polls);
    }

    /// Disk events so far, as [`CrashPoint::DiskEvents`] counts them.
    pub fn disk_events(&self) -> u64 {
        self.machine.disk_events.get()
    }

    /// Virtual time since the world began; unlike a real clock it runs on through crashes.
    pub fn now(&self) -> Duration {
        self.machine.now.get()
    }

    /// A number below `bound` from the world's seed, for the test's own choices.
    pub fn random_below(&self, bound: u64) -> u64 {
        self.machine.random_below(bound)
    }

    /// A hash over all events so far: equal for two runs alike.
    pub fn trace_hash(&self) -> u64 {
        self.machine.trace.borrow().hash()
    }

    /// Writes a line of the test's own into the trace.
    pub fn note(&self, what: &str, number: u64) {
        self.machine.record("note", what, number);
    }

    /// Prints every event to stderr from now on; the legend is in `trace.rs`.
    pub fn print_trace(&self) {
        self.machine.trace.borrow_mut().set_echo(true);
    }
}

impl Drop for SimWorld {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Machine { seed, now, boot, disk_events, .. } = &*self.machine;
            let (now, boot, disk_events) = (now.get(), boot.get(), disk_events.get());
            eprintln!("simulation failed: seed {seed}, boot {boot}, at {now:?}, {disk_events} disk events");
        }
        // Tasks hold the machine and the machine holds the tasks.
        self.machine.stop();
    }
}
