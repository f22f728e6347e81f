//! The admin port's thread, as the rest of the broker sees it.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;

use futures_util::future::{Either, select};
use tokio::sync::watch;

use super::collector::Collector;
use super::server::serve;
use crate::runtime::tokio::spawn_tokio;
use crate::shard::MailboxSender;

/// How far the node is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// It recovers.
    Starting,
    /// It takes clients.
    Serving,
    /// It takes no more clients.
    Stopping,
}

/// Says what else is amiss in the node, if anything. It must not wait.
pub type Complaint = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// The node as the port shows it.
#[derive(Clone)]
pub(super) struct View {
    pub(super) phase: Phase,
    /// None before they serve.
    pub(super) shards: Arc<Collector>,
    /// What is not the shards'.
    pub(super) complaint: Option<Complaint>,
}

/// What answers are made of.
pub(super) struct Admin {
    /// `memory`
    pub(super) memory_bytes: u64,
    /// When the process started, in ms since 1970.
    pub(super) started_ms: i64,
    pub(super) view: watch::Receiver<View>,
}

impl Admin {
    /// The node as it is now.
    pub(super) fn view(&self) -> View {
        self.view.borrow().clone()
    }
}

/// What the port is to know.
#[derive(Clone, Copy, Debug)]
pub struct AdminConfig {
    /// `memory`
    pub memory_bytes: u64,
    /// When the process started, in ms since 1970.
    pub started_ms: i64,
    /// A CPU that no shard has, if there is one.
    pub cpu: Option<usize>,
}

/// A bound port that nobody serves yet.
pub struct AdminPort {
    listener: TcpListener,
    address: SocketAddr,
}

impl AdminPort {
    /// Binds the address; port 0 stands for a free one.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(AdminPort { listener, address })
    }

    /// Serves it: the node starts.
    pub fn serve(self, config: AdminConfig) -> io::Result<AdminThread> {
        let shards = Arc::new(Collector::new(Vec::new()));
        let view = View { phase: Phase::Starting, shards, complaint: None };
        let (views, mut ends) = watch::channel(view);
        let AdminConfig { memory_bytes, started_ms, cpu } = config;
        let AdminPort { listener, address } = self;
        let view = ends.clone();
        let thread = spawn_tokio("admin", cpu, move || async move {
            let listener = match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => listener,
                Err(error) => return tracing::error!(%error, "the admin port cannot be served"),
            };
            let admin = Rc::new(Admin { memory_bytes, started_ms, view });
            let serving = std::pin::pin!(serve(admin, listener));
            let ended = std::pin::pin!(async { while ends.changed().await.is_ok() {} });
            match select(serving, ended).await {
                Either::Left(((), _)) | Either::Right(((), _)) => {}
            }
        })?;
        Ok(AdminThread { thread, views, address })
    }
}

/// A port that is served.
pub struct AdminThread {
    thread: JoinHandle<()>,
    views: watch::Sender<View>,
    address: SocketAddr,
}

impl AdminThread {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The shards with these mailboxes serve clients. What is amiss besides them, `complaint` tells.
    pub fn note_serving(&self, mailboxes: Vec<MailboxSender>, complaint: Complaint) {
        let shards = Arc::new(Collector::new(mailboxes));
        self.views.send_replace(View { phase: Phase::Serving, shards, complaint: Some(complaint) });
    }

    /// The node stops.
    pub fn note_stopping(&self) {
        self.views.send_modify(|view| view.phase = Phase::Stopping);
    }

    /// Closes the port and ends the thread.
    pub fn stop(self) {
        drop(self.views);
        if self.thread.join().is_err() {
            tracing::error!("the admin port's thread had panicked");
        }
    }
}
