//! Whole peers over a simulated network, under many seeds: connections are slow, partial and lost,
//! peers are cut off and come back, programs are killed and start again. In the end all have the
//! same history.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kamea::time::sleep;
use kamea::{Graph, Sender, Simulation, Sink, link, random};
use kamea_components::simulated::{Conditions, Network};
use serde_json::Value;

use crate::{Command, Contact, Identity, Input, Log, PeerOptions, chat_peer, simulated_random};

fn two_peers(simulation: Simulation) -> Result<(), Box<dyn Error>> {
    let network = Network::new(Conditions::drawn);
    let mut graph = Graph::new("peers");
    let mut inputs = Vec::new();
    for number in 1..=2u8 {
        let identity = Identity::from_secret([number; 32]);
        let log = Log::in_memory(identity.key())?;
        let address: SocketAddr = format!("192.0.2.{number}:9000").parse()?;
        let options = PeerOptions {
            identity,
            name: format!("peer{number}").parse()?,
            entropy: simulated_random,
        };
        let net = network.clone();
        let connect = async move |address| net.dial(address).await;
        let (peer, input) = chat_peer(options, log, network.accept(address), connect)?;
        let peer = graph.add(&format!("peer{number}"), peer);
        let sink = graph.add(&format!("sink{number}"), async |io: &mut Sink<Value>| {
            while io.inbox.next().await.is_some() {}
            Ok(())
        });
        graph.link(peer.outbox, sink.inbox);
        inputs.push(input);
    }
    drop(network);
    let simulation = simulation.beside("script", async move || {
        let contact = Contact {
            key: Identity::from_secret([2; 32]).key(),
            name: "peer2".parse().unwrap(),
            addresses: vec!["192.0.2.2:9000".parse().unwrap()],
        };
        inputs[0]
            .send(Input::Contacts(vec![contact]))
            .await
            .unwrap();
        sleep(Duration::from_secs(30)).await;
        let created = ask(&inputs[0], command(r#"{"do":"direct","peer":"peer2"}"#)).await;
        let channel = created["channel"].as_str().unwrap().to_owned();
        for number in 0..10 {
            let text = format!(r#"{{"do":"send","channel":"{channel}","text":"hello {number}"}}"#);
            ask(&inputs[0], command(&text)).await;
        }
        sleep(Duration::from_secs(600)).await;
        let text = format!(r#"{{"do":"history","channel":"{channel}"}}"#);
        let one = ask(&inputs[0], command(&text)).await;
        let two = ask(&inputs[1], command(&text)).await;
        assert_eq!(one["messages"].as_array().unwrap().len(), 10, "{one}");
        for (one, two) in one["messages"]
            .as_array()
            .unwrap()
            .iter()
            .zip(two["messages"].as_array().unwrap())
        {
            assert_eq!(one["id"], two["id"]);
            assert_eq!(one["state"], "delivered");
        }
        assert_eq!(two["messages"].as_array().unwrap().len(), 10, "{two}");
    });
    let report = simulation.stop_after(Duration::from_secs(900)).run(graph)?;
    assert!(report.faults().is_empty(), "{:?}", report.faults());
    Ok(())
}

fn command(text: &str) -> Command {
    serde_json::from_str(text).unwrap()
}

async fn ask(node: &Sender<Input>, command: Command) -> Value {
    crate::ask_node(node, command).await.unwrap()
}

#[test]
fn two_peers_meet() {
    Simulation::seeds(0..20).check(two_peers);
}
