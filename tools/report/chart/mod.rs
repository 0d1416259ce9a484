//! Charts, as stand-alone SVG that is light or dark, as the reader prefers.
//!
//! plotters draws in the light colours, which any program shows. If the reader prefers dark, a
//! style sheet in the picture replaces each light colour by its dark counterpart, selected by the
//! colour itself (`[fill="#7B5AA6"] { fill: ... }`). So each colour has only one use.

mod axis;
mod bars;
mod run;

use askama::Template;
use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::prelude::{
    Cartesian2d, Color, DrawingArea, IntoDrawingArea, RGBColor, SVGBackend, Text,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{IntoTextStyle, ShapeStyle, TRANSPARENT};

use axis::Axis;

pub use bars::{Bar, are_far_apart, bars};
pub use run::{Panel, panel, panels};

/// A colour: its light version, and its replacement in dark mode.
struct Paint {
    light: RGBColor,
    dark: RGBColor,
}

const fn paint(light: (u8, u8, u8), dark: (u8, u8, u8)) -> Paint {
    Paint {
        light: RGBColor(light.0, light.1, light.2),
        dark: RGBColor(dark.0, dark.1, dark.2),
    }
}

const PAPER: Paint = paint((0xff, 0xff, 0xff), (0x24, 0x20, 0x2c));
const INK: Paint = paint((0x2b, 0x24, 0x33), (0xee, 0xe8, 0xf4));
const QUIET: Paint = paint((0x6d, 0x64, 0x78), (0xa7, 0x9d, 0xb3));
const GRID: Paint = paint((0xe4, 0xdc, 0xec), (0x3a, 0x34, 0x45));
/// The subject of a picture.
const FIRST: Paint = paint((0x7b, 0x5a, 0xa6), (0xb7, 0x9b, 0xdc));
/// The values for comparison.
const SECOND: Paint = paint((0xc8, 0x6a, 0x1e), (0xf0, 0xa4, 0x5c));
/// Other parts.
const OTHERS: Paint = paint((0xa9, 0xa2, 0xb3), (0x76, 0x6e, 0x83));
const WRONG: Paint = paint((0xc0, 0x2f, 0x3c), (0xff, 0x7b, 0x78));

const PAINTS: [Paint; 8] = [PAPER, INK, QUIET, GRID, FIRST, SECOND, OTHERS, WRONG];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// The beginning of a picture.
#[derive(Template)]
#[template(path = "report/chart/head.svg")]
struct Head<'a> {
    width: u32,
    height: u32,
    title: &'a str,
    /// The light and the dark version of each colour.
    colours: Vec<(String, String)>,
}

/// Draws a picture of a size in pixels. Screen readers read its title.
fn picture(
    title: &str,
    (width, height): (u32, u32),
    draw: impl FnOnce(&Area<'_>) -> Drawn,
) -> String {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
        let drawn = area.fill(&PAPER.light).map_err(Into::into);
        let drawn = drawn
            .and_then(|()| draw(&area))
            .and_then(|()| Ok(area.present()?));
        drawn.expect("drawing into a text cannot fail");
    }
    let hex = |RGBColor(red, green, blue): RGBColor| format!("#{red:02X}{green:02X}{blue:02X}");
    let head = Head {
        width,
        height,
        title,
        colours: PAINTS
            .map(|paint| (hex(paint.light), hex(paint.dark)))
            .into(),
    };
    let body = svg.split_once('>').map_or("", |(_, body)| body);
    head.render().expect("a text takes what is written") + body
}

/// A chart with a title above it, lines at its ticks, and this much space for texts at its sides.
fn chart<'a, 'b>(
    area: &'a Area<'b>,
    title: &str,
    (x, y): (Axis, Axis),
    (left, right): (u32, u32),
) -> Result<Chart<'a, 'b>, Box<dyn std::error::Error>> {
    write(area, title, 18, &INK, (14, 12), HPos::Left)?;
    let mut builder = ChartBuilder::on(area);
    builder
        .margin_top(44)
        .margin_right(right)
        .margin_bottom(8)
        .x_label_area_size(28)
        .y_label_area_size(left);
    let mut chart = builder.build_cartesian_2d(x, y)?;
    let labels = ("sans-serif", 15).into_text_style(area).color(&QUIET.light);
    let mut mesh = chart.configure_mesh();
    mesh.light_line_style(TRANSPARENT)
        .bold_line_style(GRID.light)
        .axis_style(GRID.light)
        .label_style(labels);
    mesh.draw()?;
    Ok(chart)
}

/// Writes a line of text that begins or ends at a position, in pixels.
fn write(
    area: &Area<'_>,
    text: &str,
    size: u32,
    paint: &Paint,
    place: (i32, i32),
    from: HPos,
) -> Drawn {
    let style = ("sans-serif", size)
        .into_text_style(area)
        .color(&paint.light)
        .pos(Pos::new(from, VPos::Top));
    Ok(area.draw(&Text::new(text.to_owned(), place, style))?)
}

/// Draws the legend at the top right.
fn legend(area: &Area<'_>, entries: &[(&Paint, &str)]) -> Drawn {
    let mut right = i32::try_from(area.dim_in_pixel().0)? - 22;
    for (paint, text) in entries.iter().rev() {
        write(area, text, 15, paint, (right, 13), HPos::Right)?;
        right -= 7 * i32::try_from(text.chars().count())? + 12;
    }
    Ok(())
}

fn line(paint: &Paint, width: u32) -> ShapeStyle {
    paint.light.stroke_width(width)
}

#[cfg(test)]
mod tests {
    use roxmltree::Document;

    use super::*;
    use crate::report::{Second, Spread, Summary};

    /// The coordinates of what is drawn in a colour.
    fn drawn(svg: &str, paint: &Paint) -> usize {
        let RGBColor(red, green, blue) = paint.light;
        let colour = format!("#{red:02X}{green:02X}{blue:02X}");
        let document = Document::parse(svg).unwrap();
        let has =
            |name| move |node: &roxmltree::Node<'_, '_>| node.attribute(name).map(str::to_owned);
        let of = |node: &roxmltree::Node<'_, '_>| {
            [has("fill")(node), has("stroke")(node)].contains(&Some(colour.clone()))
        };
        document
            .descendants()
            .filter(|node| !node.has_tag_name("text") && of(node))
            .count()
    }

    fn run(seconds: usize) -> Summary {
        let series = (0..seconds).map(|t| Second {
            t_s: t as f64,
            requests: 10,
            p50_us: 80.0,
            p99_us: 900.0,
            ..Second::default()
        });
        let mut run = Summary {
            requests: 10,
            duration_s: seconds as f64,
            series: series.collect(),
            ..Summary::default()
        };
        let latency = &mut run.latency_us.corrected;
        (latency.min, latency.p50, latency.p99, latency.max) = (70.0, 80.0, 900.0, 950.0);
        run.latency_us.raw = *latency;
        run.histogram_us.corrected = vec![(83.0, 9), (1000.0, 1)];
        run.histogram_us.raw = run.histogram_us.corrected.clone();
        run
    }

    #[test]
    fn every_picture_is_xml_and_loads_nothing() {
        let failing = |mut run: Summary| {
            run.series.iter_mut().for_each(|second| second.errors = 3);
            run
        };
        for run in [
            Summary::default(),
            run(0),
            run(1),
            run(30),
            run(100),
            failing(run(3)),
        ] {
            for svg in Panel::ALL
                .map(|kind| panel(&run, kind))
                .into_iter()
                .chain([panels(&run)])
            {
                let document =
                    Document::parse(&svg).unwrap_or_else(|error| panic!("{error}: {svg}"));
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
                let addresses = document
                    .descendants()
                    .flat_map(|node| node.attributes().collect::<Vec<_>>());
                assert!(
                    addresses
                        .filter(|attribute| attribute.name() == "href")
                        .count()
                        == 0
                        && !svg.contains("url(")
                );
            }
        }
    }

    #[test]
    fn what_went_wrong_is_drawn_in_a_colour_of_its_own() {
        let mut run = run(10);
        assert_eq!(drawn(&panel(&run, Panel::Rate), &WRONG), 0);
        run.series[4].errors = 7;
        assert!(drawn(&panel(&run, Panel::Rate), &WRONG) > 0);
    }

    #[test]
    fn bars_that_are_far_apart_become_dots_on_a_logarithmic_axis() {
        let bar = |name: &str, value: f64| Bar {
            name: name.to_owned(),
            spread: Spread::of(&[value, value * 1.1]).unwrap(),
            is_ours: name == "ours",
        };
        for (least, dots) in [(50.0, false), (1.0, true)] {
            let svg = bars(
                "<Title>",
                &[bar("ours", 100.0), bar("<theirs>", least)],
                |value| format!("{value:.1} ms"),
            );
            let document = Document::parse(&svg).unwrap();
            let has_dots = document
                .descendants()
                .any(|node| node.has_tag_name("circle"));
            assert_eq!(has_dots, dots, "{least}");
            let texts: Vec<_> = document
                .descendants()
                .filter(|node| node.has_tag_name("text"))
                .filter_map(|node| node.text())
                .map(str::trim)
                .collect();
            for text in ["<Title>", "<theirs>", "105.0 ms"] {
                assert!(texts.contains(&text), "{texts:?}");
            }
        }
    }

    #[test]
    fn a_colour_is_used_for_one_thing() {
        for (index, one) in PAINTS.iter().enumerate() {
            assert!(
                PAINTS[..index].iter().all(|other| other.light != one.light),
                "{index}"
            );
        }
    }
}
