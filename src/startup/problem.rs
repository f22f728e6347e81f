//! What can keep a broker from starting, and what it should only say. Every text names the remedy.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;

use super::kernel::KERNEL_MIN;

/// A reason not to start.
#[derive(Debug, Error)]
pub enum Problem {
    /// The kernel's version is too old.
    #[error("Linux {release} is too old: corelane needs {}.{} or newer; upgrade the kernel", KERNEL_MIN.0, KERNEL_MIN.1)]
    KernelTooOld {
        /// The version that runs.
        release: String,
    },
    /// The kernel has no io_uring.
    #[error("this kernel has no io_uring: use one that is built with CONFIG_IO_URING")]
    UringAbsent,
    /// io_uring is disabled by sysctl.
    #[error(
        "io_uring is disabled here (kernel.io_uring_disabled = {level}): run `sysctl \
         kernel.io_uring_disabled=0` as root, on the host if this is a container"
    )]
    UringDisabled {
        /// The sysctl's value.
        level: u8,
    },
    /// io_uring is refused though the kernel has it enabled.
    #[error(
        "io_uring is refused ({source}), as container runtimes' seccomp profiles do: allow io_uring_setup, \
         io_uring_enter and io_uring_register in the profile, for example docker run --security-opt \
         seccomp=unconfined, or securityContext.seccompProfile in Kubernetes; if it is SELinux or AppArmor, \
         allow io_uring there"
    )]
    UringForbidden {
        /// What the kernel said.
        source: io::Error,
    },
    /// io_uring does not work for another reason.
    #[error("io_uring does not work here: {source}")]
    UringFailed {
        /// What the kernel said.
        source: io::Error,
    },
    /// The limit of locked memory is too low.
    #[error(
        "the limit of locked memory is {limit_bytes} bytes and {needed_bytes} are needed: raise it with `ulimit \
         -l {}`, LimitMEMLOCK= in systemd, or docker run --ulimit memlock={needed_bytes}", needed_bytes / 1024
    )]
    LockedMemory {
        /// The limit.
        limit_bytes: u64,
        /// What is needed.
        needed_bytes: u64,
    },
    /// The limit of open files is too low to run at all.
    #[error(
        "the limit of open files is {limit} and {needed} are needed before the first client: raise it with \
         `ulimit -n`, LimitNOFILE= in systemd, or docker run --ulimit nofile={needed}, or start fewer shards"
    )]
    OpenFiles {
        /// The limit.
        limit: u64,
        /// What is needed.
        needed: u64,
    },
    /// More memory asked for than there is.
    #[error("`memory` is {} MiB but this process may use {} MiB: set it lower", memory_bytes >> 20, available_bytes >> 20)]
    MemoryBeyondMachine {
        /// `memory`.
        memory_bytes: u64,
        /// RAM or the cgroup's limit.
        available_bytes: u64,
    },
    /// CPUs that the process may not run on.
    #[error(
        "`cpus` names {wanted}, which this process may not run on (allowed: {allowed}): change `cpus`, or the cpuset"
    )]
    CpusNotAllowed {
        /// The CPUs that are not allowed.
        wanted: String,
        /// Those that are.
        allowed: String,
    },
    /// A directory cannot be made or written.
    #[error("cannot use {} as `{key}`: {source}; create it for this user, or set `{key}` to another", path.display())]
    Directory {
        /// The configuration key.
        key: &'static str,
        /// The directory.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Another broker runs on the directory.
    #[error("{} is in use by another broker{}: stop it, or set `{key}` to another directory", path.display(), holder.as_ref().map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    DirectoryInUse {
        /// The configuration key.
        key: &'static str,
        /// The directory.
        path: PathBuf,
        /// The other's process id, if it can be read.
        holder: Option<String>,
    },
    /// No direct I/O on the directory's file system.
    #[error(
        "the file system of {} ({file_system}) takes no direct writes in blocks of 4 KiB ({source}): put \
         `{key}` on ext4 or XFS", path.display()
    )]
    NoDirectIo {
        /// The configuration key.
        key: &'static str,
        /// The directory.
        path: PathBuf,
        /// The file system's name.
        file_system: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// A host to listen on that has no address.
    #[error(
        "{owner} listens on {host}, which does not resolve: {source}; write an address of this machine in `{}`", purpose.key()
    )]
    HostUnknown {
        /// The listener.
        owner: String,
        /// What the port is for.
        purpose: Purpose,
        /// The host as configured.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// A port that somebody listens on.
    #[error("{owner} needs {address}, which is in use: stop what listens there (`ss -ltnp sport = :{}`), or move with {}", address.port(), purpose.flags())]
    PortInUse {
        /// The listener or its shard.
        owner: String,
        /// What the port is for.
        purpose: Purpose,
        /// The address.
        address: SocketAddr,
    },
    /// An address that is not of this machine.
    #[error(
        "{owner} needs {address}, which is no address of this machine: listen on one that is{}", purpose.elsewhere()
    )]
    AddressElsewhere {
        /// The listener or its shard.
        owner: String,
        /// What the port is for.
        purpose: Purpose,
        /// The address.
        address: SocketAddr,
    },
    /// An address that cannot be bound for another reason.
    #[error("{owner} cannot listen on {address}: {source}; choose another with {}", purpose.flags())]
    PortRefused {
        /// The listener or its shard.
        owner: String,
        /// What the port is for.
        purpose: Purpose,
        /// The address.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
}

/// What a port is for, and so which settings move it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// Kafka's protocol.
    Clients,
    /// Metrics and health.
    Admin,
}

impl Purpose {
    fn key(self) -> &'static str {
        match self {
            Purpose::Clients => "listen",
            Purpose::Admin => "admin.listen",
        }
    }

    fn flags(self) -> &'static str {
        match self {
            Purpose::Clients => "--listen or --shard-ports",
            Purpose::Admin => "--admin (`--admin none` opens no such port)",
        }
    }

    fn elsewhere(self) -> &'static str {
        match self {
            Purpose::Clients => ", and use --advertise-host for what clients are told",
            Purpose::Admin => "",
        }
    }
}

/// All reasons not to start, at least one.
#[derive(Debug, Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

/// Something to say at start.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Warning {
    /// Fewer connections than configured.
    #[error(
        "the limit of open files is {limit}, but `max.connections` needs {needed}: connections beyond it will \
         fail; raise it with LimitNOFILE= in systemd or docker run --ulimit nofile={needed}"
    )]
    OpenFiles {
        /// The limit.
        limit: u64,
        /// What all connections would need.
        needed: u64,
    },
    /// Shards share CPUs.
    #[error(
        "{shards} shards share {cpus} CPUs: more shards than CPUs only cost; set --shards {cpus} or less"
    )]
    ShardsShareCpus {
        /// The number of shards.
        shards: u16,
        /// The number of CPUs.
        cpus: usize,
    },
    /// Memory for fewer shards than CPUs.
    #[error("`memory` suffices for {shards} of {cpus} CPUs: set --memory higher to use them all")]
    ShardsCutByMemory {
        /// The number of shards.
        shards: u16,
        /// The number of CPUs.
        cpus: usize,
    },
    /// A file system that moves blocks when they are written.
    #[error(
        "{} is on {file_system}, which copies on write: a journal written in place does not stay in place, \
         which costs latency, and a full disk can refuse writes that were reserved; put `{key}` on ext4 or XFS", path.display()
    )]
    CopyOnWrite {
        /// The configuration key.
        key: &'static str,
        /// The directory.
        path: PathBuf,
        /// The file system's name.
        file_system: &'static str,
    },
    /// A file system that forgets.
    #[error("{} is on {file_system}: acknowledged records will not survive a restart of the machine or container; put `{key}` on a disk", path.display())]
    NotDurable {
        /// The configuration key.
        key: &'static str,
        /// The directory.
        path: PathBuf,
        /// The file system's name.
        file_system: &'static str,
    },
    /// A file system elsewhere.
    #[error("{} is on {file_system}: durability and latency are those of the network and the server; put `{key}` on a local disk", path.display())]
    Remote {
        /// The configuration key.
        key: &'static str,
        /// The directory.
        path: PathBuf,
        /// The file system's name.
        file_system: &'static str,
    },
    /// Anybody who reaches the address can see the broker's state.
    #[error(
        "the admin port serves {address} without authentication: whoever reaches it can see metrics, and no records; keep it inside a trusted network"
    )]
    OpenAdmin {
        /// Its address.
        address: SocketAddr,
    },
    /// Anybody who reaches the address is served.
    #[error(
        "listener `{listener}` serves {address} without authentication or encryption: whoever reaches it can \
         read, write and delete; keep it inside a trusted network"
    )]
    Unauthenticated {
        /// The listener's name.
        listener: String,
        /// Its address.
        address: SocketAddr,
    },
}
