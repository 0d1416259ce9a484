//! What a component says about a request, for its explanation.

use std::time::Instant;

use kamea::time::now;

/// What a component decided about a request, and why. Components send it only where requests are
/// explained: elsewhere the port is not linked.
///
/// # Examples
///
/// ```
/// use kamea_components::web::Remark;
///
/// let remark = Remark::new("chooses http://127.0.0.1:9002")
///     .with("http://127.0.0.1:9001: weight 1, 3 requests in flight", "no: more busy")
///     .with("http://127.0.0.1:9002: weight 1, 0 requests in flight", "chosen");
/// assert_eq!(remark.rules.len(), 2);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Remark {
    /// What was decided, in words that follow the name of the component.
    pub verdict: String,
    /// What was considered, each with its result.
    pub rules: Vec<(String, String)>,
    /// When it was decided.
    pub at: Instant,
}

impl Remark {
    /// A decision that needed no consideration.
    pub fn new(verdict: impl Into<String>) -> Self {
        Self {
            verdict: verdict.into(),
            rules: Vec::new(),
            at: now(),
        }
    }

    /// Adds what was considered, and its result.
    #[must_use]
    pub fn with(mut self, rule: impl Into<String>, verdict: impl Into<String>) -> Self {
        self.rules.push((rule.into(), verdict.into()));
        self
    }
}
