//! The variables of a request for a script.

use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::OsStrExt;

use kamea_components::gateway::{Mount, Variables};
use kamea_components::http::RequestHead;
use kamea_components::web::Exchange;

use super::find_script;
use crate::fields::Inbound;
use crate::plan::Route;

/// Returns the variables of a request: `received` is the head that the client sent, and `forwarded`
/// the one that the proxy made of it for the backend. `exists` says which scripts there are, by
/// their path below [`Route::root`].
///
/// With a root, `SCRIPT_FILENAME` names the script; without one, the backend is one program, and
/// gets all of the path as `PATH_INFO`. `None` if the path has dot segments or an invalid percent
/// sequence: no script has such a path.
#[must_use]
pub fn script_variables(
    received: &RequestHead,
    forwarded: &RequestHead,
    inbound: &Inbound<'_>,
    route: &Route,
    exists: impl Fn(&str) -> bool,
) -> Option<Variables> {
    let target = match route.root {
        Some(_) => forwarded.target.decoded_path().ok()?,
        None => forwarded.target.application_path().ok()?,
    };
    let path = str::from_utf8(&target).ok()?;
    let prefix = match route.strip_prefix {
        true => route.prefix.trim_end_matches('/'),
        false => "",
    };
    let local = SocketAddr::new(IpAddr::from([127, 0, 0, 1]), inbound.port);
    let mut mount = Mount::new(local).pass_authorization();
    let client = SocketAddr::new(inbound.client(&received.fields), inbound.peer.port());
    let exchange = Exchange::new(0, client);
    let mut variables = match &route.root {
        None => {
            let name = prefix.as_bytes();
            Variables::of_script(forwarded, &exchange, &mount, name, path.as_bytes())
        }
        Some(root) => {
            let script = find_script(path, &route.index, exists);
            mount = mount.document_root(root);
            let name = format!("{prefix}{}", script.name);
            let rest = script.rest.as_bytes();
            let mut variables =
                Variables::of_script(forwarded, &exchange, &mount, name.as_bytes(), rest);
            let mut file = root.as_os_str().as_bytes().to_vec();
            file.truncate(file.trim_ascii_end().len());
            while file.last() == Some(&b'/') {
                file.pop();
            }
            file.extend_from_slice(script.name.as_bytes());
            variables.set("SCRIPT_FILENAME", file);
            // PHP runs a script only if a server says that it may (`cgi.force_redirect`).
            variables.set("REDIRECT_STATUS", "200");
            variables
        }
    };
    variables.set("REQUEST_URI", &*received.target.origin_form());
    if inbound.scheme(&received.fields) == "https" {
        variables.set("HTTPS", "on");
        variables.set("REQUEST_SCHEME", "https");
    }
    Some(variables)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::Forwarding;
    use crate::plan::Backend;
    use crate::policy::testing::head;

    fn route(prefix: &str, root: Option<&str>) -> Route {
        let backend = Backend::parse("fastcgi://127.0.0.1:9000").unwrap();
        let mut route = Route::to([backend]);
        route.prefix = prefix.to_owned();
        route.strip_prefix = prefix != "/";
        route.root = root.map(Into::into);
        route
    }

    fn variables(route: &Route, target: &str, lines: &str) -> Option<Variables> {
        let mut received = head(lines);
        let method = received.method.clone();
        received.target =
            kamea_components::http::Target::parse(&method, target.to_owned().into()).unwrap();
        let trusted = ["192.0.2.0/24".parse().unwrap()];
        let mut inbound = Inbound::new("192.0.2.7:5555".parse().unwrap(), 8080, "edge");
        inbound.trusted = &trusted;
        let forwarding = Forwarding::new(&received, &inbound, route, &route.backends[0]);
        let forwarded = forwarding.request(false).unwrap();
        let exists = |name: &str| name == "/index.php" || name == "/a b.php";
        script_variables(&received, &forwarded, &inbound, route, exists)
    }

    #[test]
    fn what_php_needs() {
        let route = route("/", Some("/srv/www/"));
        let lines = "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\nAuthorization: b\r\n\
                     Proxy: evil\r\nX_Forwarded_For: evil\r\nContent-Type: text/plain\r\n";
        let variables = variables(&route, "/a%20b.php/rest%2Fx?q=%20", lines);
        // An encoded slash names no file.
        assert_eq!(variables, None);
        let variables = super::tests::variables(&route, "/a%20b.php/rest?q=%20", lines).unwrap();
        let rows = [
            ("SCRIPT_FILENAME", Some("/srv/www/a b.php")),
            ("SCRIPT_NAME", Some("/a b.php")),
            ("PATH_INFO", Some("/rest")),
            ("DOCUMENT_ROOT", Some("/srv/www/")),
            ("REQUEST_URI", Some("/a%20b.php/rest?q=%20")),
            ("QUERY_STRING", Some("q=%20")),
            ("REQUEST_METHOD", Some("GET")),
            ("REMOTE_ADDR", Some("1.1.1.1")),
            ("SERVER_NAME", Some("a.local")),
            ("SERVER_PORT", Some("8080")),
            ("HTTPS", Some("on")),
            ("REDIRECT_STATUS", Some("200")),
            ("CONTENT_TYPE", Some("text/plain")),
            ("HTTP_AUTHORIZATION", Some("b")),
            ("HTTP_X_FORWARDED_FOR", Some("1.1.1.1, 192.0.2.7")),
            ("HTTP_PROXY", None),
        ];
        for (name, expected) in rows {
            let value = variables.get(name).map(String::from_utf8_lossy);
            assert_eq!(value.as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn a_prefix_is_part_of_the_name_and_not_of_the_file() {
        let variables = variables(&route("/blog", Some("/srv")), "/blog/news?x", "").unwrap();
        let rows = [
            ("SCRIPT_FILENAME", "/srv/index.php"),
            ("SCRIPT_NAME", "/blog/index.php"),
            ("PATH_INFO", "/news"),
            ("REQUEST_URI", "/blog/news?x"),
        ];
        for (name, expected) in rows {
            assert_eq!(variables.get(name), Some(expected.as_bytes()), "{name}");
        }
    }

    #[test]
    fn without_a_root_the_backend_is_one_program() {
        let variables = variables(&route("/app", None), "/app/a%2Fb", "").unwrap();
        assert_eq!(variables.get("SCRIPT_NAME"), Some(&b"/app"[..]));
        assert_eq!(variables.get("PATH_INFO"), Some(&b"/a/b"[..]));
        assert_eq!(variables.get("SCRIPT_FILENAME"), None);
    }

    #[test]
    fn a_path_that_leaves_the_folder_has_no_script() {
        let route = route("/", Some("/srv"));
        for target in [
            "/../etc/passwd.php",
            "/%2e%2e/x.php",
            "/a/..%2fx.php",
            "/%zz",
            "/%00",
        ] {
            assert_eq!(variables(&route, target, ""), None, "{target}");
        }
    }
}
