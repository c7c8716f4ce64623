import FileFormats

/// Something that is known, for people and for programs.
struct Fact {
  let key: String
  let json: JSON
  /// What it is called in a table; nil: only programs are told.
  let name: String?
  let text: String

  init(_ key: String, _ json: JSON, _ name: String? = nil, _ text: String = "") {
    self.key = key
    self.json = json
    self.name = name
    self.text = text
  }

  init(_ key: String, _ number: Int, _ name: String?) { self.init(key, .integer(number), name, String(number)) }
}

extension [Fact] {
  var text: String {
    let rows = compactMap { fact in fact.name.map { ($0, fact.text) } }
    let width = rows.map { columns(of: $0.0) }.max() ?? 0
    return rows.map { wrapped($1, behind: padded($0, to: width + 2)) }.joined(separator: "\n")
  }

  var json: JSON { .object(map { .init($0.key, $0.json) }) }
}
