//! Header fields that make browsers careful.

use std::time::Duration;

use kamea_components::http::Fields;

use crate::{Context, Layer, Next, Reply};

/// Adds header fields that make browsers careful, where the reply does not have them: no guessing
/// of media types, no frames of other sites, no referrer and no window handle for other sites.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea_app::{App, SecurityHeaders};
///
/// let headers = SecurityHeaders::new()
///     .content_security_policy("default-src 'self'; frame-ancestors 'none'")
///     .strict_transport(Duration::from_secs(31_536_000));
/// let app = App::new().get("/", async || "x").layer(headers);
/// # app.check().unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct SecurityHeaders(Fields);

impl Default for SecurityHeaders {
    fn default() -> Self {
        Self::new()
    }
}

impl SecurityHeaders {
    /// The fields that break no ordinary page.
    #[must_use]
    pub fn new() -> Self {
        let fields = Fields::new()
            .with("X-Content-Type-Options", "nosniff")
            .with("X-Frame-Options", "SAMEORIGIN")
            .with("Referrer-Policy", "same-origin")
            .with("Cross-Origin-Opener-Policy", "same-origin");
        Self(fields)
    }

    /// Sets the content security policy.
    ///
    /// # Panics
    ///
    /// If it contains a line break.
    #[must_use]
    pub fn content_security_policy(self, policy: &str) -> Self {
        Self(self.0.with("Content-Security-Policy", policy))
    }

    /// Lets browsers use TLS only, for this time (RFC 6797). Only for sites that have it.
    #[must_use]
    pub fn strict_transport(self, age: Duration) -> Self {
        let value = format!("max-age={}", age.as_secs());
        Self(self.0.with("Strict-Transport-Security", value))
    }
}

impl Layer for SecurityHeaders {
    async fn around(&self, context: Context, next: Next) -> Reply {
        let mut reply = next.run(context).await;
        for (name, value) in self.0.iter() {
            if !reply.fields.contains(name) {
                // It was valid when it was added here.
                let _ = reply.fields.push(name, value);
            }
        }
        reply
    }
}
