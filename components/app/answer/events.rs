//! Server-sent events (HTML Standard section 9.2).

use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;

use futures_lite::future::or;
use futures_lite::{Stream, StreamExt, stream};
use kamea::time::sleep;
use serde::Serialize;

use crate::{Answer, Reply};

/// One server-sent event.
///
/// # Examples
///
/// ```
/// use kamea_app::Event;
///
/// let event = Event::new("two\nlines").id("7").name("news");
/// assert_eq!(event.to_string(), "id: 7\nevent: news\ndata: two\ndata: lines\n\n");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    data: String,
    id: Option<String>,
    name: Option<String>,
    retry: Option<Duration>,
}

impl Event {
    /// An event with this text.
    pub fn new(data: impl Into<String>) -> Self {
        Self {
            data: data.into(),
            ..Self::default()
        }
    }

    /// An event with a value as JSON.
    ///
    /// # Errors
    ///
    /// If the value cannot be written as JSON.
    pub fn json(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        serde_json::to_string(value).map(Self::new)
    }

    /// Sets its id: a browser that lost the connection sends the last one as `Last-Event-ID`.
    #[must_use]
    pub fn id(self, id: impl ToString) -> Self {
        let id = Some(one_line(&id.to_string()));
        Self { id, ..self }
    }

    /// Sets its name, for `addEventListener`. The default is `message`.
    #[must_use]
    pub fn name(self, name: &str) -> Self {
        let name = Some(one_line(name));
        Self { name, ..self }
    }

    /// Sets how long a browser waits before it connects again.
    #[must_use]
    pub fn retry(self, after: Duration) -> Self {
        let retry = Some(after);
        Self { retry, ..self }
    }
}

/// A text without line breaks and NUL: they would end the field.
fn one_line(text: &str) -> String {
    text.replace(['\r', '\n', '\0'], " ")
}

impl std::fmt::Display for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(id) = &self.id {
            writeln!(f, "id: {id}")?;
        }
        if let Some(name) = &self.name {
            writeln!(f, "event: {name}")?;
        }
        if let Some(retry) = self.retry {
            writeln!(f, "retry: {}", retry.as_millis())?;
        }
        let data = self.data.replace("\r\n", "\n").replace('\r', "\n");
        for line in data.split('\n') {
            writeln!(f, "data: {line}")?;
        }
        f.write_char('\n')
    }
}

/// Server-sent events, from a stream. A comment keeps the connection alive while there are none.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use futures_lite::stream;
/// use kamea::time::sleep;
/// use kamea_app::{App, Event, Events};
///
/// async fn count() -> Events {
///     Events::new(stream::unfold(1, async |n: u32| {
///         sleep(Duration::from_secs(1)).await;
///         Some((Event::new(n.to_string()).id(n), n + 1))
///     }))
/// }
/// # App::new().get("/", count).check().unwrap();
/// ```
pub struct Events {
    events: std::pin::Pin<Box<dyn Stream<Item = Event>>>,
    pause: Duration,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

/// How long there may be no event before a comment is sent: less than the idle timeout of proxies.
const PAUSE: Duration = Duration::from_secs(15);

impl Events {
    /// The events of a stream; they end with it.
    pub fn new(events: impl Stream<Item = Event> + 'static) -> Self {
        Self {
            events: Box::pin(events),
            pause: PAUSE,
        }
    }

    /// Sets after how much silence a comment is sent. The default is 15 seconds.
    #[must_use]
    pub fn keep_alive(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }
}

impl Answer for Events {
    fn into_reply(self) -> Reply {
        let Self { events, pause } = self;
        let chunks = stream::unfold(events, move |mut events| async move {
            let event = async { Some(events.next().await?.to_string()) };
            let silence = async {
                sleep(pause).await;
                Some(":\n\n".to_owned())
            };
            let chunk = or(event, silence).await?;
            Some((Ok::<_, Infallible>(chunk), events))
        });
        Reply::stream(chunks)
            .field("Content-Type", "text/event-stream")
            .field("Cache-Control", "no-store")
    }
}
