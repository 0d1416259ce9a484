//! The fields of a form that was posted.

use kamea_components::web::{Failure, Request};

/// The fields of a form: `username=admin&password=password`.
///
/// # Examples
///
/// ```
/// use kamea_daemon::FormFields;
///
/// let form = FormFields::of(b"username=ada&password=a%26b+c");
/// assert_eq!(form.only("password"), Some("a&b c"));
/// assert_eq!(FormFields::of(b"a=1&a=2").only("a"), None);
/// ```
#[derive(Debug, Clone, Default)]
pub struct FormFields(Vec<(String, String)>);

/// The longest form, in bytes.
const LONGEST: usize = 16 * 1024;

impl FormFields {
    /// Reads the fields from a body.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// Reads the body of a request, up to 16 KiB, and its fields.
    ///
    /// # Errors
    ///
    /// The failure to report, if the body is longer or incomplete.
    pub async fn read(request: &mut Request) -> Result<Self, Failure> {
        Ok(Self::of(&request.read_content(LONGEST).await?))
    }

    /// The value of a field that the form has exactly once.
    #[must_use]
    pub fn only(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(other, _)| other == name);
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }
}
