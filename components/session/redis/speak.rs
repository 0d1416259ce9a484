//! The store: commands in, RESP out, and the answers back.

use bytes::{Bytes, BytesMut};
use futures_lite::future::or;
use kamea::time::{Timer, now};
use kamea::{Call, Component, Inbox, Outbox, Ports};
use kamea_components::net::{DialEvent, HangUp, Outgoing};
use kamea_session::{Command, Outcome};

use crate::exchange::{Exchange, Pending};
use crate::scripts::{authentication, scripted};
use crate::{RedisOptions, UNDER_WAY};

/// The ports of [`speak_redis`].
#[derive(Debug, Ports)]
pub struct RedisPorts {
    /// The commands.
    pub calls: Inbox<Call<Command, Outcome>>,
    /// What happens on the connection.
    pub events: Inbox<DialEvent>,
    /// The bytes for Redis.
    pub outgoing: Outbox<Outgoing>,
    /// Connections to give up.
    pub hang_ups: Outbox<HangUp>,
}

enum Event {
    Call(Option<Call<Command, Outcome>>),
    Dialled(Option<DialEvent>),
    Late,
}

/// Speaks with Redis over a `dial`, which may be a simulated one: see
/// [`keep_in_redis`](crate::keep_in_redis).
pub fn speak_redis(options: RedisOptions) -> impl Component<RedisPorts> + Clone + Send + Sync {
    let password = options.password.as_deref().map(authentication);
    async move |io: &mut RedisPorts| {
        let (mut exchange, mut timer) = (Exchange::default(), Timer::new());
        let mut is_open = true;
        while is_open || exchange.len() > 0 {
            match exchange.deadline(options.patience) {
                Some(deadline) => timer.set(deadline),
                None => timer.clear(),
            }
            let is_taking = is_open && exchange.len() < UNDER_WAY;
            let call = async {
                match is_taking {
                    true => Event::Call(io.calls.next().await),
                    false => std::future::pending().await,
                }
            };
            let dialled = async { Event::Dialled(io.events.next().await) };
            let late = async {
                timer.expired().await;
                Event::Late
            };
            let problem = match or(or(dialled, call), late).await {
                Event::Call(None) => {
                    is_open = false;
                    continue;
                }
                Event::Call(Some(Call { request, reply })) => {
                    let scripted = scripted(request, &options);
                    exchange.push(Pending {
                        meaning: scripted.meaning,
                        reply,
                        is_authenticating: password.is_some(),
                        since: now(),
                    });
                    let bytes = joined(password.as_ref(), scripted.bytes);
                    io.outgoing.send(Outgoing { bytes, requests: 1 }).await?;
                    continue;
                }
                Event::Dialled(Some(event)) => note(&mut exchange, event),
                // It has failed, so nothing can be answered any more.
                Event::Dialled(None) => return Ok(()),
                Event::Late => Err("Redis does not answer".to_owned()),
            };
            if let Err(why) = problem {
                log::warn!("sessions: {why}");
                exchange.fail_sent(&why);
                io.hang_ups.send(HangUp(exchange.connection)).await?;
            }
        }
        // The connection would stay open otherwise.
        Ok(io.hang_ups.send(HangUp(exchange.connection)).await?)
    }
}

/// The password and a command; the password in front of each, because the connection may be a new
/// one.
fn joined(password: Option<&Bytes>, command: Bytes) -> Bytes {
    match password {
        Some(password) => {
            let mut both = BytesMut::from(&password[..]);
            both.extend_from_slice(&command);
            both.freeze()
        }
        None => command,
    }
}

/// Notes what has happened.
///
/// # Errors
///
/// Why the connection must end.
fn note(exchange: &mut Exchange, event: DialEvent) -> Result<(), String> {
    match event {
        DialEvent::Sending {
            connection,
            requests,
            at,
        } => {
            exchange.sending(connection, requests, at);
            Ok(())
        }
        DialEvent::Received {
            connection, bytes, ..
        } => exchange.received(connection, &bytes),
        DialEvent::Ended { connection, .. } => {
            if connection == exchange.connection {
                exchange.fail_sent("the connection to Redis has ended");
            }
            Ok(())
        }
        DialEvent::Unreachable {
            requests, error, ..
        } => {
            exchange.fail_waiting(requests, &format!("cannot connect to Redis: {error}"));
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
