//! `thor`, a client for web servers: requests a URL and shows the response.
//!
//! `cargo run --bin thor -- -v -r 3 -p 2 localhost:9234/`

mod classic;
mod load;
mod options;
mod tls;
mod values;

use std::io::{self, Write as _};
use std::process::ExitCode;

use options::Options;

fn main() -> ExitCode {
    let options: Options = kamea_recipes::parse();
    if options.load.is_wanted() {
        return match load::run(&options) {
            Ok(true) => ExitCode::SUCCESS,
            // The failed conditions have been printed.
            Ok(false) => ExitCode::FAILURE,
            Err(error) => fail(&format!("error: {error}"), error.status()),
        };
    }
    if let Err(wrong) = options.target() {
        return fail(&format!("error: {wrong}"), 2);
    }
    match classic::run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(classic::Failed::Known) => ExitCode::FAILURE,
        Err(error) => fail(&format!("error: {error}"), error.status()),
    }
}

fn fail(line: &str, status: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "{line}");
    ExitCode::from(status)
}
