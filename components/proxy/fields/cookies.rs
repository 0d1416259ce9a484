//! The cookies of a request (RFC 6265 section 4.2).

use kamea_components::http::Fields;

/// Returns the value of the first cookie with this name, without quotation marks around it.
pub(crate) fn cookie<'a>(fields: &'a Fields, name: &str) -> Option<&'a [u8]> {
    let lines = fields.get_all("cookie");
    let mut pairs = lines.flat_map(|line| line.split(|b| *b == b';'));
    pairs.find_map(|pair| {
        let value = pair.trim_ascii().strip_prefix(name.as_bytes())?;
        let value = value.strip_prefix(b"=")?;
        let quoted = value
            .strip_prefix(b"\"")
            .and_then(|v| v.strip_suffix(b"\""));
        Some(quoted.unwrap_or(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cookie_with_the_name() {
        let rows: [(&[&str], Option<&str>); 9] = [
            (&[], None),
            (&["id=a"], Some("a")),
            (&["x=1; id=a; id=b"], Some("a")),
            (&["x=1", "id=a"], Some("a")),
            (&["x=1;id=\"a\""], Some("a")),
            (&["id="], Some("")),
            (&["id"], None),
            (&["idx=1; xid=2; ID=3"], None),
            (&["id=a=b; ;;"], Some("a=b")),
        ];
        for (lines, expected) in rows {
            let mut fields = Fields::new();
            for line in lines {
                fields.push("Cookie", line).unwrap();
            }
            let found = cookie(&fields, "id");
            assert_eq!(found, expected.map(str::as_bytes), "{lines:?}");
        }
    }
}
