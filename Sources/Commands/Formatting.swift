/// Text padded with spaces on the right.
func padded(_ text: String, to width: Int) -> String {
  text + String(repeating: " ", count: max(0, width - columns(of: text)))
}

/// Rows of cells as aligned text; columns in `rightAligned` (numbers) are right-aligned.
func table(_ rows: [[String]], rightAligned: Set<Int>) -> String {
  // Line breaks and control characters in a cell would break the table's layout.
  let rows = rows.map { $0.map { visible($0, space: " ") } }
  let count = rows.map(\.count).max() ?? 0
  let widths = (0..<count).map { column in rows.map { column < $0.count ? columns(of: $0[column]) : 0 }.max() ?? 0 }
  return rows.map { row in
    var line = ""
    for (column, cell) in row.enumerated() {
      let space = String(repeating: " ", count: widths[column] - columns(of: cell))
      line += (column == 0 ? "" : "  ") + (rightAligned.contains(column) ? space + cell : cell + space)
    }
    while line.last == " " { line.removeLast() }
    return line
  }.joined(separator: "\n")
}

/// `first` and then text, wrapped at 80 columns; longer words are kept whole.
///
/// Later lines are indented by `indent`, or aligned with the text if that is nil.
func wrapped(_ text: String, behind first: String = "", indent: Int? = nil) -> String {
  let indent = indent ?? columns(of: first)
  var lines: [String] = []
  for word in text.split(separator: " ").map(String.init) {
    if let last = lines.last, indent + columns(of: last) + 1 + columns(of: word) <= 80 {
      lines[lines.count - 1] = last + " " + word
    } else {
      lines.append(word)
    }
  }
  return first + lines.joined(separator: "\n" + String(repeating: " ", count: indent))
}
