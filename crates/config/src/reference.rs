//! The reference of all keys, and the JSON Schema: made from the same keys that the reader uses.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::reader::{AnyKey, Shape, TableInfo};
use crate::sections;

/// `config/REFERENCE.md`: every key with its values, default and meaning, as Markdown.
#[must_use]
pub fn reference() -> String {
    let mut text = String::from(PREFACE);
    for table in all_tables() {
        write_table(&mut text, table);
    }
    text
}

const PREFACE: &str = "<!-- Made from the keys that the reader uses; change those, then run the tests with UPDATE_GOLDEN=1. -->

# Settings

One YAML file; `include` names more. Durations are a number and one of `ms`, `s`, `m`, `h`, `d`;
sizes a number and one of `B`, `KiB`, `MiB`, `GiB`. Relative paths start at the folder of the file that
they are written in. `${NAME}` is the environment variable NAME, `${NAME-default}` has a default for
when it is not set, `$${` stands for `${` itself. Unknown keys are errors. What is not named is off.

`palisade check` prints every problem at once, with file, line and column.
";

fn write_table(text: &mut String, table: &TableInfo) {
    let (name, about) = (table.name, table.about);
    // Writing to a text can't fail.
    let _ = write!(
        text,
        "\n## `{name}`\n\n{about}\n\n| key | value | default | meaning |\n|---|---|---|---|\n"
    );
    for key in table.keys {
        let default = match (key.default(), key.is_required()) {
            (Some("{}"), _) | (None, false) => String::new(),
            (Some(default), _) => format!("`{default}`"),
            (None, true) => "required".to_owned(),
        };
        let shape = key.shape().to_string();
        let _ = writeln!(
            text,
            "| `{}` | {} | {default} | {} |",
            key.name(),
            cell(&shape),
            cell(key.about())
        );
    }
    if !table.later.is_empty() {
        let later: Vec<String> = table
            .later
            .iter()
            .map(|later| format!("`{}`", later.key))
            .collect();
        let _ = writeln!(
            text,
            "\nKnown, but not in this version: {}.",
            later.join(", ")
        );
    }
}

/// Markdown reads `|` as the end of a cell, within backquotes too.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// All mappings, each once, in the order in which they are met.
fn all_tables() -> Vec<&'static TableInfo> {
    let mut tables = vec![sections::root()];
    tables.extend(sections::other_files());
    let mut next = 0;
    while let Some(table) = tables.get(next).copied() {
        next += 1;
        let mut inner = Vec::new();
        for key in table.keys {
            collect(&key.shape(), &mut inner);
        }
        let new = |found: &&'static TableInfo| tables.iter().all(|known| known.name != found.name);
        let mut new: Vec<_> = inner.into_iter().filter(new).collect();
        new.dedup_by_key(|table| table.name);
        // Behind the table that they belong to, so that the reference reads as the file does.
        let at = position_after(&tables, table);
        tables.splice(at..at, new);
    }
    tables
}

fn position_after(tables: &[&'static TableInfo], table: &TableInfo) -> usize {
    tables
        .iter()
        .position(|known| known.name == table.name)
        .map_or(tables.len(), |at| at + 1)
}

fn collect(shape: &Shape, into: &mut Vec<&'static TableInfo>) {
    match shape {
        Shape::Table(table) => into.push(table),
        Shape::List { of, .. } | Shape::OneOrList(of) | Shape::Named(of) => collect(of, into),
        Shape::Either(one, other) => {
            collect(one, into);
            collect(other, into);
        }
        Shape::Text(_)
        | Shape::Flag
        | Shape::Integer { .. }
        | Shape::Duration { .. }
        | Shape::Size { .. }
        | Shape::Percent { .. }
        | Shape::Choice(_) => {}
    }
}

/// `config/schema.json`: a JSON Schema (draft 2020-12) for editors. It knows the shape of the file;
/// `palisade check` knows more.
#[must_use]
pub fn json_schema() -> Value {
    let definitions = all_tables()
        .into_iter()
        .map(|table| (table.name.to_owned(), table_schema(table)));
    let mut definitions: Map<String, Value> = definitions.collect();
    let variable = json!({ "type": "string", "pattern": "\\$\\{" });
    definitions.insert(VARIABLE.to_owned(), variable);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Palisade settings",
        "$ref": reference_to(sections::root().name),
        "$defs": definitions,
    })
}

/// The definition of a value that comes from the environment.
const VARIABLE: &str = "variable";

fn reference_to(name: &str) -> String {
    format!("#/$defs/{name}")
}

fn table_schema(table: &TableInfo) -> Value {
    let properties = table
        .keys
        .iter()
        .map(|key| (key.name().to_owned(), key_schema(*key)));
    let required: Vec<&str> = table
        .keys
        .iter()
        .filter(|key| key.is_required())
        .map(|key| key.name())
        .collect();
    // What is required may be in an included file.
    let required = if table.name == sections::root().name {
        Vec::new()
    } else {
        required
    };
    json!({
        "type": "object",
        "description": table.about,
        "properties": properties.collect::<Map<_, _>>(),
        "required": required,
        "additionalProperties": false,
    })
}

fn key_schema(key: &dyn AnyKey) -> Value {
    let mut schema = shape_schema(&key.shape());
    if let Value::Object(schema) = &mut schema {
        schema.insert("description".to_owned(), key.about().into());
        if let Some(default) = key.default().filter(|default| *default != "{}") {
            schema.insert("default".to_owned(), default.into());
        }
    }
    schema
}

fn shape_schema(shape: &Shape) -> Value {
    match shape {
        Shape::Text(_) => json!({ "type": ["string", "number", "boolean"] }),
        Shape::Flag => or_variable(json!({ "type": "boolean" })),
        Shape::Integer { min, max } => {
            or_variable(json!({ "type": "integer", "minimum": min, "maximum": max }))
        }
        Shape::Duration { .. } => {
            or_variable(json!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$" }))
        }
        Shape::Size { .. } => {
            or_variable(json!({ "type": "string", "pattern": "^[0-9]+(B|KiB|MiB|GiB)$" }))
        }
        Shape::Percent { .. } => {
            or_variable(json!({ "type": "string", "pattern": "^[0-9]+(\\.[0-9]{1,4})?%$" }))
        }
        Shape::Choice(words) => or_variable(json!({ "enum": words })),
        Shape::List { of, min } => {
            json!({ "type": "array", "items": shape_schema(of), "minItems": min })
        }
        Shape::OneOrList(of) => {
            let one = shape_schema(of);
            let list = json!({ "type": "array", "items": one, "minItems": 1 });
            json!({ "anyOf": [one, list] })
        }
        Shape::Named(of) => json!({ "type": "object", "additionalProperties": shape_schema(of) }),
        Shape::Either(one, other) => json!({ "anyOf": [shape_schema(one), shape_schema(other)] }),
        Shape::Table(table) => json!({ "$ref": reference_to(table.name) }),
    }
}

/// A value that may also come from the environment.
fn or_variable(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "$ref": reference_to(VARIABLE) }] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Memory;
    use crate::reader::Context;
    use palisade_yaml::Node;
    use std::path::Path;
    use std::sync::Arc;

    #[test]
    fn every_default_is_one_of_its_keys_values() {
        let files = Memory::default();
        let context = Context::new(&files, &|_| None);
        for table in all_tables() {
            for key in table.keys {
                let location = crate::Location::new(Arc::from(Path::new(table.name)), 1, 1);
                if let Some(default) = key.default() {
                    key.check(&Node::from_default(default, location), &context);
                }
            }
        }
        let (problems, _) = context.finish();
        assert_eq!(problems.to_string(), "");
    }

    #[test]
    fn every_name_stands_for_one_thing() {
        for table in all_tables() {
            assert!(
                !table.about.is_empty() && !table.keys.is_empty(),
                "{}",
                table.name
            );
            let mut names: Vec<&str> = table.keys.iter().map(|key| key.name()).collect();
            names.extend(table.later.iter().map(|later| later.key));
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "a key twice in {}", table.name);
            for key in table.keys {
                assert!(
                    key.about().ends_with(['.', ')', '`']),
                    "{}.{}: {}",
                    table.name,
                    key.name(),
                    key.about()
                );
            }
        }
    }
}
