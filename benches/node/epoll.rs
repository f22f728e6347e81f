//! Waiting for many sockets, to the microsecond.

use std::io;
use std::net::TcpStream;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

const EVENTS_MAX: usize = 256;

pub struct Epoll {
    descriptor: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl Epoll {
    pub fn new() -> Self {
        // SAFETY: no pointers; the descriptor is checked, and nobody else has it.
        let descriptor = unsafe {
            // Timeouts of this thread end when they are over, not within the usual 50 us after.
            libc::prctl(libc::PR_SET_TIMERSLACK, 1);
            let descriptor = libc::epoll_create1(libc::EPOLL_CLOEXEC);
            assert!(descriptor >= 0, "epoll_create1: {}", io::Error::last_os_error());
            OwnedFd::from_raw_fd(descriptor)
        };
        Epoll { descriptor, events: vec![libc::epoll_event { events: 0, u64: 0 }; EVENTS_MAX] }
    }

    /// Watches a socket under a number, edge-triggered in both directions.
    pub fn add(&self, stream: &TcpStream, number: usize) {
        let events = (libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLET) as u32;
        let mut event = libc::epoll_event { events, u64: number as u64 };
        let (epoll, socket) = (self.descriptor.as_raw_fd(), stream.as_raw_fd());
        // SAFETY: the kernel copies the event before it returns.
        let added = unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, socket, &mut event) };
        assert_eq!(added, 0, "epoll_ctl: {}", io::Error::last_os_error());
    }

    /// The numbers of sockets with which something happened, after waiting for at most `timeout`.
    pub fn wait(&mut self, timeout: Duration) -> impl Iterator<Item = usize> {
        let timeout = libc::timespec {
            tv_sec: timeout.as_secs() as libc::time_t,
            tv_nsec: timeout.subsec_nanos() as libc::c_long,
        };
        // SAFETY: as many events as are announced, in memory that outlives the call; no signal mask.
        let count = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.descriptor.as_raw_fd(),
                self.events.as_mut_ptr(),
                EVENTS_MAX as libc::c_int,
                &timeout as *const libc::timespec,
                std::ptr::null::<libc::sigset_t>(),
                0usize,
            )
        };
        let count = usize::try_from(count).unwrap_or_else(|_| {
            let error = io::Error::last_os_error();
            assert_eq!(error.kind(), io::ErrorKind::Interrupted, "epoll_pwait2: {error}");
            0
        });
        self.events[..count].iter().map(|event| event.u64 as usize)
    }
}
