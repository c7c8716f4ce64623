import FileFormats

/// A coordinate or length in a drawing, to a tenth of a unit.
func pixels(_ value: Double) -> String { fixed(value, 1) }

/// A drawing that scales with the page, with a title and a description for screen readers.
///
/// - Parameters:
///   - id: unique on the page; the base of the title's and the description's ids.
///   - title: the subject, in a few words.
///   - description: the contents, in a sentence.
///   - size: width and height of its coordinate system.
///   - kind: a class for the style sheet.
///   - content: its elements, back to front.
/// - Returns: the drawing.
func drawing(
  id: String, title: String, description: String, size: (width: Double, height: Double), kind: String = "",
  _ content: [HTML]
) -> HTML {
  tag(
    "svg",
    [
      "class": kind, "viewBox": "0 0 \(pixels(size.width)) \(pixels(size.height))", "role": "img",
      "aria-labelledby": "\(id)-title \(id)-text",
    ],
    [tag("title", ["id": "\(id)-title"], .text(title)), tag("desc", ["id": "\(id)-text"], .text(description))] + content
  )
}

/// A straight line.
func line(from start: (x: Double, y: Double), to end: (x: Double, y: Double), class name: String) -> HTML {
  tag(
    "line",
    ["class": name, "x1": pixels(start.x), "y1": pixels(start.y), "x2": pixels(end.x), "y2": pixels(end.y)])
}

/// The anchor point of a text.
enum TextAnchor: String { case start, middle, end }

/// A text at a place.
func label(_ text: String, at place: (x: Double, y: Double), _ anchor: TextAnchor = .start, class name: String = "")
  -> HTML
{
  tag(
    "text", ["class": name, "x": pixels(place.x), "y": pixels(place.y), "text-anchor": anchor.rawValue], .text(text))
}

/// A path through points, in order.
func path(through points: [(x: Double, y: Double)], class name: String) -> HTML {
  let steps = points.enumerated().map { "\($0 == 0 ? "M" : "L")\(pixels($1.x)) \(pixels($1.y))" }
  return tag("path", ["class": name, "d": steps.joined()])
}

/// An area between lower and upper points from left to right.
func band(_ points: [(x: Double, lower: Double, upper: Double)], class name: String) -> HTML {
  let outline = points.map { ($0.x, $0.lower) } + points.reversed().map { ($0.x, $0.upper) }
  return path(through: outline, class: name)
}

/// Dots, all in one path: the round caps of zero-length lines.
func dots(at points: [(x: Double, y: Double)], class name: String) -> HTML {
  tag("path", ["class": name, "d": points.map { "M\(pixels($0.x)) \(pixels($0.y))h0" }.joined()])
}

/// Shapes that distinguish series and roles without colour.
enum Mark: CaseIterable {
  case circle
  case square
  case diamond
  case triangle
  case cross

  /// The mark centred at a point with a `radius`, and a tooltip if one is given.
  func drawn(at place: (x: Double, y: Double), radius: Double, class name: String, tooltip: String? = nil) -> HTML {
    let (x, y) = place, r = radius
    func outline(_ corners: [(Double, Double)]) -> String {
      corners.enumerated().map { "\($0 == 0 ? "M" : "L")\(pixels(x + $1.0)) \(pixels(y + $1.1))" }.joined() + "Z"
    }
    let path =
      switch self {
      case .circle:
        "M\(pixels(x - r)) \(pixels(y))a\(pixels(r)) \(pixels(r)) 0 1 0 \(pixels(2 * r)) 0"
          + "a\(pixels(r)) \(pixels(r)) 0 1 0 \(pixels(-2 * r)) 0Z"
      case .square:
        outline([(-0.85 * r, -0.85 * r), (0.85 * r, -0.85 * r), (0.85 * r, 0.85 * r), (-0.85 * r, 0.85 * r)])
      case .diamond: outline([(0, -1.2 * r), (1.2 * r, 0), (0, 1.2 * r), (-1.2 * r, 0)])
      case .triangle: outline([(0, -1.1 * r), (1.1 * r, 0.9 * r), (-1.1 * r, 0.9 * r)])
      case .cross:
        "M\(pixels(x - r)) \(pixels(y - r))l\(pixels(2 * r)) \(pixels(2 * r))m0 \(pixels(-2 * r))"
          + "l\(pixels(-2 * r)) \(pixels(2 * r))"
      }
    let children: [HTML] = tooltip.map { [tag("title", [:], .text($0))] } ?? []
    return tag("path", ["class": self == .cross ? name + " cross" : name, "d": path], children)
  }
}

/// The legend of a drawing: a sample of each element with its name.
func legend(_ entries: [(sample: [HTML], name: String)]) -> HTML {
  tag(
    "ul", ["class": "legend"],
    entries.map { entry in
      tag(
        "li", [:],
        tag("svg", ["viewBox": "0 0 28 12", "width": "28", "height": "12", "aria-hidden": "true"], entry.sample),
        .text(entry.name))
    })
}
