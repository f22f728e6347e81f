//! The kinds of disk operations.

/// A kind, for planting faults and for the trace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DiskOp {
    /// `open` of a file, which may create it.
    Open,
    /// `read_at`.
    Read,
    /// `write_at`.
    Write,
    /// `sync` of a file.
    Sync,
    /// `allocate`.
    Allocate,
    /// `set_length`.
    SetLength,
    /// `length`.
    Length,
    /// `remove_file` and `remove_dir_all`.
    Remove,
    /// `rename`.
    Rename,
    /// `create_dir`.
    CreateDir,
    /// `sync_dir`.
    SyncDir,
    /// `list_dir`.
    List,
}

impl DiskOp {
    /// Whether it can change what survives a crash, so that a crash beside it is worth a test.
    pub(in crate::runtime::sim) fn changes_disk(self) -> bool {
        !matches!(self, DiskOp::Read | DiskOp::Length | DiskOp::List)
    }

    pub(in crate::runtime::sim) fn name(self) -> &'static str {
        match self {
            DiskOp::Open => "open",
            DiskOp::Read => "read",
            DiskOp::Write => "write",
            DiskOp::Sync => "sync",
            DiskOp::Allocate => "allocate",
            DiskOp::SetLength => "set_length",
            DiskOp::Length => "length",
            DiskOp::Remove => "remove",
            DiskOp::Rename => "rename",
            DiskOp::CreateDir => "create_dir",
            DiskOp::SyncDir => "sync_dir",
            DiskOp::List => "list",
        }
    }
}
