//! The contract of a store of sessions, as a test for stores of your own.

use kamea::Asker;

use crate::{Answer, Command, Loaded, Outcome, SessionId, SessionKey};

/// Holds a store to its contract: what it has set is there, what has ended stays ended, and no
/// change touches another session. For tests.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Scheduler};
/// use kamea_session::{MemoryOptions, keep_in_memory, testing};
///
/// let mut graph = Graph::new("sessions");
/// let store = graph.ask("store", keep_in_memory(MemoryOptions::default()));
/// let scheduler = Scheduler::with_workers(1);
/// scheduler.run(graph)?;
/// kamea::testing::block_on(testing::hold_to_the_contract(&store));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
///
/// If the store breaks the contract.
pub async fn hold_to_the_contract(store: &Asker<Command, Outcome>) {
    let store = Checked(store);
    values_are_set_by_name(&store).await;
    a_value_is_replaced_only_if_it_is_the_known_one(&store).await;
    what_has_ended_stays_ended(&store).await;
    a_new_name_replaces_the_old_one(&store).await;
    a_user_logs_out_everywhere(&store).await;
}

struct Checked<'a>(&'a Asker<Command, Outcome>);

impl Checked<'_> {
    async fn ask(&self, command: Command) -> Answer {
        let outcome = self.0.ask(command.clone()).await;
        let outcome = outcome.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let answered = outcome.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        answered.answer
    }

    async fn create(&self) -> (SessionKey, SessionId) {
        match self.ask(Command::Create).await {
            Answer::Named { key, id } => (key, id),
            other => panic!("a new session: {other:?}"),
        }
    }

    async fn rotate(&self, key: &SessionKey, user: Option<&str>) -> SessionId {
        let (same, user) = (key.clone(), user.map(str::to_owned));
        match self.ask(Command::Rotate { key: same, user }).await {
            Answer::Named { key: other, id } if other == *key => id,
            other => panic!("a new name: {other:?}"),
        }
    }

    async fn load(&self, id: &SessionId) -> Option<Loaded> {
        let (id, cookies) = (id.clone(), Vec::new());
        match self.ask(Command::Load { id, cookies }).await {
            Answer::Loaded(loaded) => loaded.map(|loaded| *loaded),
            Answer::Retired => None,
            other => panic!("a session, or none: {other:?}"),
        }
    }

    async fn set(&self, key: &SessionKey, name: &str, value: &str) -> Answer {
        let (key, name, value) = (key.clone(), name.to_owned(), value.to_owned());
        self.ask(Command::Set { key, name, value }).await
    }

    async fn replace(&self, key: &SessionKey, old: Option<&str>, new: &str) -> Answer {
        let (key, name) = (key.clone(), "n".to_owned());
        let (old, new) = (old.map(str::to_owned), new.to_owned());
        let command = Command::Replace {
            key,
            name,
            old,
            new,
        };
        self.ask(command).await
    }

    async fn remove(&self, key: &SessionKey, name: &str) -> Answer {
        let (key, name) = (key.clone(), name.to_owned());
        self.ask(Command::Remove { key, name }).await
    }
}

async fn values_are_set_by_name(store: &Checked<'_>) {
    let (key, id) = store.create().await;
    let (other, other_id) = store.create().await;
    assert_ne!(key, other);
    let loaded = store.load(&id).await.expect("it was created");
    assert_eq!((&loaded.key, loaded.values.len()), (&key, 0));
    assert_eq!(loaded.user, None);
    // Names and values of any characters.
    let strange = "\"ä\0\r\n'; DROP TABLE value; -- {} $1 %s";
    for (name, value) in [("a", "1"), ("b", strange), (strange, "3"), ("a", "4")] {
        assert_eq!(store.set(&key, name, value).await, Answer::Applied);
    }
    let loaded = store.load(&id).await.expect("it exists");
    let pairs = loaded
        .values
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let pairs: Vec<_> = pairs.collect();
    assert_eq!(pairs, [(strange, "3"), ("a", "4"), ("b", strange)]);
    assert_eq!(store.remove(&key, "a").await, Answer::Applied);
    assert_eq!(store.remove(&key, "a").await, Answer::Differs(None));
    let loaded = store.load(&id).await.expect("it exists");
    assert_eq!(loaded.values.len(), 2);
    let untouched = store.load(&other_id).await.expect("it exists");
    assert!(untouched.values.is_empty());
    assert_eq!(store.load(&SessionId::random()).await, None);
}

async fn a_value_is_replaced_only_if_it_is_the_known_one(store: &Checked<'_>) {
    let (key, _) = store.create().await;
    assert_eq!(
        store.replace(&key, Some("1"), "2").await,
        Answer::Differs(None)
    );
    assert_eq!(store.replace(&key, None, "1").await, Answer::Applied);
    let differs = Answer::Differs(Some("1".to_owned()));
    assert_eq!(store.replace(&key, None, "2").await, differs);
    assert_eq!(store.replace(&key, Some("3"), "2").await, differs);
    assert_eq!(store.replace(&key, Some("1"), "2").await, Answer::Applied);
}

async fn what_has_ended_stays_ended(store: &Checked<'_>) {
    let (key, id) = store.create().await;
    assert_eq!(store.set(&key, "a", "1").await, Answer::Applied);
    for _ in 0..2 {
        let end = Command::End { key: key.clone() };
        assert_eq!(store.ask(end).await, Answer::Ended);
        assert_eq!(store.load(&id).await, None);
        assert_eq!(store.set(&key, "a", "2").await, Answer::Ended);
        assert_eq!(store.replace(&key, None, "2").await, Answer::Ended);
        assert_eq!(store.remove(&key, "a").await, Answer::Ended);
        let (key, user) = (key.clone(), Some("ada".to_owned()));
        let rotated = store.ask(Command::Rotate { key, user }).await;
        assert_eq!(rotated, Answer::Ended);
        assert_eq!(store.load(&id).await, None);
    }
}

async fn a_new_name_replaces_the_old_one(store: &Checked<'_>) {
    let (key, old) = store.create().await;
    assert_eq!(store.set(&key, "a", "1").await, Answer::Applied);
    let new = store.rotate(&key, Some("ada")).await;
    assert_eq!(store.load(&old).await, None, "whoever knew it");
    // A request that began before still reaches its session.
    assert_eq!(store.set(&key, "b", "2").await, Answer::Applied);
    let loaded = store.load(&new).await.expect("it has this name");
    assert_eq!(
        (loaded.values.len(), loaded.user.as_deref()),
        (2, Some("ada"))
    );
    let newer = store.rotate(&key, None).await;
    let loaded = store.load(&newer).await.expect("it has this name");
    assert_eq!(loaded.user.as_deref(), Some("ada"), "the user stays");
    let end = Command::End { key };
    assert_eq!(store.ask(end).await, Answer::Ended);
    for id in [old, new, newer] {
        assert_eq!(store.load(&id).await, None);
    }
}

async fn a_user_logs_out_everywhere(store: &Checked<'_>) {
    // Other tests may use the same database.
    let (ada, eve) = (SessionKey::random(), SessionKey::random());
    let mut ids = Vec::new();
    for user in [&ada, &eve, &ada] {
        let (key, _) = store.create().await;
        ids.push((key.clone(), store.rotate(&key, Some(user.as_str())).await));
    }
    let user = ada.as_str().to_owned();
    assert_eq!(store.ask(Command::EndAll { user }).await, Answer::Ended);
    for ((key, id), is_there) in ids.iter().zip([false, true, false]) {
        assert_eq!(store.load(id).await.is_some(), is_there);
        let expected = match is_there {
            true => Answer::Applied,
            false => Answer::Ended,
        };
        assert_eq!(store.set(key, "a", "1").await, expected);
    }
}
