//! Named text values as a typed struct: captures, parameters of a query, fields of a form.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use serde::de::value::{SeqDeserializer, StringDeserializer};
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

/// A name and a value.
pub(crate) type Pair<'v> = (Cow<'v, str>, Cow<'v, str>);

/// Named values, in their order. A name may be repeated.
#[derive(Debug)]
pub(crate) struct Values<'v>(Vec<Pair<'v>>);

/// Why values do not fit a type.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ValueError {
    /// The name of the value, if it is about one.
    pub(crate) field: Option<String>,
    /// What is wrong with it.
    pub(crate) detail: String,
}

impl<'v> Values<'v> {
    pub(crate) fn new(pairs: Vec<Pair<'v>>) -> Self {
        Self(pairs)
    }

    /// Reads the values as a type: a struct or a map by their names, a tuple in their order, and a
    /// plain value as the first of them.
    pub(crate) fn read<T: DeserializeOwned>(self) -> Result<T, ValueError> {
        T::deserialize(self)
    }

    /// The values by name, in the order in which each name comes first.
    fn groups(self) -> Vec<(String, Group)> {
        let mut groups: Vec<(String, Group)> = Vec::new();
        let mut places = HashMap::new();
        for (name, value) in self.0 {
            let next = groups.len();
            let place = *places.entry(name.clone()).or_insert(next);
            match groups.get_mut(place) {
                Some((_, group)) => group.0.push(value.into_owned()),
                None => groups.push((name.into_owned(), Group(vec![value.into_owned()]))),
            }
        }
        groups
    }

    fn first<'de, V: Visitor<'de>>(
        self,
        read: impl FnOnce(Group) -> Result<V::Value, ValueError>,
    ) -> Result<V::Value, ValueError> {
        let first = self.0.into_iter().next();
        let (name, value) = first.ok_or_else(|| de::Error::custom("there is no value"))?;
        let read = read(Group(vec![value.into_owned()]));
        read.map_err(|error| error.of(&name))
    }
}

impl ValueError {
    /// The same error, of this value.
    fn of(self, name: &str) -> Self {
        Self {
            field: self.field.or_else(|| Some(name.to_owned())),
            ..self
        }
    }
}

impl de::Error for ValueError {
    fn custom<T: fmt::Display>(detail: T) -> Self {
        Self {
            field: None,
            detail: detail.to_string(),
        }
    }

    fn missing_field(field: &'static str) -> Self {
        Self {
            field: Some(field.to_owned()),
            detail: "it is missing".to_owned(),
        }
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field}: {}", self.detail),
            None => f.write_str(&self.detail),
        }
    }
}

impl std::error::Error for ValueError {}

/// The name in an error of a missing field, as serde words it.
pub(crate) fn missing_field(error: &str) -> Option<&str> {
    error.strip_prefix("missing field `")?.strip_suffix('`')
}

/// Hands each kind of plain value to that of the first value.
macro_rules! of_first {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
            self.first::<V>(|group| group.$method(visitor))
        }
    )*};
}

impl<'de> Deserializer<'de> for Values<'_> {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_map(Named {
            groups: self.groups().into_iter(),
            next: None,
        })
    }

    of_first! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char deserialize_str
        deserialize_string
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        self.first::<V>(|group| group.deserialize_enum(name, variants, visitor))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        let values = self.0.into_iter().take(length);
        let values = values.map(|(_, value)| Group(vec![value.into_owned()]));
        visitor.visit_seq(SeqDeserializer::new(values))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        self.deserialize_tuple(length, visitor)
    }

    forward_to_deserialize_any! { bytes byte_buf option seq map struct identifier ignored_any }
}

/// The values of a struct, by their names.
struct Named {
    groups: std::vec::IntoIter<(String, Group)>,
    next: Option<(String, Group)>,
}

impl<'de> de::MapAccess<'de> for Named {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ValueError> {
        self.next = self.groups.next();
        let Some((name, _)) = &self.next else {
            return Ok(None);
        };
        let key: StringDeserializer<ValueError> = name.clone().into_deserializer();
        seed.deserialize(key)
            .map(Some)
            .map_err(|error| error.of(name))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, ValueError> {
        let next = self.next.take();
        let (name, group) = next.ok_or_else(|| de::Error::custom("there is no value"))?;
        seed.deserialize(group).map_err(|error| error.of(&name))
    }
}

/// The values of one name.
#[derive(Debug)]
struct Group(Vec<String>);

impl Group {
    /// The value, if there is one only: with two, one of them would be lost without a word.
    fn one(self) -> Result<String, ValueError> {
        let mut values = self.0.into_iter();
        match (values.next(), values.next()) {
            (Some(value), None) => Ok(value),
            _ => Err(de::Error::custom("it is given more than once")),
        }
    }

    fn parse<T: FromStr>(self, expected: &str) -> Result<T, ValueError> {
        let text = self.one()?;
        let parsed = text.trim().parse();
        parsed.map_err(|_| de::Error::custom(format!("{} is not {expected}", shown(&text))))
    }
}

/// A value in an error, in a bounded length.
fn shown(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("\"{}...\"", &text[..end]),
        None => format!("\"{text}\""),
    }
}

/// Reads integers, with the range in the error.
macro_rules! integers {
    ($($method:ident $visit:ident $integer:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
            let (least, most) = ($integer::MIN, $integer::MAX);
            let expected = format!("a whole number from {least} to {most}");
            visitor.$visit(self.parse(&expected)?)
        }
    )*};
}

impl<'de> Deserializer<'de> for Group {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_string(self.one()?)
    }

    integers! {
        deserialize_i8 visit_i8 i8
        deserialize_i16 visit_i16 i16
        deserialize_i32 visit_i32 i32
        deserialize_i64 visit_i64 i64
        deserialize_i128 visit_i128 i128
        deserialize_u8 visit_u8 u8
        deserialize_u16 visit_u16 u16
        deserialize_u32 visit_u32 u32
        deserialize_u64 visit_u64 u64
        deserialize_u128 visit_u128 u128
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        let number: f64 = self.parse("a number")?;
        match number.is_finite() {
            true => visitor.visit_f64(number),
            false => Err(de::Error::custom("it is not a finite number")),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        let text = self.one()?;
        match text.trim() {
            "true" | "on" | "yes" | "1" => visitor.visit_bool(true),
            "false" | "off" | "no" | "0" => visitor.visit_bool(false),
            other => {
                let detail = format!("{} is neither true nor false", shown(other));
                Err(de::Error::custom(detail))
            }
        }
    }

    /// An empty value is `None`: a browser sends the fields that nobody has filled in.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.0.iter().all(String::is_empty) {
            true => visitor.visit_none(),
            false => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        let values = self.0.into_iter().map(|value| Self(vec![value]));
        visitor.visit_seq(SeqDeserializer::new(values))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        let text = self.one()?;
        if !variants.contains(&text.as_str()) {
            let detail = format!("{} is none of {}", shown(&text), variants.join(", "));
            return Err(de::Error::custom(detail));
        }
        visitor.visit_enum(text.into_deserializer())
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit_struct tuple_struct map struct identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, ValueError> for Group {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests;
