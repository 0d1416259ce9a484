//! The pool's state of one process.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use kamea::time::now;
use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use tokio::sync::Notify;

use super::{Job, Key};
use crate::wsgi::WsgiApplication;

/// A process that has loaded the application.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) key: Key,
    pub(super) slot: usize,
    /// The queue of its requests.
    pub(super) queue: OwnedFd,
    /// The part of its requests that has not been sent yet: several are sent together.
    pub(super) unsent: BytesMut,
    /// The number of the last request sent to it.
    pub(super) last: u64,
    /// Its unfinished requests, in the order of their numbers.
    pub(super) live: VecDeque<Entry>,
    /// The number of its finished requests.
    pub(super) finished: u64,
    /// It gets no further requests, because it is about to end.
    pub(super) is_retiring: bool,
    /// It gets no further requests until it has reported which ones it returns.
    pub(super) is_giving_back: bool,
    /// Whether a request takes too long.
    pub(super) hangs: bool,
    /// The number of times that it has begun or finished a request.
    pub(super) progress: u64,
    pub(super) monitor: Arc<Notify>,
    /// Whether the monitor sleeps until there is something to do.
    pub(super) is_idle: bool,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) number: u64,
    /// The address of its client.
    pub(super) address: IpAddr,
    /// Since when the process can work on it.
    pub(super) begun: Instant,
    /// Since when it must get on: since then too, or since nobody waits for it any more.
    pub(super) since: Instant,
    pub(super) work: Work,
}

#[derive(Debug)]
pub(super) enum Work {
    /// The process has not reported anything about it.
    Sent(Job),
    /// A channel handles it.
    Begun,
    /// Nobody wants it any more, but its thread is not free yet.
    Unwanted,
}

impl Process {
    /// Adds a request to those to send.
    pub(super) fn send(&mut self, job: Job) {
        self.last += 1;
        self.unsent.extend_from_slice(&job.frame);
        self.live.push_back(Entry {
            number: self.last,
            address: job.client(),
            begun: now(),
            since: now(),
            work: Work::Sent(job),
        });
        if std::mem::take(&mut self.is_idle) {
            self.monitor.notify_one();
        }
    }

    /// Sends as much as the socket accepts.
    pub(super) fn flush(&mut self) {
        while !self.unsent.is_empty() {
            let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
            match send(&self.queue, &self.unsent, flags) {
                Ok(count) => drop(self.unsent.split_to(count)),
                Err(Errno::INTR) => {}
                // If the socket is full, a later call sends the rest. If the process has ended, its
                // keeper notices.
                Err(errno) => {
                    if errno != Errno::AGAIN {
                        log::debug!("a request was not sent: {}", io::Error::from(errno));
                    }
                    return;
                }
            }
        }
    }

    /// Removes a request. The process can then begin another one.
    pub(super) fn remove(&mut self, number: u64, threads: usize) -> Option<Entry> {
        let at = self.live.iter().position(|entry| entry.number == number)?;
        let entry = self.live.remove(at)?;
        if at < threads
            && let Some(next) = self.live.get_mut(threads - 1)
            && !matches!(next.work, Work::Begun)
        {
            next.begun = now();
            next.since = next.begun;
        }
        Some(entry)
    }

    /// Answers requests that have waited too long in this queue, and drops those that nobody waits
    /// for any more. Returns the numbers of the requests that the process need not begin.
    pub(super) fn give_up(&mut self, application: &WsgiApplication) -> Vec<u64> {
        let mut unwanted = Vec::new();
        for (at, entry) in self.live.iter_mut().enumerate() {
            let Work::Sent(job) = &entry.work else {
                continue;
            };
            // The first ones may already be in work.
            let is_late = at >= application.threads && application.is_late(job.since);
            if is_late {
                job.refuse("the application is too busy");
            }
            if is_late || job.outcomes.is_closed() {
                (entry.work, entry.since) = (Work::Unwanted, now());
                unwanted.push(entry.number);
            }
        }
        unwanted
    }

    /// Removes the requests after the given one.
    pub(super) fn take_after(&mut self, last: u64) -> Vec<Job> {
        let first = self.live.partition_point(|entry| entry.number <= last);
        let taken = self.live.drain(first..);
        let jobs = taken.filter_map(|entry| match entry.work {
            Work::Sent(job) => Some(job),
            Work::Begun | Work::Unwanted => None,
        });
        jobs.collect()
    }
}
