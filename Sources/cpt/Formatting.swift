/// Text filled up with spaces on the right.
func padded(_ text: String, to width: Int) -> String {
  text + String(repeating: " ", count: max(0, width - columns(of: text)))
}

/// Rows of cells as aligned text; the columns of `rightAligned` (numbers) are aligned on the right.
func table(_ rows: [[String]], rightAligned: Set<Int>) -> String {
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

/// Text broken at spaces into lines of at most `width` characters; all but the first are indented.
func wrapped(_ text: String, indent: Int, width: Int) -> String {
  var lines: [String] = []
  var line = ""
  for word in text.split(separator: " ") {
    if !line.isEmpty, indent + line.count + 1 + word.count > width {
      lines.append(line)
      line = ""
    }
    line += (line.isEmpty ? "" : " ") + word
  }
  return (lines + [line]).joined(separator: "\n" + String(repeating: " ", count: indent))
}
