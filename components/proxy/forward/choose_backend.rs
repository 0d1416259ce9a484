//! Chooses the backend of each attempt, by the policy of the route. Requests for which no backend
//! has room wait here.

use kamea::time::turn;
use kamea::{Component, End, Inbox, Outbox, Ports};
use kamea_components::web::Remark;

use super::Routed;
use crate::backends::Choice;
use crate::policy::Asked;

/// The ports of [`choose_backend`].
#[derive(Debug, Ports)]
pub struct ChoosePorts {
    /// The requests that need a backend.
    pub asked: Inbox<Box<Routed>>,
    /// The backends, in the same order.
    pub chosen: Outbox<Chosen>,
    /// What was considered for a request that is explained.
    pub remarks: Option<Outbox<Remark>>,
}

/// A request, and the backend that it gets.
#[derive(Debug)]
pub struct Chosen {
    /// The request.
    pub request: Box<Routed>,
    /// Which backend it gets.
    pub choice: Choice,
}

/// Chooses backends.
pub fn choose_backend() -> impl Component<ChoosePorts> + Clone + Send + Sync {
    async |io: &mut ChoosePorts| {
        while let Some(request) = io.asked.next().await {
            let choice = match &io.remarks {
                None => choose(&request).await,
                // Boxed, because few requests are explained.
                Some(remarks) => Box::pin(explain(&request, remarks)).await?,
            };
            io.chosen.send(Chosen { request, choice }).await?;
        }
        Ok(())
    }
}

async fn choose(request: &Routed) -> Choice {
    match choose_now(request) {
        // Boxed, because requests seldom wait.
        Choice::Full => Box::pin(request.group.wait_for_room(|| choose_now(request))).await,
        choice => choice,
    }
}

fn choose_now(request: &Routed) -> Choice {
    let asked = Asked::new(&request.head, request.client());
    request.group.choose(&asked, &request.tried)
}

/// Chooses, and says what was considered.
async fn explain(request: &Routed, remarks: &Outbox<Remark>) -> Result<Choice, End> {
    let began = turn();
    let considered = request.group.considered(&request.tried);
    let choice = choose(request).await;
    let waited = turn() - began;
    let policy = &request.group.route().policy;
    let verdict = match &choice {
        Choice::Backend(in_flight) => {
            let name = in_flight.backend().name();
            format!("chooses {name} by {policy}")
        }
        Choice::Full => "finds every backend at its limit, and the queue full".to_owned(),
        Choice::Down => "finds no backend that is up".to_owned(),
        Choice::Open(wait) => {
            let seconds = wait.as_secs_f64();
            format!("refuses the request: the circuit breaker is open for {seconds:.1} s")
        }
        Choice::Refused => format!("refuses the request, by {policy}"),
    };
    let mut remark = Remark::new(verdict);
    for (index, backend) in considered.iter().enumerate() {
        let verdict = backend.verdict(choice.index() == Some(index));
        remark = remark.with(&backend.backend, verdict);
    }
    if !waited.is_zero() {
        let milliseconds = 1e3 * waited.as_secs_f64();
        remark = remark.with("the queue", format!("waited {milliseconds:.3} ms"));
    }
    remarks.send(remark).await?;
    Ok(choice)
}
