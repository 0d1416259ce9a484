//! A description of the machine of a measurement, without names of machines or users.

use std::collections::BTreeMap;
use std::{fs, thread};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::macros::format_description;

/// The machine of a measurement. A text is empty if the system does not provide it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The model of its processor.
    pub processor: String,
    /// The cores that a program may use, as the scheduler counts them.
    pub cores: usize,
    /// Memory, in bytes.
    pub memory: u64,
    /// The kernel and its version, such as `Linux 6.1.0`.
    pub kernel: String,
    /// The distribution of the system, such as `Debian GNU/Linux 12 (bookworm)`.
    pub system: String,
    /// Whether it reports that it is virtual. Then it shares its cores with others, and its
    /// measurements vary more.
    pub is_virtual: bool,
    /// The frequency governor of the processor, such as `performance`.
    pub governor: String,
    /// The day, in UTC, as `2016-04-10`.
    pub date: String,
    /// The versions of the measured programs, by name.
    pub versions: BTreeMap<String, String>,
}

impl Machine {
    /// Describes this machine, today, with the versions of the measured programs.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_tools::report::Machine;
    ///
    /// let machine = Machine::this([("spidey".to_owned(), "0.1.0".to_owned())]);
    /// assert!(machine.cores > 0 && machine.versions["spidey"] == "0.1.0");
    /// ```
    #[must_use]
    pub fn this(versions: impl IntoIterator<Item = (String, String)>) -> Self {
        let today = OffsetDateTime::now_utc().format(format_description!("[year]-[month]-[day]"));
        let processors = read("/proc/cpuinfo");
        Self {
            cores: thread::available_parallelism().map_or(1, usize::from),
            memory: 1024 * memory_kib(&read("/proc/meminfo")),
            kernel: format!(
                "{} {}",
                read("/proc/sys/kernel/ostype"),
                version(&read("/proc/sys/kernel/osrelease"))
            ),
            system: value(&read("/etc/os-release"), "PRETTY_NAME", '=')
                .trim_matches('"')
                .to_owned(),
            is_virtual: flags(&processors).any(|flag| flag == "hypervisor"),
            governor: read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            date: today.unwrap_or_default(),
            versions: versions.into_iter().collect(),
            processor: value(&processors, "model name", ':').to_owned(),
        }
    }

    /// The description, as pairs of title and text.
    #[must_use]
    pub fn rows(&self) -> Vec<(String, String)> {
        let unknown = |text: &str| {
            if text.is_empty() {
                "not known".to_owned()
            } else {
                text.to_owned()
            }
        };
        let mut rows = vec![
            ("Processor".to_owned(), unknown(&self.processor)),
            ("Cores".to_owned(), self.cores.to_string()),
            (
                "Memory".to_owned(),
                format!("{:.1} GiB", self.memory as f64 / f64::from(1 << 30)),
            ),
            ("Kernel".to_owned(), unknown(&self.kernel)),
            ("System".to_owned(), unknown(&self.system)),
            (
                "Virtual".to_owned(),
                if self.is_virtual {
                    "yes"
                } else {
                    "it does not say so"
                }
                .to_owned(),
            ),
            ("Frequency governor".to_owned(), unknown(&self.governor)),
            ("Date (UTC)".to_owned(), self.date.clone()),
        ];
        rows.extend(
            self.versions
                .iter()
                .map(|(program, version)| (program.clone(), version.clone())),
        );
        rows
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path)
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// The text after a name, in the first line that begins with it.
fn value<'a>(text: &'a str, name: &str, separator: char) -> &'a str {
    let mut lines = text.lines().filter_map(|line| line.split_once(separator));
    let line = lines.find(|(found, _)| found.trim() == name);
    line.map_or("", |(_, value)| value.trim())
}

fn memory_kib(meminfo: &str) -> u64 {
    let number = value(meminfo, "MemTotal", ':').split(' ').next();
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn flags(processors: &str) -> impl Iterator<Item = &str> {
    value(processors, "flags", ':').split(' ')
}

/// The number of a release, without additions of the person who built the kernel: these may name a
/// machine.
fn version(release: &str) -> &str {
    let end = release.find(|c: char| !c.is_ascii_digit() && c != '.');
    &release[..end.unwrap_or(release.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_names() {
        let text = "processor\t: 0\nmodel name\t: Some CPU @ 2.00GHz: fast\nflags\t\t: fpu hypervisor\nmodel name\t: other\n";
        assert_eq!(value(text, "model name", ':'), "Some CPU @ 2.00GHz: fast");
        assert_eq!(value(text, "model", ':'), "");
        assert!(flags(text).any(|flag| flag == "hypervisor"));
        assert_eq!(memory_kib("MemTotal:        8131432 kB\n"), 8_131_432);
        assert_eq!(memory_kib(""), 0);
    }

    #[test]
    fn a_release_is_its_number() {
        for (release, number) in [
            ("6.1.0-18-amd64", "6.1.0"),
            ("5.10.104+build.of.somebody", "5.10.104"),
            ("6.8", "6.8"),
            ("", ""),
        ] {
            assert_eq!(version(release), number);
        }
    }

    #[test]
    fn the_note_names_neither_machine_nor_user() {
        let note = format!("{:?}", Machine::this([]));
        let host = read("/proc/sys/kernel/hostname");
        assert!(host.len() < 4 || !note.contains(&host), "{note}");
    }
}
