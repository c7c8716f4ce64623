import Diagnostics

/// A kind of file that holds no rows as text, and the command that makes a table of it.
struct ForeignFormat: Sendable {
  /// "a Parquet file".
  let name: String
  /// The extensions of its files.
  let endings: [String]
  /// Its first bytes; letters in any case if they begin with "<".
  let magic: [[UInt8]]
  /// What to do, given the file and the file to make, both quoted for a shell.
  let remedy: @Sendable (_ file: String, _ result: String) -> String

  private init(
    _ name: String, _ endings: [String], _ magic: [String],
    _ remedy: @escaping @Sendable (_ file: String, _ result: String) -> String
  ) {
    self.name = name
    self.endings = endings
    // Latin-1: a character for each byte.
    self.magic = magic.map { $0.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) } }
    self.remedy = remedy
  }

  private static func pandas(_ reader: String, needs: String) -> @Sendable (String, String) -> String {
    { file, result in
      "python3 -c 'import pandas, sys; pandas.\(reader)(sys.argv[1]).to_csv(sys.argv[2], index=False)' \(file) \(result) "
        + "(with \(needs))"
    }
  }

  static let all: [ForeignFormat] = [
    ForeignFormat("compressed by bzip2", ["bz2"], ["BZh"]) { "bzip2 -dc \($0) > \($1)" },
    ForeignFormat("compressed by xz", ["xz"], ["\u{FD}7zXZ\0"]) { "xz -dc \($0) > \($1)" },
    ForeignFormat("compressed by zstd", ["zst"], ["\u{28}\u{B5}\u{2F}\u{FD}"]) { "zstd -dc \($0) > \($1)" },
    ForeignFormat("an Excel workbook", ["xlsx", "xlsm"], [], pandas("read_excel", needs: "pandas and openpyxl")),
    ForeignFormat(
      "an old Excel workbook", ["xls"], ["\u{D0}\u{CF}\u{11}\u{E0}"], pandas("read_excel", needs: "pandas and xlrd")),
    ForeignFormat("an OpenDocument sheet", ["ods"], [], pandas("read_excel", needs: "pandas and odfpy")),
    ForeignFormat("a ZIP archive", ["zip"], ["PK\u{3}\u{4}"]) { "unzip -p \($0) > \($1)" },
    ForeignFormat(
      "a Parquet file", ["parquet", "pq"], ["PAR1"], pandas("read_parquet", needs: "pandas and pyarrow")),
    ForeignFormat(
      "an Arrow file", ["arrow", "feather"], ["ARROW1", "FEA1"], pandas("read_feather", needs: "pandas and pyarrow")),
    ForeignFormat("an SQLite database", ["db", "sqlite", "sqlite3"], ["SQLite format 3\0"]) {
      "sqlite3 -header -csv \($0) 'SELECT * FROM name_of_the_table' > \($1)"
    },
    ForeignFormat("a web page", ["html", "htm"], ["<!doctype html", "<html"]) { _, _ in
      "download the table itself"
    },
    ForeignFormat("a pointer of Git LFS, not the file", [], ["version https://git-lfs"]) { file, _ in
      "git lfs pull --include \(file)"
    },
  ]

  /// The format of a file by its extension; nil if the extension is not among them.
  init?(endingOf path: String) {
    guard let ending = path.split(separator: "/").last?.split(separator: ".").dropFirst().last?.lowercased(),
      let format = Self.all.first(where: { $0.endings.contains(ending) })
    else { return nil }
    self = format
  }

  /// The format of a file by its first bytes; for ZIP archives, which sheets are too, also by the names in it.
  init?(beginningOf bytes: [UInt8], path: String) {
    guard let found = Self.all.first(where: { format in format.magic.contains { Self.begins(bytes, with: $0) } }) else {
      return nil
    }
    guard found.endings == ["zip"] else {
      self = found
      return
    }
    // The names of the first files in the archive.
    let names = String(decoding: bytes.prefix(4096), as: UTF8.self)
    let isWorkbook = ["[Content_Types].xml", "xl/", "docProps/"].contains { names.contains($0) }
    let ending = isWorkbook ? "xlsx" : names.contains("mimetypeapplication/vnd.oasis") ? "ods" : nil
    self = Self(endingOf: ending.map { "rows." + $0 } ?? path) ?? found
  }

  /// Whether more bytes could make a beginning one of theirs.
  static func mayBegin(with bytes: [UInt8]) -> Bool {
    all.contains { format in format.magic.contains { $0.count > bytes.count && begins($0, with: bytes) } }
  }

  private static func begins(_ bytes: [UInt8], with prefix: [UInt8]) -> Bool {
    func folded(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }
    guard prefix.first == UInt8(ascii: "<") || bytes.first == UInt8(ascii: "<") else {
      return bytes.starts(with: prefix)
    }
    return bytes.starts(with: prefix) { folded($0) == folded($1) }
  }

  /// The error for a file of this format; nil for the path means standard input.
  func refusal(of name: String, path: String?) -> InputError {
    let file = path.map(shellWord) ?? "FILE", result = shellWord(path.map(Self.result) ?? "rows.csv")
    return .badData(
      name, "is \(self.name); expected rows as CSV, TSV or JSON: \(remedy(file, result))")
  }

  /// "a.csv.bz2" → "a.csv", "a.xlsx" → "a.csv", "a.csv" → "a.converted.csv".
  private static func result(for path: String) -> String {
    guard let dot = path.lastIndex(of: "."), !path[dot...].contains("/") else { return path + ".csv" }
    let stem = String(path[..<dot])
    if ForeignFormat(endingOf: path) == nil { return stem + ".converted" + path[dot...] }
    return DataFormat(endingOf: stem) == nil ? stem + ".csv" : stem
  }
}
