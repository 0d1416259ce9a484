//! Which script answers a path.

/// The script of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Script {
    /// Its path below the folder of the scripts, with a slash at the start.
    pub name: String,
    /// The rest of the path of the request, for the script.
    pub rest: String,
}

/// Finds the script for a path, percent-decoded: as `try_files $uri $uri/index.php /index.php` of
/// nginx does.
///
/// 1. `/a/b.php/c`: the script `/a/b.php`, and `/c` for it, if there is such a file;
/// 2. `/a/`: the index of that folder, if there is one;
/// 3. everything else goes to the index of the uppermost folder, which finds its way by the target
///    of the request, as most applications do.
///
/// `exists` says whether there is a file; without access to the files, it says yes. A file that
/// does not exist is never asked for, so that `/picture.jpg/x.php` runs nothing.
///
/// # Examples
/// ```
/// use kamea_proxy::scripts::find_script;
///
/// let exists = |name: &str| ["/index.php", "/a/b.php"].contains(&name);
/// let script = find_script("/a/b.php/c", "index.php", exists);
/// assert_eq!((&*script.name, &*script.rest), ("/a/b.php", "/c"));
/// let script = find_script("/news/today", "index.php", exists);
/// assert_eq!((&*script.name, &*script.rest), ("/index.php", "/news/today"));
/// ```
#[must_use]
pub fn find_script(path: &str, index: &str, exists: impl Fn(&str) -> bool) -> Script {
    let script = |name: &str, rest: &str| Script {
        name: name.to_owned(),
        rest: rest.to_owned(),
    };
    let ending = index.rfind('.').map_or("", |dot| &index[dot..]);
    let is_hidden = |name: &str| name.split('/').any(|segment| segment.starts_with('.'));
    if !ending.is_empty()
        && let Some(end) = end_of_script(path, ending)
        && !is_hidden(&path[..end])
        && exists(&path[..end])
    {
        return script(&path[..end], &path[end..]);
    }
    let of_folder = format!("{path}{index}");
    if path.ends_with('/') && !is_hidden(path) && exists(&of_folder) {
        return script(&of_folder, "");
    }
    script(&format!("/{index}"), path)
}

/// Returns where the first segment with this ending ends.
fn end_of_script(path: &str, ending: &str) -> Option<usize> {
    let mut ends = path.match_indices(ending).map(|(at, _)| at + ending.len());
    ends.find(|end| {
        let is_whole = path[*end..].is_empty() || path[*end..].starts_with('/');
        is_whole && !path[..*end - ending.len()].ends_with('/')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts() {
        let files = [
            "/index.php",
            "/a/index.php",
            "/a/b.php",
            "/x.phpx/c.php",
            "/.h/i.php",
        ];
        let rows = [
            ("/", "/index.php", ""),
            ("/a/", "/a/index.php", ""),
            ("/a", "/index.php", "/a"),
            ("/a/b.php", "/a/b.php", ""),
            ("/a/b.php/", "/a/b.php", "/"),
            ("/a/b.php/c.php/d", "/a/b.php", "/c.php/d"),
            ("/x.phpx/c.php", "/x.phpx/c.php", ""),
            ("/none.php", "/index.php", "/none.php"),
            ("/none/", "/index.php", "/none/"),
            // A file that PHP would look for along the path.
            ("/picture.jpg/x.php", "/index.php", "/picture.jpg/x.php"),
            ("/.h/i.php", "/index.php", "/.h/i.php"),
            ("/.php", "/index.php", "/.php"),
            ("", "/index.php", ""),
        ];
        for (path, name, rest) in rows {
            let script = find_script(path, "index.php", |name| files.contains(&name));
            assert_eq!((&*script.name, &*script.rest), (name, rest), "{path}");
        }
    }

    #[test]
    fn without_access_to_the_files() {
        let rows = [
            ("/a/", "/a/index.php"),
            ("/a.php/b", "/a.php"),
            ("/a", "/index.php"),
        ];
        for (path, name) in rows {
            assert_eq!(
                find_script(path, "index.php", |_| true).name,
                name,
                "{path}"
            );
        }
        // An index without an ending: the application is one program.
        assert_eq!(find_script("/a/b", "app", |_| true).name, "/app");
    }
}
