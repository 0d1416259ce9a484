//! The rows of a file server's other work: 304, listings, content codings.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use crate::load::{Ask, Reuse};
use crate::requests::{UNIT, cpu_per_request};
use crate::server::{Kind, Server};
use crate::table::{Row, Target};
use crate::{Error, Setting};

/// The number of entries in the listed folder.
const ENTRIES: usize = 1000;

/// The size of the precompressed file in bytes. It equals that of the small file, so that only the
/// search for it differs.
const CODED: &[u8] = &[0x1f; 1024];

/// The files that these rows request.
pub(crate) fn write_files(data: &Path) -> Result<(), Error> {
    let listed = data.join("listed");
    fs::create_dir_all(&listed)?;
    for number in 0..ENTRIES {
        fs::write(listed.join(format!("entry number {number:04}.txt")), "x")?;
    }
    fs::write(data.join("page.txt"), kamea_benches::http::body().repeat(8))?;
    Ok(fs::write(data.join("page.txt.gz"), CODED)?)
}

/// A client that has the file already.
pub(crate) fn not_modified(setting: &Setting) -> Result<Vec<Row>, Error> {
    let contender = |kind: Kind| -> Result<_, Error> {
        let etag = etag_of_small(&Server::start(kind, &setting.data)?)?;
        let field = Some(format!("If-None-Match: {etag}"));
        Ok((
            kind.name(),
            kind,
            Ask {
                field,
                ..Ask::SMALL
            },
        ))
    };
    let contenders = [contender(Kind::Kamea)?, contender(Kind::Nginx)?];
    Ok(vec![Row {
        what: "304 for a 1 KiB file",
        unit: UNIT,
        figures: cpu_per_request(setting, &contenders, Reuse::KeepAlive)?,
        targets: vec![Target::MostOf(0.7, "nginx")],
    }])
}

fn etag_of_small(server: &Server) -> Result<String, Error> {
    let mut stream = server.connect()?;
    stream.write_all(b"HEAD /small.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
    let mut head = String::new();
    stream.read_to_string(&mut head)?;
    let etag = head.lines().find_map(|line| line.strip_prefix("ETag: "));
    Ok(etag.ok_or("a server without entity tags")?.to_owned())
}

/// A folder of a thousand entries, without images.
pub(crate) fn listing(setting: &Setting) -> Result<Vec<Row>, Error> {
    let ask = Ask {
        path: "/listed/",
        ..Ask::SMALL
    };
    let contenders = [Kind::Kamea, Kind::Nginx].map(|kind| (kind.name(), kind, ask.clone()));
    Ok(vec![Row {
        what: "a listing of 1,000 entries",
        unit: UNIT,
        figures: cpu_per_request(setting, &contenders, Reuse::KeepAlive)?,
        targets: vec![Target::MostOf(0.5, "nginx")],
    }])
}

/// A file with a gzip version beside it.
pub(crate) fn precompressed(setting: &Setting) -> Result<Vec<Row>, Error> {
    let coded = Ask {
        path: "/page.txt",
        field: Some("Accept-Encoding: gzip".to_owned()),
        ..Ask::SMALL
    };
    let contenders = [
        ("Kamea", Kind::Kamea, coded.clone()),
        ("plain", Kind::Kamea, Ask::SMALL),
        ("nginx", Kind::Nginx, coded),
    ];
    Ok(vec![Row {
        what: "1 KiB of a precompressed file",
        unit: UNIT,
        figures: cpu_per_request(setting, &contenders, Reuse::KeepAlive)?,
        targets: vec![Target::MostOf(1.03, "plain"), Target::MostOf(0.75, "nginx")],
    }])
}
