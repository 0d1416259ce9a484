//! What `spidey` gives up once it has opened what only its first user may open: the user, new
//! privileges, and files.
//!
//! Only the threads that serve are confined. Others keep what they need: one writes the access log,
//! some start processes and read the configuration again. See `docs/src/security.md`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;

use kamea_components::process::{UserIds, start_unconfined_threads};
use landlock::{
    ABI, Access, AccessFs, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetError, RulesetStatus,
};
use nix::unistd::{Group, User};
use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::mode::Placement;
use super::options::Options;
use super::proxy::ProxiedPath;

/// The version of Landlock whose rights are taken away, as far as the system has it.
const LANDLOCK: ABI = ABI::V5;

/// The folders that the threads that serve can read, once they are confined.
static REACH: OnceLock<Vec<PathBuf>> = OnceLock::new();

/// What the resolver of the system reads when it looks up the name of a backend.
const RESOLVER: [&str; 6] = [
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
    "/run/systemd/resolve",
];

impl Options {
    /// Confines this thread and those that it starts from now on; gives lines that say what is in
    /// force.
    ///
    /// # Errors
    ///
    /// A line that says what cannot be given up.
    pub(crate) fn confine(&self) -> Result<Vec<String>, String> {
        let user = self.server_user()?;
        let is_root = geteuid().is_root();
        // Programs cannot gain rights by files with set-user-ID bits either.
        set_no_new_privs(true)
            .map_err(|error| format!("cannot give up new privileges: {error}"))?;
        let keeps_root = self.cgi_user.is_some();
        let unconfined = |user| {
            let count = thread::available_parallelism().map_or(2, |cores| cores.get() + 1);
            start_unconfined_threads(count, user).map_err(|error| error.to_string())
        };
        if keeps_root {
            unconfined(user)?;
        }
        if let Some(user) = user {
            become_user(user)
                .map_err(|error| format!("cannot become the user of --user: {error}"))?;
        }
        if !keeps_root {
            unconfined(None)?;
        }
        let mut lines = Vec::new();
        if is_root && user.is_none() && self.runs_programs() {
            let programs = if self.wsgi.is_none() && keeps_root {
                None
            } else {
                Some(())
            };
            lines.extend(programs.map(|()| {
                "warning: programs run as root; --user or --cgi-user runs them as somebody else"
                    .to_owned()
            }));
        }
        lines.push(self.sandbox()?);
        Ok(lines)
    }

    /// Whether this server may start programs, or an application.
    fn runs_programs(&self) -> bool {
        self.wsgi.is_some() || self.runs_cgi()
    }

    /// As which user the server runs, if not as the one that has started it.
    pub(crate) fn server_user(&self) -> Result<Option<UserIds>, String> {
        let needs_root = [
            ("--user", self.user.is_some()),
            ("--group", self.group.is_some()),
            ("--cgi-user", self.cgi_user.is_some()),
        ];
        let wanted = needs_root.into_iter().find(|(_, is_given)| *is_given);
        if let (Some((option, _)), false) = (wanted, geteuid().is_root()) {
            return Err(format!(
                "{option} needs root: start the server as root, or without it"
            ));
        }
        if self.cgi_user.is_some() && self.user.is_some() && self.placement() == Placement::Forking
        {
            let wrong = "--cgi-user cannot be had with --user in mode forking, whose processes have given up root";
            return Err(wrong.to_owned());
        }
        let user = self.user.as_deref().map(user_ids).transpose()?;
        let Some(group) = &self.group else {
            return Ok(user);
        };
        let user = user.ok_or("--group needs --user")?;
        Ok(Some(UserIds {
            group: group_id(group)?,
            ..user
        }))
    }

    /// Lets this thread, and those that it starts, reach only the files that the options name.
    fn sandbox(&self) -> Result<String, String> {
        if self.no_sandbox {
            return Ok("Sandbox: off".to_owned());
        }
        let status = self
            .restrict()
            .map_err(|error| format!("cannot make the sandbox: {error}"))?;
        if status == RulesetStatus::NotEnforced {
            return Ok("Sandbox: none, because this system has no Landlock".to_owned());
        }
        let docroot = self.docroot_folder();
        let writes = if self.is_writable() {
            "reads and writes"
        } else {
            "reads"
        };
        let programs = if self.runs_programs() {
            "; programs are not confined"
        } else {
            ""
        };
        Ok(format!(
            "Sandbox: Landlock; the server {writes} {} only{programs}; --no-sandbox turns it off",
            docroot.display()
        ))
    }

    fn restrict(&self) -> Result<RulesetStatus, RulesetError> {
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        let write =
            AccessFs::WriteFile | AccessFs::Truncate | AccessFs::MakeReg | AccessFs::RemoveFile;
        let folders = AccessFs::MakeDir | AccessFs::RemoveDir;
        let reach = self.reach();
        let ruleset = Ruleset::default().handle_access(AccessFs::from_all(LANDLOCK))?;
        let mut ruleset = ruleset.create()?;
        for folder in &reach {
            ruleset = allow(ruleset, folder, read)?;
        }
        if self.is_writable() {
            for folder in self.docroots() {
                let rights = read | write | folders | AccessFs::Refer;
                ruleset = allow(ruleset, &folder, rights)?;
            }
        }
        // Bodies that are gathered go into files without a name.
        ruleset = allow(ruleset, &std::env::temp_dir(), write | AccessFs::ReadFile)?;
        // How many cores there are.
        for path in [
            "/sys/fs/cgroup",
            "/proc/self/cgroup",
            "/proc/self/mountinfo",
        ] {
            ruleset = allow(ruleset, Path::new(path), read)?;
        }
        if let Some(folder) = self.acme_challenges() {
            ruleset = allow(ruleset, &folder, read)?;
        }
        if self.proxy.iter().any(ProxiedPath::has_names) {
            for path in RESOLVER.map(Path::new) {
                if path.exists() {
                    ruleset = allow(ruleset, path, read)?;
                }
            }
        }
        let _ = REACH.set(reach);
        Ok(ruleset.restrict_self()?.ruleset)
    }

    /// The folders that the server reads while it serves.
    fn reach(&self) -> Vec<PathBuf> {
        let mut folders = self.docroots();
        folders.extend(self.error_pages.clone());
        folders
            .iter()
            .filter_map(|folder| folder.canonicalize().ok())
            .collect()
    }

    /// The docroot, and the folders in which another docroot may be later. A deployment makes a
    /// link lead to another folder: beside the old one, or beside the link. The link may be the
    /// docroot, or a folder above it.
    fn docroots(&self) -> Vec<PathBuf> {
        let docroot = self.docroot_folder();
        let mut folders = vec![docroot.clone()];
        let Ok(docroot) = std::path::absolute(&docroot) else {
            return folders;
        };
        // Without a slash at its end, which would follow a link.
        let docroot: PathBuf = docroot.components().collect();
        if let Some(link) = docroot.ancestors().find(|folder| folder.is_symlink())
            && let Ok(target) = link.canonicalize()
        {
            // Beside a link above the docroot, there may be anything.
            let beside_link = (link == docroot).then_some(link);
            let beside = [beside_link, Some(&target)].into_iter().flatten();
            let beside = beside.filter_map(Path::parent);
            // Never everything.
            let beside = beside.filter(|folder| folder.parent().is_some());
            folders.extend(beside.map(Path::to_owned));
        }
        folders
    }

    /// Checks that a sandbox that was made at the start reaches what is to be served now.
    ///
    /// # Errors
    ///
    /// A line that says what lies outside.
    pub(crate) fn check_reach(&self) -> Result<(), String> {
        let Some(reach) = REACH.get() else {
            return Ok(());
        };
        let docroot = self.docroot_folder();
        let Ok(real) = docroot.canonicalize() else {
            return Ok(());
        };
        if reach.iter().any(|folder| real.starts_with(folder)) {
            return Ok(());
        }
        Err(format!(
            "{} lies outside the sandbox, which was made at the start: restart, or use --no-sandbox",
            docroot.display()
        ))
    }
}

/// Allows rights beneath a path; what is missing cannot be reached anyway.
fn allow(
    ruleset: RulesetCreated,
    path: &Path,
    rights: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    match PathFd::new(path) {
        Ok(file) if path.is_dir() => ruleset.add_rule(PathBeneath::new(file, rights)),
        Ok(file) => ruleset.add_rule(PathBeneath::new(
            file,
            rights & AccessFs::from_file(LANDLOCK),
        )),
        Err(_) => Ok(ruleset),
    }
}

/// Makes this thread, and those that it starts, run as another user. No other thread may have to
/// follow.
fn become_user(user: UserIds) -> io::Result<()> {
    let (group, user) = (Gid::from_raw(user.group), Uid::from_raw(user.user));
    set_thread_groups(&[group])?;
    set_thread_res_gid(group, group, group)?;
    Ok(set_thread_res_uid(user, user, user)?)
}

/// The numbers of a user, by name or by number.
pub(crate) fn user_ids(name: &str) -> Result<UserIds, String> {
    let found = match name.parse() {
        Ok(number) => User::from_uid(number_of_user(number)),
        Err(_) => User::from_name(name),
    };
    let found = found.map_err(|error| format!("cannot look up the user {name}: {error}"))?;
    match (found, name.parse::<u32>()) {
        (Some(user), _) => Ok(UserIds {
            user: user.uid.as_raw(),
            group: user.gid.as_raw(),
        }),
        // A number needs no name.
        (None, Ok(number)) => Ok(UserIds {
            user: number,
            group: number,
        }),
        (None, Err(_)) => Err(format!("there is no user {name}")),
    }
}

fn number_of_user(number: u32) -> nix::unistd::Uid {
    nix::unistd::Uid::from_raw(number)
}

fn group_id(name: &str) -> Result<u32, String> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let found = Group::from_name(name);
    let found = found.map_err(|error| format!("cannot look up the group {name}: {error}"))?;
    let group = found.ok_or_else(|| format!("there is no group {name}"))?;
    Ok(group.gid.as_raw())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    /// Confines a thread of its own.
    fn confined<T: Send>(options: &Options, look: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let confined = || {
                let status = options.restrict().unwrap();
                assert_ne!(
                    status,
                    RulesetStatus::NotEnforced,
                    "this test needs Landlock"
                );
                look()
            };
            scope.spawn(confined).join().unwrap()
        })
    }

    /// A folder outside of the folder for temporary files, which the sandbox reaches. The project
    /// itself may lie there.
    fn unreached_folder() -> tempfile::TempDir {
        let reached = std::env::temp_dir().canonicalize().unwrap();
        let candidates = [".", "/var/tmp"].map(|path| fs::canonicalize(path).unwrap());
        let folder = candidates.iter().find(|path| !path.starts_with(&reached));
        tempfile::tempdir_in(folder.expect("a folder outside of TMPDIR")).unwrap()
    }

    #[test]
    fn a_thread_that_serves_reaches_the_docroot_alone() {
        let (inside, outside) = (unreached_folder(), unreached_folder());
        for folder in [&inside, &outside] {
            fs::write(folder.path().join("file"), "text").unwrap();
        }
        for is_writable in [false, true] {
            let options = Options::for_folder(inside.path(), is_writable);
            confined(&options, || {
                assert!(File::open(inside.path().join("file")).is_ok());
                assert!(fs::read_dir(inside.path()).is_ok());
                for path in [
                    &outside.path().join("file"),
                    Path::new("/etc/passwd"),
                    Path::new("/proc/self/environ"),
                ] {
                    let error = File::open(path).unwrap_err();
                    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{path:?}");
                }
                assert!(fs::read_dir(outside.path()).is_err());
                assert!(fs::write(outside.path().join("new"), "x").is_err());
                let written = fs::write(inside.path().join("new"), "x");
                assert_eq!(written.is_ok(), is_writable);
                assert!(
                    std::process::Command::new("/bin/true").status().is_err(),
                    "nothing is executed"
                );
                let error = Options::for_folder(outside.path(), false)
                    .check_reach()
                    .unwrap_err();
                assert!(error.contains("restart"), "{error}");
            });
            // Other threads are as they were.
            assert!(File::open("/etc/passwd").is_ok());
        }
    }

    #[test]
    fn users_are_found_by_name_and_by_number() {
        let root = UserIds { user: 0, group: 0 };
        assert_eq!(user_ids("root"), Ok(root));
        assert_eq!(user_ids("0"), Ok(root));
        let unnamed = UserIds {
            user: 3_999_999,
            group: 3_999_999,
        };
        assert_eq!(user_ids("3999999"), Ok(unnamed));
        assert_eq!(
            user_ids("no such user"),
            Err("there is no user no such user".to_owned())
        );
        assert_eq!(group_id("root"), Ok(0));
        assert!(group_id("no such group").is_err());
    }
}
