//! The live view of `spidey`.

use kamea::Scheduler;
use kamea_components::inspect::{InspectError, Inspecting};
use kamea_components::server::Explanations;
use kamea_recipes::inspect;

use super::options::Options;
use super::values::Secret;

impl Options {
    /// Requests are explained where they can be looked at.
    pub(crate) fn explanations(&self) -> Option<Explanations> {
        self.inspect.map(|_| Explanations::new())
    }

    /// Shows what runs, if that is wanted.
    ///
    /// # Errors
    ///
    /// If the address is for others than this machine and there is no token, or if it cannot be had.
    pub(crate) fn inspect(
        &self,
        scheduler: &Scheduler,
        explanations: Option<Explanations>,
    ) -> Result<Option<Inspecting>, InspectError> {
        let token = self.inspect_token.as_ref().map(Secret::reveal);
        let topologies = self.inspect_topologies;
        self.inspect
            .map(|address| inspect(scheduler, address, token, topologies, explanations))
            .transpose()
    }
}
