//! The report as a page and as LaTeX, and its charts as data and gnuplot commands. Each format's
//! template has its specific parts, including the escaping of texts.

use std::fmt;

use askama::Template;
use askama::filters::Escaper;

use super::text::{Chart, Report};

#[derive(Template)]
#[template(path = "lab/report/page.html")]
struct Page<'a> {
    report: &'a Report,
}

#[derive(Template)]
#[template(path = "lab/report/report.tex", syntax = "tex")]
struct Tex<'a> {
    report: &'a Report,
}

#[derive(Template)]
#[template(path = "lab/report/chart.gp")]
struct Gnuplot<'a> {
    chart: &'a Chart,
}

#[derive(Template)]
#[template(path = "lab/report/chart.dat", escape = "none")]
struct Data<'a> {
    chart: &'a Chart,
}

/// The report as a page that loads nothing.
pub(super) fn page(report: &Report) -> String {
    rendered(&Page { report })
}

/// The report as LaTeX, which draws its charts from the data with pgfplots.
pub(super) fn tex(report: &Report) -> String {
    rendered(&Tex { report })
}

/// The commands by which gnuplot draws a chart from its data, as SVG.
pub(super) fn gnuplot(chart: &Chart) -> String {
    rendered(&Gnuplot { chart })
}

/// The data of a chart. Its columns are position, median, low and high end of the interval, 1 for
/// spidey, and the name.
pub(super) fn data(chart: &Chart) -> String {
    rendered(&Data { chart })
}

fn rendered(template: &impl Template) -> String {
    template.render().expect("a text takes what is written")
}

/// The escaping of texts in LaTeX, for askama.
#[derive(Clone, Copy)]
pub(crate) struct TexEscaper;

impl Escaper for TexEscaper {
    fn write_escaped_str<W: fmt::Write>(&self, mut to: W, text: &str) -> fmt::Result {
        text.chars().try_for_each(|letter| match letter {
            '\\' => to.write_str("\\textbackslash{}"),
            '{' | '}' | '$' | '&' | '#' | '%' | '_' => write!(to, "\\{letter}"),
            '^' => to.write_str("\\textasciicircum{}"),
            '~' => to.write_str("\\textasciitilde{}"),
            '<' => to.write_str("\\textless{}"),
            '>' => to.write_str("\\textgreater{}"),
            '|' => to.write_str("\\textbar{}"),
            '"' => to.write_str("''"),
            'µ' => to.write_str("\\ensuremath{\\mu}"),
            // A character that LaTeX has no letter for would end it with an error.
            letter if letter.is_ascii_graphic() || letter.is_alphabetic() && letter <= 'ÿ' => {
                to.write_char(letter)
            }
            letter if letter.is_whitespace() => to.write_char(' '),
            _ => to.write_char('?'),
        })
    }
}

/// The escaping of text between single quotes in gnuplot commands, for askama: a quote is doubled,
/// and no character may end a line.
#[derive(Clone, Copy)]
pub(crate) struct GnuplotEscaper;

impl Escaper for GnuplotEscaper {
    fn write_escaped_str<W: fmt::Write>(&self, mut to: W, text: &str) -> fmt::Result {
        text.chars().try_for_each(|letter| match letter {
            '\'' => to.write_str("''"),
            letter if letter.is_control() => to.write_char(' '),
            letter => to.write_char(letter),
        })
    }
}
