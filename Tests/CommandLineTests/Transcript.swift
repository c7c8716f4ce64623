/// A command of a console transcript and the lines that it prints.
///
/// A command begins with `$ `; its further lines begin with `> `. A line that is only `…` stands for one or more
/// printed lines, none of which may be a note, a warning or an error.
struct Transcript: CustomStringConvertible {
  let command: String
  /// The printed lines, without blank ones at the end.
  let output: [String]
  /// File and line of the command.
  let place: String

  var description: String { "\(place): $ \(command)" }

  static let elision = "…"

  /// The transcripts of a block's lines; `line` is the number of the first.
  static func all(in lines: [String], at path: String, line: Int) -> [Transcript] {
    var found: [(command: String, output: [String], line: Int)] = []
    for (index, text) in lines.enumerated() {
      if text.hasPrefix("$ ") {
        found.append((String(text.dropFirst(2)), [], line + index))
      } else if let last = found.indices.last {
        if found[last].output.isEmpty, text.hasPrefix("> ") {
          found[last].command += "\n" + text.dropFirst(2)
        } else {
          found[last].output.append(text)
        }
      }
    }
    return found.map {
      Transcript(command: $0.command, output: withoutBlankEnd($0.output), place: "\(path):\($0.line)")
    }
  }

  private static func withoutBlankEnd(_ lines: [String]) -> [String] {
    Array(lines[..<((lines.lastIndex { !$0.isEmpty } ?? -1) + 1)])
  }

  /// What is wrong with the transcript when the command prints `printed`; nil if nothing is.
  func mistake(printed: String) -> String? {
    let printed = Self.withoutBlankEnd(
      printed.split(separator: "\n", omittingEmptySubsequences: false).map(String.init))
    let masks = Masks(command: command)
    let expected = masks.masked(output), found = masks.masked(printed)
    let parts = expected.split(separator: Self.elision, omittingEmptySubsequences: false).map(Array.init)
    var next = 0
    for (index, part) in parts.enumerated() {
      if index > 0 {
        // The last part ends the output; the others are looked for.
        let starts = found.indices.map { $0 + 1 }.filter { $0 > next && $0 + part.count <= found.count }
        let start =
          index == parts.count - 1
          ? starts.last { $0 + part.count == found.count }
          : starts.first { Array(found[$0..<($0 + part.count)]) == part }
        guard let start else { return "after line \(next), \"…\" is not followed by:\n" + part.joined(separator: "\n") }
        if let notice = printed[next..<start].first(where: Self.isNotice) { return "\"…\" hides: \(notice)" }
        next = start
      }
      for line in part {
        guard next < found.count else { return "not printed: \(line)" }
        guard found[next] == line else { return "expected: \(line)\nprinted:  \(found[next])" }
        next += 1
      }
    }
    return next < found.count ? "not in the transcript: \(printed[next])" : nil
  }

  /// Whether a line is a note, a warning or an error, which a reader must see.
  private static func isNotice(_ line: String) -> Bool {
    line.hasPrefix("! ") || ["note:", "warning", "error:"].contains(where: line.contains)
  }

  /// The numbers that differ between runs or machines, and nothing else.
  struct Masks {
    /// Whether what the command prints was computed by the model, so that another machine rounds it differently.
    private let isComputed: Bool

    init(command: String) {
      isComputed = !["cpt init ", "cpt inspect --config ", "cpt help "].contains(where: command.hasPrefix)
    }

    /// Lines with their variable numbers replaced.
    ///
    /// - times (`12 s`, `1:05`), rates (`680 ex/s`, `404 per second`) and memory (`38.9 MB`);
    /// - of computed lines: numbers with a decimal point, the step of the best checkpoint, and the counts of a confusion
    ///   matrix. A number in a table keeps the width of its cell.
    func masked(_ lines: [String]) -> [String] {
      var isConfusion = false
      return lines.map { line in
        isConfusion = line.hasPrefix("label \\ ") || isConfusion && !line.isEmpty
        var line = line
        line.replace(/\b(?:\d+ s|\d+:\d\d(?::\d\d)?)\b/, with: "TIME")
        line.replace(/\b[\d.]+ (?:ex\/s|per second)/, with: "RATE")
        line.replace(/\b[\d.]+ [kMG]B\b/, with: "MEMORY")
        guard isComputed || line.contains("log P") else { return line }
        line.replace(/\b(at|after) step \d+/) { "\($0.1) step #" }
        line.replace(/[ ]*[-+]?\b\d+\.\d+(?:e[-+]?\d+)?/) { Self.hidden($0.0) }
        if isConfusion { line.replace(/[ ]{2,}\d+\b/) { Self.hidden($0.0) } }
        return line
      }
    }

    /// A masked number with the spaces before it: two or more are the padding of a table's cell, whose width stays.
    private static func hidden(_ cell: Substring) -> String {
      let spaces = cell.prefix { $0 == " " }.count
      return String(repeating: " ", count: spaces < 2 ? spaces : cell.count - 1) + "#"
    }
  }
}
