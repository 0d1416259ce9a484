//! Text values as types.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

fn read<T: DeserializeOwned>(query: &str) -> Result<T, (Option<String>, String)> {
    let pairs = form_urlencoded::parse(query.as_bytes()).collect();
    let read = Values::new(pairs).read();
    read.map_err(|ValueError { field, detail }| (field, detail))
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    Up,
    Down,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Id(u8);

#[derive(Debug, PartialEq, Deserialize)]
struct All {
    id: Id,
    name: String,
    order: Option<Order>,
    #[serde(default)]
    tags: Vec<u16>,
    #[serde(default)]
    wide: bool,
    ratio: Option<f32>,
}

#[test]
fn a_struct_is_read_by_its_names() {
    let all: All =
        read("id=7&tags=1&name=a+b%26c&tags=2&order=down&wide=on&ratio=0.5&more=x").unwrap();
    let expected = All {
        id: Id(7),
        name: "a b&c".to_owned(),
        order: Some(Order::Down),
        tags: vec![1, 2],
        wide: true,
        ratio: Some(0.5),
    };
    assert_eq!(all, expected);
    let least: All = read("id=0&name=&order=&ratio=").unwrap();
    assert_eq!((least.order, least.ratio, least.tags), (None, None, vec![]));
}

#[test]
fn an_error_names_its_value() {
    for (query, field, detail) in [
        ("name=a", "id", "it is missing"),
        (
            "id=256&name=a",
            "id",
            "\"256\" is not a whole number from 0 to 255",
        ),
        (
            "id=&name=a",
            "id",
            "\"\" is not a whole number from 0 to 255",
        ),
        ("id=1&id=2&name=a", "id", "it is given more than once"),
        (
            "id=1&name=a&order=left",
            "order",
            "\"left\" is none of up, down",
        ),
        (
            "id=1&name=a&tags=1&tags=x",
            "tags",
            "\"x\" is not a whole number from 0 to 65535",
        ),
        (
            "id=1&name=a&wide=maybe",
            "wide",
            "\"maybe\" is neither true nor false",
        ),
        ("id=1&name=a&ratio=x", "ratio", "\"x\" is not a number"),
        (
            "id=1&name=a&ratio=inf",
            "ratio",
            "it is not a finite number",
        ),
    ] {
        let expected = (Some(field.to_owned()), detail.to_owned());
        assert_eq!(read::<All>(query).unwrap_err(), expected, "{query}");
    }
    let long = format!("id={}&name=a", "9".repeat(1000));
    assert!(read::<All>(&long).unwrap_err().1.len() < 120);
}

#[test]
fn plain_values_tuples_and_maps_are_read_too() {
    assert_eq!(read::<u64>("id=12").unwrap(), 12);
    assert_eq!(read::<String>("name=b&a=c").unwrap(), "b");
    assert_eq!(
        read::<(u8, String)>("a=1&b=x").unwrap(),
        (1, "x".to_owned())
    );
    assert_eq!(read::<Order>("a=up").unwrap(), Order::Up);
    assert_eq!(read::<()>("a=1").unwrap(), ());
    let map: BTreeMap<String, String> = read("b=2&a=1").unwrap();
    assert_eq!(
        map.into_iter().collect::<Vec<_>>(),
        [
            ("a".to_owned(), "1".to_owned()),
            ("b".to_owned(), "2".to_owned()),
        ]
    );
    assert!(read::<u64>("").unwrap_err().0.is_none());
    assert_eq!(read::<u8>("id=x").unwrap_err().0.as_deref(), Some("id"));
}
