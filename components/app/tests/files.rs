//! Folders of files beside routes.

use kamea::testing::block_on;

use crate::App;

#[test]
fn a_folder_is_served_and_nothing_outside_of_it() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("static");
    std::fs::create_dir_all(folder.join("sub")).unwrap();
    for (name, text) in [
        ("a.css", "css"),
        ("index.html", "index"),
        ("sub/index.html", "sub"),
        (".env", "secret"),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    std::fs::write(outer.path().join("secret"), "secret").unwrap();
    std::os::unix::fs::symlink("../secret", folder.join("link")).unwrap();
    block_on(async {
        let app = App::new()
            .folder("/static", &folder)
            .get("/static/made.css", async || "made")
            .test();
        for (path, status, text) in [
            ("/static/a.css", 200, "css"),
            ("/static/made.css", 200, "made"),
            ("/static/sub/", 200, "sub"),
            ("/static/sub/index.html", 200, "sub"),
            ("/static", 308, ""),
            ("/static/sub", 308, ""),
        ] {
            let answer = app.get(path).send().await;
            assert_eq!(
                (answer.status().as_u16(), answer.text()),
                (status, text.to_owned()),
                "{path}"
            );
        }
        for path in [
            "/static/.env",
            "/static/link",
            "/static/b",
            "/static/..%2Fsecret",
            "/static/%2Fetc%2Fpasswd",
            "/static/a.css/",
        ] {
            let answer = app.get(path).send().await;
            assert!(
                matches!(answer.status().as_u16(), 400 | 404),
                "{path}: {}",
                answer.status()
            );
        }
        assert_eq!(
            app.get("/static/sub").send().await.field("location"),
            Some("/static/sub/")
        );
        assert_eq!(app.post("/static/a.css").send().await.status(), 405);
        assert_eq!(app.head("/static/a.css").send().await.text(), "");
    });
    let error = App::new()
        .folder("/x", outer.path().join("nothing"))
        .check()
        .unwrap_err();
    assert!(
        error.to_string().starts_with("cannot serve the folder "),
        "{error}"
    );
}
