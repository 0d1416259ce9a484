//! The live view of `spidey`.

use std::sync::LazyLock;

use kamea::Scheduler;
use kamea_components::inspect::{InspectError, Inspecting, Inspector, random_token};
use kamea_components::server::Explanations;
use kamea_recipes::{explanations, inspect};

use super::options::Options;
use super::tls::tls_census;
use super::values::Secret;

impl Options {
    /// Requests are explained where they can be looked at.
    pub(crate) fn explanations(&self) -> Option<Explanations> {
        self.inspect
            .map(|_| explanations(Some(self.explain_secret())))
    }

    /// What a client shows to have its request explained: the token, or a secret of this process
    /// and of those that it starts.
    fn explain_secret(&self) -> &str {
        static RANDOM: LazyLock<String> = LazyLock::new(random_token);
        let secrets = [&self.inspect_token, &self.explain_secret];
        let known = secrets.into_iter().flatten().next();
        known.map_or_else(|| RANDOM.as_str(), Secret::reveal)
    }

    /// What the process of a connection reads in the place of the configuration file: that, and the
    /// secret.
    pub(crate) fn text_of_connection(&self) -> String {
        match (self.inspect, &self.inspect_token) {
            (Some(_), None) => {
                format!(
                    "explain-secret = \"{}\"\n{}",
                    self.explain_secret(),
                    self.text
                )
            }
            _ => self.text.clone(),
        }
    }

    /// Shows what runs, if that is wanted.
    ///
    /// # Errors
    ///
    /// If the address is for others than this machine and there is no token, or if it cannot be
    /// had.
    pub(crate) fn inspect(
        &self,
        scheduler: &Scheduler,
        explanations: Option<Explanations>,
    ) -> Result<Option<Inspecting>, InspectError> {
        let token = self.inspect_token.as_ref().map(Secret::reveal);
        let topologies = self.inspect_topologies;
        self.inspect
            .map(|address| {
                let configure = |inspector: Inspector| inspector.tls(tls_census());
                inspect(
                    scheduler,
                    address,
                    token,
                    topologies,
                    explanations,
                    configure,
                )
            })
            .transpose()
    }
}
