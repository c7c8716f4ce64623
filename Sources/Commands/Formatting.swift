import Glibc
import System

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

/// The columns of text: those of the terminal on standard output, else `COLUMNS`; at most 80.
let textColumns: Int = {
  var size = winsize()
  let terminal = unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 ? Int(size.ws_col) : 0
  return min(80, max(20, terminal > 0 ? terminal : environment("COLUMNS").flatMap(Int.init) ?? 80))
}()

/// `first` and then text, wrapped at `textColumns`; longer words are kept whole.
///
/// Later lines are indented by `indent`, or aligned with the text if that is nil; below `first` if there is no room
/// beside it.
func wrapped(_ text: String, behind first: String = "", indent: Int? = nil) -> String {
  let hasRoom = indent != nil || columns(of: first) <= textColumns / 2
  let indent = hasRoom ? indent ?? columns(of: first) : 6
  var lines: [String] = []
  for word in text.split(separator: " ").map(String.init) {
    if let last = lines.last, indent + columns(of: last) + 1 + columns(of: word) <= textColumns {
      lines[lines.count - 1] = last + " " + word
    } else {
      lines.append(word)
    }
  }
  let space = String(repeating: " ", count: indent)
  let head = hasRoom ? first : String(first.reversed().drop { $0 == " " }.reversed()) + "\n" + space
  return head + lines.joined(separator: "\n" + space)
}

/// A text that is laid out for 80 columns, for fewer: paragraphs are wrapped, and so are the meanings in indented lists.
///
/// Lines that begin with two spaces are examples, or entries of a list: a word, a gap, its meaning; the lines of a meaning
/// begin far to the right.
func refitted(_ text: String) -> String {
  if textColumns == 80 { return text }
  var parts: [(first: String, text: String)] = []
  var isOpen = false
  for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
    let indent = line.prefix { $0 == " " }.count
    let rest = String(line.dropFirst(indent))
    if rest.isEmpty || indent >= 2 && indent < 12 {
      let gap = rest.firstRange(of: "  ")
      let name = gap.map { String(rest[..<$0.lowerBound]) } ?? rest
      let meaning = gap.map { String(rest[$0.upperBound...].drop { $0 == " " }) } ?? ""
      parts.append((String(repeating: " ", count: indent) + name + (meaning.isEmpty ? "" : "  "), meaning))
      isOpen = !meaning.isEmpty
    } else if isOpen, let last = parts.indices.last {
      parts[last].text += " " + rest
    } else {
      parts.append(("", rest))
      isOpen = true
    }
  }
  return parts.map { $0.text.isEmpty ? $0.first : wrapped($0.text, behind: $0.first) }.joined(separator: "\n")
}
