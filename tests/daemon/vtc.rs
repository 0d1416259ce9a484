//! Scripts of `varnishtest`, the test program of the Varnish cache: each is a client and a server
//! that check what they receive, with the proxy between them.

use std::fs;
use std::path::Path;
use std::process::Command;

use kamea_components::net::testing::free_address;

use super::started::Started;

const PROXY: &str = env!("CARGO_BIN_EXE_start_proxy");

/// Runs a script. Its server listens on `${server}`, its client connects to `${proxy}`.
fn run(script: &Path) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let server = free_address().unwrap();
    let config = folder.path().join("proxy.conf");
    let text = format!("host \"default\" {{ proxy_pass http://{server}; }}\n");
    fs::write(&config, text).unwrap();
    let config = config.to_str().unwrap();
    let arguments = ["--errors", "standard", "--workers", "1", "--config", config];
    let proxy = Started::new(PROXY, &arguments);
    let output = Command::new("varnishtest")
        .current_dir(folder.path())
        .args(["-t", "60", "-D", &format!("server={server}")])
        .arg("-D")
        .arg(format!("proxy={}", proxy.address))
        .arg(script)
        .output()
        .expect("varnishtest is needed (`make test` installs it, with varnish)");
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "{}\n{}{}",
            script.display(),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

#[test]
fn each_script_succeeds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/daemon/vtc");
    let folder = folder.canonicalize().unwrap();
    let files = fs::read_dir(folder).unwrap();
    let scripts: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    assert!(scripts.len() >= 21, "{}", scripts.len());
    let failed: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = scripts
            .iter()
            .map(|script| scope.spawn(|| run(script)))
            .collect();
        let ended = running.into_iter().map(|one| one.join().unwrap());
        ended.filter_map(Result::err).collect()
    });
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
