//! Which request goes to a process next, and to which one.

use std::collections::HashMap;
use std::net::IpAddr;

use super::process::Process;
use super::{Job, Key, State};
use crate::wsgi::WsgiApplication;

/// How many requests a process gets in advance, beyond those that its threads serve.
const AHEAD: usize = 16;

/// A process with this many unsent bytes gets no further requests.
const UNSENT: usize = 64 * 1024;

impl Process {
    /// Whether it has room for another request, if it may have so many of them.
    fn has_room(&self, most: usize) -> bool {
        let is_open = !self.is_retiring && !self.is_giving_back;
        is_open && self.live.len() < most && self.unsent.len() < UNSENT
    }
}

impl State {
    /// Gives a request to the process with the fewest requests. Returns the request if no process
    /// has room, or none that its client may use.
    pub(super) fn send(&mut self, job: Job, threads: usize) -> Result<&mut Process, Box<Job>> {
        let place = self.place_for(job.client(), threads);
        match place.and_then(|at| self.processes.get_mut(at)) {
            Some(process) => {
                process.send(job);
                Ok(process)
            }
            None => Err(Box::new(job)),
        }
    }

    /// The process with the fewest requests, of those that have room and that a client may use.
    fn place_for(&self, client: IpAddr, threads: usize) -> Option<usize> {
        // A slow request that is sent ahead delays those of other clients behind it.
        let is_restricted = self.is_restricted(client);
        let most = threads + if is_restricted { 1 } else { AHEAD };
        if !self.have_room(most) {
            return None;
        }
        let share = is_restricted.then(|| self.share_of(client)).flatten();
        let may = |(_, process): &(usize, &Process)| {
            let share = share.as_ref();
            process.has_room(most) && share.is_none_or(|share| share.contains(&process.key))
        };
        let open = self.processes.iter().enumerate().filter(may);
        let fewest = open.min_by_key(|(_, process)| process.live.len());
        fewest.map(|(at, _)| at)
    }

    /// Whether any process has room for another request, if each may have so many of them.
    fn have_room(&self, most: usize) -> bool {
        self.processes.iter().any(|process| process.has_room(most))
    }

    /// Whether a client shares the processes with others, and its requests may be slow.
    fn is_restricted(&self, client: IpAddr) -> bool {
        !self.clients.is_quick(client) && self.others.are_there_beside(client)
    }

    /// The processes that such a client may use, if it may not use all of them: of those that have
    /// requests of it, its share. It may have more from the time when it was alone.
    fn share_of(&self, client: IpAddr) -> Option<Vec<Key>> {
        let share = self.slots.len().div_ceil(2);
        let holds = |process: &&Process| process.live.iter().any(|entry| entry.address == client);
        let held = self.processes.iter().filter(holds);
        let held: Vec<_> = held.take(share).map(|process| process.key).collect();
        (held.len() == share).then_some(held)
    }

    /// Sends the waiting requests: those of clients that have few requests in the processes first,
    /// otherwise in their order. A client that has reached its share waits.
    pub(super) fn send_waiting(&mut self, application: &WsgiApplication) {
        self.refuse_late(application);
        let (threads, mut live) = (application.threads, None);
        while let Some(at) = self.next_waiting(threads, &mut live)
            && let Some(job) = self.waiting.remove(at)
        {
            let client = job.client();
            if let Err(job) = self.send(job, threads) {
                return self.waiting.insert(at, *job);
            }
            if let Some(live) = &mut live {
                *live.entry(client).or_default() += 1;
            }
        }
    }

    /// The waiting request that is next: of those that a process has room for, the first one of the
    /// client that has the fewest requests in the processes, so that a client with many slow
    /// requests does not delay the others. `live` keeps the numbers of these requests.
    fn next_waiting(
        &self,
        threads: usize,
        live: &mut Option<HashMap<IpAddr, usize>>,
    ) -> Option<usize> {
        let first = self.waiting.front()?.client();
        // Often no process has room for anyone: no counting is needed then.
        if !self.have_room(threads + AHEAD) {
            return None;
        }
        if !self.others.are_there_beside(first) {
            return Some(0);
        }
        let live = live.get_or_insert_with(|| self.live_of_clients());
        let mut fits = HashMap::new();
        let waiting = self.waiting.iter().map(Job::client).enumerate();
        let waiting = waiting.filter(|(_, client)| {
            let has_place = || self.place_for(*client, threads).is_some();
            *fits.entry(*client).or_insert_with(has_place)
        });
        waiting
            .min_by_key(|(_, client)| live.get(client).copied().unwrap_or_default())
            .map(|(at, _)| at)
    }

    /// How many requests each client has in the processes.
    fn live_of_clients(&self) -> HashMap<IpAddr, usize> {
        let mut count = HashMap::new();
        for entry in self.processes.iter().flat_map(|process| &process.live) {
            *count.entry(entry.address).or_default() += 1;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use bytes::Bytes;
    use kamea::link;
    use kamea::time::now;
    use tokio::sync::Notify;

    use super::*;
    use crate::web::Exchange;
    use crate::wsgi::pool::{Outcome, Pool};

    /// A pool of processes that have loaded an application, of one thread each.
    fn pool(workers: usize) -> Pool {
        let mut application: WsgiApplication = "app:app".parse().unwrap();
        (application.workers, application.threads) = (workers, 1);
        (application.waiting, application.timeout) = (usize::MAX, Duration::from_secs(3600));
        let pool = Pool::new(application);
        for slot in 0..workers {
            let queue = tempfile::tempfile().unwrap().into();
            pool.ready(pool.name(), slot, queue, Arc::new(Notify::new()));
        }
        pool
    }

    fn submit(pool: &Pool, client: u32) {
        let peer = (IpAddr::from(client.to_be_bytes()), 1).into();
        let (outcomes, received) = link::<Outcome>(1);
        std::mem::forget(received);
        pool.submit(Job {
            frame: Bytes::from_static(b"x"),
            exchange: Exchange::new(0, peer),
            content: None,
            outcomes,
            since: now(),
        });
    }

    /// The last byte of the client of each waiting request.
    fn waiting(pool: &Pool) -> Vec<u8> {
        let state = pool.lock();
        let clients = state.waiting.iter().map(|job| match job.client() {
            IpAddr::V4(client) => client.octets()[3],
            IpAddr::V6(_) => unreachable!("the clients of this test have IPv4"),
        });
        clients.collect()
    }

    /// Finishes the first request of a process, and sends others.
    fn finish(pool: &Pool, slot: usize) {
        let (key, number) = {
            let state = pool.lock();
            let process = &state.processes[slot];
            (process.key, process.live[0].number)
        };
        pool.finish(key, number);
    }

    #[test]
    fn the_client_with_the_fewest_requests_is_next() {
        let pool = pool(2);
        for client in [1, 1, 1, 1, 1, 2, 2, 2, 1, 3] {
            submit(&pool, client);
        }
        assert_eq!(
            waiting(&pool),
            [2, 2, 2, 1, 3],
            "the first had no others beside it"
        );
        for (slot, left) in [
            // It still has as many requests as clients may have that share it.
            (0, &[2, 2, 2, 1, 3][..]),
            (1, &[2, 2, 1, 3]),
            // The second client has one request in the processes, the third one has none.
            (0, &[2, 2, 1]),
            // The first and the second have one each: in their order.
            (1, &[2, 1]),
            // The second has reached its share.
            (0, &[2]),
        ] {
            finish(&pool, slot);
            assert_eq!(waiting(&pool), left);
        }
    }

    /// The state is locked meanwhile, and all workers wait for it.
    #[test]
    fn many_clients_that_wait_cost_little() {
        let pool = pool(4);
        for round in 0..4 {
            for client in 0..1000 {
                submit(&pool, round + client);
            }
        }
        let begun = Instant::now();
        let count = waiting(&pool).len();
        for round in 0..40 {
            finish(&pool, round % 4);
        }
        assert_eq!(waiting(&pool).len(), count - 40);
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(4), "{took:?}");
    }
}
