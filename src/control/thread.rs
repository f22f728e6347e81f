//! The operating system's thread on which control runs.

use std::io;
use std::pin::pin;
use std::sync::{Arc, mpsc as std_mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::{mpsc, watch};

use super::client::Command;
use super::controller::Controller;
use super::progress::Progress;
use super::watch::ControlWatch;

/// The running control thread.
pub struct ControlThread {
    thread: JoinHandle<()>,
    progress: Arc<Progress>,
    watch: ControlWatch,
    /// Of a node among others: how it is told to hand over, and how it says that it has.
    retiring: Option<(watch::Sender<bool>, std_mpsc::Receiver<()>)>,
}

impl ControlThread {
    /// Starts the thread, on one CPU if `cpu` says so.
    pub(super) fn spawn(
        controller: Controller,
        commands: mpsc::Receiver<Command>,
        cpu: Option<usize>,
    ) -> io::Result<Self> {
        let progress = Arc::clone(controller.progress());
        let watch = ControlWatch::new();
        let watched = watch.clone();
        let body = move || {
            if let Some(id) = cpu
                && !core_affinity::set_for_current(core_affinity::CoreId { id })
            {
                tracing::warn!(cpu = id, "control could not be pinned to its CPU");
            }
            block_on(serve(controller, commands, &watched));
        };
        let thread = thread::Builder::new().name("control".to_owned()).spawn(body)?;
        Ok(ControlThread { thread, progress, watch, retiring: None })
    }

    /// A thread that runs, of a node among others.
    pub(super) fn among(
        thread: JoinHandle<()>,
        progress: Arc<Progress>,
        watch: ControlWatch,
        retiring: (watch::Sender<bool>, std_mpsc::Receiver<()>),
    ) -> Self {
        ControlThread { thread, progress, watch, retiring: Some(retiring) }
    }

    /// Whether it gets on, for whoever looks after the node's health.
    pub fn watch(&self) -> ControlWatch {
        self.watch.clone()
    }

    /// Asks the controller to have others lead what this node leads, and waits for that, at most this long. A node on its
    /// own has nobody to ask.
    pub fn hand_over(&self, patience: Duration) {
        let Some((retire, retired)) = &self.retiring else { return };
        retire.send_replace(true);
        match retired.recv_timeout(patience) {
            Ok(()) => tracing::info!("this node leads no partition any more"),
            Err(_) => {
                tracing::warn!("the controller has not taken this node out of service: it stops all the same")
            }
        }
    }

    /// Lets the transaction under way finish, and ends the thread. Commands that wait are told that control has
    /// stopped.
    pub fn stop(self) {
        self.progress.stop();
        if self.thread.join().is_err() {
            tracing::error!("control had panicked before it was stopped");
        }
    }
}

/// Processes commands until it is stopped or nobody is left to send any.
async fn serve(mut controller: Controller, mut commands: mpsc::Receiver<Command>, watch: &ControlWatch) {
    let progress = Arc::clone(controller.progress());
    while !progress.is_stopping() {
        controller.reply_to_applied();
        if controller.capacity() == 0 {
            progress.news().await;
            continue;
        }
        let first = match select(pin!(commands.recv()), pin!(progress.news())).await {
            Either::Left((Some(command), _)) => command,
            Either::Left((None, _)) => return,
            Either::Right(_) => continue,
        };
        let mut batch = vec![first];
        while batch.len() < controller.capacity() {
            match commands.try_recv() {
                Ok(command) => batch.push(command),
                Err(_) => break,
            }
        }
        watch.during(|| controller.process(batch));
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs one future on this thread, which sleeps while it waits.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            // A wake between the poll and this makes it return at once.
            Poll::Pending => thread::park(),
        }
    }
}
