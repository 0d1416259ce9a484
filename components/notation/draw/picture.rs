//! A graph as a picture: boxes in layers from left to right, and links that bend around them.
//!
//! The layer of a component is to the right of all components that feed it. A link over several
//! layers has a node in each of them, like a box without width, so that it passes beside the
//! boxes. The order in a layer follows the neighbours in the next one, in a few passes back and
//! forth.

use std::fmt::Write as _;

/// The input of the drawing: boxes with texts, and the links between them, each with a text.
#[derive(Debug, Default)]
pub(super) struct Picture {
    pub(super) boxes: Vec<String>,
    pub(super) links: Vec<Link>,
}

/// An arrow from one box to another.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) text: String,
    /// Whether it is a feedback link: it is drawn dashed, below everything.
    pub(super) back: bool,
}

/// Lengths in pixels. The width of a letter is that of a monospaced font of 12 pixels.
const LETTER: f64 = 7.3;
const BOX_HEIGHT: f64 = 28.0;
const GAP: f64 = 26.0;
const MARGIN: f64 = 16.0;

/// How often the order and the positions in the layers are improved.
const SWEEPS: usize = 8;

/// A node in a layer: a box, or the point where a link passes.
struct Node {
    layer: usize,
    /// 0 for a link that passes.
    width: f64,
    x: f64,
    y: f64,
}

struct Layout {
    /// The boxes, then the points where links pass.
    nodes: Vec<Node>,
    layers: Vec<Vec<usize>>,
    /// For each link, the nodes on its path, including its two boxes.
    paths: Vec<Vec<usize>>,
}

impl Picture {
    /// Returns the picture as SVG; it follows the light or dark colours of the viewer.
    pub(super) fn to_svg(&self) -> String {
        let mut layout = Layout::new(self);
        layout.order();
        layout.assign_positions(self);
        let right = layout.nodes.iter().map(|node| node.x + node.width);
        let bottom = layout.nodes.iter().map(|node| node.y + BOX_HEIGHT / 2.0);
        let (width, bottom) = (right.fold(0.0, f64::max), bottom.fold(0.0, f64::max));
        let backs = self.links.iter().filter(|link| link.back).count();
        let (width, height) = (width + MARGIN, bottom + GAP * backs as f64 + MARGIN);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\">\n{STYLE}"
        );
        let (mut texts, mut depth) = (String::new(), bottom);
        for (link, path) in self.links.iter().zip(&layout.paths) {
            let (curve, x, y) = if link.back {
                depth += GAP;
                layout.curve_back(link, depth - GAP / 2.0)
            } else {
                layout.curve(path)
            };
            let class = if link.back { " class=\"back\"" } else { "" };
            // Writing to a text cannot fail.
            let _ = writeln!(
                svg,
                "<path{class} d=\"{curve}\" marker-end=\"url(#arrow)\"/>"
            );
            let _ = writeln!(
                texts,
                "<text class=\"link\" x=\"{x:.0}\" y=\"{y:.0}\">{}</text>",
                escaped(&link.text)
            );
        }
        svg.push_str(&texts);
        for (text, node) in self.boxes.iter().zip(&layout.nodes) {
            let (x, y, width) = (node.x, node.y - BOX_HEIGHT / 2.0, node.width);
            let _ = writeln!(
                svg,
                "<rect x=\"{x:.0}\" y=\"{y:.0}\" width=\"{width:.0}\" height=\"{BOX_HEIGHT}\" rx=\"6\"/>\n\
                 <text x=\"{:.0}\" y=\"{:.0}\">{}</text>",
                x + width / 2.0,
                node.y + 4.0,
                escaped(text),
            );
        }
        svg + "</svg>\n"
    }

    /// Returns the layer of each box: one more than the last layer of those that feed it.
    fn layers(&self) -> Vec<usize> {
        let mut layers = vec![0; self.boxes.len()];
        // Without circles, the longest path has fewer links than there are boxes.
        for _ in 0..self.boxes.len() {
            for link in self.links.iter().filter(|link| !link.back) {
                layers[link.to] = layers[link.to].max(layers[link.from] + 1);
            }
        }
        layers
    }
}

impl Layout {
    fn new(picture: &Picture) -> Self {
        let layers = picture.layers();
        let node = |(text, layer): (&String, &usize)| Node {
            layer: *layer,
            width: text.chars().count() as f64 * LETTER + 20.0,
            x: 0.0,
            y: 0.0,
        };
        let mut nodes: Vec<_> = picture.boxes.iter().zip(&layers).map(node).collect();
        let mut paths = Vec::new();
        for link in &picture.links {
            let mut path = vec![link.from];
            if !link.back {
                for layer in layers[link.from] + 1..layers[link.to] {
                    path.push(nodes.len());
                    nodes.push(Node {
                        layer,
                        width: 0.0,
                        x: 0.0,
                        y: 0.0,
                    });
                }
            }
            path.push(link.to);
            paths.push(path);
        }
        let count = nodes.iter().map(|node| node.layer + 1).max();
        let mut layers = vec![Vec::new(); count.unwrap_or(0)];
        for (index, node) in nodes.iter().enumerate() {
            layers[node.layer].push(index);
        }
        Self {
            nodes,
            layers,
            paths,
        }
    }

    /// Returns the mean of `value` over the neighbours of a node in an adjoining layer, if it has
    /// any.
    fn mean(&self, node: usize, layer: usize, value: impl Fn(usize) -> f64) -> Option<f64> {
        let (mut sum, mut count) = (0.0, 0.0);
        for step in self.paths.iter().flat_map(|path| path.windows(2)) {
            for (one, other) in [(step[0], step[1]), (step[1], step[0])] {
                if one == node && self.nodes[other].layer == layer {
                    sum += value(other);
                    count += 1.0;
                }
            }
        }
        (count > 0.0).then(|| sum / count)
    }

    /// Returns pairs of a layer and the adjoining one that it follows: forwards, backwards, and
    /// again.
    fn sweeps(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let count = self.layers.len();
        let forwards = (1..count).map(|layer| (layer, layer - 1));
        let backwards = (1..count).rev().map(|layer| (layer - 1, layer));
        let both: Vec<_> = forwards.chain(backwards).collect();
        (0..SWEEPS).flat_map(move |_| both.clone())
    }

    fn order(&mut self) {
        for (layer, beside) in self.sweeps() {
            let rank = |node: usize| {
                let rank = self.layers[beside].iter().position(|other| *other == node);
                rank.unwrap_or_default() as f64
            };
            let mut ranked: Vec<_> = self.layers[layer]
                .iter()
                .enumerate()
                .map(|(old, node)| {
                    let mean = self.mean(*node, beside, rank);
                    (mean.unwrap_or(old as f64), *node)
                })
                .collect();
            ranked.sort_by(|(a, _), (b, _)| a.total_cmp(b));
            self.layers[layer] = ranked.into_iter().map(|(_, node)| node).collect();
        }
    }

    fn assign_positions(&mut self, picture: &Picture) {
        let mut x = MARGIN;
        for (number, layer) in self.layers.iter().enumerate() {
            let widest = layer.iter().map(|node| self.nodes[*node].width);
            let widest = widest.fold(0.0, f64::max);
            for node in layer {
                let node = &mut self.nodes[*node];
                node.x = x + (widest - node.width) / 2.0;
            }
            let texts = picture.links.iter().zip(&self.paths);
            let leaving =
                texts.filter(|(link, path)| !link.back && self.nodes[path[0]].layer == number);
            let longest = leaving.map(|(link, _)| link.text.chars().count()).max();
            x += widest + longest.unwrap_or(0) as f64 * LETTER + 44.0;
        }
        for layer in self.layers.clone() {
            self.stack(&layer, |_| 0.0);
        }
        for (layer, beside) in self.sweeps() {
            let wanted: Vec<_> = self.layers[layer]
                .iter()
                .map(|node| {
                    let mean = self.mean(*node, beside, |other| self.nodes[other].y);
                    mean.unwrap_or(self.nodes[*node].y)
                })
                .collect();
            let layer = self.layers[layer].clone();
            self.stack(&layer, |rank| wanted[rank]);
        }
        let top = self
            .nodes
            .iter()
            .map(|node| node.y)
            .fold(f64::MAX, f64::min);
        for node in &mut self.nodes {
            node.y += MARGIN + BOX_HEIGHT / 2.0 - top;
        }
    }

    /// Moves the nodes of a layer to the wanted positions, as far as they do not overlap.
    fn stack(&mut self, layer: &[usize], wanted: impl Fn(usize) -> f64) {
        let (mut lowest, mut error) = (f64::MIN, 0.0);
        for (rank, node) in layer.iter().enumerate() {
            let y = wanted(rank).max(lowest);
            self.nodes[*node].y = y;
            error += y - wanted(rank);
            lowest = y + BOX_HEIGHT + GAP;
        }
        for node in layer {
            self.nodes[*node].y -= error / layer.len() as f64;
        }
    }

    /// Returns the curve of a forward link, and the position of its text.
    fn curve(&self, path: &[usize]) -> (String, f64, f64) {
        let (first, second) = (&self.nodes[path[0]], &self.nodes[path[1]]);
        let (mut x, mut y) = (first.x + first.width, first.y);
        let text = ((x + second.x) / 2.0 - 4.0, (y + second.y) / 2.0 - 6.0);
        let mut curve = format!("M {x:.0} {y:.0}");
        for node in path[1..].iter().map(|node| &self.nodes[*node]) {
            let middle = (x + node.x) / 2.0;
            let _ = write!(
                curve,
                " C {middle:.0} {y:.0} {middle:.0} {1:.0} {0:.0} {1:.0}",
                node.x, node.y
            );
            (x, y) = (node.x, node.y);
        }
        (curve, text.0, text.1)
    }

    /// Returns the curve of a backward link, below everything.
    fn curve_back(&self, link: &Link, y: f64) -> (String, f64, f64) {
        let middle = |node: &Node| (node.x + node.width / 2.0, node.y + BOX_HEIGHT / 2.0);
        let (from, from_y) = middle(&self.nodes[link.from]);
        let (to, to_y) = middle(&self.nodes[link.to]);
        // The two ends of a link from a box to itself are at different positions.
        let (from, to) = if link.from == link.to {
            (from + 12.0, to - 12.0)
        } else {
            (from, to)
        };
        let curve = format!(
            "M {from:.0} {from_y:.0} C {from:.0} {y:.0} {from:.0} {y:.0} {:.0} {y:.0} L {:.0} {y:.0} C {to:.0} {y:.0} {to:.0} {y:.0} {to:.0} {to_y:.0}",
            from - 12.0,
            to + 12.0
        );
        (curve, (from + to) / 2.0, y - 4.0)
    }
}

const STYLE: &str = "\
<style>
  svg { --paper: #fff; --box: #f3f3f2; color: #1b1f24; background: var(--paper) }
  @media (prefers-color-scheme: dark) { svg { --paper: #16191d; --box: #24282e; color: #e6e8eb } }
  path, rect { stroke: currentColor; fill: none }
  rect { fill: var(--box) }
  .back { stroke-dasharray: 5 4 }
  text { font: 12px monospace; text-anchor: middle; fill: currentColor }
  .link { font-size: 11px; paint-order: stroke; stroke: var(--paper); stroke-width: 3px }
</style>
<marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\"><path d=\"M 0 0 L 8 4 L 0 8 z\" style=\"fill: currentColor; stroke: none\"/></marker>
";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(from: usize, to: usize) -> Link {
        Link {
            from,
            to,
            text: String::new(),
            back: to <= from,
        }
    }

    /// Boxes do not overlap, and all links lead to the right, for any links.
    #[test]
    fn boxes_have_room_and_links_lead_to_the_right() {
        let mut seed = 7_u64;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as usize % below
        };
        for _ in 0..300 {
            let count = 1 + random(12);
            let picture = Picture {
                boxes: (0..count)
                    .map(|number| format!("box {number} <&>"))
                    .collect(),
                links: (0..random(20))
                    .map(|_| link(random(count), random(count)))
                    .collect(),
            };
            let mut layout = Layout::new(&picture);
            layout.order();
            layout.assign_positions(&picture);
            for layer in &layout.layers {
                for pair in layer.windows(2) {
                    let (one, other) = (&layout.nodes[pair[0]], &layout.nodes[pair[1]]);
                    assert!(other.y - one.y >= BOX_HEIGHT + GAP - 0.1, "{picture:?}");
                }
            }
            for path in layout
                .paths
                .iter()
                .zip(&picture.links)
                .filter(|(_, link)| !link.back)
            {
                for step in path.0.windows(2) {
                    let (one, other) = (&layout.nodes[step[0]], &layout.nodes[step[1]]);
                    assert!(one.x + one.width < other.x, "{picture:?}");
                }
            }
            let svg = picture.to_svg();
            assert_eq!(svg.matches("<rect").count(), count);
            assert!(!svg.contains("NaN") && !svg.contains("<&>"));
        }
    }
}
