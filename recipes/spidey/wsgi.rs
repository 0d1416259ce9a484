//! The Python application that `spidey` is told to serve.

use std::error::Error;
use std::num::{NonZeroU16, NonZeroU64};
use std::str::FromStr;
use std::thread;

use kamea::Scheduler;
use kamea_components::wsgi::{NameError, WsgiApplication, WsgiPool};

use super::mode::Placement;
use super::options::{Options, set};

/// The Python application, if there is one.
pub(crate) fn wsgi(options: &Options) -> Option<WsgiApplication> {
    let mut application = options.wsgi.clone()?.0;
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let count = |number: NonZeroU16| usize::from(number.get());
    application.workers = options.wsgi_workers.map_or_else(cores, count);
    if let Some(threads) = options.wsgi_threads {
        application.threads = count(threads);
    }
    if let Some(folder) = &options.wsgi_path {
        application.folder = folder.clone();
    }
    if let Some(environment) = &options.venv {
        application.python = environment.join("bin/python");
    }
    if let Some(timeout) = options.wsgi_timeout {
        application.timeout = timeout.into();
    }
    application.requests = options.wsgi_requests.map(NonZeroU64::get);
    set(
        &mut application.buffering,
        options.wsgi_buffering.map(bool::from),
    );
    application.reload = options.reload;
    Some(application)
}

/// Starts the processes of the Python application, if there is one, and waits until they have
/// loaded it.
pub(crate) fn load(
    options: &Options,
    scheduler: &Scheduler,
) -> Result<Option<WsgiPool>, Box<dyn Error>> {
    let Some(mut application) = wsgi(options) else {
        return Ok(None);
    };
    if options.placement() == Placement::Forking {
        // The process of a connection has one of its own; that of the server finds out whether the application can be loaded.
        application.workers = 1;
    }
    let pool = WsgiPool::run(application, scheduler.workers())?;
    pool.wait_until_loaded()?;
    Ok(Some(pool))
}

/// Below which path it is served.
pub(crate) fn mount(options: &Options) -> &str {
    options.wsgi_mount.as_ref().map_or("/", |mount| &mount.0)
}

/// The name of a Python application.
#[derive(Debug, Clone)]
pub(crate) struct WsgiName(WsgiApplication);

impl FromStr for WsgiName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        name.parse().map(Self)
    }
}

/// Where in the space of paths something is.
#[derive(Debug, Clone)]
pub(crate) struct MountPath(String);

impl FromStr for MountPath {
    type Err = &'static str;

    fn from_str(path: &str) -> Result<Self, Self::Err> {
        let is_path = path.starts_with('/') && !path.contains(['?', '#', '%', '\0']);
        let own = || Self(path.to_owned());
        is_path.then(own).ok_or("a path is wanted, such as /app")
    }
}
