//! A census as text.

use super::*;

/// A hand-made census: two instances of a graph whose first component is blocked by its last.
pub(in crate::census) fn sample() -> Census {
    let component = |name: &str, state: State| ComponentCensus {
        name: name.into(),
        kind: "a::b",
        file: "c.rs",
        line: 7,
        own_thread: false,
        is_fused: false,
        states: vec![StateCount {
            state,
            count: 2,
            longest: Duration::ZERO,
        }],
        polls: 8,
        busy: Duration::from_millis(500),
        faults: 1,
        restarts: 0,
    };
    let link = |from: &str, to: Option<&str>| LinkCensus {
        from: vec![FeedCensus {
            component: Some(from.into()),
            outbox: "out".to_owned(),
            feedback: false,
            messages: 10,
        }],
        to: to.map(Arc::from),
        inbox: to.map(|_| "in"),
        outside: None,
        message: "alloc::string::String",
        across: false,
        is_fused: false,
        capacity: 16,
        messages: 10,
        bytes: to.is_none().then_some(99),
        queued: 4,
        fullest: 3,
        high_water: 5,
    };
    let blocked = State::WaitingForSpace {
        outbox: "out".to_owned(),
        blocked_by: Some("take".into()),
        culprit: Some("\"last\"".into()),
    };
    let waiting = State::WaitingForMessage {
        inboxes: vec!["in".to_owned()],
    };
    Census {
        uptime: Duration::from_millis(1500),
        workers: vec![
            WorkerCensus {
                index: 0,
                answers: true,
                at: None,
                running: 2,
                turns: 9,
            },
            WorkerCensus {
                index: 1,
                answers: false,
                at: Some(Place {
                    graph: "g".into(),
                    component: "c".into(),
                }),
                running: 0,
                turns: 0,
            },
        ],
        graphs: vec![GraphCensus {
            name: "a \"graph\"\nof \\ <two> lines".into(),
            shape: "0".repeat(16),
            started_by: None,
            workers: vec![0],
            running: 2,
            started: 2,
            failed: 0,
            oldest: Duration::from_secs(1),
            components: vec![
                component("make", blocked),
                component("take", waiting),
                component("\"last\"", State::WaitingForWorld),
            ],
            links: vec![
                link("make", Some("take")),
                link("take", Some("\"last\"")),
                link("\"last\"", None),
            ],
            rings: Vec::new(),
            worst: Vec::new(),
        }],
        faults: vec![FaultCensus {
            at: Duration::from_millis(250),
            place: Place {
                graph: "g".into(),
                component: "c".into(),
            },
            policy: "stop",
            text: "failed: \"x\"".to_owned(),
        }],
    }
}

#[test]
fn json_says_what_the_values_say() {
    let json: serde_json::Value = serde_json::from_str(&sample().to_json()).unwrap();
    let expected = serde_json::json!({
        "uptime_seconds": 1.5,
        "workers": [
            {"index": 0, "answers": true, "at": null, "running": 2, "turns": 9},
            {"index": 1, "answers": false, "at": {"graph": "g", "component": "c"}, "running": 0, "turns": 0},
        ],
        "faults": [
            {"at_seconds": 0.25, "graph": "g", "component": "c", "policy": "stop", "text": "failed: \"x\""},
        ],
    });
    for key in ["uptime_seconds", "workers", "faults"] {
        assert_eq!(json[key], expected[key]);
    }
    let graph = &json["graphs"][0];
    assert_eq!(graph["name"], "a \"graph\"\nof \\ <two> lines");
    assert_eq!(graph["oldest_seconds"], 1.0);
    assert_eq!(
        graph["components"][0],
        serde_json::json!({
            "name": "make", "kind": "a::b", "file": "c.rs", "line": 7, "own_thread": false, "is_fused": false,
            "states": [{
                "state": "waiting_for_space", "outbox": "out", "blocked_by": "take", "culprit": "\"last\"",
                "count": 2, "longest_seconds": 0.0,
            }],
            "polls": 8, "busy_seconds": 0.5, "faults": 1, "restarts": 0,
        })
    );
    assert_eq!(
        graph["links"][2],
        serde_json::json!({
            "from": [{"component": "\"last\"", "outbox": "out", "feedback": false, "messages": 10}],
            "to": null, "inbox": null, "outside": null,
            "message": "alloc::string::String", "across": false, "is_fused": false,
            "capacity": 16, "messages": 10, "bytes": 99, "queued": 4, "fullest": 3, "high_water": 5,
        })
    );
}
