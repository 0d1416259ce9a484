//! A policy of your own: a canary. One client in twenty gets the last backend of the configuration,
//! where a new version runs.
//!
//! `cargo run --example own_policy`

use std::net::IpAddr;

use kamea::Scheduler;
use kamea_daemon::run_proxy;
use kamea_proxy::Proxy;
use kamea_proxy::config::parse_virtual_hosts;
use kamea_proxy::policy::{Asked, Candidate, Policy, RoundRobin};
use kamea_recipes::Outcome;

/// The others are served in turn.
struct Canary {
    new: usize,
    others: RoundRobin,
}

impl Policy for Canary {
    fn choose(&mut self, candidates: &[Candidate], asked: &Asked<'_>) -> Option<usize> {
        let client = match asked.client {
            IpAddr::V4(address) => u128::from(address.to_bits()),
            IpAddr::V6(address) => address.to_bits(),
        };
        // Candidates are in the order of the configuration; without a canary, all serve all.
        match candidates.split_last() {
            Some((last, [])) if last.index == self.new => Some(0),
            Some((last, others)) if last.index == self.new => match client % 20 {
                0 => Some(others.len()),
                _ => self.others.choose(others, asked),
            },
            _ => self.others.choose(candidates, asked),
        }
    }
}

fn main() -> Outcome {
    let plan = parse_virtual_hosts("config/proxy.conf")?;
    let proxy = Proxy::with_policies(plan, |route| {
        let new = route.backends.len().checked_sub(1).filter(|new| *new > 0)?;
        let others = RoundRobin::new();
        Some(Box::new(Canary { new, others }))
    });
    run_proxy(Scheduler::new(), [127, 0, 0, 1], 8080, &proxy)?;
    Ok(())
}
