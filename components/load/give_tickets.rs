//! The tickets of one connection: permissions to send a request.
//!
//! ```text
//!                ┌──────────────┐ ──▶ tickets       a request may be sent
//!  returned ─ ─▶ │ give_tickets │
//!                └──────────────┘ ──▶ shortfalls    what was planned and will not be sent
//! ```

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use futures_lite::future::or;
use kamea::time::now;
use kamea::{Component, Done, End, Inbox, Outbox, Ports, is_stopping, stopping};

use super::alarm::Alarm;
use super::{Note, Pace, Schedule, Shortfall, Ticket};

/// The ports of [`give_tickets`].
#[derive(Debug, Ports)]
pub struct TicketPorts {
    /// The outcome of each ticket, which makes room for another one.
    pub returned: Inbox<Returned>,
    /// Each permits one request.
    pub tickets: Outbox<Ticket>,
    /// Planned requests that will not be sent, if there are any, at the end.
    pub shortfalls: Outbox<Note>,
}

/// The outcome of a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returned {
    /// Its request ended at this moment.
    Used(Instant),
    /// Its request was not answered, through no fault of its own, and must be sent again.
    Unused(Ticket),
}

/// Gives tickets at a [`Pace`], never more than may be in flight.
///
/// With a schedule, a due ticket waits for room and keeps its planned moment. So the corrected
/// latency includes what a slow response does to the requests behind it.
///
/// It ends when all tickets have returned, and the pace is at its end or the graph is stopped.
///
/// # Examples
///
/// ```
/// use kamea::Graph;
/// use kamea_components::load::{Budget, Pace, Returned, give_tickets};
///
/// let mut graph = Graph::new("three");
/// let pace = Pace { budget: Some(Budget::new(3)), ..Pace::one_by_one() };
/// let part = graph.add("tickets", give_tickets(pace));
/// let returned = graph.feed(part.returned);
/// let (mut tickets, mut shortfalls) = (graph.take(part.tickets), graph.take(part.shortfalls));
/// let scheduler = kamea::Scheduler::with_workers(1);
/// let running = scheduler.run(graph)?;
/// let mut count = 0;
/// while let Some(_) = tickets.next_blocking() {
///     count += 1;
///     returned.send_blocking(Returned::Used(kamea::time::now())).unwrap();
/// }
/// assert_eq!(count, 3);
/// assert!(shortfalls.next_blocking().is_none());
/// running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn give_tickets(pace: Pace) -> impl Component<TicketPorts> + Clone + Send + Sync {
    async move |io: &mut TicketPorts| give(io, &pace).await
}

async fn give(io: &mut TicketPorts, pace: &Pace) -> Done {
    let office = Office {
        io,
        pace,
        outstanding: 0,
        again: VecDeque::new(),
        free_since: now(),
    };
    match pace.schedule {
        None => office.in_a_loop().await,
        Some(schedule) => office.by(schedule).await,
    }
}

struct Office<'a> {
    io: &'a mut TicketPorts,
    pace: &'a Pace,
    /// Tickets that have not returned.
    outstanding: usize,
    /// Unused tickets.
    again: VecDeque<Ticket>,
    /// Since when there is room.
    free_since: Instant,
}

impl Office<'_> {
    /// Gives a ticket whenever there is room.
    async fn in_a_loop(mut self) -> Done {
        loop {
            while self.has_place() {
                let Some(ticket) = self.again.pop_front().or_else(|| self.anew()) else {
                    break;
                };
                self.give(ticket).await?;
            }
            if self.outstanding == 0 {
                return Ok(());
            }
            self.wait_for_returned().await?;
        }
    }

    /// A ticket that is due now, if there is one.
    fn anew(&self) -> Option<Ticket> {
        let planned = self.free_since;
        let is_due = self.pace.until.is_none_or(|until| planned < until)
            && !is_stopping()
            && self.pace.budget.as_ref().is_none_or(|budget| budget.take());
        is_due.then_some(Ticket {
            planned,
            late: Duration::ZERO,
        })
    }

    /// Gives a ticket for each moment of a schedule.
    async fn by(mut self, schedule: Schedule) -> Done {
        let (mut alarm, mut number) = (Alarm::default(), 0);
        let is_within = |moment| self.pace.until.is_none_or(|until| moment < until);
        loop {
            let moment = now();
            if is_stopping() || !is_within(moment) {
                break;
            }
            let planned = schedule.moment(number);
            match planned.filter(|planned| is_within(*planned)) {
                None if self.outstanding == 0 && self.again.is_empty() => break,
                _ if !self.has_place() => or(self.wait_for_returned(), stopped()).await?,
                _ if let Some(ticket) = self.again.pop_front() => self.give(ticket).await?,
                None => or(self.wait_for_returned(), stopped()).await?,
                Some(planned) if moment < planned => {
                    let due = async {
                        alarm.until(planned).await;
                        Ok(())
                    };
                    or(self.wait_for_returned(), or(due, stopped())).await?;
                }
                Some(planned) => {
                    let late = moment.saturating_duration_since(planned.max(self.free_since));
                    self.give(Ticket { planned, late }).await?;
                    number += 1;
                }
            }
        }
        self.tell_shortfall(schedule, number).await?;
        while self.outstanding > 0 {
            self.wait_for_returned().await?;
        }
        Ok(())
    }

    /// Reports requests that were due and will not be sent, from this number on.
    async fn tell_shortfall(&mut self, schedule: Schedule, number: u64) -> Done {
        let now = now();
        let end = self.pace.until.map_or(now, |until| until.min(now));
        let due = (number..)
            .map_while(|number| schedule.moment(number))
            .take_while(|moment| *moment < end);
        let shortfall = due.fold(Shortfall::default(), |mut shortfall, moment| {
            // Requests that were due before there was room had to wait for it.
            match self.has_place() && moment >= self.free_since {
                true => shortfall.missed += 1,
                false => shortfall.held_up += 1,
            }
            shortfall
        });
        let shortfall = Shortfall {
            held_up: shortfall.held_up + self.again.len() as u64,
            ..shortfall
        };
        if shortfall != Shortfall::default() {
            self.io.shortfalls.send(shortfall.into()).await?;
        }
        Ok(())
    }

    fn has_place(&self) -> bool {
        self.outstanding < self.pace.depth
    }

    async fn give(&mut self, ticket: Ticket) -> Done {
        self.outstanding += 1;
        Ok(self.io.tickets.send(ticket).await?)
    }

    /// Waits until a ticket returns, and takes all that have returned.
    async fn wait_for_returned(&mut self) -> Done {
        let first = self.io.returned.next().await.ok_or(End::Closed)?;
        self.note(first);
        while let Some(returned) = self.io.returned.try_next() {
            self.note(returned);
        }
        Ok(())
    }

    fn note(&mut self, returned: Returned) {
        let was_full = !self.has_place();
        // All room is free now, whatever else has returned.
        self.outstanding = self.outstanding.saturating_sub(1);
        match returned {
            Returned::Used(at) if was_full => self.free_since = at,
            Returned::Used(_) => {}
            Returned::Unused(ticket) => self.again.push_back(ticket),
        }
    }
}

async fn stopped() -> Done {
    stopping().await;
    Ok(())
}

#[cfg(test)]
mod tests;
