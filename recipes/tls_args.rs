//! The options of TLS of every server program, as arguments of its command line.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};
use kamea_components::server::{OptionValue, TlsOption, TlsSettings};

use crate::{port, whole};

/// The options of TLS: `--tls-cert`, `--tls-self-signed` and the others of
/// [`TlsSettings::OPTIONS`]. They are checked to agree with each other, unless `CHECKED` is
/// `false`: a program that has them from another source too calls [`TlsSettings::check`] later.
///
/// # Examples
///
/// ```
/// use clap::Parser;
/// use kamea_components::server::{Site, WebServer};
/// use kamea_recipes::TlsArgs;
///
/// #[derive(Parser)]
/// struct Options {
///     #[command(flatten)]
///     tls: TlsArgs,
/// }
///
/// let options = Options::try_parse_from(["program", "--tls-self-signed"])?;
/// let server = WebServer::new(Site::new(".")).tls_settings(options.tls.settings);
/// # let _ = server;
/// let wrong = Options::try_parse_from(["program", "--hsts", "60"]);
/// assert!(wrong.err().unwrap().to_string().contains("--hsts needs a certificate"));
/// # Ok::<(), clap::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct TlsArgs<const CHECKED: bool = true> {
    /// What the options say.
    pub settings: TlsSettings,
}

fn argument(option: &TlsOption) -> Arg {
    let argument = Arg::new(option.name).long(option.name).help(option.help);
    let argument = argument.help_heading("TLS");
    let action = match (option.value, option.is_repeatable) {
        (OptionValue::None, _) => return argument.action(ArgAction::SetTrue),
        (_, true) => ArgAction::Append,
        (_, false) => ArgAction::Set,
    };
    let argument = argument.action(action);
    let argument = argument.value_name(option.value.name().unwrap_or_default());
    match option.value {
        OptionValue::Port => argument.value_parser(port),
        OptionValue::Seconds => argument.value_parser(whole::<u32>),
        OptionValue::Version => {
            argument.value_parser(PossibleValuesParser::new(TlsSettings::VERSIONS))
        }
        _ => argument.value_parser(value_parser!(PathBuf)),
    }
}

impl<const CHECKED: bool> Args for TlsArgs<CHECKED> {
    fn augment_args(command: Command) -> Command {
        command.args(TlsSettings::OPTIONS.iter().map(argument))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<const CHECKED: bool> FromArgMatches for TlsArgs<CHECKED> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut settings = TlsSettings::default();
        for option in TlsSettings::OPTIONS {
            let wrong = |error| clap::Error::raw(ErrorKind::ValueValidation, error);
            if option.value == OptionValue::None {
                if matches.get_flag(option.name) {
                    settings.set(option.name, OsStr::new("")).map_err(wrong)?;
                }
                continue;
            }
            for value in matches.get_raw(option.name).into_iter().flatten() {
                settings.set(option.name, value).map_err(wrong)?;
            }
        }
        if CHECKED {
            let wrong = |error| clap::Error::raw(ErrorKind::ArgumentConflict, error);
            settings.check().map_err(wrong)?;
        }
        Ok(Self { settings })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
