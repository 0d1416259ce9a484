//! What the pool knows of one process.

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
    /// Where its requests go.
    pub(super) queue: OwnedFd,
    /// What of them has not been sent yet: several go out at once.
    pub(super) unsent: BytesMut,
    /// The number of the last request that it was sent.
    pub(super) last: u64,
    /// What it has not finished, in the order of the numbers.
    pub(super) live: VecDeque<Entry>,
    /// How many requests it has finished.
    pub(super) finished: u64,
    /// It gets no further requests, because it is about to end.
    pub(super) is_retiring: bool,
    /// It gets no further requests until it has said which it gives back.
    pub(super) is_giving_back: bool,
    /// Whether a request has taken it too long.
    pub(super) hangs: bool,
    /// How often it has begun or finished a request.
    pub(super) progress: u64,
    pub(super) monitor: Arc<Notify>,
    /// Whether the monitor sleeps until there is something to do.
    pub(super) is_idle: bool,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) number: u64,
    /// Of its client.
    pub(super) address: IpAddr,
    /// Since when the process can be at work on it.
    pub(super) since: Instant,
    pub(super) work: Work,
}

#[derive(Debug)]
pub(super) enum Work {
    /// Nothing has been heard of it yet.
    Sent(Job),
    /// A channel sees to it.
    Begun,
    /// Nobody wants it any more, but its thread has not come back.
    Unwanted,
}

impl Process {
    /// Adds a request to what it is to be sent.
    pub(super) fn send(&mut self, job: Job) {
        self.last += 1;
        self.unsent.extend_from_slice(&job.frame);
        self.live.push_back(Entry {
            number: self.last,
            address: job.exchange.peer.ip(),
            since: now(),
            work: Work::Sent(job),
        });
        if std::mem::take(&mut self.is_idle) {
            self.monitor.notify_one();
        }
    }

    /// Sends as much as there is room for.
    pub(super) fn flush(&mut self) {
        while !self.unsent.is_empty() {
            let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
            match send(&self.queue, &self.unsent, flags) {
                Ok(count) => drop(self.unsent.split_to(count)),
                Err(Errno::INTR) => {}
                // When there is no room, a later look will find some; when the process is gone, its keeper sees that.
                Err(errno) => {
                    if errno != Errno::AGAIN {
                        log::debug!("a request was not sent: {}", io::Error::from(errno));
                    }
                    return;
                }
            }
        }
    }

    /// Takes a request out. Another one can be begun then.
    pub(super) fn remove(&mut self, number: u64, threads: usize) -> Option<Entry> {
        let at = self.live.iter().position(|entry| entry.number == number)?;
        let entry = self.live.remove(at)?;
        if at < threads
            && let Some(next) = self.live.get_mut(threads - 1)
            && !matches!(next.work, Work::Begun)
        {
            next.since = now();
        }
        Some(entry)
    }

    /// Answers what has waited in here for too long, and drops what nobody waits for any more; gives the numbers of the
    /// requests that need not be begun.
    pub(super) fn give_up(&mut self, application: &WsgiApplication) -> Vec<u64> {
        let mut unwanted = Vec::new();
        for (at, entry) in self.live.iter_mut().enumerate() {
            let Work::Sent(job) = &entry.work else {
                continue;
            };
            // The first ones can be at work.
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

    /// Takes out the requests after one.
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
