import Diagnostics
import Runs

extension Command {
  /// `cpt man`.
  static let man = Command(
    name: "man",
    group: .shell,
    summary: "Print the manual page.",
    example: "cpt man | man -l -",
    flags: [.help],
    run: { _ in
      try printResult(manualPage())
      return 0
    })
}

/// The manual page, in roff (man(7)).
private func manualPage() -> String {
  let groups = Command.Group.allCases.map { group in
    let entries = commands.filter { $0.group == group }.map { command in
      var lines = [".SS \(roff(command.usage))", roff(command.summary), ".PP", ".EX", ".in +2", roff(command.example)]
      lines += [".in", ".EE"]
      if let operands = command.operands { lines += [".TP", bold(operands.value.name), roff(operands.help)] }
      lines += command.flags.flatMap { flag in
        [".TP", bold(flag.name) + (flag.value.map { " " + italic($0.name) } ?? ""), roff(flag.help)]
      }
      return lines.joined(separator: "\n")
    }
    return ".SH \(roff(group.rawValue.uppercased()))\n" + entries.joined(separator: "\n")
  }
  let explanations = topics.map { topic in ".SH \(roff(topic.name.uppercased()))\n" + paragraphs(topic.text) }
  let keys = Configuration.reference.flatMap { key in
    [".TP", "\(bold(key.path)): \(roff("\(key.expected) (default \(key.defaultValue))"))", roff(key.meaning)]
  }
  let files = fileKeys.flatMap { file in
    [".SS \(roff(file.title))"]
      + file.keys.flatMap { [".TP", "\(bold($0.path)): \(roff($0.values))", roff($0.meaning)] }
  }
  return """
    .TH CPT 1 "" "cpt \(version)" "User Commands"
    .SH NAME
    cpt \\- classify texts with a frozen language model and a tuned prompt
    .SH SYNOPSIS
    .B cpt
    .I COMMAND
    [FLAGS]
    \(groups.joined(separator: "\n"))
    \(explanations.joined(separator: "\n"))
    .SH CONFIGURATION KEYS
    \(keys.joined(separator: "\n"))
    .SH KEYS OF THE FILES
    \(files.joined(separator: "\n"))
    """
}

private func bold(_ text: String) -> String { "\\fB\(roff(text))\\fR" }
private func italic(_ text: String) -> String { "\\fI\(roff(text))\\fR" }

/// Text escaped for roff, in ASCII; a leading dot must not begin a request.
private func roff(_ text: String) -> String {
  let escapes: [Unicode.Scalar: String] = [
    "\\": "\\e", "-": "\\-", "'": "\\(aq", "^": "\\(ha", "~": "\\(ti", "`": "\\(ga",
  ]
  let escaped = text.unicodeScalars.map { scalar in
    escapes[scalar] ?? (scalar.isASCII ? String(scalar) : "\\[u\(fourDigits(scalar.value))]")
  }.joined()
  return escaped.hasPrefix(".") ? "\\&" + escaped : escaped
}

/// A code point as roff names it: at least four hexadecimal digits.
private func fourDigits(_ code: UInt32) -> String {
  let digits = String(code, radix: 16, uppercase: true)
  return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
}

/// Paragraphs of a topic; lines that begin with two spaces stay as they are.
private func paragraphs(_ text: String) -> String {
  text.split(separator: "\n\n").map { paragraph in
    let lines = paragraph.split(separator: "\n")
    let text = lines.map { roff(String($0)) }.joined(separator: "\n")
    return lines.allSatisfy { $0.hasPrefix("  ") } ? ".PP\n.EX\n\(text)\n.EE" : ".PP\n\(text)"
  }.joined(separator: "\n")
}
