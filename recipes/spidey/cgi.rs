//! What the options say of programs: CGI.

use std::str::FromStr;

use clap::ValueEnum;
use kamea_components::cgi::{CgiOptions, Chunked};
use kamea_components::documents::Programs;
use kamea_components::process::Resource;

use super::options::{Options, set};

/// Which files are programs that answer requests.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Which {
    /// Those in folders named cgi-bin that may be executed
    CgiBin,
    /// Any that may be executed
    Executable,
    /// None
    Off,
}

/// What to do with bodies whose length is unknown before their end.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Unmeasured {
    Gather,
    Refuse,
}

/// A limit of what a program may use. Written `RESOURCE=N`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    resource: Resource,
    most: u64,
}

/// The resources by their names, and how many of the system's units are one of ours.
const RESOURCES: [(&str, Resource, u64); 5] = [
    ("cpu-seconds", Resource::Cpu, 1),
    ("memory-mib", Resource::As, 1 << 20),
    ("file-mib", Resource::Fsize, 1 << 20),
    ("files", Resource::Nofile, 1),
    ("processes", Resource::Nproc, 1),
];

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || {
            let names: Vec<_> = RESOURCES.iter().map(|(name, ..)| *name).collect();
            format!(
                "a limit is RESOURCE=N, and the resources are {}",
                names.join(", ")
            )
        };
        let (name, number) = text.split_once('=').ok_or_else(wanted)?;
        let known = RESOURCES.iter().find(|(known, ..)| *known == name.trim());
        let (_, resource, unit) = known.ok_or_else(wanted)?;
        let number: u64 = number.trim().parse().map_err(|_| wanted())?;
        Ok(Self {
            resource: *resource,
            most: number.checked_mul(*unit).ok_or_else(wanted)?,
        })
    }
}

/// Which files are programs.
pub(crate) fn programs(options: &Options) -> Programs {
    let mut programs = Programs::default();
    programs.executables = matches!(options.cgi, Some(Which::Executable));
    programs.interpreters = options.cgi_interpreter.clone();
    programs
}

/// How programs are run, if they are.
pub(crate) fn cgi(options: &Options) -> Option<CgiOptions> {
    if let Some(Which::Off) = options.cgi {
        return None;
    }
    let mut cgi = CgiOptions::default();
    set(&mut cgi.silence, options.cgi_timeout.map(Into::into));
    set(
        &mut cgi.at_once,
        options.cgi_processes.map(|count| count.get().into()),
    );
    set(&mut cgi.waiting, options.cgi_queue);
    set(&mut cgi.buffering, options.cgi_buffering.map(bool::from));
    if let Some(Unmeasured::Refuse) = options.cgi_chunked {
        cgi.chunked = Chunked::Refused;
    }
    cgi.passes_authorization = options.cgi_authorization;
    cgi.settings = options.cgi_env.clone();
    let limits = options.cgi_limit.iter();
    cgi.limits = limits.map(|limit| (limit.resource, limit.most)).collect();
    cgi.user = options.cgi_user_ids;
    Some(cgi)
}

impl Options {
    /// Whether there are programs that may run: some files could be one, or the folder of programs
    /// is there.
    pub(crate) fn runs_cgi(&self) -> bool {
        match self.cgi {
            Some(Which::Off) => false,
            Some(Which::Executable) => true,
            Some(Which::CgiBin) | None => {
                !self.cgi_interpreter.is_empty() || self.docroot_folder().join("cgi-bin").is_dir()
            }
        }
    }
}
