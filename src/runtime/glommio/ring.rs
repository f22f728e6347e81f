//! The shard's own io_uring for the disk.
//!
//! glommio submits at the end of its turn, so the disk would idle while replies go out; this ring submits at
//! once. glommio only waits for it: the ring's descriptor becomes readable when something has completed, which
//! wakes the executor also when it is parked.
//!
//! The memory and the file of an operation live in the ring's table from submission to completion, whoever still
//! waits for the result.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use glommio::io::PollableFd;
use io_uring::{IoUring, squeue};
use tokio::sync::oneshot;

use crate::base::buffer::AlignedBuf;
use crate::base::limits::{DISK_OPERATIONS_IN_FLIGHT_MAX, DISK_READS_WAITING_MAX, DISK_SLOTS_NOT_FOR_READS};

/// How long to wait when the kernel is short of memory for a submission.
const RETRY_AFTER: Duration = Duration::from_millis(1);

/// The memory that an operation lends to the kernel.
pub(super) enum Lent {
    Nothing,
    /// Held, not looked at.
    Write {
        _bytes: Bytes,
    },
    Read(AlignedBuf),
}

/// What the kernel answered: a count, or an error; and the memory back.
pub(super) type Answer = (io::Result<u32>, Lent);

struct Operation {
    entry: squeue::Entry,
    lent: Lent,
    /// Keeps the descriptor open, and its number from being reused, until the kernel is done.
    _file: Arc<File>,
    done: oneshot::Sender<Answer>,
}

pub(super) struct Ring(RefCell<State>);

struct State {
    ring: IoUring,
    /// By slot number, which is the `user_data` of the entry.
    in_flight: Vec<Option<Operation>>,
    free_slots: Vec<usize>,
    /// Writes and syncs wait only for each other: the shard lives by them, and those who make them keep few.
    waiting: VecDeque<Operation>,
    waiting_reads: VecDeque<Operation>,
}

impl Ring {
    /// A ring for the thread that calls, which alone may use it.
    pub(super) fn new() -> io::Result<Rc<Ring>> {
        let entries = DISK_OPERATIONS_IN_FLIGHT_MAX as u32;
        // No interrupt of a running task for a completion: it is noticed at the next system call anyway.
        let built = IoUring::builder().setup_single_issuer().setup_coop_taskrun().build(entries);
        let ring = match built {
            // Kernels before 6.0 do not know these flags.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => IoUring::new(entries),
            other => other,
        }
        .map_err(|error| io::Error::new(error.kind(), format!("io_uring_setup for the disk: {error}")))?;
        Ok(Rc::new(Ring(RefCell::new(State {
            ring,
            in_flight: (0..DISK_OPERATIONS_IN_FLIGHT_MAX).map(|_| None).collect(),
            free_slots: (0..DISK_OPERATIONS_IN_FLIGHT_MAX).rev().collect(),
            waiting: VecDeque::new(),
            waiting_reads: VecDeque::new(),
        }))))
    }

    /// Submits an operation now, or queues it if the ring is full. A read is refused if the queue is full too.
    ///
    /// # Safety
    /// Memory that `entry` points to must belong to `lent`, with a size and place that stay as they are, and its
    /// descriptor must be that of `file`.
    pub(super) unsafe fn submit(
        self: &Rc<Self>,
        entry: squeue::Entry,
        lent: Lent,
        file: &Arc<File>,
    ) -> oneshot::Receiver<Answer> {
        let (done, receiver) = oneshot::channel();
        let operation = Operation { entry, lent, _file: Arc::clone(file), done };
        let refused = self.0.borrow_mut().accept(operation);
        if let Some(operation) = refused {
            let message = "too many reads wait for the shard's io_uring";
            let error = io::Error::new(io::ErrorKind::ResourceBusy, message);
            let _ = operation.done.send((Err(error), operation.lent));
            return receiver;
        }
        self.enter();
        self.reap();
        receiver
    }

    /// Starts the task that waits for completions; it holds the ring until it is cancelled.
    pub(super) fn spawn_reaper(self: &Rc<Self>) -> io::Result<glommio::Task<()>> {
        let readable = PollableFd::new(RingFd(Rc::clone(self)))?;
        Ok(glommio::spawn_local(async move {
            loop {
                readable.readable().await.expect("polling the ring's own descriptor cannot fail");
                readable.get_ref().0.reap();
            }
        }))
    }

    /// Waits, blocking the thread, until the kernel has nothing left to do; for the end of a shard.
    pub(super) fn finish(&self) {
        while self.0.borrow().free_slots.len() < DISK_OPERATIONS_IN_FLIGHT_MAX {
            match self.0.borrow_mut().ring.submit_and_wait(1) {
                Ok(_) => {}
                Err(error) if is_temporary(&error) => std::thread::sleep(RETRY_AFTER),
                Err(error) => panic!("io_uring_enter: {error}"),
            }
            self.complete();
            self.0.borrow_mut().start_waiting();
        }
    }

    /// Hands every completed operation to its waiter and lets waiting ones follow.
    pub(super) fn reap(self: &Rc<Self>) {
        self.complete();
        if self.0.borrow_mut().start_waiting() {
            self.enter();
        }
    }

    fn complete(&self) {
        loop {
            // Not borrowed while waking: a waiter that is gone drops memory and files here.
            let Some((operation, answer)) = self.0.borrow_mut().take_completed() else { break };
            let _ = operation.done.send((answer, operation.lent));
        }
    }

    /// Tells the kernel of new entries.
    fn enter(self: &Rc<Self>) {
        let entered = loop {
            match self.0.borrow().ring.submit() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        match entered {
            Ok(_) => {}
            Err(error) if is_temporary(&error) => {
                let ring = Rc::clone(self);
                let retry = async move {
                    glommio::timer::sleep(RETRY_AFTER).await;
                    ring.enter();
                };
                glommio::spawn_local(retry).detach();
            }
            Err(error) => panic!("io_uring_enter: {error}"),
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // The kernel still reads and writes the lent memory.
        self.finish();
    }
}

impl State {
    /// Takes an operation in, or gives a read back if too many wait.
    fn accept(&mut self, operation: Operation) -> Option<Operation> {
        let is_read = matches!(operation.lent, Lent::Read(_));
        if is_read && self.waiting_reads.len() >= DISK_READS_WAITING_MAX {
            return Some(operation);
        }
        let queue = if is_read { &mut self.waiting_reads } else { &mut self.waiting };
        queue.push_back(operation);
        self.start_waiting();
        None
    }

    fn start(&mut self, slot: usize, operation: Operation) {
        let entry = operation.entry.clone().user_data(slot as u64);
        self.in_flight[slot] = Some(operation);
        // SAFETY: the table keeps what the entry points to until the completion is taken.
        let pushed = unsafe { self.ring.submission().push(&entry) };
        pushed.expect("the ring has as many entries as the table has slots");
    }

    /// Starts what there are slots for; whether there was anything.
    fn start_waiting(&mut self) -> bool {
        let mut any = false;
        while let Some(operation) = self.next_waiting() {
            let slot = self.free_slots.pop().expect("looked at before");
            self.start(slot, operation);
            any = true;
        }
        any
    }

    fn next_waiting(&mut self) -> Option<Operation> {
        match self.free_slots.len() {
            0 => None,
            1..=DISK_SLOTS_NOT_FOR_READS => self.waiting.pop_front(),
            _ => self.waiting.pop_front().or_else(|| self.waiting_reads.pop_front()),
        }
    }

    fn take_completed(&mut self) -> Option<(Operation, io::Result<u32>)> {
        let completion = self.ring.completion().next()?;
        let slot = completion.user_data() as usize;
        let operation = self.in_flight[slot].take().expect("an operation completes once");
        self.free_slots.push(slot);
        let result = completion.result();
        Some((operation, u32::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))))
    }
}

struct RingFd(Rc<Ring>);

impl AsRawFd for RingFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.0.borrow().ring.as_raw_fd()
    }
}

/// Errors of io_uring_enter that pass: no memory for a request, or completions to be taken first.
fn is_temporary(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EBUSY | libc::EINTR))
}
