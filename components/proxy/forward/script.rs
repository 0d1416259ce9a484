//! A request as FastCGI and SCGI have it.

use std::collections::HashSet;
use std::path::Path;

use kamea::unblock;
use kamea_components::gateway::Variables;
use kamea_components::http::{BodyKind, RequestHead};

use super::AttemptError;
use crate::fields::{FieldsError, Forwarding};
use crate::plan::Scheme;
use crate::scripts::{encode_fastcgi, encode_fastcgi_body, encode_scgi, script_variables};

/// The limit for a body of unknown length, in bytes, because a script wants to know the length
/// before. Known lengths up to this one are read before too, so that a slow client occupies no
/// process.
pub(super) const LONGEST: usize = 1 << 20;

/// Appends a request, and the end of its body if it has none.
pub(super) async fn encode_script(
    out: &mut Vec<u8>,
    forwarding: &Forwarding<'_>,
    forwarded: &RequestHead,
    kind: BodyKind,
) -> Result<(), AttemptError> {
    let scripts = Scripts::of(forwarding, forwarded).await;
    let exists = |name: &str| scripts.exists(name);
    let Forwarding {
        head,
        inbound,
        route,
        backend,
    } = *forwarding;
    let variables = script_variables(head, forwarded, inbound, route, exists);
    let mut variables = variables.ok_or(FieldsError::Script)?;
    let length = match kind {
        BodyKind::Sized(length) => length,
        _ => 0,
    };
    add_length(&mut variables, kind, length);
    match backend.scheme {
        Scheme::Scgi => encode_scgi(out, &variables, length),
        _ => {
            encode_fastcgi(out, &variables);
            if kind == BodyKind::None {
                encode_fastcgi_body(out, b"");
            }
        }
    }
    Ok(())
}

fn add_length(variables: &mut Variables, kind: BodyKind, length: u64) {
    match kind {
        BodyKind::None => variables.set("CONTENT_LENGTH", ""),
        _ => variables.set_content_length(length),
    }
}

/// The scripts that there are, of those that a request could mean.
enum Scripts {
    /// The folder is not on this machine, or the backend is one program.
    Unknown,
    Known(HashSet<String>),
}

impl Scripts {
    async fn of(forwarding: &Forwarding<'_>, forwarded: &RequestHead) -> Self {
        let Forwarding {
            head,
            inbound,
            route,
            ..
        } = *forwarding;
        let Some(root) = route.root.clone() else {
            return Self::Unknown;
        };
        let asked = std::cell::RefCell::new(Vec::new());
        let ask = |name: &str| {
            asked.borrow_mut().push(name.to_owned());
            false
        };
        let _ = script_variables(head, forwarded, inbound, route, ask);
        let asked = asked.into_inner();
        // A slow disk must not stop the worker.
        unblock(move || Self::look(&root, asked)).await
    }

    fn look(root: &Path, asked: Vec<String>) -> Self {
        if !root.is_dir() {
            return Self::Unknown;
        }
        let is_there = |name: &String| root.join(name.trim_start_matches('/')).is_file();
        Self::Known(asked.into_iter().filter(is_there).collect())
    }

    fn exists(&self, name: &str) -> bool {
        match self {
            Self::Unknown => true,
            Self::Known(known) => known.contains(name),
        }
    }
}
