//! The registry, question by question.

use serde_json::Value;

use super::*;

struct Table {
    registry: Registry,
    at: Moment,
    nonces: u64,
}

impl Table {
    fn new(limits: Limits) -> Self {
        let at = Moment {
            now: Instant::now(),
            date: SystemTime::now(),
        };
        Self {
            registry: Registry::new(limits, Vec::new(), at),
            at,
            nonces: 0,
        }
    }

    fn pass(&mut self, seconds: u64) {
        self.at.now += Duration::from_secs(seconds);
        self.at.date += Duration::from_secs(seconds);
    }

    fn ask(&mut self, question: Question) -> Answer {
        self.registry.answer(question, self.at)
    }

    fn log_in(&mut self, name: &str, key: u8, network: u8) -> Result<(), Refusal> {
        self.nonces += 1;
        let question = Question::LogIn {
            name: name.parse().unwrap(),
            key: PeerKey([key; 32]),
            network: IpAddr::from([192, 0, 2, network]),
            nonce: self.nonces.to_string(),
            expires: self.at.now + Duration::from_secs(30),
        };
        self.ask(question).map(drop)
    }

    fn submit(&mut self, name: &str, ports: &[u16]) -> Result<(), Refusal> {
        let addresses = ports
            .iter()
            .map(|port| SocketAddr::from(([192, 0, 2, 1], *port)));
        let question = Question::Submit {
            name: name.parse().unwrap(),
            addresses: addresses.collect(),
            links: Vec::new(),
        };
        self.ask(question).map(drop)
    }

    fn list(&mut self, name: &str, channel: Option<&str>, remove: bool) -> Result<Lists, Refusal> {
        let channel = channel.map(|channel| channel.to_owned().try_into().unwrap());
        let change = ListChange { channel, remove };
        match self.ask(Question::List(name.parse().unwrap(), change))? {
            Told::Lists(lists) => Ok(lists),
            other => panic!("{other:?}"),
        }
    }

    fn shown(&mut self, channel: Option<&str>) -> Value {
        let channel = channel.map(|channel| channel.to_owned().try_into().unwrap());
        match self.ask(Question::Peers { channel }) {
            Ok(Told::Peers(json)) => serde_json::from_slice(&json).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// The names of the peers that are listed.
    fn names(&mut self, channel: Option<&str>) -> Vec<String> {
        let shown = self.shown(channel);
        let peers = shown["peers"].as_array().unwrap();
        peers
            .iter()
            .map(|peer| peer["name"].as_str().unwrap().to_owned())
            .collect()
    }

    /// A peer that is present and on the public list.
    fn join(&mut self, name: &str, key: u8) {
        self.log_in(name, key, key).unwrap();
        self.submit(name, &[9101]).unwrap();
        self.list(name, None, false).unwrap();
    }
}

#[test]
fn a_name_belongs_to_the_first_key_until_it_is_unused_for_long() {
    let mut table = Table::new(Limits::default());
    table.log_in("ada", 1, 1).unwrap();
    assert_eq!(
        table.log_in("ada", 2, 1),
        Err(Refusal::NameTaken("ada".parse().unwrap()))
    );
    table.log_in("ada", 1, 9).unwrap();
    table.pass(29 * 24 * 3600);
    assert!(table.log_in("ada", 2, 2).is_err());
    // A heartbeat keeps the name.
    table.submit("ada", &[1]).unwrap();
    table.pass(29 * 24 * 3600);
    assert!(table.log_in("ada", 2, 2).is_err());
    table.pass(2 * 24 * 3600);
    table.log_in("ada", 2, 2).unwrap();
    assert!(table.log_in("ada", 1, 1).is_err());
}

#[test]
fn a_peer_is_present_for_one_lease_after_each_heartbeat() {
    let mut table = Table::new(Limits::default());
    table.join("ada", 1);
    table.join("bob", 2);
    for _ in 0..5 {
        table.pass(29);
        table.submit("ada", &[9101]).unwrap();
    }
    assert_eq!(table.names(None), ["ada"]);
    table.pass(29);
    assert_eq!(table.shown(None)["peers"][0]["seen_ms"], 29_000);
    table.pass(1);
    assert!(table.names(None).is_empty());
    let reach = table.ask(Question::Reach("ada".parse().unwrap()));
    assert_eq!(reach, Err(Refusal::Away("ada".parse().unwrap())));
    // It is on the list as soon as it is back, and gone as soon as it says so.
    table.submit("ada", &[9102]).unwrap();
    assert_eq!(table.names(None), ["ada"]);
    table.submit("ada", &[]).unwrap();
    assert!(table.names(None).is_empty());
    assert!(matches!(
        table.ask(Question::Reach("eve".parse().unwrap())),
        Err(Refusal::Unknown(_))
    ));
}

#[test]
fn an_address_claims_so_many_names_and_all_addresses_so_many() {
    let limits = Limits {
        names_by_network: 2,
        names: 3,
        ..Limits::default()
    };
    let mut table = Table::new(limits);
    table.log_in("a", 1, 1).unwrap();
    table.log_in("b", 2, 1).unwrap();
    assert_eq!(table.log_in("c", 3, 1), Err(Refusal::TooManyNames(2)));
    // Those that it has are not counted again.
    table.log_in("a", 1, 1).unwrap();
    table.log_in("c", 3, 2).unwrap();
    assert_eq!(table.log_in("d", 4, 3), Err(Refusal::Full));
    table.pass(31 * 24 * 3600);
    table.log_in("d", 4, 1).unwrap();
    table.log_in("e", 4, 1).unwrap();
}

#[test]
fn a_nonce_is_used_once() {
    let mut table = Table::new(Limits::default());
    let expires = table.at.now + Duration::from_secs(30);
    let question = |table: &mut Table, nonce: &str| {
        table.ask(Question::LogIn {
            name: "ada".parse().unwrap(),
            key: PeerKey([1; 32]),
            network: IpAddr::from([192, 0, 2, 1]),
            nonce: nonce.to_owned(),
            expires,
        })
    };
    assert!(question(&mut table, "a").is_ok());
    assert_eq!(question(&mut table, "a"), Err(Refusal::NonceUsed));
    assert!(question(&mut table, "b").is_ok());
    for i in 2..MOST_NONCES {
        assert!(question(&mut table, &format!("x{i}")).is_ok(), "{i}");
    }
    assert_eq!(question(&mut table, "c"), Err(Refusal::Full));
    table.pass(31);
    table.log_in("ada", 1, 1).unwrap();
    assert_eq!(table.registry.nonces.len(), 1);
}

#[test]
fn a_peer_is_on_the_lists_that_it_has_joined_while_it_is_present() {
    let mut table = Table::new(Limits {
        channels: 2,
        ..Limits::default()
    });
    table.join("ada", 1);
    table.log_in("bob", 2, 2).unwrap();
    assert_eq!(
        table
            .list("bob", Some("general"), false)
            .unwrap()
            .channels
            .len(),
        1
    );
    let channels = |table: &mut Table| table.shown(None)["channels"].to_string();
    assert_eq!(channels(&mut table), "[]");
    table.submit("bob", &[1]).unwrap();
    table.list("ada", Some("general"), false).unwrap();
    table.list("ada", Some("general"), false).unwrap();
    assert_eq!(channels(&mut table), r#"[{"name":"general","peers":2}]"#);
    assert_eq!(table.names(Some("general")), ["ada", "bob"]);
    // The public list is one of its own.
    assert_eq!(table.names(None), ["ada"]);
    assert!(table.names(Some("other")).is_empty());
    table.list("ada", Some("other"), false).unwrap();
    assert_eq!(
        table.list("ada", Some("third"), false),
        Err(Refusal::TooManyChannels(2))
    );
    let lists = table.list("ada", Some("other"), true).unwrap();
    assert!(lists.listed && lists.channels.len() == 1);
    assert!(!table.list("ada", None, true).unwrap().listed);
    assert!(table.names(None).is_empty());
    table.pass(31);
    assert_eq!(channels(&mut table), "[]");
    table.submit("bob", &[1]).unwrap();
    assert_eq!(channels(&mut table), r#"[{"name":"general","peers":1}]"#);
}

#[test]
fn who_was_present_at_the_end_has_a_lease_at_the_next_start() {
    let mut table = Table::new(Limits::default());
    table.join("ada", 1);
    table.join("bob", 2);
    table.list("ada", Some("general"), false).unwrap();
    table.submit("bob", &[]).unwrap();
    let mut stored = BTreeMap::new();
    for change in table.registry.take_changes() {
        match change {
            Change::Save(peer) => stored.insert(peer.name.clone(), peer),
            Change::Forget(name) => stored.remove(&name),
        };
    }
    // Two days later.
    table.pass(2 * 24 * 3600);
    let stored = stored.into_values().collect();
    table.registry = Registry::new(Limits::default(), stored, table.at);
    assert_eq!(table.names(None), ["ada"]);
    assert_eq!(table.names(Some("general")), ["ada"]);
    assert!(table.log_in("bob", 9, 9).is_err());
    table.pass(31);
    assert!(table.names(None).is_empty());
}

/// A heartbeat that says nothing new is no work for the disk.
#[test]
fn heartbeats_are_stored_once_an_hour() {
    let mut table = Table::new(Limits::default());
    table.join("ada", 1);
    table.registry.take_changes();
    for _ in 0..720 {
        table.pass(10);
        table.submit("ada", &[9101]).unwrap();
    }
    assert_eq!(table.registry.take_changes().len(), 1);
}

/// Counts what a heartbeat of 1,000 peers costs, with a bound that a slow machine keeps too.
#[test]
fn a_thousand_peers_are_listed_and_kept_in_little_time() {
    let limits = Limits {
        names_by_network: 1000,
        ..Limits::default()
    };
    let mut table = Table::new(limits);
    for i in 0..1000_u16 {
        let name = format!("peer-{i}");
        table.log_in(&name, 1, 1).unwrap();
        table.submit(&name, &[i + 1]).unwrap();
        table.list(&name, None, false).unwrap();
    }
    let began = Instant::now();
    for i in 0..1000_u16 {
        table.submit(&format!("peer-{i}"), &[i + 1]).unwrap();
    }
    assert_eq!(table.names(None).len(), 1000);
    // An unoptimised build takes 10 ms for both.
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(table.registry.leases.len(), 1000);
}
