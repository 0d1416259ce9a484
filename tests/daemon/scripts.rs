//! PHP behind the proxy: `php-cgi` as a FastCGI backend, and a small application.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::started::Started;

const PROXY: &str = env!("CARGO_BIN_EXE_start_proxy");

/// How long PHP may take to start on a busy machine.
const AGES: Duration = Duration::from_secs(60);

/// What the application does: it counts in a session, takes a form and a file, redirects, warns.
const APPLICATION: &str = r#"<?php
switch ($_SERVER['PATH_INFO'] ?? '') {
    case '/count':
        session_start();
        $_SESSION['count'] = ($_SESSION['count'] ?? 0) + 1;
        echo "count {$_SESSION['count']}\n";
        break;
    case '/form':
        echo 'form ', json_encode($_POST), "\n";
        break;
    case '/file':
        echo 'file ', $_FILES['file']['size'], ' ', md5_file($_FILES['file']['tmp_name']), "\n";
        break;
    case '/leave':
        header('Location: /arrived?x');
        break;
    case '/large':
        for ($line = 0; $line < 4000; $line++) echo str_repeat('x', 1023), "\n";
        break;
    case '/fail':
        http_response_code(503);
        header('X-Own: yes');
        error_log('a message for the log');
        echo "sorry\n";
        break;
    default:
        echo "{$_SERVER['SCRIPT_NAME']} {$_SERVER['REQUEST_URI']} {$_SERVER['REMOTE_ADDR']}\n";
}
"#;

/// PHP, until the end of a test.
struct Php(Child);

impl Php {
    fn start(folder: &Path) -> Self {
        let socket = folder.join("php.sock");
        let child = Command::new("php-cgi")
            .arg("-b")
            .arg(&socket)
            .arg("-d")
            .arg(format!("session.save_path={}", folder.display()))
            .env("PHP_FCGI_CHILDREN", "2")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("php-cgi is installed");
        let began = Instant::now();
        while UnixStream::connect(&socket).is_err() {
            assert!(began.elapsed() < AGES, "php-cgi does not listen");
            sleep(Duration::from_millis(20));
        }
        Self(child)
    }
}

impl Drop for Php {
    fn drop(&mut self) {
        // The children of php-cgi end with it, if it is asked to end.
        let pid = self.0.id().to_string();
        let _ = Command::new("kill").arg(pid).status();
        let _ = self.0.wait();
    }
}

/// The application below `/app`, and its proxy.
fn start(folder: &Path) -> (Php, Started) {
    let site = folder.join("site");
    fs::create_dir(&site).unwrap();
    fs::write(site.join("index.php"), APPLICATION).unwrap();
    fs::write(
        site.join("other.php"),
        "<?php echo \"the other script\\n\";",
    )
    .unwrap();
    fs::write(site.join("picture.jpg"), "<?php echo \"never run\\n\";").unwrap();
    let config = folder.join("proxy.conf");
    let (socket, site) = (folder.join("php.sock"), site.display());
    let text = format!(
        "host default {{ location /app {{\n proxy_pass fastcgi://unix:{};\n root {site};\n \
         strip_prefix on;\n }} }}\n",
        socket.display()
    );
    fs::write(&config, text).unwrap();
    let php = Php::start(folder);
    (
        php,
        Started::new(PROXY, &["--config", config.to_str().unwrap()]),
    )
}

#[test]
fn a_php_application_runs_behind_the_proxy() {
    let folder = tempfile::tempdir().unwrap();
    let (_php, proxy) = start(folder.path());
    let curl = |path: &str, arguments: &[&str]| proxy.curl(path, arguments);
    assert_eq!(
        curl("/app/any?q", &[]),
        "/app/index.php /app/any?q 127.0.0.1\n"
    );
    assert_eq!(curl("/app/other.php", &[]), "the other script\n");
    // PHP itself would run the picture.
    assert!(curl("/app/picture.jpg/x.php", &[]).starts_with("/app/index.php "));
    let jar = folder.path().join("cookies");
    let jar = jar.to_str().unwrap();
    for count in 1..4 {
        let answer = curl("/app/count", &["-b", jar, "-c", jar]);
        assert_eq!(answer, format!("count {count}\n"));
    }
    // A cookie of the application is one of its prefix.
    assert!(fs::read_to_string(jar).unwrap().contains("\t/app\t"));
    let form = ["-d", "a=1&b=%C3%A9"];
    let expected = "form {\"a\":\"1\",\"b\":\"\\u00e9\"}\n";
    assert_eq!(curl("/app/form", &form), expected);
    let chunked = ["-d", "a=1&b=%C3%A9", "-H", "Transfer-Encoding: chunked"];
    assert_eq!(curl("/app/form", &chunked), expected);
    let sent = folder.path().join("sent");
    fs::write(&sent, vec![b'x'; 1_900_000]).unwrap();
    let part = format!("file=@{}", sent.display());
    let answer = curl("/app/file", &["-F", &part]);
    assert_eq!(answer, "file 1900000 b9106e809b292e2f6cd5ac5018d98403\n");
    assert_eq!(curl("/app/large", &[]).len(), 4_096_000);
    let left = curl(
        "/app/leave",
        &["-o", "/dev/null", "-w", "%{http_code} %{redirect_url}"],
    );
    assert!(
        left.starts_with("302 http://") && left.ends_with("/app/arrived?x"),
        "{left}"
    );
    let failed = curl("/app/fail", &["-i"]);
    assert!(failed.starts_with("HTTP/1.1 503 "), "{failed}");
    assert!(
        failed.contains("X-Own: yes\r\n") && failed.ends_with("sorry\n"),
        "{failed}"
    );
}

#[test]
fn without_php_the_backend_is_not_reached() {
    let folder = tempfile::tempdir().unwrap();
    let (php, proxy) = start(folder.path());
    drop(php);
    let status = ["-o", "/dev/null", "-w", "%{http_code}"];
    assert_eq!(proxy.curl("/app", &status), "404");
}
