//! What the components of a flow wait for, in words. A simulation prints it when it does not end.

use super::State;
use super::look::FlowStates;
use super::record::Recorded;
use super::take::state;
use crate::graph::Plan;
use crate::time::now;

impl Recorded {
    /// What each component waits for at its links. `None` if it waits for something else.
    #[cold]
    pub(crate) fn waits(&self, plan: &Plan) -> Vec<Option<String>> {
        let mut look = FlowStates::default();
        look.at(self.record(), plan, now());
        let states = plan.components.iter().zip(&look.doing);
        states
            .map(|(planned, doing)| in_words(state(plan, planned, *doing)))
            .collect()
    }
}

fn in_words(state: State) -> Option<String> {
    match state {
        State::WaitingForSpace {
            outbox, blocked_by, ..
        } => Some(match blocked_by {
            Some(taker) => format!("space at `{outbox}`, from which `{taker}` does not take"),
            None => format!("space at `{outbox}`"),
        }),
        State::WaitingForMessage { inboxes } => {
            Some(format!("a message at `{}`", inboxes.join("` or `")))
        }
        State::Ready => Some("its turn".to_owned()),
        State::Running | State::WaitingForWorld | State::Ended => None,
    }
}
