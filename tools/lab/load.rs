//! The load: `thor`, which is in the same folder as this program.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use kamea_components::process::Stdio;
use kamea_tools::report::Summary;

use super::patience::within;
use super::plan::Asked;
use super::setting::{Running, Setting};
use super::site;

/// The time limit of a response, in seconds. A GB takes long, and some servers serve one client at
/// a time.
const RESPONSE: u64 = 60;

/// How long thor may take after the measured time, in seconds: requests that were sent before are
/// answered first.
const BEYOND: Duration = Duration::from_secs(RESPONSE + 30);

/// The longest duration of a repeated load, in seconds. A load is repeated if nothing was answered.
const LONGEST_LOAD: f64 = 30.0;

/// The size limit of a summary, in bytes.
const LONGEST: usize = 16 << 20;

impl Setting {
    /// Sends the requests of an experiment to a server, for this many seconds.
    ///
    /// It is called once to warm up, and once to measure. In a single load, the responses in
    /// transit at the end of the warm-up would take time from the measurement without being
    /// counted. With files of a GB that is a large part of it.
    ///
    /// If the time is too short for a single answer, on a busy machine, the load is repeated with
    /// four times as much.
    ///
    /// # Errors
    ///
    /// Why there is no summary, or why it is invalid: some answers were wrong.
    pub(crate) async fn load(
        &self,
        address: SocketAddr,
        asked: &Asked,
        mut seconds: f64,
        running: &mut Running,
    ) -> Result<Summary, String> {
        loop {
            let summary = self.load_once(address, asked, seconds, running).await?;
            judge(&summary, asked)?;
            match longer(&summary, seconds)? {
                None => return Ok(summary),
                Some(longer) => seconds = longer,
            }
        }
    }

    async fn load_once(
        &self,
        address: SocketAddr,
        asked: &Asked,
        seconds: f64,
        running: &mut Running,
    ) -> Result<Summary, String> {
        let loaded = self.summarise(address, asked, seconds, running);
        let longest = BEYOND + Duration::from_secs_f64(seconds);
        let json = within(longest, loaded).await;
        let json =
            json.ok_or_else(|| format!("thor did not end within {} s", longest.as_secs()))??;
        let summary = Summary::from_json(&json);
        summary.map_err(|_| format!("thor failed: {}", self.last_words("thor")))
    }

    /// The output of thor.
    async fn summarise(
        &self,
        address: SocketAddr,
        asked: &Asked,
        seconds: f64,
        running: &mut Running,
    ) -> Result<String, String> {
        let cores = &self.plan.circumstances.load_cores;
        let mut arguments = vec![
            "-c".to_owned(),
            asked.connections.to_string(),
            "-d".to_owned(),
            format!("{seconds}s"),
            "--threads".to_owned(),
            cores.len().to_string(),
            "--timeout".to_owned(),
            format!("{RESPONSE}s"),
            "--quiet".to_owned(),
            "--json".to_owned(),
        ];
        if !self.plan.keep_alive {
            arguments.push("--no-keep-alive".to_owned());
        }
        arguments.push(format!("http://{address}{}", site::path(asked.experiment)));
        let arguments = arguments.into_iter().map(OsString::from).collect();
        let mut program = self.program("thor", &self.thor, arguments, cores)?;
        program.stdout = Stdio::Piped;
        let thor = running.start(program).await?;
        let mut said = Vec::new();
        if let Some(stdout) = &mut thor.process.stdout {
            while said.len() < LONGEST {
                match stdout.read().await {
                    Ok(bytes) if bytes.is_empty() => break,
                    Ok(bytes) => said.extend_from_slice(&bytes),
                    Err(error) => return Err(format!("cannot read what thor says: {error}")),
                }
            }
        }
        Ok(String::from_utf8_lossy(&said).into_owned())
    }
}

/// The duration of the repeated load, in seconds, if the time was too short for a single answer.
fn longer(summary: &Summary, seconds: f64) -> Result<Option<f64>, String> {
    if summary.requests > 0 {
        return Ok(None);
    }
    if seconds >= LONGEST_LOAD {
        return Err(format!("no request was answered within {seconds} s"));
    }
    Ok(Some((4.0 * seconds).min(LONGEST_LOAD)))
}

/// Whether each answer was right.
fn judge(summary: &Summary, asked: &Asked) -> Result<(), String> {
    let classes = summary.errors.classes().into_iter();
    let errors: Vec<_> = classes
        .filter(|(_, count)| *count > 0)
        .map(|(class, count)| format!("{class} {count}"))
        .collect();
    if !errors.is_empty() {
        let of = summary.requests + summary.errors.failed();
        return Err(format!(
            "of {of} requests some failed: {}",
            errors.join(", ")
        ));
    }
    if let Some(class) = summary.status.keys().find(|class| *class != "2xx") {
        return Err(format!("there were answers of status {class}"));
    }
    let least = asked.length.unwrap_or_default() * summary.requests;
    if summary.bytes < least {
        return Err(format!(
            "{} bytes came, and should have been {least} at the least",
            summary.bytes
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use kamea_tools::report::Errors;

    use super::*;
    use crate::experiment::Experiment;

    #[test]
    fn a_summary_counts_only_if_every_answer_was_right() {
        let asked = Asked {
            experiment: Experiment::File,
            connections: 1,
            length: Some(10),
        };
        let status = |class: &str| [(class.to_owned(), 3)].into();
        let right = Summary {
            requests: 3,
            bytes: 30,
            status: status("2xx"),
            ..Summary::default()
        };
        assert_eq!(judge(&right, &asked), Ok(()));
        let errors = Errors {
            read: 1,
            time_out: 2,
            ..Errors::default()
        };
        for (summary, wrong) in [
            (
                Summary {
                    errors,
                    ..right.clone()
                },
                "of 6 requests some failed: read 1, time_out 2",
            ),
            (
                Summary {
                    status: status("3xx"),
                    ..right.clone()
                },
                "there were answers of status 3xx",
            ),
            (
                Summary {
                    bytes: 29,
                    ..right.clone()
                },
                "29 bytes came, and should have been 30 at the least",
            ),
        ] {
            assert_eq!(judge(&summary, &asked).unwrap_err(), wrong);
        }
    }

    #[test]
    fn a_time_without_an_answer_is_repeated_longer_and_not_for_ever() {
        let answered = Summary {
            requests: 1,
            ..Summary::default()
        };
        assert_eq!(longer(&answered, 0.1), Ok(None));
        let none = Summary::default();
        assert_eq!(longer(&none, 0.1), Ok(Some(0.4)));
        assert_eq!(longer(&none, 20.0), Ok(Some(LONGEST_LOAD)));
        assert!(longer(&none, LONGEST_LOAD).is_err());
    }
}
