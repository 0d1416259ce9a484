//! Assigns the arguments of a stage to its options.

use std::sync::Arc;

use super::draft::{Context, Draft};
use super::entry::Entry;
use super::fit::Enclosed;
use super::mistake::{Mistake, near_note};
use super::parameter::{Count, Given, ParameterInfo, Text};
use super::syntax::{Argument, Spanned, Stage, Statement, Value};

/// The values for each option of a component.
pub(super) fn assign(
    entry: &Entry,
    stage: &Stage,
    context: &Context<'_>,
) -> Result<Vec<Given>, Mistake> {
    let parameters = entry.parameters();
    let mut given: Vec<Option<Given>> = vec![None; parameters.len()];
    for argument in &stage.arguments {
        let index = option_of(entry, argument, &given)?;
        let value = read(&parameters[index], argument, context)?;
        match (&mut given[index], value) {
            (place @ None, value) => *place = Some(value),
            (Some(Given::Texts(texts)), Given::Texts(more))
                if parameters[index].count == Count::Many =>
            {
                texts.extend(more);
            }
            (Some(Given::Lines(lines)), Given::Lines(more))
                if parameters[index].count == Count::Lines =>
            {
                lines.extend(more);
            }
            (Some(_), _) => {
                let twice = format!("the option `{}` is given twice", parameters[index].name);
                return Err(Mistake::new(&argument.span(), twice));
            }
        }
    }
    let complete = parameters.iter().zip(given).map(|(parameter, given)| {
        if given.is_none() && parameter.is_required() {
            let missing = format!(
                "`{}` lacks its option `{}`, {}",
                entry.name, parameter.name, parameter.wanted
            );
            return Err(Mistake::new(&stage.name.span, missing).note(usage(entry)));
        }
        Ok(match parameter.count {
            Count::Shared => Given::Shared(context.planes.clone()),
            _ => given.unwrap_or_else(|| parameter.unset()),
        })
    });
    complete.collect()
}

/// Returns the option for an argument: by its name, or by its position.
fn option_of(
    entry: &Entry,
    argument: &Argument,
    given: &[Option<Given>],
) -> Result<usize, Mistake> {
    let parameters = entry.parameters();
    if let Some(key) = &argument.key {
        let found = parameters
            .iter()
            .position(|parameter| parameter.name == key.node && parameter.count != Count::Shared);
        return found.ok_or_else(|| {
            let unknown = format!("`{}` has no option `{}`", entry.name, key.node);
            let near = near_note(&key.node, parameters.iter().map(|parameter| parameter.name));
            let note = if near.is_empty() { usage(entry) } else { near };
            Mistake::new(&key.span, unknown).note(note)
        });
    }
    // A line of several components, or with options, is assigned to an option that expects a line.
    let is_line = matches!(&argument.value.node, Value::Line(line) if line.as_word().is_none());
    let is_free = |(parameter, given): (&ParameterInfo, &Option<Given>)| {
        let is_open = given.is_none() || matches!(parameter.count, Count::Many | Count::Lines);
        let fits = match parameter.count {
            Count::Line | Count::Lines => true,
            Count::Shared => false,
            _ => !is_line,
        };
        is_open && fits
    };
    let found = parameters.iter().zip(given).position(is_free);
    found.ok_or_else(|| {
        let found = match (&argument.value.node, is_line) {
            (Value::Text(text), _) => format!("`{text}`"),
            (Value::Line(_), true) => "this line".to_owned(),
            (Value::Line(line), false) => format!("`{}`", line.as_word().unwrap_or_default()),
        };
        let stray = match parameters.is_empty() {
            true => format!("`{}` has no options, found {found}", entry.name),
            false => format!("`{}` has no option for {found}", entry.name),
        };
        Mistake::new(&argument.value.span, stray).note(usage(entry))
    })
}

/// Parses an argument as the value of an option.
fn read(
    parameter: &ParameterInfo,
    argument: &Argument,
    context: &Context<'_>,
) -> Result<Given, Mistake> {
    let span = &argument.value.span;
    let wrong = |found: String| {
        let wrong = format!(
            "`{}` must be {}, not {found}",
            parameter.name, parameter.wanted
        );
        Mistake::new(span, wrong)
    };
    let text = match (&argument.value.node, parameter.count) {
        (Value::Line(line), Count::Line | Count::Lines) => {
            let draft = Draft::of(context, &[Statement::Line(line.clone())])?;
            return Ok(Given::Lines(vec![Arc::new(Enclosed::new(draft))]));
        }
        // `each=echo`
        (Value::Text(text), Count::Line | Count::Lines) => {
            return Err(wrong(format!("`{text}` without parentheses")));
        }
        (Value::Line(line), _) => line.as_word().ok_or_else(|| wrong("a line".to_owned()))?,
        (Value::Text(text), _) => text,
    };
    let given = Given::Texts(vec![Text(Spanned {
        node: text.to_owned(),
        span: span.clone(),
    })]);
    (parameter.check)(&given).map_err(|_| wrong(format!("`{text}`")))?;
    Ok(given)
}

fn usage(entry: &Entry) -> String {
    format!("it is written: {}", entry.usage())
}

impl Argument {
    fn span(&self) -> super::syntax::Span {
        let start = self
            .key
            .as_ref()
            .map_or(self.value.span.start, |key| key.span.start);
        start..self.value.span.end
    }
}
