//! The guest book, the survey and the quiz of `www/cgi-bin` as one application.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, read_to_string};
use std::io::{self, Write};
use std::path::PathBuf;

use http::StatusCode;
use kamea::Graph;
use kamea_app::{
    Answer, App, AppError, Call, Form, Html, Owned, Problem, Redirect, Reply, State, Templates,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

const TEMPLATES: [(&str, &str); 5] = [
    ("base.html", include_str!("programs/base.html")),
    ("book.html", include_str!("programs/book.html")),
    ("survey.html", include_str!("programs/survey.html")),
    ("results.html", include_str!("programs/results.html")),
    ("quiz.html", include_str!("programs/quiz.html")),
];

struct Site {
    templates: Templates,
    entries: Owned<Records<Entry>>,
    answers: Owned<Records<Answers>>,
}

/// The newest records, the newest first. If there is a folder for them, they survive a restart.
struct Records<R> {
    all: Vec<R>,
    file: Option<File>,
}

/// How many records are kept in memory.
const KEPT: usize = 1000;

impl<R: Clone + Serialize + DeserializeOwned> Records<R> {
    fn open(name: &str) -> io::Result<Self> {
        let Some(folder) = std::env::var_os("KAMEA_DATA") else {
            return Ok(Self {
                all: Vec::new(),
                file: None,
            });
        };
        let path = PathBuf::from(folder).join(name);
        let file = OpenOptions::new().append(true).create(true).open(&path)?;
        let lines = read_to_string(path)?;
        let all = lines.lines().rev().take(KEPT).map(serde_json::from_str);
        Ok(Self {
            all: all.collect::<Result<_, _>>()?,
            file: Some(file),
        })
    }

    fn add(&mut self, record: R) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            let line = serde_json::to_string(&record)? + "\n";
            file.write_all(line.as_bytes())?;
        }
        self.all.insert(0, record);
        self.all.truncate(KEPT);
        Ok(())
    }
}

// The guest book.

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Entry {
    name: String,
    message: String,
}

#[derive(Serialize)]
struct Book {
    entries: Vec<Entry>,
    page: usize,
    pages: usize,
    typed: Entry,
    errors: Vec<&'static str>,
}

const PER_PAGE: usize = 10;

fn book(entries: Vec<Entry>, page: usize) -> Result<Book, Problem> {
    let pages = entries.len().div_ceil(PER_PAGE).max(1);
    if !(1..=pages).contains(&page) {
        return Err(Problem::not_found(format!(
            "the book ends with page {pages}"
        )));
    }
    Ok(Book {
        entries: entries
            .into_iter()
            .skip((page - 1) * PER_PAGE)
            .take(PER_PAGE)
            .collect(),
        page,
        pages,
        typed: Entry::default(),
        errors: Vec::new(),
    })
}

#[derive(Deserialize)]
struct Page {
    page: Option<usize>,
}

async fn read(call: Call<Page, (), State<Site>>) -> Result<Html<String>, Problem> {
    let entries = call
        .with
        .entries
        .with(|records| records.all.clone())
        .await?;
    call.with
        .templates
        .page("book.html", book(entries, call.params.page.unwrap_or(1))?)
}

/// Adds an entry. A form with mistakes is shown again, as it was filled in.
async fn sign(call: Call<(), Form<Entry>, State<Site>>) -> Result<Reply, Problem> {
    let (site, Form(entry)) = (call.with, call.body);
    let checks = [
        (entry.name.trim().is_empty(), "Your name is missing."),
        (
            entry.name.chars().count() > 60,
            "Your name has more than 60 characters.",
        ),
        (entry.message.trim().is_empty(), "Your message is missing."),
        (
            entry.message.chars().count() > 1000,
            "Your message has more than 1000 characters.",
        ),
        (
            entry.message.matches("://").count() > 2,
            "Your message has more than 2 links.",
        ),
    ];
    let errors: Vec<_> = checks
        .iter()
        .filter(|(is_wrong, _)| *is_wrong)
        .map(|(_, why)| *why)
        .collect();
    if errors.is_empty() {
        site.entries.with(|records| records.add(entry)).await??;
        return Ok(Redirect::to("/guest-book").into_reply());
    }
    let book = book(site.entries.with(|records| records.all.clone()).await?, 1)?;
    let page = site.templates.page(
        "book.html",
        Book {
            typed: entry,
            errors,
            ..book
        },
    )?;
    Ok(page.into_reply().status(StatusCode::UNPROCESSABLE_ENTITY))
}

// The survey.

#[derive(Serialize)]
struct Asked {
    name: &'static str,
    title: &'static str,
    kind: &'static str,
    choices: &'static [&'static str],
}

const SURVEY: [Asked; 2] = [
    Asked {
        name: "arrived",
        title: "What brought you here?",
        kind: "radio",
        choices: &[
            "I was looking for a web server",
            "I like to read Rust",
            "Chance",
        ],
    },
    Asked {
        name: "protocols",
        title: "Which of these have you spoken by hand?",
        kind: "checkbox",
        choices: &["HTTP", "SMTP", "IRC", "Redis"],
    },
];

/// The choices by the name of the question.
type Answers = HashMap<String, Vec<String>>;

#[derive(Serialize)]
struct Survey {
    questions: &'static [Asked],
    chosen: Answers,
    errors: Vec<String>,
    people: usize,
    counts: HashMap<String, usize>,
}

impl Survey {
    fn new(chosen: Answers, errors: Vec<String>) -> Self {
        let (questions, counts) = (&SURVEY, HashMap::new());
        Self {
            questions,
            chosen,
            errors,
            people: 0,
            counts,
        }
    }
}

async fn survey(call: Call<Answers, (), State<Site>>) -> Result<Html<String>, Problem> {
    if !call.params.contains_key("results") {
        return call
            .with
            .templates
            .page("survey.html", Survey::new(Answers::new(), Vec::new()));
    }
    let answers = call
        .with
        .answers
        .with(|records| records.all.clone())
        .await?;
    let mut results = Survey::new(Answers::new(), Vec::new());
    results.people = answers.len();
    for choice in answers.into_iter().flat_map(HashMap::into_values).flatten() {
        *results.counts.entry(choice).or_default() += 1;
    }
    call.with.templates.page("results.html", results)
}

async fn answer(call: Call<(), Form<Answers>, State<Site>>) -> Result<Reply, Problem> {
    let (site, Form(chosen)) = (call.with, call.body);
    let mut errors = Vec::new();
    for question in &SURVEY {
        let given = chosen.get(question.name).map_or(&[][..], Vec::as_slice);
        if let Some(other) = given
            .iter()
            .find(|given| !question.choices.contains(&given.as_str()))
        {
            // No form of ours sends it.
            return Err(Problem::invalid(
                question.name,
                format!("{other} is not one of the choices"),
            ));
        }
        if question.kind == "radio" && given.len() != 1 {
            errors.push(format!("“{}” has one answer.", question.title));
        }
    }
    if errors.is_empty() {
        let known = |name: &String| SURVEY.iter().any(|question| question.name == name);
        let chosen: Answers = chosen.into_iter().filter(|(name, _)| known(name)).collect();
        site.answers.with(|records| records.add(chosen)).await??;
        return Ok(Redirect::to("/survey?results=1").into_reply());
    }
    let page = site
        .templates
        .page("survey.html", Survey::new(chosen, errors))?;
    Ok(page.into_reply().status(StatusCode::UNPROCESSABLE_ENTITY))
}

// The quiz: nothing is kept. The answers are in the query, so that a score can be sent to a friend.

#[derive(Serialize)]
struct Riddle {
    name: &'static str,
    title: &'static str,
    choices: [&'static str; 3],
    right: &'static str,
}

const QUIZ: [Riddle; 2] = [
    Riddle {
        name: "q1",
        title: "A server answers 304. What does that mean?",
        choices: [
            "The page has moved",
            "What you have is still good",
            "You have to log in",
        ],
        right: "What you have is still good",
    },
    Riddle {
        name: "q2",
        title: "A bounded link is full. What happens to the sender?",
        choices: [
            "The message is dropped",
            "It waits until there is space",
            "The link grows",
        ],
        right: "It waits until there is space",
    },
];

#[derive(Serialize)]
struct Quiz {
    questions: &'static [Riddle],
    chosen: HashMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<usize>,
}

async fn quiz(
    call: Call<HashMap<String, String>, (), State<Site>>,
) -> Result<Html<String>, Problem> {
    let chosen = call.params;
    let is_right = |riddle: &&Riddle| {
        chosen
            .get(riddle.name)
            .is_some_and(|own| own == riddle.right)
    };
    let score = chosen
        .contains_key("score")
        .then(|| QUIZ.iter().filter(is_right).count());
    let questions = &QUIZ;
    call.with.templates.page(
        "quiz.html",
        Quiz {
            questions,
            chosen,
            score,
        },
    )
}

fn main() -> Result<(), AppError> {
    let mut graph = Graph::new("records");
    let site = Site {
        templates: Templates::new(TEMPLATES).map_err(io::Error::other)?,
        entries: Owned::add_blocking(&mut graph, "guest book", Records::open("guest-book.jsonl")?),
        answers: Owned::add_blocking(&mut graph, "survey", Records::open("survey.jsonl")?),
    };
    App::with_state(site)
        .get("/guest-book", read)
        .post("/guest-book", sign)
        .get("/survey", survey)
        .post("/survey", answer)
        .get("/quiz", quiz)
        .beside(graph)
        .main("127.0.0.1:8000")
}
