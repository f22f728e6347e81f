//! The real world: glommio for tasks, time and sockets, an io_uring of its own for the disk.
