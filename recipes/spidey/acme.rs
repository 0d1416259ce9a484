//! Certificates from an authority (ACME): what the options say about it, and the graph that keeps
//! them.
//!
//! The certificates are files in the folder of the state. Another graph writes them; the server
//! notices that they have changed, as it does with those of other programs.

use std::env;
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::str::FromStr;

use kamea::{Scheduler, Sender};
use kamea_acme::{
    AuthorityOptions, Challenge, LETS_ENCRYPT, Name, Store, Wanted, answer_challenges,
    keep_certificates,
};
use kamea_components::http::Url;
use kamea_components::server::{Tls, WebServer, own_certificate_folder};
use kamea_components::tls::{Certificate, ChallengeCertificates, ClientTls, self_signed};
use rustix::process::geteuid;

use super::options::Options;
use super::tls::tls_census;

/// The graph that keeps the certificates: where names are sent that are wanted.
#[derive(Clone)]
pub(crate) struct Acme(Sender<Vec<Wanted>>);

/// Where the authority can write to.
#[derive(Debug, Clone)]
pub(crate) struct Contact(String);

impl FromStr for Contact {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = text.strip_prefix("mailto:").unwrap_or(text);
        let is_right = address.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty() && !host.contains('@') && host.parse::<Name>().is_ok()
        });
        // One address, and nothing of a header (RFC 8555 section 7.3).
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b",?;<>\"".contains(&byte);
        match is_right && address.bytes().all(is_plain) {
            true => Ok(Self(format!("mailto:{address}"))),
            false => Err("an address is one for mail, such as ada@example.org"),
        }
    }
}

/// The directory of an authority.
#[derive(Debug, Clone)]
pub(crate) struct DirectoryUrl(String);

impl FromStr for DirectoryUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = "a directory is an https URL, such as https://acme.example/directory";
        let url: Url = text.parse().map_err(|error| format!("{error}; {wanted}"))?;
        match url.is_https() {
            true => Ok(Self(text.to_owned())),
            false => Err(wanted.to_owned()),
        }
    }
}

impl Options {
    /// Whether the certificates come from an authority.
    pub(crate) fn has_acme(&self) -> bool {
        !self.acme.is_empty()
    }

    /// Whether https is at its usual port, and http at its own redirects to it: what a public site
    /// wants, if nothing else is said.
    pub(crate) fn has_usual_ports(&self) -> bool {
        self.has_acme() && self.port.is_none() && self.tls.settings.port.is_none()
    }

    fn directory(&self) -> &str {
        self.acme_directory
            .as_ref()
            .map_or(LETS_ENCRYPT, |url| url.0.as_str())
    }

    /// The folder of the state; `None` without ACME.
    pub(crate) fn acme_folder(&self) -> Option<PathBuf> {
        let folder = || self.acme_state.clone().or_else(state_folder);
        self.has_acme().then(folder).flatten()
    }

    /// The state; `None` without ACME.
    fn acme_store(&self) -> Result<Option<Store>, String> {
        match self.acme_folder() {
            Some(folder) => Ok(Some(Store::new(folder, self.directory()))),
            None if self.has_acme() => Err(
                "--acme needs a folder for the account and the certificates: --acme-state FOLDER"
                    .to_owned(),
            ),
            None => Ok(None),
        }
    }

    /// The files of the certificates; those that are not there yet among them.
    pub(crate) fn acme_files(&self) -> Vec<PathBuf> {
        let store = self.acme_store().ok().flatten();
        let files = store.map(|store| {
            self.acme
                .iter()
                .map(move |name| store.certificate_file(name))
        });
        files.into_iter().flatten().collect()
    }

    /// The folder of the answers to challenges.
    pub(crate) fn acme_challenges(&self) -> Option<PathBuf> {
        let store = self.acme_store().ok().flatten();
        store.map(|store| store.challenges())
    }

    /// The certificate of each name, or one that signs itself until there is one.
    ///
    /// # Errors
    ///
    /// A line that says what is wrong.
    pub(crate) fn acme_certificates(&self) -> Result<Vec<Certificate>, String> {
        let Some(store) = self.acme_store()? else {
            return Ok(Vec::new());
        };
        let of_name = |name: &Name| match store.certificate(name) {
            Some(certificate) => Ok(certificate),
            None => self_signed(&[name.as_str()]).map_err(|error| error.to_string()),
        };
        self.acme.iter().map(of_name).collect()
    }

    /// What answers the challenges that come as a handshake.
    pub(crate) fn acme_challenge_certificates(&self) -> Option<ChallengeCertificates> {
        let (store, names) = (self.acme_store().ok().flatten()?, self.acme.clone());
        Some(ChallengeCertificates::new(move |asked| {
            let name = names.iter().find(|name| name.as_str() == asked)?;
            store.challenge_certificate(name)
        }))
    }

    /// The same server, and it answers the challenges that come by http.
    pub(crate) fn with_challenges(&self, server: WebServer) -> WebServer {
        match self.acme_challenges() {
            Some(folder) => server.early_filter("acme", answer_challenges(folder)),
            None => server,
        }
    }

    /// Lines that say which names have no certificate yet.
    pub(crate) fn acme_in_force(&self, tls: &Tls) -> Vec<String> {
        let names = self.acme.iter().filter(|name| {
            let certificate = tls.server.certificate_for(Some(name.as_str()));
            is_placeholder(&certificate)
        });
        let line = |name: &Name| {
            format!(
                "TLS: {name} has no certificate yet: one is ordered from {}; until it is there, \
                 clients get one that signs itself",
                self.directory()
            )
        };
        names.map(line).collect()
    }

    /// Makes the folders of the state, and opens what confined threads cannot.
    ///
    /// # Errors
    ///
    /// A line that says what is wrong.
    pub(crate) fn prepare_acme(&self) -> Result<Option<AuthorityOptions>, String> {
        let Some(store) = self.acme_store()? else {
            return Ok(None);
        };
        let tls = match &self.acme_ca {
            None => ClientTls::trusting_system(),
            Some(file) => {
                let authorities = Certificate::read_authorities(file);
                let authorities = authorities.map_err(|error| error.to_string())?;
                ClientTls::trusting_all(&authorities)
            }
        };
        let tls = tls.map_err(|error| error.to_string())?;
        let folder = self.acme_folder().unwrap_or_default();
        self.make_folders(&store).map_err(|error| {
            format!(
                "--acme-state: cannot write to {}: {error}",
                folder.display()
            )
        })?;
        Ok(Some(AuthorityOptions {
            directory: self.directory().to_owned(),
            contacts: self.acme_contact.iter().map(|it| it.0.clone()).collect(),
            tls,
            store,
        }))
    }

    /// The folders are for the threads that write the certificates: those run as the user of
    /// `--user`, unless they keep the rights of root for the programs of another user.
    fn make_folders(&self, store: &Store) -> std::io::Result<()> {
        store.prepare()?;
        if let (Ok(Some(user)), None) = (self.server_user(), &self.cgi_user) {
            for path in store.paths()? {
                chown(path, Some(user.user), Some(user.group))?;
            }
        }
        Ok(())
    }

    /// How the authority can check a name, the best way first. A file is asked for at port 80, and
    /// a handshake is made at port 443; both may be forwarded to the ports of this server.
    fn challenges(&self) -> Vec<Challenge> {
        let (plain, _) = self.addresses_by_security();
        match plain.is_empty() {
            true => vec![Challenge::TlsAlpn01],
            false => vec![Challenge::Http01, Challenge::TlsAlpn01],
        }
    }

    /// Starts the graph that keeps the certificates.
    ///
    /// # Errors
    ///
    /// If the scheduler has stopped.
    pub(crate) fn keep_certificates(
        &self,
        scheduler: &Scheduler,
        authority: Option<AuthorityOptions>,
    ) -> Result<Option<Acme>, String> {
        let Some(authority) = authority else {
            return Ok(None);
        };
        let (graph, names) = keep_certificates(authority, self.challenges(), tls_census());
        scheduler.run(graph).map_err(|error| error.to_string())?;
        Ok(Some(Acme(names)))
    }

    /// The names that are wanted, with the certificates that they have. Blocks.
    pub(crate) fn wanted(&self) -> Vec<Wanted> {
        let Ok(Some(store)) = self.acme_store() else {
            return Vec::new();
        };
        let names = self.acme.iter().cloned();
        names.map(|name| Wanted::new(name, &store)).collect()
    }

    /// Checks that a reload changes nothing of ACME but the names.
    ///
    /// # Errors
    ///
    /// A line that says what has changed.
    pub(crate) fn check_acme_of(&self, before: &Self) -> Result<(), String> {
        let parts = |options: &Self| {
            let contacts = options.acme_contact.iter().map(|it| it.0.clone());
            (
                options.has_acme(),
                options.directory().to_owned(),
                contacts.collect::<Vec<_>>(),
                options.acme_state.clone(),
                options.acme_ca.clone(),
            )
        };
        match parts(self) == parts(before) {
            true => Ok(()),
            false => Err(
                "the names of --acme can be changed by a reload; its other options need a \
                          restart"
                    .to_owned(),
            ),
        }
    }
}

impl Acme {
    /// Sets the names that are wanted, and tries again at once what has failed.
    pub(crate) async fn want(&self, wanted: Vec<Wanted>) {
        // Without a receiver the server is stopping.
        let _ = self.0.send(wanted).await;
    }
}

/// Whether a certificate stands for one that the authority has not given yet.
pub(crate) fn is_placeholder(certificate: &Certificate) -> bool {
    certificate.issuer() == certificate.subject()
}

/// The folder of the state, if no option names it: systemd may say it.
fn state_folder() -> Option<PathBuf> {
    let of_systemd = env::var_os("STATE_DIRECTORY").filter(|folder| !folder.is_empty());
    let folder = match of_systemd {
        Some(folder) => PathBuf::from(folder),
        None if geteuid().is_root() => "/var/lib/spidey".into(),
        None => own_certificate_folder()?,
    };
    Some(folder.join("acme"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_are_addresses_for_mail() {
        for (text, expected) in [
            ("ada@example.org", "mailto:ada@example.org"),
            ("mailto:ada+tls@example.org", "mailto:ada+tls@example.org"),
        ] {
            assert_eq!(text.parse::<Contact>().unwrap().0, expected);
        }
        for wrong in [
            "",
            "ada",
            "@example.org",
            "a@b@c",
            "a b@c",
            "a@b,c@d",
            "a@b?cc=c",
            "a@b\n",
        ] {
            assert!(wrong.parse::<Contact>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn directories_are_https_urls() {
        assert!(
            "https://localhost:14000/dir"
                .parse::<DirectoryUrl>()
                .is_ok()
        );
        for wrong in ["http://ca.example/dir", "ca.example", "", "https://a b/"] {
            assert!(wrong.parse::<DirectoryUrl>().is_err(), "{wrong}");
        }
    }
}
