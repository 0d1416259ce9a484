//! Sessions of handlers, in the graph of a test.

use kamea::testing::block_on;
use kamea::{Graph, Scheduler};
use kamea_session::{
    MemoryOptions, Session, SessionOptions, Sessions, keep_in_memory, load_sessions, save_sessions,
};

use crate::{App, Call, Form, Problem};

async fn log_in(call: Call<(), Form<String>, Session>) -> Result<(), Problem> {
    Ok(call.with.log_in(&call.body.0).await?)
}

async fn who(call: Call<(), (), Session>) -> String {
    call.with.user().unwrap_or_else(|| "nobody".to_owned())
}

async fn log_out(call: Call<(), (), Session>) -> Result<(), Problem> {
    Ok(call.with.log_out().await?)
}

#[test]
fn a_handler_takes_the_session_of_its_request() {
    let mut graph = Graph::new("sessions");
    let store = keep_in_memory(MemoryOptions::default());
    let sessions = Sessions::add(&mut graph, store, SessionOptions::default());
    let scheduler = Scheduler::with_workers(1);
    scheduler.run(graph).unwrap();
    let app = App::new()
        .get("/", who)
        .post("/login", log_in)
        .post("/logout", log_out)
        .around("sessions", load_sessions(sessions), save_sessions());
    block_on(async {
        let (app, other) = (app.test(), app.test());
        assert_eq!(app.get("/").send().await.text(), "nobody");
        assert_eq!(
            app.post("/login")
                .form(&[("name", "ada")])
                .send()
                .await
                .status(),
            204
        );
        assert_eq!(app.get("/").send().await.text(), "ada");
        assert_eq!(other.get("/").send().await.text(), "nobody");
        assert_eq!(app.post("/logout").send().await.status(), 204);
        assert_eq!(app.get("/").send().await.text(), "nobody");
        // A page of another site does nothing in the name of a user.
        let foreign = app.post("/login").field("Origin", "https://evil.example");
        assert_eq!(foreign.form(&[("name", "eve")]).send().await.status(), 403);
        let without = App::new().get("/", who).test();
        assert_eq!(without.get("/").send().await.status(), 500);
    });
}
