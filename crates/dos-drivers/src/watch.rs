//! Waiting for a file to change, without asking for it over and over.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use camino::Utf8Path;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;

/// Watches the folder of one file, so that a file that is created or replaced is seen as well.
pub struct Watch {
    events: OwnedFd,
    name: Vec<u8>,
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }
}

impl Watch {
    /// A watch that sees every change from now on; `None` when the folder is not there yet, or
    /// the system gives no more watches.
    pub fn on(file: &Utf8Path) -> Option<Self> {
        let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
        let events = inotify::init(flags).ok()?;
        let wanted = inotify::WatchFlags::MODIFY
            | inotify::WatchFlags::CREATE
            | inotify::WatchFlags::MOVED_TO;
        inotify::add_watch(&events, file.parent()?.as_std_path(), wanted).ok()?;
        Some(Self { events, name: file.file_name()?.as_bytes().to_vec() })
    }

    /// Returns when the file has changed, or after `span`. May return early for no reason.
    pub fn wait(&self, span: Duration) {
        let timeout = Timespec {
            tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(span.subsec_nanos()),
        };
        let mut ready = [PollFd::new(&self.events, PollFlags::IN)];
        let _ = poll(&mut ready, Some(&timeout));
        self.changed();
    }

    /// Has the file itself changed since this was asked last?
    pub fn changed(&self) -> bool {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.events, &mut buffer);
        let mut changed = false;
        while let Ok(event) = reader.next() {
            // Events that were lost may have been about it.
            let lost = event.events().contains(inotify::ReadFlags::QUEUE_OVERFLOW);
            changed |= lost || event.file_name().is_some_and(|name| name.to_bytes() == self.name);
        }
        changed
    }
}
