import Diagnostics
import System

/// The text of a file or of standard input as UTF-8, in chunks.
///
/// The text may be UTF-8, with or without a byte-order mark, or UTF-16 with one, and compressed by gzip.
struct TextInput {
  /// The encodings a text may have.
  private enum Encoding {
    case utf8
    case utf16(isBigEndian: Bool)
  }

  private let path: String
  private let input: ChunkedInput
  /// nil before the first bytes.
  private var encoding: Encoding?
  /// Whether it begins with a byte-order mark.
  private(set) var hasMark = false
  /// How the first line ends: "\n" or "\r\n"; nil before its end.
  private(set) var lineBreak: String?
  private var lastByte: UInt8 = 0
  private var isAtEnd = false
  private var offset = 0
  /// Half of a code unit of UTF-16.
  private var half: UInt8?
  /// The first half of a surrogate pair.
  private var lead: UInt16?
  /// An error to throw after the bytes before it.
  private var failure: InputError?

  /// Opens a file; `-` is standard input.
  ///
  /// - Throws: `InputError.missing` when it cannot be opened, or is a folder.
  init(path: String) throws {
    self.path = path
    input = try ChunkedInput(path: path)
  }

  /// The name in messages: its path, or "standard input".
  var name: String { input.name }

  private var isUTF16: Bool { if case .utf16 = encoding { true } else { false } }

  /// What was converted to UTF-8, for messages; empty for plain UTF-8.
  var conversions: [String] {
    (input.isCompressed ? ["gzip"] : []) + (isUTF16 ? ["UTF-16"] : [])
  }

  /// A command that writes the converted file as another.
  ///
  /// - Parameters:
  ///   - filters: programs, the first of which reads the file.
  ///   - middle: what the name of the new file has before its extension.
  /// - Returns: the command.
  private func command(_ filters: [String], middle: String) -> String {
    let pipe = filters.joined(separator: " | ")
    guard path != "-" else { return "… | \(pipe) | cpt …" }
    var name = path
    if input.isCompressed, name.lowercased().hasSuffix(".gz") { name.removeLast(3) }
    let dot = name.lastIndex { $0 == "." || $0 == "/" }.flatMap { name[$0] == "." ? $0 : nil } ?? name.endIndex
    let result = shellWord(name[..<dot] + "." + middle + name[dot...]), file = shellWord(path)
    let reading =
      input.isCompressed
      ? "zcat \(file) | \(pipe)" : (["\(filters[0]) \(file)"] + filters.dropFirst()).joined(separator: " | ")
    return "\(reading) > \(result)"
  }

  /// The remedy for bytes that are not UTF-8.
  var remedyForOtherEncodings: String {
    "convert it; if it is Windows-1252, as Excel writes: "
      + command(["iconv -f WINDOWS-1252 -t UTF-8"], middle: "utf8")
  }

  /// Reads some bytes.
  ///
  /// - Parameter beforeWaiting: called before waiting for bytes, for example from a pipe with a slow writer.
  /// - Returns: the bytes, which are UTF-8 if the file is; none at the end.
  /// - Throws: `InputError` when reading fails, for a file that is no text, for UTF-16 that is malformed, and what
  ///   `beforeWaiting` throws.
  mutating func next(beforeWaiting: () throws -> Void = {}) throws -> [UInt8] {
    let text = try nextText(beforeWaiting: beforeWaiting)
    if lineBreak == nil {
      if let end = text.firstIndex(of: UInt8(ascii: "\n")) {
        lineBreak = (end == 0 ? lastByte : text[end - 1]) == UInt8(ascii: "\r") ? "\r\n" : "\n"
      }
      lastByte = text.last ?? lastByte
    }
    return text
  }

  private mutating func nextText(beforeWaiting: () throws -> Void) throws -> [UInt8] {
    while true {
      if let failure { throw failure }
      let bytes: [UInt8]
      if encoding == nil {
        bytes = try begin(beforeWaiting: beforeWaiting)
      } else {
        bytes = try input.next(beforeWaiting: beforeWaiting)
        if bytes.isEmpty {
          guard half == nil, lead == nil else { throw malformed }
          return []
        }
      }
      guard case .utf16(let isBigEndian) = encoding else {
        if bytes.isEmpty, !isAtEnd { continue }
        return bytes
      }
      let text = utf8(of: bytes, isBigEndian: isBigEndian)
      if !text.isEmpty { return text }
    }
  }

  /// Reads the first bytes and what they say about the encoding.
  private mutating func begin(beforeWaiting: () throws -> Void) throws -> [UInt8] {
    let marks: [(bytes: [UInt8], encoding: Encoding)] = [
      ([0xEF, 0xBB, 0xBF], .utf8), ([0xFF, 0xFE], .utf16(isBigEndian: false)),
      ([0xFE, 0xFF], .utf16(isBigEndian: true)),
    ]
    var bytes = try input.next(beforeWaiting: beforeWaiting)
    while !bytes.isEmpty,
      ForeignFormat.mayBegin(with: bytes)
        || marks.contains(where: { $0.bytes.starts(with: bytes) && $0.bytes != bytes })
    {
      let more = try input.next()
      if more.isEmpty { break }
      bytes += more
    }
    if let foreign = ForeignFormat(beginningOf: bytes, path: path) {
      throw foreign.refusal(of: name, path: path == "-" ? nil : path)
    }
    if input.isCompressed, bytes.starts(with: [0x1F, 0x8B]) {
      throw InputError.badData(
        name, "is compressed by gzip twice; decompress it once more: " + command(["zcat"], middle: "once"))
    }
    isAtEnd = bytes.isEmpty
    let mark = marks.first { bytes.starts(with: $0.bytes) }
    // A letter and a zero, as two bytes or four, again and again: single zeros are damage, which the parsers name.
    let start = bytes.prefix(64), pairs = start.count / 2
    let zeros = [0, 1].map { parity in start.indices.count { $0 % 2 == parity && start[$0] == 0 } }
    let isWide = pairs > 0 && bytes.prefix(4).contains(0) && 2 * max(zeros[0], zeros[1]) > pairs
    if mark == nil && isWide || bytes.starts(with: [0xFF, 0xFE, 0, 0]) {
      let unit = bytes.prefix(4).count { $0 == 0 } > 2 || bytes.starts(with: [0xFF, 0xFE, 0, 0]) ? "32" : "16"
      let encoding = "UTF-\(unit)" + (mark == nil ? (bytes[0] == 0 ? "BE" : "LE") : "")
      throw InputError.badData(
        name,
        "looks like \(encoding)\(mark == nil ? " without a byte-order mark" : ""); convert it: "
          + command(["iconv -f \(encoding) -t UTF-8"], middle: "utf8"))
    }
    encoding = mark?.encoding ?? .utf8
    hasMark = mark != nil
    return Array(bytes.dropFirst(mark?.bytes.count ?? 0))
  }

  /// Converts UTF-16; up to the first malformed part, which becomes `failure`.
  private mutating func utf8(of bytes: [UInt8], isBigEndian: Bool) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count)
    for byte in bytes {
      guard let first = half else {
        half = byte
        continue
      }
      half = nil
      offset += 2
      let unit = isBigEndian ? UInt16(first) << 8 | UInt16(byte) : UInt16(byte) << 8 | UInt16(first)
      let code: UInt32
      switch (lead, unit) {
      case (nil, 0xD800..<0xDC00):
        lead = unit
        continue
      case (let high?, 0xDC00..<0xE000):
        code = 0x10000 + (UInt32(high) - 0xD800) << 10 + (UInt32(unit) - 0xDC00)
        lead = nil
      default: code = lead == nil ? UInt32(unit) : 0xD800
      }
      guard let scalar = Unicode.Scalar(code) else {
        failure = malformed
        return text
      }
      text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    }
    return text
  }

  private var malformed: InputError {
    .badData(name, "malformed UTF-16 after byte \(offset); is the file complete?")
  }
}
