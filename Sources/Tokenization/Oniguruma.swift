import COniguruma
import Diagnostics
import Synchronization

/// A regular expression in the dialect and with the engine of Hugging Face tokenizers.
///
/// Its tables are those of the Oniguruma that is installed.
@safe final class Oniguruma: Sendable {
  /// Never changes once compiled, so that threads may share it.
  private nonisolated(unsafe) let expression: OnigRegex
  private let file: String
  /// The name of the pattern in messages.
  private let name: String

  /// Compiling is not safe on several threads at once; the first to compile initializes the library.
  private static let isInitialized = Mutex(false)

  /// Compiles a pattern; `name` is its place in the file.
  ///
  /// - Throws: `InputError.badData` with Oniguruma's message.
  init(_ pattern: String, name: String, file: String) throws {
    self.name = name
    self.file = file
    var compiled: OnigRegex?
    var message = [UInt8](repeating: 0, count: Int(ONIG_MAX_ERROR_MESSAGE_LEN))
    let bytes = Array(pattern.utf8)
    let result = Self.isInitialized.withLock { isInitialized in
      if !isInitialized { cpt_onig_initialize() }
      isInitialized = true
      return unsafe cpt_onig_compile(&compiled, bytes, bytes.count, &message)
    }
    guard result == ONIG_NORMAL, let compiled = unsafe compiled else {
      throw InputError.badData(file, "\(name) is not a regular expression: \(Self.text(message))")
    }
    unsafe expression = compiled
  }

  deinit { unsafe onig_free(expression) }

  /// The matches in a text, in order and apart; an empty match does not follow another match directly.
  ///
  /// - Throws: `InputError.badData` for a pattern that needs too many steps for the text.
  func matches(in text: Span<UInt8>) throws -> [Range<Int>] {
    var matches: [Range<Int>] = []
    var start = 0
    var lastEnd: Int?
    while start <= text.count, let match = try firstMatch(in: text, from: start) {
      if match.isEmpty, match.upperBound == lastEnd {
        start += start < text.count ? text.scalarValue(at: start).length : 1
      } else {
        matches.append(match)
        start = match.upperBound
        lastEnd = match.upperBound
      }
    }
    return matches
  }

  private func firstMatch(in text: Span<UInt8>, from start: Int) throws -> Range<Int>? {
    var range = [0, 0]
    var message = [UInt8](repeating: 0, count: Int(ONIG_MAX_ERROR_MESSAGE_LEN))
    let result = unsafe text.withUnsafeBufferPointer { bytes in
      unsafe cpt_onig_search(expression, bytes.baseAddress, bytes.count, start, &range, &message)
    }
    if result == ONIG_MISMATCH { return nil }
    guard result >= 0, range[0] <= range[1] else {
      throw InputError.badData(
        file,
        "\(name) gives up on a text of \(text.count) bytes (\(Self.text(message))); shorten the text or simplify the "
          + "pattern")
    }
    return range[0]..<range[1]
  }

  private static func text(_ message: [UInt8]) -> String {
    String(decoding: message.prefix { $0 != 0 }, as: UTF8.self)
  }
}
